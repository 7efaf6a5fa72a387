/* SPDX-License-Identifier: ISC */
/* test_tls.c - handshakes, what is refused and in which words, data both ways, ends, freeing
 * anywhere; over sockets and over pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "net_authority.h"
#include "net_peer.h"

struct fixture {
	struct authority known, unknown;
	struct issued good, expired, early, wildcard, foreign;
	struct tls_context *client; /* full, with the known authority */
};

static int setup(void **state)
{
	struct fixture *f = memory_new(sizeof *f);
	struct bytes error = { 0 };

	authority_init(&f->known, "Known Authority");
	authority_init(&f->unknown, "Unknown Authority");
	authority_issue(&f->known, &f->good, "good", "DNS:mail.example.net,IP:127.0.0.1", -1, 30);
	authority_issue(&f->known, &f->expired, "expired", "DNS:mail.example.net", -30, -2);
	authority_issue(&f->known, &f->early, "early", "DNS:mail.example.net", 5, 30);
	authority_issue(&f->known, &f->wildcard, "wildcard", "DNS:*.example.org,DNS:m*.example.com",
	                -1, 30);
	authority_issue(&f->unknown, &f->foreign, "foreign", "DNS:mail.example.net", -1, 30);
	if (tls_context_new_client(&f->client, TLS_TRUST_FULL, f->known.file, NULL, &error) < 0)
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tls_context_free(&f->client);
	authority_release(&f->known);
	authority_release(&f->unknown);
	free(f);
	return 0;
}

static struct tls_context *server_of(const struct issued *issued)
{
	struct tls_context *tls = NULL;
	struct bytes error = { 0 };

	assert_int_equal(
		tls_context_new_server(&tls, "here", issued->certificate, issued->key, &error), 0);
	return tls;
}

/* Both ends of a pair with a set clock, or of a socket pair. */
struct ends {
	struct clock_set clock;
	struct loop *loop;
	struct peer client, server;
};

static void ends_init(struct ends *e, bool sockets)
{
	int fds[2];

	*e = (struct ends){ 0 };
	clock_set_init(&e->clock, CLOCK_DAY);
	if (!sockets) {
		struct stream *client, *server;

		e->loop = loop_new_set(&e->clock);
		stream_pair(e->loop, &client, &server);
		peer_init(&e->client, client);
		peer_init(&e->server, server);
		return;
	}
	e->loop = loop_new(clock_system());
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	                 0);
	e->client.stream = stream_new(e->loop, fds[0], &peer_events, &e->client);
	e->server.stream = stream_new(e->loop, fds[1], &peer_events, &e->server);
}

static void ends_release(struct ends *e)
{
	peer_release(&e->client);
	peer_release(&e->server);
	loop_free(&e->loop);
}

static void start(struct ends *e, const struct issued *issued, struct tls_context *client,
                  const char *name)
{
	struct tls_context *server = server_of(issued);

	stream_start_tls(e->server.stream, server, NULL);
	stream_start_tls(e->client.stream, client, name);
	tls_context_free(&server); /* the connection has its own share */
}

static void test_secured_and_data_both_ways(void **state)
{
	struct fixture *f = *state;
	size_t size = 1000000;
	unsigned char *block = memory_new(size);

	for (size_t i = 0; i < size; i++)
		block[i] = (unsigned char)(i * 13 >> 2);
	for (int sockets = 0; sockets < 2; sockets++) {
		struct ends e;
		size_t written = 0;

		ends_init(&e, sockets);
		start(&e, &f->good, f->client, "mail.example.net");
		assert_false(stream_is_tls(e.client.stream));
		assert_null(stream_tls_description(e.client.stream));
		e.server.echoes = true;
		for (long turn = 0; e.client.received.length < size; turn++) {
			assert_true(turn < 100000);
			assert_string_equal(bytes_text(&e.client.error), "");
			assert_string_equal(bytes_text(&e.server.error), "");
			if (written < size &&
			    stream_output_length(e.client.stream) < STREAM_OUTPUT_HIGH) {
				stream_write(e.client.stream, block + written, 100000);
				written += 100000;
			}
			loop_turn(e.loop, false);
		}
		assert_memory_equal(e.client.received.data, block, size);
		assert_int_equal(e.client.told[PEER_SECURED], 1);
		assert_int_equal(e.server.told[PEER_SECURED], 1);
		assert_true(stream_is_tls(e.server.stream));
		assert_string_equal(stream_tls_description(e.client.stream),
		                    stream_tls_description(e.server.stream));
		assert_int_equal(
			strncmp(stream_tls_description(e.client.stream), "TLSv1.3 TLS_", 12), 0);
		assert_int_equal(stream_sent(e.client.stream), size);
		ends_release(&e);
	}
	free(block);
}

