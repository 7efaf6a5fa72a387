/* SPDX-License-Identifier: ISC */
/* auth.c - the login dialogue: AUTH PLAIN (RFC 4616) and LOGIN, by the rules of RFC 4954.
 *
 * A name counts only when its password was found good. auth = any takes every login, also by the
 * ways of mechanisms.c: for an inbox in development applications log in with what they have.
 * Elsewhere a helper compares with the users' file. It holds hashes of crypt(3), from which a
 * server cannot answer SCRAM (that needs keys derived in SCRAM's own way), so SCRAM is not offered;
 * PLAIN inside TLS is. A refusal tells the same, after the same time, whether the name or the
 * password is wrong; it is held back for longer each time. What was secret is overwritten wherever
 * it lay.
 */
#include "receive/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "config/users.h"

/* crypt(3) takes no longer one (CRYPT_MAX_PASSPHRASE_SIZE is 512). */
#define PASSWORD_MAX      511 /* octets */
/* Who was wrong three times is not a person who mistyped. */
#define LOGIN_TRIES       3 /* in a session */
/* The first refusal waits so long, each further one twice that. */
#define REFUSAL_DELAY     (1 * CLOCK_SEC)
#define REFUSAL_DELAY_MAX (4 * CLOCK_SEC)

enum { STEP_PLAIN, STEP_NAME, STEP_PASSWORD, STEP_UNCHECKED };

struct login_attempt {
	struct login_check check;
	struct session *session;
	struct timer delay;
	const struct refusal *refusal; /* what is said when the delay is over */
	uint8_t step;
	enum mechanism mechanism;
	bool outstanding; /* the check is with the helper */
	char *name;
	char password[PASSWORD_MAX + 1];
};

static const struct refusal bad_login = { 535, "5.7.8", "Authentication credentials invalid" };
static const struct refusal too_many = { 454, "4.7.0", "Too many failed logins, try later" };
static const struct refusal busy = { 454, "4.7.0", "Too many logins at once, try later" };

/* ---- the attempt --------------------------------------------------------- */

static void refused(void *context);

static struct login_attempt *attempt_new(struct session *s)
{
	struct login_attempt *a = memory_new(sizeof *a);

	a->session = s;
	timer_init(&a->delay, s->receive->loop, refused, a);
	s->attempt = a;
	return a;
}

bool auth_outstanding(const struct login_attempt *attempt)
{
	return attempt->outstanding;
}

void auth_forget(struct session *s)
{
	struct login_attempt *a = s->attempt;

	if (a == NULL)
		return;
	s->attempt = NULL;
	timer_stop(&a->delay);
	if (a->name != NULL)
		memory_wipe(a->name, strlen(a->name));
	free(a->name);
	memory_wipe(a, sizeof *a);
	free(a);
}

static void auth_fail(struct session *s, int code, const char *enhanced, const char *text)
{
	auth_forget(s);
	session_enter(s, SESSION_READY);
	session_reply(s, code, enhanced, text);
}

static void auth_good(struct session *s)
{
	s->login = memory_text(s->attempt->name);
	auth_forget(s);
	session_enter(s, SESSION_READY);
	session_reply(s, 235, "2.7.0", "Authentication successful");
}

static void auth_ask(struct session *s, unsigned step, const char *challenge)
{
	s->attempt->step = (uint8_t)step;
	session_enter(s, SESSION_AUTH);
	session_reply(s, 334, NULL, challenge);
}

/* ---- refusals ------------------------------------------------------------ */

/* Someone who mistypes comes in at the second try; a program with an old password stays harmless;
 * who guesses gets 1,440 guesses a day. */
static const struct rate failures = { .count = 20, .period_us = 20 * CLOCK_MIN };

/* Behind one address of this host are many programs: one with an old password must not keep the
 * others out, so there each name has a budget. */
