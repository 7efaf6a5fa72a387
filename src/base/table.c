/* SPDX-License-Identifier: ISC */
/* table.c - a chained hash table from byte keys to pointers.
 *
 * Chains rather than probing: an entry never moves, so the one being visited can be
 * removed. The hash is keyed with random bytes of each table. Invariants: `mask` + 1 is a
 * power of two, count <= buckets unless a visit is under way, which defers resizing.
 */
#include "base/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/memory.h"

#define TABLE_MIN_BUCKETS 16

struct entry {
	struct entry *next;
	uint64_t hash;
	void *value;
	size_t key_length;
	unsigned char key[];
};

struct table {
	struct entry **buckets;
	size_t mask;
	size_t count;
	unsigned visits; /* under way */
	unsigned char hash_key[16];
};

struct table *table_new(void)
{
	struct table *table = memory_new(sizeof(*table));

	digest_random(table->hash_key, sizeof(table->hash_key));
	table->buckets = memory_new_array(TABLE_MIN_BUCKETS, sizeof(struct entry *));
	table->mask = TABLE_MIN_BUCKETS - 1;
	return table;
}

void table_free(struct table **tp)
{
	struct table *table = *tp;

	if (table == NULL)
		return;
	*tp = NULL;
	assert(table->visits == 0);
	for (size_t i = 0; i <= table->mask; i++) {
		while (table->buckets[i] != NULL) {
			struct entry *entry = table->buckets[i];

			table->buckets[i] = entry->next;
			free(entry);
		}
	}
	free(table->buckets);
	free(table);
}

/* The link that points to the key's entry, or the NULL link where it would be added. */
static struct entry **find_link(const struct table *table, struct span key, uint64_t hash)
{
	struct entry **link = &table->buckets[hash & table->mask];

	while (*link != NULL && ((*link)->hash != hash ||
	                         !span_equal(span_of((*link)->key, (*link)->key_length), key)))
		link = &(*link)->next;
	return link;
}

static void resize(struct table *table, size_t buckets)
{
	struct entry **old = table->buckets;
	size_t old_mask = table->mask;

	table->buckets = memory_new_array(buckets, sizeof(struct entry *));
	table->mask = buckets - 1;
	for (size_t i = 0; i <= old_mask; i++) {
		struct entry *next;

		for (struct entry *entry = old[i]; entry != NULL; entry = next) {
			struct entry **bucket = &table->buckets[entry->hash & table->mask];

			next = entry->next;
			entry->next = *bucket;
			*bucket = entry;
		}
	}
	free(old);
}

static void fit(struct table *table)
{
	size_t buckets = table->mask + 1;
	size_t wanted = buckets;

	if (table->visits > 0)
		return;
	while (table->count > wanted)
		wanted *= 2;
	while (wanted > TABLE_MIN_BUCKETS && table->count < wanted / 8)
		wanted /= 2;
	if (wanted != buckets)
		resize(table, wanted);
}

void *table_find(const struct table *table, struct span key)
{
	struct entry *entry = *find_link(table, key, digest_siphash(table->hash_key, key));

	return entry == NULL ? NULL : entry->value;
}

void *table_set(struct table *table, struct span key, void *value)
{
	uint64_t hash = digest_siphash(table->hash_key, key);
	struct entry **link = find_link(table, key, hash);
	struct entry *entry = *link;
	void *old;

	assert(value != NULL);
	if (entry != NULL) {
		old = entry->value;
		entry->value = value;
		return old;
	}
	entry = memory_new(sizeof(*entry) + key.length);
	entry->hash = hash;
	entry->value = value;
	entry->key_length = key.length;
	if (key.length > 0)
		memcpy(entry->key, key.data, key.length);
	*link = entry;
	table->count++;
	fit(table);
	return NULL;
}

void *table_remove(struct table *table, struct span key)
{
	struct entry **link = find_link(table, key, digest_siphash(table->hash_key, key));
	struct entry *entry = *link;
	void *value;

	if (entry == NULL)
		return NULL;
	*link = entry->next;
	value = entry->value;
	free(entry);
	table->count--;
	fit(table);
	return value;
}

size_t table_count(const struct table *table)
{
	return table->count;
}

void table_each(struct table *table, void (*visit)(void *context, struct span key, void *value),
                void *context)
{
	table->visits++;
	for (size_t i = 0; i <= table->mask; i++) {
		struct entry *next;

		for (struct entry *entry = table->buckets[i]; entry != NULL; entry = next) {
			next = entry->next;
			visit(context, span_of(entry->key, entry->key_length), entry->value);
		}
	}
	table->visits--;
	fit(table);
}

void *table_find_u64(const struct table *table, uint64_t key)
{
	unsigned char stored[8];

	be64_store(stored, key);
	return table_find(table, span_of(stored, sizeof(stored)));
}

void *table_set_u64(struct table *table, uint64_t key, void *value)
{
	unsigned char stored[8];

	be64_store(stored, key);
	return table_set(table, span_of(stored, sizeof(stored)), value);
}

void *table_remove_u64(struct table *table, uint64_t key)
{
	unsigned char stored[8];

	be64_store(stored, key);
	return table_remove(table, span_of(stored, sizeof(stored)));
}
