/* SPDX-License-Identifier: ISC */
/* test_search.c - Mailpit's search language: what each word finds, alone and over a whole inbox. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "inbox/inbox.h"
#include "inbox/search_private.h"
#include "mail/id.h"
#include "spool_lab.h"

#define NOON (INT64_C(1795348800) * CLOCK_SEC) /* 2026-11-22 12:00:00 UTC */

struct letter {
	struct bytes summary, text;
	struct inbox_row row;
};

static struct summary_address address(char *name, char *text)
{
	return (struct summary_address){ name, text };
}

static void letter_init(struct letter *letter)
{
	static const unsigned char labels[] = "\6Orders\3r d";
	struct summary_address to[] = { address("Bob", "bob@example.org"),
		                        address("", "cc@bob.example") };
	struct summary_address cc[] = { address("Zo\xc3\x8b", "zoe@example.net") };
	struct summary_address reply_to[] = { address("", "reply@example.com") };
	struct summary_address bcc[] = { address("", "hidden@example.org") };
	char *recipients[] = { "bob@example.org" };
	struct summary s = { .created_us = NOON,
		             .size = 2000,
		             .message_id = "abc.123@mail.example.com",
		             .subject = "Your ORDER, shipped: \xc3\x84pfel",
		             .sender = "ann@example.com",
		             .from = address("Ann B.", "Ann@Example.com"),
		             .to = to,
		             .to_count = 2,
		             .cc = cc,
		             .cc_count = 1,
		             .reply_to = reply_to,
		             .reply_to_count = 1,
		             .recipients = recipients,
		             .recipient_count = 1,
		             .bcc = bcc,
		             .bcc_count = 1,
		             .snippet = "x",
		             .attachments = 1,
		             .inlines = 2 };

	*letter = (struct letter){ .row = { .sequence = 1 } };
	summary_encode(&s, &letter->summary);
	search_fold(&letter->text,
	            span_of_text("Ann B. <Ann@Example.com> Your ORDER, shipped: \xc3\x84pfel "
	                         "Bob <bob@example.org> The body has\r\nTwo lines; 100% \"good\". "
	                         "Stra\xc3\x9f"
	                         "e invoice.PDF"));
	letter->row.time_us = NOON;
	letter->row.size = 2000;
	letter->row.labels = span_of(labels, sizeof(labels) - 1);
	letter->row.summary = bytes_span(&letter->summary);
	letter->row.text = bytes_span(&letter->text);
}

static void letter_release(struct letter *letter)
{
	bytes_release(&letter->summary);
	bytes_release(&letter->text);
}

static bool finds(const struct letter *letter, const char *query, const char *tz)
{
	struct bytes error = { 0 };
	struct search *search;
	bool found;

	assert_int_equal(search_parse(&search, query, tz, NOON, &error), 0);
	found = search_matches(search, &letter->row);
	search_free(&search);
	assert_null(search);
	bytes_release(&error);
	return found;
}

