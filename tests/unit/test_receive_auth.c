/* SPDX-License-Identifier: ISC */
/* test_receive_auth.c - checked logins: what is asked of the users' file, what is said and when,
 * what a login may do. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "receive/private.h"
#include "receive_server.h"

/* A users' file that answers when it is told to; "alice" has the password "secret". */
struct file {
	struct login_check *check; /* waits */
	uint64_t generation;
	size_t asked;
	bool full;
};

struct lab {
	struct server v;
	struct file file;
};

static uint64_t file_generation(void *context)
{
	return ((struct file *)context)->generation;
}

static int file_check(void *context, struct login_check *check)
{
	struct file *file = context;

	assert_null(file->check);
	if (file->full)
		return -1;
	file->check = check;
	file->asked++;
	return 0;
}

/* The helper is done. Returns what the client hears at once. */
static const char *answer(struct lab *lab)
{
	struct login_check *check = lab->file.check;

	assert_non_null(check);
	lab->file.check = NULL;
	check->known = strcmp(check->name, "alice") == 0;
	check->good = check->known && strcmp(check->password, "secret") == 0;
	check->generation = lab->file.generation;
	bytes_clear(&lab->v.heard);
	check->done(check);
	server_pass(&lab->v, 0);
	return bytes_text(&lab->v.heard);
}

static void lab_init(struct lab *lab, enum listener_auth auth)
{
	memset(lab, 0, sizeof *lab);
	server_init(&lab->v);
	lab->file.generation = 1;
	lab->v.listener.auth = auth;
	lab->v.listener.open_relay = false;
	lab->v.listener.auth_without_tls = true;
	lab->v.receive.users = (struct receive_users){ file_generation, file_check, &lab->file };
	lab->v.receive.logins = login_cache_new();
	lab->v.receive.clients = clients_new();
}

static void lab_release(struct lab *lab)
{
	server_release(&lab->v);
	login_cache_free(&lab->v.receive.logins);
	clients_free(&lab->v.receive.clients);
}

#define GOOD  "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n" /* alice, secret */
#define WRONG "AUTH PLAIN AGFsaWNlAHdyb25n\r\n"     /* alice, wrong */
#define BOB   "AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n"     /* bob, secret */

static void connect_and_greet(struct lab *lab)
{
	server_connect(&lab->v);
	server_greet(&lab->v);
}

static const char *after(struct lab *lab, int64_t us)
{
	bytes_clear(&lab->v.heard);
	server_pass(&lab->v, us);
	return bytes_text(&lab->v.heard);
}

static void hang_up(struct lab *lab)
{
	server_vanish(&lab->v);
	server_pass(&lab->v, 0);
}

/* Nothing is said before the helper has answered; then the session may relay. */
static void a_good_login_relays(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab, AUTH_OPTIONAL);
	connect_and_greet(&lab);
	assert_string_equal(server_say(&lab.v, "MAIL FROM:<a@example.org>\r\n"),
	                    "250 2.1.0 Ok\r\n");
	assert_true(text_starts(server_say(&lab.v, "RCPT TO:<b@example.net>\r\n"), "554 5.7.1"));
	server_say(&lab.v, "RSET\r\n");
	assert_string_equal(server_say(&lab.v, GOOD), "");
	/* What is pipelined behind waits. */
	assert_string_equal(server_say(&lab.v, "NOOP\r\n"), "");
	assert_string_equal(answer(&lab),
	                    "235 2.7.0 Authentication successful\r\n250 2.0.0 Ok\r\n");
	assert_true(text_starts(server_say(&lab.v, GOOD), "503 5.5.1"));
	server_say(&lab.v, SERVER_AGAIN);
	assert_true(text_starts(server_say(&lab.v, "x\r\n.\r\n"), "250 2.0.0 queued"));
	assert_string_equal(lab.v.stored[0].login, "alice");
	assert_string_equal(lab.v.stored[0].with, "ESMTPA");
	lab_release(&lab);
}

