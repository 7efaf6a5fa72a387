/* SPDX-License-Identifier: ISC */
/* The whole relay in a scripted world: what leaves when, and what becomes of it. */
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

static void test_idle_daemon_sends_at_once(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	world_start(&w);
	relay_start(w.relay);
	world_pass(&w, 10 * CLOCK_MIN);
	assert_int_equal(w.calls_open, 0);
	world_mail(&w, &plain);
	assert_int_equal(w.calls_open, 1);
	/* A connection, a commit and a reply. */
	world_pass(&w, 18 * CLOCK_MS);
	assert_int_equal(w.sent, 1);
	world_pass(&w, 10 * CLOCK_MS);
	assert_int_equal(world_left(&w), 0);
	/* The next reuses it. */
	world_mail(&w, &plain);
	world_pass(&w, 10 * CLOCK_MS);
	assert_int_equal(w.sent, 2);
	assert_int_equal(w.calls_open, 1);
	world_release(&w);
}

static void test_mail_in_the_spool_leaves_at_start(void **state)
{
	struct world w;
	struct world_mail mail = { .class = 7, .wait_us = 0 };

	(void)state;
	world_init(&w, 1, 2);
	world_start(&w);
	for (unsigned i = 0; i < 100; i++) {
		mail.class = (uint16_t)(i % 10);
		mail.route = i % 2;
		mail.priority = (int8_t)(i % 3);
		world_mail(&w, &mail);
	}
	assert_int_equal(w.calls_open, 0);
	relay_start(w.relay);
	world_pass(&w, 2 * CLOCK_SEC);
	assert_int_equal(w.sent, 100);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_connections_ramp_up_to_their_number(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.providers[0].connections = 5;
	w.hosts[0].reply_us = 100 * CLOCK_MS;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 1000);
	assert_int_equal(w.hosts[0].opens, 1);
	world_pass(&w, 13 * CLOCK_MS); /* the first is ready: one more */
	assert_int_equal(w.hosts[0].opens, 2);
	world_pass(&w, 10 * CLOCK_MS);
	assert_int_equal(w.hosts[0].opens, 4);
	world_pass(&w, 30 * CLOCK_MS);
	assert_int_equal(w.hosts[0].opens, 5);
	world_pass(&w, 60 * CLOCK_SEC);
	assert_int_equal(w.sent, 1000);
	assert_int_equal(w.hosts[0].open_max, 5);
	world_release(&w);
}

static void test_session_ends_are_ordinary(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.hosts[0].session_max = 5; /* then 421 */
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 500);
	world_pass(&w, 20 * CLOCK_SEC);
	assert_int_equal(w.sent, 500);
	assert_int_equal(world_left(&w), 0);
	for (uint64_t id = 1; id <= 500; id++)
		assert_int_equal(world_sent_times(&w, id), 1);
	world_release(&w);
}

static void test_messages_per_connection_are_kept(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.providers[0].messages_per_connection = 3;
	w.providers[0].connections = 1;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 30);
	world_pass(&w, 20 * CLOCK_SEC);
	assert_int_equal(w.sent, 30);
	assert_int_equal(w.hosts[0].opens, 10);
	world_release(&w);
}

/* ---- turns ----------------------------------------------------------------- */

static void one_at_a_time(struct world *w)
{
	w->providers[0].connections = 1;
	w->providers[0].pipeline = 1;
}

static void test_a_small_sender_is_not_behind_a_large_one(void **state)
{
	struct world w;
	struct world_mail bulk = { .class = 1 }, single = { .class = 2 };
	uint64_t id;

	(void)state;
	world_init(&w, 1, 1);
	one_at_a_time(&w);
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &bulk, 20000);
	world_pass(&w, CLOCK_SEC);
	id = world_mail(&w, &single);
	world_pass(&w, 30 * CLOCK_MS); /* one in flight, then its turn */
	assert_int_equal(world_sent_times(&w, id), 1);
	world_release(&w);
}

