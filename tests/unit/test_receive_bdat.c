/* SPDX-License-Identifier: ISC */
/* test_receive_bdat.c - content by BDAT (RFC 3030): what is stored, however it is cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "receive/private.h"
#include "receive_server.h"

#define OPENING                   \
	"EHLO client.example\r\n" \
	"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\n"

static void open_chunks(struct server *v)
{
	server_connect(v);
	assert_true(text_ends(server_say(v, OPENING), "\r\n250 2.1.5 Ok\r\n"));
}

/* RFC 5321 2.3.8: whatever is counted, lines that are stored end with CRLF. A dot is a dot. */
static const struct {
	const char *chunks[4]; /* NULL: no more; the last one is LAST */
	const char *stored;
	bool bare;
} contents[] = {
	{ { "a\r\n" }, "a\r\n", false },
	{ { "a\r\n.\r\nb\r\n" }, "a\r\n.\r\nb\r\n", false },
	{ { ".\r\n" }, ".\r\n", false },
	{ { "..a\r\n", ".b\r\n" }, "..a\r\n.b\r\n", false },
	{ { "a\r\n.", "\r\n" }, "a\r\n.\r\n", false },
	{ { "a\r", "\nb\r\n" }, "a\r\nb\r\n", false },
	{ { "a", "b\r\n" }, "ab\r\n", false },
	{ { "a" }, "a\r\n", false },
	{ { "a", "" }, "a\r\n", false },
	{ { "a\r\n", "" }, "a\r\n", false },
	{ { "", "a\r\n" }, "a\r\n", false },
	{ { "" }, "", false },
	{ { "\r\n" }, "\r\n", false },
	{ { "\r", "\n" }, "\r\n", false },
	{ { "a\nb\n" }, "a\r\nb\r\n", true },
	{ { "a\rb" }, "a\r\nb\r\n", true },
	{ { "a\r" }, "a\r\n", true },
	{ { "a\r", "" }, "a\r\n", true },
	{ { "a\r", "b\r\n" }, "a\r\nb\r\n", true },
	{ { "a\r", "\r\n" }, "a\r\n\r\n", true },
	{ { "a", "\nb" }, "a\r\nb\r\n", true },
	{ { "\n.\r\n" }, "\r\n.\r\n", true },
	{ { "\n.\n" }, "\r\n.\r\n", true },
};

static void script_of(struct bytes *out, const char *const chunks[4])
{
	for (size_t i = 0; i < 4 && chunks[i] != NULL; i++) {
		bool last = i == 3 || chunks[i + 1] == NULL;

		bytes_printf(out, "BDAT %zu%s\r\n%s", strlen(chunks[i]), last ? " LAST" : "",
		             chunks[i]);
	}
	bytes_append_text(out, "NOOP\r\n");
}

static void play_content(size_t i, size_t size, bool strict)
{
	struct bytes script = { 0 };
	const char *heard;
	struct server v;

	server_init(&v);
	v.listener.reject_bare_newline = strict;
	open_chunks(&v);
	script_of(&script, contents[i].chunks);
	heard = server_say_pieces(&v, bytes_span(&script), size);
	if (strict && contents[i].bare) {
		assert_non_null(strstr(heard, "554 5.6.0 "));
		assert_int_equal(v.stored_count, 0);
	} else {
		assert_non_null(strstr(heard, "250 2.0.0 queued as "));
		assert_int_equal(v.stored_count, 1);
		assert_true(stored_is(&v.stored[0], span_of_text(contents[i].stored)));
		assert_string_equal(v.stored[0].with, "ESMTP");
	}
	assert_true(text_ends(heard, "250 2.0.0 Ok\r\n")); /* NOOP is not content */
	assert_false(v.closed);
	bytes_release(&script);
	server_release(&v);
}

static void content_is_clean_at_every_cut(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 5, 7, 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
		for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
			play_content(i, sizes[k], false);
			play_content(i, sizes[k], true);
		}
	}
}

/* The same octets by DATA and by BDAT in chunks of several sizes are the same message. */
static void large_mail_streams(void **state)
{
	static const size_t sizes[] = { 4096, 65536, 65537, 100000, 1000000 };
	struct bytes content = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	large_content(&content, 500000, "\r\n");
	open_chunks(&v);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct span rest = bytes_span(&content);
		struct bytes chunk = { 0 };

		server_say(&v, OPENING);
		while (rest.length > 0) {
			size_t length = rest.length < sizes[i] ? rest.length : sizes[i];

			bytes_clear(&chunk);
			bytes_printf(&chunk, "BDAT %zu%s\r\n", length,
			             length == rest.length ? " LAST" : "");
			bytes_append(&chunk, rest.data, length);
			rest = span_of(rest.data + length, rest.length - length);
			assert_true(text_starts(server_say_span(&v, bytes_span(&chunk)),
			                        rest.length > 0 ? "250 2.0.0 " : "250 2.0.0 q"));
		}
		assert_int_equal(v.stored_count, i + 1);
		assert_true(stored_is(&v.stored[i], bytes_span(&content)));
		bytes_release(&chunk);
	}
	assert_true(v.chunk_count > 20);
	bytes_release(&content);
	server_release(&v);
}

