/* SPDX-License-Identifier: ISC */
/* verbs.c - the table of commands, and those of them that move no mail.
 *
 * verb_run() answers what is common: unknown verbs, commands out of sequence, TLS that is
 * required, octets that no command may hold. The rest each action answers itself, with exactly one
 * reply (AUTH and DATA continue in a state of their own).
 */
#include "receive/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

bool span_has_controls(struct span text)
{
	bool found = false;
	size_t i;

	for (i = 0; i < text.length; i++)
		found |= text.data[i] < 0x20 || text.data[i] == 0x7f;
	return found;
}

bool span_has_8bit(struct span text)
{
	bool found = false;
	size_t i;

	for (i = 0; i < text.length; i++)
		found |= text.data[i] > 0x7f;
	return found;
}

/* Host names as people's machines have them: underscores too, but nothing that a Received field or
 * a log line would have to escape. */
static bool helo_is_valid(struct span name)
{
	size_t i;

	for (i = 0; i < name.length; i++) {
		unsigned char c = name.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) &&
		    memchr("-._:[]%", c, 7) == NULL)
			return false;
	}
	return name.length > 0 && name.length <= HELO_MAX;
}

void verb_again(struct session *s)
{
	struct bytes line;

	play_line(s, &line);
	verb_run(s, bytes_span(&line));
	bytes_release(&line);
}

void verb_refuse(struct session *s, const struct refusal *refusal)
{
	session_reply(s, refusal->code, refusal->enhanced, refusal->text);
}

/* EHLO and HELO act as RSET (RFC 5321 4.1.4); refused, they change nothing. */
static bool greeted(struct session *s, struct span name, bool esmtp)
{
	const struct fault_point point = { .stage = FAULT_HELO,
		                           .again = verb_again,
		                           .refuse = verb_refuse };

	session_junk(s);
	if (!helo_is_valid(name)) {
		session_reply(s, 501, "5.5.4", "A domain or an address literal has to follow");
		return false;
	}
	if (play_fault(s, &point))
		return false;
	free(s->helo);
	s->helo = memory_text_of(name.data, name.length);
	s->esmtp = esmtp;
	session_reset(s);
	return true;
}

static void verb_helo(struct session *s, struct span argument)
{
	if (greeted(s, argument, false))
		session_reply(s, 250, NULL, s->receive->settings->hostname);
}

static bool offers_starttls(const struct session *s)
{
	enum listener_tls tls = s->receive->listener->tls;

	return s->receive->tls != NULL && !session_secured(s) &&
	       (tls == LISTENER_TLS_STARTTLS || tls == LISTENER_TLS_REQUIRED);
}

struct mail_rules verb_rules(const struct session *s)
{
	const struct listener_settings *listener = s->receive->listener;
	struct mail_rules rules = { .auth = listener->auth != AUTH_OFF };

	/* RFC 4865 4.2: for submission, which is what those do who may relay. */
	if (s->trusted || s->login != NULL)
		rules.hold_max_us = listener->max_future_release_us;
	rules.require_tls = session_secured(s);
	rules.now_us = clock_wall(loop_clock(s->receive->loop));
	return rules;
}

/* RFC 4865 3: the longest interval, and the date that it leads to. */
static void offer_future_release(struct bytes *out, const struct mail_rules *rules)
{
	char date[CLOCK_DATE_MAX];

	clock_format_rfc3339(rules->now_us + rules->hold_max_us, date);
	bytes_printf(out, "250-FUTURERELEASE %lld %.19sZ\r\n",
	             (long long)(rules->hold_max_us / CLOCK_SEC), date);
}

