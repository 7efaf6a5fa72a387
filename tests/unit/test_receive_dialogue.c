/* SPDX-License-Identifier: ISC */
/* test_receive_dialogue.c - dialogues: what a client says and what it is told, by RFC section.
 *
 * A step's replies are compared by their beginnings, one for each final line, parted by '|'; a
 * last "." says that the server closed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "receive_server.h"

#define STEPS_MAX 24

struct step {
	const char *say; /* NULL: the end */
	const char *hear;
};

struct dialogue {
	const char *name;
	void (*set_up)(struct server *v);
	struct step steps[STEPS_MAX];
};

#define HELLO                                                        \
	{                                                            \
		"EHLO client.example\r\n", "250 ENHANCEDSTATUSCODES" \
	}
#define SENDER                                               \
	{                                                    \
		"MAIL FROM:<a@example.org>\r\n", "250 2.1.0" \
	}
#define RCPT                                               \
	{                                                  \
		"RCPT TO:<b@example.net>\r\n", "250 2.1.5" \
	}

static bool hears(const char *heard, const char *expected, bool closed)
{
	while (*expected != '\0' && strcmp(expected, ".") != 0) {
		size_t length = strcspn(expected, "|");
		const char *end = strstr(heard, "\r\n");

		while (end != NULL && strlen(heard) > 3 && heard[3] == '-') {
			heard = end + 2;
			end = strstr(heard, "\r\n");
		}
		if (end == NULL || strncmp(heard, expected, length) != 0)
			return false;
		heard = end + 2;
		expected += length;
		expected += *expected == '|';
	}
	return *heard == '\0' && closed == (*expected == '.');
}

static void play(const struct dialogue *d)
{
	struct server v;

	server_init(&v);
	if (d->set_up != NULL)
		d->set_up(&v);
	server_connect(&v);
	for (size_t i = 0; i < STEPS_MAX && d->steps[i].say != NULL; i++) {
		const struct step *step = &d->steps[i];
		const char *heard = server_say(&v, step->say);

		if (!hears(heard, step->hear, v.closed))
			fail_msg("%s\nsaid:     %s\nexpected: %s\nheard:    %s%s", d->name,
			         step->say, step->hear, heard, v.closed ? "(closed)" : "");
	}
	server_release(&v);
}

static void no_relay(struct server *v)
{
	v->listener.open_relay = false;
}

static void local(struct server *v)
{
	v->listener.local_submission = true;
}

static void small(struct server *v)
{
	v->listener.max_message_size = 100;
	v->listener.max_recipients = 2;
}

static void full(struct server *v)
{
	v->room = 100;
}

static void any_login(struct server *v)
{
	v->listener.open_relay = false;
	v->listener.auth = AUTH_ANY;
}

static void login_required(struct server *v)
{
	v->listener.auth = AUTH_REQUIRED;
}

static void tls_required(struct server *v)
{
	v->listener.tls = LISTENER_TLS_REQUIRED;
}

static void strict(struct server *v)
{
	v->listener.reject_bare_newline = true;
}

