/* SPDX-License-Identifier: ISC */
/* test_intake.c - the summary of a message being accepted fits the spool, whatever its header. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "inbox/private.h"

#define PIECE      4080 /* octets: the smallest page of LMDB less its header */
#define LENGTH(a)  (sizeof(a) / sizeof(*(a)))
#define RECIPIENTS 1000

/* What intake makes of the header; the record's length is checked here, for all. */
static void take(struct bytes *header, size_t recipients, struct summary *s_r)
{
	struct intake intake = inbox_intake(NULL);
	struct put *put = memory_new(sizeof(*put));
	struct recipient *list = memory_new_array(recipients, sizeof(*list));
	struct span record;

	for (size_t i = 0; i < recipients; i++) {
		struct bytes text = { 0 };

		bytes_printf(&text, "recipient-%zu-%0180d@example.org", i, 0);
		list[i].address.text = memory_text(bytes_text(&text));
		bytes_release(&text);
	}
	put->facts.trace.time_us = 1700000000 * CLOCK_SEC;
	put->facts.size = header->length;
	put->facts.sender.text = memory_new(ADDRESS_PATH_MAX);
	memset(put->facts.sender.text, 's', ADDRESS_PATH_MAX - 1);
	put->facts.login = memory_new(5001);
	memset(put->facts.login, 'l', 5000);
	bytes_append_span(&put->body, bytes_span(header));
	intake.add(intake.context, put, 7, list, recipients);
	intake.finish(intake.context, put, NULL);
	assert_int_equal(put->entry_count, 1);
	assert_int_equal(put->entries[0].inbox, 7);
	record = bytes_span(&put->entries[0].summary);
	assert_true(record.length <= PIECE);
	assert_int_equal(summary_decode(s_r, record), 0);
	for (size_t i = 0; i < recipients; i++)
		free(list[i].address.text);
	free(list);
	put_free(&put);
}

static void repeat(struct bytes *out, const char *text, size_t times)
{
	for (size_t i = 0; i < times; i++)
		bytes_append_text(out, text);
}

