/* SPDX-License-Identifier: ISC */
/* test_apply.c - puts and every transition, with the rows that they leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "spool_lab.h"

#include "base/memory.h"

static void stores_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 2000, 4079, 4080, 4081, 8160, 8161, 65536 };
	struct lab *lab = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t id = lab_simple(lab, sizes[i]);
		struct message_facts facts;

		assert_true(reader_message(lab->reader, id, &facts));
		assert_int_equal(facts.size, sizes[i]);
		assert_string_equal(facts.sender.text, "from@example.org");
		assert_true(lab_body_is(lab, facts.blob, sizes[i]));
		message_facts_release(&facts);
	}
	lab_is_good(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_DUE), sizeof(sizes) / sizeof(sizes[0]));
}

/* What is longer than a page continues: 50 recipients with everything at its longest. */
static void stores_long_deliveries(void **state)
{
	struct lab *lab = *state;
	struct put *put = lab_message(lab, 10);
	struct delivery *d = lab_delivery(2, -9, 65535, CLOCK_NEVER, SPOOL_RECIPIENTS_MAX);
	char text[600];
	uint64_t id;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < d->count; i++) {
		d->recipients[i].to.orcpt = memory_text(text);
		d->recipients[i].last_reply = memory_text(text);
	}
	put_add_delivery(put, d);
	assert_int_equal(lab_put(lab, put, &id), 0);
	d = lab_read(lab, id, 1);
	assert_int_equal(d->count, SPOOL_RECIPIENTS_MAX);
	assert_string_equal(d->recipients[49].to.address.text, "to49@example.net");
	assert_string_equal(d->recipients[49].last_reply, text);
	assert_int_equal(d->priority, -9);
	assert_true(d->due_us == CLOCK_NEVER);
	delivery_free(&d);
	assert_true(lab_rows(lab->sp, TABLE_DELIVERY) > 10);
	lab_is_good(lab);

	/* Claimed with one recipient left: the rows beyond are gone. */
	struct transition *t = lab_to_claim(lab, id, 1, 1);
	for (size_t i = 1; i < t->now->count; i++) {
		recipient_release(&t->now->recipients[i].to);
		free(t->now->recipients[i].last_reply);
	}
	t->now->count = 1;
	assert_int_equal(lab_claim(lab, t), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_DELIVERY), 1);
	lab_is_good(lab);
}

/* As many inboxes as a head has room for; one more is refused, not a crash. */
static void bounds_entries(void **state)
{
	struct lab *lab = *state;

	for (uint32_t count = SPOOL_ENTRIES_MAX; count <= SPOOL_ENTRIES_MAX + 1; count++) {
		struct put *put = lab_message(lab, 10);

		for (uint32_t i = 0; i < count; i++) {
			struct bytes summary = { 0 };

			put_add_entry(put, i + 1, &summary);
		}
		assert_int_equal(lab_put(lab, put, NULL), count > SPOOL_ENTRIES_MAX ? -1 : 0);
		assert_int_equal(lab_rows(lab->sp, TABLE_INBOX), SPOOL_ENTRIES_MAX);
		lab_is_good(lab);
	}
	for (uint32_t i = 0; i < SPOOL_ENTRIES_MAX; i++)
		assert_int_equal(lab_remove(lab, i + 1, NULL, 0), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_MESSAGE), 0);
}

/* ---- transitions: the rows that each leaves ------------------------------------------ */

struct rows {
	size_t messages, deliveries, due, claims, bodies;
};

static void rows_are(struct lab *lab, struct rows want)
{
	struct spool_counts counts;

	assert_int_equal(lab_rows(lab->sp, TABLE_BLOB), want.messages);
	assert_int_equal(lab_rows(lab->sp, TABLE_DELIVERY), want.deliveries);
	assert_int_equal(lab_rows(lab->sp, TABLE_DUE), want.due);
	assert_int_equal(lab_rows(lab->sp, TABLE_CLAIM), want.claims);
	assert_int_equal(lab_rows(lab->sp, TABLE_BODY), want.bodies);
	reader_counts(lab->reader, &counts);
	assert_int_equal(counts.messages, want.messages);
	assert_int_equal(counts.deliveries, want.deliveries);
	assert_int_equal(counts.claims, want.claims);
	lab_is_good(lab);
}

