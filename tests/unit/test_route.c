/* SPDX-License-Identifier: ISC */
/* Which route a recipient gets, and what an envelope becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "relay/route.h"

#define LIST(...)                                                                             \
	{                                                                                     \
		(char *[]){ __VA_ARGS__ }, sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *) \
	}

static struct address address_of(const char *text)
{
	struct address a = { .text = (char *)text, .local_length = strcspn(text, "@") };

	return a;
}

static struct provider_settings providers[] = {
	{ .name = "one" },
	{ .name = "box", .kind = PROVIDER_INBOX, .inbox = "default" },
};
static struct inbox_settings inboxes[] = { { .name = "other" }, { .name = "default" } };
static struct route_settings routes[] = {
	{ .name = "bounces", .sender = LIST("<>"), .via = LIST("one") },
	{ .name = "news",
	  .sender = LIST("*@news.example.com"),
	  .via = LIST("one"),
	  .priority = -5 },
	{ .name = "crm", .login = LIST("crm*"), .via = LIST("one") },
	{ .name = "port", .listener = LIST("[::1]:2*"), .via = LIST("one"), .hold = true },
	{ .name = "here", .recipient = LIST("root", "*@here.example"), .via = LIST("box") },
	{ .name = "both",
	  .sender = LIST("a@example.com"),
	  .recipient = LIST("*@x.example"),
	  .listener = LIST("*"),
	  .via = LIST("one") },
};
static struct settings settings = { .providers = providers,
	                            .provider_count = 2,
	                            .inboxes = inboxes,
	                            .inbox_count = 2,
	                            .routes = routes,
	                            .route_count = 6 };

static struct router *router_made(void)
{
	struct router *router;
	struct bytes error = { 0 };

	assert_int_equal(router_new(&router, &settings, NULL, &error), 0);
	return router;
}

static void test_first_match_wins(void **state)
{
	static const struct {
		const char *sender, *login, *listener, *recipient, *route;
	} rows[] = {
		{ "", NULL, "127.0.0.1:25", "x@y.example", "bounces" },
		{ "a@news.example.com", NULL, "127.0.0.1:25", "x@y.example", "news" },
		{ "a@NEWS.example.com", "crm", "[::1]:25", "x@here.example", "news" },
		{ "a@b.example", "crm7", "127.0.0.1:25", "root", "crm" },
		{ "a@b.example", "scrm", "[::1]:25", "x@y.example", "port" },
		{ "a@b.example", NULL, "[::1]:35", "root", "here" },
		{ "a@b.example", NULL, NULL, "x@Here.Example", "here" },
		{ "a@example.com", NULL, NULL, "z@x.example", "both" },
		{ "a@example.com", NULL, NULL, "z@w.example", NULL },
		{ "a@b.example", "", "", "x@y.example", NULL },
	};
	struct router *router = router_made();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address sender = address_of(rows[i].sender);
		struct address recipient = address_of(rows[i].recipient);
		struct route_question q = { &sender, rows[i].login, rows[i].listener, NULL };
		const struct route *route = route_find(router, &q, &recipient);
		const char *name = route->settings == NULL ? NULL : route->settings->name;

		if ((name == NULL) != (rows[i].route == NULL) ||
		    (name != NULL && strcmp(name, rows[i].route) != 0))
			fail_msg("row %zu: %s", i, name == NULL ? "none" : name);
		if (name == NULL)
			assert_int_equal(route->queue, SPOOL_QUEUE_UNROUTED);
		assert_ptr_equal(route_of_queue(router, route->queue), route);
	}
	assert_null(route_of_queue(router, 99));
	router_free(&router);
	assert_null(router);
}

static void test_rules_on_the_header(void **state)
{
	static const struct {
		const char *pattern, *header;
		bool fits;
	} rows[] = {
		{ "X-Tag: bulk", "Subject: x\r\nx-tag:  BULK \r\n\r\nX-Tag: no\r\n", true },
		{ "X-Tag: bulk", "X-Tag: bulky\r\n\r\n", false },
		{ "X-Tag: bulk*", "X-Tag: one\r\nX-Tag: bulky\r\n\r\n", true },
		{ "X-Tag:*", "X-Tag:\r\n\r\n", true },
		{ "X-Tag: *", "X-Tags: a\r\n\r\nX-Tag: a\r\n", false },
		{ "X-Tag: a b", "X-Tag: a\r\n b\r\n\r\n", true },
		{ "Subject: *gr\303\274n*", "Subject: =?utf-8?q?So_gr=C3=BCn?=\r\n\r\n", true },
		{ "X-Tag: a", "", false },
	};
	struct address sender = address_of("a@b.example"), to = address_of("x@y.example");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *pattern = (char *)(uintptr_t)rows[i].pattern;
		struct route_settings mine[] = { { .name = "h", .header = { &pattern, 1 } },
			                         { .name = "r" } };
		struct settings s = { .routes = mine, .route_count = 2 };
		struct route_question q = { &sender, NULL, NULL, NULL };
		struct bytes error = { 0 };
		struct router *router;
		bool *fits;

		assert_int_equal(router_new(&router, &s, NULL, &error), 0);
		assert_true(route_needs_header(router, &q, &to));
		assert_string_equal(route_find(router, &q, &to)->settings->name, "r");
		fits = router_read_header(router, span_of_text(rows[i].header));
		q.header_fits = fits;
		if ((route_find(router, &q, &to)->settings == &mine[0]) != rows[i].fits)
			fail_msg("row %zu", i);
		free(fits);
		router_free(&router);
	}
}

static void test_generation_follows_the_rules(void **state)
{
	struct router *a = router_made(), *b = router_made(), *c;

	(void)state;
	assert_true(router_generation(a) == router_generation(b));
	routes[0].hold = true;
	c = router_made();
	routes[0].hold = false;
	assert_true(router_generation(a) != router_generation(c));
	router_free(&c);
	routes[0].expire_us = 5; /* says nothing of where mail goes */
	c = router_made();
	assert_true(router_generation(a) == router_generation(c));
	router_free(&c);
	router_free(&b);
	router_free(&a);
}

