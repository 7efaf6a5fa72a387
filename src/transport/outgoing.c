/* SPDX-License-Identifier: ISC */
/* outgoing.c - what is written of the transactions, and when.
 *
 * With PIPELINING the commands of a transaction are one write, and those of the next one follow
 * its predecessor's final dot in the same write (RFC 2920 3.1). Without it one command waits for
 * the reply to the other. Only the last flight of the list has anything left to write. A dot is
 * written after a source that was read to its end, or, when nobody takes the content,
 * after no content at all.
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

static void write_command(struct connection *c, struct flight *f, struct bytes *line)
{
	struct transaction *t = f->t;
	size_t step = f->step++;

	bytes_clear(line);
	if (step == 0)
		compose_mail(line, t, &c->ehlo.facts);
	else if (step <= t->count)
		compose_rcpt(line, &t->recipients[step - 1], &c->ehlo.facts);
	else
		bytes_append_text(line, "DATA\r\n");
	connection_write(c, line->data, line->length);
	if (step == 0) {
		t->mail_written_us = loop_now(c->transport->loop);
		connection_expect(c, EXPECT_MAIL, f, 0);
	} else if (step <= t->count) {
		connection_expect(c, EXPECT_RCPT, f, step - 1);
	} else {
		connection_expect(c, EXPECT_DATA, f, 0);
	}
	f->due++;
}

static void write_commands(struct connection *c, struct flight *f)
{
	bool pipelining = c->ehlo.facts.pipelining;
	struct bytes line = { 0 };

	while (f->step <= f->t->count + 1 &&
	       (pipelining || (c->expects.count == 0 && !flight_failed(f))))
		write_command(c, f, &line);
	bytes_release(&line);
}

void outgoing_dot(struct connection *c, struct flight *f, enum expect_kind kind,
                  const struct bytes *octets)
{
	log_debug("transaction written conn=%llu msg=%llu slot=%" PRIu32 " content=%s",
	          (unsigned long long)c->number, (unsigned long long)f->t->id, f->t->slot,
	          kind == EXPECT_DOT ? "all" : "none");
	connection_write(c, octets->data, octets->length);
	f->phase = FLIGHT_ENDED;
	if (kind == EXPECT_DOT)
		f->dot_at = c->written;
	connection_expect(c, kind, f, 0);
	f->due++;
}

/* As much of the content as the stream should hold. -1: the source failed. */
static int write_body(struct connection *c, struct flight *f)
{
	struct source *source = f->t->source;
	struct bytes piece = { 0 }, coded = { 0 };
	int result = 0;

	while (f->phase == FLIGHT_BODY && stream_output_length(c->stream) < STREAM_OUTPUT_HIGH) {
		bytes_clear(&piece);
		bytes_clear(&coded);
		result = source->read(source, &piece, BODY_PIECE);
		if (result != 0)
			break;
		if (piece.length == 0) {
			dot_encode_end(&f->dots, &coded);
			outgoing_dot(c, f, EXPECT_DOT, &coded);
		} else {
			dot_encode(&f->dots, bytes_span(&piece), &coded);
			connection_write(c, coded.data, coded.length);
		}
	}
	bytes_release(&piece);
	bytes_release(&coded);
	return result;
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
	size_t depth =
		c->ehlo.facts.pipelining && c->provider->pipeline > 1 ? c->provider->pipeline : 1;

	if (c->finishing || c->queue == NULL || c->flight_count >= depth)
		return false;
	if (c->queue->depart_us > loop_now(c->transport->loop)) {
		timer_start_at(&c->depart, c->queue->depart_us);
		return false;
	}
	return true;
}

/* Moves the first of the queue to the wire, or back to its owner when the peer cannot take it. */
static bool begin_next(struct connection *c)
{
	struct transaction *t = transactions_unqueue(c);
	uint64_t limit = messages_limit(c);

	if (!compose_possible(t, &c->ehlo.facts, &t->reply)) {
		transaction_settle(t);
		return connection_give_back(c, t);
	}
	if (c->needs_rset) {
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
	return true;
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
	while (c->state == STATE_READY) {
		struct flight *f = c->flights_last;

		if (f != NULL && f->phase == FLIGHT_COMMANDS)
			write_commands(c, f);
		if (f != NULL && f->phase == FLIGHT_BODY && write_body(c, f) != 0) {
			connection_end_well(c, "the message could not be read to its end");
			return false;
		}
		if (f != NULL && f->phase != FLIGHT_ENDED)
			break;
		if (!may_begin(c))
			break;
		if (!begin_next(c))
			return false;
	}
	if (c->state != STATE_READY || !c->finishing)
		return true;
	if (!return_queue(c))
		return false;
	if (c->flights == NULL)
		connection_enter(c, STATE_QUIT);
	return true;
}
