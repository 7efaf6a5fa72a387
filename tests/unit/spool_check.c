/* SPDX-License-Identifier: ISC */
/* spool_check.c - what must be true of the tables of any spool, whenever it is looked at.
 *
 * Holders are deliveries and entries; an unclaimed delivery has exactly its own due row, a claimed
 * one none; every row belongs to something that is there; the counts count, those of inboxes and
 * labels too; no value is longer than
 * a page.
 */
#include "spool_lab.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct checker {
	struct spool *sp;
	MDB_txn *txn;
	struct tally tally; /* as stored */
	struct claim *claims;
	size_t claim_count, unclaimed;
	struct tally seen;
	uint64_t entries_in_heads, inbox_counts, blobs_in_heads, references;
	struct inbox_seen *inboxes;
	size_t inbox_count;
	struct label_seen *labels;
	size_t label_count, labels_stored;
};

struct inbox_seen {
	uint32_t inbox;
	struct inbox_tally tally;
};
struct label_seen {
	struct key key;
	uint64_t count;
};

static char problem[256];

__attribute__((format(printf, 1, 2))) static const char *wrong(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem, sizeof(problem), format, arguments);
	va_end(arguments);
	return problem;
}

static bool get(struct checker *c, enum table_number table, struct key key, struct span *value_r)
{
	MDB_val k = value_of(key.bytes, key.length), v;

	if (mdb_get(c->txn, c->sp->table[table], &k, &v) != 0)
		return false;
	*value_r = span_of_value(v);
	return true;
}

static bool has(struct checker *c, enum table_number table, struct key key)
{
	struct span value;

	return get(c, table, key, &value);
}

/* Visits the rows of a table; the first problem ends it. */
static const char *each_row(struct checker *c, enum table_number table,
                            const char *(*visit)(struct checker *c, struct span key,
                                                 struct span value))
{
	const char *bad = NULL;
	MDB_cursor *cursor;
	MDB_val k, v;

	if (mdb_cursor_open(c->txn, c->sp->table[table], &cursor) != 0)
		return wrong("no cursor");
	while (bad == NULL && mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
		if (v.mv_size > c->sp->piece)
			bad = wrong("a value of %zu octets in table %d", v.mv_size, (int)table);
		else
			bad = visit(c, span_of_value(k), span_of_value(v));
	}
	mdb_cursor_close(cursor);
	return bad;
}

static const char *see_claim(struct checker *c, struct span key, struct span value)
{
	struct claim claim;

	if (key_parse_claim(key, &claim) != 0 || record_parse_claim(value, &claim) != 0)
		return wrong("a claim cannot be read");
	if (!has(c, TABLE_DELIVERY, key_of_delivery(claim.id, claim.n, 0)))
		return wrong("a claim without its delivery");
	for (size_t i = 0; i < c->claim_count; i++)
		if (c->claims[i].id == claim.id && c->claims[i].n == claim.n)
			return wrong("a delivery claimed twice");
	c->claims = memory_grow(c->claims, c->claim_count + 1, sizeof(claim));
	c->claims[c->claim_count++] = claim;
	c->seen.claims++;
	return NULL;
}

static bool is_claimed(const struct checker *c, uint64_t id, uint32_t n)
{
	for (size_t i = 0; i < c->claim_count; i++)
		if (c->claims[i].id == id && c->claims[i].n == n)
			return true;
	return false;
}

static bool decode(struct checker *c, uint64_t id, uint32_t n, uint16_t rows, struct delivery *d)
{
	struct bytes whole = { 0 };
	struct span value;
	bool good = true;

	for (uint16_t k = 0; k < rows && good; k++) {
		good = get(c, TABLE_DELIVERY, key_of_delivery(id, n, k), &value);
		if (good)
			bytes_append_span(&whole, value);
	}
	good = good && !has(c, TABLE_DELIVERY, key_of_delivery(id, n, rows)) &&
	       record_decode_delivery(bytes_span(&whole), d) == 0;
	bytes_release(&whole);
	return good;
}

static bool has_alarm(struct checker *c, const struct delivery *d, int64_t time_us)
{
	struct alarm alarm = { time_us, d->id, d->n };

	return time_us == 0 || has(c, TABLE_ALARM, key_of_alarm(&alarm));
}

