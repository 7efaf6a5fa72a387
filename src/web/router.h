/* SPDX-License-Identifier: ISC */
/* router.h - what every family of the web's API is made of: ways in a table, and calls.
 *
 * A family is one file with one table of ways (router.c lists the tables). Host, Origin, login, the
 * inbox of the URL and the size of the body were looked at before a handler runs. A handler
 * answers its call once, now or later; each answer_...() ends the call, and goes nowhere when the
 * client is gone by then. All of it is on the web thread, but for the work of a job.
 */
#ifndef WEB_ROUTER_H
#define WEB_ROUTER_H

#include <event2/http.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/helper.h"
#include "base/list.h"
#include "spool/spool.h"
#include "web/path.h"

struct web;
struct call;
struct client;

/* ---- ways ------------------------------------------------------------------- */

enum {
	WAY_OPEN = 1,    /* without a login: probes of containers */
	WAY_CONTROL = 2, /* the control socket, or over TCP whoever has the token */
	WAY_JSON = 4,    /* a body that is there is JSON: call->body; a wrong one is 400 */
	WAY_LARGE = 8,   /* the body may be as large as a message */
	WAY_BARE = 16,   /* not below /inbox/NAME/ */
	WAY_LIST = 32,   /* with WAY_JSON: an array is taken, too */
	WAY_ERRORS = 64  /* with WAY_JSON: {"Error"} says what is wrong with the body */
};

struct way {
	enum evhttp_cmd_type method; /* GET is HEAD, too; OPTIONS is answered for all */
	/* From the base path on. {} is one segment, kept in call->arguments as it is without its
	 * escapes; a name in braces is the same, {*} at the end all the rest. */
	const char *pattern;
	void (*handle)(struct call *call);
	unsigned flags;
};
#define WAYS_END                                       \
	{                                              \
		(enum evhttp_cmd_type)0, NULL, NULL, 0 \
	}

/* ---- calls ------------------------------------------------------------------ */

#define CALL_ARGUMENTS_MAX 3

struct call {
	struct list link; /* of web->calls */
	struct web *web;
	struct client *client;          /* NULL: the client is gone */
	struct evhttp_request *request; /* NULL likewise */
	const struct way *way;
	bool control;                /* by the control socket */
	bool head;                   /* HEAD: answers leave the body out */
	enum evhttp_cmd_type method; /* HEAD shows as GET */
	struct path path;            /* from the base path and the inbox on */
	const char *arguments[CALL_ARGUMENTS_MAX];
	size_t argument_count;
	struct query query;
	uint32_t inbox;         /* its number in the spool */
	const char *inbox_name; /* NULL: the URL names none, and inbox is the default one's */
	json_t *body;           /* of WAY_JSON; NULL: none was sent */
	/* The handler's own, for the time until its answer. */
	void *context;
	void (*release)(struct call *call); /* of context, when the call ends; may be NULL */
	/* Private to answer.c: streaming. */
	void (*next)(struct call *call);
	uint64_t left; /* octets of the length that was said */
};

/* The value of ?name=; NULL: not there. */
const char *call_query(const struct call *call, const char *name);
/* A whole number of the query within bounds, else the fallback. */
int64_t call_query_number(const struct call *call, const char *name, int64_t min, int64_t max,
                          int64_t fallback);
/* A member of an object, its name compared without case, as Go does. NULL: not there. */
json_t *call_member(json_t *object, const char *name);
const char *call_header(const struct call *call, const char *name); /* of the request */
/* URL of a path such as "view/ID", with the base path and the inbox in front. */
void call_url(const struct call *call, const char *path, struct bytes *out);

/* ---- answers: each ends the call --------------------------------------------- */

/* Before an answer: a header of it, replacing what the web would send. Value NULL: none. Line ends
 * in a value are left out. */
void answer_header(struct call *call, const char *name, const char *value);
void answer_json(struct call *call, int status, json_t *value); /* takes it */
void answer_text(struct call *call, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void answer_ok(struct call *call); /* 200, text `ok` */
void answer_empty(struct call *call, int status);
void answer_not_found(struct call *call); /* as Mailpit says it */
/* {"Error": ...} */
void answer_json_error(struct call *call, int status, const char *text);
/* {"error": ...}, of the control API */
void answer_error(struct call *call, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void answer_body(struct call *call, int status, const char *type, struct span body);
void answer_redirect(struct call *call, const char *url);
/* With the page, or one of its files. */
void answer_page(struct call *call);

/* An answer in pieces: the head is sent, then next() is called, and again whenever what it sent has
 * been written, until it calls answer_end(). length: of all of it, -1: not known. When the client
 * goes away the call ends, and `release` is all that is still called. */
void answer_stream(struct call *call, int status, const char *type, int64_t length,
                   void (*next)(struct call *call));
void answer_piece(struct call *call, struct span piece); /* once in each next() */
void answer_end(struct call *call);

/* ---- work that blocks ---------------------------------------------------------- */

/* Runs work() on a helper, with a reader of its own, then done() on the web thread, which answers
 * and frees the job. Begins a struct of the handler's. Few jobs run at a time, the others wait. */
struct call_job {
	struct helper_job helper; /* private */
	struct list link;         /* private */
	struct call *call;        /* not for work(), but for what of it never changes: inbox,
	                             arguments, query, body */
	struct reader *reader;    /* for work() */
	void (*work)(struct call_job *job);
	void (*done)(struct call_job *job);
};
void call_job_start(struct call *call, struct call_job *job);

#endif
