/* SPDX-License-Identifier: ISC */
/* request.c - the asker's side: encodes what a request writes and posts it to the writer.
 *
 * All of this runs on the asker's thread; the writer only copies. A refused request may be
 * sent again: it is encoded anew.
 */
#include "spool/private.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

void request_post(struct spool *sp, struct spool_request *request, enum request_kind kind,
                  enum spool_urgency urgency)
{
	request->kind = (uint8_t)kind;
	request->urgency = (uint8_t)urgency;
	request->result = 0;
	channel_post(sp->channel, &request->item);
}

bool labels_are_good(char *const *labels, size_t count)
{
	if (count > SPOOL_LABELS_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (labels[i][0] == '\0' || strlen(labels[i]) > SPOOL_LABEL_MAX)
			return false;
		for (size_t before = 0; before < i; before++)
			if (strcmp(labels[before], labels[i]) == 0)
				return false;
	}
	return true;
}

bool put_is_bounded(const struct spool *sp, const struct put *put)
{
	if (put->delivery_count > SPOOL_DELIVERIES_MAX || put->entry_count > SPOOL_ENTRIES_MAX)
		return false;
	for (size_t i = 0; i < put->entry_count; i++) {
		const struct put_entry *entry = &put->entries[i];

		if (!labels_are_good(entry->labels, entry->label_count) ||
		    entry->summary.length > sp->piece)
			return false;
		for (int kind = 0; kind < SPOOL_EXTRA_COUNT; kind++)
			if (entry->extras[kind].length > SPOOL_EXTRA_MAX)
				return false;
	}
	return true;
}

static void put_encode(const struct spool *sp, struct put *put)
{
	bytes_clear(&put->records);
	if (!put_is_bounded(sp, put))
		return; /* the writer refuses it */
	bytes_reserve(&put->records, 1024);
	rows_of_facts(&put->records, &put->facts, sp->piece, &put->fact_rows);
	for (size_t i = 0; i < put->delivery_count; i++)
		rows_of_delivery(&put->records, put->deliveries[i], (uint16_t)(i + 1), true, true,
		                 sp->piece);
	for (size_t i = 0; i < put->entry_count; i++)
		rows_of_entry(&put->records, &put->entries[i], (uint16_t)(i + 1), &put->facts,
		              sp->piece);
}

void spool_put(struct spool *sp, struct put *put)
{
	put_encode(sp, put);
	request_post(sp, &put->request, REQUEST_PUT, SPOOL_URGENT);
}

uint64_t spool_blob_new(struct spool *sp)
{
	return atomic_fetch_add(&sp->blobs, 1) + 1;
}

void spool_chunk(struct spool *sp, struct chunk *chunk)
{
	assert(chunk->data.length <= SPOOL_CHUNK_MAX && chunk->data.length > 0);
	request_post(sp, &chunk->request, REQUEST_CHUNK, SPOOL_BULK);
}

void spool_drop(struct spool *sp, uint64_t blob)
{
	struct drop *drop = memory_new(sizeof(*drop));

	drop->blob = blob;
	request_post(sp, &drop->request, REQUEST_DROP, SPOOL_LAZY);
}

static void transition_encode(const struct spool *sp, struct transition *t)
{
	bytes_clear(&t->records);
	if (t->now != NULL) {
		t->now->id = t->id;
		t->now->n = t->n;
		rows_of_delivery(&t->records, t->now, 0, !t->claims, false, sp->piece);
		/* The first row follows its head and its key. */
		t->now_rows = record_rows(span_of(
			t->records.data + sizeof(struct row) + key_of_delivery(0, 0, 0).length, 3));
	}
	for (size_t i = 0; i < t->apart_count; i++)
		rows_of_delivery(&t->records, t->apart[i], (uint16_t)(i + 1), true, false,
		                 sp->piece);
	if (t->bounce != NULL)
		put_encode(sp, t->bounce);
}

void spool_claim(struct spool *sp, struct transition *t)
{
	transition_encode(sp, t);
	request_post(sp, &t->request, REQUEST_TRANSITION, SPOOL_URGENT);
}

void spool_outcome(struct spool *sp, struct transition *t)
{
	transition_encode(sp, t);
	request_post(sp, &t->request, REQUEST_TRANSITION, SPOOL_LAZY);
}

void spool_outcome_now(struct spool *sp, struct transition *t)
{
	spool_claim(sp, t);
}

void spool_inbox_remove(struct spool *sp, struct inbox_removal *removal)
{
	removal->at = removal->committed = (struct spool_progress){ .next = 0 };
	removal->removed = 0;
	request_post(sp, &removal->request, REQUEST_REMOVAL, SPOOL_BULK);
}

void spool_inbox_change(struct spool *sp, struct inbox_change *change)
{
	change->at = change->committed = (struct spool_progress){ .next = 0 };
	change->changed = 0;
	request_post(sp, &change->request, REQUEST_CHANGE, SPOOL_BULK);
}