static const char *see_delivery(struct checker *c, struct span key, struct span value)
{
	struct delivery d;
	struct head head;
	struct span head_row;
	struct due_row due;
	uint64_t id;
	uint32_t n;
	uint16_t k;
	bool there;

	if (key_parse_delivery(key, &id, &n, &k) != 0)
		return wrong("a delivery's key cannot be read");
	if (k > 0)
		return has(c, TABLE_DELIVERY, key_of_delivery(id, n, (uint16_t)(k - 1)))
		               ? NULL
		               : wrong("a delivery's continuation without its start");
	c->seen.deliveries++;
	if (!get(c, TABLE_MESSAGE, key_of_message(id, 0), &head_row) ||
	    record_parse_head(head_row, &head) != 0)
		return wrong("a delivery without its message");
	if (n == 0 || n >= head.next_n)
		return wrong("delivery %u of a message whose next is %u", n, head.next_n);
	if (!decode(c, id, n, record_rows(value), &d))
		return wrong("a delivery cannot be read");
	d.id = id;
	d.n = n;
	due = lab_due_of(&d);
	if (!has_alarm(c, &d, d.return_by_us) || !has_alarm(c, &d, d.warn_us)) {
		delivery_release(&d);
		return wrong("a delivery without its alarm");
	}
	there = has(c, TABLE_DUE, key_of_due(&due));
	delivery_release(&d);
	if (there == is_claimed(c, id, n))
		return wrong(there ? "a claimed delivery is due" : "a delivery without due row");
	c->unclaimed += there;
	return NULL;
}

static const char *see_alarm(struct checker *c, struct span key, struct span value)
{
	struct alarm alarm;
	struct span first;

	if (key_parse_alarm(key, &alarm) != 0 || value.length != 0)
		return wrong("an alarm cannot be read");
	if (!get(c, TABLE_DELIVERY, key_of_delivery(alarm.id, alarm.n, 0), &first) ||
	    (record_return_by(first) != alarm.time_us && record_warn(first) != alarm.time_us))
		return wrong("an alarm without its delivery");
	return NULL;
}

static const char *see_due(struct checker *c, struct span key, struct span value)
{
	struct due_row row;

	if (key_parse_due(key, &row) != 0 || value.length != 0)
		return wrong("a due row cannot be read");
	if (c->unclaimed-- == 0)
		return wrong("more due rows than deliveries to send");
	return has(c, TABLE_DELIVERY, key_of_delivery(row.id, row.n, 0))
	               ? NULL
	               : wrong("a due row without its delivery");
}

static size_t deliveries_of(struct checker *c, uint64_t id, uint32_t next_n)
{
	size_t count = 0;

	for (uint32_t n = 1; n < next_n; n++)
		count += has(c, TABLE_DELIVERY, key_of_delivery(id, n, 0));
	return count;
}

static const char *see_message(struct checker *c, struct span key, struct span value)
{
	struct blob_record blob;
	struct head head;
	struct span row;
	uint64_t id;
	uint16_t k;

	if (key_parse_message(key, &id, &k) != 0)
		return wrong("a message's key cannot be read");
	if (k > 0)
		return has(c, TABLE_MESSAGE, key_of_message(id, (uint16_t)(k - 1)))
		               ? NULL
		               : wrong("facts without their head");
	if (record_parse_head(value, &head) != 0 ||
	    !has(c, TABLE_MESSAGE, key_of_message(id, head.pieces)) ||
	    has(c, TABLE_MESSAGE, key_of_message(id, (uint16_t)(head.pieces + 1))))
		return wrong("a message's head cannot be read");
	c->seen.messages++;
	c->entries_in_heads += head.entry_count;
	if (id > c->tally.last_id)
		return wrong("a message with an id after the last");
	if (head.holders == 0 ||
	    head.holders != head.entry_count + deliveries_of(c, id, head.next_n))
		return wrong("message with %u holders, %u entries, %zu deliveries", head.holders,
		             head.entry_count, deliveries_of(c, id, head.next_n));
	for (size_t i = 0; i < head.entry_count; i++)
		if (!has(c, TABLE_INBOX,
		         key_of_entry(head.entries[i].inbox, head.entries[i].sequence, 0)))
			return wrong("a message's inbox entry is not there");
	if (!get(c, TABLE_BLOB, key_of_blob(head.blob), &row) ||
	    record_parse_blob(row, &blob) != 0 || blob.references < 1 || blob.size != head.size)
		return wrong("a message without its body's row");
	c->blobs_in_heads++;
	return NULL;
}

