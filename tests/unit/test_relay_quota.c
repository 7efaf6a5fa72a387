/* SPDX-License-Identifier: ISC */
/* Limits that survive: what was used is known after any number of crashes, for providers, routes
 * and senders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "relay_world.h"

static const struct world_mail plain = { 0 };

/* The most tokens that a window of this length holds, wherever it begins. */
static uint64_t most(const struct host *host, const struct rate *rate)
{
	uint64_t held = 0, max = 0;

	for (size_t first = 0, last = 0; last < host->written_count; last++) {
		held += rate->unit == RATE_RECIPIENTS ? host->written_for[last] : 1;
		for (; host->written[last] - host->written[first] > rate->period_us; first++)
			held -= rate->unit == RATE_RECIPIENTS ? host->written_for[first] : 1;
		max = held > max ? held : max;
	}
	return max;
}

static void test_no_window_holds_more_over_crashes(void **state)
{
	static const struct rate rates[] = {
		{ 500, CLOCK_DAY, 0, RATE_MESSAGES },   { 500, CLOCK_DAY, 0, RATE_RECIPIENTS },
		{ 30, CLOCK_MIN, 0, RATE_MESSAGES },    { 10, CLOCK_SEC, 0, RATE_MESSAGES },
		{ 6000, CLOCK_HOUR, 0, RATE_MESSAGES }, { 100, CLOCK_HOUR, 20, RATE_MESSAGES },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct world w;

		world_init(&w, 1, 1);
		w.providers[0].rates = (struct rate *)&rates[i];
		w.providers[0].rate_count = 1;
		w.hosts[0].reply_us = 3 * CLOCK_MS;
		world_start(&w);
		relay_start(w.relay);
		world_mails(&w, &(struct world_mail){ .recipients = 1 + i % 2 }, 8000);
		for (size_t crash = 0; crash < 10; crash++) {
			world_pass(&w, 37 * CLOCK_MS + (int64_t)crash * 53 * CLOCK_MS);
			world_crash(&w);
		}
		world_pass(&w, 2 * rates[i].period_us);
		if (most(&w.hosts[0], &rates[i]) > rates[i].count + rates[i].burst)
			fail_msg("row %zu: %llu", i,
			         (unsigned long long)most(&w.hosts[0], &rates[i]));
		world_release(&w);
	}
}

/* What falls short of a daily quota is at most what was in flight when it was killed. */
static void test_a_daily_quota_is_used_up(void **state)
{
	struct rate rate = { 500, CLOCK_DAY, 0, RATE_MESSAGES };
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.providers[0].rates = &rate;
	w.providers[0].rate_count = 1;
	w.hosts[0].reply_us = 100 * CLOCK_MS;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 2000);
	for (size_t crash = 0; crash < 10; crash++) {
		world_pass(&w, 400 * CLOCK_MS);
		world_crash(&w);
	}
	world_pass(&w, CLOCK_HOUR);
	assert_in_range(w.hosts[0].written_count, 500 - 10 * 20 * 2, 500);
	assert_true(w.sent > 0);
	/* The number changes, the count stays. */
	rate.count = 510;
	world_crash(&w);
	world_pass(&w, CLOCK_HOUR);
	assert_in_range(w.hosts[0].written_count, 501 - 10 * 20 * 2, 510);
	world_release(&w);
}

static void test_a_route_has_a_rate_of_its_own(void **state)
{
	struct rate rate = { 10, CLOCK_SEC, 0, RATE_MESSAGES };
	struct world w;

	(void)state;
	world_init(&w, 1, 2);
	w.routes[0].rates = &rate;
	w.routes[0].rate_count = 1;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 200);
	world_pass(&w, 5 * CLOCK_SEC);
	assert_in_range(w.sent, 45, 60);
	assert_true(most(&w.hosts[0], &rate) <= 10);
	/* The other route does not wait for it. */
	world_mails(&w, &(struct world_mail){ .route = 1 }, 500);
	world_pass(&w, CLOCK_SEC);
	assert_in_range(w.sent, 545, 575);
	world_pass(&w, 20 * CLOCK_SEC);
	assert_int_equal(w.sent, 700);
	world_release(&w);
}

static void test_a_sender_has_a_rate_of_its_own(void **state)
{
	struct rate rate = { 5, CLOCK_HOUR, 0, RATE_MESSAGES };
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.routes[0].sender_rates = &rate;
	w.routes[0].sender_rate_count = 1;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &(struct world_mail){ .class = 1 }, 30);
	world_mails(&w, &(struct world_mail){ .class = 2 }, 3);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.sent, 8);
	world_mails(&w, &(struct world_mail){ .class = 2 }, 7);
	world_crash(&w);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.sent, 10);
	world_pass(&w, CLOCK_HOUR);
	assert_int_equal(w.sent, 20);
	assert_true(w.calls_delivery < 200);
	world_pass(&w, 5 * CLOCK_HOUR);
	assert_int_equal(w.sent, 40);
	world_release(&w);
}

/* By days from its first message, whenever it is killed; no more than what is declared, too. */
static void test_a_provider_warms_up(void **state)
{
	struct rate declared = { 1000, CLOCK_DAY, 0, RATE_MESSAGES };
	static const size_t days[] = { 100, 200, 400, 800, 1000, 1000 };
	struct provider_status status;
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.providers[0].rates = &declared;
	w.providers[0].rate_count = 1;
	w.providers[0].warm_up = (struct rate){ 100, CLOCK_DAY, 0, RATE_MESSAGES };
	world_start(&w);
	relay_start(w.relay);
	world_pass(&w, 3 * CLOCK_DAY); /* without mail it is no day */
	world_mails(&w, &plain, 6000);
	for (size_t day = 0; day < 6; day++) {
		struct rate today = { days[day], CLOCK_DAY, 0, RATE_MESSAGES };
		size_t before = w.sent;

		for (size_t part = 0; part < 4; part++) {
			world_pass(&w, 6 * CLOCK_HOUR - (part == 3 ? CLOCK_HOUR : 0));
			world_crash(&w);
			assert_true(most(&w.hosts[0], &today) <= days[day]);
		}
		assert_int_equal(relay_status(w.relay, &status, 1), 1);
		assert_int_equal(status.warm_up_day, day + 1);
		assert_int_equal(status.warm_up.count, 100 << day);
		/* A slice of the window is what the rounding of each restart costs. */
		assert_in_range(w.sent - before, days[day] * 9 / 10, days[day]);
		world_pass(&w, CLOCK_HOUR);
	}
	world_release(&w);
}

static void quiet(void *context, enum log_level level, const char *line)
{
	(void)context;
	(void)level;
	(void)line;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_window_holds_more_over_crashes),
		cmocka_unit_test(test_a_daily_quota_is_used_up),
		cmocka_unit_test(test_a_route_has_a_rate_of_its_own),
		cmocka_unit_test(test_a_sender_has_a_rate_of_its_own),
		cmocka_unit_test(test_a_provider_warms_up),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
