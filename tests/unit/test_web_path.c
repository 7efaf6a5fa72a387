/* SPDX-License-Identifier: ISC */
/* test_web_path.c - segments, patterns and queries of URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "web/path.h"

/* Segments in brackets; "-": refused. */
static void segments(void **state)
{
	static const char *const cases[][2] = {
		{ "/", "[]" },
		{ "/a", "[a]" },
		{ "/a/", "[a][]" },
		{ "//a", "[][a]" },
		{ "/%61pi/%65vents", "[api][events]" },
		{ "/a%2Fb/c", "[a/b][c]" },
		{ "/a%2fb", "[a/b]" },
		{ "/a+b", "[a+b]" },
		{ "/..%2f..", "[../..]" },
		{ "/%2e%2e/", "[..][]" },
		{ "/a%c3%a4", "[a\xc3\xa4]" },
		{ "/%25%32%66", "[%2f]" }, /* decoded once */
		{ "/a%00b", "-" },
		{ "/a%", "-" },
		{ "/a%2", "-" },
		{ "/a%zz", "-" },
		{ "", "-" },
		{ "a/b", "-" },
		{ "*", "-" },
		{ "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16",
		  "[1][2][3][4][5][6][7][8][9][10][11][12][13][14][15][16]" },
		{ "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", "-" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct path path = { .count = 0 };
		struct bytes text = { 0 };

		if (path_parse(&path, cases[i][0]) < 0)
			bytes_append_char(&text, '-');
		for (size_t j = 0; j < path.count; j++)
			bytes_printf(&text, "[%s]", path.segments[j]);
		assert_string_equal(bytes_text(&text), cases[i][1]);
		bytes_release(&text);
		path_release(&path);
	}
}

/* Arguments in brackets; "-": no match. */
static void patterns(void **state)
{
	static const char *const cases[][3] = {
		{ "/livez", "/livez", "" },
		{ "/livez", "/livez/", "-" },
		{ "/livez", "/livezz", "-" },
		{ "/livez", "/LIVEZ", "-" },
		{ "/a/{ID}", "/a/b", "[b]" },
		{ "/a/{ID}", "/a/", "-" },
		{ "/a/{ID}", "/a", "-" },
		{ "/a/{ID}/part/{P}", "/a/b/part/2.1", "[b][2.1]" },
		{ "/a/{ID}/part/{P}", "/a/b%2Fpart%2F2.1", "-" },
		{ "/a/{ID}", "/a/b%2Fc", "[b/c]" },
		{ "/a/{ID}", "/a/..", "[..]" },
		{ "/relay/v1/{*}", "/relay/v1/x/y/z", "" },
		{ "/relay/v1/{*}", "/relay/v1/", "" },
		{ "/relay/v1/{*}", "/relay/v1", "-" },
		{ "/{*}", "/", "" },
		{ "/{A}/{B}/{C}/{D}", "/1/2/3/4", "-" }, /* more than there is room for */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *arguments[3];
		struct bytes text = { 0 };
		struct path path;
		size_t count;

		assert_int_equal(path_parse(&path, cases[i][1]), 0);
		if (!path_matches(&path, cases[i][0], arguments, 3, &count)) {
			bytes_append_char(&text, '-');
			count = 0;
		}
		for (size_t j = 0; j < count; j++)
			bytes_printf(&text, "[%s]", arguments[j]);
		assert_string_equal(bytes_text(&text), cases[i][2]);
		bytes_release(&text);
		path_release(&path);
	}
}

static void prefixes(void **state)
{
	static const struct {
		const char *prefix, *path;
		int count; /* -1: it does not begin so */
	} cases[] = {
		{ "/", "/a", 0 },
		{ "/mail/", "/mail/a", 1 },
		{ "/mail/", "/mail", 1 },
		{ "/mail/", "/%6dail/", 1 },
		{ "/a/b/", "/a/b/c", 2 },
		{ "/a/b/", "/a", -1 },
		{ "/mail/", "/mailx/a", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes left = { 0 };
		struct path path;
		size_t count = 0;

		assert_int_equal(path_parse(&path, cases[i].path), 0);
		assert_int_equal(path_begins(&path, cases[i].prefix, &count), cases[i].count >= 0);
		if (cases[i].count >= 0)
			assert_int_equal(count, cases[i].count);
		path_strip(&path, count);
		path_join(&path, &left);
		if (strcmp(cases[i].path, "/a/b/c") == 0)
			assert_string_equal(bytes_text(&left), "/c");
		bytes_release(&left);
		path_release(&path);
	}
}

static void queries(void **state)
{
	struct query query;

	(void)state;
	query_parse(&query, "query=subject%3A%22a+b%22&limit=&flag&a=1&a=2&x=%zz&=v&nul=%00&q=a=b");
	assert_string_equal(query_find(&query, "query"), "subject:\"a b\"");
	assert_string_equal(query_find(&query, "limit"), "");
	assert_string_equal(query_find(&query, "flag"), "");
	assert_string_equal(query_find(&query, "a"), "1");
	assert_string_equal(query_find(&query, "x"), "%zz");
	assert_string_equal(query_find(&query, "nul"), "%00");
	assert_string_equal(query_find(&query, "q"), "a=b");
	assert_null(query_find(&query, "QUERY"));
	query_release(&query);
	query_parse(&query, NULL);
	assert_null(query_find(&query, ""));
	query_release(&query);
}

static void a_query_is_bounded(void **state)
{
	struct bytes text = { 0 };
	struct query query;

	(void)state;
	for (int i = 0; i < 10000; i++)
		bytes_printf(&text, "p%d=%d&", i, i);
	query_parse(&query, bytes_text(&text));
	assert_int_equal(query.count, PATH_PARAMETERS_MAX);
	query_release(&query);
	bytes_release(&text);
}

static void escapes(void **state)
{
	struct bytes text = { 0 };

	(void)state;
	path_escape("a b\"c\r\n/.._~-\xc3\xa4", &text);
	assert_string_equal(bytes_text(&text), "a%20b%22c%0D%0A%2F.._~-%C3%A4");
	bytes_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments),           cmocka_unit_test(patterns),
		cmocka_unit_test(prefixes),           cmocka_unit_test(queries),
		cmocka_unit_test(a_query_is_bounded), cmocka_unit_test(escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
