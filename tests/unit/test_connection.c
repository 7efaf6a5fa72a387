/* SPDX-License-Identifier: ISC */
/* The life of a connection: idle, age, limits, being freed inside callbacks, and a peer that closes
 * after every octet of a dialogue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport_stage.h"

#define MAIL    "MAIL FROM:<a@example.org>\r\n"
#define RCPT0   "RCPT TO:<r0@example.net>\r\n"
#define ONE     MAIL RCPT0 "DATA\r\n"
#define CONTENT SMALL_BODY ".\r\n"
#define OK      "250 2.0.0 ok\r\n"
#define GO      "354 go\r\n"
#define FLIGHT  OK OK GO

static void test_idle(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "");
	pass(&s, 60 * CLOCK_SEC - 1);
	hears(&s, "");
	pass(&s, 1);
	hears(&s, "QUIT\r\n");
	assert_false(s.closed);
	says(&s, "221 bye\r\n");
	ended_at(&s, STAGE_READY, 0, true);
	assert_true(s.peer_closed);
	stage_close(&s);
}

/* QUIT is answered by nothing, by rubbish, by 421, by closing: all ordinary. */
static void test_ends_of_quit(void **state)
{
	static const char *const answers[] = {
		NULL, "", "rubbish\r\n", "421 bye\r\n", "500 what?\r\n", "221 bye\r\n221 again\r\n"
	};

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		struct stage s;

		stage_open(&s);
		stage_ready(&s, "");
		connection_finish(s.connection);
		assert_false(s.closed);
		hears(&s, "QUIT\r\n");
		if (answers[i] == NULL)
			leaves(&s);
		else
			says(&s, answers[i]);
		pass(&s, PATIENCE_QUIT);
		assert_true(s.closed);
		assert_true(s.at == STAGE_READY);
		stage_close(&s);
	}
}

static void test_idle_begins_after_the_last_reply(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	pass(&s, 50 * CLOCK_SEC);
	submit(&s, 1);
	says(&s, FLIGHT);
	pass(&s, 300 * CLOCK_SEC);
	says(&s, OK);
	bytes_clear(&s.heard);
	pass(&s, 60 * CLOCK_SEC - 1);
	hears(&s, "");
	pass(&s, 1);
	hears(&s, "QUIT\r\n");
	stage_close(&s);
}

static void test_age(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	s.provider.connection_age_us = 300 * CLOCK_SEC;
	stage_ready(&s, "PIPELINING");
	pass(&s, 30 * CLOCK_SEC);
	submit(&s, 1);
	says(&s, FLIGHT);
	bytes_clear(&s.heard);
	pass(&s, 300 * CLOCK_SEC);
	hears(&s, ""); /* what is in flight is waited for */
	submit(&s, 1); /* what comes now goes back */
	pass(&s, 0);
	came_back(&s, 0, TRANSACTION_UNSENT, 451);
	says(&s, OK);
	came_back(&s, 1, TRANSACTION_REPLIED, 250);
	hears(&s, "QUIT\r\n");
	says(&s, "221 bye\r\n");
	ended_at(&s, STAGE_READY, 0, true);
	stage_close(&s);
}

static void test_messages_per_connection(void **state)
{
	static const struct {
		size_t ours;
		const char *theirs;
		unsigned carried;
	} rows[] = {
		{ 2, "PIPELINING", 2 },
		{ 0, "PIPELINING\nLIMITS MAILMAX=2", 2 },
		{ 3, "PIPELINING\nLIMITS MAILMAX=1", 1 },
		{ 1, "PIPELINING\nLIMITS MAILMAX=5", 1 },
		{ 0, "PIPELINING\nLIMITS MAILMAX=", 3 },
		{ 1, "", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;
		unsigned mails = 0, replied = 0;

		stage_open(&s);
		s.provider.messages_per_connection = rows[i].ours;
		stage_ready(&s, rows[i].theirs);
		for (int n = 0; n < 3; n++)
			submit(&s, 1);
		for (int n = 0; n < 40; n++) {
			const char *heard = (pass(&s, 0), bytes_text(&s.heard));
			bool content = strstr(heard, "\r\n.\r\n") != NULL;
			bool data = strstr(heard, "DATA\r\n") != NULL;
			bool mail = strstr(heard, "MAIL") != NULL;
			bool rcpt = strstr(heard, "RCPT") != NULL;

			mails += mail ? 1 : 0;
			bytes_clear(&s.heard);
			if (content)
				says(&s, OK);
			if (mail)
				says(&s, OK);
			if (rcpt)
				says(&s, OK);
			if (data)
				says(&s, GO);
		}
		assert_int_equal(mails, rows[i].carried);
		assert_int_equal(s.done_count, 3);
		for (size_t n = 0; n < 3; n++)
			replied += s.done[n].end == TRANSACTION_REPLIED ? 1 : 0;
		assert_int_equal(replied, rows[i].carried);
		assert_int_equal(s.connection->state == STATE_QUIT, rows[i].carried < 3);
		stage_close(&s);
	}
}

static void test_finish_waits_for_what_is_in_flight(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "");
	submit(&s, 1);
	submit(&s, 1);
	hears(&s, MAIL);
	connection_finish(s.connection);
	assert_int_equal(s.done_count, 0);
	pass(&s, 0);
	came_back(&s, 0, TRANSACTION_UNSENT, 451);
	assert_int_equal(s.done[0].slot, 1);
	says(&s, OK);
	says(&s, OK);
	says(&s, GO);
	says(&s, OK);
	came_back(&s, 1, TRANSACTION_REPLIED, 250);
	hears(&s, RCPT0 "DATA\r\n" CONTENT "QUIT\r\n");
	stage_close(&s);
}

