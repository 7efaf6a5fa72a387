/* SPDX-License-Identifier: ISC */
/* test_mime_decoder.c - transfer encodings, honest and broken, in pieces of any size. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mime/mime.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static const struct {
	enum mime_encoding encoding;
	const char *in, *out;
} rows[] = {
	{ MIME_IDENTITY, "a=3D\r\n", "a=3D\r\n" },
	{ MIME_BASE64, "aGVsbG8=", "hello" },
	{ MIME_BASE64, "aGVs\r\nbG8=\r\n", "hello" },
	{ MIME_BASE64, "aGVsbG8", "hello" },   /* no padding */
	{ MIME_BASE64, "aGVs!bG8=", "hello" }, /* a stranger */
	{ MIME_BASE64, "aGk=aGk=", "hihi" },   /* two, one behind the other */
	{ MIME_BASE64, "=====", "" },
	{ MIME_BASE64, "a", "" },
	{ MIME_QUOTED_PRINTABLE, "caf=E9 =C3=A9", "caf\xe9 \xc3\xa9" },
	{ MIME_QUOTED_PRINTABLE, "soft=\r\nbreak=\nline", "softbreakline" },
	{ MIME_QUOTED_PRINTABLE, "low=c3", "low\xc3" },
	{ MIME_QUOTED_PRINTABLE, "no=XY =4 ==3D=",
	  "no=XY =4 =="
	  "=" },
	{ MIME_QUOTED_PRINTABLE, "cut=4", "cut=4" },
	{ MIME_QUOTED_PRINTABLE, "=\rx", "=\rx" },
	{ MIME_UUENCODE, "begin 644 h\r\n%:&5L;&\\\r\n`\r\nend\r\n", "hello" },
	{ MIME_UUENCODE, "text before\nbegin 644 h\n#0V%T\nend\nafter\n", "Cat" },
	{ MIME_UUENCODE, "begin 644 h\n#0V%T", "Cat" },
	{ MIME_UUENCODE, "begin 644 h\nM!\n", "" }, /* says 45 octets, has none */
	{ MIME_UUENCODE, "no begin\n#0V%T\n", "" },
};

static void encodings_are_taken_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		const struct mime_part part = { .encoding = rows[i].encoding };
		struct span in = span_of_text(rows[i].in);

		for (size_t piece = 1; piece <= in.length; piece++) {
			struct mime_decoder *d = mime_decoder_new(&part);
			struct bytes out = { 0 };

			for (size_t at = 0; at < in.length; at += piece)
				mime_decoder_feed(d,
				                  span_of(in.data + at, at + piece > in.length
				                                                ? in.length - at
				                                                : piece),
				                  &out);
			mime_decoder_end(d, &out);
			mime_decoder_free(&d);
			assert_null(d);
			assert_string_equal(bytes_text(&out), rows[i].out);
			bytes_release(&out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodings_are_taken_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
