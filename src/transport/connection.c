/* SPDX-License-Identifier: ISC */
/* connection.c - the life of an outbound connection: its states, its patience, its one end.
 *
 * The steps are a table; what they do is in opening.c, login.c and transaction.c, what the
 * stream brings comes through answer.c. connection_end() is the only way out but
 * connection_free(): everything held goes back first.
 */
#include "transport/private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metric.h"

static void send_quit(struct connection *c)
{
	connection_command(c, "QUIT");
}

static void got_quit(struct connection *c, const struct reply *reply)
{
	(void)reply;
	connection_end_well(c, c->ended);
}

const struct step connection_steps[STATE_COUNT] = {
	[STATE_NEW] = { "begin", STAGE_RESOLVE, 0, NULL, NULL },
	[STATE_RESOLVE] = { "resolving", STAGE_RESOLVE, PATIENCE_EHLO, NULL, NULL },
	[STATE_RESOLVED] = { "resolving", STAGE_RESOLVE, 0, NULL, NULL },
	[STATE_CONNECT] = { "connecting", STAGE_CONNECT, 0, NULL, NULL },
	[STATE_GREETING] = { "the greeting", STAGE_GREETING, PATIENCE_GREETING, NULL,
	                     got_greeting },
	[STATE_EHLO] = { "EHLO", STAGE_GREETING, PATIENCE_EHLO, send_ehlo, got_ehlo },
	[STATE_HELO] = { "HELO", STAGE_GREETING, PATIENCE_EHLO, send_helo, got_helo },
	[STATE_STARTTLS] = { "STARTTLS", STAGE_TLS, PATIENCE_TLS, send_starttls, got_starttls },
	[STATE_HANDSHAKE] = { "the TLS handshake", STAGE_TLS, PATIENCE_TLS, NULL, NULL },
	[STATE_SECRET] = { "the password", STAGE_LOGIN, PATIENCE_SECRET, send_secret, NULL },
	[STATE_AUTH] = { "AUTH", STAGE_LOGIN, PATIENCE_AUTH, send_auth, got_auth },
	[STATE_READY] = { "transactions", STAGE_READY, 0, NULL, NULL },
	[STATE_QUIT] = { "QUIT", STAGE_READY, PATIENCE_QUIT, send_quit, got_quit },
	[STATE_CLOSED] = { "closed", STAGE_READY, 0, NULL, NULL },
};

static const int64_t patience_of[EXPECT_KINDS] = {
	[EXPECT_RSET] = PATIENCE_MAIL, [EXPECT_MAIL] = PATIENCE_MAIL,
	[EXPECT_RCPT] = PATIENCE_RCPT, [EXPECT_DATA] = PATIENCE_DATA,
	[EXPECT_DOT] = PATIENCE_DOT,   [EXPECT_EMPTY_DOT] = PATIENCE_DOT,
	[EXPECT_BDAT] = PATIENCE_DOT,
};

/* Callbacks of the owner */

void guard_enter(struct connection *c, struct guard *g)
{
	g->gone = false;
	g->outer = c->guards;
	c->guards = g;
}

bool guard_leave(struct connection *c, struct guard *g)
{
	if (g->gone)
		return false;
	c->guards = g->outer;
	return true;
}

bool connection_give_back(struct connection *c, struct transaction *t)
{
	struct guard g;

	guard_enter(c, &g);
	c->events->done(c->context, t);
	return guard_leave(c, &g);
}

/* States */

void connection_enter(struct connection *c, enum connection_state next)
{
	log_debug("connection state conn=%llu provider=%s from=\"%s\" to=\"%s\"",
	          (unsigned long long)c->number, c->provider->name, connection_steps[c->state].name,
	          connection_steps[next].name);
	c->state = next;
	timer_stop(&c->patience);
	if (connection_steps[next].patience > 0)
		timer_start(&c->patience, connection_steps[next].patience);
	if (connection_steps[next].send != NULL)
		connection_steps[next].send(c);
}

/* Restarts the clock for what is due next. */
static void connection_wait(struct connection *c)
{
	const struct expect *front = expects_front(&c->expects);

	if (c->state != STATE_READY)
		return;
	if (front != NULL)
		timer_start(&c->patience, patience_of[front->kind]);
	else if (c->flights != NULL)
		timer_start(&c->patience, PATIENCE_BLOCK);
	else if (c->queue == NULL && c->provider->idle_timeout_us > 0)
		timer_start(&c->patience, c->provider->idle_timeout_us);
	else
		timer_stop(&c->patience);
	if (front == NULL)
		expects_release(&c->expects);
}

/* Writes what may be written, and ends what is to end. */
static void connection_advance(struct connection *c)
{
	/* More work must not lengthen the wait for a reply that is due already. */
	bool waits = c->expects.count > 0 || c->flights != NULL;

	if (transactions_advance(c) && !waits)
		connection_wait(c);
}

void connection_went_on(struct connection *c)
{
	if (transactions_advance(c))
		connection_wait(c);
}

