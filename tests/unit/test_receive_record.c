/* SPDX-License-Identifier: ISC */
/* test_receive_record.c - dialogues that go with messages, sessions that failed, and no secrets. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "mail/dialogue.h"
#include "receive/private.h"
#include "receive_server.h"

/* What the hooks were told. */
struct lab {
	struct server v;
	struct session_record *failed;
	size_t failures, refusals;
	int code;
};

static void on_failed(void *context, struct session_record *record)
{
	struct lab *lab = context;

	session_record_free(&lab->failed);
	lab->failed = record;
	lab->failures++;
}

static void on_refused(void *context, const char *client, const char *text)
{
	struct lab *lab = context;

	assert_string_equal(client, lab->v.peer != NULL ? lab->v.peer : "memory");
	lab->refusals++;
	lab->code = atoi(text);
}

static void lab_init(struct lab *lab)
{
	memset(lab, 0, sizeof *lab);
	server_init(&lab->v);
	lab->v.listener.auth = AUTH_ANY;
	lab->v.receive.records = true;
	lab->v.receive.watch = (struct receive_watch){ on_failed, on_refused, lab };
}

static void lab_release(struct lab *lab)
{
	server_release(&lab->v);
	session_record_free(&lab->failed);
}

/* As "C: ..." and "S: ..." lines; notes have nothing before them. */
static char *text_of(struct span record, uint64_t id)
{
	static const char *const from[] = { "", "C: ", "S: " };
	struct dialogue_reader r = dialogue_reader(record, id);
	struct dialogue_line line;
	struct bytes text = { 0 };
	char *out;

	while (dialogue_next(&r, &line)) {
		bytes_append_text(&text, from[line.from]);
		bytes_append_span(&text, line.text);
		bytes_append_char(&text, '\n');
	}
	out = memory_text(bytes_text(&text));
	bytes_release(&text);
	return out;
}

static char *stored_text(const struct lab *lab, size_t i)
{
	return text_of(bytes_span(&lab->v.stored[i].dialogue), lab->v.stored[i].id);
}

static void a_message_has_its_dialogue(void **state)
{
	struct lab lab;
	char *text;

	(void)state;
	lab_init(&lab);
	server_connect(&lab.v);
	server_say(&lab.v, "HELO client\r\n");
	server_say(&lab.v, SERVER_AGAIN "hi\r\n.\r\n");
	text = stored_text(&lab, 0);
	assert_string_equal(text, "S: 220 mx.test ESMTP Penstock\nC: HELO client\nS: 250 mx.test\n"
	                          "C: MAIL FROM:<a@example.org>\nS: 250 2.1.0 Ok\n"
	                          "C: RCPT TO:<b@example.net>\nS: 250 2.1.5 Ok\nC: DATA\n"
	                          "S: 354 End data with <CR><LF>.<CR><LF>\nC: (4 octets)\n"
	                          "S: 250 2.0.0 queued as 0000000000001\n");
	free(text);
	/* The next one has the opening and what is its own. */
	server_say(&lab.v, "MAIL FROM:<>\r\nRCPT TO:<c@example.net>\r\n"
	                   "BDAT 4\r\nab\r\nBDAT 3 LAST\r\nc\r\n");
	text = stored_text(&lab, 1);
	assert_non_null(strstr(text, "S: 250 mx.test\n...\nC: MAIL FROM:<>\nS: 250 "));
	assert_null(strstr(text, "b@example.net"));
	assert_non_null(strstr(text, "(7 octets)\nS: 250 2.0.0 queued as 0000000000002\n"));
	free(text);
	server_say(&lab.v, "QUIT\r\n");
	assert_int_equal(lab.failures, 0);
	lab_release(&lab);
}

static void nothing_is_recorded_unasked(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab);
	lab.v.receive.records = false;
	server_open_data(&lab.v);
	server_say(&lab.v, "hi\r\n.\r\nFOO\r\n");
	assert_int_equal(lab.v.stored[0].dialogue.length, 0);
	server_vanish(&lab.v);
	assert_int_equal(lab.failures + lab.refusals, 0);
	lab_release(&lab);
}

