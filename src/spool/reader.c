/* SPDX-License-Identifier: ISC */
/* reader.c - reading messages, bodies, the schedule, claims, for any thread: one reader each.
 *
 * Each call renews the reader's transaction, copies out and resets it: pages that the
 * writer frees are soon free. A row that cannot be decoded is treated as missing and said in the
 * log, so that one bad row does not end the daemon.
 */
#include "spool/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- messages and deliveries ----------------------------------------------------------- */

static struct key facts_key(const void *context, uint16_t k)
{
	return key_of_message(*(const uint64_t *)context, (uint16_t)(k + 1));
}

bool reader_message(struct reader *r, uint64_t id, struct message_facts *facts_r)
{
	struct key key = key_of_message(id, 0);
	struct bytes whole = { 0 };
	struct span value;
	struct head head;
	bool found;

	read_begin(r);
	found = read_get(r, TABLE_MESSAGE, &key, &value);
	if (found && (record_parse_head(value, &head) != 0 ||
	              !read_long(r, TABLE_MESSAGE, facts_key, &id, &whole, &value) ||
	              record_decode_facts(value, facts_r) != 0)) {
		read_say_bad("message", id);
		found = false;
	}
	read_end(r);
	bytes_release(&whole);
	if (!found)
		return false;
	facts_r->id = id;
	facts_r->size = head.size;
	facts_r->blob = head.blob;
	return true;
}

struct delivery_place {
	uint64_t id;
	uint32_t n;
};

static struct key delivery_key(const void *context, uint16_t k)
{
	const struct delivery_place *place = context;

	return key_of_delivery(place->id, place->n, k);
}

bool reader_delivery(struct reader *r, uint64_t id, uint32_t n, struct delivery *delivery_r)
{
	struct delivery_place place = { .id = id, .n = n };
	struct bytes whole = { 0 };
	struct span value;
	bool found;

	read_begin(r);
	found = read_long(r, TABLE_DELIVERY, delivery_key, &place, &whole, &value);
	if (found && record_decode_delivery(value, delivery_r) != 0) {
		read_say_bad("delivery", id);
		found = false;
	}
	read_end(r);
	bytes_release(&whole);
	if (found) {
		delivery_r->id = id;
		delivery_r->n = n;
	}
	return found;
}

size_t reader_deliveries(struct reader *r, uint64_t id, uint32_t from, uint32_t *n_r, size_t max)
{
	struct key key = key_of_delivery(id, from, 0);
	struct span found, value;
	size_t count = 0;
	bool more;

	read_begin(r);
	for (more = read_seek(r, TABLE_DELIVERY, &key, &found, &value); more && count < max;
	     more = read_next(r, TABLE_DELIVERY, &found, &value)) {
		uint64_t owner;
		uint32_t n;
		uint16_t k;

		if (key_parse_delivery(found, &owner, &n, &k) != 0 || owner != id)
			break;
		if (k == 0)
			n_r[count++] = n;
	}
	read_end(r);
	return count;
}

size_t reader_messages(struct reader *r, uint64_t after, uint64_t *id_r, size_t max)
{
	struct key key = key_of_message(after, UINT16_MAX);
	struct span found, value;
	size_t count = 0;
	bool more;

	read_begin(r);
	for (more = read_seek(r, TABLE_MESSAGE, &key, &found, &value); more && count < max;
	     more = read_next(r, TABLE_MESSAGE, &found, &value)) {
		uint64_t id;
		uint16_t k;

		if (key_parse_message(found, &id, &k) == 0 && k == 0)
			id_r[count++] = id;
	}
	read_end(r);
	return count;
}

/* ---- bodies ------------------------------------------------------------------------------ */

static bool body_piece(struct reader *r, uint64_t blob, uint64_t piece, struct span *value_r)
{
	struct key key = key_of_body(blob, (uint32_t)piece);

	return piece <= UINT32_MAX && read_get(r, TABLE_BODY, &key, value_r);
}

static size_t copy_pieces(struct reader *r, uint64_t blob, uint64_t off, unsigned char *out,
                          size_t len, bool *gone_r)
{
	size_t got = 0, piece = r->sp->piece;
	struct span value;

	while (got < len) {
		uint64_t at = off + got, number = at / piece;
		size_t skip = (size_t)(at % piece), part;

		if (!body_piece(r, blob, number, &value)) {
			/* Bodies are deleted from the front: without its first piece it is gone. */
			*gone_r = number == 0 || !body_piece(r, blob, 0, &value);
			break;
		}
		if (value.length <= skip)
			break;
		part = value.length - skip < len - got ? value.length - skip : len - got;
		memcpy(out + got, value.data + skip, part);
		got += part;
		if (value.length < piece)
			break;
	}
	return got;
}

int reader_body(struct reader *r, uint64_t blob, uint64_t off, void *out, size_t len, size_t *got_r)
{
	bool gone = false;

	read_begin(r);
	*got_r = copy_pieces(r, blob, off, out, len, &gone);
	read_end(r);
	return gone ? -1 : 0;
}

