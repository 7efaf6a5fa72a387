/* SPDX-License-Identifier: ISC */
/* A route over several providers: in which shares its mail goes through them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "relay_world.h"

static const struct world_mail plain;
static size_t weights[] = { 3, 1, 2, 1 };

static void begin(struct world *w, size_t hosts, enum route_balance balance)
{
	world_init(w, hosts, 1);
	w->routes[0].balance = balance;
	w->routes[0].weights = weights;
	for (size_t i = 0; i < hosts; i++)
		w->hosts[i].facts.chunking = true;
}

static void go(struct world *w)
{
	world_start(w);
	relay_start(w->relay);
}

static size_t written(const struct world *w, size_t host)
{
	return w->hosts[host].written_count;
}

static void test_weights_are_exact(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 3, BALANCE_WEIGHT);
	/* However fast they are. */
	w.hosts[0].reply_us = 300 * CLOCK_MS;
	w.hosts[1].reply_us = CLOCK_MS;
	go(&w);
	world_mails(&w, &plain, 6000);
	world_pass(&w, 10 * CLOCK_MIN);
	assert_int_equal(written(&w, 0), 3000);
	assert_int_equal(written(&w, 1), 1000);
	assert_int_equal(written(&w, 2), 2000);
	for (size_t i = 0; i < 600; i++) { /* one at a time, too */
		world_mail(&w, &plain);
		world_pass(&w, CLOCK_SEC);
	}
	assert_int_equal(written(&w, 0), 3300);
	assert_int_equal(written(&w, 1), 1100);
	assert_int_equal(written(&w, 2), 2200);
	world_release(&w);
}

/* A rate makes the others wait for its share, so far as that is short. */
static void test_a_slow_one_sets_the_pace(void **state)
{
	struct rate rate = { .count = 10, .period_us = CLOCK_SEC };
	struct world w;

	(void)state;
	begin(&w, 2, BALANCE_WEIGHT);
	w.providers[1].rates = &rate;
	w.providers[1].rate_count = 1;
	go(&w);
	world_mails(&w, &plain, 4000);
	world_pass(&w, 50 * CLOCK_SEC);
	assert_in_range(written(&w, 1), 490, 510);
	assert_in_range(written(&w, 0), 3 * written(&w, 1) - 12, 3 * written(&w, 1) + 12);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(written(&w, 0), 3000);
	assert_int_equal(written(&w, 1), 1000);
	world_release(&w);
}

static void test_a_used_up_quota_stops_nobody(void **state)
{
	struct rate rate = { .count = 50, .period_us = CLOCK_DAY };
	struct world w;

	(void)state;
	begin(&w, 2, BALANCE_WEIGHT);
	w.providers[0].rates = &rate;
	w.providers[0].rate_count = 1;
	go(&w);
	world_mails(&w, &plain, 1000);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(written(&w, 0), 50);
	assert_int_equal(w.sent, 1000);
	/* A day later it has its share again, and no more than that. */
	world_pass(&w, 25 * CLOCK_HOUR);
	world_mails(&w, &plain, 40);
	world_pass(&w, CLOCK_MIN);
	assert_in_range(written(&w, 0), 79, 81);
	assert_int_equal(w.sent, 1040);
	world_release(&w);
}