static void test_records_at_every_split(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 5, 7, 100, 1000 };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct ends e;

		ends_init(&e, false);
		stream_pair_limit(e.client.stream, pieces[i]);
		stream_pair_limit(e.server.stream, pieces[i]);
		start(&e, &f->good, f->client, "mail.example.net");
		e.server.echoes = true;
		stream_write_text(e.client.stream, "EHLO client.example\r\n");
		loop_pass(e.loop, 0);
		assert_string_equal(bytes_text(&e.client.received), "EHLO client.example\r\n");
		stream_close_after_output(&e.client.stream);
		loop_pass(e.loop, 0);
		assert_string_equal(bytes_text(&e.server.error), "end");
		ends_release(&e);
	}
}

/* What was written before TLS goes first, in clear; what is written after it, inside. */
static void test_starttls_keeps_the_order(void **state)
{
	struct fixture *f = *state;
	struct ends e;
	struct tls_context *server = server_of(&f->good);

	ends_init(&e, false);
	stream_write_text(e.server.stream, "220 go\r\n");
	stream_start_tls(e.server.stream, server, NULL);
	stream_write_text(e.server.stream, "inside\r\n");
	loop_pass(e.loop, 0);
	assert_string_equal(bytes_text(&e.client.received), "220 go\r\n");
	stream_start_tls(e.client.stream, f->client, "mail.example.net");
	loop_pass(e.loop, 0);
	assert_string_equal(bytes_text(&e.client.received), "220 go\r\ninside\r\n");
	assert_int_equal(stream_sent(e.server.stream), 16);
	tls_context_free(&server);
	ends_release(&e);
}

static void expect_refusal(struct fixture *f, const struct issued *issued,
                           struct tls_context *client, const char *name, const char *words)
{
	struct ends e;
	const char *said;

	ends_init(&e, false);
	start(&e, issued, client, name);
	stream_write_text(e.client.stream, "secret");
	loop_pass(e.loop, 0);
	said = bytes_text(&e.client.error);
	if (words == NULL) {
		assert_string_equal(said, "");
		assert_string_equal(bytes_text(&e.server.received), "secret");
	} else {
		if (strstr(said, words) == NULL)
			fail_msg("said '%s', not '%s'", said, words);
		assert_int_equal(e.client.told[PEER_SECURED], 0);
		assert_int_equal(e.server.received.length, 0);
	}
	(void)f;
	ends_release(&e);
}

