/* SPDX-License-Identifier: ISC */
/* receive.h - one inbound SMTP session (RFC 5321) on a stream.
 *
 * Lives on a worker. Reads commands, streams the content into a put, answers 250 only in the put's
 * completion. Never touches a socket, a clock of its own, or LMDB.
 */
#ifndef RECEIVE_RECEIVE_H
#define RECEIVE_RECEIVE_H

#include "base/helper.h"
#include "base/list.h"
#include "config/settings.h"
#include "net/stream.h"
#include "relay/route.h"
#include "spool/spool.h"

/* The way into the spool; the daemon passes spool_...() through, tests script it. */
struct receive_store {
	/* Room for so many octets, if `spare` more are left then. */
	bool (*reserve)(void *context, uint64_t octets, uint64_t spare);
	void (*unreserve)(void *context, uint64_t octets);
	struct put *(*put_new)(void *context);
	void (*put)(void *context, struct put *put);
	uint64_t (*blob_new)(void *context);
	void (*chunk)(void *context, struct chunk *chunk);
	void (*drop)(void *context, uint64_t blob);
	/* Routes the envelope into the put: route_put(). */
	void (*route)(void *context, struct put *put, const struct envelope *envelope,
	              const char *listener);
	size_t piece_size;
	void *context;
};

/* Connections, messages and errors of each client address, counted by all workers (atomics). */
struct clients;
struct clients *clients_new(void);
void clients_free(struct clients **clients);

/* A login to be compared with a users' file. */
struct faults;
struct users;
struct login_check {
	struct helper_job job; /* first; job.home is the asker's to set, the rest users.c's */
	void (*done)(struct login_check *check); /* on the thread of home */
	const char *name, *password;             /* the asker's, until done() */
	struct users *users;                     /* users.c's */
	uint64_t generation;                     /* of the table that was asked */
	bool good;
	bool known; /* there is that name; for the log only */
};

/* The logins of a listener; the daemon passes users_...() through, tests script it. */
struct receive_users {
	uint64_t (*generation)(void *context); /* another one: another table */
	/* 0, and done() follows, never from inside; -1: too many wait. */
	int (*check)(void *context, struct login_check *check);
	void *context;
};

/* Logins that were good a moment ago, of one worker. */
struct login_cache;
struct login_cache *login_cache_new(void);
void login_cache_free(struct login_cache **cache); /* wipes */

/* A session in which something was refused, or which broke off, and no message was accepted. */
struct session_record {
	struct channel_item item; /* the hook's */
	int64_t time_us;          /* wall clock of its end */
	char *client, *helo;      /* helo NULL: not greeted */
	char *reason;             /* the first refusal, or how it ended */
	struct bytes dialogue;    /* mail/dialogue.h */
};
void session_record_free(struct session_record **record);

/* Who wants to know what is said to clients. On the worker, from inside: not to block. */
struct receive_watch {
	void (*failed)(void *context, struct session_record *record); /* takes it; NULL: nobody */
	/* A reply of 4yz or 5yz; NULL: nobody. */
	void (*refused)(void *context, const char *client, const char *text);
	void *context;
};

/* What the sessions of one worker and one listener share. Outlives them. */
struct receive {
	const struct settings *settings;
	const struct listener_settings *listener;
	struct receive_store store;
	struct loop *loop;
	struct channel *home;    /* completions arrive here */
	struct tls_context *tls; /* NULL: no TLS offered */
	struct clients *clients;
	struct receive_users users;
	struct login_cache *logins; /* NULL: nothing is remembered */
	struct faults *faults;      /* NULL: none; released by who set it */
	bool records;               /* dialogues go with the messages, and to `watch` */
	struct receive_watch watch;
	struct list sessions; /* open ones, and those whose request is still with the writer */
	bool stopping;
	/* Private to admission.c: when silent sessions last had to go for want of room, when the
	 * log was last told of refused connections, and how many there were since. */
	int64_t relieved_us, told_us;
	size_t refused;
};
/* Call it before the other members are used; they are the caller's to set. */
void receive_init(struct receive *receive);
/* Says 421 to the sessions that are between transactions, and to the others as soon as they are;
 * new ones get 421 at once. */
void receive_stop(struct receive *receive);
bool receive_idle(const struct receive *receive); /* no session is left */
/* Ends what is still there, at once. Who has a request with the writer stays, without its stream,
 * until the request is back: receive_idle() tells. */
void receive_end(struct receive *receive);

struct session;
/* Takes the stream. The session frees itself when it is over. NULL: it was refused at once (too
 * many connections, stopping) and told so. */
struct session *session_new(struct receive *receive, struct stream *stream);

#endif
