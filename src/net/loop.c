/* SPDX-License-Identifier: ISC */
/* loop.c - the order of a turn, time, and sleeping.
 *
 * Decides when callbacks run (see private.h) and how long to sleep; what a stream does is its
 * own. libevent sees one timer: the heap's first, and only when it comes earlier than
 * what is armed already. A loop with a set clock goes through the same turn without a kernel.
 */
#include "net/private.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/memory.h"

/* Turns in a row without time passing after which a set clock's loop is taken for stuck:
 * far more than any test moves in pieces of one octet. */
#define TURNS_AT_ONE_TIME_MAX 10000000

struct attached {
	struct list link;
	struct channel *channel;
	struct watch *watch; /* NULL with a set clock */
};

struct hook {
	struct list link;
	void (*turn)(void *context);
	void *context;
};

static struct loop *loop_make(const struct clock *clock)
{
	struct loop *loop = memory_new(sizeof *loop);

	loop->clock = clock;
	loop->alarm_at = CLOCK_NEVER;
	list_init(&loop->channels);
	list_init(&loop->hooks);
	list_init(&loop->flush);
	list_init(&loop->ready);
	list_init(&loop->closing);
	list_init(&loop->graves);
	loop->raw = memory_new(STREAM_READ_SIZE);
	loop->plain = memory_new(LOOP_PLAIN_SIZE);
	return loop;
}

/* The alarm only has to end the sleep; timers are looked at in every turn. */
static void alarm_rang(evutil_socket_t fd, short what, void *context)
{
	struct loop *loop = context;

	(void)fd;
	(void)what;
	loop->alarm_at = CLOCK_NEVER;
}

static void libevent_says(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_warning("libevent says=%s", log_quoted(text));
}

static void libevent_ends(int status)
{
	log_error("libevent cannot go on status=%d", status);
	exit(EX_SOFTWARE);
}

void loop_take_words(void)
{
	event_set_log_callback(libevent_says);
	event_set_fatal_callback(libevent_ends);
}

struct loop *loop_new(const struct clock *clock)
{
	struct loop *loop = loop_make(clock);
	struct event_config *config = event_config_new();

	/* One thread, so no locks; our timers are not libevent's, so no time cache. */
	if (config == NULL ||
	    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME) !=
	            0 ||
	    (loop->base = event_base_new_with_config(config)) == NULL)
		log_fatal(EX_OSERR, "cannot make an event loop: too few descriptors?");
	event_config_free(config);
	loop->alarm = evtimer_new(loop->base, alarm_rang, loop);
	if (loop->alarm == NULL)
		log_fatal(EX_OSERR, "out of memory");
	return loop;
}

struct loop *loop_new_set(struct clock_set *clock)
{
	struct loop *loop = loop_make(&clock->clock);

	loop->set = clock;
	return loop;
}

static void reap(struct loop *loop)
{
	struct list *node;

	while ((node = list_first(&loop->graves)) != NULL) {
		list_remove(node);
		free(list_entry(node, struct stream, life_link));
	}
}

static void free_attachments(struct loop *loop)
{
	struct list *node;

	while ((node = list_first(&loop->channels)) != NULL) {
		struct attached *a = list_entry(node, struct attached, link);

		list_remove(node);
		if (a->watch != NULL)
			watch_free(&a->watch);
		free(a);
	}
	while ((node = list_first(&loop->hooks)) != NULL) {
		list_remove(node);
		free(list_entry(node, struct hook, link));
	}
}

void loop_free(struct loop **loop_p)
{
	struct loop *loop = *loop_p;
	struct list *node;

	if (loop == NULL)
		return;
	*loop_p = NULL;
	while ((node = list_first(&loop->closing)) != NULL)
		stream_bury(list_entry(node, struct stream, life_link));
	reap(loop);
	free_attachments(loop);
	heap_release(&loop->timers);
	if (loop->base != NULL) {
		event_free(loop->alarm);
		event_base_free(loop->base);
	}
	free(loop->raw);
	free(loop->plain);
	free(loop);
}

const struct clock *loop_clock(const struct loop *loop)
{
	return loop->clock;
}

int64_t loop_now(struct loop *loop)
{
	if (!loop->now_known) {
		loop->now = clock_monotonic(loop->clock);
		loop->now_known = true;
	}
	return loop->now;
}

/* Only those that are due when it begins: a timer that starts itself anew at once waits a turn,
 * so that it cannot keep descriptors waiting. */
static void run_timers(struct loop *loop)
{
	int64_t now = loop_now(loop);
	size_t due_max = loop->timers.count;
	struct heap_node *node;

	while (due_max-- > 0 && (node = heap_first(&loop->timers)) != NULL && node->key <= now) {
		struct timer *t = list_entry(node, struct timer, node);

		heap_remove(&loop->timers, node);
		t->fired(t->context);
	}
}

