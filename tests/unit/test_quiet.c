/* SPDX-License-Identifier: ISC */
/* test_quiet.c - which tags of a mail's HTML are renamed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "web/quiet.h"

static const struct {
	const char *html;
	const char *quiet;
} cases[] = {
	{ "", "" },
	{ "<p>no tag < of <b>such</b> a name <", "<p>no tag < of <b>such</b> a name <" },
	{ "<link rel=preconnect href=//x>", "<x-link rel=preconnect href=//x>" },
	{ "a<LINK\trel=x><Link/rel=x><link>", "a<x-LINK\trel=x><x-Link/rel=x><x-link>" },
	{ "<iframe\nsrc=//x></iframe>", "<x-iframe\nsrc=//x></iframe>" },
	{ "<frameset><frame src=//x>", "<frameset><x-frame src=//x>" },
	{ "<object data=//x><embed src=//x>", "<x-object data=//x><x-embed src=//x>" },
	{ "<linked><embedded><frames>", "<linked><embedded><frames>" },
	{ "< link><\nlink></link><!link>", "< link><\nlink></link><!link>" },
	{ "<<link href=x", "<<x-link href=x" },
	{ "<li<link>", "<li<x-link>" },
	{ "end <link", "end <x-link" },
};

static void test_tags(void **state)
{
	struct bytes out = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bytes_clear(&out);
		quiet_html(&out, span_of_text(cases[i].html));
		assert_string_equal(bytes_text(&out), cases[i].quiet);
	}
	bytes_release(&out);
}

/* A NUL is a letter of the name for a browser, and no end of the text for us. */
static void test_nul(void **state)
{
	static const char html[] = "<li\0nk><link\0 x><link>";
	static const char quiet[] = "<li\0nk><link\0 x><x-link>";
	struct bytes out = { 0 };

	(void)state;
	quiet_html(&out, span_of(html, sizeof(html) - 1));
	assert_int_equal(out.length, sizeof(quiet) - 1);
	assert_memory_equal(out.data, quiet, sizeof(quiet) - 1);
	bytes_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
