/* SPDX-License-Identifier: ISC */
/* test_sieve.c - a search through the sieve misses nothing that a look at every entry finds. */
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

static void store(struct lab *lab, uint32_t inbox, const char *text, const char *label)
{
	struct put *put = lab_message(lab, 10);
	struct bytes summary = { 0 };
	struct put_entry *entry;

	put_add_entry(put, inbox, &summary);
	entry = &put->entries[0];
	bytes_append_text(&entry->extras[SPOOL_TEXT], text);
	if (label != NULL) {
		entry->labels = memory_new(sizeof(char *));
		entry->labels[entry->label_count++] = memory_text(label);
	}
	assert_int_equal(lab_put(lab, put, NULL), 0);
}

/* Entry i has "number i", and every tenth "tenth". */
static void fill(struct lab *lab, uint32_t inbox, size_t count)
{
	char text[100];

	for (size_t i = 1; i <= count; i++) {
		snprintf(text, sizeof(text), "letter number %zu of %s%s", i,
		         i % 2 == 0 ? "even" : "odd", i % 10 == 0 ? " tenth" : "");
		store(lab, inbox, text, NULL);
	}
}

struct seen {
	const char *needle;
	struct bytes found; /* "9 7 5 " */
	size_t looked;
};

static void see(void *context, const struct inbox_row *row)
{
	struct seen *seen = context;
	size_t length = strlen(seen->needle);
	struct span labels = row->labels, label;
	bool found = length == 0 ||
	             (row->text.length >= length &&
	              memmem(row->text.data, row->text.length, seen->needle, length) != NULL);

	while (row_label(&labels, &label))
		found = found || span_equal_nocase(label, span_of_text(seen->needle));
	seen->looked++;
	if (found)
		bytes_printf(&seen->found, "%llu ", (unsigned long long)row->sequence);
}

static void walk(struct lab *lab, struct seen *seen, bool sifts, uint64_t before, size_t max)
{
	struct inbox_sieve sieve = { .count = 0 };

	if (sifts)
		inbox_sieve_add(&sieve, span_of_text(seen->needle));
	do
		before = reader_inbox_sift(lab->reader, 1, before, max, &sieve, see, seen);
	while (before != 0);
}

/* The same with and without sieve; how many were looked at with it. */
static size_t look_for(struct lab *lab, const char *needle, uint64_t before, size_t max)
{
	struct seen through = { .needle = needle }, all = { .needle = needle };

	walk(lab, &through, true, before, max);
	walk(lab, &all, false, before, max);
	assert_string_equal(bytes_text(&through.found), bytes_text(&all.found));
	bytes_release(&through.found);
	bytes_release(&all.found);
	return through.looked;
}

static void misses_nothing(void **state)
{
	static const char *const needles[] = { "number 7 ",       "tenth", "even",
		                               "nowhere",         "od",    "",
		                               "letter number 20" };
	static const uint64_t gone[] = { 1, 15, 16, 17, 44, 45, 60 };
	struct lab *lab = *state;

	store(lab, 2, "letter number 7 of another", NULL);
	fill(lab, 1, 100);
	store(lab, 0, "letter number 7 of another", NULL);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(needles) / sizeof(needles[0]); i++)
			for (size_t max = 1; max < 40; max += 13) {
				look_for(lab, needles[i], 0, max);
				look_for(lab, needles[i], 1, max);
				look_for(lab, needles[i], 46, max);
				look_for(lab, needles[i], 500, max);
			}
		lab_is_good(lab);
		assert_int_equal(lab_remove(lab, 1, gone, 7), 0);
		lab_is_good(lab);
	}
	assert_int_equal(look_for(lab, "nowhere", 0, 100), 0);
	assert_true(look_for(lab, "tenth", 0, 100) < 15);
	assert_int_equal(lab_remove(lab, 1, NULL, 0), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_SIEVE), 2);
	assert_int_equal(look_for(lab, "tenth", 0, 100), 0);
}

static void change_done(struct spool_request *request, int result)
{
	*(bool *)((struct inbox_change *)(void *)request)->owner = result == 0;
}