static void test_certificates_of_a_full_check(void **state)
{
	struct fixture *f = *state;
	struct {
		const struct issued *issued;
		const char *name, *words;
	} rows[] = {
		{ &f->good, "mail.example.net", NULL },
		{ &f->good, "MAIL.example.NET.", NULL },
		{ &f->good, "127.0.0.1", NULL },
		{ &f->good, "other.example",
		  "certificate of other.example is for mail.example.net, 127.0.0.1" },
		{ &f->good, "127.0.0.2", "certificate of 127.0.0.2 is for mail.example.net" },
		{ &f->good, "[::1]", "certificate of ::1 is for " },
		{ &f->good, "good", "is for" }, /* the common name does not count beside names */
		{ &f->wildcard, "a.example.org", NULL },
		{ &f->wildcard, "example.org", "is for *.example.org" },
		{ &f->wildcard, "a.b.example.org", "is for *.example.org" },
		{ &f->wildcard, "mx.example.com", "is for *.example.org" }, /* RFC 7817: no "m*" */
		{ &f->expired, "mail.example.net",
		  "certificate of mail.example.net expired on 20" },
		{ &f->early, "mail.example.net",
		  "certificate of mail.example.net is not valid before 20" },
		{ &f->foreign, "mail.example.net",
		  "certificate of mail.example.net is from an unknown authority \"Unknown "
		  "Authority\"" },
		{ &f->good, NULL, "cannot begin TLS" },
		{ &f->good, "", "cannot begin TLS" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_refusal(f, rows[i].issued, f->client, rows[i].name, rows[i].words);
}

static void test_other_kinds_of_trust(void **state)
{
	struct fixture *f = *state;
	struct tls_context *ca, *off, *pin;
	struct bytes error = { 0 };

	assert_int_equal(tls_context_new_client(&ca, TLS_TRUST_CA, f->known.file, NULL, &error), 0);
	assert_int_equal(tls_context_new_client(&off, TLS_TRUST_OFF, NULL, NULL, &error), 0);
	assert_int_equal(tls_context_new_client(&pin, TLS_TRUST_PIN, NULL, f->foreign.pin, &error),
	                 0);
	expect_refusal(f, &f->good, ca, "other.example", NULL);
	expect_refusal(f, &f->expired, ca, "other.example", "expired");
	expect_refusal(f, &f->foreign, ca, "mail.example.net", "unknown authority");
	expect_refusal(f, &f->foreign, off, "other.example", NULL);
	expect_refusal(f, &f->foreign, off, NULL, NULL);
	expect_refusal(f, &f->foreign, pin, "other.example", NULL);
	expect_refusal(f, &f->good, pin, "mail.example.net",
	               "another key than the pinned one: sha256/");
	expect_refusal(f, &f->good, pin, "mail.example.net", f->good.pin);
	tls_context_free(&ca);
	tls_context_free(&off);
	tls_context_free(&pin);
	bytes_release(&error);
}

static void test_bad_pins(void **state)
{
	static const char *const pins[] = { NULL,
		                            "",
		                            "abc",
		                            "AAAA",
		                            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
		                            "!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" };

	(void)state;
	for (size_t i = 0; i < sizeof pins / sizeof pins[0]; i++) {
		struct tls_context *tls = NULL;
		struct bytes error = { 0 };

		assert_int_equal(tls_context_new_client(&tls, TLS_TRUST_PIN, NULL, pins[i], &error),
		                 -1);
		assert_null(tls);
		assert_non_null(strstr(bytes_text(&error), "44 characters"));
		bytes_release(&error);
	}
}

static void test_peers_that_do_not_speak_tls(void **state)
{
	static const struct {
		const char *says, *words;
	} rows[] = {
		{ "220 mail.example.net ESMTP\r\n", "does not speak TLS here" },
		{ "554 go away\r\n", "does not speak TLS here" },
		{ NULL, "closed the connection during the TLS handshake" },
		/* An alert: handshake_failure. */
		{ "\x15\x03\x03\x00\x02\x02\x28", "no TLS cipher in common" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ends e;

		ends_init(&e, false);
		stream_start_tls(e.client.stream, f->client, "mail.example.net");
		if (rows[i].says == NULL)
			stream_free(&e.server.stream);
		else
			stream_write(e.server.stream, rows[i].says,
			             rows[i].says[0] == 0x15 ? 7 : strlen(rows[i].says));
		loop_pass(e.loop, 0);
		if (strstr(bytes_text(&e.client.error), rows[i].words) == NULL)
			fail_msg("said '%s', not '%s'", bytes_text(&e.client.error), rows[i].words);
		ends_release(&e);
	}
}

static void test_plain_client_of_a_tls_server(void **state)
{
	struct fixture *f = *state;
	struct ends e;
	struct tls_context *server = server_of(&f->good);

	ends_init(&e, false);
	stream_start_tls(e.server.stream, server, NULL);
	stream_write_text(e.client.stream, "NOOP injected\r\nEHLO a\r\n");
	loop_pass(e.loop, 0);
	assert_int_equal(e.server.told[PEER_CLOSED], 1);
	assert_int_equal(e.server.received.length, 0);
	tls_context_free(&server);
	ends_release(&e);
}

/* Each event of each side, over sockets: the loop must not touch what is gone. */
static void test_free_in_each_event(void **state)
{
	static const enum peer_event events[] = { PEER_SECURED, PEER_READABLE, PEER_CLOSED };
	struct fixture *f = *state;

	for (size_t i = 0; i < 6; i++) {
		struct ends e;
		struct peer *frees, *stays;

		ends_init(&e, true);
		frees = i % 2 ? &e.client : &e.server;
		stays = i % 2 ? &e.server : &e.client;
		frees->free_at = 1U << events[i / 2];
		start(&e, &f->good, f->client, "mail.example.net");
		stream_write_text(e.client.stream, "abc");
		stream_write_text(e.server.stream, "def");
		if (events[i / 2] == PEER_CLOSED) {
			peer_wait(e.loop, frees->received.length == 3);
			stream_close_after_output(&stays->stream);
			peer_wait(e.loop, frees->stream == NULL);
		} else {
			peer_wait(e.loop, stays->told[PEER_CLOSED] > 0);
		}
		assert_null(frees->stream);
		ends_release(&e);
	}
}

static void test_paused_during_the_handshake(void **state)
{
	struct fixture *f = *state;
	struct ends e;

	ends_init(&e, false);
	stream_pause(e.server.stream);
	start(&e, &f->good, f->client, "mail.example.net");
	stream_write_text(e.client.stream, "abc");
	loop_pass(e.loop, CLOCK_MIN);
	assert_int_equal(e.client.told[PEER_SECURED], 0);
	stream_resume(e.server.stream);
	loop_pass(e.loop, 0);
	assert_int_equal(e.client.told[PEER_SECURED], 1);
	assert_string_equal(bytes_text(&e.server.received), "abc");
	ends_release(&e);
}

static void test_output_is_bounded_as_in_clear(void **state)
{
	struct fixture *f = *state;
	struct ends e;
	unsigned char *block = memory_new(STREAM_OUTPUT_STOP);

	ends_init(&e, false);
	start(&e, &f->good, f->client, "mail.example.net");
	loop_pass(e.loop, 0);
	stream_pause(e.server.stream);
	stream_write(e.client.stream, block, STREAM_OUTPUT_STOP);
	loop_pass(e.loop, 0);
	assert_int_equal(e.client.told[PEER_DRAINED], 0);
	assert_true(stream_output_length(e.client.stream) > STREAM_OUTPUT_LOW);
	stream_resume(e.server.stream);
	loop_pass(e.loop, 0);
	assert_int_equal(e.client.told[PEER_DRAINED], 1);
	assert_int_equal(e.server.received.length, STREAM_OUTPUT_STOP);
	free(block);
	ends_release(&e);
}

static void test_made_certificate_serves(void **state)
{
	struct fixture *f = *state;
	struct issued made;
	struct tls_context *client;
	struct bytes error = { 0 };
	struct stat st, again;

	snprintf(made.certificate, sizeof made.certificate, "%s/made.pem", f->known.directory);
	snprintf(made.key, sizeof made.key, "%s/made.key", f->known.directory);
	assert_int_equal(tls_make_certificate(made.certificate, made.key, "dev.example", &error),
	                 0);
	assert_int_equal(stat(made.key, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(tls_make_certificate(made.certificate, made.key, "dev.example", &error),
	                 0);
	assert_int_equal(stat(made.key, &again), 0);
	assert_int_equal(st.st_ino, again.st_ino); /* kept */
	assert_int_equal(
		tls_context_new_client(&client, TLS_TRUST_FULL, made.certificate, NULL, &error), 0);
	expect_refusal(f, &made, client, "dev.example", NULL);
	expect_refusal(f, &made, client, "localhost", NULL);
	expect_refusal(f, &made, client, "127.0.0.1", NULL);
	expect_refusal(f, &made, client, "::1", NULL);
	expect_refusal(f, &made, client, "other.example",
	               "is for dev.example, localhost, 127.0.0.1, ::1");
	expect_refusal(f, &made, f->client, "dev.example", "self-signed");
	tls_context_free(&client);
	assert_int_equal(
		tls_make_certificate("/nonexistent/a.pem", "/nonexistent/a.key", "a", &error), -1);
	assert_non_null(strstr(bytes_text(&error), "/nonexistent/a.key"));
	bytes_release(&error);
}

static void test_files_that_will_not_do(void **state)
{
	struct fixture *f = *state;
	struct {
		const char *certificate, *key, *words;
	} rows[] = {
		{ "/nonexistent.pem", f->good.key, "certificate '/nonexistent.pem': No such file" },
		{ f->good.certificate, "/nonexistent.key", "key '/nonexistent.key': No such file" },
		{ "/dev/null", f->good.key, "certificate '/dev/null': " },
		{ f->good.certificate, "/dev/null", "key '/dev/null': " },
		{ f->good.certificate, f->expired.key, "belongs to another certificate" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct tls_context *tls = NULL;
		struct bytes error = { 0 };

		assert_int_equal(tls_context_new_server(&tls, "here", rows[i].certificate,
		                                        rows[i].key, &error),
		                 -1);
		if (strstr(bytes_text(&error), rows[i].words) == NULL)
			fail_msg("said '%s', not '%s'", bytes_text(&error), rows[i].words);
		bytes_release(&error);
	}
	for (size_t i = 0; i < 2; i++) {
		struct tls_context *tls = NULL;
		struct bytes error = { 0 };
		const char *ca = i == 0 ? "/nonexistent.pem" : "/dev/null";

		assert_int_equal(tls_context_new_client(&tls, TLS_TRUST_FULL, ca, NULL, &error),
		                 -1);
		assert_non_null(strstr(bytes_text(&error), ca));
		bytes_release(&error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secured_and_data_both_ways),
		cmocka_unit_test(test_records_at_every_split),
		cmocka_unit_test(test_starttls_keeps_the_order),
		cmocka_unit_test(test_certificates_of_a_full_check),
		cmocka_unit_test(test_other_kinds_of_trust),
		cmocka_unit_test(test_bad_pins),
		cmocka_unit_test(test_peers_that_do_not_speak_tls),
		cmocka_unit_test(test_plain_client_of_a_tls_server),
		cmocka_unit_test(test_free_in_each_event),
		cmocka_unit_test(test_paused_during_the_handshake),
		cmocka_unit_test(test_output_is_bounded_as_in_clear),
		cmocka_unit_test(test_made_certificate_serves),
		cmocka_unit_test(test_files_that_will_not_do),
	};

	return cmocka_run_group_tests_name("tls", tests, setup, teardown);
}
