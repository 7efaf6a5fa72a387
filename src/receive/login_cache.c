/* SPDX-License-Identifier: ISC */
/* login_cache.c - logins that were found good a moment ago, so that a client that connects for each
 * mail is not hashed for each mail.
 *
 * One worker's own. An entry is an HMAC of name and password under a key that is random in each
 * cache: neither can be had from it. It is good for a few minutes and only for the table of users
 * that it was checked against. Failures are never kept.
 */
#include "receive/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/memory.h"

#define SETS     256
#define SLOTS    4 /* 1024 logins in 56 KiB */
/* How long a password that was changed elsewhere, but not in the file, still opens the door. */
#define GOOD_FOR (5 * CLOCK_MIN)

struct entry {
	unsigned char digest[DIGEST_SHA256_SIZE];
	uint64_t generation;
	int64_t until_us; /* 0: free */
};

struct login_cache {
	unsigned char key[DIGEST_KEY_SIZE];
	struct entry entries[SETS][SLOTS];
};

struct login_cache *login_cache_new(void)
{
	struct login_cache *cache = memory_new(sizeof *cache);

	digest_random(cache->key, sizeof cache->key);
	return cache;
}

void login_cache_free(struct login_cache **cache)
{
	if (*cache != NULL)
		memory_wipe(*cache, sizeof **cache);
	free(*cache);
	*cache = NULL;
}

static struct entry *set_of(struct login_cache *cache, const char *name, const char *password,
                            unsigned char digest[DIGEST_SHA256_SIZE])
{
	struct bytes text = { 0 };

	bytes_reserve(&text, strlen(name) + strlen(password) + 8); /* never grows */
	bytes_put_text(&text, name); /* with its length: no other pair reads the same */
	bytes_append_text(&text, password);
	digest_hmac_sha256(cache->key, bytes_span(&text), digest);
	memory_wipe(text.data, text.capacity);
	bytes_release(&text);
	return cache->entries[digest[0] % SETS];
}

bool login_cache_find(struct login_cache *cache, const char *name, const char *password,
                      uint64_t generation, int64_t now_us)
{
	unsigned char digest[DIGEST_SHA256_SIZE];
	const struct entry *set;
	bool found = false;
	size_t i;

	if (cache == NULL)
		return false;
	set = set_of(cache, name, password, digest);
	for (i = 0; i < SLOTS; i++)
		found |= set[i].until_us > now_us && set[i].generation == generation &&
		         digest_equal(set[i].digest, digest, sizeof digest);
	return found;
}

void login_cache_add(struct login_cache *cache, const char *name, const char *password,
                     uint64_t generation, int64_t now_us)
{
	unsigned char digest[DIGEST_SHA256_SIZE];
	struct entry *set, *oldest;
	size_t i;

	if (cache == NULL)
		return;
	set = oldest = set_of(cache, name, password, digest);
	for (i = 1; i < SLOTS; i++) {
		if (set[i].until_us < oldest->until_us)
			oldest = &set[i];
	}
	memcpy(oldest->digest, digest, sizeof digest);
	oldest->generation = generation;
	oldest->until_us = now_us + GOOD_FOR;
}
