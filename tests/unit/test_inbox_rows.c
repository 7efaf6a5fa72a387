/* SPDX-License-Identifier: ISC */
/* test_inbox_rows.c - inbox entries with labels, read marks and extras: stored, listed, changed,
 * removed, and counted at every step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "spool_lab.h"

#include "base/memory.h"

static void fill(struct bytes *out, size_t length, char first)
{
	bytes_reserve(out, length);
	for (size_t i = 0; i < length; i++)
		out->data[i] = (unsigned char)(first + (char)(i % 26));
	out->length = length;
}

static char **labels_of(const char *text, size_t *count_r)
{
	char *copy = memory_text(text), *rest = copy, *word;
	char **labels = memory_new_array(SPOOL_LABELS_MAX + 2, sizeof(*labels));

	*count_r = 0;
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word != '\0')
			labels[(*count_r)++] = memory_text(word);
	free(copy);
	return labels;
}

/* A message of `size` octets in an inbox, with a summary that begins with S. */
static struct put *entry_of(struct lab *lab, uint32_t inbox, size_t size, const char *labels)
{
	struct put *put = lab_message(lab, size);
	struct bytes summary = { 0 };
	struct put_entry *entry;

	fill(&summary, 100, 'S');
	put_add_entry(put, inbox, &summary);
	entry = &put->entries[0];
	entry->labels = labels_of(labels, &entry->label_count);
	return put;
}

static uint64_t store(struct lab *lab, uint32_t inbox, size_t size, const char *labels)
{
	uint64_t id;

	assert_int_equal(lab_put(lab, entry_of(lab, inbox, size, labels), &id), 0);
	return id;
}

/* An entry as "SEQUENCE[*](LABELS)", * for unread. */
static void describe(struct bytes *out, const struct inbox_entry *e)
{
	bytes_printf(out, "%s%llu%s", out->length > 0 ? " " : "", (unsigned long long)e->sequence,
	             e->read ? "" : "*");
	for (size_t i = 0; i < e->label_count; i++)
		bytes_printf(out, "%s%s", i == 0 ? "(" : ",", e->labels[i]);
	bytes_append_text(out, e->label_count > 0 ? ")" : "");
}

static void list_is(struct lab *lab, uint64_t from, bool backwards, uint64_t skip, size_t max,
                    const char *want)
{
	struct inbox_entry *entries = memory_new_array(max, sizeof(*entries));
	size_t count = reader_inbox_list(lab->reader, 1, from, backwards, skip, entries, max);
	struct bytes text = { 0 };

	for (size_t i = 0; i < count; i++) {
		describe(&text, &entries[i]);
		inbox_entry_release(&entries[i]);
	}
	assert_string_equal(bytes_text(&text), want);
	bytes_release(&text);
	free(entries);
}

static void all_are(struct lab *lab, const char *want)
{
	list_is(lab, 0, false, 0, 1000, want);
	lab_is_good(lab);
}

static void add_label(void *context, const char *label, uint64_t count)
{
	struct bytes *text = context;

	bytes_printf(text, "%s%s=%llu", text->length > 0 ? " " : "", label,
	             (unsigned long long)count);
}

static void labels_are(struct lab *lab, uint32_t inbox, const char *want)
{
	struct bytes text = { 0 };

	reader_inbox_labels(lab->reader, inbox, add_label, &text);
	assert_string_equal(bytes_text(&text), want);
	bytes_release(&text);
}

static void change_done(struct spool_request *request, int result)
{
	struct fate *fate = ((struct inbox_change *)(void *)request)->owner;

	*fate = (struct fate){ .done = true, .result = result };
}

/* How many changed; -1: refused. */
static int change(struct lab *lab, enum inbox_change_kind what, const uint64_t *sequences,
                  size_t count, const char *labels)
{
	struct fate fate = { .done = false };
	struct inbox_change change = { .request = { .home = lab->home, .done = change_done },
		                       .inbox = 1,
		                       .what = what,
		                       .sequences = (uint64_t *)(uintptr_t)sequences,
		                       .count = count,
		                       .owner = &fate };

	change.labels = labels_of(labels, &change.label_count);
	spool_inbox_change(lab->sp, &change);
	lab_wait(lab, &fate.done);
	for (size_t i = 0; i < change.label_count; i++)
		free(change.labels[i]);
	free(change.labels);
	lab_is_good(lab);
	return fate.result == 0 ? (int)change.changed : -1;
}

