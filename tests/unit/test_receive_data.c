/* SPDX-License-Identifier: ISC */
/* test_receive_data.c - content: completions, ends of data, splits, facts, clients that vanish. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mail/trace.h"
#include "receive/private.h"
#include "receive_server.h"

/* ---- completions ------------------------------------------------------------ */

static void accepted_is_said_when_it_is_durable(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	v.automatic = false;
	server_open_data(&v);
	assert_string_equal(server_say(&v, "Subject: x\r\n\r\nx\r\n.\r\nNOOP\r\nVRFY x\r\n"), "");
	assert_non_null(v.put);
	assert_int_equal(v.routed, 1);
	assert_string_equal(server_say(&v, "RSET\r\n"), "");
	server_pass(&v, CLOCK_HOUR); /* it is not the client who is slow */
	assert_false(v.closed);
	assert_string_equal(server_complete(&v, 0),
	                    "250 2.0.0 queued as 0000000000001\r\n250 2.0.0 Ok\r\n"
	                    "252 2.0.0 Cannot verify, but will try to deliver\r\n250 2.0.0 Ok\r\n");
	assert_int_equal(v.stored_count, 1);
	assert_true(stored_is(&v.stored[0], span_of_text("Subject: x\r\n\r\nx\r\n")));
	assert_int_equal(v.reserved, 0);
	server_release(&v);
}

static void what_is_not_durable_is_not_accepted(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	v.automatic = false;
	server_open_data(&v);
	server_say(&v, "x\r\n.\r\n");
	assert_string_equal(server_complete(&v, -1),
	                    "452 4.3.1 No room in the spool, try later\r\n");
	assert_int_equal(v.reserved, 0);
	assert_true(text_starts(server_say(&v, "DATA\r\n"), "503 5.5.1"));
	assert_true(text_starts(server_say(&v, "RCPT TO:<b@example.net>\r\n"), "503 5.5.1"));
	server_say(&v, SERVER_AGAIN);
	server_say(&v, "y\r\n.\r\n");
	assert_true(text_starts(server_complete(&v, 0), "250 2.0.0"));
	assert_int_equal(v.stored_count, 1);
	assert_true(stored_is(&v.stored[0], span_of_text("y\r\n")));
	server_release(&v);
}

/* ---- the end of data: smuggling ------------------------------------------------ */

#define SMUGGLED "MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nevil\r\n"

static const struct {
	const char *text;
	size_t length;
} smuggling[] = {
#define S(text)                       \
	{                             \
		text, sizeof text - 1 \
	}
	S("\n.\n"),     S("\n.\r"),       S("\r.\n"),       S("\r.\r"),         S("\n.\r\n"),
	S("\r.\r\n"),   S("\r\n\0.\r\n"), S("\r\n.\r\r\n"), S("\r\r\n.\r\r\n"), S("\r\n.\n"),
	S("\r\n.\r"),   S("\r\n.\0\r\n"), S("\r\n.\x85"),   S("\r\n .\r\n"),    S("\r\n.\x85\r\n"),
	S("\n.\n\r\n"), S("\r\n..\r\n"),  S("\r\n.\r\0\n"),
#undef S
};

/* Whatever precedes it, what follows is content: one message or none, never two. */
static void smuggle(size_t which, size_t split, bool reject)
{
	struct bytes text = { 0 };
	struct server v;
	size_t at;

	bytes_append_text(&text, "Subject: x\r\n\r\nhello");
	at = text.length;
	bytes_append(&text, smuggling[which].text, smuggling[which].length);
	bytes_append_text(&text, SMUGGLED "\r\n.\r\n");
	server_init(&v);
	v.listener.reject_bare_newline = reject;
	server_open_data(&v);
	at += split;
	server_say_span(&v, span_of(text.data, at));
	assert_int_equal(v.heard.length, 0);
	server_say_span(&v, span_of(text.data + at, text.length - at));
	assert_int_equal(v.routed, v.stored_count);
	if (v.stored_count == 1) {
		assert_true(text_starts(bytes_text(&v.heard), "250 2.0.0 "));
		assert_non_null(strstr(bytes_text(&v.stored[0].content), "evil\r\n"));
		assert_string_equal(v.stored[0].sender, "a@example.org");
	} else {
		assert_int_equal(v.stored_count, 0);
		assert_true(text_starts(bytes_text(&v.heard), "554 5.6.0 "));
	}
	assert_int_equal(strlen(strstr(bytes_text(&v.heard), "\r\n")), 2);
	assert_string_equal(server_say(&v, "NOOP\r\n"), "250 2.0.0 Ok\r\n");
	bytes_release(&text);
	server_release(&v);
}

