/* SPDX-License-Identifier: ISC */
/* test_inbox_print.c - what --print says of a message, and that no message speaks to a terminal. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "inbox/private.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static void controls_are_shown_as_question_marks(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		const char *shown;
	} rows[] = {
#define ROW(text, shown) { text, sizeof(text) - 1, shown }
		ROW("", ""),
		ROW("plain\r\n\ttext\n", "plain\n\ttext\n"),
		ROW("a\0b", "a?b"),
		ROW("\x1b[31mred\x07\x7f", "?[31mred??"),
		ROW("Gr\xc3\xbc\xc3\x9f"
		    "e \xf0\x9f\x98\x80",
		    "Gr\xc3\xbc\xc3\x9f"
		    "e \xf0\x9f\x98\x80"),
		ROW("\xc2\x9b"
		    "2J \x9b"
		    "2J",
		    "?2J ?2J"), /* C1, in UTF-8 and bare */
		ROW("\xc3", "?"),
		ROW("\xc3(\xff", "?(?"),
		ROW("\xc0\x9b", "??"),      /* overlong */
		ROW("\xed\xa0\x80", "???"), /* a surrogate */
		ROW("a\xe2\x80\xae"
		    "b\xe2\x81\xa6",
		    "a?b?"), /* direction */
		ROW("\xe2\x80\x93", "\xe2\x80\x93"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };
		char *text = memory_text_of(rows[i].text, rows[i].length);

		print_safe(&out, span_of(text, rows[i].length));
		assert_string_equal(bytes_text(&out), rows[i].shown);
		bytes_release(&out);
		free(text);
	}
}

/* An entry with those texts; from the header, from the envelope, or both. */
static void entry_init(struct entry *e, const char *subject, size_t recipients, uint64_t size)
{
	struct summary *s = &e->summary;

	memset(e, 0, sizeof(*e));
	e->id = 1;
	s->size = size;
	s->created_us = 1700000000 * CLOCK_SEC;
	s->message_id = memory_text("");
	s->subject = memory_text(subject);
	s->sender = memory_text("");
	s->from = (struct summary_address){ memory_text("A\xff"), memory_text("a@example.com") };
	s->recipients = memory_new_array(recipients, sizeof(char *));
	for (s->recipient_count = 0; s->recipient_count < recipients;)
		s->recipients[s->recipient_count++] = memory_text("b@example.org");
	s->bcc = memory_new_array(s->bcc_count = 1, sizeof(*s->bcc));
	s->bcc[0] = (struct summary_address){ memory_text(""), memory_text("b@example.org") };
	s->snippet = memory_text("It \xff begins");
	s->attachments = 3;
	e->row.id = 1;
	e->row.read = true;
}

static void a_line_is_one_line(void **state)
{
	static const struct {
		const char *subject;
		size_t recipients;
		uint64_t size;
		const char *end; /* behind date and id */
	} rows[] = {
		{ "Hi", 1, 0, "       0 B  <> -> <b@example.org>  Hi\n" },
		{ "", 1, 1023, "    1023 B  <> -> <b@example.org>  (no subject)\n" },
		{ "a\nb\tc\x1b", 1, 1536, "   1.5 KiB  <> -> <b@example.org>  a b c?\n" },
		{ "x", 5, 50 * 1024 * 1024,
		  "  50.0 MiB  <> -> <b@example.org>, <b@example.org>, <b@example.org> and 2 more  "
		  "x\n" },
	};

	(void)state;
	setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		static const char front[] = "2023-11-14 22:13:20  0000000000001";
		struct bytes out = { 0 };
		struct entry e;

		entry_init(&e, rows[i].subject, rows[i].recipients, rows[i].size);
		print_entry(PRINT_LINE, &e, &out);
		assert_memory_equal(bytes_text(&out), front, sizeof(front) - 1);
		assert_string_equal(bytes_text(&out) + sizeof(front) - 1, rows[i].end);
		summary_release(&e.summary);
		bytes_release(&out);
	}
}

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void json_is_one_valid_line(void **state)
{
	struct bytes out = { 0 };
	struct entry e;
	json_t *object;

	(void)state;
	entry_init(&e, "bad \xff\xfe \x1b and good \xc3\xa4\n", 2, 5);
	print_entry(PRINT_JSON, &e, &out);
	assert_ptr_equal(memchr(out.data, '\n', out.length), out.data + out.length - 1);
	object = json_loadb((char *)out.data, out.length, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(object);
	assert_string_equal(text_at(object, "Subject"),
	                    "bad \xef\xbf\xbd\xef\xbf\xbd \x1b and good \xc3\xa4\n");
	assert_string_equal(text_at(json_object_get(object, "From"), "Name"), "A\xef\xbf\xbd");
	assert_string_equal(text_at(object, "Username"), "");
	assert_int_equal(json_array_size(json_object_get(object, "Bcc")), 1);
	assert_true(json_is_array(json_object_get(object, "Cc")));
	assert_true(json_is_array(json_object_get(object, "Tags")));
	assert_true(json_is_true(json_object_get(object, "Read")));
	assert_int_equal(json_integer_value(json_object_get(object, "Attachments")), 3);
	assert_string_equal(text_at(object, "Snippet"), "It \xef\xbf\xbd begins");
	assert_string_equal(text_at(object, "ID"), "0000000000001");
	json_decref(object);
	summary_release(&e.summary);
	bytes_release(&out);
}

static void output_tells_that_nobody_reads(void **state)
{
	struct channel *channel = channel_new(NULL);
	const bool stopping = false;
	int fds[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(output_write(fds[1], channel, &stopping, span_of_text("text")), 0);
	close(fds[0]);
	assert_int_equal(output_write(fds[1], channel, &stopping, span_of_text("text")), -1);
	assert_int_equal(errno, EPIPE);
	close(fds[1]);
	channel_free(&channel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controls_are_shown_as_question_marks),
		cmocka_unit_test(a_line_is_one_line),
		cmocka_unit_test(json_is_one_valid_line),
		cmocka_unit_test(output_tells_that_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
