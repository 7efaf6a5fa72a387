/* SPDX-License-Identifier: ISC */
/* How a rate falls when a provider complains, and comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/private.h"

/* Sends for so long, taken by a provider that takes at most `limit` a second (0: all). */
static size_t run(struct adapt *a, int64_t *now, int64_t us, double limit, size_t *throttled)
{
	int64_t end = *now + us, last = *now - CLOCK_SEC;
	size_t taken = 0;

	while (*now < end) {
		int64_t when = adapt_when(a, *now);

		*now = when > *now ? when : *now + 1000;
		adapt_written(a, *now);
		if (limit > 0 && (double)(*now - last) * limit < 0.999 * (double)CLOCK_SEC) {
			(*throttled)++;
			assert_true(adapt_throttled(a, *now, *now, 0));
			continue;
		}
		last = *now;
		taken++;
		adapt_worked(a, *now);
	}
	return taken;
}

static void test_a_complaint_halts(void **state)
{
	struct adapt a = { 0 };
	int64_t now = CLOCK_HOUR, pause;
	size_t throttled = 0;
	double rate;

	(void)state;
	assert_true(adapt_when(&a, now) == now);
	(void)run(&a, &now, 5 * CLOCK_SEC, 0, &throttled);
	assert_true(a.rate == 0);
	assert_true(adapt_throttled(&a, now, now, 0));
	rate = a.rate;
	assert_true(rate > 0 && adapt_when(&a, now) > now);
	/* Written before it was known: the same complaint. */
	assert_false(adapt_throttled(&a, now - 5, now + 10, 0));
	assert_true(a.rate == rate);
	/* The longer it lasts, the longer the pauses. */
	pause = adapt_when(&a, now) - now;
	now += 10 * pause;
	assert_true(adapt_throttled(&a, now, now, 0));
	assert_true(adapt_when(&a, now) - now > pause);
	/* A time that is said is kept. */
	now += CLOCK_SEC;
	assert_true(adapt_throttled(&a, now, now, 30 * CLOCK_SEC));
	assert_true(adapt_when(&a, now) >= now + 30 * CLOCK_SEC);
}

static void test_a_limit_is_found_and_kept(void **state)
{
	struct adapt a = { 0 };
	int64_t now = CLOCK_HOUR;
	size_t throttled = 0, taken;

	(void)state;
	(void)run(&a, &now, 30 * CLOCK_MIN, 10, &throttled);
	throttled = 0;
	taken = run(&a, &now, CLOCK_HOUR, 10, &throttled);
	assert_in_range(taken, 34200, 36010);
	assert_true(throttled * 100 < taken);
	/* It is raised: the rate follows. */
	(void)run(&a, &now, CLOCK_HOUR, 40, &throttled);
	assert_true(a.rate > 30 && a.rate < 40 && a.changed);
	/* It is lowered: the rate follows. */
	(void)run(&a, &now, 10 * CLOCK_MIN, 5, &throttled);
	assert_true(a.rate > 4.7 && a.rate < 5);
	throttled = 0;
	taken = run(&a, &now, CLOCK_HOUR, 5, &throttled);
	assert_in_range(taken, 17100, 18010);
	assert_true(throttled * 100 < taken);
	/* Remembered. */
	a = (struct adapt){ 0 };
	adapt_restore(&a, 10);
	assert_true(a.rate == 10);
}

static void test_what_is_declared_is_not_exceeded_by_growth(void **state)
{
	struct adapt a = { .most = 20 };
	int64_t now = CLOCK_HOUR;
	size_t throttled = 0;

	(void)state;
	adapt_restore(&a, 15);
	(void)run(&a, &now, 2 * CLOCK_HOUR, 0, &throttled);
	assert_true(a.rate == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_complaint_halts),
		cmocka_unit_test(test_a_limit_is_found_and_kept),
		cmocka_unit_test(test_what_is_declared_is_not_exceeded_by_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
