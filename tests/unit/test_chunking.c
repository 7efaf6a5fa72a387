/* SPDX-License-Identifier: ISC */
/* BDAT: whole messages in flight, one behind the other, and what every reply makes of each. */
#include <string.h>

#include "transport_stage.h"

#define MAIL     "MAIL FROM:<a@example.org>\r\n"
#define RCPT0    "RCPT TO:<r0@example.net>\r\n"
#define RCPT1    "RCPT TO:<r1@example.net>\r\n"
#define BDAT     "BDAT 20 LAST\r\n" SMALL_BODY
#define RSET     "RSET\r\n"
#define ONE      MAIL RCPT0 BDAT
#define TWO      MAIL RCPT0 RCPT1 BDAT
#define OK       "250 2.0.0 ok\r\n"
#define NO       "550 5.1.1 no\r\n"
#define LATER    "451 4.3.0 later\r\n"
#define SEQUENCE "503 5.5.1 sequence\r\n"
#define OFFERS   "PIPELINING\nCHUNKING"

static void test_whole_messages_in_one_write(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, OFFERS);
	submit(&s, 1);
	submit(&s, 2);
	submit(&s, 1);
	hears(&s, ONE RSET TWO RSET ONE);
	says(&s, OK OK OK);
	came_back(&s, 0, TRANSACTION_REPLIED, 250);
	assert_int_equal(s.done_count, 1);
	says(&s, OK OK OK NO OK OK OK OK LATER);
	came_back(&s, 1, TRANSACTION_REPLIED, 250);
	result_is(&s, 1, 0, 250, false);
	result_is(&s, 1, 1, 550, true);
	came_back(&s, 2, TRANSACTION_REPLIED, 451);
	submit(&s, 1); /* nobody knows what a refused BDAT leaves behind */
	hears(&s, RSET ONE);
	says(&s, OK OK OK OK);
	submit(&s, 1);
	hears(&s, ONE);
	assert_false(s.closed);
	stage_close(&s);
}

static void test_without_pipelining(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, "CHUNKING");
	submit(&s, 2);
	submit(&s, 1);
	hears(&s, MAIL);
	says(&s, OK);
	hears(&s, RCPT0);
	says(&s, OK);
	hears(&s, RCPT1);
	says(&s, NO);
	hears(&s, BDAT);
	says(&s, OK);
	came_back(&s, 0, TRANSACTION_REPLIED, 250);
	result_is(&s, 0, 1, 550, true);
	hears(&s, MAIL);
	says(&s, OK);
	hears(&s, RCPT0);
	says(&s, NO); /* nobody takes it: no BDAT */
	came_back(&s, 1, TRANSACTION_REPLIED, 550);
	submit(&s, 1);
	hears(&s, RSET);
	says(&s, OK);
	hears(&s, MAIL);
	stage_close(&s);
}

/* To MAIL, RCPT, RCPT, BDAT; the message behind it is not touched by any of that. */
static const struct {
	const char *replies;
	int code, r0, r1;
	bool rcpt0, rcpt1;
} rows[] = {
	{ OK OK OK OK, 250, 250, 250, false, false },
	{ OK OK OK NO, 550, 550, 550, false, false },
	{ OK OK OK LATER, 451, 451, 451, false, false },
	{ OK OK OK SEQUENCE, 503, 503, 503, false, false },
	{ OK NO OK OK, 250, 550, 250, true, false },
	{ OK OK LATER NO, 550, 550, 451, false, true },
	{ OK NO LATER SEQUENCE, 451, 550, 451, true, true },
	{ OK NO NO "554 5.5.1 no valid recipients\r\n", 550, 550, 550, true, true },
	{ NO SEQUENCE SEQUENCE SEQUENCE, 550, 550, 550, false, false },
	{ LATER SEQUENCE SEQUENCE SEQUENCE, 451, 451, 451, false, false },
	{ NO OK OK SEQUENCE, 550, 550, 550, false, false },
};

static void test_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;

		stage_open(&s);
		stage_ready(&s, OFFERS);
		submit(&s, 2);
		submit(&s, 1);
		hears(&s, TWO RSET ONE);
		says(&s, rows[i].replies);
		came_back(&s, 0, TRANSACTION_REPLIED, rows[i].code);
		result_is(&s, 0, 0, rows[i].r0, rows[i].rcpt0);
		result_is(&s, 0, 1, rows[i].r1, rows[i].rcpt1);
		says(&s, OK OK OK OK);
		came_back(&s, 1, TRANSACTION_REPLIED, 250);
		assert_false(s.closed);
		stage_close(&s);
	}
}