static void set_label(struct lab *lab, uint64_t sequence, const char *label)
{
	char *labels[] = { (char *)(uintptr_t)label };
	bool done = false;
	struct inbox_change change = { .request = { .home = lab->home, .done = change_done },
		                       .inbox = 1,
		                       .what = INBOX_SET_LABELS,
		                       .sequences = &sequence,
		                       .count = 1,
		                       .labels = labels,
		                       .label_count = 1,
		                       .owner = &done };

	spool_inbox_change(lab->sp, &change);
	lab_wait(lab, &done);
	lab_is_good(lab);
}

static void labels_pass(void **state)
{
	struct lab *lab = *state;

	fill(lab, 1, 50);
	store(lab, 1, "tagged at once", "Invoice");
	store(lab, 1, "tagged at once",
	      "Gr\xc3\xbc\xc3\x9f"
	      "e");
	store(lab, 1, "tagged at once", "a+b");
	assert_true(look_for(lab, "invoice", 0, 100) >= 1);
	set_label(lab, 7, "Later-On");
	assert_true(look_for(lab, "later-on", 0, 100) >= 1);
	set_label(lab, 8, "a;b");
	assert_true(look_for(lab, "a;b", 0, 100) >= 1);
	set_label(lab, 8, "x");
	lab_is_good(lab);
}

/* What has no text is always looked at; a long one as often as it may have it. */
static void texts_of_any_length(void **state)
{
	struct lab *lab = *state;
	struct bytes text = { 0 };

	fill(lab, 1, 20);
	store(lab, 1, "", NULL);
	store(lab, 1, "ab", NULL);
	for (size_t i = 0; text.length < 20000; i++)
		bytes_printf(&text, "%zx ", i * 7919);
	bytes_append_text(&text, "the end");
	store(lab, 1, bytes_text(&text), NULL);
	assert_true(look_for(lab, "the end", 0, 100) >= 2);
	assert_true(look_for(lab, "elephant", 0, 100) <= 2);
	look_for(lab, "ab", 0, 100);
	lab_is_good(lab);
	bytes_release(&text);
}

/* As a version without a sieve left it. */
static void forget_sieve(struct lab *lab, uint64_t plain)
{
	struct write w = { .sp = lab->sp };
	struct key key = key_of_sieve(1, 0);
	struct inbox_tally *tally;
	struct span found, value;

	assert_int_equal(write_begin(&w), 0);
	assert_int_equal(write_inbox(&w, 1, &tally), 0);
	tally->plain = plain;
	while (write_seek(&w, TABLE_SIEVE, &key, &found, &value) == 0)
		assert_int_equal(write_delete_here(&w, TABLE_SIEVE), 0);
	assert_int_equal(write_commit(&w), 0);
	write_release(&w);
}

static void earlier_entries_are_found(void **state)
{
	static const uint64_t some[] = { 3, 38, 39, 41, 45 };
	struct lab *lab = *state;

	fill(lab, 1, 40);
	lab_close(lab);
	lab_open_only(lab);
	forget_sieve(lab, 40);
	lab_start(lab);
	lab_is_good(lab);
	for (int round = 0; round < 3; round++) {
		for (size_t max = 1; max < 30; max += 7) {
			look_for(lab, "tenth", 0, max);
			look_for(lab, "number 1", 41, max);
			look_for(lab, "number 1", 20, max);
			look_for(lab, "even", 44, max);
		}
		if (round == 0)
			fill(lab, 1, 30);
		else if (round == 1)
			assert_int_equal(lab_remove(lab, 1, some, 5), 0);
		lab_is_good(lab);
	}
	set_label(lab, 40, "Later");
	set_label(lab, 42, "Later");
	assert_true(look_for(lab, "later", 0, 100) >= 2);
	assert_int_equal(lab_remove(lab, 1, NULL, 0), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_SIEVE), 0);
	lab_is_good(lab);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(misses_nothing),
		CASE(labels_pass),
		CASE(texts_of_any_length),
		CASE(earlier_entries_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
