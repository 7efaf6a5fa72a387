/* SPDX-License-Identifier: ISC */
/* dispatcher.h - the thread that runs struct relay, and the mail between it and the others.
 *
 * Functions may be called from any thread unless said otherwise: they post to its channel.
 */
#ifndef DISPATCHER_H
#define DISPATCHER_H

#include "daemon.h"
#include "relay/relay.h"

struct dispatcher_events {
	/* On the main thread: after dispatcher_drain(), nothing is in flight any more. */
	void (*idle)(void *context);
	/* On the main thread: how the connection of dispatcher_probe() went; why NULL: ready. */
	void (*probed)(void *context, const struct provider_settings *provider, const char *why);
	void *context;
};

/* Between spool_open() and spool_start(): takes numbers for the providers. */
int dispatcher_new(struct dispatcher **dispatcher_r, struct daemon *daemon,
                   const struct dispatcher_events *events, struct bytes *error);
int dispatcher_start(struct dispatcher *dispatcher, struct bytes *error);

/* From the workers. */
void dispatcher_ready(struct dispatcher *dispatcher, uint64_t connection,
                      const struct peer_facts *facts);
void dispatcher_closed(struct dispatcher *dispatcher, uint64_t connection,
                       enum connection_stage stage, const struct reply *why);
void dispatcher_replied(struct dispatcher *dispatcher, struct grant_news *news); /* takes it */

/* From the control API. */
void dispatcher_order(struct dispatcher *dispatcher, struct relay_order *order);
void dispatcher_status(struct dispatcher *dispatcher, struct relay_status_request *request);

/* Opens one connection to see whether it can be had, and closes it. */
void dispatcher_probe(struct dispatcher *dispatcher, const struct provider_settings *provider);

void dispatcher_drain(struct dispatcher *dispatcher); /* no new grants */
void dispatcher_exit(struct dispatcher *dispatcher);  /* the thread returns */
void dispatcher_join(struct dispatcher *dispatcher);
void dispatcher_free(struct dispatcher **dispatcher);

#endif
