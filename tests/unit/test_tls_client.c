/* SPDX-License-Identifier: ISC */
/* test_tls_client.c - sessions that are resumed and those that must not be, the lowest version,
 * and the certificate that a client shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/tls_private.h"
#include "net_authority.h"
#include "net_peer.h"

#define NAME "mail.example.net"

struct fixture {
	struct authority known, unknown;
	struct issued good, foreign, ours;
	struct tls_context *client; /* full, with the known authority */
	struct tls_context *server, *impostor;
};

static struct tls_context *server_of(const struct issued *issued)
{
	struct tls_context *tls = NULL;
	struct bytes error = { 0 };

	assert_int_equal(
		tls_context_new_server(&tls, "here", issued->certificate, issued->key, &error), 0);
	return tls;
}

static struct tls_context *client_of(const struct fixture *f, enum tls_trust trust)
{
	struct tls_context *tls = NULL;
	struct bytes error = { 0 };

	assert_int_equal(tls_context_new_client(&tls, trust, f->known.file, f->good.pin, &error),
	                 0);
	return tls;
}

static int setup(void **state)
{
	struct fixture *f = memory_new(sizeof *f);

	authority_init(&f->known, "Known Authority");
	authority_init(&f->unknown, "Unknown Authority");
	authority_issue(&f->known, &f->good, "good", "DNS:" NAME ",IP:127.0.0.1", -1, 30);
	authority_issue(&f->known, &f->ours, "ours", "DNS:client.example.net", -1, 30);
	authority_issue(&f->unknown, &f->foreign, "foreign", "DNS:" NAME, -1, 30);
	f->client = client_of(f, TLS_TRUST_FULL);
	f->server = server_of(&f->good);
	f->impostor = server_of(&f->foreign);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tls_context_free(&f->client);
	tls_context_free(&f->server);
	tls_context_free(&f->impostor);
	authority_release(&f->known);
	authority_release(&f->unknown);
	free(f);
	return 0;
}

/* One connection over a pair. */
struct meeting {
	struct clock_set clock;
	struct loop *loop;
	struct peer client, server;
};

static void meet(struct meeting *m, struct tls_context *client, struct tls_context *server,
                 const char *name)
{
	struct stream *here, *there;

	*m = (struct meeting){ 0 };
	clock_set_init(&m->clock, CLOCK_DAY);
	m->loop = loop_new_set(&m->clock);
	stream_pair(m->loop, &here, &there);
	peer_init(&m->client, here);
	peer_init(&m->server, there);
	m->server.echoes = true;
	stream_start_tls(m->server.stream, server, NULL);
	stream_start_tls(m->client.stream, client, name);
	stream_write_text(m->client.stream, "words");
}

static void part(struct meeting *m)
{
	peer_release(&m->client);
	peer_release(&m->server);
	loop_free(&m->loop);
}

enum how { FULL, RESUMED, REFUSED };

static void expect(struct tls_context *client, struct tls_context *server, const char *name,
                   enum how how)
{
	struct meeting m;

	meet(&m, client, server, name);
	loop_pass(m.loop, 0);
	if (how == REFUSED) {
		assert_true(m.client.error.length > 0 || m.server.error.length > 0);
		assert_string_equal(bytes_text(&m.client.received), "");
	} else {
		assert_string_equal(bytes_text(&m.client.error), "");
		assert_string_equal(bytes_text(&m.client.received), "words");
		assert_int_equal(stream_tls_resumed(m.client.stream), how == RESUMED);
		assert_int_equal(stream_tls_resumed(m.server.stream), how == RESUMED);
	}
	part(&m);
}

static void test_the_second_resumes(void **state)
{
	struct fixture *f = *state;
	struct tls_context *pin = client_of(f, TLS_TRUST_PIN), *ca = client_of(f, TLS_TRUST_CA);

	for (int i = 0; i < 4; i++) {
		expect(f->client, f->server, NAME, i == 0 ? FULL : RESUMED);
		expect(pin, f->server, NAME, i == 0 ? FULL : RESUMED);
		expect(ca, f->server, "other.example.net", i == 0 ? FULL : RESUMED);
	}
	tls_context_free(&pin);
	tls_context_free(&ca);
}

static void test_version_1_2_too(void **state)
{
	struct fixture *f = *state;
	struct tls_context *old = server_of(&f->good), *client = client_of(f, TLS_TRUST_FULL);

	SSL_CTX_set_max_proto_version(tls_ssl_context(old), TLS1_2_VERSION);
	expect(client, old, NAME, FULL);
	expect(client, old, NAME, RESUMED);
	tls_context_free(&client);
	client = client_of(f, TLS_TRUST_FULL);
	tls_context_set_minimum(client, TLS_VERSION_1_3);
	expect(client, old, NAME, REFUSED);
	expect(client, f->server, NAME, FULL);
	tls_context_free(&client);
	tls_context_free(&old);
}