static const struct dialogue dialogues[] = {
	{ "RFC 5321 4.1.1.1 EHLO needs a domain, refused it changes nothing",
	  NULL,
	  { { "EHLO\r\n", "501 5.5.4" },
	    { "EHLO two words\r\n", "501 5.5.4" },
	    { "EHLO a<b>\r\n", "501 5.5.4" },
	    { "MAIL FROM:<>\r\n", "503 5.5.1" },
	    HELLO,
	    SENDER,
	    { "EHLO (\r\n", "501 5.5.4" },
	    RCPT } },
	{ "RFC 5321 4.1.4 EHLO in a transaction acts as RSET",
	  NULL,
	  { HELLO, SENDER, RCPT, HELLO, { "DATA\r\n", "503 5.5.1" }, SENDER } },
	{ "RFC 5321 4.1.1.1 HELO is one line and enough",
	  NULL,
	  { { "HELO client.example\r\n", "250 mx.test" }, SENDER } },
	{ "RFC 5321 4.1.3 literals, underscores and odd case are names",
	  NULL,
	  { { "EHLO [127.0.0.1]\r\n", "250 " },
	    { "ehlo [IPv6:::1]\r\n", "250 " },
	    { "eHLo my_host.LOCAL\r\n", "250 " },
	    { "mAiL fRoM:<A@Example.ORG>\r\n", "250 2.1.0" },
	    { "rcpt tO:<B@Example.NET>\r\n", "250 2.1.5" } } },
	{ "RFC 5321 4.1.4 sequence",
	  NULL,
	  { { "RCPT TO:<b@example.net>\r\n", "503 5.5.1" },
	    { "DATA\r\n", "503 5.5.1" },
	    { "MAIL FROM:<a@example.org>\r\n", "503 5.5.1" },
	    HELLO,
	    { "RCPT TO:<b@example.net>\r\n", "503 5.5.1" },
	    { "DATA\r\n", "503 5.5.1" },
	    SENDER,
	    { "MAIL FROM:<c@example.org>\r\n", "503 5.5.1" },
	    { "DATA\r\n", "554 5.5.1" },
	    RCPT,
	    { "MAIL FROM:<c@example.org>\r\n", "503 5.5.1" },
	    { "DATA now\r\n", "501 5.5.4" },
	    { "DATA\r\n", "354 " },
	    { "Subject: x\r\n\r\nx\r\n.\r\n", "250 2.0.0 queued as " },
	    { "DATA\r\n", "503 5.5.1" },
	    { "RCPT TO:<b@example.net>\r\n", "503 5.5.1" } } },
	{ "RFC 5321 4.1.1.5-11 commands of any time",
	  NULL,
	  { { "NOOP\r\n", "250 2.0.0" },
	    { "NOOP anything <\r\n", "250 2.0.0" },
	    { "RSET\r\n", "250 2.0.0" },
	    { "RSET x\r\n", "501 5.5.4" },
	    { "HELP\r\n", "214 2.0.0" },
	    { "VRFY root\r\n", "252 2.0.0" },
	    { "VRFY\r\n", "501 5.5.4" },
	    { "EXPN staff\r\n", "502 5.5.1" },
	    { "ETRN example.org\r\n", "502 5.5.1" },
	    HELLO,
	    SENDER,
	    { "NOOP\r\n", "250 2.0.0" },
	    { "VRFY root\r\n", "252 2.0.0" },
	    RCPT,
	    { "RSET\r\n", "250 2.0.0" },
	    { "DATA\r\n", "503 5.5.1" },
	    { "QUIT now\r\n", "501 5.5.4" },
	    { "QUIT\r\n", "221 2.0.0|." } } },
	{ "RFC 5321 4.2.4 unknown commands",
	  NULL,
	  { { "FOO\r\n", "500 5.5.2" },
	    { "\r\n", "500 5.5.2" },
	    { "MAILFROM:<a@b>\r\n", "500 5.5.2" },
	    { "STARTTLS\r\n", "502 5.5.1" },
	    HELLO,
	    { "AUTH PLAIN AGEAYg==\r\n", "502 5.5.1" } } },
	{ "RFC 5321 4.1.2 paths",
	  NULL,
	  { HELLO,
	    { "MAIL FROM a@example.org\r\n", "501 5.1.7" },
	    { "MAIL FROM:a@example.org\r\n", "501 5.1.7" },
	    { "MAIL FROM:<a@>\r\n", "501 5.1.7" },
	    { "MAIL FROM:<a@example.org>SIZE=1\r\n", "501 5.1.7" },
	    { "MAIL FROM:<a b@example.org>\r\n", "501 5.1.7" },
	    { "MAIL FROM: <> \r\n", "250 2.1.0" },
	    { "RCPT TO:<>\r\n", "501 5.1.3" },
	    { "RCPT TO:<b@example.net\r\n", "501 5.1.3" },
	    { "RCPT TO: <\"b c\"@example.net>\r\n", "250 2.1.5" },
	    { "RCPT TO:<@one.example,@two.example:u@d.example>\r\n", "250 2.1.5" } } },
	{ "RFC 5321 4.5.1 Postmaster needs no domain, others do",
	  NULL,
	  { HELLO,
	    { "MAIL FROM:<root>\r\n", "553 5.1.7" },
	    { "MAIL FROM:<postmaster>\r\n", "250 2.1.0" },
	    { "RCPT TO:<Postmaster>\r\n", "250 2.1.5" },
	    { "RCPT TO:<POSTMASTER>\r\n", "250 2.1.5" },
	    { "RCPT TO:<root>\r\n", "553 5.1.3" } } },
	{ "RFC 6409 6.1 bare names of this host are made whole",
	  local,
	  { HELLO,
	    { "MAIL FROM:<root>\r\n", "250 2.1.0" },
	    { "RCPT TO:<www-data>\r\n", "250 2.1.5" } } },
	{ "RFC 5321 7.9 no open relay",
	  no_relay,
	  { HELLO,
	    SENDER,
	    { "RCPT TO:<b@example.net>\r\n", "554 5.7.1" },
	    { "DATA\r\n", "554 5.5.1" },
	    { "RCPT TO:<Postmaster@example.net>\r\n", "554 5.7.1" },
	    { "RCPT TO:<Postmaster>\r\n", "250 2.1.5" } } },
	{ "RFC 1870 6 SIZE over the limit",
	  small,
	  { HELLO,
	    { "MAIL FROM:<a@example.org> SIZE=101\r\n", "552 5.3.4" },
	    { "MAIL FROM:<a@example.org> SIZE=99999999999999999999\r\n", "552 5.3.4" },
	    { "MAIL FROM:<a@example.org> SIZE=-5\r\n", "501 5.5.4" },
	    { "MAIL FROM:<a@example.org> SIZE=100\r\n", "250 2.1.0" } } },
	{ "RFC 1870 6.2 no room",
	  full,
	  { HELLO, { "MAIL FROM:<a@example.org>\r\n", "452 4.3.1" } } },
	{ "RFC 5321 4.5.3.1.10 too many recipients, the earlier ones stay",
	  small,
	  { HELLO,
	    SENDER,
	    RCPT,
	    RCPT,
	    { "RCPT TO:<c@example.net>\r\n", "452 4.5.3" },
	    { "DATA\r\n", "354 " },
	    { "x\r\n.\r\n", "250 2.0.0" } } },
	{ "RFC 5321 4.1.1.11 parameters that are not offered",
	  NULL,
	  { HELLO,
	    { "MAIL FROM:<a@example.org> XUTF8\r\n", "555 5.5.4" },
	    { "MAIL FROM:<a@example.org> BODY=8BITMIME SIZE=10\r\n", "250 2.1.0" },
	    { "RCPT TO:<b@example.net> XNOTIFY=NEVER\r\n", "555 5.5.4" },
	    RCPT } },
	{ "RFC 6531 3.4 UTF-8 addresses without SMTPUTF8",
	  NULL,
	  { HELLO,
	    { "MAIL FROM:<\xc3\xa4@example.org>\r\n", "553 5.6.7" },
	    SENDER,
	    { "RCPT TO:<b@\xc3\xa4.example>\r\n", "553 5.6.7" },
	    { "NOOP \xc3\xa4\r\n", "501 5.5.2" } } },
	{ "RFC 6531 3.3 what is no UTF-8 is no address",
	  NULL,
	  { HELLO,
	    { "MAIL FROM:<\xe4@example.org> SMTPUTF8\r\n", "501 5.1.7" },
	    { "MAIL FROM:<\xc0\xaf@example.org> SMTPUTF8\r\n", "501 5.1.7" },
	    { "MAIL FROM:<\xc2\x85@example.org> SMTPUTF8\r\n", "501 5.1.7" },
	    { "MAIL FROM:<\xc3\xa4@example.org> SMTPUTF8=1\r\n", "501 5.5.4" },
	    { "MAIL FROM:<\xc3\xa4@example.org> SMTPUTF8\r\n", "250 2.1.0" },
	    { "RCPT TO:<\xe4@example.net>\r\n", "501 5.1.3" },
	    { "RCPT TO:<\xc3\xa4@\xc3\xb6.example>\r\n", "250 2.1.5" } } },
	{ "RFC 6531 3.7.4.2 VRFY",
	  NULL,
	  { { "VRFY \xc3\xa4 SMTPUTF8\r\n", "252 2.0.0" },
	    { "VRFY a SMTPUTF8\r\n", "252 2.0.0" },
	    { "VRFY \xe4 SMTPUTF8\r\n", "501 5.5.2" },
	    { "VRFY \xc3\xa4\r\n", "553 5.6.7" },
	    { "EXPN \xc3\xa4 SMTPUTF8\r\n", "501 5.5.2" } } },
	{ "RFC 5321 2.3.8 a bare CR ends nothing and runs nothing",
	  NULL,
	  { HELLO,
	    { "MAIL FROM:<sender\rexample.com>\r\n", "501 5.5.2" },
	    { "NOOP\rMAIL FROM:<a@example.org>\r\n", "500 5.5.2" },
	    { "NOOP x\rMAIL FROM:<a@example.org>\r\n", "501 5.5.2" },
	    { "RCPT TO:<b@example.net>\r\n", "503 5.5.1" } } },
	{ "RFC 5321 2.3.8 a bare LF is answered, and what follows it does not run",
	  NULL,
	  { HELLO,
	    { "MAIL FROM:<a@example.org>\n", "500 5.5.2" },
	    { "MAIL FROM:<a@example.org>\r\n", "500 5.5.2" },
	    { "RCPT TO:<b@example.net>\r\n", "503 5.5.1" },
	    { "NOOP\nMAIL FROM:<a@example.org>\nRSET\r\nNOOP\r\n",
	      "500 5.5.2|500 5.5.2|500 5.5.2|250 2.0.0" },
	    SENDER } },
	{ "RFC 5321 4.1.2 control characters",
	  NULL,
	  { HELLO,
	    { "MAIL FROM:<a\x01@example.org>\r\n", "501 5.5.2" },
	    { "MAIL\tFROM:<a@example.org>\r\n", "500 5.5.2" },
	    { "NOOP \x7f\r\n", "501 5.5.2" } } },
	{ "RFC 2920 3.1 a group is answered in order",
	  NULL,
	  { HELLO,
	    { "MAIL FROM:<a@example.org>\r\nRCPT TO:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n",
	      "250 2.1.0|501 5.1.3|250 2.1.5|354 " },
	    { "x\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nRSET\r\nQUIT\r\n",
	      "250 2.0.0 queued|250 2.1.0|250 2.1.5|250 2.0.0|221 2.0.0|." } } },
	{ "RFC 2920 3.2 DATA without a recipient asks for no content",
	  NULL,
	  { HELLO,
	    { "MAIL FROM:<a@example.org>\r\nRCPT TO:<>\r\nDATA\r\n",
	      "250 2.1.0|501 5.1.3|554 5.5.1" },
	    { "NOOP\r\n", "250 2.0.0" } } },
	{ "RFC 4954 4 PLAIN",
	  any_login,
	  { HELLO,
	    { "AUTH PLAIN\r\n", "334 " },
	    { "AGFubmEAc2VjcmV0\r\n", "235 2.7.0" },
	    { "AUTH PLAIN AGFubmEAc2VjcmV0\r\n", "503 5.5.1" },
	    SENDER,
	    RCPT } },
	{ "RFC 4954 4 PLAIN in one line, after which MAIL is pipelined",
	  any_login,
	  { HELLO,
	    { "AUTH PLAIN AGFubmEAc2VjcmV0\r\nMAIL FROM:<a@example.org>\r\n",
	      "235 2.7.0|250 2.1.0" },
	    { "AUTH PLAIN AGFubmEAc2VjcmV0\r\n", "503 5.5.1" } } },
	{ "LOGIN, with and without the name at once",
	  any_login,
	  { HELLO,
	    { "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6" },
	    { "YW5uYQ==\r\n", "334 UGFzc3dvcmQ6" },
	    { "*\r\n", "501 5.7.0" },
	    { "auth login YW5uYQ==\r\n", "334 UGFzc3dvcmQ6" },
	    { "c2VjcmV0\r\n", "235 2.7.0" } } },
	{ "RFC 4954 4 what is wrong",
	  any_login,
	  { { "AUTH PLAIN AGFubmEAc2VjcmV0\r\n", "503 5.5.1" },
	    HELLO,
	    { "AUTH\r\n", "501 5.5.4" },
	    { "AUTH GSSAPI\r\n", "504 5.5.4" },
	    { "AUTH PLAIN =AAA\r\n", "501 5.5.2" },
	    { "AUTH PLAIN AAA=BBB=\r\n", "501 5.5.2" },
	    { "AUTH PLAIN AAAA AAAA\r\n", "501 5.5.2" },
	    { "AUTH PLAIN =\r\n", "501 5.5.2" },
	    { "AUTH PLAIN YW5uYQ==\r\n", "501 5.5.2" },
	    { "AUTH PLAIN AAA=\r\n", "535 5.7.8" },
	    { "AUTH PLAIN\r\n", "334 " },
	    { "*\r\n", "501 5.7.0" },
	    { "AUTH PLAIN\r\n", "334 " },
	    { "NOOP\n", "500 5.5.2" },
	    { "x\r\n", "500 5.5.2" },
	    { "*\r\n", "501 5.7.0" },
	    { "AUTH LOGIN =\r\n", "535 5.7.8" },
	    SENDER,
	    { "AUTH PLAIN AGFubmEAc2VjcmV0\r\n", "503 5.5.1" } } },
	{ "RFC 4954 5 MAIL takes AUTH= where AUTH is offered",
	  any_login,
	  { HELLO, { "MAIL FROM:<a@example.org> AUTH=<>\r\n", "250 2.1.0" } } },
	{ "RFC 4954 6 a login that is required",
	  login_required,
	  { HELLO, { "MAIL FROM:<a@example.org>\r\n", "530 5.7.0" } } },
	{ "RFC 3207 4 TLS that is required",
	  tls_required,
	  { { "HELO x\r\n", "530 5.7.0" },
	    { "MAIL FROM:<>\r\n", "530 5.7.0" },
	    { "EHLO x\r\n", "250 " },
	    { "NOOP\r\n", "250 2.0.0" },
	    { "MAIL FROM:<>\r\n", "530 5.7.0" },
	    { "STARTTLS x\r\n", "501 5.5.4" },
	    { "STARTTLS\r\n", "454 4.7.0" },
	    { "QUIT\r\n", "221 2.0.0|." } } },
	{ "a browser is shown the door", NULL, { { "GET / HTTP/1.1\r\n", "554 5.5.2|." } } },
	{ "so is a form", NULL, { { "POST / HTTP/1.1\r\nEHLO x\r\n", "554 5.5.2|." } } },
	{ "at any time", NULL, { HELLO, { "CONNECT x:25\r\n", "554 5.5.2|." } } },
	{ "a TLS hello in clear", NULL, { { "\x16\x03\x01", "554 5.5.2|." } } },
	{ "RFC 3030 2 the octets of a refused BDAT do not run",
	  NULL,
	  { { "BDAT 6\r\nRSET\r\n", "503 5.5.1" },
	    HELLO,
	    { "BDAT 6 LAST\r\nRSET\r\n", "503 5.5.1" },
	    SENDER,
	    { "BDAT 6 LAST\r\nRSET\r\n", "554 5.5.1" },
	    RCPT,
	    { "BDAT 6 FIRST\r\nRSET\r\n", "501 5.5.4" },
	    { "BDAT 6 LAST NOW\r\nRSET\r\n", "501 5.5.4" },
	    { "bdat 6 last\r\nRSET\r\n", "250 2.0.0 queued" },
	    { "BDAT 6 LAST\r\nRSET\r\n", "503 5.5.1" },
	    { "BDAT 0 LAST\r\n", "503 5.5.1" } } },
	{ "RFC 3030 2 octets that nobody can count end the session",
	  NULL,
	  { HELLO, SENDER, RCPT, { "BDAT six\r\nRSET\r\n", "501 5.5.4|421 4.7.0|." } } },
	{ "nor can these", NULL, { HELLO, { "BDAT\r\nRSET\r\n", "501 5.5.4|421 4.7.0|." } } },
	{ "nor these", NULL, { HELLO, { "BDAT -1 LAST\r\n", "501 5.5.4|421 4.7.0|." } } },
	{ "nor these",
	  NULL,
	  { HELLO, { "BDAT 9999999999999999999 LAST\r\n", "501 5.5.4|421 4.7.0|." } } },
	{ "nor these", NULL, { HELLO, { "BDAT\t6\r\nRSET\r\n", "501 5.5.4|421 4.7.0|." } } },
	{ "nor those behind a bare LF",
	  NULL,
	  { HELLO, { "BDAT 6\nRSET\r\n", "500 5.5.2|421 4.7.0|." } } },
	{ "RFC 3030 2 chunks, RSET between them, and no DATA among them",
	  NULL,
	  { HELLO,
	    SENDER,
	    RCPT,
	    { "BDAT 3\r\nabc", "250 2.0.0 3 octets" },
	    { "NOOP\r\n", "250 2.0.0" },
	    { "DATA\r\n", "503 5.5.1" },
	    { "RCPT TO:<c@example.net>\r\n", "503 5.5.1" },
	    { "MAIL FROM:<c@example.net>\r\n", "503 5.5.1" },
	    { "AUTH PLAIN AGEAYg==\r\n", "503 5.5.1" },
	    { "STARTTLS\r\n", "503 5.5.1" },
	    { "BDAT 2\r\nde", "250 2.0.0 5 octets" },
	    { "RSET\r\n", "250 2.0.0" },
	    { "BDAT 2 LAST\r\nfg", "503 5.5.1" },
	    SENDER,
	    RCPT,
	    { "BDAT 3\r\nabcBDAT 0 LAST\r\nNOOP\r\n",
	      "250 2.0.0 3 octets|250 2.0.0 queued|250 2.0.0" } } },
	{ "RFC 3030 2 what follows a failed chunk fails too",
	  small,
	  { HELLO,
	    SENDER,
	    RCPT,
	    { "BDAT 103\r\n0123456789012345678901234567890123456789012345678901234567890123456789"
	      "012345678901234567890123456789012BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n"
	      "RSET\r\n",
	      "552 5.3.4|503 5.5.1|503 5.5.1|250 2.0.0" },
	    SENDER } },
	{ "RFC 3207 4 BDAT before TLS",
	  tls_required,
	  { { "EHLO x\r\n", "250 " }, { "BDAT 6 LAST\r\nRSET\r\n", "530 5.7.0" } } },
	{ "RFC 3030 3 BINARYMIME is not offered",
	  NULL,
	  { HELLO, { "MAIL FROM:<a@example.org> BODY=BINARYMIME\r\n", "501 5.5.4" } } },
	{ "RFC 5321 2.3.8 bare line ends in content are mended",
	  NULL,
	  { HELLO, SENDER, RCPT, { "DATA\r\n", "354 " }, { "a\nb\rc\r\n.\r\n", "250 2.0.0" } } },
	{ "or refused where that is configured",
	  strict,
	  { HELLO,
	    SENDER,
	    RCPT,
	    { "DATA\r\n", "354 " },
	    { "a\nb\r\n.\r\n", "554 5.6.0" },
	    { "DATA\r\n", "503 5.5.1" },
	    SENDER,
	    RCPT,
	    { "DATA\r\n", "354 " },
	    { "a\r\n.\r\n", "250 2.0.0" } } },
};

static void dialogues_by_section(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof dialogues / sizeof dialogues[0]; i++)
		play(&dialogues[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues_by_section),
	};

	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
