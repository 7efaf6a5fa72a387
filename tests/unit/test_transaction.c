/* SPDX-License-Identifier: ISC */
/* MAIL, RCPT, DATA and the content: what every reply makes of a message. */
#include <stdio.h>
#include <string.h>

#include "transport_stage.h"

#define MAIL     "MAIL FROM:<a@example.org>\r\n"
#define RCPT0    "RCPT TO:<r0@example.net>\r\n"
#define RCPT1    "RCPT TO:<r1@example.net>\r\n"
#define DATA     "DATA\r\n"
#define CONTENT  SMALL_BODY ".\r\n"
#define ONE      MAIL RCPT0 DATA
#define TWO      MAIL RCPT0 RCPT1 DATA
#define OK       "250 2.0.0 ok\r\n"
#define GO       "354 go\r\n"
#define NO       "550 5.1.1 no\r\n"
#define LATER    "451 4.3.0 later\r\n"
#define SEQUENCE "503 5.5.1 sequence\r\n"

static void test_plain_one_by_one(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "");
	submit(&s, 2);
	hears(&s, MAIL);
	says(&s, OK);
	hears(&s, RCPT0);
	says(&s, OK);
	hears(&s, RCPT1);
	says(&s, NO);
	hears(&s, DATA);
	says(&s, GO);
	hears(&s, CONTENT);
	assert_int_equal(s.done_count, 0);
	says(&s, "250 2.6.0 queued as 1\r\n");
	came_back(&s, 0, TRANSACTION_REPLIED, 250);
	result_is(&s, 0, 0, 250, false);
	result_is(&s, 0, 1, 550, true);
	assert_string_equal(s.done[0].t->reply.text, "queued as 1");
	assert_int_equal(s.done[0].t->mail_written_us, s.clock.monotonic_us);
	assert_false(s.closed);
	stage_close(&s);
}

static void test_pipelined_in_one_write(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	assert_true(s.facts.pipelining);
	submit(&s, 2);
	hears(&s, TWO);
	says(&s, OK OK OK GO);
	hears(&s, CONTENT);
	says(&s, OK);
	came_back(&s, 0, TRANSACTION_REPLIED, 250);
	stage_close(&s);
}

static void test_next_follows_the_dot(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	submit(&s, 1);
	submit(&s, 1);
	submit(&s, 1);
	hears(&s, ONE);
	says(&s, OK OK GO);
	hears(&s, CONTENT ONE);
	says(&s, OK);
	came_back(&s, 0, TRANSACTION_REPLIED, 250);
	hears(&s, "");
	says(&s, OK OK GO);
	hears(&s, CONTENT ONE);
	says(&s, LATER OK OK GO);
	came_back(&s, 1, TRANSACTION_REPLIED, 451);
	hears(&s, CONTENT);
	says(&s, OK);
	came_back(&s, 2, TRANSACTION_REPLIED, 250);
	assert_int_equal(s.done_count, 3);
	stage_close(&s);
}

/* What the peer answers to MAIL, RCPT, RCPT, DATA and the dot, all in order. */
struct replies {
	const char *first;  /* to the flight */
	const char *heard;  /* what follows from us */
	const char *second; /* to that */
	int code, r0, r1;
	bool rcpt0, rcpt1;
	const char *before_next; /* RSET when the transaction was left open */
};

static const struct replies pipelined[] = {
	{ OK OK OK GO, CONTENT, OK, 250, 250, 250, false, false, "" },
	{ OK OK OK GO, CONTENT, NO, 550, 550, 550, false, false, "" },
	{ OK OK OK GO, CONTENT, LATER, 451, 451, 451, false, false, "" },
	{ OK OK OK GO, CONTENT, "252 hm\r\n", 252, 252, 252, false, false, "" },
	{ OK NO OK GO, CONTENT, OK, 250, 550, 250, true, false, "" },
	{ OK OK LATER GO, CONTENT, NO, 550, 550, 451, false, true, "" },
	{ OK OK "452 4.5.3 too many\r\n" GO, CONTENT, OK, 250, 250, 452, false, true, "" },
	/* nobody takes it: only the dot */
	{ OK NO LATER GO, ".\r\n", OK, 451, 550, 451, true, true, "" },
	{ OK NO NO GO, ".\r\n", NO, 550, 550, 550, true, true, "" },
	{ OK NO NO "554 5.5.1 no valid recipients\r\n", "", "", 550, 550, 550, true, true,
	  "RSET\r\n" },
	/* MAIL refused: what follows belongs to it */
	{ NO SEQUENCE SEQUENCE SEQUENCE, "", "", 550, 550, 550, false, false, "" },
	{ LATER SEQUENCE SEQUENCE SEQUENCE, "", "", 451, 451, 451, false, false, "" },
	{ NO SEQUENCE OK GO, ".\r\n", OK, 550, 550, 550, false, false, "" },
	/* DATA refused */
	{ OK OK OK NO, "", "", 550, 550, 550, false, false, "RSET\r\n" },
	{ OK OK NO LATER, "", "", 451, 451, 550, false, true, "RSET\r\n" },
};

