/* SPDX-License-Identifier: ISC */
/* apply.c - puts, chunks and transitions, applied inside the writer's transaction.
 *
 * A request is verified before anything of it is written, so that REFUSED leaves the
 * transaction as it was. After that only LMDB itself can fail, and then the
 * whole transaction is given up. Rows were encoded by the asker; holes are filled here.
 */
#include "spool/private.h"

#include <assert.h>
#include <string.h>

/* ---- rows with their holes ----------------------------------------------------- */

struct holes {
	uint64_t id;
	uint32_t first_n;                 /* of group 1 */
	const struct head_entry *entries; /* of group 1 and on */
	int64_t time_us;                  /* of entries that have none */
};

static void fill_entry(unsigned char *value, const struct holes *holes)
{
	be64_store(value + ENTRY_ID_AT, holes->id);
	if (be64_load(value + ENTRY_TIME_AT) == 0)
		be64_store(value + ENTRY_TIME_AT, (uint64_t)holes->time_us);
}

static void fill_row(const struct row *row, unsigned char *key, unsigned char *value,
                     const struct holes *holes)
{
	uint32_t n = holes->first_n + row->group - 1;

	switch (row->table) {
	case TABLE_DELIVERY:
		be64_store(key, holes->id);
		if (row->group > 0)
			be32_store(key + DELIVERY_N_AT, n);
		break;
	case TABLE_DUE:
		be64_store(key + DUE_ID_AT, holes->id);
		if (row->group > 0)
			be32_store(key + DUE_N_AT, n);
		break;
	case TABLE_ALARM:
		be64_store(key + ALARM_ID_AT, holes->id);
		if (row->group > 0)
			be32_store(key + ALARM_N_AT, n);
		break;
	case TABLE_INBOX:
		be64_store(key + INBOX_SEQ_AT, holes->entries[row->group - 1].sequence);
		if (be16_load(key + INBOX_SEQ_AT + 8) == 0)
			fill_entry(value, holes);
		break;
	case TABLE_PART:
	case TABLE_TEXT:
	case TABLE_DIALOGUE:
	case TABLE_SIEVE:
		be64_store(key + INBOX_SEQ_AT, holes->entries[row->group - 1].sequence);
		break;
	default:
		be64_store(key, holes->id);
		break;
	}
}

static int apply_rows(struct write *w, struct bytes *rows, const struct holes *holes)
{
	/* No rows are no memory: NULL takes no offset. */
	unsigned char *at = rows->data, *end = rows->length == 0 ? at : at + rows->length;

	while (at < end) {
		struct row row;
		unsigned char *key, *value;
		int rc;

		memcpy(&row, at, sizeof(row));
		key = at + sizeof(row);
		value = key + row.key_length;
		fill_row(&row, key, value, holes);
		if (row.table == TABLE_SIEVE)
			rc = sieve_set(w, be32_load(key), be64_load(key + INBOX_SEQ_AT), value);
		else
			rc = write_put(
				w, (enum table_number)row.table, value_of(key, row.key_length),
				value_of(value, row.value_length), row.append ? MDB_APPEND : 0);
		if (rc != 0)
			return rc;
		at = value + row.value_length;
	}
	return 0;
}

static void news_of(struct write *w, const struct delivery *delivery)
{
	struct due_news line = { .queue = delivery->queue,
		                 .priority = delivery->priority,
		                 .class = delivery->class,
		                 .earliest_us = delivery->due_us };

	due_set_add(&w->due, &line);
}

/* ---- puts ---------------------------------------------------------------------------- */

static int put_body(struct write *w, uint64_t blob, const struct put *put, uint32_t *pieces_r)
{
	size_t piece = w->sp->piece, at = 0;
	uint32_t number = put->first_piece;
	/* A whole body's number is an id, the largest; a streamed one's is not. */
	unsigned flags = put->first_piece == 0 ? MDB_APPEND : 0;
	int rc = 0;

	/* An empty body is one empty piece: it is there, and it is empty. */
	while (rc == 0 && (at < put->body.length || number == 0)) {
		size_t left = put->body.length - at, length = left < piece ? left : piece;
		struct key key = key_of_body(blob, number++);
		const void *data = length > 0 ? put->body.data + at : (const void *)"";

		rc = write_put(w, TABLE_BODY, value_of(key.bytes, key.length),
		               value_of(data, length), flags);
		at += length;
	}
	*pieces_r = number;
	return rc;
}

