/* SPDX-License-Identifier: ISC */
/* jwt.c - the assertion of a Google service account: a JSON Web Token signed with RS256 (RFC 7515,
 * 7519, 7523).
 */
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"
#include "fetch/private.h"

#define JWT_LIFE_SECONDS 3600 /* Google allows no longer one */

void base64url_encode(struct bytes *out, struct span data)
{
	size_t from = out->length;

	base64_encode(out, data);
	while (out->length > from && out->data[out->length - 1] == '=')
		out->length--;
	for (size_t i = from; i < out->length; i++) {
		if (out->data[i] == '+')
			out->data[i] = '-';
		else if (out->data[i] == '/')
			out->data[i] = '_';
	}
}

static void append_part(struct bytes *jwt, json_t *part)
{
	struct bytes text = { 0 };

	json_line(&text, part);
	text.length--; /* the line end */
	base64url_encode(jwt, bytes_span(&text));
	bytes_release(&text);
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void append_header(struct bytes *jwt, const json_t *account)
{
	json_t *header = json_object();

	json_object_set_new(header, "alg", json_string("RS256"));
	json_object_set_new(header, "typ", json_string("JWT"));
	if (text_of(account, "private_key_id") != NULL)
		json_object_set_new(header, "kid", json_string(text_of(account, "private_key_id")));
	append_part(jwt, header);
}

static void append_claims(struct bytes *jwt, const json_t *account, const struct jwt_claims *claims,
                          const char *audience)
{
	json_int_t issued = claims->issued_us / CLOCK_SEC;
	json_t *object = json_object();

	json_object_set_new(object, "iss", json_text(text_of(account, "client_email")));
	json_object_set_new(object, "scope", json_text(claims->scope));
	json_object_set_new(object, "aud", json_text(audience));
	if (claims->subject != NULL)
		json_object_set_new(object, "sub", json_text(claims->subject));
	json_object_set_new(object, "iat", json_integer(issued));
	json_object_set_new(object, "exp", json_integer(issued + JWT_LIFE_SECONDS));
	append_part(jwt, object);
}

static int sign(struct bytes *signature, EVP_PKEY *key, struct span data)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t length = (size_t)EVP_PKEY_get_size(key);
	int rc = -1;

	bytes_reserve(signature, length);
	if (context != NULL &&
	    EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
	    EVP_DigestSign(context, signature->data, &length, data.data, data.length) == 1) {
		signature->length = length;
		rc = 0;
	}
	EVP_MD_CTX_free(context);
	return rc;
}

/* No passphrase is asked for, least of all on a terminal. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
	(void)out, (void)size, (void)writing, (void)context;
	return -1;
}

static int append_signature(struct bytes *jwt, const char *pem, struct bytes *error)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key =
		bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	struct bytes signature = { 0 };
	int rc = -1;

	if (key == NULL || !EVP_PKEY_is_a(key, "RSA"))
		bytes_append_text(error, "the service account's private_key is no RSA key in PEM");
	else if (sign(&signature, key, bytes_span(jwt)) != 0)
		bytes_append_text(error, "the service account's private_key cannot sign");
	else
		rc = 0;
	if (rc == 0) {
		bytes_append_char(jwt, '.');
		base64url_encode(jwt, bytes_span(&signature));
	}
	bytes_release(&signature);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return rc;
}

int jwt_sign(struct bytes *jwt_r, struct bytes *audience_r, struct span account,
             const struct jwt_claims *claims, struct bytes *error)
{
	json_t *json = json_loadb((const char *)account.data, account.length,
	                          JSON_REJECT_DUPLICATES, NULL);
	const char *key = text_of(json, "private_key");
	const char *audience =
		claims->audience != NULL ? claims->audience : text_of(json, "token_uri");
	int rc = -1;

	if (key == NULL || text_of(json, "client_email") == NULL || audience == NULL) {
		bytes_append_text(error, "it is not the JSON of a service account (client_email, "
		                         "private_key, token_uri)");
	} else {
		bytes_append_text(audience_r, audience);
		append_header(jwt_r, json);
		bytes_append_char(jwt_r, '.');
		append_claims(jwt_r, json, claims, audience);
		rc = append_signature(jwt_r, key, error);
	}
	if (key != NULL)
		memory_wipe((char *)(uintptr_t)key, strlen(key));
	json_decref(json);
	return rc;
}
