/* SPDX-License-Identifier: ISC */
/* test_receive_session.c - greetings, limits, time, and the end of sessions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "receive/private.h"
#include "receive_server.h"

static void ehlo_lists_exactly_what_is_there(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	v.listener.tls =
		LISTENER_TLS_STARTTLS; /* without a certificate there is nothing to offer */
	server_connect(&v);
	assert_string_equal(bytes_text(&v.heard), "220 mx.test ESMTP Penstock\r\n");
	assert_string_equal(server_say(&v, "EHLO x\r\n"),
	                    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1048576\r\n"
	                    "250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n"
	                    "250-MT-PRIORITY\r\n250-DELIVERBY 60\r\n250-LIMITS RCPTMAX=1000\r\n"
	                    "250 ENHANCEDSTATUSCODES\r\n");
	v.listener.auth = AUTH_ANY;
	assert_non_null(strstr(server_say(&v, "EHLO x\r\n"),
	                       "\r\n250-AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2 OAUTHBEARER\r\n"));
	server_release(&v);
}

static char *line_of(const char *start, size_t length, const char *end)
{
	char *line = memory_new(length + 1);

	memset(line, 'x', length);
	memcpy(line, start, strlen(start));
	memcpy(line + length - strlen(end), end, strlen(end));
	return line;
}

