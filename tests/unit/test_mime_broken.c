/* SPDX-License-Identifier: ISC */
/* test_mime_broken.c - messages that break the rules, by mistake or on purpose: something is shown,
 * and what would take too much is not parsed at all. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mime_text.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static void outline_of(const struct mime_text *m, const struct clock *clock, struct bytes *out,
                       struct bytes *snippet)
{
	struct mime_parse parse;

	mime_parse(&parse, &m->source, clock);
	mime_text_outline(&parse.index, out);
	bytes_append_span(snippet, bytes_span(&parse.snippet));
	mime_parse_release(&parse);
}

static const struct {
	const char *mail, *outline, *snippet;
} broken[] = {
	{ "", "1 text/plain text - 0", "" },
	{ "Subject: x\n", "1 text/plain text - 0", "" },
	{ "\nno header\n", "1 text/plain text - 11", "no header" },
	{ "just text\nwith: this\n", "1 text/plain text - 23", "just text with: this" },
	{ "From me Mon\nSubject: x\n\nbody\n", "1 text/plain text - 6", "body" },
	/* Nothing closes it, or nothing opens it. */
	{ "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: "
	  "a/b\n\ntwo\n",
	  "1 text/plain text - 3; 2 a/b attachment - 5", "one" },
	{ "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none", "1 text/plain text - 3",
	  "one" },
	{ "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain",
	  "1 text/plain text - 0", "" },
	{ "Content-Type: multipart/mixed; boundary=b\n\njust text\n", "1 text/plain text - 11",
	  "just text" },
	{ "Content-Type: multipart/mixed; boundary=b\n\n--b--\n", "1 text/plain text - 7",
	  "--b--" },
	{ "Content-Type: multipart/mixed\n\n--b\n\none\n--b--\n", "1 text/plain text - 19",
	  "--b one --b--" },
	{ "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\none\n----\n",
	  "1 text/plain text - 3", "one" },
	{ "Content-Type: multipart/mixed; boundary=\"b\n\n--b\n\none\n--b--\n",
	  "1 text/plain text - 19", "--b one --b--" },
	{ "Content-Type: multipart/mixed; boundary=b; boundary=c\n\n--b\n\none\n--b--\n",
	  "1 text/plain text - 3", "one" },
	/* The inner one is closed by the outer's. */
	{ "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; "
	  "boundary=i\n\n--i\n\none\n--o\n\ntwo\n--o--\n",
	  "1.1 text/plain text - 3; 2 text/plain text - 3", "one two" },
	/* The same boundary twice, and one that starts as the other. */
	{ "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; "
	  "boundary=bb\n\n--bb\n\none\n--bb--\n--b--\n",
	  "1.1 text/plain text - 3", "one" },
	/* No empty line before the content; a field without a colon. */
	{ "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: "
	  "text/plain\n--b\n\ntwo\n--b--\n",
	  "1 text/plain text - 0; 2 text/plain text - 3", "two" },
	/* Types and encodings that are none. */
	{ "Content-Type: foo\n\none\n", "1 text/plain text - 5", "one" },
	{ "Content-Type:\n\none\n", "1 text/plain text - 5", "one" },
	{ "Content-Type: text/plain; charset=no-such\n\ncaf\xe9\n", "1 text/plain text - 6",
	  "caf\xc3\xa9" },
	{ "Content-Type: text/plain; charset=utf-8\n\ncaf\xe9 \xff\n", "1 text/plain text - 8",
	  "caf\xc3\xa9 \xc3\xbf" },
	{ "Content-Transfer-Encoding: 8-bits\n\none\n", "1 text/plain text - 5", "one" },
	{ "Content-Transfer-Encoding: quoted-printable\n\na=ZZ=\n", "1 text/plain text quoted 4",
	  "a=ZZ" },
	{ "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: "
	  "base64\n\n--b\n\none\n--b--\n",
	  "1 text/plain text - 3", "one" },
	{ "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA==\n",
	  "1 message/rfc822 attachment base64 10", "" },
	/* Names that would be something else than names. */
	{ "Content-Type: a/b; name=\"../../etc/passwd\"\n\nx",
	  "1 a/b attachment - 1 '../../etc/passwd'", "" },
	{ "Content-Type: a/b; name=\"x\xff\x01y\"\n\nx", "1 a/b attachment - 1 'x\xc3\xbfy'", "" },
	{ "Content-Disposition: attachment; filename*=''%00%0d%0ax\n\nx",
	  "1 text/plain attachment - 1", "" },
	{ "Content-ID: <../../a\tb>\nContent-Type: a/b\n\nx", "1 a/b inline - 1 <../../ab>", "" },
	{ "Content-Type: te\"xt/pl ain\n\nx", "1 application/octet-stream attachment - 1", "" },
	{ "Content-Type: TEXT/HTML\n\n<p>x", "1 text/html html - 4", "x" },
	{ "Content-Type: message/partial; number=1; total=2; id=x\n\nx",
	  "1 message/partial attachment - 1", "" },
	{ "Content-Type: message/external-body; access-type=URL; "
	  "URL=\"file:///etc/passwd\"\n\nContent-Type: a/b\n\nx",
	  "1 message/external-body attachment - 22", "" },
};

static void something_is_shown(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(broken); i++) {
		struct mime_text m;
		struct bytes outline = { 0 }, snippet = { 0 };

		mime_text_init(&m, broken[i].mail);
		outline_of(&m, clock_system(), &outline, &snippet);
		assert_string_equal(bytes_text(&outline), broken[i].outline);
		assert_string_equal(bytes_text(&snippet), broken[i].snippet);
		bytes_release(&outline);
		bytes_release(&snippet);
		mime_text_release(&m);
	}
}

