/* SPDX-License-Identifier: ISC */
/* walk.c - GMime's tree of a message as the part index.
 *
 * GMime is asked for structure and parameters, never to write: making a boundary for an
 * untrusted part can go on for ever. A message inside a message is one attachment: what is in it is
 * somebody else's mail. A multipart in which nothing is found is shown as text.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "mail/header.h"
#include "mime/gmime_private.h"

#define TYPE_MAX            127 /* octets; RFC 6838 4.2 has twice as many, and nobody uses them */
#define FILENAME_MAX_LENGTH 255 /* octets, as file systems have */
#define BOUNDARY_MAX        100 /* of what is compared, as the gauge does */

struct walk {
	struct mime_index *index;
	struct effort *effort;
	GMimeMultipart *parents[MIME_DEPTH_MAX];
	size_t depth;
	unsigned numbers[MIME_DEPTH_MAX];
	const char *why;
};

/* ---- texts of the header --------------------------------------------------------- */

/* On one line, as UTF-8, cut between characters. */
static char *clean_text(const char *text, size_t max)
{
	struct span rest = span_of_text(text);
	struct bytes out = { 0 };
	char *clean;

	while (rest.length > 0 && out.length + 4 <= max) {
		uint32_t code = 0;
		size_t length = utf8_next(rest, &code);

		if (length == 0)
			utf8_append(&out, 0xfffd);
		else if (code >= 0x20 && !(code >= 0x7f && code < 0xa0))
			bytes_append(&out, rest.data, length);
		length = length == 0 ? 1 : length;
		rest = span_of(rest.data + length, rest.length - length);
	}
	clean = memory_text(bytes_text(&out));
	bytes_release(&out);
	return clean;
}

static bool is_token(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text >= 0x7f || strchr("()<>@,;:\\\"/[]?=", *text) != NULL)
			return false;
	return true;
}

/* "text/html"; a type that cannot be read is text (RFC 2045 5.2), one with odd names is unknown. */
static char *type_text(GMimeObject *object)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	const char *raw = g_mime_object_get_header(object, "Content-Type");
	const char *media = g_mime_content_type_get_media_type(type);
	const char *subtype = g_mime_content_type_get_media_subtype(type);
	struct bytes text = { 0 };
	char *clean;

	if (raw != NULL && strchr(raw, '/') == NULL)
		return memory_text("text/plain");
	if (media == NULL || subtype == NULL || *media == '\0' || *subtype == '\0' ||
	    !is_token(media) || !is_token(subtype) || strlen(media) + strlen(subtype) >= TYPE_MAX)
		bytes_append_text(&text, "application/octet-stream");
	else
		bytes_printf(&text, "%s/%s", media, subtype);
	for (size_t i = 0; i < text.length; i++)
		if (text.data[i] >= 'A' && text.data[i] <= 'Z')
			text.data[i] |= 0x20;
	clean = memory_text(bytes_text(&text));
	bytes_release(&text);
	return clean;
}

static char *filename_text(GMimeObject *object)
{
	const char *name = g_mime_object_get_content_disposition_parameter(object, "filename");

	if (name == NULL || *name == '\0')
		name = g_mime_object_get_content_type_parameter(object, "name");
	return clean_text(name, FILENAME_MAX_LENGTH);
}

static char *content_id_text(GMimeObject *object)
{
	char *id = clean_text(g_mime_object_get_content_id(object), FILENAME_MAX_LENGTH);
	size_t length = strlen(id);

	if (length >= 2 && id[0] == '<' && id[length - 1] == '>') {
		memmove(id, id + 1, length - 2);
		id[length - 2] = '\0';
	}
	return id;
}

static enum mime_encoding encoding_of(GMimeObject *object)
{
	if (!GMIME_IS_PART(object))
		return MIME_IDENTITY;
	switch (g_mime_part_get_content_encoding(GMIME_PART(object))) {
	case GMIME_CONTENT_ENCODING_BASE64:
		return MIME_BASE64;
	case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
		return MIME_QUOTED_PRINTABLE;
	case GMIME_CONTENT_ENCODING_UUENCODE:
		return MIME_UUENCODE;
	default:
		return MIME_IDENTITY;
	}
}

/* ---- places -------------------------------------------------------------------------- */

/* Lines of the message from some place on. */
struct lines {
	struct effort *effort;
	uint64_t off; /* of the block */
	unsigned char block[SOURCE_READ_SIZE];
	size_t length, at;
};

/* The first octets of the next line, with their number; false: the end. *off_r: where it begins. */
static bool line_next(struct lines *l, char *start, size_t size, size_t *length_r, uint64_t *off_r)
{
	size_t kept = 0;

	*off_r = l->off + l->at;
	for (;;) {
		if (l->at == l->length) {
			l->off += l->length;
			l->at = 0;
			l->length = effort_read(l->effort, l->off, l->block, sizeof(l->block));
			if (l->length == 0)
				break;
		}
		if (l->block[l->at] == '\n') {
			l->at++;
			break;
		}
		if (kept < size)
			start[kept++] = (char)l->block[l->at];
		l->at++;
	}
	*length_r = kept;
	return l->off + l->at > *off_r;
}

