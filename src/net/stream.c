/* SPDX-License-Identifier: ISC */
/* stream.c - the owner's side of a stream: what is told when, buffers, the end.
 *
 * Bytes move in wire.c (socket, pair) and secure.c (TLS). Invariants: events are told by
 * stream_tell() and stream_deliver() only, which the loop calls; after each of them the
 * stream may be dead; a dead stream's struct lives until the end of the turn.
 */
#include "net/private.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* One stream writes at most so many rounds of STREAM_OUTPUT_LOW a turn. */
#define FLUSH_ROUNDS_MAX 4

static const struct stream_events no_events;

void stream_set_due(struct stream *s, enum stream_due due)
{
	if (s->dead)
		return;
	s->due |= (unsigned char)due;
	list_remove(&s->ready_link);
	list_append(&s->loop->ready, &s->ready_link);
}

/* Neither reads nor writes any more, and says so to the owner. */
static void stream_end(struct stream *s)
{
	s->over = true;
	wire_arm_read(s, false);
	wire_arm_write(s, false);
	flow_release(&s->output);
	flow_release(&s->wire);
	stream_set_due(s, DUE_CLOSED);
}

void stream_fail(struct stream *s, const char *format, ...)
{
	struct bytes text = { 0 };
	va_list arguments;

	if (s->over || s->dead)
		return;
	va_start(arguments, format);
	bytes_vprintf(&text, format, arguments);
	va_end(arguments);
	if (s->failure == NULL) /* the first cause is the true one */
		s->failure = memory_text(bytes_text(&text));
	bytes_release(&text);
	stream_end(s);
}

static size_t input_length(const struct stream *s)
{
	return s->lent.length + s->input.length;
}

static bool may_read(const struct stream *s)
{
	if (s->over || s->dead || s->connecting)
		return false;
	if (s->closing)
		return !s->ended;
	return !s->paused && input_length(s) < STREAM_INPUT_MAX &&
	       (s->broken || stream_output_length(s) < STREAM_OUTPUT_STOP);
}

/* Arms reading. Disarming is left to the event itself (stream_read_turn()): most pauses end before
 * anything arrives, and then cost no system call. */
void stream_arm(struct stream *s)
{
	if (!may_read(s))
		return;
	wire_arm_read(s, true);
}

void stream_want_flush(struct stream *s)
{
	if (s->dead || s->over || s->connecting)
		return;
	list_remove(&s->flush_link);
	list_append(&s->loop->flush, &s->flush_link);
}

/* Making */

static struct stream *stream_make(struct loop *loop, int fd, const struct stream_events *events,
                                  void *context)
{
	struct stream *s = memory_new(sizeof *s);

	s->loop = loop;
	s->fd = fd;
	s->events = events == NULL ? &no_events : events;
	s->context = context;
	list_init(&s->flush_link);
	list_init(&s->ready_link);
	list_init(&s->life_link);
	return s;
}

struct stream *stream_new(struct loop *loop, int fd, const struct stream_events *events,
                          void *context)
{
	struct stream *s = stream_make(loop, fd, events, context);

	wire_name_peer(s, NULL, 0);
	stream_arm(s);
	return s;
}

struct stream *stream_connect(struct loop *loop, const struct sockaddr *address, socklen_t length,
                              const struct stream_events *events, void *context)
{
	struct stream *s = stream_make(loop, -1, events, context);

	s->connecting = true;
	wire_name_peer(s, address, length);
	wire_connect(s, address, length);
	return s;
}

static struct stream *pair_end(struct loop *loop)
{
	struct stream *s = stream_make(loop, -1, NULL, NULL);

	s->pair = memory_new(sizeof *s->pair);
	s->pair->limit = STREAM_READ_SIZE;
	snprintf(s->peer, sizeof s->peer, "memory");
	return s;
}

void stream_pair(struct loop *loop, struct stream **here_r, struct stream **there_r)
{
	*here_r = pair_end(loop);
	*there_r = pair_end(loop);
	(*here_r)->pair->other = *there_r;
	(*there_r)->pair->other = *here_r;
}

void stream_pair_limit(struct stream *end, size_t octets)
{
	end->pair->limit = octets < STREAM_READ_SIZE ? octets : STREAM_READ_SIZE;
}

void stream_set_events(struct stream *s, const struct stream_events *events, void *context)
{
	s->events = events == NULL ? &no_events : events;
	s->context = context;
	if (input_length(s) > 0)
		stream_set_due(s, DUE_READABLE);
	stream_arm(s);
}

/* Input */

struct span stream_input(const struct stream *s)
{
	return s->lent.length > 0 ? s->lent : flow_span(&s->input);
}

