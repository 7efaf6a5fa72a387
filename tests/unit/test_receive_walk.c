/* SPDX-License-Identifier: ISC */
/* test_receive_walk.c - a long random walk of commands beside a small model of the protocol.
 *
 * The model knows only what a transaction is: who is greeted, inside TLS, logged in, has a sender,
 * recipients and chunks, and how patient the server is. Every reply of the session has to be the
 * model's, and every message that is stored one that the model accepted (RFC 5321 4.1.4; the
 * classes of state confusion after refused content).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "receive/private.h"
#include "receive_server.h"

#define WALK_STEPS      60000
#define WALK_STEPS_LONG 1000000 /* make check-long */
#define MAX_RCPTS       3
#define MAX_SIZE        2000 /* octets */

struct model {
	bool greeted, tls, login, sender, chunks, over;
	unsigned recipients, errors, junk;
	size_t octets; /* of the chunks */
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
	m->sender = m->chunks = false;
	m->recipients = 0;
	m->octets = 0;
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
	if (!m->sender || m->chunks)
		return 503;
	if (m->recipients == MAX_RCPTS)
		return 452;
	m->recipients++;
	return 250;
}

static int predict_rcpt_wrong(struct model *m)
{
	return m->sender && !m->chunks ? 501 : 503;
}

static int predict_rcpt_utf8(struct model *m)
{
	return m->sender && !m->chunks ? 553 : 503;
}

