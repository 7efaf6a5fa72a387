/* SPDX-License-Identifier: ISC */
/* tls.c - OpenSSL contexts and what all of them have in common.
 *
 * A context is made once and only read afterwards; connections hold a reference of their own to
 * what is inside, so it may be freed while they go on (reload).
 */
#include "net/tls_private.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/memory.h"

struct tls_context {
	SSL_CTX *ssl;
};

SSL_CTX *tls_ssl_context(const struct tls_context *tls)
{
	return tls->ssl;
}

/* A key with a passphrase must not ask the terminal of a daemon. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)context;
	return -1;
}

static SSL_CTX *context_make(const SSL_METHOD *method)
{
	SSL_CTX *ssl = SSL_CTX_new(method);

	if (ssl == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	/* Renegotiation is an attack where nothing needs it. SMTP has its own end marks, so a
	 * missing close_notify truncates nothing. */
	/* Passwords cross: what is decrypted is not kept. */
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF |
	                                 SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT);
	/* Idle connections give their record buffers back. */
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                              SSL_MODE_RELEASE_BUFFERS);
	/* A server's tickets carry the session; nothing is kept here. */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
	return ssl;
}

/* The last error is the most telling one of those that reading a file leaves. */
static int fail_file(struct bytes *error, const char *what, const char *path, const char *cure)
{
	unsigned long last = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(last);

	bytes_printf(error, "%s '%s': %s%s", what, path, reason == NULL ? "cannot be used" : reason,
	             cure);
	ERR_clear_error();
	return -1;
}

static int readable(const char *what, const char *path, struct bytes *error)
{
	if (access(path, R_OK) == 0)
		return 0;
	bytes_printf(error, "%s '%s': %s", what, path, strerror(errno));
	return -1;
}

static const char *cure_of_key(void)
{
	switch (ERR_GET_REASON(ERR_peek_last_error())) {
	case X509_R_KEY_VALUES_MISMATCH:
	case X509_R_KEY_TYPE_MISMATCH:
		return " (it belongs to another certificate)";
	default:
		return " (PEM without a passphrase is expected)";
	}
}

static int load_identity(SSL_CTX *ssl, const char *certificate, const char *key,
                         struct bytes *error)
{
	if (readable("certificate", certificate, error) < 0 || readable("key", key, error) < 0)
		return -1;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ssl, certificate) != 1)
		return fail_file(error, "certificate", certificate,
		                 " (PEM is expected, the own certificate first)");
	if (SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ssl) != 1)
		return fail_file(error, "key", key, cure_of_key());
	return 0;
}

static int context_wrap(struct tls_context **tls_r, SSL_CTX *ssl, struct tls_demand *demand)
{
	struct tls_context *tls = memory_new(sizeof *tls);

	tls_verify_install(ssl, demand);
	tls->ssl = ssl;
	*tls_r = tls;
	return 0;
}

/* Clients of an MTA may be as old as they like, but what submits here knows these since 2014 (TLS
 * 1.3 has nothing else). Without CBC and RSA key exchange no padding oracle is left. */
#define SERVER_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static int harden_server(SSL_CTX *ssl, const char *name)
{
	unsigned char digest[DIGEST_SHA256_SIZE];

	_Static_assert(DIGEST_SHA256_SIZE <= SSL_MAX_SID_CTX_LENGTH, "fits");
	digest_sha256(span_of_text(name), digest);
	/* Who has no AES in hardware gets ChaCha. */
	SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_num_tickets(ssl, 1); /* mail clients come back one at a time */
	if (SSL_CTX_set_cipher_list(ssl, SERVER_CIPHERS) == 1 &&
	    SSL_CTX_set_session_id_context(ssl, digest, sizeof digest) == 1)
		return 0;
	return -1;
}

int tls_context_new_server(struct tls_context **tls_r, const char *name, const char *certificate,
                           const char *key, struct bytes *error)
{
	struct tls_demand *demand;
	SSL_CTX *ssl = context_make(TLS_server_method());

	if (ssl == NULL || harden_server(ssl, name) < 0) {
		SSL_CTX_free(ssl);
		bytes_append_text(error, "cannot make a TLS context: out of memory");
		return -1;
	}
	if (load_identity(ssl, certificate, key, error) < 0) {
		SSL_CTX_free(ssl);
		return -1;
	}
	demand = memory_new(sizeof *demand);
	demand->trust = TLS_TRUST_OFF; /* clients need no certificate */
	return context_wrap(tls_r, ssl, demand);
}

static int load_trust(SSL_CTX *ssl, const char *ca, struct bytes *error)
{
	ERR_clear_error();
	if (ca == NULL) {
		if (SSL_CTX_set_default_verify_paths(ssl) == 1)
			return 0;
		bytes_append_text(error, "cannot load the system's certificates (ca-certificates)");
		return -1;
	}
	if (readable("tls-ca", ca, error) < 0)
		return -1;
	if (SSL_CTX_load_verify_file(ssl, ca) != 1)
		return fail_file(error, "tls-ca", ca, " (PEM certificates are expected)");
	/* Whatever the operator put there is trusted, an intermediate authority too. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
	return 0;
}

static int pin_parse(unsigned char pin[TLS_PIN_SIZE], const char *text, struct bytes *error)
{
	unsigned char decoded[TLS_PIN_SIZE + 1];

	if (text != NULL && strlen(text) == 44 && text[42] != '=' && text[43] == '=' &&
	    EVP_DecodeBlock(decoded, (const unsigned char *)text, 44) == TLS_PIN_SIZE + 1) {
		memcpy(pin, decoded, TLS_PIN_SIZE);
		return 0;
	}
	bytes_printf(error, "'%s' is no pin: the base64 of a SHA-256 has 44 characters",
	             text == NULL ? "" : text);
	return -1;
}

int tls_context_new_client(struct tls_context **tls_r, enum tls_trust trust, const char *ca,
                           const char *pin, struct bytes *error)
{
	struct tls_demand *demand = memory_new(sizeof *demand);
	SSL_CTX *ssl = context_make(TLS_client_method());
	int rc = 0;

	demand->trust = trust;
	if (ssl == NULL) {
		bytes_append_text(error, "cannot make a TLS context: out of memory");
		rc = -1;
	} else if (trust == TLS_TRUST_PIN) {
		rc = pin_parse(demand->pin, pin, error);
	} else if (trust != TLS_TRUST_OFF) {
		rc = load_trust(ssl, ca, error);
	}
	if (rc == 0 && trust != TLS_TRUST_OFF) /* who was not verified is nobody to come back to */
		tls_sessions_install(ssl);
	if (rc == 0)
		return context_wrap(tls_r, ssl, demand);
	SSL_CTX_free(ssl);
	free(demand);
	return -1;
}

void tls_context_set_minimum(struct tls_context *tls, enum tls_version minimum)
{
	SSL_CTX_set_min_proto_version(tls->ssl,
	                              minimum == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
}

int tls_context_set_certificate(struct tls_context *tls, const char *certificate, const char *key,
                                struct bytes *error)
{
	return load_identity(tls->ssl, certificate, key, error);
}

struct tls_context *tls_context_share(const struct tls_context *tls)
{
	struct tls_context *other;

	if (tls == NULL)
		return NULL;
	other = memory_new(sizeof *other);
	SSL_CTX_up_ref(tls->ssl);
	other->ssl = tls->ssl;
	return other;
}

void tls_context_free(struct tls_context **tls_p)
{
	struct tls_context *tls = *tls_p;

	if (tls == NULL)
		return;
	*tls_p = NULL;
	SSL_CTX_free(tls->ssl);
	free(tls);
}
