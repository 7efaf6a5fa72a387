/* SPDX-License-Identifier: ISC */
/* names.c - what stands for a name in the records, and what the configuration says of them.
 *
 * Numbers of queues, providers and inboxes, the generation of the routing rules, and how
 * much an inbox keeps. The first two are made before the writer starts.
 */
#include "spool/private.h"

#include <string.h>

#include "base/digest.h"
#include "base/memory.h"

static const char *const kind_names[] = {
	[SPOOL_NAME_QUEUE] = "queue",
	[SPOOL_NAME_PROVIDER] = "provider",
	[SPOOL_NAME_INBOX] = "inbox",
};

/* A name of any length in a key of a bounded one. */
static struct key key_of_name(enum spool_names kind, const char *name)
{
	unsigned char hash[DIGEST_SHA256_SIZE];
	struct key key = key_of_text(kind_names[kind]);

	digest_sha256(span_of_text(name), hash);
	key.bytes[key.length++] = ' ';
	memcpy(key.bytes + key.length, hash, 16);
	key.length += 16;
	return key;
}

/* Counts up and never back: a number is not used again, whatever records still hold it. */
static int number_new(struct write *w, enum spool_names kind, const char *name, uint32_t *number_r)
{
	struct key key = key_of_text("last ");
	struct bytes record = { 0 };
	unsigned char number[4];
	struct span value;
	int rc;

	memcpy(key.bytes + key.length, kind_names[kind], strlen(kind_names[kind]));
	key.length += strlen(kind_names[kind]);
	rc = write_get(w, TABLE_META, &key, &value);
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	*number_r = (rc == 0 && value.length == 4 ? be32_load(value.data) : 0) + 1;
	be32_store(number, *number_r);
	rc = write_put(w, TABLE_META, value_of(key.bytes, key.length), value_of(number, 4), 0);
	if (rc != 0)
		return rc;
	/* The name beside its number, for people and for tools that list them. */
	bytes_put_u32(&record, *number_r);
	bytes_append_text(&record, name);
	key = key_of_name(kind, name);
	rc = write_put(w, TABLE_META, value_of(key.bytes, key.length),
	               value_of(record.data, record.length), 0);
	bytes_release(&record);
	return rc;
}

int spool_number(struct spool *sp, enum spool_names kind, const char *name, uint32_t *number_r)
{
	struct write w = { .sp = sp };
	struct key key = key_of_name(kind, name);
	struct span value;
	int rc = write_begin(&w);

	if (rc == 0)
		rc = write_get(&w, TABLE_META, &key, &value);
	if (rc == 0 && value.length >= 4)
		*number_r = be32_load(value.data);
	else if (rc == MDB_NOTFOUND && (rc = number_new(&w, kind, name, number_r)) == 0)
		rc = write_commit(&w);
	write_release(&w);
	return rc == 0 ? 0 : -1;
}

int spool_generation(struct spool *sp, struct span digest, uint64_t *generation_r)
{
	struct write w = { .sp = sp };
	struct key key = key_of_text("rules");
	struct bytes record = { 0 };
	struct span value;
	int rc = write_begin(&w);

	*generation_r = 0;
	if (rc == 0)
		rc = write_get(&w, TABLE_META, &key, &value);
	if (rc == 0 && value.length >= 8) {
		*generation_r = be64_load(value.data);
		if (span_equal(span_of(value.data + 8, value.length - 8), digest))
			goto out;
	}
	if (rc == 0 || rc == MDB_NOTFOUND) {
		bytes_put_u64(&record, ++*generation_r);
		bytes_append_span(&record, digest);
		rc = write_put(&w, TABLE_META, value_of(key.bytes, key.length),
		               value_of(record.data, record.length), 0);
	}
	if (rc == 0)
		rc = write_commit(&w);
out:
	bytes_release(&record);
	write_release(&w);
	return rc == 0 ? 0 : -1;
}

static struct keep *keep_find(struct spool *sp, uint32_t inbox)
{
	struct keep *k = atomic_load(&sp->keeps);

	while (k != NULL && k->inbox != inbox)
		k = k->next;
	return k;
}

static struct keep *keep_of(struct spool *sp, uint32_t inbox)
{
	struct keep *k = keep_find(sp, inbox);

	if (k != NULL)
		return k;
	k = memory_new(sizeof(*k));
	k->inbox = inbox;
	k->next = atomic_load(&sp->keeps);
	atomic_store(&sp->keeps, k);
	return k;
}

void spool_keep(struct spool *sp, uint32_t inbox, size_t keep)
{
	atomic_store(&keep_of(sp, inbox)->keep, keep);
	atomic_store(&sp->keep_behind, true); /* the writer looks, once it does anything */
}

void spool_keep_octets(struct spool *sp, uint32_t inbox, uint64_t octets)
{
	atomic_store(&keep_of(sp, inbox)->octets, octets);
	atomic_store(&sp->keep_behind, true);
}

bool spool_keep_exceeded(struct spool *sp, uint32_t inbox, const struct inbox_tally *tally)
{
	struct keep *k = keep_find(sp, inbox);
	uint64_t keep, octets;

	if (k == NULL)
		return false;
	keep = atomic_load(&k->keep);
	octets = atomic_load(&k->octets);
	return (keep > 0 && tally->count > keep) ||
	       (octets > 0 && tally->octets > octets && tally->count > 1);
}