void connection_ready(struct connection *c)
{
	const char *tls = stream_tls_description(c->stream);
	int64_t took = loop_now(c->transport->loop) - c->begun_us;

	opening_release(c);
	connection_enter(c, STATE_READY);
	c->opened = true;
	c->ehlo.facts.tls = stream_is_tls(c->stream);
	c->ehlo.facts.tls_verified = c->ehlo.facts.tls && c->provider->verify != TLS_VERIFY_OFF;
	metric_add(METRIC_CONNECTIONS, 1);
	metric_add(METRIC_CONNECTIONS_OPEN, 1);
	log_info(
		"connection opened conn=%llu provider=%s host=%s address=%s tls=\"%s\" ms=%" PRId64,
		(unsigned long long)c->number, c->provider->name, c->provider->host,
		stream_peer(c->stream), tls == NULL ? "none" : tls, took / CLOCK_MS);
	if (c->provider->connection_age_us > 0)
		timer_start(&c->age, c->provider->connection_age_us);
	connection_wait(c);
	c->events->ready(c->context, &c->ehlo.facts);
}

/* Writing */

void connection_write(struct connection *c, const void *data, size_t length)
{
	c->written += length;
	stream_write(c->stream, data, length);
}

void connection_expect(struct connection *c, enum expect_kind kind, struct flight *flight,
                       size_t recipient)
{
	struct expect one = {
		.kind = kind, .recipient = recipient, .end = c->written, .flight = flight
	};

	expects_push(&c->expects, &one);
}

void connection_command(struct connection *c, const char *format, ...)
{
	struct bytes line = { 0 };
	va_list arguments;

	va_start(arguments, format);
	bytes_vprintf(&line, format, arguments);
	va_end(arguments);
	log_debug("connection says conn=%llu line=%s", (unsigned long long)c->number,
	          log_quoted_span(bytes_span(&line)));
	bytes_append_text(&line, "\r\n");
	connection_write(c, line.data, line.length);
	connection_expect(c, EXPECT_STEP, NULL, 0);
	bytes_release(&line);
}

/* The end */

static void stop_timers(struct connection *c)
{
	timer_stop(&c->patience);
	timer_stop(&c->depart);
	timer_stop(&c->wrote);
	timer_stop(&c->age);
}

static void log_closed(const struct connection *c, enum connection_stage stage,
                       const struct reply *why)
{
	static const char *const stages[] = {
		[STAGE_RESOLVE] = "resolve",   [STAGE_CONNECT] = "connect",
		[STAGE_GREETING] = "greeting", [STAGE_TLS] = "tls",
		[STAGE_LOGIN] = "login",       [STAGE_READY] = "ready",
	};
	struct bytes text = { 0 };

	if (why->code != 0)
		reply_format(why, &text);
	else
		bytes_append_text(&text, why->text == NULL ? "" : why->text);
	log_info("connection closed conn=%llu provider=%s host=%s address=%s stage=%s "
	         "messages=%" PRIu64 " reason=%s",
	         (unsigned long long)c->number, c->provider->name, c->provider->host,
	         c->stream == NULL ? "none" : stream_peer(c->stream), stages[stage], c->messages,
	         log_quoted(bytes_text(&text)));
	bytes_release(&text);
}

/* Leaves the stream, and everything held with its owner. */
static bool shut(struct connection *c, const struct reply *why, bool politely)
{
	c->sent = c->stream == NULL ? 0 : stream_sent(c->stream);
	c->state = STATE_CLOSED;
	stop_timers(c);
	opening_release(c);
	expects_release(&c->expects);
	if (c->opened)
		metric_add(METRIC_CONNECTIONS_OPEN, -1);
	c->opened = false;
	if (c->stream != NULL && politely) {
		stream_write_text(c->stream, "QUIT\r\n");
		stream_close_after_output(&c->stream);
	}
	stream_free(&c->stream);
	return transactions_end(c, why);
}

static void end(struct connection *c, struct reply *why, bool politely)
{
	enum connection_stage stage = connection_steps[c->state].stage;
	struct reply last = *why; /* ours: the owner may free the connection in its callback */

	*why = (struct reply){ 0 };
	log_closed(c, stage, &last);
	if (shut(c, &last, politely))
		c->events->closed(c->context, stage, &last);
	reply_release(&last);
}

void connection_end(struct connection *c, struct reply *why)
{
	end(c, why, false);
}

void connection_end_politely(struct connection *c, struct reply *why)
{
	end(c, why, true);
}

/* Why something ended that nobody is to blame for. */
void reply_ordinary(struct reply *reply_r, const char *words)
{
	*reply_r = (struct reply){ .text = memory_text(words == NULL ? "" : words), .local = true };
}

void connection_end_well(struct connection *c, const char *words)
{
	struct reply why = { 0 };

	reply_ordinary(&why, words);
	connection_end(c, &why);
}

void connection_fail(struct connection *c, int code, const char *enhanced, const char *format, ...)
{
	struct bytes text = { 0 };
	struct reply why = { 0 };
	va_list arguments;

	va_start(arguments, format);
	bytes_vprintf(&text, format, arguments);
	va_end(arguments);
	reply_local(&why, code, enhanced, "%s", bytes_text(&text));
	bytes_release(&text);
	connection_end(c, &why);
}