void stream_consume(struct stream *s, size_t length)
{
	if (s->lent.length > 0) {
		s->lent.data += length;
		s->lent.length -= length;
	} else if (length > 0) {
		flow_consume(&s->input, length);
		stream_arm(s);
	}
}

void stream_pause(struct stream *s)
{
	s->paused = true;
}

void stream_resume(struct stream *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	if (input_length(s) > 0)
		stream_set_due(s, DUE_READABLE);
	stream_arm(s);
}

static void tell_readable(struct stream *s)
{
	if (!s->paused && !s->dead && s->events->readable != NULL)
		s->events->readable(s->context);
}

/* Hands over what arrived without copying it; only what is left is kept. */
void stream_deliver(struct stream *s, const void *data, size_t length)
{
	if (s->paused || s->input.length > 0 || s->events->readable == NULL) {
		flow_append(&s->input, data, length);
		tell_readable(s);
		return;
	}
	s->lent = span_of(data, length);
	s->loop->lent = true;
	tell_readable(s);
	s->loop->lent = false;
	if (!s->dead)
		flow_append(&s->input, s->lent.data, s->lent.length);
	s->lent = (struct span){ 0 };
}

void stream_ended(struct stream *s)
{
	if (s->secure != NULL && !secure_done(s)) {
		stream_fail(s, "%s closed the connection during the TLS handshake", s->peer);
		return;
	}
	if (!s->over)
		stream_end(s);
}

/* Nobody looks at what a closing stream receives. */
static void drop_input(struct stream *s, ssize_t got)
{
	if (got > 0) {
		s->dropping = true;
		return;
	}
	s->ended = true;
	wire_arm_read(s, false);
	if (got < 0 || s->shut)
		stream_bury(s);
}

/* One piece a turn: whoever sends more waits for the others' turn. */
void stream_read_turn(struct stream *s)
{
	unsigned char *raw = s->loop->raw;
	ssize_t got;

	if (!may_read(s)) {
		wire_arm_read(s, false);
		return;
	}
	got = wire_receive(s, raw, STREAM_READ_SIZE);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (s->closing) {
		drop_input(s, got);
	} else if (got < 0) {
		stream_fail(s, "connection to %s lost: %s", s->peer, strerror(errno));
	} else if (got == 0) {
		stream_ended(s);
	} else if (s->secure != NULL) {
		secure_take(s, raw, (size_t)got);
	} else {
		stream_deliver(s, raw, (size_t)got);
	}
}

/* Output */

void stream_write(struct stream *s, const void *data, size_t length)
{
	if (s->over || s->broken || s->dead || length == 0)
		return;
	flow_append(&s->output, data, length);
	if (stream_output_length(s) > STREAM_OUTPUT_LOW)
		s->high = true;
	if (!s->blocked)
		stream_want_flush(s);
}

void stream_write_text(struct stream *s, const char *text)
{
	stream_write(s, text, strlen(text));
}

size_t stream_output_length(const struct stream *s)
{
	return s->output.length + s->wire.length;
}

uint64_t stream_sent(const struct stream *s)
{
	return s->sent;
}

/* A peer that answered and closed has broken our writing, but its answer ("421 ...") may still
 * wait to be read: then the end of the input tells. */
static void write_failed(struct stream *s, int error)
{
	struct bytes text = { 0 };
	bool readable_first = (error == EPIPE || error == ECONNRESET) && !s->paused;

	if (s->closing) {
		stream_bury(s);
		return;
	}
	bytes_printf(&text, "connection to %s lost: %s", s->peer, strerror(error));
	s->failure = memory_text(bytes_text(&text));
	bytes_release(&text);
	if (!readable_first) {
		stream_end(s);
		return;
	}
	s->broken = true;
	flow_release(&s->output);
	flow_release(&s->wire);
	wire_arm_write(s, false);
	stream_arm(s);
}

/* Whether all of it went. */
static bool send_flow(struct stream *s, struct flow *f)
{
	ssize_t sent;

	if (f->length == 0)
		return true;
	do
		sent = wire_send(s, f->data + f->start, f->length);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
		write_failed(s, errno);
		return false;
	}
	if (sent > 0) {
		if (f == &s->output)
			s->sent += (uint64_t)sent;
		flow_consume(f, (size_t)sent);
	}
	wire_arm_write(s, f->length > 0);
	return f->length == 0;
}

