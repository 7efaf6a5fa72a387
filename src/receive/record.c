/* SPDX-License-Identifier: ISC */
/* record.c - what client and server said: kept for an inbox, told when a session failed.
 *
 * Bounded: of a long dialogue the beginning and the end are kept. What belongs to an accepted
 * message is forgotten after it, so that each message has the session's opening and its own
 * transaction. No secret gets in: neither what AUTH carries, nor what a client that was refused
 * says on as if it had not been.
 */
#include "receive/private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mail/dialogue.h"

/* Octets of the beginning, and again of the end; an honest dialogue has one or two thousand. */
#define RECORD_HALF 8192
/* Of one line; a path has 256. */
#define LINE_KEPT   1000

struct record {
	struct bytes head, tail;
	size_t mark;  /* of head: what was said before the transaction */
	bool marked;  /* MAIL was said */
	bool left;    /* something between head and tail is left out */
	bool closed;  /* head takes no more */
	bool secret;  /* AUTH was the last command that we know */
	bool happy;   /* a message was accepted */
	char *reason; /* NULL: nothing failed */
	char *client; /* when it is over, and has failed */
};

void session_record_free(struct session_record **record_p)
{
	struct session_record *record = *record_p;

	if (record == NULL)
		return;
	*record_p = NULL;
	free(record->client);
	free(record->helo);
	free(record->reason);
	bytes_release(&record->dialogue);
	free(record);
}

void record_begin(struct session *s)
{
	if (s->receive->records)
		s->record = memory_new(sizeof *s->record);
}

/* ---- lines ------------------------------------------------------------------ */

/* Drops the oldest lines until the tail is what may be kept. */
static void tail_shorten(struct record *r)
{
	size_t dropped = 0;

	while (r->tail.length - dropped > RECORD_HALF) {
		const unsigned char *line = r->tail.data + dropped;

		dropped += DIALOGUE_LINE_HEAD + (size_t)be16_load(line + DIALOGUE_LINE_HEAD - 2);
	}
	memmove(r->tail.data, r->tail.data + dropped, r->tail.length - dropped);
	r->tail.length -= dropped;
	r->left = true;
}

static int64_t now_of(const struct session *s)
{
	return clock_wall(loop_clock(s->receive->loop));
}

static void line_add(struct session *s, enum dialogue_from from, struct span text)
{
	struct record *r = s->record;
	struct dialogue_line line = { now_of(s), from, text };

	if (line.text.length > LINE_KEPT)
		line.text.length = LINE_KEPT;
	r->closed |= r->head.length + DIALOGUE_LINE_HEAD + line.text.length > RECORD_HALF;
	dialogue_put(r->closed ? &r->tail : &r->head, &line);
	/* Twice as much is let in, so that it is not moved for each line. */
	if (r->tail.length > 2 * RECORD_HALF)
		tail_shorten(r);
}

void record_note(struct session *s, const char *format, ...)
{
	struct bytes text = { 0 };
	va_list arguments;
	char line[LINE_KEPT];

	if (s->record == NULL)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	bytes_printf(&text, "(%s)", line);
	line_add(s, DIALOGUE_NOTE, bytes_span(&text));
	bytes_release(&text);
}

/* The command and its mechanism. */
static void add_auth(struct session *s, struct span line)
{
	struct span rest = line, verb = span_word(&rest), mechanism = span_word(&rest);
	struct bytes text = { 0 };

	bytes_append_span(&text, verb);
	if (mechanism.length > 0) {
		bytes_append_char(&text, ' ');
		bytes_append_span(&text, mechanism);
	}
	if (rest.length > 0)
		bytes_append_text(&text, " ***");
	line_add(s, DIALOGUE_CLIENT, bytes_span(&text));
	bytes_release(&text);
}

void record_command(struct session *s, struct span line)
{
	struct record *r = s->record;

	if (r == NULL)
		return;
	if (s->state == SESSION_AUTH || (r->secret && !verb_is_known(line))) {
		line_add(s, DIALOGUE_CLIENT, span_of_text("***"));
		return;
	}
	r->secret = span_starts_nocase(line, "AUTH");
	if (!r->marked && span_starts_nocase(line, "MAIL")) {
		r->marked = true;
		r->mark = r->head.length;
	}
	if (r->secret)
		add_auth(s, line);
	else
		line_add(s, DIALOGUE_CLIENT, line);
}

