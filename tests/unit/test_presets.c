/* SPDX-License-Identifier: ISC */
/* Every preset that is installed is the language, and is overridden by what is written. */
#include "config_case.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct {
	const char *name, *more, *host;
	uint16_t port;
	size_t connections, messages, recipients;
	uint64_t size;
	size_t rates;
	bool has_login;
} presets[] = {
	{ "amazon-ses", "region = \"eu-west-1\"", "email-smtp.eu-west-1.amazonaws.com", 587, 10,
	  100, 50, 40000000, 0, false },
	{ "sendgrid", "", "smtp.sendgrid.net", 587, 10, 5000, 1000, 0, 0, true },
	{ "mailgun", "", "smtp.mailgun.org", 587, 10, 100, 1000, 25000000, 0, false },
	{ "mailgun-eu", "", "smtp.eu.mailgun.org", 587, 10, 100, 1000, 25000000, 0, false },
	{ "mandrill", "", "smtp.mandrillapp.com", 587, 10, 100, 1000, 0, 0, false },
	{ "postmark", "", "smtp.postmarkapp.com", 587, 10, 100, 50, 10000000, 0, false },
	{ "sparkpost", "", "smtp.sparkpostmail.com", 587, 10, 100, 50, 20000000, 0, true },
	{ "sparkpost-eu", "", "smtp.eu.sparkpostmail.com", 587, 10, 100, 50, 20000000, 0, true },
	{ "brevo", "", "smtp-relay.brevo.com", 587, 10, 100, 50, 0, 0, false },
	{ "mailtrap", "", "live.smtp.mailtrap.io", 587, 10, 100, 50, 10000000, 0, true },
	{ "gmail", "", "smtp.gmail.com", 587, 10, 100, 100, 25000000, 1, false },
	{ "google-relay", "", "smtp-relay.gmail.com", 587, 10, 100, 100, 25000000, 1, false },
	{ "microsoft365", "", "smtp.office365.com", 587, 3, 100, 50, 0, 2, false },
	{ "outlook", "", "smtp-mail.outlook.com", 587, 3, 100, 100, 0, 1, false },
	{ "yahoo", "", "smtp.mail.yahoo.com", 465, 2, 20, 100, 0, 1, false },
};

static void load(struct config_case *c, const char *preset, const char *more)
{
	char text[1024];

	(void)snprintf(text, sizeof(text),
	               "provider \"p\" {\n preset = \"%s\"\n password-file = \"secret\"\n %s\n}\n",
	               preset, more);
	config_case_write("secret", "hush\n", 0600);
	config_case_load(c, text);
}

static void test_each_is_what_its_provider_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
		char more[200];
		const struct provider_settings *p;
		struct config_case c;

		(void)snprintf(more, sizeof(more), "%s%s", presets[i].more,
		               presets[i].has_login ? "" : " login = \"me\"");
		load(&c, presets[i].name, more);
		assert_string_equal(bytes_text(&c.error), "");
		p = &c.settings->providers[0];
		assert_string_equal(p->host, presets[i].host);
		assert_int_equal(p->port, presets[i].port);
		assert_int_equal(p->tls, presets[i].port == 465 ? PROVIDER_TLS_IMPLICIT
		                                                : PROVIDER_TLS_STARTTLS);
		assert_int_equal(p->verify, TLS_VERIFY_FULL);
		assert_non_null(p->login);
		assert_int_equal(p->connections, presets[i].connections);
		assert_int_equal(p->messages_per_connection, presets[i].messages);
		assert_int_equal(p->recipients_per_message, presets[i].recipients);
		assert_int_equal(p->max_message_size, presets[i].size);
		assert_int_equal(p->rate_count, presets[i].rates);
		config_case_release(&c);
	}
}

