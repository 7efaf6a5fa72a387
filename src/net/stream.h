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
#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "net/loop.h"
#include "net/tls.h"

struct stream;

/* The struct is the owner's and outlives the stream; an event that is NULL is not wanted.
 * Events come from the loop only, never from inside a stream function that the owner calls. */
struct stream_events {
	/* stream_connect() has reached the peer (TLS that was asked for meanwhile begins now). */
	void (*connected)(void *context);
	/* There is input (stream_input()). Called again when more arrived, whatever is left then,
	 * and after stream_resume() and stream_set_events() when input is left. */
	void (*readable)(void *context);
	/* Output that was above STREAM_OUTPUT_LOW has fallen to it: the sender of a body goes on.
	 */
	void (*drained)(void *context);
	/* The TLS handshake ended well. */
	void (*secured)(void *context);
	/* The peer closed (error NULL), or connecting, reading, writing or the handshake failed
	 * (error says why in an operator's words). What arrived before was handed to readable().
	 * Nothing follows; the owner frees the stream. */
	void (*closed)(void *context, const char *error);
};

/* Octets of one recv(), and what one stream may read a turn: the others wait no longer. */
#define STREAM_READ_SIZE   (64 * 1024)
/* Octets left unconsumed at which reading stops until some are consumed. Far above any line an
 * engine waits for, so only an owner that is busy with what it has ever meets it. */
#define STREAM_INPUT_MAX   (256 * 1024)
#define STREAM_OUTPUT_LOW  (64 * 1024)  /* octets: `drained` */
#define STREAM_OUTPUT_HIGH (256 * 1024) /* octets: a sender of bodies pauses here */
/* Octets of output at which reading stops too: who sends commands and never takes the replies
 * must not grow us. Above HIGH, so that who sends a body, and pauses there, still reads the
 * replies to it; an owner that writes on regardless hears nothing until the peer took its fill. */
#define STREAM_OUTPUT_STOP (512 * 1024)

/* Takes the connected, non-blocking socket. */
struct stream *stream_new(struct loop *loop, int fd, const struct stream_events *events,
                          void *context);
/* Starts connecting to one address; connected() or closed() follows. For implicit TLS call
 * stream_start_tls() at once: connected(), then secured(). What is written meanwhile waits. */
struct stream *stream_connect(struct loop *loop, const struct sockaddr *address, socklen_t length,
                              const struct stream_events *events, void *context);
/* Two ends in memory on one loop (tests); TLS works over them too. Delivery happens when the loop
 * passes or turns, or by stream_pair_pump(). */
void stream_pair(struct loop *loop, struct stream **here_r, struct stream **there_r);
/* Moves bytes both ways once and runs callbacks; false: nothing was due (or a callback is running).
 */
bool stream_pair_pump(struct stream *end);
/* This end receives at most so many octets at a time (default STREAM_READ_SIZE). */
void stream_pair_limit(struct stream *end, size_t octets);
void stream_set_events(struct stream *s, const struct stream_events *events, void *context);
/* Closes at once; what is unsent is dropped. For an orderly end use stream_close_after_output().
 * No event follows. */
void stream_free(struct stream **s);
/* No more events; closes (with a TLS close_notify) when the output is written, or after
 * STREAM_CLOSE_TIMEOUT_US; then frees itself. Sets *s to NULL. What the peer still sends is thrown
 * away meanwhile, so that a reset does not overtake the last reply. */
#define STREAM_CLOSE_TIMEOUT_US (10 * CLOCK_SEC)
void stream_close_after_output(struct stream **s);

/* Input that has arrived and was not consumed; valid until the next call on the stream. */
struct span stream_input(const struct stream *s);
void stream_consume(struct stream *s, size_t length);
/* Overwrites the first `length` octets of the input, which held a secret; consume them next. No
 * other copy of what is left unconsumed exists in the stream. */
void stream_wipe(struct stream *s, size_t length);
/* At most so many octets are received at a time, so that less is left while it is paused; default
 * and most: STREAM_READ_SIZE. */
void stream_set_read_size(struct stream *s, size_t octets);
/* Backpressure: no recv() and no readable() until resumed. Nothing that has arrived is lost. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

void stream_write(struct stream *s, const void *data, size_t length);
void stream_write_text(struct stream *s, const char *text);
size_t stream_output_length(const struct stream *s); /* not yet handed to the kernel */
void stream_flush(struct stream *s);                 /* now, instead of at the end of the turn */
/* Total octets handed to the kernel (or to TLS) so far. */
uint64_t stream_sent(const struct stream *s);

/* Begins TLS, as client or server by the kind of `tls`, which need not outlive the call. Input
 * that arrived before is the caller's to refuse (RFC 3207, STARTTLS injection); should some be
 * left, the stream fails. Output queued before is sent in clear first. The handshake has no timer
 * of its own.
 * `peer_name` (client only): the name or address to verify; a name is sent as SNI. */
void stream_start_tls(struct stream *s, struct tls_context *tls, const char *peer_name);
/* The same as a server, but input that is left is the beginning of the handshake: only for what may
 * stand in clear before it, a PROXY header. */
void stream_start_tls_behind(struct stream *s, struct tls_context *tls);
bool stream_is_tls(const struct stream *s);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", or NULL; valid while the stream lives. */
const char *stream_tls_description(const struct stream *s);

/* The handshake was short: both sides remembered an earlier one. */
bool stream_tls_resumed(const struct stream *s);

/* "127.0.0.1", "::1", "unix:uid=1000", "memory"; valid while the stream lives. */
const char *stream_peer(const struct stream *s);
const char *stream_peer_port(const struct stream *s);
/* Whom a trusted proxy speaks for; texts as stream_peer() gives them. */
void stream_set_peer(struct stream *s, const char *peer, const char *port);

#endif
