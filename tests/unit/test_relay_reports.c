/* SPDX-License-Identifier: ISC */
/* What senders are told of mail that is late, or that left for a host which reports nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "relay_world.h"

static void begin(struct world *w, enum host_mode mode)
{
	world_init(w, 1, 1);
	w->hosts[0].mode = mode;
	world_start(w);
	relay_start(w->relay);
}

static void test_a_delay_is_told_once(void **state)
{
	static const enum host_mode modes[] = { HOST_REFUSES, HOST_LOSES_MAIL };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world w;

		begin(&w, modes[i]);
		world_mail(&w, &(struct world_mail){ .recipients = 3, .warn_us = 4 * CLOCK_HOUR });
		world_pass(&w, 4 * CLOCK_HOUR - CLOCK_MIN);
		assert_int_equal(w.delayed, 0);
		world_pass(&w, 2 * CLOCK_MIN);
		assert_int_equal(w.delayed, 3);
		assert_int_equal(w.late, 0);
		assert_true(world_find(&w, 1, 1)->d.warn_us == 0);
		world_crash(&w);
		world_pass(&w, CLOCK_DAY);
		assert_int_equal(w.delayed, 3);
		w.hosts[0].mode = HOST_WORKS;
		world_pass(&w, 2 * CLOCK_HOUR);
		assert_int_equal(w.sent, 3);
		assert_int_equal(w.bounced, 0);
		world_release(&w);
	}
}

static void test_what_is_sent_in_time_is_not_told_of(void **state)
{
	struct world w;

	(void)state;
	begin(&w, HOST_WORKS);
	world_mails(&w, &(struct world_mail){ .warn_us = CLOCK_MIN }, 100);
	world_pass(&w, CLOCK_HOUR);
	assert_int_equal(w.sent, 100);
	assert_int_equal(w.delayed, 0);
	world_release(&w);
}

static void test_who_wants_to_know(void **state)
{
	static const struct {
		unsigned notify;
		size_t delayed;
	} rows[] = {
		{ NOTIFY_DEFAULT, 1 }, { NOTIFY_DELAY, 1 },   { NOTIFY_DELAY | NOTIFY_FAILURE, 1 },
		{ NOTIFY_FAILURE, 0 }, { NOTIFY_SUCCESS, 0 }, { NOTIFY_NEVER, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		begin(&w, HOST_REFUSES);
		world_mail(&w,
		           &(struct world_mail){ .warn_us = CLOCK_HOUR, .notify = rows[i].notify });
		world_pass(&w, 2 * CLOCK_HOUR);
		assert_int_equal(w.delayed, rows[i].delayed);
		assert_true(world_find(&w, 1, 1)->d.warn_us == 0);
		world_release(&w);
	}
}

/* RFC 2852: by the sender's own time, after the route's. */
static void test_a_time_of_its_own(void **state)
{
	struct world w;

	(void)state;
	begin(&w, HOST_REFUSES);
	world_mail(&w,
	           &(struct world_mail){ .warn_us = CLOCK_HOUR, .notify_by_us = 3 * CLOCK_HOUR });
	world_mail(&w, &(struct world_mail){ .warn_us = 2 * CLOCK_HOUR,
	                                     .notify_by_us = 2 * CLOCK_HOUR });
	world_pass(&w, CLOCK_HOUR + CLOCK_MIN);
	assert_int_equal(w.delayed, 1);
	assert_int_equal(w.late, 0);
	world_pass(&w, CLOCK_HOUR);
	assert_int_equal(w.delayed, 2);
	assert_int_equal(w.late, 1);
	world_pass(&w, CLOCK_HOUR);
	assert_int_equal(w.delayed, 3);
	assert_int_equal(w.late, 2);
	world_pass(&w, CLOCK_DAY);
	assert_int_equal(w.delayed, 3);
	world_release(&w);
}

