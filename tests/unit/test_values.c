/* SPDX-License-Identifier: ISC */
/* test_values.c - durations, sizes and rates: what is read, what is refused, what is written. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "config/values.h"

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
		const char *written;
	} good[] = {
		{ "0s", 0, "0s" },
		{ "1us", 1, "1us" },
		{ "500ms", 500 * CLOCK_MS, "500ms" },
		{ "90s", 90 * CLOCK_SEC, "90s" },
		{ "60s", CLOCK_MIN, "1min" },
		{ "15min", 15 * CLOCK_MIN, "15min" },
		{ "15m", 15 * CLOCK_MIN, "15min" },
		{ "1h30m", 90 * CLOCK_MIN, "90min" },
		{ "1h30min", 90 * CLOCK_MIN, "90min" },
		{ "5d", 5 * CLOCK_DAY, "5d" },
		{ "24h", CLOCK_DAY, "1d" },
		{ "1d1us", CLOCK_DAY + 1, "86400000001us" },
		{ "36525d", 36525 * CLOCK_DAY, "36525d" },
	};
	struct bytes out = { 0 };
	const char *error;
	int64_t us, again;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(duration_parse(&us, good[i].text, &error), 0);
		assert_int_equal(us, good[i].us);
		bytes_clear(&out);
		duration_format(us, &out);
		assert_string_equal(bytes_text(&out), good[i].written);
		assert_int_equal(duration_parse(&again, good[i].written, &error), 0);
		assert_int_equal(again, us);
	}
	bytes_release(&out);
}

static void durations_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"s",
		"5",
		"-5s",
		"+5s",
		"5 s",
		"1.5h",
		"05s",
		"5x",
		"5S",
		"1s1h",
		"1h1h",
		"5s ",
		"1m1min",
		"0x10s",
		"36525d1s",
		"36526d",
		"5sec",
		"1h30m5",
		"18446744073709551616s",
		"18446744073709551615d",
		"inf",
	};
	const char *error = NULL;
	int64_t us = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(duration_parse(&us, bad[i], &error), -1);
		assert_string_equal(error, "write a duration such as \"500ms\", \"90s\", "
		                           "\"15min\", \"1h30min\" or \"5d\"");
		assert_int_equal(us, 42);
	}
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
		const char *written;
	} good[] = {
		{ "0", 0, "0" },
		{ "1", 1, "1" },
		{ "1B", 1, "1" },
		{ "1024", 1024, "1KiB" },
		{ "50MiB", 52428800, "50MiB" },
		{ "50mib", 52428800, "50MiB" },
		{ "25MB", 25000000, "25MB" },
		{ "16GiB", UINT64_C(17179869184), "16GiB" },
		{ "1TB", UINT64_C(1000000000000), "1TB" },
		{ "8388607TiB", UINT64_C(8388607) << 40, "8388607TiB" },
		{ "1025", 1025, "1025" },
	};
	struct bytes out = { 0 };
	const char *error;
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(size_parse(&bytes, good[i].text, &error), 0);
		assert_int_equal(bytes, good[i].bytes);
		bytes_clear(&out);
		size_format(bytes, &out);
		assert_string_equal(bytes_text(&out), good[i].written);
	}
	bytes_release(&out);
}

static void sizes_refused(void **state)
{
	static const char *const bad[] = {
		"",   "MiB",  "-1",         "1.5MiB", "010",
		"5M", "5 MB", "8388608TiB", "5MBs",   "18446744073709551616"
	};
	const char *error = NULL;
	uint64_t bytes = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(size_parse(&bytes, bad[i], &error), -1);
		assert_string_equal(error, "write a size such as \"50MiB\", \"25MB\" or \"65536\"");
		assert_int_equal(bytes, 42);
	}
}

static void rates(void **state)
{
	static const struct {
		const char *text;
		struct rate rate;
		const char *written;
	} good[] = {
		{ "14/s", { 14, CLOCK_SEC, 0, RATE_MESSAGES }, "14/s" },
		{ "14 / s", { 14, CLOCK_SEC, 0, RATE_MESSAGES }, "14/s" },
		{ "30 messages/min", { 30, CLOCK_MIN, 0, RATE_MESSAGES }, "30/min" },
		{ "1 message/m", { 1, CLOCK_MIN, 0, RATE_MESSAGES }, "1/min" },
		{ "50000 recipients/d",
		  { 50000, CLOCK_DAY, 0, RATE_RECIPIENTS },
		  "50000 recipients/d" },
		{ "14/s burst 28", { 14, CLOCK_SEC, 28, RATE_MESSAGES }, "14/s burst 28" },
		{ "100/15min", { 100, 15 * CLOCK_MIN, 0, RATE_MESSAGES }, "100/15min" },
		{ "7/60s", { 7, CLOCK_MIN, 0, RATE_MESSAGES }, "7/min" },
		{ "2/100ms", { 2, 100 * CLOCK_MS, 0, RATE_MESSAGES }, "2/100ms" },
		{ "1000000000/h", { 1000000000, CLOCK_HOUR, 0, RATE_MESSAGES }, "1000000000/h" },
	};
	struct bytes out = { 0 };
	struct rate rate;
	const char *error;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(rate_parse(&rate, good[i].text, &error), 0);
		assert_int_equal(rate.count, good[i].rate.count);
		assert_int_equal(rate.period_us, good[i].rate.period_us);
		assert_int_equal(rate.burst, good[i].rate.burst);
		assert_int_equal(rate.unit, good[i].rate.unit);
		bytes_clear(&out);
		rate_format(&rate, &out);
		assert_string_equal(bytes_text(&out), good[i].written);
	}
	bytes_release(&out);
}

static void rates_refused(void **state)
{
	static const char *const bad[] = {
		"",     "14",     "/s",           "0/s",          "-1/s",           "1/",
		"1/0s", "1/fort", "14/s burst",   "14/s burst x", "14/s burst 1 2", "14 mails/s",
		"1/us", "1/367d", "1000000001/s", "14/s, 15/s",   "1/s/s",
	};
	const char *error = NULL;
	struct rate rate;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(rate_parse(&rate, bad[i], &error), -1);
		assert_string_equal(error, "write a rate such as \"14/s\", \"30 messages/min\", "
		                           "\"50000 recipients/d\", \"100/15min\" or "
		                           "\"14/s burst 28\"");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations), cmocka_unit_test(durations_refused),
		cmocka_unit_test(sizes),     cmocka_unit_test(sizes_refused),
		cmocka_unit_test(rates),     cmocka_unit_test(rates_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
