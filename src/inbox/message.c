/* SPDX-License-Identifier: ISC */
/* message.c - a whole message as Mailpit's API has it, from what was kept when it came.
 *
 * Header, part index and the text parts are read, and nothing is parsed again. A message that was
 * past a bound shows the start of its content as text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "inbox/private.h"
#include "mail/header.h"
#include "mail/id.h"

/* Octets of the text, and again of the HTML, in one answer; the parts have all of it. */
#define MESSAGE_TEXT_MAX  (4 * 1024 * 1024)
#define UNPARSED_TEXT_MAX (256 * 1024) /* of a message that was not parsed */

/* Where the octets of a stored message are. */
struct body {
	struct reader *reader;
	uint64_t blob;
};

/* What there is of the message. */
struct stored {
	struct inbox_entry entry;
	struct message_facts facts;
	struct summary summary;
	struct mime_index index;
	struct bytes header; /* with the fields that are written in front of it */
	size_t content;      /* where the content's own body begins, in the stored octets */
	struct body body;
	struct mime_source source;
};

static int source_read(void *context, uint64_t off, void *out, size_t len, size_t *got_r)
{
	const struct body *body = context;

	return reader_body(body->reader, body->blob, off, out, len, got_r);
}

static void stored_release(struct stored *m)
{
	inbox_entry_release(&m->entry);
	message_facts_release(&m->facts);
	summary_release(&m->summary);
	mime_index_release(&m->index);
	bytes_release(&m->header);
}

static int read_header(struct stored *m, struct reader *reader)
{
	struct bytes start = { 0 };
	int rc = reader_header(reader, m->facts.blob, HEADER_MAX, &start);

	trace_format(&m->facts.trace, m->entry.id, &m->header);
	if ((m->facts.trace.added & TRACE_ADD_LINE) == 0) {
		m->content = header_length(bytes_span(&start));
		bytes_append(&m->header, start.data, m->content);
	}
	bytes_release(&start);
	return rc;
}

static void read_index(struct stored *m, struct reader *reader, uint32_t inbox, uint64_t sequence)
{
	struct bytes record = { 0 };

	if (reader_inbox_extra(reader, inbox, sequence, SPOOL_PARTS, &record))
		mime_index_decode(&m->index, bytes_span(&record));
	bytes_release(&record);
}

/* -1: it is gone. */
static int stored_read(struct stored *m, struct reader *reader, uint32_t inbox, uint64_t sequence)
{
	memset(m, 0, sizeof(*m));
	if (!reader_inbox_entry(reader, inbox, sequence, &m->entry))
		return -1;
	if (!reader_message(reader, m->entry.id, &m->facts) ||
	    summary_decode(&m->summary, bytes_span(&m->entry.summary)) != 0 ||
	    read_header(m, reader) != 0) {
		stored_release(m);
		return -1;
	}
	summary_complete(&m->summary, m->entry.id);
	read_index(m, reader, inbox, sequence);
	m->body = (struct body){ .reader = reader, .blob = m->facts.blob };
	m->source = (struct mime_source){ .size = m->facts.size,
		                          .read = source_read,
		                          .context = &m->body };
	return 0;
}

/* ---- of the header ------------------------------------------------------------------- */

/* Decoded, whole; empty when there is none. */
static struct bytes field_text(const struct stored *m, const char *name)
{
	struct bytes text = { 0 };
	struct span value;

	if (header_find(bytes_span(&m->header), name, &value))
		header_decode(value, &text);
	bytes_text(&text);
	return text;
}

static void set_field(json_t *object, const char *key, const struct stored *m, const char *name)
{
	struct bytes text = field_text(m, name);

	json_object_set_new(object, key, json_text(bytes_text(&text)));
	bytes_release(&text);
}

static void add_address(void *array, const char *name, const char *address)
{
	json_array_append_new(array, json_address(name, address));
}

static json_t *field_addresses(const struct stored *m, const char *name)
{
	json_t *array = json_array();
	struct span value;

	if (header_find(bytes_span(&m->header), name, &value))
		header_addresses(value, add_address, array);
	return array;
}

