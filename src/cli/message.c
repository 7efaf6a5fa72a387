/* SPDX-License-Identifier: ISC */
/* message.c - a message as people and programs write it: read, its recipients, what is missing.
 *
 * Its header is what looks like one: fields from the first line on. Everything else is body, and
 * goes out octet for octet but for line ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "mail/header.h"
#include "mail/id.h"

/* The message as it grows: all lines but the last are whole. */
struct lines {
	struct bytes *message;
	size_t start; /* of the last line */
	bool dot_ends, ended;
};

/* The last line is whole: it gets its CRLF, or it was the dot that ends the message. */
static void end_line(struct lines *l)
{
	struct bytes *m = l->message;

	if (m->length > l->start && m->data[m->length - 1] == '\r')
		m->length--;
	if (l->dot_ends && m->length == l->start + 1 && m->data[l->start] == '.') {
		m->length--;
		l->ended = true;
		return;
	}
	bytes_append(m, "\r\n", 2);
	l->start = m->length;
}

static void take(struct lines *l, struct span piece)
{
	while (piece.length > 0 && !l->ended) {
		const unsigned char *end = memchr(piece.data, '\n', piece.length);
		size_t length = end == NULL ? piece.length : (size_t)(end - piece.data);

		bytes_append(l->message, piece.data, length);
		if (end == NULL)
			return;
		end_line(l);
		piece.data += length + 1;
		piece.length -= length + 1;
	}
}

int message_read(int fd, bool dot_ends, struct bytes *message_r, struct bytes *error)
{
	struct lines lines = { .message = message_r, .dot_ends = dot_ends };
	unsigned char piece[64 * 1024];

	bytes_clear(message_r);
	while (!lines.ended) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			bytes_printf(error, "cannot read the message: %s", strerror(errno));
			return -1;
		}
		if (n == 0)
			break;
		take(&lines, span_of(piece, (size_t)n));
		if (message_r->length > MESSAGE_MAX) {
			bytes_printf(error, "the message is larger than %d MiB",
			             MESSAGE_MAX / (1024 * 1024));
			return -1;
		}
	}
	if (!lines.ended && message_r->length > lines.start)
		end_line(&lines);
	return 0;
}

static bool starts(struct span text, const char *with)
{
	return text.length >= strlen(with) && memcmp(text.data, with, strlen(with)) == 0;
}

/* Without the "From sender date" line of a mailbox file, which some programs leave in front. */
static struct span without_mailbox_line(struct span message)
{
	const unsigned char *end;

	if (!starts(message, "From ") && !starts(message, ">From "))
		return message;
	end = memchr(message.data, '\n', message.length);
	if (end == NULL)
		return message;
	return span_of(end + 1, message.length - (size_t)(end + 1 - message.data));
}

/* The fields in front, up to the empty line or the first line that is none: a text whose writer
 * forgot the empty line loses nothing. */
static struct span fields_of(struct span message)
{
	struct header_reader r = header_reader(message);
	struct header_field field;
	size_t length = 0;

	while (header_next(&r, &field) && field.whole.data == message.data + length)
		length += field.whole.length;
	return span_of(message.data, length);
}

struct collector {
	char ***list;
	size_t *count;
};

static void collect(void *context, const char *name, const char *address)
{
	struct collector *c = context;

	(void)name;
	*c->list = memory_grow(*c->list, *c->count + 1, sizeof(**c->list));
	(*c->list)[(*c->count)++] = memory_text(address);
}

static bool is_one_of(const struct header_field *field, const char *const *names)
{
	for (; *names != NULL; names++)
		if (span_equal_nocase(field->name, span_of_text(*names)))
			return true;
	return false;
}

static void collect_fields(struct span fields, const char *const *names, struct collector *c)
{
	struct header_reader r = header_reader(fields);
	struct header_field field;

	while (header_next(&r, &field))
		if (is_one_of(&field, names))
			header_addresses(field.value, collect, c);
}

