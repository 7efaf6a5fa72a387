/* SPDX-License-Identifier: ISC */
/* test_receive_rates.c - buckets of clients: what fits, what leaks, and a table that stays small.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "receive/private.h"

#define START (INT64_C(77) * CLOCK_HOUR)

static int64_t wait_of(struct rates *rates, const char *key, const struct rate *rate, int64_t at)
{
	return rates_wait(rates, span_of_text(key), rate, at);
}

static void charge(struct rates *rates, const char *key, const struct rate *rate, int64_t at)
{
	rates_charge(rates, span_of_text(key), rate, at);
}

static void a_burst_fits_and_then_it_leaks(void **state)
{
	const struct rate rate = { .count = 60, .period_us = CLOCK_MIN };
	const struct rate small = { .count = 60, .period_us = CLOCK_MIN, .burst = 2 };
	struct rates *rates = rates_new();

	(void)state;
	for (int i = 0; i < 60; i++) {
		assert_int_equal(wait_of(rates, "a", &rate, START), 0);
		charge(rates, "a", &rate, START);
	}
	assert_int_equal(wait_of(rates, "a", &rate, START), CLOCK_SEC);
	assert_int_equal(wait_of(rates, "a", &rate, START + CLOCK_SEC / 4), CLOCK_SEC * 3 / 4);
	assert_int_equal(wait_of(rates, "b", &rate, START), 0);
	assert_int_equal(wait_of(rates, "a", &rate, START + CLOCK_SEC), 0);
	charge(rates, "a", &rate, START + CLOCK_SEC);
	assert_int_equal(wait_of(rates, "a", &rate, START + CLOCK_SEC), CLOCK_SEC);
	/* A long rest is worth one burst, not more. */
	for (int i = 0; i < 60; i++)
		charge(rates, "a", &rate, START + CLOCK_DAY);
	assert_int_equal(wait_of(rates, "a", &rate, START + CLOCK_DAY), CLOCK_SEC);
	charge(rates, "c", &small, START);
	assert_int_equal(wait_of(rates, "c", &small, START), 0);
	charge(rates, "c", &small, START);
	assert_int_equal(wait_of(rates, "c", &small, START), CLOCK_SEC);
	rates_free(&rates);
	assert_null(rates);
}

/* Another thread's time may lie a little before the first one that was told. */
static void time_before_the_first_is_that_time(void **state)
{
	const struct rate rate = { .count = 1, .period_us = CLOCK_SEC };
	struct rates *rates = rates_new();

	(void)state;
	charge(rates, "a", &rate, START);
	assert_int_equal(wait_of(rates, "a", &rate, START - 10), CLOCK_SEC);
	rates_free(&rates);
}

/* Of a full table those are forgotten who did least. */
static void the_busiest_is_remembered(void **state)
{
	const struct rate rate = { .count = 10, .period_us = CLOCK_MIN };
	struct rates *rates = rates_new();

	(void)state;
	for (int i = 0; i < 20; i++)
		charge(rates, "busy", &rate, START);
	for (uint32_t i = 0; i < 500000; i++)
		rates_charge(rates, span_of(&i, sizeof i), &rate, START);
	assert_true(wait_of(rates, "busy", &rate, START) > 0);
	rates_free(&rates);
}

struct lot {
	struct rates *rates;
	struct rate rate;
};

static void *charge_many(void *context)
{
	struct lot *lot = context;

	for (int i = 0; i < 10000; i++)
		charge(lot->rates, "a", &lot->rate, START);
	return NULL;
}

static void threads_lose_no_charge(void **state)
{
	struct lot lot = { rates_new(), { .count = 1000, .period_us = CLOCK_SEC, .burst = 1 } };
	pthread_t threads[4];

	(void)state;
	charge(lot.rates, "a", &lot.rate, START);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, charge_many, &lot), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(wait_of(lot.rates, "a", &lot.rate, START), 40001 * CLOCK_MS);
	rates_free(&lot.rates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_fits_and_then_it_leaks),
		cmocka_unit_test(time_before_the_first_is_that_time),
		cmocka_unit_test(the_busiest_is_remembered),
		cmocka_unit_test(threads_lose_no_charge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