static void login_by_lines(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab, AUTH_REQUIRED);
	connect_and_greet(&lab);
	assert_true(text_starts(server_say(&lab.v, "MAIL FROM:<a@example.org>\r\n"), "530 5.7.0"));
	assert_string_equal(server_say(&lab.v, "AUTH LOGIN\r\n"), "334 VXNlcm5hbWU6\r\n");
	assert_string_equal(server_say(&lab.v, "YWxpY2U=\r\n"), "334 UGFzc3dvcmQ6\r\n");
	/* The name alone opens nothing. */
	assert_string_equal(server_say(&lab.v, "*\r\n"), "501 5.7.0 Authentication cancelled\r\n");
	assert_true(text_starts(server_say(&lab.v, "MAIL FROM:<a@example.org>\r\n"), "530 5.7.0"));
	server_say(&lab.v, "AUTH LOGIN YWxpY2U=\r\n");
	assert_string_equal(server_say(&lab.v, "c2VjcmV0\r\n"), "");
	assert_true(text_starts(answer(&lab), "235 2.7.0"));
	assert_true(text_starts(server_say(&lab.v, "MAIL FROM:<a@example.org>\r\n"), "250 2.1.0"));
	lab_release(&lab);
}

/* RFC 4954 6 and RFC 8314 4.1: no difference, and each refusal later than the one before. */
static void refusals_are_equal_and_late(void **state)
{
	static const struct {
		const char *say;
		int64_t delay;
	} tries[] = { { WRONG, CLOCK_SEC }, { BOB, 2 * CLOCK_SEC }, { WRONG, 4 * CLOCK_SEC } };
	static const char text[] = "535 5.7.8 Authentication credentials invalid\r\n";
	struct lab lab;

	(void)state;
	lab_init(&lab, AUTH_OPTIONAL);
	connect_and_greet(&lab);
	for (size_t i = 0; i < 3; i++) {
		assert_false(lab.v.closed);
		assert_string_equal(server_say(&lab.v, tries[i].say), "");
		assert_string_equal(answer(&lab), "");
		assert_string_equal(after(&lab, tries[i].delay - 1), "");
		assert_true(text_starts(after(&lab, 1), text));
	}
	assert_string_equal(bytes_text(&lab.v.heard) + strlen(text),
	                    "421 4.7.0 Too many failed logins, closing\r\n");
	server_pass(&lab.v, 0);
	assert_true(lab.v.closed);
	lab_release(&lab);
}

static void what_cannot_be_a_login(void **state)
{
	static const struct {
		const char *say, *hear;
		bool checked;
	} cases[] = {
		{ "AUTH CRAM-MD5\r\n", "504 5.5.4", false },
		{ "AUTH PLAIN\r\n", "334 \r\n", false },
		{ "=AAA\r\n", "501 5.5.2", false },
		{ "AUTH PLAIN =\r\n", "501 5.5.2", false },
		{ "AUTH PLAIN YWxpY2U=\r\n", "501 5.5.2", false },
		{ "AUTH PLAIN Ym9iAGFsaWNlAHNlY3JldA==\r\n", "535 5.7.8", false }, /* for bob */
		{ "AUTH PLAIN AABzZWNyZXQ=\r\n", "535 5.7.8", false },             /* no name */
		{ "AUTH PLAIN AGFsaWNlAA==\r\n", "", true },                       /* no password */
	};
	struct lab lab;

	(void)state;
	lab_init(&lab, AUTH_OPTIONAL);
	connect_and_greet(&lab);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_true(text_starts(server_say(&lab.v, cases[i].say), cases[i].hear));
		assert_int_equal(lab.file.check != NULL, cases[i].checked);
	}
	assert_int_not_equal(lab.file.check->password[0], '\0');
	answer(&lab);
	assert_true(text_starts(after(&lab, CLOCK_SEC), "535 5.7.8"));
	lab_release(&lab);
}

static void good_ones_are_remembered(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab, AUTH_OPTIONAL);
	for (size_t i = 0; i < 3; i++) {
		connect_and_greet(&lab);
		server_say(&lab.v, GOOD);
		if (lab.file.check != NULL)
			answer(&lab);
		assert_true(text_starts(bytes_text(&lab.v.heard), "235 2.7.0"));
		hang_up(&lab);
	}
	assert_int_equal(lab.file.asked, 1);
	/* Another password is another question. */
	connect_and_greet(&lab);
	server_say(&lab.v, WRONG);
	answer(&lab);
	hang_up(&lab);
	assert_int_equal(lab.file.asked, 2);
	/* Another file, and five minutes, too. */
	lab.file.generation++;
	connect_and_greet(&lab);
	server_say(&lab.v, GOOD);
	answer(&lab);
	assert_int_equal(lab.file.asked, 3);
	hang_up(&lab);
	server_pass(&lab.v, 5 * CLOCK_MIN);
	connect_and_greet(&lab);
	server_say(&lab.v, GOOD);
	assert_int_equal(lab.file.asked, 4);
	answer(&lab);
	lab_release(&lab);
}

