/* SPDX-License-Identifier: ISC */
/* Providers that take some senders only: the mail of others goes on, and nobody waits for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "relay_world.h"

static const struct world_mail plain;
static char *ours[] = { (char *)(uintptr_t) "*@example.com" };
static char *nobodys[] = { (char *)(uintptr_t) "*@nowhere.example" };

/* The first provider takes the mail with even ids only. */
static void begin(struct world *w)
{
	world_init(w, 2, 1);
	w->senders[1] = "x@other.example";
	w->providers[0].from_allowed = (struct text_list){ ours, 1 };
	w->hosts[0].facts.chunking = w->hosts[1].facts.chunking = true;
}

static void go(struct world *w)
{
	world_start(w);
	relay_start(w->relay);
}

static void test_each_goes_where_it_is_taken(void **state)
{
	static const enum route_balance balances[] = { BALANCE_ORDER, BALANCE_WEIGHT,
		                                       BALANCE_LEAST_BUSY };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct world w;

		begin(&w);
		w.routes[0].balance = balances[i];
		go(&w);
		world_mails(&w, &plain, 5000);
		world_pass(&w, CLOCK_MIN);
		assert_int_equal(w.sent, 5000);
		assert_int_equal(w.bounced, 0);
		assert_in_range(w.hosts[0].written_count, 1, 2500);
		if (balances[i] == BALANCE_ORDER)
			assert_int_equal(w.hosts[0].written_count, 2500);
		world_release(&w);
	}
}

/* However much of it there is, in the same line. */
static void test_nobody_waits_for_those_whose_provider_is_dead(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	go(&w);
	w.hosts[1].mode = HOST_REFUSES;
	world_mails(&w, &plain, 10000);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.sent, 5000);
	world_mails(&w, &plain, 100);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.sent, 5050);
	assert_true(w.calls_delivery < 50000);
	w.hosts[1].mode = HOST_WORKS;
	world_pass(&w, 10 * CLOCK_MIN);
	assert_int_equal(w.sent, 10100);
	assert_int_equal(w.hosts[0].written_count, 5050);
	world_release(&w);
}

static void test_what_waits_for_a_dead_one_expires(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	w.routes[0].expire_us = CLOCK_HOUR;
	go(&w);
	w.hosts[1].mode = HOST_REFUSES;
	world_mails(&w, &plain, 3000);
	world_pass(&w, 59 * CLOCK_MIN);
	assert_int_equal(w.sent, 1500);
	assert_int_equal(w.bounced, 0);
	world_pass(&w, 10 * CLOCK_MIN);
	assert_int_equal(w.bounced, 1500);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_who_is_taken_by_none_is_told(void **state)
{
	struct world w;

	(void)state;
	begin(&w);
	w.providers[1].from_allowed = (struct text_list){ nobodys, 1 };
	go(&w);
	world_mails(&w, &plain, 10);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.sent, 5);
	assert_int_equal(w.bounced, 5);
	assert_int_equal(w.last_failure.code, 550);
	/* One that rewrites takes everybody. */
	w.providers[1].rewrite_from = (char *)(uintptr_t) "x@nowhere.example";
	world_crash(&w);
	world_mails(&w, &plain, 10);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.sent, 15);
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
		cmocka_unit_test(test_each_goes_where_it_is_taken),
		cmocka_unit_test(test_nobody_waits_for_those_whose_provider_is_dead),
		cmocka_unit_test(test_what_waits_for_a_dead_one_expires),
		cmocka_unit_test(test_who_is_taken_by_none_is_told),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
