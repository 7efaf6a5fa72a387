/* SPDX-License-Identifier: ISC */
/* The relay when things go wrong, and when an operator wants something. */
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

/* ---- providers in trouble -------------------------------------------------- */

static void test_failover_and_return(void **state)
{
	static const enum host_mode modes[] = { HOST_REFUSES, HOST_NO_LOGIN, HOST_CLOSES };

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct provider_status status[2];
		struct world w;

		world_init(&w, 2, 1);
		w.hosts[0].mode = modes[i];
		world_start(&w);
		relay_start(w.relay);
		world_mails(&w, &plain, 10);
		world_pass(&w, 10 * CLOCK_SEC);
		assert_int_equal(w.sent, 10);
		assert_int_equal(w.hosts[1].written_count, 10);
		assert_int_equal(w.bounce_asked, 0);
		assert_int_equal(relay_status(w.relay, status, 2), 2);
		assert_true(status[0].set_aside);
		assert_string_not_equal(status[0].why, "");
		assert_false(status[1].set_aside);
		/* New mail does not wait on the first. */
		world_mail(&w, &plain);
		world_pass(&w, 30 * CLOCK_MS);
		assert_int_equal(w.sent, 11);
		/* It works again: after a probe it has the flow back. */
		w.hosts[0].mode = HOST_WORKS;
		world_pass(&w, 6 * CLOCK_MIN);
		world_mail(&w, &plain);
		world_pass(&w, CLOCK_SEC);
		assert_int_equal(w.hosts[0].written_count, 1);
		assert_int_equal(w.hosts[1].written_count, 11);
		world_release(&w);
	}
}

/* After a failover the mail stays for `stick`, and then goes back. */
static void test_it_sticks_to_where_it_went(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 2, 1);
	w.routes[0].stick_us = CLOCK_HOUR;
	w.hosts[0].mode = HOST_REFUSES;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 5);
	world_pass(&w, 10 * CLOCK_SEC);
	assert_int_equal(w.hosts[1].written_count, 5);
	w.hosts[0].mode = HOST_WORKS;
	world_pass(&w, 30 * CLOCK_MIN);
	world_mail(&w, &plain);
	world_pass(&w, CLOCK_SEC);
	assert_int_equal(w.hosts[1].written_count, 6);
	assert_int_equal(w.hosts[0].written_count, 0);
	world_pass(&w, 31 * CLOCK_MIN);
	world_mail(&w, &plain);
	world_pass(&w, CLOCK_SEC);
	assert_int_equal(w.hosts[0].written_count, 1);
	/* The one it sticks to fails: back at once. */
	w.hosts[0].mode = HOST_REFUSES;
	world_pass(&w, 6 * CLOCK_MIN);
	world_release(&w);
}

static void test_the_schedule_is_not_touched_by_a_dead_provider(void **state)
{
	struct world w;
	uint64_t id;
	int64_t due;

	(void)state;
	world_init(&w, 1, 1);
	w.hosts[0].mode = HOST_REFUSES;
	world_start(&w);
	relay_start(w.relay);
	id = world_mail(&w, &plain);
	due = world_find(&w, id, 1)->d.due_us;
	world_pass(&w, CLOCK_DAY);
	assert_int_equal(world_find(&w, id, 1)->d.due_us, due);
	assert_int_equal(w.claims, 0);
	/* 1 s doubling to 5 min: about 290 a day. */
	assert_in_range(w.hosts[0].opens, 200, 300);
	w.hosts[0].mode = HOST_WORKS;
	world_pass(&w, 6 * CLOCK_MIN);
	assert_int_equal(w.sent, 1);
	world_release(&w);
}

static void test_no_busy_loop_with_peers_that_close(void **state)
{
	static const enum host_mode modes[] = { HOST_REFUSES, HOST_NO_LOGIN, HOST_CLOSES,
		                                HOST_LOSES_MAIL, HOST_LOSES_END };

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct world w;

		world_init(&w, 1, 1);
		w.hosts[0].mode = modes[i];
		world_start(&w);
		relay_start(w.relay);
		world_mails(&w, &plain, 100);
		world_pass(&w, CLOCK_HOUR);
		assert_in_range(w.calls_open, 5, 60);
		assert_true(w.claims < 400);
		assert_true(w.calls_due < 2000);
		assert_true(w.calls_delivery < 2000);
		w.hosts[0].mode = HOST_WORKS;
		world_pass(&w, 3 * CLOCK_HOUR);
		assert_int_equal(world_left(&w), 0);
		assert_int_equal(w.sent, 100);
		world_release(&w);
	}
}

