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

static void job_arrived(struct channel_item *item, void *receiver)
{
	(void)receiver;
	*(bool *)((struct search_job *)(void *)item)->owner = true;
}

static struct search_job run(struct lab *lab, struct helper *helper, struct search_job job)
{
	struct search_job *here = memory_new(sizeof(job));
	bool done = false;

	*here = job;
	here->job.item.arrived = job_arrived;
	here->job.home = lab->home;
	here->spool = lab->sp;
	here->inbox = 1;
	here->owner = &done;
	assert_int_equal(search_job_submit(helper, here), 0);
	lab_wait(lab, &done);
	job = *here;
	free(here);
	return job;
}

static void jobs_walk_an_inbox(void **state)
{
	struct lab *lab = *state;
	struct helper *helper = helper_new("test", 1, 10);
	struct search_job job;

	for (size_t i = 1; i <= 1200; i++)
		put_letter(lab, i);
	job = run(lab, helper, (struct search_job){ .query = "of two", .start = 1, .limit = 3 });
	assert_true(job.result == 0 && job.total == 600 && job.unread == 600 && job.count == 3);
	assert_true(job.sequences[0] == 1198 && job.sequences[2] == 1194);
	search_job_release(&job);
	job = run(lab, helper, (struct search_job){ .query = "", .limit = UINT64_MAX });
	assert_true(job.total == 1200 && job.count == 1200 && job.sequences[1199] == 1);
	search_job_release(&job);
	job = run(lab, helper,
	          (struct search_job){ .query = "\"number 7 of\"", .start = 0, .limit = 50 });
	assert_true(job.total == 1 && job.count == 1 && job.sequences[0] == 7);
	search_job_release(&job);
	job = run(lab, helper, (struct search_job){ .query = "of one", .limit = 9, .after = 1190 });
	assert_true(job.total == 5 && job.sequences[0] == 1199 && job.sequences[4] == 1191);
	search_job_release(&job);
	job = run(
		lab, helper,
		(struct search_job){ .query = "", .limit = 9, .before_us = NOON + 11 * CLOCK_SEC });
	assert_true(job.total == 10 && job.count == 9 && job.sequences[0] == 10);
	search_job_release(&job);
	job = run(lab, helper, (struct search_job){ .query = "zebra", .limit = 9 });
	assert_true(job.total == 0 && job.count == 0 && job.sequences == NULL);
	search_job_release(&job);
	job = run(lab, helper, (struct search_job){ .query = "", .limit = 0, .cancelled = true });
	assert_true(job.result == 0 && job.total < 1200);
	search_job_release(&job);
	helper_free(&helper);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_find),
		cmocka_unit_test(zones_are_the_askers),
		cmocka_unit_test(little_is_enough),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(needles_are_found),
		cmocka_unit_test_setup_teardown(jobs_walk_an_inbox, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
