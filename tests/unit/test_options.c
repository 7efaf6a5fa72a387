/* SPDX-License-Identifier: ISC */
/* test_options.c - the command line and the environment, and which of them wins. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "config/settings.h"

#define WORDS_MAX 32

struct parsed {
	int rc;
	struct overrides over;
	enum overrides_action action;
	struct bytes error;
};

/* argv and the environment are written to by nobody. */
static void parse(struct parsed *p, const char *const *words, const char *const *environment)
{
	char *argv[WORDS_MAX + 2] = { (char *)(uintptr_t) "penstockd" };
	int argc = 1;

	memset(p, 0, sizeof(*p));
	for (; words != NULL && *words != NULL && argc <= WORDS_MAX; words++)
		argv[argc++] = (char *)(uintptr_t)*words;
	p->rc = overrides_parse(&p->over, argc, argv, (char **)(uintptr_t)environment, &p->action,
	                        &p->error);
}

static void release(struct parsed *p)
{
	overrides_release(&p->over);
	bytes_release(&p->error);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void nothing_said(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, NULL, WORDS("PATH=/bin", "XPENSTOCK_A=1", "PENSTOCKD=1"));
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.action, ACTION_RUN);
	assert_null(p.over.file);
	assert_null(p.over.relay);
	assert_null(p.over.print);
	assert_false(p.over.catch_all);
	assert_false(p.over.foreground);
	assert_int_equal(p.over.smtp.count, 0);
	release(&p);
}

static void every_option(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p,
	      WORDS("-F", "-v", "-v", "--catch", "--smtp", "127.0.0.1:1", "--smtp=[::1]:2",
	            "--smtps", "a:3", "--print=json", "--save", "dir", "--spool=none",
	            "--exit-after", "5", "--socket", "/s"),
	      NULL);
	assert_string_equal(bytes_text(&p.error), "");
	assert_true(p.over.foreground);
	assert_int_equal(p.over.verbose, 2);
	assert_true(p.over.catch_all);
	assert_int_equal(p.over.smtp.count, 2);
	assert_string_equal(p.over.smtp.items[1], "[::1]:2");
	assert_string_equal(p.over.smtps.items[0], "a:3");
	assert_string_equal(p.over.print, "json");
	assert_string_equal(p.over.save, "dir");
	assert_string_equal(p.over.spool, "none");
	assert_string_equal(p.over.exit_after, "5");
	assert_string_equal(p.over.socket, "/s");
	release(&p);
	parse(&p, WORDS("-nf", "x.conf", "--print"), NULL);
	assert_int_equal(p.action, ACTION_CHECK);
	assert_string_equal(p.over.file, "x.conf");
	assert_string_equal(p.over.print, "");
	release(&p);
	parse(&p,
	      WORDS("--relay", "smtp://h", "--rate", "1/s", "--rate", "2/min burst 3, or so",
	            "--password-file=f"),
	      NULL);
	assert_string_equal(p.over.relay, "smtp://h");
	assert_int_equal(p.over.rate.count, 2);
	assert_string_equal(p.over.rate.items[1], "2/min burst 3, or so");
	assert_string_equal(p.over.password_file, "f");
	release(&p);
}

static void actions(void **state)
{
	static const struct {
		const char *word;
		enum overrides_action action;
	} cases[] = {
		{ "-n", ACTION_CHECK },   { "--check", ACTION_CHECK },
		{ "-h", ACTION_HELP },    { "--help", ACTION_HELP },
		{ "-V", ACTION_VERSION }, { "--version", ACTION_VERSION },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parsed p;
		parse(&p, WORDS(cases[i].word), NULL);
		assert_int_equal(p.rc, 0);
		assert_int_equal(p.action, cases[i].action);
		release(&p);
	}
	assert_non_null(strstr(overrides_usage(), "--exit-after"));
}

