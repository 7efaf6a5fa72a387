/* SPDX-License-Identifier: ISC */
/* test_search_date.c - dates in queries, and time zones by their names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "inbox/search_private.h"

#define DAY_22      INT64_C(1795305600) /* 2026-11-22 00:00:00 UTC */
#define AT(h, m, s) (DAY_22 + (h)*3600 + (m)*60 + (s))

static int parse(const char *text, const struct zone *zone, int64_t *ms_r)
{
	struct bytes folded = { 0 };
	int rc;

	search_fold(&folded, span_of_text(text));
	rc = date_parse(bytes_span(&folded), zone, ms_r);
	bytes_release(&folded);
	return rc;
}

static void dates_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{ "2026-11-22", DAY_22 },
		{ "2026/11/22", DAY_22 },
		{ "2026.11.22", DAY_22 },
		{ "20261122", DAY_22 },
		{ "11/22/2026", DAY_22 },
		{ "11/22/26", DAY_22 },
		{ "11.22.2026", DAY_22 },
		{ "22 Nov 2026", DAY_22 },
		{ "Nov 22, 2026", DAY_22 },
		{ "November 22nd, 2026", DAY_22 },
		{ "Nov 22 26", DAY_22 },
		{ "22-Nov-2026", DAY_22 },
		{ "22-Nov-26", DAY_22 },
		{ "Sunday, November 22, 2026", DAY_22 },
		{ "2026-11", DAY_22 - 21 * 86400 },
		{ "Nov 2026", DAY_22 - 21 * 86400 },
		{ "2026", DAY_22 - 325 * 86400 },
		{ "1795305600", DAY_22 },
		{ "1795305600000", DAY_22 },
		{ "1795305600000000", DAY_22 },
		{ "20261122150405", AT(15, 4, 5) },
		{ "2026-11-22 15:04", AT(15, 4, 0) },
		{ "2026-11-22T15:04:05Z", AT(15, 4, 5) },
		{ "2026-11-22T15:04:05.999+01:00", AT(14, 4, 5) },
		{ "2026-11-22 15:04:05 +0100", AT(14, 4, 5) },
		{ "2026-11-22 15:04:05 -05", AT(20, 4, 5) },
		{ "11/22/2026 3:04pm", AT(15, 4, 0) },
		{ "11/22/2026 12:04 AM", AT(0, 4, 0) },
		{ "11/22/2026 12pm", AT(12, 0, 0) },
		{ "Sun, 22 Nov 2026 15:04:05 GMT", AT(15, 4, 5) },
		{ "Sun Nov 22 15:04:05 UTC 2026", AT(15, 4, 5) },
		{ "Sun Nov 22 15:04:05 2026", AT(15, 4, 5) },
		{ "Sun, 22 Nov 2026 15:04:05 +0200", AT(13, 4, 5) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = 0;

		if (parse(cases[i].text, NULL, &ms) != 0)
			fail_msg("%s is not read", cases[i].text);
		if (ms / 1000 != cases[i].seconds)
			fail_msg("%s is %lld", cases[i].text, (long long)ms / 1000);
	}
}

static void others_are_none(void **state)
{
	static const char *const cases[] = {
		"",
		"x",
		"nonsense",
		"2026-13-01",
		"2026-11-32",
		"22",
		"Nov",
		"15:04",
		"2026-11-22 25:00",
		"2026-11-22 15:",
		"2026-11-22 15:04 xyz",
		"2026-11-22 13pm",
		"+0100",
		"2026-11-22+",
		"2026-11-22 +99:00",
		"11/22",
		"2026-",
		"2026-11-22T",
		"999999999999999999999999",
		"1-2-3-4",
		"2026-11-22 15:04:05 15:04:05",
		"-",
		"pm",
		"12345",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms;

		if (parse(cases[i], NULL, &ms) == 0)
			fail_msg("%s is a date", cases[i]);
	}
}

static void fractions_count(void **state)
{
	int64_t ms;

	(void)state;
	assert_int_equal(parse("2026-11-22T00:00:00.25Z", NULL, &ms), 0);
	assert_int_equal(ms, DAY_22 * 1000 + 250);
	assert_int_equal(parse("2026-11-22T00:00:00.123456789Z", NULL, &ms), 0);
	assert_int_equal(ms, DAY_22 * 1000 + 123);
}

/* Any octets: an answer, and nothing read beyond them. */
static void noise_is_read_or_not(void **state)
{
	static const char alphabet[] = "0123456789-/.:+ tzapmnovjus";
	uint64_t seed = 7;

	(void)state;
	for (size_t round = 0; round < 200000; round++) {
		size_t length = round % 24;
		unsigned char *text = malloc(length + (length == 0));
		int64_t ms;

		for (size_t i = 0; i < length; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
			text[i] = (unsigned char)alphabet[(seed >> 40) % (sizeof(alphabet) - 1)];
		}
		(void)date_parse(span_of(text, length), NULL, &ms);
		free(text);
	}
}

static void zones_have_rules(void **state)
{
	static const struct {
		const char *zone, *text;
		int64_t seconds;
	} cases[] = {
		{ "Europe/Berlin", "2026-11-22", DAY_22 - 3600 },
		{ "Europe/Berlin", "2026-07-01", INT64_C(1782856800) },
		{ "Europe/Berlin", "2026-03-29 01:59:59", INT64_C(1774745999) },
		{ "Europe/Berlin", "2026-03-29 03:00:00", INT64_C(1774746000) },
		{ "Europe/Berlin", "2060-07-01", INT64_C(2855858400) },
		{ "Europe/Berlin", "2060-12-01", INT64_C(2869081200) },
		{ "America/New_York", "2026-11-22", DAY_22 + 5 * 3600 },
		{ "America/New_York", "2060-07-01", INT64_C(2855880000) },
		{ "Australia/Sydney", "2060-12-01", INT64_C(2869045200) },
		{ "Asia/Kolkata", "2026-11-22", DAY_22 - 5 * 3600 - 1800 },
		{ "UTC", "2026-11-22", DAY_22 },
		{ "Europe/Berlin", "2026-11-22T00:00:00Z", DAY_22 },
		{ "../../../etc/passwd", "2026-11-22", DAY_22 },
		{ "/etc/localtime", "2026-11-22", DAY_22 },
		{ "zone.tab", "2026-11-22", DAY_22 },
		{ "Europe", "2026-11-22", DAY_22 },
		{ "", "2026-11-22", DAY_22 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct zone *zone = zone_new(cases[i].zone);
		int64_t ms = 0;

		assert_int_equal(parse(cases[i].text, zone, &ms), 0);
		if (ms / 1000 != cases[i].seconds)
			fail_msg("%s in %s is %lld", cases[i].text, cases[i].zone,
			         (long long)ms / 1000);
		zone_free(&zone);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_read),   cmocka_unit_test(others_are_none),
		cmocka_unit_test(fractions_count),  cmocka_unit_test(noise_is_read_or_not),
		cmocka_unit_test(zones_have_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
