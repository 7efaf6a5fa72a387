/* SPDX-License-Identifier: ISC */
/* part.c - a part of a message, decoded while it is sent.
 *
 * What a browser would run or show as a page is a download; the policy of every answer forbids
 * scripts besides. A page of mail has no origin: it asks for its pictures with a key, as it would
 * otherwise be a stranger to guard.c.
 */
#include "web/part.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "inbox/inbox.h"

#define PART_STEP (48 * 1024) /* encoded octets that are read at a time */
/* A larger picture is not sent where a small one is asked for. */
#define THUMB_MAX (512 * 1024) /* octets */

/* A white picture of 180 x 120 in JPEG, as Mailpit sends when it can make none. */
static const unsigned char blank[247] = {
	0xff, 0xd8, 0xff,
	0xe0, 0,    0x10,
	'J',  'F',  'I',
	'F',  0,    1,
	1,    0,    0,
	1,    0,    1,
	0,    0, /* head */
	0xff, 0xdb, 0,
	0x43, 0, /* 64 quantisers of 8 */
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    8,    8,
	8,    0xff, 0xc0,
	0,    0x0b, 8,
	0,    120,  0,
	180,  1,    1,
	0x11, 0, /* one component */
	0xff, 0xc4, 0,
	0x15, 0,    1,
	1,    0,    0,
	0,    0,    0,
	0,    0,    0,
	0,    0,    0,
	0,    0,    0,
	0,    7, /* codes */
	0xff, 0xc4, 0,
	0x14, 0x10, 1,
	0,    0,    0,
	0,    0,    0,
	0,    0,    0,
	0,    0,    0,
	0,    0,    0,
	0, /* codes */
	0xff, 0xda, 0,
	8,    1,    1,
	0,    0,    0x3f,
	0, /* 345 blocks, all as the first */
	0xbf, 0x80, [244] = 0x3f,
	0xff, 0xd9,
};

bool part_index(struct call *call, uint64_t sequence, struct mime_index *index_r)
{
	struct bytes record = { 0 };
	bool found = reader_inbox_extra(call->web->reader, call->inbox, sequence, SPOOL_PARTS,
	                                &record) &&
	             mime_index_decode(index_r, bytes_span(&record)) == 0;

	bytes_release(&record);
	return found;
}

/* ---- sending it ------------------------------------------------------------------ */

struct part {
	struct mime_decoder *decoder;
	uint64_t blob, offset, left; /* encoded octets to come */
	uint64_t size;               /* decoded octets to come */
	bool ended;
};

static void part_release(struct call *call)
{
	struct part *p = call->context;

	mime_decoder_free(&p->decoder);
	free(p);
}

/* False: it was deleted meanwhile, and the answer ends early. */
static bool read_some(struct call *call, struct part *p, struct bytes *out)
{
	unsigned char *data = memory_new(PART_STEP);
	size_t want = p->left < PART_STEP ? (size_t)p->left : PART_STEP, got = 0;

	if (reader_body(call->web->reader, p->blob, p->offset, data, want, &got) < 0)
		got = 0;
	mime_decoder_feed(p->decoder, span_of(data, got), out);
	p->offset += got;
	p->left -= got;
	free(data);
	return got > 0;
}

static void part_next(struct call *call)
{
	struct part *p = call->context;
	struct bytes piece = { 0 };

	while (piece.length == 0 && p->left > 0 && read_some(call, p, &piece))
		;
	if (p->left == 0 && !p->ended) {
		mime_decoder_end(p->decoder, &piece);
		p->ended = true;
	}
	/* Never more than was said. */
	if (piece.length > p->size)
		piece.length = (size_t)p->size;
	p->size -= piece.length;
	if (piece.length > 0)
		answer_piece(call, bytes_span(&piece));
	else
		answer_end(call);
	bytes_release(&piece);
}

/* ---- what is said of it -------------------------------------------------------------- */

/* Pictures, sound and plain text have nothing that runs. */
static bool may_be_shown(const char *type)
{
	static const char *const types[] = {
		"image/png", "image/jpeg", "image/gif",    "image/webp",
		"image/bmp", "image/avif", "image/x-icon", "text/plain",
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return strncmp(type, "audio/", 6) == 0 || strncmp(type, "video/", 6) == 0;
}

static bool is_token(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("!#$&^_.+-/", *c) == NULL)
			return false;
	return *text != '\0';
}

/* What a mail says it is may be anything. */
static void content_type(const struct mime_part *part, struct bytes *out)
{
	if (!is_token(part->type) || strchr(part->type, '/') == NULL)
		bytes_append_text(out, "application/octet-stream");
	else
		bytes_append_text(out, part->type);
	/* UTF-7 makes markup of plain letters. */
	if (strncmp(part->type, "text/", 5) == 0 && part->charset != NULL &&
	    is_token(part->charset) && strncasecmp(part->charset, "utf-7", 5) != 0)
		bytes_printf(out, "; charset=%s", part->charset);
}

static void describe(struct call *call, const struct mime_part *part)
{
	struct bytes name = { 0 }, disposition = { 0 };

	inbox_part_name(part, &name);
	bytes_printf(&disposition, "%s; filename=\"",
	             may_be_shown(part->type) ? "inline" : "attachment");
	path_escape(bytes_text(&name), &disposition);
	bytes_append_char(&disposition, '"');
	answer_header(call, "Content-Disposition", bytes_text(&disposition));
	if (call_has_view_key(call))
		answer_header(call, "Cross-Origin-Resource-Policy", "cross-origin");
	bytes_release(&name);
	bytes_release(&disposition);
}

static void part_send(struct call *call, const struct mime_part *part, uint64_t blob)
{
	struct part *p = memory_new(sizeof(*p));
	struct bytes type = { 0 };

	p->decoder = mime_decoder_new(part);
	p->blob = blob;
	p->offset = part->offset;
	p->left = part->length;
	p->size = part->size;
	call->context = p;
	call->release = part_release;
	content_type(part, &type);
	describe(call, part);
	answer_stream(call, 200, bytes_text(&type), (int64_t)part->size, part_next);
	bytes_release(&type);
}

bool part_answer(struct call *call, uint64_t id, uint64_t sequence, const char *number)
{
	const struct mime_part *part;
	struct message_facts facts;
	struct mime_index index;
	bool found;

	if (!part_index(call, sequence, &index))
		return false;
	part = mime_index_find(&index, number);
	found = part != NULL && reader_message(call->web->reader, id, &facts);
	if (found) {
		part_send(call, part, facts.blob);
		message_facts_release(&facts);
	}
	mime_index_release(&index);
	return found;
}

bool part_thumb_answer(struct call *call, uint64_t id, uint64_t sequence, const char *number)
{
	const struct mime_part *part;
	struct mime_index index;
	bool found, small;

	if (!part_index(call, sequence, &index))
		return false;
	part = mime_index_find(&index, number);
	found = part != NULL;
	small = found && strncmp(part->type, "image/", 6) == 0 && may_be_shown(part->type) &&
	        part->size <= THUMB_MAX;
	mime_index_release(&index);
	if (small)
		return part_answer(call, id, sequence, number);
	if (found)
		answer_body(call, 200, "image/jpeg", span_of(blank, sizeof(blank)));
	return found;
}
