/* SPDX-License-Identifier: ISC */
/* test_receive_tls.c - STARTTLS and implicit TLS (RFC 3207, RFC 8314), over pairs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "receive/private.h"
#include "receive_server.h"

static char directory[] = "/tmp/test_receive_tls.XXXXXX";
static struct tls_context *ours, *theirs;

static int make_contexts(void **state)
{
	struct bytes error = { 0 };
	char certificate[64], key[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(certificate, sizeof certificate, "%s/cert.pem", directory);
	snprintf(key, sizeof key, "%s/key.pem", directory);
	assert_int_equal(tls_make_certificate(certificate, key, "mx.test", &error), 0);
	assert_int_equal(tls_context_new_server(&ours, "here", certificate, key, &error), 0);
	assert_int_equal(tls_context_new_client(&theirs, TLS_TRUST_OFF, NULL, NULL, &error), 0);
	unlink(certificate);
	unlink(key);
	return rmdir(directory);
}

static int free_contexts(void **state)
{
	(void)state;
	tls_context_free(&ours);
	tls_context_free(&theirs);
	return 0;
}

static void start(struct server *v, enum listener_tls tls)
{
	server_init(v);
	v->receive.tls = ours;
	v->listener.tls = tls;
	server_connect(v);
}

/* The client's side of the handshake. */
static void secure(struct server *v)
{
	bytes_clear(&v->heard);
	stream_start_tls(v->client, theirs, "mx.test");
	server_pass(v, 0);
	assert_false(v->closed);
	assert_true(stream_is_tls(v->client));
}

static void starttls_forgets_all_that_was_said(void **state)
{
	struct server v;

	(void)state;
	start(&v, LISTENER_TLS_STARTTLS);
	assert_non_null(strstr(server_say(&v, "EHLO x\r\n"), "\r\n250-STARTTLS\r\n"));
	assert_true(
		text_starts(server_say(&v, "MAIL FROM:<>\r\nSTARTTLS\r\nRSET\r\n"), "250 2.1.0"));
	assert_non_null(strstr(bytes_text(&v.heard), "\r\n503 5.5.1 "));
	assert_string_equal(server_say(&v, "STARTTLS\r\n"), "220 2.0.0 Ready to start TLS\r\n");
	secure(&v);
	assert_string_equal(bytes_text(&v.heard), ""); /* no second banner */
	assert_true(text_starts(server_say(&v, "MAIL FROM:<>\r\n"), "503 5.5.1"));
	assert_true(text_starts(server_say(&v, "RCPT TO:<b@example.net>\r\n"), "503 5.5.1"));
	assert_null(strstr(server_say(&v, "EHLO x\r\n"), "STARTTLS"));
	assert_true(text_starts(server_say(&v, "STARTTLS\r\n"), "503 5.5.1"));
	server_say(&v, SERVER_AGAIN);
	assert_true(text_starts(server_say(&v, "x\r\n.\r\n"), "250 2.0.0"));
	assert_string_equal(v.stored[0].with, "ESMTPS");
	server_release(&v);
}

/* CVE-2011-0411: what came in clear behind STARTTLS is never run inside TLS. */
static void commands_are_not_injected(void **state)
{
	static const char *const texts[] = {
		"EHLO x\r\nSTARTTLS\r\nNOOP\r\n",
		"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@example.org>\r\n",
		"STARTTLS\r\nRCP",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct server v;

		start(&v, LISTENER_TLS_STARTTLS);
		assert_true(
			text_ends(server_say(&v, texts[i]), "220 2.0.0 Ready to start TLS\r\n"));
		secure(&v);
		server_pass(&v, CLOCK_SEC);
		assert_string_equal(bytes_text(&v.heard), "");
		assert_true(text_starts(server_say(&v, "RCPT TO:<b@example.net>\r\n"), "503 "));
		server_greet(&v);
		server_release(&v);
	}
}

