/* SPDX-License-Identifier: ISC */
/* records.c - the only place that knows how records look on the disk; keys.c knows the keys.
 *
 * Each record begins with its version. Short ones have a fixed form; long ones (facts, deliveries,
 * inbox entries) are version, 16-bit number of rows, content, and continue under k + 1 after one
 * page. Decoders take any octets and say -1 rather than believe them.
 */
#include "spool/private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* What is written. Earlier versions of long records and of tallies are read, too: what they
 * lack is zero. */
#define VERSION             1
#define TALLY_VERSION       2
#define INBOX_TALLY_VERSION 3
#define LONG_VERSION        4
#define ENTRY_VERSION       4
#define LONG_VERSION_MAX    4 /* of any long record */

/* ---- short records -------------------------------------------------------------- */

static void record_u8(struct record *record, uint8_t v)
{
	record->bytes[record->length++] = v;
}

static void record_u16(struct record *record, uint16_t v)
{
	be16_store(record->bytes + record->length, v);
	record->length += 2;
}

static void record_u32(struct record *record, uint32_t v)
{
	be32_store(record->bytes + record->length, v);
	record->length += 4;
}

static void record_u64(struct record *record, uint64_t v)
{
	be64_store(record->bytes + record->length, v);
	record->length += 8;
}

static void record_start(struct record *record)
{
	record->length = 0;
	record_u8(record, VERSION);
}

static struct bytes_reader parse_start(struct span value)
{
	struct bytes_reader r = bytes_reader(value);

	if (bytes_get_u8(&r) != VERSION)
		r.failed = true;
	return r;
}

static int parse_end(const struct bytes_reader *r)
{
	return r->failed || r->rest.length != 0 ? -1 : 0;
}

struct record record_of_head(const struct head *head)
{
	struct record record;

	assert(head->entry_count <= SPOOL_ENTRIES_MAX);
	record_start(&record);
	record_u32(&record, head->holders);
	record_u32(&record, head->next_n);
	record_u64(&record, head->blob);
	record_u64(&record, head->size);
	record_u16(&record, head->pieces);
	record_u16(&record, head->entry_count);
	for (size_t i = 0; i < head->entry_count; i++) {
		record_u32(&record, head->entries[i].inbox);
		record_u64(&record, head->entries[i].sequence);
	}
	return record;
}

int record_parse_head(struct span value, struct head *head_r)
{
	struct bytes_reader r = parse_start(value);

	head_r->holders = bytes_get_u32(&r);
	head_r->next_n = bytes_get_u32(&r);
	head_r->blob = bytes_get_u64(&r);
	head_r->size = bytes_get_u64(&r);
	head_r->pieces = bytes_get_u16(&r);
	head_r->entry_count = bytes_get_u16(&r);
	if (head_r->entry_count > SPOOL_ENTRIES_MAX)
		return -1;
	for (size_t i = 0; i < head_r->entry_count; i++) {
		head_r->entries[i].inbox = bytes_get_u32(&r);
		head_r->entries[i].sequence = bytes_get_u64(&r);
	}
	return parse_end(&r);
}

struct record record_of_blob(const struct blob_record *blob)
{
	struct record record;

	record_start(&record);
	record_u32(&record, blob->references);
	record_u32(&record, blob->pieces);
	record_u64(&record, blob->size);
	return record;
}

int record_parse_blob(struct span value, struct blob_record *blob_r)
{
	struct bytes_reader r = parse_start(value);

	blob_r->references = bytes_get_u32(&r);
	blob_r->pieces = bytes_get_u32(&r);
	blob_r->size = bytes_get_u64(&r);
	return parse_end(&r);
}

struct record record_of_claim(const struct claim *claim)
{
	struct record record;

	record_start(&record);
	record_u64(&record, claim->id);
	record_u32(&record, claim->n);
	record_u32(&record, claim->tokens);
	record_u64(&record, (uint64_t)claim->time_us);
	return record;
}

int record_parse_claim(struct span value, struct claim *claim_r)
{
	struct bytes_reader r = parse_start(value);

	claim_r->id = bytes_get_u64(&r);
	claim_r->n = bytes_get_u32(&r);
	claim_r->tokens = bytes_get_u32(&r);
	claim_r->time_us = bytes_get_i64(&r);
	return parse_end(&r);
}

struct record record_of_tally(const struct tally *tally)
{
	struct record record = { .length = 0 };

	record_u8(&record, TALLY_VERSION);
	record_u64(&record, tally->last_id);
	record_u64(&record, tally->messages);
	record_u64(&record, tally->deliveries);
	record_u64(&record, tally->claims);
	record_u64(&record, tally->entries);
	record_u64(&record, tally->octets);
	record_u64(&record, tally->extras);
	return record;
}

