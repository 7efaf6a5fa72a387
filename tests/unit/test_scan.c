/* SPDX-License-Identifier: ISC */
/* test_scan.c - comments become spaces, lines stay, and sections are found by line. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/private.h"

static void comments_are_blanked(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{ "", "" },
		{ "a = 1 # b\nc", "a = 1    \nc" },
		{ "#", " " },
		{ "# \" { '\n", "       \n" },
		{ "a // b /*\nc", "a        \nc" },
		{ "a /*\n\"*/b", "a   \n   b" },
		{ "a = \"#\" #", "a = \"#\"  " },
		{ "a = '//' //", "a = '//'   " },
		{ "a = \"\\\"#\" # x", "a = \"\\\"#\"    " },
		{ "l = { \"a\", # one\n\"b\" }", "l = { \"a\",      \n\"b\" }" },
		{ "a = 1#b", "a = 1  " },
		{ "x = \"${A:-#}\"#", "x = \"${A:-#}\" " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes error = { 0 }, notes = { 0 };
		struct problems problems = { .error = &error, .notes = &notes };
		char *text = memory_text(cases[i].before);
		struct scan scan;

		scan_text(&scan, text, strlen(text), "f", &problems);
		assert_string_equal(text, cases[i].after);
		assert_string_equal(bytes_text(&error), "");
		scan_release(&scan);
		free(text);
		bytes_release(&error);
	}
}

static void sections_are_found(void **state)
{
	static const struct {
		unsigned line, section;
	} cases[] = { { 1, 1 }, { 2, 2 }, { 3, 2 }, { 4, 4 },   { 5, 4 },   { 6, 4 },
		      { 7, 2 }, { 8, 2 }, { 9, 9 }, { 10, 10 }, { 11, 10 }, { 12, 12 } };
	struct bytes error = { 0 };
	struct problems problems = { .error = &error, .notes = &error };
	/*                         1   2         3               4    5  6   7   8  9  10    11 */
	char *text = memory_text("\nprovider {\nl = { \"a\" }\nin {\n\n}\n\n}\n\ns {\n}\n");
	struct scan scan;

	(void)state;
	scan_text(&scan, text, strlen(text), "f", &problems);
	assert_string_equal(bytes_text(&error), "");
	assert_int_equal(scan.count, 3);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(scan_section_line(&scan, cases[i].line), cases[i].section);
	scan_release(&scan);
	bytes_release(&error);
	free(text);
}

/* Deeper than the language goes: counted, not remembered, and never written past. */
static void depth_is_bounded(void **state)
{
	struct bytes error = { 0 }, text = { 0 };
	struct problems problems = { .error = &error, .notes = &error };
	struct scan scan;

	(void)state;
	for (int i = 0; i < 1000; i++)
		bytes_append_text(&text, "a {\n");
	scan_text(&scan, (char *)text.data, text.length, "f", &problems);
	assert_string_equal(bytes_text(&error),
	                    "f:1001: a } is missing before the end of the file");
	assert_int_equal(scan.count, 1000);
	scan_release(&scan);
	bytes_release(&error);
	bytes_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comments_are_blanked),
		cmocka_unit_test(sections_are_found),
		cmocka_unit_test(depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
