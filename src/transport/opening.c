/* SPDX-License-Identifier: ISC */
/* opening.c - the steps from a name to a connection that can take transactions.
 *
 * Decides which TLS is used: once a provider demands it nothing but EHLO and STARTTLS is said in
 * clear, and what the peer said in clear is forgotten (RFC 3207 4.2). A peer that offered
 * STARTTLS is never talked to in clear after it went wrong.
 */
#include "transport/private.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metric.h"

/* Resolving and connecting */

/* May be called before resolver_ask() returns: only takes notes. */
static void on_resolved(void *context, const struct resolved *found, const char *error)
{
	struct connection *c = context;

	c->query = NULL;
	if (error == NULL && found->count > 0) {
		c->found = memory_new(sizeof *c->found);
		*c->found = *found;
	} else {
		bytes_append_text(&c->trouble, error == NULL ? "it has no address" : error);
	}
	c->state = STATE_RESOLVED;
	timer_start(&c->patience, 0);
}

void opening_resolve(struct connection *c)
{
	struct resolve_query *query;

	connection_enter(c, STATE_RESOLVE);
	if (c->transport->resolver == NULL) {
		connection_fail(c, 451, "4.4.3", "no resolver");
		return;
	}
	query = resolver_ask(c->transport->resolver, c->provider->host, c->provider->port,
	                     on_resolved, c);
	if (c->state == STATE_RESOLVE)
		c->query = query;
}

void opening_connect(struct connection *c)
{
	if (c->found == NULL) {
		c->state = STATE_RESOLVE;
		connection_fail(c, 451, "4.4.3", "cannot resolve %s: %s", c->provider->host,
		                bytes_text(&c->trouble));
		return;
	}
	connection_enter(c, STATE_CONNECT);
	race_start(c);
}

void opening_release(struct connection *c)
{
	login_release(c);
	if (c->query != NULL)
		resolver_cancel(&c->query);
	race_release(c);
	free(c->found);
	c->found = NULL;
	bytes_release(&c->trouble);
}

/* TLS */

static void start_tls(struct connection *c)
{
	if (c->tls == NULL) {
		connection_fail(c, 451, "4.7.4", "TLS is required, and there is no TLS here");
		return;
	}
	connection_enter(c, STATE_HANDSHAKE);
	stream_start_tls(c->stream, c->tls, c->provider->host);
}

void opening_connected(struct connection *c)
{
	if (c->provider->tls == PROVIDER_TLS_IMPLICIT && !stream_is_tls(c->stream)) {
		c->state = STATE_HANDSHAKE; /* where it fails, if it does */
		start_tls(c);
		return;
	}
	connection_enter(c, STATE_GREETING);
	connection_expect(c, EXPECT_STEP, NULL, 0);
}

void opening_secured(struct connection *c)
{
	metric_add(METRIC_TLS_HANDSHAKES_OUT, 1);
	c->ehlo = (struct ehlo){ 0 };
	if (c->provider->tls == PROVIDER_TLS_IMPLICIT)
		opening_connected(c);
	else
		connection_enter(c, STATE_EHLO);
}

void send_starttls(struct connection *c)
{
	connection_command(c, "STARTTLS");
}

void got_starttls(struct connection *c, const struct reply *reply)
{
	struct bytes text = { 0 };

	if (reply->code == 220 && stream_input(c->stream).length == 0) {
		start_tls(c);
		return;
	}
	reply_format(reply, &text);
	if (reply->code == 220)
		connection_fail(c, 451, "4.7.5",
		                "octets followed the reply to STARTTLS in clear: an injection?");
	else
		connection_fail(c, 451, "4.7.4", "%s offers STARTTLS but refuses it: %s",
		                c->provider->host, bytes_text(&text));
	bytes_release(&text);
}

/* Greeting and EHLO */

void got_greeting(struct connection *c, const struct reply *reply)
{
	if (reply->code == 220)
		connection_enter(c, STATE_EHLO);
	else
		connection_refused(c, reply, "connecting");
}

void send_ehlo(struct connection *c)
{
	connection_command(c, "EHLO %s", c->transport->hostname);
}

static bool wants_starttls(const struct connection *c)
{
	if (stream_is_tls(c->stream))
		return false;
	if (c->provider->tls == PROVIDER_TLS_OPPORTUNISTIC)
		return c->ehlo.starttls && c->tls != NULL;
	return c->provider->tls == PROVIDER_TLS_STARTTLS;
}

static void introduced(struct connection *c)
{
	if (!wants_starttls(c)) {
		if (c->provider->login != NULL)
			connection_enter(c, STATE_SECRET);
		else
			connection_ready(c);
		return;
	}
	if (c->ehlo.starttls) {
		connection_enter(c, STATE_STARTTLS);
		return;
	}
	c->state = STATE_STARTTLS; /* where it failed */
	connection_fail(c, 451, "4.7.4", "%s does not offer STARTTLS, which is required",
	                c->provider->host);
}

/* HELO knows neither TLS nor login. */
static bool may_say_helo(const struct connection *c)
{
	return c->provider->login == NULL && !stream_is_tls(c->stream) &&
	       c->provider->tls != PROVIDER_TLS_STARTTLS;
}

void got_ehlo(struct connection *c, const struct reply *reply)
{
	if (reply->code == 250) {
		ehlo_parse(&c->ehlo, reply->text);
		introduced(c);
	} else if (reply->code / 100 == 5 && may_say_helo(c)) {
		connection_enter(c, STATE_HELO);
	} else if (reply->code >= 500 && reply->code <= 504 && wants_starttls(c)) {
		struct bytes text = { 0 };

		c->state = STATE_STARTTLS;
		reply_format(reply, &text);
		connection_fail(c, 451, "4.7.4", "no STARTTLS, which is required: EHLO got %s",
		                bytes_text(&text));
		bytes_release(&text);
	} else {
		connection_refused(c, reply, "EHLO");
	}
}

void send_helo(struct connection *c)
{
	connection_command(c, "HELO %s", c->transport->hostname);
}

void got_helo(struct connection *c, const struct reply *reply)
{
	if (reply->code != 250) {
		connection_refused(c, reply, "HELO");
		return;
	}
	c->ehlo = (struct ehlo){ 0 };
	introduced(c);
}
