/* SPDX-License-Identifier: ISC */
/* tls.h - OpenSSL contexts: one per listener, one per (trust, verification) of providers.
 *
 * TLS 1.2 and up, no renegotiation, no compression, buffers released while idle; a server takes
 * only ciphers with forward secrecy and authenticated encryption. A context is shared read-only by
 * all threads after it is made.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>

#include "base/bytes.h"

struct tls_context;

/* A server's context. -1 with *error saying which file and what is wrong with it. No session of
 * one context resumes on another: each has keys of its own for tickets, and `name`, the listener's,
 * is part of each session. */
int tls_context_new_server(struct tls_context **tls_r, const char *name, const char *certificate,
                           const char *key, struct bytes *error);
/* Another owner of the same context: whoever has one frees it. NULL gives NULL. */
struct tls_context *tls_context_share(const struct tls_context *tls);
enum tls_trust { TLS_TRUST_FULL, TLS_TRUST_CA, TLS_TRUST_PIN, TLS_TRUST_OFF };
/* A client's: trust in the system's store, or in the file `ca`; `pin` is the base64 SHA-256
 * of the peer's SPKI (TLS_TRUST_PIN). */
int tls_context_new_client(struct tls_context **tls_r, enum tls_trust trust, const char *ca,
                           const char *pin, struct bytes *error);
enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };
/* Before its first use: nothing older than this. */
void tls_context_set_minimum(struct tls_context *tls, enum tls_version minimum);
/* Before its first use: what a client shows to a server that asks who it is. -1 with *error. */
int tls_context_set_certificate(struct tls_context *tls, const char *certificate, const char *key,
                                struct bytes *error);
void tls_context_free(struct tls_context **tls);

/* A server's side of a connection for evhttp, whose descriptor comes later; closed with it. NULL:
 * no memory for it. */
struct bufferevent;
struct event_base;
struct bufferevent *tls_bufferevent(const struct tls_context *tls, struct event_base *base);

/* Makes a self-signed certificate and key for `hostname` (and localhost, 127.0.0.1, ::1) in PEM
 * files `certificate` and `key` (0600), unless both exist. For the inbox. */
int tls_make_certificate(const char *certificate, const char *key, const char *hostname,
                         struct bytes *error);

#endif