static void nothing_is_smuggled(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof smuggling / sizeof smuggling[0]; i++)
		for (size_t split = 0; split <= smuggling[i].length; split++) {
			smuggle(i, split, false);
			smuggle(i, split, true);
		}
}

/* ---- splits ---------------------------------------------------------------------- */

static const char conversation[] =
	"EHLO client.example\r\n"
	"MAIL FROM:<a@example.org> SIZE=30 BODY=8BITMIME\r\nRCPT TO:<>\r\n"
	"RCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\nDATA\r\n"
	"Subject: one\r\n\r\n..dots\r\n...\r\nb\xc3\xa4r\r\n.\r\n"
	"RCPT TO:<b@example.net>\r\nFOO\r\nNOOP\nNOOP\r\n"
	"MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nDATA\r\n"
	"\n.\n\rbare\rlines\n\n.\r\n\r\n.\r\n"
	"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
	"a\0b\r\n.\r\n"
	"MAIL FROM:<a@example.org>\r\nRSET\r\nDATA\r\n"
	"MAIL FROM:<d@example.org>\r\nRCPT TO:<e@example.net>\r\nDATA\r\n.\r\n"
	"MAIL FROM:<f@example.org>\r\nRCPT TO:<g@example.net>\r\nBDAT 8\r\n\r\n.\r\nQUI"
	"BDAT 9 LAST\r\nT\r\n.\r\n\rx\nBDAT 6 LAST\r\nQUIT\r\n"
	"QUIT\r\nNOOP\r\n";

static void converse(struct server *v, const size_t *cuts, size_t step)
{
	struct span text = span_of(conversation, sizeof conversation - 1);
	struct bytes heard = { 0 };

	server_init(v);
	server_connect(v);
	for (size_t i = 0; text.length > 0 && v->client != NULL; i++) {
		size_t length = cuts != NULL ? cuts[i] : step;

		length = length < text.length ? length : text.length;
		bytes_append_text(&heard, server_say_span(v, span_of(text.data, length)));
		text = span_of(text.data + length, text.length - length);
	}
	assert_true(v->closed);
	bytes_release(&v->heard);
	v->heard = heard;
}

static void assert_same(struct server *a, struct server *b)
{
	assert_string_equal(bytes_text(&a->heard), bytes_text(&b->heard));
	assert_int_equal(a->stored_count, b->stored_count);
	for (size_t i = 0; i < a->stored_count; i++) {
		assert_true(stored_is(&a->stored[i], bytes_span(&b->stored[i].content)));
		assert_string_equal(a->stored[i].sender, b->stored[i].sender);
		assert_true(span_equal(bytes_span(&a->stored[i].recipients),
		                       bytes_span(&b->stored[i].recipients)));
	}
}

/* A generator of its own: the same cuts on every machine. */
static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void every_split_is_the_same(void **state)
{
	static size_t cuts[sizeof conversation];
	struct server whole, parts;
	uint32_t seed = 1;

	(void)state;
	converse(&whole, NULL, sizeof conversation);
	assert_int_equal(whole.stored_count, 4);
	assert_true(text_ends(bytes_text(&whole.heard), "\r\n221 2.0.0 Bye\r\n"));
	assert_true(stored_is(&whole.stored[0],
	                      span_of_text("Subject: one\r\n\r\n.dots\r\n..\r\nb\xc3\xa4r\r\n")));
	assert_true(stored_is(&whole.stored[3], span_of_text("\r\n.\r\nQUIT\r\n.\r\n\r\nx\r\n")));
	for (size_t step = 1; step < 60; step++) {
		converse(&parts, NULL, step);
		assert_same(&whole, &parts);
		server_release(&parts);
	}
	for (int round = 0; round < 100; round++) {
		for (size_t i = 0; i < sizeof conversation; i++)
			cuts[i] = 1 + next_random(&seed) % (1u << (next_random(&seed) % 8));
		converse(&parts, cuts, 0);
		assert_same(&whole, &parts);
		server_release(&parts);
	}
	server_release(&whole);
}

