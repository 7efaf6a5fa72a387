/* SPDX-License-Identifier: ISC */
/* session.c - the life of an inbound session: states, timer, replies, its end.
 *
 * Lines are read by lines.c. Invariants: one reply a command, in order; while a request is with the
 * writer no input is looked at; a session is freed by session_settle() only, as the last thing of
 * an event.
 */
#include "receive/private.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

/* ---- replies and states ---------------------------------------------- */

int64_t session_now(const struct session *s)
{
	return loop_now(s->receive->loop);
}

int64_t session_patience(const struct session *s)
{
	int64_t set = s->receive->listener->idle_timeout_us;

	return set > 0 ? set : IDLE_TIMEOUT_US;
}

bool session_secured(const struct session *s)
{
	return s->stream != NULL && stream_is_tls(s->stream);
}

bool session_known(const struct session *s)
{
	return s->login != NULL || s->local || (s->trusted && !s->receive->listener->open_relay);
}

static bool is_between(const struct session *s)
{
	return (BIT(s->state) & BETWEEN) != 0;
}

static bool is_in_transaction(const struct session *s)
{
	return s->state == SESSION_MAIL || s->state == SESSION_RCPT;
}

/* Monotonic time at which content has to begin, however lively the client is. A stranger's time
 * runs from the connection or its last message on. Who is known may keep a connection for later,
 * with a NOOP now and then, which JUNK_PERIOD_US bounds: its time runs from MAIL on. It is never
 * less than idle-timeout, so that the timer, which was set with that, does not come too late. */
static int64_t message_deadline(const struct session *s)
{
	int64_t patience = session_patience(s);

	if ((BIT(s->state) & WAITING) == 0 || (session_known(s) && !is_in_transaction(s)))
		return INT64_MAX;
	return s->waiting_us + (patience > MAIL_PATIENCE_US ? patience : MAIL_PATIENCE_US);
}

/* Monotonic time at which patience ends. */
static int64_t session_deadline(const struct session *s)
{
	int64_t at = s->activity_us + session_patience(s);

	if (s->state == SESSION_PROXY)
		return s->activity_us + PROXY_PATIENCE_US;
	if (s->state == SESSION_TLS)
		return s->activity_us + TLS_PATIENCE_US;
	if ((BIT(s->state) & CONTENT) != 0 && data_deadline(s) < at)
		return data_deadline(s);
	return message_deadline(s) < at ? message_deadline(s) : at;
}

void session_enter(struct session *s, enum session_state next)
{
	if (s->state == next)
		return;
	assert(s->state != SESSION_OVER);
	if ((BIT(next) & OURS) != 0 && s->stream != NULL)
		stream_pause(s->stream);
	s->state = next;
	if (next == SESSION_MAIL && session_known(s))
		s->waiting_us = session_now(s);
	if (next == SESSION_PROXY || next == SESSION_TLS) {
		s->activity_us = session_now(s);
		timer_start_at(&s->timer, session_deadline(s));
	}
}

static size_t append(char line[REPLY_LINE], size_t length, const char *text)
{
	size_t more = strnlen(text, REPLY_LINE - 2 - length);

	memcpy(line + length, text, more);
	return length + more;
}

void session_send(struct session *s, const void *data, size_t length)
{
	if (!play_write(s, data, length))
		stream_write(s->stream, data, length);
}

static void session_write(struct session *s, int code, const char *enhanced, const char *text)
{
	char line[REPLY_LINE];
	size_t length = 4;

	if (s->stream == NULL)
		return;
	line[0] = (char)('0' + code / 100);
	line[1] = (char)('0' + code / 10 % 10);
	line[2] = (char)('0' + code % 10);
	line[3] = ' ';
	if (enhanced != NULL) {
		length = append(line, length, enhanced);
		length = append(line, length, " ");
	}
	length = append(line, length, text);
	record_reply(s, span_of(line, length));
	memcpy(line + length, "\r\n", 2);
	session_send(s, line, length + 2);
}

void session_close(struct session *s, const char *why)
{
	if (s->state == SESSION_OVER)
		return;
	log_debug("session ended client=%s reason=\"%s\"", stream_peer(s->stream), why);
	record_over(s, why);
	stream_close_after_output(&s->stream);
	session_enter(s, SESSION_OVER);
}

void session_hang_up(struct session *s, const char *enhanced, const char *text)
{
	if (s->state == SESSION_OVER)
		return;
	session_write(s, 421, enhanced, text);
	if (!is_between(s))
		record_failure(s, 421, enhanced, text);
	metric_add(METRIC_COMMANDS_REJECTED, 1);
	session_close(s, text);
}

void session_reply(struct session *s, int code, const char *enhanced, const char *text)
{
	session_write(s, code, enhanced, text);
	if (code < 400)
		return;
	record_failure(s, code, enhanced, text);
	metric_add(METRIC_COMMANDS_REJECTED, 1);
	if (code >= 500) {
		s->errors++;
		admission_error(s);
	}
}