static void verb_ehlo(struct session *s, struct span argument)
{
	const struct listener_settings *listener = s->receive->listener;
	struct bytes text = { 0 };
	struct mail_rules rules;

	if (!greeted(s, argument, true))
		return;
	rules = verb_rules(s);
	bytes_printf(&text, "250-%.255s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n",
	             s->receive->settings->hostname,
	             (unsigned long long)listener->max_message_size);
	bytes_append_text(&text, "250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n");
	bytes_printf(&text, "250-MT-PRIORITY\r\n250-DELIVERBY %d\r\n", DELIVER_BY_MIN);
	if (rules.require_tls)
		bytes_append_text(&text, "250-REQUIRETLS\r\n");
	if (rules.hold_max_us > 0)
		offer_future_release(&text, &rules);
	/* RFC 9422: a client that heeds it has no recipient refused for being one too many. */
	bytes_printf(&text, "250-LIMITS RCPTMAX=%zu\r\n", listener->max_recipients);
	if (offers_starttls(s))
		bytes_append_text(&text, "250-STARTTLS\r\n");
	auth_offer(s, &text);
	bytes_append_text(&text, "250 ENHANCEDSTATUSCODES\r\n");
	record_reply(s, bytes_span(&text));
	session_send(s, text.data, text.length);
	bytes_release(&text);
}

static void verb_rset(struct session *s, struct span argument)
{
	session_junk(s);
	if (argument.length > 0) {
		session_reply(s, 501, "5.5.4", "RSET takes no argument");
		return;
	}
	session_reset(s);
	session_reply(s, 250, "2.0.0", "Ok");
}

static void verb_noop(struct session *s, struct span argument)
{
	(void)argument;
	session_junk(s);
	session_reply(s, 250, "2.0.0", "Ok");
}

static void verb_help(struct session *s, struct span argument)
{
	(void)argument;
	session_junk(s);
	session_reply(s, 214, "2.0.0", "This is Penstock; the commands are those of RFC 5321");
}

static bool ends_with_smtputf8(struct span argument)
{
	struct span keyword = span_of_text(" SMTPUTF8"), tail = argument;

	if (argument.length <= keyword.length)
		return false;
	tail.data += argument.length - keyword.length;
	tail.length = keyword.length;
	return span_equal_nocase(tail, keyword);
}

/* Nobody is looked up: the reply needs no UTF-8, whether or not it may hold some (RFC 6531
 * 3.7.4.2). */
static void verb_vrfy(struct session *s, struct span argument)
{
	session_junk(s);
	if (argument.length == 0)
		session_reply(s, 501, "5.5.4", "VRFY needs a name");
	else if (span_has_8bit(argument) && !utf8_is_valid(argument))
		session_reply(s, 501, "5.5.2", "That is not UTF-8");
	else if (span_has_8bit(argument) && !ends_with_smtputf8(argument))
		session_reply(s, 553, "5.6.7", "A name beyond ASCII needs SMTPUTF8");
	else
		session_reply(s, 252, "2.0.0", "Cannot verify, but will try to deliver");
}

static void verb_quit(struct session *s, struct span argument)
{
	if (argument.length > 0) {
		session_reply(s, 501, "5.5.4", "QUIT takes no argument");
		return;
	}
	session_reply(s, 221, "2.0.0", "Bye");
	session_close(s, "quit");
}

/* RFC 3207. What the client sent behind the command came in clear and is dropped: inside TLS it
 * would run as if the client had said it there (CVE-2011-0411). */
static void verb_starttls(struct session *s, struct span argument)
{
	enum listener_tls tls = s->receive->listener->tls;

	if (argument.length > 0) {
		session_reply(s, 501, "5.5.4", "STARTTLS takes no argument");
	} else if (session_secured(s)) {
		session_reply(s, 503, "5.5.1", "TLS is active already");
	} else if (tls != LISTENER_TLS_STARTTLS && tls != LISTENER_TLS_REQUIRED) {
		session_reply(s, 502, "5.5.1", "STARTTLS is not offered");
	} else if (s->receive->tls == NULL) {
		session_reply(s, 454, "4.7.0", "TLS is not available now");
	} else {
		session_reply(s, 220, "2.0.0", "Ready to start TLS");
		session_forget(s);
		stream_consume(s->stream, stream_input(s->stream).length);
		session_enter(s, SESSION_TLS);
		stream_start_tls(s->stream, s->receive->tls, NULL);
	}
}

static void verb_absent(struct session *s, struct span argument)
{
	(void)argument;
	session_reply(s, 502, "5.5.1", "Command not implemented");
}

/* A browser was led here (ALPACA): what follows may be a form full of commands. */
static void verb_http(struct session *s, struct span argument)
{
	(void)argument;
	session_reply(s, 554, "5.5.2", "This is an SMTP server, closing");
	session_close(s, "HTTP");
}

