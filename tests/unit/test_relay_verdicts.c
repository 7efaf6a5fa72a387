/* SPDX-License-Identifier: ISC */
/* What the relay does about replies that concern a provider and not the mail. */
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

static void begin(struct world *w, size_t hosts)
{
	world_init(w, hosts, 1);
	world_start(w);
	relay_start(w->relay);
}

static void answer_unverified(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 550, "5.7.1", "Unconfigured Sending Domain <example.com>");
}

static void answer_daily(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 454, "4.7.0", "Throttling failure: Daily message quota exceeded");
}

static void answer_soon(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 454, "4.7.0", "rate limit, try again in 30 seconds");
}

static void answer_credits(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 451, "4.0.0", "Authentication failed: Maximum credits exceeded");
}

static void test_a_sender_unknown_to_one_provider_goes_through_the_next(void **state)
{
	struct provider_status status[2];
	struct world w;

	(void)state;
	begin(&w, 2);
	w.hosts[0].answer = answer_unverified;
	world_mails(&w, &plain, 20);
	world_pass(&w, 10 * CLOCK_SEC);
	assert_int_equal(w.sent, 20);
	assert_int_equal(w.hosts[0].written_count, 20);
	assert_int_equal(w.hosts[1].written_count, 20);
	assert_int_equal(w.bounce_asked, 0);
	assert_int_equal(relay_status(w.relay, status, 2), 2);
	assert_false(status[0].set_aside);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_it_bounces_when_every_provider_refused_it(void **state)
{
	for (size_t hosts = 1; hosts <= 3; hosts++) {
		struct world w;

		(void)state;
		begin(&w, hosts);
		for (size_t i = 0; i < hosts; i++)
			w.hosts[i].answer = answer_unverified;
		world_mail(&w, &plain);
		world_pass(&w, 10 * CLOCK_SEC);
		for (size_t i = 0; i < hosts; i++)
			assert_int_equal(w.hosts[i].written_count, 1);
		assert_int_equal(w.bounced, 1);
		assert_int_equal(world_left(&w), 0);
		world_release(&w);
	}
}

static void test_one_that_was_passed_waits_for_a_provider_that_is_away(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 2);
	w.hosts[0].answer = answer_unverified;
	w.hosts[1].mode = HOST_REFUSES;
	world_mail(&w, &plain);
	world_pass(&w, 10 * CLOCK_MIN);
	assert_int_equal(w.hosts[0].written_count, 1);
	assert_int_equal(w.bounce_asked, 0);
	w.hosts[1].mode = HOST_WORKS;
	world_pass(&w, 10 * CLOCK_MIN);
	assert_int_equal(w.sent, 1);
	world_release(&w);
}

static void test_a_used_up_quota_sets_aside_and_bounces_nothing(void **state)
{
	struct provider_status status[1];
	struct world w;

	(void)state;
	begin(&w, 1);
	w.hosts[0].answer = answer_daily;
	world_mails(&w, &plain, 100);
	world_pass(&w, CLOCK_DAY);
	assert_int_equal(w.bounce_asked, 0);
	assert_int_equal(world_left(&w), 100);
	/* 15 min doubling to 1 h, each time what one connection had in flight. */
	assert_in_range(w.hosts[0].written_count, 20, 60);
	assert_int_equal(relay_status(w.relay, status, 1), 1);
	assert_true(status[0].set_aside);
	w.hosts[0].answer = NULL;
	world_pass(&w, CLOCK_HOUR + CLOCK_MIN);
	assert_int_equal(w.sent, 100);
	world_release(&w);
}

static void test_bills_and_logins_set_aside(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 2);
	w.hosts[0].answer = answer_credits;
	world_mails(&w, &plain, 100);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.sent, 100);
	assert_in_range(w.hosts[0].written_count, 1, 20);
	assert_int_equal(w.bounce_asked, 0);
	world_release(&w);
}

static void test_a_time_that_is_said_is_kept(void **state)
{
	struct world w;
	size_t before;

	(void)state;
	begin(&w, 1);
	w.hosts[0].answer = answer_soon;
	world_mails(&w, &plain, 50);
	world_pass(&w, 29 * CLOCK_SEC);
	before = w.hosts[0].written_count;
	assert_in_range(before, 1, 20);
	w.hosts[0].answer = NULL;
	world_pass(&w, 500 * CLOCK_MS);
	assert_int_equal(w.hosts[0].written_count, before);
	world_pass(&w, 10 * CLOCK_SEC);
	assert_int_equal(w.sent, 50);
	assert_int_equal(w.bounce_asked, 0);
	world_release(&w);
}

static void test_too_large_for_one_goes_to_the_next(void **state)
{
	struct listener_settings listener = { .max_message_size = 50000000 };
	struct world w;

	(void)state;
	world_init(&w, 2, 1);
	w.settings.listeners = &listener;
	w.settings.listener_count = 1;
	world_start(&w);
	relay_start(w.relay);
	w.size = 2000;
	w.hosts[0].facts.size_max = 1000;
	world_mails(&w, &plain, 5);
	world_pass(&w, 10 * CLOCK_SEC);
	assert_int_equal(w.sent, 5);
	assert_int_equal(w.hosts[0].written_count, 0);
	/* Neither takes it. */
	w.providers[1].max_message_size = 1500;
	world_mail(&w, &plain);
	world_pass(&w, 10 * CLOCK_SEC);
	assert_int_equal(w.sent, 5);
	assert_int_equal(w.bounced, 1);
	assert_int_equal(w.last_failure.code, 552);
	assert_int_equal(world_left(&w), 0);
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
		cmocka_unit_test(test_a_sender_unknown_to_one_provider_goes_through_the_next),
		cmocka_unit_test(test_it_bounces_when_every_provider_refused_it),
		cmocka_unit_test(test_one_that_was_passed_waits_for_a_provider_that_is_away),
		cmocka_unit_test(test_a_used_up_quota_sets_aside_and_bounces_nothing),
		cmocka_unit_test(test_bills_and_logins_set_aside),
		cmocka_unit_test(test_a_time_that_is_said_is_kept),
		cmocka_unit_test(test_too_large_for_one_goes_to_the_next),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
