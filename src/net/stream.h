/* SPDX-License-Identifier: ISC */
/* stream.h - a connected byte stream: plain, TLS, or an in-memory pair for tests.
 *
 * The protocol engines read from and write to a stream and never see a socket. Input is read in
 * large pieces into a buffer that is lent by the loop only while bytes are pending, so that an idle
 * stream costs no buffer; output is gathered and written at the end of the loop's turn (one record,
 * one system call where one will do). Writing never blocks. Callbacks may call any stream function,
 * stream_free() included.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "net/loop.h"
#include "net/tls.h"

struct stream;

struct stream_events {
	/* There is input (stream_input()). Called again on the next turn when input is left and
	 * more arrived, or after stream_resume(). */
	void (*readable)(void *context);
	/* Output that was above STREAM_OUTPUT_LOW has fallen to it: the sender of a body goes on.
	 */
	void (*drained)(void *context);
	/* The TLS handshake ended well. */
	void (*secured)(void *context);
	/* The peer closed (error NULL), or reading, writing or the handshake failed (error says why
	 * in an operator's words). Nothing follows; the owner frees the stream. */
	void (*closed)(void *context, const char *error);
};

#define STREAM_READ_SIZE   (64 * 1024)  /* octets asked of one recv(); one body chunk request */
#define STREAM_OUTPUT_LOW  (64 * 1024)  /* octets: `drained` */
#define STREAM_OUTPUT_HIGH (256 * 1024) /* octets: a sender of bodies pauses here */

/* Takes the connected, non-blocking socket. */
struct stream *stream_new(struct loop *loop, int fd, const struct stream_events *events,
                          void *context);
/* Starts connecting to one address; readable/secured/closed follow. `connected` is reported through
 * `secured` when implicit TLS was asked by stream_start_tls() at once, else through
 * events->drained. */
struct stream *stream_connect(struct loop *loop, const struct sockaddr *address, socklen_t length,
                              const struct stream_events *events, void *context);
/* Two ends in memory on one loop (tests). Delivery happens when the loop passes or by
 * stream_pair_pump(). */
void stream_pair(struct loop *loop, struct stream **here_r, struct stream **there_r);
bool stream_pair_pump(
	struct stream *end); /* moves bytes both ways, runs callbacks; false: nothing moved */
void stream_set_events(struct stream *s, const struct stream_events *events, void *context);
/* Closes at once; what is unsent is dropped. For an orderly end use stream_close_after_output(). */
void stream_free(struct stream **s);
/* No more input; closes (with a TLS close_notify) when the output is written, or after 10 s; then
 * frees itself. Sets *s to NULL. */
void stream_close_after_output(struct stream **s);

/* Input that has arrived and was not consumed; valid until the next call on the stream. */
struct span stream_input(const struct stream *s);
void stream_consume(struct stream *s, size_t length);
/* Backpressure: no recv() and no readable() until resumed. Nothing that has arrived is lost. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

void stream_write(struct stream *s, const void *data, size_t length);
void stream_write_text(struct stream *s, const char *text);
size_t stream_output_length(const struct stream *s); /* not yet handed to the kernel */
void stream_flush(struct stream *s);                 /* now, instead of at the end of the turn */
/* Total octets handed to the kernel (or to TLS) so far. */
uint64_t stream_sent(const struct stream *s);

/* Begins TLS on both sides; input that arrived before is the caller's mistake: check stream_input()
 * is empty first (RFC 3207, STARTTLS injection). Output queued before is sent in clear first.
 * `peer_name` (client only): the name to verify and to send as SNI. */
void stream_start_tls(struct stream *s, struct tls_context *tls, const char *peer_name);
bool stream_is_tls(const struct stream *s);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", or NULL; valid while the stream lives. */
const char *stream_tls_description(const struct stream *s);

/* "127.0.0.1", "::1", "unix:uid=1000", "memory"; valid while the stream lives. */
const char *stream_peer(const struct stream *s);
const char *stream_peer_port(const struct stream *s);

#endif