static void environment(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, NULL,
	      WORDS("PENSTOCK_CATCH=yes", "PENSTOCK_SMTP=0.0.0.0:1,[::]:2", "PENSTOCK_SMTPS=a:3,",
	            "PENSTOCK_PRINT=full", "PENSTOCK_SAVE=dir", "PENSTOCK_SPOOL=none",
	            "PENSTOCK_EXIT_AFTER=7", "PENSTOCK_SOCKET=/s", "PENSTOCK_FOREGROUND=1",
	            "PENSTOCK_VERBOSE=true", "PENSTOCK_PASSWORD=x", "PENSTOCK_CONTROL=/c",
	            "PENSTOCK_FILE=f", "PENSTOCK_PASSWORD_FILE=pf", "PENSTOCK_RATE=1/s,2/min",
	            "PENSTOCK_HTTP=h:1"));
	assert_string_equal(bytes_text(&p.error), "");
	assert_true(p.over.catch_all);
	assert_int_equal(p.over.smtp.count, 2);
	assert_string_equal(p.over.smtp.items[0], "0.0.0.0:1");
	assert_string_equal(p.over.smtp.items[1], "[::]:2");
	assert_int_equal(p.over.smtps.count, 1);
	assert_string_equal(p.over.print, "full");
	assert_string_equal(p.over.save, "dir");
	assert_string_equal(p.over.spool, "none");
	assert_string_equal(p.over.exit_after, "7");
	assert_string_equal(p.over.socket, "/s");
	assert_true(p.over.foreground);
	assert_int_equal(p.over.verbose, 1);
	assert_string_equal(p.over.file, "f");
	assert_string_equal(p.over.password_file, "pf");
	assert_int_equal(p.over.rate.count, 2);
	assert_string_equal(p.over.http.items[0], "h:1");
	release(&p);
}

/* What a container leaves empty is not said. */
static void empty_variables(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, NULL,
	      WORDS("PENSTOCK_RELAY=", "PENSTOCK_CATCH=", "PENSTOCK_SMTP=", "PENSTOCK_CATCH=false",
	            "PENSTOCK_CHECK=0"));
	assert_int_equal(p.rc, 0);
	assert_null(p.over.relay);
	assert_false(p.over.catch_all);
	assert_int_equal(p.over.smtp.count, 0);
	assert_int_equal(p.action, ACTION_RUN);
	release(&p);
}

static void command_line_wins(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, WORDS("--spool", "/cli", "--smtp", "c:1"),
	      WORDS("PENSTOCK_SPOOL=/env", "PENSTOCK_SMTP=e:1,e:2", "PENSTOCK_SMTPS=e:3",
	            "PENSTOCK_SAVE=/env"));
	assert_int_equal(p.rc, 0);
	assert_string_equal(p.over.spool, "/cli");
	assert_int_equal(p.over.smtp.count, 1);
	assert_string_equal(p.over.smtp.items[0], "c:1");
	assert_string_equal(p.over.smtps.items[0], "e:3");
	assert_string_equal(p.over.save, "/env");
	release(&p);
}

static void refused(void **state)
{
	static const struct {
		const char *word, *variable, *message;
	} cases[] = {
		{ "--smtpp=x", NULL, "--smtpp: no such option: did you mean --smtp?" },
		{ "--relai", NULL, "--relai: no such option: did you mean --relay?" },
		{ "--zzzzzz", NULL,
		  "--zzzzzz: no such option: penstockd --help lists those there "
		  "are" },
		{ "-x", NULL, "-x: no such option: penstockd --help lists those there are" },
		{ "--smtp", NULL, "--smtp: a value is missing" },
		{ "-f", NULL, "-f: a value is missing" },
		{ "--catch=1", NULL, "--catch: takes no value" },
		{ "word", NULL, "word: this is no option; penstockd --help lists them" },
		{ "--password=s3cr3t", NULL,
		  "--password: a password does not belong on a command line, where others can read "
		  "it: use --password-file FILE or the variable PENSTOCK_PASSWORD" },
		{ NULL, "PENSTOCK_RELAI=x",
		  "PENSTOCK_RELAI: no such variable: did you mean "
		  "PENSTOCK_RELAY?" },
		{ NULL, "PENSTOCK_=x",
		  "PENSTOCK_: no such variable: unset it; penstockd --help lists "
		  "the options" },
		{ NULL, "PENSTOCK_ZZZZZZZZ=s3cr3t",
		  "PENSTOCK_ZZZZZZZZ: no such variable: unset it; "
		  "penstockd --help lists the options" },
		{ NULL, "PENSTOCK_CATCH=maybe", "PENSTOCK_CATCH: write true or false" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parsed p;
		parse(&p, WORDS(cases[i].word), WORDS(cases[i].variable));
		assert_string_equal(bytes_text(&p.error), cases[i].message);
		assert_int_equal(p.rc, -1);
		release(&p);
	}
}

static void given_twice(void **state)
{
	struct parsed p;

	(void)state;
	parse(&p, WORDS("-f", "a", "--file=b"), NULL);
	assert_int_equal(p.rc, -1);
	assert_string_equal(bytes_text(&p.error), "--file: is given twice: keep one of them");
	release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_said),    cmocka_unit_test(every_option),
		cmocka_unit_test(actions),         cmocka_unit_test(environment),
		cmocka_unit_test(empty_variables), cmocka_unit_test(command_line_wins),
		cmocka_unit_test(refused),         cmocka_unit_test(given_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