int record_parse_tally(struct span value, struct tally *tally_r)
{
	struct bytes_reader r = bytes_reader(value);
	uint8_t version = bytes_get_u8(&r);

	tally_r->last_id = bytes_get_u64(&r);
	tally_r->messages = bytes_get_u64(&r);
	tally_r->deliveries = bytes_get_u64(&r);
	tally_r->claims = bytes_get_u64(&r);
	tally_r->entries = bytes_get_u64(&r);
	tally_r->octets = bytes_get_u64(&r);
	tally_r->extras = version >= 2 ? bytes_get_u64(&r) : 0;
	return version == 0 || version > TALLY_VERSION ? -1 : parse_end(&r);
}

struct record record_of_inbox_tally(const struct inbox_tally *tally)
{
	struct record record = { .length = 0 };

	record_u8(&record, INBOX_TALLY_VERSION);
	record_u64(&record, tally->last_sequence);
	record_u64(&record, tally->count);
	record_u64(&record, tally->unread);
	record_u64(&record, tally->octets);
	record_u64(&record, tally->plain);
	return record;
}

int record_parse_inbox_tally(struct span value, struct inbox_tally *tally_r)
{
	struct bytes_reader r = bytes_reader(value);
	uint8_t version = bytes_get_u8(&r);

	*tally_r = (struct inbox_tally){ .last_sequence = bytes_get_u64(&r) };
	tally_r->count = bytes_get_u64(&r);
	if (version >= 2) {
		tally_r->unread = bytes_get_u64(&r);
		tally_r->octets = bytes_get_u64(&r);
	}
	tally_r->plain = version >= 3 ? bytes_get_u64(&r) : tally_r->last_sequence;
	return version == 0 || version > INBOX_TALLY_VERSION ? -1 : parse_end(&r);
}

struct record record_of_label(uint64_t count)
{
	struct record record;

	record_start(&record);
	record_u64(&record, count);
	return record;
}

int record_parse_label(struct span value, uint64_t *count_r)
{
	struct bytes_reader r = parse_start(value);

	*count_r = bytes_get_u64(&r);
	return parse_end(&r);
}

/* ---- long records --------------------------------------------------------------------- */

static void put_long_start(struct bytes *out, uint8_t version)
{
	bytes_put_u8(out, version);
	bytes_put_u16(out, 1); /* rows: known when it is cut */
}

static struct bytes_reader get_long_start(struct span value, uint8_t newest, uint8_t *version_r)
{
	struct bytes_reader r = bytes_reader(value);

	*version_r = bytes_get_u8(&r);
	if (*version_r == 0 || *version_r > newest)
		r.failed = true;
	bytes_get_u16(&r);
	return r;
}

uint16_t record_rows(struct span first_row)
{
	if (first_row.length < 3 || first_row.data[0] == 0 || first_row.data[0] > LONG_VERSION_MAX)
		return 0;
	return be16_load(first_row.data + 1);
}

/* version, rows, queue, generation, priority, class, due, accepted, attempts, pin and its end */
#define RETURN_BY_AT (1 + 2 + 4 + 8 + 1 + 2 + 8 + 8 + 4 + 4 + 8)

int64_t record_return_by(struct span first_row)
{
	if (first_row.length < RETURN_BY_AT + 8 || first_row.data[0] < 2)
		return 0;
	return (int64_t)be64_load(first_row.data + RETURN_BY_AT);
}

int64_t record_warn(struct span first_row)
{
	if (first_row.length < RETURN_BY_AT + 16 || first_row.data[0] < 4)
		return 0;
	return (int64_t)be64_load(first_row.data + RETURN_BY_AT + 8);
}

static void put_optional(struct bytes *out, const char *text)
{
	bytes_put_u8(out, text != NULL);
	if (text != NULL)
		bytes_put_text(out, text);
}

static char *get_optional(struct bytes_reader *r)
{
	return bytes_get_u8(r) != 0 ? bytes_get_text(r) : NULL;
}

static void put_address(struct bytes *out, const struct address *address)
{
	bytes_put_text(out, address->text);
	bytes_put_u16(out, (uint16_t)address->local_length);
}

static void get_address(struct bytes_reader *r, struct address *address)
{
	address->text = bytes_get_text(r);
	address->local_length = bytes_get_u16(r);
	if (address->local_length > strlen(address->text))
		r->failed = true;
}

static void put_trace(struct bytes *out, const struct trace *trace)
{
	put_optional(out, trace->helo);
	put_optional(out, trace->client);
	put_optional(out, trace->by);
	put_optional(out, trace->with);
	put_optional(out, trace->tls);
	put_optional(out, trace->recipient);
	bytes_put_i64(out, trace->time_us);
}

