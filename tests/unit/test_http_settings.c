/* SPDX-License-Identifier: ISC */
/* test_http_settings.c - the section http and its twins on the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "config_case.h"

#define PROVIDER "provider \"p\" { url = \"smtp://mx\" }\n"

static void nothing_by_default(void **state)
{
	struct config_case c;

	(void)state;
	config_case_load(&c, PROVIDER);
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.settings->http.listener_count, 0);
	assert_string_equal(c.settings->http.base_path, "/");
	config_case_release(&c);
}

static void a_file(void **state)
{
	struct config_case c;

	(void)state;
	config_case_load(&c, PROVIDER "http { listen = { \"127.0.0.1:8025\", \"[::1]:0\" }\n"
	                              "allow-host = { \"mail.local\" }\n"
	                              "base-path = \"dev/mail\" }\n");
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.settings->http.listener_count, 2);
	assert_string_equal(c.settings->http.listeners[0].address, "127.0.0.1");
	assert_int_equal(c.settings->http.listeners[0].port, 8025);
	assert_string_equal(c.settings->http.listeners[1].address, "::1");
	assert_string_equal(c.settings->http.allow_host.items[0], "mail.local");
	assert_string_equal(c.settings->http.base_path, "/dev/mail/");
	assert_int_equal(c.settings->http.max_connections, 1000);
	assert_null(c.settings->http.certificate);
	config_case_release(&c);
}

static void refused(void **state)
{
	static const char *const cases[][2] = {
		{ "listen = { \"8025\" }", "listen: \"8025\": write an address and a port such as "
		                           "\"127.0.0.1:8025\" (--http off: no web)" },
		{ "listen = { \"unix:/tmp/x\" }",
		  "listen: \"unix:/tmp/x\": write an address and a port such as "
		  "\"127.0.0.1:8025\" (--http off: no web)" },
		{ "listen = { \"0.0.0.0:8025\" }",
		  "listen: 0.0.0.0:8025: everybody who reaches it could read mail: write auth-file "
		  "= \"FILE\", or listen on 127.0.0.1" },
		{ "certificate = \"/etc/passwd\"",
		  "certificate: certificate and key go together: write both (it may be one file)" },
		{ "base-path = \"/a/../b\"",
		  "base-path: write a path of letters, digits, - . _ ~ and / such as \"/mail/\"" },
		{ "base-path = \"/a?b\"",
		  "base-path: write a path of letters, digits, - . _ ~ and / such as \"/mail/\"" },
		{ "auth-file = \"/nowhere/x\"",
		  "auth-file: /nowhere/x cannot be read: No such file or directory" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes text = { 0 }, message = { 0 };

		bytes_printf(&text, PROVIDER "http {\n%s\n}\n", cases[i][0]);
		bytes_printf(&message, "t.conf:3: http: %s", cases[i][1]);
		config_case_refused(bytes_text(&text), bytes_text(&message));
		bytes_release(&text);
		bytes_release(&message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_by_default),
		cmocka_unit_test(a_file),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, config_case_enter, config_case_leave);
}