/* Whatever is cut off at the end, and whatever octet is another. */
static void cut_or_changed_it_is_read(void **state)
{
	static const char mail[] =
		"Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: message/rfc822\n\n"
		"Subject: x\n\nb\n--m\nContent-Type: text/html\n"
		"Content-Transfer-Encoding: base64\n\nPGE+\n--m--\n";

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(mail); i++) {
		for (size_t change = 0; change < 4; change++) {
			struct mime_text m;
			struct bytes outline = { 0 }, snippet = { 0 };
			char *copy = memory_text(mail);

			copy[i] = change == 0 ? '\0' : "\0-\n\xff"[change];
			mime_text_init(&m, copy);
			outline_of(&m, clock_system(), &outline, &snippet);
			assert_true(outline.length > 0);
			bytes_release(&outline);
			bytes_release(&snippet);
			mime_text_release(&m);
			free(copy);
		}
	}
}

/* A start, then a line with a number in it, many times. */
static void too_much_is_not_parsed(void **state)
{
	static const struct {
		const char *start, *line;
		size_t times;
		const char *outline;
	} rows[] = {
		{ "Content-Type: multipart/mixed; boundary=b\n\n", "--b\n\nx\n", 100000,
		  "(too many parts)" },
		{ "Content-Type: multipart/mixed; boundary*0=b\n\n", "--b\n\nx\n", 100000,
		  "(too many parts)" },
		{ "Content-Type: multipart/mixed; boundary=b\n\n",
		  "--b%1$zu\nContent-Type: multipart/mixed; boundary=b%1$zu\n\n", 100000,
		  "(too many parts)" },
		{ "", "Content-Type: multipart/mixed; boundary=b%1$zu\n\n--b%1$zu\n", 100000,
		  "(parts in parts too deep)" },
		{ "", "Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\n", 100000,
		  "(parts in parts too deep)" },
		{ "", "Content-Type: message/rfc822\n\n", 100000,
		  "(too much header in its parts)" },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\n", "X%zu: y\n", 100000,
		  "(too much header in its parts)" },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\nX: ",
		  "yyyyyyyyyyyyyyyyyyyyyyyyyyyy", 100000, "(too much header in its parts)" },
		{ "Content-Type: multipart/mixed; boundary=b\n\n", "much before the first part\n",
		  100000, "(too much between its parts)" },
		{ "Content-Type: multipart/mixed\n\n", "no boundary at all\n", 100000,
		  "(too much between its parts)" },
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n", "much behind\n",
		  100000, "(too much between its parts)" },
		{ "Content-Type: multipart/mixed; boundary=\"", "b", 2000000,
		  "(too much header in its parts)" },
		{ "Content-Type: a/b", "; p%zu=x\n", 100000, "(too much header in its parts)" },
		{ "Content-Disposition: attachment", ";\n filename*%zu=x", 100000,
		  "(too much header in its parts)" },
		/* These are much, but nothing that GMime would make many objects of. */
		{ "Content-Type: text/plain\n\n", "--b\n", 100000, "1 text/plain text - 500000" },
		{ "Subject: the boundary\n\n", "-- boundary\n", 100000,
		  "1 text/plain text - 1300000" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct mime_text m;
		struct bytes mail = { 0 }, outline = { 0 }, snippet = { 0 };

		bytes_append_text(&mail, rows[i].start);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
		for (size_t k = 0; k < rows[i].times; k++)
			bytes_printf(&mail, rows[i].line, k);
#pragma GCC diagnostic pop
		mime_text_init(&m, bytes_text(&mail));
		outline_of(&m, clock_system(), &outline, &snippet);
		assert_string_equal(bytes_text(&outline), rows[i].outline);
		bytes_release(&mail);
		bytes_release(&outline);
		bytes_release(&snippet);
		mime_text_release(&m);
	}
}

/* A clock that runs while it is looked at. */
struct running {
	struct clock clock;
	int64_t now_us;
};

static int64_t running_now(const struct clock *clock)
{
	struct running *r = (struct running *)(uintptr_t)clock;

	r->now_us += CLOCK_SEC;
	return r->now_us;
}

static void time_is_bounded(void **state)
{
	struct running slow = { .clock = { .wall = running_now, .monotonic = running_now } };
	struct mime_text m;
	struct bytes mail = { 0 }, outline = { 0 }, snippet = { 0 };

	(void)state;
	bytes_append_text(&mail, "Content-Type: text/plain\n\n");
	for (size_t i = 0; i < 100000; i++)
		bytes_append_text(&mail, "some text of a long mail\n");
	mime_text_init(&m, bytes_text(&mail));
	outline_of(&m, &slow.clock, &outline, &snippet);
	assert_string_equal(bytes_text(&outline), "(too long to read)");
	bytes_release(&mail);
	bytes_release(&outline);
	bytes_release(&snippet);
	mime_text_release(&m);
}

static int read_nothing(void *context, uint64_t off, void *out, size_t len, size_t *got_r)
{
	(void)context;
	(void)off;
	(void)out;
	(void)len;
	(void)got_r;
	return -1;
}

static void what_cannot_be_read_is_not_parsed(void **state)
{
	const struct mime_source source = { .size = 1000, .read = read_nothing };
	struct mime_parse parse;

	(void)state;
	mime_parse(&parse, &source, clock_system());
	assert_false(parse.index.parsed);
	assert_non_null(parse.index.why);
	mime_parse_release(&parse);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(something_is_shown),
		cmocka_unit_test(cut_or_changed_it_is_read),
		cmocka_unit_test(too_much_is_not_parsed),
		cmocka_unit_test(time_is_bounded),
		cmocka_unit_test(what_cannot_be_read_is_not_parsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
