/* SPDX-License-Identifier: ISC */
/* test_receive_parameters.c - ESMTP parameters of MAIL and RCPT (RFC 1870, 6152, 4954). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "receive/private.h"

static const struct {
	const char *text;
	int code; /* 0: fine */
	uint64_t size;
	enum envelope_body body;
} mails[] = {
	{ "", 0, 0, BODY_7BIT },
	{ " SIZE=0", 0, 0, BODY_7BIT },
	{ " SIZE=1000", 0, 1000, BODY_7BIT },
	{ " size=00000000000000001000", 0, 1000, BODY_7BIT },
	{ "  SIZE=7   BODY=8bitmime ", 0, 7, BODY_8BITMIME },
	{ " BODY=7BIT", 0, 0, BODY_7BIT },
	{ " SIZE=18446744073709551615", 0, UINT64_MAX, BODY_7BIT },
	{ " SIZE=18446744073709551616", 0, UINT64_MAX, BODY_7BIT },
	{ " SIZE=99999999999999999999", 0, UINT64_MAX, BODY_7BIT },
	{ " SIZE=100000000000000000000", 501, 0, BODY_7BIT },
	{ " SIZE=abc", 501, 0, BODY_7BIT },
	{ " SIZE=12a", 501, 0, BODY_7BIT },
	{ " SIZE=-1", 501, 0, BODY_7BIT },
	{ " SIZE=", 501, 0, BODY_7BIT },
	{ " SIZE", 501, 0, BODY_7BIT },
	{ " SIZE=1 SIZE=1", 501, 0, BODY_7BIT },
	{ " BODY=8BITMIME BODY=8BITMIME", 501, 0, BODY_7BIT },
	{ " BODY", 501, 0, BODY_7BIT },
	{ " BODY=", 501, 0, BODY_7BIT },
	{ " BODY=BINARYMIME", 501, 0, BODY_7BIT },
	{ " SMTPUTF8", 0, 0, BODY_7BIT },
	{ " smtputf8 BODY=8BITMIME", 0, 0, BODY_8BITMIME },
	{ " SMTPUTF8=x", 501, 0, BODY_7BIT },
	{ " SMTPUTF8=", 501, 0, BODY_7BIT },
	{ " SMTPUTF8 SMTPUTF8", 501, 0, BODY_7BIT },
	{ " RET=FULL", 0, 0, BODY_7BIT },
	{ " RET", 501, 0, BODY_7BIT },
	{ " RET=HDRS RET=HDRS", 501, 0, BODY_7BIT },
	{ " ENVID=x", 0, 0, BODY_7BIT },
	{ " ENVID=x+2By ret=full SIZE=2", 0, 2, BODY_7BIT },
	{ " ENVID=x=y", 501, 0, BODY_7BIT },
	{ " ENVID=x+", 501, 0, BODY_7BIT },
	{ " ENVID=x+7F", 501, 0, BODY_7BIT },
	{ " ENVID=x+C3+A4", 501, 0, BODY_7BIT },
	{ " ENVID", 501, 0, BODY_7BIT },
	{ " AUTH=<>", 555, 0, BODY_7BIT },
	{ " =", 555, 0, BODY_7BIT },
	{ " SIZES=1", 555, 0, BODY_7BIT },
};

static void reads_what_mail_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof mails / sizeof mails[0]; i++) {
		struct refusal refusal = { 0 };
		struct mail_parameters p;
		const struct mail_rules rules = { 0 };
		int result =
			mail_parameters_parse(&p, span_of_text(mails[i].text), &rules, &refusal);

		print_message("%s\n", mails[i].text);
		assert_int_equal(result, mails[i].code == 0 ? 0 : -1);
		assert_int_equal(refusal.code, mails[i].code);
		if (result != 0) {
			assert_string_equal(refusal.enhanced, "5.5.4");
			continue;
		}
		assert_true(p.size == mails[i].size);
		assert_int_equal(p.body, mails[i].body);
	}
}

static void knows_auth_where_it_is_offered(void **state)
{
	static const struct {
		const char *text;
		int result;
	} table[] = {
		{ " AUTH=<>", 0 },         { " AUTH=user+40example.org", 0 },
		{ " AUTH=a AUTH=b", -1 },  { " AUTH=", -1 },
		{ " AUTH=bad+xtext", -1 }, { " AUTH", -1 },
		{ " auth=<> SIZE=10", 0 },
	};

	const struct mail_rules rules = { .auth = true };

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct refusal refusal;
		struct mail_parameters p;

		print_message("%s\n", table[i].text);
		assert_int_equal(
			mail_parameters_parse(&p, span_of_text(table[i].text), &rules, &refusal),
			table[i].result);
	}
}

