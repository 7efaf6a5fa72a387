/* SPDX-License-Identifier: ISC */
/* test_clock.c - dates as text, the set clock, and that the machine's clock moves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static void formats_dates(void **state)
{
	static const struct {
		const char *zone;
		int64_t wall_us;
		const char *rfc5322, *rfc3339;
	} rows[] = {
		{ "UTC0", 0, "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00.000000Z" },
		{ "UTC0", INT64_C(1795297342123456), "Sat, 21 Nov 2026 21:42:22 +0000",
		  "2026-11-21T21:42:22.123456Z" },
		{ "XXX-5:30", INT64_C(1795297342123456), "Sun, 22 Nov 2026 03:12:22 +0530",
		  "2026-11-21T21:42:22.123456Z" },
		{ "XXX3:30", INT64_C(1795297342000000), "Sat, 21 Nov 2026 18:12:22 -0330",
		  "2026-11-21T21:42:22.000000Z" },
		{ "XXX0:30", INT64_C(1795297342000000), "Sat, 21 Nov 2026 21:12:22 -0030",
		  "2026-11-21T21:42:22.000000Z" },
		{ "UTC0", INT64_C(951782400000000), "Tue, 29 Feb 2000 00:00:00 +0000",
		  "2000-02-29T00:00:00.000000Z" },
		{ "UTC0", -1, "Wed, 31 Dec 1969 23:59:59 +0000", "1969-12-31T23:59:59.999999Z" },
		{ "UTC0", INT64_C(2147483648000000), "Tue, 19 Jan 2038 03:14:08 +0000",
		  "2038-01-19T03:14:08.000000Z" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		char out[CLOCK_DATE_MAX];

		setenv("TZ", rows[i].zone, 1);
		tzset();
		clock_format_rfc5322(rows[i].wall_us, out);
		assert_string_equal(out, rows[i].rfc5322);
		clock_format_rfc3339(rows[i].wall_us, out);
		assert_string_equal(out, rows[i].rfc3339);
	}
}

static void stays_inside_for_any_time(void **state)
{
	static const int64_t times[] = { CLOCK_NEVER, INT64_MIN };

	(void)state;
	for (size_t i = 0; i < LENGTH(times); i++) {
		struct {
			char out[CLOCK_DATE_MAX];
			char guard;
		} memory = { .guard = 42 };

		clock_format_rfc5322(times[i], memory.out);
		clock_format_rfc3339(times[i], memory.out);
		assert_int_equal(memory.guard, 42);
	}
}

static void stands_still_until_set(void **state)
{
	struct clock_set c;

	(void)state;
	clock_set_init(&c, 5 * CLOCK_SEC);
	assert_int_equal(clock_wall(&c.clock), 5 * CLOCK_SEC);
	assert_int_equal(clock_monotonic(&c.clock), 0);
	clock_set_pass(&c, CLOCK_MIN);
	assert_int_equal(clock_wall(&c.clock), 65 * CLOCK_SEC);
	assert_int_equal(clock_monotonic(&c.clock), CLOCK_MIN);
	c.wall_us = 0; /* a step of the wall clock */
	assert_int_equal(clock_monotonic(&c.clock), CLOCK_MIN);
}

static void reads_the_machine(void **state)
{
	const struct clock *c = clock_system();
	int64_t before = clock_monotonic(c);

	(void)state;
	assert_true(clock_wall(c) > INT64_C(1700000000) * CLOCK_SEC);
	assert_true(clock_monotonic(c) >= before);
	assert_true(before > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_dates),
		cmocka_unit_test(stays_inside_for_any_time),
		cmocka_unit_test(stands_still_until_set),
		cmocka_unit_test(reads_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