static void test_pipelined_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof pipelined / sizeof *pipelined; i++) {
		const struct replies *r = &pipelined[i];
		struct stage s;
		char next[256];

		stage_open(&s);
		stage_ready(&s, "PIPELINING");
		submit(&s, 2);
		hears(&s, TWO);
		says(&s, r->first);
		hears(&s, r->heard);
		if (*r->second != '\0')
			assert_int_equal(s.done_count, 0);
		says(&s, r->second);
		came_back(&s, 0, TRANSACTION_REPLIED, r->code);
		result_is(&s, 0, 0, r->r0, r->rcpt0);
		result_is(&s, 0, 1, r->r1, r->rcpt1);
		assert_false(s.closed);
		submit(&s, 1);
		snprintf(next, sizeof next, "%s%s", r->before_next, ONE);
		hears(&s, next);
		stage_close(&s);
	}
}

/* Without PIPELINING; each row is a dialogue of (heard, said). */
struct exchange {
	const char *lines[16];
	int code;
	bool rset;
};

static const struct exchange exchanges[] = {
	{ { MAIL, NO }, 550, false },
	{ { MAIL, LATER }, 451, false },
	{ { MAIL, OK, RCPT0, NO }, 550, true },
	{ { MAIL, OK, RCPT0, LATER }, 451, true },
	{ { MAIL, OK, RCPT0, OK, DATA, NO }, 550, true },
	{ { MAIL, OK, RCPT0, OK, DATA, LATER }, 451, true },
	{ { MAIL, OK, RCPT0, OK, DATA, GO, CONTENT, NO }, 550, false },
	{ { MAIL, OK, RCPT0, "251 2.1.5 will forward\r\n", DATA, GO, CONTENT, OK }, 250, false },
	{ { MAIL, "250-more\r\n250-and more\r\n250 end\r\n", RCPT0, OK, DATA, "354\r\n", CONTENT,
	    "250\r\n" },
	  250,
	  false },
};

static void test_exchanges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
		struct stage s;

		stage_open(&s);
		stage_ready(&s, "");
		submit(&s, 1);
		for (size_t n = 0; exchanges[i].lines[n] != NULL; n += 2) {
			assert_int_equal(s.done_count, 0);
			hears(&s, exchanges[i].lines[n]);
			says(&s, exchanges[i].lines[n + 1]);
		}
		came_back(&s, 0, TRANSACTION_REPLIED, exchanges[i].code);
		hears(&s, "");
		submit(&s, 1);
		if (exchanges[i].rset) {
			hears(&s, "RSET\r\n");
			says(&s, OK);
		}
		hears(&s, MAIL);
		stage_close(&s);
	}
}

/* Replies that cannot be: the connection ends, and a message whose dot had not left is unsent. */
struct impossible {
	const char *replies[4]; /* to the flight, then to the content */
	enum transaction_end end;
	bool content; /* was heard */
	int code;     /* of the connection's end */
};

