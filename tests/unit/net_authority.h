/* SPDX-License-Identifier: ISC */
/* net_authority.h - a certificate authority for tests, in a directory of its own. */
#ifndef TESTS_NET_AUTHORITY_H
#define TESTS_NET_AUTHORITY_H

#include <openssl/x509.h>

struct authority {
	char directory[64];
	EVP_PKEY *key;
	X509 *certificate;
	char file[128]; /* PEM of it, for tls-ca */
};

/* A certificate that it signs, in two PEM files. */
struct issued {
	char certificate[128], key[128];
	char pin[64]; /* base64 of the key's SHA-256 */
};

void authority_init(struct authority *a, const char *name);
void authority_release(struct authority *a); /* removes its files */
/* names: as OpenSSL's subjectAltName ("DNS:a.example,IP:127.0.0.1"); valid from and until these
 * days relative to now. */
void authority_issue(struct authority *a, struct issued *issued_r, const char *file,
                     const char *names, int from_day, int until_day);

#endif