static void get_trace(struct bytes_reader *r, struct trace *trace)
{
	trace->helo = get_optional(r);
	trace->client = get_optional(r);
	trace->by = get_optional(r);
	trace->with = get_optional(r);
	trace->tls = get_optional(r);
	trace->recipient = get_optional(r);
	trace->time_us = bytes_get_i64(r);
}

static void put_terms(struct bytes *out, const struct envelope_terms *terms)
{
	bytes_put_u8(out, (uint8_t)(9 - terms->priority));
	bytes_put_u8(out, terms->require_tls);
	bytes_put_u32(out, terms->hold_for_s);
	bytes_put_i64(out, terms->release_us);
	bytes_put_u8(out, (uint8_t)terms->by_mode);
	bytes_put_u8(out, terms->by_trace);
	bytes_put_i64(out, terms->by_us);
}

static void get_terms(struct bytes_reader *r, struct envelope_terms *terms)
{
	uint8_t priority = bytes_get_u8(r), mode;

	terms->priority = (int8_t)(9 - (priority & 0x1f));
	terms->require_tls = bytes_get_u8(r) != 0;
	terms->hold_for_s = bytes_get_u32(r);
	terms->release_us = bytes_get_i64(r);
	mode = bytes_get_u8(r);
	terms->by_trace = bytes_get_u8(r) != 0;
	terms->by_us = bytes_get_i64(r);
	if (priority > 18 || mode > BY_NOTIFY || terms->release_us < 0)
		r->failed = true;
	else
		terms->by_mode = (enum by_mode)mode;
}

void record_encode_facts(const struct message_facts *facts, struct bytes *out)
{
	put_long_start(out, LONG_VERSION);
	put_address(out, &facts->sender);
	bytes_put_u8(out, (uint8_t)facts->body);
	bytes_put_u8(out, facts->smtputf8);
	bytes_put_u8(out, (uint8_t)facts->ret);
	put_optional(out, facts->envid);
	put_optional(out, facts->login);
	put_trace(out, &facts->trace);
	put_terms(out, &facts->terms);
	bytes_put_u8(out, (uint8_t)facts->trace.added);
	put_optional(out, facts->trace.from);
	put_optional(out, facts->listener);
	put_optional(out, facts->from);
}

int record_decode_facts(struct span value, struct message_facts *facts_r)
{
	uint8_t version, body, ret;
	struct bytes_reader r = get_long_start(value, LONG_VERSION, &version);

	*facts_r = (struct message_facts){ .id = 0 };
	get_address(&r, &facts_r->sender);
	body = bytes_get_u8(&r);
	facts_r->smtputf8 = bytes_get_u8(&r) != 0;
	ret = bytes_get_u8(&r);
	facts_r->envid = get_optional(&r);
	facts_r->login = get_optional(&r);
	get_trace(&r, &facts_r->trace);
	if (version >= 2)
		get_terms(&r, &facts_r->terms);
	if (version >= 3) {
		facts_r->trace.added = bytes_get_u8(&r);
		facts_r->trace.from = get_optional(&r);
	}
	if (version >= 4) {
		facts_r->listener = get_optional(&r);
		facts_r->from = get_optional(&r);
	}
	facts_r->trace.priority = facts_r->terms.priority;
	if (parse_end(&r) != 0 || body > BODY_BINARYMIME || ret > RET_HDRS) {
		message_facts_release(facts_r);
		return -1;
	}
	facts_r->body = (enum envelope_body)body;
	facts_r->ret = (enum envelope_ret)ret;
	return 0;
}

void record_encode_delivery(const struct delivery *delivery, struct bytes *out)
{
	assert(delivery->count <= SPOOL_RECIPIENTS_MAX);
	put_long_start(out, LONG_VERSION);
	bytes_put_u32(out, delivery->queue);
	bytes_put_u64(out, delivery->generation);
	bytes_put_u8(out, (uint8_t)(9 - delivery->priority));
	bytes_put_u16(out, delivery->class);
	bytes_put_i64(out, delivery->due_us);
	bytes_put_i64(out, delivery->accepted_us);
	bytes_put_u32(out, delivery->attempts);
	bytes_put_u32(out, delivery->pinned);
	bytes_put_i64(out, delivery->pinned_until_us);
	bytes_put_i64(out, delivery->return_by_us); /* RETURN_BY_AT */
	bytes_put_i64(out, delivery->warn_us);
	bytes_put_u16(out, (uint16_t)delivery->count);
	for (size_t i = 0; i < delivery->count; i++) {
		const struct delivery_recipient *recipient = &delivery->recipients[i];

		put_address(out, &recipient->to.address);
		bytes_put_u8(out, (uint8_t)recipient->to.notify);
		put_optional(out, recipient->to.orcpt);
		put_optional(out, recipient->last_reply);
	}
}

