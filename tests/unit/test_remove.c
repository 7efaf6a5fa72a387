/* SPDX-License-Identifier: ISC */
/* test_remove.c - what goes: inbox entries beyond keep, large bodies in slices, bodies given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "spool_lab.h"

#include "base/memory.h"

static uint64_t put_entry(struct lab *lab, uint32_t inbox, size_t size, bool with_delivery)
{
	struct put *put = lab_message(lab, size);
	struct bytes summary = { 0 };
	uint64_t id;

	bytes_append_text(&summary, "summary");
	put_add_entry(put, inbox, &summary);
	if (with_delivery)
		put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 1));
	assert_int_equal(lab_put(lab, put, &id), 0);
	return id;
}

/* Sequences of an inbox as text "3 4 5". */
static void entries_are(struct lab *lab, uint32_t inbox, const char *want)
{
	struct bytes text = { 0 }, summary = { 0 };
	uint64_t sequence = 0, id;

	while ((sequence = reader_inbox_next(lab->reader, inbox, sequence, &id, &summary)) != 0)
		bytes_printf(&text, "%s%llu", text.length > 0 ? " " : "",
		             (unsigned long long)sequence);
	assert_string_equal(bytes_text(&text), want);
	bytes_release(&text);
	bytes_release(&summary);
	lab_is_good(lab);
}

static void keeps_the_newest(void **state)
{
	struct lab *lab = *state;
	struct bytes summary = { 0 };
	uint64_t id, first;

	spool_keep(lab->sp, 1, 3);
	first = put_entry(lab, 1, 100, true);
	for (size_t i = 0; i < 3; i++)
		id = put_entry(lab, 1, 5000, false);
	put_entry(lab, 2, 100, false);
	entries_are(lab, 1, "2 3 4");
	entries_are(lab, 2, "1");
	/* The first has a delivery that still holds it; the next has nobody. */
	put_entry(lab, 1, 100, false);
	entries_are(lab, 1, "3 4 5");
	assert_int_equal(lab_rows(lab->sp, TABLE_BLOB), 5);
	assert_true(lab_body_is(lab, first, 100));
	assert_int_equal(reader_inbox_next(lab->reader, 1, 3, &first, &summary), 4);
	assert_true(first == id);
	assert_string_equal(bytes_text(&summary), "summary");
	bytes_release(&summary);

	/* Less is kept from now on: the next put starts it. Sequences go on after a restart. */
	spool_keep(lab->sp, 1, 1);
	put_entry(lab, 1, 1, false);
	entries_are(lab, 1, "6");
	lab_reopen(lab);
	put_entry(lab, 1, 1, false);
	entries_are(lab, 1, "6 7");
}

/* Far beyond keep: each put deletes a slice, the writer goes on by itself. */
static void catches_up(void **state)
{
	struct lab *lab = *state;

	for (size_t i = 0; i < 100; i++)
		put_entry(lab, 1, 10, false);
	spool_keep(lab->sp, 1, 2);
	put_entry(lab, 1, 10, false);
	lab_settle(lab);
	entries_are(lab, 1, "100 101");
}

static void removes_entries(void **state)
{
	static const uint64_t some[] = { 2, 99, 3, 2 };
	struct lab *lab = *state;

	for (size_t i = 0; i < 5; i++)
		put_entry(lab, 1, 10, false);
	put_entry(lab, 2, 10, false);
	assert_int_equal(lab_remove(lab, 1, some, 4), 0);
	entries_are(lab, 1, "1 4 5");
	assert_int_equal(lab_remove(lab, 1, NULL, 0), 0);
	entries_are(lab, 1, "");
	entries_are(lab, 2, "1");
	assert_int_equal(lab_remove(lab, 3, NULL, 0), 0);
	put_entry(lab, 1, 10, false);
	entries_are(lab, 1, "6");
}

/* More than one transaction may free: the request comes back when all of it is done. */
static void removes_many(void **state)
{
	struct lab *lab = *state;

	for (size_t i = 0; i < 1000; i++)
		put_entry(lab, 1, 4000, false);
	assert_int_equal(lab_remove(lab, 1, NULL, 0), 0);
	lab_settle(lab);
	entries_are(lab, 1, "");
	assert_int_equal(lab_rows(lab->sp, TABLE_BODY), 0);
}

/* ---- streamed bodies ------------------------------------------------------------------- */

/* Sends the first `pieces` pieces of a body as chunks. */
static uint64_t stream(struct lab *lab, const struct put *put, uint32_t pieces)
{
	uint64_t blob = spool_blob_new(lab->sp);
	size_t piece = spool_piece_size(lab->sp);
	uint32_t each = (uint32_t)(SPOOL_CHUNK_MAX / piece);

	for (uint32_t at = 0; at < pieces; at += each) {
		uint32_t count = pieces - at < each ? pieces - at : each;

		assert_int_equal(
			lab_chunk(lab, blob, at, put->body.data + at * piece, count * piece), 0);
	}
	return blob;
}

static struct put *streamed(struct lab *lab, size_t size, uint32_t pieces)
{
	struct put *put = lab_message(lab, size);

