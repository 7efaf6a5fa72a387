/* SPDX-License-Identifier: ISC */
/* test_xtext.c - RFC 3461 values, good and bad. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mail/xtext.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static void decodes(void **state)
{
	static const struct {
		const char *text;
		const char *plain; /* NULL: not xtext */
	} rows[] = {
		{ "", "" },
		{ "abc", "abc" },
		{ "rfc822;a+2Bb@c", "rfc822;a+b@c" },
		{ "+3D+2B+20", "=+ " },
		{ "+0D+0A", "\r\n" },
		{ "a=b", NULL },
		{ "a b", NULL },
		{ "+", NULL },
		{ "+2", NULL },
		{ "a+2b", NULL }, /* lower case */
		{ "+G0", NULL },
		{ "+0G", NULL },
		{ "a\n", NULL },
		{ "a\x7f", NULL },
		{ "\xc3\xbc", NULL },
		{ "+++", NULL },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };
		struct span text = span_of_text(rows[i].text);

		bytes_append_char(&out, '>');
		assert_int_equal(xtext_is_valid(text), rows[i].plain != NULL);
		assert_int_equal(xtext_decode(&out, text), rows[i].plain != NULL ? 0 : -1);
		assert_string_equal(bytes_text(&out) + 1,
		                    rows[i].plain != NULL ? rows[i].plain : "");
		bytes_release(&out);
	}
}

static void encodes_every_octet(void **state)
{
	unsigned char all[256];
	struct bytes text = { 0 }, back = { 0 };

	(void)state;
	for (size_t i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	xtext_encode(&text, span_of(all, 256));
	assert_true(xtext_is_valid(bytes_span(&text)));
	assert_int_equal(xtext_decode(&back, bytes_span(&text)), 0);
	assert_true(span_equal(bytes_span(&back), span_of(all, 256)));
	bytes_clear(&text);
	xtext_encode(&text, span_of_text("a+b=c d~!"));
	assert_string_equal(bytes_text(&text), "a+2Bb+3Dc+20d~!");
	bytes_release(&text);
	bytes_release(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes),
		cmocka_unit_test(encodes_every_octet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
