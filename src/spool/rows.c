/* SPDX-License-Identifier: ISC */
/* rows.c - a request's rows, encoded on the asker's thread for the writer to copy.
 *
 * Rows lie one after the other in request memory: a struct row, the key, the value. What only
 * the writer knows (id, n, sequence) is zero in them until it fills it in.
 */
#include "spool/private.h"

#include <assert.h>
#include <string.h>

static void rows_add(struct bytes *rows, struct row row, const struct key *key, struct span value)
{
	row.key_length = (uint8_t)key->length;
	row.value_length = (uint32_t)value.length;
	bytes_append(rows, &row, sizeof(row));
	bytes_append(rows, key->bytes, key->length);
	bytes_append_span(rows, value);
}

void rows_of_long(struct bytes *rows, struct row row, struct key (*key)(void *context, uint16_t k),
                  void *context, struct bytes *record, size_t piece)
{
	size_t count = (record->length + piece - 1) / piece;

	assert(count > 0 && count <= UINT16_MAX);
	be16_store(record->data + 1, (uint16_t)count); /* after the version */
	for (size_t k = 0; k < count; k++) {
		size_t left = record->length - k * piece;
		struct key here = key(context, (uint16_t)k);

		rows_add(rows, row, &here,
		         span_of(record->data + k * piece, left < piece ? left : piece));
	}
}

static struct key facts_key(void *context, uint16_t k)
{
	(void)context;
	return key_of_message(0, (uint16_t)(k + 1));
}

void rows_of_facts(struct bytes *rows, const struct message_facts *facts, size_t piece,
                   uint16_t *count_r)
{
	struct bytes record = { 0 };

	bytes_reserve(&record, 256);
	record_encode_facts(facts, &record);
	rows_of_long(rows, (struct row){ .table = TABLE_MESSAGE, .append = true }, facts_key, NULL,
	             &record, piece);
	*count_r = be16_load(record.data + 1);
	bytes_release(&record);
}

static struct key delivery_key(void *context, uint16_t k)
{
	const struct delivery *delivery = context;

	return key_of_delivery(delivery->id, delivery->n, k);
}

static void alarm_add(struct bytes *rows, const struct delivery *delivery, int64_t time_us,
                      uint16_t group)
{
	struct alarm alarm = { time_us, delivery->id, delivery->n };
	struct key key = key_of_alarm(&alarm);

	if (time_us > 0)
		rows_add(rows, (struct row){ .table = TABLE_ALARM, .group = group }, &key,
		         span_of(NULL, 0));
}

void rows_of_delivery(struct bytes *rows, const struct delivery *delivery, uint16_t group,
                      bool with_due, bool append, size_t piece)
{
	struct due_row due = { .queue = delivery->queue,
		               .priority = delivery->priority,
		               .class = delivery->class,
		               .time_us = delivery->due_us,
		               .id = delivery->id,
		               .n = delivery->n };
	struct bytes record = { 0 };
	struct key key;

	assert(delivery->priority >= -9 && delivery->priority <= 9 && delivery->due_us >= 0);
	bytes_reserve(&record, 64 + 64 * delivery->count);
	record_encode_delivery(delivery, &record);
	rows_of_long(rows,
	             (struct row){ .table = TABLE_DELIVERY, .group = group, .append = append },
	             delivery_key, (void *)(uintptr_t)delivery, &record, piece);
	bytes_release(&record);
	alarm_add(rows, delivery, delivery->return_by_us, group);
	alarm_add(rows, delivery, delivery->warn_us, group);
	if (!with_due)
		return;
	key = key_of_due(&due);
	rows_add(rows, (struct row){ .table = TABLE_DUE, .group = group }, &key, span_of(NULL, 0));
}

static struct key entry_key(void *context, uint16_t k)
{
	const uint32_t *inbox = context;

	return key_of_entry(*inbox, 0, k);
}

/* The octets as they are, in pieces: how many is in the entry. */
static uint16_t rows_of_extra(struct bytes *rows, struct row row, uint32_t inbox, struct span extra,
                              size_t piece)
{
	size_t count = (extra.length + piece - 1) / piece;

	for (size_t k = 0; k < count; k++) {
		size_t left = extra.length - k * piece;
		struct key key = key_of_entry(inbox, 0, (uint16_t)k);

		rows_add(rows, row, &key,
		         span_of(extra.data + k * piece, left < piece ? left : piece));
	}
	return (uint16_t)count;
}

void labels_encode(char *const *labels, size_t count, struct bytes *out)
{
	for (size_t i = 0; i < count; i++) {
		bytes_put_u8(out, (uint8_t)strlen(labels[i]));
		bytes_append_text(out, labels[i]);
	}
}

/* Not a row of the table: the writer puts it into one. */
static void row_of_sieve(struct bytes *rows, const struct put_entry *entry, struct span labels,
                         uint16_t group)
{
	struct key key = key_of_entry(entry->inbox, 0, 0);
	unsigned char slot[SIEVE_SLOT];

	sieve_slot(slot, bytes_span(&entry->extras[SPOOL_TEXT]), labels);
	rows_add(rows, (struct row){ .table = TABLE_SIEVE, .group = group }, &key,
	         span_of(slot, sizeof(slot)));
}

void rows_of_entry(struct bytes *rows, const struct put_entry *entry, uint16_t group,
                   const struct message_facts *facts, size_t piece)
{
	struct row row = { .table = TABLE_INBOX, .group = group, .append = true };
	struct entry_record here = { .time_us = facts->trace.time_us,
		                     .size = facts->size,
		                     .summary = bytes_span(&entry->summary) };
	struct bytes record = { 0 }, labels = { 0 };
	uint32_t inbox = entry->inbox;

	for (int kind = 0; kind < SPOOL_EXTRA_COUNT; kind++) {
		row.table = (uint8_t)(TABLE_PART + kind);
		here.extra_rows[kind] =
			rows_of_extra(rows, row, inbox, bytes_span(&entry->extras[kind]), piece);
	}
	labels_encode(entry->labels, entry->label_count, &labels);
	here.labels = bytes_span(&labels);
	row_of_sieve(rows, entry, here.labels, group);
	bytes_reserve(&record, 64 + labels.length + entry->summary.length);
	record_encode_entry(&here, &record);
	row.table = TABLE_INBOX;
	rows_of_long(rows, row, entry_key, &inbox, &record, piece);
	bytes_release(&record);
	bytes_release(&labels);
}
