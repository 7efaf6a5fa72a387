/* SPDX-License-Identifier: ISC */
/* worker_private.h - one worker, as its three files see it. */
#ifndef WORKER_PRIVATE_H
#define WORKER_PRIVATE_H

#include <pthread.h>

#include "credentials.h"
#include "worker.h"

struct worker {
	struct daemon *daemon;
	size_t number;
	struct worker_events events;
	pthread_t thread;
	bool running;
	struct loop *loop;
	struct channel *channel;
	struct reader *reader;
	struct resolver *resolver;
	struct transport transport;
	struct credentials credentials;
	struct receive *receives; /* by listener */
	struct table *outbounds;  /* connection number -> struct outbound */
	bool draining, ending;
	bool told_drained, told_quiet;
};

/* worker_store.c: what receive/ needs for settings->listeners[i]. */
void worker_receive_prepare(struct worker *w, size_t i);

/* worker_outbound.c: connections that the dispatcher ordered, by its number. */
void outbound_open(struct worker *w, uint64_t number, const struct provider_settings *provider);
void outbound_finish(struct worker *w, uint64_t number); /* after what is in flight */
void outbound_grant_arrived(struct channel_item *item, void *receiver);
void outbound_finish_all(struct worker *w);
void outbound_abandon_all(struct worker *w); /* now; their transactions go back */

#endif
