/* SPDX-License-Identifier: ISC */
/* HMAC against RFC 2202 and RFC 4231, PBKDF2 against RFC 7914 11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mac.h"

static void assert_hex(const unsigned char *data, size_t length, const char *hex)
{
	char text[2 * 64 + 1];

	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", data[i]);
	assert_string_equal(text, hex);
}

static void test_hmac(void **state)
{
	unsigned char out[DIGEST_SHA256_SIZE];

	(void)state;
	assert_int_equal(mac_hmac_md5(span_of_text("Jefe"),
	                              span_of_text("what do ya want for nothing?"), out),
	                 0);
	assert_hex(out, MAC_MD5_SIZE, "750c783e6ab0b503eaa86e310a5db738");
	assert_int_equal(mac_hmac_sha256(span_of_text("Jefe"),
	                                 span_of_text("what do ya want for nothing?"), out),
	                 0);
	assert_hex(out, DIGEST_SHA256_SIZE,
	           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(mac_hmac_sha256(span_of(NULL, 0), span_of(NULL, 0), out), 0);
	assert_hex(out, DIGEST_SHA256_SIZE,
	           "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_pbkdf2(void **state)
{
	unsigned char out[DIGEST_SHA256_SIZE];

	(void)state;
	assert_int_equal(mac_pbkdf2_sha256(span_of_text("passwd"), span_of_text("salt"), 1, out),
	                 0);
	assert_hex(out, DIGEST_SHA256_SIZE,
	           "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(mac_equal("abc", "abc", 3));
	assert_false(mac_equal("abc", "abd", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_pbkdf2),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
