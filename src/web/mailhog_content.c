/* SPDX-License-Identifier: ISC */
/* mailhog_content.c - a message taken apart as MailHog does it: by its boundaries alone, encoded
 * bodies as they came. Its clients decode them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"
#include "mail/header.h"
#include "web/mailhog.h"

#define DEPTH_MAX    10
#define PARTS_MAX    200 /* of a multipart */
#define BOUNDARY_MAX 200 /* octets; RFC 2046 has 70 */

void mailhog_read(struct reader *reader, const struct message_facts *facts, size_t max,
                  struct bytes *out)
{
	size_t wanted = facts->size < max ? (size_t)facts->size : max, got = 0;

	trace_format(&facts->trace, facts->id, out);
	bytes_reserve(out, wanted);
	if (reader_body(reader, facts->blob, 0, out->data + out->length, wanted, &got) == 0)
		out->length += got;
}

json_t *mailhog_text(struct span text)
{
	struct bytes copy = { 0 };
	json_t *value;

	bytes_append_span(&copy, text);
	for (size_t i = 0; i < copy.length; i++)
		if (copy.data[i] == '\0')
			copy.data[i] = '?';
	value = json_text(bytes_text(&copy));
	bytes_release(&copy);
	return value;
}

/* ---- the header ------------------------------------------------------------------------------ */

static json_t *headers_json(struct span header)
{
	struct header_reader r = header_reader(header);
	struct header_field field;
	json_t *object = json_object();

	while (header_next(&r, &field)) {
		char *name = memory_text_of(field.name.data, field.name.length);
		struct bytes value = { 0 };
		json_t *list = json_object_get(object, name);

		header_unfold(field.value, &value);
		if (list == NULL && json_object_set_new(object, name, json_array()) == 0)
			list = json_object_get(object, name);
		if (list != NULL) /* a name that is not UTF-8 is left out */
			json_array_append_new(list, mailhog_text(bytes_span(&value)));
		bytes_release(&value);
		free(name);
	}
	return object;
}

/* The boundary of a multipart. false: it is none. */
static bool boundary_of(struct span header, struct bytes *out)
{
	struct bytes text = { 0 };
	struct span value;
	const char *at;

	if (!header_find(header, "Content-Type", &value))
		return false;
	header_unfold(value, &text);
	at = strncasecmp(bytes_text(&text), "multipart/", 10) == 0
	             ? strcasestr(bytes_text(&text), "boundary=")
	             : NULL;
	if (at != NULL) {
		at += strlen("boundary=");
		bytes_append_text(out, "--");
		if (*at == '"')
			bytes_append(out, at + 1, strcspn(at + 1, "\""));
		else
			bytes_append(out, at, strcspn(at, "; \t"));
	}
	bytes_release(&text);
	return out->length > 2 && out->length <= BOUNDARY_MAX;
}

/* ---- parts ------------------------------------------------------------------------------------
 */

/* The line that begins with the boundary; its place, or the end of the text. */
static size_t boundary_find(struct span text, struct span boundary)
{
	const unsigned char *at = text.data, *end = text.data + text.length;

	while (at != NULL && (size_t)(end - at) >= boundary.length) {
		if (memcmp(at, boundary.data, boundary.length) == 0 &&
		    (at == text.data || at[-1] == '\n'))
			return (size_t)(at - text.data);
		at = memmem(at + 1, (size_t)(end - at) - 1, boundary.data, boundary.length);
	}
	return text.length;
}

/* Takes the next part from the front of the rest, which begins at its boundary. */
static bool part_next(struct span *rest, struct span boundary, struct span *part_r)
{
	const unsigned char *line;
	size_t length;

	if (rest->length < boundary.length + 2 ||
	    memcmp(rest->data + boundary.length, "--", 2) == 0)
		return false;
	line = memchr(rest->data, '\n', rest->length);
	if (line == NULL)
		return false;
	rest->length -= (size_t)(line + 1 - rest->data);
	rest->data = line + 1;
	length = boundary_find(*rest, boundary);
	*part_r = span_of(rest->data, length);
	rest->data += length;
	rest->length -= length;
	/* The line end before a boundary is the boundary's. */
	if (part_r->length >= 2 && memcmp(part_r->data + part_r->length - 2, "\r\n", 2) == 0)
		part_r->length -= 2;
	return true;
}

static json_t *content_json(struct span message, unsigned depth);

static json_t *parts_json(struct span body, struct span boundary, unsigned depth)
{
	size_t first = boundary_find(body, boundary);
	struct span rest = { body.data + first, body.length - first }, part;
	json_t *object = json_object(), *parts = json_array();

	while (json_array_size(parts) < PARTS_MAX && part_next(&rest, boundary, &part))
		json_array_append_new(parts, content_json(part, depth + 1));
	json_object_set_new(object, "Parts", parts);
	return object;
}

static struct span body_of(struct span message)
{
	size_t length = header_length(message);

	return span_of(message.data + length, message.length - length);
}

static json_t *content_json(struct span message, unsigned depth)
{
	struct span body = body_of(message);
	struct span header = span_of(message.data, message.length - body.length);
	struct bytes boundary = { 0 };
	json_t *object = json_object(), *mime = json_null();

	if (depth < DEPTH_MAX && boundary_of(header, &boundary))
		mime = parts_json(body, bytes_span(&boundary), depth);
	json_object_set_new(object, "Headers", headers_json(header));
	json_object_set_new(object, "Body", mailhog_text(body));
	json_object_set_new(object, "Size", json_integer((json_int_t)message.length));
	json_object_set_new(object, "MIME", mime);
	bytes_release(&boundary);
	return object;
}

json_t *mailhog_content(struct span message)
{
	return content_json(message, 0);
}

/* Line ends and what else is no base64 are left out. */
static void decode(struct span body, struct bytes *out)
{
	struct bytes plain = { 0 };
	size_t before = out->length;

	for (size_t i = 0; i < body.length; i++)
		if (body.data[i] > ' ')
			bytes_append_char(&plain, (char)body.data[i]);
	if (base64_decode(out, bytes_span(&plain)) < 0) {
		out->length = before;
		bytes_append_span(out, body);
	}
	bytes_release(&plain);
}

bool mailhog_part(struct span message, size_t n, struct bytes *out)
{
	struct span body = body_of(message), part, encoding, rest;
	struct bytes boundary = { 0 }, text = { 0 };
	bool found = boundary_of(message, &boundary);

	rest = body;
	if (found) {
		size_t first = boundary_find(body, bytes_span(&boundary));

		rest = span_of(body.data + first, body.length - first);
	}
	for (size_t i = 0; found && i <= n; i++)
		found = part_next(&rest, bytes_span(&boundary), &part);
	if (found && header_find(part, "Content-Transfer-Encoding", &encoding))
		header_unfold(encoding, &text);
	if (found && strcasecmp(bytes_text(&text), "base64") == 0)
		decode(body_of(part), out);
	else if (found)
		bytes_append_span(out, body_of(part));
	bytes_release(&boundary);
	bytes_release(&text);
	return found;
}
