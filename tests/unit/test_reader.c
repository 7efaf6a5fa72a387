/* SPDX-License-Identifier: ISC */
/* test_reader.c - what a reader finds: lines of the schedule, pieces of bodies, lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "spool_lab.h"

#include "base/memory.h"

struct line {
	uint32_t queue;
	int8_t priority;
	uint16_t class;
	int64_t due_us;
};

static void put_lines(struct lab *lab, const struct line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct put *put = lab_message(lab, 1);

		put_add_delivery(put, lab_delivery(lines[i].queue, lines[i].priority,
		                                   lines[i].class, lines[i].due_us, 1));
		assert_int_equal(lab_put(lab, put, NULL), 0);
	}
}

/* Lines of a queue as text "priority/class@time". */
static void lines_are(struct lab *lab, uint32_t queue, const char *want)
{
	struct due_row line = { .queue = queue, .priority = SPOOL_BEFORE_FIRST };
	struct bytes text = { 0 };

	while (reader_due_line(lab->reader, &line))
		bytes_printf(&text, "%d/%u@%lld ", line.priority, line.class,
		             (long long)line.time_us);
	assert_string_equal(bytes_text(&text), want);
	bytes_release(&text);
}

static void skips_from_line_to_line(void **state)
{
	static const struct line lines[] = {
		{ 1, 0, 5, 900 },
		{ 1, 0, 5, 800 },
		{ 1, 0, 5, 850 },
		{ 1, 0, 65535, 700 },
		{ 1, 9, 9, 600 },
		{ 1, -9, 0, 1 },
		{ 1, -9, 65535, CLOCK_NEVER },
		{ 2, 0, 0, 0 },
		{ 4, 3, 3, 3 },
		{ 0, 0, 5, 2 },
	};
	struct lab *lab = *state;

	lines_are(lab, 1, "");
	put_lines(lab, lines, sizeof(lines) / sizeof(lines[0]));
	lines_are(lab, 0, "0/5@2 ");
	lines_are(lab, 1, "9/9@600 0/5@800 0/65535@700 -9/0@1 -9/65535@9223372036854775807 ");
	lines_are(lab, 2, "0/0@0 ");
	lines_are(lab, 3, "");
	lines_are(lab, 4, "3/3@3 ");
	lines_are(lab, 5, "");
}

static void reads_rows_of_a_line(void **state)
{
	static const struct line lines[] = {
		{ 1, 0, 5, 900 }, { 1, 0, 5, 800 },         { 1, 0, 5, 850 },
		{ 1, 0, 6, 1 },   { 1, 0, 5, CLOCK_NEVER },
	};
	struct due_row rows[8], from = { .queue = 1, .class = 5 };
	struct lab *lab = *state;

	put_lines(lab, lines, sizeof(lines) / sizeof(lines[0]));
	assert_int_equal(reader_due(lab->reader, &from, 850, rows, 8), 2);
	assert_true(rows[0].time_us == 800 && rows[1].time_us == 850);
	assert_int_equal(reader_due(lab->reader, &from, CLOCK_NEVER, rows, 8), 4);
	assert_int_equal(reader_due(lab->reader, &from, CLOCK_NEVER, rows, 3), 3);
	assert_int_equal(reader_due(lab->reader, &rows[1], CLOCK_NEVER - 1, rows, 8), 2);
	assert_true(rows[0].time_us == 850 && rows[1].time_us == 900);
	from.class = 7;
	assert_int_equal(reader_due(lab->reader, &from, CLOCK_NEVER, rows, 8), 0);
}

/* Any part of a body, whatever the pieces. */
static void reads_parts_of_bodies(void **state)
{
	struct lab *lab = *state;
	size_t piece = spool_piece_size(lab->sp), size = piece * 2 + 100, got;
	uint64_t id = lab_simple(lab, size), empty = lab_simple(lab, 0);
	const struct {
		size_t off, len, want;
	} cases[] = {
		{ 0, 10, 10 },         { piece - 5, 10, 10 }, { piece, piece, piece },
		{ size - 1, 10, 1 },   { size, 10, 0 },       { size + 5000, 10, 0 },
		{ 1, size, size - 1 }, { 0, 0, 0 },
	};
	char buffer[16384];
	struct bytes header = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			reader_body(lab->reader, id, cases[i].off, buffer, cases[i].len, &got), 0);
		assert_int_equal(got, cases[i].want);
		for (size_t k = 0; k < got; k++)
			assert_int_equal(buffer[k], lab_octet(cases[i].off + k));
	}
	assert_int_equal(reader_body(lab->reader, empty, 0, buffer, 10, &got), 0);
	assert_int_equal(got, 0);
	assert_int_equal(reader_body(lab->reader, id + 1000, 0, buffer, 10, &got), -1);
	assert_int_equal(reader_body(lab->reader, id + 1000, 9999, buffer, 10, &got), -1);
	bytes_append_text(&header, "+");
	assert_int_equal(reader_header(lab->reader, id, 50, &header), 0);
	assert_int_equal(header.length, 51);
	assert_int_equal(header.data[50], lab_octet(49));
	assert_int_equal(reader_header(lab->reader, id + 1000, 50, &header), -1);
	bytes_release(&header);
}