static void long_lines_are_swallowed(void **state)
{
	static const struct {
		const char *start;
		size_t length;
		const char *hear;
	} table[] = {
		{ "NOOP ", COMMAND_LINE_MAX, "250 2.0.0 Ok\r\n" },
		{ "NOOP ", COMMAND_LINE_MAX + 1, "500 5.5.2 Line too long\r\n" },
		{ "NOOP ", 500000, "500 5.5.2 Line too long\r\n" },
		{ "AUTH FOO ", AUTH_LINE_MAX, "504 5.5.4 Mechanism not offered\r\n" },
		{ "AUTH FOO ", AUTH_LINE_MAX + 1, "500 5.5.6 Line too long\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		char *line = line_of(table[i].start, table[i].length, "\r\n");
		struct server v;

		server_init(&v);
		v.listener.auth = AUTH_ANY;
		server_connect(&v);
		server_greet(&v);
		assert_string_equal(server_say(&v, line), table[i].hear);
		/* After a bare LF the rest is still the same line. */
		memcpy(line + table[i].length - 2, "x\n", 2);
		assert_int_equal(strncmp(server_say(&v, line), "500 ", 4), 0);
		assert_int_equal(strncmp(server_say(&v, "RSET\r\n"), "500 ", 4), 0);
		assert_string_equal(server_say(&v, "RSET\r\n"), "250 2.0.0 Ok\r\n");
		server_release(&v);
		free(line);
	}
}

/* RFC 4954 4: 12288 octets are taken as a response too; more ends the dialogue. */
static void long_responses_end_the_login(void **state)
{
	char *fits = line_of("AAAA", AUTH_LINE_MAX, "\r\n");
	char *longer = line_of("AAAA", AUTH_LINE_MAX + 1, "\r\n");
	struct server v;

	(void)state;
	server_init(&v);
	v.listener.auth = AUTH_ANY;
	server_connect(&v);
	server_greet(&v);
	server_say(&v, "AUTH PLAIN\r\n");
	assert_string_equal(server_say(&v, fits), "501 5.5.2 That is not base64\r\n");
	server_say(&v, "AUTH PLAIN\r\n");
	assert_string_equal(server_say(&v, longer), "500 5.5.6 Line too long\r\n");
	assert_string_equal(server_say(&v, "MAIL FROM:<>\r\n"), "250 2.1.0 Ok\r\n");
	server_release(&v);
	free(fits);
	free(longer);
}

static void mistakes_and_junk_come_to_an_end(void **state)
{
	static const struct {
		const char *say;
		unsigned times;
		const char *enough;
	} table[] = {
		{ "FOO\r\n", ERRORS_MAX, "\r\n421 4.7.0 Too many errors" },
		{ "NOOP\r\n", JUNK_MAX - 1, "\r\n421 4.7.0 Too many commands" },
		{ "EHLO x\r\n", JUNK_MAX - 1, "\r\n421 4.7.0 Too many commands" },
		{ "MAIL FROM:<>\r\nRSET\r\n", JUNK_MAX - 1, "\r\n421 4.7.0 Too many commands" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct server v;

		server_init(&v);
		server_connect(&v);
		server_greet(&v);
		for (unsigned n = 1; n < table[i].times; n++) {
			server_say(&v, table[i].say);
			assert_false(v.closed);
		}
		assert_non_null(strstr(server_say(&v, table[i].say), table[i].enough));
		assert_true(v.closed);
		server_release(&v);
	}
}

/* A pool's NOOP every few seconds goes on for hours; at once there may be no more than before, and
 * a stranger has to send mail. */
static void who_is_known_may_keep_a_connection(void **state)
{
	static const struct {
		const char *peer;
		int64_t every_us;
		bool stays;
	} table[] = {
		{ "127.0.0.1", 2 * CLOCK_SEC, true },
		{ "127.0.0.1", CLOCK_SEC / 2, false },
		{ "192.0.2.1", 2 * CLOCK_SEC, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct server v;

		server_init(&v);
		v.peer = table[i].peer;
		server_connect(&v);
		server_greet(&v);
		for (unsigned n = 0; n < 5 * JUNK_MAX && !v.closed; n++) {
			server_pass(&v, table[i].every_us);
			server_say(&v, "NOOP\r\n");
		}
		if (v.closed == table[i].stays)
			fail_msg("row %zu", i);
		server_release(&v);
	}
}

static void recipients_beyond_all_measure(void **state)
{
	struct server v;
	unsigned n = 0;

	(void)state;
	server_init(&v);
	v.listener.max_recipients = 1;
	server_connect(&v);
	server_greet(&v);
	server_say(&v, "MAIL FROM:<>\r\n");
	while (!v.closed && n < 5000) {
		server_say(&v, "RCPT TO:<b@example.net>\r\n");
		n++;
	}
	assert_int_equal(n, 1 + OVERSHOOT_MAX + ERRORS_MAX);
	server_release(&v);
}

static void connections_are_limited(void **state)
{
	struct client_count other;
	struct clients *clients = clients_new();
	struct server v;

	(void)state;
	server_init(&v);
	v.receive.clients = clients;
	v.listener.max_connections = 2;
	v.listener.max_connections_per_client = 1;
	for (int i = 0; i < 3; i++) { /* each that ends makes room */
		server_connect(&v);
		assert_int_equal(strncmp(bytes_text(&v.heard), "220 ", 4), 0);
		server_vanish(&v);
	}
	assert_int_equal(clients_enter(clients, span_of_text("memory"), &other), 1);
	server_connect(&v);
	assert_int_equal(strncmp(bytes_text(&v.heard), "421 4.7.0 ", 10), 0);
	assert_true(v.closed);
	clients_leave(clients, &other);
	v.listener.max_connections = 1;
	assert_int_equal(clients_enter(clients, span_of_text("here"), &other), 1);
	server_connect(&v);
	assert_string_equal(bytes_text(&v.heard), "421 4.3.2 Too many connections, try later\r\n");
	assert_true(v.closed);
	clients_leave(clients, &other);
	server_connect(&v);
	assert_int_equal(strncmp(bytes_text(&v.heard), "220 ", 4), 0);
	server_release(&v);
	clients_free(&clients);
}

static void silence_is_ended(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	server_connect(&v);
	server_pass(&v, 4 * CLOCK_MIN);
	server_greet(&v);
	server_pass(&v, 4 * CLOCK_MIN);
	assert_false(v.closed);
	/* Single octets are no sign of life, whole lines are. */
	for (int i = 0; i < 50; i++) {
		server_say(&v, "N");
		server_pass(&v, CLOCK_SEC);
	}
	bytes_clear(&v.heard);
	server_pass(&v, 11 * CLOCK_SEC);
	assert_string_equal(bytes_text(&v.heard), "421 4.4.2 Timeout, closing\r\n");
	assert_true(v.closed);
	server_release(&v);
}

static void stopping_waits_for_transactions(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	v.automatic = false;
	server_connect(&v);
	server_greet(&v);
	server_say(&v, "MAIL FROM:<>\r\n");
	receive_stop(&v.receive);
	server_pass(&v, 0);
	assert_false(v.closed);
	server_say(&v, "RCPT TO:<b@example.net>\r\nDATA\r\nx\r\n.\r\n");
	assert_false(receive_idle(&v.receive));
	assert_non_null(strstr(server_complete(&v, 0), "250 2.0.0 queued as"));
	assert_non_null(strstr(bytes_text(&v.heard), "\r\n421 4.3.2 "));
	assert_true(v.closed);
	assert_true(receive_idle(&v.receive));
	server_connect(&v);
	assert_int_equal(strncmp(bytes_text(&v.heard), "421 4.3.2 ", 10), 0);
	assert_true(v.closed);
	server_release(&v);
}

static void stopping_ends_the_idle(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	server_connect(&v);
	server_greet(&v);
	bytes_clear(&v.heard);
	receive_stop(&v.receive);
	server_pass(&v, 0);
	assert_int_equal(strncmp(bytes_text(&v.heard), "421 4.3.2 ", 10), 0);
	assert_true(v.closed);
	server_release(&v);
}

/* Commands wait until their client has taken the replies: no output piles up. */
static void replies_that_nobody_reads_stop_the_input(void **state)
{
	struct bytes burst = { 0 };
	struct server v;

	(void)state;
	server_init(&v);
	v.listener.max_recipients = 100000;
	server_connect(&v);
	server_greet(&v);
	server_say(&v, "MAIL FROM:<>\r\n");
	for (int i = 0; i < 30000; i++)
		bytes_append_text(&burst, "RCPT TO:<b@example.net>\r\n");
	stream_pause(v.client);
	server_say_span(&v, bytes_span(&burst));
	assert_in_range(stream_output_length(v.session->stream), STREAM_OUTPUT_LOW,
	                STREAM_OUTPUT_LOW + REPLY_LINE);
	server_pass(&v, CLOCK_MIN);
	stream_resume(v.client);
	server_pass(&v, 0);
	assert_int_equal(v.heard.length, 30000 * strlen("250 2.1.5 Ok\r\n"));
	bytes_release(&burst);
	server_release(&v);
}

static void keep_line(void *context, enum log_level level, const char *line)
{
	(void)level;
	bytes_append_text(context, line);
	bytes_append_char(context, '\n');
}

static void what_happened_is_logged_and_no_secret(void **state)
{
	struct bytes lines = { 0 };
	struct server v;
	const char *text;

	(void)state;
	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_capture(keep_line, &lines);
	server_init(&v);
	v.listener.auth = AUTH_ANY;
	server_connect(&v);
	server_say(&v, "EHLO client.example\r\nAUTH LOGIN YW5uYQ==\r\nc2VjcmV0\r\n");
	server_say(&v, "MAIL FROM:<a@example.org> SIZE=9999999\r\n");
	server_say(&v, SERVER_AGAIN);
	server_say(&v, "x\r\n.\r\n");
	v.listener.auth = AUTH_OFF;
	v.listener.open_relay = false;
	server_vanish(&v);
	server_connect(&v);
	server_say(&v, "EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<\"b c\"@example.net>\r\n");
	server_release(&v);
	log_capture(NULL, NULL);
	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	text = bytes_text(&lines);
	assert_non_null(strstr(text, "message refused from=\"a@example.org\" rcpts=0 client=memory "
	                             "helo=\"client.example\" reply=\"552 5.3.4 "));
	assert_non_null(strstr(text, "message accepted msg=0000000000001 from=\"a@example.org\" "
	                             "rcpts=1 size=3 client=memory helo=\"client.example\" "
	                             "login=\"anna\"\n"));
	assert_non_null(strstr(text, "message refused from=\"a@example.org\" "
	                             "to=\"\\\"b c\\\"@example.net\" rcpts=0 "));
	assert_non_null(strstr(text, "session started client=memory"));
	assert_null(strstr(text, "secret"));
	assert_null(strstr(text, "c2VjcmV0"));
	bytes_release(&lines);
}

static void an_idle_session_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct session) < 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ehlo_lists_exactly_what_is_there),
		cmocka_unit_test(long_lines_are_swallowed),
		cmocka_unit_test(long_responses_end_the_login),
		cmocka_unit_test(mistakes_and_junk_come_to_an_end),
		cmocka_unit_test(who_is_known_may_keep_a_connection),
		cmocka_unit_test(recipients_beyond_all_measure),
		cmocka_unit_test(connections_are_limited),
		cmocka_unit_test(silence_is_ended),
		cmocka_unit_test(stopping_waits_for_transactions),
		cmocka_unit_test(stopping_ends_the_idle),
		cmocka_unit_test(replies_that_nobody_reads_stop_the_input),
		cmocka_unit_test(what_happened_is_logged_and_no_secret),
		cmocka_unit_test(an_idle_session_is_small),
	};

	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
