/* SPDX-License-Identifier: ISC */
/* test_digest.c - published vectors, base64 both ways and its refusals. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/digest.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static void *hash_on_thread(void *context)
{
	unsigned char out[DIGEST_SHA256_SIZE];

	(void)context;
	digest_sha256(span_of_text("abc"), out);
	assert_memory_equal(out, "\xba\x78\x16\xbf\x8f\x01\xcf\xea", 8);
	digest_sha256(span_of(NULL, 0), out);
	assert_memory_equal(out, "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14", 8);
	return NULL;
}

static void hashes_with_sha1(void **state)
{
	unsigned char out[DIGEST_SHA1_SIZE];

	(void)state;
	digest_sha1(span_of_text("abc"), out); /* FIPS 180 */
	assert_memory_equal(out,
	                    "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e"
	                    "\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d",
	                    sizeof(out));
}

static void hashes_with_sha256(void **state)
{
	pthread_t thread;

	(void)state;
	hash_on_thread(NULL);
	assert_int_equal(pthread_create(&thread, NULL, hash_on_thread, NULL), 0);
	pthread_join(thread, NULL);
}

/* The reference implementation's first vectors: key 00..0f, data 00..n-1. */
/* RFC 1321 A.5 and FIPS 180, in pieces. */
static void sums_up_pieces(void **state)
{
	static const unsigned char md5[] = { 0x90, 0x01, 0x50, 0x98, 0x3c, 0xd2, 0x4f, 0xb0,
		                             0xd6, 0x96, 0x3f, 0x7d, 0x28, 0xe1, 0x7f, 0x72 };
	static const unsigned char sha1[] = { 0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
		                              0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
		                              0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d };
	unsigned char got_md5[16], got_sha1[20], got[DIGEST_SHA256_SIZE], whole[DIGEST_SHA256_SIZE];
	struct digest_sums *sums = digest_sums_new();

	(void)state;
	digest_sums_feed(sums, span_of_text("a"));
	digest_sums_feed(sums, span_of_text(""));
	digest_sums_feed(sums, span_of_text("bc"));
	digest_sums_end(&sums, got_md5, got_sha1, got);
	assert_null(sums);
	digest_sha256(span_of_text("abc"), whole);
	assert_memory_equal(got_md5, md5, sizeof(md5));
	assert_memory_equal(got_sha1, sha1, sizeof(sha1));
	assert_memory_equal(got, whole, sizeof(whole));
}

static void hashes_with_siphash(void **state)
{
	static const struct {
		size_t length;
		uint64_t hash;
	} rows[] = {
		{ 0, UINT64_C(0x726fdb47dd0e0e31) },  { 1, UINT64_C(0x74f839c593dc67fd) },
		{ 7, UINT64_C(0xab0200f58b01d137) },  { 8, UINT64_C(0x93f5f5799a932462) },
		{ 15, UINT64_C(0xa129ca6149be45e5) },
	};
	unsigned char key[16], data[16];

	(void)state;
	for (unsigned char i = 0; i < 16; i++)
		key[i] = data[i] = i;
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_true(digest_siphash(key, span_of(data, rows[i].length)) == rows[i].hash);
	assert_true(digest_siphash(key, span_of(NULL, 0)) == rows[0].hash);
}

static void gives_random_bytes(void **state)
{
	unsigned char a[32] = { 0 }, b[32] = { 0 };

	(void)state;
	digest_random(a, sizeof(a));
	digest_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void encodes_base64(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd", "//79" },
		{ "\xfb\xef\xbe", "++++" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };

		base64_encode(&out, span_of_text(rows[i][0]));
		assert_string_equal(bytes_text(&out), rows[i][1]);
		bytes_clear(&out);
		bytes_append_char(&out, '>');
		assert_int_equal(base64_decode(&out, span_of_text(rows[i][1])), 0);
		assert_string_equal(bytes_text(&out) + 1, rows[i][0]);
		bytes_release(&out);
	}
}

static void refuses_bad_base64(void **state)
{
	static const char *const rows[] = {
		"Z",      "Zg",       "Zg=",     "Zm9vY", "====",  "=",
		"Z===",   "Zg==Zg==", "Zm=v",    "Zm9v ", " Zm9v", "Zm 9v",
		"Zm9v\n", "Zm-v",     "Zm_v",    "Zh==", /* bits left over */
		"Zm9=",   "Zg==\n",   "Zm\xc3v", "=Zm9",  "Zg=v",  "AAAA====",
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };

		bytes_append_text(&out, "kept");
		if (base64_decode(&out, span_of_text(rows[i])) == 0)
			fail_msg("'%s' was decoded", rows[i]);
		assert_string_equal(bytes_text(&out), "kept");
		bytes_release(&out);
	}
}

static void decodes_every_length(void **state)
{
	unsigned char data[300];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 37);
	for (size_t length = 0; length <= sizeof(data); length++) {
		struct bytes text = { 0 }, back = { 0 };

		base64_encode(&text, span_of(data, length));
		assert_int_equal(text.length, (length + 2) / 3 * 4);
		assert_int_equal(base64_decode(&back, bytes_span(&text)), 0);
		assert_true(span_equal(bytes_span(&back), span_of(data, length)));
		bytes_release(&text);
		bytes_release(&back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_with_sha1),     cmocka_unit_test(hashes_with_sha256),
		cmocka_unit_test(hashes_with_siphash),  cmocka_unit_test(gives_random_bytes),
		cmocka_unit_test(encodes_base64),       cmocka_unit_test(refuses_bad_base64),
		cmocka_unit_test(decodes_every_length), cmocka_unit_test(sums_up_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