static void says_530(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 530, "5.7.0", "authentication required");
}

static void says_421(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 421, "4.3.2", "too busy");
}

/* Neither a 421 to every content nor a 530 is worked through a whole queue at full speed. */
static void test_refusals_are_paced(void **state)
{
	void (*const answers[])(struct host *, const struct grant *,
	                        struct grant_news *) = { says_421, says_530 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world w;

		world_init(&w, 1, 1);
		w.hosts[0].answer = answers[i];
		w.hosts[0].session_max = 1;
		world_start(&w);
		relay_start(w.relay);
		world_mails(&w, &plain, 1000);
		world_pass(&w, CLOCK_HOUR);
		assert_in_range(w.hosts[0].opens, 10, 40);
		assert_in_range(w.hosts[0].written_count, 10, 80);
		assert_int_equal(w.bounce_asked, 0);
		w.hosts[0].answer = NULL;
		w.hosts[0].session_max = 0;
		world_pass(&w, CLOCK_HOUR);
		assert_int_equal(world_left(&w), 0);
		world_release(&w);
	}
}

static void test_a_refusal_of_us_never_bounces(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 2, 1);
	w.hosts[0].answer = says_530;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 20);
	world_pass(&w, 10 * CLOCK_SEC);
	assert_int_equal(w.bounce_asked, 0);
	assert_int_equal(w.sent, 20);
	assert_true(w.hosts[0].written_count <= 4);
	world_pass(&w, CLOCK_HOUR);
	w.hosts[0].answer = NULL;
	world_pass(&w, 10 * CLOCK_MIN);
	world_mail(&w, &plain);
	world_pass(&w, CLOCK_SEC);
	assert_int_equal(w.sent, 21);
	world_release(&w);
}

/* ---- what may have been sent ----------------------------------------------- */

static void test_indeterminate_is_pinned(void **state)
{
	struct world w;
	struct stored *s;
	uint64_t id;

	(void)state;
	world_init(&w, 2, 1);
	w.hosts[0].mode = HOST_LOSES_END;
	world_start(&w);
	relay_start(w.relay);
	id = world_mail(&w, &plain);
	world_pass(&w, CLOCK_SEC);
	s = world_find(&w, id, 1);
	assert_int_equal(s->d.pinned, 1);
	assert_true(s->d.pinned_until_us > w.clock.wall_us + 59 * CLOCK_MIN);
	assert_false(s->claimed);
	/* Its provider dies; other mail goes through the second, this one waits. */
	w.hosts[0].mode = HOST_REFUSES;
	world_pass(&w, 30 * CLOCK_MIN);
	world_mail(&w, &plain);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.hosts[1].written_count, 1);
	assert_int_equal(world_sent_times(&w, id), 0);
	/* The pin ends. */
	world_pass(&w, 31 * CLOCK_MIN);
	assert_int_equal(world_sent_times(&w, id), 1);
	assert_int_equal(w.hosts[1].written_count, 2);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_pinned_mail_takes_its_provider_when_it_is_back(void **state)
{
	struct world w;
	uint64_t id;

	(void)state;
	world_init(&w, 2, 1);
	w.hosts[0].mode = HOST_LOSES_END;
	world_start(&w);
	relay_start(w.relay);
	id = world_mail(&w, &plain);
	world_pass(&w, CLOCK_SEC);
	w.hosts[0].mode = HOST_REFUSES;
	world_pass(&w, 10 * CLOCK_MIN);
	w.hosts[0].mode = HOST_WORKS;
	world_pass(&w, 10 * CLOCK_MIN);
	assert_int_equal(world_sent_times(&w, id), 1);
	assert_int_equal(w.hosts[1].written_count, 0);
	world_release(&w);
}