void connection_refused(struct connection *c, const struct reply *reply, const char *step)
{
	struct reply why = { 0 };

	if (reply->code / 100 == 4 || reply->code / 100 == 5) {
		reply_copy(&why, reply);
	} else {
		struct bytes text = { 0 };

		reply_format(reply, &text);
		reply_local(&why, 451, "4.5.0", "impossible reply to %s: %s", step,
		            bytes_text(&text));
		bytes_release(&text);
	}
	connection_end_politely(c, &why);
}

/* Timers */

static void finish(struct connection *c, const char *words)
{
	if (!c->finishing)
		c->ended = words;
	c->finishing = true;
}

static void on_patience(void *context)
{
	struct connection *c = context;

	if (c->state == STATE_NEW) {
		opening_resolve(c);
	} else if (c->state == STATE_RESOLVED) {
		opening_connect(c);
	} else if (c->state == STATE_CONNECT) {
		race_late(c);
	} else if (c->state == STATE_QUIT) {
		connection_end_well(c, c->ended);
	} else if (c->state == STATE_READY && c->flights == NULL && c->expects.count == 0) {
		finish(c, "it was idle");
		connection_advance(c);
	} else {
		connection_fail(c, 451, "4.4.2", "timed out at %s",
		                connection_steps[c->state].name);
	}
}

static void on_depart(void *context)
{
	struct connection *c = context;

	if (c->state < STATE_READY)
		connection_end_well(c, c->ended);
	else if (c->state == STATE_READY)
		connection_advance(c);
}

static void on_wrote(void *context)
{
	outgoing_wrote(context);
}

static void on_age(void *context)
{
	struct connection *c = context;

	finish(c, "it reached its age");
	connection_advance(c);
}

/* Life */

static struct connection *make(const struct transport *transport,
                               const struct provider_settings *provider, struct tls_context *tls,
                               uint64_t number, const struct connection_events *events,
                               void *context)
{
	struct connection *c = memory_new(sizeof *c);

	c->transport = transport;
	c->provider = provider;
	c->tls = tls;
	c->number = number;
	c->events = events;
	c->context = context;
	c->begun_us = loop_now(transport->loop);
	timer_init(&c->patience, transport->loop, on_patience, c);
	timer_init(&c->depart, transport->loop, on_depart, c);
	timer_init(&c->wrote, transport->loop, on_wrote, c);
	timer_init(&c->age, transport->loop, on_age, c);
	return c;
}

struct connection *connection_new(const struct transport *transport,
                                  const struct provider_settings *provider, struct tls_context *tls,
                                  uint64_t number, const struct connection_events *events,
                                  void *context)
{
	struct connection *c = make(transport, provider, tls, number, events, context);

	timer_start(&c->patience, 0);
	return c;
}

struct connection *connection_new_on(const struct transport *transport, struct stream *stream,
                                     const struct provider_settings *provider,
                                     struct tls_context *tls, uint64_t number,
                                     const struct connection_events *events, void *context)
{
	struct connection *c = make(transport, provider, tls, number, events, context);

	c->stream = stream;
	c->written = stream_sent(stream);
	c->state = STATE_CONNECT;
	stream_set_events(stream, &connection_stream_events, c);
	opening_connected(c);
	return c;
}

void connection_submit(struct connection *c, struct transaction *t)
{
	bool waits = c->expects.count > 0 || c->flights != NULL;

	t->next = NULL;
	if (t->results == NULL)
		t->results = memory_new_array(t->count, sizeof *t->results);
	if (c->queue_last == NULL)
		c->queue = t;
	else
		c->queue_last->next = t;
	c->queue_last = t;
	c->queue_count++;
	if (c->queue_count > TRANSACTIONS_MAX)
		finish(c, "too many transactions were queued");
	/* No callback from in here: what is to be told is told soon. */
	if (transactions_write(c))
		timer_start(&c->depart, 0);
	else if (!waits)
		connection_wait(c);
}

void connection_finish(struct connection *c)
{
	finish(c, "it was asked to end");
	timer_start(&c->depart, 0);
}

void connection_free(struct connection **cp)
{
	struct connection *c = *cp;
	struct reply why = { 0 };

	if (c == NULL)
		return;
	*cp = NULL;
	for (struct guard *g = c->guards; g != NULL; g = g->outer)
		g->gone = true;
	c->guards = NULL;
	reply_ordinary(&why, "it was cut");
	if (c->state != STATE_CLOSED) {
		log_closed(c, connection_steps[c->state].stage, &why);
		(void)shut(c, &why, c->state == STATE_READY && c->flights == NULL);
	}
	(void)transactions_end(c, &why); /* what is left when done() itself frees at the end */
	reply_release(&why);
	stop_timers(c);
	expects_release(&c->expects);
	reply_reader_release(&c->reader);
	opening_release(c);
	free(c);
}