/* ---- storing and reading ------------------------------------------------------------------ */

static void entries_come_back(void **state)
{
	struct lab *lab = *state;
	struct inbox_entry entry;
	struct inbox_counts counts;
	uint64_t id = store(lab, 1, 700, "red green"), other = store(lab, 2, 5, "");

	assert_true(reader_inbox_entry(lab->reader, 1, 1, &entry));
	assert_true(entry.sequence == 1 && entry.id == id && entry.size == 700);
	assert_true(entry.time_us == LAB_WALL && !entry.read);
	assert_int_equal(entry.label_count, 2);
	assert_string_equal(entry.labels[1], "green");
	assert_int_equal(entry.summary.length, 100);
	assert_int_equal(entry.summary.data[0], 'S');
	inbox_entry_release(&entry);
	assert_false(reader_inbox_entry(lab->reader, 1, 2, &entry));
	assert_false(reader_inbox_entry(lab->reader, 3, 1, &entry));
	assert_int_equal(reader_inbox_sequence(lab->reader, 1, id), 1);
	assert_int_equal(reader_inbox_sequence(lab->reader, 2, id), 0);
	assert_int_equal(reader_inbox_sequence(lab->reader, 2, other), 1);
	assert_int_equal(reader_inbox_sequence(lab->reader, 2, other + 1), 0);
	reader_inbox_counts(lab->reader, 1, &counts);
	assert_true(counts.entries == 1 && counts.unread == 1 && counts.octets == 700 &&
	            counts.removed == 0 && counts.last_sequence == 1);
	reader_inbox_counts(lab->reader, 9, &counts);
	assert_true(counts.entries == 0 && counts.last_sequence == 0);
	lab_is_good(lab);
}

/* A message that came at no known time came with its commit. */
static void entries_have_a_time(void **state)
{
	struct lab *lab = *state;
	struct put *put = entry_of(lab, 1, 10, "");
	struct inbox_entry entry;

	put->facts.trace.time_us = 0;
	assert_int_equal(lab_put(lab, put, NULL), 0);
	assert_true(reader_inbox_entry(lab->reader, 1, 1, &entry));
	assert_true(entry.time_us == clock_wall(&lab->clock.clock));
	inbox_entry_release(&entry);
}

static void extras_come_back(void **state)
{
	struct lab *lab = *state;
	size_t piece = spool_piece_size(lab->sp);
	const size_t sizes[] = { 1, piece, piece + 1, 3 * piece, SPOOL_EXTRA_MAX };
	struct bytes got = { 0 }, want = { 0 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct put *put = entry_of(lab, 1, 10, "");

		fill(&put->entries[0].extras[SPOOL_TEXT], sizes[i], 'T');
		fill(&put->entries[0].extras[SPOOL_PARTS], 7, 'P');
		assert_int_equal(lab_put(lab, put, NULL), 0);
		bytes_clear(&got);
		bytes_clear(&want);
		fill(&want, sizes[i], 'T');
		assert_true(reader_inbox_extra(lab->reader, 1, i + 1, SPOOL_TEXT, &got));
		assert_true(span_equal(bytes_span(&got), bytes_span(&want)));
		bytes_clear(&got);
		assert_true(reader_inbox_extra(lab->reader, 1, i + 1, SPOOL_PARTS, &got));
		assert_int_equal(got.length, 7);
		assert_false(reader_inbox_extra(lab->reader, 1, i + 1, SPOOL_DIALOGUE, &got));
		lab_is_good(lab);
	}
	assert_false(reader_inbox_extra(lab->reader, 1, 99, SPOOL_TEXT, &got));
	assert_int_equal(lab_remove(lab, 1, NULL, 0), 0);
	lab_settle(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_TEXT), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_PART), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_GARBAGE), 0);
	lab_is_good(lab);
	bytes_release(&got);
	bytes_release(&want);
}

