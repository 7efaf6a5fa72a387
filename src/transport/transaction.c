/* SPDX-License-Identifier: ISC */
/* transaction.c - what the replies to MAIL, RCPT, DATA and the content make of a message.
 *
 * Replies come in the order of the commands, so only the first flight of the list has any due. A
 * reply that cannot be ends the connection. However it ends, every recipient of every
 * transaction has a reply, the peer's or ours, and an end that never claims too much.
 */
#include "transport/private.h"

#include <stdlib.h>

#include "base/memory.h"

static const char *const kind_names[EXPECT_KINDS] = {
	[EXPECT_STEP] = "command",
	[EXPECT_RSET] = "RSET",
	[EXPECT_MAIL] = "MAIL",
	[EXPECT_RCPT] = "RCPT",
	[EXPECT_DATA] = "DATA",
	[EXPECT_DOT] = "end of data",
	[EXPECT_EMPTY_DOT] = "end of empty data",
	[EXPECT_BDAT] = "BDAT",
};

/* Results */

/* Nobody takes the content, and every reply that says so is here. */
bool flight_failed(const struct flight *f)
{
	return f->refused || (f->answered == f->t->count && f->accepted == 0);
}

/* Who has no reply yet gets this one. */
static void fill_results(struct transaction *t, const struct reply *reply)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->results[i].reply.code == 0)
			reply_copy(&t->results[i].reply, reply);
}

static void set_reply(struct transaction *t, const struct reply *reply)
{
	reply_release(&t->reply);
	reply_copy(&t->reply, reply);
}

/* What the peer said: the last refusal of a recipient stands for all when there was no other. */
void transaction_settle(struct transaction *t)
{
	t->end = TRANSACTION_REPLIED;
	if (t->reply.code == 0 && t->count > 0)
		set_reply(t, &t->results[t->count - 1].reply);
	fill_results(t, &t->reply);
}

/* Why there is no reply, as one. The end of a connection may be ordinary; for its message it is
 * a reason to wait. */
void transaction_settle_without(struct transaction *t, enum transaction_end end,
                                const struct reply *why)
{
	struct reply words = { 0 };

	if (why->code != 0)
		reply_copy(&words, why);
	else
		reply_local(&words, 451, "4.4.2", "connection ended before the message: %s",
		            why->text == NULL ? "" : why->text);
	t->end = end;
	set_reply(t, &words);
	fill_results(t, &words);
	reply_release(&words);
}

/* Flights */

void flight_date(const struct connection *c, struct flight *f)
{
	if (f->dated || f->t->mail_written_us == 0)
		return;
	f->t->mail_written_us = loop_now(c->transport->loop);
	f->dated = true;
}

/* Takes the first flight apart; its transaction is the caller's. */
static struct transaction *flight_shift(struct connection *c)
{
	struct flight *f = c->flights;
	struct transaction *t = f->t;

	flight_date(c, f);
	c->flights = f->next;
	if (c->flights == NULL)
		c->flights_last = NULL;
	c->flight_count--;
	free(f);
	return t;
}

struct transaction *transactions_unqueue(struct connection *c)
{
	struct transaction *t = c->queue;

	c->queue = t->next;
	if (c->queue == NULL)
		c->queue_last = NULL;
	c->queue_count--;
	t->next = NULL;
	return t;
}

/* Replies */

/* The first digit decides (RFC 5321 4.3.2), but 221 says that nothing more is done here. */
static bool is_accepted(const struct reply *reply)
{
	return reply->code / 100 == 2 && reply->code != 221;
}

static bool is_refused(const struct reply *reply)
{
	return reply->code / 100 == 4 || reply->code / 100 == 5;
}

/* Each takes a reply to its command; false: such a reply cannot be. */
static bool got_rset(struct connection *c, const struct expect *expect, const struct reply *reply)
{
	(void)c;
	(void)expect;
	return is_accepted(reply);
}

static bool got_mail(struct connection *c, const struct expect *expect, const struct reply *reply)
{
	struct flight *f = expect->flight;

	(void)c;
	if (is_accepted(reply)) {
		f->mailed = true;
		return true;
	}
	if (!is_refused(reply))
		return false;
	f->refused = true;
	set_reply(f->t, reply);
	return true;
}

static bool got_rcpt(struct connection *c, const struct expect *expect, const struct reply *reply)
{
	struct flight *f = expect->flight;
	struct recipient_result *result = &f->t->results[expect->recipient];

	(void)c;
	if (!is_accepted(reply) && !is_refused(reply))
		return false;
	if (f->refused) /* a 503 that follows from MAIL's refusal */
		return true;
	f->answered++;
	if (is_accepted(reply)) {
		f->accepted++;
		return true;
	}
	result->at_rcpt = true;
	reply_copy(&result->reply, reply);
	return true;
}

