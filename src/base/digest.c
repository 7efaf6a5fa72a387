/* SPDX-License-Identifier: ISC */
/* digest.c - hashes, random bytes and base64.
 *
 * SHA-256 and random bytes are OpenSSL's: the algorithm is fetched once, each thread keeps a
 * context until it ends. SipHash is here, because a table asks for it at every look-up and
 * OpenSSL's needs an allocation each time.
 */
#include "base/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/memory.h"

static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static pthread_key_t context_key; /* EVP_MD_CTX of this thread */
static EVP_MD *sha256, *sha1, *md5;

static void free_context(void *context)
{
	EVP_MD_CTX_free(context);
}

static void fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	if (sha256 == NULL || sha1 == NULL || md5 == NULL ||
	    pthread_key_create(&context_key, free_context) != 0)
		log_fatal(EX_SOFTWARE, "OpenSSL has no SHA-256, SHA-1 or MD5");
}

static EVP_MD_CTX *thread_context(void)
{
	EVP_MD_CTX *context;

	pthread_once(&fetch_once, fetch);
	context = pthread_getspecific(context_key);
	if (context == NULL) {
		context = EVP_MD_CTX_new();
		if (context == NULL || pthread_setspecific(context_key, context) != 0)
			log_fatal(EX_OSERR, "no memory for a digest context");
	}
	return context;
}

static void hash(const EVP_MD *kind, struct span data, unsigned char *out)
{
	EVP_MD_CTX *context = thread_context();

	if (EVP_DigestInit_ex2(context, kind, NULL) != 1 ||
	    EVP_DigestUpdate(context, data.data, data.length) != 1 ||
	    EVP_DigestFinal_ex(context, out, NULL) != 1)
		log_fatal(EX_SOFTWARE, "a digest of OpenSSL failed");
}

void digest_sha256(struct span data, unsigned char out[DIGEST_SHA256_SIZE])
{
	pthread_once(&fetch_once, fetch);
	hash(sha256, data, out);
}

void digest_sha1(struct span data, unsigned char out[DIGEST_SHA1_SIZE])
{
	pthread_once(&fetch_once, fetch);
	hash(sha1, data, out);
}

void digest_hmac_sha256(const unsigned char key[DIGEST_KEY_SIZE], struct span data,
                        unsigned char out[DIGEST_SHA256_SIZE])
{
	/* Of a NULL message OpenSSL asks for the key again. */
	const unsigned char *text = data.length > 0 ? data.data : (const unsigned char *)"";

	pthread_once(&fetch_once, fetch);
	if (HMAC(sha256, key, DIGEST_KEY_SIZE, text, data.length, out, NULL) == NULL)
		log_fatal(EX_SOFTWARE, "HMAC failed");
}

struct digest_sums {
	EVP_MD_CTX *contexts[3];
};

struct digest_sums *digest_sums_new(void)
{
	const EVP_MD *algorithms[3];
	struct digest_sums *sums = memory_new(sizeof(*sums));

	pthread_once(&fetch_once, fetch);
	algorithms[0] = md5;
	algorithms[1] = sha1;
	algorithms[2] = sha256;
	for (size_t i = 0; i < 3; i++) {
		sums->contexts[i] = EVP_MD_CTX_new();
		if (sums->contexts[i] == NULL ||
		    EVP_DigestInit_ex2(sums->contexts[i], algorithms[i], NULL) != 1)
			log_fatal(EX_SOFTWARE, "no digest context");
	}
	return sums;
}

void digest_sums_feed(struct digest_sums *sums, struct span data)
{
	for (size_t i = 0; i < 3; i++)
		if (EVP_DigestUpdate(sums->contexts[i], data.data, data.length) != 1)
			log_fatal(EX_SOFTWARE, "a digest failed");
}

