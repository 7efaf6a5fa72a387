/* SPDX-License-Identifier: ISC */
/* test_reply.c - replies as servers say them, rubbish, and our own failures. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mail/reply.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

/* Feeds lines separated by '\n'; the last one's progress. */
static enum reply_progress feed(struct reply_parser *p, const char *lines, struct reply *reply_r)
{
	enum reply_progress progress = REPLY_MORE;

	while (progress == REPLY_MORE) {
		size_t length = strcspn(lines, "\n");

		progress = reply_parser_line(p, span_of(lines, length), reply_r);
		if (lines[length] == '\0')
			break;
		lines += length + 1;
	}
	return progress;
}

static void parses_replies(void **state)
{
	static const struct {
		const char *lines;
		int code;
		const char *enhanced, *text;
	} rows[] = {
		{ "250 2.1.0 Ok", 250, "2.1.0", "Ok" },
		{ "250", 250, "2.0.0", "" },
		{ "250 ", 250, "2.0.0", "" },
		{ "354 go ahead", 354, "4.0.0", "go ahead" },
		{ "220 mx.example ESMTP", 220, "2.0.0", "mx.example ESMTP" },
		{ "250-a\n250-b\n250 c", 250, "2.0.0", "a\nb\nc" },
		{ "250-\n250", 250, "2.0.0", "\n" },
		{ "550-5.7.1 one\n550 5.7.1 two", 550, "5.7.1", "one\ntwo" },
		{ "550-one\n550 5.7.26 two", 550, "5.7.26", "one\ntwo" },
		{ "550 4.7.1 odd class", 550, "5.0.0", "4.7.1 odd class" },
		{ "554 5.7.1", 554, "5.7.1", "" },
		{ "554 5.7.1: blocked", 554, "5.7.1", ": blocked" },
		{ "451 4.2.2.1 is an address", 451, "4.0.0", "4.2.2.1 is an address" },
		{ "550 5.1111.1 no", 550, "5.0.0", "5.1111.1 no" },
		{ "421 4.7.0 [TSS04]  two  spaces ", 421, "4.7.0", "[TSS04]  two  spaces" },
		{ "550 a\x1b[31m\rb\tc\x7f", 550, "5.0.0", "a?[31m?b c?" },
		{ "550 gr\xc3\xbc\xc3\x9f \xff\xc2\x85", 550, "5.0.0", "gr\xc3\xbc\xc3\x9f ??" },
		{ "599 x", 599, "5.0.0", "x" },
		{ "200 x", 200, "2.0.0", "x" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct reply_parser p = { 0 };
		struct reply r = { 0 };
		char enhanced[16];

		assert_int_equal(feed(&p, rows[i].lines, &r), REPLY_DONE);
		assert_int_equal(r.code, rows[i].code);
		assert_string_equal(r.text, rows[i].text);
		assert_false(r.local);
		reply_format_enhanced(&r, enhanced);
		assert_string_equal(enhanced, rows[i].enhanced);
		reply_release(&r);
		assert_null(r.text);
		/* ready for the next */
		assert_int_equal(feed(&p, "221 bye", &r), REPLY_DONE);
		assert_string_equal(r.text, "bye");
		assert_int_equal(r.enhanced.class, 0);
		reply_release(&r);
		reply_parser_release(&p);
	}
}

static void breaks_on_what_is_no_reply(void **state)
{
	static const char *const rows[] = {
		"",
		"2",
		"25",
		"25x ok",
		"2500 ok",
		"250_ok",
		"250\tok",
		"hello",
		"HTTP/1.1 200 OK",
		"199 x",
		"600 x",
		"000 x",
		" 250 ok",
		"\xff\xff\xff ok",
		"250-a\n251 b",
		"250-a\n550 b",
		"250-a\n",
		"250-a\nb",
		"-250 x",
		"+50 x",
		"2a0 x",
		"250-a\n250-b\nx",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct reply_parser p = { 0 };
		struct reply r = { 0 };

		if (feed(&p, rows[i], &r) != REPLY_BROKEN)
			fail_msg("'%s' is no reply", rows[i]);
		assert_null(r.text);
		reply_parser_release(&p);
	}
}

static void counts_nul_as_a_control(void **state)
{
	struct reply_parser p = { 0 };
	struct reply r = { 0 };

	(void)state;
	assert_int_equal(reply_parser_line(&p, span_of("250 a\0b", 7), &r), REPLY_DONE);
	assert_string_equal(r.text, "a?b");
	reply_release(&r);
	assert_int_equal(reply_parser_line(&p, span_of("25\0 b", 5), &r), REPLY_BROKEN);
}

static void bounds_lines_and_their_number(void **state)
{
	char line[REPLY_LINE_MAX + 2];
	struct reply_parser p = { 0 };
	struct reply r = { 0 };
	unsigned lines = 0;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "250 ", 4);
	assert_int_equal(reply_parser_line(&p, span_of(line, REPLY_LINE_MAX - 2), &r), REPLY_DONE);
	assert_int_equal(strlen(r.text), REPLY_LINE_MAX - 6);
	reply_release(&r);
	assert_int_equal(reply_parser_line(&p, span_of(line, REPLY_LINE_MAX - 1), &r),
	                 REPLY_BROKEN);
	for (lines = 0; reply_parser_line(&p, span_of("250-x", 5), &r) == REPLY_MORE; lines++)
		assert_true(lines < REPLY_LINES_MAX);
	assert_int_equal(lines, REPLY_LINES_MAX);
	reply_parser_release(&p);
	line[3] = '-';
	for (lines = 0; reply_parser_line(&p, span_of(line, 4000), &r) == REPLY_MORE; lines++)
		assert_true(p.text.length <= 64 * 1024);
	assert_true(lines > 10 && lines < 20);
	reply_parser_release(&p);
}

