/* SPDX-License-Identifier: ISC */
/* rates.c - how much each client did lately, in a table that never grows and needs no lock.
 *
 * A bucket is one atomic word: 16 bits of a keyed hash and the time at which the bucket will be
 * empty, in microseconds since the table was made (48 bits: nine years). A bucket whose time has
 * passed is free. Two clients of one set share a bucket once in 65,536 cases, and two workers that
 * meet a new client at the same instant may use two buckets for it: either is off by little.
 */
#include "receive/private.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/memory.h"

/* 512 KiB of address space; 10,000 clients fill one set in a hundred million. */
#define SETS  8192
#define SLOTS 8 /* one cache line */

#define TIME_BITS 48
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

struct rates {
	unsigned char key[16];
	_Atomic int64_t began_us; /* INT64_MIN: no time was told yet */
	_Atomic uint64_t slots[SETS][SLOTS];
};

struct rates *rates_new(void)
{
	struct rates *rates = memory_new(sizeof *rates);

	digest_random(rates->key, sizeof rates->key);
	atomic_init(&rates->began_us, INT64_MIN);
	return rates;
}

void rates_free(struct rates **rates)
{
	free(*rates);
	*rates = NULL;
}

/* Where a key is kept, and what time it is there. */
struct place {
	_Atomic uint64_t *set;
	uint64_t tag, now;
};

static struct place place_of(struct rates *rates, struct span key, int64_t now_us)
{
	uint64_t hash = digest_siphash(rates->key, key);
	int64_t began = INT64_MIN;

	if (atomic_compare_exchange_strong(&rates->began_us, &began, now_us))
		began = now_us;
	return (struct place){
		.set = rates->slots[hash % SETS],
		/* Never 0: that is a word nobody used. */
		.tag = (hash | (UINT64_C(1) << TIME_BITS)) & ~TIME_MASK,
		/* Another thread's turn may have begun a little earlier. */
		.now = now_us > began ? (uint64_t)(now_us - began) & TIME_MASK : 0,
	};
}

/* The client's bucket; else the one that is emptiest. */
static _Atomic uint64_t *slot_find(const struct place *place, uint64_t *word_r)
{
	_Atomic uint64_t *best = NULL;

	for (size_t i = 0; i < SLOTS; i++) {
		uint64_t word = atomic_load_explicit(&place->set[i], memory_order_relaxed);
		bool ours = (word & ~TIME_MASK) == place->tag;

		if (ours || best == NULL || (word & TIME_MASK) < (*word_r & TIME_MASK)) {
			best = &place->set[i];
			*word_r = word;
		}
		if (ours)
			break;
	}
	return best;
}

static uint64_t empty_at(const struct place *place, uint64_t word)
{
	uint64_t at = word & TIME_MASK;

	return (word & ~TIME_MASK) == place->tag && at > place->now ? at : place->now;
}

static uint64_t cost_of(const struct rate *rate)
{
	uint64_t cost = (uint64_t)rate->period_us / rate->count;

	return cost > 0 ? cost : 1;
}

int64_t rates_wait(struct rates *rates, struct span key, const struct rate *rate, int64_t now_us)
{
	struct place place = place_of(rates, key, now_us);
	uint64_t burst = rate->burst > 0 ? rate->burst : rate->count, word = 0, level, full;

	(void)slot_find(&place, &word);
	level = empty_at(&place, word) - place.now;
	full = (burst - 1) * cost_of(rate);
	return level > full ? (int64_t)(level - full) : 0;
}

void rates_charge(struct rates *rates, struct span key, const struct rate *rate, int64_t now_us)
{
	struct place place = place_of(rates, key, now_us);
	uint64_t word = 0, next;
	_Atomic uint64_t *slot;

	do {
		slot = slot_find(&place, &word);
		next = (empty_at(&place, word) + cost_of(rate)) & TIME_MASK;
	} while (!atomic_compare_exchange_weak(slot, &word, place.tag | next));
}