struct taken {
	uint32_t inbox;
	size_t count;
	char first[64];
};

static void take(void *context, struct put *put, uint32_t inbox, const struct recipient *recipients,
                 size_t count)
{
	struct taken *taken = context;

	(void)put;
	taken->inbox = inbox;
	taken->count += count;
	(void)snprintf(taken->first, sizeof(taken->first), "%s", recipients[0].address.text);
}

/* What each inbox gets: "inbox: recipients in order". */
static void note(void *context, struct put *put, uint32_t inbox, const struct recipient *recipients,
                 size_t count)
{
	struct bytes *text = context;

	(void)put;
	bytes_printf(text, "%u:", inbox);
	for (size_t i = 0; i < count; i++)
		bytes_printf(text, " %s", recipients[i].address.text);
	bytes_append_char(text, '\n');
}

static void add(struct envelope *envelope, int i, const char *domain)
{
	struct recipient r = { 0 };
	char text[64];

	(void)snprintf(text, sizeof(text), "r%d@%s", i, domain);
	r.address.text = memory_text(text);
	r.address.local_length = strcspn(text, "@");
	r.orcpt = memory_text("rfc822;x");
	envelope_add_recipient(envelope, &r);
}

static void test_an_envelope_becomes_deliveries(void **state)
{
	struct router *router = router_made();
	struct put *put = put_new(NULL);
	struct taken taken = { 0 };
	struct intake intake = { .add = take, .context = &taken };
	struct envelope envelope;
	size_t total = 0;

	(void)state;
	envelope_init(&envelope);
	envelope.sender.text = memory_text("a@example.com");
	envelope.sender.local_length = 1;
	for (int i = 0; i < 120; i++) {
		add(&envelope, i, "x.example");
		if (i < 3)
			add(&envelope, i, "here.example");
		if (i < 2)
			add(&envelope, i, "nowhere.example");
	}
	route_put(router, put, NULL, &envelope, NULL, &intake, 12345);
	assert_int_equal(taken.inbox, 2);
	assert_int_equal(taken.count, 3);
	assert_string_equal(taken.first, "r0@here.example");
	assert_int_equal(put->delivery_count, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct delivery *d = put->deliveries[i];

		assert_int_equal(d->queue, i < 3 ? 6 : SPOOL_QUEUE_UNROUTED);
		assert_true(d->count <= SPOOL_RECIPIENTS_MAX);
		assert_true(d->due_us == 12345 && d->accepted_us == 12345);
		assert_true(d->generation == router_generation(router));
		assert_string_equal(d->recipients[0].to.orcpt, "rfc822;x");
		total += d->count;
	}
	assert_int_equal(total, 122);
	assert_string_equal(put->deliveries[2]->recipients[19].to.address.text, "r119@x.example");
	put_free(&put);
	envelope_release(&envelope);
	router_free(&router);
}

