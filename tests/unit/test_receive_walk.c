/* SPDX-License-Identifier: ISC */
/* test_receive_walk.c - a long random walk of commands beside a small model of the protocol.
 *
 * The model knows only what a transaction is: who is greeted, logged in, has a sender and
 * recipients, and how patient the server is. Every reply of the session has to be the model's, and
 * every message that is stored one that the model accepted (RFC 5321 4.1.4; the classes of
 * state confusion after refused content).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receive/private.h"
#include "receive_server.h"

#define WALK_STEPS 60000
#define MAX_RCPTS  3

struct model {
	bool greeted, login, sender;
	unsigned recipients, errors, junk;
	size_t stored;
};

enum outcome { DATA_GOOD, DATA_NUL, DATA_LARGE, DATA_FAILS, DATA_OUTCOMES };

struct move {
	const char *text;
	/* Changes the model, returns the code that has to be said. */
	int (*predict)(struct model *m);
	unsigned weight;
};

static void reset(struct model *m)
{
	m->sender = false;
	m->recipients = 0;
}

static int predict_hello(struct model *m)
{
	m->junk++;
	m->greeted = true;
	reset(m);
	return 250;
}

static int predict_bad_hello(struct model *m)
{
	m->junk++;
	return 501;
}

static int predict_mail(struct model *m)
{
	if (!m->greeted || m->sender)
		return 503;
	m->sender = true;
	return 250;
}

static int predict_mail_wrong(struct model *m)
{
	return !m->greeted || m->sender ? 503 : 501;
}

static int predict_mail_large(struct model *m)
{
	return !m->greeted || m->sender ? 503 : 552;
}

static int predict_rcpt(struct model *m)
{
	if (!m->sender)
		return 503;
	if (m->recipients == MAX_RCPTS)
		return 452;
	m->recipients++;
	return 250;
}

static int predict_rcpt_wrong(struct model *m)
{
	return m->sender ? 501 : 503;
}

static int predict_rcpt_utf8(struct model *m)
{
	return m->sender ? 553 : 503;
}

static int predict_data(struct model *m)
{
	if (!m->sender)
		return 503;
	return m->recipients > 0 ? 354 : 554;
}

static int predict_rset(struct model *m)
{
	m->junk++;
	reset(m);
	return 250;
}

static int predict_noop(struct model *m)
{
	m->junk++;
	return 250;
}

static int predict_vrfy(struct model *m)
{
	m->junk++;
	return 252;
}

static int predict_auth(struct model *m)
{
	if (!m->greeted || m->sender || m->login)
		return 503;
	m->login = true;
	return 235;
}

static int predict_auth_wrong(struct model *m)
{
	return !m->greeted || m->sender || m->login ? 503 : 501;
}

static int predict_unknown(struct model *m)
{
	(void)m;
	return 500;
}

static int predict_absent(struct model *m)
{
	(void)m;
	return 502;
}

enum { MOVE_EHLO, MOVE_MAIL, MOVE_RCPT, MOVE_DATA };

static const struct move moves[] = {
	[MOVE_EHLO] = { "EHLO client.example\r\n", predict_hello, 6 },
	[MOVE_MAIL] = { "MAIL FROM:<a@example.org>\r\n", predict_mail, 12 },
	[MOVE_RCPT] = { "RCPT TO:<b@example.net>\r\n", predict_rcpt, 20 },
	[MOVE_DATA] = { "DATA\r\n", predict_data, 16 },
	{ "HELO client.example\r\n", predict_hello, 2 },
	{ "EHLO a<b\r\n", predict_bad_hello, 1 },
	{ "MAIL FROM:<a@>\r\n", predict_mail_wrong, 1 },
	{ "MAIL FROM:<a@example.org> SIZE=3000\r\n", predict_mail_large, 1 },
	{ "RCPT TO:<>\r\n", predict_rcpt_wrong, 1 },
	{ "RCPT TO:<\xc3\xa4@example.net>\r\n", predict_rcpt_utf8, 1 },
	{ "RSET\r\n", predict_rset, 2 },
	{ "NOOP\r\n", predict_noop, 2 },
	{ "VRFY a\r\n", predict_vrfy, 1 },
	{ "AUTH PLAIN AGFubmEAc2VjcmV0\r\n", predict_auth, 2 },
	{ "AUTH PLAIN ????\r\n", predict_auth_wrong, 1 },
	{ "STARTTLS\r\n", NULL, 1 },
	{ "EXPN a\r\n", predict_absent, 1 },
	{ "FOO\r\n", predict_unknown, 1 },
};

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Every second time what leads on, so that the walk gets somewhere. */
static const struct move *choose(const struct model *m, uint32_t *seed)
{
	unsigned sum = 0, n;
	size_t i;

	if (next_random(seed) % 2 == 0) {
		i = !m->greeted ? MOVE_EHLO : !m->sender ? MOVE_MAIL : MOVE_DATA;
		return &moves[m->sender && m->recipients == 0 ? MOVE_RCPT : i];
	}
	for (i = 0; i < sizeof moves / sizeof moves[0]; i++)
		sum += moves[i].weight;
	n = next_random(seed) % sum;
	for (i = 0; n >= moves[i].weight; i++)
		n -= moves[i].weight;
	return &moves[i];
}

