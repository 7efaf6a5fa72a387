/* SPDX-License-Identifier: ISC */
/* How deep a provider is sent to, and how long its sessions are: learned, and lost again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/private.h"

/* So many flights that were all replied to. */
static void flights(struct depth *d, size_t count, size_t max)
{
	while (count-- > 0)
		for (size_t i = d->now; i > 0; i--)
			depth_replied(d, max);
}

static void test_doubles_then_creeps(void **state)
{
	static const size_t after[] = { 1, 2, 4, 8, 16, 17, 18, 19 };
	struct depth d;

	(void)state;
	depth_init(&d);
	for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
		assert_int_equal(d.now, after[i]);
		flights(&d, 1, 1000);
	}
}

static void test_at_most(void **state)
{
	struct depth d;

	(void)state;
	for (size_t max = 0; max <= 5; max++) {
		depth_init(&d);
		flights(&d, 50, max);
		assert_int_equal(d.now, max < 1 ? 1 : max);
	}
}

static void test_lost(void **state)
{
	struct depth d;

	(void)state;
	depth_init(&d);
	flights(&d, 4, 20);
	assert_int_equal(d.now, 16);
	for (int i = 0; i < 10; i++) /* connections that fail together */
		depth_lost(&d);
	assert_int_equal(d.now, 1);
	flights(&d, 3, 20);
	assert_int_equal(d.now, 8);
	flights(&d, 1, 20); /* slower from half of what it was */
	assert_int_equal(d.now, 9);
}

static void test_session_length(void **state)
{
	struct depth d;

	(void)state;
	depth_init(&d);
	assert_true(depth_session_max(&d, 0) == SIZE_MAX);
	assert_false(depth_session_ended(&d, 0, 0));
	assert_false(depth_session_ended(&d, 0, 0)); /* none at all is another trouble */
	assert_false(depth_session_ended(&d, 5, 0));
	assert_false(depth_session_ended(&d, 7, 0));
	assert_true(depth_session_max(&d, 0) == SIZE_MAX);
	assert_true(depth_session_ended(&d, 7, CLOCK_SEC));
	assert_int_equal(depth_session_max(&d, CLOCK_MIN), 7);
	assert_true(depth_session_max(&d, CLOCK_HOUR + CLOCK_SEC) == SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles_then_creeps),
		cmocka_unit_test(test_at_most),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_session_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