static void lists_messages(void **state)
{
	struct lab *lab = *state;
	uint64_t ids[5], found[8];
	struct message_facts facts;
	struct delivery delivery;

	for (size_t i = 0; i < 5; i++)
		ids[i] = lab_simple(lab, 1);
	assert_int_equal(reader_messages(lab->reader, 0, found, 8), 5);
	assert_memory_equal(found, ids, sizeof(ids));
	assert_int_equal(reader_messages(lab->reader, ids[1], found, 2), 2);
	assert_memory_equal(found, ids + 2, 2 * sizeof(ids[0]));
	assert_int_equal(reader_messages(lab->reader, ids[4], found, 8), 0);
	assert_false(reader_message(lab->reader, ids[4] + 1, &facts));
	assert_false(reader_delivery(lab->reader, ids[4], 2, &delivery));
	assert_int_equal(reader_deliveries(lab->reader, ids[4] + 1, 0, (uint32_t *)found, 8), 0);
}

struct claims {
	struct claim seen[4];
	size_t count;
	struct lab *lab;
};

static void see_claim(void *context, const struct claim *claim)
{
	struct claims *claims = context;
	struct delivery *d;

	assert_true(claims->count < 4);
	claims->seen[claims->count++] = *claim;
	/* The reader is free for other calls while claims are handed out. */
	d = lab_read(claims->lab, claim->id, claim->n);
	delivery_free(&d);
}

/* A crash or a stop leaves claims as they are. */
static void claims_stay(void **state)
{
	struct lab *lab = *state;
	struct claims claims = { .lab = lab };
	uint64_t a = lab_simple(lab, 1), b = lab_simple(lab, 1);
	struct transition *t = lab_to_claim(lab, b, 1, 2);

	t->claim.tokens = 7;
	t->claim.time_us = LAB_WALL;
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, a, 1, 9)), 0);
	assert_int_equal(lab_claim(lab, t), 0);
	lab_reopen(lab);
	reader_claims(lab->reader, see_claim, &claims);
	assert_int_equal(claims.count, 2);
	assert_true(claims.seen[0].id == b && claims.seen[0].slot == 2 &&
	            claims.seen[0].provider == 3 && claims.seen[0].n == 1 &&
	            claims.seen[0].tokens == 7 && claims.seen[0].time_us == LAB_WALL);
	assert_true(claims.seen[1].id == a);
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, a, 1, 9)), 0);
	lab_is_good(lab);
}

/* An entry's summary may be as long as a piece: it continues under the next key. */
static void reads_long_summaries(void **state)
{
	struct lab *lab = *state;
	struct put *put = lab_message(lab, 1);
	struct bytes summary = { 0 };
	size_t piece = spool_piece_size(lab->sp);
	uint64_t id, found;

	bytes_reserve(&summary, piece);
	memset(summary.data, 's', piece);
	summary.length = piece;
	put_add_entry(put, 1, &summary);
	assert_int_equal(lab_put(lab, put, &id), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_INBOX), 2);
	assert_int_equal(reader_inbox_next(lab->reader, 1, 0, &found, &summary), 1);
	assert_true(found == id);
	assert_int_equal(summary.length, piece);
	assert_int_equal(reader_inbox_next(lab->reader, 1, 1, &found, &summary), 0);
	lab_is_good(lab);
	assert_int_equal(lab_remove(lab, 1, NULL, 0), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_INBOX), 0);
	bytes_release(&summary);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(skips_from_line_to_line),
		CASE(reads_rows_of_a_line),
		CASE(reads_parts_of_bodies),
		CASE(lists_messages),
		CASE(claims_stay),
		CASE(reads_long_summaries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
