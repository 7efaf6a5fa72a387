/* SPDX-License-Identifier: ISC */
/* reader_inbox.c - reading inboxes: lists, entries with their extras, counts, the walk of a search.
 *
 * As in reader.c each call copies out and ends, but for the walk, whose rows are seen in
 * place: its caller bounds how many. What a list skips is walked over or, when
 * the inbox has no gaps, reckoned.
 */
#include "spool/private.h"

#include <stdlib.h>

#include "base/memory.h"

struct entry_place {
	uint32_t inbox;
	uint64_t sequence;
};

static struct key entry_key(const void *context, uint16_t k)
{
	const struct entry_place *place = context;

	return key_of_entry(place->inbox, place->sequence, k);
}

/* ---- one entry ------------------------------------------------------------------------------ */

/* What entries of earlier versions do not have. */
static void complete(struct reader *r, struct entry_record *entry)
{
	struct key key = key_of_message(entry->id, 0);
	struct span value;
	struct head head;

	if (entry->size == 0 && read_get(r, TABLE_MESSAGE, &key, &value) &&
	    record_parse_head(value, &head) == 0)
		entry->size = head.size;
}

/* The record that begins with this row; `whole` is memory for more than one row. */
static bool decode(struct reader *r, const struct entry_place *place, struct span first,
                   struct bytes *whole, struct entry_record *entry_r)
{
	bytes_clear(whole);
	if (record_rows(first) != 1 &&
	    !read_long(r, TABLE_INBOX, entry_key, place, whole, &first)) {
		read_say_bad("inbox", place->sequence);
		return false;
	}
	if (record_decode_entry(first, entry_r) != 0) {
		read_say_bad("inbox", place->sequence);
		return false;
	}
	complete(r, entry_r);
	return true;
}

static void copy_labels(struct inbox_entry *entry, struct span labels)
{
	struct span label;

	while (row_label(&labels, &label)) {
		entry->labels =
			memory_grow(entry->labels, entry->label_count + 1, sizeof(*entry->labels));
		entry->labels[entry->label_count++] = memory_text_of(label.data, label.length);
	}
}

static void copy_entry(uint64_t sequence, const struct entry_record *record,
                       struct inbox_entry *entry_r)
{
	*entry_r = (struct inbox_entry){ .sequence = sequence,
		                         .id = record->id,
		                         .time_us = record->time_us,
		                         .size = record->size,
		                         .read = record->read };
	copy_labels(entry_r, record->labels);
	bytes_append_span(&entry_r->summary, record->summary);
}

bool reader_inbox_entry(struct reader *r, uint32_t inbox, uint64_t sequence,
                        struct inbox_entry *entry_r)
{
	struct entry_place place = { .inbox = inbox, .sequence = sequence };
	struct key key = key_of_entry(inbox, sequence, 0);
	struct bytes whole = { 0 };
	struct entry_record record;
	struct span value;
	bool found;

	read_begin(r);
	found = read_get(r, TABLE_INBOX, &key, &value) && decode(r, &place, value, &whole, &record);
	if (found)
		copy_entry(sequence, &record, entry_r);
	read_end(r);
	bytes_release(&whole);
	return found;
}

uint64_t reader_inbox_sequence(struct reader *r, uint32_t inbox, uint64_t id)
{
	struct key key = key_of_message(id, 0);
	uint64_t sequence = 0;
	struct span value;
	struct head head;

	read_begin(r);
	if (read_get(r, TABLE_MESSAGE, &key, &value) && record_parse_head(value, &head) == 0)
		for (uint16_t i = 0; i < head.entry_count && sequence == 0; i++)
			if (head.entries[i].inbox == inbox)
				sequence = head.entries[i].sequence;
	read_end(r);
	return sequence;
}

/* All rows of an extra; false: not so many are there. */
static bool copy_extra(struct reader *r, const struct entry_place *place, enum table_number table,
                       uint16_t rows, struct bytes *out)
{
	struct span value;

	for (uint16_t k = 0; k < rows; k++) {
		struct key key = entry_key(place, k);

		if (!read_near(r, table, &key, &value))
			return false;
		bytes_append_span(out, value);
	}
	return rows > 0;
}

