/* SPDX-License-Identifier: ISC */
/* tls_bufferevent.c - TLS for evhttp, which knows libevent's bufferevents only.
 *
 * Everything else has streams of our own (secure.c).
 */
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>

#include "net/tls_private.h"

struct bufferevent *tls_bufferevent(const struct tls_context *tls, struct event_base *base)
{
	SSL *ssl = SSL_new(tls_ssl_context(tls));
	struct bufferevent *bev;

	if (ssl == NULL)
		return NULL;
	/* What is read ahead it would not see: it asks for what was decrypted. */
	SSL_set_read_ahead(ssl, 0);
	bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
	                                     BEV_OPT_CLOSE_ON_FREE);
	if (bev == NULL)
		SSL_free(ssl);
	return bev;
}
