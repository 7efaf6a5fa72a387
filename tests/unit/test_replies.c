/* SPDX-License-Identifier: ISC */
/* reply rules of the configuration: read, compiled, refused with a reason. */
#include "config_case.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_rules_belong_to_their_provider(void **state)
{
	struct config_case c;
	struct bytes out = { 0 };

	(void)state;
	config_case_load(&c, "provider \"a\" {\n"
	                     "  reply '^454 .*Throttling' { means = \"slow-down\" wait = \"5s\" }\n"
	                     "  url = \"smtp://localhost:2525\"\n"
	                     "  reply '^550 5\\.7' { means = \"next-provider\" }\n"
	                     "}\n"
	                     "provider \"b\" { url = \"smtp://localhost:2526\"\n"
	                     "  reply '^550 5\\.7' { means = \"bounce\" } }\n");
	assert_string_equal(bytes_text(&c.error), "");
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.settings->providers[0].reply_count, 2);
	assert_int_equal(c.settings->providers[1].reply_count, 1);
	assert_int_equal(c.settings->providers[0].replies[0]->means, REPLY_MEANS_SLOW_DOWN);
	assert_int_equal(c.settings->providers[0].replies[0]->wait_us, 5000000);
	assert_int_equal(c.settings->providers[0].replies[1]->means, REPLY_MEANS_NEXT_PROVIDER);
	assert_int_equal(c.settings->providers[1].replies[0]->means, REPLY_MEANS_BOUNCE);
	assert_int_equal(regexec(&c.settings->providers[0].replies[0]->compiled,
	                         "454 4.7.0 throttling failure", 0, NULL, 0),
	                 0);
	settings_print(c.settings, &out);
	assert_non_null(
		strstr(bytes_text(&out),
	               "reply \"^454 .*Throttling\" { means = \"slow-down\" wait = \"5s\" }"));
	assert_non_null(strstr(bytes_text(&out), "reply \"^550 5\\\\.7\""));
	bytes_release(&out);
	config_case_release(&c);
}

#define IN(text) "provider \"p\" { url = \"smtp://localhost:25\"\n" text "\n}\n"

static void test_what_is_wrong_is_named(void **state)
{
	(void)state;
	config_case_refused(IN("reply '(' { means = \"defer\" }"),
	                    "t.conf:2: reply \"(\": is no POSIX extended regular expression: "
	                    "Unmatched ( or \\(");
	config_case_refused(IN("reply 'x' { }"),
	                    "t.conf:2: reply \"x\": means: is missing: write what such a reply "
	                    "means, as means = \"slow-down\"");
	config_case_refused(IN("reply '(a)\\1' { means = \"defer\" }"),
	                    "t.conf:2: reply \"(a)\\1\": write the pattern without back-references "
	                    "such as \\1, and with fewer repetitions such as {1000}");
	config_case_refused(
		IN("reply '((a{100}){100})' { means = \"defer\" }"),
		"t.conf:2: reply \"((a{100}){100})\": write the pattern without "
		"back-references such as \\1, and with fewer repetitions such as {1000}");
	config_case_refused(
		IN("reply 'x' { means = \"never\" }"),
		"t.conf:2: reply \"x\": means = \"never\": write \"deliver\" or \"defer\" or "
		"\"bounce\" or \"slow-down\" or \"fewer-connections\" or "
		"\"end-session\" or \"quota\" or \"login-refused\" or "
		"\"next-provider\" or \"provider-down\"");
}

static void test_what_nobody_takes_is_refused_at_once(void **state)
{
	struct config_case c;

	(void)state;
	config_case_load(&c, "provider \"a\" { url = \"smtp://localhost:1\" max-message-size = "
	                     "\"10MB\" }\n"
	                     "provider \"b\" { url = \"smtp://localhost:2\" max-message-size = "
	                     "\"20MB\" }\n");
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.settings->listeners[0].max_message_size, 20000000);
	config_case_release(&c);
	config_case_load(&c, "provider \"a\" { url = \"smtp://localhost:1\" max-message-size = "
	                     "\"10MB\" }\n"
	                     "provider \"b\" { url = \"smtp://localhost:2\" }\n");
	assert_int_equal(c.settings->listeners[0].max_message_size, 50 << 20);
	config_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_belong_to_their_provider),
		cmocka_unit_test(test_what_is_wrong_is_named),
		cmocka_unit_test(test_what_nobody_takes_is_refused_at_once),
	};

	return cmocka_run_group_tests(tests, config_case_enter, config_case_leave);
}
