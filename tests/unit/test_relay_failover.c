/* SPDX-License-Identifier: ISC */
/* The first provider dies, in each way there is, and comes back: nothing is lost, nothing is sent
 * twice, nothing waits for it, and what waited leaves in order and within its rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "relay_world.h"

#define CONNECT_TIMEOUT (10 * CLOCK_SEC)

static const struct world_mail plain = { 0 };

static void all_sent_once(struct world *w)
{
	for (uint64_t id = 1; id <= w->last_id; id++)
		assert_int_equal(world_sent_times(w, id), 1);
	assert_int_equal(world_left(w), 0);
	assert_int_equal(w->bounce_asked, 0);
}

/* A message every other second, each of which leaves at once. */
static void trickle(struct world *w, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t sent = w->sent;

		world_mail(w, &plain);
		world_pass(w, 40 * CLOCK_MS);
		assert_int_equal(w->sent, sent + 1);
		world_pass(w, 2 * CLOCK_SEC);
	}
}

/* dies: with connections open and mail in flight; else it was never there. */
static void fail_over(enum host_mode mode, int64_t connect_us, int64_t within_us, bool dies)
{
	struct world w;
	size_t tries;

	world_init(&w, 2, 1);
	w.routes[0].stick_us = CLOCK_HOUR;
	world_start(&w);
	relay_start(w.relay);
	if (dies) {
		world_mails(&w, &plain, 200);
		world_pass(&w, 60 * CLOCK_MS);
		assert_in_range(w.hosts[0].written_count, 1, 199);
		w.hosts[0].session_max = 1; /* what is open ends, what is opened is dead */
	}
	w.hosts[0].mode = mode;
	w.hosts[0].connect_us = connect_us;
	world_mails(&w, &plain, 50);
	world_pass(&w, within_us);
	w.hosts[0].session_max = 0;
	assert_int_equal(world_left(&w), 0);
	assert_true(w.hosts[1].written_count >= 50);
	/* Nothing new waits for it, also while it is tried again and again in vain. */
	tries = w.hosts[0].opens;
	trickle(&w, 1200);
	assert_in_range(w.hosts[0].opens, tries + 5, tries + 30);
	/* It is back: so is the flow, once the mail need not stick to where it went. */
	w.hosts[0].mode = HOST_WORKS;
	w.hosts[0].connect_us = 10 * CLOCK_MS;
	trickle(&w, 900);
	tries = w.hosts[1].written_count;
	trickle(&w, 10);
	assert_int_equal(w.hosts[1].written_count, tries);
	all_sent_once(&w);
	world_release(&w);
}

static void test_mail_flows_through_the_second(void **state)
{
	static const struct {
		enum host_mode mode;
		int64_t connect_us, within_us;
	} rows[] = {
		{ HOST_REFUSES, CLOCK_MS, 2 * CLOCK_SEC },
		{ HOST_NO_TLS, 20 * CLOCK_MS, 2 * CLOCK_SEC },
		{ HOST_NO_LOGIN, 20 * CLOCK_MS, 2 * CLOCK_SEC },
		{ HOST_REFUSES, CONNECT_TIMEOUT, CONNECT_TIMEOUT + 2 * CLOCK_SEC },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fail_over(rows[i].mode, rows[i].connect_us, rows[i].within_us, false);
		fail_over(rows[i].mode, rows[i].connect_us, rows[i].within_us, true);
	}
}

/* ---- a recovery ------------------------------------------------------------- */

static uint64_t most_in_window(const struct host *host, int64_t period_us)
{
	uint64_t max = 0;

	for (size_t first = 0, last = 0; last < host->written_count; last++) {
		while (host->written[last] - host->written[first] > period_us)
			first++;
		max = last - first + 1 > max ? last - first + 1 : max;
	}
	return max;
}

/* A day of mail of three senders, of which one sends most. */
static void collect(struct world *w)
{
	for (size_t i = 0; i < 100; i++) {
		struct world_mail many = { .class = 1 }, some = { .class = 2 },
				  few = { .class = 3 };

		world_mails(w, &many, 20);
		world_mails(w, &some, 3);
		world_mail(w, &few);
		world_pass(w, CLOCK_DAY / 100);
	}
}

static uint16_t class_of(const struct world *w, uint64_t id)
{
	return w->stored[id - 1]->d.class; /* kept when it is gone */
}

static void test_what_waited_a_day_leaves_in_order(void **state)
{
	static const struct rate rate = { .count = 20, .period_us = CLOCK_SEC };
	uint64_t last[4] = { 0 };
	struct world w;
	size_t opens;

	(void)state;
	world_init(&w, 1, 1);
	w.providers[0].rates = (struct rate *)&rate;
	w.providers[0].rate_count = 1;
	/* One connection, one message at a time: the order at the host is the order of leaving. */
	w.providers[0].connections = 1;
	w.providers[0].pipeline = 1;
	w.hosts[0].mode = HOST_REFUSES;
	world_start(&w);
	relay_start(w.relay);
	collect(&w);
	/* Nothing of all that was touched meanwhile. */
	assert_int_equal(w.claims, 0);
	assert_int_equal(w.outcomes, 0);
	opens = w.hosts[0].opens;
	w.hosts[0].mode = HOST_WORKS;
	world_pass(&w, 5 * CLOCK_MIN + 2400 / 20 * CLOCK_SEC * 102 / 100);
	assert_int_equal(w.sent, 2400);
	assert_true(most_in_window(&w.hosts[0], CLOCK_SEC) <= 20);
	assert_true(w.hosts[0].opens <= opens + 2);
	for (size_t i = 0; i < w.sent_id_count; i++) {
		uint16_t class = class_of(&w, w.sent_ids[i]);

		assert_true(w.sent_ids[i] > last[class]);
		last[class] = w.sent_ids[i];
		/* In turns: those that sent little are not behind the one that sent much. */
		assert_true(class != 3 || i < 310);
		assert_true(class != 2 || i < 710);
	}
	all_sent_once(&w);
	world_release(&w);
}

/* It is tried by one connection; then twice as many as are ready, up to what it is allowed. */
static void test_no_stampede(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.providers[0].connections = 8;
	w.hosts[0].mode = HOST_REFUSES;
	w.hosts[0].reply_us = 50 * CLOCK_MS;
	world_start(&w);
	relay_start(w.relay);
	collect(&w);
	w.hosts[0].mode = HOST_WORKS;
	w.hosts[0].open_max = 0;
	w.hosts[0].connect_us = CLOCK_SEC;
	while (w.hosts[0].written_count == 0)
		world_pass(&w, 100 * CLOCK_MS);
	assert_true(w.hosts[0].open_max <= 2);
	world_pass(&w, 1500 * CLOCK_MS);
	assert_in_range(w.hosts[0].open_max, 2, 4);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.hosts[0].open_max, 8);
	all_sent_once(&w);
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
		cmocka_unit_test(test_mail_flows_through_the_second),
		cmocka_unit_test(test_what_waited_a_day_leaves_in_order),
		cmocka_unit_test(test_no_stampede),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