/* RFC 3461 4.1 and 4.2; RFC 6533 3 for the type utf-8. */
static const struct {
	const char *text;
	bool utf8;
	int code; /* 0: fine */
	unsigned notify;
	const char *orcpt; /* NULL: none */
} rcpts[] = {
	{ "  ", false, 0, 0, NULL },
	{ " NOTIFY=NEVER", false, 0, NOTIFY_NEVER, NULL },
	{ " notify=success,failure,delay", false, 0, 14, NULL },
	{ " NOTIFY=FAILURE ORCPT=rfc822;a+2Bb@c", false, 0, 4, "rfc822;a+2Bb@c" },
	{ " ORCPT=utf-8;a\\x{E4}b@c", false, 0, 0, "utf-8;a\\x{E4}b@c" },
	{ " ORCPT=utf-8;\xc3\xa4@c", true, 0, 0, "utf-8;\xc3\xa4@c" },
	{ " ORCPT=utf-8;\xc3\xa4@c", false, 501, 0, NULL },
	{ " ORCPT=utf-8;\xc3@c", true, 501, 0, NULL },
	{ " ORCPT=rfc822;\xc3\xa4@c", true, 501, 0, NULL },
	{ " NOTIFY=NEVER,DELAY", false, 501, 0, NULL },
	{ " NOTIFY=DELAY,NEVER", false, 501, 0, NULL },
	{ " NOTIFY=SOMETIMES", false, 501, 0, NULL },
	{ " NOTIFY=,", false, 501, 0, NULL },
	{ " NOTIFY", false, 501, 0, NULL },
	{ " NOTIFY=DELAY NOTIFY=DELAY", false, 501, 0, NULL },
	{ " ORCPT", false, 501, 0, NULL },
	{ " ORCPT=", false, 501, 0, NULL },
	{ " ORCPT=;a", false, 501, 0, NULL },
	{ " ORCPT=rfc822;", false, 501, 0, NULL },
	{ " ORCPT=rfc 822;a", false, 501, 0, NULL },
	{ " ORCPT=rfc+2B;a", false, 501, 0, NULL },
	{ " ORCPT=rfc822;a+00", false, 501, 0, NULL },
	{ " ORCPT=rfc822;a ORCPT=rfc822;a", false, 501, 0, NULL },
	{ " RET=FULL", false, 555, 0, NULL },
	{ " SIZE=1", false, 555, 0, NULL },
};

static void reads_what_rcpt_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rcpts / sizeof rcpts[0]; i++) {
		struct refusal refusal = { 0 };
		struct rcpt_parameters p;
		int result = rcpt_parameters_parse(&p, span_of_text(rcpts[i].text), rcpts[i].utf8,
		                                   &refusal);

		print_message("%s\n", rcpts[i].text);
		assert_int_equal(result, rcpts[i].code == 0 ? 0 : -1);
		assert_int_equal(refusal.code, rcpts[i].code);
		if (result != 0)
			continue;
		assert_int_equal(p.notify, rcpts[i].notify);
		assert_true(rcpts[i].orcpt == NULL ? p.orcpt.length == 0
		                                   : span_equal_text(p.orcpt, rcpts[i].orcpt));
	}
}

/* RFC 4865 4: what is too far, past, twice or no time at all is 501 5.5.4. */
static void reads_when_to_release(void **state)
{
	/* 2026-11-21T21:42:22Z */
	static const struct mail_rules rules = { .hold_max_us = 86400 * CLOCK_SEC,
		                                 .now_us = INT64_C(1795297342) * CLOCK_SEC };
	static const struct {
		const char *text;
		int64_t wait_s; /* 0: 501 */
	} table[] = {
		{ " HOLDFOR=1", 1 },
		{ " holdfor=86400", 86400 },
		{ " HOLDFOR=86401", 0 },
		{ " HOLDFOR=0", 0 },
		{ " HOLDFOR=-1", 0 },
		{ " HOLDFOR=BAD", 0 },
		{ " HOLDFOR=1000000000", 0 },
		{ " HOLDFOR=", 0 },
		{ " HOLDFOR", 0 },
		{ " HOLDFOR=5 HOLDFOR=5", 0 },
		{ " HOLDFOR=5 HOLDUNTIL=2026-11-21T21:42:27Z", 0 },
		{ " HOLDUNTIL=2026-11-21T21:42:27Z", 5 },
		{ " HOLDUNTIL=2026-11-21t21:42:27z", 5 },
		{ " HOLDUNTIL=2026-11-21T21:42:27.25Z", 6 },
		{ " HOLDUNTIL=2026-11-22T21:42:22Z", 86400 },
		{ " HOLDUNTIL=2026-11-22T21:42:23Z", 0 },
		{ " HOLDUNTIL=2026-11-21T21:42:22Z", 0 },
		{ " HOLDUNTIL=2025-11-21T21:42:27Z", 0 },
		{ " HOLDUNTIL=2026-11-21T21:42:27", 0 },
		{ " HOLDUNTIL=2026-11-21T21:42:27+00:00", 0 },
		{ " HOLDUNTIL=2026-11-21T21:42:27.Z", 0 },
		{ " HOLDUNTIL=2026-11-31T21:42:27Z", 0 },
		{ " HOLDUNTIL=2026-13-01T21:42:27Z", 0 },
		{ " HOLDUNTIL=2026-11-21T24:42:27Z", 0 },
		{ " HOLDUNTIL=2026-11-21 21:42:27Z", 0 },
		{ " HOLDUNTIL=BAD", 0 },
		{ " HOLDUNTIL=", 0 },
		{ " HOLDUNTIL=Z", 0 },
	};
	const struct mail_rules none = { .now_us = 1 };
	struct refusal refusal;
	struct mail_parameters p;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		int result =
			mail_parameters_parse(&p, span_of_text(table[i].text), &rules, &refusal);

		print_message("%s\n", table[i].text);
		assert_int_equal(result, table[i].wait_s > 0 ? 0 : -1);
		if (result == 0) {
			assert_true(p.terms.release_us - rules.now_us ==
			            table[i].wait_s * CLOCK_SEC);
			continue;
		}
		assert_int_equal(refusal.code, 501);
		assert_string_equal(refusal.enhanced, "5.5.4");
	}
	assert_int_equal(mail_parameters_parse(&p, span_of_text("HOLDFOR=1"), &none, &refusal), -1);
	assert_int_equal(refusal.code, 555);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_mail_says),
		cmocka_unit_test(knows_auth_where_it_is_offered),
		cmocka_unit_test(reads_what_rcpt_says),
		cmocka_unit_test(reads_when_to_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
