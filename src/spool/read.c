/* SPDX-License-Identifier: ISC */
/* read.c - one read transaction of a reader: its cursors, and rows found through them.
 *
 * Nothing here decides what is read. A spool that cannot be read ends the daemon: "not found"
 * would be a lie that loses mail.
 */
#include "spool/private.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/memory.h"

struct reader *reader_new(struct spool *sp)
{
	struct reader *r = memory_new(sizeof(*r));

	r->sp = sp;
	return r;
}

void reader_free(struct reader **rp)
{
	struct reader *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	for (int i = 0; i < TABLE_COUNT; i++)
		if (r->cursors[i] != NULL)
			mdb_cursor_close(r->cursors[i]);
	if (r->txn != NULL)
		mdb_txn_abort(r->txn);
	free(r);
}

void read_begin(struct reader *r)
{
	int rc = r->txn != NULL ? mdb_txn_renew(r->txn)
	                        : mdb_txn_begin(r->sp->env, NULL, MDB_RDONLY, &r->txn);

	/* "Not found" would be a lie that loses mail. */
	if (rc != 0)
		log_fatal(EX_IOERR, "spool cannot be read error=%s", mdb_strerror(rc));
	memset(r->current, 0, sizeof(r->current));
}

void read_end(struct reader *r)
{
	mdb_txn_reset(r->txn);
}

static MDB_cursor *cursor_of(struct reader *r, enum table_number table)
{
	int rc = 0;

	if (r->cursors[table] == NULL)
		rc = mdb_cursor_open(r->txn, r->sp->table[table], &r->cursors[table]);
	else if (!r->current[table])
		rc = mdb_cursor_renew(r->txn, r->cursors[table]);
	if (rc != 0)
		log_fatal(EX_IOERR, "spool cannot be read error=%s", mdb_strerror(rc));
	r->current[table] = true;
	return r->cursors[table];
}

static bool check(int rc)
{
	if (rc != 0 && rc != MDB_NOTFOUND)
		log_fatal(EX_IOERR, "spool cannot be read error=%s", mdb_strerror(rc));
	return rc == 0;
}

bool read_get(struct reader *r, enum table_number table, const struct key *key,
              struct span *value_r)
{
	MDB_val k = value_of(key->bytes, key->length), v;

	if (!check(mdb_get(r->txn, r->sp->table[table], &k, &v)))
		return false;
	*value_r = span_of_value(v);
	return true;
}

/* The first row from key on. */
bool read_seek(struct reader *r, enum table_number table, const struct key *key, struct span *key_r,
               struct span *value_r)
{
	MDB_val k = value_of(key->bytes, key->length), v;

	if (!check(mdb_cursor_get(cursor_of(r, table), &k, &v, MDB_SET_RANGE)))
		return false;
	*key_r = span_of_value(k);
	*value_r = span_of_value(v);
	return true;
}

bool read_next(struct reader *r, enum table_number table, struct span *key_r, struct span *value_r)
{
	MDB_val k, v;

	if (!check(mdb_cursor_get(r->cursors[table], &k, &v, MDB_NEXT)))
		return false;
	*key_r = span_of_value(k);
	*value_r = span_of_value(v);
	return true;
}

/* The rows of a long record from its first one on; `whole` is memory for more than one. */
bool read_long(struct reader *r, enum table_number table,
               struct key (*key)(const void *context, uint16_t k), const void *context,
               struct bytes *whole, struct span *record_r)
{
	struct key here = key(context, 0);
	uint16_t rows;

	if (!read_get(r, table, &here, record_r))
		return false;
	rows = record_rows(*record_r);
	if (rows == 1)
		return true;
	bytes_append_span(whole, *record_r);
	for (uint16_t k = 1; k < rows; k++) {
		here = key(context, k);
		if (!read_get(r, table, &here, record_r))
			return false;
		bytes_append_span(whole, *record_r);
	}
	*record_r = bytes_span(whole);
	return rows > 0;
}

void read_say_bad(const char *what, uint64_t id)
{
	log_error("spool record cannot be read table=%s id=%016llx", what, (unsigned long long)id);
}

bool read_previous(struct reader *r, enum table_number table, struct span *key_r,
                   struct span *value_r)
{
	MDB_val k, v;

	if (!check(mdb_cursor_get(r->cursors[table], &k, &v, MDB_PREV)))
		return false;
	*key_r = span_of_value(k);
	*value_r = span_of_value(v);
	return true;
}

bool read_seek_before(struct reader *r, enum table_number table, const struct key *key,
                      struct span *key_r, struct span *value_r)
{
	MDB_val k, v;

	if (read_seek(r, table, key, key_r, value_r))
		return read_previous(r, table, key_r, value_r);
	if (!check(mdb_cursor_get(r->cursors[table], &k, &v, MDB_LAST)))
		return false;
	*key_r = span_of_value(k);
	*value_r = span_of_value(v);
	return true;
}

bool read_near(struct reader *r, enum table_number table, const struct key *key,
               struct span *value_r)
{
	MDB_val k = value_of(key->bytes, key->length), v;

	if (!check(mdb_cursor_get(cursor_of(r, table), &k, &v, MDB_SET)))
		return false;
	*value_r = span_of_value(v);
	return true;
}
