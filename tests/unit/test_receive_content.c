/* SPDX-License-Identifier: ISC */
/* test_receive_content.c - large content in chunks, content that is refused, content that is slow.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mail/trace.h"
#include "receive/private.h"
#include "receive_server.h"

/* ---- large mail ---------------------------------------------------------------- */

static void large_mail_goes_ahead_in_chunks(void **state)
{
	static const size_t sizes[] = { 65000, 65500, 70000, 200000, 1000000 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct bytes content = { 0 };
		struct server v;

		server_init(&v);
		large_content(&content, sizes[i], "\r\n");
		server_open_data(&v);
		server_say_pieces(&v, bytes_span(&content), 30011);
		assert_string_equal(bytes_text(&v.heard), "");
		assert_true(text_starts(server_say(&v, ".\r\n"), "250 2.0.0 "));
		assert_true(stored_is(&v.stored[0], bytes_span(&content)));
		assert_int_equal(v.chunk_count > 0, sizes[i] > SPOOL_CHUNK_MAX);
		if (v.chunk_count > 0)
			assert_string_equal(bytes_text(&v.stored[0].header),
			                    "Received: by x\r\nSubject: large\r\n\r\n");
		assert_int_equal(v.dropped, 0);
		bytes_release(&content);
		server_release(&v);
	}
}

static void mended_content_may_grow(void **state)
{
	struct bytes content = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	bytes_append_text(&content, "\r\n");
	while (content.length < 300000)
		bytes_append_text(&content, "\n");
	server_open_data(&v);
	server_say_span(&v, bytes_span(&content));
	assert_true(text_starts(server_say(&v, "\r\n.\r\n"), "250 2.0.0 "));
	assert_int_equal(v.stored[0].content.length, 4 + 2 * 299998);
	bytes_release(&content);
	server_release(&v);
}

static void one_chunk_is_out_at_a_time(void **state)
{
	struct bytes content = { 0 };
	struct server v;
	size_t chunks = 0;

	(void)state;
	server_init(&v);
	v.automatic = false;
	large_content(&content, 500000, "\r\n");
	bytes_append_text(&content, ".\r\n");
	server_open_data(&v);
	server_say_span(&v, bytes_span(&content));
	while (v.chunk != NULL) {
		server_pass(&v, CLOCK_MIN);
		assert_string_equal(server_complete(&v, 0), "");
		chunks++;
	}
	assert_int_equal(chunks, 500000 / SPOOL_CHUNK_MAX);
	assert_non_null(v.put);
	assert_true(text_starts(server_complete(&v, 0), "250 2.0.0 "));
	bytes_release(&content);
	server_release(&v);
}

/* The header of streamed mail is kept whole, wherever it ends: in a later chunk, or in what never
 * became one. */
static void long_header(size_t header, size_t whole)
{
	struct bytes content = { 0 };
	struct server v;
	size_t length;

	server_init(&v);
	for (unsigned n = 0; content.length < header; n++)
		bytes_printf(&content, "X-Field-%u: some value\r\n", n);
	bytes_append_text(&content, "\r\n");
	length = content.length;
	for (unsigned n = 0; content.length < whole; n++)
		bytes_printf(&content, "body %u\r\n", n);
	server_open_data(&v);
	server_say_span(&v, bytes_span(&content));
	assert_true(text_starts(server_say(&v, ".\r\n"), "250 2.0.0 "));
	assert_true(v.chunk_count > 0);
	assert_true(span_equal(bytes_span(&v.stored[0].header), span_of(content.data, length)));
	bytes_release(&content);
	server_release(&v);
}

static void a_header_may_be_longer_than_a_chunk(void **state)
{
	(void)state;
	long_header(1000, 200000);
	long_header(90000, 200000);
	long_header(66000, 67000);
}

static void input_waits_while_a_chunk_is_out(void **state)
{
	struct bytes content = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	v.automatic = false;
	large_content(&content, 1000000, "\r\n");
	server_open_data(&v);
	server_say_span(&v, span_of(content.data, 70000));
	assert_non_null(v.chunk);
	server_say_span(&v, span_of(content.data, 100000));
	server_say_span(&v, span_of(content.data, 100000));
	assert_true(stream_input(v.session->stream).length < 70000);
	bytes_release(&content);
	server_release(&v);
}