static int get_blob(struct write *w, uint64_t number, struct blob_record *blob_r)
{
	struct key key = key_of_blob(number);
	struct span value;
	int rc = write_get(w, TABLE_BLOB, &key, &value);

	if (rc == 0 && record_parse_blob(value, blob_r) != 0)
		rc = MDB_CORRUPTED;
	return rc;
}

static int share_blob(struct write *w, uint64_t number)
{
	struct key key = key_of_blob(number);
	struct blob_record blob;
	struct record record;
	int rc = get_blob(w, number, &blob);

	if (rc != 0)
		return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc; /* it was there when verified */
	blob.references++;
	record = record_of_blob(&blob);
	return write_put_record(w, TABLE_BLOB, &key, &record);
}

static int put_blob(struct write *w, const struct put *put, uint64_t size)
{
	struct blob_record blob = { .references = 1, .size = size };
	struct key key = key_of_blob(put->facts.blob);
	struct record record;
	int rc = put->shares ? share_blob(w, put->facts.blob)
	                     : put_body(w, put->facts.blob, put, &blob.pieces);

	if (rc != 0 || put->shares)
		return rc;
	w->tally.octets += size;
	record = record_of_blob(&blob);
	return write_put(w, TABLE_BLOB, value_of(key.bytes, key.length),
	                 value_of(record.bytes, record.length),
	                 put->first_piece == 0 ? MDB_APPEND : 0);
}

static int count_labels(struct write *w, const struct put_entry *entry)
{
	struct bytes labels = { 0 };
	int rc;

	labels_encode(entry->labels, entry->label_count, &labels);
	rc = entry_count_labels(w, entry->inbox, bytes_span(&labels), true);
	bytes_release(&labels);
	return rc;
}

static uint64_t weight_of(const struct write *w, const struct put_entry *entry)
{
	uint16_t rows[SPOOL_EXTRA_COUNT];

	for (int kind = 0; kind < SPOOL_EXTRA_COUNT; kind++)
		rows[kind] =
			(uint16_t)((entry->extras[kind].length + w->sp->piece - 1) / w->sp->piece);
	return entry_weight(w->sp, rows);
}

static int number_entries(struct write *w, const struct put *put, struct head *head)
{
	for (size_t i = 0; i < put->entry_count; i++) {
		struct inbox_tally *tally;
		uint32_t inbox = put->entries[i].inbox;
		int rc = write_inbox(w, inbox, &tally);

		if (rc == 0 && put->entries[i].label_count > 0)
			rc = count_labels(w, &put->entries[i]);
		if (rc != 0)
			return rc;
		w->tally.extras += weight_of(w, &put->entries[i]);
		tally->count++;
		tally->unread++;
		tally->octets += put->facts.size;
		head->entries[i].inbox = inbox;
		head->entries[i].sequence = ++tally->last_sequence;
		inbox_set_add(&w->news, inbox, tally->last_sequence);
	}
	head->entry_count = (uint16_t)put->entry_count;
	w->tally.entries += put->entry_count;
	return 0;
}

static int put_head(struct write *w, uint64_t id, const struct head *head)
{
	struct key key = key_of_message(id, 0);
	struct record record = record_of_head(head);

	return write_put(w, TABLE_MESSAGE, value_of(key.bytes, key.length),
	                 value_of(record.bytes, record.length), MDB_APPEND);
}

static int put_rows(struct write *w, struct put *put)
{
	struct head head = { .next_n = (uint32_t)put->delivery_count + 1,
		             .holders = (uint32_t)(put->delivery_count + put->entry_count),
		             .blob = put->facts.blob,
		             .size = put->facts.size,
		             .pieces = put->fact_rows };
	struct holes holes = { .id = put->facts.id,
		               .first_n = 1,
		               .entries = head.entries,
		               .time_us = clock_wall(w->sp->clock) };
	int rc = number_entries(w, put, &head);

	if (rc == 0)
		rc = put_head(w, put->facts.id, &head);
	if (rc == 0)
		rc = apply_rows(w, &put->records, &holes);
	if (rc == 0)
		rc = put_blob(w, put, put->facts.size);
	w->tally.messages++;
	w->tally.deliveries += put->delivery_count;
	for (size_t i = 0; i < put->delivery_count; i++) {
		put->deliveries[i]->id = put->facts.id;
		put->deliveries[i]->n = (uint32_t)i + 1;
		news_of(w, put->deliveries[i]);
	}
	for (size_t i = 0; i < put->entry_count && rc == 0; i++)
		rc = remove_beyond_keep(w, put->entries[i].inbox);
	return rc;
}

