/* SPDX-License-Identifier: ISC */
/* test_log.c - escaping, quoting, cutting, JSON, and one write a line. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

struct caught {
	char line[5000];
	enum log_level level;
	unsigned count;
};

static void catch_line(void *context, enum log_level level, const char *line)
{
	struct caught *c = context;

	snprintf(c->line, sizeof(c->line), "%s", line);
	c->level = level;
	c->count++;
}

static void escapes_what_is_no_text(void **state)
{
	static const char *const rows[][2] = {
		{ "plain text key=value", "plain text key=value" },
		{ "gr\xc3\xbc\xc3\x9f \xf0\x9f\x93\xa7", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x93\xa7" },
		{ "a\nb\rc\td", "a\\x0ab\\x0dc\\x09d" },
		{ "\x1b[31m\x07\x7f", "\\x1b[31m\\x07\\x7f" },
		{ "\xc2\x85|\xc2\x9b|\xc2\xa0", "\\xc2\\x85|\\xc2\\x9b|\xc2\xa0" },
		{ "\xff\xfe|\xc3|\xc0\xaf", "\\xff\\xfe|\\xc3|\\xc0\\xaf" },
		{ "\xe2\x80\xa8|\xe2\x80\xae|\xe2\x81\xa6",
		  "\\xe2\\x80\\xa8|\\xe2\\x80\\xae|\\xe2\\x81\\xa6" },
		{ "back\\slash \"quote\"", "back\\slash \"quote\"" },
	};
	struct caught c = { 0 };

	(void)state;
	log_capture(catch_line, &c);
	for (size_t i = 0; i < LENGTH(rows); i++) {
		log_info("%s", rows[i][0]);
		assert_string_equal(c.line, rows[i][1]);
	}
	log_capture(NULL, NULL);
}

static void quotes_values(void **state)
{
	static const char *const rows[][2] = {
		{ "", "\"\"" },
		{ "a b", "\"a b\"" },
		{ "x\" key=\"y", "\"x\\\" key=\\\"y\"" },
		{ "c:\\d", "\"c:\\\\d\"" },
		{ "a\nb", "\"a\\x0ab\"" },
		{ NULL, "\"\"" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_string_equal(log_quoted(rows[i][0]), rows[i][1]);
	assert_string_equal(log_quoted_span(span_of("a\0b", 3)), "\"a\\x00b\"");
}

static void bounds_quoted_values(void **state)
{
	char text[3000];

	(void)state;
	for (size_t length = LOG_QUOTED_MAX - 10; length < LOG_QUOTED_MAX + 10; length++) {
		const char *quoted;

		memset(text, 'x', length);
		text[length] = '\0';
		quoted = log_quoted(text);
		if (length <= LOG_QUOTED_MAX)
			assert_int_equal(strlen(quoted), length + 2);
		else
			assert_string_equal(quoted + LOG_QUOTED_MAX, "x...\"");
	}
	for (size_t i = 0; i < 1500; i++) /* never cut inside a character */
		memcpy(text + 2 * i, "\xc3\xbc", 2);
	assert_null(strchr(log_quoted_span(span_of(text, 2999)), '\\'));
	assert_null(strchr(log_quoted_span(span_of(text + 2, 2997)), '\\'));
}

static void keeps_eight_quoted_values(void **state)
{
	struct caught c = { 0 };

	(void)state;
	log_capture(catch_line, &c);
	log_info("%s%s%s%s%s%s%s%s", log_quoted("1"), log_quoted("2"), log_quoted("3"),
	         log_quoted("4"), log_quoted("5"), log_quoted("6"), log_quoted("7"),
	         log_quoted("8"));
	assert_int_equal(strlen(c.line), 24);
	for (int i = 1; i <= 8; i++) {
		char expected[4] = { '"', (char)('0' + i), '"', '\0' };

		assert_non_null(strstr(c.line, expected));
	}
	log_capture(NULL, NULL);
}

static void keeps_to_its_level(void **state)
{
	struct caught c = { 0 };

	(void)state;
	log_capture(catch_line, &c);
	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	log_info("no");
	log_debug("no");
	assert_int_equal(c.count, 0);
	log_warning("yes");
	assert_int_equal(c.level, LOG_LEVEL_WARNING);
	errno = EAGAIN;
	log_error("yes");
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(c.count, 2);
	assert_false(log_enabled(LOG_LEVEL_INFO));
	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_debug("yes");
	assert_int_equal(c.count, 3);
	log_capture(NULL, NULL);
}

/* What comes out of stderr for one event, in a child. Returns its length. */
static size_t written(enum log_target target, enum log_format format, const char *event, char *out,
                      size_t size, int *status_r)
{
	int ends[2];
	ssize_t length;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		log_open("test", target, format, LOG_LEVEL_DEBUG);
		log_fatal(69, "%s", event);
	}
	close(ends[1]);
	assert_int_equal(waitpid(child, status_r, 0), child);
	length = read(ends[0], out, size - 1); /* a pipe gives one whole write, if there was one */
	assert_true(length > 0);
	out[length] = '\0';
	assert_int_equal(read(ends[0], out + length, 1), 0);
	close(ends[0]);
	return (size_t)length;
}

