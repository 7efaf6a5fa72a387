/* SPDX-License-Identifier: ISC */
/* keys.c - the only place that knows how the keys of the tables look on the disk.
 *
 * Keys are big-endian, so that LMDB's order of octets is our order. Parsers take any octets and
 * say -1 rather than believe them.
 */
#include "spool/private.h"

#include <string.h>

static void key_u8(struct key *key, uint8_t v)
{
	key->bytes[key->length++] = v;
}

static void key_u16(struct key *key, uint16_t v)
{
	be16_store(key->bytes + key->length, v);
	key->length += 2;
}

static void key_u32(struct key *key, uint32_t v)
{
	be32_store(key->bytes + key->length, v);
	key->length += 4;
}

static void key_u64(struct key *key, uint64_t v)
{
	be64_store(key->bytes + key->length, v);
	key->length += 8;
}

struct key key_of_message(uint64_t id, uint16_t k)
{
	struct key key = { .length = 0 };

	key_u64(&key, id);
	key_u16(&key, k);
	return key;
}

struct key key_of_blob(uint64_t blob)
{
	struct key key = { .length = 0 };

	key_u64(&key, blob);
	return key;
}

struct key key_of_body(uint64_t blob, uint32_t piece)
{
	struct key key = { .length = 0 };

	key_u64(&key, blob);
	key_u32(&key, piece);
	return key;
}

struct key key_of_garbage(uint8_t dead, uint64_t blob)
{
	struct key key = { .length = 0 };

	key_u8(&key, dead);
	key_u64(&key, blob);
	return key;
}

struct key key_of_dead_extras(uint32_t inbox, uint64_t sequence)
{
	struct key key = { .length = 0 };

	key_u8(&key, 2);
	key_u32(&key, inbox);
	key_u64(&key, sequence);
	return key;
}

struct key key_of_delivery(uint64_t id, uint32_t n, uint16_t k)
{
	struct key key = { .length = 0 };

	key_u64(&key, id);
	key_u32(&key, n);
	key_u16(&key, k);
	return key;
}

struct key key_of_due(const struct due_row *row)
{
	struct key key = { .length = 0 };

	key_u32(&key, row->queue);
	key_u8(&key, (uint8_t)(9 - row->priority));
	key_u16(&key, row->class);
	key_u64(&key, row->time_us < 0 ? 0 : (uint64_t)row->time_us);
	key_u64(&key, row->id);
	key_u32(&key, row->n);
	return key;
}

struct key key_of_claim(uint32_t provider, uint32_t slot)
{
	struct key key = { .length = 0 };

	key_u32(&key, provider);
	key_u32(&key, slot);
	return key;
}

struct key key_of_alarm(const struct alarm *alarm)
{
	struct key key = { .length = 0 };

	key_u64(&key, alarm->time_us < 0 ? 0 : (uint64_t)alarm->time_us);
	key_u64(&key, alarm->id);
	key_u32(&key, alarm->n);
	return key;
}

struct key key_of_entry(uint32_t inbox, uint64_t sequence, uint16_t k)
{
	struct key key = { .length = 0 };

	key_u32(&key, inbox);
	key_u64(&key, sequence);
	key_u16(&key, k);
	return key;
}

struct key key_of_label(uint32_t inbox, struct span label)
{
	struct key key = { .length = 0 };
	size_t length = label.length < SPOOL_LABEL_MAX ? label.length : SPOOL_LABEL_MAX;

	key_u32(&key, inbox);
	if (length > 0)
		memcpy(key.bytes + key.length, label.data, length);
	key.length += length;
	return key;
}

struct key key_of_sieve(uint32_t inbox, uint64_t row)
{
	struct key key = { .length = 0 };

	key_u32(&key, inbox);
	key_u64(&key, row);
	return key;
}

struct key key_of_text(const char *text)
{
	struct key key = { .length = strnlen(text, KEY_MAX) };

	memcpy(key.bytes, text, key.length);
	return key;
}

struct key key_of_inbox_tally(uint32_t inbox)
{
	struct key key = key_of_text("inbox-tally ");

	key_u32(&key, inbox);
	return key;
}