static bool is_boundary(const struct walk *w, const char *line, size_t length)
{
	if (length < 2 || memcmp(line, "--", 2) != 0)
		return false;
	for (size_t i = 0; i < w->depth; i++) {
		const char *boundary = g_mime_object_get_content_type_parameter(
			GMIME_OBJECT(w->parents[i]), "boundary");
		size_t most = boundary == NULL ? 0 : strnlen(boundary, BOUNDARY_MAX);

		if (boundary != NULL && length >= most + 2 && memcmp(line + 2, boundary, most) == 0)
			return true;
	}
	return false;
}

/* Where the object's header section begins; -1: it has none. */
static int64_t header_offset(GMimeObject *object)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(object);
	int count = g_mime_header_list_get_count(list);

	return count == 0 ? -1
	                  : g_mime_header_get_offset(g_mime_header_list_get_header_at(list, 0));
}

/* Where the message in it begins: only parts of a digest are without a header of their own. */
static int64_t inner_offset(GMimeObject *object)
{
	GMimeMessage *message =
		GMIME_IS_MESSAGE_PART(object)
			? g_mime_message_part_get_message(GMIME_MESSAGE_PART(object))
			: NULL;
	GMimeObject *content = message == NULL ? NULL : g_mime_message_get_mime_part(message);
	int64_t first = message == NULL ? -1 : header_offset(GMIME_OBJECT(message));
	int64_t type = content == NULL ? -1 : header_offset(content);

	return first < 0 || (type >= 0 && type < first) ? type : first;
}

/* Finds where the content of an object is that GMime does not tell: from there, or behind the empty
 * line that ends the header, up to the line before a boundary of those around it. */
static void find_content(const struct walk *w, int64_t from, bool header, struct mime_part *part)
{
	struct lines *lines = memory_new(sizeof(*lines));
	char start[BOUNDARY_MAX + 2];
	size_t length;
	uint64_t off;

	lines->effort = w->effort;
	lines->off = (uint64_t)from;
	part->offset = header ? w->effort->source->size : (uint64_t)from;
	while (line_next(lines, start, sizeof(start), &length, &off)) {
		if (w->depth > 0 && is_boundary(w, start, length)) {
			/* The line end belongs to the boundary. */
			if (!header && off >= part->offset + 2)
				part->length = off - 2 - part->offset;
			break;
		}
		if (!header)
			part->length = lines->off + lines->at - part->offset;
		if (header && (length == 0 || (length == 1 && start[0] == '\r'))) {
			header = false;
			part->offset = lines->off + lines->at;
			part->length = 0;
		}
	}
	free(lines);
}

static void place_of(const struct walk *w, GMimeObject *object, int64_t header,
                     struct mime_part *part)
{
	GMimeDataWrapper *content =
		GMIME_IS_PART(object) ? g_mime_part_get_content(GMIME_PART(object)) : NULL;
	GMimeStream *stream = content == NULL ? NULL : g_mime_data_wrapper_get_stream(content);

	if (stream != NULL) {
		part->offset = (uint64_t)stream->bound_start;
		if (stream->bound_end > stream->bound_start)
			part->length = (uint64_t)(stream->bound_end - stream->bound_start);
	} else if (!GMIME_IS_PART(object) && header >= 0) {
		find_content(w, header, true, part);
	} else if (!GMIME_IS_PART(object) && inner_offset(object) >= 0) {
		find_content(w, inner_offset(object), false, part);
	}
}

/* ---- roles ------------------------------------------------------------------------------ */

static bool is_inside(const struct walk *w, const char *subtype)
{
	GMimeContentType *type;

	if (w->depth == 0)
		return false;
	type = g_mime_object_get_content_type(GMIME_OBJECT(w->parents[w->depth - 1]));
	return g_mime_content_type_is_type(type, "multipart", subtype);
}