/* Twenty at once, then one a minute; who is remembered is not kept out. */
static void a_client_has_a_budget(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab, AUTH_OPTIONAL);
	connect_and_greet(&lab);
	server_say(&lab.v, GOOD);
	answer(&lab);
	hang_up(&lab);
	for (size_t i = 0; i < 20; i++) {
		connect_and_greet(&lab);
		assert_string_equal(server_say(&lab.v, WRONG), "");
		answer(&lab);
		hang_up(&lab);
	}
	assert_int_equal(lab.file.asked, 21);
	connect_and_greet(&lab);
	assert_string_equal(server_say(&lab.v, WRONG), "");
	assert_null(lab.file.check);
	assert_true(text_starts(after(&lab, CLOCK_SEC), "454 4.7.0 Too many failed"));
	assert_true(text_starts(server_say(&lab.v, GOOD), "235 2.7.0"));
	hang_up(&lab);
	server_pass(&lab.v, CLOCK_MIN);
	connect_and_greet(&lab);
	server_say(&lab.v, WRONG);
	answer(&lab);
	lab_release(&lab);
}

static void a_full_queue_says_later(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab, AUTH_OPTIONAL);
	lab.file.full = true;
	connect_and_greet(&lab);
	assert_true(text_starts(server_say(&lab.v, GOOD), "454 4.7.0 Too many logins"));
	lab.file.full = false;
	server_say(&lab.v, GOOD);
	assert_true(text_starts(answer(&lab), "235 2.7.0"));
	lab_release(&lab);
}

/* The client goes while the helper works, or while a refusal is held back; the daemon stops. */
static void sessions_end_in_the_middle(void **state)
{
	struct lab lab;

	(void)state;
	lab_init(&lab, AUTH_OPTIONAL);
	connect_and_greet(&lab);
	server_say(&lab.v, GOOD);
	hang_up(&lab);
	assert_false(receive_idle(&lab.v.receive));
	answer(&lab);
	assert_true(receive_idle(&lab.v.receive));
	connect_and_greet(&lab);
	server_say(&lab.v, WRONG);
	answer(&lab);
	hang_up(&lab);
	server_pass(&lab.v, CLOCK_SEC);
	assert_true(receive_idle(&lab.v.receive));
	lab.file.generation++; /* the first answer is remembered */
	connect_and_greet(&lab);
	server_say(&lab.v, GOOD);
	receive_stop(&lab.v.receive);
	assert_true(text_starts(answer(&lab), "235 2.7.0 Authentication successful\r\n421 4.3.2"));
	lab.v.receive.stopping = false;
	connect_and_greet(&lab);
	server_say(&lab.v, WRONG);
	receive_end(&lab.v.receive);
	assert_false(receive_idle(&lab.v.receive));
	answer(&lab);
	assert_true(receive_idle(&lab.v.receive));
	lab_release(&lab);
}

/* In clear only to this host, or where somebody wrote so. */
static void clear_text_stays_here(void **state)
{
	static const struct {
		bool local, written, offered;
		enum listener_tls tls;
	} cases[] = {
		{ false, false, false, LISTENER_TLS_OFF },
		{ true, false, true, LISTENER_TLS_OFF },
		{ false, true, true, LISTENER_TLS_OFF },
		{ true, true, false, LISTENER_TLS_REQUIRED },
	};
	struct lab lab;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *refusal =
			cases[i].tls == LISTENER_TLS_REQUIRED ? "530 5.7.0" : "538 5.7.11";

		lab_init(&lab, AUTH_OPTIONAL);
		lab.v.listener.auth_without_tls = cases[i].written;
		lab.v.listener.local_submission = cases[i].local;
		lab.v.listener.tls = cases[i].tls;
		server_connect(&lab.v);
		assert_int_equal(strstr(server_say(&lab.v, "EHLO c\r\n"),
		                        "250-AUTH PLAIN LOGIN\r\n") != NULL,
		                 cases[i].offered);
		if (!cases[i].offered) {
			assert_true(text_starts(server_say(&lab.v, GOOD), refusal));
			assert_null(lab.file.check);
		}
		lab_release(&lab);
	}
}

