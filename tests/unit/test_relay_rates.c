/* SPDX-License-Identifier: ISC */
/* Rates: whatever the traffic, no window of the period holds more than the rate allows, over the
 * moments at which MAIL was written; and while mail waits nearly all of it is used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "relay_world.h"

static size_t tokens_of(const struct host *host, const struct rate *rate, size_t i)
{
	return rate->unit == RATE_RECIPIENTS ? host->written_for[i] : 1;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* By brute force: each window that ends with a write, both ends counted in. */
static void check_windows(const struct host *host, const struct rate *rate)
{
	uint64_t held = 0;
	size_t first = 0;

	for (size_t i = 0; i < host->written_count; i++) {
		held += tokens_of(host, rate, i);
		while (host->written[first] < host->written[i] - rate->period_us)
			held -= tokens_of(host, rate, first++);
		if (held > rate->count + rate->burst)
			fail_msg("%llu in a window of %llu at write %zu", (unsigned long long)held,
			         (unsigned long long)rate->count, i);
	}
}

/* No more on average than the rate, besides the burst. */
static void check_average(const struct host *host, const struct rate *rate, int64_t since_us)
{
	for (size_t i = 0; i < host->written_count; i++) {
		double allowed = (double)(host->written[i] - since_us) * (double)rate->count /
		                 (double)rate->period_us;

		assert_true((double)(i + 1) <= allowed + (double)(rate->count + rate->burst));
	}
}

static void random_rate(struct world *w, struct rate *rate, enum rate_unit unit)
{
	static const int64_t periods[] = { CLOCK_SEC, 10 * CLOCK_SEC, CLOCK_MIN, 15 * CLOCK_MIN };

	rate->period_us = periods[world_random(w, 4)];
	rate->count = 1 + world_random(w, rate->period_us == CLOCK_SEC ? 200 : 900);
	rate->burst = 0;
	rate->unit = unit;
}

/* Mail comes in heaps and dribbles. */
static void traffic(struct world *w, size_t recipients)
{
	for (int i = 0; i < 200; i++) {
		struct world_mail mail = { .class = (uint16_t)world_random(w, 5),
			                   .recipients =
			                           1 + world_random(w, (unsigned)recipients) };

		world_mails(w, &mail, 1 + world_random(w, 40));
		world_pass(w, (int64_t)world_random(w, 2000) * CLOCK_MS);
	}
}

static void test_no_window_holds_more(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 25; seed++) {
		struct rate rates[2];
		struct world w;

		world_init(&w, 1, 1);
		w.random = seed * 7919;
		random_rate(&w, &rates[0], RATE_MESSAGES);
		random_rate(&w, &rates[1], RATE_RECIPIENTS);
		w.providers[0].rates = rates;
		w.providers[0].rate_count = 1 + seed % 2;
		w.hosts[0].late_us = 1 + world_random(&w, 30000);
		w.hosts[0].reply_us = 1 + world_random(&w, 50000);
		w.hosts[0].session_max = world_random(&w, 30);
		world_start(&w);
		relay_start(w.relay);
		traffic(&w, 4);
		for (size_t i = 0; i < w.providers[0].rate_count; i++)
			check_windows(&w.hosts[0], &rates[i]);
		assert_true(w.hosts[0].written_count > 0);
		world_release(&w);
	}
}