static enum mime_role role_of(const struct walk *w, GMimeObject *object,
                              const struct mime_part *part)
{
	const char *disposition = g_mime_object_get_disposition(object);
	bool attached = disposition != NULL && g_ascii_strcasecmp(disposition, "attachment") == 0;
	bool inside = disposition != NULL && g_ascii_strcasecmp(disposition, "inline") == 0;
	bool text = strncmp(part->type, "text/", 5) == 0;

	if (attached)
		return MIME_ATTACHMENT;
	if (strcmp(part->type, "text/html") == 0 && part->filename[0] == '\0')
		return MIME_HTML;
	if (strcmp(part->type, "text/plain") == 0 && part->filename[0] == '\0')
		return MIME_TEXT;
	if (text && w->depth == 0)
		return MIME_TEXT;
	if (inside || part->content_id[0] != '\0' || is_inside(w, "alternative") ||
	    is_inside(w, "related"))
		return MIME_INLINE;
	return MIME_ATTACHMENT;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static char *number_text(const struct walk *w)
{
	struct bytes text = { 0 };
	char *number;

	for (size_t i = 0; i < w->depth; i++)
		bytes_printf(&text, i == 0 ? "%u" : ".%u", w->numbers[i]);
	number = memory_text(text.length == 0 ? "1" : bytes_text(&text));
	bytes_release(&text);
	return number;
}

static void take_leaf(struct walk *w, GMimeObject *object, int64_t header)
{
	struct mime_part *part;
	const char *charset;

	if (w->index->count == MIME_PARTS_MAX) {
		w->why = "too many parts";
		return;
	}
	part = index_add(w->index);
	part->number = number_text(w);
	/* A multipart comes here when it has no parts. */
	part->type = GMIME_IS_MULTIPART(object) ? memory_text("text/plain") : type_text(object);
	charset = g_mime_object_get_content_type_parameter(object, "charset");
	part->charset = charset == NULL || *charset == '\0' ? NULL : clean_text(charset, TYPE_MAX);
	part->filename = filename_text(object);
	part->content_id = content_id_text(object);
	part->encoding = encoding_of(object);
	part->role = GMIME_IS_MULTIPART(object) ? MIME_TEXT : role_of(w, object, part);
	place_of(w, object, header, part);
}

static void walk_object(struct walk *w, GMimeObject *object, int64_t header);

static void walk_multipart(struct walk *w, GMimeMultipart *multipart)
{
	int count = g_mime_multipart_get_count(multipart);

	if (w->depth == MIME_DEPTH_MAX) {
		w->why = "parts in parts too deep";
		return;
	}
	w->parents[w->depth++] = multipart;
	for (int i = 0; i < count && w->why == NULL; i++) {
		GMimeObject *part = g_mime_multipart_get_part(multipart, i);

		w->numbers[w->depth - 1] = (unsigned)i + 1;
		walk_object(w, part, header_offset(part));
	}
	w->depth--;
}

static void walk_object(struct walk *w, GMimeObject *object, int64_t header)
{
	if (GMIME_IS_MULTIPART(object) && g_mime_multipart_get_count(GMIME_MULTIPART(object)) > 0)
		walk_multipart(w, GMIME_MULTIPART(object));
	else
		take_leaf(w, object, header);
}

/* Content that does not begin with a field is all text. */
static bool is_text_only(struct effort *e)
{
	unsigned char start[SOURCE_READ_SIZE];
	size_t got = effort_read(e, 0, start, sizeof(start));
	struct header_reader r = header_reader(span_of(start, got));
	struct header_field field;

	if (got == 0 || start[0] == '\r' || start[0] == '\n')
		return got == 0;
	/* The envelope line of a mailbox is not the start of a text. */
	if (span_starts_nocase(span_of(start, got), "From ") ||
	    span_starts_nocase(span_of(start, got), ">From "))
		return false;
	return !header_next(&r, &field) || field.whole.data != start;
}

static void take_text(struct mime_index *index, struct effort *e)
{
	struct mime_part *part = index_add(index);

	part->number = memory_text("1");
	part->type = memory_text("text/plain");
	part->filename = memory_text("");
	part->content_id = memory_text("");
	part->role = MIME_TEXT;
	part->length = e->source->size;
}

const char *walk_message(struct mime_index *index, struct effort *e)
{
	struct walk w = { .index = index, .effort = e };
	GMimeParser *parser;
	GMimeMessage *message;
	GMimeStream *stream;
	GMimeObject *root;

	gmime_begin();
	if (is_text_only(e)) {
		take_text(index, e);
		return NULL;
	}
	stream = effort_stream(e);
	parser = g_mime_parser_new_with_stream(stream);
	g_mime_parser_set_persist_stream(parser, TRUE);
	message = g_mime_parser_construct_message(parser, NULL);
	root = message == NULL ? NULL : g_mime_message_get_mime_part(message);
	if (root == NULL)
		w.why = "no message is found in it";
	else
		walk_object(&w, root, 0);
	if (message != NULL)
		g_object_unref(message);
	g_object_unref(parser);
	g_object_unref(stream);
	return w.why;
}

int mime_date(const char *value, struct bytes *out)
{
	GDateTime *date;
	char *text;

	gmime_begin();
	date = g_mime_utils_header_decode_date(value);
	if (date == NULL)
		return -1;
	text = g_date_time_format(date, "%Y-%m-%dT%H:%M:%S%:z");
	if (text != NULL)
		bytes_append_text(out, strstr(text, "+00:00") == NULL ? text : "");
	if (text != NULL && out->length == 0)
		bytes_printf(out, "%.19sZ", text);
	g_free(text);
	g_date_time_unref(date);
	return out->length > 0 ? 0 : -1;
}

bool mime_available(void)
{
	return true;
}
