/* SPDX-License-Identifier: ISC */
/* test_resolve.c - literals, one lookup for equal questions, what is kept, cancelling, freeing.
 *
 * All but one test ask a DNS of their own: its state is the only global here, because it is asked
 * on the helper's thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "net/resolve.h"

struct asker {
	struct resolver *resolver;
	struct helper *helper;
	struct channel *home;
	struct clock_set clock;
	struct resolved found;
	struct bytes error;
	int answers;
	bool frees;
};

static atomic_int dns_state; /* 0, or the EAI_ code that every question gets */
static atomic_int dns_asked;
static atomic_bool dns_waits;

static int dns(const char *host, struct resolved *found_r)
{
	struct sockaddr_in *address = (struct sockaddr_in *)&found_r->addresses[0];

	atomic_fetch_add(&dns_asked, 1);
	while (dns_waits)
		sched_yield();
	if (dns_state != 0)
		return dns_state;
	if (strstr(host, "absent") != NULL)
		return EAI_NONAME;
	*address =
		(struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201) };
	found_r->lengths[0] = sizeof *address;
	found_r->count = 1;
	return 0;
}

static int setup(void **state)
{
	struct asker *a = memory_new(sizeof *a);

	clock_set_init(&a->clock, CLOCK_DAY);
	a->helper = helper_new("resolve", 1, 8);
	a->home = channel_new(a);
	a->resolver = resolver_new(a->helper, a->home, &a->clock.clock);
	resolver_look_up_with(a->resolver, dns);
	dns_state = 0;
	dns_asked = 0;
	*state = a;
	return 0;
}

static int teardown(void **state)
{
	struct asker *a = *state;

	resolver_free(&a->resolver);
	helper_free(&a->helper);
	channel_receive(a->home);
	channel_free(&a->home);
	bytes_release(&a->error);
	free(a);
	return 0;
}

static void done(void *context, const struct resolved *found, const char *error)
{
	struct asker *a = context;

	a->answers++;
	bytes_clear(&a->error);
	if (error != NULL)
		bytes_append_text(&a->error, error);
	else
		a->found = *found;
	if (a->frees)
		resolver_free(&a->resolver);
}

static void wait_answers(struct asker *a, int answers)
{
	while (a->answers < answers) {
		channel_wait(a->home, -1);
		channel_receive(a->home);
	}
}

static void test_literals_are_answered_at_once(void **state)
{
	static const struct {
		const char *host;
		int family;
	} rows[] = { { "127.0.0.1", AF_INET },
		     { "::1", AF_INET6 },
		     { "[::1]", AF_INET6 },
		     { "192.0.2.7", AF_INET },
		     { "2001:db8::1", AF_INET6 } };
	struct asker *a = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_null(resolver_ask(a->resolver, rows[i].host, 2525, done, a));
		assert_int_equal(a->answers, (int)i + 1);
		assert_int_equal(a->error.length, 0);
		assert_int_equal(a->found.count, 1);
		assert_int_equal(a->found.addresses[0].ss_family, rows[i].family);
		assert_int_equal(((struct sockaddr_in *)&a->found.addresses[0])->sin_port,
		                 htons(2525));
	}
}

static void test_equal_questions_are_asked_once_and_kept(void **state)
{
	struct asker *a = *state;

	assert_non_null(resolver_ask(a->resolver, "localhost", 25, done, a));
	assert_non_null(resolver_ask(a->resolver, "LocalHost", 587, done, a));
	wait_answers(a, 1);
	assert_int_equal(a->answers, 2);
	assert_int_equal(dns_asked, 1); /* one job answered both */
	assert_true(a->found.count >= 1);
	assert_int_equal(((struct sockaddr_in *)&a->found.addresses[0])->sin_port, htons(587));
	/* Fresh: at once. */
	assert_null(resolver_ask(a->resolver, "localhost", 25, done, a));
	assert_int_equal(a->answers, 3);
	clock_set_pass(&a->clock, RESOLVE_FRESH_US);
	assert_non_null(resolver_ask(a->resolver, "localhost", 25, done, a));
	wait_answers(a, 4);
}

static void ask_and_wait(struct asker *a, const char *host)
{
	int before = a->answers;

	resolver_ask(a->resolver, host, 25, done, a);
	wait_answers(a, before + 1);
}

static void test_failure_has_a_reason_and_is_kept_shortly(void **state)
{
	struct asker *a = *state;

	ask_and_wait(a, "absent.example");
	assert_string_equal(bytes_text(&a->error), gai_strerror(EAI_NONAME));
	assert_null(resolver_ask(a->resolver, "absent.example", 25, done, a));
	assert_int_equal(a->answers, 2);
	assert_int_equal(dns_asked, 1);
	clock_set_pass(&a->clock, 10 * CLOCK_SEC);
	ask_and_wait(a, "absent.example");
	assert_int_equal(dns_asked, 2);
}