static const char *see_blob(struct checker *c, struct span key, struct span value)
{
	uint64_t blob = be64_load(key.data), size = 0;
	struct blob_record record;
	struct span piece;

	if (key.length != 8 || record_parse_blob(value, &record) != 0)
		return wrong("a body's row cannot be read");
	if (has(c, TABLE_GARBAGE, key_of_garbage(0, blob)) ||
	    has(c, TABLE_GARBAGE, key_of_garbage(1, blob)))
		return wrong("a body that is garbage too");
	c->references += record.references;
	c->seen.octets += record.size;
	for (uint32_t i = 0; i < record.pieces; i++) {
		if (!get(c, TABLE_BODY, key_of_body(blob, i), &piece))
			return wrong("a body without its piece %u", i);
		size += piece.length;
	}
	return size == record.size && !has(c, TABLE_BODY, key_of_body(blob, record.pieces))
	               ? NULL
	               : wrong("a body of another size");
}

static const char *see_body(struct checker *c, struct span key, struct span value)
{
	uint64_t blob;
	uint32_t piece;

	(void)value;
	if (key_parse_body(key, &blob, &piece) != 0)
		return wrong("a body's key cannot be read");
	return has(c, TABLE_BLOB, key_of_blob(blob)) ||
	                       has(c, TABLE_GARBAGE, key_of_garbage(0, blob)) ||
	                       has(c, TABLE_GARBAGE, key_of_garbage(1, blob))
	               ? NULL
	               : wrong("a piece of nobody's body");
}

/* The rows that the entry says, and none behind them. */
static const char *see_entry_rows(struct checker *c, uint32_t inbox, uint64_t sequence,
                                  uint16_t rows, const struct entry_record *entry)
{
	if (!has(c, TABLE_INBOX, key_of_entry(inbox, sequence, (uint16_t)(rows - 1))) ||
	    has(c, TABLE_INBOX, key_of_entry(inbox, sequence, rows)))
		return wrong("an entry without all of its rows");
	for (unsigned kind = 0; kind < SPOOL_EXTRA_COUNT; kind++) {
		uint16_t count = entry->extra_rows[kind];

		if ((count > 0 && !has(c, TABLE_PART + kind,
		                       key_of_entry(inbox, sequence, (uint16_t)(count - 1)))) ||
		    has(c, TABLE_PART + kind, key_of_entry(inbox, sequence, count)))
			return wrong("an entry without all of its extras, or with more");
	}
	return NULL;
}

static struct inbox_tally *seen_inbox(struct checker *c, uint32_t inbox)
{
	for (size_t i = 0; i < c->inbox_count; i++)
		if (c->inboxes[i].inbox == inbox)
			return &c->inboxes[i].tally;
	c->inboxes = memory_grow(c->inboxes, c->inbox_count + 1, sizeof(*c->inboxes));
	c->inboxes[c->inbox_count] = (struct inbox_seen){ .inbox = inbox };
	return &c->inboxes[c->inbox_count++].tally;
}

static uint64_t *seen_label(struct checker *c, struct key key)
{
	for (size_t i = 0; i < c->label_count; i++)
		if (c->labels[i].key.length == key.length &&
		    memcmp(c->labels[i].key.bytes, key.bytes, key.length) == 0)
			return &c->labels[i].count;
	c->labels = memory_grow(c->labels, c->label_count + 1, sizeof(*c->labels));
	c->labels[c->label_count] = (struct label_seen){ .key = key };
	return &c->labels[c->label_count++].count;
}

static void count_entry(struct checker *c, uint32_t inbox, const struct entry_record *entry)
{
	struct inbox_tally *tally = seen_inbox(c, inbox);
	struct span labels = entry->labels, label;

	tally->count++;
	tally->unread += !entry->read;
	tally->octets += entry->size;
	while (row_label(&labels, &label))
		++*seen_label(c, key_of_label(inbox, label));
}

/* Whatever is in an entry's text and labels passes its slot, whoever asks for a part of it. */
static const char *see_slot(struct checker *c, uint32_t inbox, uint64_t sequence,
                            const struct entry_record *entry)
{
	unsigned char want[SIEVE_SLOT];
	const unsigned char *slots;
	struct inbox_tally tally;
	struct bytes text = { 0 };
	struct span row;

	if (get(c, TABLE_META, key_of_inbox_tally(inbox), &row) &&
	    record_parse_inbox_tally(row, &tally) == 0 && sequence <= tally.plain)
		return NULL;
	if (!get(c, TABLE_SIEVE, key_of_sieve(inbox, sequence / SIEVE_SLOTS), &row) ||
	    (slots = sieve_slots(row)) == NULL)
		return wrong("an entry without its row of the sieve");
	for (uint16_t k = 0; k < entry->extra_rows[SPOOL_TEXT]; k++)
		if (get(c, TABLE_TEXT, key_of_entry(inbox, sequence, k), &row))
			bytes_append_span(&text, row);
	sieve_slot(want, bytes_span(&text), entry->labels);
	bytes_release(&text);
	for (size_t i = 0; i < SIEVE_SLOT; i++)
		if ((want[i] & ~slots[sequence % SIEVE_SLOTS * SIEVE_SLOT + i]) != 0)
			return wrong("an entry that its sieve holds back");
	return NULL;
}

