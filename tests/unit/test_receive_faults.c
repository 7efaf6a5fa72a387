/* SPDX-License-Identifier: ISC */
/* test_receive_faults.c - faults that are asked for: which happens when, and what the client sees.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "receive/faults.h"
#include "receive_server.h"

#define BODY "Subject: x\r\n\r\nhi\r\n.\r\n"

static const struct chaos calm[CHAOS_TRIGGERS] = { { 451, 0 }, { 451, 0 }, { 535, 0 } };

static char *copy(const char *text)
{
	return text != NULL ? memory_text(text) : NULL;
}

/* A set of one rule, whose texts are literals. */
static struct faults *set_of(const struct fault *rule)
{
	struct fault own = *rule;

	own.sender = copy(rule->sender);
	own.recipient = copy(rule->recipient);
	own.text = copy(rule->text);
	if (own.probability == 0)
		own.probability = 100;
	assert_null(fault_problem(&own));
	return faults_new(&own, 1, calm);
}

static void begin(struct server *v, const struct fault *rule)
{
	server_init(v);
	v->listener.auth = AUTH_ANY;
	v->receive.records = true;
	v->receive.faults = set_of(rule);
}

static void end(struct server *v)
{
	struct faults *faults = v->receive.faults;

	server_release(v);
	faults_free(&faults);
}

/* Happens always, unless a probability is said. */
#define ONE(...) (&(const struct fault){ __VA_ARGS__ })

/* ---- the set ------------------------------------------------------------------ */

