/* SPDX-License-Identifier: ISC */
/* test_channel.c - order, wake-ups only of an empty queue, and nothing lost between threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/channel.h"

#define SENDERS 4
#define EACH    20000

struct message {
	struct channel_item item;
	unsigned sender, number;
};

struct receiver {
	struct channel *channel;
	unsigned seen;
	unsigned next[SENDERS];
	struct message *again; /* posted anew when it arrives */
};

static bool readable(const struct channel *c)
{
	struct pollfd p = { .fd = channel_fd(c), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void arrived(struct channel_item *item, void *context)
{
	struct message *m = (struct message *)(void *)item;
	struct receiver *r = context;

	assert_int_equal(m->number, r->next[m->sender]);
	r->next[m->sender]++;
	r->seen++;
	if (r->again == m) {
		r->again = NULL;
		m->number++;
		channel_post(r->channel, item);
	}
}

static void wakes_only_when_it_was_empty(void **state)
{
	struct receiver r = { 0 };
	struct message m[3];
	struct channel *c = r.channel = channel_new(&r);

	(void)state;
	assert_false(readable(c));
	assert_false(channel_receive(c));
	for (unsigned i = 0; i < 3; i++) {
		m[i] = (struct message){ { NULL, arrived }, 0, i };
		channel_post(c, &m[i].item);
	}
	assert_int_equal(channel_wakeups(c), 1);
	assert_true(readable(c));
	channel_wait(c, -1);
	assert_true(channel_receive(c));
	assert_int_equal(r.seen, 3);
	assert_false(readable(c));
	channel_wait(c, 0);
	channel_wait(c, 1);
	channel_free(&c);
	assert_null(c);
	channel_free(&c);
}

static void posts_and_takes_lists(void **state)
{
	struct receiver r = { 0 };
	struct message m[4];
	struct channel *c = r.channel = channel_new(&r);
	struct channel_item *item;
	unsigned count = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		m[i] = (struct message){ { i == 1 || i == 3 ? NULL : &m[i + 1].item, arrived },
			                 0,
			                 i };
	channel_post_list(c, NULL);
	assert_int_equal(channel_wakeups(c), 0);
	channel_post_list(c, &m[0].item);
	channel_post_list(c, &m[2].item);
	assert_int_equal(channel_wakeups(c), 1);
	for (item = channel_take(c); item != NULL; item = item->next)
		assert_ptr_equal(item, &m[count++].item);
	assert_int_equal(count, 4);
	assert_null(channel_take(c));
	channel_free(&c);
}

static void leaves_what_is_posted_meanwhile(void **state)
{
	struct message m = { { NULL, arrived }, 0, 0 };
	struct receiver r = { .again = &m };
	struct channel *c = r.channel = channel_new(&r);

	(void)state;
	channel_post(c, &m.item);
	assert_true(channel_receive(c));
	assert_int_equal(r.seen, 1);
	assert_true(readable(c));
	assert_true(channel_receive(c));
	assert_int_equal(r.seen, 2);
	channel_free(&c);
}

struct sender {
	struct channel *channel;
	struct message *messages;
};

static void *post_all(void *context)
{
	struct sender *s = context;

	for (unsigned i = 0; i < EACH; i++)
		channel_post(s->channel, &s->messages[i].item);
	return NULL;
}

static void loses_nothing_between_threads(void **state)
{
	struct receiver r = { 0 };
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];
	struct channel *c = r.channel = channel_new(&r);

	(void)state;
	for (unsigned s = 0; s < SENDERS; s++) {
		senders[s] = (struct sender){ c, calloc(EACH, sizeof(struct message)) };
		for (unsigned i = 0; i < EACH; i++)
			senders[s].messages[i] = (struct message){ { NULL, arrived }, s, i };
		assert_int_equal(pthread_create(&threads[s], NULL, post_all, &senders[s]), 0);
	}
	while (r.seen < SENDERS * EACH) {
		channel_wait(c, -1); /* a lost wake-up would hang here */
		channel_receive(c);
	}
	for (unsigned s = 0; s < SENDERS; s++) {
		pthread_join(threads[s], NULL);
		free(senders[s].messages);
		assert_int_equal(r.next[s], EACH);
	}
	assert_true(channel_wakeups(c) <= SENDERS * EACH);
	channel_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wakes_only_when_it_was_empty),
		cmocka_unit_test(posts_and_takes_lists),
		cmocka_unit_test(leaves_what_is_posted_meanwhile),
		cmocka_unit_test(loses_nothing_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