/* A content that is taken after its envelope was refused: whose would it be? */
static void test_taken_after_refusal(void **state)
{
	static const char *const replies[] = { NO SEQUENCE OK, OK NO OK, LATER OK OK };

	(void)state;
	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		struct stage s;

		stage_open(&s);
		stage_ready(&s, OFFERS);
		submit(&s, 1);
		submit(&s, 1);
		says(&s, replies[i]);
		came_back(&s, 0, TRANSACTION_REPLIED, i < 2 ? 550 : 451);
		came_back(&s, 1, TRANSACTION_INDETERMINATE, 451);
		ended_at(&s, STAGE_READY, 451, true);
		stage_close(&s);
	}
}

/* ---- a flight of four, cut at every place ---------------------------------- */

#define FLIGHT       4
#define REPLIES      15            /* MAIL RCPT BDAT, and RSET before each but the first */
#define LAST(n)      (3 + 4 * (n)) /* replies up to and with that of the n-th BDAT */
#define FLIGHT_WORDS ONE RSET ONE RSET ONE RSET ONE

static void begin_flight(struct stage *s, size_t replies)
{
	stage_open(s);
	stage_ready(s, OFFERS);
	for (size_t i = 0; i < FLIGHT; i++)
		submit(s, 1);
	hears(s, FLIGHT_WORDS);
	for (size_t i = 0; i < replies; i++)
		says(s, OK);
}

static void check_flight(const struct stage *s, size_t replied, enum transaction_end rest, int code)
{
	assert_int_equal(s->done_count, FLIGHT);
	for (size_t i = 0; i < FLIGHT; i++) {
		if (i < replied)
			came_back(s, i, TRANSACTION_REPLIED, 250);
		else
			came_back(s, i, rest, code);
		assert_int_equal(s->done[i].t->behind, i > replied);
		assert_int_equal(s->done[i].slot, i);
	}
}

static size_t whole(size_t replies)
{
	size_t n = 0;

	while (n < FLIGHT && replies >= LAST(n))
		n++;
	return n;
}

static void test_closed_after_every_reply(void **state)
{
	(void)state;
	for (size_t replies = 0; replies < REPLIES; replies++) {
		struct stage s;

		begin_flight(&s, replies);
		leaves(&s);
		check_flight(&s, whole(replies), TRANSACTION_INDETERMINATE, 451);
		ended_at(&s, STAGE_READY, 451, true);
		stage_close(&s);
	}
}

static void test_impossible_at_every_reply(void **state)
{
	(void)state;
	for (size_t replies = 0; replies < REPLIES; replies++) {
		struct stage s;

		begin_flight(&s, replies);
		says(&s, "354 go on\r\n");
		check_flight(&s, whole(replies), TRANSACTION_INDETERMINATE, 451);
		ended_at(&s, STAGE_READY, 451, true);
		stage_close(&s);
	}
}

/* Whoever says 421 looks at nothing that comes behind: it is unsent, not in doubt. */
static void test_421_at_every_reply(void **state)
{
	(void)state;
	for (size_t replies = 0; replies < REPLIES; replies++) {
		size_t n = whole(replies);
		struct stage s;

		begin_flight(&s, replies);
		says(&s, "421 4.7.0 enough\r\n");
		assert_int_equal(s.done_count, FLIGHT);
		for (size_t i = 0; i < n; i++)
			came_back(&s, i, TRANSACTION_REPLIED, 250);
		for (size_t i = n; i < FLIGHT; i++)
			came_back(&s, i,
			          i == n && replies + 1 == LAST(n) ? TRANSACTION_REPLIED
			                                           : TRANSACTION_UNSENT,
			          421);
		ended_at(&s, STAGE_READY, 421, false);
		stage_close(&s);
	}
}