bool reader_inbox_extra(struct reader *r, uint32_t inbox, uint64_t sequence, enum spool_extra kind,
                        struct bytes *out)
{
	struct entry_place place = { .inbox = inbox, .sequence = sequence };
	struct key key = key_of_entry(inbox, sequence, 0);
	struct entry_record record;
	struct span value;
	bool found;

	read_begin(r);
	found = read_get(r, TABLE_INBOX, &key, &value) &&
	        record_decode_entry(value, &record) == 0 &&
	        copy_extra(r, &place, TABLE_PART + (unsigned)kind, record.extra_rows[kind], out);
	read_end(r);
	return found;
}

/* ---- walking ----------------------------------------------------------------------------------
 */

struct walk {
	struct reader *r;
	struct entry_place place;
	struct span value; /* the entry's first row */
	bool backwards;
};

/* Goes on to a first row, from where the cursor stands. */
static bool walk_settle(struct walk *walk, bool more, struct span key)
{
	uint32_t owner;
	uint16_t k;

	for (; more; more = (walk->backwards ? read_previous : read_next)(walk->r, TABLE_INBOX,
	                                                                  &key, &walk->value)) {
		if (key_parse_entry(key, &owner, &walk->place.sequence, &k) != 0 ||
		    owner != walk->place.inbox)
			return false;
		if (k == 0)
			return true;
	}
	return false;
}

/* To the first entry after `from`, or the first before it. */
static bool walk_start(struct walk *walk, uint64_t from)
{
	struct key key = key_of_entry(walk->place.inbox, from, walk->backwards ? 0 : UINT16_MAX);
	struct span found;
	bool more = (walk->backwards ? read_seek_before : read_seek)(walk->r, TABLE_INBOX, &key,
	                                                             &found, &walk->value);

	return walk_settle(walk, more, found);
}

static bool walk_on(struct walk *walk)
{
	struct span found;
	bool more = (walk->backwards ? read_previous : read_next)(walk->r, TABLE_INBOX, &found,
	                                                          &walk->value);

	return walk_settle(walk, more, found);
}

static struct inbox_tally tally_of(struct reader *r, uint32_t inbox)
{
	struct key key = key_of_inbox_tally(inbox);
	struct inbox_tally tally = { 0 };
	struct span value;

	if (read_get(r, TABLE_META, &key, &value) && record_parse_inbox_tally(value, &tally) != 0)
		read_say_bad("meta", inbox);
	return tally;
}

/* Where nothing was removed but the oldest, a place `skip` entries on is reckoned. */
static bool reckon(struct walk *walk, uint64_t *from, uint64_t skip)
{
	struct inbox_tally tally = tally_of(walk->r, walk->place.inbox);
	uint64_t first = tally.last_sequence - tally.count + 1;
	struct walk oldest = { .r = walk->r, .place = walk->place };

	if (tally.count == 0 || tally.count > tally.last_sequence || !walk_start(&oldest, 0) ||
	    oldest.place.sequence != first)
		return false;
	if (walk->backwards) {
		if (*from > tally.last_sequence + 1)
			*from = tally.last_sequence + 1;
		*from = *from > first && skip < *from - first ? *from - skip : first;
	} else {
		if (*from < first - 1)
			*from = first - 1;
		*from = skip < tally.last_sequence - *from ? *from + skip : tally.last_sequence;
	}
	return true;
}

static bool walk_to(struct walk *walk, uint64_t from, uint64_t skip)
{
	bool more;

	if (walk->backwards && from == 0)
		from = UINT64_MAX;
	if (!walk->backwards && from == UINT64_MAX)
		return false;
	if (skip > 0 && reckon(walk, &from, skip))
		skip = 0;
	more = walk_start(walk, from);
	while (more && skip-- > 0)
		more = walk_on(walk);
	return more;
}

