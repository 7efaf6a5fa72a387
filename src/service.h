/* SPDX-License-Identifier: ISC */
/* service.h - one running penstockd, as the files of its main thread see it: daemon.c makes and
 * starts the parts, prepare.c what they need first, stopping.c ends them in order. */
#ifndef SERVICE_H
#define SERVICE_H

#include "daemon.h"
#include "inbox/inbox.h"
#include "kept.h"
#include "net/listener.h"
#include "net/loop.h"
#include "retention.h"
#include "web/web.h"

enum stage { STAGE_RUNNING, STAGE_DRAINING, STAGE_ENDING, STAGE_ABANDONING, STAGE_CLOSED };

struct bound {
	struct service *service;
	size_t index; /* of settings->listeners */
	int fd;
	bool inherited; /* from the service manager, which keeps a Unix socket's path */
	struct listener *listener;
};

struct service {
	struct daemon daemon;
	const struct daemon_options *options;
	struct settings *next; /* a reload: what to go on with; NULL: none */
	struct kept *kept;     /* sockets of the run before, and for the run after: */
	bool keep;             /* there will be one */
	struct loop *loop;
	struct bound *bounds;
	int control_fd;
	int *http_fds;      /* of settings->http.listeners */
	bool control_bound; /* its path is ours to unlink */
	bool again;         /* it has run before, with other settings */
	struct web *web;
	struct follower *follower;
	struct retention *retention;
	size_t next_worker;
	enum stage stage;
	struct timer patience, soon, look; /* look: at the users' files */
	struct timer tidy;                 /* gives back what a crowd has used */
	int64_t crowd;                     /* the most connections since it did */
	size_t drained, quiet;
	bool idle;
	bool on_terminal; /* its hangup is the end */
};

/* prepare.c: each returns 0, or -1 with *error. */
int prepare_sockets(struct service *s, struct bytes *error); /* binds everything */
/* Closes listeners, unlinks their Unix sockets; with s->keep they go on in s->kept. */
void prepare_close(struct service *s);
void prepare_unlink(struct service *s); /* the control socket's path */
/* Opens the spool, numbers inboxes and routes. */
int prepare_spool(struct service *s, struct bytes *error);
/* The files that the settings name, which the user of the daemon may not be able to read. */
int prepare_tls(struct daemon *d, struct bytes *error);
/* The certificate of our own making, in the spool. */
int prepare_own_tls(struct daemon *d, struct bytes *error);

/* The web's, NULL when it has none. */
int prepare_http_tls(const struct daemon *d, struct tls_context **context_r, struct bytes *error);
/* The context of listener i, whose TLS is not off, from its files as they are now. */
int prepare_listener_tls(const struct daemon *d, size_t i, struct tls_context **context_r,
                         struct bytes *error);

/* reload.c: reads settings, certificates and secrets again. *restarts_r: there are new settings. -1
 * with *error: they are wrong, and the old ones stay. */
int reload_begin(struct service *s, bool *restarts_r, struct bytes *error);
void reload_forget(struct service *s); /* the stop that has begun is the last one */
/* logins.c */
int logins_start(struct service *s, struct bytes *error); /* on the main loop */
void logins_stop(struct service *s);                      /* no check waits any more */
void logins_free(struct service *s);                      /* nobody looks any more */

/* stopping.c */
void stop_begin(struct service *s, const char *why);
/* --exit-after: the client whose message was the last one says QUIT first. */
void stop_soon(struct service *s);
void stop_hurry(struct service *s);     /* asked again: whatever is awaited is awaited no longer */
void stop_patience_over(void *context); /* of service->patience */
void stop_soon_over(void *context);     /* of service->soon */
void stop_drained(void *context, size_t number);
void stop_quiet(void *context, size_t number);
void stop_idle(void *context);

#endif
