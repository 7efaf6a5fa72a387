/* SPDX-License-Identifier: ISC */
/* The rules change: nothing that waits is stranded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "relay_world.h"

static char *nobody[] = { (char *)(uintptr_t) "*@nowhere.example" };
static struct inbox_settings inboxes[] = { { .name = (char *)(uintptr_t) "default" } };
static char *tagged[] = { (char *)(uintptr_t) "x-tag: o*e" };
static char *first[] = { (char *)(uintptr_t) "r0@*" };

static void begin(struct world *w, size_t routes)
{
	world_init(w, 1, routes);
	world_start(w);
	relay_start(w->relay);
}

/* A route that mail waits in is no longer the one that fits it. */
static void test_mail_follows_its_rules(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 2);
	world_mails(&w, &(struct world_mail){ .wait_us = CLOCK_HOUR }, 20);
	w.routes[0].recipient = (struct text_list){ nobody, 1 };
	w.routes[0].priority = 3;
	w.routes[1].priority = 5;
	world_crash(&w);
	world_pass(&w, CLOCK_MIN);
	for (uint64_t id = 1; id <= 20; id++) {
		assert_int_equal(world_find(&w, id, 1)->d.queue, 2);
		assert_int_equal(world_find(&w, id, 1)->d.priority, 5);
		/* Its schedule is its own. */
		assert_true(world_find(&w, id, 1)->d.due_us > clock_wall(&w.clock.clock));
	}
	world_pass(&w, CLOCK_HOUR);
	assert_int_equal(w.sent, 20);
	world_release(&w);
}

static void test_a_route_that_is_gone_strands_nothing(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 2);
	w.hosts[0].mode = HOST_REFUSES;
	world_mails(&w, &(struct world_mail){ .route = 1 }, 3000);
	world_pass(&w, CLOCK_SEC);
	free(w.routes[1].name);
	free(w.routes[1].via.items);
	w.settings.route_count = 1;
	w.hosts[0].mode = HOST_WORKS;
	world_crash(&w);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.sent, 3000);
	world_release(&w);
}

static void test_unrouted_mail_finds_a_route_and_recipients_part(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 2);
	w.routes[0].recipient = (struct text_list){ nobody, 1 };
	w.routes[1].recipient = (struct text_list){ nobody, 1 };
	world_mail(&w, &(struct world_mail){ .recipients = 5, .wait_us = CLOCK_HOUR });
	world_crash(&w);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(world_find(&w, 1, 1)->d.queue, SPOOL_QUEUE_UNROUTED);
	w.routes[0].recipient = (struct text_list){ first, 1 };
	w.routes[1].recipient = (struct text_list){ NULL, 0 };
	world_crash(&w);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(world_find(&w, 1, 1)->d.queue, 1);
	assert_int_equal(world_find(&w, 1, 1)->d.count, 1);
	assert_int_equal(world_find(&w, 1, 2)->d.queue, 2);
	assert_int_equal(world_find(&w, 1, 2)->d.count, 4);
	world_pass(&w, CLOCK_HOUR);
	assert_int_equal(w.sent, 5);
	world_release(&w);
}

static void test_what_is_where_it_belongs_is_not_written(void **state)
{
	struct world w;
	size_t outcomes;

	(void)state;
	begin(&w, 2);
	world_mails(&w, &(struct world_mail){ .wait_us = CLOCK_HOUR }, 50);
	outcomes = w.outcomes;
	w.routes[1].priority = 1;
	world_crash(&w);
	world_pass(&w, CLOCK_MIN);
	assert_int_equal(w.outcomes, outcomes);
	world_release(&w);
}

/* Rules on the header: a helper reads it, so many at a time, and only where it decides. */
static void test_a_header_is_read_where_it_decides(void **state)
{
	static const struct {
		const char *header;
		uint32_t queue;
		size_t reads;
	} rows[] = {
		{ "X-Tag: bulk\r\n\r\n", 2, 200 },
		{ "X-Tag: one\r\n\r\n", 1, 200 },
		{ "X-Tag: nobody\r\n\r\n", 2, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		begin(&w, 2);
		w.header = rows[i].header;
		world_mails(&w, &(struct world_mail){ .wait_us = CLOCK_HOUR }, 200);
		w.routes[0].header = (struct text_list){ tagged, 1 };
		if (rows[i].reads == 0)
			w.routes[0].recipient = (struct text_list){ nobody, 1 };
		world_crash(&w);
		world_pass(&w, CLOCK_MIN);
		assert_int_equal(w.headers_read, rows[i].reads);
		assert_true(w.headers_at_once <= 64);
		for (uint64_t id = 1; id <= 200; id++)
			assert_int_equal(world_find(&w, id, 1)->d.queue, rows[i].queue);
		world_pass(&w, CLOCK_HOUR);
		assert_int_equal(w.sent, 200);
		assert_int_equal(w.reading, 0);
		world_release(&w);
	}
}

/* What is due is read on its way to its provider; each once, though it stays. */
static void test_what_is_due_is_read_once_and_sent(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 2);
	w.header = "Subject: x\r\nX-Tag: one\r\n\r\n";
	w.hosts[0].mode = HOST_REFUSES;
	world_mails(&w, &(struct world_mail){ .recipients = 3 }, 3000);
	world_pass(&w, CLOCK_SEC);
	w.routes[0].header = (struct text_list){ tagged, 1 };
	w.hosts[0].mode = HOST_WORKS;
	world_crash(&w);
	world_pass(&w, 10 * CLOCK_MIN);
	assert_int_equal(w.sent, 9000);
	assert_int_equal(world_left(&w), 0);
	assert_true(w.headers_read >= 3000 && w.headers_read < 3200);
	assert_true(w.headers_at_once <= 64);
	world_release(&w);
}