static void test_claims_of_a_crash_are_recovered(void **state)
{
	struct rate rate = { .count = 5, .period_us = CLOCK_HOUR };
	struct world w;
	struct claim claim = { .provider = 1, .slot = 41, .n = 1, .tokens = 1 };
	struct stored *s;

	(void)state;
	world_init(&w, 2, 1);
	w.providers[0].rates = &rate;
	w.providers[0].rate_count = 1;
	world_start(&w);
	for (int i = 0; i < 4; i++) {
		claim.id = world_mail(&w, &plain);
		claim.slot++;
		s = world_find(&w, claim.id, 1);
		s->claimed = true;
		s->claim = claim;
		w.row_count = 0;
		relay_recover(w.relay, &claim);
	}
	relay_start(w.relay);
	world_pass(&w, CLOCK_MIN);
	/* Four of five tokens count as spent: only one has left again. */
	assert_int_equal(w.hosts[0].written_count, 1);
	assert_int_equal(w.hosts[1].written_count, 0);
	assert_int_equal(world_left(&w), 3);
	world_pass(&w, 2 * CLOCK_HOUR);
	assert_int_equal(w.hosts[0].written_count + w.hosts[1].written_count, 4);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_refused_claims_are_tried_again(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.refuse_claims = true;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 10);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.hosts[0].written_count, 0);
	assert_in_range(w.claims, 60, 1000);
	w.refuse_claims = false;
	world_pass(&w, 5 * CLOCK_SEC);
	assert_int_equal(w.sent, 10);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_nothing_leaves_while_outcomes_are_not_recorded(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.keep_outcomes = true; /* for 10 s each */
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 10000);
	world_pass(&w, 2 * CLOCK_SEC);
	assert_in_range(w.sent, 10, 3000);
	world_pass(&w, CLOCK_SEC);
	assert_int_equal(w.sent, world_sent_times(&w, 1) * w.sent); /* the first was */
	{
		size_t before = w.sent;

		world_pass(&w, 5 * CLOCK_SEC);
		assert_int_equal(w.sent, before);
	}
	w.keep_outcomes = false;
	world_pass(&w, 60 * CLOCK_SEC);
	assert_int_equal(w.sent, 10000);
	world_release(&w);
}

static void test_refused_outcomes_are_offered_again(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.refuse_outcomes = true;
	world_start(&w);
	relay_start(w.relay);
	world_mail(&w, &plain);
	world_pass(&w, 2 * CLOCK_SEC);
	assert_int_equal(w.sent, 1);
	assert_int_equal(world_left(&w), 1);
	w.refuse_outcomes = false;
	world_pass(&w, 10 * CLOCK_SEC);
	assert_int_equal(world_left(&w), 0);
	assert_int_equal(w.sent, 1);
	world_release(&w);
}

/* ---- orders ---------------------------------------------------------------- */

struct answered {
	int times;
};

static void order_done(struct relay_order *order)
{
	((struct answered *)order->owner)->times++;
}

static void obey(struct world *w, struct relay_order *order, enum relay_verb verb, uint64_t id)
{
	struct answered answered = { 0 };

	*order = (struct relay_order){
		.done = order_done, .verb = verb, .id = id, .owner = &answered
	};
	relay_obey(w->relay, order);
	world_pass(w, 10 * CLOCK_MS);
	assert_int_equal(answered.times, 1);
}

static void test_orders(void **state)
{
	struct world w;
	struct world_mail later = { .wait_us = CLOCK_DAY };
	struct relay_order order;
	uint64_t id;

	(void)state;
	world_init(&w, 1, 1);
	world_start(&w);
	relay_start(w.relay);
	obey(&w, &order, RELAY_RETRY, 1);
	assert_false(order.found);
	id = world_mail(&w, &later);
	obey(&w, &order, RELAY_HOLD, id);
	assert_true(order.found);
	assert_int_equal(order.changed, 1);
	assert_true(world_find(&w, id, 1)->d.due_us == CLOCK_NEVER);
	obey(&w, &order, RELAY_RETRY, id);
	assert_int_equal(order.changed, 0);
	world_pass(&w, 2 * CLOCK_DAY);
	assert_int_equal(w.sent, 0);
	obey(&w, &order, RELAY_RELEASE, id);
	world_pass(&w, CLOCK_SEC);
	assert_int_equal(w.sent, 1);

	id = world_mail(&w, &later);
	obey(&w, &order, RELAY_RETRY, id);
	world_pass(&w, CLOCK_SEC);
	assert_int_equal(w.sent, 2);

	id = world_mail(&w, &later);
	obey(&w, &order, RELAY_REMOVE, id);
	assert_int_equal(order.changed, 1);
	assert_null(world_find(&w, id, 1));
	world_pass(&w, 2 * CLOCK_DAY);
	assert_int_equal(w.sent, 2);
	assert_int_equal(w.bounce_asked, 0);
	world_release(&w);
}

