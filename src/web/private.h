/* SPDX-License-Identifier: ISC */
/* private.h - shared by the files of web/ only. */
#ifndef WEB_PRIVATE_H
#define WEB_PRIVATE_H

#include <event2/http.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "net/loop.h"
#include "web/web.h"

/* Sessions that failed, the newest ones; zeroed: none. */
#define SESSIONS_KEPT 100
struct sessions {
	struct session_record *ring[SESSIONS_KEPT];
	size_t next;         /* place of the next one */
	atomic_uint waiting; /* posted and not there yet */
};

struct web {
	struct web_options options;
	struct loop *loop;
	struct channel *channel; /* orders come back here */
	struct reader *reader;
	struct evhttp *http;
	pthread_t thread;
	bool running;
	int64_t started_us;  /* monotonic */
	struct list pending; /* requests that wait for the dispatcher */
	struct list bodies;  /* messages being streamed */
	struct sessions sessions;
};

/* Every answer of the API is one of these. */
void web_answer_json(struct evhttp_request *request, int status, json_t *value); /* takes it */
/* {"error": "..."} */
void web_answer_error(struct evhttp_request *request, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A request that was given to the dispatcher: it may be gone when the answer comes. The first
 * member of what waits, which web_free() frees when no answer came. */
struct pending {
	struct list link;
	struct web *web;
	struct evhttp_request *request; /* NULL: the client went away */
};
void pending_start(struct pending *p, struct web *web, struct evhttp_request *request);
/* Returns the request if its client is still there, and forgets it. */
struct evhttp_request *pending_end(struct pending *p);

/* control.c: /relay/v1/... */
void control_handle(struct web *web, struct evhttp_request *request, const char *path);
json_t *describe_time(int64_t wall_us); /* RFC 3339 */
/* describe.c: the JSON of messages and deliveries. */
json_t *describe_message(struct web *web, uint64_t id,
                         bool detail); /* NULL: gone, or nothing queued */
/* sessions.c: GET sessions, the newest first. */
void sessions_handle(struct web *web, struct evhttp_request *request);
void sessions_release(struct sessions *sessions);
/* [{"Time", "From", "Text"}] of a record of mail/dialogue.h; id: of its message, else 0. */
json_t *describe_dialogue(struct span record, uint64_t id);
/* content.c: streams a stored message. */
void content_send(struct web *web, struct evhttp_request *request, uint64_t id);
void content_end_all(struct web *web);

#endif