static const struct impossible impossibles[] = {
	{ { "354 early\r\n" }, TRANSACTION_UNSENT, false, 451 },
	{ { "221 bye\r\n" }, TRANSACTION_UNSENT, false, 451 },
	{ { OK "354 early\r\n" }, TRANSACTION_UNSENT, false, 451 },
	{ { OK OK OK }, TRANSACTION_UNSENT, false, 451 },
	{ { OK OK "221 bye\r\n" }, TRANSACTION_UNSENT, false, 451 },
	{ { OK OK GO OK }, TRANSACTION_UNSENT, false, 451 },
	{ { OK OK GO NO }, TRANSACTION_UNSENT, false, 451 },
	{ { OK OK GO GO }, TRANSACTION_UNSENT, false, 451 },
	{ { OK OK GO, GO }, TRANSACTION_INDETERMINATE, true, 451 },
	{ { OK OK GO, "221 bye\r\n" }, TRANSACTION_INDETERMINATE, true, 451 },
	{ { OK OK GO, "250-a\r\n251 b\r\n" }, TRANSACTION_INDETERMINATE, true, 451 },
	{ { OK OK GO, "hello\r\n" }, TRANSACTION_INDETERMINATE, true, 451 },
	{ { OK OK GO, "150 ok\r\n" }, TRANSACTION_INDETERMINATE, true, 451 },
	{ { OK OK GO, "650 ok\r\n" }, TRANSACTION_INDETERMINATE, true, 451 },
	{ { OK OK GO, "\r\n" }, TRANSACTION_INDETERMINATE, true, 451 },
	{ { OK "250-\r\n251 x\r\n" }, TRANSACTION_UNSENT, false, 451 },
	{ { "HTTP/1.1 400 Bad Request\r\n" }, TRANSACTION_UNSENT, false, 451 },
	/* 421 is no error, and costs the message nothing */
	{ { "421 4.3.2 closing\r\n" }, TRANSACTION_UNSENT, false, 421 },
	{ { OK "421 4.3.2 closing\r\n" }, TRANSACTION_UNSENT, false, 421 },
	{ { OK OK "421 4.3.2 closing\r\n" }, TRANSACTION_UNSENT, false, 421 },
	{ { OK OK GO "421 4.3.2 closing\r\n" }, TRANSACTION_UNSENT, false, 421 },
	{ { OK OK GO, "421 4.3.2 closing\r\n" }, TRANSACTION_REPLIED, true, 421 },
};

static void test_impossible_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof impossibles / sizeof *impossibles; i++) {
		const struct impossible *r = &impossibles[i];
		struct stage s;

		stage_open(&s);
		stage_ready(&s, "PIPELINING");
		submit(&s, 1);
		hears(&s, ONE);
		says(&s, r->replies[0]);
		hears(&s, r->content ? CONTENT : "");
		if (r->replies[1] != NULL)
			says(&s, r->replies[1]);
		came_back(&s, 0, r->end, r->code);
		ended_at(&s, STAGE_READY, r->code, r->code != 421);
		hears(&s, "");
		assert_true(s.peer_closed);
		stage_close(&s);
	}
}

/* The second of two is never given what the first one's peer said too much. */
static void test_surplus_reply(void **state)
{
	static const char *const surplus[] = { OK OK, OK NO, NO OK, LATER LATER, OK OK OK GO };
	struct stage s;

	(void)state;
	for (size_t i = 0; i < sizeof surplus / sizeof *surplus; i++) {
		stage_open(&s);
		stage_ready(&s, "");
		submit(&s, 1);
		says(&s, OK);
		says(&s, OK);
		says(&s, GO);
		s.submit_on_done = true;
		bytes_clear(&s.heard);
		says(&s, surplus[i]);
		assert_int_equal(s.done_count, 2);
		assert_int_equal(s.done[0].end, TRANSACTION_REPLIED);
		came_back(&s, 1, TRANSACTION_UNSENT, 451);
		ended_at(&s, STAGE_READY, 451, true);
		hears(&s, "");
		stage_close(&s);
	}
}

