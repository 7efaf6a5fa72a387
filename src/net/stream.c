/* SPDX-License-Identifier: ISC */
/* stream.c - the owner's side of a stream: what is told when, input, its death.
 *
 * Output and the orderly close are in output.c; bytes move in wire.c (socket, pair) and secure.c
 * (TLS). Invariants: events are told by stream_tell() and stream_deliver() only, which the loop
 * calls; after each of them the stream may be dead; a dead stream's struct lives until the end of
 * the turn.
 */
#include "net/private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

const struct stream_events stream_no_events;

void stream_set_due(struct stream *s, enum stream_due due)
{
	if (s->dead)
		return;
	s->due |= (unsigned char)due;
	list_remove(&s->ready_link);
	list_append(&s->loop->ready, &s->ready_link);
}

void stream_end(struct stream *s)
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

size_t stream_input_length(const struct stream *s)
{
	return s->lent.length + s->input.length;
}

static bool may_read(const struct stream *s)
{
	if (s->over || s->dead || s->connecting)
		return false;
	if (s->closing)
		return !s->ended;
	return !s->paused && stream_input_length(s) < STREAM_INPUT_MAX &&
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

/* Making */

static struct stream *stream_make(struct loop *loop, int fd, const struct stream_events *events,
                                  void *context)
{
	struct stream *s = memory_new(sizeof *s);

	s->loop = loop;
	s->fd = fd;
	s->read_size = STREAM_READ_SIZE;
	s->events = events == NULL ? &stream_no_events : events;
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
	s->events = events == NULL ? &stream_no_events : events;
	s->context = context;
	if (stream_input_length(s) > 0)
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

void stream_wipe(struct stream *s, size_t length)
{
	struct span input = stream_input(s);

	/* Lent or ours, the memory is the loop's or the stream's own. */
	if (length > 0 && length <= input.length)
		memory_wipe((unsigned char *)(uintptr_t)input.data, length);
}

void stream_set_read_size(struct stream *s, size_t octets)
{
	s->read_size = octets < STREAM_READ_SIZE ? octets : STREAM_READ_SIZE;
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
	if (stream_input_length(s) > 0)
		stream_set_due(s, DUE_READABLE);
	stream_arm(s);
}

static void tell_readable(struct stream *s)
{
	if (!s->paused && !s->dead && s->events->readable != NULL)
		s->events->readable(s->context);
}

/* Hands over what arrived without copying it; only what is left is kept. */
void stream_deliver(struct stream *s, void *data, size_t length)
{
	if (s->paused || s->input.length > 0 || s->events->readable == NULL) {
		flow_take(&s->input, data, length);
		tell_readable(s);
		return;
	}
	s->lent = span_of(data, length);
	s->loop->lent = true;
	tell_readable(s);
	s->loop->lent = false;
	if (!s->dead)
		flow_take(&s->input, (unsigned char *)data + (length - s->lent.length),
		          s->lent.length);
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
	got = wire_receive(s, raw, s->read_size);
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
	if ((due & DUE_EARLY) && !s->dead && !s->over && !s->closing)
		secure_take_early(s);
	if ((due & DUE_SECURED) && !s->dead)
		tell(s, s->events->secured);
	if ((due & DUE_READABLE) && stream_input_length(s) > 0)
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
	flow_forget(&s->input);
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
