/* SPDX-License-Identifier: ISC */
/* dialogue.c - the record of a dialogue: a version, then for each line its time, who said it, and
 * its text. */
#include "mail/dialogue.h"

#include <stdio.h>

#define DIALOGUE_VERSION 1
#define TEXT_MAX         UINT16_MAX

void dialogue_begin(struct bytes *record)
{
	bytes_put_u8(record, DIALOGUE_VERSION);
}

void dialogue_put(struct bytes *record, const struct dialogue_line *line)
{
	size_t length = line->text.length < TEXT_MAX ? line->text.length : TEXT_MAX;

	bytes_put_i64(record, line->time_us);
	bytes_put_u8(record, (uint8_t)line->from);
	bytes_put_u16(record, (uint16_t)length);
	bytes_append(record, line->text.data, length);
}

struct dialogue_reader dialogue_reader(struct span record, uint64_t id)
{
	struct bytes_reader r = bytes_reader(record);
	struct dialogue_reader out = { .id = id };

	if (bytes_get_u8(&r) == DIALOGUE_VERSION && !r.failed)
		out.rest = r.rest;
	return out;
}

/* The line that says which id a message got, which its writer did not know. */
static void queued(struct dialogue_reader *r, struct dialogue_line *line)
{
	char id[ID_TEXT_SIZE];
	int length;

	id_format(r->id, id);
	length = snprintf(r->queued, sizeof(r->queued), "%.*s %s",
	                  (int)(line->text.length < 64 ? line->text.length : 64),
	                  (const char *)line->text.data, id);
	line->from = DIALOGUE_SERVER;
	line->text = span_of(r->queued, (size_t)length);
}

bool dialogue_next(struct dialogue_reader *reader, struct dialogue_line *line_r)
{
	struct bytes_reader r = bytes_reader(reader->rest);
	uint8_t from;
	size_t length;

	line_r->time_us = bytes_get_i64(&r);
	from = bytes_get_u8(&r);
	length = bytes_get_u16(&r);
	if (r.failed || from > DIALOGUE_QUEUED || length > r.rest.length) {
		reader->rest = span_of(NULL, 0);
		return false;
	}
	line_r->from = (enum dialogue_from)from;
	line_r->text = span_of(r.rest.data, length);
	reader->rest = span_of(r.rest.data + length, r.rest.length - length);
	if (line_r->from == DIALOGUE_QUEUED)
		queued(reader, line_r);
	return true;
}