static void a_login_has_its_senders(void **state)
{
	char *patterns[] = { (char[]){ "*@example.com" }, (char[]){ "boss@example.org" } };
	struct login_settings login = { .name = (char[]){ "alice" }, .sender = { patterns, 2 } };
	static const struct {
		const char *say, *hear;
	} cases[] = {
		{ "MAIL FROM:<x@EXAMPLE.com>\r\n", "250 2.1.0" },
		{ "MAIL FROM:<boss@example.org>\r\n", "250 2.1.0" },
		{ "MAIL FROM:<x@example.org>\r\n", "553 5.7.1" },
		{ "MAIL FROM:<x@sub.example.com>\r\n", "553 5.7.1" },
		{ "MAIL FROM:<>\r\n", "250 2.1.0" },
	};
	struct lab lab;

	(void)state;
	lab_init(&lab, AUTH_OPTIONAL);
	lab.v.settings.logins = &login;
	lab.v.settings.login_count = 1;
	connect_and_greet(&lab);
	server_say(&lab.v, GOOD);
	answer(&lab);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_true(text_starts(server_say(&lab.v, cases[i].say), cases[i].hear));
		server_say(&lab.v, "RSET\r\n");
	}
	lab_release(&lab);
}

static void aliases_replace_recipients(void **state)
{
	char *targets[] = { (char[]){ "ops@example.com" }, (char[]){ "two@example.com" } };
	struct alias_settings alias = { .name = (char[]){ "root" }, .to = { targets, 2 } };
	struct lab lab;

	(void)state;
	lab_init(&lab, AUTH_OFF);
	lab.v.listener.open_relay = true;
	lab.v.listener.local_submission = true;
	lab.v.settings.aliases = &alias;
	lab.v.settings.alias_count = 1;
	connect_and_greet(&lab);
	server_say(&lab.v, "MAIL FROM:<cron>\r\nRCPT TO:<two@example.com>\r\nRCPT TO:<root>\r\n"
	                   "RCPT TO:<Root@MX.test>\r\nRCPT TO:<root@example.com>\r\n"
	                   "RCPT TO:<other>\r\nRCPT TO:<ops@example.com>\r\nDATA\r\nx\r\n.\r\n");
	assert_int_equal(lab.v.stored_count, 1);
	assert_string_equal(lab.v.stored[0].sender, "cron@mx.test");
	assert_string_equal(bytes_text(&lab.v.stored[0].recipients),
	                    "two@example.com\nops@example.com\nroot@example.com\nother@mx.test\n");
	/* What an alias becomes counts; alone it always fits. */
	lab.v.listener.max_recipients = 1;
	server_say(&lab.v, "MAIL FROM:<>\r\nRCPT TO:<root>\r\n");
	assert_true(text_starts(server_say(&lab.v, "RCPT TO:<x>\r\n"), "452 4.5.3"));
	server_say(&lab.v, "RSET\r\n");
	/* Without the switch bare names are refused, but for the one that RFC 5321 names. */
	lab.v.listener.qualify = false;
	assert_true(text_starts(server_say(&lab.v, "MAIL FROM:<cron>\r\n"), "553 5.1.7"));
	server_say(&lab.v, "MAIL FROM:<>\r\n");
	assert_true(text_starts(server_say(&lab.v, "RCPT TO:<root>\r\n"), "553 5.1.3"));
	assert_true(text_starts(server_say(&lab.v, "RCPT TO:<postmaster>\r\n"), "250 2.1.5"));
	lab_release(&lab);
}