/* STARTTLS is legal between transactions, and not offered here. */
static int predict_starttls(const struct model *m)
{
	return m->sender ? 503 : 502;
}

static int code_of(const char *heard)
{
	return (int)strtol(heard, NULL, 10);
}

/* The content, one of several ends; whichever it is, the transaction is over. */
static int walk_content(struct server *v, struct model *m, uint32_t *seed)
{
	static const char nul[] = "a\0b\r\n.\r\n";
	enum outcome outcome = next_random(seed) % DATA_OUTCOMES;
	unsigned recipients = m->recipients;
	char large[2100];
	int code;

	memset(large, 'x', sizeof large);
	memcpy(large + sizeof large - 5, "\r\n.\r\n", 5);
	v->result = outcome == DATA_FAILS ? -1 : 0;
	if (outcome == DATA_NUL)
		server_say_span(v, span_of(nul, sizeof nul - 1));
	else if (outcome == DATA_LARGE)
		server_say_span(v, span_of(large, sizeof large));
	else
		server_say(v, "Subject: x\r\n\r\nx\r\n.\r\n");
	reset(m);
	code = outcome == DATA_GOOD ? 250 : outcome == DATA_LARGE ? 552 : 554;
	code = outcome == DATA_FAILS ? 452 : code;
	if (outcome == DATA_GOOD) {
		assert_int_equal(v->stored_count, 1);
		assert_int_equal(v->stored[0].recipients.length, 14 * recipients);
		server_forget_stored(v);
		m->stored++;
		m->errors = m->junk = 0;
	}
	assert_int_equal(v->stored_count, 0);
	return code;
}

static void walk_check(struct server *v, struct model *m, int code, const char *said)
{
	bool over;

	m->errors += code >= 500;
	over = m->errors >= ERRORS_MAX || m->junk >= JUNK_MAX;
	if (code_of(bytes_text(&v->heard)) != code || v->closed != over)
		fail_msg("said: %sexpected: %d%s\nheard: %s%s", said, code,
		         over ? " and the end" : "", bytes_text(&v->heard),
		         v->closed ? "(closed)" : "");
	assert_int_equal(v->reserved == 0, !m->sender || v->closed);
	if (over) {
		assert_non_null(strstr(bytes_text(&v->heard), "\r\n421 4.7.0 "));
		memset(m, 0, sizeof *m);
		server_connect(v);
	}
}

static void the_session_is_where_the_model_is(void **state)
{
	struct model m = { 0 };
	uint32_t seed = 20261121;
	struct server v;
	size_t stored = 0;

	(void)state;
	server_init(&v);
	v.listener.auth = AUTH_ANY;
	v.listener.max_recipients = MAX_RCPTS;
	v.listener.max_message_size = 2000;
	server_connect(&v);
	for (int i = 0; i < WALK_STEPS; i++) {
		const struct move *move = choose(&m, &seed);
		int code = move->predict != NULL ? move->predict(&m) : predict_starttls(&m);
		size_t before = m.stored;

		server_say(&v, move->text);
		walk_check(&v, &m, code, move->text);
		if (code != 354)
			continue;
		code = walk_content(&v, &m, &seed);
		stored += m.stored - before;
		walk_check(&v, &m, code, "content\n");
	}
	assert_true(stored > 500);
	print_message("%d steps, %zu messages\n", WALK_STEPS, stored);
	server_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_session_is_where_the_model_is),
	};

	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
