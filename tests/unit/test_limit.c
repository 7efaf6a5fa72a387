/* SPDX-License-Identifier: ISC */
/* The windows of a rate, moment by moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "relay/limit.h"

static struct limit *one(uint64_t count, int64_t period_us, uint64_t burst, enum rate_unit unit)
{
	struct rate rate = { count, period_us, burst, unit };

	return limit_new(&rate, 1);
}

static void use(struct limit *limit, int64_t at_us, size_t recipients)
{
	assert_true(limit_when(limit, at_us, recipients) == at_us);
	limit_take(limit, at_us, recipients);
	limit_spend(limit, at_us, at_us, recipients);
}

static void test_no_rate(void **state)
{
	struct limit *limit = limit_new(NULL, 0);

	(void)state;
	for (int i = 0; i < 1000; i++)
		use(limit, 5, 50);
	assert_true(limit_recipients_max(limit) == SIZE_MAX);
	limit_free(&limit);
	assert_null(limit);
}

static void test_a_token_is_busy_until_the_period_after_mail(void **state)
{
	struct limit *limit = one(1, 2 * CLOCK_MIN, 0, RATE_MESSAGES);

	(void)state;
	assert_true(limit_when(limit, 1000, 1) == 1000);
	limit_take(limit, 1000, 1);
	/* In flight: nobody knows when it will be free. */
	assert_true(limit_when(limit, 1000, 1) == LIMIT_UNKNOWN);
	assert_true(limit_when(limit, CLOCK_HOUR, 1) == LIMIT_UNKNOWN);
	/* Written late: the period begins there. */
	limit_spend(limit, CLOCK_HOUR, CLOCK_HOUR, 1);
	assert_true(limit_when(limit, CLOCK_HOUR, 1) == CLOCK_HOUR + 2 * CLOCK_MIN + 1);
	limit_take(limit, CLOCK_HOUR + 2 * CLOCK_MIN + 1, 1);
	limit_return(limit, 1);
	/* Unused: free at once. */
	assert_true(limit_when(limit, CLOCK_HOUR + 2 * CLOCK_MIN + 1, 1) ==
	            CLOCK_HOUR + 2 * CLOCK_MIN + 1);
	limit_free(&limit);
}

static void test_recipients_are_counted(void **state)
{
	struct limit *limit = one(100, CLOCK_HOUR, 0, RATE_RECIPIENTS);

	(void)state;
	assert_int_equal(limit_recipients_max(limit), 100);
	use(limit, 0, 60);
	use(limit, 1000, 30);
	use(limit, 2000, 10);
	assert_true(limit_when(limit, 3000, 1) == CLOCK_HOUR + 1);
	assert_true(limit_when(limit, 3000, 60) == CLOCK_HOUR + 1);
	assert_true(limit_when(limit, 3000, 61) == CLOCK_HOUR + 1001);
	assert_true(limit_when(limit, 3000, 100) == CLOCK_HOUR + 2001);
	limit_free(&limit);
}

static void test_the_tightest_of_several_holds(void **state)
{
	struct rate rates[] = { { 100, CLOCK_DAY, 0, RATE_RECIPIENTS },
		                { 2, CLOCK_HOUR, 0, RATE_MESSAGES },
		                { 7, CLOCK_HOUR, 0, RATE_RECIPIENTS } };
	struct limit *limit = limit_new(rates, 3);

	(void)state;
	assert_int_equal(limit_recipients_max(limit), 7);
	use(limit, 0, 5);
	assert_true(limit_when(limit, 1, 3) == CLOCK_HOUR + 1);
	assert_true(limit_when(limit, 1, 2) == 1);
	use(limit, 1, 1);
	assert_true(limit_when(limit, 2, 1) == CLOCK_HOUR + 1);
	limit_free(&limit);
}

/* 50000/d is kept in slices: never early, and at most a slice and a bit late. */
static void test_long_windows_are_sliced(void **state)
{
	struct limit *limit = one(50000, CLOCK_DAY, 0, RATE_MESSAGES);
	int64_t slice = CLOCK_DAY / 256 + 1, when;

	(void)state;
	for (int i = 0; i < 50000; i++)
		use(limit, CLOCK_HOUR + i * 100, 1);
	when = limit_when(limit, 2 * CLOCK_HOUR, 1);
	assert_true(when > CLOCK_HOUR + CLOCK_DAY);
	assert_true(when <= CLOCK_HOUR + CLOCK_DAY + slice + 1);
	limit_free(&limit);
}

static void test_bursts(void **state)
{
	struct limit *limit = one(10, CLOCK_SEC, 20, RATE_MESSAGES);
	int64_t now = CLOCK_SEC;

	(void)state;
	for (int i = 0; i < 20; i++)
		use(limit, now, 1);
	/* The bucket is empty: a tenth of a second a token. */
	assert_in_range(limit_when(limit, now, 1), now + 99000, now + 100001);
	now += CLOCK_SEC / 2;
	for (int i = 0; i < 5; i++)
		use(limit, now, 1);
	assert_true(limit_when(limit, now, 1) > now);
	limit_free(&limit);
}

static void test_recovered_claims_are_spent(void **state)
{
	struct limit *limit = one(3, CLOCK_HOUR, 0, RATE_MESSAGES);

	(void)state;
	for (int i = 0; i < 5; i++) /* more than the rate: it was larger before */
		limit_recover(limit, 1000, 1);
	assert_true(limit_when(limit, 2000, 1) == 1000 + CLOCK_HOUR + 1);
	assert_true(limit_when(limit, CLOCK_HOUR + 1001, 1) == CLOCK_HOUR + 1001);
	limit_free(&limit);
}

static void test_seconds_are_paced_and_days_are_not(void **state)
{
	struct limit *second = one(10, CLOCK_SEC, 0, RATE_MESSAGES);
	struct limit *day = one(10, CLOCK_DAY, 0, RATE_MESSAGES);

	(void)state;
	use(second, 0, 1);
	assert_in_range(limit_when(second, 0, 1), 90000, 100000);
	for (int i = 0; i < 10; i++)
		use(day, 0, 1);
	limit_free(&second);
	limit_free(&day);
}

/* A rate that grows lets more leave, and forgets nothing of what was used. */
static void test_a_rate_is_raised(void **state)
{
	static const uint64_t counts[] = { 10, 20, 40, 5000, 100000, 200000 };
	struct limit *limit = one(10, CLOCK_DAY, 0, RATE_MESSAGES);
	uint64_t used = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		int64_t now = CLOCK_HOUR + (int64_t)i * CLOCK_MIN;

		limit_raise(limit, 0, counts[i]);
		for (; used < counts[i]; used++)
			use(limit, now, 1);
		assert_true(limit_when(limit, now, 1) > now + 23 * CLOCK_HOUR);
	}
	/* All of it is free again a day after the last, and no sooner. */
	assert_false(limit_idle(limit, CLOCK_HOUR + CLOCK_DAY));
	assert_true(limit_idle(limit, 2 * CLOCK_HOUR + CLOCK_DAY));
	limit_free(&limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_rate),
		cmocka_unit_test(test_a_token_is_busy_until_the_period_after_mail),
		cmocka_unit_test(test_recipients_are_counted),
		cmocka_unit_test(test_the_tightest_of_several_holds),
		cmocka_unit_test(test_long_windows_are_sliced),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_recovered_claims_are_spent),
		cmocka_unit_test(test_seconds_are_paced_and_days_are_not),
		cmocka_unit_test(test_a_rate_is_raised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
