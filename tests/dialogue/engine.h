/* SPDX-License-Identifier: ISC */
/* engine.h - what a protocol engine gives the dialogue runner, and gets from it.
 *
 * The runner plays the engine's peer over one end of a pair of streams; the engine has the other
 * end. Whatever else the engine does (a message stored, a transaction given back) it tells as
 * an event: one line of text that a script can expect.
 */
#ifndef TESTS_DIALOGUE_ENGINE_H
#define TESTS_DIALOGUE_ENGINE_H

#include "net/loop.h"
#include "net/stream.h"
#include "net/tls.h"

struct dialogue {
	struct loop *loop;
	struct clock_set *clock;
	/* A certificate for "localhost", and a client's context that trusts it. */
	struct tls_context *server_tls, *client_tls;
	struct bytes events; /* told and not expected yet, each with a line feed */
};

void dialogue_event(struct dialogue *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct engine {
	const char *name;    /* the first line of its scripts */
	const char *peer;    /* whom the script plays: "client" or "server" */
	const char *self;    /* whom the engine plays */
	bool expects_events; /* "expect X" means an event; else a line on the wire */

	void *(*make)(struct dialogue *d);
	/* "set NAME VALUE", before start(). false: no such name, or a bad value. */
	bool (*set)(void *engine, const char *name, const char *value);
	/* Takes the stream. */
	void (*start)(void *engine, struct stream *stream);
	/* Any other line of a script; `rest` is what follows its first word. false: unknown. */
	bool (*command)(void *engine, const char *word, const char *rest);
	void (*end)(void *engine); /* frees everything, itself too */
};

extern const struct engine inbound_engine, outbound_engine;

/* "NAME=VALUE" among the words of a line: the value, which the caller frees, or NULL. */
char *engine_argument(const char *rest, const char *name);
/* "yes" and "no". */
bool engine_parse_bool(bool *value_r, const char *text);

#endif