static void test_priority_overtakes(void **state)
{
	struct world w;
	struct world_mail bulk = { .class = 1, .priority = -1 },
			  urgent = { .class = 1, .priority = 5 };
	uint64_t id;

	(void)state;
	world_init(&w, 1, 2);
	one_at_a_time(&w);
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &bulk, 5000);
	world_pass(&w, CLOCK_SEC);
	urgent.route = 1;
	for (int i = 0; i < 50; i++)
		id = world_mail(&w, &urgent);
	world_pass(&w, 50 * 9 * CLOCK_MS);
	assert_int_equal(world_sent_times(&w, id), 1);
	world_release(&w);
}

static void test_memory_of_reads_is_bounded(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 10000);
	world_pass(&w, 60 * CLOCK_SEC);
	assert_int_equal(w.sent, 10000);
	/* Each delivery is read once, and the index in runs. */
	assert_int_equal(w.calls_delivery, 10000 + 1); /* and the head, for its rules */
	assert_true(w.calls_due < 1000);
	world_release(&w);
}

/* ---- replies --------------------------------------------------------------- */

static void says_451(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 451, "4.7.1", "greylisted");
}

static void test_back_off_follows_the_list(void **state)
{
	static const int64_t waits[] = { CLOCK_MIN, 5 * CLOCK_MIN, CLOCK_HOUR, CLOCK_HOUR };
	struct world w;
	uint64_t id;

	(void)state;
	world_init(&w, 1, 1);
	w.hosts[0].answer = says_451;
	world_start(&w);
	relay_start(w.relay);
	id = world_mail(&w, &plain);
	world_pass(&w, 5 * CLOCK_SEC);
	for (size_t i = 0; i < 4; i++) {
		struct stored *s = world_find(&w, id, 1);
		int64_t wait = s->d.due_us - w.clock.wall_us;

		assert_int_equal(s->d.attempts, i + 1);
		assert_true(wait <= waits[i] + waits[i] / 16);
		assert_true(wait >= waits[i] - 6 * CLOCK_SEC);
		assert_string_equal(s->d.recipients[0].last_reply, "451 4.7.1 greylisted");
		assert_int_equal(w.hosts[0].grants, i + 1);
		world_pass(&w, wait + 5 * CLOCK_SEC);
	}
	w.hosts[0].answer = NULL;
	world_pass(&w, 2 * CLOCK_HOUR);
	assert_int_equal(w.sent, 1);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_deferred_mail_costs_nothing(void **state)
{
	struct world w;
	struct world_mail later = { .release_us = CLOCK_DAY };
	size_t before;

	(void)state;
	world_init(&w, 1, 1);
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &later, 1000);
	world_pass(&w, CLOCK_MIN);
	before = w.calls_due;
	world_pass(&w, 20 * CLOCK_HOUR);
	assert_int_equal(w.calls_due, before);
	assert_int_equal(w.calls_open, 0);
	world_pass(&w, 5 * CLOCK_HOUR);
	assert_int_equal(w.sent, 1000);
	world_release(&w);
}

/* r0 250, r1 451, r2 550, r3 452 too many. */
static void says_each(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 250, "2.0.0", "ok");
	if (grant->count < 4)
		return;
	answer_one(news, 1, 451, "4.2.2", "mailbox full", true);
	answer_one(news, 2, 550, "5.1.1", "no such user", true);
	answer_one(news, 3, 452, "4.5.3", "too many recipients", true);
}