/* Where the owner of a mailbox agrees, for who writes the section; nobody else gets one. */
static void test_tokens(void **state)
{
	static const struct {
		const char *preset, *authorize, *token, *scope;
	} rows[] = {
		{ "gmail", "https://accounts.google.com/o/oauth2/v2/auth",
		  "https://oauth2.googleapis.com/token", "https://mail.google.com/" },
		{ "google-relay", "https://accounts.google.com/o/oauth2/v2/auth",
		  "https://oauth2.googleapis.com/token", "https://mail.google.com/" },
		{ "microsoft365",
		  "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize",
		  "https://login.microsoftonline.com/organizations/oauth2/v2.0/token",
		  "offline_access https://outlook.office.com/SMTP.Send" },
		{ "outlook", "https://login.microsoftonline.com/consumers/oauth2/v2.0/authorize",
		  "https://login.microsoftonline.com/consumers/oauth2/v2.0/token",
		  "offline_access https://outlook.office.com/SMTP.Send" },
		{ "yahoo", "https://api.login.yahoo.com/oauth2/request_auth",
		  "https://api.login.yahoo.com/oauth2/get_token", "mail-w" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct oauth2_settings *o;
		struct bytes out = { 0 };
		struct config_case c;
		char text[512];

		(void)snprintf(text, sizeof(text),
		               "provider \"p\" {\n preset = \"%s\"\n login = \"me\"\n oauth2 {\n"
		               " client-id = \"x\"\n refresh-token-file = \"t\"\n }\n}\n",
		               rows[i].preset);
		config_case_load(&c, text);
		assert_string_equal(bytes_text(&c.error), "");
		o = &c.settings->providers[0].oauth2;
		assert_true(o->used);
		assert_string_equal(o->authorize_url, rows[i].authorize);
		assert_string_equal(o->token_url, rows[i].token);
		assert_string_equal(o->scope, rows[i].scope);
		settings_print(c.settings, &out);
		assert_non_null(strstr(bytes_text(&out), rows[i].token));
		bytes_release(&out);
		config_case_release(&c);
		load(&c, rows[i].preset, "login = \"me\"");
		assert_string_equal(bytes_text(&c.error), "");
		assert_false(c.settings->providers[0].oauth2.used);
		settings_print(c.settings, &out);
		assert_null(strstr(bytes_text(&out), "oauth2"));
		bytes_release(&out);
		config_case_release(&c);
	}
	/* An application's own secret is for one tenant. */
	config_case_refused(
		"provider \"p\" {\n preset = \"microsoft365\"\n login = \"me\"\n oauth2 {\n"
		" grant = \"client-credentials\"\n client-id = \"x\"\n"
		" client-secret-file = \"secret\"\n }\n}\n",
		"t.conf:4: provider \"p\": oauth2: token-url is missing\n"
		"t.conf:4: provider \"p\": oauth2: scope is missing");
}

static void test_what_is_written_counts(void **state)
{
	struct bytes out = { 0 };
	struct config_case c;
	const struct provider_settings *p;

	(void)state;
	load(&c, "gmail",
	     "login = \"me@gmail.com\" rate = { \"2000/d\", \"5/s\" } connections = 2\n"
	     "reply '^454 ' { means = \"defer\" }");
	assert_string_equal(bytes_text(&c.error), "");
	p = &c.settings->providers[0];
	assert_int_equal(p->rate_count, 2);
	assert_int_equal(p->rates[0].count, 2000);
	assert_int_equal(p->connections, 2);
	assert_int_equal(p->recipients_per_message, 100);
	assert_int_equal(p->replies[0]->means, REPLY_MEANS_DEFER); /* the preset's come after */
	assert_int_equal(p->replies[1]->means, REPLY_MEANS_QUOTA);
	settings_print(c.settings, &out);
	assert_non_null(strstr(bytes_text(&out), "preset = \"gmail\""));
	assert_non_null(strstr(bytes_text(&out), "# gmail.conf:5"));
	assert_non_null(strstr(bytes_text(&out), "connections = 2"));
	/* What it prints can be read back, and means the same. */
	config_case_release(&c);
	config_case_load(&c, bytes_text(&out));
	assert_string_equal(bytes_text(&c.error), "");
	assert_int_equal(c.settings->providers[0].rate_count, 2);
	bytes_release(&out);
	config_case_release(&c);
}

static void test_what_is_wrong_is_named(void **state)
{
	struct config_case c;

	(void)state;
	load(&c, "amazon-ses", "login = \"x\"");
	assert_string_equal(
		bytes_text(&c.error),
		"t.conf:2: provider \"p\": preset: \"amazon-ses\" needs a region: write "
		"region = \"eu-west-1\", or where you are");
	config_case_release(&c);
	load(&c, "amazon-ses", "login = \"x\" region = \"eu.evil.example#\"");
	assert_non_null(strstr(bytes_text(&c.error), "write a region as in"));
	config_case_release(&c);
	load(&c, "gmail", "login = \"x\" region = \"eu\"");
	assert_non_null(strstr(bytes_text(&c.error), "has no regions: remove it"));
	config_case_release(&c);
	load(&c, "../../etc/passwd", "login = \"x\"");
	assert_non_null(strstr(bytes_text(&c.error), "there is no preset"));
	config_case_release(&c);
	load(&c, "amazon", "login = \"x\"");
	assert_non_null(strstr(bytes_text(&c.error), "write one of amazon-ses, brevo, "));
	config_case_release(&c);
}

static int enter(void **state)
{
	const char *top = getenv("TOP_SRCDIR");
	char here[1024], path[2048];

	if (getcwd(here, sizeof(here)) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/etc/providers", top == NULL ? here : top);
	return setenv("PENSTOCK_PROVIDERS", path, 1) != 0 ? -1 : config_case_enter(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_what_its_provider_says),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_what_is_written_counts),
		cmocka_unit_test(test_what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, enter, config_case_leave);
}
