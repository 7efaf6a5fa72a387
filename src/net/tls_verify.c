/* SPDX-License-Identifier: ISC */
/* tls_verify.c - which certificates will do, and the refusal in an operator's words.
 *
 * The name that the operator wrote is checked (RFC 7817), never one that came from DNS. A refusal
 * is put into words while OpenSSL verifies, because only then the certificate is at hand.
 */
#include "net/tls_private.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

#define CERTIFICATE_NAMES_SHOWN 4 /* of those it is for; some have hundreds */
#define NAME_SHOWN_MAX          80

static int demand_index = -1;
static pthread_once_t demand_once = PTHREAD_ONCE_INIT;

static void free_demand(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number,
                        void *argument)
{
	(void)parent;
	(void)data;
	(void)index;
	(void)number;
	(void)argument;
	free(pointer);
}

static void make_index(void)
{
	demand_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_demand);
}

static void say_date(struct bytes *text, const ASN1_TIME *when)
{
	struct tm tm;
	char date[32];

	if (ASN1_TIME_to_tm(when, &tm) == 1 && strftime(date, sizeof date, "%Y-%m-%d", &tm) > 0)
		bytes_append_text(text, date);
	else
		bytes_append_text(text, "an unreadable date");
}

static void say_name(struct bytes *text, const X509_NAME *name)
{
	char common[NAME_SHOWN_MAX];

	if (X509_NAME_get_text_by_NID(name, NID_commonName, common, sizeof common) > 0 ||
	    X509_NAME_get_text_by_NID(name, NID_organizationName, common, sizeof common) > 0)
		bytes_append_text(text, common);
	else
		bytes_append_text(text, "(no name)");
}

static bool say_general_name(struct bytes *text, const GENERAL_NAME *name, bool first)
{
	const unsigned char *data;
	char address[INET6_ADDRSTRLEN];
	int kind, length;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &kind);

	if (kind != GEN_DNS && kind != GEN_IPADD)
		return false;
	data = ASN1_STRING_get0_data(value);
	length = ASN1_STRING_length(value);
	if (!first)
		bytes_append_text(text, ", ");
	if (kind == GEN_DNS)
		bytes_printf(text, "%.*s", length < NAME_SHOWN_MAX ? length : NAME_SHOWN_MAX,
		             (const char *)data);
	else if ((length == 4 || length == 16) &&
	         inet_ntop(length == 4 ? AF_INET : AF_INET6, data, address, sizeof address) != NULL)
		bytes_append_text(text, address);
	else
		bytes_append_text(text, "?");
	return true;
}

/* The names that a certificate is for. */
static void say_names(struct bytes *text, X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int count = sk_GENERAL_NAME_num(names), shown = 0, i;

	for (i = 0; i < count && shown < CERTIFICATE_NAMES_SHOWN; i++)
		shown += say_general_name(text, sk_GENERAL_NAME_value(names, i), shown == 0);
	if (shown == 0)
		say_name(text, X509_get_subject_name(certificate));
	else if (i < count)
		bytes_append_text(text, ", ...");
	GENERAL_NAMES_free(names);
}

static void say_unknown_authority(struct bytes *text, const char *name, X509 *certificate)
{
	bytes_printf(text, "certificate of %s is from an unknown authority \"", name);
	say_name(text, X509_get_issuer_name(certificate));
	bytes_append_text(text, "\": name its certificate in tls-ca if you trust it");
}

/* Which certificate of the chain is meant. */
static void say_which(struct bytes *text, const char *name, X509 *certificate, int depth)
{
	bytes_printf(text, "certificate of %s", name);
	if (depth == 0)
		return;
	bytes_append_text(text, "'s authority \"");
	say_name(text, X509_get_subject_name(certificate));
	bytes_append_char(text, '"');
}

static void say_refusal(struct bytes *text, const char *name, X509_STORE_CTX *store)
{
	int error = X509_STORE_CTX_get_error(store), depth = X509_STORE_CTX_get_error_depth(store);
	X509 *certificate = X509_STORE_CTX_get_current_cert(store);

	if (certificate == NULL) {
		bytes_printf(text, "certificate of %s: %s", name,
		             X509_verify_cert_error_string(error));
		return;
	}
	switch (error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		bytes_printf(text, "certificate of %s is for ", name);
		say_names(text, certificate);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		say_which(text, name, certificate, depth);
		bytes_append_text(text, " expired on ");
		say_date(text, X509_get0_notAfter(certificate));
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		say_which(text, name, certificate, depth);
		bytes_append_text(text, " is not valid before ");
		say_date(text, X509_get0_notBefore(certificate));
		bytes_append_text(text, " (is the clock right?)");
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		bytes_printf(text,
		             "certificate of %s is self-signed: name it in tls-ca if you trust it",
		             name);
		break;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		say_unknown_authority(text, name, certificate);
		break;
	default:
		say_which(text, name, certificate, depth);
		bytes_printf(text, ": %s", X509_verify_cert_error_string(error));
	}
}

static struct tls_peer *peer_of(X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

	return SSL_get_app_data(ssl);
}

