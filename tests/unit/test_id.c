/* SPDX-License-Identifier: ISC */
/* test_id.c - ids as text: order, aliases, refusals. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mail/id.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static void formats_in_order(void **state)
{
	static const struct {
		uint64_t id;
		const char *text;
	} rows[] = {
		{ 0, "0000000000000" },
		{ 1, "0000000000001" },
		{ 31, "000000000000Z" },
		{ 32, "0000000000010" },
		{ UINT64_C(0x0123456789abcdef), "028T5CY4TQKFF" },
		{ UINT64_MAX, "FZZZZZZZZZZZZ" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		char text[ID_TEXT_SIZE];
		uint64_t id = 1;

		id_format(rows[i].id, text);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(id_parse(&id, text), 0);
		assert_true(id == rows[i].id);
		if (i > 0)
			assert_true(strcmp(rows[i - 1].text, text) < 0);
	}
}

static void reads_what_people_type(void **state)
{
	uint64_t id = 0, same = 0;

	(void)state;
	assert_int_equal(id_parse(&id, "0OoIiLl0ABCXZ"), 0);
	assert_int_equal(id_parse(&same, "00011110abcxz"), 0);
	assert_true(id == same);
}

static void refuses_the_rest(void **state)
{
	static const char *const rows[] = {
		"",
		"000000000000",
		"00000000000000",
		"G000000000000",
		"000000000000U",
		"00000000000u0",
		"000000 000000",
		"-000000000000",
		"000000000000\n",
		"\303\27400000000000",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		uint64_t id = 7;

		assert_int_equal(id_parse(&id, rows[i]), -1);
		assert_true(id == 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_in_order),
		cmocka_unit_test(reads_what_people_type),
		cmocka_unit_test(refuses_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
