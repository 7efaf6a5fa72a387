/* SPDX-License-Identifier: ISC */
/* New connections go to the worker that has the fewest, whatever order the old ones end in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/private.h"

static void test_in_turn(void **state)
{
	struct lanes lanes = { 0 };

	(void)state;
	lanes_init(&lanes, 3);
	for (uint64_t n = 1; n <= 9; n++)
		assert_int_equal(lanes_take(&lanes), n);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(lanes.open[i], 3);
	lanes_release(&lanes);
}

static void test_one_worker(void **state)
{
	struct lanes lanes = { 0 };

	(void)state;
	for (size_t count = 0; count <= 1; count++) {
		lanes = (struct lanes){ 0 };
		lanes_init(&lanes, count);
		assert_int_equal(lanes_take(&lanes), 1);
		lanes_leave(&lanes, 1);
		assert_int_equal(lanes_take(&lanes), 2);
		lanes_release(&lanes);
	}
}

/* All even ones end: two workers of four are empty, and fill first. */
static void test_evens_out(void **state)
{
	struct lanes lanes = { 0 };
	uint64_t last = 0;

	(void)state;
	lanes_init(&lanes, 4);
	for (int i = 0; i < 40; i++)
		last = lanes_take(&lanes);
	for (uint64_t n = 2; n <= last; n += 2)
		lanes_leave(&lanes, n);
	for (int i = 0; i < 20; i++) {
		uint64_t number = lanes_take(&lanes);

		assert_true(number > last);
		assert_int_equal(number % 2, 0);
		last = number;
	}
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(lanes.open[i], 10);
	lanes_release(&lanes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_turn),
		cmocka_unit_test(test_one_worker),
		cmocka_unit_test(test_evens_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
