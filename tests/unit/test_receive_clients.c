/* SPDX-License-Identifier: ISC */
/* test_receive_clients.c - counts that many threads keep without a lock. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "receive/private.h"

static void counts_each_client_by_itself(void **state)
{
	struct clients *clients = clients_new();
	struct client_count a[3], b, zero = { 0 };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(clients_enter(clients, span_of_text("a"), &a[i]), i + 1);
	assert_int_equal(clients_enter(clients, span_of_text("b"), &b), 1);
	clients_leave(clients, &a[1]);
	clients_leave(clients, &a[1]); /* leaving twice counts once */
	clients_leave(clients, &zero);
	assert_int_equal(clients_enter(clients, span_of_text("a"), &a[1]), 3);
	clients_leave(clients, &b);
	assert_int_equal(clients_enter(clients, span_of_text("b"), &b), 1);
	clients_free(&clients);
	assert_null(clients);
}

/* Far more clients than there are slots: memory does not grow, what is counted is counted right,
 * and every slot comes back. */
static void is_bounded_and_comes_back(void **state)
{
	enum { MANY = 200000 };
	static struct client_count counts[MANY];
	struct clients *clients = clients_new();

	(void)state;
	for (int round = 0; round < 2; round++) {
		size_t counted = 0;

		for (uint32_t i = 0; i < MANY; i++) {
			size_t n = clients_enter(clients, span_of(&i, sizeof i), &counts[i]);

			assert_true(n <= 1);
			counted += n;
		}
		assert_in_range(counted, 120000, 131072);
		for (uint32_t i = 0; i < MANY; i++)
			clients_leave(clients, &counts[i]);
	}
	clients_free(&clients);
}

static void *come_and_go(void *context)
{
	struct clients *clients = context;
	struct client_count counts[4];

	for (int i = 0; i < 20000; i++) {
		for (uint8_t k = 0; k < 4; k++)
			clients_enter(clients, span_of(&k, 1), &counts[k]);
		for (uint8_t k = 0; k < 4; k++)
			clients_leave(clients, &counts[k]);
	}
	return NULL;
}

static void threads_agree_in_the_end(void **state)
{
	struct clients *clients = clients_new();
	struct client_count count;
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, clients), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (uint8_t k = 0; k < 4; k++)
		assert_int_equal(clients_enter(clients, span_of(&k, 1), &count), 1);
	clients_free(&clients);
}

static void memory_is_shared_out(void **state)
{
	struct clients *clients = clients_new();

	(void)state;
	assert_int_equal(clients_content_share(NULL, 1, 1000), 1000);
	assert_int_equal(clients_content_share(clients, 1, 65536), 65536);
	for (int i = 0; i < 1000; i++)
		clients_content_begin(clients);
	assert_int_equal(clients_content_share(clients, 1, 65536), CONTENT_BUDGET / 1000);
	assert_int_equal(clients_content_share(clients, 30000, 65536), 30000);
	for (int i = 0; i < 900; i++)
		clients_content_end(clients);
	assert_int_equal(clients_content_share(clients, 1, 65536), 65536);
	clients_free(&clients);
}

static void clients_are_counted_once(void **state)
{
	struct clients *clients = clients_new();
	struct client_count a[2], b, listener;

	(void)state;
	assert_int_equal(clients_enter_total(clients, span_of_text("here"), &listener), 1);
	assert_int_equal(clients_distinct(clients), 0);
	clients_enter(clients, span_of_text("a"), &a[0]);
	clients_enter(clients, span_of_text("a"), &a[1]);
	clients_enter(clients, span_of_text("b"), &b);
	assert_int_equal(clients_distinct(clients), 2);
	clients_leave(clients, &a[0]);
	assert_int_equal(clients_distinct(clients), 2);
	clients_leave(clients, &a[1]);
	clients_leave(clients, &listener);
	assert_int_equal(clients_distinct(clients), 1);
	clients_leave(clients, &b);
	assert_int_equal(clients_distinct(clients), 0);
	clients_free(&clients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_each_client_by_itself),
		cmocka_unit_test(is_bounded_and_comes_back),
		cmocka_unit_test(memory_is_shared_out),
		cmocka_unit_test(clients_are_counted_once),
		cmocka_unit_test(threads_agree_in_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
