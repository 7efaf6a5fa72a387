/* SPDX-License-Identifier: ISC */
/* test_address.c - paths, limits, literals, quoted local parts, patterns. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mail/address.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static void parses_paths(void **state)
{
	static const struct {
		const char *path;
		unsigned flags;
		const char *text, *local, *domain;
	} rows[] = {
		{ "<a@b>", 0, "a@b", "a", "b" },
		{ "<A.b+c@Example.COM> SIZE=1", 0, "A.b+c@Example.COM", "A.b+c", "Example.COM" },
		{ "<>", ADDRESS_NULL, "", "", "" },
		{ "<postmaster>", 0, "postmaster", "postmaster", "" },
		{ "<PostMaster>", 0, "PostMaster", "PostMaster", "" },
		{ "<root>", ADDRESS_UNQUALIFIED, "root", "root", "" },
		{ "<!#$%&'*+-/=?^_`{|}~@x.y>", 0, "!#$%&'*+-/=?^_`{|}~@x.y", "!#$%&'*+-/=?^_`{|}~",
		  "x.y" },
		{ "<\"a b\"@c>", 0, "\"a b\"@c", "\"a b\"", "c" },
		{ "<\"a@b>\"@c>", 0, "\"a@b>\"@c", "\"a@b>\"", "c" },
		{ "<\"\\\"\\\\\"@c>", 0, "\"\\\"\\\\\"@c", "\"\\\"\\\\\"", "c" },
		{ "<\"\"@c>", 0, "\"\"@c", "\"\"", "c" },
		{ "<a@[127.0.0.1]>", 0, "a@[127.0.0.1]", "a", "[127.0.0.1]" },
		{ "<a@[IPv6:::1]>", 0, "a@[IPv6:::1]", "a", "[IPv6:::1]" },
		{ "<a@[ipv6:2001:db8::ff]>", 0, "a@[ipv6:2001:db8::ff]", "a",
		  "[ipv6:2001:db8::ff]" },
		{ "<@x,@y.z:a@b>", 0, "a@b", "a", "b" },
		{ "<@[127.0.0.1]:a@b>", 0, "a@b", "a", "b" },
		{ "<a@my_app.local>", 0, "a@my_app.local", "a", "my_app.local" },
		{ "<a@1.2>", 0, "a@1.2", "a", "1.2" },
		{ "<a@b-c.d>", 0, "a@b-c.d", "a", "b-c.d" },
		{ "<gr\xc3\xbc\xc3\x9f@ex\xc3\xa4mple>", ADDRESS_UTF8,
		  "gr\xc3\xbc\xc3\x9f@ex\xc3\xa4mple", "gr\xc3\xbc\xc3\x9f", "ex\xc3\xa4mple" },
		{ "<\"\xf0\x9f\x93\xa7\"@c>", ADDRESS_UTF8, "\"\xf0\x9f\x93\xa7\"@c",
		  "\"\xf0\x9f\x93\xa7\"", "c" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct address a = { 0 };
		const char *error = "none";
		const char *close = strstr(rows[i].path, "> ");
		size_t used = 0;

		if (address_parse_path(&a, span_of_text(rows[i].path), rows[i].flags, &used,
		                       &error) != 0)
			fail_msg("%s: %s", rows[i].path, error);
		assert_string_equal(a.text, rows[i].text);
		assert_true(span_equal_text(address_local(&a), rows[i].local));
		assert_true(span_equal_text(address_domain(&a), rows[i].domain));
		assert_int_equal(used, close == NULL ? strlen(rows[i].path)
		                                     : (size_t)(close - rows[i].path) + 1);
		assert_int_equal(address_is_null(&a), rows[i].text[0] == '\0');
		assert_int_equal(address_is_utf8(&a), (rows[i].flags & ADDRESS_UTF8) != 0);
		address_release(&a);
		assert_null(a.text);
	}
}

#define ALL (ADDRESS_NULL | ADDRESS_UNQUALIFIED | ADDRESS_UTF8)

static const struct {
	const char *path;
	unsigned flags;
} bad_paths[] = {
	{ "", ALL },
	{ "a@b", ALL },
	{ " <a@b>", ALL },
	{ "<", ALL },
	{ "<a@b", ALL },
	{ "<a@b ", ALL },
	{ "<>", 0 },
	{ "<root>", 0 },
	{ "< >", ALL },
	{ "< a@b>", ALL },
	{ "<a @b>", ALL },
	{ "<a@b >", ALL },
	{ "<@b>", ALL },
	{ "<a@>", ALL },
	{ "<a@@b>", ALL },
	{ "<a@b@c>", ALL },
	{ "<.a@b>", ALL },
	{ "<a.@b>", ALL },
	{ "<a..b@c>", ALL },
	{ "<a@.b>", ALL },
	{ "<a@b.>", ALL },
	{ "<a@b..c>", ALL },
	{ "<a@-b>", ALL },
	{ "<a@b->", ALL },
	{ "<a,b@c>", ALL },
	{ "<a(x)@b>", ALL },
	{ "<a\\b@c>", ALL },
	{ "<\"a@b>", ALL },
	{ "<\"a\"b@c>", ALL },
	{ "<\"a\\\">", ALL },
	{ "<\"a\\", ALL },
	{ "<\"a\rb\"@c>", ALL },
	{ "<a\rb@c>", ALL },
	{ "<a\nb@c>", ALL },
	{ "<a\tb@c>", ALL },
	{ "<\"a\tb\"@c>", ALL },
	{ "<a\x7f@c>", ALL },
	{ "<\"\\\x7f\"@c>", ALL },
	{ "<a\xc2\x85@c>", ALL },
	{ "<a\xff@c>", ALL },
	{ "<a@c\xed\xa0\x80>", ALL },
	{ "<\xc3\xbc@c>", ADDRESS_NULL },
	{ "<a@\xc3\xbc>", 0 },
	{ "<\"\xc3\xbc\"@c>", 0 },
	{ "<a@[]>", ALL },
	{ "<a@[1.2.3]>", ALL },
	{ "<a@[1.2.3.256]>", ALL },
	{ "<a@[1.2.3.4>", ALL },
	{ "<a@[1.2.3.4]x>", ALL },
	{ "<a@[::1]>", ALL },
	{ "<a@[IPv6:1.2.3.4]>", ALL },
	{ "<a@[IPv6:]>", ALL },
	{ "<a@[IPv6:2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0001]>", ALL },
	{ "<a@[x:y]>", ALL },
	{ "<@x:>", ALL },
	{ "<@x:root>", ALL },
	{ "<@x a@b>", ALL },
	{ "<@x,a@b>", ALL },
	{ "<@:a@b>", ALL },
};

static void refuses_what_is_no_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(bad_paths); i++) {
		struct address a = { 0 };
		const char *error = NULL;
		size_t used = 0;

		if (address_parse_path(&a, span_of_text(bad_paths[i].path), bad_paths[i].flags,
		                       &used, &error) == 0)
			fail_msg("'%s' was taken as '%s'", bad_paths[i].path, a.text);
		assert_non_null(error);
		assert_null(a.text);
	}
}

static void refuses_nul(void **state)
{
	struct address a = { 0 };
	const char *error;
	size_t used;

	(void)state;
	assert_int_equal(address_parse_path(&a, span_of("<a\0b@c>", 7), ALL, &used, &error), -1);
	assert_int_equal(address_parse_path(&a, span_of("<\"\0\"@c>", 7), ALL, &used, &error), -1);
	assert_int_equal(address_parse_path(&a, span_of("<\"\\\0\"@c>", 8), ALL, &used, &error),
	                 -1);
	assert_int_equal(address_parse_path(&a, span_of("<a@b\0>", 6), ALL, &used, &error), -1);
	assert_int_equal(address_parse_path(&a, span_of("<a@[1.2.3.4\0]>", 14), ALL, &used, &error),
	                 -1);
}

/* local octets '@' domain octets in labels of at most 63 */
static int parse_of_lengths(size_t local, size_t domain, size_t label)
{
	struct address a = { 0 };
	struct bytes text = { 0 };
	const char *error;
	size_t used = 0;
	int result;

	bytes_append_char(&text, '<');
	for (size_t i = 0; i < local; i++)
		bytes_append_char(&text, 'l');
	bytes_append_char(&text, '@');
	for (size_t i = 1; i <= domain; i++)
		bytes_append_char(&text, i % (label + 1) == 0 && i < domain ? '.' : 'd');
	bytes_append_char(&text, '>');
	result = address_parse_path(&a, bytes_span(&text), 0, &used, &error);
	assert_true(result != 0 || used == text.length);
	address_release(&a);
	bytes_release(&text);
	return result;
}