static void hostile_headers_fit(void **state)
{
	static const struct {
		const char *field; /* its name and start */
		const char *more;  /* repeated */
		size_t times;
	} rows[] = {
		{ "Subject: ", "x", 100000 },
		{ "Subject: ", "\xc3\xa4", 50000 },
		{ "Subject: ", "\x80", 100000 },
		{ "Subject: ", "=?utf-8?Q?=F0=9F=98=80?= ", 3000 },
		{ "Subject: ", "=?utf-8?Q?=00?= ", 3000 },
		{ "Subject: ", "\r\n folded", 3000 },
		{ "Message-ID: <", "i", 100000 },
		{ "Message-ID: ", "<", 10 },
		{ "From: ", "n", 100000 },
		{ "From: ", "a@example.com, ", 5000 },
		{ "From: \"", "\\\"", 50000 },
		{ "To: ", "\"A Name That Is Long Enough\" <a@example.com>, ", 2000 },
		{ "To: ", "(", 100000 },
		{ "To: ", "g: a@x, b@y; ", 5000 },
		{ "Cc: ", "a,", 60000 },
		{ "Reply-To: ", "<a@b>", 20000 },
		{ "To: ", ",", 100000 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes header = { 0 };
		struct summary s;

		bytes_append_text(&header, rows[i].field);
		repeat(&header, rows[i].more, rows[i].times);
		bytes_append_text(&header, "\r\n\r\nbody\r\n");
		take(&header, RECIPIENTS, &s);
		assert_true(s.to_count + s.cc_count + s.bcc_count + s.reply_to_count <=
		            SUMMARY_ADDRESSES_MAX);
		summary_release(&s);
		bytes_release(&header);
	}
}

/* Each field alone fits; do all of them at once? */
static void all_of_them_at_once_fit(void **state)
{
	static const char *const fields[] = { "Subject: ", "\r\nMessage-ID: <", "\r\nFrom: " };
	struct bytes header = { 0 };
	struct summary s;

	(void)state;
	for (size_t i = 0; i < LENGTH(fields); i++) {
		bytes_append_text(&header, fields[i]);
		repeat(&header, "y", 1000);
	}
	repeat(&header, " <", 1);
	repeat(&header, "z", 1000);
	bytes_append_text(&header, ">\r\nTo: ");
	repeat(&header, "nnnnnnnnnnnnnnnnnnnnnnnnnnn <a@example.com>, ", 500);
	bytes_append_text(&header, "x@y\r\nCc: ");
	repeat(&header, "b@example.com, ", 500);
	bytes_append_text(&header, "x@y\r\n\r\n");
	take(&header, RECIPIENTS, &s);
	assert_true(s.to_count > 0 && s.recipient_count > 0);
	assert_true(strlen(s.subject) >= 500 && strlen(s.login) > 0);
	summary_release(&s);
	bytes_release(&header);
}

static void takes_what_a_mail_says(void **state)
{
	struct bytes header = { 0 };
	struct summary s;

	(void)state;
	bytes_append_text(&header,
	                  "From: =?utf-8?Q?=C3=84nn?= <ann@example.com>, two@example.com\r\n"
	                  "To: Bob <bob@example.org>, friends: c@example.org;\r\n"
	                  "Cc: (Dee) d@example.org\r\nReply-To: r@example.com\r\n"
	                  "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\tfolded\r\n"
	                  "Message-ID: <one@example.com>\r\n\r\nSubject: not this\r\n");
	take(&header, 2, &s);
	assert_string_equal(s.from.name, "\xc3\x84nn");
	assert_string_equal(s.from.address, "ann@example.com");
	assert_int_equal(s.to_count, 2);
	assert_string_equal(s.to[1].address, "c@example.org");
	assert_string_equal(s.cc[0].address, "d@example.org");
	assert_string_equal(s.reply_to[0].address, "r@example.com");
	assert_string_equal(s.subject, "Gr\xc3\xbc\xc3\x9f"
	                               "e folded");
	assert_string_equal(s.message_id, "one@example.com");
	assert_int_equal(s.recipient_count, 2);
	summary_release(&s);
	bytes_release(&header);
}

/* A put of one mail to those recipients, finished. */
static struct put *put_of(const char *mail, const char *const *to)
{
	struct intake intake = inbox_intake(NULL);
	struct put *put = memory_new(sizeof(*put));
	struct recipient list[8] = { 0 };
	size_t count = 0;

	for (; to[count] != NULL; count++)
		list[count].address.text = (char *)(uintptr_t)to[count];
	for (; *mail != '\0'; mail++) {
		if (*mail == '\n')
			bytes_append_char(&put->body, '\r');
		bytes_append_char(&put->body, *mail);
	}
	put->facts.size = put->body.length;
	intake.add(intake.context, put, 7, list, count);
	intake.finish(intake.context, put, NULL);
	return put;
}

static void labels_come_with_the_mail(void **state)
{
	static const struct {
		const char *mail, *labels;
	} rows[] = {
		{ "To: a@x\n\n", "" },
		{ "X-Tags: Two, one,two ,, a<b> c\n\n", "Two|a b c|one" },
		{ "To: u+tag+more@example.com\nCc: +no@x, v+@x, w@x+y\n\n", "more|tag" },
		{ "From: me+from@example.com\nX-Tags: =?utf-8?q?Gr=C3=BCn?=\n\n",
		  "Gr\xc3\xbcn|from" },
	};
	static const char *const to[] = { NULL };

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct put *put = put_of(rows[i].mail, to);
		struct bytes all = { 0 };

		for (size_t k = 0; k < put->entries[0].label_count; k++)
			bytes_printf(&all, k == 0 ? "%s" : "|%s", put->entries[0].labels[k]);
		assert_string_equal(bytes_text(&all), rows[i].labels);
		bytes_release(&all);
		put_free(&put);
	}
}

/* Everybody who got it and is not named in the header got a blind copy. */
static void recipients_that_are_not_named_are_bcc(void **state)
{
	static const char *const to[] = { "b@x", "C@x", "d@x", "e@x", NULL };
	struct put *put = put_of("To: B <B@x>\nCc: c@x\nBcc: z@x, e@x\n\nhi\n", to);
	struct summary s;

	(void)state;
	assert_int_equal(summary_decode(&s, bytes_span(&put->entries[0].summary)), 0);
	assert_int_equal(s.bcc_count, 3);
	assert_string_equal(s.bcc[0].address, "z@x");
	assert_string_equal(s.bcc[1].address, "e@x");
	assert_string_equal(s.bcc[2].address, "d@x");
	assert_string_equal(s.snippet, mime_available() ? "hi" : "");
	summary_release(&s);
	put_free(&put);
}

