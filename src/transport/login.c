/* SPDX-License-Identifier: ISC */
/* login.c - AUTH (RFC 4954): which mechanism, with which secret, its lines in base64, and what a
 * refusal means.
 *
 * A credential goes out only inside TLS whose peer was verified; everywhere else the connection
 * ends with words for the operator. Secrets are never logged, and what is built here
 * is wiped once it is written. A peer that repeats the secret in its reply is not quoted.
 */
#include "transport/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/memory.h"

static void wipe(struct bytes *secret)
{
	if (secret->data != NULL)
		memory_wipe(secret->data, secret->capacity);
	bytes_release(secret);
}

/* The room is made first: a secret that moved would stay behind in freed memory. */
static void append_base64(struct bytes *out, struct span data)
{
	bytes_reserve(out, (data.length + 2) / 3 * 4 + 8);
	base64_encode(out, data);
}

void login_release(struct connection *c)
{
	const struct secret_source *secrets = c->transport->secrets;

	if (c->login.query != NULL)
		secrets->cancel(secrets->context, c->login.query);
	sasl_release(&c->login.sasl);
	wipe(&c->login.secret);
	wipe(&c->login.said);
	c->login = (struct login){ 0 };
}

/* Writes "AUTH NAME " or nothing, then the octets in base64, and remembers them. */
static void say(struct connection *c, const char *prefix, const struct bytes *octets)
{
	struct bytes line = { 0 };

	wipe(&c->login.said);
	append_base64(&c->login.said, bytes_span(octets));
	bytes_reserve(&line, strlen(prefix) + c->login.said.length + 8);
	bytes_append_text(&line, prefix);
	bytes_append_span(&line, bytes_span(&c->login.said));
	bytes_append_text(&line, "\r\n");
	connection_write(c, line.data, line.length);
	stream_flush(c->stream);
	connection_expect(c, EXPECT_STEP, NULL, 0);
	wipe(&line);
}

static bool is_verified(const struct connection *c)
{
	return stream_is_tls(c->stream) && c->provider->verify != TLS_VERIFY_OFF;
}

static void begin(struct connection *c)
{
	struct sasl *sasl = &c->login.sasl;
	const char *name = sasl_name(sasl->mechanism);
	struct bytes octets = { 0 }, prefix = { 0 };

	bytes_reserve(&octets, SASL_ANSWER_MAX);
	if (sasl_begin(sasl, &octets)) {
		log_debug("connection says conn=%llu line=\"AUTH %s ...\"",
		          (unsigned long long)c->number, name);
		bytes_printf(&prefix, "AUTH %s ", name);
		say(c, bytes_text(&prefix), &octets);
	} else {
		connection_command(c, "AUTH %s", name);
	}
	wipe(&octets);
	bytes_release(&prefix);
}

/* What is offered, and why nothing of it will do. */
static void nothing_fits(struct connection *c)
{
	const struct provider_settings *p = c->provider;
	struct bytes offered = { 0 };

	if (!c->ehlo.auth) {
		connection_fail(c, 451, "4.7.0", "%s offers no login (AUTH), but one is configured",
		                p->host);
		return;
	}
	for (int i = PROVIDER_AUTH_AUTO + 1; i < PROVIDER_AUTH_COUNT; i++) {
		if ((c->ehlo.mechanisms & sasl_bit((enum provider_auth)i)) != 0)
			bytes_printf(&offered, " %s", sasl_name((enum provider_auth)i));
	}
	if (p->auth != PROVIDER_AUTH_AUTO)
		connection_fail(c, 451, "4.7.0",
		                "%s does not offer AUTH %s, which auth asks for; known here are:%s",
		                p->host, sasl_name(p->auth),
		                offered.length == 0 ? " none" : bytes_text(&offered));
	else
		connection_fail(c, 451, "4.7.0",
		                "%s offers no AUTH that goes with a %s; known here are:%s", p->host,
		                p->oauth2.used ? "token" : "password",
		                offered.length == 0 ? " none" : bytes_text(&offered));
	bytes_release(&offered);
}

static void take_secret(struct connection *c, const char *secret, unsigned number)
{
	struct login *login = &c->login;

	bytes_reserve(&login->secret, strlen(secret) + 1);
	bytes_append_text(&login->secret, secret);
	login->number = number;
	login->sasl.secret = bytes_text(&login->secret);
	connection_enter(c, STATE_AUTH);
}

static void got_secret(void *asker, const char *secret, unsigned number, const char *error)
{
	struct connection *c = asker;

	c->login.query = NULL;
	if (secret == NULL)
		connection_fail(c, 451, "4.7.0", "no %s to log in with: %s",
		                c->provider->oauth2.used ? "token" : "password", error);
	else
		take_secret(c, secret, number);
}