/* In an inbox applications log in as they do at their provider. */
static void an_inbox_takes_what_others_check(void **state)
{
	static const struct {
		const char *mechanism, *response, *login; /* login NULL: malformed */
	} table[] = {
		{ "CRAM-MD5", "YWxpY2UgYjkxM2E2MDJjN2VkYTdhNDk1YjRlNmU3MzM0ZDM4OTA=", "alice" },
		{ "CRAM-MD5", "YWwgaWNlIGI5MTM=", "al ice" },
		{ "XOAUTH2", "dXNlcj1hbGljZUB4LmV4YW1wbGUBYXV0aD1CZWFyZXIgeWEyOQEB",
		  "alice@x.example" },
		{ "OAUTHBEARER",
		  "bixhPWFsaWNlQHguZXhhbXBsZSwBaG9zdD1teAFwb3J0PTI1AWF1dGg9QmVhcmVyIHlhMjkBAQ==",
		  "alice@x.example" },
		{ "CRAM-MD5", "bm9zcGFjZQ==", NULL },
		{ "XOAUTH2", "YXV0aD1CZWFyZXIgeAEB", NULL },
		{ "XOAUTH2", "dXNlcj1jdXQ=", NULL },
		{ "OAUTHBEARER", "biwsAWF1dGg9QmVhcmVyIHgBAQ==", NULL },
		{ "CRAM-MD5", "IGRpZ2VzdA==", NULL },
	};

	(void)state;
	for (size_t i = 0; i < 2 * (sizeof table / sizeof table[0]); i++) {
		bool initial = i % 2 == 1, cram = text_starts(table[i / 2].mechanism, "CRAM");
		struct bytes said = { 0 };
		const char *reply;
		struct lab lab;

		lab_init(&lab, AUTH_ANY);
		server_connect(&lab.v);
		assert_non_null(strstr(server_say(&lab.v, "EHLO x\r\n"),
		                       "AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2 OAUTHBEARER\r\n"));
		bytes_printf(&said, "AUTH %s%s%s\r\n", table[i / 2].mechanism, initial ? " " : "",
		             initial ? table[i / 2].response : "");
		reply = server_say(&lab.v, bytes_text(&said));
		if (initial && cram) {
			assert_true(text_starts(reply, "501 5.7.0 "));
		} else {
			bytes_clear(&said);
			bytes_printf(&said, "%s\r\n", table[i / 2].response);
			if (!initial) {
				assert_true(text_starts(reply, "334 "));
				assert_int_equal(strlen(reply) > 20, cram);
				reply = server_say(&lab.v, bytes_text(&said));
			}
			if (text_starts(reply, "235 ") != (table[i / 2].login != NULL))
				fail_msg("row %zu: %s", i / 2, reply);
		}
		if (table[i / 2].login != NULL && !(initial && cram)) {
			server_say(&lab.v, SERVER_AGAIN "x\r\n.\r\n");
			assert_string_equal(lab.v.stored[0].login, table[i / 2].login);
		}
		assert_int_equal(lab.file.asked, 0);
		bytes_release(&said);
		lab_release(&lab);
	}
}

/* Where passwords are checked, what cannot be checked is not there. */
static void elsewhere_they_are_not_offered(void **state)
{
	static const char *const names[] = { "CRAM-MD5", "XOAUTH2", "OAUTHBEARER" };
	struct lab lab;

	(void)state;
	lab_init(&lab, AUTH_OPTIONAL);
	server_connect(&lab.v);
	assert_non_null(strstr(server_say(&lab.v, "EHLO x\r\n"), "AUTH PLAIN LOGIN\r\n"));
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char line[40];

		snprintf(line, sizeof line, "AUTH %s\r\n", names[i]);
		assert_true(text_starts(server_say(&lab.v, line), "504 5.5.4 "));
	}
	lab_release(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_login_relays),
		cmocka_unit_test(login_by_lines),
		cmocka_unit_test(refusals_are_equal_and_late),
		cmocka_unit_test(what_cannot_be_a_login),
		cmocka_unit_test(good_ones_are_remembered),
		cmocka_unit_test(a_client_has_a_budget),
		cmocka_unit_test(a_full_queue_says_later),
		cmocka_unit_test(sessions_end_in_the_middle),
		cmocka_unit_test(clear_text_stays_here),
		cmocka_unit_test(a_login_has_its_senders),
		cmocka_unit_test(an_inbox_takes_what_others_check),
		cmocka_unit_test(elsewhere_they_are_not_offered),
		cmocka_unit_test(aliases_replace_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