static bool put_is_valid(struct write *w, const struct put *put)
{
	struct key key = key_of_garbage(0, put->facts.blob);

	struct blob_record blob;

	if (!put_is_bounded(w->sp, put))
		return false;
	if (put->shares)
		return put->first_piece == 0 && put->body.length == 0 &&
		       get_blob(w, put->facts.blob, &blob) == 0 && blob.size == put->facts.size;
	return put->first_piece == 0 || write_get(w, TABLE_GARBAGE, &key, NULL) == 0;
}

static int put_apply(struct write *w, struct put *put)
{
	uint64_t id = spool_id_next(w->tally.last_id, clock_wall(w->sp->clock));
	int rc = 0;

	w->tally.last_id = put->facts.id = id;
	if (put->first_piece == 0 && !put->shares)
		put->facts.blob = id;
	/* Nobody holds it (its recipients are discarded): it is accepted and gone. */
	if (put->delivery_count + put->entry_count == 0) {
		w->operations++; /* its id is used up all the same */
		return put->first_piece == 0 ? 0 : apply_drop(w, put->facts.blob);
	}
	if (put->first_piece > 0) {
		struct key key = key_of_garbage(0, put->facts.blob);

		rc = write_delete(w, TABLE_GARBAGE, &key);
	}
	return rc == 0 ? put_rows(w, put) : rc;
}

int apply_put(struct write *w, struct put *put)
{
	return put_is_valid(w, put) ? put_apply(w, put) : REFUSED;
}

int apply_chunk(struct write *w, struct chunk *chunk)
{
	size_t piece = w->sp->piece, at = 0;
	struct key garbage = key_of_garbage(0, chunk->blob);
	uint32_t number = chunk->first_piece;
	int rc = write_get(w, TABLE_GARBAGE, &garbage, NULL);

	/* The first chunk makes the row that the put, or a drop, or the next start takes away. */
	if ((rc == 0) != (chunk->first_piece > 0))
		return rc == 0 || rc == MDB_NOTFOUND ? REFUSED : rc;
	if (rc == MDB_NOTFOUND)
		rc = write_put(w, TABLE_GARBAGE, value_of(garbage.bytes, garbage.length),
		               value_of(NULL, 0), 0);
	while (rc == 0 && at < chunk->data.length) {
		size_t left = chunk->data.length - at, length = left < piece ? left : piece;
		struct key key = key_of_body(chunk->blob, number++);

		rc = write_put(w, TABLE_BODY, value_of(key.bytes, key.length),
		               value_of(chunk->data.data + at, length), 0);
		at += length;
	}
	return rc;
}

/* ---- transitions ----------------------------------------------------------------------- */

static bool claim_is_there(struct write *w, const struct transition *t)
{
	struct key key = key_of_claim(t->claim.provider, t->claim.slot);
	struct claim claim;
	struct span value;

	return write_get(w, TABLE_CLAIM, &key, &value) == 0 &&
	       record_parse_claim(value, &claim) == 0 && claim.id == t->id && claim.n == t->n;
}

/* What is to be removed is there, what is to be added is not, and the delivery is in the state that
 * the transition starts from: due, or in flight, never both. */
static bool transition_is_valid(struct write *w, const struct transition *t)
{
	struct key key = key_of_delivery(t->id, t->n, 0);
	struct key due = key_of_due(&t->due);
	struct key claim = key_of_claim(t->claim.provider, t->claim.slot);

	if (t->has_due == t->unclaims || (t->claims && !t->has_due))
		return false;
	if (write_get(w, TABLE_DELIVERY, &key, NULL) != 0)
		return false;
	if (t->has_due &&
	    (t->due.id != t->id || t->due.n != t->n || write_get(w, TABLE_DUE, &due, NULL) != 0))
		return false;
	if (t->unclaims && !claim_is_there(w, t))
		return false;
	if (t->claims && write_get(w, TABLE_CLAIM, &claim, NULL) != MDB_NOTFOUND)
		return false;
	return t->bounce == NULL || put_is_valid(w, t->bounce);
}