/* Nothing is asked for that could not be used. */
void send_secret(struct connection *c)
{
	const struct provider_settings *p = c->provider;
	const struct secret_source *secrets = c->transport->secrets;
	struct sasl *sasl = &c->login.sasl;

	login_release(c);
	sasl->mechanism = sasl_choose(p->auth, p->oauth2.used, c->ehlo.mechanisms);
	sasl->login = p->login;
	sasl->host = p->host;
	sasl->port = p->port;
	if (!is_verified(c))
		connection_fail(c, 451, "4.7.0",
		                "no login without verified TLS: the password was not sent");
	else if (sasl->mechanism == PROVIDER_AUTH_AUTO)
		nothing_fits(c);
	else if (secrets == NULL)
		take_secret(c, p->password == NULL ? "" : p->password, 0);
	else
		c->login.query = secrets->ask(secrets->context, p, got_secret, c);
}

void send_auth(struct connection *c)
{
	const struct sasl *sasl = &c->login.sasl;

	if (strlen(sasl->login) + strlen(sasl->secret) > SASL_SECRET_MAX)
		connection_fail(c, 451, "4.7.0", "login and password are too long to be sent");
	else
		begin(c);
}

/* Of the others a challenge may hold anything: it is a prompt, or words about a refusal. */
static bool needs_challenge(const struct sasl *sasl)
{
	return sasl->mechanism == PROVIDER_AUTH_CRAM_MD5 ||
	       sasl->mechanism == PROVIDER_AUTH_SCRAM_SHA_256;
}

/* 334: a challenge. */
static void got_challenge(struct connection *c, const struct reply *reply)
{
	struct sasl *sasl = &c->login.sasl;
	struct span text = span_of_text(reply->text);
	struct bytes challenge = { 0 }, answer = { 0 };
	const char *error = "says a challenge that is not base64";
	bool coded = base64_decode(&challenge, text) == 0;

	if (!coded)
		bytes_append_span(&challenge, text);
	bytes_reserve(&answer, SASL_ANSWER_MAX);
	if ((!coded && needs_challenge(sasl)) ||
	    sasl_answer(sasl, bytes_span(&challenge), &answer, &error) != 0)
		connection_fail(c, 451, "4.7.0", "%s %s", c->provider->host, error);
	else
		say(c, "", &answer);
	wipe(&answer);
	bytes_release(&challenge);
}

/* The secret itself, or the last answer: as text or in base64. */
static bool repeats_secret(struct connection *c, const char *text)
{
	const char *secret = c->login.sasl.secret;
	struct bytes coded = { 0 };
	bool repeats = false;

	if (secret == NULL || *secret == '\0' || text == NULL)
		return false;
	append_base64(&coded, span_of_text(secret));
	repeats = strstr(text, secret) != NULL || strstr(text, bytes_text(&coded)) != NULL ||
	          (c->login.said.length > 0 && strstr(text, bytes_text(&c->login.said)) != NULL);
	wipe(&coded);
	return repeats;
}

/* The peer's code and, behind what it likely means, its words. */
static void refuse(struct connection *c, const struct reply *reply)
{
	const char *hint = login_hint(c->provider->host, c->provider->oauth2.used, reply);
	struct reply why = { 0 };
	struct bytes text = { 0 };

	reply_copy(&why, reply);
	if (c->login.sasl.status[0] != '\0')
		bytes_printf(&text, "token refused with status %s: ", c->login.sasl.status);
	if (hint != NULL)
		bytes_printf(&text, "%s; it says: ", hint);
	bytes_append_text(&text, reply->text == NULL ? "" : reply->text);
	free(why.text);
	why.text = memory_text(bytes_text(&text));
	bytes_release(&text);
	connection_end_politely(c, &why);
	reply_release(&why);
}

static void got_refusal(struct connection *c, const struct reply *reply)
{
	const struct secret_source *secrets = c->transport->secrets;
	int class = reply->code / 100;

	if (secrets != NULL && class == 5)
		secrets->refused(secrets->context, c->provider, c->login.number);
	if (repeats_secret(c, reply->text))
		connection_fail(c, class == 5 ? 535 : 454, class == 5 ? "5.7.8" : "4.7.0",
		                "%s refused the login with %d and repeated the password",
		                c->provider->host, reply->code);
	else if (class == 4 || class == 5)
		refuse(c, reply);
	else
		connection_refused(c, reply, "AUTH");
}

void got_auth(struct connection *c, const struct reply *reply)
{
	if (reply->code == 334) {
		got_challenge(c, reply);
	} else if (reply->code != 235) {
		got_refusal(c, reply);
	} else if (!sasl_proved(&c->login.sasl)) {
		connection_fail(c, 451, "4.7.0",
		                "%s took the login without proof that it knows the password: "
		                "is it who it says?",
		                c->provider->host);
	} else {
		connection_ready(c);
	}
}