/* Chain and name, as OpenSSL found. */
static int verify_chain(int good, X509_STORE_CTX *store)
{
	struct tls_peer *peer = peer_of(store);

	if (!good && peer->refusal.length == 0)
		say_refusal(&peer->refusal, peer->name == NULL ? "the peer" : peer->name, store);
	return good;
}

static int key_digest(X509 *certificate, unsigned char digest[TLS_PIN_SIZE])
{
	unsigned char *key = NULL;
	unsigned size = TLS_PIN_SIZE;
	int rc, length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);

	if (length <= 0)
		return -1;
	rc = EVP_Digest(key, (size_t)length, digest, &size, EVP_sha256(), NULL);
	OPENSSL_free(key);
	return rc == 1 ? 0 : -1;
}

/* The key alone, whatever the certificate says around it. */
static int verify_pin(X509_STORE_CTX *store, void *argument)
{
	const struct tls_demand *demand = argument;
	struct tls_peer *peer = peer_of(store);
	unsigned char digest[TLS_PIN_SIZE], text[(TLS_PIN_SIZE / 3 + 1) * 4 + 1];
	X509 *certificate = X509_STORE_CTX_get0_cert(store);

	if (certificate != NULL && key_digest(certificate, digest) == 0) {
		if (CRYPTO_memcmp(digest, demand->pin, TLS_PIN_SIZE) == 0)
			return 1;
		EVP_EncodeBlock(text, digest, TLS_PIN_SIZE);
		bytes_printf(&peer->refusal,
		             "certificate of %s has another key than the pinned one: sha256/%s",
		             peer->name == NULL ? "the peer" : peer->name, (const char *)text);
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

void tls_verify_install(SSL_CTX *ssl_context, struct tls_demand *demand)
{
	pthread_once(&demand_once, make_index);
	SSL_CTX_set_ex_data(ssl_context, demand_index, demand);
	if (demand->trust == TLS_TRUST_OFF)
		SSL_CTX_set_verify(ssl_context, SSL_VERIFY_NONE, NULL);
	else
		SSL_CTX_set_verify(ssl_context, SSL_VERIFY_PEER, verify_chain);
	if (demand->trust == TLS_TRUST_PIN)
		SSL_CTX_set_cert_verify_callback(ssl_context, verify_pin, demand);
}

/* "[::1]" without its brackets, "mail.example.net." without its last dot. */
static char *plain_name(const char *name)
{
	size_t length = strlen(name);

	if (length >= 2 && name[0] == '[' && name[length - 1] == ']')
		return memory_text_of(name + 1, length - 2);
	if (length >= 1 && name[length - 1] == '.')
		length--;
	return memory_text_of(name, length);
}

static bool is_address(const char *name)
{
	unsigned char any[16];

	return inet_pton(AF_INET, name, any) == 1 || inet_pton(AF_INET6, name, any) == 1;
}

int tls_peer_init(struct tls_peer *peer, SSL *ssl, const char *name)
{
	const struct tls_demand *demand = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), demand_index);

	SSL_set_app_data(ssl, peer);
	if (SSL_is_server(ssl))
		return 0;
	if (name == NULL || name[0] == '\0')
		return demand->trust == TLS_TRUST_FULL ? -1 : 0;
	peer->name = plain_name(name);
	if (!is_address(peer->name) && SSL_set_tlsext_host_name(ssl, peer->name) != 1)
		return -1;
	if (demand->trust != TLS_TRUST_FULL)
		return 0;
	if (is_address(peer->name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), peer->name) == 1 ? 0 : -1;
	/* RFC 7817: "*" stands for a whole label or not at all. */
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, peer->name) == 1 ? 0 : -1;
}

void tls_peer_release(struct tls_peer *peer)
{
	free(peer->name);
	peer->name = NULL;
	bytes_release(&peer->refusal);
}

/* What OpenSSL calls its reasons, for whom it concerns; %s is the peer. */
static const char *words_for(int reason)
{
	switch (reason) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
		return " does not speak TLS here: another port, or STARTTLS instead of implicit "
		       "TLS";
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		return " and this host have no TLS version in common (1.2 and 1.3 are allowed)";
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
		return " and this host have no TLS cipher in common";
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
		return " does not know the authority of this host's certificate";
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
		return " refuses this host's certificate";
	default:
		return NULL;
	}
}

void tls_explain(const struct tls_peer *peer, bool handshake_done, const char *address,
                 struct bytes *text)
{
	const char *name = peer->name != NULL ? peer->name : address;
	unsigned long error = ERR_get_error();
	const char *words = words_for(ERR_GET_REASON(error));
	const char *reason = ERR_reason_error_string(error);

	ERR_clear_error();
	if (peer->refusal.length > 0)
		bytes_append_span(text, bytes_span(&peer->refusal));
	else if (words != NULL && !handshake_done)
		bytes_printf(text, "%s%s", name, words);
	else
		bytes_printf(text, "%s with %s failed: %s",
		             handshake_done ? "TLS" : "TLS handshake", name,
		             reason == NULL ? "no reason given" : reason);
}
