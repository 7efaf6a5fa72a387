/* SPDX-License-Identifier: ISC */
/* depth.c - how many messages go behind one another to a provider, and how many a session.
 *
 * Both are learned. The depth begins at one and grows with each message that was replied to,
 * doubling with every flight up to a point, then by one a flight; a connection that was lost with
 * messages in flight makes it one again, and what it had reached half the point from where it
 * grows slowly. A provider that twice in a row ended a session amid a flight, after the same
 * number of messages, is left before that for an hour.
 */
#include "relay/private.h"

/* Where growing slows down at first: at 50 ms a round trip that is 320 messages a second on one
 * connection. */
#define DEPTH_POINT 16
#define LEARNED_FOR CLOCK_HOUR

void depth_init(struct depth *d)
{
	*d = (struct depth){ .now = 1, .point = DEPTH_POINT };
}

void depth_replied(struct depth *d, size_t max)
{
	d->replies++;
	if (d->now >= max || (d->now >= d->point && d->replies < d->now))
		return;
	d->now++;
	d->replies = 0;
}

void depth_lost(struct depth *d)
{
	/* Those that were lost side by side count once. */
	if (d->now > 1)
		d->point = d->now / 2;
	d->now = 1;
	d->replies = 0;
}

bool depth_session_ended(struct depth *d, size_t messages, int64_t now_us)
{
	bool again = messages > 0 && messages == d->ended_after;

	d->ended_after = messages;
	if (!again)
		return false;
	d->session_max = messages;
	d->session_until_us = now_us + LEARNED_FOR;
	return true;
}

size_t depth_session_max(const struct depth *d, int64_t now_us)
{
	return d->session_max > 0 && now_us < d->session_until_us ? d->session_max : SIZE_MAX;
}