static void required_tls_opens_the_door(void **state)
{
	struct server v;

	(void)state;
	start(&v, LISTENER_TLS_REQUIRED);
	v.listener.auth = AUTH_ANY;
	assert_null(strstr(server_say(&v, "EHLO x\r\n"), "AUTH"));
	assert_true(text_starts(server_say(&v, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n"), "530 5.7.0"));
	assert_true(text_starts(server_say(&v, "MAIL FROM:<>\r\n"), "530 5.7.0"));
	assert_true(text_starts(server_say(&v, "STARTTLS\r\n"), "220 "));
	secure(&v);
	assert_non_null(strstr(server_say(&v, "EHLO x\r\n"),
	                       "\r\n250-AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2 OAUTHBEARER\r\n"));
	assert_true(text_starts(server_say(&v, "AUTH PLAIN AGFubmEAc2VjcmV0\r\n"), "235 "));
	server_say(&v, SERVER_AGAIN);
	server_say(&v, "x\r\n.\r\n");
	assert_string_equal(v.stored[0].with, "ESMTPSA");
	assert_string_equal(v.stored[0].login, "anna");
	server_release(&v);
}

static void implicit_tls_says_nothing_in_clear(void **state)
{
	struct server v;

	(void)state;
	start(&v, LISTENER_TLS_IMPLICIT);
	assert_string_equal(bytes_text(&v.heard), "");
	secure(&v);
	assert_string_equal(bytes_text(&v.heard), "220 mx.test ESMTP Penstock\r\n");
	assert_null(strstr(server_say(&v, "EHLO x\r\n"), "STARTTLS"));
	server_say(&v, SERVER_AGAIN);
	assert_true(text_starts(server_say(&v, "x\r\n.\r\n"), "250 2.0.0"));
	assert_string_equal(v.stored[0].with, "ESMTPS");
	server_release(&v);
}

static void a_handshake_that_never_comes_is_ended(void **state)
{
	static const enum listener_tls kinds[] = { LISTENER_TLS_IMPLICIT, LISTENER_TLS_STARTTLS };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct server v;

		start(&v, kinds[i]);
		if (kinds[i] == LISTENER_TLS_STARTTLS)
			server_say(&v, "STARTTLS\r\n");
		bytes_clear(&v.heard);
		server_pass(&v, 6 * CLOCK_MIN);
		assert_true(v.closed);
		assert_int_equal(v.heard.length, 0);
		assert_true(receive_idle(&v.receive));
		server_release(&v);
	}
}

static void who_cannot_be_served_is_closed_without_a_handshake(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	v.listener.tls = LISTENER_TLS_IMPLICIT;
	server_connect(&v); /* no certificate */
	assert_true(v.closed);
	v.receive.tls = ours;
	receive_stop(&v.receive);
	server_connect(&v);
	assert_true(v.closed);
	assert_int_equal(v.heard.length, 0);
	assert_true(receive_idle(&v.receive));
	server_release(&v);
}

static void rubbish_instead_of_a_handshake(void **state)
{
	struct server v;

	(void)state;
	start(&v, LISTENER_TLS_IMPLICIT);
	server_say(&v, "EHLO x\r\nMAIL FROM:<>\r\n");
	assert_true(v.closed);
	assert_null(strstr(bytes_text(&v.heard), "250"));
	server_release(&v);
}

static void stopping_waits_for_no_handshake_to_say_so(void **state)
{
	struct server v;

	(void)state;
	start(&v, LISTENER_TLS_IMPLICIT);
	receive_stop(&v.receive);
	server_pass(&v, 0);
	stream_start_tls(v.client, theirs, "mx.test");
	server_pass(&v, 0);
	assert_true(
		text_ends(bytes_text(&v.heard), "421 4.3.2 Service is shutting down, closing\r\n"));
	assert_true(v.closed);
	assert_true(receive_idle(&v.receive));
	server_release(&v);
}

/* A handshake has a deadline of its own, and what comes of it in drips does not move it. */
static void a_handshake_is_done_soon(void **state)
{
	struct server v;

	(void)state;
	start(&v, LISTENER_TLS_IMPLICIT);
	server_say(&v, "\x16\x03\x01\x02");
	server_pass(&v, TLS_PATIENCE_US / 2);
	server_say(&v, "\x05");
	server_pass(&v, TLS_PATIENCE_US / 2 - 1);
	assert_false(v.closed);
	server_pass(&v, 1);
	assert_true(v.closed);
	server_release(&v);
}

/* A client's hello that came together with the PROXY header. */
static void a_handshake_begins_behind_a_proxy_header(void **state)
{
	static struct network loopback = { .family = AF_INET, .address = { 127 }, .prefix = 8 };

	struct server v;

	(void)state;
	server_init(&v);
	v.receive.tls = ours;
	v.listener.tls = LISTENER_TLS_IMPLICIT;
	v.listener.proxy_protocol = true;
	v.listener.proxy_from = &loopback;
	v.listener.proxy_from_count = 1;
	v.peer = "127.0.0.1";
	server_connect(&v);
	stream_write_text(v.client, "PROXY TCP4 192.0.2.1 127.0.0.1 5 25\r\n");
	stream_start_tls(v.client, theirs, "mx.test");
	server_pass(&v, 0);
	assert_true(stream_is_tls(v.client));
	assert_true(text_starts(bytes_text(&v.heard), "220 "));
	assert_true(text_starts(server_say(&v, "EHLO x\r\n"), "250-"));
	server_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starttls_forgets_all_that_was_said),
		cmocka_unit_test(commands_are_not_injected),
		cmocka_unit_test(required_tls_opens_the_door),
		cmocka_unit_test(implicit_tls_says_nothing_in_clear),
		cmocka_unit_test(a_handshake_that_never_comes_is_ended),
		cmocka_unit_test(a_handshake_is_done_soon),
		cmocka_unit_test(a_handshake_begins_behind_a_proxy_header),
		cmocka_unit_test(who_cannot_be_served_is_closed_without_a_handshake),
		cmocka_unit_test(rubbish_instead_of_a_handshake),
		cmocka_unit_test(stopping_waits_for_no_handshake_to_say_so),
	};

	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, make_contexts, free_contexts);
}
