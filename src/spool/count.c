/* SPDX-License-Identifier: ISC */
/* count.c - counts that must survive: what was used of a limit, slice by slice.
 *
 * They ride in the transaction of a transition, so that a token is either a claim or counted,
 * never both and never neither. A batch gathers what is added to the same slice and writes
 * each once, at its commit; slices that are too old go as newer ones come.
 */
#include "spool/private.h"

#include <stdlib.h>

#include "base/memory.h"

#define COUNT_VERSION 1
#define VALUE_LENGTH  9 /* version, amount */
#define KEY_LENGTH    26
/* Old slices deleted for each that is written: more than one, so that they end. */
#define OLD_DELETED   4

struct key key_of_count(const struct spool_count *count)
{
	struct key key = { .length = KEY_LENGTH };

	key.bytes[0] = count->kind;
	key.bytes[1] = count->unit;
	be64_store(key.bytes + 2, count->owner);
	be64_store(key.bytes + 10, count->window);
	be64_store(key.bytes + 18, count->slice);
	return key;
}

int count_parse(struct span key, struct span value, struct spool_count *count_r)
{
	const unsigned char *k = (const unsigned char *)key.data;

	*count_r = (struct spool_count){ 0 };
	if (key.length != KEY_LENGTH || value.length != VALUE_LENGTH ||
	    (unsigned char)value.data[0] != COUNT_VERSION)
		return -1;
	count_r->kind = k[0];
	count_r->unit = k[1];
	count_r->owner = be64_load(k + 2);
	count_r->window = be64_load(k + 10);
	count_r->slice = be64_load(k + 18);
	count_r->amount = be64_load((const unsigned char *)value.data + 1);
	return 0;
}

static bool same_slice(const struct spool_count *a, const struct spool_count *b)
{
	return a->kind == b->kind && a->unit == b->unit && a->owner == b->owner &&
	       a->window == b->window && a->slice == b->slice;
}

void counts_add(struct write *w, const struct spool_count *counts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t at = w->count_count;

		/* Neighbours in time come together: the one wanted is near the end. */
		while (at > 0 && !same_slice(&w->counts[at - 1], &counts[i]))
			at--;
		if (at > 0 && counts[i].set) {
			w->counts[at - 1].amount = counts[i].amount;
		} else if (at > 0) {
			w->counts[at - 1].amount += counts[i].amount;
		} else {
			if (w->count_count == w->count_capacity) {
				w->count_capacity =
					w->count_capacity == 0 ? 16 : w->count_capacity * 2;
				w->counts = memory_grow(w->counts, w->count_capacity,
				                        sizeof(*w->counts));
			}
			w->counts[w->count_count++] = counts[i];
		}
	}
}

static int write_one(struct write *w, const struct spool_count *count)
{
	struct key key = key_of_count(count);
	unsigned char value[VALUE_LENGTH] = { COUNT_VERSION };
	struct spool_count before = { 0 };
	struct span found;
	int rc = write_get(w, TABLE_QUOTA, &key, &found);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (rc == 0 && !count->set)
		(void)count_parse(span_of(key.bytes, key.length), found, &before);
	be64_store(value + 1, before.amount + count->amount);
	return write_put(w, TABLE_QUOTA, value_of(key.bytes, key.length),
	                 value_of(value, sizeof(value)), 0);
}

/* Of the same window, what is more than `keep` slices older. */
static int delete_old(struct write *w, const struct spool_count *count)
{
	struct spool_count oldest = *count;
	int rc = 0;

	oldest.slice = 0;
	for (size_t i = 0; i < OLD_DELETED && count->keep > 0 && rc == 0; i++) {
		struct key key = key_of_count(&oldest);
		struct span found, value;
		struct spool_count old;

		rc = write_seek(w, TABLE_QUOTA, &key, &found, &value);
		if (rc == MDB_NOTFOUND)
			return 0;
		if (rc != 0)
			return rc;
		if (count_parse(found, value, &old) != 0 || old.kind != count->kind ||
		    old.unit != count->unit || old.owner != count->owner ||
		    old.window != count->window || old.slice + count->keep >= count->slice)
			return 0;
		rc = write_delete_here(w, TABLE_QUOTA);
	}
	return rc;
}

int counts_write(struct write *w)
{
	int rc = 0;

	for (size_t i = 0; i < w->count_count && rc == 0; i++) {
		rc = write_one(w, &w->counts[i]);
		if (rc == 0)
			rc = delete_old(w, &w->counts[i]);
	}
	w->count_count = 0;
	return rc;
}

void transition_count(struct transition *t, const struct spool_count *count)
{
	t->counts = memory_grow(t->counts, t->count_count + 1, sizeof(*t->counts));
	t->counts[t->count_count++] = *count;
}
