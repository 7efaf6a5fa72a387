/* SPDX-License-Identifier: ISC */
/* remove.c - what goes: holders, messages, bodies, inbox entries, garbage.
 *
 * A message goes with its last holder. A transaction frees about FREED_PAGES_MAX pages at most;
 * a body that is too large for what is left becomes garbage, which later
 * transactions work off in slices. Nobody can reach garbage: its message is gone.
 */
#include "spool/private.h"

#include <string.h>

/* MDB_NOTFOUND where a row must be is a broken spool, not an answer. */
static int must(int rc)
{
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

static int body_delete(struct write *w, uint64_t blob, uint32_t pieces)
{
	int rc = 0;

	for (uint32_t piece = 0; piece < pieces && rc == 0; piece++) {
		struct key key = key_of_body(blob, piece);

		rc = must(write_delete(w, TABLE_BODY, &key));
	}
	w->freed += pieces;
	return rc;
}

static int garbage_put(struct write *w, uint64_t blob, uint32_t pieces)
{
	struct key key = key_of_garbage(1, blob);

	atomic_store(&w->sp->garbage, true);
	w->no_garbage = false;
	w->buried += pieces;
	return write_put(w, TABLE_GARBAGE, value_of(key.bytes, key.length), value_of(NULL, 0), 0);
}

static int blob_release(struct write *w, uint64_t blob)
{
	struct key key = key_of_blob(blob);
	struct blob_record record;
	struct span value;
	int rc = must(write_get(w, TABLE_BLOB, &key, &value));

	if (rc != 0)
		return rc;
	if (record_parse_blob(value, &record) != 0)
		return MDB_CORRUPTED;
	if (record.references > 1) {
		struct record changed;

		record.references--;
		changed = record_of_blob(&record);
		return write_put_record(w, TABLE_BLOB, &key, &changed);
	}
	rc = write_delete_here(w, TABLE_BLOB);
	if (rc != 0)
		return rc;
	w->tally.octets -= record.size;
	if (record.pieces > BODY_DELETE_MAX || w->freed + record.pieces > FREED_PAGES_MAX)
		return garbage_put(w, blob, record.pieces);
	return body_delete(w, blob, record.pieces);
}

int remove_message(struct write *w, uint64_t id, const struct head *head)
{
	int rc = 0;

	for (uint16_t k = 0; k <= head->pieces && rc == 0; k++) {
		struct key key = key_of_message(id, k);

		rc = must(write_delete(w, TABLE_MESSAGE, &key));
	}
	w->freed++;
	w->tally.messages--;
	return rc == 0 ? blob_release(w, head->blob) : rc;
}

int remove_holder(struct write *w, uint64_t id, uint32_t inbox, uint64_t sequence)
{
	struct key key = key_of_message(id, 0);
	struct record record;
	struct head head;
	int rc = must(write_get_head(w, id, &head));

	if (rc != 0)
		return rc;
	if (--head.holders == 0)
		return remove_message(w, id, &head);
	for (uint16_t i = 0; i < head.entry_count; i++)
		if (head.entries[i].inbox == inbox && head.entries[i].sequence == sequence) {
			head.entries[i] = head.entries[--head.entry_count];
			break;
		}
	record = record_of_head(&head);
	return write_put_record(w, TABLE_MESSAGE, &key, &record);
}

static int extras_delete(struct write *w, uint32_t inbox, uint64_t sequence,
                         const struct entry_record *entry)
{
	int rc = 0;

	for (unsigned kind = 0; kind < SPOOL_EXTRA_COUNT; kind++)
		for (uint16_t k = 0; k < entry->extra_rows[kind] && rc == 0; k++) {
			struct key key = key_of_entry(inbox, sequence, k);
			struct span value;

			rc = must(write_get(w, TABLE_PART + kind, &key, &value));
			if (rc != 0)
				break;
			write_freed(w, value.length);
			rc = write_delete_here(w, TABLE_PART + kind);
		}
	return rc;
}

int remove_extras(struct write *w, uint32_t inbox, uint64_t sequence,
                  const struct entry_record *entry)
{
	struct key key = key_of_dead_extras(inbox, sequence);
	size_t rows = 0;

	for (int kind = 0; kind < SPOOL_EXTRA_COUNT; kind++)
		rows += entry->extra_rows[kind];
	if (rows <= SPOOL_EXTRA_COUNT ||
	    (rows <= BODY_DELETE_MAX && w->freed + rows <= FREED_PAGES_MAX))
		return extras_delete(w, inbox, sequence, entry);
	atomic_store(&w->sp->garbage, true);
	w->no_garbage = false;
	w->buried += (int64_t)rows;
	return write_put(w, TABLE_GARBAGE, value_of(key.bytes, key.length), value_of(NULL, 0), 0);
}

/* ---- inboxes -------------------------------------------------------------------------- */

int remove_beyond_keep(struct write *w, uint32_t inbox)
{
	struct entry_record entry;
	struct inbox_tally *tally;
	uint64_t sequence;
	int rc;

	for (unsigned i = 0; i < KEEP_SLICE; i++) {
		rc = write_inbox(w, inbox, &tally);
		if (rc != 0 || !spool_keep_exceeded(w->sp, inbox, tally))
			return rc;
		if (w->freed >= FREED_PAGES_MAX)
			break;
		rc = must(entry_next(w, inbox, 0, &sequence, &entry));
		if (rc == 0)
			rc = must(entry_remove(w, inbox, sequence));
		if (rc != 0)
			return rc;
		inbox_set_add(&w->gone, inbox, sequence);
	}
	w->behind = true;
	return 0;
}

/* All entries up to those there when the request was first seen: none that come later. */
static int removal_all(struct write *w, struct inbox_removal *removal)
{
	struct spool_progress *at = &removal->at;
	struct inbox_tally *tally;
	struct entry_record entry;
	uint64_t sequence;
	int rc = write_inbox(w, removal->inbox, &tally);

	if (rc == 0 && at->until == 0)
		at->until = tally->last_sequence;
	while (rc == 0) {
		if (w->freed >= FREED_PAGES_MAX)
			return AGAIN;
		rc = entry_next(w, removal->inbox, 0, &sequence, &entry);
		if (rc != 0 || sequence > at->until ||
		    (removal->before_us > 0 && entry.time_us >= removal->before_us))
			break;
		rc = must(entry_remove(w, removal->inbox, sequence));
		at->done++;
		if (removal->before_us > 0)
			inbox_set_add(&w->gone, removal->inbox, sequence);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int removal_some(struct write *w, struct inbox_removal *removal)
{
	struct spool_progress *at = &removal->at;

	for (; at->next < removal->count; at->next++) {
		int rc;

		if (w->freed >= FREED_PAGES_MAX)
			return AGAIN;
		rc = entry_remove(w, removal->inbox, removal->sequences[at->next]);
		if (rc == 0)
			at->done++;
		else if (rc != MDB_NOTFOUND) /* what is not there is removed already */
			return rc;
	}
	return 0;
}

int apply_removal(struct write *w, struct inbox_removal *removal)
{
	int rc;

	removal->at = removal->committed;
	rc = removal->sequences == NULL ? removal_all(w, removal) : removal_some(w, removal);
	removal->removed = removal->at.done;
	return rc;
}

int apply_drop(struct write *w, uint64_t blob)
{
	struct key key = key_of_garbage(0, blob);
	int rc = write_delete(w, TABLE_GARBAGE, &key);

	if (rc == MDB_NOTFOUND)
		return REFUSED;
	return rc == 0 ? garbage_put(w, blob, 0) : rc;
}

/* Rows of one thing in a table, as long as they begin with its key. 0: rows may be left;
 * MDB_NOTFOUND: all gone. */
static int garbage_rows(struct write *w, enum table_number table, const struct key *key,
                        size_t limit)
{
	while (w->freed < limit) {
		struct span found, value;
		int rc = write_seek(w, table, key, &found, &value);

		if (rc != 0)
			return rc;
		if (found.length < key->length ||
		    !span_equal(span_of(found.data, key->length), span_of(key->bytes, key->length)))
			return MDB_NOTFOUND;
		rc = write_delete_here(w, table);
		if (rc != 0)
			return rc;
		w->freed++;
		w->buried--;
	}
	return 0;
}

static int garbage_body(struct write *w, struct span row, size_t limit)
{
	struct key key;
	uint64_t blob;
	uint8_t dead;

	if (key_parse_garbage(row, &dead, &blob) != 0)
		return MDB_CORRUPTED;
	key = key_of_blob(blob); /* with which those of its pieces begin */
	return garbage_rows(w, TABLE_BODY, &key, limit);
}

static int garbage_extras(struct write *w, struct span row, size_t limit)
{
	struct key key;
	uint64_t sequence;
	uint32_t inbox;
	int rc = MDB_NOTFOUND;

	if (key_parse_dead_extras(row, &inbox, &sequence) != 0)
		return MDB_CORRUPTED;
	key = key_of_entry(inbox, sequence, 0);
	key.length -= 2; /* all k */
	for (unsigned kind = 0; kind < SPOOL_EXTRA_COUNT && rc == MDB_NOTFOUND; kind++)
		rc = garbage_rows(w, TABLE_PART + kind, &key, limit);
	return rc;
}

int remove_garbage(struct write *w, size_t limit)
{
	while (w->freed < limit) {
		struct key first = key_of_garbage(1, 0), key = { .length = 0 };
		struct span found, value;
		int rc = write_seek(w, TABLE_GARBAGE, &first, &found, &value);

		if (rc == MDB_NOTFOUND)
			w->no_garbage = true;
		if (rc != 0)
			return rc == MDB_NOTFOUND ? 0 : rc;
		if (found.length == 0 || found.length > KEY_MAX)
			return MDB_CORRUPTED;
		memcpy(key.bytes, found.data, found.length);
		key.length = found.length;
		found = span_of(key.bytes, key.length);
		rc = found.data[0] == 2 ? garbage_extras(w, found, limit)
		                        : garbage_body(w, found, limit);
		if (rc != MDB_NOTFOUND)
			return rc;
		rc = must(write_delete(w, TABLE_GARBAGE, &key));
		if (rc != 0)
			return rc;
		w->freed++;
	}
	return 0;
}