void message_recipients(struct span message, char ***list, size_t *count)
{
	static const char *const resent[] = { "Resent-To", "Resent-Cc", "Resent-Bcc", NULL };
	static const char *const first[] = { "To", "Cc", "Bcc", NULL };
	struct span fields = fields_of(without_mailbox_line(message));
	struct collector c = { list, count };
	size_t before = *count;

	/* A mail that is sent again goes to whom it is sent again. */
	collect_fields(fields, resent, &c);
	if (*count == before)
		collect_fields(fields, first, &c);
}

/* The octets of an encoded word of at most 75 (RFC 2047 2): three for one, and the frame. */
#define WORD_OCTETS 20

/* Encodes the first character; what is none becomes '?'. Returns its octets. */
static size_t append_encoded(struct bytes *out, struct span *rest)
{
	size_t length = utf8_next(*rest, NULL);

	if (length == 0)
		bytes_append_text(out, "=3F");
	for (size_t i = 0; i < length; i++)
		bytes_printf(out, "=%02X", rest->data[i]);
	length = length == 0 ? 1 : length;
	rest->data += length;
	rest->length -= length;
	return length;
}

/* A name in front of an address: a quoted string, or encoded words when it is not ASCII. */
static void append_phrase(struct bytes *out, const char *name)
{
	struct span rest = span_of_text(name);

	if (utf8_is_ascii(rest)) {
		bytes_printf(out, "\"%s\"", name);
		return;
	}
	while (rest.length > 0) {
		bytes_append_text(out, "=?utf-8?Q?");
		for (size_t used = 0; rest.length > 0; used += append_encoded(out, &rest))
			if (used + utf8_next(rest, NULL) > WORD_OCTETS)
				break;
		bytes_append_text(out, rest.length > 0 ? "?= " : "?=");
	}
}

static void add_missing(struct span message, const char *from, const char *from_name,
                        struct bytes *out)
{
	struct span value;
	char date[CLOCK_DATE_MAX], id[ID_TEXT_SIZE];
	const char *at = strrchr(from, '@');
	uint64_t unique;

	if (!header_find(message, "From", &value)) {
		bytes_append_text(out, "From: ");
		if (from_name != NULL && *from_name != '\0') {
			append_phrase(out, from_name);
			bytes_append_char(out, ' ');
		}
		bytes_printf(out, "<%s>\r\n", from);
	}
	if (!header_find(message, "Date", &value)) {
		clock_format_rfc5322(clock_wall(clock_system()), date);
		bytes_printf(out, "Date: %s\r\n", date);
	}
	if (!header_find(message, "Message-ID", &value)) {
		digest_random(&unique, sizeof(unique));
		id_format(unique, id);
		bytes_printf(out, "Message-ID: <%s@%s>\r\n", id,
		             at != NULL && at[1] != '\0' ? at + 1 : "localhost");
	}
}

void message_complete(struct span message, const char *from, const char *from_name,
                      struct bytes *out)
{
	static const char *const hidden[] = { "Bcc", "Resent-Bcc", NULL };
	struct span whole = without_mailbox_line(message), fields = fields_of(whole);
	struct span body = whole;
	struct header_reader r = header_reader(fields);
	struct header_field field;

	if (fields.length > 0) /* an empty message has no address to count from */
		body = span_of(whole.data + fields.length, whole.length - fields.length);
	add_missing(fields, from, from_name, out);
	while (header_next(&r, &field))
		if (!is_one_of(&field, hidden))
			bytes_append_span(out, field.whole);
	if (body.length < 2 || memcmp(body.data, "\r\n", 2) != 0)
		bytes_append(out, "\r\n", 2);
	bytes_append_span(out, body);
}

bool message_needs_sender(struct span message)
{
	struct span fields = fields_of(without_mailbox_line(message)), value;

	return !header_find(fields, "From", &value) || !header_find(fields, "Message-ID", &value);
}