/* A message with many recipients waits for its tokens, and the route does not. */
static void test_one_that_waits_for_many_tokens_stops_nobody(void **state)
{
	struct rate rate = { .count = 60, .period_us = CLOCK_HOUR, .unit = RATE_RECIPIENTS };
	struct world w;

	(void)state;
	begin(&w, 2, BALANCE_WEIGHT);
	w.providers[0].rates = &rate;
	w.providers[0].rate_count = 1;
	go(&w);
	for (size_t i = 0; i < 4; i++)
		world_mail(&w, &(struct world_mail){ .recipients = 40 });
	world_mails(&w, &plain, 400);
	world_pass(&w, 5 * CLOCK_MIN);
	/* One of 40 has left by it, the other waits there. */
	assert_int_equal(world_left(&w), 1);
	world_pass(&w, CLOCK_HOUR);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_what_is_set_aside_is_passed_over(void **state)
{
	static const enum route_balance balances[] = { BALANCE_WEIGHT, BALANCE_LEAST_BUSY };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world w;
		size_t before;

		begin(&w, 3, balances[i]);
		w.hosts[0].mode = HOST_REFUSES;
		go(&w);
		world_mails(&w, &plain, 300);
		world_pass(&w, 5 * CLOCK_SEC);
		assert_int_equal(w.sent, 300);
		assert_int_equal(written(&w, 0), 0);
		w.hosts[0].mode = HOST_WORKS;
		world_pass(&w, 10 * CLOCK_MIN);
		before = written(&w, 0);
		for (size_t k = 0; k < 60; k++) {
			world_mail(&w, &plain);
			world_pass(&w, CLOCK_SEC);
		}
		if (balances[i] == BALANCE_WEIGHT)
			assert_int_equal(written(&w, 0) - before, 30);
		else
			assert_in_range(written(&w, 0) - before, 15, 30);
		assert_int_equal(w.sent, 360);
		/* All of them dead, and back. */
		for (size_t k = 0; k < 3; k++)
			w.hosts[k].mode = HOST_REFUSES;
		world_pass(&w, 10 * CLOCK_MIN);
		world_mails(&w, &plain, 10);
		world_pass(&w, 10 * CLOCK_MIN);
		for (size_t k = 0; k < 3; k++)
			w.hosts[k].mode = HOST_WORKS;
		world_pass(&w, 10 * CLOCK_MIN);
		assert_int_equal(w.sent, 370);
		world_release(&w);
	}
}

static void test_the_least_busy_takes_most(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 2, BALANCE_LEAST_BUSY);
	w.routes[0].weights = NULL;
	w.hosts[0].facts.chunking = w.hosts[1].facts.chunking = false;
	w.hosts[0].reply_us = 10 * CLOCK_MS;
	w.hosts[1].reply_us = 100 * CLOCK_MS;
	go(&w);
	for (size_t i = 0; i < 5000; i++) {
		world_mail(&w, &plain);
		world_pass(&w, 5 * CLOCK_MS);
	}
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.sent, 5000);
	assert_true(written(&w, 0) > 3 * written(&w, 1));
	assert_true(written(&w, 1) > 100);
	world_release(&w);
}

static void says_other(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 554, "5.7.1", "sender not verified");
}

static void test_who_refuses_does_not_get_it_again(void **state)
{
	struct reply_rule rule = { .pattern = (char *)(uintptr_t) "not verified",
		                   .means = REPLY_MEANS_NEXT_PROVIDER };
	const struct reply_rule *rules[] = { &rule };
	struct world w;

	(void)state;
	assert_int_equal(regcomp(&rule.compiled, rule.pattern, REG_EXTENDED | REG_NOSUB), 0);
	rule.is_compiled = true;
	begin(&w, 2, BALANCE_WEIGHT);
	w.hosts[0].answer = says_other;
	w.providers[0].replies = rules;
	w.providers[0].reply_count = 1;
	go(&w);
	world_mails(&w, &plain, 40);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.sent, 40);
	assert_int_equal(written(&w, 1), 40);
	assert_true(written(&w, 0) <= 40);
	world_release(&w);
	regfree(&rule.compiled);
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
		cmocka_unit_test(test_weights_are_exact),
		cmocka_unit_test(test_a_slow_one_sets_the_pace),
		cmocka_unit_test(test_a_used_up_quota_stops_nobody),
		cmocka_unit_test(test_one_that_waits_for_many_tokens_stops_nobody),
		cmocka_unit_test(test_what_is_set_aside_is_passed_over),
		cmocka_unit_test(test_the_least_busy_takes_most),
		cmocka_unit_test(test_who_refuses_does_not_get_it_again),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
