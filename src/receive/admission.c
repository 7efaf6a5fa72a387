/* SPDX-License-Identifier: ISC */
/* admission.c - who is let in: the proxy's word on who it is, counts, rates, and want of room.
 *
 * A listener's total counts at once, a client's connections when its address is known, which behind
 * a proxy is after the PROXY header. When a listener is nearly full, clients that hold more than
 * their share are sent away and silent sessions end, so that the others do not notice.
 */
#include "receive/private.h"

#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "net/proxy.h"

/* Percent of max-connections from which on the busiest have to go. */
#define PRESSURE_PERCENT 90
/* All sessions of a worker are looked at no more often than that. */
#define RELIEF_PAUSE_US  CLOCK_SEC
/* Whoever is refused comes back at once: the log must not grow with them. */
#define TELL_PAUSE_US    CLOCK_SEC

static void refuse_connection(struct session *s, const struct refusal *refusal)
{
	session_reply(s, refusal->code, refusal->enhanced, refusal->text);
	session_close(s, "refused");
}

void admission_greet(struct session *s)
{
	const struct fault_point point = { .stage = FAULT_CONNECT,
		                           .again = admission_greet,
		                           .refuse = refuse_connection };

	session_enter(s, SESSION_START);
	if (play_fault(s, &point))
		return;
	session_replyf(s, 220, NULL, "%s ESMTP Penstock", s->receive->settings->hostname);
}

/* One line a second says how many there were, and why the last one. */
static void tell_refused(const struct session *s, const char *why)
{
	struct receive *receive = s->receive;
	int64_t now = session_now(s);

	receive->refused++;
	if (receive->told_us != INT64_MIN && now - receive->told_us < TELL_PAUSE_US)
		return;
	log_info("connection refused client=%s listener=%s reason=\"%s\" refused=%zu",
	         stream_peer(s->stream), receive->listener->name, why, receive->refused);
	receive->told_us = now;
	receive->refused = 0;
}

void admission_refuse(struct session *s, const char *why)
{
	tell_refused(s, why);
	session_close(s, why);
}

/* ---- rates of a client ------------------------------------------------------ */

/* What is counted, and where: the same client on another listener has another rate. */
#define RATE_KEY_MAX (POLICY_KEY_MAX + 2 + sizeof(void *))

enum { COUNT_ERRORS = 0, COUNT_MESSAGES = 1 };

static struct span rate_key(const struct session *s, size_t what, unsigned char key[RATE_KEY_MAX])
{
	const struct listener_settings *listener = s->receive->listener;
	unsigned char client[POLICY_KEY_MAX];
	struct span address = policy_client_key(stream_peer(s->stream), client);

	/* Workers share the settings, so that the place of a listener's is its name. */
	memcpy(key, &listener, sizeof listener);
	be16_store(key + sizeof listener, (uint16_t)what);
	memcpy(key + sizeof listener + 2, address.data, address.length);
	return span_of(key, sizeof listener + 2 + address.length);
}

bool admission_message(struct session *s, int *wait_r)
{
	const struct listener_settings *listener = s->receive->listener;
	struct rates *rates;
	int64_t now = session_now(s), wait = 0;
	unsigned char key[RATE_KEY_MAX];

	*wait_r = 0;
	if (s->receive->clients == NULL)
		return true;
	rates = clients_rates(s->receive->clients);
	for (size_t i = 0; i < listener->client_rate_count; i++) {
		int64_t one = rates_wait(rates, rate_key(s, COUNT_MESSAGES + i, key),
		                         &listener->client_rates[i], now);

		wait = one > wait ? one : wait;
	}
	if (wait > 0) {
		wait = (wait + CLOCK_SEC - 1) / CLOCK_SEC;
		*wait_r = wait < INT_MAX ? (int)wait : INT_MAX;
		return false;
	}
	for (size_t i = 0; i < listener->client_rate_count; i++)
		rates_charge(rates, rate_key(s, COUNT_MESSAGES + i, key),
		             &listener->client_rates[i], now);
	return true;
}

/* On this host many applications share an address: the mistakes of one are not the others'. */
static bool counts_errors(const struct session *s)
{
	return s->receive->clients != NULL && s->receive->listener->max_errors_per_client > 0 &&
	       !s->local && s->stream != NULL;
}

static struct rate error_rate(const struct session *s)
{
	return (struct rate){ .count = s->receive->listener->max_errors_per_client,
		              .period_us = CLOCK_MIN };
}

void admission_error(struct session *s)
{
	unsigned char key[RATE_KEY_MAX];
	struct rate rate;

	if (!counts_errors(s))
		return;
	rate = error_rate(s);
	rates_charge(clients_rates(s->receive->clients), rate_key(s, COUNT_ERRORS, key), &rate,
	             session_now(s));
}