static void claims_and_sends(void **state)
{
	struct lab *lab = *state;
	uint64_t id = lab_simple(lab, 5000);
	struct delivery *d;

	rows_are(lab, (struct rows){ 1, 1, 1, 0, 2 });
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 7)), 0);
	rows_are(lab, (struct rows){ 1, 1, 0, 1, 2 });
	d = lab_read(lab, id, 1);
	assert_int_equal(d->attempts, 1);
	delivery_free(&d);
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 1, 7)), 0);
	rows_are(lab, (struct rows){ 0, 0, 0, 0, 0 });
	assert_int_equal(lab_rows(lab->sp, TABLE_MESSAGE), 0);
}

static void claims_without_rewriting(void **state)
{
	struct lab *lab = *state;
	uint64_t id = lab_simple(lab, 10);
	struct transition *t = lab_to_claim(lab, id, 1, 7);
	struct delivery *d;

	delivery_free(&t->now);
	assert_int_equal(lab_claim(lab, t), 0);
	rows_are(lab, (struct rows){ 1, 1, 0, 1, 1 });
	d = lab_read(lab, id, 1);
	assert_int_equal(d->attempts, 0);
	delivery_free(&d);
}

static void defers(void **state)
{
	struct lab *lab = *state;
	uint64_t id = lab_simple(lab, 10);
	struct transition *t;
	struct delivery *d;

	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 7)), 0);
	t = lab_to_defer(lab, id, 1, 7, LAB_WALL + CLOCK_HOUR);
	t->now->pinned = 3;
	t->now->recipients[0].last_reply = memory_text("451 4.7.1 Greylisted");
	assert_int_equal(lab_outcome(lab, t), 0);
	rows_are(lab, (struct rows){ 1, 1, 1, 0, 1 });
	d = lab_read(lab, id, 1);
	assert_true(d->due_us == LAB_WALL + CLOCK_HOUR);
	assert_int_equal(d->pinned, 3);
	assert_string_equal(d->recipients[0].last_reply, "451 4.7.1 Greylisted");
	delivery_free(&d);
}

/* Held, released and moved: another due row, no claim. */
static void moves(void **state)
{
	struct lab *lab = *state;
	uint64_t id = lab_simple(lab, 10);
	const int64_t times[] = { CLOCK_NEVER, LAB_WALL, 0 };

	for (size_t i = 0; i < 3; i++) {
		struct transition *t = lab_to_claim(lab, id, 1, 0);

		t->claims = false;
		t->now->due_us = times[i];
		t->now->queue = (uint32_t)i;
		assert_int_equal(lab_outcome(lab, t), 0);
		rows_are(lab, (struct rows){ 1, 1, 1, 0, 1 });
	}
}

static void expires(void **state)
{
	struct lab *lab = *state;
	uint64_t id = lab_simple(lab, 10);
	struct transition *t = lab_to_claim(lab, id, 1, 0);

	t->claims = false;
	delivery_free(&t->now);
	assert_int_equal(lab_outcome(lab, t), 0);
	rows_are(lab, (struct rows){ 0, 0, 0, 0, 0 });
}

/* A grant takes two of five; the outcome separates these: each part is a delivery. */
static void splits(void **state)
{
	struct lab *lab = *state;
	struct put *put = lab_message(lab, 10);
	struct transition *t;
	uint32_t n[8];
	uint64_t id;

	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 2));
	assert_int_equal(lab_put(lab, put, &id), 0);
	t = lab_to_claim(lab, id, 1, 7);
	transition_apart(t, lab_delivery(1, 0, 5, LAB_WALL, 3));
	assert_int_equal(lab_claim(lab, t), 0);
	rows_are(lab, (struct rows){ 1, 2, 1, 1, 1 });

	t = lab_to_end(lab, id, 1, 7);
	transition_apart(t, lab_delivery(1, 0, 5, LAB_WALL + 5, 1));
	transition_apart(t, lab_delivery(4, 0, 5, LAB_WALL + 9, 1));
	assert_int_equal(lab_outcome(lab, t), 0);
	rows_are(lab, (struct rows){ 1, 3, 3, 0, 1 });
	assert_int_equal(reader_deliveries(lab->reader, id, 0, n, 8), 3);
	assert_int_equal(n[0], 2);
	assert_int_equal(n[1], 3);
	assert_int_equal(n[2], 4);
	assert_int_equal(reader_deliveries(lab->reader, id, 3, n, 1), 1);
	assert_int_equal(n[0], 3);
}

