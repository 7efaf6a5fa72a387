/* SPDX-License-Identifier: ISC */
/* A service account's assertion: its parts, and its signature as OpenSSL verifies it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/digest.h"
#include "fetch/oauth2.h"

#define NOW (INT64_C(1800000000) * CLOCK_SEC)

static const struct jwt_claims claims = { .scope = "https://mail.google.com/",
	                                  .subject = "me@example.com",
	                                  .issued_us = NOW };

static EVP_PKEY *key;

static int make_key(void **state)
{
	(void)state;
	key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	return key == NULL ? -1 : 0;
}

static int free_key(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

static void append_pem(struct bytes *out, EVP_PKEY *what)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long length;

	assert_int_equal(PEM_write_bio_PrivateKey(bio, what, NULL, NULL, 0, NULL, NULL), 1);
	length = BIO_get_mem_data(bio, &data);
	bytes_append(out, data, (size_t)length);
	BIO_free(bio);
}

static void append_account(struct bytes *out, const char *pem)
{
	json_t *account = json_pack("{s:s, s:s, s:s, s:s}", "client_email", "robot@project.test",
	                            "private_key", pem, "private_key_id", "7", "token_uri",
	                            "https://id.test/token");
	char *text = json_dumps(account, 0);

	bytes_append_text(out, text);
	free(text);
	json_decref(account);
}

/* base64url without padding. */
static void decode(struct bytes *out, const char *text, size_t length)
{
	struct bytes coded = { 0 };

	for (size_t i = 0; i < length; i++)
		bytes_append_char(&coded, text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
	while (coded.length % 4 != 0)
		bytes_append_char(&coded, '=');
	assert_int_equal(base64_decode(out, bytes_span(&coded)), 0);
	bytes_release(&coded);
}

static void verify(struct bytes *jwt)
{
	const char *text = bytes_text(jwt), *dot = strrchr(text, '.');
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	struct bytes signature = { 0 };

	decode(&signature, dot + 1, strlen(dot + 1));
	assert_int_equal(EVP_DigestVerifyInit_ex(context, NULL, "SHA256", NULL, NULL, key, NULL),
	                 1);
	assert_int_equal(EVP_DigestVerify(context, signature.data, signature.length,
	                                  (const unsigned char *)text, (size_t)(dot - text)),
	                 1);
	EVP_MD_CTX_free(context);
	bytes_release(&signature);
}

static void test_signed(void **state)
{
	struct bytes pem = { 0 }, account = { 0 }, jwt = { 0 }, audience = { 0 }, error = { 0 };
	struct bytes header = { 0 }, said = { 0 };
	const char *text, *dot;

	(void)state;
	append_pem(&pem, key);
	append_account(&account, bytes_text(&pem));
	assert_int_equal(jwt_sign(&jwt, &audience, bytes_span(&account), &claims, &error), 0);
	assert_string_equal(bytes_text(&audience), "https://id.test/token");
	text = bytes_text(&jwt);
	dot = strchr(text, '.');
	decode(&header, text, (size_t)(dot - text));
	assert_string_equal(bytes_text(&header),
	                    "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"7\"}");
	decode(&said, dot + 1, (size_t)(strrchr(text, '.') - dot - 1));
	assert_string_equal(
		bytes_text(&said),
		"{\"iss\":\"robot@project.test\",\"scope\":\"https://mail.google.com/\","
		"\"aud\":\"https://id.test/token\",\"sub\":\"me@example.com\","
		"\"iat\":1800000000,\"exp\":1800003600}");
	verify(&jwt);
	bytes_release(&pem);
	bytes_release(&account);
	bytes_release(&jwt);
	bytes_release(&audience);
	bytes_release(&header);
	bytes_release(&said);
}

static void test_what_is_no_account(void **state)
{
	EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct bytes pem = { 0 }, account = { 0 };
	const char *bad[] = { "",
		              "{}",
		              "[]",
		              "{\"client_email\":\"a\",\"private_key\":\"b\"}",
		              "{\"client_email\":\"a\",\"private_key\":\"b\",\"token_uri\":\"c\"}",
		              NULL };

	(void)state;
	append_pem(&pem, other);
	append_account(&account, bytes_text(&pem));
	bad[5] = bytes_text(&account); /* not RSA */
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct bytes jwt = { 0 }, audience = { 0 }, error = { 0 };

		assert_int_equal(jwt_sign(&jwt, &audience, span_of_text(bad[i]), &claims, &error),
		                 -1);
		assert_true(error.length > 0);
		assert_null(strstr(bytes_text(&error), "PRIVATE"));
		bytes_release(&jwt);
		bytes_release(&audience);
		bytes_release(&error);
	}
	bytes_release(&pem);
	bytes_release(&account);
	EVP_PKEY_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_signed),
		                            cmocka_unit_test(test_what_is_no_account) };

	return cmocka_run_group_tests(tests, make_key, free_key);
}
