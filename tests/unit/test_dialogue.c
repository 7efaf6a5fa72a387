/* SPDX-License-Identifier: ISC */
/* test_dialogue.c - records of dialogues: what is put comes back, and nothing else does. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mail/dialogue.h"

static const struct {
	int64_t time_us;
	enum dialogue_from from;
	const char *text;
} lines[] = {
	{ 1, DIALOGUE_SERVER, "220 mx.test ESMTP Penstock" },
	{ INT64_C(1790000000000000), DIALOGUE_CLIENT, "" },
	{ 3, DIALOGUE_NOTE, "(TLS: TLSv1.3)" },
	{ 4, DIALOGUE_CLIENT, "N\xc3\xa4 \xff\x01" },
};
#define LINES (sizeof lines / sizeof lines[0])

static void put_all(struct bytes *record)
{
	dialogue_begin(record);
	for (size_t i = 0; i < LINES; i++) {
		const struct dialogue_line line = { lines[i].time_us, lines[i].from,
			                            span_of_text(lines[i].text) };
		size_t before = record->length;

		dialogue_put(record, &line);
		assert_int_equal(record->length - before,
		                 DIALOGUE_LINE_HEAD + strlen(lines[i].text));
	}
}

static void what_is_put_comes_back(void **state)
{
	struct bytes record = { 0 };
	struct dialogue_reader r;
	struct dialogue_line line;

	(void)state;
	put_all(&record);
	r = dialogue_reader(bytes_span(&record), 7);
	for (size_t i = 0; i < LINES; i++) {
		assert_true(dialogue_next(&r, &line));
		assert_true(line.time_us == lines[i].time_us);
		assert_int_equal(line.from, lines[i].from);
		assert_true(span_equal(line.text, span_of_text(lines[i].text)));
	}
	assert_false(dialogue_next(&r, &line));
	bytes_release(&record);
}

static void the_id_is_completed(void **state)
{
	const struct dialogue_line put = { 1, DIALOGUE_QUEUED, span_of_text("250 queued as") };
	struct bytes record = { 0 };
	struct dialogue_reader r;
	struct dialogue_line line;

	(void)state;
	dialogue_begin(&record);
	dialogue_put(&record, &put);
	r = dialogue_reader(bytes_span(&record), 10);
	assert_true(dialogue_next(&r, &line));
	assert_int_equal(line.from, DIALOGUE_SERVER);
	assert_true(span_equal_text(line.text, "250 queued as 000000000000A"));
	bytes_release(&record);
}

/* Cut or changed anywhere: fewer lines, none beyond the record. */
static void damage_ends_it(void **state)
{
	struct bytes record = { 0 };
	struct dialogue_line line;

	(void)state;
	put_all(&record);
	for (size_t length = 0; length < record.length; length++) {
		struct dialogue_reader r = dialogue_reader(span_of(record.data, length), 0);
		size_t count = 0;

		while (dialogue_next(&r, &line))
			count++;
		assert_true(count < LINES);
	}
	for (size_t at = 0; at < record.length; at++) {
		struct dialogue_reader r;

		record.data[at] ^= 0xff;
		r = dialogue_reader(bytes_span(&record), 0);
		while (dialogue_next(&r, &line))
			assert_true(line.text.data + line.text.length <=
			            record.data + record.length);
		record.data[at] ^= 0xff;
	}
	bytes_release(&record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_comes_back),
		cmocka_unit_test(the_id_is_completed),
		cmocka_unit_test(damage_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
