/* SPDX-License-Identifier: ISC */
/* write.c - one write transaction: cursors, rows, the counts that it changes, its commit.
 *
 * One cursor a table for the whole transaction: LMDB finds a neighbour of the last
 * row without a search. Nothing here decides what is written.
 */
#include "spool/private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/metric.h"

MDB_val value_of(const void *data, size_t length)
{
	return (MDB_val){ .mv_size = length, .mv_data = (void *)(uintptr_t)data };
}

struct span span_of_value(MDB_val v)
{
	return span_of(v.mv_data, v.mv_size);
}

int write_begin(struct write *w)
{
	memset(w->cursors, 0, sizeof(w->cursors));
	w->tally = w->sp->tally;
	w->inbox_count = 0;
	w->freed = w->freed_octets = 0;
	w->operations = 0;
	w->buried = 0;
	w->no_garbage = w->behind = w->trimmed = false;
	due_set_clear(&w->due);
	w->news.count = w->gone.count = 0;
	w->sieve_inbox = 0;
	w->sieve_row = UINT64_MAX;
	w->count_count = 0;
	return mdb_txn_begin(w->sp->env, NULL, 0, &w->txn);
}

static int write_tallies(struct write *w)
{
	struct key key = key_of_text("tally");
	struct record record = record_of_tally(&w->tally);
	int rc = write_put_record(w, TABLE_META, &key, &record);

	for (size_t i = 0; i < w->inbox_count && rc == 0; i++) {
		key = key_of_inbox_tally(w->inboxes[i].inbox);
		record = record_of_inbox_tally(&w->inboxes[i].tally);
		rc = write_put_record(w, TABLE_META, &key, &record);
	}
	return rc;
}

/* What upkeep found is true once it is committed. */
static void upkeep_done(struct write *w)
{
	w->sp->garbage_pages += w->buried;
	if (w->no_garbage)
		atomic_store(&w->sp->garbage, false);
	/* Of dropped bodies, and those of before the start, the size is not known. */
	if (w->no_garbage || w->sp->garbage_pages < 0)
		w->sp->garbage_pages = 0;
	if (w->behind || w->trimmed)
		atomic_store(&w->sp->keep_behind, w->behind);
}

int write_commit(struct write *w)
{
	int rc;

	if (w->operations == 0) { /* all of it was refused: nothing to sync */
		write_abort(w);
		upkeep_done(w);
		return 0;
	}
	rc = counts_write(w);
	if (rc == 0)
		rc = write_tallies(w);
	if (rc != 0) {
		write_abort(w);
		return rc;
	}
	rc = mdb_txn_commit(w->txn); /* frees the transaction and its cursors in any case */
	w->txn = NULL;
	if (rc != 0)
		return rc;
	w->sp->tally = w->tally;
	upkeep_done(w);
	metric_add(METRIC_SPOOL_COMMITS, 1);
	metric_add(METRIC_SPOOL_SYNCS, 2); /* the pages, then the meta page */
	metric_add(METRIC_SPOOL_OPERATIONS, (int64_t)w->operations);
	metric_set(METRIC_SPOOL_MESSAGES, (int64_t)w->tally.messages);
	return 0;
}

void write_abort(struct write *w)
{
	if (w->txn != NULL)
		mdb_txn_abort(w->txn);
	w->txn = NULL;
}

void write_release(struct write *w)
{
	write_abort(w);
	due_set_release(&w->due);
	free(w->news.inboxes);
	free(w->gone.inboxes);
	free(w->inboxes);
	free(w->counts);
	*w = (struct write){ .sp = NULL };
}

static int cursor_of(struct write *w, enum table_number table, MDB_cursor **cursor_r)
{
	int rc = 0;

	if (w->cursors[table] == NULL)
		rc = mdb_cursor_open(w->txn, w->sp->table[table], &w->cursors[table]);
	*cursor_r = w->cursors[table];
	return rc;
}