/* What search looks into: of the header, of the text, and the names of files. */
static void words_are_folded_together(void **state)
{
	static const char *const to[] = { "b@x", NULL };
	struct put *put = put_of("From: Ann <A@x>\nSubject: =?utf-8?q?GR=C3=9C=C3=9Fe?=\n"
	                         "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nThe Text\n"
	                         "--b\nContent-Disposition: attachment; filename=File.PDF\n\n"
	                         "Not This\n--b--\n",
	                         to);
	struct bytes *words = &put->entries[0].extras[SPOOL_TEXT];
	struct mime_index index;

	(void)state;
	assert_non_null(strstr(bytes_text(words), "ann"));
	assert_non_null(strstr(bytes_text(words), "gr\xc3\xbc"));
	assert_non_null(strstr(bytes_text(words), "b@x"));
	assert_true(mime_available() == (strstr(bytes_text(words), "the text") != NULL));
	assert_true(mime_available() == (strstr(bytes_text(words), "file.pdf") != NULL));
	assert_null(strstr(bytes_text(words), "not this"));
	assert_int_equal(
		mime_index_decode(&index, bytes_span(&put->entries[0].extras[SPOOL_PARTS])), 0);
	assert_true(mime_available() == index.parsed);
	assert_int_equal(index.count, mime_available() ? 2 : 0);
	mime_index_release(&index);
	put_free(&put);
}

static void a_mail_without_a_header_has_a_summary(void **state)
{
	struct bytes header = { 0 };
	struct summary s;

	(void)state;
	take(&header, 1, &s);
	assert_string_equal(s.subject, "");
	assert_string_equal(s.from.address, "");
	summary_release(&s);
	bytes_append_text(&header, "\r\nTo: x@y\r\n");
	take(&header, 1, &s);
	assert_int_equal(s.to_count, 0);
	summary_release(&s);
	bytes_release(&header);
}

/* What the mail came without and is read with, is in its summary. */
static void added_fields_are_there(void **state)
{
	static const struct {
		const char *content;
		unsigned added;
		const char *from, *id, *subject;
	} rows[] = {
		{ "Subject: x\r\n\r\nhi\r\n", TRACE_ADD_FROM | TRACE_ADD_MESSAGE_ID,
		  "cron@example.org", "000000000000A@mx.test", "x" },
		{ "From: a@example.com\r\n\r\nhi\r\n", TRACE_ADD_MESSAGE_ID, "a@example.com",
		  "000000000000A@mx.test", "" },
		{ "Message-ID: <y@z>\r\n\r\nhi\r\n", TRACE_ADD_FROM, "cron@example.org", "y@z",
		  "" },
		{ "text\r\nSubject: no field\r\n", TRACE_ADD_FROM | TRACE_ADD_LINE,
		  "cron@example.org", "", "" },
	};
	struct intake intake = inbox_intake(NULL);

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct put *put = memory_new(sizeof(*put));
		struct summary s;

		put->facts.trace.added = rows[i].added;
		put->facts.trace.from = memory_text("Cron <cron@example.org>");
		put->facts.trace.by = memory_text("mx.test");
		bytes_append_text(&put->body, rows[i].content);
		intake.add(intake.context, put, 7, NULL, 0);
		intake.finish(intake.context, put, NULL);
		assert_int_equal(summary_decode(&s, bytes_span(&put->entries[0].summary)), 0);
		summary_complete(&s, 10);
		assert_string_equal(s.from.address, rows[i].from);
		assert_string_equal(s.message_id, rows[i].id);
		assert_string_equal(s.subject, rows[i].subject);
		summary_release(&s);
		put_free(&put);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_headers_fit),
		cmocka_unit_test(all_of_them_at_once_fit),
		cmocka_unit_test(takes_what_a_mail_says),
		cmocka_unit_test(labels_come_with_the_mail),
		cmocka_unit_test(recipients_that_are_not_named_are_bcc),
		cmocka_unit_test(words_are_folded_together),
		cmocka_unit_test(a_mail_without_a_header_has_a_summary),
		cmocka_unit_test(added_fields_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
