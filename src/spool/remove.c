/* SPDX-License-Identifier: ISC */
/* remove.c - what goes: holders, messages, bodies, inbox entries, garbage.
 *
 * A message goes with its last holder. A transaction frees about FREED_PAGES_MAX pages at most;
 * a body that is too large for what is left becomes garbage, which later
 * transactions work off in slices. Nobody can reach garbage: its message is gone.
 */
#include "spool/private.h"

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
	w->tally.octets -= head->size;
	return rc == 0 ? blob_release(w, head->blob) : rc;
}

static int holder_gone(struct write *w, uint64_t id, uint32_t inbox, uint64_t sequence)
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

/* The message goes with its last holder. */
static int remove_entry(struct write *w, uint32_t inbox, uint64_t sequence)
{
	struct key key = key_of_entry(inbox, sequence, 0);
	struct inbox_tally *tally;
	struct span value, summary;
	uint16_t rows;
	uint64_t id;
	int rc = write_get(w, TABLE_INBOX, &key, &value);

	if (rc != 0)
		return rc;
	rows = record_rows(value);
	if (rows == 0 || record_decode_entry(value, &id, &summary) != 0)
		return MDB_CORRUPTED;
	rc = write_delete_here(w, TABLE_INBOX);
	for (uint16_t k = 1; k < rows && rc == 0; k++) {
		key = key_of_entry(inbox, sequence, k);
		rc = must(write_delete(w, TABLE_INBOX, &key));
	}
	if (rc == 0)
		rc = write_inbox(w, inbox, &tally);
	if (rc != 0)
		return rc;
	tally->count--;
	w->tally.entries--;
	return holder_gone(w, id, inbox, sequence);
}

/* The first entry of an inbox; MDB_NOTFOUND: it is empty. */
static int entry_first(struct write *w, uint32_t inbox, uint64_t *sequence_r)
{
	struct key key = key_of_entry(inbox, 0, 0);
	struct span found, value;
	uint32_t owner;
	uint16_t k;
	int rc = write_seek(w, TABLE_INBOX, &key, &found, &value);

	if (rc != 0)
		return rc;
	if (key_parse_entry(found, &owner, sequence_r, &k) != 0)
		return MDB_CORRUPTED;
	return owner == inbox ? 0 : MDB_NOTFOUND;
}

int remove_beyond_keep(struct write *w, uint32_t inbox)
{
	size_t keep = spool_keep_of(w->sp, inbox);
	struct inbox_tally *tally;
	uint64_t sequence;
	int rc;

	if (keep == 0)
		return 0;
	for (unsigned i = 0; i < KEEP_SLICE; i++) {
		rc = write_inbox(w, inbox, &tally);
		if (rc != 0 || tally->count <= keep)
			return rc;
		if (w->freed >= FREED_PAGES_MAX)
			break;
		rc = must(entry_first(w, inbox, &sequence));
		if (rc == 0)
			rc = must(remove_entry(w, inbox, sequence));
		if (rc != 0)
			return rc;
	}
	w->behind = true;
	return 0;
}

/* All entries up to those there when the request was first seen: none that come later. */
static int removal_all(struct write *w, struct inbox_removal *removal)
{
	struct inbox_tally *tally;
	uint64_t sequence;
	int rc = write_inbox(w, removal->inbox, &tally);

	if (rc == 0 && removal->until == 0)
		removal->until = tally->last_sequence;
	while (rc == 0) {
		if (w->freed >= FREED_PAGES_MAX)
			return AGAIN;
		rc = entry_first(w, removal->inbox, &sequence);
		if (rc == 0 && sequence > removal->until)
			break;
		if (rc == 0)
			rc = must(remove_entry(w, removal->inbox, sequence));
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int apply_removal(struct write *w, struct inbox_removal *removal)
{
	if (removal->sequences == NULL)
		return removal_all(w, removal);
	for (removal->next = removal->committed; removal->next < removal->count; removal->next++) {
		int rc;

		if (w->freed >= FREED_PAGES_MAX)
			return AGAIN;
		rc = remove_entry(w, removal->inbox, removal->sequences[removal->next]);
		if (rc != 0 && rc != MDB_NOTFOUND) /* what is not there is removed already */
			return rc;
	}
	return 0;
}

int apply_drop(struct write *w, uint64_t blob)
{
	struct key key = key_of_garbage(0, blob);
	int rc = write_delete(w, TABLE_GARBAGE, &key);

	if (rc == MDB_NOTFOUND)
		return REFUSED;
	return rc == 0 ? garbage_put(w, blob, 0) : rc;
}

/* 0: rows may be left; MDB_NOTFOUND: all gone. */
static int garbage_pieces(struct write *w, uint64_t blob, size_t limit)
{
	struct key key = key_of_body(blob, 0);

	for (; w->freed < limit; w->freed++) {
		struct span found, value;
		uint32_t piece;
		uint64_t owner;
		int rc = write_seek(w, TABLE_BODY, &key, &found, &value);

		if (rc != 0)
			return rc;
		if (key_parse_body(found, &owner, &piece) != 0)
			return MDB_CORRUPTED;
		if (owner != blob)
			return MDB_NOTFOUND;
		rc = write_delete_here(w, TABLE_BODY);
		if (rc != 0)
			return rc;
		w->buried--;
	}
	return 0;
}

int remove_garbage(struct write *w, size_t limit)
{
	while (w->freed < limit) {
		struct key first = key_of_garbage(1, 0), key;
		struct span found, value;
		uint64_t blob;
		uint8_t dead;
		int rc = write_seek(w, TABLE_GARBAGE, &first, &found, &value);

		if (rc == MDB_NOTFOUND)
			w->no_garbage = true;
		if (rc != 0)
			return rc == MDB_NOTFOUND ? 0 : rc;
		if (key_parse_garbage(found, &dead, &blob) != 0)
			return MDB_CORRUPTED;
		rc = garbage_pieces(w, blob, limit);
		if (rc != MDB_NOTFOUND)
			return rc;
		key = key_of_garbage(1, blob);
		rc = must(write_delete(w, TABLE_GARBAGE, &key));
		if (rc != 0)
			return rc;
		w->freed++;
	}
	return 0;
}
