/* SPDX-License-Identifier: ISC */
/* message.c - a message as people and programs write it: read, its recipients, what is missing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "mail/header.h"
#include "mail/id.h"

/* Appends one line with CRLF. true: it was the line of one dot that ends the message. */
static bool append_line(struct bytes *message, const unsigned char *line, size_t length,
                        bool dot_ends)
{
	if (length > 0 && line[length - 1] == '\r')
		length--;
	if (dot_ends && length == 1 && line[0] == '.')
		return true;
	bytes_append(message, line, length);
	bytes_append(message, "\r\n", 2);
	return false;
}

/* Moves the whole lines of `raw` to the message. true: the end was met. */
static bool take_lines(struct bytes *raw, bool dot_ends, struct bytes *message)
{
	size_t start = 0;
	bool ended = false;

	while (!ended && start < raw->length) {
		const unsigned char *line = raw->data + start;
		const unsigned char *end = memchr(line, '\n', raw->length - start);

		if (end == NULL)
			break;
		ended = append_line(message, line, (size_t)(end - line), dot_ends);
		start += (size_t)(end - line) + 1;
	}
	bytes_consume(raw, start);
	return ended;
}

int message_read(int fd, bool dot_ends, struct bytes *message_r, struct bytes *error)
{
	struct bytes raw = { 0 };
	bool ended = false;
	ssize_t n = 1;

	while (!ended && n != 0) {
		bytes_reserve(&raw, 65536);
		n = read(fd, raw.data + raw.length, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			bytes_printf(error, "cannot read the message: %s", strerror(errno));
			break;
		}
		raw.length += (size_t)n;
		ended = take_lines(&raw, dot_ends, message_r);
		if (message_r->length + raw.length > MESSAGE_MAX) {
			bytes_printf(error, "the message is larger than %d MiB",
			             MESSAGE_MAX / (1024 * 1024));
			n = -1;
			break;
		}
	}
	if (n >= 0 && !ended && raw.length > 0)
		append_line(message_r, raw.data, raw.length, dot_ends);
	bytes_release(&raw);
	return n < 0 ? -1 : 0;
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

void message_recipients(struct span message, char ***list, size_t *count)
{
	struct header_reader r = header_reader(message);
	struct collector c = { list, count };
	struct header_field field;

	while (header_next(&r, &field))
		if (span_equal_nocase(field.name, span_of_text("To")) ||
		    span_equal_nocase(field.name, span_of_text("Cc")) ||
		    span_equal_nocase(field.name, span_of_text("Bcc")))
			header_addresses(field.value, collect, &c);
}

static void add_missing(struct span message, const char *from, const char *from_name,
                        struct bytes *out)
{
	struct span value;
	char date[CLOCK_DATE_MAX], id[ID_TEXT_SIZE];
	const char *at = strrchr(from, '@');
	uint64_t unique;

	if (!header_find(message, "From", &value)) {
		if (from_name != NULL && *from_name != '\0')
			bytes_printf(out, "From: \"%s\" <%s>\r\n", from_name, from);
		else
			bytes_printf(out, "From: <%s>\r\n", from);
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
	struct header_reader r = header_reader(message);
	size_t header = header_length(message);
	struct header_field field;
	bool any = false;

	add_missing(message, from, from_name, out);
	while (header_next(&r, &field)) {
		any = true;
		if (!span_equal_nocase(field.name, span_of_text("Bcc")))
			bytes_append_span(out, field.whole);
	}
	bytes_append(out, "\r\n", 2);
	/* A text without any header is all body. */
	if (!any)
		header = message.length >= 2 && memcmp(message.data, "\r\n", 2) == 0 ? 2 : 0;
	bytes_append(out, message.data + header, message.length - header);
}
