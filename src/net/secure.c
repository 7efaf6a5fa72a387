/* SPDX-License-Identifier: ISC */
/* secure.c - TLS of one stream, between its wire and its buffers.
 *
 * OpenSSL never sees the socket: what was received is fed to it, what it makes is gathered in
 * s->wire and sent at the end of the turn. So a turn costs one recv() and one send() however many
 * records it moves, tests run it over pairs, and no write raises SIGPIPE.
 * Whether a certificate will do is decided in tls.c and tls_verify.c.
 */
#include "net/private.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/tls_private.h"

struct secure {
	SSL *ssl;
	struct span feed; /* received, not yet taken by OpenSSL */
	struct tls_peer peer;
	char description[80];
	bool done;         /* the handshake */
	struct flow early; /* input that came before TLS was begun; empty but for a moment */
};

static int bio_write(BIO *bio, const char *data, int length)
{
	struct stream *s = BIO_get_data(bio);

	if (length <= 0)
		return 0;
	if (!s->broken) /* nobody would take it */
		flow_append(&s->wire, data, (size_t)length);
	return length;
}

static int bio_read(BIO *bio, char *data, int size)
{
	struct stream *s = BIO_get_data(bio);
	struct span *feed = &s->secure->feed;
	size_t length = size < 0 ? 0 : (size_t)size;

	BIO_clear_retry_flags(bio);
	if (feed->length == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (length > feed->length)
		length = feed->length;
	memcpy(data, feed->data, length);
	feed->data += length;
	feed->length -= length;
	return (int)length;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
	if (method == NULL)
		return;
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_ctrl(method, bio_control);
}

static BIO *bio_of(struct stream *s)
{
	BIO *bio;

	pthread_once(&method_once, make_method);
	bio = method == NULL ? NULL : BIO_new(method);
	if (bio == NULL)
		return NULL;
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	return bio;
}

/* Ends the stream; the alert that tells the peer why goes out first, if it can. */
static void secure_fail(struct stream *s)
{
	struct bytes text = { 0 };

	if (s->wire.length > 0)
		(void)!wire_send(s, s->wire.data + s->wire.start, s->wire.length);
	tls_explain(&s->secure->peer, s->secure->done, s->peer, &text);
	stream_fail(s, "%s", bytes_text(&text));
	bytes_release(&text);
}

static void secure_start(struct stream *s, struct tls_context *tls, const char *peer_name)
{
	struct secure *secure = memory_new(sizeof *secure);
	struct span before = flow_span(&s->output);
	BIO *bio = bio_of(s);

	s->secure = secure;
	secure->ssl = SSL_new(tls_ssl_context(tls));
	if (bio == NULL || secure->ssl == NULL) {
		BIO_free(bio);
		stream_fail(s, "cannot begin TLS: out of memory");
		return;
	}
	SSL_set_bio(secure->ssl, bio, bio);
	if (SSL_is_server(secure->ssl))
		SSL_set_accept_state(secure->ssl);
	else
		SSL_set_connect_state(secure->ssl);
	if (tls_peer_init(&secure->peer, secure->ssl, peer_name) < 0) {
		stream_fail(s, "cannot begin TLS: '%s' is no name that a certificate could be for",
		            peer_name == NULL ? "" : peer_name);
		return;
	}
	if (!SSL_is_server(secure->ssl))
		tls_sessions_resume(secure->ssl);
	/* What the owner wrote before goes first, in clear. */
	s->sent += before.length;
	flow_append(&s->wire, before.data, before.length);
	flow_release(&s->output);
}

static void handshake(struct stream *s)
{
	struct secure *secure = s->secure;
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(secure->ssl);
	stream_want_flush(s);
	if (rc == 1) {
		secure->done = true;
		snprintf(secure->description, sizeof secure->description, "%s %s",
		         SSL_get_version(secure->ssl), SSL_get_cipher_name(secure->ssl));
	} else if (SSL_get_error(secure->ssl, rc) != SSL_ERROR_WANT_READ) {
		secure_fail(s);
	}
}

void secure_begin(struct stream *s)
{
	if (!SSL_is_server(s->secure->ssl))
		handshake(s);
}

/* Decrypts all that is fed into the loop's memory. Returns how much; *ended_r tells of the peer's
 * close_notify. It fits: see LOOP_PLAIN_SIZE. */
static size_t decrypt(struct stream *s, bool *ended_r)
{
	SSL *ssl = s->secure->ssl;
	unsigned char *plain = s->loop->plain;
	size_t length = 0, got = 0;

	ERR_clear_error();
	while (length < LOOP_PLAIN_SIZE &&
	       SSL_read_ex(ssl, plain + length, LOOP_PLAIN_SIZE - length, &got) == 1)
		length += got;
	switch (SSL_get_error(ssl, 0)) {
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_ZERO_RETURN:
		*ended_r = true;
		break;
	default:
		secure_fail(s);
	}
	return length;
}

void secure_take(struct stream *s, const void *data, size_t length)
{
	struct secure *secure = s->secure;
	bool ended = false;
	size_t got;

	secure->feed = span_of(data, length);
	if (!secure->done) {
		handshake(s);
		if (!secure->done || s->over)
			return;
		if (s->events->secured != NULL)
			s->events->secured(s->context);
		if (s->dead || s->over)
			return;
		stream_want_flush(s);
	}
	got = decrypt(s, &ended);
	/* A new key or an alert may have been made. */
	if (s->wire.length > 0)
		stream_want_flush(s);
	if (got > 0)
		stream_deliver(s, s->loop->plain, got);
	if (ended && !s->dead)
		stream_ended(s);
}

void secure_fill(struct stream *s, size_t wire_max)
{
	struct secure *secure = s->secure;
	size_t written;

	ERR_clear_error();
	while (secure->done && s->output.length > 0 && s->wire.length < wire_max) {
		if (SSL_write_ex(secure->ssl, s->output.data + s->output.start, s->output.length,
		                 &written) != 1) {
			secure_fail(s);
			return;
		}
		s->sent += written;
		flow_consume(&s->output, written);
	}
}

void secure_end(struct stream *s)
{
	ERR_clear_error();
	if (s->secure->done)
		SSL_shutdown(s->secure->ssl);
}

bool secure_done(const struct stream *s)
{
	return s->secure->done;
}

bool stream_is_tls(const struct stream *s)
{
	return s->secure != NULL && s->secure->done;
}

bool stream_tls_resumed(const struct stream *s)
{
	return stream_is_tls(s) && SSL_session_reused(s->secure->ssl) == 1;
}

const char *stream_tls_description(const struct stream *s)
{
	return stream_is_tls(s) ? s->secure->description : NULL;
}

void secure_take_early(struct stream *s)
{
	struct flow early = s->secure->early;
	struct span input = flow_span(&early);

	s->secure->early = (struct flow){ 0 };
	secure_take(s, input.data, input.length);
	flow_release(&early);
}

void stream_start_tls_behind(struct stream *s, struct tls_context *tls)
{
	struct span input = stream_input(s);
	struct flow early = { 0 };

	if (input.length > 0)
		flow_append(&early, input.data, input.length);
	stream_consume(s, input.length);
	stream_start_tls(s, tls, NULL);
	if (s->secure == NULL || s->over || early.length == 0) {
		flow_release(&early);
		return;
	}
	s->secure->early = early;
	stream_set_due(s, DUE_EARLY);
}

void stream_start_tls(struct stream *s, struct tls_context *tls, const char *peer_name)
{
	if (s->dead || s->over || s->closing)
		return;
	if (stream_input(s).length > 0) {
		stream_fail(s, "%s sent something in clear behind STARTTLS: refused", s->peer);
		return;
	}
	if (s->secure != NULL) {
		stream_fail(s, "TLS within TLS was asked for");
		return;
	}
	secure_start(s, tls, peer_name);
	if (!s->connecting && !s->over)
		secure_begin(s);
}

void secure_free(struct secure **sp)
{
	struct secure *secure = *sp;

	if (secure == NULL)
		return;
	*sp = NULL;
	/* Since TLS 1.1 a session is no worse for an end without close_notify; OpenSSL would not
	 * resume it. */
	if (secure->done)
		SSL_set_shutdown(secure->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(secure->ssl);
	flow_release(&secure->early);
	tls_peer_release(&secure->peer);
	free(secure);
}
