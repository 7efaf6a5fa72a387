/* SPDX-License-Identifier: ISC */
/* test_bytes.c - spans, the growing buffer, and encoded records: also cut short. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static void compares_spans(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal, nocase, starts;
	} rows[] = {
		{ "", "", true, true, true },
		{ "abc", "abc", true, true, true },
		{ "ABC", "abc", false, true, true },
		{ "abcd", "abc", false, false, true },
		{ "ab", "abc", false, false, false },
		{ "a[", "a{", false, false, false },
		{ "\xc4", "\xe4", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct span a = span_of_text(rows[i].a), b = span_of_text(rows[i].b);

		assert_int_equal(span_equal(a, b), rows[i].equal);
		assert_int_equal(span_equal_text(a, rows[i].b), rows[i].equal);
		assert_int_equal(span_equal_nocase(a, b), rows[i].nocase);
		assert_int_equal(span_starts_nocase(a, rows[i].b), rows[i].starts);
	}
	assert_true(span_equal(span_of(NULL, 0), span_of_text("")));
	assert_int_equal(span_of_text(NULL).length, 0);
	assert_false(span_equal(span_of("a\0b", 3), span_of("a\0c", 3)));
}

static void grows_and_consumes(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		bytes_append_char(&b, (char)('a' + i % 26));
	assert_int_equal(b.length, 100000);
	bytes_consume(&b, 99990);
	assert_memory_equal(b.data, "uvwxyzabcd", 10);
	assert_int_equal(b.length, 10);
	bytes_consume(&b, 0);
	bytes_consume(&b, 3);
	assert_string_equal(bytes_text(&b), "xyzabcd");
	bytes_consume(&b, 1000);
	assert_int_equal(b.length, 0);
	bytes_append(&b, NULL, 0);
	assert_string_equal(bytes_text(&b), "");
	bytes_release(&b);
	assert_null(b.data);
	assert_int_equal(b.capacity, 0);
}

static void prints_what_fits_and_what_does_not(void **state)
{
	struct bytes b = { 0 };
	char long_text[500];

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	bytes_append_text(&b, "a");
	bytes_printf(&b, "%d-%s", 7, "b");
	assert_string_equal(bytes_text(&b), "a7-b");
	bytes_printf(&b, "%s|%d", long_text, 42);
	assert_int_equal(b.length, 4 + 499 + 3);
	assert_string_equal(bytes_text(&b) + 4 + 499, "|42");
	bytes_clear(&b);
	bytes_printf(&b, "%s", "");
	assert_int_equal(b.length, 0);
	bytes_release(&b);
}

/* Lengths around the first capacity, so that the final NUL needs growth of its own. */
static void prints_at_the_edge_of_the_capacity(void **state)
{
	(void)state;
	for (int length = 60; length < 70; length++) {
		struct bytes b = { 0 };

		bytes_printf(&b, "%0*d", length, 1);
		assert_int_equal(b.length, length);
		assert_int_equal(strlen(bytes_text(&b)), length);
		bytes_release(&b);
	}
}

static void put_record(struct bytes *b)
{
	bytes_put_u8(b, 0xfe);
	bytes_put_u16(b, 0x0102);
	bytes_put_u32(b, 0xfffefdfc);
	bytes_put_u64(b, UINT64_C(0x1122334455667788));
	bytes_put_i64(b, -2);
	bytes_put_span(b, span_of("x\0y", 3));
	bytes_put_text(b, NULL);
	bytes_put_text(b, "end");
}

static void encodes_and_decodes(void **state)
{
	struct bytes b = { 0 };
	struct bytes_reader r;
	struct span s;
	char *text;

	(void)state;
	put_record(&b);
	assert_memory_equal(b.data, "\xfe\x01\x02\xff\xfe\xfd\xfc\x11\x22", 9);
	r = bytes_reader(bytes_span(&b));
	assert_int_equal(bytes_get_u8(&r), 0xfe);
	assert_int_equal(bytes_get_u16(&r), 0x0102);
	assert_int_equal(bytes_get_u32(&r), 0xfffefdfc);
	assert_int_equal(bytes_get_u64(&r), UINT64_C(0x1122334455667788));
	assert_int_equal(bytes_get_i64(&r), -2);
	s = bytes_get_span(&r);
	assert_true(span_equal(s, span_of("x\0y", 3)));
	assert_int_equal(bytes_get_span(&r).length, 0);
	text = bytes_get_text(&r);
	assert_string_equal(text, "end");
	free(text);
	assert_false(r.failed);
	assert_int_equal(r.rest.length, 0);
	bytes_release(&b);
}

static void notices_every_missing_octet(void **state)
{
	struct bytes b = { 0 };

	(void)state;
	put_record(&b);
	for (size_t length = 0; length < b.length; length++) {
		unsigned char *cut = malloc(length + 1); /* exact, for the sanitizer */
		struct bytes_reader r;
		char *text;

		memcpy(cut, b.data, length);
		cut = realloc(cut, length == 0 ? 1 : length);
		r = bytes_reader(span_of(cut, length));
		bytes_get_u8(&r), bytes_get_u16(&r), bytes_get_u32(&r), bytes_get_u64(&r);
		bytes_get_i64(&r), bytes_get_span(&r), bytes_get_span(&r);
		text = bytes_get_text(&r);
		assert_true(r.failed);
		assert_string_equal(text, "");
		assert_int_equal(bytes_get_u32(&r), 0);
		free(text);
		free(cut);
	}
	bytes_release(&b);
}

static void does_not_believe_a_length(void **state)
{
	struct bytes_reader r = bytes_reader(span_of("\xff\xff\xff\xff"
	                                             "abc",
	                                             7));

	(void)state;
	assert_int_equal(bytes_get_span(&r).length, 0);
	assert_true(r.failed);
	assert_int_equal(bytes_get_u8(&r), 0);
}

static void keeps_the_order_of_keys(void **state)
{
	static const uint64_t values[] = { 0, 1, 255, 256, 65536, UINT32_MAX, UINT64_MAX };
	unsigned char a[8], b[8];

	(void)state;
	for (size_t i = 0; i < LENGTH(values); i++) {
		be64_store(a, values[i]);
		assert_true(be64_load(a) == values[i]);
		be32_store(b, (uint32_t)values[i]);
		assert_int_equal(be32_load(b), (uint32_t)values[i]);
		be16_store(b, (uint16_t)values[i]);
		assert_int_equal(be16_load(b), (uint16_t)values[i]);
		if (i > 0) {
			be64_store(b, values[i - 1]);
			assert_true(memcmp(b, a, 8) < 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares_spans),
		cmocka_unit_test(grows_and_consumes),
		cmocka_unit_test(prints_what_fits_and_what_does_not),
		cmocka_unit_test(prints_at_the_edge_of_the_capacity),
		cmocka_unit_test(encodes_and_decodes),
		cmocka_unit_test(notices_every_missing_octet),
		cmocka_unit_test(does_not_believe_a_length),
		cmocka_unit_test(keeps_the_order_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
