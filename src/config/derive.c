/* SPDX-License-Identifier: ISC */
/* derive.c - what follows from what is written: addresses from titles, hosts and logins from
 * URLs, the kind of TLS from ports and places.
 */
#include "config/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/values.h"

#define PORT_SUBMISSIONS     465  /* RFC 8314 3.3 */
#define PORT_SUBMISSIONS_ALT 2465 /* what providers offer where 465 is blocked */

static bool port_is_implicit(uint16_t port)
{
	return port == PORT_SUBMISSIONS || port == PORT_SUBMISSIONS_ALT;
}

/* Without a word about TLS, a certificate means it is offered. */
static void listener_tls_derive(const struct settings *s, size_t index, struct listener_settings *l)
{
	const struct setting *tls = setting_find(SECTION_LISTEN, "tls");

	if (origin_find(s, SECTION_LISTEN, index, tls) == NULL && l->certificate != NULL)
		l->tls = LISTENER_TLS_STARTTLS;
	if (!l->is_unix && port_is_implicit(l->port))
		l->tls = LISTENER_TLS_IMPLICIT;
}

static void listener_derive(struct settings *s, size_t index, struct problems *problems)
{
	struct listener_settings *l = &s->listeners[index];
	struct place place = { s, SECTION_LISTEN, index, NULL };
	const char *error;

	if (listen_parse(l, l->name, &error) != 0) {
		problem_at(problems, &place, "%s", error);
		return;
	}
	if (l->is_unix && !l->local_submission)
		l->unix_mode = 0660;
	listener_tls_derive(s, index, l);
}

static void provider_tls_derive(const struct settings *s, size_t index, struct provider_settings *p)
{
	const struct setting *verify = setting_find(SECTION_PROVIDER, "tls-verify");

	if (port_is_implicit(p->port))
		p->tls = PROVIDER_TLS_IMPLICIT;
	else if (p->tls == PROVIDER_TLS_OPPORTUNISTIC &&
	         (p->login != NULL || !host_is_loopback(p->host)))
		p->tls = PROVIDER_TLS_STARTTLS;
	/* On loopback without a login clear text would do: a certificate that nobody signed, as
	 * Debian's Postfix has, must not keep the mail here. */
	if (p->tls == PROVIDER_TLS_OPPORTUNISTIC &&
	    origin_find(s, SECTION_PROVIDER, index, verify) == NULL)
		p->verify = TLS_VERIFY_OFF;
}

static void preset_forget(const struct settings *s, size_t index, const char *option, char **field)
{
	const struct origin *origin =
		origin_find(s, SECTION_OAUTH2, index, setting_find(SECTION_OAUTH2, option));

	if (origin != NULL && origin->source == ORIGIN_PRESET)
		text_set(field, NULL);
}

/* A preset knows where the owner of a mailbox agrees; other grants have places of their own. */
static void oauth2_derive(const struct settings *s, size_t index, struct provider_settings *p)
{
	struct oauth2_settings *o = &p->oauth2;

	o->used = origin_find(s, SECTION_OAUTH2, index, NULL) != NULL;
	if (o->used && o->grant == OAUTH2_REFRESH_TOKEN)
		return;
	preset_forget(s, index, "token-url", &o->token_url);
	preset_forget(s, index, "authorize-url", &o->authorize_url);
	preset_forget(s, index, "scope", &o->scope);
}

static void warm_up_derive(const struct settings *s, size_t index, struct provider_settings *p,
                           struct problems *problems)
{
	struct place place = { s, SECTION_PROVIDER, index, "warm-up" };
	const struct text_list *written = &p->warm_up_written;
	const char *error;

	if (written->count == 0)
		return;
	if (written->count != 2 || strcmp(written->items[1], "doubling") != 0 ||
	    rate_parse(&p->warm_up, written->items[0], &error) != 0 || p->warm_up.burst > 0)
		problem_at(problems, &place,
		           "write the limit of the first day and how it grows, as in { \"200/d\", "
		           "\"doubling\" }");
}