/* A peer that closes between messages is an ordinary end, also when a new MAIL crossed it. */
static void test_peer_closes_while_idle(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "");
	leaves(&s);
	ended_at(&s, STAGE_READY, 0, true);
	stage_close(&s);

	for (int completed = 0; completed <= 1; completed++) {
		stage_open(&s);
		stage_ready(&s, "PIPELINING");
		for (int i = 0; i < completed; i++) {
			submit(&s, 1);
			says(&s, FLIGHT);
			says(&s, OK);
		}
		submit(&s, 1);
		leaves(&s);
		came_back(&s, (size_t)completed, TRANSACTION_UNSENT, 451);
		ended_at(&s, STAGE_READY, completed > 0 ? 0 : 451, true);
		stage_close(&s);
	}
}

/* How long each reply is waited for: not a moment longer, whatever trickles in. */
static void test_patience(void **state)
{
	static const struct {
		const char *extensions;
		const char *replies[6];
		int64_t patience;
		enum transaction_end end;
	} rows[] = {
		{ "", { NULL }, PATIENCE_MAIL, TRANSACTION_UNSENT },
		{ "", { OK }, PATIENCE_RCPT, TRANSACTION_UNSENT },
		{ "", { OK, OK }, PATIENCE_DATA, TRANSACTION_UNSENT },
		{ "", { OK, OK, GO }, PATIENCE_DOT, TRANSACTION_INDETERMINATE },
		{ "PIPELINING", { OK OK }, PATIENCE_DATA, TRANSACTION_UNSENT },
		{ "PIPELINING", { FLIGHT }, PATIENCE_DOT, TRANSACTION_INDETERMINATE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;

		stage_open(&s);
		stage_ready(&s, rows[i].extensions);
		submit(&s, 1);
		for (size_t n = 0; rows[i].replies[n] != NULL; n++)
			says(&s, rows[i].replies[n]);
		pass(&s, rows[i].patience / 2);
		says(&s, "2");
		pass(&s, rows[i].patience / 4);
		says(&s, "5");
		pass(&s, rows[i].patience / 4 - 1);
		assert_false(s.closed);
		pass(&s, 1);
		ended_at(&s, STAGE_READY, 451, true);
		came_back(&s, 0, rows[i].end, 451);
		stage_close(&s);
	}
}

/* New work does not lengthen the wait for a reply that is due. */
static void test_patience_while_more_is_submitted(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	submit(&s, 1);
	says(&s, FLIGHT);
	for (int i = 0; i < 9; i++) {
		pass(&s, CLOCK_MIN);
		submit(&s, 1);
	}
	assert_false(s.closed);
	pass(&s, CLOCK_MIN);
	came_back(&s, 0, TRANSACTION_INDETERMINATE, 451);
	assert_int_equal(s.done_count, 10);
	stage_close(&s);
}

static void test_patience_with_a_block(void **state)
{
	struct stage s;
	struct transaction *t;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	t = stage_transaction(&s, 1, NULL);
	t->source = long_source(5000000, 0);
	connection_submit(s.connection, t);
	pass(&s, 0);
	stream_pause(s.peer);
	says(&s, FLIGHT);
	pass(&s, PATIENCE_BLOCK - 1);
	assert_false(s.closed);
	pass(&s, 1);
	came_back(&s, 0, TRANSACTION_UNSENT, 451);
	stage_close(&s);
}

/* The owner frees the connection inside each callback. */
static void test_freed_in_callbacks(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	s.free_on_ready = true;
	stage_ready(&s, "PIPELINING");
	assert_null(s.connection);
	stage_close(&s);

	stage_open(&s);
	s.free_on_done = true;
	stage_ready(&s, "PIPELINING");
	submit(&s, 1);
	submit(&s, 1);
	says(&s, FLIGHT);
	says(&s, FLIGHT FLIGHT);
	assert_null(s.connection);
	assert_int_equal(s.done_count, 2);
	assert_false(s.closed);
	stage_close(&s);

	/* while the end gives everything back */
	stage_open(&s);
	s.free_on_done = true;
	stage_ready(&s, "PIPELINING");
	submit(&s, 1);
	submit(&s, 1);
	submit(&s, 1);
	says(&s, FLIGHT);
	leaves(&s);
	assert_null(s.connection);
	assert_int_equal(s.done_count, 3);
	came_back(&s, 0, TRANSACTION_INDETERMINATE, 451);
	came_back(&s, 1, TRANSACTION_UNSENT, 451);
	came_back(&s, 2, TRANSACTION_UNSENT, 451);
	stage_close(&s);

	stage_open(&s);
	s.free_on_closed = true;
	stage_ready(&s, "PIPELINING");
	submit(&s, 1);
	says(&s, "421 no\r\n" FLIGHT);
	assert_true(s.closed);
	assert_null(s.connection);
	stage_close(&s);
}

static void test_done_submits_and_finishes(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	s.submit_on_done = s.finish_on_done = true;
	stage_ready(&s, "PIPELINING");
	submit(&s, 1);
	says(&s, FLIGHT);
	says(&s, OK);
	assert_int_equal(s.done_count, 1);
	hears(&s, ONE CONTENT ONE); /* written before the order to finish */
	says(&s, FLIGHT);
	says(&s, OK);
	came_back(&s, 1, TRANSACTION_REPLIED, 250);
	hears(&s, CONTENT "QUIT\r\n");
	stage_close(&s);
}

static void test_cut_gives_back(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	submit(&s, 1);
	submit(&s, 1);
	says(&s, FLIGHT);
	connection_free(&s.connection);
	came_back(&s, 0, TRANSACTION_INDETERMINATE, 451);
	came_back(&s, 1, TRANSACTION_UNSENT, 451);
	assert_false(s.closed);
	stage_close(&s);
}

/* A hostile peer's reply, copied for each of many recipients, stays small. */
static void test_long_replies_are_cut(void **state)
{
	struct stage s;
	struct bytes reply = { 0 };

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	submit(&s, 3);
	says(&s, OK OK OK OK GO);
	for (int i = 0; i < 15; i++)
		bytes_printf(&reply, "250-%03900d\r\n", i);
	bytes_append_text(&reply, "250 end\r\n");
	says(&s, bytes_text(&reply));
	bytes_release(&reply);
	came_back(&s, 0, TRANSACTION_REPLIED, 250);
	for (size_t i = 0; i < 3; i++)
		assert_true(strlen(s.done[0].t->results[i].reply.text) <= REPLY_TEXT_MAX);
	stage_close(&s);
}

static void test_endless_lines(void **state)
{
	(void)state;
	for (int lines = 0; lines <= 1; lines++) {
		struct stage s;

		stage_open(&s);
		stage_ready(&s, "PIPELINING");
		submit(&s, 1);
		for (int i = 0; i < 5000 && !s.closed; i++)
			says(&s, lines ? "250-more\r\n" : "250 endless ");
		ended_at(&s, STAGE_READY, 451, true);
		came_back(&s, 0, TRANSACTION_UNSENT, 451);
		stage_close(&s);
	}
}

/* A reference dialogue, cut. The peer says each line once it has heard what precedes it. */
struct line {
	const char *hears;
	const char *says;
};

static const struct line plain_dialogue[] = {
	{ "", "220 smarthost.test\r\n" },
	{ "EHLO client.test\r\n", "250-smarthost.test\r\n250 8BITMIME\r\n" },
	{ MAIL, OK },
	{ RCPT0, OK },
	{ "DATA\r\n", GO },
	{ CONTENT, "250 2.0.0 queued\r\n" },
	{ NULL, NULL },
};

static const struct line pipelined_dialogue[] = {
	{ "", "220 smarthost.test\r\n" },
	{ "EHLO client.test\r\n", "250-smarthost.test\r\n250 PIPELINING\r\n" },
	{ ONE, OK OK GO },
	{ CONTENT, "250 2.0.0 queued\r\n" },
	{ NULL, NULL },
};

static size_t octets_said(const struct line *dialogue, const char *until)
{
	size_t sum = 0;

	for (; dialogue->hears != NULL && strcmp(dialogue->hears, until) != 0; dialogue++)
		sum += strlen(dialogue->says);
	return sum;
}

/* Plays the dialogue; the peer closes after it said so many octets. */
static void play_until_said(struct stage *s, const struct line *dialogue, size_t octets)
{
	stage_begin(s);
	for (; dialogue->hears != NULL; dialogue++) {
		char part[128];
		size_t length = strlen(dialogue->says);

		hears(s, dialogue->hears);
		snprintf(part, sizeof part, "%.*s", (int)octets, dialogue->says);
		if (s->peer != NULL)
			stream_write_text(s->peer, part);
		if (octets <= length) {
			stream_close_after_output(&s->peer);
			pass(s, 0);
			return;
		}
		octets -= length;
		pass(s, 0);
		if (s->readies == 1 && s->next_slot == 0)
			submit(s, 1);
	}
}

static void cut_what_is_said(const struct line *dialogue)
{
	size_t greeted = octets_said(dialogue, dialogue[2].hears);
	size_t go = octets_said(dialogue, CONTENT), all = octets_said(dialogue, "none");

	for (size_t octets = 0; octets < all; octets++) {
		struct stage s;

		stage_open(&s);
		play_until_said(&s, dialogue, octets);
		assert_true(s.closed);
		if (octets < greeted) {
			assert_int_equal(s.done_count, 0);
			ended_at(&s, STAGE_GREETING, 451, true);
		} else if (octets == greeted) {
			ended_at(&s, STAGE_READY, 0, true); /* closed while idle */
		} else {
			came_back(&s, 0,
			          octets <= go ? TRANSACTION_UNSENT : TRANSACTION_INDETERMINATE,
			          451);
		}
		stage_close(&s);
	}
}

static void test_peer_closes_after_every_octet_it_says(void **state)
{
	(void)state;
	cut_what_is_said(plain_dialogue);
	cut_what_is_said(pipelined_dialogue);
}

/* The same octet by octet: no split of the replies changes anything. */
static void test_slow_octets(void **state)
{
	const struct line *const dialogues[] = { plain_dialogue, pipelined_dialogue };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct stage s;

		stage_open(&s);
		stage_begin(&s);
		for (const struct line *line = dialogues[i]; line->hears != NULL; line++) {
			hears(&s, line->hears);
			for (const char *p = line->says; *p != '\0'; p++) {
				char octet[2] = { *p, '\0' };

				says(&s, octet);
			}
			if (s.readies == 1 && s.next_slot == 0)
				submit(&s, 1);
		}
		came_back(&s, 0, TRANSACTION_REPLIED, 250);
		assert_false(s.closed);
		stage_close(&s);
	}
}

