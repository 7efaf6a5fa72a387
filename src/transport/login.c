/* SPDX-License-Identifier: ISC */
/* login.c - AUTH PLAIN with an initial response, else LOGIN (RFC 4954).
 *
 * A credential goes out only inside TLS whose peer was verified; everywhere else the connection
 * ends with words for the operator. Secrets are never logged, and what is built here
 * is wiped once it is written. A peer that repeats the password in its reply is not quoted.
 */
#include "transport/private.h"

#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/memory.h"

/* LOGIN asks twice; PLAIN once, of peers that overlook an initial response. */
#define PROMPTS_PLAIN 1
#define PROMPTS_LOGIN 2

static void wipe(struct bytes *secret)
{
	memory_wipe(secret->data, secret->length);
	bytes_release(secret);
}

/* The room is made first: a secret that moved would stay behind in freed memory. */
static void append_base64(struct bytes *out, const void *data, size_t length)
{
	bytes_reserve(out, (length + 2) / 3 * 4 + 8);
	base64_encode(out, span_of(data, length));
}

/* NUL login NUL password (RFC 4616). */
static void append_plain(struct bytes *out, const char *login, const char *password)
{
	size_t login_length = strlen(login), password_length = strlen(password);
	struct bytes plain = { 0 };

	bytes_reserve(&plain, login_length + password_length + 3);
	bytes_append_char(&plain, '\0');
	bytes_append(&plain, login, login_length);
	bytes_append_char(&plain, '\0');
	bytes_append(&plain, password, password_length);
	append_base64(out, plain.data, plain.length);
	wipe(&plain);
}

static void say_secret(struct connection *c, struct bytes *line)
{
	bytes_append_text(line, "\r\n");
	connection_write(c, line->data, line->length);
	stream_flush(c->stream);
	connection_expect(c, EXPECT_STEP, NULL, 0);
	wipe(line);
}

static void say_plain(struct connection *c, const char *prefix)
{
	const char *login = c->provider->login;
	const char *password = c->provider->password == NULL ? "" : c->provider->password;
	struct bytes line = { 0 };

	bytes_reserve(&line, strlen(prefix) + (strlen(login) + strlen(password) + 4) / 3 * 4 + 8);
	bytes_append_text(&line, prefix);
	append_plain(&line, login, password);
	say_secret(c, &line);
}

static void say_base64(struct connection *c, const char *text)
{
	struct bytes line = { 0 };

	bytes_reserve(&line, (strlen(text) + 2) / 3 * 4 + 8);
	append_base64(&line, text, strlen(text));
	say_secret(c, &line);
}

static bool is_verified(const struct connection *c)
{
	return stream_is_tls(c->stream) && c->provider->verify != TLS_VERIFY_OFF;
}

static bool is_too_long(const struct provider_settings *p)
{
	size_t password = p->password == NULL ? 0 : strlen(p->password);

	return strlen(p->login) + password > AUTH_LINE_MAX / 2;
}

void send_auth(struct connection *c)
{
	c->login = (struct login){ .plain = c->ehlo.auth_plain };
	if (!is_verified(c)) {
		connection_fail(c, 451, "4.7.0",
		                "no login without verified TLS: the password was not sent");
	} else if (is_too_long(c->provider)) {
		connection_fail(c, 451, "4.7.0", "login and password are too long to be sent");
	} else if (c->ehlo.auth_plain) {
		log_debug("connection says conn=%llu line=\"AUTH PLAIN ...\"",
		          (unsigned long long)c->number);
		say_plain(c, "AUTH PLAIN ");
	} else if (c->ehlo.auth_login) {
		connection_command(c, "AUTH LOGIN");
	} else {
		connection_fail(c, 451, "4.7.0",
		                c->ehlo.auth ? "%s offers neither AUTH PLAIN nor AUTH LOGIN"
		                             : "%s offers no login (AUTH), but one is configured",
		                c->provider->host);
	}
}

static void answer_prompt(struct connection *c)
{
	const struct provider_settings *p = c->provider;

	if (c->login.prompts++ >= (c->login.plain ? PROMPTS_PLAIN : PROMPTS_LOGIN))
		connection_fail(c, 451, "4.7.0", "%s asks for more than a login and a password",
		                p->host);
	else if (c->login.plain)
		say_plain(c, "");
	else if (c->login.prompts == 1)
		say_base64(c, p->login);
	else
		say_base64(c, p->password == NULL ? "" : p->password);
}

/* The refusal, without the password should the peer have repeated it, as text or in base64. */
static void got_refusal(struct connection *c, const struct reply *reply)
{
	const char *password = c->provider->password;
	struct bytes plain = { 0 }, coded = { 0 };
	bool repeated = false;

	if (password != NULL && *password != '\0' && reply->text != NULL) {
		append_base64(&coded, password, strlen(password));
		append_plain(&plain, c->provider->login, password);
		repeated = strstr(reply->text, password) != NULL ||
		           strstr(reply->text, bytes_text(&coded)) != NULL ||
		           strstr(reply->text, bytes_text(&plain)) != NULL;
	}
	wipe(&plain);
	wipe(&coded);
	if (!repeated) {
		connection_refused(c, reply, "AUTH");
		return;
	}
	connection_fail(c, reply->code / 100 == 5 ? 535 : 454,
	                reply->code / 100 == 5 ? "5.7.8" : "4.7.0",
	                "%s refused the login with %d and repeated the password", c->provider->host,
	                reply->code);
}

void got_auth(struct connection *c, const struct reply *reply)
{
	if (reply->code == 334)
		answer_prompt(c);
	else if (reply->code == 235)
		connection_ready(c);
	else
		got_refusal(c, reply);
}