static bool got_data(struct connection *c, const struct expect *expect, const struct reply *reply)
{
	struct flight *f = expect->flight;

	if (is_refused(reply)) {
		if (!flight_failed(f)) {
			f->refused = true;
			set_reply(f->t, reply);
		}
		return true;
	}
	if (reply->code / 100 != 3)
		return false;
	if (flight_failed(f)) {
		struct bytes dot = { 0 };

		bytes_append_text(&dot, ".\r\n");
		outgoing_end(c, f, EXPECT_EMPTY_DOT, &dot);
		bytes_release(&dot);
		return true;
	}
	f->phase = FLIGHT_BODY;
	f->body_at = c->written;
	dot_encoder_init(&f->dots);
	return true;
}

static bool got_dot(struct connection *c, const struct expect *expect, const struct reply *reply)
{
	(void)c;
	if (!is_accepted(reply) && !is_refused(reply))
		return false;
	set_reply(expect->flight->t, reply);
	return true;
}

/* What is refused after a refusal belongs to that one; what is taken then cannot be. */
static bool got_bdat(struct connection *c, const struct expect *expect, const struct reply *reply)
{
	if (flight_failed(expect->flight))
		return is_refused(reply);
	return got_dot(c, expect, reply);
}

/* Whatever it says, there was nothing to send. */
static bool got_empty_dot(struct connection *c, const struct expect *expect,
                          const struct reply *reply)
{
	(void)c;
	(void)expect;
	return is_accepted(reply) || is_refused(reply);
}

static bool (*const got[EXPECT_KINDS])(struct connection *c, const struct expect *expect,
                                       const struct reply *reply) = {
	[EXPECT_RSET] = got_rset, [EXPECT_MAIL] = got_mail, [EXPECT_RCPT] = got_rcpt,
	[EXPECT_DATA] = got_data, [EXPECT_DOT] = got_dot,   [EXPECT_EMPTY_DOT] = got_empty_dot,
	[EXPECT_BDAT] = got_bdat,
};

/* Nothing is left to be said about this message. */
static bool flight_over(const struct flight *f)
{
	if (f->due > 0)
		return false;
	return f->phase == FLIGHT_ENDED || (f->phase == FLIGHT_COMMANDS && flight_failed(f));
}

static bool finish_first(struct connection *c)
{
	struct flight *f = c->flights;
	struct transaction *t;

	/* When BDAT was refused nobody knows what is left of the transaction (RFC 3030 4.2). */
	c->needs_rset =
		f->mailed && (f->chunk ? f->t->reply.code / 100 != 2 : f->phase == FLIGHT_COMMANDS);
	t = flight_shift(c);
	transaction_settle(t);
	c->completed++;
	return connection_give_back(c, t);
}

bool transactions_got(struct connection *c, const struct expect *expect, const struct reply *reply)
{
	struct flight *f = expect->flight;

	if (f != NULL)
		f->due--;
	if (!got[expect->kind](c, expect, reply)) {
		struct bytes text = { 0 };

		reply_format(reply, &text);
		connection_fail(c, 451, "4.5.0", "impossible reply to %s: %s",
		                kind_names[expect->kind], bytes_text(&text));
		bytes_release(&text);
		return false;
	}
	return f == NULL || !flight_over(f) || finish_first(c);
}

bool transactions_got_early(struct connection *c, const struct reply *reply, uint64_t sent)
{
	struct flight *f = c->flights;

	if (f == NULL || f->body_at == 0 || !is_refused(reply) || sent <= f->body_at)
		return false;
	f->refused = true;
	set_reply(f->t, reply);
	connection_end_well(c, "the peer refused a message amid its content");
	return true;
}

/* The end */

static enum transaction_end end_of(const struct connection *c, const struct flight *f)
{
	if (f->dot_at == 0 || c->sent < f->dot_at || c->dismissed)
		return TRANSACTION_UNSENT;
	return TRANSACTION_INDETERMINATE;
}

bool transactions_end(struct connection *c, const struct reply *why)
{
	bool alive = true, behind = false;

	while (alive && c->flights != NULL) {
		bool failed = flight_failed(c->flights);
		enum transaction_end end = end_of(c, c->flights);
		struct transaction *t = flight_shift(c);

		t->behind = behind;
		behind = true;
		if (failed)
			transaction_settle(t);
		else
			transaction_settle_without(t, end, why);
		alive = connection_give_back(c, t);
	}
	while (alive && c->queue != NULL) {
		struct transaction *t = transactions_unqueue(c);

		transaction_settle_without(t, TRANSACTION_UNSENT, why);
		alive = connection_give_back(c, t);
	}
	return alive;
}

bool transactions_untouched(const struct connection *c)
{
	const struct flight *f = c->flights;

	if (f == NULL)
		return true;
	return c->completed > 0 && f == c->flights_last && f->phase == FLIGHT_COMMANDS &&
	       !f->mailed && !f->refused && f->answered == 0;
}

void transaction_free(struct transaction **tp)
{
	struct transaction *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	address_release(&t->sender);
	free(t->envid);
	for (size_t i = 0; i < t->count; i++)
		recipient_release(&t->recipients[i]);
	for (size_t i = 0; t->results != NULL && i < t->count; i++)
		reply_release(&t->results[i].reply);
	free(t->recipients);
	free(t->results);
	reply_release(&t->reply);
	if (t->source != NULL)
		t->source->free(t->source);
	free(t);
}