static void test_retry_tries_the_provider_at_once(void **state)
{
	struct world w;
	struct relay_order order;
	uint64_t id;

	(void)state;
	world_init(&w, 1, 1);
	w.hosts[0].mode = HOST_NO_LOGIN;
	world_start(&w);
	relay_start(w.relay);
	id = world_mail(&w, &plain);
	world_pass(&w, CLOCK_HOUR);
	w.hosts[0].mode = HOST_WORKS;
	obey(&w, &order, RELAY_RETRY, id);
	world_pass(&w, 100 * CLOCK_MS);
	assert_int_equal(w.sent, 1);
	world_release(&w);
}

static void test_orders_leave_alone_what_is_in_flight(void **state)
{
	struct world w;
	struct relay_order order;
	uint64_t id;

	(void)state;
	world_init(&w, 1, 1);
	w.hosts[0].reply_us = CLOCK_SEC;
	world_start(&w);
	relay_start(w.relay);
	id = world_mail(&w, &plain);
	world_pass(&w, 100 * CLOCK_MS);
	obey(&w, &order, RELAY_REMOVE, id);
	assert_int_equal(order.changed, 0);
	assert_int_equal(order.busy, 1);
	world_pass(&w, 2 * CLOCK_SEC);
	assert_int_equal(w.sent, 1);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_held_mail_waits(void **state)
{
	struct world w;
	struct world_mail held = { .held = true };

	(void)state;
	world_init(&w, 1, 1);
	world_start(&w);
	world_mails(&w, &held, 10);
	relay_start(w.relay);
	world_mail(&w, &held);
	world_pass(&w, 10 * CLOCK_DAY);
	assert_int_equal(w.calls_open, 0);
	assert_int_equal(world_left(&w), 11);
	world_release(&w);
}

static void test_stop_ends_what_is_in_flight(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.hosts[0].reply_us = CLOCK_SEC;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 100);
	world_pass(&w, CLOCK_SEC);
	relay_stop(w.relay);
	assert_false(relay_idle(w.relay));
	world_pass(&w, 30 * CLOCK_SEC);
	assert_true(relay_idle(w.relay));
	assert_int_equal(w.hosts[0].open_now, 0);
	assert_int_equal(world_left(&w) + w.sent, 100);
	for (uint64_t id = 1; id <= 100; id++)
		if (world_find(&w, id, 1) != NULL)
			assert_false(world_find(&w, id, 1)->claimed);
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
		cmocka_unit_test(test_failover_and_return),
		cmocka_unit_test(test_it_sticks_to_where_it_went),
		cmocka_unit_test(test_the_schedule_is_not_touched_by_a_dead_provider),
		cmocka_unit_test(test_no_busy_loop_with_peers_that_close),
		cmocka_unit_test(test_refusals_are_paced),
		cmocka_unit_test(test_a_refusal_of_us_never_bounces),
		cmocka_unit_test(test_indeterminate_is_pinned),
		cmocka_unit_test(test_pinned_mail_takes_its_provider_when_it_is_back),
		cmocka_unit_test(test_claims_of_a_crash_are_recovered),
		cmocka_unit_test(test_refused_claims_are_tried_again),
		cmocka_unit_test(test_nothing_leaves_while_outcomes_are_not_recorded),
		cmocka_unit_test(test_refused_outcomes_are_offered_again),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_retry_tries_the_provider_at_once),
		cmocka_unit_test(test_orders_leave_alone_what_is_in_flight),
		cmocka_unit_test(test_held_mail_waits),
		cmocka_unit_test(test_stop_ends_what_is_in_flight),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
