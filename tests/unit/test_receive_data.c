/* SPDX-License-Identifier: ISC */
/* test_receive_data.c - content: ends of data, chunks, limits, completions, clients that vanish. */
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

#define OPENING \
	"EHLO client.example\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
#define AGAIN "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
	size_t length = strlen(text), tail = strlen(with);

	return length >= tail && strcmp(text + length - tail, with) == 0;
}

static bool content_is(const struct stored *m, struct span content)
{
	return span_equal(bytes_span(&m->content), content);
}

static void open_data(struct server *v)
{
	server_connect(v);
	assert_true(ends(server_say(v, OPENING), "\r\n354 End data with <CR><LF>.<CR><LF>\r\n"));
}

/* ---- completions ------------------------------------------------------------ */

static void accepted_is_said_when_it_is_durable(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	v.automatic = false;
	open_data(&v);
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
	assert_true(content_is(&v.stored[0], span_of_text("Subject: x\r\n\r\nx\r\n")));
	assert_int_equal(v.reserved, 0);
	server_release(&v);
}

static void what_is_not_durable_is_not_accepted(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	v.automatic = false;
	open_data(&v);
	server_say(&v, "x\r\n.\r\n");
	assert_string_equal(server_complete(&v, -1),
	                    "452 4.3.1 No room in the spool, try later\r\n");
	assert_int_equal(v.reserved, 0);
	assert_true(starts(server_say(&v, "DATA\r\n"), "503 5.5.1"));
	assert_true(starts(server_say(&v, "RCPT TO:<b@example.net>\r\n"), "503 5.5.1"));
	server_say(&v, AGAIN);
	server_say(&v, "y\r\n.\r\n");
	assert_true(starts(server_complete(&v, 0), "250 2.0.0"));
	assert_int_equal(v.stored_count, 1);
	assert_true(content_is(&v.stored[0], span_of_text("y\r\n")));
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
	open_data(&v);
	at += split;
	server_say_span(&v, span_of(text.data, at));
	assert_int_equal(v.heard.length, 0);
	server_say_span(&v, span_of(text.data + at, text.length - at));
	assert_int_equal(v.routed, v.stored_count);
	if (v.stored_count == 1) {
		assert_true(starts(bytes_text(&v.heard), "250 2.0.0 "));
		assert_non_null(strstr(bytes_text(&v.stored[0].content), "evil\r\n"));
		assert_string_equal(v.stored[0].sender, "a@example.org");
	} else {
		assert_int_equal(v.stored_count, 0);
		assert_true(starts(bytes_text(&v.heard), "554 5.6.0 "));
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
		assert_true(content_is(&a->stored[i], bytes_span(&b->stored[i].content)));
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
	assert_int_equal(whole.stored_count, 3);
	assert_true(ends(bytes_text(&whole.heard), "\r\n221 2.0.0 Bye\r\n"));
	assert_true(content_is(&whole.stored[0],
	                       span_of_text("Subject: one\r\n\r\n.dots\r\n..\r\nb\xc3\xa4r\r\n")));
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

/* ---- large mail ---------------------------------------------------------------- */

/* Lines of numbers, so that a lost or doubled piece shows. */
static void large_content(struct bytes *out, size_t size, const char *line_end)
{
	bytes_append_text(out, "Received: by x\r\nSubject: large\r\n\r\n");
	for (unsigned n = 0; out->length < size; n++)
		bytes_printf(out, "line %u of many, none like the other%s", n, line_end);
}

static void large_mail_goes_ahead_in_chunks(void **state)
{
	static const size_t sizes[] = { 65000, 65500, 70000, 200000, 1000000 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct bytes content = { 0 };
		struct server v;

		server_init(&v);
		large_content(&content, sizes[i], "\r\n");
		open_data(&v);
		server_say_pieces(&v, bytes_span(&content), 30011);
		assert_string_equal(bytes_text(&v.heard), "");
		assert_true(starts(server_say(&v, ".\r\n"), "250 2.0.0 "));
		assert_true(content_is(&v.stored[0], bytes_span(&content)));
		assert_int_equal(v.chunk_count > 0, sizes[i] > SPOOL_CHUNK_MAX);
		if (v.chunk_count > 0)
			assert_string_equal(bytes_text(&v.stored[0].header),
			                    "Received: by x\r\nSubject: large\r\n\r\n");
		assert_int_equal(v.dropped, 0);
		bytes_release(&content);
		server_release(&v);
	}
}

static void mended_content_may_grow(void **state)
{
	struct bytes content = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	bytes_append_text(&content, "\r\n");
	while (content.length < 300000)
		bytes_append_text(&content, "\n");
	open_data(&v);
	server_say_span(&v, bytes_span(&content));
	assert_true(starts(server_say(&v, "\r\n.\r\n"), "250 2.0.0 "));
	assert_int_equal(v.stored[0].content.length, 4 + 2 * 299998);
	bytes_release(&content);
	server_release(&v);
}

static void one_chunk_is_out_at_a_time(void **state)
{
	struct bytes content = { 0 };
	struct server v;
	size_t chunks = 0;

	(void)state;
	server_init(&v);
	v.automatic = false;
	large_content(&content, 500000, "\r\n");
	bytes_append_text(&content, ".\r\n");
	open_data(&v);
	server_say_span(&v, bytes_span(&content));
	while (v.chunk != NULL) {
		server_pass(&v, CLOCK_MIN);
		assert_string_equal(server_complete(&v, 0), "");
		chunks++;
	}
	assert_int_equal(chunks, 500000 / SPOOL_CHUNK_MAX);
	assert_non_null(v.put);
	assert_true(starts(server_complete(&v, 0), "250 2.0.0 "));
	bytes_release(&content);
	server_release(&v);
}

static void a_header_may_be_longer_than_a_chunk(void **state)
{
	struct bytes content = { 0 };
	struct server v;
	size_t length;

	(void)state;
	server_init(&v);
	for (unsigned n = 0; content.length < 90000; n++)
		bytes_printf(&content, "X-Field-%u: some value\r\n", n);
	bytes_append_text(&content, "\r\n");
	length = content.length;
	for (unsigned n = 0; content.length < 200000; n++)
		bytes_printf(&content, "body %u\r\n", n);
	open_data(&v);
	server_say_span(&v, bytes_span(&content));
	assert_true(starts(server_say(&v, ".\r\n"), "250 2.0.0 "));
	assert_true(span_equal(bytes_span(&v.stored[0].header), span_of(content.data, length)));
	bytes_release(&content);
	server_release(&v);
}

/* ---- what is refused --------------------------------------------------------------- */

static void set_no_room(struct server *v)
{
	v->room = 100000;
}

static void set_limit(struct server *v)
{
	v->listener.max_message_size = 100000;
}

static void set_failing(struct server *v)
{
	v->result = -1;
}

static void set_strict(struct server *v)
{
	v->listener.reject_bare_newline = true;
}

static void make_large(struct bytes *out)
{
	large_content(out, 300000, "\r\n");
}

static void make_small(struct bytes *out)
{
	bytes_append_text(out, "Subject: x\r\n\r\nx\r\n");
}

static void make_nul(struct bytes *out)
{
	large_content(out, 150000, "\r\n");
	bytes_append(out, "a\0b\r\n", 5);
}

static void make_bare(struct bytes *out)
{
	large_content(out, 150000, "\r\n");
	bytes_append_text(out, "a\nb\r\n");
}

static void make_loop(struct bytes *out)
{
	for (int i = 0; i <= TRACE_HOPS_MAX; i++)
		bytes_append_text(out, "Received: by x;\r\n\tSat, 21 Nov 2026 21:42:22 +0000\r\n");
	bytes_append_text(out, "\r\nx\r\n");
}

static void make_large_loop(struct bytes *out)
{
	make_loop(out);
	for (int i = 0; out->length < 200000; i++)
		bytes_printf(out, "line %d\r\n", i);
}

static void make_almost_loop(struct bytes *out)
{
	for (int i = 0; i < TRACE_HOPS_MAX; i++)
		bytes_append_text(out, "Received: by x\r\n");
	bytes_append_text(out, "\r\nReceived: by x\r\n");
}

static const struct {
	void (*set_up)(struct server *v);
	void (*make)(struct bytes *out);
	const char *hear;
	bool drops;
} refused[] = {
	{ set_limit, make_large, "552 5.3.4 ", true },
	{ set_no_room, make_large, "452 4.3.1 ", true },
	{ set_failing, make_large, "452 4.3.1 ", true },
	{ set_failing, make_small, "452 4.3.1 ", false },
	{ set_strict, make_bare, "554 5.6.0 ", true },
	{ NULL, make_nul, "554 5.6.0 ", true },
	{ NULL, make_loop, "554 5.4.6 Routing loop", false },
	{ NULL, make_large_loop, "554 5.4.6 Routing loop", true },
	{ NULL, make_almost_loop, "250 2.0.0 ", false },
	{ NULL, make_bare, "250 2.0.0 ", false },
};

/* Refused content is swallowed to its end, answered once, and nothing of it is left. */
static void refusals_come_after_the_dot(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct bytes content = { 0 };
		struct server v;

		server_init(&v);
		if (refused[i].set_up != NULL)
			refused[i].set_up(&v);
		refused[i].make(&content);
		open_data(&v);
		server_say_span(&v, bytes_span(&content));
		assert_string_equal(bytes_text(&v.heard), "");
		if (refused[i].drops)
			assert_int_equal(v.stored_count, 0);
		if (!starts(server_say(&v, ".\r\n"), refused[i].hear))
			fail_msg("%zu: %s", i, bytes_text(&v.heard));
		assert_int_equal(v.dropped, refused[i].drops);
		assert_int_equal(v.reserved, 0);
		assert_true(starts(server_say(&v, "DATA\r\n"), "503 "));
		v.result = 0;
		v.room = UINT64_C(1) << 40;
		server_say(&v, AGAIN);
		assert_true(starts(server_say(&v, "x\r\n.\r\n"), "250 "));
		bytes_release(&content);
		server_release(&v);
	}
}

static void endless_content_is_cut_off(void **state)
{
	struct bytes content = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	v.listener.max_message_size = 1000;
	large_content(&content, 100000, "\r\n");
	open_data(&v);
	for (int i = 0; i < 100 && !v.closed; i++)
		server_say_span(&v, bytes_span(&content));
	assert_true(v.closed);
	assert_true(starts(bytes_text(&v.heard), "552 5.3.4 "));
	assert_non_null(strstr(bytes_text(&v.heard), "\r\n421 4.7.0 "));
	bytes_release(&content);
	server_release(&v);
}

static void a_dripping_client_is_cut_off(void **state)
{
	struct server v;
	int64_t seconds = 0;

	(void)state;
	server_init(&v);
	open_data(&v);
	while (!v.closed && seconds < 100000) { /* 50 octets a second: never silent, never done */
		server_say(&v, "0123456789012345678901234567890123456789\r\n12345678");
		server_pass(&v, CLOCK_SEC);
		seconds++;
	}
	/* idle-timeout and the time that what came would have taken at 500 octets a second */
	assert_in_range(seconds, 5 * 60, 5 * 60 + 60);
	assert_true(starts(bytes_text(&v.heard), "421 4.4.2 "));
	server_release(&v);
}

static void a_slow_but_honest_client_is_heard_out(void **state)
{
	struct bytes second = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	while (second.length < DATA_RATE_MIN)
		bytes_append_text(&second, "0123456789\r\n");
	open_data(&v);
	for (int i = 0; i < 1500; i++) {
		server_say_span(&v, bytes_span(&second));
		server_pass(&v, CLOCK_SEC);
		assert_false(v.closed);
	}
	assert_true(starts(server_say(&v, ".\r\n"), "250 "));
	bytes_release(&second);
	server_release(&v);
}

/* ---- facts -------------------------------------------------------------------- */

static void facts_are_kept_with_the_message(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	v.listener.auth = AUTH_ANY;
	server_connect(&v);
	server_say(&v, "HELO old.example\r\n" AGAIN);
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
	server_say(&v, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n" AGAIN);
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
	bytes_append_text(&text, OPENING);
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
	open_data(&v);
	server_say(&v, "x\r\n.\r\n");
	receive_end(&v.receive);
	assert_false(receive_idle(&v.receive));
	receive_end(&v.receive);
	server_complete(&v, 0);
	assert_true(receive_idle(&v.receive));
	assert_int_equal(v.stored_count, 1);
	server_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_is_said_when_it_is_durable),
		cmocka_unit_test(what_is_not_durable_is_not_accepted),
		cmocka_unit_test(nothing_is_smuggled),
		cmocka_unit_test(every_split_is_the_same),
		cmocka_unit_test(large_mail_goes_ahead_in_chunks),
		cmocka_unit_test(mended_content_may_grow),
		cmocka_unit_test(one_chunk_is_out_at_a_time),
		cmocka_unit_test(a_header_may_be_longer_than_a_chunk),
		cmocka_unit_test(refusals_come_after_the_dot),
		cmocka_unit_test(endless_content_is_cut_off),
		cmocka_unit_test(a_dripping_client_is_cut_off),
		cmocka_unit_test(a_slow_but_honest_client_is_heard_out),
		cmocka_unit_test(facts_are_kept_with_the_message),
		cmocka_unit_test(clients_may_vanish_at_any_point),
		cmocka_unit_test(the_end_waits_for_the_writer),
	};

	/* What is logged of thousands of sessions is nobody's reading. */
	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
