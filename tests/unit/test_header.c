/* SPDX-License-Identifier: ISC */
/* test_header.c - fields, folds, encoded words and address lists, good and bad. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mail/header.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static void reads_fields(void **state)
{
	static const struct {
		const char *message;
		const char *fields; /* "name=value|name=value|" */
		size_t length;      /* of the header section */
	} rows[] = {
		{ "", "", 0 },
		{ "\r\nbody", "", 2 },
		{ "\nbody", "", 1 },
		{ "A: b\r\n\r\nC: d\r\n", "A= b|", 8 },
		{ "A: b\nC:d\n\nE: f\n", "A= b|C=d|", 10 },
		{ "A: b\r\n c\r\n\td\r\nE:\r\n\r\n", "A= b\r\n c\r\n\td|E=|", 20 },
		{ "A: b", "A= b|", 4 },
		{ "A: b\r\n", "A= b|", 6 },
		{ "A : b\r\n\r\n", "A= b|", 9 },
		{ "From x@y Sat Nov 21\r\nA: b\r\n\r\n", "A= b|", 29 },
		{ "no field\r\n folded\r\nA: b\r\n\r\n", "A= b|", 27 },
		{ ": no name\r\nA: b\r\n\r\n", "A= b|", 19 },
		{ " folded first\r\nA: b\r\n\r\n", "A= b|", 23 },
		{ "A\x01: b\r\nC: d\r\n\r\n", "C= d|", 15 },
		{ "A: b\r\n\r", "A= b|", 7 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct span message = span_of_text(rows[i].message);
		struct header_reader r = header_reader(message);
		struct header_field f;
		struct bytes fields = { 0 };

		while (header_next(&r, &f)) {
			bytes_append_span(&fields, f.name);
			bytes_append_char(&fields, '=');
			bytes_append_span(&fields, f.value);
			bytes_append_char(&fields, '|');
			assert_ptr_equal(f.whole.data, f.name.data);
		}
		assert_string_equal(bytes_text(&fields), rows[i].fields);
		assert_int_equal(header_length(message), rows[i].length);
		assert_false(header_next(&r, &f));
		bytes_release(&fields);
	}
}

static void finds_the_first(void **state)
{
	struct span message = span_of_text("A: 1\r\nsubject: x\r\nSUBJECT: y\r\n\r\nB: 2\r\n");
	struct span value;

	(void)state;
	assert_true(header_find(message, "Subject", &value));
	assert_true(span_equal_text(value, " x"));
	assert_false(header_find(message, "Subj", &value));
	assert_false(header_find(message, "B", &value));
}

static void reads_no_more_than_its_bound(void **state)
{
	struct bytes message = { 0 };
	struct span value;

	(void)state;
	while (message.length < HEADER_MAX)
		bytes_append_text(&message, "X: y\r\n");
	bytes_append_text(&message, "Subject: late\r\n\r\n");
	assert_false(header_find(bytes_span(&message), "Subject", &value));
	assert_int_equal(header_length(bytes_span(&message)), message.length);
	bytes_release(&message);
}

static void unfolds(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },           { " a ", "a" },  { " a\r\n b\r\n\tc ", "a b\tc" },
		{ "a\n  b", "a  b" }, { "\r\n ", "" }, { "a\rb", "ab" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };

		header_unfold(span_of_text(rows[i][0]), &out);
		assert_string_equal(bytes_text(&out), rows[i][1]);
		bytes_release(&out);
	}
}

