/* SPDX-License-Identifier: ISC */
/* output.c - what a stream writes, and how it ends when all is written.
 *
 * Output is gathered and flushed once, at the end of the turn; a write event exists only while the
 * peer's window is full. A stream that closes has no owner any more: it drops what arrives, and is
 * buried when its output is with the kernel, or at its deadline.
 */
#include "net/private.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"

/* One stream writes at most so many rounds of STREAM_OUTPUT_LOW a turn. */
#define FLUSH_ROUNDS_MAX 4

void stream_want_flush(struct stream *s)
{
	if (s->dead || s->over || s->connecting)
		return;
	list_remove(&s->flush_link);
	list_append(&s->loop->flush, &s->flush_link);
}

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
	s->events = &stream_no_events;
	if (s->over || s->broken || s->connecting || (s->secure != NULL && !secure_done(s))) {
		stream_bury(s);
		return;
	}
	s->closing = true;
	s->dropping = stream_input_length(s) > 0 || s->paused;
	s->lent = (struct span){ 0 };
	flow_forget(&s->input);
	s->deadline = memory_new(sizeof *s->deadline);
	timer_init(s->deadline, s->loop, close_late, s);
	timer_start(s->deadline, STREAM_CLOSE_TIMEOUT_US);
	list_append(&s->loop->closing, &s->life_link);
	stream_arm(s);
	stream_want_flush(s);
}
