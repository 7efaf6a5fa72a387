/* SPDX-License-Identifier: ISC */
/* content.c - a stored message as an answer, in pieces: one is read when the one before has been
 * written, so a large message takes no memory and a slow client delays nobody. */
#include <stdlib.h>

#include "base/memory.h"
#include "web/private.h"

/* Octets a piece. */
#define CONTENT_STEP (64 * 1024)

struct content {
	struct bytes received; /* the trace fields, until they are sent */
	uint64_t blob, offset;
};

static void content_release(struct call *call)
{
	struct content *c = call->context;

	bytes_release(&c->received);
	free(c);
}

static void content_next(struct call *call)
{
	struct content *c = call->context;
	unsigned char *data;
	size_t got;

	if (c->received.length > 0) {
		answer_piece(call, bytes_span(&c->received));
		bytes_release(&c->received);
		return;
	}
	data = memory_new(CONTENT_STEP);
	if (reader_body(call->web->reader, c->blob, c->offset, data, CONTENT_STEP, &got) < 0)
		got = 0; /* deleted meanwhile: a short answer is all that can be given */
	c->offset += got;
	if (got > 0)
		answer_piece(call, span_of(data, got));
	else
		answer_end(call);
	free(data);
}

bool content_answer(struct call *call, uint64_t id, const char *type)
{
	struct message_facts facts;
	struct content *c;
	uint64_t length;

	if (!reader_message(call->web->reader, id, &facts))
		return false;
	c = memory_new(sizeof(*c));
	c->blob = facts.blob;
	trace_format(&facts.trace, facts.id, &c->received);
	length = facts.size + c->received.length;
	message_facts_release(&facts);
	call->context = c;
	call->release = content_release;
	answer_stream(call, 200, type, (int64_t)length, content_next);
	return true;
}
