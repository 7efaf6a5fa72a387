/* SPDX-License-Identifier: ISC */
/* source.c - reads a stored message for the transport: the fields of the trace, then the content.
 *
 * The field is made when the message is opened (its id is known only since the commit); the
 * content is copied out piece by piece, each by a read of its own, so that a slow peer never
 * holds a read transaction.
 */
#include "relay/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mail/header.h"
#include "relay/from.h"

struct stored_source {
	struct source source; /* first */
	struct reader *reader;
	struct bytes front; /* of what stands before the content, what is not yet read */
	uint64_t blob;
	uint64_t offset;
};

static int read_front(struct stored_source *s, struct bytes *out, size_t max)
{
	size_t length = s->front.length < max ? s->front.length : max;

	bytes_append(out, s->front.data, length);
	bytes_consume(&s->front, length);
	if (s->front.length == 0)
		bytes_release(&s->front);
	return 0;
}

static int stored_read(struct source *source, struct bytes *out, size_t max)
{
	struct stored_source *s = (struct stored_source *)source;
	size_t got = 0;

	if (max == 0)
		return 0;
	if (s->front.length > 0)
		return read_front(s, out, max);
	bytes_reserve(out, max);
	if (reader_body(s->reader, s->blob, s->offset, out->data + out->length, max, &got) != 0)
		return -1;
	out->length += got;
	s->offset += got;
	return 0;
}

static void stored_free(struct source *source)
{
	struct stored_source *s = (struct stored_source *)source;

	bytes_release(&s->front);
	free(s);
}

/* The header as this provider takes it stands in front then, and is passed over in the body. */
static void rewrite(struct stored_source *s, const struct provider_settings *provider,
                    struct message_facts *facts)
{
	struct bytes header = { 0 };
	char *from;

	if (!from_takes_sender(provider, &facts->sender)) {
		address_release(&facts->sender);
		facts->sender.text = memory_text(provider->rewrite_from);
		facts->sender.local_length = strcspn(provider->rewrite_from, "@");
	}
	if ((facts->trace.added & TRACE_ADD_LINE) == 0 &&
	    reader_header(s->reader, s->blob, HEADER_MAX, &header) == 0)
		header.length = header_length(bytes_span(&header));
	from = from_addresses(bytes_span(&header), &facts->trace);
	if (!from_takes_header(provider, from)) {
		bytes_clear(&s->front);
		from_rewrite(provider, &facts->trace, facts->id, bytes_span(&header), &s->front);
		s->offset = header.length;
	}
	free(from);
	bytes_release(&header);
}

int source_open(struct source **source_r, struct reader *reader, uint64_t id,
                const struct provider_settings *provider, struct message_facts *facts_r)
{
	struct stored_source *s;

	if (!reader_message(reader, id, facts_r))
		return -1;
	s = memory_new(sizeof(*s));
	s->source.read = stored_read;
	s->source.free = stored_free;
	s->reader = reader;
	s->blob = facts_r->blob;
	trace_format(&facts_r->trace, id, &s->front);
	if (provider != NULL && provider->rewrite_from != NULL)
		rewrite(s, provider, facts_r);
	s->source.length = s->front.length + facts_r->size - s->offset;
	*source_r = &s->source;
	return 0;
}