static void test_many_delays_and_a_deadline(void **state)
{
	struct world w;

	(void)state;
	begin(&w, HOST_REFUSES);
	world_mails(&w, &(struct world_mail){ .warn_us = CLOCK_HOUR }, 2000);
	world_mails(&w, &(struct world_mail){ .warn_us = CLOCK_HOUR, .by_us = 2 * CLOCK_HOUR }, 50);
	world_mails(&w, &(struct world_mail){ .warn_us = CLOCK_HOUR, .held = true }, 50);
	world_pass(&w, CLOCK_HOUR + CLOCK_MIN);
	assert_int_equal(w.delayed, 2100);
	world_pass(&w, 2 * CLOCK_HOUR);
	assert_int_equal(w.bounced, 50);
	assert_int_equal(w.delayed, 2100);
	/* A report that nobody can be sent does not ring for ever. */
	w.no_bounce = true;
	world_mail(&w, &(struct world_mail){ .warn_us = CLOCK_MIN });
	world_pass(&w, CLOCK_HOUR);
	assert_int_equal(w.bounce_asked, 2100 + 50 + 1);
	w.hosts[0].mode = HOST_WORKS;
	world_pass(&w, CLOCK_HOUR);
	assert_int_equal(w.sent, 2001);
	world_release(&w);
}

/* RFC 3461 5.2.2: what a host without DSN took is reported by us, if that was asked for. */
static void test_relayed_to_the_silent(void **state)
{
	static const struct {
		bool dsn;
		enum provider_kind kind;
		unsigned notify;
		bool log;
		size_t relayed;
	} rows[] = {
		{ false, PROVIDER_SMTP, NOTIFY_SUCCESS, false, 2 },
		{ false, PROVIDER_SMTP, NOTIFY_SUCCESS | NOTIFY_FAILURE, false, 2 },
		{ false, PROVIDER_SMTP, NOTIFY_DEFAULT, false, 0 },
		{ false, PROVIDER_SMTP, NOTIFY_FAILURE | NOTIFY_DELAY, false, 0 },
		{ false, PROVIDER_SMTP, NOTIFY_NEVER, false, 0 },
		{ false, PROVIDER_SMTP, NOTIFY_SUCCESS, true, 0 },
		{ true, PROVIDER_SMTP, NOTIFY_SUCCESS, false, 0 },
		{ false, PROVIDER_DISCARD, NOTIFY_SUCCESS, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		world_init(&w, 1, 1);
		w.hosts[0].facts.dsn = rows[i].dsn;
		w.providers[0].kind = rows[i].kind;
		w.routes[0].bounce_to_sender = !rows[i].log;
		world_start(&w);
		relay_start(w.relay);
		world_mail(&w, &(struct world_mail){ .recipients = 2, .notify = rows[i].notify });
		world_pass(&w, CLOCK_MIN);
		assert_int_equal(world_left(&w), 0);
		if (w.relayed != rows[i].relayed)
			fail_msg("row %zu: %zu", i, w.relayed);
		world_release(&w);
	}
}

static void one_of_each(struct host *host, const struct grant *grant, struct grant_news *news)
{
	(void)host;
	answer_all(news, grant, 250, "2.0.0", "ok");
	answer_one(news, 1, 550, "5.1.1", "no such user", true);
	answer_one(news, 2, 451, "4.7.1", "later", true);
}

static void test_one_report_for_all_that_is_known(void **state)
{
	struct world w;

	(void)state;
	begin(&w, HOST_WORKS);
	w.hosts[0].answer = one_of_each;
	world_mail(&w, &(struct world_mail){ .recipients = 3,
	                                     .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE });
	world_pass(&w, CLOCK_SEC);
	assert_int_equal(w.bounce_asked, 1);
	assert_int_equal(w.relayed, 1);
	assert_int_equal(w.bounced, 1);
	assert_int_equal(world_left(&w), 1);
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
		cmocka_unit_test(test_a_delay_is_told_once),
		cmocka_unit_test(test_what_is_sent_in_time_is_not_told_of),
		cmocka_unit_test(test_who_wants_to_know),
		cmocka_unit_test(test_a_time_of_its_own),
		cmocka_unit_test(test_many_delays_and_a_deadline),
		cmocka_unit_test(test_relayed_to_the_silent),
		cmocka_unit_test(test_one_report_for_all_that_is_known),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