static void test_copies_for_inboxes(void **state)
{
	struct route_settings mine[] = {
		{ .name = "a",
		  .recipient = LIST("*@a.example"),
		  .via = LIST("one"),
		  .copy = "inbox:default" },
		{ .name = "b",
		  .recipient = LIST("*@b.example"),
		  .via = LIST("box"),
		  .copy = "inbox:other" },
		{ .name = "c",
		  .recipient = LIST("*@c.example"),
		  .via = LIST("one"),
		  .copy = "box" },
		{ .name = "d", .recipient = LIST("*@d.example"), .via = LIST("one") },
	};
	struct settings s = settings;
	struct put *put = put_new(NULL);
	struct bytes text = { 0 }, error = { 0 };
	struct intake intake = { .add = note, .context = &text };
	struct envelope envelope;
	struct router *router;

	(void)state;
	s.routes = mine;
	s.route_count = 4;
	envelope_init(&envelope);
	envelope.sender.text = memory_text("");
	add(&envelope, 1, "c.example");
	add(&envelope, 2, "b.example");
	add(&envelope, 3, "a.example");
	add(&envelope, 4, "d.example");
	add(&envelope, 5, "a.example");
	assert_int_equal(router_new(&router, &s, NULL, &error), 0);
	route_put(router, put, NULL, &envelope, NULL, &intake, 1);
	/* One entry an inbox; what goes elsewhere goes there all the same. */
	assert_string_equal(bytes_text(&text),
	                    "2: r1@c.example r2@b.example r3@a.example r5@a.example\n"
	                    "1: r2@b.example\n");
	assert_int_equal(put->delivery_count, 3);
	bytes_release(&text);
	put_free(&put);
	envelope_release(&envelope);
	router_free(&router);
}

static void test_held_and_ranked(void **state)
{
	static const struct {
		const char *sender, *listener;
		int64_t due_us;
		int8_t asked; /* RFC 6710 */
		int priority;
	} rows[] = {
		{ "a@b.example", "[::1]:25", CLOCK_NEVER, 0, 0 },
		{ "a@b.example", "[::1]:25", CLOCK_NEVER, 9, 9 },
		{ "a@news.example.com", "[::1]:25", 7, 0, -5 },
		{ "a@news.example.com", "[::1]:25", 7, 3, -2 },
		{ "a@news.example.com", "[::1]:25", 7, -9, -9 },
	};
	struct router *router = router_made();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct put *put = put_new(NULL);
		struct envelope envelope;

		envelope_init(&envelope);
		envelope.sender.text = memory_text(rows[i].sender);
		envelope.sender.local_length = 1;
		add(&envelope, 1, "y.example");
		put->facts.terms.priority = rows[i].asked;
		route_put(router, put, NULL, &envelope, rows[i].listener, NULL, 7);
		assert_int_equal(put->delivery_count, 1);
		assert_true(put->deliveries[0]->due_us == rows[i].due_us);
		assert_int_equal(put->deliveries[0]->priority, rows[i].priority);
		put_free(&put);
		envelope_release(&envelope);
	}
	router_free(&router);
}