static const struct {
	const char *query;
	bool found;
} queries[] = {
	{ "", true },
	{ "   ", true },
	{ "\"\"", true },
	{ "order", true },
	{ "OrDeR SHIPPED", true },
	{ "shipped order", true },
	{ "order parcel", false },
	{ "\"order shipped\"", true },
	{ "\"order, shipped:\"", true },
	{ "\"shipped order\"", false },
	{ "has two", true },
	{ "\"body has two lines\"", true },
	{ "ord\"er shi\"pped", true },
	{ "\xc3\xa4PFEL", true },
	{ "stra\xc3\x9f"
	  "e",
	  true },
	{ "100%", true },
	{ "100_", false },
	{ "invoice.pdf", true },
	{ "<bob@example.org>", true },
	{ "orders", true },  /* a tag */
	{ "\"r d\"", true }, /* another */
	{ "-order", false },
	{ "!order", false },
	{ "-parcel", true },
	{ "-\"order shipped\"", false },
	{ "-", false },
	{ "to:bob", true },
	{ "TO:BOB@", true },
	{ "to:ob@example.org", true },
	{ "to:\"bob bob@example\"", true },
	{ "to:zoe", false },
	{ "-to:zoe", true },
	{ "to:", true },
	{ "to:=ob@example.org", false },
	{ "to:=BOB@example.org", true },
	{ "to:=cc@bob.example", true },
	{ "to:=bob", false },
	{ "-to:=bob@example.org", false },
	{ "from:ann@example.com", true },
	{ "from:\"ann b\"", true },
	{ "from:bob", false },
	{ "from:=<ann@example.com>", true },
	{ "cc:zo\xc3\xab", true },
	{ "cc:bob", false },
	{ "bcc:bob", false },
	{ "-bcc:bob", true },
	{ "bcc:hidden", true },
	{ "addressed:hidden", true },
	{ "reply-to:reply", true },
	{ "addressed:zoe", true },
	{ "addressed:reply@", true },
	{ "addressed:nobody", false },
	{ "-addressed:zoe", false },
	{ "addressed:=zoe@example.net", true },
	{ "subject:order", true },
	{ "subject:\"order, shipped\"", true },
	{ "subject:lines", false },
	{ "message-id:ABC.123@", true },
	{ "message-id:xyz", false },
	{ "tag:orders", true },
	{ "tag:order", false },
	{ "tag:\"R D\"", true },
	{ "-tag:orders", false },
	{ "-tag:other", true },
	{ "is:tagged", true },
	{ "-is:tagged", false },
	{ "is:read", false },
	{ "is:unread", true },
	{ "-is:unread", false },
	{ "IS:UNREAD", true },
	{ "is:other", false },
	{ "-is:other", true },
	{ "has:attachment", true },
	{ "-has:attachments", false },
	{ "has:inline", true },
	{ "!has:inlines", false },
	{ "larger:1999", true },
	{ "larger:2000", false },
	{ "-larger:2000", false },
	{ "-larger:2001", true },
	{ "larger:1.5k", true },
	{ "larger:1.5KB", true },
	{ "larger:\"1 kb\"", true },
	{ "larger:1m", false },
	{ "smaller:1M", true },
	{ "smaller:2000", false },
	{ "-smaller:1999", true },
	{ "larger:1.2.3", false },
	{ "larger:x", false },
	{ "after:2026-11-22", true },
	{ "after:2026-11-23", false },
	{ "-after:2026-11-23", true },
	{ "before:2026-11-22", false },
	{ "before:2026-11-23", true },
	{ "after:2026-11-22T12:00:00Z", true },
	{ "before:2026-11-22T12:00:00Z", true },
	{ "after:2026-11-22T12:00:00.001Z", false },
	{ "after:\"22 Nov 2026 13:30 +0200\"", true },
	{ "after:nonsense", true },
	{ "before:nonsense", true },
	{ "after:2026-11-22 before:2026-11-23 order is:unread -zebra", true },
};

static void words_find(void **state)
{
	struct letter letter;

	(void)state;
	letter_init(&letter);
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
		if (finds(&letter, queries[i].query, NULL) != queries[i].found)
			fail_msg("%s", queries[i].query);
	letter.row.read = true;
	assert_true(finds(&letter, "is:read", NULL));
	letter.row.labels = span_of(NULL, 0);
	assert_false(finds(&letter, "is:tagged", NULL));
	letter_release(&letter);
}

static void zones_are_the_askers(void **state)
{
	struct letter letter;

	(void)state;
	letter_init(&letter);
	assert_true(finds(&letter, "after:\"2026-11-22 13:00\"", "Europe/Berlin"));
	assert_false(finds(&letter, "after:\"2026-11-22 13:01\"", "Europe/Berlin"));
	assert_false(finds(&letter, "after:\"2026-11-22 13:00\"", "No/Where"));
	letter_release(&letter);
}

/* An entry of an earlier version has no text, and one that is damaged no summary. */
static void little_is_enough(void **state)
{
	struct letter letter;

	(void)state;
	letter_init(&letter);
	letter.row.text = span_of(NULL, 0);
	assert_true(finds(&letter, "order", NULL));
	assert_true(finds(&letter, "bob@example.org", NULL));
	assert_false(finds(&letter, "lines", NULL));
	for (size_t length = 0; length < letter.summary.length; length++) {
		letter.row.summary = span_of(letter.summary.data, length);
		assert_false(finds(&letter, "zebra", NULL));
		assert_false(finds(&letter, "has:attachment", NULL));
		assert_false(finds(&letter, "has:inline", NULL));
	}
	letter_release(&letter);
}

/* A Message-ID of ours is kept without the message's id. */
static void our_ids_are_whole(void **state)
{
	struct summary s = { .message_id = "@relay.example" };
	struct inbox_row row = { .id = UINT64_C(1795348800000) << 22 };
	struct letter letter = { .row = row };
	struct bytes query = { 0 };
	char id[ID_TEXT_SIZE];

	(void)state;
	summary_encode(&s, &letter.summary);
	letter.row.summary = bytes_span(&letter.summary);
	id_format(row.id, id);
	bytes_printf(&query, "message-id:%s@relay", id);
	assert_true(finds(&letter, bytes_text(&query), NULL));
	assert_false(finds(&letter, "message-id:other@relay", NULL));
	bytes_release(&query);
	letter_release(&letter);
}