int write_put(struct write *w, enum table_number table, MDB_val key, MDB_val value, unsigned flags)
{
	MDB_cursor *cursor;
	int rc = cursor_of(w, table, &cursor);

	/* One page a value: nobody ever searches for a run of free pages. */
	assert(value.mv_size <= w->sp->piece);
	if (rc != 0)
		return rc;
	w->operations++;
	rc = mdb_cursor_put(cursor, &key, &value, flags);
	if (rc == MDB_KEYEXIST && (flags & MDB_APPEND) != 0)
		rc = mdb_cursor_put(cursor, &key, &value, 0);
	return rc;
}

int write_put_record(struct write *w, enum table_number table, const struct key *key,
                     const struct record *record)
{
	return write_put(w, table, value_of(key->bytes, key->length),
	                 value_of(record->bytes, record->length), 0);
}

int write_get(struct write *w, enum table_number table, const struct key *key, struct span *value_r)
{
	MDB_val k = value_of(key->bytes, key->length), v;
	MDB_cursor *cursor;
	int rc = cursor_of(w, table, &cursor);

	if (rc == 0)
		rc = mdb_cursor_get(cursor, &k, &v, MDB_SET);
	if (rc == 0 && value_r != NULL)
		*value_r = span_of_value(v);
	return rc;
}

int write_seek(struct write *w, enum table_number table, const struct key *key, struct span *key_r,
               struct span *value_r)
{
	MDB_val k = value_of(key->bytes, key->length), v;
	MDB_cursor *cursor;
	int rc = cursor_of(w, table, &cursor);

	if (rc == 0)
		rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
	if (rc != 0)
		return rc;
	*key_r = span_of_value(k);
	*value_r = span_of_value(v);
	return 0;
}

int write_delete_here(struct write *w, enum table_number table)
{
	w->operations++;
	return mdb_cursor_del(w->cursors[table], 0);
}

int write_delete(struct write *w, enum table_number table, const struct key *key)
{
	int rc = write_get(w, table, key, NULL);

	return rc == 0 ? write_delete_here(w, table) : rc;
}

/* A row above half a page has one of its own. Smaller ones share pages, which are half full when it
 * goes badly. */
void write_freed(struct write *w, size_t octets)
{
	size_t page = w->sp->piece + PAGE_HEADER;

	if (octets > page / 2) {
		w->freed++;
		return;
	}
	w->freed_octets += 2 * (octets + KEY_MAX / 4);
	w->freed += w->freed_octets / page;
	w->freed_octets %= page;
}

int write_get_head(struct write *w, uint64_t id, struct head *head_r)
{
	struct key key = key_of_message(id, 0);
	struct span value;
	int rc = write_get(w, TABLE_MESSAGE, &key, &value);

	if (rc == 0 && record_parse_head(value, head_r) != 0)
		rc = MDB_CORRUPTED;
	return rc;
}

int write_inbox(struct write *w, uint32_t inbox, struct inbox_tally **tally_r)
{
	struct key key = key_of_inbox_tally(inbox);
	struct inbox_state state = { .inbox = inbox };
	struct span value;
	int rc;

	for (size_t i = 0; i < w->inbox_count; i++) {
		*tally_r = &w->inboxes[i].tally;
		if (w->inboxes[i].inbox == inbox)
			return 0;
	}
	rc = write_get(w, TABLE_META, &key, &value);
	if (rc == 0 && record_parse_inbox_tally(value, &state.tally) != 0)
		rc = MDB_CORRUPTED;
	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	if (w->inbox_count == w->inbox_capacity) {
		w->inbox_capacity = w->inbox_capacity == 0 ? 4 : w->inbox_capacity * 2;
		w->inboxes = memory_grow(w->inboxes, w->inbox_capacity, sizeof(*w->inboxes));
	}
	w->inboxes[w->inbox_count] = state;
	*tally_r = &w->inboxes[w->inbox_count++].tally;
	return 0;
}