static void makes_local_replies(void **state)
{
	struct reply r, copy;
	struct bytes out = { 0 };

	(void)state;
	reply_local(&r, 451, "4.4.2", "lost %s: %s", "mx", "a\r\nb");
	assert_true(r.local);
	assert_string_equal(r.text, "lost mx: a??b");
	reply_copy(&copy, &r);
	reply_release(&r);
	reply_format(&copy, &out);
	assert_string_equal(bytes_text(&out), "451 4.4.2 lost mx: a??b");
	reply_release(&copy);
	bytes_clear(&out);
	reply_local(&r, 550, NULL, "%05000d", 1);
	assert_int_equal(strlen(r.text), REPLY_TEXT_MAX);
	assert_int_equal(r.enhanced.class, 0);
	reply_release(&r);
	bytes_release(&out);
}

static void formats_on_one_line(void **state)
{
	static const struct {
		const char *lines, *formatted;
	} rows[] = {
		{ "550-5.1.1 No such user\n550 5.1.1 here", "550 5.1.1 No such user here" },
		{ "250", "250" },
		{ "354 go", "354 go" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct reply_parser p = { 0 };
		struct reply r = { 0 };
		struct bytes out = { 0 };

		assert_int_equal(feed(&p, rows[i].lines, &r), REPLY_DONE);
		reply_format(&r, &out);
		assert_string_equal(bytes_text(&out), rows[i].formatted);
		bytes_release(&out);
		reply_release(&r);
	}
}

/* The cut is never inside a character. */
static void cuts_long_text(void **state)
{
	for (size_t shift = 0; shift < 3; shift++) {
		struct reply r = { .code = 550 };
		struct bytes text = { 0 }, out = { 0 };

		(void)state;
		bytes_append(&text, "xx", shift);
		while (text.length < 3000)
			bytes_append_text(&text, "\xe2\x82\xac");
		r.text = (char *)(uintptr_t)bytes_text(&text);
		reply_format(&r, &out);
		assert_true(out.length <= 4 + REPLY_TEXT_MAX && out.length > REPLY_TEXT_MAX);
		assert_memory_equal(out.data + out.length - 3, "\xe2\x82\xac", 3);
		bytes_release(&text);
		bytes_release(&out);
	}
}

static void parses_enhanced_codes(void **state)
{
	static const struct {
		const char *text;
		size_t used; /* 0: none */
		struct enhanced_code code;
	} rows[] = {
		{ "2.0.0", 5, { 2, 0, 0 } },
		{ "5.7.1 x", 5, { 5, 7, 1 } },
		{ "4.123.999", 9, { 4, 123, 999 } },
		{ "", 0, { 0 } },
		{ "5", 0, { 0 } },
		{ "5.", 0, { 0 } },
		{ "5.1", 0, { 0 } },
		{ "5.1.", 0, { 0 } },
		{ "5..1", 0, { 0 } },
		{ "3.0.0", 0, { 0 } },
		{ "5.1.1234", 0, { 0 } },
		{ "5.1.1x", 0, { 0 } },
		{ "5.1.1.1", 0, { 0 } },
		{ "5,1,1", 0, { 0 } },
		{ "\0.1.1", 0, { 0 } },
		{ "55.1.1", 0, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct enhanced_code code = { 0 };
		size_t used = 0;
		bool found = enhanced_code_parse(&code, span_of_text(rows[i].text), &used);

		assert_int_equal(found, rows[i].used > 0);
		assert_int_equal(used, rows[i].used);
		assert_int_equal(code.class, rows[i].code.class);
		assert_int_equal(code.subject, rows[i].code.subject);
		assert_int_equal(code.detail, rows[i].code.detail);
	}
}

static void formats_any_stored_code(void **state)
{
	struct reply r = { .code = 550, .enhanced = { 255, 65535, 65535 } };
	char out[16];

	(void)state;
	reply_format_enhanced(&r, out);
	assert_string_equal(out, "255.65535.65535");
	r = (struct reply){ 0 };
	reply_format_enhanced(&r, out);
	assert_string_equal(out, "4.0.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_replies),
		cmocka_unit_test(breaks_on_what_is_no_reply),
		cmocka_unit_test(counts_nul_as_a_control),
		cmocka_unit_test(bounds_lines_and_their_number),
		cmocka_unit_test(makes_local_replies),
		cmocka_unit_test(formats_on_one_line),
		cmocka_unit_test(cuts_long_text),
		cmocka_unit_test(parses_enhanced_codes),
		cmocka_unit_test(formats_any_stored_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
