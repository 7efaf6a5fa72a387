/* SPDX-License-Identifier: ISC */
/* digest.h - hashes and encodings over OpenSSL: fetched once, contexts per thread. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define DIGEST_SHA256_SIZE 32

void digest_sha256(struct span data, unsigned char out[DIGEST_SHA256_SIZE]);
/* For protocols that ask for it (RFC 6455), never for safety. */
#define DIGEST_SHA1_SIZE 20
void digest_sha1(struct span data, unsigned char out[DIGEST_SHA1_SIZE]);
/* HMAC (RFC 2104) with a key of our own. */
#define DIGEST_KEY_SIZE 32
void digest_hmac_sha256(const unsigned char key[DIGEST_KEY_SIZE], struct span data,
                        unsigned char out[DIGEST_SHA256_SIZE]);
/* Three digests of the same octets, which come in pieces. */
struct digest_sums;
struct digest_sums *digest_sums_new(void);
void digest_sums_feed(struct digest_sums *sums, struct span data);
/* Frees it. */
void digest_sums_end(struct digest_sums **sums, unsigned char md5_r[16], unsigned char sha1_r[20],
                     unsigned char sha256_r[DIGEST_SHA256_SIZE]);

/* In a time that does not tell where they differ. */
bool digest_equal(const void *a, const void *b, size_t length);
/* A keyed hash for tables and classes (SipHash-2-4 of 64 bits; key of 16 bytes). */
uint64_t digest_siphash(const unsigned char key[16], struct span data);
void digest_random(void *out, size_t length);

/* RFC 4648 base64 on one line. Decoding is strict (padding, no spaces): 0 or -1. */
void base64_encode(struct bytes *out, struct span data);
int base64_decode(struct bytes *out, struct span text);

#endif