/* c2VjcmV0 is "secret", AGFsaWNlAHNlY3JldA== has it. */
static void secrets_are_not_recorded(void **state)
{
	static const char *const table[] = {
		"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
		"auth  plain  AGFsaWNlAHNlY3JldA==\r\n",
		"AUTH PLAIN\r\nAGFsaWNlAHNlY3JldA==\r\n",
		"AUTH LOGIN\r\nYWxpY2U=\r\nc2VjcmV0\r\n",
		"AUTH LOGIN YWxpY2U=\r\nc2VjcmV0\r\n",
		"AUTH GSSAPI\r\nAGFsaWNlAHNlY3JldA==\r\n", /* refused, and it says it anyway */
		"AUTH LOGIN\r\n=\r\nYWxpY2U=\r\nc2VjcmV0\r\n",
		"AUTH LOGIN\r\nYWxpY2U=\nc2VjcmV0\r\n",
		"AUTH CRAM-MD5\r\nYWxpY2UgAGFsaWNlAHNlY3JldA==\r\n",
		"AUTH XOAUTH2 dXNlcj1hbGljZQFhdXRoPUJlYXJlciBzZWNyZXQBAQ== c2VjcmV0\r\n",
	};
	struct lab lab;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char *text;

		lab_init(&lab);
		server_connect(&lab.v);
		server_greet(&lab.v);
		server_say(&lab.v, table[i]);
		server_say(&lab.v, "*\r\nNOOP\r\n" SERVER_AGAIN "hi\r\n.\r\n");
		text = stored_text(&lab, 0);
		if (strstr(text, "c2Vj") != NULL || strstr(text, "AGFs") != NULL ||
		    strstr(text, "***") == NULL)
			fail_msg("row %zu: %s", i, text);
		assert_non_null(strstr(text, "C: NOOP\n"));
		free(text);
		lab_release(&lab);
	}
}

static void a_session_that_failed_is_told(void **state)
{
	static const struct {
		const char *say, *reason; /* reason NULL: nothing failed */
		const char *last;         /* of the dialogue */
	} table[] = {
		{ "QUIT\r\n", NULL, NULL },
		{ "", NULL, NULL },
		{ "EHLO x\r\nNOOP\r\n", NULL, NULL },
		{ "EHLO x\r\nMAIL FROM:<a@b\r\nQUIT\r\n", "501 5.1.7 Bad sender",
		  "S: 221 2.0.0 Bye\n(quit)\n" },
		{ "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<>\r\nDATA\r\n", "501 5.1.3 Bad rec",
		  "S: 554 5.5.1 No valid recipients\n(closed by the client)\n" },
		{ "EHLO x\r\nMAIL FROM:<a@b>\r\n", "closed by the client",
		  "(closed by the client)\n" },
		{ SERVER_OPENING "half\r\n", "closed by the client",
		  "(closed by the client, amid the content)\n" },
		{ "EHLO x\r\nAUTH LOGIN\r\n", "closed by the client", NULL },
		{ SERVER_OPENING "hi\r\n.\r\nFOO\r\n", NULL, NULL }, /* a message was accepted */
	};
	struct lab lab;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		lab_init(&lab);
		lab.v.peer = "192.0.2.1";
		server_connect(&lab.v);
		if (*table[i].say != '\0')
			server_say(&lab.v, table[i].say);
		if (lab.v.client != NULL)
			server_vanish(&lab.v);
		assert_int_equal(lab.failures, table[i].reason != NULL);
		if (table[i].reason != NULL) {
			char *text = text_of(bytes_span(&lab.failed->dialogue), 0);

			if (!text_starts(lab.failed->reason, table[i].reason) ||
			    (table[i].last != NULL && !text_ends(text, table[i].last)))
				fail_msg("row %zu: %s\n%s", i, lab.failed->reason, text);
			assert_string_equal(lab.failed->client, "192.0.2.1");
			assert_true(lab.failed->time_us > 0);
			free(text);
		}
		lab_release(&lab);
	}
}

static void refusals_are_told_one_by_one(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab);
	server_connect(&lab.v);
	server_say(&lab.v, "FOO\r\nEHLO x\r\nDATA\r\n");
	assert_int_equal(lab.refusals, 2);
	assert_int_equal(lab.code, 503);
	lab_release(&lab);
}

/* Whatever is said, and however often: the beginning, the end, and a bound. */
static void a_long_dialogue_keeps_both_ends(void **state)
{
	struct bytes line = { 0 };
	struct lab lab;
	char *text;

	(void)state;
	lab_init(&lab);
	server_connect(&lab.v);
	server_greet(&lab.v);
	bytes_append_text(&line, "NOOP ");
	while (line.length < 1800)
		bytes_append_char(&line, 'x');
	bytes_append_text(&line, "\r\n");
	for (int i = 0; i < 50; i++)
		server_say_span(&lab.v, bytes_span(&line));
	server_say(&lab.v, SERVER_AGAIN "hi\r\n.\r\n");
	assert_true(lab.v.stored[0].dialogue.length < 17 * 1024);
	text = stored_text(&lab, 0);
	assert_true(text_starts(text, "S: 220 mx.test"));
	assert_non_null(strstr(text, "\n...\n"));
	assert_true(text_ends(text, "(4 octets)\nS: 250 2.0.0 queued as 0000000000001\n"));
	free(text);
	bytes_release(&line);
	lab_release(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_has_its_dialogue),
		cmocka_unit_test(nothing_is_recorded_unasked),
		cmocka_unit_test(secrets_are_not_recorded),
		cmocka_unit_test(a_session_that_failed_is_told),
		cmocka_unit_test(refusals_are_told_one_by_one),
		cmocka_unit_test(a_long_dialogue_keeps_both_ends),
	};

	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
