/* SPDX-License-Identifier: ISC */
/* clients.c - how many connections each client has, counted by all workers without a lock.
 *
 * A fixed table of sets of slots. A slot is one atomic word: 40 bits of a keyed hash and a count of
 * 24 bits, so that who owns a slot and how many it counts never part. A slot whose count is 0 is
 * free. Two workers that meet a new client at the same instant may use two slots for it: the counts
 * are added up. When a set is full (clients cannot choose theirs: the key is random) the
 * connection is not counted, which lets one in too many and keeps none out.
 */
#include "receive/private.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/memory.h"

/* 1 MiB of address space, of which only touched pages are memory: 10,000 clients, the default limit
 * of connections, fill one set of a hundred million. */
#define SETS  16384
#define SLOTS 8 /* one cache line */

#define COUNT_BITS 24
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

struct clients {
	unsigned char key[16];
	struct rates *rates;
	_Atomic size_t distinct; /* slots of clients that are in use */
	_Atomic size_t contents; /* messages that are received */
	_Atomic uint64_t slots[SETS][SLOTS];
};

struct clients *clients_new(void)
{
	struct clients *clients = memory_new(sizeof *clients);

	digest_random(clients->key, sizeof clients->key);
	clients->rates = rates_new();
	return clients;
}

struct rates *clients_rates(struct clients *clients)
{
	return clients->rates;
}

size_t clients_distinct(const struct clients *clients)
{
	return atomic_load_explicit(&clients->distinct, memory_order_relaxed);
}

void clients_content_begin(struct clients *clients)
{
	if (clients != NULL)
		atomic_fetch_add_explicit(&clients->contents, 1, memory_order_relaxed);
}

void clients_content_end(struct clients *clients)
{
	if (clients != NULL)
		atomic_fetch_sub_explicit(&clients->contents, 1, memory_order_relaxed);
}

size_t clients_content_share(const struct clients *clients, size_t least, size_t most)
{
	size_t count = clients == NULL ? 0 : atomic_load(&clients->contents);
	size_t share = CONTENT_BUDGET / (count > 0 ? count : 1);

	if (share > most)
		return most;
	return share > least ? share : least;
}

void clients_free(struct clients **clients)
{
	if (*clients != NULL)
		rates_free(&(*clients)->rates);
	free(*clients);
	*clients = NULL;
}

/* Adds one to a slot that has this tag, or is free when `fresh`. */
static bool slot_add(_Atomic uint64_t *slot, uint64_t tag, bool fresh)
{
	uint64_t old = atomic_load_explicit(slot, memory_order_relaxed);

	for (;;) {
		uint64_t count = old & COUNT_MASK;
		bool ours = count > 0 && (old & ~COUNT_MASK) == tag && count < COUNT_MASK;

		if (!(fresh ? count == 0 : ours))
			return false;
		if (atomic_compare_exchange_weak(slot, &old, tag | (count + 1)))
			return true;
	}
}

static size_t set_count(_Atomic uint64_t *set, uint64_t tag)
{
	size_t i, sum = 0;

	for (i = 0; i < SLOTS; i++) {
		uint64_t word = atomic_load_explicit(&set[i], memory_order_relaxed);

		if ((word & ~COUNT_MASK) == tag)
			sum += (size_t)(word & COUNT_MASK);
	}
	return sum;
}

static size_t enter(struct clients *clients, struct span key, bool client,
                    struct client_count *count_r)
{
	uint64_t hash = digest_siphash(clients->key, key);
	/* The lowest bit keeps the tag from being 0, which stands for not counted. */
	uint64_t tag = (hash | (UINT64_C(1) << COUNT_BITS)) & ~COUNT_MASK;
	size_t i, number = (size_t)(hash & (SETS - 1));
	_Atomic uint64_t *set = clients->slots[number];
	bool fresh;

	memset(count_r, 0, sizeof *count_r);
	for (i = 0; i < 2 * SLOTS; i++) {
		fresh = i >= SLOTS;
		if (!slot_add(&set[i % SLOTS], tag, fresh))
			continue;
		count_r->tag = tag;
		count_r->set = number;
		count_r->client = client;
		if (fresh && client)
			atomic_fetch_add_explicit(&clients->distinct, 1, memory_order_relaxed);
		return set_count(set, tag);
	}
	return 0;
}

size_t clients_enter(struct clients *clients, struct span key, struct client_count *count_r)
{
	return enter(clients, key, true, count_r);
}

size_t clients_enter_total(struct clients *clients, struct span key, struct client_count *count_r)
{
	return enter(clients, key, false, count_r);
}

void clients_leave(struct clients *clients, struct client_count *count)
{
	_Atomic uint64_t *set;
	size_t i;

	if (clients == NULL || count->tag == 0)
		return;
	set = clients->slots[count->set];
	for (i = 0; i < SLOTS; i++) {
		uint64_t old = atomic_load_explicit(&set[i], memory_order_relaxed);

		while ((old & ~COUNT_MASK) == count->tag && (old & COUNT_MASK) > 0) {
			if (atomic_compare_exchange_weak(&set[i], &old, old - 1)) {
				if (count->client && (old & COUNT_MASK) == 1)
					atomic_fetch_sub_explicit(&clients->distinct, 1,
					                          memory_order_relaxed);
				memset(count, 0, sizeof *count);
				return;
			}
		}
	}
}