void digest_sums_end(struct digest_sums **sums, unsigned char md5_r[16], unsigned char sha1_r[20],
                     unsigned char sha256_r[DIGEST_SHA256_SIZE])
{
	unsigned char *out[3] = { md5_r, sha1_r, sha256_r };

	for (size_t i = 0; i < 3; i++) {
		if (EVP_DigestFinal_ex((*sums)->contexts[i], out[i], NULL) != 1)
			log_fatal(EX_SOFTWARE, "a digest failed");
		EVP_MD_CTX_free((*sums)->contexts[i]);
	}
	free(*sums);
	*sums = NULL;
}

bool digest_equal(const void *a, const void *b, size_t length)
{
	return CRYPTO_memcmp(a, b, length) == 0;
}

static uint64_t little_load(const unsigned char *in, size_t length)
{
	uint64_t v = 0;

	for (size_t i = 0; i < length; i++)
		v |= (uint64_t)in[i] << (8 * i);
	return v;
}

static uint64_t rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

uint64_t digest_siphash(const unsigned char key[16], struct span data)
{
	uint64_t k0 = little_load(key, 8);
	uint64_t k1 = little_load(key + 8, 8);
	uint64_t v[4] = { k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
		          k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573) };
	size_t whole = data.length & ~(size_t)7;

	for (size_t i = 0; i < whole; i += 8)
		sip_word(v, little_load(data.data + i, 8));
	sip_word(v, little_load(whole == 0 ? data.data : data.data + whole, data.length & 7) |
	                    (uint64_t)data.length << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void digest_random(void *out, size_t length)
{
	if (length > INT_MAX || RAND_bytes(out, (int)length) != 1)
		log_fatal(EX_OSERR, "no random bytes length=%zu", length);
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct bytes *out, struct span data)
{
	const unsigned char *in = data.data;

	bytes_reserve(out, data.length / 3 * 4 + 4);
	for (size_t i = 0; i < data.length; i += 3) {
		size_t have = data.length - i < 3 ? data.length - i : 3;
		uint32_t group = (uint32_t)in[i] << 16;

		if (have > 1)
			group |= (uint32_t)in[i + 1] << 8;
		if (have > 2)
			group |= in[i + 2];
		bytes_append_char(out, base64_digits[group >> 18]);
		bytes_append_char(out, base64_digits[group >> 12 & 63]);
		bytes_append_char(out, have > 1 ? base64_digits[group >> 6 & 63] : '=');
		bytes_append_char(out, have > 2 ? base64_digits[group & 63] : '=');
	}
}

static int base64_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes four digits of which the last `padding` are '='. The bits that
 * padding leaves over have to be zero, so that every value has one spelling. */
static int decode_group(const unsigned char in[4], unsigned padding, unsigned char out[3])
{
	uint32_t group = 0;

	for (unsigned i = 0; i < 4; i++) {
		int value = i < 4 - padding ? base64_value(in[i]) : in[i] == '=' ? 0 : -1;

		if (value < 0)
			return -1;
		group = group << 6 | (uint32_t)value;
	}
	if ((padding == 1 && (group & 0xff) != 0) || (padding == 2 && (group & 0xffff) != 0))
		return -1;
	out[0] = (unsigned char)(group >> 16);
	out[1] = (unsigned char)(group >> 8);
	out[2] = (unsigned char)group;
	return 0;
}

/* How many '=' end a text whose length is a multiple of four. */
static unsigned padding_of(struct span text)
{
	size_t end = text.length;

	if (end < 4 || text.data[end - 1] != '=')
		return 0;
	return text.data[end - 2] != '=' ? 1 : 2;
}

int base64_decode(struct bytes *out, struct span text)
{
	size_t before = out->length;
	unsigned padding = padding_of(text);

	if (text.length % 4 != 0)
		return -1;
	/* Once, so that no copy of a password is left behind by growing. */
	bytes_reserve(out, text.length / 4 * 3);
	for (size_t i = 0; i < text.length; i += 4) {
		unsigned pad = i + 4 == text.length ? padding : 0;
		unsigned char group[3];

		if (decode_group(text.data + i, pad, group) != 0) {
			out->length = before;
			return -1;
		}
		bytes_append(out, group, 3 - pad);
	}
	return 0;
}
