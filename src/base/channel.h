/* SPDX-License-Identifier: ISC */
/* channel.h - how threads hand each other work: a queue and an eventfd.
 *
 * Rules. Posting never blocks and never fails: what is posted is bounded by the
 * credit of who posts it (a session has one request outstanding, a grant one
 * outcome ...). An item belongs to the receiver from the post until it is posted
 * back. The eventfd is written only when the queue was empty, so a busy receiver
 * costs its senders no system call. One thread receives; any thread posts. Items of one sender
 * arrive in order.
 */
#ifndef BASE_CHANNEL_H
#define BASE_CHANNEL_H

#include <stdbool.h>

/* Embedded, usually first, in what travels. `arrived` is run on the receiving thread. */
struct channel_item {
	struct channel_item *next;
	void (*arrived)(struct channel_item *item, void *receiver);
};

struct channel;

/* `receiver` is handed to each item's arrived(). */
struct channel *channel_new(void *receiver);
void channel_free(struct channel **channel); /* empty by then, and nobody posts any more */

/* From any thread. */
void channel_post(struct channel *channel, struct channel_item *item);
/* Posts a list linked by next, in order, with at most one wake-up. */
void channel_post_list(struct channel *channel, struct channel_item *first);

/* Readable when there is something to receive; the receiver watches it. */
int channel_fd(const struct channel *channel);
/* Runs arrived() of everything queued when it is called. Returns whether there was any. */
bool channel_receive(struct channel *channel);
/* Takes the queue as a list without running it (the writer's way to batch). */
struct channel_item *channel_take(struct channel *channel);
/* Blocks until something is queued or timeout_us passed (-1: no limit), seldom shorter; only
 * for threads that have no loop (the writer, helpers). */
void channel_wait(struct channel *channel, long timeout_us);

/* Wake-ups written so far, for the metric of that name. */
unsigned long channel_wakeups(const struct channel *channel);

#endif