void session_replyf(struct session *s, int code, const char *enhanced, const char *format, ...)
{
	char text[REPLY_LINE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	session_reply(s, code, enhanced, text);
}

void session_refuse(struct session *s, const struct refusal *refusal, const char *to)
{
	const struct envelope *env = &s->envelope;
	struct bytes recipient = { 0 };

	session_reply(s, refusal->code, refusal->enhanced, refusal->text);
	if (to != NULL)
		bytes_printf(&recipient, " to=%s", log_quoted(to));
	log_info("message refused from=%s%s rcpts=%zu client=%s helo=%s reply=\"%d %s %s\"",
	         log_quoted(env->sender.text), bytes_text(&recipient), env->count,
	         s->stream != NULL ? stream_peer(s->stream) : "gone", log_quoted(s->helo),
	         refusal->code, refusal->enhanced, refusal->text);
	bytes_release(&recipient);
}

void session_junk(struct session *s)
{
	int64_t now = session_now(s), periods = (now - s->junk_us) / JUNK_PERIOD_US;

	if (s->junk == 0 || !session_known(s))
		periods = 0;
	if (periods >= s->junk)
		s->junk = 0;
	else
		s->junk -= (unsigned)periods;
	s->junk_us = s->junk == 0 ? now : s->junk_us + periods * JUNK_PERIOD_US;
	s->junk++;
}

void session_unreserve(struct session *s)
{
	if (s->reserved > 0)
		s->receive->store.unreserve(s->receive->store.context, s->reserved);
	s->reserved = 0;
}

void session_reset(struct session *s)
{
	if (s->data != NULL)
		data_free(s);
	session_unreserve(s);
	s->overshoot = 0;
	s->aliased = false;
	envelope_release(&s->envelope);
	envelope_init(&s->envelope);
	if (s->state != SESSION_OVER)
		session_enter(s, s->helo != NULL ? SESSION_READY : SESSION_START);
}

void session_forget(struct session *s)
{
	free(s->helo);
	free(s->login);
	s->helo = s->login = NULL;
	auth_forget(s);
	s->esmtp = false;
	session_reset(s);
}

/* ---- the end ----------------------------------------------------------- */

static void session_free(struct session *s)
{
	record_free(s);
	play_free(s);
	session_forget(s);
	timer_stop(&s->timer);
	clients_leave(s->receive->clients, &s->by_client);
	clients_leave(s->receive->clients, &s->by_listener);
	metric_add(METRIC_SESSIONS_OPEN, -1);
	list_remove(&s->node);
	envelope_release(&s->envelope);
	free(s);
}

static bool is_outstanding(const struct session *s)
{
	return (s->data != NULL && data_outstanding(s->data)) ||
	       (s->attempt != NULL && auth_outstanding(s->attempt));
}

/* The last thing of each event: who must go goes. False: the session is gone. */
static bool session_settle(struct session *s)
{
	if (s->state != SESSION_OVER && s->errors >= ERRORS_MAX)
		session_hang_up(s, "4.7.0", "Too many errors, closing");
	if (s->state != SESSION_OVER && s->junk >= JUNK_MAX)
		session_hang_up(s, "4.7.0", "Too many commands that send no mail, closing");
	if (s->receive->stopping && (is_between(s) || s->state == SESSION_FAULT))
		session_hang_up(s, "4.3.2", "Service is shutting down, closing");
	if (s->state != SESSION_OVER)
		return true;
	if (!is_outstanding(s))
		session_free(s);
	return false;
}

/* ---- what comes -------------------------------------------------------- */

/* What each state does with input; NULL: it waits. */
static bool (*const steps[])(struct session *s) = {
	[SESSION_PROXY] = admission_proxy_step,
	[SESSION_TLS] = NULL,
	[SESSION_START] = line_step,
	[SESSION_READY] = line_step,
	[SESSION_MAIL] = line_step,
	[SESSION_RCPT] = line_step,
	[SESSION_AUTH] = line_step,
	[SESSION_LOGIN] = NULL,
	[SESSION_DATA] = data_step,
	[SESSION_BDAT] = bdat_step,
	[SESSION_CHUNKS] = line_step,
	[SESSION_FAULT] = NULL,
	[SESSION_WRITER] = NULL,
	[SESSION_OVER] = NULL,
};

/* Takes what has come, as far as it goes. The session may be gone afterwards. */
static void session_run(struct session *s)
{
	while (session_settle(s)) {
		if (play_is_writing(s)) {
			stream_pause(s->stream);
			return;
		}
		if (stream_output_length(s->stream) > STREAM_OUTPUT_LOW) {
			s->choked = true;
			stream_pause(s->stream);
			return;
		}
		if (steps[s->state] == NULL || !steps[s->state](s)) {
			session_settle(s);
			return;
		}
	}
}

void session_resume(struct session *s)
{
	s->activity_us = session_now(s);
	if (s->stream != NULL && !s->choked)
		stream_resume(s->stream);
	session_run(s);
}

/* ---- events ---------------------------------------------------------------- */

static void on_readable(void *context)
{
	session_run(context);
}

static void on_drained(void *context)
{
	struct session *s = context;

	if (!s->choked)
		return;
	s->choked = false;
	if ((BIT(s->state) & OURS) == 0)
		stream_resume(s->stream);
	session_run(s);
}

static void on_secured(void *context)
{
	struct session *s = context;

	s->activity_us = session_now(s);
	record_note(s, "TLS: %s", stream_tls_description(s->stream));
	session_enter(s, SESSION_START);
	if (s->receive->listener->tls == LISTENER_TLS_IMPLICIT)
		admission_greet(s);
	session_run(s);
}

static void on_closed(void *context, const char *error)
{
	struct session *s = context;

	if (error != NULL) {
		log_debug("session lost client=%s reason=%s", stream_peer(s->stream),
		          log_quoted(error));
		record_over(s, error);
		stream_free(&s->stream);
		session_enter(s, SESSION_OVER);
	} else {
		stream_flush(s->stream); /* it may still read what we said */
		session_close(s, "closed by the client");
	}
	session_settle(s);
}

static const struct stream_events events = {
	.readable = on_readable,
	.drained = on_drained,
	.secured = on_secured,
	.closed = on_closed,
};

/* The session may be gone afterwards. */
static void session_time_out(struct session *s)
{
	if (s->state == SESSION_PROXY)
		admission_refuse(s, "no PROXY header in time");
	if (s->state == SESSION_TLS) {
		record_over(s, "TLS: no handshake in time");
		stream_free(&s->stream); /* nothing can be said in the middle of a handshake */
		session_enter(s, SESSION_OVER);
	} else if (session_now(s) >= message_deadline(s)) {
		session_hang_up(s, "4.4.2", "No message in time, closing");
	} else {
		session_hang_up(s, "4.4.2", "Timeout, closing");
	}
	session_settle(s);
}

/* The timer is not moved by each command: when it fires it looks how long it really was, and sleeps
 * on. Only session_enter() moves it, to a deadline that lies nearer than an idle timeout. */
static void on_timer(void *context)
{
	struct session *s = context;
	int64_t now = session_now(s), at = session_deadline(s);

	if ((BIT(s->state) & (OURS | BIT(SESSION_OVER))) != 0 || play_is_writing(s)) {
		timer_start(&s->timer, session_patience(s)); /* it is us who are slow */
		return;
	}
	if (now < at) {
		timer_start_at(&s->timer, at);
		return;
	}
	session_time_out(s);
}

/* ---- the beginning ------------------------------------------------------- */

struct session *session_new(struct receive *receive, struct stream *stream)
{
	struct session *s = memory_new(sizeof *s);

	s->receive = receive;
	s->stream = stream;
	s->state = SESSION_START;
	s->activity_us = s->waiting_us = session_now(s);
	envelope_init(&s->envelope);
	list_append(&receive->sessions, &s->node);
	metric_add(METRIC_SESSIONS, 1);
	metric_add(METRIC_SESSIONS_OPEN, 1);
	timer_init(&s->timer, receive->loop, on_timer, s);
	timer_start(&s->timer, session_patience(s));
	log_debug("session started client=%s listener=%s", stream_peer(stream),
	          receive->listener->name);
	stream_set_events(stream, &events, s);
	record_begin(s);
	admission_begin(s);
	return session_settle(s) ? s : NULL;
}

/* ---- all sessions of a worker and listener ---------------------------------- */

void receive_init(struct receive *receive)
{
	list_init(&receive->sessions);
	receive->stopping = false;
	receive->relieved_us = receive->told_us = INT64_MIN;
	receive->refused = 0;
}

void receive_relieve(struct receive *receive, int64_t idle_us)
{
	struct list *node, *after;

	list_each(node, after, &receive->sessions)
	{
		struct session *s = list_entry(node, struct session, node);

		if ((BIT(s->state) & (OURS | BIT(SESSION_OVER))) == 0 &&
		    session_now(s) - s->activity_us > idle_us)
			session_time_out(s);
	}
}

void receive_stop(struct receive *receive)
{
	struct list *node, *after;

	receive->stopping = true;
	list_each(node, after, &receive->sessions)
		session_settle(list_entry(node, struct session, node));
}

bool receive_idle(const struct receive *receive)
{
	return list_empty(&receive->sessions);
}

void receive_end(struct receive *receive)
{
	struct list *node, *after;
	struct session *s;

	list_each(node, after, &receive->sessions)
	{
		s = list_entry(node, struct session, node);
		if (s->stream != NULL)
			stream_free(&s->stream);
		session_enter(s, SESSION_OVER);
		session_settle(s);
	}
}