	put->facts.blob = stream(lab, put, pieces);
	put->first_piece = pieces;
	bytes_consume(&put->body, pieces * spool_piece_size(lab->sp));
	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 1));
	return put;
}

static void streams_bodies(void **state)
{
	struct lab *lab = *state;
	size_t piece = spool_piece_size(lab->sp);
	const struct {
		size_t size;
		uint32_t pieces;
	} cases[] = { { piece * 3 + 5, 1 }, { piece * 40, 40 }, { piece * 40 + 1, 33 } };

	for (size_t i = 0; i < 3; i++) {
		struct put *put = streamed(lab, cases[i].size, cases[i].pieces);
		uint64_t blob = put->facts.blob;

		assert_int_equal(lab_rows(lab->sp, TABLE_GARBAGE), 1);
		lab_is_good(lab);
		assert_int_equal(lab_put(lab, put, NULL), 0);
		assert_int_equal(lab_rows(lab->sp, TABLE_GARBAGE), 0);
		assert_true(lab_body_is(lab, blob, cases[i].size));
		lab_is_good(lab);
		lab_simple(lab, 100); /* whole bodies between them */
	}
}

/* Chunks and puts for a body that is not there, or is there twice. */
static void refuses_wrong_bodies(void **state)
{
	struct lab *lab = *state;
	struct put *put = streamed(lab, 20000, 2);
	uint64_t blob = put->facts.blob;

	assert_int_equal(lab_chunk(lab, blob, 0, "x", 1), -1);
	assert_int_equal(lab_chunk(lab, blob + 1, 4, "x", 1), -1);
	put->facts.blob = blob + 1;
	assert_int_equal(lab_put(lab, put, NULL), -1);
	lab_is_good(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_MESSAGE), 0);
}

static void drops_bodies(void **state)
{
	struct lab *lab = *state;
	struct put *put = streamed(lab, 3000000, 700);
	size_t got;
	char c;

	spool_drop(lab->sp, put->facts.blob);
	lab_simple(lab, 1); /* rides along with it */
	lab_settle(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_GARBAGE), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_BODY), 1);
	assert_int_equal(reader_body(lab->reader, put->facts.blob, 0, &c, 1, &got), -1);
	assert_int_equal(reader_body(lab->reader, put->facts.blob, 5000, &c, 1, &got), -1);
	put_free(&put);
	lab_is_good(lab);
}

/* Its message is gone at once, its pages in slices. */
static void deletes_large_bodies(void **state)
{
	struct lab *lab = *state;
	uint64_t id;

	assert_int_equal(lab_put(lab, streamed(lab, 4000000, 960), &id), 0);
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 1)), 0);
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 1, 1)), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_BLOB), 0);
	lab_is_good(lab);
	lab_settle(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_GARBAGE), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_BODY), 0);
	lab_is_good(lab);
}

/* Deleting keeps up: what waits to be deleted is bounded before the next request is served. */
static void deletes_before_the_next(void **state)
{
	enum { MANY = 60, PIECES = 100 };
	struct lab *lab = *state;
	struct transition *t[MANY];
	struct fate fates[MANY];

	for (size_t i = 0; i < MANY; i++) {
		uint64_t id = lab_simple(lab, PIECES * spool_piece_size(lab->sp));

		t[i] = lab_to_claim(lab, id, 1, 1);
		t[i]->claims = false;
		delivery_free(&t[i]->now);
	}
	assert_true(lab_rows(lab->sp, TABLE_BODY) > GARBAGE_PAGES_MAX + PIECES);
	for (size_t i = 0; i < MANY; i++)
		lab_send_outcome(lab, t[i], &fates[i]);
	for (size_t i = 0; i < MANY; i++) {
		lab_wait(lab, &fates[i].done);
		assert_int_equal(fates[i].result, 0);
		transition_free(&t[i]);
	}
	lab_simple(lab, 1);
	assert_true(lab_rows(lab->sp, TABLE_BODY) <= GARBAGE_PAGES_MAX + 1);
	lab_is_good(lab);
	lab_settle(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_BODY), 1);
}

/* What was interrupted is garbage at the next start; what is accepted stays. */
static void buries_interrupted_bodies(void **state)
{
	struct lab *lab = *state;
	struct put *lost = streamed(lab, 100000, 20), *kept = streamed(lab, 100000, 20);
	uint64_t blob = kept->facts.blob, gone = lost->facts.blob;

	assert_int_equal(lab_put(lab, kept, NULL), 0);
	put_free(&lost);
	lab_reopen(lab);
	lab_settle(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_GARBAGE), 0);
	assert_true(lab_body_is(lab, blob, 100000));
	assert_false(lab_body_is(lab, gone, 100000));
	lab_is_good(lab);
	assert_true(spool_blob_new(lab->sp) > blob);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(keeps_the_newest),
		CASE(catches_up),
		CASE(removes_entries),
		CASE(removes_many),
		CASE(streams_bodies),
		CASE(refuses_wrong_bodies),
		CASE(drops_bodies),
		CASE(deletes_large_bodies),
		CASE(deletes_before_the_next),
		CASE(buries_interrupted_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