static void test_stale_answer_while_dns_is_down(void **state)
{
	struct asker *a = *state;

	ask_and_wait(a, "mail.example");
	clock_set_pass(&a->clock, CLOCK_HOUR);
	dns_state = EAI_AGAIN;
	ask_and_wait(a, "mail.example");
	assert_int_equal(a->error.length, 0);
	assert_int_equal(a->found.count, 1);
	assert_int_equal(dns_asked, 2);
	/* Known to be down: at once. */
	assert_null(resolver_ask(a->resolver, "mail.example", 25, done, a));
	assert_int_equal(a->error.length, 0);
	assert_int_equal(dns_asked, 2);
	/* Up again. */
	clock_set_pass(&a->clock, CLOCK_MIN);
	dns_state = 0;
	ask_and_wait(a, "mail.example");
	assert_int_equal(dns_asked, 3);
}

static void test_stale_answer_has_an_end(void **state)
{
	struct asker *a = *state;

	ask_and_wait(a, "mail.example");
	clock_set_pass(&a->clock, 8 * CLOCK_DAY);
	dns_state = EAI_AGAIN;
	ask_and_wait(a, "mail.example");
	assert_string_equal(bytes_text(&a->error), gai_strerror(EAI_AGAIN));
}

/* DNS is well and says that the name is gone. */
static void test_denial_drops_the_answer(void **state)
{
	struct asker *a = *state;

	ask_and_wait(a, "mail.example");
	clock_set_pass(&a->clock, CLOCK_HOUR);
	dns_state = EAI_NONAME;
	ask_and_wait(a, "mail.example");
	assert_string_equal(bytes_text(&a->error), gai_strerror(EAI_NONAME));
}

static void test_cache_forgets_what_was_asked_longest_ago(void **state)
{
	struct asker *a = *state;
	char host[32];

	for (int i = 0; i < 300; i++) {
		snprintf(host, sizeof host, "host-%d.example", i);
		ask_and_wait(a, host);
		clock_set_pass(&a->clock, 1);
	}
	assert_int_equal(dns_asked, 300);
	ask_and_wait(a, "host-299.example"); /* kept */
	assert_int_equal(dns_asked, 300);
	ask_and_wait(a, "host-0.example"); /* forgotten */
	assert_int_equal(dns_asked, 301);
}

static void test_the_system_knows_localhost(void **state)
{
	struct asker *a = *state;

	resolver_free(&a->resolver);
	a->resolver = resolver_new(a->helper, a->home, &a->clock.clock);
	ask_and_wait(a, "localhost");
	assert_int_equal(a->error.length, 0);
	assert_true(a->found.count >= 1);
}

static void test_cancelled_is_not_called(void **state)
{
	struct asker *a = *state;
	struct resolve_query *first = resolver_ask(a->resolver, "localhost", 25, done, a);

	assert_non_null(resolver_ask(a->resolver, "localhost", 26, done, a));
	resolver_cancel(&first);
	assert_null(first);
	resolver_cancel(&first);
	wait_answers(a, 1);
	assert_int_equal(a->answers, 1);
	assert_int_equal(((struct sockaddr_in *)&a->found.addresses[0])->sin_port, htons(26));
}

static void test_freed_resolver_calls_nobody(void **state)
{
	struct asker *a = *state;

	resolver_ask(a->resolver, "localhost", 25, done, a);
	resolver_free(&a->resolver);
	helper_free(&a->helper);
	channel_receive(a->home);
	assert_int_equal(a->answers, 0);
}

static void test_resolver_freed_in_its_answer(void **state)
{
	struct asker *a = *state;

	a->frees = true;
	resolver_ask(a->resolver, "localhost", 25, done, a);
	resolver_ask(a->resolver, "localhost", 26, done, a);
	wait_answers(a, 1);
	assert_null(a->resolver);
	assert_int_equal(a->answers, 1);
}

static void test_many_names_are_bounded(void **state)
{
	struct asker *a = *state;
	char host[32];
	int refused = 0;

	/* The helper takes 8 and what is running, and that waits; the others are told at once. */
	dns_waits = true;
	for (int i = 0; i < 100; i++) {
		snprintf(host, sizeof host, "host-%d.example", i);
		refused += resolver_ask(a->resolver, host, 25, done, a) == NULL;
	}
	assert_true(refused > 0);
	assert_int_equal(a->answers, refused);
	dns_waits = false;
	wait_answers(a, 100);
}

static void test_bad_names_are_refused(void **state)
{
	struct asker *a = *state;
	char host[300];

	memset(host, 'a', sizeof host);
	host[sizeof host - 1] = '\0';
	assert_null(resolver_ask(a->resolver, host, 25, done, a));
	assert_int_equal(a->answers, 1);
	assert_true(a->error.length > 0);
	assert_null(resolver_ask(a->resolver, "", 25, done, a));
	assert_int_equal(a->answers, 2);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_literals_are_answered_at_once),
		TEST(test_equal_questions_are_asked_once_and_kept),
		TEST(test_failure_has_a_reason_and_is_kept_shortly),
		TEST(test_stale_answer_while_dns_is_down),
		TEST(test_stale_answer_has_an_end),
		TEST(test_denial_drops_the_answer),
		TEST(test_cache_forgets_what_was_asked_longest_ago),
		TEST(test_the_system_knows_localhost),
		TEST(test_cancelled_is_not_called),
		TEST(test_freed_resolver_calls_nobody),
		TEST(test_resolver_freed_in_its_answer),
		TEST(test_many_names_are_bounded),
		TEST(test_bad_names_are_refused),
	};

	return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
