/* SPDX-License-Identifier: ISC */
/* test_mime_parse.c - the parts of well-made messages: numbers, roles, places, digests. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mime_text.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

struct row {
	const char *mail, *outline, *snippet;
};

static void check(const struct row *row)
{
	struct mime_text m;
	struct mime_parse parse;
	struct bytes outline = { 0 };

	mime_text_init(&m, row->mail);
	mime_parse(&parse, &m.source, clock_system());
	mime_text_outline(&parse.index, &outline);
	assert_string_equal(bytes_text(&outline), row->outline);
	assert_string_equal(bytes_text(&parse.snippet), row->snippet);
	for (size_t i = 0; i < parse.index.count; i++)
		assert_true(parse.index.parts[i].offset + parse.index.parts[i].length <=
		            m.source.size);
	bytes_release(&outline);
	mime_parse_release(&parse);
	mime_text_release(&m);
}

static void parts_are_found(void **state)
{
	static const struct row rows[] = {
		{ "Subject: x\n\nHello there\n", "1 text/plain text - 13", "Hello there" },
		{ "Content-Type: text/html\n\n<p>Hello</p><p>you</p>", "1 text/html html - 22",
		  "Hello you" },
		{ "Content-Type: multipart/alternative; boundary=\"b\"\n\npreamble\n--b\n\nplain\n"
		  "--b\nContent-Type: text/html\n\n<b>rich</b>\n--b--\nepilogue\n",
		  "1 text/plain text - 5; 2 text/html html - 11", "rich" },
		{ "Content-Type: multipart/mixed; boundary=m\n\n--m\n"
		  "Content-Type: multipart/related; boundary=r\n\n--r\n"
		  "Content-Type: text/html; charset=iso-8859-1\n"
		  "Content-Transfer-Encoding: quoted-printable\n\n=E9t=E9\n--r\n"
		  "Content-Type: image/png\nContent-ID: <i@x>\nContent-Transfer-Encoding: "
		  "base64\n\n"
		  "iVBORw==\n--r--\n--m\nContent-Type: application/pdf; name=a.pdf\n"
		  "Content-Disposition: attachment; filename=b.pdf\n\n%PDF\n--m--\n",
		  "1.1 text/html html quoted 3; 1.2 image/png inline base64 4 <i@x>; "
		  "2 application/pdf attachment - 4 'b.pdf'",
		  "\xc3\xa9t\xc3\xa9" },
		/* Who says attachment means it; a text with a name is a file. */
		{ "Content-Type: multipart/mixed; boundary=m\n\n--m\n\none\n--m\n"
		  "Content-Disposition: attachment\n\ntwo\n--m\nContent-Type: text/plain; "
		  "name=n.txt\n\n"
		  "three\n--m\nContent-Disposition: inline\n\nfour\n--m--\n",
		  "1 text/plain text - 3; 2 text/plain attachment - 3; "
		  "3 text/plain attachment - 5 'n.txt'; 4 text/plain text - 4",
		  "one four" },
		{ "Content-Type: multipart/alternative; boundary=m\n\n--m\n\none\n--m\n"
		  "Content-Type: text/calendar\n\nBEGIN\n--m--\n",
		  "1 text/plain text - 3; 2 text/calendar inline - 5", "one" },
		/* A message in a message is one attachment. */
		{ "Content-Type: multipart/mixed; boundary=m\n\n--m\n\nsee\n--m\n"
		  "Content-Type: message/rfc822\n\nSubject: in\nContent-Type: multipart/mixed; "
		  "boundary=i\n\n--i\n\nx\n--i--\n\n--m--\n",
		  "1 text/plain text - 3; 2 message/rfc822 attachment - 75", "see" },
		{ "Content-Type: message/rfc822\n\nSubject: in\n\nbody\n",
		  "1 message/rfc822 attachment - 21", "" },
		/* RFC 3461: reports. */
		{ "Content-Type: multipart/report; report-type=delivery-status; "
		  "boundary=m\n\n--m\n\n"
		  "failed\n--m\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n"
		  "Action: failed\n\n--m\nContent-Type: text/rfc822-headers\n\nSubject: x\n--m--\n",
		  "1 text/plain text - 6; 2 message/delivery-status attachment - 41; "
		  "3 text/rfc822-headers attachment - 10",
		  "failed" },
		{ "Content-Type: multipart/digest; boundary=m\n\n--m\n\nSubject: a\n\nA\n--m\n\n"
		  "Subject: b\n\nB\n--m--\n",
		  "1 message/rfc822 attachment - 15; 2 message/rfc822 attachment - 15", "" },
		/* Names: RFC 2047 in parameters, which none should write, and RFC 2231. */
		{ "Content-Type: multipart/mixed; boundary=m\n\n--m\n"
		  "Content-Type: a/b; name=\"=?utf-8?q?=C3=A4.txt?=\"\n\nx\n--m\n"
		  "Content-Disposition: attachment; "
		  "filename*=UTF-8''na%C3%AFve%20file.txt\n\nx\n--m\n"
		  "Content-Disposition: attachment; filename*0*=iso-8859-1''%E4; "
		  "filename*1=\"b.c\"\n\n"
		  "x\n--m--\n",
		  "1 a/b attachment - 1 '\xc3\xa4.txt'; 2 text/plain attachment - 1 'na\xc3\xafve "
		  "file.txt'; 3 text/plain attachment - 1 '\xc3\xa4"
		  "b.c'",
		  "" },
		{ "Content-Type: multipart/mixed; boundary*0=\"m\"; "
		  "boundary*1=\"n\"\n\n--mn\n\nx\n--mn--\n",
		  "1 text/plain text - 1", "x" },
		{ "Content-Type: multipart/mixed;\n boundary\n =\n \"b c\"\n\n--b c\n\nx\n--b "
		  "c--\n",
		  "1 text/plain text - 1", "x" },
		{ "Content-Transfer-Encoding: x-uuencode\nContent-Type: a/b\n\nbegin 644 h\n"
		  "%:&5L;&\\\n`\nend\n",
		  "1 a/b attachment uu 5", "" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		check(&rows[i]);
}

