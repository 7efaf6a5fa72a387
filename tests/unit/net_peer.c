/* SPDX-License-Identifier: ISC */
/* net_peer.c - see net_peer.h. */
#include "net_peer.h"

static void happened(struct peer *p, enum peer_event event)
{
	p->told[event]++;
	if (p->free_at & (1U << event))
		stream_free(&p->stream);
}

static void connected(void *context)
{
	happened(context, PEER_CONNECTED);
}

static void readable(void *context)
{
	struct peer *p = context;
	struct span input = stream_input(p->stream);

	if (!p->keeps) {
		bytes_append_span(&p->received, input);
		if (p->echoes)
			stream_write(p->stream, input.data, input.length);
		stream_consume(p->stream, input.length);
	}
	happened(p, PEER_READABLE);
}

static void drained(void *context)
{
	happened(context, PEER_DRAINED);
}

static void secured(void *context)
{
	happened(context, PEER_SECURED);
}

static void closed(void *context, const char *error)
{
	struct peer *p = context;

	bytes_append_text(&p->error, error == NULL ? "end" : error);
	happened(p, PEER_CLOSED);
}

const struct stream_events peer_events = {
	.connected = connected,
	.readable = readable,
	.drained = drained,
	.secured = secured,
	.closed = closed,
};

void peer_init(struct peer *p, struct stream *s)
{
	*p = (struct peer){ .stream = s };
	if (s != NULL)
		stream_set_events(s, &peer_events, p);
}

void peer_release(struct peer *p)
{
	stream_free(&p->stream);
	bytes_release(&p->received);
	bytes_release(&p->error);
}