/* The peer takes so much of a long content and closes: only when its dot had left it may have been
 * sent. */
static void test_peer_closes_amid_content(void **state)
{
	static const size_t lengths[] = { 1000, 200000, 600000, 3000000 };

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct stage s;
		struct transaction *t;
		bool left;

		stage_open(&s);
		stage_ready(&s, "PIPELINING");
		t = stage_transaction(&s, 1, NULL);
		t->source = long_source(lengths[i], 0);
		connection_submit(s.connection, t);
		pass(&s, 0);
		stream_pause(s.peer);
		says(&s, FLIGHT);
		left = s.connection->flights->dot_at > 0 &&
		       stream_output_length(s.connection->stream) == 0;
		assert_int_equal(left, lengths[i] < 256 * 1024);
		leaves(&s);
		came_back(&s, 0, left ? TRANSACTION_INDETERMINATE : TRANSACTION_UNSENT, 451);
		stage_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_ends_of_quit),
		cmocka_unit_test(test_idle_begins_after_the_last_reply),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_messages_per_connection),
		cmocka_unit_test(test_finish_waits_for_what_is_in_flight),
		cmocka_unit_test(test_peer_closes_while_idle),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_patience_while_more_is_submitted),
		cmocka_unit_test(test_patience_with_a_block),
		cmocka_unit_test(test_freed_in_callbacks),
		cmocka_unit_test(test_done_submits_and_finishes),
		cmocka_unit_test(test_cut_gives_back),
		cmocka_unit_test(test_long_replies_are_cut),
		cmocka_unit_test(test_endless_lines),
		cmocka_unit_test(test_peer_closes_after_every_octet_it_says),
		cmocka_unit_test(test_slow_octets),
		cmocka_unit_test(test_peer_closes_amid_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
