/* SPDX-License-Identifier: ISC */
/* worker.h - a thread that owns inbound sessions and outbound connections.
 *
 * A connection lives and dies on one worker; nothing on a worker blocks. All functions
 * but new, join and free may be called from any thread: they post to its channel.
 */
#ifndef WORKER_H
#define WORKER_H

#include "daemon.h"
#include "relay/relay.h"

struct faults_change;

/* Told on the main thread, through daemon->main. */
struct worker_events {
	void (*drained)(void *context,
	                size_t number);              /* after worker_drain(): no session is left */
	void (*quiet)(void *context, size_t number); /* after worker_end(): no connection either */
	void *context;
};

struct worker *worker_new(struct daemon *daemon, size_t number, const struct worker_events *events);
int worker_start(struct worker *worker, struct bytes *error);

/* Takes the accepted socket of settings->listeners[listener]. */
void worker_accept(struct worker *worker, size_t listener, int fd);
/* For the next handshakes of that listener; takes the context. */
void worker_use_tls(struct worker *worker, size_t listener, struct tls_context *tls);
/* For what happens in its sessions from now on; the last worker that has it sends the change back.
 */
void worker_use_faults(struct worker *worker, struct faults_change *change);
/* Opens outbound connection `connection`; dispatcher_ready() or dispatcher_closed() follows. */
void worker_open(struct worker *worker, uint64_t connection,
                 const struct provider_settings *provider);
void worker_finish(struct worker *worker, uint64_t connection);
void worker_grant(struct worker *worker, struct grant *grant); /* takes it */

void worker_drain(struct worker *worker); /* sessions are sent away between transactions */
void worker_end(struct worker *worker); /* sessions end now, connections after what is in flight */
void worker_abandon(struct worker *worker); /* connections end now */
void worker_exit(struct worker *worker);    /* the thread returns */
void worker_join(struct worker *worker);
void worker_free(struct worker **worker);

#endif
