/* SPDX-License-Identifier: ISC */
/* stream.c - a message as a GMimeStream, so that GMime keeps places in it and no copies.
 *
 * Seekable, read only. When time is up it ends, and GMime takes that for the end of the message.
 */
#include <pthread.h>

#include "mime/gmime_private.h"

struct effort_stream {
	GMimeStream parent;
	struct effort *effort;
};

struct effort_stream_class {
	GMimeStreamClass parent;
};

static GMimeStreamClass *parent_class;

static ssize_t stream_read(GMimeStream *stream, char *out, size_t length)
{
	struct effort_stream *s = (struct effort_stream *)stream;
	int64_t left = stream->bound_end == -1 ? INT64_MAX : stream->bound_end - stream->position;
	size_t got;

	if (left <= 0)
		return 0;
	if ((uint64_t)left < length)
		length = (size_t)left;
	got = effort_read(s->effort, (uint64_t)stream->position, out, length);
	stream->position += (int64_t)got;
	return (ssize_t)got;
}

static ssize_t stream_write(GMimeStream *stream, const char *text, size_t length)
{
	(void)stream;
	(void)text;
	(void)length;
	return -1;
}

static int stream_nothing(GMimeStream *stream)
{
	(void)stream;
	return 0;
}

static int64_t size_of(const GMimeStream *stream)
{
	const struct effort_stream *s = (const struct effort_stream *)stream;

	return stream->bound_end != -1 ? stream->bound_end : (int64_t)s->effort->source->size;
}

static gboolean stream_eos(GMimeStream *stream)
{
	const struct effort_stream *s = (const struct effort_stream *)stream;

	return s->effort->late || stream->position >= size_of(stream);
}

static int stream_reset(GMimeStream *stream)
{
	stream->position = stream->bound_start;
	return 0;
}

static gint64 stream_seek(GMimeStream *stream, gint64 offset, GMimeSeekWhence whence)
{
	int64_t to = offset;

	if (whence == GMIME_STREAM_SEEK_CUR)
		to += stream->position;
	else if (whence == GMIME_STREAM_SEEK_END)
		to += size_of(stream);
	if (to < stream->bound_start || to > size_of(stream))
		return -1;
	stream->position = to;
	return to;
}

static gint64 stream_tell(GMimeStream *stream)
{
	return stream->position;
}

static gint64 stream_length(GMimeStream *stream)
{
	return size_of(stream) - stream->bound_start;
}

static GType stream_type(void);

static GMimeStream *stream_substream(GMimeStream *stream, gint64 start, gint64 end)
{
	const struct effort_stream *s = (const struct effort_stream *)stream;
	struct effort_stream *sub = g_object_new(stream_type(), NULL);

	sub->effort = s->effort;
	g_mime_stream_construct(&sub->parent, start, end);
	return &sub->parent;
}

static void class_init(gpointer class, gpointer data)
{
	GMimeStreamClass *c = class;

	(void)data;
	parent_class = g_type_class_peek_parent(class);
	c->read = stream_read;
	c->write = stream_write;
	c->flush = stream_nothing;
	c->close = stream_nothing;
	c->eos = stream_eos;
	c->reset = stream_reset;
	c->seek = stream_seek;
	c->tell = stream_tell;
	c->length = stream_length;
	c->substream = stream_substream;
}

static GType type;

static void begin(void)
{
	static const GTypeInfo info = {
		.class_size = sizeof(struct effort_stream_class),
		.class_init = class_init,
		.instance_size = sizeof(struct effort_stream),
	};

	g_mime_init();
	type = g_type_register_static(GMIME_TYPE_STREAM, "PenstockStream", &info, 0);
}

void gmime_begin(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, begin);
}

static GType stream_type(void)
{
	return type;
}

GMimeStream *effort_stream(struct effort *e)
{
	struct effort_stream *s = g_object_new(stream_type(), NULL);

	s->effort = e;
	g_mime_stream_construct(&s->parent, 0, (gint64)e->source->size);
	return &s->parent;
}