/* RFC 2852: an alarm for each part, from the put to its end, whatever happens between. */
static void alarms(void **state)
{
	struct lab *lab = *state;
	struct put *put = lab_message(lab, 10);
	struct delivery *d = lab_delivery(1, 0, 0, 5, 3);
	struct alarm found[4], from = { .time_us = 0 };
	struct transition *t;
	uint64_t id;

	d->return_by_us = 1000;
	put_add_delivery(put, d);
	assert_int_equal(lab_put(lab, put, &id), 0);
	assert_int_equal(reader_alarms(lab->reader, &from, 999, found, 4), 0);
	assert_int_equal(reader_alarms(lab->reader, &from, 1000, found, 4), 1);
	assert_true(found[0].time_us == 1000 && found[0].id == id && found[0].n == 1);
	t = lab_to_claim(lab, id, 1, 1);
	transition_apart(t, lab_read(lab, id, 1));
	assert_int_equal(lab_claim(lab, t), 0);
	lab_is_good(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_ALARM), 2);
	assert_int_equal(lab_outcome(lab, lab_to_defer(lab, id, 1, 1, 77)), 0);
	lab_is_good(lab);
	assert_int_equal(reader_alarms(lab->reader, &from, 2000, found, 4), 2);
	assert_true(found[1].id == id && found[1].n == 2);
	found[0].n++;
	assert_int_equal(reader_alarms(lab->reader, &found[0], 2000, found, 4), 1);
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 2)), 0);
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 1, 2)), 0);
	lab_is_good(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_ALARM), 1);
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 2, 3)), 0);
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 2, 3)), 0);
	lab_is_good(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_ALARM), 0);
}

/* An alarm that rang goes, or moves; two at the same time are one row. */
static void warnings(void **state)
{
	static const struct {
		int64_t return_by_us, warn_us, then_us;
		uint64_t rows, rows_then;
	} cases[] = {
		{ 0, 500, 0, 1, 0 },      { 1000, 500, 0, 2, 1 },  { 1000, 500, 600, 2, 2 },
		{ 500, 500, 0, 1, 1 },    { 500, 500, 700, 1, 2 }, { 1000, 500, 1000, 2, 1 },
		{ 1000, 500, 500, 2, 2 }, { 500, 500, 500, 1, 1 },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct put *put = lab_message(lab, 10);
		struct delivery *d = lab_delivery(1, 0, 0, 5, 3);
		struct transition *t;
		uint64_t id;

		d->return_by_us = cases[i].return_by_us;
		d->warn_us = cases[i].warn_us;
		put_add_delivery(put, d);
		assert_int_equal(lab_put(lab, put, &id), 0);
		lab_is_good(lab);
		assert_int_equal(lab_rows(lab->sp, TABLE_ALARM), cases[i].rows);
		assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 1)), 0);
		assert_int_equal(lab_rows(lab->sp, TABLE_ALARM), cases[i].rows);
		t = lab_to_defer(lab, id, 1, 1, 77);
		t->now->warn_us = cases[i].then_us;
		assert_int_equal(lab_outcome(lab, t), 0);
		lab_is_good(lab);
		assert_int_equal(lab_rows(lab->sp, TABLE_ALARM), cases[i].rows_then);
		assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 2)), 0);
		assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 1, 2)), 0);
		lab_is_good(lab);
		assert_int_equal(lab_rows(lab->sp, TABLE_ALARM), 0);
	}
}

