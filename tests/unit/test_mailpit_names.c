/* SPDX-License-Identifier: ISC */
/* test_mailpit_names.c - Mailpit's variables: what they set, and who is stronger. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "config_case.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void load(struct config_case *c, const char *const *words, const char *const *environment)
{
	config_case_command(c, words, environment);
	assert_string_equal(bytes_text(&c->error), "");
	assert_int_equal(c->rc, 0);
}

static void sets_what_there_is(void **state)
{
	struct config_case c;
	const struct settings *s;

	(void)state;
	config_case_write("cert.pem", "x", 0600);
	config_case_write("key.pem", "x", 0600);
	load(&c, WORDS("--catch"),
	     WORDS("MP_SMTP_BIND_ADDR=:2525", "MP_UI_BIND_ADDR='127.0.0.1:9025'",
	           "MP_MAX_MESSAGES=\"50\"", "MP_MAX_MESSAGE_SIZE=7", "MP_SMTP_MAX_RECIPIENTS=200",
	           "MP_SMTP_TLS_CERT=cert.pem", "MP_SMTP_TLS_KEY=key.pem",
	           "MP_SMTP_REQUIRE_STARTTLS=true", "MP_WEBROOT=mail", "MP_DATABASE=/data/mail.db",
	           "MP_MAX_AGE=3d", "MP_CHAOS_TRIGGERS=Sender:451:5", "MP_ENABLE_CHAOS=true"));
	s = c.settings;
	assert_string_equal(s->listeners[0].address, "0.0.0.0");
	assert_int_equal(s->listeners[0].port, 2525);
	assert_int_equal(s->listeners[0].tls, LISTENER_TLS_REQUIRED);
	assert_string_equal(s->listeners[0].certificate, "cert.pem");
	assert_int_equal(s->listeners[0].max_message_size, 7 << 20);
	assert_int_equal(s->listeners[0].max_recipients, 200);
	assert_int_equal(s->http.listener_count, 1);
	assert_int_equal(s->http.listeners[0].port, 9025);
	assert_string_equal(s->http.base_path, "/mail/");
	assert_int_equal(s->inboxes[0].keep, 50);
	assert_true(s->chaos);
	assert_int_equal(s->chaos_triggers[CHAOS_SENDER].code, 451);
	assert_string_equal(s->spool_path, "/data/mail.db.penstock");
	config_case_release(&c);
}

static void gives_way(void **state)
{
	struct config_case c;

	(void)state;
	load(&c, WORDS("--catch", "--smtp", "127.0.0.1:0", "--spool", "/mine"),
	     WORDS("MP_SMTP_BIND_ADDR=:2525", "MP_DATABASE=/data/mail.db", "PENSTOCK_HTTP=[::1]:1",
	           "MP_UI_BIND_ADDR=[::1]:2"));
	assert_string_equal(c.settings->listeners[0].name, "127.0.0.1:0");
	assert_string_equal(c.settings->spool_path, "/mine");
	assert_int_equal(c.settings->http.listeners[0].port, 1);
	config_case_release(&c);
}

static void means_nothing_to_a_relay(void **state)
{
	struct config_case c;

	(void)state;
	load(&c, WORDS("--relay", "smtp://mx"),
	     WORDS("MP_SMTP_BIND_ADDR=:2525", "MP_UI_AUTH=a:b", "MP_POP3_AUTH=x"));
	assert_int_not_equal(c.settings->listeners[0].port, 2525);
	assert_null(strstr(bytes_text(&c.notes), "MP_"));
	config_case_release(&c);
}

static void releases_by_a_host(void **state)
{
	const struct {
		const char *const *environment;
		const char *url;
	} rows[] = {
		{ WORDS("MP_SMTP_RELAY_HOST=mx"), "smtp://mx:25" },
		{ WORDS("MP_SMTP_RELAY_HOST=mx", "MP_SMTP_RELAY_PORT=465", "MP_SMTP_RELAY_TLS=yes"),
		  "smtps://mx:465" },
		{ WORDS("MP_SMTP_RELAY_HOST=mx", "MP_SMTP_RELAY_STARTTLS=1",
		        "MP_SMTP_RELAY_USERNAME=u@x", "MP_SMTP_RELAY_AUTH=none"),
		  "smtp+tls://mx:25" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config_case c;

		load(&c, WORDS("--catch"), rows[i].environment);
		assert_string_equal(c.settings->providers[0].url, rows[i].url);
		assert_non_null(settings_release_route(c.settings, "default"));
		config_case_release(&c);
	}
}

static void logs_in_there(void **state)
{
	struct config_case c;

	(void)state;
	setenv("MP_SMTP_RELAY_PASSWORD", "pa$$ word", 1);
	load(&c, WORDS("--catch"),
	     WORDS("MP_SMTP_RELAY_HOST=mx", "MP_SMTP_RELAY_AUTH=plain",
	           "MP_SMTP_RELAY_USERNAME=u@x y"));
	unsetenv("MP_SMTP_RELAY_PASSWORD");
	assert_string_equal(c.settings->providers[0].login, "u@x y");
	assert_string_equal(c.settings->providers[0].password, "pa$$ word");
	assert_int_equal(c.settings->providers[0].tls, PROVIDER_TLS_STARTTLS);
	config_case_release(&c);
}

static void tells_what_it_ignores(void **state)
{
	struct config_case c;

	(void)state;
	load(&c, WORDS("--catch"),
	     WORDS("MP_POP3_AUTH=a:b", "MP_WEBHOOK_URL=http://x/", "MP_DEMO_MODE=false",
	           "MP_QUIET=true", "MP_SMTP_AUTH_ACCEPT_ANY=1", "MP_UNHEARD_OF=1",
	           "MP_LABEL=", "MP_TENANT_ID=''"));
	assert_non_null(strstr(bytes_text(&c.notes),
	                       "MP_POP3_AUTH, MP_WEBHOOK_URL: are not supported, and ignored"));
	config_case_release(&c);
}

static void leaves_no_door_open(void **state)
{
	struct config_case c;

	(void)state;
	config_case_command(&c, WORDS("--catch"), WORDS("MP_UI_AUTH=user:password"));
	assert_int_equal(c.rc, -1);
	assert_non_null(strstr(bytes_text(&c.error), "MP_UI_AUTH_FILE"));
	assert_null(strstr(bytes_text(&c.error), "user:password"));
	config_case_release(&c);
	config_case_command(&c, WORDS("--catch"), WORDS("MP_MAX_MESSAGES=many"));
	assert_int_equal(c.rc, -1);
	assert_non_null(strstr(bytes_text(&c.error), "MP_MAX_MESSAGES"));
	config_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_what_there_is),
		cmocka_unit_test(gives_way),
		cmocka_unit_test(means_nothing_to_a_relay),
		cmocka_unit_test(releases_by_a_host),
		cmocka_unit_test(logs_in_there),
		cmocka_unit_test(tells_what_it_ignores),
		cmocka_unit_test(leaves_no_door_open),
	};

	return cmocka_run_group_tests(tests, config_case_enter, config_case_leave);
}
