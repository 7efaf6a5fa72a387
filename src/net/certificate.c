/* SPDX-License-Identifier: ISC */
/* certificate.c - makes the self-signed certificate of an inbox at its first use.
 *
 * Both files appear complete or not at all, the key readable by its owner only.
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nobody renews it, so it outlives the development it is for. */
#define VALID_DAYS      3650
#define COMMON_NAME_MAX 64 /* characters, RFC 5280 ub-common-name */
#define SERIAL_OCTETS   16

static int add_name(GENERAL_NAMES *names, int kind, const void *data, size_t length)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *value =
		kind == GEN_DNS ? (ASN1_STRING *)ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();

	if (name == NULL || value == NULL || ASN1_STRING_set(value, data, (int)length) != 1) {
		GENERAL_NAME_free(name);
		ASN1_STRING_free(value);
		return -1;
	}
	GENERAL_NAME_set0_value(name, kind, value);
	if (sk_GENERAL_NAME_push(names, name) > 0)
		return 0;
	GENERAL_NAME_free(name);
	return -1;
}

static int add_names(X509 *certificate, const char *hostname)
{
	static const unsigned char loopback4[4] = { 127, 0, 0, 1 };
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	int rc = -1;

	if (names != NULL && add_name(names, GEN_DNS, hostname, strlen(hostname)) == 0 &&
	    (strcmp(hostname, "localhost") == 0 || add_name(names, GEN_DNS, "localhost", 9) == 0) &&
	    add_name(names, GEN_IPADD, loopback4, sizeof loopback4) == 0 &&
	    add_name(names, GEN_IPADD, &in6addr_loopback, sizeof in6addr_loopback) == 0 &&
	    X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1)
		rc = 0;
	GENERAL_NAMES_free(names);
	return rc;
}

static int add_extension(X509 *certificate, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	int rc;

	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	if (extension == NULL)
		return -1;
	rc = X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return rc == 1 ? 0 : -1;
}

static int set_serial(X509 *certificate)
{
	unsigned char random[SERIAL_OCTETS];
	BIGNUM *number;
	int rc = -1;

	if (RAND_bytes(random, sizeof random) != 1)
		return -1;
	random[0] &= 0x7f; /* a positive number */
	number = BN_bin2bn(random, sizeof random, NULL);
	if (number != NULL &&
	    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL)
		rc = 0;
	BN_free(number);
	return rc;
}

static int fill(X509 *certificate, EVP_PKEY *key, const char *hostname)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	const char *common = strlen(hostname) <= COMMON_NAME_MAX ? hostname : "localhost";

	if (X509_set_version(certificate, X509_VERSION_3) != 1 || set_serial(certificate) < 0 ||
	    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400L) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400L * VALID_DAYS) == NULL ||
	    X509_set_pubkey(certificate, key) != 1 ||
	    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)common,
	                               -1, -1, 0) != 1 ||
	    X509_set_issuer_name(certificate, subject) != 1 ||
	    add_names(certificate, hostname) < 0 ||
	    add_extension(certificate, NID_subject_key_identifier, "hash") < 0 ||
	    add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
	    add_extension(certificate, NID_ext_key_usage, "serverAuth") < 0)
		return -1;
	return X509_sign(certificate, key, EVP_sha256()) > 0 ? 0 : -1;
}

/* Opens `path`.new for the content that goes to `path` when it is complete. */
static FILE *open_new(const char *path, mode_t mode, struct bytes *name)
{
	FILE *file;
	int fd;

	bytes_printf(name, "%s.new", path);
	unlink(bytes_text(name));
	fd = open(bytes_text(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return NULL;
	file = fdopen(fd, "w");
	if (file == NULL)
		close(fd);
	return file;
}

/* One of the two; the other is NULL. */
static int store(const char *path, EVP_PKEY *key, X509 *certificate, struct bytes *error)
{
	struct bytes name = { 0 };
	FILE *file = open_new(path, key != NULL ? 0600 : 0644, &name);
	bool written = false;
	int cause = errno;

	if (file != NULL) {
		written = (key != NULL ? PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL)
		                       : PEM_write_X509(file, certificate)) == 1;
		written = fclose(file) == 0 && written && rename(bytes_text(&name), path) == 0;
		cause = errno;
	}
	if (!written) {
		bytes_printf(error, "cannot write '%s': %s", path, strerror(cause));
		unlink(bytes_text(&name));
	}
	bytes_release(&name);
	return written ? 0 : -1;
}

int tls_make_certificate(const char *certificate, const char *key, const char *hostname,
                         struct bytes *error)
{
	EVP_PKEY *made_key = NULL;
	X509 *made = NULL;
	int rc = -1;

	if (access(certificate, F_OK) == 0 && access(key, F_OK) == 0)
		return 0;
	made_key = EVP_EC_gen("P-256");
	made = X509_new();
	if (made_key == NULL || made == NULL || fill(made, made_key, hostname) < 0) {
		bytes_printf(error, "cannot make a certificate for '%s'", hostname);
		ERR_clear_error();
	} else if (store(key, made_key, NULL, error) == 0) {
		rc = store(certificate, NULL, made, error);
	}
	X509_free(made);
	EVP_PKEY_free(made_key);
	return rc;
}