/* The failure and its bounce are one transaction; the bounce is due at once. */
static void bounces(void **state)
{
	struct lab *lab = *state;
	uint64_t id = lab_simple(lab, 10), bounce;
	struct put *put = lab_message(lab, 3000);
	struct transition *t;
	struct fate fate;

	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 7)), 0);
	put_add_delivery(put, lab_delivery(2, 0, 1, LAB_WALL, 1));
	t = lab_to_end(lab, id, 1, 7);
	t->bounce = put;
	lab_send_outcome(lab, t, &fate);
	lab_wait(lab, &fate.done);
	assert_int_equal(fate.result, 0);
	bounce = t->bounce->facts.id;
	transition_free(&t);
	assert_true(bounce > id);
	rows_are(lab, (struct rows){ 1, 1, 1, 0, 1 });
	assert_true(lab_body_is(lab, bounce, 3000));
}

/* A delivery ends and its mail goes into an inbox: the body stays, though its message goes. */
static void moves_into_an_inbox(void **state)
{
	struct lab *lab = *state;
	uint64_t id = lab_simple(lab, 3000), sequence = 1, moved;
	struct message_facts facts;
	struct bytes summary = { 0 };
	struct transition *t;
	struct delivery *d = lab_read(lab, id, 1);
	struct put *put = lab_message(lab, 0);
	char content[4096];
	struct fate fate;
	size_t got;

	assert_true(reader_message(lab->reader, id, &facts));
	put->shares = true;
	put->facts.blob = facts.blob;
	put->facts.size = facts.size;
	message_facts_release(&facts);
	bytes_append_text(&summary, "summary");
	put_add_entry(put, 1, &summary);
	t = transition_new(id, 1);
	t->has_due = true;
	t->due = lab_due_of(d);
	delivery_free(&d);
	t->bounce = put;
	lab_send_outcome(lab, t, &fate);
	lab_wait(lab, &fate.done);
	assert_int_equal(fate.result, 0);
	moved = t->bounce->facts.id;
	transition_free(&t);
	lab_is_good(lab);
	assert_false(reader_message(lab->reader, id, &facts));
	assert_true(reader_message(lab->reader, moved, &facts));
	assert_int_equal(facts.blob, id);
	message_facts_release(&facts);
	assert_int_equal(reader_body(lab->reader, id, 0, content, sizeof(content), &got), 0);
	assert_int_equal(got, 3000);
	assert_int_equal(lab_rows(lab->sp, TABLE_BLOB), 1);
	assert_int_equal(lab_remove(lab, 1, &sequence, 1), 0);
	lab_is_good(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_BLOB), 0);
}

/* Two deliveries and an inbox entry hold one body: it goes with the last of them. */
static void holds(void **state)
{
	struct lab *lab = *state;
	struct put *put = lab_message(lab, 5000);
	struct bytes summary = { 0 };
	uint64_t id, sequence = 1;

	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 1));
	put_add_delivery(put, lab_delivery(2, 0, 5, LAB_WALL, 1));
	bytes_append_text(&summary, "summary");
	put_add_entry(put, 1, &summary);
	assert_int_equal(lab_put(lab, put, &id), 0);
	for (uint32_t n = 1; n <= 2; n++) {
		assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, n, n)), 0);
		assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, n, n)), 0);
	}
	rows_are(lab, (struct rows){ 1, 0, 0, 0, 2 });
	assert_int_equal(lab_remove(lab, 1, &sequence, 1), 0);
	rows_are(lab, (struct rows){ 0, 0, 0, 0, 0 });
	assert_int_equal(lab_rows(lab->sp, TABLE_MESSAGE), 0);
}

/* Nobody holds it (discarded): accepted with an id, and nothing is kept. */
static void discards(void **state)
{
	struct lab *lab = *state;
	uint64_t first, second;

	assert_int_equal(lab_put(lab, lab_message(lab, 10), &first), 0);
	assert_int_equal(lab_put(lab, lab_message(lab, 10), &second), 0);
	assert_true(first != 0 && second > first);
	rows_are(lab, (struct rows){ 0, 0, 0, 0, 0 });
}

/* ---- refusals: nothing changes ----------------------------------------------------------- */