/* RSET and the end of the connection leave nothing of the chunks that were written. */
static void chunks_are_dropped(void **state)
{
	struct bytes content = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	bytes_append_text(&content, "BDAT 200000\r\n");
	large_content(&content, 200000 + content.length, "\r\n");
	content.length = 200000 + strlen("BDAT 200000\r\n");
	open_chunks(&v);
	assert_true(text_starts(server_say_span(&v, bytes_span(&content)), "250 2.0.0 200000 "));
	assert_int_equal(v.dropped, 0);
	assert_true(v.reserved >= 200000);
	assert_string_equal(server_say(&v, "RSET\r\n"), "250 2.0.0 Ok\r\n");
	assert_int_equal(v.dropped, 1);
	assert_int_equal(v.reserved, 0);
	server_say(&v, OPENING);
	server_say_span(&v, bytes_span(&content));
	server_vanish(&v);
	assert_int_equal(v.dropped, 2);
	assert_true(receive_idle(&v.receive));
	bytes_release(&content);
	server_release(&v);
}

/* A refusal is said behind the octets, and too many of them end the session. */
static void a_refused_flood_is_cut(void **state)
{
	struct bytes octets = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	v.listener.max_message_size = 1000;
	open_chunks(&v);
	assert_string_equal(server_say(&v, "BDAT 999999999999\r\n"), "");
	for (size_t i = 0; i < 64 * 1024; i++)
		bytes_append_char(&octets, 'x');
	for (size_t i = 0; i < 17 && !v.closed; i++)
		server_say_span(&v, bytes_span(&octets));
	assert_true(v.closed);
	assert_true(text_starts(bytes_text(&v.heard), "552 5.3.4 "));
	assert_non_null(strstr(bytes_text(&v.heard), "\r\n421 4.7.0 "));
	bytes_release(&octets);
	server_release(&v);
}

/* The writer refuses a piece: the chunk is read to its end, then answered. */
static void a_failing_store_is_told_at_the_end_of_the_chunk(void **state)
{
	struct bytes content = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	large_content(&content, 150000, "\r\n");
	open_chunks(&v);
	v.result = -1;
	bytes_clear(&v.heard);
	server_say(&v, "BDAT 150000\r\n");
	assert_string_equal(server_say_span(&v, span_of(content.data, 149999)), "");
	assert_true(text_starts(server_say(&v, "x"), "452 4.3.1 "));
	assert_true(text_starts(server_say(&v, "BDAT 0 LAST\r\n"), "503 5.5.1 "));
	assert_int_equal(v.reserved, 0);
	bytes_release(&content);
	server_release(&v);
}

/* Small chunks are for the end of a message; a stream of them is junk. */
static void tiny_chunks_are_junk(void **state)
{
	struct server v;
	unsigned n = 0;

	(void)state;
	server_init(&v);
	open_chunks(&v);
	for (; n <= JUNK_MAX && !v.closed; n++)
		server_say(&v, "BDAT 1\r\nx");
	assert_true(v.closed);
	assert_int_equal(n, JUNK_MAX - 1); /* EHLO was one */
	assert_non_null(strstr(bytes_text(&v.heard), "421 4.7.0 "));
	assert_int_equal(v.reserved, 0);
	server_release(&v);
}

/* Who stays silent between chunks, or drips them, is no better than who does so in DATA. */
static void slow_chunks_end(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	open_chunks(&v);
	server_say(&v, "BDAT 1000\r\n");
	for (unsigned n = 0; n < 400 && !v.closed; n++) {
		server_say(&v, "x");
		server_pass(&v, CLOCK_SEC);
	}
	assert_true(v.closed);
	assert_non_null(strstr(bytes_text(&v.heard), "421 4.4.2 "));
	open_chunks(&v);
	server_say(&v, "BDAT 1\r\nx");
	server_pass(&v, 5 * CLOCK_MIN);
	assert_true(v.closed);
	server_release(&v);
}

/* RFC 5322: NUL is refused as in DATA, and what was refused by its command stays that. */
static void nul_is_refused(void **state)
{
	static const char stray[] = "BDAT 2\r\na\0NOOP\r\n", nul[] = "BDAT 2 LAST\r\na\0NOOP\r\n";
	struct server v;

	(void)state;
	server_init(&v);
	server_connect(&v);
	server_greet(&v);
	assert_string_equal(server_say_span(&v, span_of(stray, sizeof stray - 1)),
	                    "503 5.5.1 Say MAIL and RCPT first\r\n250 2.0.0 Ok\r\n");
	server_say(&v, OPENING);
	assert_true(text_starts(server_say_span(&v, span_of(nul, sizeof nul - 1)), "554 5.6.0 "));
	assert_true(text_ends(bytes_text(&v.heard), "\r\n250 2.0.0 Ok\r\n"));
	server_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_is_clean_at_every_cut),
		cmocka_unit_test(large_mail_streams),
		cmocka_unit_test(chunks_are_dropped),
		cmocka_unit_test(a_refused_flood_is_cut),
		cmocka_unit_test(a_failing_store_is_told_at_the_end_of_the_chunk),
		cmocka_unit_test(tiny_chunks_are_junk),
		cmocka_unit_test(slow_chunks_end),
		cmocka_unit_test(nul_is_refused),
	};

	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
