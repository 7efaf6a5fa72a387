/* SPDX-License-Identifier: ISC */
/* auth.c - the login dialogue of a listener that accepts every login (auth = any).
 *
 * For an inbox in development: applications log in with what they have, the name is recorded with
 * the message, the password is wiped at once and seen by nobody. AUTH PLAIN (RFC 4616) and LOGIN,
 * by the rules of RFC 4954. Checked logins come with listeners that have users.
 */
#include "receive/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/memory.h"
#include "base/utf8.h"

/* Names become keys and log words; no honest one is longer. */
#define LOGIN_MAX 255 /* octets */

enum { STEP_PLAIN, STEP_NAME, STEP_PASSWORD };

static void auth_fail(struct session *s, int code, const char *enhanced, const char *text)
{
	free(s->login);
	s->login = NULL;
	session_enter(s, SESSION_READY);
	session_reply(s, code, enhanced, text);
}

static void auth_done(struct session *s)
{
	session_enter(s, SESSION_READY);
	session_reply(s, 235, "2.7.0", "Authentication successful");
}

static void auth_ask(struct session *s, unsigned step, const char *challenge)
{
	s->auth_step = (uint8_t)step;
	session_enter(s, SESSION_AUTH);
	session_reply(s, 334, NULL, challenge);
}

/* Takes the name; false when it has been refused. */
static bool take_login(struct session *s, struct span name)
{
	if (name.length == 0 || name.length > LOGIN_MAX || span_has_controls(name) ||
	    !utf8_is_valid(name)) {
		auth_fail(s, 535, "5.7.8", "This cannot be a login");
		return false;
	}
	s->login = memory_text_of(name.data, name.length);
	return true;
}

/* [authzid] NUL authcid NUL passwd */
static void take_plain(struct session *s, struct span message)
{
	const unsigned char *first = NULL, *second = NULL, *end = message.data + message.length;

	if (message.length > 0)
		first = memchr(message.data, '\0', message.length);
	if (first != NULL)
		second = memchr(first + 1, '\0', (size_t)(end - first) - 1);
	if (second == NULL || memchr(second + 1, '\0', (size_t)(end - second) - 1) != NULL)
		auth_fail(s, 501, "5.5.2", "Malformed PLAIN response");
	else if (take_login(s, span_of(first + 1, (size_t)(second - first) - 1)))
		auth_done(s);
}

static void take_response(struct session *s, struct span response)
{
	switch (s->auth_step) {
	case STEP_PLAIN:
		take_plain(s, response);
		return;
	case STEP_NAME:
		if (take_login(s, response))
			auth_ask(s, STEP_PASSWORD, "UGFzc3dvcmQ6");
		return;
	default:
		auth_done(s);
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

/* RFC 4954 4: an initial response of "=" is an empty one. */
static void initial_response(struct session *s, struct span text)
{
	auth_response(s, span_equal_text(text, "=") ? span_of(NULL, 0) : text);
}

void verb_auth(struct session *s, struct span argument)
{
	struct span rest = argument, mechanism = span_word(&rest);
	bool plain = span_equal_nocase(mechanism, span_of_text("PLAIN"));

	if (s->receive->listener->auth != AUTH_ANY) {
		session_reply(s, 502, "5.5.1", "AUTH is not offered");
	} else if (s->login != NULL) {
		session_reply(s, 503, "5.5.1", "You are logged in already");
	} else if (mechanism.length == 0) {
		session_reply(s, 501, "5.5.4", "AUTH needs a mechanism");
	} else if (!plain && !span_equal_nocase(mechanism, span_of_text("LOGIN"))) {
		session_reply(s, 504, "5.5.4", "Mechanism not offered");
	} else if (rest.length > 0) {
		s->auth_step = plain ? STEP_PLAIN : STEP_NAME;
		initial_response(s, rest);
	} else if (plain) {
		auth_ask(s, STEP_PLAIN, "");
	} else {
		auth_ask(s, STEP_NAME, "VXNlcm5hbWU6");
	}
}