/* The listener is known of what waits. */
static void test_rules_on_the_listener(void **state)
{
	static char *port[] = { (char *)(uintptr_t) "127.0.0.1:2*" };
	struct world w;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(&w, 2);
		w.listener = i == 0 ? "127.0.0.1:25" : "127.0.0.1:587";
		world_mails(&w, &(struct world_mail){ .wait_us = CLOCK_HOUR }, 20);
		w.routes[0].listener = (struct text_list){ port, 1 };
		world_crash(&w);
		world_pass(&w, CLOCK_MIN);
		for (uint64_t id = 1; id <= 20; id++)
			assert_int_equal(world_find(&w, id, 1)->d.queue, 1 + i);
		world_release(&w);
	}
}

static void into_inboxes(struct world *w)
{
	w->providers[0].kind = PROVIDER_INBOX;
	w->providers[0].inbox = (char *)(uintptr_t) "default";
	w->settings.inboxes = inboxes;
	w->settings.inbox_count = 1;
	w->routes[0].recipient = (struct text_list){ first, 1 };
	w->routes[0].via.count = 1;
	w->routes[1].via.items[0] = w->providers[1].name;
	w->routes[1].via.count = 1;
}

/* What an inbox takes now moves into it, once, and the others of its delivery go on. */
static void test_mail_moves_into_an_inbox(void **state)
{
	static const bool due[] = { true, false };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world w;

		world_init(&w, 2, 2);
		world_start(&w);
		relay_start(w.relay);
		w.hosts[0].mode = w.hosts[1].mode = HOST_REFUSES;
		world_mails(
			&w,
			&(struct world_mail){ .recipients = 3, .wait_us = due[i] ? 0 : CLOCK_HOUR },
			300);
		world_mails(&w, &(struct world_mail){ .wait_us = due[i] ? 0 : CLOCK_HOUR }, 10);
		world_pass(&w, CLOCK_SEC);
		into_inboxes(&w);
		w.hosts[1].mode = HOST_WORKS;
		world_crash(&w);
		world_pass(&w, 2 * CLOCK_HOUR);
		assert_int_equal(w.rehoused[1], 310);
		assert_true(w.rehoused_at_once <= 64);
		assert_int_equal(w.sent, 600);
		assert_int_equal(world_left(&w), 0);
		assert_int_equal(w.bounced, 0);
		w.providers[0].kind = PROVIDER_SMTP;
		world_release(&w);
	}
}

static void test_what_cannot_be_read_is_held(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, 2, 2);
	world_start(&w);
	relay_start(w.relay);
	world_mail(&w, &(struct world_mail){ .wait_us = CLOCK_HOUR });
	into_inboxes(&w);
	w.no_rehousing = true;
	world_crash(&w);
	world_pass(&w, 2 * CLOCK_HOUR);
	assert_true(world_find(&w, 1, 1)->d.due_us == CLOCK_NEVER);
	assert_int_equal(w.sent, 0);
	w.providers[0].kind = PROVIDER_SMTP;
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
		cmocka_unit_test(test_mail_follows_its_rules),
		cmocka_unit_test(test_a_route_that_is_gone_strands_nothing),
		cmocka_unit_test(test_unrouted_mail_finds_a_route_and_recipients_part),
		cmocka_unit_test(test_what_is_where_it_belongs_is_not_written),
		cmocka_unit_test(test_a_header_is_read_where_it_decides),
		cmocka_unit_test(test_what_is_due_is_read_once_and_sent),
		cmocka_unit_test(test_rules_on_the_listener),
		cmocka_unit_test(test_mail_moves_into_an_inbox),
		cmocka_unit_test(test_what_cannot_be_read_is_held),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
