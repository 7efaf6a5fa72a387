/* SPDX-License-Identifier: ISC */
/* test_metric.c - that every counter has a name of its own, and counts from all threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/metric.h"

static void has_names(void **state)
{
	(void)state;
	for (int a = 0; a < METRIC_COUNT; a++) {
		const char *name = metric_name((enum metric)a);

		assert_non_null(name);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		assert_true(strlen(metric_help((enum metric)a)) > 10);
		for (int b = 0; b < a; b++)
			assert_string_not_equal(name, metric_name((enum metric)b));
	}
	assert_true(metric_is_gauge(METRIC_SPOOL_BYTES));
	assert_false(metric_is_gauge(METRIC_SESSIONS));
}

static void *count(void *context)
{
	(void)context;
	for (int i = 0; i < 10000; i++)
		metric_add(METRIC_SESSIONS_OPEN, i % 2 == 0 ? 3 : -1);
	return NULL;
}

static void counts_from_threads(void **state)
{
	pthread_t threads[4];

	(void)state;
	metric_set(METRIC_SESSIONS_OPEN, -5);
	assert_int_equal(metric_get(METRIC_SESSIONS_OPEN), -5);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metric_get(METRIC_SESSIONS_OPEN), 4 * 10000 - 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_names),
		cmocka_unit_test(counts_from_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