/* RFC 4865: due and accepted at the time asked for, unless that has passed or an operator holds. */
static void test_released_later(void **state)
{
	static const struct {
		const char *sender;
		int64_t release_us, due_us, accepted_us;
	} rows[] = {
		{ "a@news.example.com", 100, 100, 100 },
		{ "a@news.example.com", 5, 7, 7 },
		{ "a@b.example", 100, CLOCK_NEVER, 100 },
	};
	struct router *router = router_made();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct put *put = put_new(NULL);
		struct envelope envelope;

		envelope_init(&envelope);
		envelope.sender.text = memory_text(rows[i].sender);
		envelope.sender.local_length = 1;
		add(&envelope, 1, "y.example");
		put->facts.terms.release_us = rows[i].release_us;
		route_put(router, put, NULL, &envelope, "[::1]:25", NULL, 7);
		assert_int_equal(put->delivery_count, 1);
		assert_true(put->deliveries[0]->due_us == rows[i].due_us);
		assert_true(put->deliveries[0]->accepted_us == rows[i].accepted_us);
		put_free(&put);
		envelope_release(&envelope);
	}
	router_free(&router);
}

static void test_when_a_delay_is_told(void **state)
{
	static const struct {
		const char *sender;
		int64_t warning_us;
		enum by_mode by_mode;
		int64_t by_us;
		int64_t release_us;
		unsigned notify;
		int64_t warn_us;
	} rows[] = {
		{ "a@b.example", 0, BY_NONE, 0, 0, NOTIFY_DEFAULT, 0 },
		{ "a@b.example", 50, BY_NONE, 0, 0, NOTIFY_DEFAULT, 57 },
		{ "a@b.example", 50, BY_NONE, 0, 100, NOTIFY_DELAY, 150 },
		{ "a@b.example", 50, BY_NONE, 0, 0, NOTIFY_NEVER, 0 },
		{ "a@b.example", 50, BY_NONE, 0, 0, NOTIFY_FAILURE, 0 },
		{ "", 50, BY_NONE, 0, 0, NOTIFY_DEFAULT, 0 },
		{ "a@b.example", 0, BY_NOTIFY, 30, 0, NOTIFY_DEFAULT, 30 },
		{ "a@b.example", 50, BY_NOTIFY, 30, 0, NOTIFY_DEFAULT, 30 },
		{ "a@b.example", 50, BY_NOTIFY, 90, 0, NOTIFY_DEFAULT, 57 },
		{ "a@b.example", 0, BY_NOTIFY, 5, 0, NOTIFY_DEFAULT, 0 },
		{ "a@b.example", 0, BY_RETURN, 30, 0, NOTIFY_DEFAULT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct route_settings mine = { .name = "r",
			                       .via = LIST("one"),
			                       .delay_warning_us = rows[i].warning_us };
		struct settings s = settings;
		struct put *put = put_new(NULL);
		struct bytes error = { 0 };
		struct envelope envelope;
		struct router *router;

		s.routes = &mine;
		s.route_count = 1;
		assert_int_equal(router_new(&router, &s, NULL, &error), 0);
		envelope_init(&envelope);
		envelope.sender.text = memory_text(rows[i].sender);
		envelope.sender.local_length = strcspn(rows[i].sender, "@");
		address_copy(&put->facts.sender, &envelope.sender);
		add(&envelope, 1, "y.example");
		envelope.recipients[0].notify = rows[i].notify;
		put->facts.terms.by_mode = rows[i].by_mode;
		put->facts.terms.by_us = rows[i].by_us;
		put->facts.terms.release_us = rows[i].release_us;
		route_put(router, put, NULL, &envelope, NULL, NULL, 7);
		if (put->deliveries[0]->warn_us != rows[i].warn_us)
			fail_msg("row %zu: %lld", i, (long long)put->deliveries[0]->warn_us);
		put_free(&put);
		envelope_release(&envelope);
		router_free(&router);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_match_wins),
		cmocka_unit_test(test_rules_on_the_header),
		cmocka_unit_test(test_generation_follows_the_rules),
		cmocka_unit_test(test_an_envelope_becomes_deliveries),
		cmocka_unit_test(test_copies_for_inboxes),
		cmocka_unit_test(test_held_and_ranked),
		cmocka_unit_test(test_released_later),
		cmocka_unit_test(test_when_a_delay_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
