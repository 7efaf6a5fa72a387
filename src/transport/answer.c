/* SPDX-License-Identifier: ISC */
/* answer.c - what comes from the stream: replies, each to the command it answers, and events.
 *
 * Replies are matched by order and by time: one that began before its command had left, or that
 * no command waits for, ends the connection, so that no message is ever given another's reply.
 */
#include "transport/private.h"

#include <string.h>

#include "base/log.h"

/* Replies */

static void log_reply(const struct connection *c, const struct reply *reply)
{
	/* What a peer says about a login may hold more than it should. */
	if (c->state == STATE_AUTH)
		log_debug("connection heard conn=%llu code=%d", (unsigned long long)c->number,
		          reply->code);
	else
		log_debug("connection heard conn=%llu code=%d text=%s",
		          (unsigned long long)c->number, reply->code,
		          log_quoted(reply->text == NULL ? "" : reply->text));
}

/* 421 closes the connection whatever it answers (RFC 5321 3.8); to the end of a content
 * it is a reply like any other, too. */
static void got_421(struct connection *c, const struct expect *front, const struct reply *reply,
                    uint64_t sent)
{
	struct reply why = { 0 };

	if (c->state == STATE_QUIT) {
		connection_end_well(c, c->ended);
		return;
	}
	c->finishing = true;
	c->ended = "the peer closes the connection";
	if (front != NULL && (front->kind == EXPECT_DOT || front->kind == EXPECT_BDAT) &&
	    sent >= front->end) {
		struct expect last = expects_pop(&c->expects);

		if (!transactions_got(c, &last, reply))
			return;
	}
	c->dismissed = true;
	reply_copy(&why, reply);
	connection_end(c, &why);
}

static void unsolicited(struct connection *c, const struct reply *reply)
{
	struct bytes text = { 0 };

	reply_format(reply, &text);
	connection_fail(c, 451, "4.5.0", "reply to no command: %s", bytes_text(&text));
	bytes_release(&text);
}

static void got_reply(struct connection *c, const struct reply *reply, uint64_t sent)
{
	const struct expect *front = expects_front(&c->expects);
	struct expect expect;

	log_reply(c, reply);
	c->heard_us = loop_now(c->transport->loop);
	if (reply->code == 421) {
		got_421(c, front, reply, sent);
		return;
	}
	if (front == NULL || sent < front->end) {
		if (!transactions_got_early(c, reply, sent))
			unsolicited(c, reply);
		return;
	}
	expect = expects_pop(&c->expects);
	if (expect.kind == EXPECT_STEP)
		connection_steps[c->state].got(c, reply);
	else
		(void)transactions_got(c, &expect, reply);
}

/* A reply is copied for every recipient: what nobody keeps goes first. Only EHLO's is read. */
static void trim(struct reply *reply)
{
	size_t length = REPLY_TEXT_MAX;

	if (reply->text == NULL || strnlen(reply->text, REPLY_TEXT_MAX + 1) <= REPLY_TEXT_MAX)
		return;
	while (length > 0 && ((unsigned char)reply->text[length] & 0xc0) == 0x80)
		length--; /* not inside a character */
	reply->text[length] = '\0';
}

/* Takes what is there, reply by reply; true: there was one, and the connection lives. */
static bool take_replies(struct connection *c)
{
	bool any = false, alive = true;

	reply_reader_arrived(&c->reader, stream_sent(c->stream));
	while (alive && c->stream != NULL) {
		struct reply reply = { 0 };
		struct guard g;
		uint64_t sent = 0;
		enum read_progress progress =
			reply_reader_next(&c->reader, c->stream, &reply, &sent);

		if (progress == READ_MORE)
			return any;
		any = true;
		if (c->state == STATE_READY)
			trim(&reply);
		guard_enter(c, &g);
		if (progress == READ_BROKEN)
			connection_fail(c, 451, "4.5.0", "what the peer says is not SMTP");
		else
			got_reply(c, &reply, sent);
		reply_release(&reply);
		alive = guard_leave(c, &g);
	}
	return false;
}

/* The stream's events */

static void on_readable(void *context)
{
	struct connection *c = context;

	if (c->state < STATE_GREETING || c->state == STATE_HANDSHAKE)
		return;
	if (take_replies(c))
		connection_went_on(c);
}

static void on_drained(void *context)
{
	struct connection *c = context;

	if (c->state == STATE_READY)
		connection_went_on(c);
}

static void on_secured(void *context)
{
	opening_secured(context);
}

static void on_closed(void *context, const char *error)
{
	struct connection *c = context;
	const char *words = error == NULL ? "the peer closed the connection" : error;

	if (c->state == STATE_HANDSHAKE)
		connection_fail(c, 451, "4.7.5", "%s", words);
	else if (c->state == STATE_QUIT)
		connection_end_well(c, c->ended);
	else if (c->state == STATE_READY && transactions_untouched(c))
		connection_end_well(c, "the peer closed an idle connection");
	else
		connection_fail(c, 451, "4.4.2", "connection lost at %s: %s",
		                connection_steps[c->state].name, words);
}

const struct stream_events connection_stream_events = {
	.readable = on_readable,
	.drained = on_drained,
	.secured = on_secured,
	.closed = on_closed,
};
