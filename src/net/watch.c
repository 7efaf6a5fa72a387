/* SPDX-License-Identifier: ISC */
/* watch.c - timers, watched descriptors and signals of a loop.
 *
 * A timer is a node in the loop's heap, nothing else. A watch is one libevent event that is
 * persistent, so that a ready descriptor costs no system call beyond the wait.
 */
#include "net/private.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/memory.h"

void timer_init(struct timer *t, struct loop *loop, void (*fired)(void *context), void *context)
{
	*t = (struct timer){
		.node.index = HEAP_OUT, .loop = loop, .fired = fired, .context = context
	};
}

void timer_start_at(struct timer *t, int64_t monotonic_us)
{
	heap_move(&t->loop->timers, &t->node, monotonic_us);
}

void timer_start(struct timer *t, int64_t after_us)
{
	int64_t now = loop_now(t->loop);

	timer_start_at(t, after_us > CLOCK_NEVER - now ? CLOCK_NEVER : now + after_us);
}

void timer_stop(struct timer *t)
{
	heap_remove(&t->loop->timers, &t->node);
}

bool timer_running(const struct timer *t)
{
	return t->node.index != HEAP_OUT;
}

struct watch {
	struct event event;
	struct loop *loop;
	void (*ready)(void *context, bool readable, bool writable);
	void *context;
	int fd;
	short wanted;
};

static void watch_ready(evutil_socket_t fd, short what, void *context)
{
	struct watch *w = context;

	(void)fd;
	w->ready(w->context, (what & EV_READ) != 0, (what & EV_WRITE) != 0);
}

struct watch *watch_new(struct loop *loop, int fd,
                        void (*ready)(void *context, bool readable, bool writable), void *context)
{
	struct watch *w = memory_new(sizeof *w);

	w->loop = loop;
	w->fd = fd;
	w->ready = ready;
	w->context = context;
	return w;
}

void watch_want(struct watch *w, bool readable, bool writable)
{
	short wanted = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));

	if (wanted == w->wanted)
		return;
	if (w->wanted != 0)
		event_del(&w->event);
	w->wanted = wanted;
	if (wanted == 0)
		return;
	if (event_assign(&w->event, w->loop->base, w->fd, (short)(wanted | EV_PERSIST), watch_ready,
	                 w) != 0 ||
	    event_add(&w->event, NULL) != 0)
		log_fatal(EX_OSERR, "cannot watch descriptor %d", w->fd);
}

void watch_free(struct watch **wp)
{
	struct watch *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	watch_want(w, false, false);
	free(w);
}

struct signal_watch {
	struct event event;
	void (*fired)(void *context);
	void *context;
};

static void signal_came(evutil_socket_t number, short what, void *context)
{
	struct signal_watch *w = context;

	(void)number;
	(void)what;
	w->fired(w->context);
}

struct signal_watch *signal_watch_new(struct loop *loop, int number, void (*fired)(void *context),
                                      void *context)
{
	struct signal_watch *w = memory_new(sizeof *w);

	w->fired = fired;
	w->context = context;
	if (evsignal_assign(&w->event, loop->base, number, signal_came, w) != 0 ||
	    evsignal_add(&w->event, NULL) != 0)
		log_fatal(EX_OSERR, "cannot watch signal %d", number);
	return w;
}

void signal_watch_free(struct signal_watch **wp)
{
	struct signal_watch *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	evsignal_del(&w->event);
	free(w);
}