static void rules_match_what_is_known(void **state)
{
	static const struct {
		const char *sender, *recipient; /* patterns */
		enum fault_stage stage;
		enum fault_stage at;
		const char *from, *to;
		bool found;
	} table[] = {
		{ NULL, NULL, FAULT_CONNECT, FAULT_CONNECT, NULL, NULL, true },
		{ NULL, NULL, FAULT_CONNECT, FAULT_HELO, NULL, NULL, false },
		{ "*@a.example", NULL, FAULT_MAIL, FAULT_MAIL, "x@A.example", NULL, true },
		{ "*@a.example", NULL, FAULT_MAIL, FAULT_MAIL, "x@b.example", NULL, false },
		{ NULL, "*@slow.example", FAULT_RCPT, FAULT_RCPT, "x@a", "y@slow.example", true },
		{ NULL, "*@slow.example", FAULT_RCPT, FAULT_RCPT, "x@a", "y@fast.example", false },
		{ "x@a", "y@b", FAULT_RCPT, FAULT_RCPT, "x@a", "y@b", true },
		{ "x@a", "y@b", FAULT_RCPT, FAULT_RCPT, "z@a", "y@b", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct faults *faults =
			set_of(ONE(.sender = (char *)(uintptr_t)table[i].sender,
		                   .recipient = (char *)(uintptr_t)table[i].recipient,
		                   .stage = table[i].stage, .code = 451));
		struct fault_case at = { .stage = table[i].at };
		struct address from = { 0 }, to = { 0 };
		const char *error;

		if (table[i].from != NULL) {
			assert_int_equal(
				address_parse(&from, span_of_text(table[i].from), 0, &error), 0);
			at.sender = &from;
		}
		if (table[i].to != NULL) {
			assert_int_equal(address_parse(&to, span_of_text(table[i].to), 0, &error),
			                 0);
			at.recipient = &to;
		}
		if ((faults_find(faults, &at) != NULL) != table[i].found)
			fail_msg("row %zu", i);
		assert_int_equal(faults_happened(faults, 0), table[i].found);
		address_release(&from);
		address_release(&to);
		faults_free(&faults);
	}
}

static void counts_are_kept(void **state)
{
	const struct fault_case at = { .stage = FAULT_DATA };
	struct faults *faults =
		set_of(ONE(.stage = FAULT_DATA, .code = 451, .skip = 2, .count = 3));
	const bool expected[] = { false, false, true, true, true, false, false };

	(void)state;
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		assert_int_equal(faults_find(faults, &at) != NULL, expected[i]);
	assert_int_equal(faults_happened(faults, 0), 3);
	faults_free(&faults);
}

/* 1,000 at 30 percent: further off than 200 to 400 comes once in 10^11. */
static void chance_is_as_asked(void **state)
{
	const struct fault_case at = { .stage = FAULT_DATA };
	struct faults *faults = set_of(ONE(.stage = FAULT_DATA, .code = 451, .probability = 30));

	(void)state;
	for (int i = 0; i < 1000; i++)
		faults_find(faults, &at);
	assert_in_range(faults_happened(faults, 0), 200, 400);
	faults_free(&faults);
}

static void chaos_has_its_stages(void **state)
{
	static const enum fault_stage stages[] = { FAULT_MAIL, FAULT_RCPT, FAULT_AUTH };

	(void)state;
	for (size_t i = 0; i < CHAOS_TRIGGERS; i++) {
		struct chaos chaos[CHAOS_TRIGGERS];
		struct faults *faults;

		memcpy(chaos, calm, sizeof chaos);
		chaos[i] = (struct chaos){ 499, 100 };
		faults = faults_new(NULL, 0, chaos);
		for (size_t k = 0; k < CHAOS_TRIGGERS; k++) {
			const struct fault_case at = { .stage = stages[k] };
			const struct fault *f = faults_find(faults, &at);

			assert_int_equal(f != NULL, k == i);
			if (f != NULL)
				assert_int_equal(f->code, 499);
		}
		assert_int_equal(faults_chaos(faults, i).probability, 100);
		faults_free(&faults);
	}
}

static void what_makes_no_sense_is_said(void **state)
{
	static const struct {
		struct fault rule;
		const char *problem; /* its beginning; NULL: none */
	} table[] = {
		{ { .code = 451, .probability = 100 }, NULL },
		{ { .code = 399 }, "Code" },
		{ { .code = 600 }, "Code" },
		{ { .code = 451, .probability = 101 }, "Probability" },
		{ { .delay_us = CLOCK_HOUR }, "Delay" },
		{ { .delay_us = CLOCK_SEC }, NULL },
		{ { .code = 451, .text = (char *)(uintptr_t) "a\r\n250 b" }, "Text" },
		{ { .delay_us = 1, .text = (char *)(uintptr_t) "a" }, "Text" },
		{ { .action = FAULT_SLOW }, NULL },
		{ { .action = FAULT_DISCONNECT }, NULL },
		{ { .action = FAULT_DISCONNECT, .code = 451 }, "Action" },
		{ { .action = FAULT_REPLY }, "write a Code" },
		{ { .code = 451, .sender = (char *)(uintptr_t) "*", .stage = FAULT_AUTH },
		  "Sender" },
		{ { .code = 451, .recipient = (char *)(uintptr_t) "*", .stage = FAULT_MAIL },
		  "Recipient" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *problem = fault_problem(&table[i].rule);

		if ((problem == NULL) != (table[i].problem == NULL) ||
		    (problem != NULL && !text_starts(problem, table[i].problem)))
			fail_msg("row %zu: %s", i, problem != NULL ? problem : "nothing");
	}
}

/* ---- what the client sees ----------------------------------------------------------- */

static void replies_come_instead(void **state)
{
	static const struct {
		enum fault_stage stage;
		const char *say, *reply;
		const char *goes_on; /* the reply to the same again, once the rule is used up */
	} table[] = {
		{ FAULT_HELO, "EHLO x\r\n", "451 4.2.1 asked for\r\n", "250-mx.test\r\n" },
		{ FAULT_AUTH, "AUTH PLAIN AGEAYg==\r\n", "451 4.2.1 asked for\r\n", "235 " },
		{ FAULT_AUTH, "AUTH LOGIN\r\nYQ==\r\nYg==\r\n",
		  "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n451 4.2.1 asked for\r\n", "334 " },
		{ FAULT_MAIL, "MAIL FROM:<a@b>\r\n", "451 4.2.1 asked for\r\n", "250 2.1.0 " },
		{ FAULT_RCPT, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRSET\r\n",
		  "250 2.1.0 Ok\r\n451 4.2.1 asked for\r\n250 2.0.0 Ok\r\n",
		  "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n" },
		{ FAULT_DATA, SERVER_AGAIN BODY,
		  "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"
		  "451 4.2.1 asked for\r\n",
		  "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n250 " },
		{ FAULT_DATA, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nBDAT 2 LAST\r\nhi",
		  "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n451 4.2.1 asked for\r\n",
		  "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.0.0 queued" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct server v;

		begin(&v, ONE(.stage = table[i].stage, .code = 451, .count = 1,
		              .text = (char *)(uintptr_t) "4.2.1 asked for"));
		server_connect(&v);
		if (table[i].stage != FAULT_HELO)
			server_greet(&v);
		server_say(&v, table[i].say);
		if (strcmp(bytes_text(&v.heard), table[i].reply) != 0)
			fail_msg("row %zu: %s", i, bytes_text(&v.heard));
		assert_int_equal(v.stored_count, 0);
		if (!text_starts(server_say(&v, table[i].say), table[i].goes_on))
			fail_msg("row %zu, again: %s", i, bytes_text(&v.heard));
		end(&v);
	}
}

static void a_connection_is_refused(void **state)
{
	struct server v;

	(void)state;
	begin(&v, ONE(.stage = FAULT_CONNECT, .code = 554));
	server_connect(&v);
	assert_string_equal(bytes_text(&v.heard), "554 5.0.0 A fault that was asked for\r\n");
	assert_true(v.closed);
	end(&v);
}

static void an_end_comes_without_a_word(void **state)
{
	struct server v;

	(void)state;
	begin(&v, ONE(.stage = FAULT_RCPT, .action = FAULT_DISCONNECT));
	server_connect(&v);
	server_greet(&v);
	assert_string_equal(server_say(&v, SERVER_AGAIN), "250 2.1.0 Ok\r\n");
	assert_true(v.closed);
	end(&v);
}

/* Late, and then as if nothing had been; what is pipelined behind waits. */
static void what_is_late_goes_on(void **state)
{
	static const enum fault_stage stages[] = { FAULT_HELO, FAULT_AUTH, FAULT_MAIL, FAULT_RCPT,
		                                   FAULT_DATA };
	static const size_t replies[] = { 0, 10, 11, 12, 14 }; /* lines before it */

	(void)state;
	for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
		size_t lines = 0;
		struct server v;

		begin(&v, ONE(.stage = stages[i], .delay_us = 2 * CLOCK_MIN));
		server_connect(&v);
		server_say(&v, "EHLO x\r\nAUTH PLAIN AGEAYg==\r\n" SERVER_AGAIN BODY "QUIT\r\n");
		for (const char *at = bytes_text(&v.heard); (at = strchr(at, '\n')) != NULL; at++)
			lines++;
		if (i > 0 ? lines < replies[i] : lines != 0)
			fail_msg("row %zu: %s", i, bytes_text(&v.heard));
		assert_int_equal(v.stored_count, 0);
		server_pass(&v, 2 * CLOCK_MIN - 1);
		assert_int_equal(v.stored_count, 0);
		server_pass(&v, 1);
		assert_int_equal(v.stored_count, 1);
		assert_string_equal(v.stored[0].login, "a");
		assert_true(text_ends(bytes_text(&v.heard), "\r\n221 2.0.0 Bye\r\n"));
		assert_true(v.closed);
		end(&v);
	}
}

static void a_late_banner_comes(void **state)
{
	struct server v;

	(void)state;
	begin(&v, ONE(.stage = FAULT_CONNECT, .delay_us = CLOCK_SEC));
	server_connect(&v);
	assert_int_equal(v.heard.length, 0);
	server_pass(&v, CLOCK_SEC);
	assert_string_equal(bytes_text(&v.heard), "220 mx.test ESMTP Penstock\r\n");
	server_greet(&v);
	end(&v);
}

static void late_and_refused(void **state)
{
	struct server v;

	(void)state;
	begin(&v, ONE(.stage = FAULT_RCPT, .delay_us = CLOCK_SEC, .code = 550,
	              .recipient = (char *)(uintptr_t) "b@*", .text = (char *)(uintptr_t) "no"));
	server_connect(&v);
	server_greet(&v);
	assert_string_equal(server_say(&v, "MAIL FROM:<>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\n"),
	                    "250 2.1.0 Ok\r\n");
	bytes_clear(&v.heard);
	server_pass(&v, CLOCK_SEC);
	assert_string_equal(bytes_text(&v.heard), "550 5.0.0 no\r\n250 2.1.5 Ok\r\n");
	end(&v);
}

static void slow_replies_come_octet_by_octet(void **state)
{
	static const char reply[] = "250 2.1.0 Ok\r\n";
	struct server v;

	(void)state;
	begin(&v, ONE(.stage = FAULT_MAIL, .action = FAULT_SLOW, .delay_us = CLOCK_SEC));
	server_connect(&v);
	server_greet(&v);
	assert_string_equal(server_say(&v, "MAIL FROM:<>\r\nRCPT TO:<c@x>\r\n"), "");
	for (size_t i = 1; i < sizeof reply - 1; i++) {
		server_pass(&v, CLOCK_SEC);
		assert_int_equal(v.heard.length, i);
		assert_memory_equal(v.heard.data, reply, i);
	}
	server_pass(&v, CLOCK_SEC);
	assert_string_equal(bytes_text(&v.heard), "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n");
	end(&v);
}

static void slow_where_the_writer_answers(void **state)
{
	struct server v;

	(void)state;
	begin(&v, ONE(.stage = FAULT_DATA, .action = FAULT_SLOW, .delay_us = 1000));
	v.automatic = false;
	server_open_data(&v);
	assert_string_equal(server_say(&v, BODY), "");
	assert_string_equal(server_complete(&v, 0), "");
	assert_int_equal(v.stored_count, 1);
	server_pass(&v, CLOCK_SEC);
	assert_string_equal(bytes_text(&v.heard), "250 2.0.0 queued as 0000000000001\r\n");
	assert_string_equal(server_say(&v, "NOOP\r\n"), "250 2.0.0 Ok\r\n");
	end(&v);
}

/* Gone, or stopped, in the middle of each: asserted by end(). */
static void an_end_amid_a_fault_leaves_nothing(void **state)
{
	(void)state;
	for (unsigned stage = 0; stage < FAULT_STAGES; stage++) {
		for (unsigned how = 0; how < 4; how++) {
			struct server v;

			begin(&v, ONE(.stage = (enum fault_stage)stage,
			              .action = how & 1 ? FAULT_SLOW : FAULT_REPLY,
			              .delay_us = CLOCK_MIN));
			server_connect(&v);
			server_say(&v, "EHLO x\r\nAUTH PLAIN AGEAYg==\r\n" SERVER_AGAIN BODY);
			if (how & 2) {
				receive_stop(&v.receive);
				server_pass(&v, 0);
			}
			if (v.client != NULL)
				server_vanish(&v);
			server_pass(&v, 5 * CLOCK_MIN);
			end(&v);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_match_what_is_known),
		cmocka_unit_test(counts_are_kept),
		cmocka_unit_test(chance_is_as_asked),
		cmocka_unit_test(chaos_has_its_stages),
		cmocka_unit_test(what_makes_no_sense_is_said),
		cmocka_unit_test(replies_come_instead),
		cmocka_unit_test(a_connection_is_refused),
		cmocka_unit_test(an_end_comes_without_a_word),
		cmocka_unit_test(what_is_late_goes_on),
		cmocka_unit_test(a_late_banner_comes),
		cmocka_unit_test(late_and_refused),
		cmocka_unit_test(slow_replies_come_octet_by_octet),
		cmocka_unit_test(slow_where_the_writer_answers),
		cmocka_unit_test(an_end_amid_a_fault_leaves_nothing),
	};

	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
