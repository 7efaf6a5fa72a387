/* SPDX-License-Identifier: ISC */
/* test_etc.c - the configuration as installed says the truth: what it proposes is the language. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_case.h"

/* Taken away, so that the test does not depend on what is installed. */
#define OWN "/etc/penstock/"

static struct bytes installed; /* read before the tests leave the directory */

static void read_installed(void)
{
	const char *top = getenv("TOP_SRCDIR");
	struct bytes path = { 0 };
	char line[256];
	FILE *file;

	bytes_printf(&path, "%s/etc/penstock.conf", top == NULL ? "." : top);
	file = fopen(bytes_text(&path), "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		bytes_append_text(&installed, line);
	if (file != NULL)
		fclose(file);
	bytes_release(&path);
}

static void is_all_comments(void **state)
{
	const char *text = bytes_text(&installed);

	(void)state;
	assert_true(strlen(text) > 100);
	for (; *text != '\0'; text += strcspn(text, "\n") + 1)
		assert_true(*text == '#' || *text == '\n');
}

/* With every "#" before an option removed only the files that it names are missing. */
static void proposes_the_language(void **state)
{
	struct bytes text = { 0 };

	(void)state;
	for (const char *p = bytes_text(&installed); *p != '\0'; p++) {
		bool begins = p == bytes_text(&installed) || p[-1] == '\n';
		bool option = isalpha((unsigned char)p[1]) || p[1] == '}' ||
		              strncmp(p + 1, "    ", 4) == 0;
		if (strncmp(p, OWN, strlen(OWN)) == 0)
			p += strlen(OWN) - 1;
		else if (!begins || *p != '#' || !option)
			bytes_append_char(&text, *p);
	}
	config_case_refused(bytes_text(&text),
	                    "t.conf:11: provider \"smarthost\": password-file: "
	                    "smarthost.password cannot be read: No such file or directory\n"
	                    "t.conf:37: listen \"10.0.0.5:25\": certificate: cert.pem cannot be "
	                    "read: No such file or directory\n"
	                    "t.conf:38: listen \"10.0.0.5:25\": key: key.pem cannot be read: No "
	                    "such file or directory\n"
	                    "t.conf:54: listen \"10.0.0.5:587\": certificate: cert.pem cannot be "
	                    "read: No such file or directory\n"
	                    "t.conf:55: listen \"10.0.0.5:587\": key: key.pem cannot be read: No "
	                    "such file or directory\n"
	                    "t.conf:53: listen \"10.0.0.5:587\": users: users: cannot be read: "
	                    "No such file or directory");
	bytes_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_all_comments),
		cmocka_unit_test(proposes_the_language),
	};
	int rc;

	read_installed();
	rc = cmocka_run_group_tests(tests, config_case_enter, config_case_leave);
	bytes_release(&installed);
	return rc;
}