static void too_much_is_refused(void **state)
{
	struct bytes query = { 0 }, error = { 0 };
	struct search *search = NULL;

	(void)state;
	for (int i = 0; i < 101; i++)
		bytes_printf(&query, "w%d ", i);
	assert_int_equal(search_parse(&search, bytes_text(&query), NULL, NOON, &error), -1);
	assert_null(search);
	assert_string_equal(bytes_text(&error), "more than 100 words are asked for");
	bytes_release(&query);
	bytes_release(&error);
}

/* Wherever it stands, and wherever it nearly stands. */
static void needles_are_found(void **state)
{
	static const char *const needles[] = {
		"q", "ab", "aab", "zebra", "aaaaaaaaaaaaaaaab", "the quick brown fox jumps over"
	};
	char text[120];

	(void)state;
	for (size_t i = 0; i < sizeof(needles) / sizeof(needles[0]); i++) {
		size_t length = strlen(needles[i]);
		struct needle n;

		needle_init(&n, span_of_text(needles[i]));
		for (size_t size = 0; size <= 60; size++) {
			memset(text, 'a', sizeof(text));
			assert_false(needle_is_in(&n, span_of(text, size)));
			for (size_t at = 0; at + length <= size; at++) {
				/* On the heap at its own size: a sanitizer sees one too many. */
				char *exact = memset(malloc(size), 'a', size);

				memcpy(exact + at, needles[i], length);
				assert_true(needle_is_in(&n, span_of(exact, size)));
				exact[at + length - 1] = '-';
				assert_false(needle_is_in(&n, span_of(exact, size)));
				free(exact);
			}
		}
		needle_release(&n);
	}
}

/* ---- all of an inbox --------------------------------------------------------------------- */

static void put_letter(struct lab *lab, size_t number)
{
	struct put *put = lab_message(lab, 100 + number);
	struct letter letter;
	char text[40];

	letter_init(&letter);
	put->facts.trace.time_us = NOON + (int64_t)number * CLOCK_SEC;
	put_add_entry(put, 1, &letter.summary);
	snprintf(text, sizeof(text), "Letter number %zu of %s", number,
	         number % 2 == 0 ? "two" : "one");
	search_fold(&put->entries[0].extras[SPOOL_TEXT], span_of_text(text));
	assert_int_equal(lab_put(lab, put, NULL), 0);
	letter_release(&letter);
}

struct finding {
	uint64_t found[2000];
	size_t count;
};

static void see(void *context, const struct inbox_row *row)
{
	struct finding *f = context;

	assert_true(f->count < 2000);
	f->found[f->count++] = row->sequence;
}

/* How many of inbox 1 match, the newest and the oldest of them. */
static void scan_is(struct lab *lab, const char *query, size_t count, uint64_t newest,
                    uint64_t oldest)
{
	struct finding *f = memory_new(sizeof(*f));
	struct bytes error = { 0 };
	struct search *search;
	uint64_t before = 0;

	assert_int_equal(search_parse(&search, query, NULL, NOON, &error), 0);
	do
		before = search_scan(search, lab->reader, 1, before, 100, see, f);
	while (before != 0);
	if (f->count != count ||
	    (count > 0 && (f->found[0] != newest || f->found[count - 1] != oldest)))
		fail_msg("%s: %zu, %llu first", query, f->count, (unsigned long long)f->found[0]);
	for (size_t i = 1; i < f->count; i++)
		assert_true(f->found[i] < f->found[i - 1]);
	search_free(&search);
	free(f);
}

static void an_inbox_is_walked(void **state)
{
	struct lab *lab = *state;
	struct finding *f = memory_new(sizeof(*f));

	for (size_t i = 1; i <= 1200; i++)
		put_letter(lab, i);
	scan_is(lab, "of two", 600, 1200, 2);
	scan_is(lab, "\"of two\" -1198", 599, 1200, 2);
	scan_is(lab, "\"number 7 of\"", 1, 7, 7);
	scan_is(lab, "LETTER of ONE", 600, 1199, 1);
	scan_is(lab, "", 1200, 1200, 1);
	scan_is(lab, "zebra", 0, 0, 0);
	scan_is(lab, "wo", 600, 1200, 2);
	scan_is(lab, "-letter", 0, 0, 0);
	scan_is(lab, "from:ann smaller:200", 99, 99, 1);
	assert_int_equal(search_scan(NULL, lab->reader, 1, 4, 2, see, f), 2);
	assert_true(f->count == 2 && f->found[0] == 3 && f->found[1] == 2);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_find),
		cmocka_unit_test(zones_are_the_askers),
		cmocka_unit_test(little_is_enough),
		cmocka_unit_test(our_ids_are_whole),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(needles_are_found),
		cmocka_unit_test_setup_teardown(an_inbox_is_walked, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
