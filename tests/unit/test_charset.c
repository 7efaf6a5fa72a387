/* SPDX-License-Identifier: ISC */
/* test_charset.c - text of any charset as UTF-8, in any pieces, and what is none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/charset.h"
#include "base/utf8.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static const struct {
	const char *name, *text, *utf8;
} rows[] = {
	{ "utf-8",
	  "Gr\xc3\xbc\xc3\x9f"
	  "e",
	  "Gr\xc3\xbc\xc3\x9f"
	  "e" },
	{ "UTF-8", "cut \xc3", "cut \xc3\x83" },
	{ "utf-8", "\xc0\xaf", "\xc3\x80\xc2\xaf" },
	{ "", "caf\xe9", "caf\xc3\xa9" },
	{ "iso-8859-1", "caf\xe9 \x93x\x94", "caf\xc3\xa9 \xe2\x80\x9cx\xe2\x80\x9d" },
	{ "windows-1251", "\xcf\xf0\xe8", "\xd0\x9f\xd1\x80\xd0\xb8" },
	{ "ISO-2022-JP", "\x1b$B$3\x1b(B!", "\xe3\x81\x93!" },
	{ "shift_jis", "\x82\xb1", "\xe3\x81\x93" },
	{ "gb2312", "\xc4\xe3", "\xe4\xbd\xa0" },
	{ "koi8-r", "\xf0", "\xd0\x9f" },
	{ "x-no-such-charset", "caf\xe9", "caf\xc3\xa9" },
	{ "../../etc/passwd", "x\xff", "x\xc3\xbf" },
	{ "utf-8//TRANSLIT", "x", "x" },
};

static void every_charset_is_utf8_in_the_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct span text = span_of_text(rows[i].text);

		/* In pieces of one octet, of two, and so on. */
		for (size_t piece = 1; piece <= text.length; piece++) {
			struct charset *c = charset_new(span_of_text(rows[i].name));
			struct bytes out = { 0 };

			for (size_t at = 0; at < text.length; at += piece)
				charset_feed(c,
				             span_of(text.data + at, at + piece > text.length
				                                             ? text.length - at
				                                             : piece),
				             &out);
			charset_end(c, &out);
			charset_free(&c);
			assert_string_equal(bytes_text(&out), rows[i].utf8);
			bytes_release(&out);
		}
	}
}

static void only_known_names_decode_at_once(void **state)
{
	struct bytes out = { 0 };

	(void)state;
	assert_int_equal(charset_decode(span_of_text("koi8-r"), span_of_text("\xf0"), &out), 0);
	assert_string_equal(bytes_text(&out), "\xd0\x9f");
	assert_int_equal(charset_decode(span_of_text("x-none"), span_of_text("\xf0"), &out), -1);
	assert_int_equal(charset_decode(span_of_text("/etc/x"), span_of_text("\xf0"), &out), -1);
	assert_int_equal(out.length, 2);
	bytes_release(&out);
}

static void what_means_nothing_is_replaced(void **state)
{
	static const char *const names[] = { "utf-8", "iso-2022-jp", "gb18030", "utf-16",
		                             "utf-7", "big5",        "euc-jp" };

	(void)state;
	for (size_t i = 0; i < LENGTH(names); i++) {
		struct charset *c = charset_new(span_of_text(names[i]));
		struct bytes out = { 0 };
		unsigned char octets[256];

		for (size_t k = 0; k < sizeof(octets); k++)
			octets[k] = (unsigned char)(255 - k);
		charset_feed(c, span_of(octets, sizeof(octets)), &out);
		charset_end(c, &out);
		assert_true(utf8_is_valid(bytes_span(&out)));
		charset_free(&c);
		bytes_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_charset_is_utf8_in_the_end),
		cmocka_unit_test(only_known_names_decode_at_once),
		cmocka_unit_test(what_means_nothing_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
