/* SPDX-License-Identifier: ISC */
/* mac.c - HMAC and PBKDF2.
 *
 * Used once a login, which costs a TLS handshake anyway: the algorithms are fetched at each call.
 */
#include "base/mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

static int hmac(const char *digest, struct span key, struct span data, unsigned char *out,
                size_t size)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)digest,
		                                 0),
		OSSL_PARAM_construct_end(),
	};
	/* An empty key is a key; NULL would mean the one of before. */
	const unsigned char *octets = key.length == 0 ? (const unsigned char *)"" : key.data;
	size_t length = 0;
	int rc = -1;

	if (context != NULL && EVP_MAC_init(context, octets, key.length, parameters) == 1 &&
	    EVP_MAC_update(context, data.data, data.length) == 1 &&
	    EVP_MAC_final(context, out, &length, size) == 1 && length == size)
		rc = 0;
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
	return rc;
}

int mac_hmac_md5(struct span key, struct span data, unsigned char out[MAC_MD5_SIZE])
{
	return hmac("MD5", key, data, out, MAC_MD5_SIZE);
}

int mac_hmac_sha256(struct span key, struct span data, unsigned char out[DIGEST_SHA256_SIZE])
{
	return hmac("SHA256", key, data, out, DIGEST_SHA256_SIZE);
}

int mac_pbkdf2_sha256(struct span password, struct span salt, unsigned iterations,
                      unsigned char out[DIGEST_SHA256_SIZE])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "PBKDF2", NULL);
	EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	/* The bounds of SP 800-132 are for keys at rest; a server's salt may be shorter. */
	int loose = 1;
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
		                                 (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)password.data, password.length),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.data,
		                                  salt.length),
		OSSL_PARAM_construct_uint(OSSL_KDF_PARAM_ITER, &iterations),
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &loose),
		OSSL_PARAM_construct_end(),
	};
	int rc = -1;

	if (context != NULL && EVP_KDF_derive(context, out, DIGEST_SHA256_SIZE, parameters) == 1)
		rc = 0;
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return rc;
}

bool mac_equal(const void *a, const void *b, size_t length)
{
	return CRYPTO_memcmp(a, b, length) == 0;
}