/* What an asker has to bound, and did not. */
static void too_much_is_refused(void **state)
{
	struct lab *lab = *state;
	struct put *put = entry_of(lab, 1, 10, "");

	fill(&put->entries[0].extras[SPOOL_DIALOGUE], SPOOL_EXTRA_MAX + 1, 'D');
	assert_int_equal(lab_put(lab, put, NULL), -1);
	put = entry_of(lab, 1, 10, "a b a");
	assert_int_equal(lab_put(lab, put, NULL), -1);
	put = entry_of(lab, 1, 10, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21");
	assert_int_equal(lab_put(lab, put, NULL), -1);
	put = entry_of(lab, 1, 10, "x");
	put->entries[0].labels[0] = memory_grow(put->entries[0].labels[0], SPOOL_LABEL_MAX + 2, 1);
	memset(put->entries[0].labels[0], 'x', SPOOL_LABEL_MAX + 1);
	put->entries[0].labels[0][SPOOL_LABEL_MAX + 1] = '\0';
	assert_int_equal(lab_put(lab, put, NULL), -1);
	assert_int_equal(lab_rows(lab->sp, TABLE_MESSAGE), 0);
	lab_is_good(lab);
}

/* ---- lists -------------------------------------------------------------------------------------
 */

static void lists_go_both_ways(void **state)
{
	static const uint64_t gone[] = { 4, 5 };
	struct lab *lab = *state;

	store(lab, 2, 1, "");
	for (size_t i = 0; i < 8; i++)
		store(lab, 1, 1, "");
	store(lab, 0, 1, "");
	list_is(lab, 0, false, 0, 3, "1* 2* 3*");
	list_is(lab, 3, false, 1, 3, "5* 6* 7*");
	list_is(lab, 0, true, 0, 3, "8* 7* 6*");
	list_is(lab, 6, true, 0, 9, "5* 4* 3* 2* 1*");
	list_is(lab, 0, true, 6, 9, "2* 1*");
	list_is(lab, 0, true, 8, 9, "");
	list_is(lab, 0, true, UINT64_MAX, 9, "");
	list_is(lab, 0, false, 8, 9, "");
	list_is(lab, 7, false, UINT64_MAX, 9, "");
	list_is(lab, 1, true, 0, 9, "");
	list_is(lab, 100, true, 2, 1, "6*");
	list_is(lab, 100, false, 1, 1, "");
	list_is(lab, UINT64_MAX, false, 1, 1, "");
	/* The same with gaps. */
	assert_int_equal(lab_remove(lab, 1, gone, 2), 0);
	list_is(lab, 0, true, 2, 3, "6* 3* 2*");
	list_is(lab, 1, false, 1, 9, "3* 6* 7* 8*");
	list_is(lab, 0, true, 6, 9, "");
	lab_is_good(lab);
}

/* Removed from the front only: places are still reckoned. */
static void lists_reckon_from_the_front(void **state)
{
	static const uint64_t gone[] = { 1, 2, 3 };
	struct lab *lab = *state;

	for (size_t i = 0; i < 9; i++)
		store(lab, 1, 1, "");
	assert_int_equal(lab_remove(lab, 1, gone, 3), 0);
	list_is(lab, 0, true, 1, 2, "8* 7*");
	list_is(lab, 0, true, 5, 2, "4*");
	list_is(lab, 0, true, 6, 2, "");
	list_is(lab, 0, false, 1, 2, "5* 6*");
	list_is(lab, 2, false, 1, 2, "5* 6*");
	list_is(lab, 5, false, 3, 2, "9*");
	list_is(lab, 6, true, 1, 2, "4*");
	list_is(lab, 6, true, 2, 2, "");
}

struct seen {
	struct bytes text;
	size_t count;
};

static void see_row(void *context, const struct inbox_row *row)
{
	struct seen *seen = context;
	struct span labels = row->labels, label;

	bytes_printf(&seen->text, "%llu%s:%zu", (unsigned long long)row->sequence,
	             row->read ? "" : "*", row->text.length);
	for (size_t i = 0; i < row->text.length; i++)
		assert_int_equal(row->text.data[i], 'T' + (char)(i % 26));
	while (row_label(&labels, &label)) {
		bytes_append_char(&seen->text, '+');
		bytes_append_span(&seen->text, label);
	}
	bytes_append_char(&seen->text, ' ');
	seen->count++;
}

static void scans_newest_first(void **state)
{
	static const size_t sizes[] = { 10, 0, 4080, 4081, 9000, 2000 };
	struct lab *lab = *state;
	struct seen seen = { .count = 0 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct put *put = entry_of(lab, 1, 1, i == 1 ? "a bc" : "");

		fill(&put->entries[0].extras[SPOOL_TEXT], sizes[i], 'T');
		assert_int_equal(lab_put(lab, put, NULL), 0);
		store(lab, 2, 1, "");
	}
	assert_int_equal(reader_inbox_scan(lab->reader, 1, 0, 4, see_row, &seen), 3);
	assert_string_equal(bytes_text(&seen.text), "6*:2000 5*:9000 4*:4081 3*:4080 ");
	bytes_clear(&seen.text);
	assert_int_equal(reader_inbox_scan(lab->reader, 1, 3, 4, see_row, &seen), 0);
	assert_string_equal(bytes_text(&seen.text), "2*:0+a+bc 1*:10 ");
	assert_int_equal(reader_inbox_scan(lab->reader, 1, 1, 4, see_row, &seen), 0);
	assert_int_equal(reader_inbox_scan(lab->reader, 7, 0, 4, see_row, &seen), 0);
	assert_int_equal(seen.count, 6);
	bytes_release(&seen.text);
}

/* ---- changes
 * ------------------------------------------------------------------------------------- */

static void marks_are_changed(void **state)
{
	static const uint64_t some[] = { 2, 99, 3, 2 };
	struct lab *lab = *state;
	struct inbox_counts counts;

	for (size_t i = 0; i < 4; i++)
		store(lab, 1, 10, i == 2 ? "x" : "");
	assert_int_equal(change(lab, INBOX_SET_READ, some, 4, ""), 2);
	all_are(lab, "1* 2 3(x) 4*");
	reader_inbox_counts(lab->reader, 1, &counts);
	assert_int_equal(counts.unread, 2);
	assert_int_equal(change(lab, INBOX_SET_READ, NULL, 0, ""), 2);
	assert_int_equal(change(lab, INBOX_SET_READ, NULL, 0, ""), 0);
	all_are(lab, "1 2 3(x) 4");
	assert_int_equal(change(lab, INBOX_SET_UNREAD, some, 1, ""), 1);
	all_are(lab, "1 2* 3(x) 4");
	lab_reopen(lab);
	all_are(lab, "1 2* 3(x) 4");
}

static void labels_are_changed(void **state)
{
	static const uint64_t some[] = { 1, 3 };
	struct lab *lab = *state;

	for (size_t i = 0; i < 4; i++)
		store(lab, 1, 10, i == 1 ? "b a" : "a");
	store(lab, 2, 10, "a z");
	labels_are(lab, 1, "a=4 b=1");
	assert_int_equal(change(lab, INBOX_SET_LABELS, some, 2, "c d"), 2);
	all_are(lab, "1*(c,d) 2*(b,a) 3*(c,d) 4*(a)");
	labels_are(lab, 1, "a=2 b=1 c=2 d=2");
	assert_int_equal(change(lab, INBOX_SET_LABELS, some, 2, "c d"), 0);
	assert_int_equal(change(lab, INBOX_SET_LABELS, some, 1, ""), 1);
	assert_int_equal(change(lab, INBOX_RENAME_LABEL, NULL, 0, "a e"), 2);
	all_are(lab, "1* 2*(b,e) 3*(c,d) 4*(e)");
	labels_are(lab, 1, "b=1 c=1 d=1 e=2");
	labels_are(lab, 2, "a=1 z=1");
	/* To a label that is there already: one of them goes. */
	assert_int_equal(change(lab, INBOX_RENAME_LABEL, NULL, 0, "b e"), 1);
	all_are(lab, "1* 2*(e) 3*(c,d) 4*(e)");
	assert_int_equal(change(lab, INBOX_RENAME_LABEL, NULL, 0, "e e"), 0);
	assert_int_equal(change(lab, INBOX_DROP_LABEL, NULL, 0, "e"), 2);
	assert_int_equal(change(lab, INBOX_DROP_LABEL, NULL, 0, "e"), 0);
	all_are(lab, "1* 2* 3*(c,d) 4*");
	labels_are(lab, 1, "c=1 d=1");
	assert_int_equal(lab_remove(lab, 1, some, 2), 0);
	labels_are(lab, 1, "");
	all_are(lab, "2* 4*");
	assert_int_equal(change(lab, INBOX_SET_LABELS, some, 2, "a a"), -1);
	assert_int_equal(change(lab, INBOX_RENAME_LABEL, NULL, 0, "a"), -1);
	assert_int_equal(change(lab, INBOX_DROP_LABEL, NULL, 0, ""), -1);
}

/* The record grows over a piece, and comes back to one. */
static void labels_may_need_a_row_more(void **state)
{
	static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz";
	static const uint64_t one[] = { 1 };
	struct lab *lab = *state;
	struct put *put = entry_of(lab, 1, 10, "");
	struct bytes labels = { 0 };
	struct inbox_entry entry;

	bytes_release(&put->entries[0].summary);
	fill(&put->entries[0].summary, spool_piece_size(lab->sp), 'S');
	assert_int_equal(lab_put(lab, put, NULL), 0);
	store(lab, 1, 10, "");
	for (int i = 0; i < SPOOL_LABELS_MAX; i++)
		bytes_printf(&labels, "%s%d ", word, i);
	assert_int_equal(change(lab, INBOX_SET_LABELS, one, 1, bytes_text(&labels)), 1);
	assert_true(reader_inbox_entry(lab->reader, 1, 1, &entry));
	assert_int_equal(entry.label_count, SPOOL_LABELS_MAX);
	assert_int_equal(entry.summary.length, spool_piece_size(lab->sp));
	assert_int_equal(entry.summary.data[4000], 'S' + 4000 % 26);
	inbox_entry_release(&entry);
	assert_int_equal(change(lab, INBOX_SET_LABELS, one, 1, ""), 1);
	list_is(lab, 0, true, 1, 5, "1*");
	list_is(lab, 0, false, 1, 5, "2*");
	assert_int_equal(lab_remove(lab, 1, one, 1), 0);
	lab_is_good(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_INBOX), 1);
	bytes_release(&labels);
}

