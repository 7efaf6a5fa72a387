/* SPDX-License-Identifier: ISC */
/* entry.c - inbox entries inside the writer's transaction: found, counted, removed, changed.
 *
 * The tally of an inbox and the counts of its labels follow every change in the same transaction.
 * What is done for many is done in slices: a transaction changes or frees about FREED_PAGES_MAX
 * pages and looks at CHANGE_LOOKS entries at most, so that a 250 never waits long for it.
 */
#include "spool/private.h"

#include <string.h>

#define CHANGE_LOOKS 10000 /* entries: some milliseconds */

/* MDB_NOTFOUND where a row must be is a broken spool, not an answer. */
static int must(int rc)
{
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

/* ---- counts ------------------------------------------------------------------------- */

static int count_label(struct write *w, uint32_t inbox, struct span label, bool more)
{
	struct key key = key_of_label(inbox, label);
	struct record record;
	struct span value;
	uint64_t count = 0;
	int rc = write_get(w, TABLE_LABEL, &key, &value);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (rc == 0 && record_parse_label(value, &count) != 0)
		return MDB_CORRUPTED;
	if (!more && count <= 1)
		return count == 1 ? write_delete_here(w, TABLE_LABEL) : MDB_CORRUPTED;
	record = record_of_label(more ? count + 1 : count - 1);
	return write_put_record(w, TABLE_LABEL, &key, &record);
}

int entry_count_labels(struct write *w, uint32_t inbox, struct span labels, bool more)
{
	struct span label;
	int rc = 0;

	while (rc == 0 && row_label(&labels, &label))
		rc = count_label(w, inbox, label, more);
	return rc;
}

/* ---- finding and removing --------------------------------------------------------------- */

int entry_next(struct write *w, uint32_t inbox, uint64_t after, uint64_t *sequence_r,
               struct entry_record *entry_r)
{
	struct key key = key_of_entry(inbox, after, UINT16_MAX);
	struct span found, value;
	uint32_t owner;
	uint16_t k;
	int rc = write_seek(w, TABLE_INBOX, &key, &found, &value);

	if (rc != 0)
		return rc;
	if (key_parse_entry(found, &owner, sequence_r, &k) != 0)
		return MDB_CORRUPTED;
	if (owner != inbox)
		return MDB_NOTFOUND;
	return record_decode_entry(value, entry_r) == 0 ? 0 : MDB_CORRUPTED;
}

/* The whole record, copied: spans of the tables end with the next change. */
static int entry_read(struct write *w, uint32_t inbox, uint64_t sequence, struct bytes *record)
{
	struct key key = key_of_entry(inbox, sequence, 0);
	struct span value;
	uint16_t rows;
	int rc = write_get(w, TABLE_INBOX, &key, &value);

	if (rc != 0)
		return rc;
	rows = record_rows(value);
	bytes_clear(record);
	for (uint16_t k = 0; k < rows && rc == 0; k++) {
		key = key_of_entry(inbox, sequence, k);
		rc = must(write_get(w, TABLE_INBOX, &key, &value));
		if (rc == 0)
			bytes_append_span(record, value);
	}
	return rows > 0 ? rc : MDB_CORRUPTED;
}

static int entry_delete_rows(struct write *w, uint32_t inbox, uint64_t sequence, uint16_t from,
                             uint16_t rows)
{
	int rc = 0;

	for (uint16_t k = from; k < rows && rc == 0; k++) {
		struct key key = key_of_entry(inbox, sequence, k);

		rc = must(write_delete(w, TABLE_INBOX, &key));
	}
	return rc;
}

/* A row alone is half a page on average; of several the last one is. */
uint64_t entry_weight(const struct spool *sp, const uint16_t rows[SPOOL_EXTRA_COUNT])
{
	uint64_t octets = 0;

	for (int kind = 0; kind < SPOOL_EXTRA_COUNT; kind++)
		if (rows[kind] > 0)
			octets += rows[kind] * sp->piece - sp->piece / 2;
	return octets;
}

static int entry_uncount(struct write *w, uint32_t inbox, const struct entry_record *entry)
{
	struct inbox_tally *tally;
	int rc = write_inbox(w, inbox, &tally);

	if (rc != 0)
		return rc;
	if (tally->count == 0 || tally->octets < entry->size ||
	    (!entry->read && tally->unread == 0))
		return MDB_CORRUPTED;
	w->tally.extras -= entry_weight(w->sp, entry->extra_rows);
	tally->count--;
	tally->octets -= entry->size;
	tally->unread -= !entry->read;
	w->tally.entries--;
	return entry_count_labels(w, inbox, entry->labels, false);
}

static int remove_read(struct write *w, uint32_t inbox, uint64_t sequence, struct span record)
{
	struct entry_record entry;
	int rc;

	if (record_decode_entry(record, &entry) != 0)
		return MDB_CORRUPTED;
	write_freed(w, record.length);
	rc = entry_delete_rows(w, inbox, sequence, 0, record_rows(record));
	if (rc == 0)
		rc = entry_uncount(w, inbox, &entry);
	if (rc == 0)
		rc = sieve_clear(w, inbox, sequence);
	if (rc == 0)
		rc = remove_extras(w, inbox, sequence, &entry);
	return rc == 0 ? remove_holder(w, entry.id, inbox, sequence) : rc;
}

int entry_remove(struct write *w, uint32_t inbox, uint64_t sequence)
{
	struct bytes record = { 0 };
	int rc = entry_read(w, inbox, sequence, &record);

	if (rc == 0)
		rc = remove_read(w, inbox, sequence, bytes_span(&record));
	bytes_release(&record);
	return rc;
}

/* ---- changing ------------------------------------------------------------------------- */

static int entry_write(struct write *w, uint32_t inbox, uint64_t sequence,
                       const struct entry_record *entry, uint16_t rows_before)
{
	size_t piece = w->sp->piece, at = 0;
	struct bytes record = { 0 };
	uint16_t rows, k = 0;
	int rc = 0;

	record_encode_entry(entry, &record);
	rows = (uint16_t)((record.length + piece - 1) / piece);
	be16_store(record.data + 1, rows); /* after the version */
	for (; at < record.length && rc == 0; at += piece) {
		struct key key = key_of_entry(inbox, sequence, k++);
		size_t left = record.length - at;

		rc = write_put(w, TABLE_INBOX, value_of(key.bytes, key.length),
		               value_of(record.data + at, left < piece ? left : piece), 0);
	}
	write_freed(w, record.length);
	bytes_release(&record);
	return rc == 0 ? entry_delete_rows(w, inbox, sequence, rows, rows_before) : rc;
}

static bool is_label(struct span label, const char *text)
{
	return span_equal_text(label, text);
}

static bool has_label(struct span labels, const char *text)
{
	struct span label;

	while (row_label(&labels, &label))
		if (is_label(label, text))
			return true;
	return false;
}

/* The labels without the first that the change names; renamed it stays in its place, once. */
static void labels_without(const struct inbox_change *change, struct span labels, struct bytes *out)
{
	bool renames = change->what == INBOX_RENAME_LABEL;
	bool there = !renames || has_label(labels, change->labels[1]);
	struct span label;

	while (row_label(&labels, &label)) {
		if (!is_label(label, change->labels[0])) {
			bytes_put_u8(out, (uint8_t)label.length);
			bytes_append_span(out, label);
		} else if (!there) {
			labels_encode(&change->labels[1], 1, out);
		} else if (renames && is_label(label, change->labels[1])) {
			labels_encode(&change->labels[1], 1, out); /* to the same name */
		}
	}
}

static void labels_after(const struct inbox_change *change, struct span labels, struct bytes *out)
{
	switch (change->what) {
	case INBOX_SET_LABELS:
		labels_encode(change->labels, change->label_count, out);
		break;
	case INBOX_RENAME_LABEL:
	case INBOX_DROP_LABEL:
		labels_without(change, labels, out);
		break;
	default:
		bytes_append_span(out, labels);
	}
}

/* Before anything is copied: most of many entries stay as they are. */
static bool may_change(const struct inbox_change *change, const struct entry_record *entry)
{
	switch (change->what) {
	case INBOX_SET_READ:
		return !entry->read;
	case INBOX_SET_UNREAD:
		return entry->read;
	case INBOX_SET_LABELS:
		return true;
	default:
		return has_label(entry->labels, change->labels[0]);
	}
}

static int change_counts(struct write *w, uint32_t inbox, const struct entry_record *before,
                         const struct entry_record *after)
{
	struct inbox_tally *tally;
	int rc = write_inbox(w, inbox, &tally);

	if (rc != 0)
		return rc;
	if (before->read && !after->read)
		tally->unread++;
	else if (!before->read && after->read)
		tally->unread--;
	rc = entry_count_labels(w, inbox, before->labels, false);
	return rc == 0 ? entry_count_labels(w, inbox, after->labels, true) : rc;
}

/* The record was copied: it outlives what is written here. */
static int change_read(struct write *w, const struct inbox_change *change, uint64_t sequence,
                       struct span record, bool *changed_r)
{
	struct entry_record before, after;
	struct bytes labels = { 0 };
	int rc = 0;

	if (record_decode_entry(record, &before) != 0)
		return MDB_CORRUPTED;
	after = before;
	if (change->what == INBOX_SET_READ || change->what == INBOX_SET_UNREAD)
		after.read = change->what == INBOX_SET_READ;
	labels_after(change, before.labels, &labels);
	after.labels = bytes_span(&labels);
	*changed_r = before.read != after.read || !span_equal(before.labels, after.labels);
	if (*changed_r)
		rc = change_counts(w, change->inbox, &before, &after);
	if (*changed_r && rc == 0)
		rc = entry_write(w, change->inbox, sequence, &after, record_rows(record));
	if (rc == 0 && !span_equal(before.labels, after.labels))
		rc = sieve_label(w, change->inbox, sequence, after.labels);
	bytes_release(&labels);
	return rc;
}

static int change_one(struct write *w, struct inbox_change *change, uint64_t sequence)
{
	struct bytes record = { 0 };
	bool changed = false;
	int rc = entry_read(w, change->inbox, sequence, &record);

	if (rc == 0)
		rc = change_read(w, change, sequence, bytes_span(&record), &changed);
	change->at.done += changed;
	bytes_release(&record);
	return rc;
}

static int change_all(struct write *w, struct inbox_change *change)
{
	struct spool_progress *at = &change->at;
	struct inbox_tally *tally;
	struct entry_record entry;
	uint64_t sequence;
	int rc = write_inbox(w, change->inbox, &tally);

	if (rc == 0 && at->until == 0)
		at->until = tally->last_sequence;
	for (unsigned looks = 0; rc == 0; looks++) {
		if (w->freed >= FREED_PAGES_MAX || looks == CHANGE_LOOKS)
			return AGAIN;
		rc = entry_next(w, change->inbox, at->after, &sequence, &entry);
		if (rc != 0 || sequence > at->until)
			break;
		if (may_change(change, &entry))
			rc = must(change_one(w, change, sequence));
		at->after = sequence;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int change_some(struct write *w, struct inbox_change *change)
{
	struct spool_progress *at = &change->at;

	for (; at->next < change->count; at->next++) {
		int rc;

		if (w->freed >= FREED_PAGES_MAX)
			return AGAIN;
		rc = change_one(w, change, change->sequences[at->next]);
		if (rc != 0 && rc != MDB_NOTFOUND) /* gone meanwhile */
			return rc;
	}
	return 0;
}

static bool change_is_valid(const struct inbox_change *change)
{
	switch (change->what) {
	case INBOX_SET_READ:
	case INBOX_SET_UNREAD:
		return true;
	case INBOX_SET_LABELS:
		return labels_are_good(change->labels, change->label_count);
	case INBOX_RENAME_LABEL:
		return change->label_count == 2 && labels_are_good(change->labels, 1) &&
		       labels_are_good(change->labels + 1, 1);
	case INBOX_DROP_LABEL:
		return change->label_count == 1 && labels_are_good(change->labels, 1);
	}
	return false;
}

int apply_change(struct write *w, struct inbox_change *change)
{
	int rc;

	if (!change_is_valid(change))
		return REFUSED;
	change->at = change->committed;
	rc = change->sequences == NULL ? change_all(w, change) : change_some(w, change);
	change->changed = change->at.done;
	return rc;
}
