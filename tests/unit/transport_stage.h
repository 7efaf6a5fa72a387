/* SPDX-License-Identifier: ISC */
/* transport_stage.h - a connection under test, a peer that says what it is told, a set clock.
 *
 * Both sit on the ends of a pair; what the client says gathers in `heard` until hears() takes
 * it. Everything the connection tells its owner is kept in the order it came.
 */
#ifndef TRANSPORT_STAGE_H
#define TRANSPORT_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "transport/private.h"

#define STAGE_DONE_MAX 64
#define SMALL_BODY     "Subject: x\r\n\r\nbody\r\n"

struct stage_done {
	uint32_t slot;
	enum transaction_end end;
	struct transaction *t; /* freed by stage_close() */
};

struct stage {
	struct clock_set clock;
	struct loop *loop;
	struct stream *peer;
	struct bytes heard;
	bool peer_closed; /* the client closed */
	struct transport transport;
	struct provider_settings provider;
	struct tls_context *client_tls, *peer_tls;
	struct connection *connection;
	uint32_t next_slot;

	unsigned readies;
	struct peer_facts facts;
	struct stage_done done[STAGE_DONE_MAX];
	size_t done_count;
	bool closed;
	enum connection_stage at;
	int code;
	bool local;
	char why[512];

	/* What the owner does in its callbacks. */
	bool free_on_ready, free_on_done, free_on_closed, submit_on_done, finish_on_done;
	bool echo; /* lines of the log are kept in `log` */
	struct bytes log;
};

void stage_open(struct stage *s);  /* defaults; change s->provider, then stage_begin() */
void stage_begin(struct stage *s); /* makes the connection */
void stage_close(struct stage *s);
/* Up to READY with these EHLO lines ("PIPELINING\nSIZE 1000", or ""). */
void stage_ready(struct stage *s, const char *extensions);

void says(struct stage *s, const char *text);  /* and lets it be read */
void hears(struct stage *s, const char *text); /* exactly this since the last time */
void leaves(struct stage *s);                  /* the peer closes */
void pass(struct stage *s, int64_t us);

/* A transaction to `count` recipients r0@example.net, r1@... with this content. */
struct transaction *stage_transaction(struct stage *s, size_t count, const char *body);
void submit(struct stage *s, size_t count);
/* A source of `length` octets in lines that fails after `fail_at` octets (0: never). */
struct source *long_source(size_t length, size_t fail_at);

/* The n-th transaction that came back: its end, and the code of its reply. */
void came_back(const struct stage *s, size_t n, enum transaction_end end, int code);
void result_is(const struct stage *s, size_t n, size_t recipient, int code, bool at_rcpt);
void ended_at(const struct stage *s, enum connection_stage at, int code, bool local);

#endif
