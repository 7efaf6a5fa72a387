/* SPDX-License-Identifier: ISC */
/* test_inbox_message.c - a stored message and its header as the API has them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "inbox/inbox.h"
#include "spool_lab.h"

static const char mail[] =
	"Received: from x\r\nreceived: from y\r\n by z\r\n"
	"From: Ann <ann@example.com>\r\nTo: B <b@example.org>, c@example.org\r\n"
	"Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n"
	"Subject: Hello =?koi8-r?B?8NLJ?=\r\nMessage-ID: <m@example.com>\r\nX-Tags: one\r\n"
	"List-Unsubscribe: <mailto:u@example.com>, <https://example.com/u>\r\n"
	"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
	"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n"
	"Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\n\r\nYour code is 4711.\r\n"
	"--a\r\nContent-Type: text/html\r\n\r\n<a href=\"http://x.test/\">x</a>\r\n--a--\r\n"
	"--m\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\n"
	"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
	"--m\r\nContent-Type: image/png\r\nContent-ID: <i@x>\r\n\r\nx\r\n--m--\r\n";

static void store(struct lab *lab, const char *content)
{
	struct intake intake = inbox_intake(NULL);
	struct put *put = put_new(lab->sp);
	struct recipient to[2] = { { .address.text = (char *)(uintptr_t) "b@example.org" },
		                   { .address.text = (char *)(uintptr_t) "hidden@example.org" } };

	put->facts.sender.text = memory_text("bounce@example.com");
	put->facts.trace.helo = memory_text("client.example.com");
	put->facts.trace.client = memory_text("127.0.0.1");
	put->facts.trace.by = memory_text("mx.test");
	put->facts.trace.with = memory_text("ESMTP");
	put->facts.trace.time_us = LAB_WALL;
	bytes_append_text(&put->body, content);
	put->facts.size = put->body.length;
	intake.add(intake.context, put, 1, to, 2);
	intake.finish(intake.context, put, lab->sp);
	assert_int_equal(lab_put(lab, put, NULL), 0);
}

/* The value at a path like "Attachments.0.Size", as compact JSON. */
static void expect(const json_t *object, const char *path, const char *value)
{
	char *copy = memory_text(path), *rest = copy, *step, *dump;

	while ((step = strsep(&rest, ".")) != NULL)
		object = json_is_array(object) ? json_array_get(object, (size_t)atoi(step))
		                               : json_object_get(object, step);
	assert_non_null(object);
	dump = json_dumps(object, JSON_COMPACT | JSON_ENCODE_ANY);
	assert_string_equal(dump, value);
	free(dump);
	free(copy);
}

static void a_message_has_all_that_clients_ask_for(void **state)
{
	static const char *const rows[][2] = {
		{ "MessageID", "\"m@example.com\"" },
		{ "From", "{\"Name\":\"Ann\",\"Address\":\"ann@example.com\"}" },
		{ "To.1", "{\"Name\":\"\",\"Address\":\"c@example.org\"}" },
		{ "Cc", "[]" },
		{ "Bcc", "[{\"Name\":\"\",\"Address\":\"hidden@example.org\"}]" },
		{ "ReturnPath", "\"bounce@example.com\"" },
		{ "Subject", "\"Hello \xd0\x9f\xd1\x80\xd0\xb8\"" },
		{ "Date", "\"2026-11-21T10:00:00+01:00\"" },
		{ "Tags", "[\"one\"]" },
		{ "ListUnsubscribe.Links", "[\"mailto:u@example.com\",\"https://example.com/u\"]" },
		{ "ListUnsubscribe.Errors", "\"\"" },
		{ "ListUnsubscribe.HeaderPost", "\"List-Unsubscribe=One-Click\"" },
		{ "Text", "\"Your code is 4711.\"" },
		{ "HTML", "\"<a href=\\\"http://x.test/\\\">x</a>\"" },
		{ "Attachments.0.PartID", "\"2\"" },
		{ "Attachments.0.FileName", "\"a.pdf\"" },
		{ "Attachments.0.Size", "5" },
		{ "Attachments.0.Checksums.MD5", "\"5d41402abc4b2a76b9719d911017c592\"" },
		{ "Attachments.0.Checksums.SHA1", "\"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d\"" },
		{ "Inline.0.ContentID", "\"i@x\"" },
		{ "Links", "[\"http://x.test/\"]" },
		{ "Envelope.To", "[\"b@example.org\",\"hidden@example.org\"]" },
		{ "Parsed", "true" },
	};
	struct lab *lab = *state;
	json_t *object;

	store(lab, mail);
	object = inbox_message_json(lab->reader, 1, 1);
	assert_non_null(object);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		expect(object, rows[i][0], rows[i][1]);
	json_decref(object);
	assert_null(inbox_message_json(lab->reader, 1, 2));
	assert_null(inbox_message_json(lab->reader, 2, 1));
}

/* Clients look for the words in Text, whatever the mail was made of. */
static void html_alone_has_a_text(void **state)
{
	struct lab *lab = *state;
	json_t *object;

	store(lab, "Content-Type: text/html\r\n\r\n<style>p{}</style><p>Hello</p><p>you</p>");
	object = inbox_message_json(lab->reader, 1, 1);
	assert_non_null(object);
	expect(object, "Text", "\"Hello\\nyou\"");
	expect(object, "HTML", "\"<style>p{}</style><p>Hello</p><p>you</p>\"");
	json_decref(object);
}

static void the_header_is_a_map_in_order(void **state)
{
	struct lab *lab = *state;
	json_t *object;
	const char *before = "", *name;
	json_t *values;

	store(lab, mail);
	object = inbox_headers_json(lab->reader, 1, 1);
	assert_non_null(object);
	expect(object, "Received.1", "\"from x\"");
	expect(object, "Received.2", "\"from y by z\"");
	expect(object, "Message-Id", "[\"<m@example.com>\"]");
	expect(object, "Subject", "[\"Hello =?koi8-r?B?8NLJ?=\"]");
	json_object_foreach(object, name, values)
	{
		assert_true(strcmp(before, name) < 0);
		before = name;
	}
	json_decref(object);
	assert_null(inbox_headers_json(lab->reader, 1, 9));
}

static void what_was_not_parsed_is_shown_as_it_is(void **state)
{
	struct lab *lab = *state;
	struct bytes bomb = { 0 };
	json_t *object;

	bytes_append_text(&bomb,
	                  "Subject: bomb\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (size_t i = 0; i < 2000; i++)
		bytes_append_text(&bomb, "--b\r\n\r\nx\r\n");
	store(lab, bytes_text(&bomb));
	object = inbox_message_json(lab->reader, 1, 1);
	assert_non_null(object);
	expect(object, "Parsed", "false");
	expect(object, "Subject", "\"bomb\"");
	expect(object, "Attachments", "[]");
	assert_memory_equal(json_string_value(json_object_get(object, "Text")), "--b\r\n", 5);
	json_decref(object);
	bytes_release(&bomb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_message_has_all_that_clients_ask_for, lab_setup,
		                                lab_teardown),
		cmocka_unit_test_setup_teardown(html_alone_has_a_text, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(the_header_is_a_map_in_order, lab_setup,
		                                lab_teardown),
		cmocka_unit_test_setup_teardown(what_was_not_parsed_is_shown_as_it_is, lab_setup,
		                                lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
