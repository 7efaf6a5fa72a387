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
	{ " SMTPUTF8", 555, 0, BODY_7BIT },
	{ " RET=FULL", 555, 0, BODY_7BIT },
	{ " ENVID=x", 555, 0, BODY_7BIT },
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
		int result =
			mail_parameters_parse(&p, span_of_text(mails[i].text), false, &refusal);

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

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct refusal refusal;
		struct mail_parameters p;

		print_message("%s\n", table[i].text);
		assert_int_equal(
			mail_parameters_parse(&p, span_of_text(table[i].text), true, &refusal),
			table[i].result);
	}
}

static void rcpt_has_none(void **state)
{
	struct refusal refusal;

	(void)state;
	assert_int_equal(rcpt_parameters_parse(span_of_text("  "), &refusal), 0);
	assert_int_equal(rcpt_parameters_parse(span_of_text(" NOTIFY=NEVER"), &refusal), -1);
	assert_int_equal(refusal.code, 555);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_mail_says),
		cmocka_unit_test(knows_auth_where_it_is_offered),
		cmocka_unit_test(rcpt_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