/* The Date field, or when it came. */
static json_t *date_of(const struct stored *m)
{
	struct bytes value = field_text(m, "Date"), date = { 0 };
	char came[CLOCK_DATE_MAX];
	json_t *text;

	clock_format_rfc3339(m->summary.created_us, came);
	if (value.length == 0 || mime_date(bytes_text(&value), &date) != 0)
		bytes_append_text(&date, came);
	text = json_text(bytes_text(&date));
	bytes_release(&value);
	bytes_release(&date);
	return text;
}

/* ---- List-Unsubscribe (RFC 2369, 8058) -------------------------------------------------- */

static void add_error(struct bytes *errors, const char *text, const char *what)
{
	if (errors->length > 0)
		bytes_append_text(errors, ", ");
	bytes_printf(errors, "\"%s\" %s", text, what);
}

struct unsubscribe {
	json_t *links;
	struct bytes errors;
	bool mail, web;
};

static void take_link(struct unsubscribe *u, const char *link)
{
	bool mail = strncmp(link, "mailto:", 7) == 0;
	bool web = span_starts_nocase(span_of_text(link), "http://") ||
	           span_starts_nocase(span_of_text(link), "https://");

	if (strpbrk(link, " \t") != NULL)
		add_error(&u->errors, link, "should not contain spaces");
	else if (mail && u->mail)
		add_error(&u->errors, link, "should only contain one mailto:");
	else if (web && u->web)
		add_error(&u->errors, link, "should only contain one HTTP link");
	else if (!mail && !web)
		add_error(&u->errors, link, "should start with either http(s):// or mailto:");
	else
		json_array_append_new(u->links, json_text(link));
	u->mail = u->mail || mail;
	u->web = u->web || web;
}

static void take_links(struct unsubscribe *u, const char *text)
{
	const char *at = text;
	bool found = false;

	while ((at = strchr(at, '<')) != NULL) {
		const char *end = strchr(at, '>');
		char *link;

		if (end == NULL)
			break;
		link = memory_text_of(at + 1, (size_t)(end - at) - 1);
		take_link(u, link);
		free(link);
		found = true;
		at = end;
	}
	if (!found && *text != '\0')
		add_error(&u->errors, text, "no valid unsubscribe links found");
}

static json_t *unsubscribe_of(const struct stored *m)
{
	struct unsubscribe u = { .links = json_array() };
	struct bytes text = field_text(m, "List-Unsubscribe");
	json_t *object = json_object();

	take_links(&u, bytes_text(&text));
	json_object_set_new(object, "Header", json_text(bytes_text(&text)));
	json_object_set_new(object, "Links", u.links);
	json_object_set_new(object, "Errors", json_text(bytes_text(&u.errors)));
	set_field(object, "HeaderPost", m, "List-Unsubscribe-Post");
	bytes_release(&text);
	bytes_release(&u.errors);
	return object;
}

/* ---- parts ------------------------------------------------------------------------------ */

static json_t *hex(const unsigned char *digest, size_t length)
{
	char text[65];

	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	return json_string(text);
}

void inbox_part_name(const struct mime_part *part, struct bytes *out)
{
	if (part->filename[0] != '\0')
		bytes_append_text(out, part->filename);
	else if (part->content_id[0] != '\0')
		bytes_append_text(out, part->content_id);
	else
		bytes_printf(out, "part-%s%s", part->number,
		             strcmp(part->type, "message/rfc822") == 0 ? ".eml"
		             : strncmp(part->type, "text/", 5) == 0    ? ".txt"
		                                                       : "");
}

static json_t *part_json(const struct mime_part *part)
{
	json_t *object = json_object(), *sums = json_object();
	struct bytes name = { 0 };

	inbox_part_name(part, &name);
	json_object_set_new(object, "PartID", json_text(part->number));
	json_object_set_new(object, "FileName", json_text(bytes_text(&name)));
	json_object_set_new(object, "ContentType", json_text(part->type));
	json_object_set_new(object, "ContentID", json_text(part->content_id));
	json_object_set_new(object, "Size", json_integer((json_int_t)part->size));
	json_object_set_new(sums, "MD5", hex(part->md5, sizeof(part->md5)));
	json_object_set_new(sums, "SHA1", hex(part->sha1, sizeof(part->sha1)));
	json_object_set_new(sums, "SHA256", hex(part->sha256, sizeof(part->sha256)));
	json_object_set_new(object, "Checksums", sums);
	bytes_release(&name);
	return object;
}