static void get_recipients(struct bytes_reader *r, struct delivery *delivery, size_t count)
{
	if (r->failed || count > SPOOL_RECIPIENTS_MAX) {
		r->failed = true;
		return;
	}
	delivery->recipients = memory_new_array(count, sizeof(*delivery->recipients));
	for (; delivery->count < count && !r->failed; delivery->count++) {
		struct delivery_recipient *recipient = &delivery->recipients[delivery->count];

		get_address(r, &recipient->to.address);
		recipient->to.notify = bytes_get_u8(r);
		recipient->to.orcpt = get_optional(r);
		recipient->last_reply = get_optional(r);
	}
}

int record_decode_delivery(struct span value, struct delivery *delivery_r)
{
	uint8_t version, priority;
	struct bytes_reader r = get_long_start(value, LONG_VERSION, &version);

	*delivery_r = (struct delivery){ .id = 0 };
	delivery_r->queue = bytes_get_u32(&r);
	delivery_r->generation = bytes_get_u64(&r);
	priority = bytes_get_u8(&r);
	delivery_r->priority = (int8_t)(9 - (priority & 0x1f));
	delivery_r->class = bytes_get_u16(&r);
	delivery_r->due_us = bytes_get_i64(&r);
	delivery_r->accepted_us = bytes_get_i64(&r);
	delivery_r->attempts = bytes_get_u32(&r);
	delivery_r->pinned = bytes_get_u32(&r);
	delivery_r->pinned_until_us = bytes_get_i64(&r);
	if (version >= 2)
		delivery_r->return_by_us = bytes_get_i64(&r);
	if (version >= 4)
		delivery_r->warn_us = bytes_get_i64(&r);
	get_recipients(&r, delivery_r, bytes_get_u16(&r));
	if (parse_end(&r) != 0 || priority > 18 || delivery_r->due_us < 0) {
		delivery_release(delivery_r);
		return -1;
	}
	return 0;
}

void record_encode_entry(const struct entry_record *entry, struct bytes *out)
{
	put_long_start(out, ENTRY_VERSION);
	bytes_put_u64(out, entry->id);      /* ENTRY_ID_AT */
	bytes_put_i64(out, entry->time_us); /* ENTRY_TIME_AT */
	bytes_put_u64(out, entry->size);
	bytes_put_u8(out, entry->read); /* ENTRY_READ_AT */
	for (int i = 0; i < SPOOL_EXTRA_COUNT; i++)
		bytes_put_u16(out, entry->extra_rows[i]);
	bytes_put_u16(out, (uint16_t)entry->labels.length);
	bytes_append_span(out, entry->labels);
	bytes_append_span(out, entry->summary);
}

/* Before version 4: the id's time is about when it came. */
static void old_entry(struct entry_record *entry)
{
	entry->time_us = (int64_t)(entry->id >> 22) * CLOCK_MS;
	entry->read = true;
}

static struct span get_labels(struct bytes_reader *r)
{
	struct span labels, rest, label;
	size_t length = bytes_get_u16(r);

	if (length > r->rest.length)
		r->failed = true;
	if (r->failed)
		return span_of(NULL, 0);
	rest = labels = span_of(r->rest.data, length);
	while (row_label(&rest, &label))
		;
	if (rest.length > 0)
		r->failed = true;
	r->rest = span_of(r->rest.data + length, r->rest.length - length);
	return labels;
}

int record_decode_entry(struct span value, struct entry_record *entry_r)
{
	uint8_t version, flags;
	struct bytes_reader r = get_long_start(value, ENTRY_VERSION, &version);

	*entry_r = (struct entry_record){ .id = bytes_get_u64(&r) };
	if (version < 4) {
		old_entry(entry_r);
	} else {
		entry_r->time_us = bytes_get_i64(&r);
		entry_r->size = bytes_get_u64(&r);
		flags = bytes_get_u8(&r);
		entry_r->read = flags != 0;
		for (int i = 0; i < SPOOL_EXTRA_COUNT; i++)
			entry_r->extra_rows[i] = bytes_get_u16(&r);
		entry_r->labels = get_labels(&r);
	}
	entry_r->summary = r.rest;
	return r.failed ? -1 : 0;
}

bool row_label(struct span *labels, struct span *label_r)
{
	size_t length = labels->length > 0 ? labels->data[0] : 0;

	if (length == 0 || length >= labels->length)
		return false;
	*label_r = span_of(labels->data + 1, length);
	*labels = span_of(labels->data + 1 + length, labels->length - 1 - length);
	return true;
}