size_t reader_inbox_list(struct reader *r, uint32_t inbox, uint64_t from, bool backwards,
                         uint64_t skip, struct inbox_entry *entries_r, size_t max)
{
	struct walk walk = { .r = r, .place = { .inbox = inbox }, .backwards = backwards };
	struct bytes whole = { 0 };
	struct entry_record record;
	size_t count = 0;
	bool more;

	if (max == 0)
		return 0;
	read_begin(r);
	for (more = walk_to(&walk, from, skip); more && count < max; more = walk_on(&walk))
		if (decode(r, &walk.place, walk.value, &whole, &record))
			copy_entry(walk.place.sequence, &record, &entries_r[count++]);
	read_end(r);
	bytes_release(&whole);
	return count;
}

uint64_t reader_inbox_next(struct reader *r, uint32_t inbox, uint64_t after, uint64_t *id_r,
                           struct bytes *summary)
{
	struct walk walk = { .r = r, .place = { .inbox = inbox } };
	struct bytes whole = { 0 };
	struct entry_record record;
	bool more;

	*id_r = 0;
	read_begin(r);
	more = walk_start(&walk, after);
	if (more && decode(r, &walk.place, walk.value, &whole, &record)) {
		*id_r = record.id;
		bytes_append_span(summary, record.summary);
	}
	read_end(r);
	bytes_release(&whole);
	return more ? walk.place.sequence : 0;
}

/* ---- the walk of a search
 * ------------------------------------------------------------------------
 */

struct showing {
	void (*each)(void *context, const struct inbox_row *row);
	void *context;
	struct bytes record, text; /* of what is more than one row */
};

static void showing_release(struct showing *showing)
{
	bytes_release(&showing->record);
	bytes_release(&showing->text);
}

static struct span text_in_place(struct reader *r, const struct entry_place *place, uint16_t rows,
                                 struct bytes *memory)
{
	struct key key = entry_key(place, 0);
	struct span value;

	if (rows == 1 && read_near(r, TABLE_TEXT, &key, &value))
		return value;
	bytes_clear(memory);
	if (rows > 1)
		copy_extra(r, place, TABLE_TEXT, rows, memory);
	return bytes_span(memory);
}

static void show(struct reader *r, const struct entry_place *place, struct span first,
                 struct showing *showing)
{
	struct entry_record record;
	struct inbox_row row;

	if (!decode(r, place, first, &showing->record, &record))
		return;
	row = (struct inbox_row){ .sequence = place->sequence,
		                  .id = record.id,
		                  .time_us = record.time_us,
		                  .size = record.size,
		                  .read = record.read,
		                  .labels = record.labels,
		                  .summary = record.summary };
	row.text = text_in_place(r, place, record.extra_rows[SPOOL_TEXT], &showing->text);
	showing->each(showing->context, &row);
}

uint64_t reader_inbox_scan(struct reader *r, uint32_t inbox, uint64_t before, size_t max,
                           void (*each)(void *context, const struct inbox_row *row), void *context)
{
	struct walk walk = { .r = r, .place = { .inbox = inbox }, .backwards = true };
	struct showing showing = { .each = each, .context = context };
	uint64_t last = 0;
	size_t count = 0;
	bool more;

	read_begin(r);
	for (more = walk_to(&walk, before, 0); more && count < max; more = walk_on(&walk)) {
		last = walk.place.sequence;
		count++;
		show(r, &walk.place, walk.value, &showing);
	}
	read_end(r);
	showing_release(&showing);
	return more ? last : 0;
}

/* ---- the same through the sieve
 * ------------------------------------------------------------------ */

/* A row of the sieve is passed in the time that a part of an entry takes. */
#define ROWS_FOR_ONE 4

struct sifting {
	const struct inbox_sieve *sieve;
	struct entry_place place;
	uint64_t before, plain;
	struct showing showing;
	size_t seen, rows;
};

/* Those that may have it, from the last one on. */
static void sift_row(struct reader *r, struct sifting *s, uint64_t first,
                     const unsigned char *slots)
{
	for (unsigned i = SIEVE_SLOTS; i-- > 0;) {
		struct span value;
		struct key key;

		s->place.sequence = first + i;
		if (s->place.sequence >= s->before || s->place.sequence <= s->plain ||
		    !sieve_passes(s->sieve, slots + i * SIEVE_SLOT))
			continue;
		key = entry_key(&s->place, 0);
		if (read_near(r, TABLE_INBOX, &key, &value))
			show(r, &s->place, value, &s->showing);
		s->seen++;
	}
	s->before = first;
	s->rows++;
}

