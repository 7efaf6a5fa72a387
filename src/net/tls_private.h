/* SPDX-License-Identifier: ISC */
/* tls_private.h - between the contexts (tls.c), what they demand of a certificate (tls_verify.c)
 * and the streams that use them (secure.c). */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "net/tls.h"

#define TLS_PIN_SIZE 32 /* octets: SHA-256 */

/* Belongs to the SSL_CTX, so that it lives as long as the last connection made from it. */
struct tls_demand {
	enum tls_trust trust;
	unsigned char pin[TLS_PIN_SIZE];
};

SSL_CTX *tls_ssl_context(const struct tls_context *tls);

/* tls_sessions.c: a client's */
void tls_sessions_install(SSL_CTX *ssl_context);
void tls_sessions_resume(SSL *ssl); /* if one is kept; before the handshake */

/* tls_verify.c */

/* Takes the demand. */
void tls_verify_install(SSL_CTX *ssl_context, struct tls_demand *demand);

/* What one connection expects of its peer, and why the peer's certificate was refused. */
struct tls_peer {
	char *name;           /* NULL: a server's context, or none was given */
	struct bytes refusal; /* in an operator's words; empty: not refused */
};

/* -1: `name` can be in no certificate. */
int tls_peer_init(struct tls_peer *peer, SSL *ssl, const char *name);
void tls_peer_release(struct tls_peer *peer);
/* Why the last call of OpenSSL on this thread failed; `address` is for want of a name. */
void tls_explain(const struct tls_peer *peer, bool handshake_done, const char *address,
                 struct bytes *text);

#endif
