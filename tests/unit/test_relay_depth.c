/* SPDX-License-Identifier: ISC */
/* Many messages in flight on a connection: what a loss, a refusal and short sessions cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/private.h"
#include "relay_world.h"

static const struct world_mail plain = { .route = 0 };

static void deep_world(struct world *w)
{
	world_init(w, 1, 1);
	w->providers[0].connections = 1;
	w->hosts[0].facts.chunking = true;
	world_start(w);
	relay_start(w->relay);
}

/* So many that the depth is at its most. */
static void warm_up(struct world *w)
{
	world_mails(w, &plain, 100);
	world_pass(w, 5 * CLOCK_SEC);
	assert_true(w->sent >= 100);
	assert_int_equal(w->relay->pools[0].depth.now, 20);
}

static void test_depth_is_granted(void **state)
{
	struct world w;

	(void)state;
	deep_world(&w);
	world_mails(&w, &plain, 1);
	world_pass(&w, CLOCK_SEC);
	assert_int_equal(w.hosts[0].deepest, 1);
	warm_up(&w);
	world_mails(&w, &plain, 1);
	world_pass(&w, CLOCK_SEC);
	assert_int_equal(w.hosts[0].deepest, 20);
	world_release(&w);
}

/* One waits, for it may be why; all others go again at once, once. */
static void test_a_lost_flight_costs_one_message(void **state)
{
	struct world w;

	(void)state;
	deep_world(&w);
	warm_up(&w);
	w.hosts[0].mode = HOST_LOSES_FLIGHT;
	w.hosts[0].lose_flights = 1;
	world_mails(&w, &plain, 15);
	world_pass(&w, 5 * CLOCK_SEC);
	assert_int_equal(w.sent, 114);
	assert_int_equal(world_left(&w), 1);
	world_pass(&w, 2 * CLOCK_MIN);
	assert_int_equal(w.sent, 115);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_lost_again_and_again(void **state)
{
	struct world w;

	(void)state;
	deep_world(&w);
	warm_up(&w);
	w.hosts[0].mode = HOST_LOSES_FLIGHT;
	w.hosts[0].lose_flights = 1000;
	world_mails(&w, &plain, 15);
	world_pass(&w, 30 * CLOCK_SEC); /* before the first may come again */
	/* each at most twice, and at the end one by one */
	assert_true(w.hosts[0].written_count <= 100 + 2 * 15);
	assert_int_equal(w.relay->pools[0].depth.now, 1);
	assert_int_equal(w.sent, 100);
	assert_int_equal(world_left(&w), 15);
	world_release(&w);
}

static void refuse(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 530, "5.7.0", "log in first");
}

static void test_a_refusal_counts_once_a_flight(void **state)
{
	struct world w;

	(void)state;
	deep_world(&w);
	warm_up(&w);
	w.hosts[0].answer = refuse;
	w.hosts[0].at_once = true; /* the whole flight was written at the same time */
	world_mails(&w, &plain, 15);
	world_pass(&w, 900 * CLOCK_MS);
	assert_true(w.relay->pools[0].health.aside);
	assert_int_equal(w.relay->pools[0].health.failures, 1);
	world_release(&w);
}

/* A 421 after each seventh message is met twice, then avoided. */
static void test_session_length_is_learned(void **state)
{
	struct world w;

	(void)state;
	deep_world(&w);
	w.hosts[0].session_max = 7;
	w.hosts[0].mode = HOST_ENDS_SESSIONS;
	world_mails(&w, &plain, 70);
	world_pass(&w, 30 * CLOCK_SEC);
	assert_int_equal(w.sent, 70);
	assert_int_equal(world_left(&w), 0);
	assert_int_equal(w.relay->pools[0].depth.session_max, 7);
	assert_int_equal(w.hosts[0].cut_short, 2);
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth_is_granted),
		cmocka_unit_test(test_a_lost_flight_costs_one_message),
		cmocka_unit_test(test_lost_again_and_again),
		cmocka_unit_test(test_a_refusal_counts_once_a_flight),
		cmocka_unit_test(test_session_length_is_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
