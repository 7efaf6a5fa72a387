/* SPDX-License-Identifier: ISC */
/* test_check_logins.c - logins, accounts and aliases of a configuration: what may run. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config_case.h"

#define PROVIDER "provider \"p\" { url = \"smtp://127.0.0.1:25\" }\n"
#define HASH                                                           \
	"$6$abc$IdWKNKTJEb8LxY7CGg8YBXlvtfZzFw7Mp/r6niK9YB2mdvgY..TKj" \
	"v1T..8RadRt2qvUHYRLr/TsVArtr91iR1"

static void logins_need_their_file(void **state)
{
	(void)state;
	config_case_write("users", "alice:" HASH "\n", 0600);
	config_case_write("bad", "alice:" HASH "\nbob\n", 0600);
	config_case_refused(PROVIDER "listen \"127.0.0.1:2525\" { auth = \"required\" }\n",
	                    "t.conf:2: listen \"127.0.0.1:2525\": auth: needs the "
	                    "logins: write users = \"FILE\" with lines NAME:HASH");
	config_case_refused(PROVIDER "listen \"127.0.0.1:2525\" {\n auth = \"optional\"\n"
	                             " users = \"bad\"\n}\n",
	                    "t.conf:4: listen \"127.0.0.1:2525\": users: bad:2: write NAME:HASH");
	config_case_taken(PROVIDER "listen \"127.0.0.1:2525\" { users = \"users\" }\n",
	                  "t.conf:2: listen \"127.0.0.1:2525\": users: is not used: auth is not "
	                  "\"optional\" or \"required\"");
	config_case_taken(PROVIDER "listen \"10.0.0.1:2525\" { auth = \"optional\" users = "
	                           "\"users\" }\n",
	                  "only clients on this host can log in, for tls is \"off\": write "
	                  "certificate = \"FILE\" and key = \"FILE\"");
	config_case_taken(PROVIDER "listen \"10.0.0.1:2525\" { auth = \"optional\" users = "
	                           "\"users\" auth-without-tls = true }\n",
	                  "passwords cross the network in clear");
}

static void sections_are_found(void **state)
{
	struct config_case c;

	(void)state;
	config_case_load(&c, PROVIDER "login \"crm\" { sender = { \"*@a.com\", \"x@b.com\" } }\n"
	                              "login \"*\" { sender = \"*@c.com\" }\n"
	                              "alias \"root\" { to = { \"ops@example.com\" } }\n");
	assert_int_equal(c.rc, 0);
	assert_int_equal(settings_login(c.settings, "crm")->sender.count, 2);
	assert_string_equal(settings_login(c.settings, "other")->sender.items[0], "*@c.com");
	assert_string_equal(settings_alias(c.settings, span_of_text("ROOT"))->to.items[0],
	                    "ops@example.com");
	assert_null(settings_alias(c.settings, span_of_text("roo")));
	assert_null(settings_alias_of(c.settings, span_of_text("root"), span_of_text("other")));
	assert_non_null(settings_alias_of(c.settings, span_of_text("root"),
	                                  span_of_text(c.settings->hostname)));
	config_case_release(&c);
	config_case_load(&c, PROVIDER);
	assert_null(settings_login(c.settings, "other"));
	config_case_release(&c);
}

static void aliases_lead_away(void **state)
{
	(void)state;
	config_case_refused(PROVIDER "alias \"root\" { }\n",
	                    "t.conf:2: alias \"root\": to: is missing: write to = { "
	                    "\"ops@example.com\" }");
	config_case_refused(PROVIDER "alias \"root\" { to = \"ops\" }\n",
	                    "t.conf:2: alias \"root\": to: \"ops\" is no address "
	                    "(address has no domain): write one with a domain, such as "
	                    "\"ops@example.com\"");
	config_case_refused(PROVIDER "alias \"root@a.com\" { to = \"ops@a.com\" }\n",
	                    "t.conf:2: alias \"root@a.com\": an alias is for a name without a "
	                    "domain, such as \"root\"");
	config_case_refused(PROVIDER "alias \"root\" { to = \"a@a.com\" }\n"
	                             "alias \"Root\" { to = \"a@a.com\" }\n",
	                    "t.conf:3: alias \"Root\": this name has an alias already (case does "
	                    "not count)");
}

static void repairs_have_defaults(void **state)
{
	static const char *const bad[] = { "root", "a@b.com, c@d.com", "@", "a@b\xc3\xa4.com",
		                           "Name <>" };
	static const char *const catch_all[] = { "--catch", NULL };
	struct config_case c;

	(void)state;
	config_case_load(&c,
	                 PROVIDER "listen \"127.0.0.1:2525\" { add-date = false  default-from = "
	                          "\"Our host <root@example.com>\" }\n");
	assert_int_equal(c.rc, 0);
	assert_false(c.settings->listeners[0].add_date);
	assert_true(c.settings->listeners[0].add_from && c.settings->listeners[0].add_message_id);
	assert_true(c.settings->listeners[1].add_date); /* the local socket */
	config_case_release(&c);
	config_case_command(&c, catch_all, NULL);
	assert_false(c.settings->listeners[0].add_date || c.settings->listeners[0].add_from ||
	             c.settings->listeners[0].add_message_id);
	config_case_release(&c);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct bytes text = { 0 };

		bytes_printf(&text,
		             PROVIDER "listen \"127.0.0.1:2525\" { default-from = \"%s\" }\n",
		             bad[i]);
		config_case_load(&c, bytes_text(&text));
		assert_int_equal(c.rc, -1);
		assert_non_null(strstr(bytes_text(&c.error), "is no mailbox: write one such as"));
		config_case_release(&c);
		bytes_release(&text);
	}
}

static void accounts_become_numbers(void **state)
{
	struct config_case c;
	const struct listener_settings *l;

	(void)state;
	config_case_load(&c, PROVIDER "listen \"unix:/tmp/x.sock\" { peer-users = { \"root\", "
	                              "\"4242\" } }\n");
	assert_int_equal(c.rc, 0);
	l = &c.settings->listeners[0];
	assert_int_equal(l->peer_users.count, 2);
	assert_int_equal(l->peer_uids[0], 0);
	assert_int_equal(l->peer_uids[1], 4242);
	config_case_release(&c);
	config_case_refused(PROVIDER "listen \"unix:/tmp/x.sock\" { peer-users = \"no-such\" }\n",
	                    "t.conf:2: listen \"unix:/tmp/x.sock\": peer-users: "
	                    "there is no account \"no-such\": create it, or name another");
	config_case_refused(PROVIDER "listen \"127.0.0.1:2525\" { peer-users = \"root\" }\n",
	                    "t.conf:2: listen \"127.0.0.1:2525\": peer-users: only the "
	                    "clients of a Unix socket have accounts");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_need_their_file), cmocka_unit_test(sections_are_found),
		cmocka_unit_test(aliases_lead_away),      cmocka_unit_test(accounts_become_numbers),
		cmocka_unit_test(repairs_have_defaults),
	};

	return cmocka_run_group_tests(tests, config_case_enter, config_case_leave);
}
