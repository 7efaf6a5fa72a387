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
		{ 552, "5.3.4", false, false, VERDICT_NEXT },
		{ 454, "4.7.0", false, false, VERDICT_DEFER },
		{ 530, "5.7.0", false, false, VERDICT_LOGIN },
		{ 530, "5.7.0", true, true, VERDICT_LOGIN },
		{ 534, "5.7.9", false, false, VERDICT_LOGIN },
		{ 535, "5.7.8", false, false, VERDICT_LOGIN },
		{ 538, "5.7.11", false, false, VERDICT_LOGIN },
		{ 550, "5.7.30", false, false, VERDICT_LOGIN },
		{ 554, "5.7.30", false, false, VERDICT_NEXT },
		{ 554, "5.3.3", false, false, VERDICT_NEXT },
		{ 554, "5.7.10", false, false, VERDICT_NEXT },
		{ 550, "5.1.1", true, true, VERDICT_BOUNCE },
		{ 554, "5.6.0", false, false, VERDICT_BOUNCE },
		{ 599, "5.0.0", false, false, VERDICT_BOUNCE },
		{ 354, "0", false, false, VERDICT_DEFER },
		{ 0, "0", false, false, VERDICT_DEFER },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reply reply = { 0 };
		struct verdict_question q = { .reply = &reply,
			                      .at_rcpt = rows[i].at_rcpt,
			                      .others_accepted = rows[i].others };

		reply_local(&reply, rows[i].code, rows[i].enhanced, "words");
		if (verdict_of(&q, NULL) != rows[i].verdict)
			fail_msg("row %zu", i);
		reply_release(&reply);
	}
}

/* What providers were seen to say (and what only sounds like it). */
static void test_words(void **state)
{
	static const struct {
		int code;
		const char *enhanced, *text;
		enum verdict verdict;
	} rows[] = {
		{ 454, "4.7.0", "Throttling failure: Maximum sending rate exceeded.",
		  VERDICT_SLOW_DOWN },
		{ 454, "4.7.0", "Throttling failure: Daily message quota exceeded.",
		  VERDICT_QUOTA },
		{ 421, "4.7.0", "Too many concurrent SMTP connections", VERDICT_FEWER_CONNECTIONS },
		{ 421, "4.4.5", "Too many connections from your host", VERDICT_FEWER_CONNECTIONS },
		{ 432, "4.3.2", "Concurrent connections limit exceeded",
		  VERDICT_FEWER_CONNECTIONS },
		{ 451, "4.0.0", "Authentication failed: Maximum credits exceeded",
		  VERDICT_PROVIDER },
		{ 452, "4.0.0", "Too many recipients received this hour (throttled)",
		  VERDICT_SLOW_DOWN },
		{ 550, "5.4.5", "Daily SMTP relay limit exceeded for user.", VERDICT_QUOTA },
		{ 550, "5.7.1", "Daily SMTP relay limit exceeded for customer.", VERDICT_QUOTA },
		{ 450, "4.7.0", "recipient limit exceeded, try again after Sat, 21 Nov 2026",
		  VERDICT_QUOTA },
		{ 550, "5.7.1", "Unconfigured Sending Domain <example.com>", VERDICT_NEXT },
		{ 550, "5.0.0", "Unauthenticated Senders Not Allowed", VERDICT_NEXT },
		{ 550, "5.0.0", "The from address does not match a verified Sender Identity",
		  VERDICT_NEXT },
		{ 554, "5.0.0", "Message rejected: Email address is not verified.", VERDICT_NEXT },
		/* One mailbox is not us. */
		{ 552, "5.2.2", "mailbox: daily quota exceeded", VERDICT_BOUNCE },
		{ 450, "4.2.1", "user is receiving mail at a rate limit that ...", VERDICT_DEFER },
		{ 250, "2.0.0", "no rate limit, daily quota not exceeded", VERDICT_SENT },
		{ 550, "5.1.1", "no such user", VERDICT_BOUNCE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reply reply = { 0 };
		struct verdict_question q = { .reply = &reply };

		reply_local(&reply, rows[i].code, rows[i].enhanced, "%s", rows[i].text);
		reply.local = false;
		if (verdict_of(&q, NULL) != rows[i].verdict)
			fail_msg("row %zu: %d", i, verdict_of(&q, NULL));
		reply_release(&reply);
	}
}

static void test_times(void **state)
{
	const int64_t now = INT64_C(1795255200) * CLOCK_SEC; /* Sat, 21 Nov 2026 10:00:00 GMT */
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{ "slow down, try again in 30 seconds", 30 },
		{ "Try again in 1 minute.", 60 },
		{ "please wait 5 min", 300 },
		{ "retry-after: 120", 120 },
		{ "try again in 2h", 7200 },
		{ "limit exceeded, try again after Sat, 21 Nov 2026 10:05:00 GMT", 300 },
		{ "try again after Sat, 21 Nov 2026 11:05:00 +0100", 300 },
		{ "try again at 2026-11-21T10:00:10Z", 10 },
		{ "blocked until 2026-11-21 10:01:00 UTC", 60 },
		{ "try again after Sat, 21 Nov 2020 10:05:00 GMT", 0 },
		{ "try again in 99999999999 days", 7 * 86400 },
		{ "try again later", 0 },
		{ "wait 5 apples", 0 },
		{ "again in", 0 },
		{ "30 seconds", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (verdict_wait(rows[i].text, now) != rows[i].seconds * CLOCK_SEC)
			fail_msg("row %zu: %lld", i,
			         (long long)(verdict_wait(rows[i].text, now) / CLOCK_SEC));
}

static void test_the_rules_of_a_provider_come_first(void **state)
{
	struct reply_rule rules[2] = {
		{ .means = REPLY_MEANS_BOUNCE, .is_compiled = true },
		{ .means = REPLY_MEANS_SLOW_DOWN, .wait_us = 7 * CLOCK_SEC, .is_compiled = true }
	};
	const struct reply_rule *replies[2] = { &rules[0], &rules[1] };
	struct provider_settings provider = { .replies = replies, .reply_count = 2 };
	struct reply reply = { 0 };
	struct verdict_question q = { .reply = &reply, .provider = &provider };
	int64_t wait;

	(void)state;
	assert_int_equal(regcomp(&rules[0].compiled, "^450 .*greylist", REG_EXTENDED | REG_ICASE),
	                 0);
	assert_int_equal(regcomp(&rules[1].compiled, "^450 4\\.7", REG_EXTENDED), 0);
	reply_local(&reply, 450, "4.7.1", "Greylisted");
	assert_int_equal(verdict_of(&q, NULL), VERDICT_DEFER); /* our own words */
	reply.local = false;
	assert_int_equal(verdict_of(&q, NULL), VERDICT_BOUNCE);
	reply_release(&reply);
	reply_local(&reply, 450, "4.7.1", "later, try again in 2 seconds");
	reply.local = false;
	assert_int_equal(verdict_of(&q, &wait), VERDICT_SLOW_DOWN);
	assert_true(wait == 7 * CLOCK_SEC);
	rules[1].wait_us = 0;
	(void)verdict_of(&q, &wait);
	assert_true(wait == 2 * CLOCK_SEC);
	reply_release(&reply);
	regfree(&rules[0].compiled);
	regfree(&rules[1].compiled);
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
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_the_rules_of_a_provider_come_first),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_back_off_doubles_to_five_minutes),
		cmocka_unit_test(test_who_is_set_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