static int predict_data(struct model *m)
{
	if (!m->sender || m->chunks)
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

static int predict_auth_dialogue(struct model *m)
{
	return !m->greeted || m->sender || m->login ? 503 : 334;
}

static int predict_auth_wrong(struct model *m)
{
	return !m->greeted || m->sender || m->login ? 503 : 501;
}

static int predict_starttls(struct model *m)
{
	if (m->sender || m->tls)
		return 503;
	reset(m);
	m->greeted = m->login = false;
	m->tls = true;
	return 220;
}

static int predict_bdat_broken(struct model *m)
{
	m->over = true;
	return 501;
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
	{ "AUTH LOGIN\r\n", predict_auth_dialogue, 1 },
	{ "AUTH PLAIN\r\n", predict_auth_dialogue, 1 },
	{ "MAIL FROM:<a@example.org> RET=FULL MT-PRIORITY=-3\r\n", predict_mail, 1 },
	{ "MAIL FROM:<a@example.org> RET=FULL RET=FULL\r\n", predict_mail_wrong, 1 },
	{ "BDAT x\r\n", predict_bdat_broken, 1 },
	{ "STARTTLS\r\n", predict_starttls, 1 },
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

static int code_of(const char *heard)
{
	return (int)strtol(heard, NULL, 10);
}

/* ---- chunks ---------------------------------------------------------------- */

/* Chunks that are followed by their octets; of each the content ends with CRLF. */
static const struct chunk_move {
	size_t size; /* of the chunk; what it is made of is repeated to fill it */
	const char *marker;
	const char *filling;
	bool nul;
} chunk_moves[] = {
	{ 70, "", "1234567890123456789012345678901234\n", false },
	{ 70, " LAST", "1234567890123456789012345678901234\n", false },
	{ 0, " LAST", "", false },
	{ 2, "", "\n", false },
	{ 6, " last", ".\n", false },
	{ 4, " LAST", "?\n", true },
	{ 12, " LAST", "RSET\nNOOP\n", false },
	{ 12, " NOW", "RSET\nQUIT\n", false },
	{ 2100, "", "12345678\n", false },
	{ 500, "", "DATA\n.\n", false },
};

static void chunk_text(struct bytes *out, const struct chunk_move *move)
{
	size_t end;

	bytes_printf(out, "BDAT %zu%s\r\n", move->size, move->marker);
	end = out->length + move->size;
	while (out->length < end) {
		for (const char *at = move->filling; *at != '\0' && out->length < end; at++) {
			if (*at == '\n')
				bytes_append_char(out, '\r');
			bytes_append_char(out, *at == '?' && move->nul ? '\0' : *at);
		}
	}
	out->length = end;
	if (move->size > 1)
		memcpy(out->data + end - 2, "\r\n", 2);
}

/* What has to be said behind the octets; fails: the writer would refuse the message. */
static int predict_chunk(struct model *m, const struct chunk_move *move, bool fails)
{
	bool last = strcmp(move->marker, " LAST") == 0 || strcmp(move->marker, " last") == 0;
	bool marked = last || *move->marker == '\0';
	int code = 250;

	m->junk += move->size < CHUNK_SMALL && !last;
	if (!m->sender)
		return 503;
	if (m->recipients == 0)
		return 554;
	if (!marked && !m->chunks)
		return 501; /* the transaction stays */
	m->chunks = true;
	m->octets += move->size;
	if (!marked)
		code = 501;
	else if (m->octets > MAX_SIZE)
		code = 552;
	else if (move->nul)
		code = 554;
	else if (last && fails)
		code = 452;
	else if (last)
		m->stored++;
	return code;
}

static int walk_chunk(struct server *v, struct model *m, uint32_t *seed)
{
	size_t n = sizeof chunk_moves / sizeof chunk_moves[0], before = m->stored;
	const struct chunk_move *move = &chunk_moves[next_random(seed) % n];
	bool fails = next_random(seed) % 8 == 0;
	int code = predict_chunk(m, move, fails);
	struct bytes text = { 0 };

	v->result = fails ? -1 : 0;
	chunk_text(&text, move);
	server_say_pieces(v, bytes_span(&text), 1 + next_random(seed) % 100);
	bytes_release(&text);
	if (m->stored > before) {
		assert_int_equal(v->stored_count, 1);
		assert_int_equal(v->stored[0].content.length, m->octets);
		assert_int_equal(v->stored[0].recipients.length, 14 * m->recipients);
		server_forget_stored(v);
		m->errors = m->junk = 0;
	}
	assert_int_equal(v->stored_count, 0);
	/* Accepted or refused, it is over: unless there is more to come, or nothing was begun. */
	if (m->chunks && (code != 250 || m->stored > before))
		reset(m);
	return code;
}

/* ---- dialogues ------------------------------------------------------------- */

/* The lines after a 334; PLAIN and LOGIN differ in how many there are. */
static int walk_login(struct server *v, struct model *m, uint32_t *seed, const char *said)
{
	static const char plain[] = "AGFubmEAc2VjcmV0\r\n";
	bool two = strstr(said, "LOGIN") != NULL;

	switch (next_random(seed) % 3) {
	case 0:
		server_say(v, "*\r\n");
		return 501;
	case 1:
		server_say(v, "????\r\n");
		return 501;
	default:
		if (two)
			assert_true(text_starts(server_say(v, "YW5uYQ==\r\n"), "334 "));
		server_say(v, two ? "c2VjcmV0\r\n" : plain);
		m->login = true;
		return 235;
	}
}

static struct tls_context *ours, *theirs;
static size_t handshakes;

static void walk_handshake(struct server *v)
{
	bytes_clear(&v->heard);
	stream_start_tls(v->client, theirs, "mx.test");
	server_pass(v, 0);
	assert_true(stream_is_tls(v->client));
	assert_string_equal(bytes_text(&v->heard), "");
	handshakes++;
}

/* The content, one of several ends; whichever it is, the transaction is over. */
static int walk_content(struct server *v, struct model *m, uint32_t *seed)
{
	static const char nul[] = "a\0b\r\n.\r\n";
	enum outcome outcome = next_random(seed) % DATA_OUTCOMES;
	unsigned recipients = m->recipients;
	char large[MAX_SIZE + 100];
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
	over = m->over || m->errors >= ERRORS_MAX || m->junk >= JUNK_MAX;
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

static void walk_move(struct server *v, struct model *m, uint32_t *seed)
{
	const struct move *move = choose(m, seed);
	int code = move->predict(m);

	server_say(v, move->text);
	walk_check(v, m, code, move->text);
	if (v->closed || (code != 354 && code != 334 && code != 220))
		return;
	if (code == 220)
		walk_handshake(v);
	else if (code == 354)
		walk_check(v, m, walk_content(v, m, seed), "content\n");
	else
		walk_check(v, m, walk_login(v, m, seed, move->text), "a login\n");
}

static void the_session_is_where_the_model_is(void **state)
{
	const char *much = getenv("LONG");
	int steps = much != NULL && strcmp(much, "yes") == 0 ? WALK_STEPS_LONG : WALK_STEPS;
	struct model m = { 0 };
	uint32_t seed = 20261121;
	struct server v;
	size_t stored = 0;

	(void)state;
	server_init(&v);
	v.listener.auth = AUTH_ANY;
	v.listener.max_recipients = MAX_RCPTS;
	v.listener.max_message_size = MAX_SIZE;
	v.listener.tls = LISTENER_TLS_STARTTLS;
	v.receive.tls = ours;
	server_connect(&v);
	for (int i = 0; i < steps; i++) {
		size_t before = m.stored;

		if (next_random(&seed) % 5 == 0)
			walk_check(&v, &m, walk_chunk(&v, &m, &seed), "a chunk\n");
		else
			walk_move(&v, &m, &seed);
		stored += m.stored > before;
	}
	assert_true(stored > 500 && handshakes > 50);
	print_message("%d steps, %zu messages, %zu handshakes\n", steps, stored, handshakes);
	server_release(&v);
}

static char directory[] = "/tmp/test_receive_walk.XXXXXX";

static int make_contexts(void **state)
{
	struct bytes error = { 0 };
	char certificate[64], key[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(certificate, sizeof certificate, "%s/cert.pem", directory);
	snprintf(key, sizeof key, "%s/key.pem", directory);
	assert_int_equal(tls_make_certificate(certificate, key, "mx.test", &error), 0);
	assert_int_equal(tls_context_new_server(&ours, "here", certificate, key, &error), 0);
	assert_int_equal(tls_context_new_client(&theirs, TLS_TRUST_OFF, NULL, NULL, &error), 0);
	unlink(certificate);
	unlink(key);
	return rmdir(directory);
}

static int free_contexts(void **state)
{
	(void)state;
	tls_context_free(&ours);
	tls_context_free(&theirs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_session_is_where_the_model_is),
	};

	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, make_contexts, free_contexts);
}