static int change_claim(struct write *w, const struct transition *t)
{
	struct key key = key_of_claim(t->claim.provider, t->claim.slot);
	struct claim claim = t->claim;
	struct record record;

	if (t->unclaims) {
		w->tally.claims--;
		return write_delete(w, TABLE_CLAIM, &key);
	}
	if (!t->claims)
		return 0;
	claim.id = t->id;
	claim.n = t->n;
	record = record_of_claim(&claim);
	w->tally.claims++;
	return write_put_record(w, TABLE_CLAIM, &key, &record);
}

/* What rang, or has nobody to ring for any more. */
static int delete_alarm(struct write *w, const struct transition *t, int64_t time_us)
{
	struct alarm alarm = { time_us, t->id, t->n };
	struct key key = key_of_alarm(&alarm);
	int rc;

	if (time_us <= 0 ||
	    (t->now != NULL && (t->now->return_by_us == time_us || t->now->warn_us == time_us)))
		return 0;
	rc = write_delete(w, TABLE_ALARM, &key);
	return rc == MDB_NOTFOUND ? 0 : rc; /* both were one row */
}

static int delete_delivery_rows(struct write *w, const struct transition *t, uint16_t from)
{
	struct key key = key_of_delivery(t->id, t->n, 0);
	struct span value;
	int64_t return_by, warn;
	uint16_t rows;
	int rc = write_get(w, TABLE_DELIVERY, &key, &value);

	if (rc != 0)
		return rc;
	rows = record_rows(value);
	return_by = record_return_by(value);
	warn = record_warn(value);
	if (rows == 0)
		return MDB_CORRUPTED;
	rc = delete_alarm(w, t, return_by);
	if (rc == 0)
		rc = delete_alarm(w, t, warn);
	for (uint16_t k = from; k < rows && rc == 0; k++) {
		key = key_of_delivery(t->id, t->n, k);
		rc = write_delete(w, TABLE_DELIVERY, &key);
	}
	return rc;
}

/* Rows of the old record that the new one does not overwrite go first. */
static int change_delivery(struct write *w, const struct transition *t)
{
	bool ended = t->now == NULL && !t->claims;

	if (t->now == NULL && t->claims)
		return 0;
	return delete_delivery_rows(w, t, ended ? 0 : t->now_rows);
}

static int change_head(struct write *w, const struct transition *t, bool ended)
{
	struct key key = key_of_message(t->id, 0);
	struct record record;
	struct head head;
	int rc = write_get_head(w, t->id, &head);

	if (rc != 0)
		return rc;
	head.next_n += (uint32_t)t->apart_count;
	head.holders += (uint32_t)t->apart_count;
	if (ended)
		head.holders--;
	w->tally.deliveries += t->apart_count;
	w->tally.deliveries -= ended;
	if (head.holders == 0)
		return remove_message(w, t->id, &head);
	record = record_of_head(&head);
	return write_put_record(w, TABLE_MESSAGE, &key, &record);
}

static int apply_apart(struct write *w, struct transition *t)
{
	struct holes holes = { .id = t->id };
	struct head head;
	int rc = 0;

	if (t->apart_count > 0) {
		rc = write_get_head(w, t->id, &head);
		if (rc != 0)
			return rc;
		holes.first_n = head.next_n;
	}
	rc = apply_rows(w, &t->records, &holes);
	for (size_t i = 0; i < t->apart_count; i++) {
		t->apart[i]->id = t->id;
		t->apart[i]->n = holes.first_n + (uint32_t)i;
		news_of(w, t->apart[i]);
	}
	return rc;
}

static int transition_apply(struct write *w, struct transition *t)
{
	bool ended = t->now == NULL && !t->claims;
	struct key due = key_of_due(&t->due);
	/* First, because its body may be the one that goes with the message. */
	int rc = t->bounce != NULL ? put_apply(w, t->bounce) : 0;

	if (rc == 0 && t->has_due)
		rc = write_delete(w, TABLE_DUE, &due);
	if (rc == 0)
		rc = change_claim(w, t);
	if (rc == 0)
		rc = change_delivery(w, t);
	if (rc == 0)
		rc = apply_apart(w, t);
	if (rc == 0 && (ended || t->apart_count > 0))
		rc = change_head(w, t, ended);
	if (rc == 0 && t->now != NULL && !t->claims)
		news_of(w, t->now);
	if (rc == 0)
		counts_add(w, t->counts, t->count_count);
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

int apply_transition(struct write *w, struct transition *t)
{
	return transition_is_valid(w, t) ? transition_apply(w, t) : REFUSED;
}