static const char *see_sieve(struct checker *c, struct span key, struct span value)
{
	static const unsigned char none[SIEVE_SLOT];
	const unsigned char *slots = sieve_slots(value);
	uint64_t row;
	uint32_t inbox;
	size_t used = 0;

	if (key_parse_sieve(key, &inbox, &row) != 0 || slots == NULL)
		return wrong("a row of the sieve cannot be read");
	for (size_t i = 0; i < SIEVE_SLOTS; i++) {
		if (memcmp(slots + i * SIEVE_SLOT, none, SIEVE_SLOT) == 0)
			continue;
		used++;
		if (!has(c, TABLE_INBOX, key_of_entry(inbox, row * SIEVE_SLOTS + i, 0)))
			return wrong("a slot of nobody's entry");
	}
	return used > 0 ? NULL : wrong("a row of the sieve without entries");
}

/* After the entries were seen. */
static const char *see_label(struct checker *c, struct span key, struct span value)
{
	struct key copy = { .length = key.length };
	uint64_t count;

	if (key.length > sizeof(copy.bytes) || record_parse_label(value, &count) != 0)
		return wrong("a label's count cannot be read");
	memcpy(copy.bytes, key.data, key.length);
	if (count == 0 || *seen_label(c, copy) != count)
		return wrong("a label that is counted %llu times, found %llu times",
		             (unsigned long long)count, (unsigned long long)*seen_label(c, copy));
	c->labels_stored++;
	return NULL;
}

/* Extras belong to an entry, or wait to be deleted. */
static const char *see_extra(struct checker *c, struct span key, struct span value)
{
	uint64_t sequence;
	uint32_t inbox;
	uint16_t k;

	if (key_parse_entry(key, &inbox, &sequence, &k) != 0 || value.length == 0)
		return wrong("an extra cannot be read");
	return has(c, TABLE_INBOX, key_of_entry(inbox, sequence, 0)) !=
	                       has(c, TABLE_GARBAGE, key_of_dead_extras(inbox, sequence))
	               ? NULL
	               : wrong("an extra of nobody's entry, or of one that is gone");
}

static const char *see_garbage(struct checker *c, struct span key, struct span value)
{
	uint64_t number;
	uint32_t inbox;
	uint8_t dead;

	(void)c;
	if (value.length == 0 && ((key_parse_garbage(key, &dead, &number) == 0 && dead <= 1) ||
	                          key_parse_dead_extras(key, &inbox, &number) == 0))
		return NULL;
	return wrong("a garbage row cannot be read");
}

static const char *see_entry(struct checker *c, struct span key, struct span value)
{
	struct inbox_tally tally;
	struct entry_record entry;
	struct span row;
	struct head head;
	uint64_t sequence;
	uint32_t inbox;
	uint16_t k;
	const char *bad;

	if (key_parse_entry(key, &inbox, &sequence, &k) != 0)
		return wrong("an entry's key cannot be read");
	if (k > 0)
		return has(c, TABLE_INBOX, key_of_entry(inbox, sequence, (uint16_t)(k - 1)))
		               ? NULL
		               : wrong("an entry's continuation without its start");
	c->seen.entries++;
	if (record_decode_entry(value, &entry) != 0)
		return wrong("an entry cannot be read");
	bad = see_entry_rows(c, inbox, sequence, record_rows(value), &entry);
	if (bad != NULL)
		return bad;
	c->seen.extras += entry_weight(c->sp, entry.extra_rows);
	bad = see_slot(c, inbox, sequence, &entry);
	if (bad != NULL)
		return bad;
	count_entry(c, inbox, &entry);
	if (!get(c, TABLE_MESSAGE, key_of_message(entry.id, 0), &row) ||
	    record_parse_head(row, &head) != 0)
		return wrong("an entry without its message");
	if (!get(c, TABLE_META, key_of_inbox_tally(inbox), &row) ||
	    record_parse_inbox_tally(row, &tally) != 0 || tally.last_sequence < sequence)
		return wrong("an entry that its inbox does not count");
	for (size_t i = 0; i < head.entry_count; i++)
		if (head.entries[i].inbox == inbox && head.entries[i].sequence == sequence)
			return NULL;
	return wrong("an entry that its message does not know");
}

