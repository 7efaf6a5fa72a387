/* SPDX-License-Identifier: ISC */
/* print.c - what --print shows of a message.
 *
 * Whatever a message holds, it cannot speak to the terminal: control characters, and octets that
 * are not UTF-8, are shown as '?'.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "inbox/private.h"
#include "mail/header.h"
#include "mail/id.h"

/* --print=full shows this much; the rest is in the inbox. A terminal is no place for a 50 MiB mail.
 */
#define PRINT_MAX (1024 * 1024) /* octets */

#define RECIPIENTS_SHOWN 3 /* on the line; a mail to a thousand is one line too */
#define RULE             "----------------------------------------------------------------------------\n"

/* Appends the whole message (Received field, then content), at most max octets. 0, or -1: gone. */
static int entry_read(const struct entry *entry, size_t max, struct bytes *out)
{
	uint64_t offset = 0;
	size_t got = 1;

	trace_format(&entry->facts.trace, entry->id, out);
	while (got > 0 && offset < max) {
		size_t want = max - offset < 65536 ? (size_t)(max - offset) : 65536;

		bytes_reserve(out, want);
		if (reader_body(entry->reader, entry->facts.blob, offset, out->data + out->length,
		                want, &got) < 0)
			return -1;
		out->length += got;
		offset += got;
	}
	return 0;
}

/* C0 but line ends and tabs, DEL, C1; marks that turn the direction of what follows. */
static bool speaks_to_terminal(uint32_t code)
{
	return (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7f && code < 0xa0) ||
	       (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

void print_safe(struct bytes *out, struct span text)
{
	while (text.length > 0) {
		uint32_t code;
		size_t length = utf8_next(text, &code);

		if (length == 0) {
			bytes_append_char(out, '?');
			length = 1;
		} else if (code != '\r') {
			if (speaks_to_terminal(code))
				bytes_append_char(out, '?');
			else
				bytes_append(out, text.data, length);
		}
		text.data += length;
		text.length -= length;
	}
}

/* On one line. */
static void print_text(struct bytes *out, const char *text)
{
	size_t start = out->length;

	print_safe(out, span_of_text(text));
	for (size_t i = start; i < out->length; i++)
		if (out->data[i] == '\n' || out->data[i] == '\t')
			out->data[i] = ' ';
}

static void print_size(struct bytes *out, uint64_t octets)
{
	char text[32];

	if (octets < 1024)
		snprintf(text, sizeof(text), "%u B", (unsigned)octets);
	else if (octets < 1024 * 1024)
		snprintf(text, sizeof(text), "%.1f KiB", (double)octets / 1024);
	else
		snprintf(text, sizeof(text), "%.1f MiB", (double)octets / (1024 * 1024));
	bytes_printf(out, "%10s", text);
}

static void print_path(struct bytes *out, const char *address)
{
	bytes_append_char(out, '<');
	print_text(out, address);
	bytes_append_char(out, '>');
}

static void print_recipients(const struct summary *s, struct bytes *out)
{
	for (size_t i = 0; i < s->recipient_count && i < RECIPIENTS_SHOWN; i++) {
		bytes_append_text(out, i == 0 ? " " : ", ");
		print_path(out, s->recipients[i]);
	}
	if (s->recipient_count > RECIPIENTS_SHOWN)
		bytes_printf(out, " and %zu more", s->recipient_count - RECIPIENTS_SHOWN);
}

/* ECMA-48, and only for a terminal: in a file or a pipe they would be in the way. */
#define BOLD  "\x1b[1m"
#define DIM   "\x1b[2m"
#define NAME  "\x1b[36m" /* cyan: readable on dark and on light */
#define PLAIN "\x1b[0m"

static void paint(const struct entry *entry, const char *code, struct bytes *out)
{
	if (entry->colour)
		bytes_append_text(out, code);
}

/* What has a width of its own comes first, so that columns stay below each other. */
static void print_line(const struct entry *entry, struct bytes *out)
{
	const struct summary *s = &entry->summary;
	time_t seconds = (time_t)(s->created_us / CLOCK_SEC);
	char date[32], id[ID_TEXT_SIZE];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	id_format(entry->id, id);
	paint(entry, DIM, out);
	bytes_printf(out, "%s  %s", date, id);
	print_size(out, s->size);
	paint(entry, PLAIN, out);
	bytes_append_text(out, "  ");
	print_path(out, s->sender);
	bytes_append_text(out, " ->");
	print_recipients(s, out);
	bytes_append_text(out, "  ");
	paint(entry, BOLD, out);
	print_text(out, s->subject[0] != '\0' ? s->subject : "(no subject)");
	paint(entry, PLAIN, out);
	bytes_append_char(out, '\n');
}

/* A header section, the names of its fields apart from what they say. */
static void print_header(const struct entry *entry, struct span header, struct bytes *out)
{
	struct header_reader r = header_reader(header);
	struct header_field field;
	const unsigned char *at = header.data, *end = at + header.length;

	while (entry->colour && header_next(&r, &field)) {
		print_safe(out, span_of(at, (size_t)((const unsigned char *)field.name.data - at)));
		paint(entry, NAME, out);
		print_safe(out, field.name);
		paint(entry, PLAIN, out);
		at = (const unsigned char *)field.name.data + field.name.length;
		print_safe(out, span_of(at, (size_t)((const unsigned char *)field.whole.data +
		                                     field.whole.length - at)));
		at = (const unsigned char *)field.whole.data + field.whole.length;
	}
	print_safe(out, span_of(at, (size_t)(end - at)));
}

static void print_message(const struct entry *entry, bool whole, struct bytes *out)
{
	struct bytes message = { 0 };
	struct span shown;
	size_t header;

	print_line(entry, out);
	paint(entry, DIM, out);
	bytes_append_text(out, RULE);
	paint(entry, PLAIN, out);
	if (entry_read(entry, whole ? PRINT_MAX : HEADER_MAX, &message) < 0)
		bytes_append_text(out, "(the message is no longer in the inbox)\n");
	shown = bytes_span(&message);
	if (!whole)
		shown.length = header_length(shown);
	if (!whole && shown.length >= 4 &&
	    memcmp(shown.data + shown.length - 4, "\r\n\r\n", 4) == 0)
		shown.length -= 2; /* one empty line behind is enough */
	header = header_length(shown) < shown.length ? header_length(shown) : shown.length;
	print_header(entry, span_of(shown.data, header), out);
	print_safe(out, span_of((const unsigned char *)shown.data + header, shown.length - header));
	if (whole && entry->facts.size > PRINT_MAX)
		bytes_append_text(out, "\n(cut; the inbox has the whole message)");
	if (shown.length > 0 && shown.data[shown.length - 1] != '\n')
		bytes_append_char(out, '\n');
	bytes_append_char(out, '\n');
	bytes_release(&message);
}

/* ---- one of them ------------------------------------------------------------ */

void print_entry(enum print_mode mode, const struct entry *entry, struct bytes *out)
{
	switch (mode) {
	case PRINT_OFF:
		break;
	case PRINT_LINE:
		print_line(entry, out);
		break;
	case PRINT_HEADERS:
		print_message(entry, false, out);
		break;
	case PRINT_FULL:
		print_message(entry, true, out);
		break;
	case PRINT_JSON:
		json_line(out, inbox_summary_json(&entry->row, &entry->summary));
		break;
	}
}
