/* SPDX-License-Identifier: ISC */
/* channel.c - a list under a mutex, and an eventfd that says it is not empty.
 *
 * Invariant: when the list is not empty, an eventfd write came after the receiver's last
 * read of it, or is about to come from the thread that found the list empty. The
 * receiver therefore reads the eventfd first and takes the list second; the other
 * way round a wake-up could be eaten whose item stays. The price is a wake-up
 * now and then that finds nothing.
 */
#include "base/channel.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metric.h"

struct channel {
	pthread_mutex_t lock;
	struct channel_item *first; /* under the lock, as is last */
	struct channel_item *last;
	void *receiver;
	int fd;
	atomic_ulong wakeups;
};

struct channel *channel_new(void *receiver)
{
	struct channel *channel = memory_new(sizeof(*channel));

	channel->receiver = receiver;
	channel->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (channel->fd < 0)
		log_fatal(EX_OSERR, "cannot open an eventfd: %s", strerror(errno));
	pthread_mutex_init(&channel->lock, NULL);
	return channel;
}

void channel_free(struct channel **cp)
{
	struct channel *channel = *cp;

	if (channel == NULL)
		return;
	*cp = NULL;
	assert(channel->first == NULL);
	pthread_mutex_destroy(&channel->lock);
	close(channel->fd);
	free(channel);
}

static void wake(struct channel *channel)
{
	uint64_t one = 1;

	atomic_fetch_add_explicit(&channel->wakeups, 1, memory_order_relaxed);
	metric_add(METRIC_WAKEUPS, 1);
	/* EAGAIN means that the counter is full, so the receiver is being woken anyway. */
	while (write(channel->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void append(struct channel *channel, struct channel_item *first, struct channel_item *last)
{
	bool was_empty;

	last->next = NULL;
	pthread_mutex_lock(&channel->lock);
	was_empty = channel->first == NULL;
	if (was_empty)
		channel->first = first;
	else
		channel->last->next = first;
	channel->last = last;
	pthread_mutex_unlock(&channel->lock);
	if (was_empty)
		wake(channel);
}

void channel_post(struct channel *channel, struct channel_item *item)
{
	append(channel, item, item);
}

void channel_post_list(struct channel *channel, struct channel_item *first)
{
	struct channel_item *last = first;

	if (first == NULL)
		return;
	while (last->next != NULL)
		last = last->next;
	append(channel, first, last);
}

int channel_fd(const struct channel *channel)
{
	return channel->fd;
}

struct channel_item *channel_take(struct channel *channel)
{
	struct channel_item *first;
	uint64_t count;

	while (read(channel->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&channel->lock);
	first = channel->first;
	channel->first = channel->last = NULL;
	pthread_mutex_unlock(&channel->lock);
	return first;
}

bool channel_receive(struct channel *channel)
{
	struct channel_item *item = channel_take(channel);
	bool any = item != NULL;

	while (item != NULL) {
		struct channel_item *next = item->next;

		item->next = NULL;
		item->arrived(item, channel->receiver);
		item = next;
	}
	return any;
}

void channel_wait(struct channel *channel, long timeout_us)
{
	struct pollfd pollfd = { .fd = channel->fd, .events = POLLIN };
	struct timespec limit = { .tv_sec = timeout_us / 1000000,
		                  .tv_nsec = timeout_us % 1000000 * 1000 };

	ppoll(&pollfd, 1, timeout_us < 0 ? NULL : &limit, NULL);
}

unsigned long channel_wakeups(const struct channel *channel)
{
	return atomic_load_explicit(&channel->wakeups, memory_order_relaxed);
}