int key_parse_message(struct span key, uint64_t *id_r, uint16_t *k_r)
{
	if (key.length != 10)
		return -1;
	*id_r = be64_load(key.data);
	*k_r = be16_load(key.data + 8);
	return 0;
}

int key_parse_body(struct span key, uint64_t *blob_r, uint32_t *piece_r)
{
	if (key.length != 12)
		return -1;
	*blob_r = be64_load(key.data);
	*piece_r = be32_load(key.data + 8);
	return 0;
}

int key_parse_garbage(struct span key, uint8_t *dead_r, uint64_t *blob_r)
{
	if (key.length != 9)
		return -1;
	*dead_r = key.data[0];
	*blob_r = be64_load(key.data + 1);
	return 0;
}

int key_parse_dead_extras(struct span key, uint32_t *inbox_r, uint64_t *sequence_r)
{
	if (key.length != 13 || key.data[0] != 2)
		return -1;
	*inbox_r = be32_load(key.data + 1);
	*sequence_r = be64_load(key.data + 5);
	return 0;
}

int key_parse_delivery(struct span key, uint64_t *id_r, uint32_t *n_r, uint16_t *k_r)
{
	if (key.length != 14)
		return -1;
	*id_r = be64_load(key.data);
	*n_r = be32_load(key.data + DELIVERY_N_AT);
	*k_r = be16_load(key.data + 12);
	return 0;
}

int key_parse_due(struct span key, struct due_row *row_r)
{
	if (key.length != 27 || key.data[4] > 18)
		return -1;
	row_r->queue = be32_load(key.data);
	row_r->priority = (int8_t)(9 - key.data[4]);
	row_r->class = be16_load(key.data + 5);
	row_r->time_us = (int64_t)be64_load(key.data + 7);
	row_r->id = be64_load(key.data + DUE_ID_AT);
	row_r->n = be32_load(key.data + DUE_N_AT);
	return row_r->time_us < 0 ? -1 : 0;
}

int key_parse_claim(struct span key, struct claim *claim_r)
{
	if (key.length != 8)
		return -1;
	claim_r->provider = be32_load(key.data);
	claim_r->slot = be32_load(key.data + 4);
	return 0;
}

int key_parse_alarm(struct span key, struct alarm *alarm_r)
{
	if (key.length != 20)
		return -1;
	alarm_r->time_us = (int64_t)be64_load(key.data);
	alarm_r->id = be64_load(key.data + ALARM_ID_AT);
	alarm_r->n = be32_load(key.data + ALARM_N_AT);
	return alarm_r->time_us < 0 ? -1 : 0;
}

int key_parse_entry(struct span key, uint32_t *inbox_r, uint64_t *sequence_r, uint16_t *k_r)
{
	if (key.length != 14)
		return -1;
	*inbox_r = be32_load(key.data);
	*sequence_r = be64_load(key.data + INBOX_SEQ_AT);
	*k_r = be16_load(key.data + 12);
	return 0;
}

int key_parse_sieve(struct span key, uint32_t *inbox_r, uint64_t *row_r)
{
	if (key.length != 12)
		return -1;
	*inbox_r = be32_load(key.data);
	*row_r = be64_load(key.data + 4);
	return 0;
}

int key_parse_label(struct span key, uint32_t *inbox_r, struct span *label_r)
{
	if (key.length < 4 || key.length > KEY_MAX)
		return -1;
	*inbox_r = be32_load(key.data);
	*label_r = span_of(key.data + 4, key.length - 4);
	return 0;
}

int key_of_next_line(const struct due_row *line, struct key *key_r)
{
	uint32_t place;

	*key_r = (struct key){ .length = 0 };
	key_u32(key_r, line->queue);
	if (line->priority == SPOOL_BEFORE_FIRST) {
		key_u8(key_r, 0);
		key_u16(key_r, 0);
		return 0;
	}
	/* Priority and class as one number: past the last class the next priority follows. */
	place = (uint32_t)(9 - line->priority) << 16 | line->class;
	place++;
	if (place >> 16 > 18)
		return -1;
	key_u8(key_r, (uint8_t)(place >> 16));
	key_u16(key_r, (uint16_t)place);
	return 0;
}
