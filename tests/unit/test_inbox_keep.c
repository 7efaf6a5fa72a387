/* SPDX-License-Identifier: ISC */
/* test_inbox_keep.c - what retention takes by octets and by age, what it tells, and bodies that
 * several messages share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "spool_lab.h"

#include "base/memory.h"

static uint64_t put_at(struct lab *lab, uint32_t inbox, size_t size, int64_t time_us)
{
	struct put *put = lab_message(lab, size);
	struct bytes summary = { 0 };
	uint64_t id;

	put->facts.trace.time_us = time_us;
	put_add_entry(put, inbox, &summary);
	bytes_append(&put->entries[0].extras[SPOOL_TEXT], "text", 4);
	assert_int_equal(lab_put(lab, put, &id), 0);
	return id;
}

static void entries_are(struct lab *lab, uint32_t inbox, uint64_t first, uint64_t count)
{
	struct inbox_counts counts;
	struct inbox_entry entry;

	lab_settle(lab);
	lab_is_good(lab);
	reader_inbox_counts(lab->reader, inbox, &counts);
	assert_int_equal(counts.entries, count);
	if (count == 0)
		return;
	assert_int_equal(reader_inbox_list(lab->reader, inbox, 0, false, 0, &entry, 1), 1);
	assert_int_equal(entry.sequence, first);
	inbox_entry_release(&entry);
}

static void keeps_octets(void **state)
{
	struct lab *lab = *state;

	spool_keep_octets(lab->sp, 1, 10000);
	for (size_t i = 0; i < 10; i++)
		put_at(lab, 1, 3000, LAB_WALL);
	entries_are(lab, 1, 8, 3);
	/* The newest always stays. */
	put_at(lab, 1, 50000, LAB_WALL);
	entries_are(lab, 1, 11, 1);
	put_at(lab, 1, 1, LAB_WALL);
	entries_are(lab, 1, 12, 1);
	/* Whichever is reached first. */
	spool_keep(lab->sp, 1, 2);
	for (size_t i = 0; i < 3; i++)
		put_at(lab, 1, 10, LAB_WALL);
	entries_are(lab, 1, 14, 2);
	spool_keep(lab->sp, 1, 0);
	spool_keep_octets(lab->sp, 1, 0);
	for (size_t i = 0; i < 3; i++)
		put_at(lab, 1, 50000, LAB_WALL);
	entries_are(lab, 1, 14, 5);
}

static void removal_done(struct spool_request *request, int result)
{
	struct fate *fate = ((struct inbox_removal *)(void *)request)->owner;

	*fate = (struct fate){ .done = true, .result = result };
}

static size_t remove_before(struct lab *lab, uint32_t inbox, int64_t before_us)
{
	struct fate fate = { .done = false };
	struct inbox_removal removal = { .request = { .home = lab->home, .done = removal_done },
		                         .inbox = inbox,
		                         .before_us = before_us,
		                         .owner = &fate };

	spool_inbox_remove(lab->sp, &removal);
	lab_wait(lab, &fate.done);
	assert_int_equal(fate.result, 0);
	return removal.removed;
}

static void removes_by_age(void **state)
{
	struct lab *lab = *state;

	for (int i = 0; i < 2000; i++)
		put_at(lab, 1, 1, LAB_WALL + i);
	put_at(lab, 2, 1, LAB_WALL);
	assert_int_equal(remove_before(lab, 1, LAB_WALL), 0);
	entries_are(lab, 1, 1, 2000);
	assert_int_equal(remove_before(lab, 1, LAB_WALL + 1500), 1500);
	entries_are(lab, 1, 1501, 500);
	assert_int_equal(remove_before(lab, 1, LAB_WALL + 1500), 0);
	assert_int_equal(remove_before(lab, 3, LAB_WALL + 1500), 0);
	assert_int_equal(remove_before(lab, 1, CLOCK_NEVER), 500);
	entries_are(lab, 1, 0, 0);
	entries_are(lab, 2, 1, 1);
}

/* ---- news ------------------------------------------------------------------------------- */

struct heard {
	uint32_t inbox;
	uint64_t sequence;
	bool any;
};

static void hear(void *context, uint32_t inbox, uint64_t sequence)
{
	*(struct heard *)context = (struct heard){ inbox, sequence, true };
}

