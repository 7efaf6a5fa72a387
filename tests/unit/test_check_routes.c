/* SPDX-License-Identifier: ISC */
/* test_check_routes.c - credentials only over verified TLS, providers and routes that fit. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config_case.h"

#define LOGIN(url, more) \
	"provider \"p\" {\n url = \"" url "\"\n password-file = \"secret\"\n " more "\n}\n"

static int enter(void **state)
{
	if (config_case_enter(state) != 0)
		return -1;
	config_case_write("secret", "s3cr3t\n", 0600);
	config_case_write("ca.pem", "x", 0600);
	return 0;
}

struct refusal {
	const char *text, *message;
};

static void credentials(void **state)
{
#define NOTLS                                                                        \
	"t.conf:2: provider \"p\": url: a login goes over verified TLS only: write " \
	"smtp+tls:// or smtps:// instead of smtp+notls://, or remove the login"
#define OFF                                                                                     \
	"t.conf:4: provider \"p\": tls-verify: \"off\" does not go with a login, which would "  \
	"be told to anybody: name the server's CA with tls-ca = \"FILE\", or pin its key with " \
	"tls-verify = \"pin:sha256/...\""
	static const struct refusal bad[] = {
		{ LOGIN("smtp+notls://u@mx", ""), NOTLS },
		{ LOGIN("smtp+notls://u@127.0.0.1", ""), NOTLS },
		{ LOGIN("smtp+notls://localhost", "login = \"u\""), NOTLS },
		{ LOGIN("smtp://u@mx", "tls-verify = \"off\""), OFF },
		{ LOGIN("smtps://u@localhost", "tls-verify = \"off\""), OFF },
		{ LOGIN("smtp+notls://u@mx:465", "tls-verify = \"off\""), OFF },
		{ LOGIN("smtp://mx", ""),
		  "t.conf:2: provider \"p\": url: a password without a login: "
		  "write login = \"USER\", or the URL as smtp://USER@HOST" },
		{ "provider \"p\" {\n url = \"smtp://mx\"\n login = \"u\"\n}\n",
		  "t.conf:2: provider \"p\": url: a login without a password: write password-file "
		  "= "
		  "\"FILE\" or password-env = \"NAME\"" },
		{ LOGIN("smtp://u@mx", "login = \"v\""),
		  "t.conf:2: provider \"p\": url: a login is written here and in the option login: "
		  "keep one of them" },
	};
	static const char *const good[] = {
		LOGIN("smtp://u@mx", ""),
		LOGIN("smtp://mx", "login = \"u\""),
		LOGIN("smtps://u@mx", "tls-verify = \"ca\""),
		LOGIN("smtp+tls://u@localhost", "tls-ca = \"ca.pem\""),
		LOGIN("smtp://u@mx",
		      "tls-verify = \"pin:sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\""),
		LOGIN("smtp+notls://u@mx:465", ""), /* port 465 is TLS, whatever is written */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		config_case_refused(bad[i].text, bad[i].message);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		config_case_taken(good[i], NULL);
}

