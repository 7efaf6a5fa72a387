/* SPDX-License-Identifier: ISC */
/* test_utf8.c - valid and invalid forms, and writing what can be read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/utf8.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static void reads_one_character(void **state)
{
	static const struct {
		const char *text;
		size_t length, used;
		uint32_t code;
	} rows[] = {
		{ "a", 1, 1, 'a' },
		{ "\0", 1, 1, 0 },
		{ "\x7f", 1, 1, 0x7f },
		{ "\xc2\x80", 2, 2, 0x80 },
		{ "\xdf\xbf", 2, 2, 0x7ff },
		{ "\xe0\xa0\x80", 3, 3, 0x800 },
		{ "\xed\x9f\xbf", 3, 3, 0xd7ff },
		{ "\xef\xbf\xbf", 3, 3, 0xffff },
		{ "\xf0\x90\x80\x80", 4, 4, 0x10000 },
		{ "\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff },
		{ "", 0, 0, 0 },
		{ "\x80", 1, 0, 0 },             /* continuation alone */
		{ "\xc3", 1, 0, 0 },             /* cut */
		{ "\xe2\x82", 2, 0, 0 },         /* cut */
		{ "\xf0\x90\x80", 3, 0, 0 },     /* cut */
		{ "\xc0\xaf", 2, 0, 0 },         /* overlong '/' */
		{ "\xc1\xbf", 2, 0, 0 },         /* overlong */
		{ "\xe0\x9f\xbf", 3, 0, 0 },     /* overlong */
		{ "\xf0\x8f\xbf\xbf", 4, 0, 0 }, /* overlong */
		{ "\xed\xa0\x80", 3, 0, 0 },     /* surrogate */
		{ "\xf4\x90\x80\x80", 4, 0, 0 }, /* above U+10FFFF */
		{ "\xf8\x88\x80\x80\x80", 5, 0, 0 },
		{ "\xff", 1, 0, 0 },
		{ "\xc3(", 2, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		uint32_t code = 0;
		struct span text = span_of(rows[i].text, rows[i].length);
		struct bytes out = { 0 };

		assert_int_equal(utf8_next(text, &code), rows[i].used);
		assert_int_equal(code, rows[i].code);
		assert_int_equal(utf8_is_valid(text), rows[i].used == rows[i].length);
		if (rows[i].used > 0) {
			utf8_append(&out, code);
			assert_true(span_equal(bytes_span(&out), text));
		}
		bytes_release(&out);
	}
}

static void writes_no_surrogate(void **state)
{
	static const uint32_t codes[] = { 0xd800, 0xdfff, 0x110000, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < LENGTH(codes); i++) {
		struct bytes out = { 0 };

		utf8_append(&out, codes[i]);
		assert_string_equal(bytes_text(&out), "\xef\xbf\xbd");
		bytes_release(&out);
	}
}

static void judges_whole_texts(void **state)
{
	(void)state;
	assert_true(utf8_is_valid(span_of_text("gr\xc3\xbc\xc3\x9f")));
	assert_false(utf8_is_valid(span_of_text("gr\xfc\xdf")));
	assert_true(utf8_is_ascii(span_of_text("plain\x7f")));
	assert_true(utf8_is_ascii(span_of(NULL, 0)));
	assert_false(utf8_is_ascii(span_of_text("\xc3\xbc")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_one_character),
		cmocka_unit_test(writes_no_surrogate),
		cmocka_unit_test(judges_whole_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