#define FAILURE_KEY_MAX (5 + POLICY_KEY_MAX + USER_NAME_MAX)
static struct span failure_key(const struct session *s, unsigned char key[FAILURE_KEY_MAX])
{
	unsigned char client[POLICY_KEY_MAX];
	struct span address = policy_client_key(stream_peer(s->stream), client);
	size_t length = 5 + address.length;

	memcpy(key, "login", 5); /* the table counts other things, too */
	memcpy(key + 5, address.data, address.length);
	if (s->local) {
		memcpy(key + length, s->attempt->name, strlen(s->attempt->name));
		length += strlen(s->attempt->name);
	}
	return span_of(key, length);
}

static bool has_failed_too_often(const struct session *s)
{
	unsigned char key[FAILURE_KEY_MAX];

	return s->receive->clients != NULL &&
	       rates_wait(clients_rates(s->receive->clients), failure_key(s, key), &failures,
	                  session_now(s)) > 0;
}

static void count_failure(const struct session *s)
{
	unsigned char key[FAILURE_KEY_MAX];

	if (s->receive->clients != NULL)
		rates_charge(clients_rates(s->receive->clients), failure_key(s, key), &failures,
		             session_now(s));
}

static void refused(void *context)
{
	struct login_attempt *a = context;
	struct session *s = a->session;
	const struct refusal *refusal = a->refusal;

	auth_fail(s, refusal->code, refusal->enhanced, refusal->text);
	if (s->login_failures >= LOGIN_TRIES)
		session_hang_up(s, "4.7.0", "Too many failed logins, closing");
	session_resume(s);
}

/* The answer comes later; nothing blocks meanwhile but this session. */
static void refuse_later(struct session *s, const struct refusal *refusal)
{
	struct login_attempt *a = s->attempt;
	int64_t delay = REFUSAL_DELAY << s->login_failures;

	s->login_failures++;
	a->refusal = refusal;
	memory_wipe(a->password, sizeof a->password);
	session_enter(s, SESSION_LOGIN);
	timer_start(&a->delay, delay < REFUSAL_DELAY_MAX ? delay : REFUSAL_DELAY_MAX);
}

/* A name that does not exist may be a password in the wrong field: it is not shown. */
static void bad(struct session *s, bool known)
{
	log_info("login refused client=%s login=%s", stream_peer(s->stream),
	         known ? log_quoted(s->attempt->name) : "unknown");
	metric_add(METRIC_LOGINS_REFUSED, 1);
	count_failure(s);
	refuse_later(s, &bad_login);
}

/* ---- the check ------------------------------------------------------------- */

static void check_done(struct login_check *check)
{
	struct login_attempt *a =
		(struct login_attempt *)(void *)((char *)check -
	                                         offsetof(struct login_attempt, check));
	struct session *s = a->session;

	a->outstanding = false;
	if (s->state == SESSION_OVER) {
		session_resume(s); /* nobody is there any more; it only waited for us */
	} else if (check->good) {
		login_cache_add(s->receive->logins, a->name, a->password, check->generation,
		                session_now(s));
		auth_good(s);
		session_resume(s);
	} else {
		bad(s, check->known);
	}
}

static void refuse_login(struct session *s, const struct refusal *refusal)
{
	auth_fail(s, refusal->code, refusal->enhanced, refusal->text);
}

/* Name and password are there. */
static void auth_check(struct session *s)
{
	const struct fault_point point = { .stage = FAULT_AUTH,
		                           .again = auth_check,
		                           .refuse = refuse_login };
	const struct receive_users *users = &s->receive->users;
	struct login_attempt *a = s->attempt;

	if (play_fault(s, &point))
		return;
	if (s->receive->listener->auth == AUTH_ANY) {
		auth_good(s);
	} else if (login_cache_find(s->receive->logins, a->name, a->password,
	                            users->generation(users->context), session_now(s))) {
		auth_good(s);
	} else if (has_failed_too_often(s)) {
		log_info("login not checked client=%s reason=\"too many failures\"",
		         stream_peer(s->stream));
		refuse_later(s, &too_many);
	} else {
		a->check.job.home = s->receive->home;
		a->check.done = check_done;
		a->check.name = a->name;
		a->check.password = a->password;
		if (users->check(users->context, &a->check) != 0) {
			log_info("login not checked client=%s reason=\"too many at once\"",
			         stream_peer(s->stream));
			auth_fail(s, busy.code, busy.enhanced, busy.text);
			return;
		}
		a->outstanding = true;
		session_enter(s, SESSION_LOGIN);
	}
}

