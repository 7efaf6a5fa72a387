/* SPDX-License-Identifier: ISC */
/* receive_server.h - a receiving server in memory for the tests of receive/.
 *
 * A session on one end of a pair of streams, a set clock, and a scripted store: requests stay where
 * they are until the test completes them (or `automatic` does), so that a test can prove what
 * is said before and after.
 */
#ifndef TESTS_RECEIVE_SERVER_H
#define TESTS_RECEIVE_SERVER_H

#include "net/loop.h"
#include "receive/receive.h"

#define SERVER_PIECE      4080 /* octets; as with LMDB pages of 4 KiB */
#define SERVER_STORED_MAX 256

struct stored {
	struct bytes content, header, recipients; /* recipients: each with a line feed */
	struct bytes dialogue;
	char *sender, *with, *login, *recipient, *from;
	unsigned added;
	enum envelope_body body;
	uint64_t id, reserved;
};

struct server {
	struct clock_set clock;
	struct loop *loop;
	struct settings settings;
	struct listener_settings listener;
	struct receive receive;
	struct stream *client;
	struct session *session;
	const char *peer;   /* whom the next client is; NULL: "memory" */
	struct bytes heard; /* what the client was told since the last server_say() */
	bool closed;        /* the client saw the end */
	/* The store. */
	bool automatic;
	int result; /* of automatic completions */
	struct put *put;
	struct chunk *chunk;
	uint64_t reserved, room, next_id, next_blob, blob;
	struct bytes chunks; /* of the blob that is being written */
	size_t dropped, chunk_count, routed, puts_alive;
	struct stored *stored;
	size_t stored_count;
};

/* Everybody may relay, limits are wide, completions are automatic. */
void server_init(struct server *v);
/* Everything is given back: asserted. */
void server_release(struct server *v);
/* A new client; its banner is in `heard`. */
void server_connect(struct server *v);
void server_vanish(struct server *v); /* the client's end is gone at once */
/* Sends, and returns all that is said to it. */
const char *server_say(struct server *v, const char *text);
const char *server_say_span(struct server *v, struct span text);
/* The same in pieces of `size` octets, each delivered before the next. */
const char *server_say_pieces(struct server *v, struct span text, size_t size);
/* Completes what waits at the writer, and returns what is said then. */
const char *server_complete(struct server *v, int result);
void server_pass(struct server *v, int64_t us);
/* "EHLO client" and its reply. */
void server_greet(struct server *v);
void server_forget_stored(struct server *v);

bool text_starts(const char *text, const char *with);
bool text_ends(const char *text, const char *with);
bool stored_is(const struct stored *m, struct span content);
/* A header and lines of numbers, so that a lost or doubled piece shows. */
void large_content(struct bytes *out, size_t size, const char *line_end);

/* Up to the content; the second for a session that has greeted. */
#define SERVER_AGAIN   "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
#define SERVER_OPENING "EHLO client.example\r\n" SERVER_AGAIN
/* Connects and says it. */
void server_open_data(struct server *v);

#endif
