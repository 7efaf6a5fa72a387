/* SPDX-License-Identifier: ISC */
/* What replies mean, and ends of connections; and how long a provider is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/private.h"

static void test_replies(void **state)
{
	static const struct {
		int code;
		const char *enhanced;
		bool at_rcpt, others;
		enum verdict verdict;
	} rows[] = {
		{ 250, "2.0.0", false, false, VERDICT_SENT },
		{ 299, "2.0.0", false, false, VERDICT_SENT },
		{ 251, "2.1.5", true, false, VERDICT_SENT },
		{ 421, "4.3.2", false, false, VERDICT_SESSION },
		{ 421, "4.3.2", true, true, VERDICT_SESSION },
		{ 450, "4.2.1", true, true, VERDICT_DEFER },
		{ 451, "4.7.1", false, false, VERDICT_DEFER },
		{ 452, "4.3.1", false, false, VERDICT_DEFER },
		{ 452, "4.5.3", true, false, VERDICT_DEFER },
		{ 452, "4.5.3", true, true, VERDICT_AGAIN },
		{ 552, "5.5.3", true, true, VERDICT_AGAIN },
		{ 552, "5.5.3", true, false, VERDICT_DEFER },
		{ 552, "5.2.2", true, true, VERDICT_BOUNCE },
		{ 552, "5.3.4", false, false, VERDICT_BOUNCE },
		{ 454, "4.7.0", false, false, VERDICT_DEFER },
		{ 530, "5.7.0", false, false, VERDICT_PROVIDER },
		{ 530, "5.7.0", true, true, VERDICT_PROVIDER },
		{ 534, "5.7.9", false, false, VERDICT_PROVIDER },
		{ 535, "5.7.8", false, false, VERDICT_PROVIDER },
		{ 538, "5.7.11", false, false, VERDICT_PROVIDER },
		{ 550, "5.1.1", true, true, VERDICT_BOUNCE },
		{ 554, "5.6.0", false, false, VERDICT_BOUNCE },
		{ 599, "5.0.0", false, false, VERDICT_BOUNCE },
		{ 354, "0", false, false, VERDICT_DEFER },
		{ 0, "0", false, false, VERDICT_DEFER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reply reply = { 0 };
		struct verdict_question q = { &reply, rows[i].at_rcpt, rows[i].others };

		reply_local(&reply, rows[i].code, rows[i].enhanced, "words");
		if (verdict_of(&q) != rows[i].verdict)
			fail_msg("row %zu", i);
		reply_release(&reply);
	}
}

static void test_ends(void **state)
{
	static const struct {
		enum connection_stage stage;
		int code;
		enum ending ending;
	} rows[] = {
		{ STAGE_READY, 0, ENDING_ORDINARY },    { STAGE_READY, 421, ENDING_ORDINARY },
		{ STAGE_READY, 451, ENDING_LOST },      { STAGE_RESOLVE, 451, ENDING_TROUBLE },
		{ STAGE_CONNECT, 451, ENDING_TROUBLE }, { STAGE_GREETING, 554, ENDING_TROUBLE },
		{ STAGE_GREETING, 0, ENDING_TROUBLE },  { STAGE_TLS, 451, ENDING_TROUBLE },
		{ STAGE_LOGIN, 454, ENDING_TROUBLE },   { STAGE_LOGIN, 535, ENDING_REFUSED },
		{ STAGE_TLS, 502, ENDING_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reply why = { .code = rows[i].code };

		if (ending_of(rows[i].stage, &why) != rows[i].ending)
			fail_msg("row %zu", i);
	}
	assert_int_equal(ending_of(STAGE_READY, NULL), ENDING_ORDINARY);
}

static void test_back_off_doubles_to_five_minutes(void **state)
{
	static const int64_t seconds[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300 };
	struct health h = { 0 };
	int64_t now = CLOCK_HOUR;

	(void)state;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		assert_int_equal(health_failed(&h, ENDING_TROUBLE, now, now, false, "refused"),
		                 i == 0);
		assert_true(h.open_after_us == now + seconds[i] * CLOCK_SEC);
		now = h.open_after_us;
	}
	assert_string_equal(h.why, "refused");
	assert_true(health_ready(&h));
	assert_false(h.aside);
	/* Ready is not yet work: the next failure goes on where it was. */
	assert_true(health_failed(&h, ENDING_TROUBLE, now, now, false, "refused"));
	assert_true(h.open_after_us == now + 300 * CLOCK_SEC);
	health_worked(&h);
	assert_string_equal(h.why, "");
	assert_int_equal(h.failures, 0);
}

static void test_who_is_set_aside(void **state)
{
	struct health h = { 0 };

	(void)state;
	/* Others work: only the next connection waits. */
	assert_false(health_failed(&h, ENDING_TROUBLE, 0, 0, true, "too many connections"));
	assert_false(h.aside);
	assert_true(h.open_after_us == CLOCK_SEC);
	/* An idle end counts from when it was opened: long ago. */
	h = (struct health){ 0 };
	assert_false(health_failed(&h, ENDING_ORDINARY, 0, CLOCK_MIN, false, ""));
	assert_true(h.open_after_us <= CLOCK_MIN);
	assert_false(h.aside);
	/* Three in a row that end at once. */
	h = (struct health){ 0 };
	assert_false(health_failed(&h, ENDING_ORDINARY, 0, 0, false, "421"));
	assert_false(health_failed(&h, ENDING_LOST, CLOCK_SEC, CLOCK_SEC, false, "lost"));
	assert_true(health_failed(&h, ENDING_ORDINARY, 3 * CLOCK_SEC, 3 * CLOCK_SEC, false, "421"));
	/* Opened side by side, failed side by side: once. */
	h = (struct health){ 0 };
	assert_true(health_failed(&h, ENDING_TROUBLE, 0, CLOCK_SEC, false, "refused"));
	assert_false(health_failed(&h, ENDING_TROUBLE, 10, CLOCK_SEC + 5, false, "refused"));
	assert_int_equal(h.failures, 1);
	h = (struct health){ 0 };
	health_refused(&h, 0, "530");
	assert_true(h.aside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_back_off_doubles_to_five_minutes),
		cmocka_unit_test(test_who_is_set_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
