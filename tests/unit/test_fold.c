/* SPDX-License-Identifier: ISC */
/* test_fold.c - text as search compares it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "inbox/inbox.h"

static void folds(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ " \t\r\n", "" },
		{ "Plain", "plain" },
		{ "  two\r\n\tWords  ", "two words" },
		{ "\"Ann B.\" <Ann@Example.COM>, (x);y", "ann b. ann@example.com x y" },
		{ "a\xc2\xa0"
		  "b\xe3\x80\x80"
		  "c\xef\xbb\xbf"
		  "d",
		  "a b c d" },
		{ "GR\xc3\x9c\xc3\x9f"
		  "E \xc3\x97",
		  "gr\xc3\xbc\xc3\x9f"
		  "e \xc3\x97" },
		{ "\xc5\xa0KODA \xc5\xb8", "\xc5\xa1koda \xc3\xbf" },
		{ "\xce\x9f\xce\x94\xce\x9f\xce\xa3 \xcf\x82",
		  "\xce\xbf\xce\xb4\xce\xbf\xcf\x83 \xcf\x83" },
		{ "\xd0\x9f\xd0\xa0\xd0\x98\xd0\x92\xd0\x95\xd0\xa2 \xd0\x81",
		  "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xd1\x91" },
		{ "\xe1\xba\xa0\xc4\x90", "\xe1\xba\xa1\xc4\x91" },
		{ "\xc8\xba", "\xe2\xb1\xa5" },
		{ "\xef\xbc\xa1", "\xef\xbd\x81" },
		{ "X\xff\xc3Y", "x\xff\xc3y" },
		{ "\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* On the heap at its own size: a sanitizer sees one octet too many. */
		size_t length = strlen(cases[i].text);
		char *text = memcpy(malloc(length + (length == 0)), cases[i].text, length);
		struct bytes out = { 0 }, again = { 0 };

		search_fold(&out, span_of(text, length));
		assert_string_equal(bytes_text(&out), cases[i].want);
		search_fold(&again, bytes_span(&out));
		assert_string_equal(bytes_text(&again), cases[i].want);
		bytes_release(&out);
		bytes_release(&again);
		free(text);
	}
}

static void appends_after_a_space(void **state)
{
	struct bytes out = { 0 };

	(void)state;
	search_fold(&out, span_of_text(" A "));
	search_fold(&out, span_of_text(""));
	search_fold(&out, span_of_text(" \n"));
	search_fold(&out, span_of_text("B"));
	search_fold(&out, span_of_text("(C)"));
	assert_string_equal(bytes_text(&out), "a b c");
	bytes_release(&out);
}

/* What is written with more octets folded than before still finds room. */
static void folds_much(void **state)
{
	struct bytes text = { 0 }, out = { 0 };

	(void)state;
	for (size_t i = 0; i < 10000; i++)
		bytes_append_text(&text, "\xc8\xba");
	search_fold(&out, bytes_span(&text));
	assert_int_equal(out.length, 30000);
	bytes_release(&text);
	bytes_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folds),
		cmocka_unit_test(appends_after_a_space),
		cmocka_unit_test(folds_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