static void a_part_is_where_the_index_says(void **state)
{
	struct mime_text m;
	struct mime_parse parse;
	const struct mime_part *part;
	struct bytes text = { 0 };

	(void)state;
	mime_text_init(&m, "Content-Type: multipart/mixed; boundary=m\n\n--m\n\none\n--m\n"
	                   "Content-Type: text/plain; charset=koi8-r\n"
	                   "Content-Transfer-Encoding: base64\n\n8NLJ\n--m--\n");
	mime_parse(&parse, &m.source, clock_system());
	assert_int_equal(parse.index.count, 2);
	part = &parse.index.parts[0];
	assert_memory_equal(m.octets.data + part->offset, "one\r\n--m", 8);
	assert_int_equal(part->length, 3);
	part = &parse.index.parts[1];
	assert_memory_equal(m.octets.data + part->offset, "8NLJ\r\n--m--", 11);
	assert_int_equal(mime_part_text(part, &m.source, 100, &text), 0);
	assert_string_equal(bytes_text(&text), "\xd0\x9f\xd1\x80\xd0\xb8");
	bytes_clear(&text);
	/* Cut between characters. */
	assert_int_equal(mime_part_text(part, &m.source, 3, &text), 0);
	assert_string_equal(bytes_text(&text), "\xd0\x9f");
	bytes_clear(&text);
	assert_int_equal(mime_index_text(&parse.index, MIME_TEXT, &m.source, 100, &text), 0);
	assert_string_equal(bytes_text(&text), "one\n\xd0\x9f\xd1\x80\xd0\xb8");
	bytes_release(&text);
	mime_parse_release(&parse);
	mime_text_release(&m);
}

static void digests_are_of_the_decoded_octets(void **state)
{
	static const unsigned char md5[16] = { 0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76,
		                               0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17, 0xc5, 0x92 };
	struct mime_text m;
	struct mime_parse parse;

	(void)state;
	mime_text_init(&m, "Content-Type: a/b\nContent-Transfer-Encoding: base64\n\naGVs\nbG8=\n");
	mime_parse(&parse, &m.source, clock_system());
	assert_memory_equal(parse.index.parts[0].md5, md5, sizeof(md5));
	assert_int_equal(parse.index.parts[0].size, 5);
	mime_parse_release(&parse);
	mime_text_release(&m);
}

static void a_snippet_is_short(void **state)
{
	struct mime_text m;
	struct mime_parse parse;
	struct bytes mail = { 0 };

	(void)state;
	bytes_append_text(&mail, "Subject: x\n\n");
	for (size_t i = 0; i < 1000; i++)
		bytes_append_text(&mail, "\xc3\xa4\n\t ");
	mime_text_init(&m, bytes_text(&mail));
	mime_parse(&parse, &m.source, clock_system());
	assert_int_equal(parse.snippet.length, (MIME_SNIPPET_MAX - 3) / 2 * 3 + 2 + 3);
	assert_string_equal(bytes_text(&parse.snippet) + parse.snippet.length - 3, "...");
	mime_parse_release(&parse);
	mime_text_release(&m);
	bytes_release(&mail);
}

static void dates_keep_their_zone(void **state)
{
	static const char *const rows[][2] = {
		{ "Sat, 21 Nov 2026 10:00:00 +0100", "2026-11-21T10:00:00+01:00" },
		{ "21 Nov 2026 10:00:00 GMT", "2026-11-21T10:00:00Z" },
		{ "Sat, 21 Nov 2026 10:00:00 -0330 (somewhere)", "2026-11-21T10:00:00-03:30" },
		{ "yesterday", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };

		assert_int_equal(mime_date(rows[i][0], &out), rows[i][1] == NULL ? -1 : 0);
		if (rows[i][1] != NULL)
			assert_string_equal(bytes_text(&out), rows[i][1]);
		bytes_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_found),
		cmocka_unit_test(a_part_is_where_the_index_says),
		cmocka_unit_test(digests_are_of_the_decoded_octets),
		cmocka_unit_test(a_snippet_is_short),
		cmocka_unit_test(dates_keep_their_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
