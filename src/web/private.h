/* SPDX-License-Identifier: ISC */
/* private.h - shared by the files of web/ only. */
#ifndef WEB_PRIVATE_H
#define WEB_PRIVATE_H

#include <event2/bufferevent.h>
#include <event2/http.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/digest.h"
#include "base/list.h"
#include "net/loop.h"
#include "web/guard.h"
#include "web/release.h"
#include "web/router.h"
#include "web/web.h"

/* Sessions that failed, the newest ones; zeroed: none. */
#define SESSIONS_KEPT 100
struct sessions {
	struct session_record *ring[SESSIONS_KEPT];
	size_t next;                  /* place of the next one */
	atomic_uint waiting, refused; /* posted and not there yet */
};

/* Jobs that run at a time; each has a reader of the spool. */
#define WEB_JOBS 4

/* Where clients come from: the control socket, or TCP. Each has an evhttp of its own. */
struct face {
	struct web *web;
	struct evhttp *http;
	bool control;
	struct tls_context *tls; /* NULL: none */
	struct evconnlistener **listeners;
	size_t listener_count;
	size_t connection_count, connection_max;
	bool paused;
	struct event *adopt; /* fresh connections get their struct client */
	struct bufferevent **fresh;
	size_t fresh_count;
};

struct web {
	struct web_options options;
	struct loop *loop;
	struct channel *channel; /* orders and jobs come back here */
	struct reader *reader;
	struct face control, tcp;
	struct guard guard;
	unsigned char
		view_key[DIGEST_KEY_SIZE]; /* of the keys with which mail asks for its pictures */
	pthread_t thread;
	bool running, stopping;
	int64_t started_us;  /* monotonic */
	struct list clients; /* all, the longest idle first */
	struct timer sweep;
	uint64_t receiving; /* octets of requests in memory */
	struct list calls;
	struct helper *helper;
	struct reader *job_readers[WEB_JOBS]; /* those that no job has */
	size_t job_reader_count;
	struct list jobs;  /* that wait */
	struct auth *auth; /* NULL: nobody logs in */
	char *token;       /* NULL: /relay/v1 is on the control socket alone */
	struct sessions sessions;
	struct faults *faults; /* NULL: none were asked for */
	struct hub *hub;       /* NULL before the start */
	struct releases releases;
};

/* ---- client.c: one connection, counted and bounded ---------------------------- */

struct client {
	struct list link;
	struct web *web;
	struct face *face;
	struct evhttp_connection *http;
	struct bufferevent *bev;
	struct evbuffer_cb_entry *watched; /* of its input */
	struct call *call;                 /* the one that is being answered; NULL: none */
	bool busy;                         /* a request is there, or its answer not yet written */
	bool taken;                        /* no HTTP any more: see client_take() */
	int64_t since_us;  /* monotonic: of the accept, or when the last answer was written */
	uint64_t received; /* octets since then */
};
int face_open(struct face *face, struct web *web, int fd, struct bytes *error);
void face_close(struct face *face);
struct client *client_find(struct face *face, struct evhttp_request *request);
/* From now on: its request is answered. */
void client_begin(struct client *c, struct call *call, struct evhttp_request *request);
/* The call's connection is a WebSocket from now on: what it reads and how long it may be silent is
 * the taker's. The call goes on and ends by call_end(). */
void client_take(struct client *c);
void clients_start(struct web *web);

/* ---- router.c ----------------------------------------------------------------------- */

void router_request(struct evhttp_request *request, void *context); /* of evhttp; context: a face */
/* The key in the URLs of a message's parts, for the page of that mail alone. */
#define VIEW_KEY_SIZE 33 /* with the NUL */
void view_key_of(const struct web *web, struct span id, char key[VIEW_KEY_SIZE]);
bool call_has_view_key(const struct call *call);
/* After the login: checks the body, then runs the way. */
void router_run(struct call *call);
/* The families. */
extern const struct way control_ways[];
extern const struct way fault_ways[];
extern const struct way session_ways[];
extern const struct way events_ways[];
extern const struct way send_ways[];
extern const struct way metrics_ways[];
extern const struct way release_ways[];
extern const struct way mailcatcher_ways[];
extern const struct way mailhog_ways[];
extern const struct way mailpit_list_ways[];
extern const struct way mailpit_change_ways[];
extern const struct way mailpit_message_ways[];
extern const struct way mailpit_view_ways[];
extern const struct way mailpit_about_ways[];

/* ---- answer.c ------------------------------------------------------------------------ */

void call_end(struct call *call);  /* frees it; what was to be said has been said */
void call_gone(struct call *call); /* the client is: from client.c */
void call_common_headers(struct call *call);

/* ---- job.c ---------------------------------------------------------------------------- */

void jobs_start(struct web *web);
void jobs_stop(struct web *web);

/* ---- auth.c: basic authentication ------------------------------------------------------- */

struct auth *auth_new(const char *file);
void auth_free(struct auth **auth);
/* Goes on with router_run() when the login is right, now or later; else answers 401. */
void auth_check(struct call *call);

/* ---- control.c and its files: /relay/v1/... ---------------------------------------------- */

json_t *describe_time(int64_t wall_us); /* RFC 3339 */
/* describe.c: the JSON of messages and deliveries. */
json_t *describe_message(struct web *web, uint64_t id,
                         bool detail); /* NULL: gone, or nothing queued */
/* sessions.c */
void sessions_release(struct sessions *sessions);
/* content.c: answers with a stored message, from its first octet, its trace fields included. `type`
 * as answer_stream(). False: it is gone, and nothing was answered. */
bool content_answer(struct call *call, uint64_t id, const char *type);

#endif