static void test_outcomes_are_split(void **state)
{
	struct world w;
	struct world_mail mail = { .recipients = 4 };
	struct stored *s;

	(void)state;
	world_init(&w, 1, 1);
	w.hosts[0].answer = says_each;
	world_start(&w);
	relay_start(w.relay);
	world_mail(&w, &mail);
	world_pass(&w, CLOCK_SEC);
	/* r0 and, in a second transaction, r3 are sent; r1 waits; r2 is reported. */
	assert_int_equal(w.sent, 2);
	assert_int_equal(w.bounced, 1);
	assert_int_equal(w.last_failure.code, 550);
	assert_int_equal(world_left(&w), 1);
	s = world_find(&w, 1, 2);
	assert_non_null(s);
	assert_int_equal(s->d.count, 1);
	assert_string_equal(s->d.recipients[0].to.address.text, "r1@example.net");
	assert_int_equal(s->d.attempts, 1);
	world_pass(&w, 2 * CLOCK_MIN);
	assert_int_equal(w.sent, 3);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void says_550(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 550, "5.7.1", "spam");
}

static void test_failures_are_reported_or_not(void **state)
{
	static const struct {
		unsigned notify;
		bool null_sender, to_log;
		size_t asked, bounced;
	} rows[] = {
		{ NOTIFY_DEFAULT, false, false, 1, 1 },
		{ NOTIFY_DEFAULT, true, false, 1, 0 }, /* the helper finds <> and makes none */
		{ NOTIFY_NEVER, false, false, 0, 0 },
		{ NOTIFY_DEFAULT, false, true, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world_mail mail = { .notify = rows[i].notify };
		struct world w;

		world_init(&w, 1, 1);
		w.hosts[0].answer = says_550;
		w.routes[0].bounce_to_sender = !rows[i].to_log;
		w.no_bounce = rows[i].null_sender;
		world_start(&w);
		relay_start(w.relay);
		world_mail(&w, &mail);
		world_pass(&w, CLOCK_SEC);
		assert_int_equal(w.bounce_asked, rows[i].asked);
		assert_int_equal(w.bounced, rows[i].bounced);
		assert_int_equal(world_left(&w), 0);
		world_release(&w);
	}
}

static void test_expired_mail_is_reported(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.hosts[0].answer = says_451;
	w.routes[0].expire_us = 10 * CLOCK_HOUR;
	world_start(&w);
	relay_start(w.relay);
	world_mail(&w, &plain);
	world_pass(&w, 10 * CLOCK_HOUR - CLOCK_MIN);
	assert_int_equal(w.bounced, 0);
	world_pass(&w, 2 * CLOCK_MIN);
	assert_int_equal(w.bounced, 1);
	assert_int_equal(w.last_failure.code, 451);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_mail_expires_while_its_provider_is_away(void **state)
{
	struct world w;
	struct world_mail other = { .class = 3 };

	(void)state;
	world_init(&w, 1, 1);
	w.hosts[0].mode = HOST_REFUSES;
	w.routes[0].expire_us = 10 * CLOCK_HOUR;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 100);
	world_mails(&w, &other, 100);
	world_pass(&w, 9 * CLOCK_HOUR);
	assert_int_equal(w.bounced, 0);
	assert_int_equal(w.outcomes, 0);
	world_pass(&w, 2 * CLOCK_HOUR);
	assert_int_equal(w.bounced, 200);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

/* RFC 2852: wherever it waits, it comes back within a minute of its time, and is not sent later. */
static void test_late_mail_comes_back(void **state)
{
	static const struct rate slow = { .count = 1, .period_us = CLOCK_HOUR };
	static const struct {
		enum host_mode mode;
		bool deferring, limited, held;
	} rows[] = {
		{ .mode = HOST_REFUSES },
		{ .deferring = true },
		{ .limited = true },
		{ .held = true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world_mail mail = { .by_us = 10 * CLOCK_MIN, .held = rows[i].held };
		struct rate rate = slow;
		struct world w;
		size_t sent;

		world_init(&w, 1, 1);
		w.hosts[0].mode = rows[i].mode;
		if (rows[i].deferring)
			w.hosts[0].answer = says_451;
		if (rows[i].limited) {
			w.providers[0].rates = &rate;
			w.providers[0].rate_count = 1;
		}
		w.routes[0].expire_us = 5 * CLOCK_DAY;
		world_start(&w);
		relay_start(w.relay);
		if (rows[i].limited)
			world_mail(&w, &plain); /* takes the only token */
		world_pass(&w, CLOCK_SEC);
		world_mail(&w, &mail);
		world_pass(&w, 10 * CLOCK_MIN - CLOCK_SEC);
		sent = w.sent;
		assert_int_equal(w.bounced, 0);
		world_pass(&w, CLOCK_MIN);
		assert_int_equal(w.bounced, 1);
		assert_int_equal(w.sent, sent);
		assert_int_equal(world_left(&w), 0);
		world_release(&w);
	}
}

static void test_deliveries_are_split_to_fit(void **state)
{
	struct world w;
	struct world_mail mail = { .recipients = 50 };

	(void)state;
	world_init(&w, 1, 1);
	w.hosts[0].facts.recipients_max = 20;
	world_start(&w);
	relay_start(w.relay);
	world_mail(&w, &mail);
	world_pass(&w, CLOCK_SEC);
	assert_int_equal(w.sent, 50);
	assert_int_equal(w.hosts[0].grants, 3);
	for (size_t i = 0; i < w.hosts[0].written_count; i++)
		assert_true(w.hosts[0].written_for[i] <= 20);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_too_large_for_the_peer(void **state)
{
	struct world w;
	struct listener_settings listener = { .max_message_size = 50000000 };

	(void)state;
	world_init(&w, 1, 1);
	w.settings.listeners = &listener;
	w.settings.listener_count = 1;
	w.hosts[0].facts.size_max = 10000000;
	w.size = 10000001;
	world_start(&w);
	relay_start(w.relay);
	world_mail(&w, &plain);
	world_pass(&w, CLOCK_SEC);
	assert_int_equal(w.hosts[0].grants, 0);
	assert_int_equal(w.bounced, 1);
	assert_int_equal(w.last_failure.code, 552);
	assert_int_equal(world_left(&w), 0);
	world_release(&w);
}

static void test_discard_takes_everything(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 1, 1);
	w.providers[0].kind = PROVIDER_DISCARD;
	w.providers[0].discard_delay_us = 500 * CLOCK_MS;
	world_start(&w);
	relay_start(w.relay);
	world_mails(&w, &plain, 10);
	world_pass(&w, 400 * CLOCK_MS);
	assert_int_equal(world_left(&w), 10);
	world_pass(&w, 10 * CLOCK_SEC);
	assert_int_equal(world_left(&w), 0);
	assert_int_equal(w.calls_open, 0);
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
		cmocka_unit_test(test_idle_daemon_sends_at_once),
		cmocka_unit_test(test_mail_in_the_spool_leaves_at_start),
		cmocka_unit_test(test_connections_ramp_up_to_their_number),
		cmocka_unit_test(test_session_ends_are_ordinary),
		cmocka_unit_test(test_messages_per_connection_are_kept),
		cmocka_unit_test(test_a_small_sender_is_not_behind_a_large_one),
		cmocka_unit_test(test_priority_overtakes),
		cmocka_unit_test(test_memory_of_reads_is_bounded),
		cmocka_unit_test(test_back_off_follows_the_list),
		cmocka_unit_test(test_deferred_mail_costs_nothing),
		cmocka_unit_test(test_outcomes_are_split),
		cmocka_unit_test(test_failures_are_reported_or_not),
		cmocka_unit_test(test_expired_mail_is_reported),
		cmocka_unit_test(test_mail_expires_while_its_provider_is_away),
		cmocka_unit_test(test_late_mail_comes_back),
		cmocka_unit_test(test_deliveries_are_split_to_fit),
		cmocka_unit_test(test_too_large_for_the_peer),
		cmocka_unit_test(test_discard_takes_everything),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