static void test_unsolicited_when_idle(void **state)
{
	static const struct {
		const char *reply;
		int code;
	} rows[] = { { OK, 451 }, { NO, 451 }, { "220 again\r\n", 451 }, { "421 idle\r\n", 421 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;

		stage_open(&s);
		stage_ready(&s, "");
		says(&s, rows[i].reply);
		ended_at(&s, STAGE_READY, rows[i].code, rows[i].code != 421);
		stage_close(&s);
	}
}

static void test_second_in_flight_when_the_first_is_lost(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	submit(&s, 1);
	submit(&s, 1);
	submit(&s, 1);
	says(&s, OK OK GO);
	hears(&s, ONE CONTENT ONE);
	leaves(&s);
	came_back(&s, 0, TRANSACTION_INDETERMINATE, 451);
	came_back(&s, 1, TRANSACTION_UNSENT, 451);
	came_back(&s, 2, TRANSACTION_UNSENT, 451);
	assert_true(s.done[1].t->mail_written_us > 0);
	assert_true(s.done[2].t->mail_written_us == 0);
	ended_at(&s, STAGE_READY, 451, true);
	stage_close(&s);
}

/* Refusals that were heard stay, whatever happens afterwards. */
static void test_lost_after_refusals(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	submit(&s, 2);
	says(&s, OK NO NO);
	leaves(&s);
	came_back(&s, 0, TRANSACTION_REPLIED, 550);
	stage_close(&s);

	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	submit(&s, 2);
	says(&s, OK NO OK GO);
	leaves(&s);
	came_back(&s, 0, TRANSACTION_INDETERMINATE, 451);
	result_is(&s, 0, 0, 550, true);
	result_is(&s, 0, 1, 451, false);
	stage_close(&s);
}

static void test_departure(void **state)
{
	struct stage s;
	struct transaction *t;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	t = stage_transaction(&s, 1, SMALL_BODY);
	t->depart_us = s.clock.monotonic_us + 90 * CLOCK_SEC;
	connection_submit(s.connection, t);
	pass(&s, 90 * CLOCK_SEC - 1); /* longer than idle-timeout: it is not idle */
	hears(&s, "");
	assert_false(s.closed);
	pass(&s, 1);
	hears(&s, ONE);
	assert_int_equal(t->mail_written_us, t->depart_us);
	stage_close(&s);
}

static void test_local_refusals(void **state)
{
	static const struct {
		const char *extensions;
		enum envelope_body body;
		bool smtputf8;
		uint64_t size;
		int code;
		unsigned subject, detail;
	} rows[] = {
		{ "SIZE 1000", BODY_7BIT, false, 1001, 552, 3, 4 },
		{ "SIZE 1000", BODY_7BIT, false, 1000, 0, 0, 0 },
		{ "SIZE", BODY_7BIT, false, 5000, 0, 0, 0 },
		{ "SIZE 0", BODY_7BIT, false, 5000, 0, 0, 0 },
		{ "", BODY_8BITMIME, false, 10, 554, 6, 3 },
		{ "8BITMIME", BODY_8BITMIME, false, 10, 0, 0, 0 },
		{ "8BITMIME", BODY_BINARYMIME, false, 10, 554, 6, 3 },
		{ "8BITMIME", BODY_7BIT, true, 10, 554, 6, 7 },
		{ "8BITMIME\nSMTPUTF8", BODY_8BITMIME, true, 10, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;
		struct transaction *t;

		stage_open(&s);
		stage_ready(&s, rows[i].extensions);
		t = stage_transaction(&s, 1, SMALL_BODY);
		t->body = rows[i].body;
		t->smtputf8 = rows[i].smtputf8;
		t->size = rows[i].size;
		connection_submit(s.connection, t);
		assert_int_equal(s.done_count, 0); /* not from inside submit */
		pass(&s, 0);
		assert_int_equal(s.heard.length == 0, rows[i].code != 0);
		if (rows[i].code != 0) {
			came_back(&s, 0, TRANSACTION_REPLIED, rows[i].code);
			assert_true(t->reply.local);
			assert_int_equal(t->reply.enhanced.subject, rows[i].subject);
			assert_int_equal(t->reply.enhanced.detail, rows[i].detail);
			assert_int_equal(t->mail_written_us, 0);
		}
		assert_false(s.closed);
		stage_close(&s);
	}
}

/* What the peer hears of a long content must be all of it, dot and end, and only then. */
static void test_long_content_flows(void **state)
{
	size_t length = 3 * 1024 * 1024;
	struct stage s;
	struct transaction *t;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	t = stage_transaction(&s, 1, NULL);
	t->source = long_source(length, 0);
	connection_submit(s.connection, t);
	hears(&s, ONE);
	stream_pause(s.peer);
	says(&s, OK OK GO);
	assert_true(stream_output_length(s.connection->stream) <=
	            STREAM_OUTPUT_HIGH + 2 * BODY_PIECE);
	assert_int_equal(s.connection->expects.count, 0);
	stream_resume(s.peer);
	pass(&s, 0);
	assert_int_equal(s.heard.length, length + 3);
	assert_memory_equal(s.heard.data + length - 2, "\r\n.\r\n", 5);
	says(&s, OK);
	came_back(&s, 0, TRANSACTION_REPLIED, 250);
	stage_close(&s);
}

static void test_dots_are_stuffed(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	connection_submit(s.connection, stage_transaction(&s, 1, ".a\r\n.\r\n..b\r\nno end"));
	says(&s, OK OK GO);
	hears(&s, ONE "..a\r\n..\r\n...b\r\nno end\r\n.\r\n");
	stage_close(&s);
}

static void test_source_fails(void **state)
{
	static const size_t fail_at[] = { 1, 70000, 1000000, 2999999 };

	(void)state;
	for (size_t i = 0; i < sizeof fail_at / sizeof *fail_at; i++) {
		struct stage s;
		struct transaction *t;

		stage_open(&s);
		stage_ready(&s, "PIPELINING");
		t = stage_transaction(&s, 1, NULL);
		t->source = long_source(3000000, fail_at[i]);
		connection_submit(s.connection, t);
		submit(&s, 1);
		hears(&s, ONE);
		says(&s, OK OK GO);
		came_back(&s, 0, TRANSACTION_UNSENT, 451);
		came_back(&s, 1, TRANSACTION_UNSENT, 451);
		ended_at(&s, STAGE_READY, 0, true);
		assert_true(s.peer_closed);
		assert_null(strstr(bytes_text(&s.heard), "\r\n.\r\n"));
		stage_close(&s);
	}
}

/* A peer that cannot wait for the end of the content. */
static void test_refused_amid_content(void **state)
{
	static const struct {
		const char *reply;
		enum transaction_end end;
		int code, why;
	} rows[] = {
		{ "552 5.3.4 too big\r\n", TRANSACTION_REPLIED, 552, 0 },
		{ LATER, TRANSACTION_REPLIED, 451, 0 },
		{ OK, TRANSACTION_UNSENT, 451, 451 },
		{ GO, TRANSACTION_UNSENT, 451, 451 },
		{ "421 4.4.2 too slow\r\n", TRANSACTION_UNSENT, 421, 421 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;
		struct transaction *t;

		stage_open(&s);
		stage_ready(&s, "PIPELINING");
		t = stage_transaction(&s, 2, NULL);
		t->source = long_source(3000000, 0);
		connection_submit(s.connection, t);
		hears(&s, TWO);
		stream_pause(s.peer);
		says(&s, OK NO OK GO);
		says(&s, rows[i].reply);
		came_back(&s, 0, rows[i].end, rows[i].code);
		result_is(&s, 0, 0, 550, true);
		result_is(&s, 0, 1, rows[i].code, false);
		ended_at(&s, STAGE_READY, rows[i].why, rows[i].why != 421);
		stage_close(&s);
	}
}

static void test_many_recipients(void **state)
{
	struct stage s;
	struct bytes replies = { 0 };

	(void)state;
	stage_open(&s);
	stage_ready(&s, "PIPELINING");
	connection_submit(s.connection, stage_transaction(&s, 1000, SMALL_BODY));
	pass(&s, 0);
	bytes_append_text(&replies, OK);
	for (size_t i = 0; i < 1000; i++)
		bytes_append_text(&replies, i % 3 == 0 ? NO : OK);
	bytes_append_text(&replies, GO);
	says(&s, bytes_text(&replies));
	says(&s, OK);
	came_back(&s, 0, TRANSACTION_REPLIED, 250);
	for (size_t i = 0; i < 1000; i++)
		result_is(&s, 0, i, i % 3 == 0 ? 550 : 250, i % 3 == 0);
	bytes_release(&replies);
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_one_by_one),
		cmocka_unit_test(test_pipelined_in_one_write),
		cmocka_unit_test(test_next_follows_the_dot),
		cmocka_unit_test(test_pipelined_replies),
		cmocka_unit_test(test_exchanges),
		cmocka_unit_test(test_impossible_replies),
		cmocka_unit_test(test_surplus_reply),
		cmocka_unit_test(test_unsolicited_when_idle),
		cmocka_unit_test(test_second_in_flight_when_the_first_is_lost),
		cmocka_unit_test(test_lost_after_refusals),
		cmocka_unit_test(test_departure),
		cmocka_unit_test(test_local_refusals),
		cmocka_unit_test(test_long_content_flows),
		cmocka_unit_test(test_dots_are_stuffed),
		cmocka_unit_test(test_source_fails),
		cmocka_unit_test(test_refused_amid_content),
		cmocka_unit_test(test_many_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