/* Moves the list aside first: what becomes due meanwhile waits for the next turn. */
static void run_streams(struct list *from, size_t offset, void (*run)(struct stream *s))
{
	struct list now, *node;

	if (list_empty(from))
		return;
	list_append(from, &now); /* takes the place of the head */
	list_remove(from);
	while ((node = list_first(&now)) != NULL) {
		list_remove(node);
		run((struct stream *)(void *)((char *)node - offset));
	}
}

static void end_of_turn(struct loop *loop)
{
	struct list *node, *after;

	run_timers(loop);
	run_streams(&loop->ready, offsetof(struct stream, ready_link), stream_tell);
	list_each(node, after, &loop->hooks)
	{
		struct hook *hook = list_entry(node, struct hook, link);

		hook->turn(hook->context);
	}
	run_streams(&loop->flush, offsetof(struct stream, flush_link), stream_flush_turn);
	reap(loop);
	loop->turns++;
}

static bool is_pending(const struct loop *loop)
{
	return !list_empty(&loop->ready) || !list_empty(&loop->flush);
}

/* Whether to sleep; if so the alarm is set early enough. */
static bool set_alarm(struct loop *loop)
{
	struct heap_node *first = heap_first(&loop->timers);
	struct timeval after;
	int64_t us;

	if (is_pending(loop) || loop->stopping)
		return false;
	if (first == NULL)
		return true;
	us = first->key - loop_now(loop);
	if (us <= 0)
		return false;
	if (first->key >= loop->alarm_at)
		return true;
	after.tv_sec = (time_t)(us / CLOCK_SEC);
	after.tv_usec = (suseconds_t)(us % CLOCK_SEC);
	if (evtimer_add(loop->alarm, &after) != 0)
		log_fatal(EX_OSERR, "cannot arm a timer");
	loop->alarm_at = first->key;
	return true;
}

static bool receive_channels(struct loop *loop)
{
	struct list *node, *after;
	bool any = false;

	list_each(node, after, &loop->channels) any |=
		channel_receive(list_entry(node, struct attached, link)->channel);
	return any;
}

void loop_turn(struct loop *loop, bool wait)
{
	int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;

	if (loop->base == NULL) {
		receive_channels(loop);
	} else {
		if (!wait || !set_alarm(loop))
			flags |= EVLOOP_NONBLOCK;
		loop->now_known = false;
		if (event_base_loop(loop->base, flags) < 0)
			log_fatal(EX_OSERR, "the event loop failed");
	}
	end_of_turn(loop);
}

void loop_run(struct loop *loop)
{
	while (!loop->stopping)
		loop_turn(loop, true);
	loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

/* Runs turns until nothing is left to do at this time. */
static void settle(struct loop *loop)
{
	long turns = 0;
	struct heap_node *first;
	bool received;

	do {
		loop->now_known = false;
		loop_turn(loop, false);
		received = receive_channels(loop);
		if (++turns > TURNS_AT_ONE_TIME_MAX)
			log_fatal(EX_SOFTWARE, "the loop never comes to rest");
		first = heap_first(&loop->timers);
	} while (received || is_pending(loop) || (first != NULL && first->key <= loop_now(loop)));
}

void loop_pass(struct loop *loop, int64_t us)
{
	int64_t until = loop->set->monotonic_us + us;
	struct heap_node *first;

	settle(loop);
	while ((first = heap_first(&loop->timers)) != NULL && first->key <= until) {
		clock_set_pass(loop->set, first->key - loop->set->monotonic_us);
		settle(loop);
	}
	clock_set_pass(loop->set, until - loop->set->monotonic_us);
	settle(loop);
}

static void channel_ready(void *context, bool readable, bool writable)
{
	(void)readable;
	(void)writable;
	channel_receive(context);
}

void loop_attach(struct loop *loop, struct channel *channel)
{
	struct attached *a = memory_new(sizeof *a);

	a->channel = channel;
	list_append(&loop->channels, &a->link);
	if (loop->base == NULL)
		return;
	a->watch = watch_new(loop, channel_fd(channel), channel_ready, channel);
	watch_want(a->watch, true, false);
}

void loop_on_turn(struct loop *loop, void (*turn)(void *context), void *context)
{
	struct hook *hook = memory_new(sizeof *hook);

	hook->turn = turn;
	hook->context = context;
	list_append(&loop->hooks, &hook->link);
}

unsigned long loop_turns(const struct loop *loop)
{
	return loop->turns;
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}