void record_content(struct session *s, uint64_t octets)
{
	char text[40];
	int length;

	if (s->record == NULL)
		return;
	length = snprintf(text, sizeof text, "(%llu octets)", (unsigned long long)octets);
	line_add(s, DIALOGUE_CLIENT, span_of(text, (size_t)length));
}

void record_reply(struct session *s, struct span lines)
{
	if (s->record == NULL)
		return;
	while (lines.length > 0) {
		const unsigned char *end = memchr(lines.data, '\r', lines.length);
		size_t length = end != NULL ? (size_t)(end - lines.data) : lines.length;
		size_t used = end != NULL ? length + 2 : length;

		line_add(s, DIALOGUE_SERVER, span_of(lines.data, length));
		lines = span_of(lines.data + used, lines.length - used);
	}
}

/* ---- a message --------------------------------------------------------------- */

static void record_copy(const struct record *r, int64_t now_us, struct bytes *out)
{
	const struct dialogue_line gap = { now_us, DIALOGUE_NOTE, span_of_text("...") };

	dialogue_begin(out);
	bytes_append_span(out, bytes_span(&r->head));
	if (r->left)
		dialogue_put(out, &gap);
	bytes_append_span(out, bytes_span(&r->tail));
}

void record_give(struct session *s, struct bytes *dialogue)
{
	const struct dialogue_line reply = { now_of(s), DIALOGUE_QUEUED,
		                             span_of_text("250 2.0.0 queued as") };

	if (s->record == NULL)
		return;
	if (s->record->tail.length > RECORD_HALF)
		tail_shorten(s->record);
	record_copy(s->record, reply.time_us, dialogue);
	dialogue_put(dialogue, &reply);
}

void record_accepted(struct session *s)
{
	struct record *r = s->record;

	if (r == NULL)
		return;
	/* What comes next follows here, behind a gap. */
	r->head.length = r->mark;
	bytes_clear(&r->tail);
	r->closed = r->left = r->happy = true;
	r->marked = false;
}

/* ---- the end ------------------------------------------------------------------ */

void record_failure(struct session *s, int code, const char *enhanced, const char *text)
{
	const struct receive_watch *watch = &s->receive->watch;
	struct bytes reason = { 0 };

	if (s->record == NULL)
		return;
	bytes_printf(&reason, "%d %s%s%s", code, enhanced != NULL ? enhanced : "",
	             enhanced != NULL ? " " : "", text);
	if (s->record->reason == NULL)
		s->record->reason = memory_text(bytes_text(&reason));
	if (watch->refused != NULL && s->stream != NULL)
		watch->refused(watch->context, stream_peer(s->stream), bytes_text(&reason));
	bytes_release(&reason);
}

/* Between transactions clients may go as they like. */
void record_over(struct session *s, const char *why)
{
	bool amid = (BIT(s->state) & (BETWEEN | BIT(SESSION_PROXY))) == 0;

	if (s->record == NULL)
		return;
	if (s->data != NULL && !data_outstanding(s->data))
		record_note(s, "%s, amid the content", why);
	else
		record_note(s, "%s", why);
	if (amid && s->record->reason == NULL)
		s->record->reason = memory_text(why);
	/* It may have nobody to ask any more. */
	if (s->record->reason != NULL && s->record->client == NULL)
		s->record->client = memory_text(stream_peer(s->stream));
}

static void tell(struct session *s)
{
	const struct receive_watch *watch = &s->receive->watch;
	struct record *r = s->record;
	struct session_record *record = memory_new(sizeof *record);

	record->time_us = now_of(s);
	record->client = r->client;
	r->client = NULL;
	record->helo = s->helo != NULL ? memory_text(s->helo) : NULL;
	record->reason = r->reason;
	r->reason = NULL;
	if (r->tail.length > RECORD_HALF)
		tail_shorten(r);
	record_copy(r, record->time_us, &record->dialogue);
	watch->failed(watch->context, record);
}

void record_free(struct session *s)
{
	struct record *r = s->record;

	if (r == NULL)
		return;
	if (r->reason != NULL && r->client != NULL && !r->happy && s->receive->watch.failed != NULL)
		tell(s);
	s->record = NULL;
	free(r->client);
	free(r->reason);
	bytes_release(&r->head);
	bytes_release(&r->tail);
	free(r);
}