/* One ticket a connection: of two at the same time one resumes. */
static void test_each_is_used_once(void **state)
{
	struct fixture *f = *state;
	struct tls_context *client = client_of(f, TLS_TRUST_FULL);
	struct meeting a, b;

	expect(client, f->server, NAME, FULL);
	meet(&a, client, f->server, NAME);
	meet(&b, client, f->server, NAME);
	loop_pass(a.loop, 0);
	loop_pass(b.loop, 0);
	assert_true(stream_tls_resumed(a.client.stream));
	assert_false(stream_tls_resumed(b.client.stream));
	part(&a);
	part(&b);
	tls_context_free(&client);
}

static void test_not_for_another_name(void **state)
{
	struct fixture *f = *state;
	struct tls_context *client = client_of(f, TLS_TRUST_FULL);

	expect(client, f->server, NAME, FULL);
	expect(client, f->server, "127.0.0.1", FULL);
	expect(client, f->server, "other.example.net", REFUSED);
	expect(client, f->server, NAME, RESUMED);
	expect(client, f->server, "127.0.0.1", RESUMED);
	tls_context_free(&client);
}

/* Who was not verified leaves nothing to come back to. */
static void test_not_without_verification(void **state)
{
	struct fixture *f = *state;
	struct tls_context *off = client_of(f, TLS_TRUST_OFF);

	for (int i = 0; i < 3; i++)
		expect(off, f->server, NAME, FULL);
	tls_context_free(&off);
}

/* A ticket that a server does not know: everything is verified again. */
static void test_another_server_is_verified(void **state)
{
	struct fixture *f = *state;
	struct tls_context *client = client_of(f, TLS_TRUST_FULL), *second = server_of(&f->good);

	expect(client, f->server, NAME, FULL);
	expect(client, f->impostor, NAME, REFUSED);
	expect(client, f->impostor, NAME, REFUSED);
	expect(client, f->server, NAME, FULL);
	expect(client, second, NAME, FULL);
	expect(client, second, NAME, RESUMED);
	tls_context_free(&client);
	tls_context_free(&second);
}

static void test_no_more_are_kept_than_are_of_use(void **state)
{
	struct fixture *f = *state;
	struct tls_context *client = client_of(f, TLS_TRUST_FULL);
	struct meeting m[40];
	size_t resumed = 0;

	for (size_t i = 0; i < 40; i++)
		meet(&m[i], client, f->server, NAME);
	for (size_t i = 0; i < 40; i++) {
		loop_pass(m[i].loop, 0);
		assert_false(stream_tls_resumed(m[i].client.stream));
		part(&m[i]);
	}
	for (size_t i = 0; i < 40; i++)
		meet(&m[i], client, f->server, NAME);
	for (size_t i = 0; i < 40; i++) {
		loop_pass(m[i].loop, 0);
		resumed += stream_tls_resumed(m[i].client.stream);
		part(&m[i]);
	}
	assert_int_equal(resumed, 32);
	tls_context_free(&client);
}

static void test_client_certificate(void **state)
{
	struct fixture *f = *state;
	struct tls_context *client = client_of(f, TLS_TRUST_FULL), *strict = server_of(&f->good);
	SSL_CTX *ssl = tls_ssl_context(strict);
	struct bytes error = { 0 };

	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	assert_int_equal(SSL_CTX_load_verify_file(ssl, f->known.file), 1);
	expect(client, strict, NAME, REFUSED);
	assert_int_equal(
		tls_context_set_certificate(client, f->ours.certificate, f->ours.key, &error), 0);
	expect(client, strict, NAME, FULL);
	expect(client, strict, NAME, RESUMED);
	expect(client, f->server, NAME, FULL); /* who does not ask is not told */
	assert_int_equal(
		tls_context_set_certificate(client, f->ours.certificate, f->good.key, &error), -1);
	assert_non_null(strstr(bytes_text(&error), "belongs to another certificate"));
	bytes_release(&error);
	tls_context_free(&client);
	tls_context_free(&strict);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_second_resumes),
		cmocka_unit_test(test_version_1_2_too),
		cmocka_unit_test(test_each_is_used_once),
		cmocka_unit_test(test_not_for_another_name),
		cmocka_unit_test(test_not_without_verification),
		cmocka_unit_test(test_another_server_is_verified),
		cmocka_unit_test(test_no_more_are_kept_than_are_of_use),
		cmocka_unit_test(test_client_certificate),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
