/* SPDX-License-Identifier: ISC */
/* test_check_credentials.c - what a provider logs in with: commands, tokens, and what contradicts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config_case.h"

#define AT(option)   "t.conf:2: provider \"p\": " option ": "
#define IN(option)   "t.conf:3: provider \"p\": oauth2: " option ": "
#define INSIDE       "t.conf:3: provider \"p\": oauth2: "
#define OAUTH2(more) "provider \"p\" {\n url = \"smtp://u@mx\"\n oauth2 { " more " }\n}\n"
#define REFRESH      "token-url = \"https://id/t\" client-id = \"c\" refresh-token-file = \"r\" "
#define ABSOLUTE                                                                          \
	"write the absolute path of a program, each argument as a string of its own: { "  \
	"\"/usr/bin/pass\", \"show\", \"smtp\" }; no shell is involved unless it is the " \
	"program: { \"/bin/sh\", \"-c\", \"...\" }"
#define NO_PROGRAM                                                                       \
	"there is no such program: write each argument as a string of its own, as in { " \
	"\"/usr/bin/pass\", \"show\", \"smtp\" }"
#define SAFE "would tell secrets on the way: write an https URL (http only on 127.0.0.1 or [::1])"

static int enter(void **state)
{
	if (config_case_enter(state) != 0)
		return -1;
	config_case_write("secret", "s3cr3t\n", 0600);
	config_case_write("r", "s3cr3t\n", 0600);
	return 0;
}

struct refusal {
	const char *text, *message;
};

static void refused(void **state)
{
	static const struct refusal bad[] = {
		{ "provider \"p\" {\n url = \"smtp://u@mx\" password-command = { \"pass\", \"x\" "
		  "}\n}",
		  AT("password-command") ABSOLUTE },
		{ "provider \"p\" {\n url = \"smtp://u@mx\" password-command = \"/bin/cat x\"\n}",
		  AT("password-command") NO_PROGRAM },
		{ "provider \"p\" {\n url = \"smtp://u@mx\" password-file = \"secret\" "
		  "auth = \"xoauth2\"\n}",
		  AT("auth") "sends a token, not a password: write oauth2 { ... }, or another "
		             "mechanism" },
		{ "provider \"p\" {\n url = \"smtp://u@mx\" auth = \"gssapi\"\n}",
		  "t.conf:2: provider \"p\": auth = \"gssapi\": write \"auto\" or \"plain\" or "
		  "\"login\" or \"cram-md5\" or \"scram-sha-256\" or \"xoauth2\" or "
		  "\"oauthbearer\"" },
		{ OAUTH2(""), INSIDE "token-url is missing\n" INSIDE "client-id is missing\n" INSIDE
		                     "refresh-token-file is missing" },
		{ OAUTH2("grant = \"client-credentials\" token-url = \"https://id/t\" "
		         "client-id = \"c\""),
		  INSIDE "client-secret-file is missing\n" INSIDE "scope is missing" },
		{ OAUTH2("grant = \"service-account\""), INSIDE "service-account-file is missing" },
		{ OAUTH2("grant = \"password\""),
		  "t.conf:3: oauth2: grant = \"password\": write \"refresh-token\" or "
		  "\"client-credentials\" or \"service-account\"" },
		{ OAUTH2("token-url = \"http://id/t\" client-id = \"c\" refresh-token-file = "
		         "\"r\""),
		  IN("token-url") SAFE },
		{ OAUTH2("token-url = \"http://127.0.0.1.id/t\" client-id = \"c\" "
		         "refresh-token-file = \"r\""),
		  IN("token-url") SAFE },
		{ OAUTH2("token-url = \"http://127.0.0.1:1@id/t\" client-id = \"c\" "
		         "refresh-token-file = \"r\""),
		  IN("token-url") SAFE },
		{ OAUTH2(REFRESH "authorize-url = \"ftp://id\""), IN("authorize-url") SAFE },
		{ OAUTH2("token-command = \"oama\""), IN("token-command") ABSOLUTE },
		{ OAUTH2(REFRESH "client-secret = \"s3cr3t\""), NULL },
		{ OAUTH2(REFRESH "refresh-token = \"s3cr3t\""), NULL },
		{ OAUTH2(REFRESH "colour = \"red\""),
		  "t.conf:3: unknown option colour in oauth2: penstock.conf(5) lists those there "
		  "are" },
		{ OAUTH2(REFRESH "scope = \"a\" scope = \"b\""),
		  "t.conf:3: oauth2: scope: is written twice, first on line 3: keep one of them" },
		{ "provider \"p\" {\n url = \"smtp://u@mx\"\n oauth2 { " REFRESH "}\n"
		  " oauth2 { scope = \"x\" }\n}\n",
		  "t.conf:4: oauth2 is written twice, first on line 3: write all its options in "
		  "one place" },
		{ "provider \"p\" {\n url = \"smtp://mx\"\n oauth2 { " REFRESH "}\n}\n",
		  INSIDE "a token without a login: write login = \"USER\", or the URL as "
		         "smtp://USER@HOST" },
		{ "provider \"p\" {\n url = \"smtp://u@mx\" password-file = \"secret\"\n oauth2 "
		  "{ " REFRESH "}\n}\n",
		  INSIDE "a token takes the place of a password: keep one" },
		{ "provider \"p\" {\n url = \"smtp://u@mx\" auth = \"plain\"\n oauth2 { " REFRESH
		  "}\n}\n",
		  AT("auth") "sends a password, not a token: write \"auto\", \"xoauth2\" or "
		             "\"oauthbearer\"" },
		{ "provider \"p\" {\n url = \"smtp+notls://u@mx\"\n oauth2 { " REFRESH "}\n}\n",
		  AT("url") "a login goes over verified TLS only: write smtp+tls:// or smtps:// "
		            "instead of smtp+notls://, or remove the login" },
		{ "provider \"p\" {\n url = \"discard:\"\n oauth2 { " REFRESH "}\n}\n",
		  "t.conf:1: provider \"p\": a login goes with an smtp URL only" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct config_case c;

		if (bad[i].message != NULL) {
			config_case_refused(bad[i].text, bad[i].message);
			continue;
		}
		config_case_load(&c, bad[i].text);
		assert_int_equal(c.rc, -1);
		assert_null(strstr(bytes_text(&c.error), "s3cr3t"));
		config_case_release(&c);
	}
}

static void taken(void **state)
{
	static const char *const good[] = {
		"provider \"p\" { url = \"smtp://u@mx\" password-command = { \"/bin/cat\", \"x\" } "
		"}",
		"provider \"p\" { url = \"smtp://u@mx\" password-command = \"/bin/true\" }",
		OAUTH2(REFRESH),
		OAUTH2(REFRESH "authorize-url = \"https://id/a\" scope = \"s\""),
		OAUTH2("grant = \"client-credentials\" token-url = \"https://id/t\" "
		       "client-id = \"c\" client-secret-file = \"secret\" scope = \"s\""),
		OAUTH2("grant = \"service-account\" service-account-file = \"secret\""),
		OAUTH2("token-command = { \"/bin/echo\", \"x\" }"),
		OAUTH2("token-url = \"http://127.0.0.1:99/t\" client-id = \"c\" "
		       "refresh-token-file = \"r\""),
		OAUTH2("token-url = \"http://[::1]/t\" client-id = \"c\" refresh-token-file = "
		       "\"r\""),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		config_case_taken(good[i], NULL);
	config_case_taken(OAUTH2("token-url = \"https://id/t\" client-id = \"c\" "
	                         "refresh-token-file = \"none\""),
	                  "t.conf:3: provider \"p\": oauth2: refresh-token-file: there is no none "
	                  "yet: penstock login p makes it");
}

/* Each provider has its own, wherever it stands in it, and those without have none. */
static void each_its_own(void **state)
{
	struct config_case c;

	(void)state;
	config_case_load(&c, "provider \"a\" { oauth2 { " REFRESH "scope = \"one\" } url = "
	                     "\"smtp://u@mx\" }\nprovider \"b\" { url = \"smtp://mx\" }\n"
	                     "provider \"c\" { url = \"smtp://u@mx\" auth = \"xoauth2\" oauth2 { "
	                     "token-command = { \"/bin/echo\", \"x\" } } }\n");
	assert_string_equal(bytes_text(&c.error), "");
	assert_true(c.settings->providers[0].oauth2.used);
	assert_string_equal(c.settings->providers[0].oauth2.scope, "one");
	assert_false(c.settings->providers[1].oauth2.used);
	assert_true(c.settings->providers[2].oauth2.used);
	assert_int_equal(c.settings->providers[2].oauth2.token_command.count, 2);
	assert_int_equal(c.settings->providers[2].auth, PROVIDER_AUTH_XOAUTH2);
	config_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(taken),
		cmocka_unit_test(each_its_own),
	};

	return cmocka_run_group_tests(tests, enter, config_case_leave);
}