static void test_refused_at_every_reply(void **state)
{
	(void)state;
	for (size_t at = 0; at < REPLIES; at++) {
		bool is_rset = at >= LAST(0) && (at - LAST(0)) % 4 == 0;
		size_t n = whole(at);
		struct stage s;

		begin_flight(&s, at);
		says(&s, NO);
		/* what follows from it in the same transaction is refused, too */
		for (size_t i = at + 1; i < LAST(n) && !is_rset; i++)
			says(&s, SEQUENCE);
		if (is_rset) { /* then what is behind would be in a transaction of another */
			check_flight(&s, n, TRANSACTION_INDETERMINATE, 451);
			stage_close(&s);
			continue;
		}
		for (size_t i = LAST(n); i < REPLIES; i++)
			says(&s, OK);
		assert_int_equal(s.done_count, FLIGHT);
		for (size_t i = 0; i < FLIGHT; i++)
			came_back(&s, i, TRANSACTION_REPLIED, i == n ? 550 : 250);
		assert_false(s.closed);
		stage_close(&s);
	}
}

/* Replies arrive as the network likes. */
static void test_replies_at_every_split(void **state)
{
	static const char all[] = OK OK OK OK NO SEQUENCE SEQUENCE OK OK OK
		"451-4.3.0 wait\r\n451 4.3.0 a bit\r\n" OK OK OK OK;

	(void)state;
	for (size_t split = 1; split < sizeof all - 1; split++) {
		struct stage s;
		char first[sizeof all];

		begin_flight(&s, 0);
		memcpy(first, all, split);
		first[split] = '\0';
		says(&s, first);
		says(&s, all + split);
		came_back(&s, 0, TRANSACTION_REPLIED, 250);
		came_back(&s, 1, TRANSACTION_REPLIED, 550);
		came_back(&s, 2, TRANSACTION_REPLIED, 451);
		came_back(&s, 3, TRANSACTION_REPLIED, 250);
		assert_false(s.closed);
		stage_close(&s);
	}
}

/* ---- when the content is held back ------------------------------------------- */

static struct transaction *long_transaction(struct stage *s, size_t length, size_t fail_at)
{
	struct transaction *t = stage_transaction(s, 1, NULL);

	t->source = long_source(length, fail_at);
	return t;
}

/* A long content waits until somebody takes it; what is behind waits for it. */
static void test_long_content(void **state)
{
	size_t length = 3 * 1024 * 1024;
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, OFFERS);
	connection_submit(s.connection, long_transaction(&s, length, 0));
	submit(&s, 1);
	hears(&s, MAIL RCPT0);
	says(&s, OK);
	hears(&s, "");
	stream_pause(s.peer);
	says(&s, OK);
	assert_true(stream_output_length(s.connection->stream) <=
	            STREAM_OUTPUT_HIGH + 2 * BODY_PIECE);
	stream_resume(s.peer);
	pass(&s, 0);
	assert_int_equal(s.heard.length,
	                 strlen("BDAT 3145728 LAST\r\n") + length + strlen(RSET ONE));
	assert_memory_equal(s.heard.data, "BDAT 3145728 LAST\r\n", 19);
	says(&s, OK OK OK OK OK);
	came_back(&s, 0, TRANSACTION_REPLIED, 250);
	came_back(&s, 1, TRANSACTION_REPLIED, 250);
	stage_close(&s);

	stage_open(&s);
	stage_ready(&s, OFFERS);
	connection_submit(s.connection, long_transaction(&s, length, 0));
	submit(&s, 1);
	hears(&s, MAIL RCPT0);
	says(&s, OK NO);
	came_back(&s, 0, TRANSACTION_REPLIED, 550);
	hears(&s, RSET ONE);
	stage_close(&s);
}

/* A peer that closes what it finds idle was not handed a whole message. */
static void test_after_silence(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, OFFERS);
	submit(&s, 1);
	says(&s, OK OK OK);
	hears(&s, ONE);
	pass(&s, EAGER_SILENCE + 1);
	submit(&s, 1);
	hears(&s, MAIL RCPT0);
	leaves(&s);
	came_back(&s, 1, TRANSACTION_UNSENT, 451);
	ended_at(&s, STAGE_READY, 0, true);
	stage_close(&s);

	stage_open(&s);
	stage_ready(&s, OFFERS);
	pass(&s, EAGER_SILENCE + 1);
	submit(&s, 1);
	submit(&s, 1);
	hears(&s, MAIL RCPT0);
	says(&s, OK); /* it is there */
	hears(&s, BDAT RSET ONE);
	stage_close(&s);
}