static json_t *parts_json(const struct mime_index *index, enum mime_role role)
{
	json_t *array = json_array();

	for (size_t i = 0; i < index->count; i++)
		if (index->parts[i].role == role)
			json_array_append_new(array, part_json(&index->parts[i]));
	return array;
}

/* What was not parsed, as it is. */
static void unparsed_text(const struct stored *m, struct bytes *out)
{
	const struct mime_part whole = { .encoding = MIME_IDENTITY,
		                         .offset = m->content,
		                         .length = m->facts.size - m->content };

	mime_part_text(&whole, &m->source, UNPARSED_TEXT_MAX, out);
}

/* Of a message that has only HTML: what it says, as in Mailpit. */
static void text_of_html(const struct stored *m, struct bytes *out)
{
	struct bytes html = { 0 };

	mime_index_text(&m->index, MIME_HTML, &m->source, MESSAGE_TEXT_MAX, &html);
	mime_html_text(bytes_span(&html), out);
	bytes_release(&html);
}

static void set_text(json_t *object, const char *key, const struct stored *m, enum mime_role role)
{
	struct bytes text = { 0 };

	if (m->index.parsed)
		mime_index_text(&m->index, role, &m->source, MESSAGE_TEXT_MAX, &text);
	if (m->index.parsed && role == MIME_TEXT && text.length == 0)
		text_of_html(m, &text);
	else if (!m->index.parsed && role == MIME_TEXT && m->content <= m->facts.size)
		unparsed_text(m, &text);
	json_object_set_new(object, key, json_text(bytes_text(&text)));
	bytes_release(&text);
}

/* ---- the message ---------------------------------------------------------------------------- */

static json_t *envelope_of(const struct stored *m)
{
	json_t *object = json_object();

	json_object_set_new(object, "From", json_text(m->summary.sender));
	json_object_set_new(object, "To",
	                    json_texts(m->summary.recipients, m->summary.recipient_count));
	json_object_set_new(object, "Client", json_text(m->facts.trace.client));
	json_object_set_new(object, "Helo", json_text(m->facts.trace.helo));
	json_object_set_new(object, "TLS", json_text(m->facts.trace.tls));
	return object;
}

static void set_addresses(json_t *object, const struct stored *m)
{
	const struct summary *s = &m->summary;
	struct bytes path = field_text(m, "Return-Path");
	const char *text = bytes_text(&path);
	size_t length = strlen(text);

	json_object_set_new(object, "From", json_address(s->from.name, s->from.address));
	json_object_set_new(object, "To", field_addresses(m, "To"));
	json_object_set_new(object, "Cc", field_addresses(m, "Cc"));
	json_object_set_new(object, "Bcc", json_addresses(s->bcc, s->bcc_count));
	json_object_set_new(object, "ReplyTo", field_addresses(m, "Reply-To"));
	if (length >= 2 && text[0] == '<' && text[length - 1] == '>') {
		path.data[length - 1] = '\0';
		text++;
	}
	if (*text == '\0')
		text = s->sender[0] != '\0' ? s->sender : s->from.address;
	json_object_set_new(object, "ReturnPath", json_text(text));
	bytes_release(&path);
}

/* What Mailpit has not. */
static void set_ours(json_t *object, const struct stored *m)
{
	json_object_set_new(object, "Links", json_texts(m->index.links, m->index.link_count));
	json_object_set_new(object, "Codes", json_texts(m->index.codes, m->index.code_count));
	json_object_set_new(object, "Envelope", envelope_of(m));
	json_object_set_new(object, "Parsed", json_boolean(m->index.parsed));
	json_object_set_new(object, "NotParsed", json_text(m->index.why));
}