static void test_the_rate_is_used(void **state)
{
	static const struct rate rates[] = {
		{ 1, CLOCK_SEC, 0, RATE_MESSAGES },    { 14, CLOCK_SEC, 0, RATE_MESSAGES },
		{ 300, CLOCK_SEC, 0, RATE_MESSAGES },  { 30, CLOCK_MIN, 0, RATE_MESSAGES },
		{ 100, CLOCK_MIN, 0, RATE_MESSAGES },  { 500, CLOCK_HOUR, 0, RATE_MESSAGES },
		{ 5000, CLOCK_MIN, 0, RATE_MESSAGES }, { 50, CLOCK_SEC, 0, RATE_RECIPIENTS },
		{ 14, CLOCK_SEC, 28, RATE_MESSAGES },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct world_mail mail = { .recipients = rates[i].unit == RATE_RECIPIENTS ? 5 : 1 };
		int64_t periods = rates[i].period_us >= CLOCK_HOUR  ? 5
		                  : rates[i].period_us >= CLOCK_MIN ? 5
		                                                    : 100;
		uint64_t used = 0, most;
		struct world w;
		int64_t since;

		world_init(&w, 1, 1);
		w.providers[0].rates = (struct rate *)&rates[i];
		w.providers[0].rate_count = 1;
		w.hosts[0].late_us = 500;
		w.hosts[0].facts.pipelining = true;
		world_start(&w);
		relay_start(w.relay);
		most = rates[i].count * (uint64_t)periods;
		world_mails(&w, &mail, (size_t)(most + rates[i].burst + 100));
		since = w.clock.monotonic_us;
		world_pass(&w, rates[i].period_us * periods);
		check_windows(&w.hosts[0], &rates[i]);
		check_average(&w.hosts[0], &rates[i], since);
		for (size_t k = 0; k < w.hosts[0].written_count; k++)
			used += tokens_of(&w.hosts[0], &rates[i], k);
		if ((double)used < 0.99 * (double)most - 1)
			fail_msg("row %zu: %llu of %llu", i, (unsigned long long)used,
			         (unsigned long long)most);
		world_release(&w);
	}
}

/* Seconds are paced: the gaps between departures are all about alike. */
static void test_what_is_sent_is_paced(void **state)
{
	struct rate rate = { 10, CLOCK_SEC, 0, RATE_MESSAGES };
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.providers[0].rates = &rate;
	w.providers[0].rate_count = 1;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &(struct world_mail){ 0 }, 100);
	world_pass(&w, 9 * CLOCK_SEC);
	for (size_t i = 1; i < w.hosts[0].written_count; i++) {
		int64_t gap = w.hosts[0].written[i] - w.hosts[0].written[i - 1];

		assert_in_range(gap, 90 * CLOCK_MS, 130 * CLOCK_MS);
	}
	world_release(&w);
}

/* What comes back unused costs nothing. */
static void test_unused_tokens_come_back(void **state)
{
	struct rate rate = { 3, CLOCK_HOUR, 0, RATE_MESSAGES };
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.providers[0].rates = &rate;
	w.providers[0].rate_count = 1;
	w.hosts[0].mode = HOST_CLOSES; /* claims are made, nothing is written */
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &(struct world_mail){ 0 }, 3);
	world_pass(&w, CLOCK_MIN);
	assert_true(w.calls_open > 3);
	w.hosts[0].mode = HOST_WORKS;
	world_pass(&w, 5 * CLOCK_MIN);
	assert_int_equal(w.sent, 3);
	world_release(&w);
}

static void test_sorting_is_not_needed(void **state)
{
	struct rate rate = { 50, CLOCK_SEC, 0, RATE_MESSAGES };
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.providers[0].rates = &rate;
	w.providers[0].rate_count = 1;
	w.hosts[0].late_us = 200000; /* later than the lead: writes are told of out of order */
	w.hosts[0].reply_us = 90 * CLOCK_MS;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &(struct world_mail){ 0 }, 2000);
	world_pass(&w, 30 * CLOCK_SEC);
	qsort(w.hosts[0].written, w.hosts[0].written_count, sizeof(int64_t), by_time);
	check_windows(&w.hosts[0], &rate);
	assert_true(w.hosts[0].written_count > 1000);
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
		cmocka_unit_test(test_no_window_holds_more),
		cmocka_unit_test(test_the_rate_is_used),
		cmocka_unit_test(test_what_is_sent_is_paced),
		cmocka_unit_test(test_unused_tokens_come_back),
		cmocka_unit_test(test_sorting_is_not_needed),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
