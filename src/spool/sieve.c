/* SPDX-License-Identifier: ISC */
/* sieve.c - which triples of octets a text has, in few bits, so that a search passes over the rest.
 *
 * Each entry has a slot of 2048 bits, one set for each triple of its text and its labels. What is
 * looked for may be there only where all bits of its own triples are set: most texts are never
 * read. The slots of SIEVE_SLOTS sequences are one row. A slot is never zero while its entry is
 * there: what has no text, or labels of which nobody knows how they are looked for, has all bits.
 */
#include "spool/private.h"

#include <ctype.h>
#include <string.h>

#define VERSION 1

/* ---- bits ---------------------------------------------------------------------------------- */

static unsigned bit_of(const unsigned char *triple)
{
	uint32_t octets =
		(uint32_t)triple[0] | (uint32_t)triple[1] << 8 | (uint32_t)triple[2] << 16;

	return octets * UINT32_C(0x9E3779B1) >> (32 - SIEVE_BITS_LOG);
}

static void add_text(unsigned char *slot, struct span text)
{
	for (size_t at = 0; at + 3 <= text.length; at++) {
		unsigned bit = bit_of(text.data + at);

		slot[bit / 8] |= (unsigned char)(1U << bit % 8);
	}
}

/* Labels are looked for in lower case; beyond ASCII, and with marks, that is not known here. */
static void add_label(unsigned char *slot, struct span label)
{
	unsigned char lower[SPOOL_LABEL_MAX];

	for (size_t i = 0; i < label.length && i < sizeof(lower); i++) {
		lower[i] = (unsigned char)tolower(label.data[i]);
		if (lower[i] >= 0x80 || (!isalnum(lower[i]) && strchr(" -_.@", lower[i]) == NULL)) {
			memset(slot, 0xff, SIEVE_SLOT);
			return;
		}
	}
	add_text(slot, span_of(lower, label.length < sizeof(lower) ? label.length : sizeof(lower)));
}

void sieve_slot(unsigned char *slot, struct span text, struct span labels)
{
	struct span label;

	memset(slot, text.length == 0 ? 0xff : 0, SIEVE_SLOT);
	slot[0] |= 1; /* never zero */
	add_text(slot, text);
	while (row_label(&labels, &label))
		add_label(slot, label);
}

void inbox_sieve_add(struct inbox_sieve *sieve, struct span octets)
{
	for (size_t at = 0; at + 3 <= octets.length && sieve->count < SIEVE_TRIPLES_MAX; at++)
		sieve->bits[sieve->count++] = (uint16_t)bit_of(octets.data + at);
}

bool sieve_passes(const struct inbox_sieve *sieve, const unsigned char *slot)
{
	for (size_t i = 0; i < sieve->count; i++)
		if ((slot[sieve->bits[i] / 8] >> sieve->bits[i] % 8 & 1) == 0)
			return false;
	/* A free slot has no bit at all. */
	return sieve->count > 0 || slot[0] != 0;
}

const unsigned char *sieve_slots(struct span row)
{
	return row.length == 1 + SIEVE_SLOTS * SIEVE_SLOT && row.data[0] == VERSION ? row.data + 1
	                                                                            : NULL;
}

/* ---- in the writer's transaction --------------------------------------------------------------
 */

struct sieve_row {
	struct key key;
	unsigned char octets[1 + SIEVE_SLOTS * SIEVE_SLOT];
};

/* MDB_NOTFOUND: there is none, the row is empty. */
static int row_read(struct write *w, uint32_t inbox, uint64_t sequence, struct sieve_row *row)
{
	struct span value;
	int rc;

	row->key = key_of_sieve(inbox, sequence / SIEVE_SLOTS);
	rc = write_get(w, TABLE_SIEVE, &row->key, &value);
	if (rc == 0 && sieve_slots(value) == NULL)
		return MDB_CORRUPTED;
	if (rc == 0)
		memcpy(row->octets, value.data, sizeof(row->octets));
	else
		memset(row->octets, 0, sizeof(row->octets));
	row->octets[0] = VERSION;
	return rc;
}

static int row_write(struct write *w, const struct sieve_row *row)
{
	return write_put(w, TABLE_SIEVE, value_of(row->key.bytes, row->key.length),
	                 value_of(row->octets, sizeof(row->octets)), 0);
}

static unsigned char *slot_in(struct sieve_row *row, uint64_t sequence)
{
	return row->octets + 1 + sequence % SIEVE_SLOTS * SIEVE_SLOT;
}

int sieve_set(struct write *w, uint32_t inbox, uint64_t sequence, const unsigned char *slot)
{
	struct sieve_row row;
	int rc = row_read(w, inbox, sequence, &row);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	memcpy(slot_in(&row, sequence), slot, SIEVE_SLOT);
	return row_write(w, &row);
}

int sieve_label(struct write *w, uint32_t inbox, uint64_t sequence, struct span labels)
{
	struct sieve_row row;
	struct span label;
	int rc = row_read(w, inbox, sequence, &row);

	if (rc != 0) /* an entry of before there was a sieve */
		return rc == MDB_NOTFOUND ? 0 : rc;
	while (row_label(&labels, &label))
		add_label(slot_in(&row, sequence), label);
	write_freed(w, SIEVE_SLOT);
	return row_write(w, &row);
}

int sieve_clear(struct write *w, uint32_t inbox, uint64_t sequence)
{
	struct sieve_row row;
	int rc = row_read(w, inbox, sequence, &row);

	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	memset(slot_in(&row, sequence), 0, SIEVE_SLOT);
	/* Neighbours go together: their row is one page. */
	if (w->sieve_inbox != inbox || w->sieve_row != sequence / SIEVE_SLOTS)
		w->freed++;
	w->sieve_inbox = inbox;
	w->sieve_row = sequence / SIEVE_SLOTS;
	for (size_t i = 1; i < sizeof(row.octets); i++)
		if (row.octets[i] != 0)
			return row_write(w, &row);
	return write_delete_here(w, TABLE_SIEVE);
}