/* Those before it are waited for; that itself is unsent. */
static void test_source_fails(void **state)
{
	static const size_t fail_at[] = { 1, 1000, 70000, 199999 };

	(void)state;
	for (size_t i = 0; i < sizeof fail_at / sizeof *fail_at; i++) {
		struct stage s;

		stage_open(&s);
		stage_ready(&s, OFFERS);
		submit(&s, 1);
		connection_submit(s.connection, long_transaction(&s, 200000, fail_at[i]));
		assert_int_equal(s.done_count, 0); /* not from inside submit */
		submit(&s, 1);
		pass(&s, 0);
		came_back(&s, 0, TRANSACTION_UNSENT, 451); /* the third, which was not begun */
		assert_int_equal(s.done[0].slot, 2);
		assert_int_equal(s.done[0].t->mail_written_us, 0);
		assert_false(s.closed);
		says(&s, OK OK OK);
		came_back(&s, 1, TRANSACTION_REPLIED, 250);
		came_back(&s, 2, TRANSACTION_UNSENT, 451);
		assert_int_equal(s.done[2].slot, 1);
		ended_at(&s, STAGE_READY, 0, true);
		stage_close(&s);
	}
}

/* A source must give what it said: neither less nor more. */
static void test_source_lies(void **state)
{
	static const uint64_t lies[] = { 1, 19, 21, 200000 };

	(void)state;
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		struct transaction *t;
		struct stage s;

		stage_open(&s);
		stage_ready(&s, OFFERS);
		t = stage_transaction(&s, 1, SMALL_BODY);
		t->source->length = lies[i];
		connection_submit(s.connection, t);
		pass(&s, 0);
		came_back(&s, 0, TRANSACTION_UNSENT, 451);
		ended_at(&s, STAGE_READY, 0, true);
		stage_close(&s);
	}
}

static void test_refused_amid_content(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, OFFERS);
	connection_submit(s.connection, long_transaction(&s, 3000000, 0));
	submit(&s, 1);
	hears(&s, MAIL RCPT0);
	stream_pause(s.peer);
	says(&s, OK OK);
	says(&s, "552 5.3.4 too big\r\n");
	came_back(&s, 0, TRANSACTION_REPLIED, 552);
	came_back(&s, 1, TRANSACTION_UNSENT, 451);
	ended_at(&s, STAGE_READY, 0, true);
	stage_close(&s);
}

/* ---- how many ---------------------------------------------------------------- */

static void test_depth(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	s.provider.pipeline = 2;
	stage_ready(&s, OFFERS);
	for (size_t i = 0; i < 4; i++) {
		struct transaction *t = stage_transaction(&s, 1, SMALL_BODY);

		t->depth = i == 3 ? 1 : 10;
		connection_submit(s.connection, t);
	}
	hears(&s, ONE RSET ONE);
	says(&s, OK OK OK);
	hears(&s, RSET ONE);
	says(&s, OK OK OK OK);
	hears(&s, ""); /* the last one goes alone */
	says(&s, OK OK OK OK);
	hears(&s, ONE);
	stage_close(&s);
}

static void test_messages_max(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_ready(&s, OFFERS "\nLIMITS MAILMAX=2");
	for (size_t i = 0; i < 3; i++)
		submit(&s, 1);
	hears(&s, ONE RSET ONE);
	came_back(&s, 0, TRANSACTION_UNSENT, 451);
	assert_int_equal(s.done[0].slot, 2);
	says(&s, OK OK OK OK OK OK);
	hears(&s, "");
	says(&s, OK);
	hears(&s, "QUIT\r\n");
	assert_int_equal(s.done_count, 3);
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_messages_in_one_write),
		cmocka_unit_test(test_without_pipelining),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_taken_after_refusal),
		cmocka_unit_test(test_closed_after_every_reply),
		cmocka_unit_test(test_impossible_at_every_reply),
		cmocka_unit_test(test_421_at_every_reply),
		cmocka_unit_test(test_refused_at_every_reply),
		cmocka_unit_test(test_replies_at_every_split),
		cmocka_unit_test(test_long_content),
		cmocka_unit_test(test_after_silence),
		cmocka_unit_test(test_source_fails),
		cmocka_unit_test(test_source_lies),
		cmocka_unit_test(test_refused_amid_content),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_messages_max),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
