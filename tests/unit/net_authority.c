/* SPDX-License-Identifier: ISC */
/* net_authority.c - see net_authority.h. Failures end the test program: nothing here is under test.
 */
#include "net_authority.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY 86400L

static void need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "net_authority: cannot %s\n", what);
	abort();
}

static void write_pem(const char *path, EVP_PKEY *key, X509 *certificate)
{
	FILE *file = fopen(path, "w");

	need(file != NULL, "write PEM");
	if (key != NULL)
		need(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1,
		     "write a key");
	else
		need(PEM_write_X509(file, certificate) == 1, "write a certificate");
	need(fclose(file) == 0, "write PEM");
}

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	need(extension != NULL && X509_add_ext(certificate, extension, -1) == 1, "extend");
	X509_EXTENSION_free(extension);
}

static X509 *make(EVP_PKEY *key, const char *name, int from_day, int until_day)
{
	static long serial = 1;
	X509 *x = X509_new();

	need(x != NULL && X509_set_version(x, X509_VERSION_3) == 1, "make a certificate");
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), DAY * from_day);
	X509_gmtime_adj(X509_getm_notAfter(x), DAY * until_day);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
	                           (const unsigned char *)name, -1, -1, 0);
	return x;
}

void authority_init(struct authority *a, const char *name)
{
	*a = (struct authority){ .directory = "/tmp/penstock-authority-XXXXXX" };
	need(mkdtemp(a->directory) != NULL, "make a directory");
	a->key = EVP_EC_gen("P-256");
	a->certificate = make(a->key, name, -1, 30);
	X509_set_issuer_name(a->certificate, X509_get_subject_name(a->certificate));
	extend(a->certificate, a->certificate, NID_basic_constraints, "critical,CA:TRUE");
	extend(a->certificate, a->certificate, NID_key_usage, "critical,keyCertSign");
	extend(a->certificate, a->certificate, NID_subject_key_identifier, "hash");
	need(X509_sign(a->certificate, a->key, EVP_sha256()) > 0, "sign");
	snprintf(a->file, sizeof a->file, "%s/ca.pem", a->directory);
	write_pem(a->file, NULL, a->certificate);
}

static void pin_of(X509 *certificate, char pin[64])
{
	unsigned char digest[32], *der = NULL;
	int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

	need(length > 0 && EVP_Digest(der, (size_t)length, digest, NULL, EVP_sha256(), NULL) == 1,
	     "digest a key");
	EVP_EncodeBlock((unsigned char *)pin, digest, sizeof digest);
	OPENSSL_free(der);
}

void authority_issue(struct authority *a, struct issued *issued_r, const char *file,
                     const char *names, int from_day, int until_day)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = make(key, file, from_day, until_day);

	X509_set_issuer_name(x, X509_get_subject_name(a->certificate));
	extend(x, a->certificate, NID_subject_alt_name, names);
	need(X509_sign(x, a->key, EVP_sha256()) > 0, "sign");
	snprintf(issued_r->certificate, sizeof issued_r->certificate, "%s/%s.pem", a->directory,
	         file);
	snprintf(issued_r->key, sizeof issued_r->key, "%s/%s.key", a->directory, file);
	write_pem(issued_r->certificate, NULL, x);
	write_pem(issued_r->key, key, NULL);
	pin_of(x, issued_r->pin);
	X509_free(x);
	EVP_PKEY_free(key);
}

void authority_release(struct authority *a)
{
	DIR *directory = opendir(a->directory);
	struct dirent *entry;

	X509_free(a->certificate);
	EVP_PKEY_free(a->key);
	need(directory != NULL, "read the directory");
	while ((entry = readdir(directory)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	need(rmdir(a->directory) == 0, "remove the directory");
}