/* ---- facts -------------------------------------------------------------------- */

static void facts_are_kept_with_the_message(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	v.listener.auth = AUTH_ANY;
	server_connect(&v);
	server_say(&v, "HELO old.example\r\n" SERVER_AGAIN);
	server_say(&v, "x\r\n.\r\n");
	assert_string_equal(v.stored[0].with, "SMTP");
	assert_string_equal(v.stored[0].recipient, "b@example.net");
	assert_null(v.stored[0].login);
	assert_int_equal(v.stored[0].body, BODY_7BIT);
	server_say(&v, "EHLO new.example\r\nMAIL FROM:<>\r\nRCPT TO:<b@x.example>\r\n"
	               "RCPT TO:<c@x.example>\r\nDATA\r\n");
	server_say(&v, "\xc3\xa4\r\n.\r\n"); /* 8-bit that nobody announced */
	assert_string_equal(v.stored[1].with, "ESMTP");
	assert_null(v.stored[1].recipient);
	assert_string_equal(v.stored[1].sender, "");
	assert_int_equal(v.stored[1].body, BODY_8BITMIME);
	assert_string_equal(bytes_text(&v.stored[1].recipients), "b@x.example\nc@x.example\n");
	server_say(&v, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n" SERVER_AGAIN);
	server_say(&v, "x\r\n.\r\n");
	assert_string_equal(v.stored[2].with, "ESMTPA");
	assert_string_equal(v.stored[2].login, "anna");
	server_release(&v);
}

/* ---- clients that vanish --------------------------------------------------------- */

/* After every octet of a conversation with chunks; a request that is out then comes back well or
 * not. server_release() asserts that the quota is whole and no session is left. */
static void vanish_after(size_t octets, struct span text, int result, bool automatic)
{
	struct server v;

	server_init(&v);
	v.automatic = automatic;
	server_connect(&v);
	server_say_span(&v, span_of(text.data, octets));
	server_vanish(&v);
	while (v.put != NULL || v.chunk != NULL) { /* what had come before is still taken */
		assert_false(receive_idle(&v.receive));
		server_complete(&v, result);
	}
	assert_true(receive_idle(&v.receive));
	assert_int_equal(v.reserved, 0);
	server_release(&v);
}

static void clients_may_vanish_at_any_point(void **state)
{
	struct bytes text = { 0 };
	size_t opening;

	(void)state;
	for (size_t i = 0; i < sizeof conversation; i++) {
		struct span all = span_of(conversation, sizeof conversation - 1);

		vanish_after(i < all.length ? i : all.length, all, 0, true);
		vanish_after(i < all.length ? i : all.length, all, -(int)(i % 2), false);
	}
	bytes_append_text(&text, SERVER_OPENING);
	opening = text.length;
	large_content(&text, 200000, "\r\n");
	bytes_append_text(&text, ".\r\nNOOP\r\n");
	for (size_t at = opening; at <= text.length; at += 5003)
		for (int result = -1; result <= 0; result++) {
			vanish_after(at, bytes_span(&text), result, true);
			vanish_after(at, bytes_span(&text), result, false);
		}
	bytes_release(&text);
}

static void the_end_waits_for_the_writer(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	v.automatic = false;
	server_open_data(&v);
	server_say(&v, "x\r\n.\r\n");
	receive_end(&v.receive);
	assert_false(receive_idle(&v.receive));
	receive_end(&v.receive);
	server_complete(&v, 0);
	assert_true(receive_idle(&v.receive));
	assert_int_equal(v.stored_count, 1);
	server_release(&v);
}

/* With many messages at once each goes in smaller chunks; the message is the same. */
static void chunks_shrink_when_many_come(void **state)
{
	enum { MANY = 2000 };
	struct bytes content = { 0 };
	struct clients *clients = clients_new();
	struct server v;

	(void)state;
	server_init(&v);
	v.receive.clients = clients;
	for (int i = 0; i < MANY; i++)
		clients_content_begin(clients);
	large_content(&content, 200000, "\r\n");
	server_open_data(&v);
	server_say_span(&v, bytes_span(&content));
	assert_true(text_starts(server_say(&v, ".\r\n"), "250 "));
	assert_true(v.chunk_count >= 200000 / (CONTENT_BUDGET / MANY + SERVER_PIECE));
	assert_true(stored_is(&v.stored[0], bytes_span(&content)));
	assert_int_equal(clients_content_share(clients, 1, SPOOL_CHUNK_MAX), CONTENT_BUDGET / MANY);
	bytes_release(&content);
	server_release(&v);
	clients_free(&clients);
}

/* ---- want of room -------------------------------------------------------------- */

#define SMALL_SPOOL (UINT64_C(40) << 20) /* octets */

/* Says content up to a total; what the client hears. */
static const char *say_up_to(struct server *v, size_t *said, size_t total)
{
	static const char line[] = "many such lines make it large\r\n";
	struct bytes text = { 0 };

	for (; *said < total; *said += sizeof line - 1)
		bytes_append_text(&text, line);
	server_say_span(v, bytes_span(&text));
	bytes_release(&text);
	return bytes_text(&v->heard);
}

/* Of two that do not say how large they are, the one that is ahead is finished. */
static void who_is_ahead_finishes(void **state)
{
	static const struct {
		uint64_t others; /* octets that are taken */
		size_t ahead;    /* of the message */
		bool goes_on;
	} table[] = {
		{ 0, 12 << 20, true },
		{ UINT64_C(22) << 20, 2 << 20, false }, /* 20 less 1 have to be left, 17 are */
		{ UINT64_C(10) << 20, 10 << 20, true },
		{ UINT64_C(25) << 20, 1 << 20, true }, /* not large */
		{ UINT64_C(39) << 20, 2 << 20, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		size_t said = 0;
		struct server v;

		server_init(&v);
		v.listener.max_message_size = UINT64_C(50) << 20;
		v.settings.spool_max_size = SMALL_SPOOL;
		v.room = SMALL_SPOOL - table[i].others;
		server_open_data(&v);
		say_up_to(&v, &said, table[i].ahead);
		/* Refused or not yet: the room of what is refused is there for others at once. */
		assert_int_equal(v.reserved > 0, table[i].goes_on);
		server_say(&v, "\r\n.\r\n");
		if (text_starts(bytes_text(&v.heard), "250 ") != table[i].goes_on)
			fail_msg("row %zu: %s", i, bytes_text(&v.heard));
		assert_int_equal(v.reserved, 0);
		server_release(&v);
	}
}

/* A chunk that belongs to no transaction leaves the room of the one that is open alone. */
static void a_stray_chunk_frees_no_room(void **state)
{
	struct server v;
	uint64_t held;

	(void)state;
	server_init(&v);
	server_connect(&v);
	server_greet(&v);
	server_say(&v, "MAIL FROM:<a@example.org> SIZE=5000\r\n");
	held = v.reserved;
	assert_true(held >= 5000);
	assert_true(text_starts(server_say(&v, "BDAT 3 LAST\r\nabc"), "554 "));
	assert_int_equal(v.reserved, held);
	server_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_is_said_when_it_is_durable),
		cmocka_unit_test(what_is_not_durable_is_not_accepted),
		cmocka_unit_test(nothing_is_smuggled),
		cmocka_unit_test(every_split_is_the_same),
		cmocka_unit_test(facts_are_kept_with_the_message),
		cmocka_unit_test(clients_may_vanish_at_any_point),
		cmocka_unit_test(the_end_waits_for_the_writer),
		cmocka_unit_test(chunks_shrink_when_many_come),
		cmocka_unit_test(who_is_ahead_finishes),
		cmocka_unit_test(a_stray_chunk_frees_no_room),
	};

	/* What is logged of thousands of sessions is nobody's reading. */
	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
