/* SPDX-License-Identifier: ISC */
/* digest.h - hashes and encodings over OpenSSL: fetched once, contexts per thread. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define DIGEST_SHA256_SIZE 32

void digest_sha256(struct span data, unsigned char out[DIGEST_SHA256_SIZE]);
/* A keyed hash for tables and classes (SipHash-2-4 of 64 bits; key of 16 bytes). */
uint64_t digest_siphash(const unsigned char key[16], struct span data);
void digest_random(void *out, size_t length);

/* RFC 4648 base64 on one line. Decoding is strict (padding, no spaces): 0 or -1. */
void base64_encode(struct bytes *out, struct span data);
int base64_decode(struct bytes *out, struct span text);

#endif
