/* SPDX-License-Identifier: ISC */
/* test_inbox_rules.c - tags that the configuration gives to messages as they come. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "inbox/inbox.h"

static char *texts(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* Two inboxes, with the numbers 3 and 4. */
static const uint32_t numbers[] = { 3, 4 };

static void settings_fill(struct settings *s, struct tag_settings *tags, size_t count)
{
	static struct inbox_settings inboxes[2];

	inboxes[0] = (struct inbox_settings){ .name = texts("default") };
	inboxes[1] = (struct inbox_settings){ .name = texts("second"), .tag_login = true };
	s->inboxes = inboxes;
	s->inbox_count = 2;
	s->tags = tags;
	s->tag_count = count;
}

/* The labels of a mail that comes to both inboxes. */
static void labels_of(struct inbox_rules *rules, const char *mail, size_t entry, struct bytes *out)
{
	struct intake intake = inbox_intake(rules);
	struct put *put = memory_new(sizeof(*put));

	put->facts.login = memory_text("ann");
	bytes_append_text(&put->body, mail);
	put->facts.size = put->body.length;
	for (size_t i = 0; i < 2; i++)
		intake.add(intake.context, put, numbers[i], NULL, 0);
	intake.finish(intake.context, put, NULL);
	for (size_t i = 0; i < put->entries[entry].label_count; i++)
		bytes_printf(out, i == 0 ? "%s" : "|%s", put->entries[entry].labels[i]);
	put_free(&put);
}

static void a_message_gets_the_tags_of_its_searches(void **state)
{
	char *bills[] = { texts("subject:invoice"), texts("from:billing@example.com") };
	char *large[] = { texts("larger:1K") }, *words[] = { texts("\"pay now\" -draft") };
	struct tag_settings tags[] = {
		{ .name = texts("Bills"), .query = { bills, 2 } },
		{ .name = texts("Large"), .query = { large, 1 } },
		{ .name = texts("Pay!"), .query = { words, 1 }, .inbox = texts("second") },
	};
	static const struct {
		const char *mail;
		size_t entry;
		const char *labels;
	} rows[] = {
		{ "Subject: Your Invoice\r\n\r\nhi\r\n", 0, "Bills" },
		{ "Subject: Your Invoice\r\nX-Tags: bills, x\r\n\r\nhi\r\n", 0, "bills|x" },
		{ "From: Billing <BILLING@example.com>\r\n\r\nhi\r\n", 1, "Bills|ann" },
		{ "Subject: none\r\n\r\nPlease pay\r\nnow\r\n", 0, "" },
		{ "Subject: none\r\n\r\nPlease pay\r\nnow\r\n", 1, "Pay|ann" },
		{ "Subject: none\r\n\r\npay now, a draft\r\n", 1, "ann" },
	};
	struct settings s = { 0 };
	struct inbox_rules *rules;
	struct bytes error = { 0 };

	(void)state;
	settings_fill(&s, tags, 3);
	assert_int_equal(inbox_rules_new(&rules, &s, numbers, 0, &error), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct bytes labels = { 0 };

		labels_of(rules, rows[i].mail, rows[i].entry, &labels);
		assert_string_equal(bytes_text(&labels), rows[i].labels);
		bytes_release(&labels);
	}
	inbox_rules_free(&rules);
	assert_null(rules);
	bytes_release(&error);
}

static void a_search_that_is_none_is_named(void **state)
{
	char *bad[] = { memory_text("") };
	struct tag_settings tags[] = { { .name = texts("Bad"), .query = { bad, 1 } } };
	struct settings s = { 0 };
	struct inbox_rules *rules;
	struct bytes error = { 0 }, words = { 0 };

	(void)state;
	for (size_t i = 0; i < 10000; i++)
		bytes_printf(&words, "word%zu ", i);
	free(bad[0]);
	tags[0].query.items[0] = bad[0] = memory_text(bytes_text(&words));
	settings_fill(&s, tags, 1);
	assert_int_equal(inbox_rules_new(&rules, &s, numbers, 0, &error), -1);
	assert_memory_equal(bytes_text(&error), "tag \"Bad\": query: ", 18);
	assert_null(rules);
	bytes_release(&error);
	bytes_release(&words);
	free(bad[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_gets_the_tags_of_its_searches),
		cmocka_unit_test(a_search_that_is_none_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