/* Both of those who watch what comes, and the one who watches what goes. */
static void watchers_are_told(void **state)
{
	struct lab *lab = *state;
	struct heard first = { 0 }, second = { 0 }, gone = { 0 };

	spool_watch_inbox(lab->sp, lab->home, hear, &first);
	spool_watch_inbox(lab->sp, lab->home, hear, &second);
	spool_watch_retired(lab->sp, lab->home, hear, &gone);
	put_at(lab, 7, 1, LAB_WALL);
	lab_wait(lab, &first.any);
	lab_wait(lab, &second.any);
	assert_true(first.inbox == 7 && first.sequence == 1 && second.sequence == 1);
	/* What somebody asked to remove is no news. */
	assert_int_equal(lab_remove(lab, 7, NULL, 0), 0);
	put_at(lab, 7, 1, LAB_WALL);
	lab_settle(lab);
	channel_receive(lab->home);
	assert_false(gone.any);
	spool_keep(lab->sp, 7, 1);
	put_at(lab, 7, 1, LAB_WALL);
	lab_wait(lab, &gone.any);
	assert_true(gone.inbox == 7 && gone.sequence == 2);
	gone.any = false;
	assert_int_equal(remove_before(lab, 7, LAB_WALL + 1), 1);
	lab_wait(lab, &gone.any);
	assert_true(gone.inbox == 7 && gone.sequence == 3);
}

/* ---- shared bodies ------------------------------------------------------------------------ */

static struct put *sharing(struct lab *lab, uint64_t id)
{
	struct put *put = lab_message(lab, 0);
	struct message_facts facts;

	assert_true(reader_message(lab->reader, id, &facts));
	put->shares = true;
	put->facts.blob = facts.blob;
	put->facts.size = facts.size;
	message_facts_release(&facts);
	return put;
}

static void bodies_are_shared(void **state)
{
	static const uint64_t first[] = { 1 };
	struct lab *lab = *state;
	uint64_t id = put_at(lab, 1, 9000, LAB_WALL), copy;
	struct put *put = sharing(lab, id);
	struct bytes summary = { 0 };
	struct message_facts facts;
	struct spool_counts counts;

	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 1));
	put_add_entry(put, 2, &summary);
	assert_int_equal(lab_put(lab, put, &copy), 0);
	lab_is_good(lab);
	reader_counts(lab->reader, &counts);
	assert_true(counts.messages == 2 && counts.octets == 9000);
	assert_int_equal(lab_rows(lab->sp, TABLE_BLOB), 1);
	assert_int_equal(lab_remove(lab, 1, first, 1), 0);
	lab_is_good(lab);
	assert_true(reader_message(lab->reader, copy, &facts));
	assert_true(lab_body_is(lab, facts.blob, 9000));
	message_facts_release(&facts);
	lab_reopen(lab);
	/* The last holders go, the body with them. */
	assert_int_equal(lab_remove(lab, 2, first, 1), 0);
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, copy, 1, 1)), 0);
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, copy, 1, 1)), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_BODY), 0);
	lab_is_good(lab);
	reader_counts(lab->reader, &counts);
	assert_true(counts.messages == 0 && counts.octets == 0);
}

static void wrong_shares_are_refused(void **state)
{
	struct lab *lab = *state;
	uint64_t id = put_at(lab, 1, 100, LAB_WALL);
	struct put *put = sharing(lab, id);

	put->facts.size++;
	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 1));
	assert_int_equal(lab_put(lab, put, NULL), -1);
	put = sharing(lab, id);
	put->facts.blob++;
	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 1));
	assert_int_equal(lab_put(lab, put, NULL), -1);
	put = sharing(lab, id);
	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 1));
	assert_int_equal(lab_remove(lab, 1, NULL, 0), 0);
	assert_int_equal(lab_put(lab, put, NULL), -1);
	/* Nobody holds it: it is accepted, and nothing is there. */
	id = put_at(lab, 1, 100, LAB_WALL);
	assert_int_equal(lab_put(lab, sharing(lab, id), NULL), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_BLOB), 1);
	lab_is_good(lab);
}

/* A body that is still streamed is read by its pieces. */
static void chunks_are_read(void **state)
{
	struct lab *lab = *state;
	size_t piece = spool_piece_size(lab->sp), got;
	uint64_t blob = spool_blob_new(lab->sp);
	char *octets = memory_new(3 * piece), *back = memory_new(3 * piece);

	for (size_t i = 0; i < 3 * piece; i++)
		octets[i] = lab_octet(i);
	assert_int_equal(reader_chunks(lab->reader, blob, 0, back, 10, &got), -1);
	assert_int_equal(lab_chunk(lab, blob, 0, octets, 2 * piece), 0);
	assert_int_equal(lab_chunk(lab, blob, 2, octets + 2 * piece, piece), 0);
	assert_int_equal(reader_chunks(lab->reader, blob, 5, back, 3 * piece, &got), 0);
	assert_int_equal(got, 3 * piece - 5);
	assert_memory_equal(back, octets + 5, got);
	assert_int_equal(reader_chunks(lab->reader, blob, 3 * piece, back, 10, &got), 0);
	assert_int_equal(got, 0);
	free(octets);
	free(back);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(keeps_octets),      CASE(removes_by_age),           CASE(watchers_are_told),
		CASE(bodies_are_shared), CASE(wrong_shares_are_refused), CASE(chunks_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