static void provider_tls(void **state)
{
	static const struct {
		const char *text;
		enum provider_tls tls;
	} cases[] = {
		{ "provider \"p\" { url = \"smtp://localhost:25\" }", PROVIDER_TLS_OPPORTUNISTIC },
		{ "provider \"p\" { url = \"smtp://[::1]\" }", PROVIDER_TLS_OPPORTUNISTIC },
		{ LOGIN("smtp://u@localhost", ""), PROVIDER_TLS_STARTTLS },
		{ LOGIN("smtp://localhost", "login = \"u\""), PROVIDER_TLS_STARTTLS },
		{ "provider \"p\" { url = \"smtp://mx\" }", PROVIDER_TLS_STARTTLS },
		{ "provider \"p\" { url = \"smtp+tls://localhost\" }", PROVIDER_TLS_STARTTLS },
		{ "provider \"p\" { url = \"smtp+notls://mx\" }", PROVIDER_TLS_NEVER },
		{ "provider \"p\" { url = \"smtps://mx:587\" }", PROVIDER_TLS_IMPLICIT },
		{ "provider \"p\" { url = \"smtp://mx:465\" }", PROVIDER_TLS_IMPLICIT },
		{ "provider \"p\" { url = \"smtp+tls://mx:2465\" }", PROVIDER_TLS_IMPLICIT },
		{ "provider \"p\" { url = \"smtp+notls://localhost:465\" }",
		  PROVIDER_TLS_IMPLICIT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_case c;
		config_case_load(&c, cases[i].text);
		assert_string_equal(bytes_text(&c.error), "");
		assert_int_equal(c.settings->providers[0].tls, cases[i].tls);
		assert_int_equal(c.settings->providers[0].verify,
		                 cases[i].tls == PROVIDER_TLS_OPPORTUNISTIC ? TLS_VERIFY_OFF
		                                                            : TLS_VERIFY_FULL);
		config_case_release(&c);
	}
	config_case_taken(
		"provider \"p\" { url = \"smtp+notls://mx\" }",
		"t.conf:1: provider \"p\": url: mail to mx goes without TLS: everybody on "
		"the way can read it\n");
	config_case_taken("provider \"p\" { url = \"smtp://mx\" tls-verify = \"off\" }",
	                  "t.conf:1: provider \"p\": tls-verify: the server mx is not verified\n");
}

static void providers(void **state)
{
	static const struct refusal bad[] = {
		{ "\nprovider \"p\" {\n}\n",
		  "t.conf:2: provider \"p\": url: is missing: write url = "
		  "\"smtp://HOST:587\"" },
		{ "provider \"inbox\" { url = \"smtp://mx\" }\n",
		  "t.conf:1: provider \"inbox\": this name is built in: choose another" },
		{ "provider \"discard\" { url = \"discard:\" }\n",
		  "t.conf:1: provider \"discard\": this name is built in: choose another" },
		{ "provider \"p\" { url = \"inbox:qa\" }\nroute \"r\" { via = { \"p\" } }\n",
		  "t.conf:1: provider \"p\": url: there is no inbox \"qa\": write inbox \"qa\" { "
		  "}" },
		{ "provider \"p\" { url = \"discard:\"  login = \"u\" }\n",
		  "t.conf:1: provider \"p\": a login goes with an smtp URL only" },
		{ "provider \"p\" { url = \"smtp://mx\"  tls-ca = \"none.pem\" }\n",
		  "t.conf:1: provider \"p\": tls-ca: none.pem cannot be read: No such file or "
		  "directory" },
		{ "provider \"p\" { url = \"smtp://mx\"  tls-key = \"/dev/null\" }\n",
		  "t.conf:1: provider \"p\": tls-key: write tls-certificate = \"FILE\" besides" },
		{ "provider \"p\" { url = \"smtp://mx\"  tls-certificate = \"/dev/null\" }\n",
		  "t.conf:1: provider \"p\": tls-certificate: write tls-key = \"FILE\" besides" },
#define WARM_UP(list) "provider \"p\" { url = \"smtp://mx\"  warm-up = " list " }\n"
#define GROWS                                                                             \
	"t.conf:1: provider \"p\": warm-up: write the limit of the first day and how it " \
	"grows, as in { \"200/d\", \"doubling\" }"
		{ WARM_UP("{ \"200/d\" }"), GROWS },
		{ WARM_UP("{ \"200\", \"doubling\" }"), GROWS },
		{ WARM_UP("{ \"200/d\", \"slowly\" }"), GROWS },
		{ WARM_UP("{ \"200/d burst 7\", \"doubling\" }"), GROWS },
		{ "provider \"p\" { url = \"smtp://mx\"  rewrite-from = \"app\" }\n",
		  "t.conf:1: provider \"p\": rewrite-from: \"app\" is no address (address has no "
		  "domain): "
		  "write "
		  "one such as \"app@example.com\"" },
		{ "provider \"p\" { url = \"smtp://mx\"  rewrite-from = \"app@a.example\"  "
		  "from-allowed = { \"*@b.example\" } }\n",
		  "t.conf:1: provider \"p\": rewrite-from: \"app@a.example\" is not among those of "
		  "from-allowed" },
		{ "provider \"p\" { url = \"discard:\"  from-allowed = { \"*@b.example\" } }\n",
		  "t.conf:1: provider \"p\": from-allowed and rewrite-from go with an smtp URL "
		  "only" },
		{ "provider \"a b\" { url = \"smtp://mx\" }\n",
		  "t.conf:1: provider \"a b\": write a name of letters, digits and . _ -, at most "
		  "64 "
		  "of them" },
		{ "inbox \"q\" { }\n", "t.conf: there is no provider to hand mail to: write "
		                       "provider \"smarthost\" { url = "
		                       "\"smtp://USER@HOST:587\"  password-file = \"FILE\" }" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		config_case_refused(bad[i].text, bad[i].message);
	config_case_taken("inbox \"qa\" { }\nprovider \"p\" { url = \"inbox:qa\" }\n"
	                  "route \"r\" { via = { \"p\" } }\n",
	                  NULL);
}

#define P "provider \"p\" { url = \"smtp://mx\" }\n"

static void what_a_route_says(void **state)
{
	static const struct refusal bad[] = {
		{ P "route \"r\" { via = { \"p:3\" } }\n",
		  "t.conf:2: route \"r\": via: \"p:3\": a weight goes with balance = \"weight\": "
		  "write it, too, or the name alone" },
		{ P "route \"r\" { via = { \"p:0\" } balance = \"weight\" }\n",
		  "t.conf:2: route \"r\": via: \"p:0\": write a weight from 1 to 1000, as in "
		  "\"p:3\"" },
		{ P "route \"r\" { via = { \"p:3x\" } balance = \"weight\" }\n",
		  "t.conf:2: route \"r\": via: \"p:3x\": write a weight from 1 to 1000, as in "
		  "\"p:3\"" },
		{ P "route \"r\" { via = { \"p:3\", \"p:1\" } balance = \"weight\" }\n",
		  "t.conf:2: route \"r\": via: \"p\" is named twice" },
		{ P "route \"r\" { via = { \"p\" } balance = \"even\" }\n",
		  "t.conf:2: route \"r\": balance = \"even\": write \"order\" or \"weight\" or "
		  "\"least-busy\"" },
		{ P "route \"r\" {\n copy = \"q\"\n}\n",
		  "t.conf:3: route \"r\": copy: there is no inbox \"q\": write \"inbox\", "
		  "\"inbox:NAME\" with an inbox \"NAME\" { }, or the name of a provider that is an "
		  "inbox" },
		{ P "route \"r\" {\n copy = \"p\"\n}\n",
		  "t.conf:3: route \"r\": copy: there is no inbox \"p\": write \"inbox\", "
		  "\"inbox:NAME\" with an inbox \"NAME\" { }, or the name of a provider that is an "
		  "inbox" },
		{ "route \"r\" {\n copy = \"inbox:default\"\n via = { \"inbox\" }\n}\n",
		  "t.conf:2: route \"r\": copy: the mail goes to this inbox anyway: remove it" },
		{ P "inbox \"qa\" {\n release = \"q\"\n}\n",
		  "t.conf:3: inbox \"qa\": release: there is no provider \"q\" that mail leaves "
		  "by: write provider \"q\" { url = \"smtp://HOST:587\" }" },
		{ P "inbox \"qa\" {\n release = \"inbox\"\n}\n",
		  "t.conf:3: inbox \"qa\": release: there is no provider \"inbox\" that mail "
		  "leaves "
		  "by: write provider \"inbox\" { url = \"smtp://HOST:587\" }" },
#define FIELD(text)                                                                         \
	"t.conf:2: route \"r\": header: \"" text "\" is no field: write its name, a colon " \
	"and a pattern, as in \"X-Tag: bulk\" or \"X-Tag: *\""
		{ "route \"r\" {\n header = { \"bulk\" }\n via = { \"discard\" }\n}\n",
		  FIELD("bulk") },
		{ "route \"r\" {\n header = { \"X: a\", \": a\" }\n via = { \"discard\" }\n}\n",
		  FIELD(": a") },
		{ "route \"r\" {\n header = { \"X Y: a\" }\n via = { \"discard\" }\n}\n",
		  FIELD("X Y: a") },
		{ "route \"r\" {\n header = { \"X: \" }\n via = { \"discard\" }\n}\n",
		  FIELD("X: ") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		config_case_refused(bad[i].text, bad[i].message);
}

static void routes(void **state)
{
	static const struct refusal bad[] = {
		{ P "route \"r\" {\n via = { \"p\", \"q\" }\n}\n",
		  "t.conf:3: route \"r\": via: there is no provider \"q\": write provider \"q\" { "
		  "url = "
		  "\"smtp://HOST:587\" }" },
		{ P "route \"r\" { via = { \"p\", \"inbox\" } }\n",
		  "t.conf:2: route \"r\": via: the inbox \"inbox\" stands alone: an inbox never "
		  "fails, "
		  "so nothing would go to the others" },
		{ P "route \"r\" { via = { \"p\", \"p\" } }\n",
		  "t.conf:2: route \"r\": via: \"p\" is named twice" },
		{ "route \"r\" { }\n",
		  "t.conf:1: route \"r\": via: names no provider, and there is "
		  "none to take: write via = { \"NAME\" }" },
		{ P "route \"r:1\" { }\n",
		  "t.conf:2: route \"r:1\": write a name of letters, digits "
		  "and . _ -, at most 64 of them" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		config_case_refused(bad[i].text, bad[i].message);
	config_case_taken("route \"r\" { via = { \"inbox\" } }\n", NULL);
	config_case_taken(P
	                  "provider \"q\" { url = \"smtp://mx\" }\nroute \"r\" { via = { \"p:3\", "
	                  "\"q\" } balance = \"weight\" }\n",
	                  NULL);
	config_case_taken("route \"r\" { via = { \"discard\" } copy = \"inbox\" }\n", NULL);
	config_case_taken("inbox \"q\" { }\nprovider \"p\" { url = \"inbox:q\" }\n"
	                  "route \"r\" { via = { \"p\" } copy = \"inbox\" }\n"
	                  "route \"s\" { via = { \"inbox\" } copy = \"p\" }\n"
	                  "route \"t\" { via = { \"inbox\" } copy = \"inbox:q\" }\n",
	                  NULL);
	config_case_taken("route \"r\" { via = { \"discard\" } }\n", NULL);
	config_case_taken(P "route \"a\" { via = { \"inbox\" } }\nroute \"b\" { }\n", NULL);
}

static void default_route(void **state)
{
	struct config_case c;

	(void)state;
	config_case_load(&c, "inbox \"qa\" { }\nprovider \"a\" { url = \"smtp://mx\" }\n"
	                     "provider \"b\" { url = \"inbox:qa\" }\n"
	                     "provider \"c\" { url = \"discard:\" }\n");
	assert_string_equal(bytes_text(&c.error), "");
	assert_int_equal(c.settings->route_count, 1);
	assert_string_equal(c.settings->routes[0].name, "default");
	assert_int_equal(c.settings->routes[0].via.count, 2); /* an inbox is chosen by name only */
	assert_string_equal(c.settings->routes[0].via.items[0], "a");
	assert_string_equal(c.settings->routes[0].via.items[1], "c");
	config_case_release(&c);
}

static void bounce_address(void **state)
{
	struct config_case c;

	(void)state;
	config_case_load(&c, P "bounces { from = \"a b@c\" }\n");
	assert_int_equal(c.rc, -1);
	assert_non_null(
		strstr(bytes_text(&c.error), "t.conf:2: bounces: from: \"a b@c\" is no address"));
	config_case_release(&c);
	config_case_load(&c, P "hostname = \"relay.example.net\"\n");
	assert_string_equal(c.settings->bounce_from, "MAILER-DAEMON@relay.example.net");
	config_case_release(&c);
}

static void tags(void **state)
{
	struct config_case c;

	(void)state;
	config_case_refused("route \"r\" { via = { \"inbox\" } }\ntag \"Bills\" { }\n",
	                    "t.conf:2: tag \"Bills\": query: is missing: write query = { "
	                    "\"subject:invoice\" }, a search of the inbox");
	config_case_refused("route \"r\" { via = { \"inbox\" } }\n"
	                    "tag \"Bills\" {\n query = { \"a\" }\n inbox = \"qa\"\n}\n",
	                    "t.conf:4: tag \"Bills\": inbox: there is no inbox \"qa\": write "
	                    "inbox \"qa\" { }");
	config_case_load(&c, "route \"r\" { via = { \"inbox\" } }\n"
	                     "inbox \"qa\" { tag-login = true }\n"
	                     "tag \"My bills\" { query = { \"a\", \"b\" }  inbox = \"qa\" }\n");
	assert_int_equal(c.settings->tag_count, 1);
	assert_string_equal(c.settings->tags[0].name, "My bills");
	assert_string_equal(c.settings->tags[0].query.items[1], "b");
	config_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials),       cmocka_unit_test(provider_tls),
		cmocka_unit_test(providers),         cmocka_unit_test(routes),
		cmocka_unit_test(what_a_route_says), cmocka_unit_test(default_route),
		cmocka_unit_test(bounce_address),    cmocka_unit_test(tags),
	};

	return cmocka_run_group_tests(tests, enter, config_case_leave);
}