/* ---- what is refused --------------------------------------------------------------- */

static void set_no_room(struct server *v)
{
	v->room = 100000;
}

static void set_limit(struct server *v)
{
	v->listener.max_message_size = 100000;
}

static void set_failing(struct server *v)
{
	v->result = -1;
}

static void set_strict(struct server *v)
{
	v->listener.reject_bare_newline = true;
}

static void make_large(struct bytes *out)
{
	large_content(out, 300000, "\r\n");
}

static void make_small(struct bytes *out)
{
	bytes_append_text(out, "Subject: x\r\n\r\nx\r\n");
}

static void make_nul(struct bytes *out)
{
	large_content(out, 150000, "\r\n");
	bytes_append(out, "a\0b\r\n", 5);
}

static void make_bare(struct bytes *out)
{
	large_content(out, 150000, "\r\n");
	bytes_append_text(out, "a\nb\r\n");
}

static void make_loop(struct bytes *out)
{
	for (int i = 0; i <= TRACE_HOPS_MAX; i++)
		bytes_append_text(out, "Received: by x;\r\n\tSat, 21 Nov 2026 21:42:22 +0000\r\n");
	bytes_append_text(out, "\r\nx\r\n");
}

static void make_large_loop(struct bytes *out)
{
	make_loop(out);
	for (int i = 0; out->length < 200000; i++)
		bytes_printf(out, "line %d\r\n", i);
}

static void make_almost_loop(struct bytes *out)
{
	for (int i = 0; i < TRACE_HOPS_MAX; i++)
		bytes_append_text(out, "Received: by x\r\n");
	bytes_append_text(out, "\r\nReceived: by x\r\n");
}

static void make_large_header(struct bytes *out)
{
	for (int i = 0; out->length < 140000; i++)
		bytes_printf(out, "X-%d: something, and something more of it\r\n", i);
	bytes_append_text(out, "\r\nx\r\n");
}

static void make_header_of_2k(struct bytes *out)
{
	while (out->length < 2048)
		bytes_append_text(out, "X: y\r\n");
	bytes_append_text(out, "\r\nx\r\n");
}

static void make_headless(struct bytes *out)
{
	while (out->length < 140000)
		bytes_append_text(out, "no field and no end of the header\r\n");
}

static void set_small_header(struct server *v)
{
	v->listener.max_header_size = 2048;
}

static const struct {
	void (*set_up)(struct server *v);
	void (*make)(struct bytes *out);
	const char *hear;
	bool drops;
} refused[] = {
	{ set_limit, make_large, "552 5.3.4 ", true },
	{ set_no_room, make_large, "452 4.3.1 ", true },
	{ set_failing, make_large, "452 4.3.1 ", true },
	{ set_failing, make_small, "452 4.3.1 ", false },
	{ set_strict, make_bare, "554 5.6.0 ", true },
	{ NULL, make_nul, "554 5.6.0 ", true },
	{ NULL, make_loop, "554 5.4.6 Routing loop", false },
	{ NULL, make_large_loop, "554 5.4.6 Routing loop", true },
	{ NULL, make_large_header, "552 5.3.4 Header", true },
	{ set_small_header, make_header_of_2k, "552 5.3.4 Header", false },
	{ set_small_header, make_large, "250 2.0.0 ", false },
	{ NULL, make_headless, "250 2.0.0 ", false },
	{ NULL, make_almost_loop, "250 2.0.0 ", false },
	{ NULL, make_bare, "250 2.0.0 ", false },
};

