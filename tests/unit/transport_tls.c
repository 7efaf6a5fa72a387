/* SPDX-License-Identifier: ISC */
/* transport_tls.c - see transport_tls.h. */
#include "transport_tls.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct files {
	char folder[64], certificate[96], key[96];
};

static void make_files(struct files *f)
{
	struct bytes error = { 0 };

	snprintf(f->folder, sizeof f->folder, "/tmp/penstock-test-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->certificate, sizeof f->certificate, "%s/cert.pem", f->folder);
	snprintf(f->key, sizeof f->key, "%s/key.pem", f->folder);
	assert_int_equal(tls_make_certificate(f->certificate, f->key, "smarthost.test", &error), 0);
	bytes_release(&error);
}

static void remove_files(const struct files *f)
{
	unlink(f->certificate);
	unlink(f->key);
	rmdir(f->folder);
}

/* Signs the certificate anew with an end that has passed. */
static void expire(const struct files *f)
{
	FILE *file = fopen(f->certificate, "r");
	X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
	EVP_PKEY *key;

	fclose(file);
	file = fopen(f->key, "r");
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), -3600));
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	file = fopen(f->certificate, "w");
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

void stage_tls(struct stage *s, enum tls_trust trust, enum certificate_kind kind)
{
	struct bytes error = { 0 };
	struct files peer, other;

	make_files(&peer);
	make_files(&other);
	if (kind == CERTIFICATE_EXPIRED)
		expire(&peer);
	assert_int_equal(
		tls_context_new_server(&s->peer_tls, "here", peer.certificate, peer.key, &error),
		0);
	assert_int_equal(tls_context_new_client(&s->client_tls, trust,
	                                        kind == CERTIFICATE_UNKNOWN ? other.certificate
	                                                                    : peer.certificate,
	                                        NULL, &error),
	                 0);
	remove_files(&peer);
	remove_files(&other);
	bytes_release(&error);
}

void secures(struct stage *s, const char *text)
{
	stream_write_text(s->peer, text);
	stream_start_tls(s->peer, s->peer_tls, NULL);
	pass(s, 0);
}