void stream_flush(struct stream *s)
{
	int rounds = FLUSH_ROUNDS_MAX;

	list_remove(&s->flush_link);
	if (s->dead || s->over || s->broken || s->connecting)
		return;
	if (s->secure == NULL) {
		send_flow(s, &s->output);
	} else {
		do
			secure_fill(s, STREAM_OUTPUT_LOW);
		while (send_flow(s, &s->wire) && secure_done(s) && s->output.length > 0 &&
		       --rounds > 0);
	}
	if (s->dead || s->over)
		return;
	if (s->secure != NULL && secure_done(s) && s->output.length > 0 && !s->blocked)
		stream_want_flush(s);
	if (s->high && stream_output_length(s) <= STREAM_OUTPUT_LOW) {
		s->high = false;
		stream_set_due(s, DUE_DRAINED);
	}
	stream_arm(s);
}

/* Once the output is with the kernel: closes, unless the peer was still sending. Then close() would
 * answer it with a reset that makes the peer's kernel forget our last words, so only our
 * side is shut and the peer's end is awaited. */
static void close_step(struct stream *s)
{
	if (stream_output_length(s) > 0 || s->shut)
		return;
	if (s->secure != NULL) {
		secure_end(s);
		send_flow(s, &s->wire);
		if (s->dead || s->wire.length > 0)
			return;
	}
	s->shut = true;
	if (!s->dropping || s->ended)
		stream_bury(s);
	else
		wire_shut(s);
}

void stream_flush_turn(struct stream *s)
{
	stream_flush(s);
	if (s->closing && !s->dead)
		close_step(s);
}

/* Telling */

static void tell(struct stream *s, void (*event)(void *context))
{
	if (event != NULL)
		event(s->context);
}

void stream_connected(struct stream *s)
{
	s->connecting = false;
	stream_set_due(s, DUE_CONNECTED);
	if (s->secure != NULL)
		secure_begin(s);
	stream_arm(s);
	stream_want_flush(s);
}

static void tell_closed(struct stream *s)
{
	if (s->closing)
		stream_bury(s);
	else if (s->events->closed != NULL)
		s->events->closed(s->context, s->failure);
}

/* One event after the other: each may free the stream, and add to what is due. */
void stream_tell(struct stream *s)
{
	unsigned due = s->due;

	s->due = 0;
	if ((due & DUE_CONNECTED) && !s->dead)
		tell(s, s->events->connected);
	if ((due & DUE_SECURED) && !s->dead)
		tell(s, s->events->secured);
	if ((due & DUE_READABLE) && input_length(s) > 0)
		tell_readable(s);
	if ((due & DUE_ARRIVED) && !s->dead)
		stream_read_turn(s);
	if ((due & DUE_DRAINED) && !s->dead && !s->over)
		tell(s, s->events->drained);
	if ((due & DUE_CLOSED) && !s->dead)
		tell_closed(s);
}

bool stream_pair_pump(struct stream *end)
{
	struct stream *ends[] = { end, end->pair->other };
	bool moved = false;

	if (end->loop->lent)
		return false;
	for (size_t i = 0; i < 2; i++) {
		struct stream *s = ends[i];

		if (s == NULL || s->dead)
			continue;
		moved |= !list_empty(&s->flush_link) || !list_empty(&s->ready_link);
		if (!list_empty(&s->flush_link))
			stream_flush_turn(s);
		list_remove(&s->ready_link);
		stream_tell(s);
	}
	return moved;
}

/* The end */

void stream_bury(struct stream *s)
{
	if (s->dead)
		return;
	s->dead = true;
	list_remove(&s->flush_link);
	list_remove(&s->ready_link);
	list_remove(&s->life_link);
	wire_close(s);
	secure_free(&s->secure);
	flow_release(&s->input);
	flow_release(&s->output);
	flow_release(&s->wire);
	if (s->deadline != NULL)
		timer_stop(s->deadline);
	free(s->deadline);
	s->deadline = NULL;
	free(s->failure);
	s->failure = NULL;
	list_append(&s->loop->graves, &s->life_link);
}

void stream_free(struct stream **sp)
{
	struct stream *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	stream_bury(s);
}

static void close_late(void *context)
{
	stream_bury(context);
}

void stream_close_after_output(struct stream **sp)
{
	struct stream *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	s->events = &no_events;
	if (s->over || s->broken || s->connecting || (s->secure != NULL && !secure_done(s))) {
		stream_bury(s);
		return;
	}
	s->closing = true;
	s->dropping = input_length(s) > 0 || s->paused;
	s->lent = (struct span){ 0 };
	flow_release(&s->input);
	s->deadline = memory_new(sizeof *s->deadline);
	timer_init(s->deadline, s->loop, close_late, s);
	timer_start(s->deadline, STREAM_CLOSE_TIMEOUT_US);
	list_append(&s->loop->closing, &s->life_link);
	stream_arm(s);
	stream_want_flush(s);
}
