/* SPDX-License-Identifier: ISC */
/* Whom a provider takes, and what becomes of a header whose author it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/from.h"

static char *ours[] = { (char *)(uintptr_t) "*@example.com", (char *)(uintptr_t) "me@b.example" };

static struct address address_of(const char *text)
{
	return (struct address){ (char *)(uintptr_t)text, strcspn(text, "@") };
}

static void test_whom_it_takes(void **state)
{
	static const struct {
		const char *sender, *from;
		bool takes;
	} rows[] = {
		{ "a@example.com", "a@example.com", true },
		{ "a@EXAMPLE.com", "b@Example.com\nme@b.example", true },
		{ "a@example.com", "a@example.com\nx@c.example", false },
		{ "a@example.com", "x@c.example", false },
		{ "a@example.com", "", false },
		{ "a@example.com", NULL, true },
		{ "x@c.example", "a@example.com", false },
		{ "", "a@example.com", true },
		{ "", "x@c.example", false },
		{ "a@example.com.c.example", "a@example.com", false },
	};
	struct provider_settings p = { .name = NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address sender = address_of(rows[i].sender);

		p.from_allowed = (struct text_list){ ours, 2 };
		if (from_allows(&p, &sender, rows[i].from) != rows[i].takes)
			fail_msg("row %zu", i);
		p.rewrite_from = (char *)(uintptr_t) "app@example.com";
		assert_true(from_allows(&p, &sender, rows[i].from));
		p.rewrite_from = NULL;
		p.from_allowed.count = 0;
		assert_true(from_allows(&p, &sender, rows[i].from));
	}
}

static void test_without_patterns_all_others_are_rewritten(void **state)
{
	struct provider_settings p = { .rewrite_from = (char *)(uintptr_t) "app@example.com" };
	struct address app = address_of("APP@example.com"), other = address_of("b@example.com");
	struct address null = address_of("");

	(void)state;
	assert_true(from_takes_sender(&p, &app) && from_takes_sender(&p, &null));
	assert_false(from_takes_sender(&p, &other));
	assert_true(from_takes_header(&p, "app@example.com"));
	assert_false(from_takes_header(&p, "b@example.com"));
}

static void test_addresses_of_from(void **state)
{
	static const struct {
		const char *header, *added, *addresses;
	} rows[] = {
		{ "From: a@b.example\r\n\r\nFrom: x@y.example\r\n", NULL, "a@b.example" },
		{ "from: A <a@b.example>, B\r\n <c@d.example>\r\n\r\n", NULL,
		  "a@b.example\nc@d.example" },
		{ "From: a@b.example\r\nFrom: c@d.example\r\n\r\n", NULL,
		  "a@b.example\nc@d.example" },
		{ "Subject: x\r\n\r\n", NULL, "" },
		{ "Subject: x\r\n\r\n", "App <app@b.example>", "app@b.example" },
		{ "From:\r\n\r\n", NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trace trace = { .from = (char *)(uintptr_t)rows[i].added };
		char *text;

		trace.added = trace.from == NULL ? 0 : TRACE_ADD_FROM;
		text = from_addresses(span_of_text(rows[i].header), &trace);
		assert_string_equal(text, rows[i].addresses);
		free(text);
	}
}

static void test_too_many_addresses_are_nobody(void **state)
{
	struct bytes header = { 0 };
	struct provider_settings p = { .from_allowed = { ours, 2 } };
	struct trace trace = { 0 };
	char *text;

	(void)state;
	bytes_append_text(&header, "From: a@example.com");
	for (size_t i = 0; i < 1000; i++)
		bytes_printf(&header, ",\r\n r%zu@example.com", i);
	bytes_append_text(&header, "\r\n\r\n");
	text = from_addresses(bytes_span(&header), &trace);
	assert_true(strlen(text) < 1100);
	assert_false(from_takes_header(&p, text));
	free(text);
	bytes_release(&header);
}

/* What stands behind our Received field. */
static void test_rewriting(void **state)
{
	static const struct {
		const char *header, *added;
		unsigned flags;
		const char *after;
	} rows[] = {
		{ "From: a@b.example\r\nSubject: x\r\n\r\n", NULL, 0,
		  "From: app@e.example\r\nReply-To: a@b.example\r\nSubject: x\r\n\r\n" },
		{ "Subject: x\r\nFROM:\"A, B\"\r\n <a@b.example>\r\nSender: s@b.example\r\n\r\n",
		  NULL, 0,
		  "Subject: x\r\nFrom: \"A, B\"\r\n <app@e.example>\r\n"
		  "Reply-To: \"A, B\"\r\n <a@b.example>\r\n\r\n" },
		{ "From: A <a@b.example>\r\nReply-To: r@b.example\r\n\r\n", NULL, 0,
		  "From: A <app@e.example>\r\nReply-To: r@b.example\r\n\r\n" },
		{ "From: A <a@b.example>, C <c@b.example>\r\nFrom: d@b.example\r\nX: y\r\n\r\n",
		  NULL, 0,
		  "From: app@e.example\r\nReply-To: A <a@b.example>, C <c@b.example>\r\nX: "
		  "y\r\n\r\n" },
		{ "From: a@b.example (<A>)\r\n\r\n", NULL, 0,
		  "From: app@e.example\r\nReply-To: a@b.example (<A>)\r\n\r\n" },
		{ "not a field\r\nFrom: \r\n\r\n", NULL, 0,
		  "not a field\r\nFrom: app@e.example\r\n\r\n" },
		{ "Subject: x\r\n\r\n", NULL, 0, "From: app@e.example\r\nSubject: x\r\n\r\n" },
		{ "Subject: x\r\n\r\n", "R <r@h>", TRACE_ADD_FROM,
		  "From: R <app@e.example>\r\nReply-To: R <r@h>\r\nSubject: x\r\n\r\n" },
		{ "From: text\r\n", "r@h", TRACE_ADD_FROM | TRACE_ADD_LINE,
		  "From: app@e.example\r\nReply-To: r@h\r\n\r\n" },
		{ "", NULL, 0, "From: app@e.example\r\n" },
	};
	struct provider_settings p = { .rewrite_from = (char *)(uintptr_t) "app@e.example" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trace trace = { .from = (char *)(uintptr_t)rows[i].added,
			               .added = rows[i].flags };
		struct bytes out = { 0 }, received = { 0 };

		trace_format_received(&trace, 7, &received);
		from_rewrite(&p, &trace, 7, span_of_text(rows[i].header), &out);
		assert_true(out.length > received.length);
		assert_memory_equal(out.data, received.data, received.length);
		if (strcmp(bytes_text(&out) + received.length, rows[i].after) != 0)
			fail_msg("row %zu: %s", i, bytes_text(&out) + received.length);
		bytes_release(&out);
		bytes_release(&received);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whom_it_takes),
		cmocka_unit_test(test_without_patterns_all_others_are_rewritten),
		cmocka_unit_test(test_addresses_of_from),
		cmocka_unit_test(test_too_many_addresses_are_nobody),
		cmocka_unit_test(test_rewriting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