static const char *see_meta(struct checker *c, struct span key, struct span value)
{
	struct key start = key_of_inbox_tally(0);
	struct inbox_tally tally;

	if (key.length == start.length && memcmp(key.data, start.bytes, start.length - 4) == 0 &&
	    record_parse_inbox_tally(value, &tally) == 0) {
		const struct inbox_tally *seen =
			seen_inbox(c, be32_load(key.data + key.length - 4));

		c->inbox_counts += tally.count;
		if (tally.count != seen->count || tally.unread != seen->unread ||
		    tally.octets != seen->octets)
			return wrong("an inbox's counts do not count: %llu unread of %llu",
			             (unsigned long long)tally.unread,
			             (unsigned long long)seen->unread);
	}
	return NULL;
}

static const char *check_counts(const struct checker *c)
{
	const struct tally *t = &c->tally;

	if (c->labels_stored != c->label_count)
		return wrong("labels that are not counted");
	if (c->references != c->blobs_in_heads)
		return wrong("%llu references of bodies, %llu messages",
		             (unsigned long long)c->references,
		             (unsigned long long)c->blobs_in_heads);
	if (c->unclaimed != 0)
		return wrong("deliveries to send without due rows");
	if (c->entries_in_heads != c->seen.entries || c->inbox_counts != c->seen.entries)
		return wrong("%llu entries, messages know %llu, inboxes %llu",
		             (unsigned long long)c->seen.entries,
		             (unsigned long long)c->entries_in_heads,
		             (unsigned long long)c->inbox_counts);
	if (t->messages != c->seen.messages || t->deliveries != c->seen.deliveries ||
	    t->claims != c->seen.claims || t->entries != c->seen.entries ||
	    t->octets != c->seen.octets || t->extras != c->seen.extras)
		return wrong("the counts do not count: %llu messages of %llu",
		             (unsigned long long)t->messages, (unsigned long long)c->seen.messages);
	return NULL;
}

const char *lab_check(struct spool *sp)
{
	struct checker c = { .sp = sp };
	const char *bad = NULL;
	struct span tally;

	if (mdb_txn_begin(sp->env, NULL, MDB_RDONLY, &c.txn) != 0)
		return wrong("no transaction");
	if (get(&c, TABLE_META, key_of_text("tally"), &tally) &&
	    record_parse_tally(tally, &c.tally) != 0)
		bad = wrong("the counts cannot be read");
	if (bad == NULL)
		bad = each_row(&c, TABLE_CLAIM, see_claim);
	if (bad == NULL)
		bad = each_row(&c, TABLE_DELIVERY, see_delivery);
	if (bad == NULL)
		bad = each_row(&c, TABLE_DUE, see_due);
	if (bad == NULL)
		bad = each_row(&c, TABLE_ALARM, see_alarm);
	if (bad == NULL)
		bad = each_row(&c, TABLE_MESSAGE, see_message);
	if (bad == NULL)
		bad = each_row(&c, TABLE_BLOB, see_blob);
	if (bad == NULL)
		bad = each_row(&c, TABLE_BODY, see_body);
	if (bad == NULL)
		bad = each_row(&c, TABLE_INBOX, see_entry);
	for (unsigned kind = 0; kind < SPOOL_EXTRA_COUNT && bad == NULL; kind++)
		bad = each_row(&c, TABLE_PART + kind, see_extra);
	if (bad == NULL)
		bad = each_row(&c, TABLE_LABEL, see_label);
	if (bad == NULL)
		bad = each_row(&c, TABLE_SIEVE, see_sieve);
	if (bad == NULL)
		bad = each_row(&c, TABLE_GARBAGE, see_garbage);
	if (bad == NULL)
		bad = each_row(&c, TABLE_META, see_meta);
	if (bad == NULL)
		bad = check_counts(&c);
	mdb_txn_abort(c.txn);
	free(c.claims);
	free(c.inboxes);
	free(c.labels);
	return bad;
}

size_t lab_rows(struct spool *sp, enum table_number table)
{
	MDB_stat stat = { 0 };
	MDB_txn *txn;

	if (mdb_txn_begin(sp->env, NULL, MDB_RDONLY, &txn) != 0)
		return SIZE_MAX;
	mdb_stat(txn, sp->table[table], &stat);
	mdb_txn_abort(txn);
	return stat.ms_entries;
}
