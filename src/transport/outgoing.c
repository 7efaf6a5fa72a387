/* SPDX-License-Identifier: ISC */
/* outgoing.c - what is written of the transactions, and when.
 *
 * With PIPELINING the commands of a transaction are one write, and those of the next one follow
 * its predecessor's final dot in the same write (RFC 2920 3.1); with CHUNKING besides, the content
 * goes along, and further transactions behind it, each begun by RSET: what became of the one before
 * is not known yet, and its sender must never be the next one's (RFC 3030 4.2). Without PIPELINING
 * one command waits for the reply to the other. Only the last flight of the list has anything left
 * to write. A dot is written after a source that was read to its end, or, when nobody takes the
 * content, after no content at all.
 */
#include "transport/private.h"

#include <inttypes.h>

#include "base/log.h"
#include "base/memory.h"

static struct flight *flight_push(struct connection *c, struct transaction *t)
{
	struct flight *f = memory_new(sizeof *f);

	f->t = t;
	if (c->flights_last == NULL)
		c->flights = f;
	else
		c->flights_last->next = f;
	c->flights_last = f;
	c->flight_count++;
	return f;
}

/* From here on `length` octets must follow, whatever is replied meanwhile. */
static void write_bdat(struct connection *c, struct flight *f, struct bytes *line)
{
	bytes_printf(line, "BDAT %" PRIu64 " LAST\r\n", f->t->source->length);
	connection_write(c, line->data, line->length);
	f->phase = FLIGHT_BODY;
	f->chunk = true;
	f->left = f->t->source->length;
	f->body_at = c->written;
}

static void write_command(struct connection *c, struct flight *f, struct bytes *line)
{
	struct transaction *t = f->t;
	size_t step = f->step++;

	bytes_clear(line);
	if (step > t->count && c->ehlo.facts.chunking) {
		write_bdat(c, f, line);
		return;
	}
	if (step == 0)
		compose_mail(line, t, &c->ehlo.facts);
	else if (step <= t->count)
		compose_rcpt(line, &t->recipients[step - 1], &c->ehlo.facts);
	else
		bytes_append_text(line, "DATA\r\n");
	connection_write(c, line->data, line->length);
	if (step == 0) {
		t->mail_written_us = loop_now(c->transport->loop);
		f->turn = loop_turns(c->transport->loop);
		if (!timer_running(&c->wrote))
			timer_start(&c->wrote, 0);
		connection_expect(c, EXPECT_MAIL, f, 0);
	} else if (step <= t->count) {
		connection_expect(c, EXPECT_RCPT, f, step - 1);
	} else {
		connection_expect(c, EXPECT_DATA, f, 0);
	}
	f->due++;
}

/* What was given to the stream leaves at the end of the turn. A limit counts from then, never from
 * before: some ms early, again and again, would be messages too many. */
void outgoing_wrote(struct connection *c)
{
	unsigned long turn = loop_turns(c->transport->loop);

	for (struct flight *f = c->flights; f != NULL; f = f->next)
		if (f->turn < turn)
			flight_date(c, f);
		else if (!f->dated && !timer_running(&c->wrote))
			timer_start(&c->wrote, 0);
}

/* Whether the content may follow an envelope of which not all is answered. */
static bool is_eager(struct connection *c, const struct flight *f)
{
	return f->t->source->length <= EAGER_LENGTH_MAX &&
	       loop_now(c->transport->loop) - c->heard_us <= EAGER_SILENCE;
}

static bool may_write_next(struct connection *c, const struct flight *f)
{
	if (f->phase != FLIGHT_COMMANDS || f->step > f->t->count + 1)
		return false;
	if (!c->ehlo.facts.pipelining)
		return c->expects.count == 0 && !flight_failed(f);
	if (f->step <= f->t->count || !c->ehlo.facts.chunking)
		return true;
	return !flight_failed(f) && (f->due == 0 || is_eager(c, f));
}

static void write_commands(struct connection *c, struct flight *f)
{
	struct bytes line = { 0 };

	while (may_write_next(c, f))
		write_command(c, f, &line);
	bytes_release(&line);
}

void outgoing_end(struct connection *c, struct flight *f, enum expect_kind kind,
                  const struct bytes *octets)
{
	log_debug("transaction written conn=%llu msg=%llu slot=%" PRIu32 " content=%s",
	          (unsigned long long)c->number, (unsigned long long)f->t->id, f->t->slot,
	          kind == EXPECT_EMPTY_DOT ? "none" : "all");
	connection_write(c, octets->data, octets->length);
	f->phase = FLIGHT_ENDED;
	if (kind != EXPECT_EMPTY_DOT)
		f->dot_at = c->written;
	connection_expect(c, kind, f, 0);
	f->due++;
}

/* The next piece of what follows DATA. */
static int write_lines(struct connection *c, struct flight *f, struct bytes *piece)
{
	struct bytes coded = { 0 };

	if (f->t->source->read(f->t->source, piece, BODY_PIECE) != 0)
		return -1;
	if (piece->length == 0) {
		dot_encode_end(&f->dots, &coded);
		outgoing_end(c, f, EXPECT_DOT, &coded);
	} else {
		dot_encode(&f->dots, bytes_span(piece), &coded);
		connection_write(c, coded.data, coded.length);
	}
	bytes_release(&coded);
	return 0;
}

