/* SPDX-License-Identifier: ISC */
/* dispatcher_private.h - the dispatcher, as its two files see it. */
#ifndef DISPATCHER_PRIVATE_H
#define DISPATCHER_PRIVATE_H

#include <pthread.h>

#include "dispatcher.h"

struct dispatcher {
	struct daemon *daemon;
	struct dispatcher_events events;
	pthread_t thread;
	bool running;
	struct loop *loop;
	struct channel *channel;
	struct reader *reader;
	struct relay *relay;
	size_t helped; /* reports being built and headers being read, by helpers */
	bool draining, told_idle;
	const struct provider_settings *probed; /* until its connection is ready or closed */
};

/* A connection's number also says its worker, so nothing has to be looked up. */
static inline struct worker *worker_of(const struct dispatcher *d, uint64_t connection)
{
	return d->daemon->workers[connection % d->daemon->worker_count];
}

/* dispatcher_ports.c: what relay/ asks for. */
struct relay_ports dispatcher_ports(void);

#endif
