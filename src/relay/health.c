/* SPDX-License-Identifier: ISC */
/* health.c - when a provider may be connected to, and when its mail goes elsewhere.
 *
 * What counts is work: a connection that carried nothing, however it ended, makes the next one
 * wait longer, from 1 s doubling to 5 minutes; one reply to a transaction makes all well. A
 * provider is set aside when no connection gets ready, or when three in a row carried nothing.
 */
#include <stdio.h>

#include "relay/private.h"

#define BACKOFF_FIRST   CLOCK_SEC
#define BACKOFF_MAX     (5 * CLOCK_MIN)
/* So many sessions in a row may end in an ordinary way with nothing carried. */
#define USELESS_MAX     3
/* A used-up quota that says nothing of its end: looked at again after this, doubling. */
#define EXHAUSTED_FIRST (15 * CLOCK_MIN)
#define EXHAUSTED_MAX   CLOCK_HOUR
#define EXHAUSTED_MOST  CLOCK_DAY /* whatever it says: no quota is longer than to be asked daily */

static int64_t backoff_us(unsigned failures)
{
	int64_t wait = BACKOFF_FIRST;

	while (--failures > 0 && wait < BACKOFF_MAX)
		wait *= 2;
	return wait < BACKOFF_MAX ? wait : BACKOFF_MAX;
}

static void health_wait(struct health *h, int64_t from_us)
{
	int64_t after;

	h->failures++;
	after = from_us + backoff_us(h->failures);
	if (after > h->open_after_us)
		h->open_after_us = after;
}

bool health_failed(struct health *h, enum ending ending, int64_t opened_us, int64_t now_us,
                   bool others, const char *why)
{
	bool was_aside = h->aside;

	(void)snprintf(h->why, sizeof(h->why), "%s", why);
	/* Those opened side by side fail side by side: one failure. One that idled away unused is
	 * not held against the next: its wait began when it opened. */
	if (h->failures == 0 || opened_us >= h->failed_us) {
		h->failed_us = now_us;
		health_wait(h, ending == ENDING_ORDINARY ? opened_us : now_us);
	}
	if (others) { /* their work makes all well, but not this */
		h->more_after_us = now_us + backoff_us(++h->more_failures);
		return false;
	}
	if (ending == ENDING_TROUBLE || ending == ENDING_REFUSED)
		h->aside = true;
	else if (h->failures >= USELESS_MAX && h->open_after_us > now_us)
		h->aside = true;
	return h->aside && !was_aside;
}

void health_refused(struct health *h, int64_t now_us, const char *why)
{
	health_wait(h, now_us);
	h->failed_us = now_us;
	(void)snprintf(h->why, sizeof(h->why), "%s", why);
	h->aside = true;
}

void health_exhausted(struct health *h, int64_t now_us, int64_t wait_us, const char *why)
{
	if (wait_us <= 0) {
		wait_us = EXHAUSTED_FIRST;
		for (unsigned i = 0; i < h->exhausted && wait_us < EXHAUSTED_MAX; i++)
			wait_us *= 2;
	}
	h->exhausted++;
	h->failed_us = now_us;
	h->open_after_us = now_us + (wait_us < EXHAUSTED_MOST ? wait_us : EXHAUSTED_MOST);
	(void)snprintf(h->why, sizeof(h->why), "%s", why);
	h->aside = true;
}

bool health_ready(struct health *h)
{
	bool was_aside = h->aside;

	h->aside = false;
	h->more_failures = 0;
	return was_aside;
}

void health_worked(struct health *h)
{
	h->failures = 0;
	h->exhausted = 0;
	h->open_after_us = 0;
	h->why[0] = '\0';
}
