/* SPDX-License-Identifier: ISC */
/* test_websocket.c - the handshake's answer, good and bad frames of clients, our own frames. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "web/websocket.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static void answers_the_handshake(void **state)
{
	static const struct {
		const char *key, *accept; /* NULL: refused */
	} rows[] = {
		{ "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }, /* RFC 6455 1.3 */
		{ "", NULL },
		{ "dGhlIHNhbXBsZSBub25jZQ", NULL },
		{ "dGhlIHNhbXBsZSBub25jZXMx", NULL }, /* 18 octets */
		{ "dGhlIHNhbXBsZSBub25jZ\r\n=", NULL },
		{ "AAAAAAAAAAAAAAAAAAAAAA==AAAA", NULL },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };

		assert_int_equal(websocket_accept(rows[i].key, &out),
		                 rows[i].accept == NULL ? -1 : 0);
		assert_string_equal(bytes_text(&out), rows[i].accept == NULL ? "" : rows[i].accept);
		bytes_release(&out);
	}
}

#define FRAME(text)                                             \
	{                                                       \
		(const unsigned char *)(text), sizeof(text) - 1 \
	}

static void takes_frames_of_clients(void **state)
{
	static const struct {
		struct span in;
		int result;
		enum websocket_opcode opcode;
		const char *payload;
		enum websocket_status status; /* of a refused one */
	} rows[] = {
		/* RFC 6455 5.7 */
		{ FRAME("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), 1, WEBSOCKET_TEXT, "Hello",
		  0 },
		{ FRAME("\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), 1, WEBSOCKET_PING, "Hello",
		  0 },
		{ FRAME("\x88\x80\0\0\0\0"), 1, WEBSOCKET_CLOSE, "", 0 },
		{ FRAME("\x8a\x80\0\0\0\0more"), 1, WEBSOCKET_PONG, "", 0 },
		{ FRAME("\x82\xfe\0\x02\0\0\0\0ab"), 1, WEBSOCKET_BINARY, "ab", 0 },
		{ FRAME("\x81\xff\0\0\0\0\0\0\0\x01\0\0\0\0a"), 1, WEBSOCKET_TEXT, "a", 0 },
		/* not all there */
		{ FRAME(""), 0, 0, NULL, 0 },
		{ FRAME("\x81"), 0, 0, NULL, 0 },
		{ FRAME("\x81\x81"), 0, 0, NULL, 0 },
		{ FRAME("\x81\x81\1\2\3\4"), 0, 0, NULL, 0 },
		{ FRAME("\x81\xfe\x01"), 0, 0, NULL, 0 },
		{ FRAME("\x81\xff\0\0\0\0\0\0\0"), 0, 0, NULL, 0 },
		/* refused */
		{ FRAME("\x81\x05Hello"), -1, 0, NULL, WEBSOCKET_PROTOCOL_ERROR }, /* no mask */
		{ FRAME("\xc1\x80\0\0\0\0"), -1, 0, NULL, WEBSOCKET_PROTOCOL_ERROR },
		{ FRAME("\x83\x80"), -1, 0, NULL, WEBSOCKET_PROTOCOL_ERROR },
		{ FRAME("\x8b\x80"), -1, 0, NULL, WEBSOCKET_PROTOCOL_ERROR },
		{ FRAME("\x09\x80"), -1, 0, NULL, WEBSOCKET_PROTOCOL_ERROR }, /* a ping in parts */
		{ FRAME("\x89\xfe\0\x7e"), -1, 0, NULL, WEBSOCKET_PROTOCOL_ERROR },
		{ FRAME("\x01\x80"), -1, 0, NULL, WEBSOCKET_UNSUPPORTED }, /* fragmented */
		{ FRAME("\x80\x80"), -1, 0, NULL, WEBSOCKET_UNSUPPORTED },
		{ FRAME("\x81\xfe\x10\x01"), -1, 0, NULL, WEBSOCKET_TOO_BIG },
		{ FRAME("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff"), -1, 0, NULL,
		  WEBSOCKET_TOO_BIG },
		{ FRAME("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"), -1, 0, NULL,
		  WEBSOCKET_TOO_BIG },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct websocket_frame frame;
		enum websocket_status status = 0;
		size_t taken;

		assert_int_equal(websocket_take(rows[i].in, &frame, &taken, &status),
		                 rows[i].result);
		if (rows[i].result < 0)
			assert_int_equal(status, rows[i].status);
		if (rows[i].result != 1)
			continue;
		assert_int_equal(frame.opcode, rows[i].opcode);
		assert_int_equal(frame.length, strlen(rows[i].payload));
		assert_memory_equal(frame.payload, rows[i].payload, frame.length);
		assert_true(taken <= rows[i].in.length);
	}
}

/* As if a client had sent it: with a mask of zeros. */
static void takes_the_longest_and_no_longer(void **state)
{
	static unsigned char octets[8 + WEBSOCKET_CLIENT_MAX] = { 0x81, 0xfe };
	static struct websocket_frame frame;
	enum websocket_status status;
	size_t taken;

	(void)state;
	be16_store(octets + 2, WEBSOCKET_CLIENT_MAX);
	assert_int_equal(
		websocket_take(span_of(octets, sizeof(octets) - 1), &frame, &taken, &status), 0);
	assert_int_equal(websocket_take(span_of(octets, sizeof(octets)), &frame, &taken, &status),
	                 1);
	assert_int_equal(taken, sizeof(octets));
	assert_int_equal(frame.length, WEBSOCKET_CLIENT_MAX);
}

static void makes_frames_of_every_length(void **state)
{
	static const struct {
		size_t length, head;
		unsigned char second;
	} rows[] = {
		{ 0, 2, 0 },       { 125, 2, 125 },    { 126, 4, 126 },
		{ 65535, 4, 126 }, { 65536, 10, 127 }, { 300000, 10, 127 },
	};
	static unsigned char payload[300000];

	(void)state;
	memset(payload, 'x', sizeof(payload));
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };

		websocket_put(&out, WEBSOCKET_TEXT, span_of(payload, rows[i].length));
		assert_int_equal(out.length, rows[i].head + rows[i].length);
		assert_int_equal(out.data[0], 0x81);
		assert_int_equal(out.data[1], rows[i].second);
		if (rows[i].second == 126)
			assert_int_equal(be16_load(out.data + 2), rows[i].length);
		if (rows[i].second == 127)
			assert_int_equal(be64_load(out.data + 2), rows[i].length);
		assert_memory_equal(out.data + rows[i].head, payload, rows[i].length);
		bytes_release(&out);
	}
}

static void says_why_it_closes(void **state)
{
	struct bytes out = { 0 };

	(void)state;
	websocket_put_close(&out, WEBSOCKET_TOO_BIG);
	assert_int_equal(out.length, 4);
	assert_memory_equal(out.data, "\x88\x02\x03\xf1", 4);
	bytes_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_the_handshake),
		cmocka_unit_test(takes_frames_of_clients),
		cmocka_unit_test(takes_the_longest_and_no_longer),
		cmocka_unit_test(makes_frames_of_every_length),
		cmocka_unit_test(says_why_it_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