int reader_chunks(struct reader *r, uint64_t blob, uint64_t off, void *out, size_t len,
                  size_t *got_r)
{
	return reader_body(r, blob, off, out, len, got_r); /* the pieces are in the same table */
}

int reader_header(struct reader *r, uint64_t blob, size_t max, struct bytes *out)
{
	size_t got;
	int rc;

	bytes_reserve(out, max);
	rc = reader_body(r, blob, 0, out->data + out->length, max, &got);
	if (rc == 0)
		out->length += got;
	return rc;
}

/* ---- the schedule and claims ---------------------------------------------------------------- */

bool reader_due_line(struct reader *r, struct due_row *line)
{
	struct due_row head;
	struct span found, value;
	struct key key;
	bool more;

	if (key_of_next_line(line, &key) != 0)
		return false;
	read_begin(r);
	more = read_seek(r, TABLE_DUE, &key, &found, &value) && key_parse_due(found, &head) == 0 &&
	       head.queue == line->queue;
	read_end(r);
	if (more)
		*line = head;
	return more;
}

size_t reader_due(struct reader *r, const struct due_row *from, int64_t until_us,
                  struct due_row *rows_r, size_t max)
{
	struct key key = key_of_due(from);
	struct span found, value;
	size_t count = 0;
	bool more;

	read_begin(r);
	for (more = read_seek(r, TABLE_DUE, &key, &found, &value); more && count < max;
	     more = read_next(r, TABLE_DUE, &found, &value)) {
		struct due_row *row = &rows_r[count];

		if (key_parse_due(found, row) != 0 || row->queue != from->queue ||
		    row->priority != from->priority || row->class != from->class ||
		    row->time_us > until_us)
			break;
		count++;
	}
	read_end(r);
	return count;
}

size_t reader_alarms(struct reader *r, const struct alarm *from, int64_t until_us,
                     struct alarm *alarms_r, size_t max)
{
	struct key key = key_of_alarm(from);
	struct span found, value;
	size_t count = 0;
	bool more;

	read_begin(r);
	for (more = read_seek(r, TABLE_ALARM, &key, &found, &value); more && count < max;
	     more = read_next(r, TABLE_ALARM, &found, &value)) {
		if (key_parse_alarm(found, &alarms_r[count]) != 0 ||
		    alarms_r[count].time_us > until_us)
			break;
		count++;
	}
	read_end(r);
	return count;
}

void reader_claims(struct reader *r, void (*each)(void *context, const struct claim *claim),
                   void *context)
{
	struct key key = key_of_claim(0, 0);
	struct claim *claims = NULL;
	struct span found, value;
	size_t count = 0, capacity = 0;
	bool more;

	read_begin(r);
	for (more = read_seek(r, TABLE_CLAIM, &key, &found, &value); more;
	     more = read_next(r, TABLE_CLAIM, &found, &value)) {
		struct claim claim;

		if (key_parse_claim(found, &claim) != 0 || record_parse_claim(value, &claim) != 0) {
			read_say_bad("claim", 0);
			continue;
		}
		if (count == capacity) {
			capacity = capacity == 0 ? 64 : capacity * 2;
			claims = memory_grow(claims, capacity, sizeof(*claims));
		}
		claims[count++] = claim;
	}
	read_end(r);
	for (size_t i = 0; i < count; i++)
		each(context, &claims[i]);
	free(claims);
}

void reader_used(struct reader *r, void (*each)(void *context, const struct spool_count *count),
                 void *context)
{
	struct key key = key_of_count(&(struct spool_count){ .kind = 0 });
	struct spool_count *counts = NULL;
	struct span found, value;
	size_t count = 0, capacity = 0;

	read_begin(r);
	for (bool more = read_seek(r, TABLE_QUOTA, &key, &found, &value); more;
	     more = read_next(r, TABLE_QUOTA, &found, &value)) {
		if (count == capacity) {
			capacity = capacity == 0 ? 64 : capacity * 2;
			counts = memory_grow(counts, capacity, sizeof(*counts));
		}
		if (count_parse(found, value, &counts[count]) == 0)
			count++;
		else
			read_say_bad("quota", 0);
	}
	read_end(r);
	for (size_t i = 0; i < count; i++)
		each(context, &counts[i]);
	free(counts);
}

/* ---- counts ------------------------------------------------------------------------------- */

void reader_counts(struct reader *r, struct spool_counts *counts_r)
{
	struct key key = key_of_text("tally");
	struct tally tally = { 0 };
	struct span value;

	read_begin(r);
	if (read_get(r, TABLE_META, &key, &value) && record_parse_tally(value, &tally) != 0)
		read_say_bad("meta", 0);
	read_end(r);
	*counts_r = (struct spool_counts){ .messages = tally.messages,
		                           .deliveries = tally.deliveries,
		                           .claims = tally.claims,
		                           .entries = tally.entries,
		                           .octets = tally.octets };
}