json_t *inbox_message_json(struct reader *reader, uint32_t inbox, uint64_t sequence)
{
	struct stored m;
	json_t *object;
	char id[ID_TEXT_SIZE];

	if (stored_read(&m, reader, inbox, sequence) != 0)
		return NULL;
	object = json_object();
	id_format(m.entry.id, id);
	json_object_set_new(object, "ID", json_string(id));
	json_object_set_new(object, "MessageID", json_text(m.summary.message_id));
	set_addresses(object, &m);
	set_field(object, "Subject", &m, "Subject");
	json_object_set_new(object, "ListUnsubscribe", unsubscribe_of(&m));
	json_object_set_new(object, "Date", date_of(&m));
	json_object_set_new(object, "Tags", json_texts(m.entry.labels, m.entry.label_count));
	json_object_set_new(object, "Username", json_text(m.summary.login));
	set_text(object, "Text", &m, MIME_TEXT);
	set_text(object, "HTML", &m, MIME_HTML);
	json_object_set_new(object, "Size", json_integer((json_int_t)m.facts.size));
	json_object_set_new(object, "Inline", parts_json(&m.index, MIME_INLINE));
	json_object_set_new(object, "Attachments", parts_json(&m.index, MIME_ATTACHMENT));
	set_ours(object, &m);
	stored_release(&m);
	return object;
}

/* ---- the header as a map -----------------------------------------------------------------------
 */

/* "Content-Type", as Go's net/textproto writes names. */
static void canonical_name(struct span name, struct bytes *out)
{
	bool upper = true;

	for (size_t i = 0; i < name.length; i++) {
		unsigned char c = name.data[i];

		if (upper && c >= 'a' && c <= 'z')
			c = (unsigned char)(c - 'a' + 'A');
		else if (!upper && c >= 'A' && c <= 'Z')
			c = (unsigned char)(c - 'A' + 'a');
		upper = c == '-';
		bytes_append_char(out, (char)c);
	}
}

/* Lines trimmed and joined by one space. */
static void joined_value(struct span value, struct bytes *out)
{
	while (value.length > 0) {
		const unsigned char *lf = memchr(value.data, '\n', value.length);
		size_t length = lf == NULL ? value.length : (size_t)(lf - value.data);
		struct bytes line = { 0 };

		header_unfold(span_of(value.data, length), &line);
		if (out->length > 0 && line.length > 0)
			bytes_append_char(out, ' ');
		bytes_append_span(out, bytes_span(&line));
		bytes_release(&line);
		length += lf != NULL;
		value = span_of(value.data + length, value.length - length);
	}
}

static void add_field(json_t *map, const struct header_field *field)
{
	struct bytes name = { 0 }, value = { 0 };
	json_t *values;

	canonical_name(field->name, &name);
	joined_value(field->value, &value);
	values = json_object_get(map, bytes_text(&name));
	if (values == NULL) {
		values = json_array();
		json_object_set_new(map, bytes_text(&name), values);
	}
	json_array_append_new(values, json_text(bytes_text(&value)));
	bytes_release(&name);
	bytes_release(&value);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* As Go writes a map. */
static json_t *sorted(json_t *map)
{
	size_t count = json_object_size(map), at = 0;
	const char **names = memory_new_array(count, sizeof(*names)), *name;
	json_t *object = json_object(), *value;

	json_object_foreach(map, name, value)
	{
		names[at++] = name;
	}
	qsort(names, count, sizeof(*names), compare_names);
	for (size_t i = 0; i < count; i++)
		json_object_set(object, names[i], json_object_get(map, names[i]));
	json_decref(map);
	free(names);
	return object;
}

json_t *inbox_headers_json(struct reader *reader, uint32_t inbox, uint64_t sequence)
{
	struct stored m;
	struct header_reader r;
	struct header_field field;
	json_t *map;

	if (stored_read(&m, reader, inbox, sequence) != 0)
		return NULL;
	map = json_object();
	r = header_reader(bytes_span(&m.header));
	while (header_next(&r, &field))
		add_field(map, &field);
	stored_release(&m);
	return sorted(map);
}
