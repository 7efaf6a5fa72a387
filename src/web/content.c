/* SPDX-License-Identifier: ISC */
/* content.c - a stored message as the answer of a request, in pieces: one is read when the one
 * before has been written, so a large message takes no memory and a slow client delays nobody. */
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "web/private.h"

/* Octets a piece. */
#define CONTENT_STEP (64 * 1024)

struct content {
	struct list link;
	struct web *web;
	struct evhttp_request *request;
	struct evhttp_connection *connection;
	uint64_t blob, offset;
};

static void content_free(struct content *c)
{
	list_remove(&c->link);
	free(c);
}

/* The client went away in the middle. We still own the request: ending it frees it. */
static void content_closed(struct evhttp_connection *connection, void *context)
{
	struct content *c = context;
	struct evhttp_request *request = c->request;

	(void)connection;
	content_free(c);
	evhttp_send_reply_end(request);
}

static void content_end(struct content *c)
{
	struct evhttp_request *request = c->request;

	evhttp_connection_set_closecb(c->connection, NULL, NULL);
	content_free(c);
	evhttp_send_reply_end(request);
}

static void content_next(struct evhttp_connection *connection, void *context)
{
	struct content *c = context;
	struct evbuffer *piece;
	unsigned char *data;
	size_t got;

	(void)connection;
	data = memory_new(CONTENT_STEP);
	if (reader_body(c->web->reader, c->blob, c->offset, data, CONTENT_STEP, &got) < 0)
		got = 0; /* deleted meanwhile: a short answer is all that can be given */
	if (got == 0) {
		free(data);
		content_end(c);
		return;
	}
	c->offset += got;
	piece = evbuffer_new();
	evbuffer_add(piece, data, got);
	free(data);
	evhttp_send_reply_chunk_with_cb(c->request, piece, content_next, c);
	evbuffer_free(piece);
}

void content_send(struct web *web, struct evhttp_request *request, uint64_t id)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct message_facts facts;
	struct bytes received = { 0 };
	struct evbuffer *first;
	struct content *c;
	char length[32];

	if (!reader_message(web->reader, id, &facts)) {
		web_answer_error(request, 404, "no such message");
		return;
	}
	c = memory_new(sizeof(*c));
	c->web = web;
	c->request = request;
	c->connection = evhttp_request_get_connection(request);
	c->blob = facts.blob;
	list_append(&web->bodies, &c->link);
	evhttp_connection_set_closecb(c->connection, content_closed, c);
	trace_format(&facts.trace, facts.id, &received);
	/* With its length, and closed behind: a message that is deleted meanwhile is seen as cut.
	 */
	snprintf(length, sizeof(length), "%llu",
	         (unsigned long long)(facts.size + received.length));
	evhttp_add_header(headers, "Content-Type", "message/rfc822");
	evhttp_add_header(headers, "Content-Length", length);
	evhttp_add_header(headers, "Connection", "close");
	message_facts_release(&facts);
	evhttp_send_reply_start(request, 200, NULL);
	first = evbuffer_new();
	evbuffer_add(first, received.data, received.length);
	bytes_release(&received);
	evhttp_send_reply_chunk_with_cb(request, first, content_next, c);
	evbuffer_free(first);
}

void content_end_all(struct web *web)
{
	struct list *node, *after;

	list_each(node, after, &web->bodies) content_end(list_entry(node, struct content, link));
}