/* The next piece of a chunk, which is as long as was said: an octet more is asked for, so that a
 * source that has more is noticed. */
static int write_chunk(struct connection *c, struct flight *f, struct bytes *piece)
{
	size_t max = f->left < BODY_PIECE ? (size_t)f->left + 1 : BODY_PIECE;

	if (f->left > 0 && (f->t->source->read(f->t->source, piece, max) != 0 ||
	                    piece->length == 0 || piece->length > f->left))
		return -1;
	f->left -= piece->length;
	if (f->left == 0)
		outgoing_end(c, f, EXPECT_BDAT, piece);
	else
		connection_write(c, piece->data, piece->length);
	return 0;
}

/* As much of the content as the stream should hold. */
static void write_body(struct connection *c, struct flight *f)
{
	struct bytes piece = { 0 };

	while (f->phase == FLIGHT_BODY && stream_output_length(c->stream) < STREAM_OUTPUT_HIGH) {
		bytes_clear(&piece);
		if ((f->chunk ? write_chunk : write_lines)(c, f, &piece) == 0)
			continue;
		f->phase = FLIGHT_BROKEN;
		c->finishing = true;
		c->ended = "the message could not be read to its end";
	}
	bytes_release(&piece);
}

/* Beginning */

static uint64_t messages_limit(const struct connection *c)
{
	uint64_t ours = c->provider->messages_per_connection;
	uint64_t theirs = c->ehlo.facts.messages_max;

	if (ours == 0 || (theirs > 0 && theirs < ours))
		return theirs;
	return ours;
}

static bool may_begin(struct connection *c)
{
	size_t depth = c->provider->pipeline;

	if (c->finishing || c->queue == NULL)
		return false;
	if (c->queue->depth > 0 && c->queue->depth < depth)
		depth = c->queue->depth;
	if (!c->ehlo.facts.pipelining || depth < 1)
		depth = 1;
	if (c->flight_count >= depth)
		return false;
	if (c->queue->depart_us > loop_now(c->transport->loop)) {
		timer_start_at(&c->depart, c->queue->depart_us);
		return false;
	}
	return true;
}

/* The first of the queue goes to the wire. */
static void begin_next(struct connection *c)
{
	struct transaction *t = transactions_unqueue(c);
	uint64_t limit = messages_limit(c);

	if (c->needs_rset || (c->flights_last != NULL && c->flights_last->chunk)) {
		c->needs_rset = false;
		connection_write(c, "RSET\r\n", 6);
		connection_expect(c, EXPECT_RSET, NULL, 0);
	}
	log_debug("transaction begins conn=%llu msg=%llu slot=%" PRIu32 " rcpts=%zu size=%" PRIu64,
	          (unsigned long long)c->number, (unsigned long long)t->id, t->slot, t->count,
	          t->size);
	flight_push(c, t);
	c->messages++;
	if (limit > 0 && c->messages >= limit) {
		c->finishing = true;
		c->ended = "it carried as many messages as it may";
	}
}

static bool next_is_possible(const struct connection *c)
{
	struct reply refusal = { 0 };
	bool possible = compose_possible(c->queue, &c->ehlo.facts, &refusal);

	reply_release(&refusal);
	return possible;
}

bool transactions_write(struct connection *c)
{
	while (c->state == STATE_READY) {
		struct flight *f = c->flights_last;

		if (f != NULL)
			write_commands(c, f);
		if (f != NULL)
			write_body(c, f);
		if ((f != NULL && f->phase != FLIGHT_ENDED) || !may_begin(c))
			return c->finishing;
		if (!next_is_possible(c))
			return true;
		begin_next(c);
	}
	return false;
}

/* The peer cannot take the first of the queue. */
static bool refuse_next(struct connection *c)
{
	struct transaction *t = transactions_unqueue(c);

	(void)compose_possible(t, &c->ehlo.facts, &t->reply);
	transaction_settle(t);
	return connection_give_back(c, t);
}

/* What is queued will not be begun any more. */
static bool return_queue(struct connection *c)
{
	struct reply why = { 0 };
	bool alive = true;

	reply_ordinary(&why, c->ended);
	while (alive && c->queue != NULL) {
		struct transaction *t = transactions_unqueue(c);

		transaction_settle_without(t, TRANSACTION_UNSENT, &why);
		alive = connection_give_back(c, t);
	}
	reply_release(&why);
	return alive;
}

bool transactions_advance(struct connection *c)
{
	while (transactions_write(c) && !c->finishing)
		if (!refuse_next(c))
			return false;
	if (c->state != STATE_READY || !c->finishing)
		return true;
	/* Those before it are waited for. */
	if (c->flights != NULL && c->flights->phase == FLIGHT_BROKEN) {
		connection_end_well(c, c->ended);
		return false;
	}
	if (!return_queue(c))
		return false;
	if (c->flights == NULL)
		connection_enter(c, STATE_QUIT);
	return true;
}
