/* SPDX-License-Identifier: ISC */
/* test_print.c - what -n prints: origins, no secrets, and a text that means the same again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config_case.h"

static const char text[] =
	"hostname = \"relay.example.net\"\n"
	"stop-timeout = \"90s\"\n"
	"user = \"root\"\n"
	"listen \"127.0.0.1:2525\" { relay-from = { \"10.0.0.0/8\", \"::1\" } }\n"
	"provider \"ses\" {\n"
	"  url = \"smtp://mx.example.net:587\"\n"
	"  login = \"we\\\"ird\\\\\"\n"
	"  password-file = \"secret\"\n"
	"  tls-verify = \"pin:sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"\n"
	"  rate = { \"14/s burst 28\", \"50000 recipients/d\" }\n"
	"}\n"
	"provider \"two\" { url = \"smtp://user@mx\"  password-file = \"secret\" }\n"
	"route \"r\" { sender = { \"*@a\", \"b${HOME}c\" }  retry = { \"90s\" }  priority = -2 }\n";

/* Columns are for the eye: one space before a comment is enough here. */
static void print(const struct settings *s, struct bytes *out)
{
	size_t kept = 0;

	settings_print(s, out);
	for (size_t i = 0; i < out->length; i++) {
		if (out->data[i] != ' ' || kept == 0 || out->data[kept - 1] != ' ')
			out->data[kept++] = out->data[i];
	}
	out->length = kept;
}

static void has_line(const char *output, const char *line)
{
	if (strstr(output, line) == NULL)
		assert_string_equal(output, line);
}

static void says_where_values_come_from(void **state)
{
	struct config_case c;
	struct bytes out = { 0 };

	(void)state;
	config_case_load(&c, text);
	assert_string_equal(bytes_text(&c.error), "");
	print(c.settings, &out);
	has_line(bytes_text(&out), "\nprovider \"ses\" { # t.conf:5\n"
	                           "\t# mx.example.net port 587, STARTTLS required\n"
	                           "\t# password: ***\n"
	                           "\turl = \"smtp://mx.example.net:587\" # t.conf:6\n"
	                           "\tauth = \"auto\" # default\n"
	                           "\tlogin = \"we\\\"ird\\\\\" # t.conf:7\n"
	                           "\tpassword-file = \"secret\" # t.conf:8\n");
	has_line(bytes_text(&out), "\tconnections = 10 # default\n");
	has_line(bytes_text(&out),
	         "\trate = { \"14/s burst 28\", \"50000 recipients/d\" } # t.conf:10\n");
	has_line(bytes_text(&out), "\nstop-timeout = \"90s\" # t.conf:2\n");
	assert_null(strstr(bytes_text(&out), "s3cr3t"));
	bytes_release(&out);
	config_case_release(&c);
}

/* All but the comments stays the same when the output is read and printed again. */
static void strip_comments(struct bytes *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < out->length; i++) {
		if (out->data[i] == '#') {
			while (i < out->length && out->data[i] != '\n')
				i++;
			while (kept > 0 &&
			       (out->data[kept - 1] == ' ' || out->data[kept - 1] == '\t'))
				kept--;
		}
		if (i < out->length)
			out->data[kept++] = out->data[i];
	}
	out->length = kept;
}

static void can_be_read_back(void **state)
{
	struct config_case c;
	struct bytes first = { 0 }, second = { 0 };

	(void)state;
	config_case_load(&c, text);
	print(c.settings, &first);
	config_case_release(&c);
	config_case_load(&c, bytes_text(&first));
	assert_string_equal(bytes_text(&c.error), "");
	assert_string_equal(c.settings->providers[0].login, "we\"ird\\");
	print(c.settings, &second);
	strip_comments(&first);
	strip_comments(&second);
	assert_string_equal(bytes_text(&second), bytes_text(&first));
	config_case_release(&c);
	bytes_release(&first);
	bytes_release(&second);
}

static void command_line(void **state)
{
	static const char *const words[] = { "--catch",      "--smtp", "127.0.0.1:7",
		                             "--print=json", "--save", "/mails",
		                             "--exit-after", "2",      "--spool",
		                             "none",         NULL };
	struct config_case c;
	struct bytes out = { 0 };

	(void)state;
	config_case_command(&c, words, NULL);
	assert_string_equal(bytes_text(&c.error), "");
	print(c.settings, &out);
	has_line(bytes_text(&out), "# mode: catch; nothing leaves the machine\n"
	                           "# --print=json\n"
	                           "# --save /mails\n"
	                           "# --exit-after 2\n"
	                           "# --spool none: a temporary directory, removed at the end\n");
	has_line(bytes_text(&out), "listen \"127.0.0.1:7\" { # --smtp\n"
	                           "\ttls = \"starttls\" # --catch\n");
	has_line(bytes_text(&out),
	         "# built in: provider \"inbox\", provider \"discard\", listen \"unix:/");
	bytes_release(&out);
	config_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_where_values_come_from),
		cmocka_unit_test(can_be_read_back),
		cmocka_unit_test(command_line),
	};

	if (config_case_enter(NULL) != 0)
		return 1;
	config_case_write("secret", "s3cr3t\n", 0600);
	return cmocka_run_group_tests(tests, NULL, config_case_leave);
}
