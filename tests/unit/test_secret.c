/* SPDX-License-Identifier: ISC */
/* test_secret.c - passwords from files and variables: what is stripped, noted and refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config_case.h"

#define FROM_FILE "provider \"p\" {\n url = \"smtp://u@mx\"\n password-file = \"secret\"\n}\n"
#define FROM_ENV  "provider \"p\" {\n url = \"smtp://u@mx\"\n password-env = \"SECRET\"\n}\n"

static void expect_password(const char *text, const char *password)
{
	struct config_case c;

	config_case_load(&c, text);
	assert_string_equal(bytes_text(&c.error), "");
	assert_string_equal(c.settings->providers[0].password, password);
	config_case_release(&c);
}

static void line_ends(void **state)
{
	static const char *const files[][2] = {
		{ "abc", "abc" },       { "abc\n", "abc" }, { "abc\r\n", "abc" },
		{ " abc \n", " abc " }, { "a\tb", "a\tb" }, { "\xc3\xa4", "\xc3\xa4" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		config_case_write("secret", files[i][0], 0600);
		expect_password(FROM_FILE, files[i][1]);
	}
	assert_int_equal(setenv("SECRET", "from the environment", 1), 0);
	expect_password(FROM_ENV, "from the environment");
}

static void refused(void **state)
{
	static const struct {
		const char *content, *message;
	} files[] = {
		{ "", "t.conf:3: provider \"p\": password-file: secret holds no password" },
		{ "\n", "t.conf:3: provider \"p\": password-file: secret holds no password" },
		{ "\r\n", "t.conf:3: provider \"p\": password-file: secret holds no password" },
		{ "abc\n\n", "t.conf:3: provider \"p\": password-file: secret holds more than one "
		             "line: write the password alone into it" },
		{ "a\nb",
		  "t.conf:3: provider \"p\": password-file: secret holds more than one line: "
		  "write the password alone into it" },
	};
	char *large = memory_new(4098);

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		config_case_write("secret", files[i].content, 0600);
		config_case_refused(FROM_FILE, files[i].message);
	}
	memset(large, 'x', 4097);
	config_case_write("secret", large, 0600);
	config_case_refused(FROM_FILE,
	                    "t.conf:3: provider \"p\": password-file: secret is too long "
	                    "for a password");
	large[4096] = '\0';
	config_case_write("secret", large, 0600);
	expect_password(FROM_FILE, large);
	free(large);
}

static void sources(void **state)
{
	(void)state;
	assert_int_equal(unsetenv("SECRET"), 0);
	config_case_refused(FROM_ENV,
	                    "t.conf:3: provider \"p\": password-env: the variable SECRET is "
	                    "not set");
	assert_int_equal(setenv("SECRET", "", 1), 0);
	config_case_refused(FROM_ENV,
	                    "t.conf:3: provider \"p\": password-env: SECRET holds no password");
	config_case_refused(
		"provider \"p\" {\n url = \"smtp://u@mx\"\n password-file = \"none\"\n}\n",
		"t.conf:3: provider \"p\": password-file: none cannot be read: No such "
		"file or directory");
	config_case_refused(
		"provider \"p\" {\n url = \"smtp://u@mx\"\n password-file = \"x\"\n "
		"password-env = \"y\"\n}\n",
		"t.conf:2: provider \"p\": url: a password comes from one place: keep one of "
		"password-file, password-env and password-command");
}

static void others_can_read(void **state)
{
	struct config_case c;

	(void)state;
	config_case_write("secret", "abc\n", 0644);
	config_case_taken(FROM_FILE, "t.conf:3: provider \"p\": password-file: others can read "
	                             "secret: chmod 600 secret\n");
	config_case_write("secret", "abc\n", 0600);
	config_case_load(&c, FROM_FILE);
	assert_null(strstr(bytes_text(&c.notes), "chmod"));
	config_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_ends),
		cmocka_unit_test(refused),
		cmocka_unit_test(sources),
		cmocka_unit_test(others_can_read),
	};

	return cmocka_run_group_tests(tests, config_case_enter, config_case_leave);
}
