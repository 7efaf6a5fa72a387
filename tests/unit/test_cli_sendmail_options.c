/* SPDX-License-Identifier: ISC */
/* test_cli_sendmail_options.c - the words that programs really call sendmail with. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))
#define WORDS_MAX 12

static int parse(struct sendmail_options *o, const char *const *words, struct bytes *error)
{
	char *argv[WORDS_MAX + 1] = { NULL };
	int argc = 0;

	for (; words[argc] != NULL; argc++)
		memcpy(&argv[argc], &words[argc], sizeof(char *));
	return sendmail_options_parse(o, argc, argv, error);
}

static void reads_what_programs_pass(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *told; /* "t" -t, "i" -i, "p" -bp, "0" nothing; f= F= recipients */
	} rows[] = {
		{ { "sendmail" }, "" },
		/* cron */
		{ { "sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root" },
		  "i F=CronDaemon root " },
		{ { "/usr/sbin/sendmail", "-t", "-i" }, "ti " }, /* PHP */
		{ { "sendmail", "-t", "-i", "-fwww@x" }, "ti f=www@x " },
		{ { "sendmail", "-oi", "-t" }, "ti " }, /* reportbug, Perl */
		{ { "sendmail", "-i", "-f", "a@x", "b@x", "c@x" }, "i f=a@x b@x c@x " }, /* git */
		{ { "sendmail", "-oem", "-oi", "-f", "a@x", "--", "b@x" },
		  "i f=a@x b@x " },                                          /* mutt */
		{ { "sendmail", "-i", "-m", "-v", "--", "b@x" }, "i b@x " }, /* mail(1) */
		{ { "sendmail", "-toi" }, "ti " },
		{ { "sendmail", "-ti", "-r", "a@x" }, "ti f=a@x " },
		{ { "sendmail", "-itf", "a@x" }, "ti f=a@x " },
		{ { "sendmail", "-f", "" }, "f= " },
		{ { "sendmail", "-f<>", "b@x" }, "f=<> b@x " },
		{ { "sendmail", "-F", "Ann B", "b@x" }, "F=Ann B b@x " },
		{ { "sendmail", "-N", "never", "-R", "hdrs", "-V", "id", "-O", "X=y", "b@x" },
		  "b@x " },
		{ { "sendmail", "-oQ/tmp", "-C", "/etc/x.cf", "-d8.99", "b@x" }, "b@x " },
		{ { "sendmail", "-bm", "b@x" }, "b@x " },
		{ { "sendmail", "-b", "p" }, "p " },
		{ { "sendmail", "-bp" }, "p " },
		{ { "mailq" }, "p " },
		{ { "/usr/bin/newaliases" }, "0 " },
		{ { "sendmail", "-bi" }, "0 " },
		{ { "sendmail", "-q" }, "0 " },
		{ { "sendmail", "-q15m" }, "0 " },
		{ { "sendmail", "a@x, b@x", "Ann <c@x>,root" }, "a@x b@x c@x root " },
		{ { "sendmail", "--", "-f", "b@x" }, "-f b@x " },
		{ { "sendmail", "a@x", "-t" }, "a@x -t " },
		{ { "sendmail", "\"a b\"@x" }, "\"a b\"@x " },
		{ { "sendmail", "-Zwhat", "b@x" }, "b@x " },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct sendmail_options o;
		struct bytes told = { 0 }, error = { 0 };

		assert_int_equal(parse(&o, rows[i].words, &error), 0);
		bytes_printf(&told, "%s%s%s%s", o.from_header ? "t" : "",
		             o.dots_are_text ? "i" : "", o.mode == SENDMAIL_LIST ? "p" : "",
		             o.mode == SENDMAIL_NOTHING ? "0" : "");
		if (told.length > 0)
			bytes_append_char(&told, ' ');
		if (o.sender != NULL)
			bytes_printf(&told, "f=%s ", o.sender);
		if (o.name != NULL)
			bytes_printf(&told, "F=%s ", o.name);
		for (size_t k = 0; k < o.count; k++)
			bytes_printf(&told, "%s ", o.recipients[k]);
		assert_string_equal(bytes_text(&told), rows[i].told);
		sendmail_options_release(&o);
		bytes_release(&told);
		bytes_release(&error);
	}
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *error;
	} rows[] = {
		{ { "sendmail", "-f" }, "-f needs a value" },
		{ { "sendmail", "-tiF" }, "-F needs a value" },
		{ { "sendmail", "-bs" }, "-bs is not supported" },
		{ { "sendmail", "-bv", "a@x" }, "-bv is not supported" },
		{ { "sendmail", "-b" }, "-b needs a value" },
		{ { "sendmail", "" }, "'' is no address" },
		{ { "sendmail", "a@x", "(comment)" }, "'(comment)' is no address" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct sendmail_options o;
		struct bytes error = { 0 };

		assert_int_equal(parse(&o, rows[i].words, &error), -1);
		assert_non_null(strstr(bytes_text(&error), rows[i].error));
		sendmail_options_release(&o);
		bytes_release(&error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_programs_pass),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
