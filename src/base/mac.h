/* SPDX-License-Identifier: ISC */
/* mac.h - keyed digests over OpenSSL, for the exchanges that prove a password without saying it. */
#ifndef BASE_MAC_H
#define BASE_MAC_H

#include <stddef.h>

#include "base/bytes.h"
#include "base/digest.h"

#define MAC_MD5_SIZE 16

/* HMAC (RFC 2104). -1: OpenSSL does not offer the digest (MD5 in FIPS mode). */
int mac_hmac_md5(struct span key, struct span data, unsigned char out[MAC_MD5_SIZE]);
int mac_hmac_sha256(struct span key, struct span data, unsigned char out[DIGEST_SHA256_SIZE]);
/* PBKDF2 with HMAC-SHA-256 (RFC 8018), which is SCRAM's Hi(). */
int mac_pbkdf2_sha256(struct span password, struct span salt, unsigned iterations,
                      unsigned char out[DIGEST_SHA256_SIZE]);
/* Compares in a time that depends on the length alone. */
bool mac_equal(const void *a, const void *b, size_t length);

#endif