struct verb {
	const char *name;
	unsigned states; /* in which it is legal; elsewhere 503 */
	void (*action)(struct session *s, struct span argument);
	bool before_tls; /* legal although TLS is required and not there yet (RFC 3207 4) */
	bool utf8;       /* takes octets above 127 (RFC 6531 3.5, 3.7.4.2) */
};

static const struct verb verbs[] = {
	{ "RCPT", BIT(SESSION_MAIL) | BIT(SESSION_RCPT), verb_rcpt, false, true },
	{ "MAIL", BIT(SESSION_READY), verb_mail, false, true },
	{ "DATA", BIT(SESSION_MAIL) | BIT(SESSION_RCPT), verb_data, false, false },
	{ "EHLO", COMMANDS, verb_ehlo, true, false },
	{ "HELO", COMMANDS, verb_helo, false, false },
	{ "QUIT", COMMANDS, verb_quit, true, false },
	{ "RSET", COMMANDS, verb_rset, false, false },
	{ "NOOP", COMMANDS, verb_noop, true, false },
	{ "STARTTLS", BETWEEN, verb_starttls, true, false },
	{ "AUTH", BIT(SESSION_READY), verb_auth, false, false },
	{ "VRFY", COMMANDS, verb_vrfy, false, true },
	{ "HELP", COMMANDS, verb_help, false, false },
	{ "EXPN", COMMANDS, verb_absent, false, false },
	{ "ETRN", COMMANDS, verb_absent, false, false },
	{ "ATRN", COMMANDS, verb_absent, false, false },
	{ "TURN", COMMANDS, verb_absent, false, false },
	{ "SEND", COMMANDS, verb_absent, false, false },
	{ "SOML", COMMANDS, verb_absent, false, false },
	{ "SAML", COMMANDS, verb_absent, false, false },
	{ "BURL", COMMANDS, verb_absent, false, false },
	{ "GET", COMMANDS, verb_http, true, false },
	{ "POST", COMMANDS, verb_http, true, false },
	{ "CONNECT", COMMANDS, verb_http, true, false },
	{ "PUT", COMMANDS, verb_http, true, false },
	{ "HEAD", COMMANDS, verb_http, true, false },
	{ "OPTIONS", COMMANDS, verb_http, true, false },
};

static const struct verb *verb_find(struct span name)
{
	size_t i;

	for (i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (span_equal_nocase(name, span_of_text(verbs[i].name)))
			return &verbs[i];
	}
	return NULL;
}

bool verb_is_known(struct span line)
{
	struct span name = span_word(&line);

	return verb_find(name) != NULL || span_equal_nocase(name, span_of_text("BDAT"));
}

static void out_of_sequence(struct session *s, const struct verb *verb)
{
	const char *text = "Not in the middle of a transaction";

	if (s->helo == NULL)
		text = "Say EHLO first";
	else if (verb->action == verb_mail)
		text = "A transaction is open already";
	else if (s->state == SESSION_READY)
		text = "Say MAIL first";
	session_reply(s, 503, "5.5.1", text);
}

void verb_run(struct session *s, struct span line)
{
	struct span argument = line, name = span_word(&argument);
	const struct verb *verb = verb_find(name);
	bool required = s->receive->listener->tls == LISTENER_TLS_REQUIRED;

	s->line = line;
	/* BDAT looks after itself: whatever is wrong with it, its octets are no commands. */
	if (span_starts_nocase(line, "BDAT"))
		verb_bdat(s, span_of(line.data + 4, line.length - 4));
	else if (verb == NULL)
		session_reply(s, 500, "5.5.2", "Command not recognized");
	else if (required && !session_secured(s) && !verb->before_tls)
		session_reply(s, 530, "5.7.0", "Say STARTTLS first");
	else if ((verb->states & BIT(s->state)) == 0)
		out_of_sequence(s, verb);
	else if (span_has_controls(line))
		session_reply(s, 501, "5.5.2", "A command holds no control characters");
	else if (span_has_8bit(line) && !verb->utf8)
		session_reply(s, 501, "5.5.2", "A command is ASCII");
	else
		verb->action(s, argument);
}