static void spoil_due(struct transition *t)
{
	t->due.time_us++;
}
static void spoil_due_id(struct transition *t)
{
	t->due.n++;
}
static void spoil_n(struct transition *t)
{
	t->n = 9;
	t->due.n = 9;
}
static void spoil_id(struct transition *t)
{
	t->id++;
	t->due.id++;
}
static void spoil_state(struct transition *t)
{
	t->has_due = false;
}
static void spoil_both(struct transition *t)
{
	t->unclaims = true;
}
static void spoil_slot(struct transition *t)
{
	t->claim.slot = 1; /* taken */
}

static void refuses_claims(void **state)
{
	static void (*const spoils[])(struct transition * t) = {
		spoil_due, spoil_due_id, spoil_n, spoil_id, spoil_state, spoil_both, spoil_slot
	};
	struct lab *lab = *state;
	uint64_t taken = lab_simple(lab, 10), id = lab_simple(lab, 10);

	assert_int_equal(lab_claim(lab, lab_to_claim(lab, taken, 1, 1)), 0);
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		struct transition *t = lab_to_claim(lab, id, 1, 2);

		spoils[i](t);
		assert_int_equal(lab_claim(lab, t), -1);
		rows_are(lab, (struct rows){ 2, 2, 1, 1, 2 });
	}
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 2)), 0);
}

static void refuses_outcomes(void **state)
{
	struct lab *lab = *state;
	uint64_t id = lab_simple(lab, 10), other = lab_simple(lab, 10);
	struct transition *t;

	/* Not claimed, claimed in another slot, another's claim, ended twice. */
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 1, 7)), -1);
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 7)), 0);
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 1, 8)), -1);
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, other, 1, 7)), -1);
	t = lab_to_defer(lab, id, 1, 7, LAB_WALL);
	t->has_due = true;
	t->due = lab_due_of(t->now);
	assert_int_equal(lab_outcome(lab, t), -1);
	rows_are(lab, (struct rows){ 2, 2, 1, 1, 2 });
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 1, 7)), 0);
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 1, 7)), -1);
	rows_are(lab, (struct rows){ 1, 1, 1, 0, 1 });
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

struct used {
	struct spool_count counts[64];
	size_t count;
};

static void see_used(void *context, const struct spool_count *count)
{
	struct used *used = context;

	used->counts[used->count++] = *count;
}

/* Counts ride in the transaction of a transition, add up, and old slices go. */
static void counts_what_was_used(void **state)
{
	struct lab *lab = *state;
	struct used used = { .count = 0 };

	for (uint64_t i = 0; i < 40; i++) {
		uint64_t id = lab_simple(lab, 10);
		struct delivery *d = lab_read(lab, id, 1);
		struct transition *t = transition_new(id, 1);
		struct spool_count count = { .kind = 1,
			                     .owner = 7,
			                     .window = 1000,
			                     .slice = i / 2,
			                     .amount = 3,
			                     .keep = 5 };
		struct spool_count value = { .kind = 4, .owner = 7, .amount = i, .set = true };

		t->has_due = true;
		t->due =
			(struct due_row){ d->queue, d->priority, d->class, d->due_us, d->id, d->n };
		transition_count(t, &count);
		transition_count(t, &value);
		assert_int_equal(lab_outcome(lab, t), 0);
		delivery_free(&d);
	}
	lab_reopen(lab);
	reader_used(lab->reader, see_used, &used);
	assert_int_equal(used.count, 6 + 1);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(used.counts[i].slice, 14 + i);
		assert_int_equal(used.counts[i].amount, 6);
	}
	assert_int_equal(used.counts[6].amount, 39);
	lab_is_good(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(stores_sizes),
		CASE(stores_long_deliveries),
		CASE(claims_and_sends),
		CASE(claims_without_rewriting),
		CASE(defers),
		CASE(moves),
		CASE(expires),
		CASE(splits),
		CASE(alarms),
		CASE(warnings),
		CASE(moves_into_an_inbox),
		CASE(bounces),
		CASE(holds),
		CASE(discards),
		CASE(bounds_entries),
		CASE(refuses_claims),
		CASE(refuses_outcomes),
		CASE(counts_what_was_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