static void writes_one_line_and_ends(void **state)
{
	char out[8192];
	int status = 0;

	(void)state;
	written(LOG_TO_JOURNAL, LOG_FORMAT_TEXT, "disk full path=\"/x\"\n<0>fake", out, sizeof(out),
	        &status);
	assert_string_equal(out, "<3>disk full path=\"/x\"\\x0a<0>fake\n");
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 69);
	written(LOG_TO_STDERR, LOG_FORMAT_TEXT, "started", out, sizeof(out), &status);
	assert_string_equal(out + strlen("2026-11-21T21:42:22.123456Z"), " error started\n");
}

static void cuts_long_lines(void **state)
{
	static const enum log_format formats[] = { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
	static const char *const fillers[] = { "x",  "a= ",      "\n",          "\"",
		                               "\\", "\xc3\xbc", "k=\"\\\" \" " };
	char *event = malloc(20000);
	char out[16384];
	int status;

	(void)state;
	for (size_t f = 0; f < LENGTH(formats); f++) {
		for (size_t i = 0; i < LENGTH(fillers); i++) {
			size_t n = strlen(fillers[i]), length;

			for (size_t at = 0; at < 9000; at += n)
				memcpy(event + at, fillers[i], n + 1);
			length = written(LOG_TO_JOURNAL, formats[f], event, out, sizeof(out),
			                 &status);
			assert_true(length <= 4096);
			assert_non_null(strstr(out, "..."));
			assert_ptr_equal(strchr(out, '\n'), out + length - 1);
			if (formats[f] == LOG_FORMAT_JSON) {
				json_t *object = json_loads(out + 3, 0, NULL);

				assert_true(json_is_object(object));
				json_decref(object);
			}
		}
	}
	free(event);
}

static void speaks_json(void **state)
{
	static const struct {
		const char *line, *key, *value;
	} rows[] = {
		{ "delivery deferred msg=1 code=451", "event", "delivery deferred" },
		{ "delivery deferred msg=1 code=451", "code", "451" },
		{ "deferred msg=1  text=\"no \\\"x\\\" \\\\ here\" host=h", "text",
		  "no \"x\" \\ here" },
		{ "deferred text=\"a=b c=d\" host=h", "host", "h" },
		{ "deferred text=\"a\x1b[0m\"", "text", "a\x1b[0m" },
		{ "cannot open spool '/x': No such file", "event",
		  "cannot open spool '/x': No such file" },
		{ "odd a=1 stray word", "event", "odd a=1 stray word" },
		{ "said t=\"\\x!!\\x\"", "t", "\\x!!\\x" },
		{ "odd a=\"open", "event", "odd a=\"open" },
		{ "odd a=\"x\"y", "event", "odd a=\"x\"y" },
		{ "odd level=forged", "event", "odd level=forged" },
		{ "odd level=forged", "level", "error" },
		{ "k=v", "event", "" },
		{ "quote\" back\\ x=c:\\d", "x", "c:\\d" },
		{ "gr\xc3\xbc\xc3\x9f x=", "x", "" },
		{ "", "event", "" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		char out[8192];
		int status;
		json_t *object;

		written(LOG_TO_STDERR, LOG_FORMAT_JSON, rows[i].line, out, sizeof(out), &status);
		object = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(object);
		assert_string_equal(json_string_value(json_object_get(object, rows[i].key)),
		                    rows[i].value);
		assert_string_equal(json_string_value(json_object_get(object, "program")), "test");
		json_decref(object);
	}
}

/* log_quoted() writes \x1b for ESC; JSON has a word for it. */
static void restores_controls_in_json(void **state)
{
	char line[200], out[8192];
	int status;
	json_t *object;

	(void)state;
	snprintf(line, sizeof(line), "said text=%s",
	         log_quoted_span(span_of("a\x1b|\xff|\\x41|\n|\0", 13)));
	written(LOG_TO_STDERR, LOG_FORMAT_JSON, line, out, sizeof(out), &status);
	object = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(object);
	assert_string_equal(json_string_value(json_object_get(object, "text")),
	                    "a\x1b|\\xff|\\x41|\n|\\x00");
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_what_is_no_text),
		cmocka_unit_test(quotes_values),
		cmocka_unit_test(bounds_quoted_values),
		cmocka_unit_test(keeps_eight_quoted_values),
		cmocka_unit_test(keeps_to_its_level),
		cmocka_unit_test(writes_one_line_and_ends),
		cmocka_unit_test(cuts_long_lines),
		cmocka_unit_test(speaks_json),
		cmocka_unit_test(restores_controls_in_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