/* More than one transaction may change or free. */
static void many_are_changed(void **state)
{
	enum { MANY = 3000 };
	struct lab *lab = *state;
	struct fate *fates = memory_new_array(MANY, sizeof(*fates));
	struct put **puts = memory_new_array(MANY, sizeof(struct put *));
	struct inbox_counts counts;

	for (size_t i = 0; i < MANY; i++) {
		puts[i] = entry_of(lab, 1, 10, i % 3 == 0 ? "x" : "");
		fill(&puts[i]->entries[0].extras[SPOOL_TEXT], i % 5000, 'T');
		lab_send_put(lab, puts[i], &fates[i]);
	}
	for (size_t i = 0; i < MANY; i++) {
		lab_wait(lab, &fates[i].done);
		assert_int_equal(fates[i].result, 0);
		put_free(&puts[i]);
	}
	assert_int_equal(change(lab, INBOX_SET_READ, NULL, 0, ""), MANY);
	assert_int_equal(change(lab, INBOX_RENAME_LABEL, NULL, 0, "x yy"), MANY / 3);
	labels_are(lab, 1, "yy=1000");
	reader_inbox_counts(lab->reader, 1, &counts);
	assert_true(counts.unread == 0 && counts.entries == MANY && counts.octets == 10 * MANY);
	assert_int_equal(lab_remove(lab, 1, NULL, 0), 0);
	lab_settle(lab);
	labels_are(lab, 1, "");
	for (unsigned kind = 0; kind < SPOOL_EXTRA_COUNT; kind++)
		assert_int_equal(lab_rows(lab->sp, TABLE_PART + kind), 0);
	reader_inbox_counts(lab->reader, 1, &counts);
	assert_true(counts.entries == 0 && counts.octets == 0 && counts.removed == MANY);
	lab_is_good(lab);
	free(fates);
	free(puts);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(entries_come_back),  CASE(entries_have_a_time),
		CASE(extras_come_back),   CASE(too_much_is_refused),
		CASE(lists_go_both_ways), CASE(lists_reckon_from_the_front),
		CASE(scans_newest_first), CASE(marks_are_changed),
		CASE(labels_are_changed), CASE(labels_may_need_a_row_more),
		CASE(many_are_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