static void provider_derive(struct settings *s, size_t index, struct problems *problems)
{
	struct provider_settings *p = &s->providers[index];
	struct place place = { s, SECTION_PROVIDER, index, "url" };
	bool has_login = p->login != NULL;
	const char *error;

	if (p->url == NULL) {
		problem_at(problems, &place, "is missing: write url = \"smtp://HOST:587\"");
		return;
	}
	if (provider_url_parse(p, p->url, &error) != 0) {
		problem_at(problems, &place, "%s", error);
		return;
	}
	oauth2_derive(s, index, p);
	if (p->kind != PROVIDER_SMTP)
		return;
	if (has_login && strchr(p->url, '@') != NULL)
		problem_at(problems, &place,
		           "a login is written here and in the option login: keep "
		           "one of them");
	provider_tls_derive(s, index, p);
	warm_up_derive(s, index, p, problems);
}

/* ---- routes ---- */

#define WEIGHT_MAX 1000 /* finer shares are none */

/* "name:weight", or a name alone. */
static void via_derive(struct route_settings *r, const char *written, const struct place *place,
                       struct problems *problems)
{
	const char *colon = strchr(written, ':'), *text = colon == NULL ? "" : colon + 1;
	char *name = memory_text_of(written, strcspn(written, ":"));
	uint64_t weight = 1;

	if (colon != NULL && r->balance != BALANCE_WEIGHT)
		problem_at(problems, place,
		           "\"%.80s\": a weight goes with balance = \"weight\": write it, too, or "
		           "the name alone",
		           written);
	else if (colon != NULL && (number_read(&weight, &text) != 0 || *text != '\0' ||
	                           weight == 0 || weight > WEIGHT_MAX))
		problem_at(problems, place,
		           "\"%.80s\": write a weight from 1 to %d, as in \"%.60s:3\"", written,
		           WEIGHT_MAX, name);
	r->weights = memory_grow(r->weights, r->via.count + 1, sizeof(*r->weights));
	r->weights[r->via.count] = (size_t)weight;
	text_list_add(&r->via, name);
	free(name);
}

static void route_derive(struct settings *s, size_t index, struct problems *problems)
{
	struct place place = { s, SECTION_ROUTE, index, "via" };
	struct route_settings *r = &s->routes[index];

	for (size_t i = 0; i < r->via_written.count; i++)
		via_derive(r, r->via_written.items[i], &place, problems);
}

/* ---- sizes ---- */

/* The most that some provider of the route takes; 0: nobody says. */
static uint64_t route_size_max(const struct settings *s, const struct route_settings *r)
{
	uint64_t most = 0;

	for (size_t i = 0; i < r->via.count; i++) {
		const struct provider_settings *p = settings_provider(s, r->via.items[i]);

		if (p == NULL || p->max_message_size == 0)
			return 0;
		most = p->max_message_size > most ? p->max_message_size : most;
	}
	return most;
}

/* What no provider of any route would take is refused at MAIL, by SIZE, instead of bouncing. */
static void sizes_derive(struct settings *s)
{
	uint64_t most = 0;

	for (size_t i = 0; i < s->route_count; i++) {
		uint64_t one = route_size_max(s, &s->routes[i]);

		if (one == 0)
			return;
		most = one > most ? one : most;
	}
	for (size_t i = 0; most > 0 && i < s->listener_count; i++)
		if (s->listeners[i].max_message_size > most)
			s->listeners[i].max_message_size = most;
}

void endpoints_derive(struct settings *s, struct problems *problems)
{
	for (size_t i = 0; i < s->listener_count; i++)
		listener_derive(s, i, problems);
	for (size_t i = 0; i < s->provider_count; i++)
		provider_derive(s, i, problems);
	for (size_t i = 0; i < s->route_count; i++)
		route_derive(s, i, problems);
	sizes_derive(s);
	http_derive(s, problems);
}