static void decodes(void **state)
{
	static const char *const rows[][2] = {
		{ "plain", "plain" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "gr\xfc\xdf", "gr\xef\xbf\xbd\xef\xbf\xbd" },
		{ "=?utf-8?Q?gr=C3=BC=c3=9f?=", "gr\xc3\xbc\xc3\x9f" },
		{ "=?UTF-8?B?Z3LDvMOf?=", "gr\xc3\xbc\xc3\x9f" },
		{ "=?utf-8?b?Z3LDvMOfIQ?=", "gr\xc3\xbc\xc3\x9f!" }, /* padding forgotten */
		{ "=?utf-8*de?q?a?=", "a" },
		{ "=?iso-8859-1?q?gr=FC=DF_x?=", "gr\xc3\xbc\xc3\x9f x" },
		{ "=?us-ascii?q?a=5Fb?=", "a_b" },
		{ "=?x-none?q?a?= x", "=?x-none?q?a?= x" },
		{ "a =?utf-8?q?b?= c", "a b c" },
		{ "=?utf-8?q?a?= =?utf-8?q?b?=", "ab" },
		{ "=?utf-8?q?a?=\r\n =?iso-8859-1?q?=FC?= c", "a\xc3\xbc c" },
		{ "=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b" },
		{ "=?utf-8?q?a?= =?x-none?q?b?=", "a =?x-none?q?b?=" },
		{ "=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "\xc3\xbc" }, /* a character cut in two */
		{ "=?utf-8?b?w7w=?= =?utf-8?b?w58=?=", "\xc3\xbc\xc3\x9f" },
		{ "=?utf-8?q?a=0D=0AX:_y=1b?=", "a  X: y " },
		{ "=?utf-8?q?\?=x", "x" },
		{ "=?utf-8?q?a b?=", "a b" },
		{ "=?utf-8?q?a=G1=?=", "a=G1=" },
		{ "=?utf-8?b?!!!!?=", "=?utf-8?b?!!!!?=" },
		{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
		{ "=?utf-8?q?a", "=?utf-8?q?a" },
		{ "=?utf-8?q?a?", "=?utf-8?q?a?" },
		{ "=?utf-8?q", "=?utf-8?q" },
		{ "=?", "=?" },
		{ "=?=?utf-8?q?a?=", "=?a" },
		{ "a\x1b[31m\x7f\xc2\x9b", "a [31m  " },
		{ "(=?utf-8?q?a?=)", "(a)" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };

		header_decode(span_of_text(rows[i][0]), &out);
		if (strcmp(bytes_text(&out), rows[i][1]) != 0)
			fail_msg("%s became '%s'", rows[i][0], bytes_text(&out));
		bytes_release(&out);
	}
}

static void collect(void *context, const char *name, const char *address)
{
	bytes_printf(context, "%s<%s>|", name, address);
}

static void finds_addresses(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "a@b", "<a@b>|" },
		{ " a@b , c@d ", "<a@b>|<c@d>|" },
		{ "John Doe <j@x>", "John Doe<j@x>|" },
		{ "\"Doe, John\" <j@x>, k@y", "Doe, John<j@x>|<k@y>|" },
		{ "\"a \\\"b\\\" c\" <j@x>", "a \"b\" c<j@x>|" },
		{ "j@x (John Doe)", "John Doe<j@x>|" },
		{ "j@x (John (the) Doe\\))", "John (the) Doe)<j@x>|" },
		{ "(c) John (c) <j@x> (c)", "John<j@x>|" },
		{ "=?utf-8?q?J=C3=B6?= <j@x>", "J\xc3\xb6<j@x>|" },
		{ "=?utf-8?q?Doe,_J?= <j@x>", "Doe, J<j@x>|" },
		{ "Team: a@b, C <c@d>;, e@f", "<a@b>|C<c@d>|<e@f>|" },
		{ "undisclosed-recipients:;", "" },
		{ "undisclosed recipients", "" },
		{ "root, admin", "<root>|<admin>|" },
		{ "\"john doe\"@x", "<\"john doe\"@x>|" },
		{ "\"a,b@c\"@x", "<\"a,b@c\"@x>|" },
		{ "<\"a>b\"@x>", "<\"a>b\"@x>|" },
		{ "john . doe @ example . com", "<john.doe@example.com>|" },
		{ "John Doe john@x.y", "<john@x.y>|" },
		{ "<@r1,@r2:a@b>", "<a@b>|" },
		{ "a@[IPv6:::1], b@[1.2.3.4]", "<a@[IPv6:::1]>|<b@[1.2.3.4]>|" },
		{ "a@b; c@d", "<a@b>|<c@d>|" },
		{ "a@b,\r\n\tc@d", "<a@b>|<c@d>|" },
		{ ",,, a@b ,,", "<a@b>|" },
		{ "<>", "" },
		{ "X <>", "" },
		{ "X <a@b", "X<a@b>|" },
		{ "X <a@b, Y <c@d>", "X<a@b>|Y<c@d>|" },
		{ "<a@b> <c@d>", "<a@b>|<c@d>|" },
		{ "<<a@b>>", "><a@b>|" },
		{ "a@b (open", "open<a@b>|" },
		{ "\"open a@b", "<\"open a@b>|" },
		{ "a\x01@b\x7f", "<a@b>|" },
		{ "a@b\r\nBcc: c@d", "<c@d>|" },
		{ "gr\xc3\xbc\xc3\x9f@x", "<gr\xc3\xbc\xc3\x9f@x>|" },
		{ ":::;;;:", "" },
		{ "\x01, \x7f", "" },
		{ "())(", "" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };

		header_addresses(span_of_text(rows[i][0]), collect, &out);
		if (strcmp(bytes_text(&out), rows[i][1]) != 0)
			fail_msg("%s: %s", rows[i][0], bytes_text(&out));
		bytes_release(&out);
	}
}

static void count(void *context, const char *name, const char *address)
{
	(void)name, (void)address;
	++*(size_t *)context;
}

/* Deep, long and broken: none may recurse, or take time that grows with the square. */
static void stays_linear(void **state)
{
	static const char *const fillers[] = {
		"(", "\"", "<",  ":",   "=?", "=?a?q?", "@",   "a@b,",
		".", " ",  "\\", "(\\", "[",  "<\"",    "a <", "=?utf-8?q?a?= ",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(fillers); i++) {
		struct bytes value = { 0 }, out = { 0 };
		size_t found = 0;

		while (value.length < 1000000)
			bytes_append_text(&value, fillers[i]);
		header_addresses(bytes_span(&value), count, &found);
		assert_int_equal(found >= 1000000 / 4, strcmp(fillers[i], "a@b,") == 0);
		header_decode(bytes_span(&value), &out);
		assert_true(out.length <= value.length);
		bytes_release(&value);
		bytes_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_fields),
		cmocka_unit_test(finds_the_first),
		cmocka_unit_test(reads_no_more_than_its_bound),
		cmocka_unit_test(unfolds),
		cmocka_unit_test(decodes),
		cmocka_unit_test(finds_addresses),
		cmocka_unit_test(stays_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
