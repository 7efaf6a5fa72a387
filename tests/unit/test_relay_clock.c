/* SPDX-License-Identifier: ISC */
/* The wall clock is set while mail waits: nothing waits for the old time, nothing expires by the
 * new one, and what has a time keeps it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "relay_world.h"

static const struct world_mail plain = { 0 };

static bool deferring;

static void says(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, deferring ? 451 : 250, deferring ? "4.7.1" : "2.0.0", "said");
}

static void begin(struct world *w)
{
	world_init(w, 1, 1);
	w->routes[0].expire_us = 5 * CLOCK_DAY;
	w->hosts[0].answer = says;
	deferring = false;
}

static void start(struct world *w)
{
	world_start(w);
	relay_start(w->relay);
}

static void test_set_back(void **state)
{
	static const int64_t steps[] = { 2 * CLOCK_MIN, 50 * CLOCK_MIN, CLOCK_DAY,
		                         365 * CLOCK_DAY };

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(steps) / sizeof(steps[0]); i++) {
		struct world_mail held = { .held = true }, later = { .release_us = 2 * CLOCK_DAY };
		struct rate rate = { .count = 6, .period_us = CLOCK_MIN };
		uint64_t deferred, scheduled, kept;
		struct world w;
		size_t sent;

		begin(&w);
		w.providers[0].rates = &rate;
		w.providers[0].rate_count = 1;
		start(&w);
		kept = world_mail(&w, &held);
		scheduled = world_mail(&w, &later);
		deferring = true;
		deferred = world_mail(&w, &plain);
		world_pass(&w, CLOCK_SEC);
		deferring = false;
		world_mails(&w, &plain, 40);
		world_pass(&w, CLOCK_MIN);
		sent = w.sent;
		assert_in_range(sent, 5, 12);
		w.clock.wall_us -= steps[i / 2];
		if (i % 2 == 1) /* not noticed while it happened */
			world_crash(&w);
		/* As fast as before, after one look at the clock; a new process has to take what
		 * was counted for written just now. */
		world_pass(&w, 2 * CLOCK_MIN);
		assert_in_range(w.sent, sent + (i % 2 == 1 ? 5 : 9), sent + 18);
		world_pass(&w, CLOCK_HOUR + 3 * CLOCK_MIN);
		assert_int_equal(w.sent, 41);
		assert_int_equal(world_sent_times(&w, deferred), 1);
		/* Those that have a time of their own keep it. */
		world_pass(&w, CLOCK_DAY + 22 * CLOCK_HOUR);
		assert_int_equal(world_sent_times(&w, scheduled), 0);
		world_pass(&w, steps[i / 2] + CLOCK_HOUR);
		assert_int_equal(world_sent_times(&w, scheduled), 1);
		assert_int_equal(world_sent_times(&w, kept), 0);
		assert_int_equal(w.sent, 42);
		assert_int_equal(w.bounced, 0);
		world_release(&w);
	}
}

/* Many are put right a bounded number at a time; where nothing is wrong nothing is written. */
static void test_it_is_paced(void **state)
{
	struct world w;
	struct rate rate = { .count = 1, .period_us = CLOCK_DAY };

	(void)state;
	begin(&w);
	w.providers[0].rates = &rate;
	w.providers[0].rate_count = 1;
	start(&w);
	world_mails(&w, &plain, 5000);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.outcomes, 1);
	w.clock.wall_us -= CLOCK_HOUR;
	world_pass(&w, 11 * CLOCK_SEC);
	assert_in_range(w.outcomes, 500, 3 * 1100);
	world_pass(&w, 10 * CLOCK_SEC);
	assert_in_range(w.outcomes, 4990, 5000);
	/* Forward and back again: they were due all the time. */
	w.clock.wall_us += CLOCK_HOUR;
	world_pass(&w, CLOCK_MIN);
	w.clock.wall_us -= CLOCK_HOUR;
	world_pass(&w, CLOCK_MIN);
	assert_in_range(w.outcomes, 4990, 5000);
	world_release(&w);
}

static void test_set_forward(void **state)
{
	struct rate rate = { .count = 5, .period_us = CLOCK_MIN };
	struct world_mail by = { .by_us = CLOCK_HOUR };
	struct world w;
	size_t sent;

	(void)state;
	begin(&w);
	start(&w);
	deferring = true;
	world_mail(&w, &plain);
	world_mail(&w, &by);
	world_pass(&w, CLOCK_SEC);
	w.clock.wall_us += 365 * CLOCK_DAY;
	world_pass(&w, 50 * CLOCK_MIN);
	assert_int_equal(w.bounced, 0);
	/* One that is accepted now has its own time, and each its own age. */
	world_mail(&w, &plain);
	world_pass(&w, 15 * CLOCK_MIN);
	assert_int_equal(w.bounced, 1);
	world_pass(&w, 5 * CLOCK_DAY - 2 * CLOCK_HOUR);
	assert_int_equal(w.bounced, 1);
	world_pass(&w, 90 * CLOCK_MIN);
	assert_int_equal(w.bounced, 2);
	world_pass(&w, CLOCK_HOUR);
	assert_int_equal(w.bounced, 3);
	world_release(&w);

	/* What waits for a rate does not leave at once. */
	begin(&w);
	w.providers[0].rates = &rate;
	w.providers[0].rate_count = 1;
	start(&w);
	world_mails(&w, &plain, 100);
	world_pass(&w, CLOCK_SEC);
	sent = w.sent;
	w.clock.wall_us += CLOCK_DAY;
	world_pass(&w, 58 * CLOCK_SEC);
	assert_true(w.sent <= 5 && sent <= 5);
	world_pass(&w, 10 * CLOCK_MIN);
	assert_in_range(w.sent, 50, 60);
	world_release(&w);
}

/* A mistake that is put right leaves nothing behind. */
static void test_forward_and_back(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	start(&w);
	deferring = true;
	world_mail(&w, &plain);
	world_pass(&w, CLOCK_SEC);
	for (int i = 0; i < 20; i++) {
		w.clock.wall_us += 30 * CLOCK_DAY;
		world_pass(&w, 5 * CLOCK_MIN);
		w.clock.wall_us -= 30 * CLOCK_DAY;
		world_pass(&w, 5 * CLOCK_MIN);
	}
	world_pass(&w, 4 * CLOCK_DAY);
	assert_int_equal(w.bounced, 0);
	world_pass(&w, CLOCK_DAY);
	assert_int_equal(w.bounced, 1);
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
		cmocka_unit_test(test_set_back),
		cmocka_unit_test(test_it_is_paced),
		cmocka_unit_test(test_set_forward),
		cmocka_unit_test(test_forward_and_back),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
