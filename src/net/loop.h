/* SPDX-License-Identifier: ISC */
/* loop.h - one thread's event loop: descriptors, timers, its channel.
 *
 * A thin face over a libevent base (no locks; never used from another thread). Timers are kept in a
 * heap with a single kernel timer behind it: arming one costs no system call. A loop made by
 * loop_new_set() has a set clock and no kernel at all: time passes when the test says so, and
 * streams come in pairs.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/heap.h"

struct loop;

/* Once, before threads run: what libevent has to say goes to our log, and its end is ours. */
void loop_take_words(void);
struct loop *loop_new(const struct clock *clock);
struct loop *loop_new_set(struct clock_set *clock);
/* What was made on it (streams, watches, timers) is freed before, but for what closes by itself. */
void loop_free(struct loop **loop);

const struct clock *loop_clock(const struct loop *loop);
/* Monotonic time of this turn of the loop: one clock read a turn. */
int64_t loop_now(struct loop *loop);

void loop_run(struct loop *loop);  /* until loop_stop() */
void loop_stop(struct loop *loop); /* from a callback of this loop */
/* One turn, at once or when something is due; for tests that wait for a condition. */
void loop_turn(struct loop *loop, bool wait);
/* With a set clock: lets `us` pass, running what becomes due in order. */
void loop_pass(struct loop *loop, int64_t us);

/* Receives on `channel` for as long as the loop lives. */
void loop_attach(struct loop *loop, struct channel *channel);
/* Called at the end of each turn, before sleeping (to flush what the turn gathered). */
void loop_on_turn(struct loop *loop, void (*turn)(void *context), void *context);
/* The number of turns so far, for the metric of wake-ups. */
unsigned long loop_turns(const struct loop *loop);

/* A timer is embedded; timer_init() once, then start and stop as often as one likes. */
struct timer {
	struct heap_node node;
	struct loop *loop;
	void (*fired)(void *context);
	void *context;
};
void timer_init(struct timer *t, struct loop *loop, void (*fired)(void *context), void *context);
void timer_start(struct timer *t, int64_t after_us); /* restarts when running */
void timer_start_at(struct timer *t, int64_t monotonic_us);
void timer_stop(struct timer *t);
bool timer_running(const struct timer *t);

/* A descriptor that is watched; level triggered. */
struct watch;
struct watch *watch_new(struct loop *loop, int fd,
                        void (*ready)(void *context, bool readable, bool writable), void *context);
void watch_want(struct watch *w, bool readable, bool writable);
void watch_free(struct watch **w); /* does not close the descriptor */

/* SIGTERM and friends, only on the main thread's loop. */
struct signal_watch;
struct signal_watch *signal_watch_new(struct loop *loop, int signal, void (*fired)(void *context),
                                      void *context);
void signal_watch_free(struct signal_watch **w);

/* The libevent base, for evhttp in web/ only. */
struct event_base;
struct event_base *loop_base(struct loop *loop);

#endif