/* true: there may be more. */
static bool sift_rows(struct reader *r, struct sifting *s, size_t max)
{
	struct key key = key_of_sieve(s->place.inbox, (s->before - 1) / SIEVE_SLOTS + 1);
	struct span found, value;
	uint64_t row;
	uint32_t owner;
	bool more = read_seek_before(r, TABLE_SIEVE, &key, &found, &value);

	for (; more; more = read_previous(r, TABLE_SIEVE, &found, &value)) {
		const unsigned char *slots = sieve_slots(value);

		if (key_parse_sieve(found, &owner, &row) != 0 || owner != s->place.inbox)
			return false;
		if (s->seen + s->rows / ROWS_FOR_ONE >= max)
			return true;
		if (slots != NULL)
			sift_row(r, s, row * SIEVE_SLOTS, slots);
		else
			read_say_bad("sieve", row);
		if (s->before <= s->plain + 1)
			return false;
	}
	return false;
}

uint64_t reader_inbox_sift(struct reader *r, uint32_t inbox, uint64_t before, size_t max,
                           const struct inbox_sieve *sieve,
                           void (*each)(void *context, const struct inbox_row *row), void *context)
{
	struct sifting s = { .sieve = sieve,
		             .place = { .inbox = inbox },
		             .showing = { .each = each, .context = context } };
	struct inbox_tally tally;
	bool more, sifts;

	if (sieve->count == 0)
		return reader_inbox_scan(r, inbox, before, max, each, context);
	read_begin(r);
	tally = tally_of(r, inbox);
	s.plain = tally.plain;
	s.before = before == 0 || before > tally.last_sequence ? tally.last_sequence + 1 : before;
	sifts = s.before > s.plain + 1;
	more = sifts && sift_rows(r, &s, max);
	read_end(r);
	showing_release(&s.showing);
	if (more)
		return s.before;
	if (s.plain == 0)
		return 0;
	return sifts ? s.plain + 1 : reader_inbox_scan(r, inbox, s.before, max, each, context);
}

/* ---- counts
 * ---------------------------------------------------------------------------------------- */

void reader_inbox_counts(struct reader *r, uint32_t inbox, struct inbox_counts *counts_r)
{
	struct inbox_tally tally;

	read_begin(r);
	tally = tally_of(r, inbox);
	read_end(r);
	*counts_r = (struct inbox_counts){ .entries = tally.count,
		                           .unread = tally.unread,
		                           .octets = tally.octets,
		                           .removed = tally.last_sequence - tally.count,
		                           .last_sequence = tally.last_sequence };
}

uint64_t reader_inbox_last(struct reader *r, uint32_t inbox)
{
	struct inbox_counts counts;

	reader_inbox_counts(r, inbox, &counts);
	return counts.last_sequence;
}

struct label_count {
	char *label;
	uint64_t count;
};

void reader_inbox_labels(struct reader *r, uint32_t inbox,
                         void (*each)(void *context, const char *label, uint64_t count),
                         void *context)
{
	struct key key = key_of_label(inbox, span_of(NULL, 0));
	struct label_count *list = NULL;
	struct span found, value, label;
	size_t count = 0, capacity = 0;
	uint32_t owner;
	uint64_t entries;

	read_begin(r);
	for (bool more = read_seek(r, TABLE_LABEL, &key, &found, &value); more;
	     more = read_next(r, TABLE_LABEL, &found, &value)) {
		if (key_parse_label(found, &owner, &label) != 0 || owner != inbox)
			break;
		if (record_parse_label(value, &entries) != 0) {
			read_say_bad("label", inbox);
			continue;
		}
		if (count == capacity) {
			capacity = capacity == 0 ? 16 : capacity * 2;
			list = memory_grow(list, capacity, sizeof(*list));
		}
		list[count++] =
			(struct label_count){ memory_text_of(label.data, label.length), entries };
	}
	read_end(r);
	for (size_t i = 0; i < count; i++) {
		each(context, list[i].label, list[i].count);
		free(list[i].label);
	}
	free(list);
}