static void keeps_to_its_limits(void **state)
{
	static const struct {
		size_t local, domain, label;
		int result;
	} rows[] = {
		{ 64, 10, 63, 0 },  { 65, 10, 63, -1 },  { 1, 63, 63, 0 },    { 1, 64, 64, -1 },
		{ 1, 252, 63, 0 },  { 1, 253, 63, -1 },  { 64, 189, 63, 0 },  { 64, 190, 60, -1 },
		{ 1, 256, 63, -1 }, { 5000, 1, 63, -1 }, { 1, 5000, 63, -1 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		if (parse_of_lengths(rows[i].local, rows[i].domain, rows[i].label) !=
		    rows[i].result)
			fail_msg("row %zu", i);
}

static void parses_bare_addresses(void **state)
{
	static const struct {
		const char *text;
		unsigned flags;
		int result;
	} rows[] = {
		{ "a@b", 0, 0 },       { "", ADDRESS_NULL, 0 }, { "", 0, -1 },
		{ "root", 0, -1 },     { "root", ALL, 0 },      { "a@b ", ALL, -1 },
		{ "<a@b>", ALL, -1 },  { "a@b,c@d", ALL, -1 },  { "\"a b\"@c", 0, 0 },
		{ "@x:a@b", ALL, -1 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct address a = { 0 };
		const char *error = NULL;
		struct span text = span_of_text(rows[i].text);

		assert_int_equal(address_parse(&a, text, rows[i].flags, &error), rows[i].result);
		if (rows[i].result == 0)
			assert_string_equal(a.text, rows[i].text);
		else
			assert_non_null(error);
		address_release(&a);
	}
}

static void copies_and_qualifies(void **state)
{
	struct address a = { 0 }, b, empty = { 0 };
	const char *error;

	(void)state;
	assert_int_equal(address_parse(&a, span_of_text("root"), ALL, &error), 0);
	address_copy(&b, &a);
	address_qualify(&a, "host.example");
	assert_string_equal(a.text, "root@host.example");
	assert_true(span_equal_text(address_domain(&a), "host.example"));
	address_qualify(&a, "other.example");
	assert_string_equal(a.text, "root@host.example");
	assert_string_equal(b.text, "root");
	assert_int_equal(address_domain(&b).length, 0);
	address_qualify(&empty, "host.example");
	assert_true(address_is_null(&empty));
	address_release(&a);
	address_release(&b);
	address_copy(&b, &empty);
	assert_string_equal(b.text, "");
	address_release(&b);
}

static void matches_patterns(void **state)
{
	static const struct {
		const char *text, *pattern;
		bool matches;
	} rows[] = {
		{ "a@example.com", "*@example.com", true },
		{ "A@EXAMPLE.com", "a@example.COM", true },
		{ "a@example.com", "*", true },
		{ "", "*", true },
		{ "", "", true },
		{ "", "a", false },
		{ "a@example.com.evil", "*@example.com", false },
		{ "a@sub.example.com", "*@example.com", false },
		{ "a@sub.example.com", "*@*.example.com", true },
		{ "news-x@example.com", "news-*@*", true },
		{ "root", "root", true },
		{ "root@host", "root", false },
		{ "root@host", "root@*", true },
		{ "abcabd", "*abd", true },
		{ "abcabd", "a*b*d*", true },
		{ "abcabd", "a*x*d", false },
		{ "a*b@c", "a*b@c", true },
		{ "a", "a**", true },
		{ "a", "?", false },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct address a = { .text = (char *)(uintptr_t)rows[i].text };

		if (address_matches(&a, rows[i].pattern) != rows[i].matches)
			fail_msg("%s %s", rows[i].text, rows[i].pattern);
	}
}

/* With backtracking at every star this takes longer than anybody waits. */
static void matches_without_blowing_up(void **state)
{
	char text[255];
	struct address a = { .text = text };

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(address_matches(&a, "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"));
}

static void judges_domains(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{ "localhost", true },   { "mail.example.com", true },
		{ "[192.0.2.1]", true }, { "[IPv6:2001:db8::1]", true },
		{ "", false },           { "a b", false },
		{ "a.", false },         { "ex\xc3\xa4mple", false },
		{ "a\r\nb", false },     { "[192.0.2.1", false },
		{ "192.0.2.1", true },   { "a/b", false },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_int_equal(domain_is_valid(span_of_text(rows[i].text)), rows[i].valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_paths),
		cmocka_unit_test(refuses_what_is_no_path),
		cmocka_unit_test(refuses_nul),
		cmocka_unit_test(keeps_to_its_limits),
		cmocka_unit_test(parses_bare_addresses),
		cmocka_unit_test(copies_and_qualifies),
		cmocka_unit_test(matches_patterns),
		cmocka_unit_test(matches_without_blowing_up),
		cmocka_unit_test(judges_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