/* ---- the dialogue ---------------------------------------------------------- */

/* Takes the name; false when it has been refused. */
static bool take_login(struct session *s, struct span name)
{
	if (name.length == 0 || name.length > USER_NAME_MAX || span_has_controls(name) ||
	    !utf8_is_valid(name)) {
		auth_fail(s, bad_login.code, bad_login.enhanced, bad_login.text);
		return false;
	}
	s->attempt->name = memory_text_of(name.data, name.length);
	return true;
}

static void password_of_nobody(char *out)
{
	unsigned char random[16];

	digest_random(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		out[i] = (char)(0x80 | random[i]);
}

/* auth = any takes every password, and none. What cannot be one becomes one that nobody has, so
 * that it is refused like all others. */
static void take_password(struct session *s, struct span password)
{
	char *out = s->attempt->password;

	if (password.length > 0 && password.length <= PASSWORD_MAX &&
	    memchr(password.data, '\0', password.length) == NULL)
		memcpy(out, password.data, password.length);
	else if (s->receive->listener->auth != AUTH_ANY)
		password_of_nobody(out);
	auth_check(s);
}

/* [authzid] NUL authcid NUL passwd. To act for another is nobody's right here. */
static void take_plain(struct session *s, struct span message)
{
	const unsigned char *first = NULL, *second = NULL, *end = message.data + message.length;
	struct span acted, name;

	if (message.length > 0)
		first = memchr(message.data, '\0', message.length);
	if (first != NULL)
		second = memchr(first + 1, '\0', (size_t)(end - first) - 1);
	if (second == NULL || memchr(second + 1, '\0', (size_t)(end - second) - 1) != NULL) {
		auth_fail(s, 501, "5.5.2", "Malformed PLAIN response");
		return;
	}
	acted = span_of(message.data, (size_t)(first - message.data));
	name = span_of(first + 1, (size_t)(second - first) - 1);
	if (acted.length > 0 && !span_equal(acted, name) && s->receive->listener->auth != AUTH_ANY)
		auth_fail(s, bad_login.code, bad_login.enhanced, bad_login.text);
	else if (take_login(s, name))
		take_password(s, span_of(second + 1, (size_t)(end - second) - 1));
}

static void take_unchecked(struct session *s, struct span response)
{
	struct span name;

	if (!mechanism_name(s->attempt->mechanism, response, &name))
		auth_fail(s, 501, "5.5.2", "Malformed response");
	else if (take_login(s, name))
		auth_check(s);
}

static void take_response(struct session *s, struct span response)
{
	switch (s->attempt->step) {
	case STEP_UNCHECKED:
		take_unchecked(s, response);
		return;
	case STEP_PLAIN:
		take_plain(s, response);
		return;
	case STEP_NAME:
		if (take_login(s, response))
			auth_ask(s, STEP_PASSWORD, "UGFzc3dvcmQ6");
		return;
	default:
		take_password(s, response);
	}
}

static void auth_response(struct session *s, struct span text)
{
	struct bytes decoded = { 0 };

	bytes_reserve(&decoded, text.length + 4); /* no copy of a password is left behind */
	if (base64_decode(&decoded, text) == 0)
		take_response(s, bytes_span(&decoded));
	else
		auth_fail(s, 501, "5.5.2", "That is not base64");
	if (decoded.data != NULL)
		memory_wipe(decoded.data, decoded.capacity);
	bytes_release(&decoded);
}

void auth_line(struct session *s, struct span line)
{
	if (span_equal_text(line, "*"))
		auth_fail(s, 501, "5.7.0", "Authentication cancelled");
	else
		auth_response(s, line);
}

/* Clear text is no risk where it crosses no wire (loopback, a Unix socket), and RFC 8314 forbids
 * it elsewhere; who must do without TLS has to write so. */
static bool auth_allowed_here(const struct session *s)
{
	const struct listener_settings *listener = s->receive->listener;

	return session_secured(s) || listener->auth == AUTH_ANY || s->local ||
	       listener->auth_without_tls;
}

static bool auth_is_offered(const struct session *s)
{
	const struct listener_settings *listener = s->receive->listener;

	return listener->auth != AUTH_OFF && auth_allowed_here(s) &&
	       (listener->tls != LISTENER_TLS_REQUIRED || session_secured(s));
}

static const struct {
	const char *name;
	uint8_t step;          /* what a response is */
	const char *challenge; /* before one; NULL: made for each */
} mechanisms[MECHANISM_COUNT] = {
	[MECHANISM_PLAIN] = { "PLAIN", STEP_PLAIN, "" },
	[MECHANISM_LOGIN] = { "LOGIN", STEP_NAME, "VXNlcm5hbWU6" },
	[MECHANISM_CRAM_MD5] = { "CRAM-MD5", STEP_UNCHECKED, NULL },
	[MECHANISM_XOAUTH2] = { "XOAUTH2", STEP_UNCHECKED, "" },
	[MECHANISM_OAUTHBEARER] = { "OAUTHBEARER", STEP_UNCHECKED, "" },
};

static size_t mechanism_count(const struct session *s)
{
	return s->receive->listener->auth == AUTH_ANY ? MECHANISM_COUNT : MECHANISM_LOGIN + 1;
}

void auth_offer(const struct session *s, struct bytes *out)
{
	if (!auth_is_offered(s))
		return;
	bytes_append_text(out, "250-AUTH");
	for (size_t i = 0; i < mechanism_count(s); i++)
		bytes_printf(out, " %s", mechanisms[i].name);
	bytes_append_text(out, "\r\n");
}

static void auth_start(struct session *s, size_t mechanism, struct span initial)
{
	const char *challenge = mechanisms[mechanism].challenge;
	struct login_attempt *a = attempt_new(s);
	struct bytes made = { 0 };

	a->mechanism = (enum mechanism)mechanism;
	a->step = mechanisms[mechanism].step;
	if (challenge == NULL && initial.length > 0) {
		auth_fail(s, 501, "5.7.0", "This mechanism begins with a challenge");
	} else if (challenge == NULL) {
		mechanism_challenge(s, &made);
		auth_ask(s, a->step, bytes_text(&made));
	} else if (initial.length > 0) {
		/* RFC 4954 4: an initial response of "=" is an empty one. */
		auth_response(s, span_equal_text(initial, "=") ? span_of(NULL, 0) : initial);
	} else {
		auth_ask(s, a->step, challenge);
	}
	bytes_release(&made);
}

void verb_auth(struct session *s, struct span argument)
{
	struct span rest = argument, name = span_word(&rest);
	size_t i = 0;

	while (i < mechanism_count(s) && !span_equal_nocase(name, span_of_text(mechanisms[i].name)))
		i++;
	if (s->receive->listener->auth == AUTH_OFF)
		session_reply(s, 502, "5.5.1", "AUTH is not offered");
	else if (s->login != NULL)
		session_reply(s, 503, "5.5.1", "You are logged in already");
	else if (name.length == 0)
		session_reply(s, 501, "5.5.4", "AUTH needs a mechanism");
	else if (i == mechanism_count(s))
		session_reply(s, 504, "5.5.4", "Mechanism not offered");
	else if (!auth_allowed_here(s))
		session_reply(s, 538, "5.7.11", "Encryption required for this mechanism");
	else
		auth_start(s, i, rest);
}