static bool has_too_many_errors(const struct session *s)
{
	unsigned char key[RATE_KEY_MAX];
	struct rate rate;

	if (!counts_errors(s))
		return false;
	rate = error_rate(s);
	return rates_wait(clients_rates(s->receive->clients), rate_key(s, COUNT_ERRORS, key), &rate,
	                  session_now(s)) > 0;
}

/* ---- connections ------------------------------------------------------------- */

static bool is_under_pressure(const struct session *s)
{
	size_t most = s->receive->listener->max_connections;

	return most > 0 && s->all > most - most * (100 - PRESSURE_PERCENT) / 100;
}

/* Sessions that keep a place without using it make room. */
static void relieve(struct session *s)
{
	struct receive *receive = s->receive;
	int64_t now = session_now(s);

	if (receive->relieved_us != INT64_MIN && now - receive->relieved_us < RELIEF_PAUSE_US)
		return;
	receive->relieved_us = now;
	receive_relieve(receive, STRESS_PATIENCE_US);
}

static const char *listener_refusal(struct session *s)
{
	const struct listener_settings *listener = s->receive->listener;
	struct clients *clients = s->receive->clients;

	if (s->receive->stopping)
		return "Service is shutting down, closing";
	if (clients == NULL)
		return NULL;
	s->all = clients_enter_total(clients, span_of_text(listener->name), &s->by_listener);
	if (is_under_pressure(s))
		relieve(s);
	if (listener->max_connections > 0 && s->all > listener->max_connections)
		return "Too many connections, try later";
	return NULL;
}

/* The fair share is that of all clients that are here; alone one may have everything. */
static bool has_more_than_its_share(const struct session *s, size_t own)
{
	size_t clients = clients_distinct(s->receive->clients);
	size_t share = s->receive->listener->max_connections / (clients > 0 ? clients : 1);

	return is_under_pressure(s) && own > (share > 0 ? share : 1);
}

static const char *client_refusal(struct session *s)
{
	const struct listener_settings *listener = s->receive->listener;
	unsigned char key[POLICY_KEY_MAX];
	size_t own;

	if (s->receive->clients == NULL)
		return NULL;
	own = clients_enter(s->receive->clients, policy_client_key(stream_peer(s->stream), key),
	                    &s->by_client);
	if (listener->max_connections_per_client > 0 && own > listener->max_connections_per_client)
		return "Too many connections from your address, try later";
	if (has_more_than_its_share(s, own))
		return "Busy, and your address has its share of connections, try later";
	if (has_too_many_errors(s))
		return "Too many errors from your address, try later";
	return NULL;
}

/* Inside TLS nothing can be said before the handshake, which costs more than it is worth to those
 * whom we cannot serve. */
static void send_away(struct session *s, const char *enhanced, const char *why)
{
	if (!s->receive->stopping)
		tell_refused(s, why);
	if (s->receive->listener->tls == LISTENER_TLS_IMPLICIT)
		session_close(s, why);
	else
		session_hang_up(s, enhanced, why);
}

/* The client's address is known now. */
static void client_begin(struct session *s)
{
	const struct receive *receive = s->receive;
	const char *refusal;

	s->trusted = policy_may_relay(receive->listener, stream_peer(s->stream));
	s->local = policy_is_local(receive->listener, stream_peer(s->stream));
	refusal = client_refusal(s);
	if (refusal != NULL) {
		send_away(s, "4.7.0", refusal);
	} else if (receive->listener->tls != LISTENER_TLS_IMPLICIT) {
		admission_greet(s);
	} else if (receive->tls == NULL) {
		session_close(s, "no certificate");
	} else {
		session_enter(s, SESSION_TLS);
		stream_start_tls_behind(s->stream, receive->tls);
	}
}

void admission_begin(struct session *s)
{
	const struct listener_settings *listener = s->receive->listener;
	const char *refusal = listener_refusal(s);

	if (refusal != NULL)
		send_away(s, "4.3.2", refusal);
	else if (!listener->proxy_protocol)
		client_begin(s);
	else if (!policy_may_proxy(listener, stream_peer(s->stream)))
		admission_refuse(s, "not in proxy-from");
	else
		session_enter(s, SESSION_PROXY);
}

bool admission_proxy_step(struct session *s)
{
	struct proxy_header header;
	const char *error;

	switch (proxy_parse(&header, stream_input(s->stream), &error)) {
	case PROXY_PARTIAL:
		return false;
	case PROXY_BAD:
		admission_refuse(s, error);
		return false;
	case PROXY_DONE:
		break;
	}
	stream_consume(s->stream, header.length);
	if (!header.local) {
		log_debug("session proxied client=%s by=%s", header.address,
		          stream_peer(s->stream));
		stream_set_peer(s->stream, header.address, header.port);
	}
	client_begin(s);
	return true;
}