/* Refused content is swallowed to its end, answered once, and nothing of it is left. */
static void refusals_come_after_the_dot(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct bytes content = { 0 };
		struct server v;

		server_init(&v);
		if (refused[i].set_up != NULL)
			refused[i].set_up(&v);
		refused[i].make(&content);
		server_open_data(&v);
		server_say_span(&v, bytes_span(&content));
		assert_string_equal(bytes_text(&v.heard), "");
		if (refused[i].drops)
			assert_int_equal(v.stored_count, 0);
		if (!text_starts(server_say(&v, ".\r\n"), refused[i].hear))
			fail_msg("%zu: %s", i, bytes_text(&v.heard));
		assert_int_equal(v.dropped, refused[i].drops);
		assert_int_equal(v.reserved, 0);
		assert_true(text_starts(server_say(&v, "DATA\r\n"), "503 "));
		v.result = 0;
		v.room = UINT64_C(1) << 40;
		server_say(&v, SERVER_AGAIN);
		assert_true(text_starts(server_say(&v, "x\r\n.\r\n"), "250 "));
		bytes_release(&content);
		server_release(&v);
	}
}

static void endless_content_is_cut_off(void **state)
{
	struct bytes content = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	v.listener.max_message_size = 1000;
	large_content(&content, 100000, "\r\n");
	server_open_data(&v);
	for (int i = 0; i < 100 && !v.closed; i++)
		server_say_span(&v, bytes_span(&content));
	assert_true(v.closed);
	assert_true(text_starts(bytes_text(&v.heard), "552 5.3.4 "));
	assert_non_null(strstr(bytes_text(&v.heard), "\r\n421 4.7.0 "));
	bytes_release(&content);
	server_release(&v);
}

static void a_dripping_client_is_cut_off(void **state)
{
	struct server v;
	int64_t seconds = 0;

	(void)state;
	server_init(&v);
	server_open_data(&v);
	while (!v.closed && seconds < 100000) { /* 50 octets a second: never silent, never done */
		server_say(&v, "0123456789012345678901234567890123456789\r\n12345678");
		server_pass(&v, CLOCK_SEC);
		seconds++;
	}
	/* idle-timeout and the time that what came would have taken at 500 octets a second */
	assert_in_range(seconds, 5 * 60, 5 * 60 + 60);
	assert_true(text_starts(bytes_text(&v.heard), "421 4.4.2 "));
	server_release(&v);
}

static void a_slow_but_honest_client_is_heard_out(void **state)
{
	struct bytes second = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	while (second.length < v.listener.min_data_rate)
		bytes_append_text(&second, "0123456789\r\n");
	server_open_data(&v);
	for (int i = 0; i < 1500; i++) {
		server_say_span(&v, bytes_span(&second));
		server_pass(&v, CLOCK_SEC);
		assert_false(v.closed);
	}
	assert_true(text_starts(server_say(&v, ".\r\n"), "250 "));
	bytes_release(&second);
	server_release(&v);
}

/* The time that the writer takes is not the client's. */
static void a_slow_disk_is_not_a_slow_client(void **state)
{
	struct bytes content = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	v.automatic = false;
	large_content(&content, 70000, "\r\n");
	server_open_data(&v);
	server_say_span(&v, bytes_span(&content));
	server_pass(&v, CLOCK_HOUR);
	server_complete(&v, 0);
	server_pass(&v, 4 * CLOCK_MIN);
	assert_false(v.closed);
	server_say(&v, "more\r\n");
	server_pass(&v, 2 * CLOCK_MIN); /* 140 s for 70000 octets, 300 s for nothing */
	assert_false(v.closed);
	server_say(&v, ".\r\n");
	assert_true(text_starts(server_complete(&v, 0), "250 "));
	bytes_release(&content);
	server_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_mail_goes_ahead_in_chunks),
		cmocka_unit_test(mended_content_may_grow),
		cmocka_unit_test(one_chunk_is_out_at_a_time),
		cmocka_unit_test(a_header_may_be_longer_than_a_chunk),
		cmocka_unit_test(input_waits_while_a_chunk_is_out),
		cmocka_unit_test(a_slow_disk_is_not_a_slow_client),
		cmocka_unit_test(refusals_come_after_the_dot),
		cmocka_unit_test(endless_content_is_cut_off),
		cmocka_unit_test(a_dripping_client_is_cut_off),
		cmocka_unit_test(a_slow_but_honest_client_is_heard_out),
	};

	/* What is logged of thousands of sessions is nobody's reading. */
	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
