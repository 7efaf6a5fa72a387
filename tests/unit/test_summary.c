/* SPDX-License-Identifier: ISC */
/* test_summary.c - the record of an inbox entry: there and back, and cut or wild ones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "inbox/private.h"

/* Where the number of To addresses stands when every text is empty: version, created, size,
 * four texts, From with its count. */
#define TO_COUNT_AT (1 + 8 + 8 + 4 * 4 + 2 + 2 * 4)

static struct summary_address address(const char *name, const char *text)
{
	return (struct summary_address){ memory_text(name), memory_text(text) };
}

static struct summary_address *list_of(size_t count)
{
	struct summary_address *list = memory_new_array(count, sizeof(*list));

	for (size_t i = 0; i < count; i++)
		list[i] = address(i % 2 == 0 ? "" : "N\xc3\xa4me", "x@example.org");
	return list;
}

static void full_summary(struct summary *s)
{
	*s = (struct summary){ .created_us = 1234567890123456,
		               .size = UINT64_C(1) << 40,
		               .attachments = 7,
		               .inlines = 8 };
	s->snippet = memory_text("It begins so");
	s->bcc = list_of(s->bcc_count = 2);
	s->message_id = memory_text("id@example.com");
	s->subject = memory_text("Gr\xc3\xbc\xc3\x9f"
	                         "e \xff");
	s->sender = memory_text("");
	s->login = memory_text("ann");
	s->from = address("Ann", "ann@example.com");
	s->to = list_of(s->to_count = 3);
	s->cc = list_of(s->cc_count = 0);
	s->reply_to = list_of(s->reply_to_count = 1);
	s->recipients = memory_new_array(s->recipient_count = 2, sizeof(char *));
	s->recipients[0] = memory_text("b@example.org");
	s->recipients[1] = memory_text("c@example.org");
}

static void comes_back_as_it_was(void **state)
{
	struct summary s, back;
	struct bytes record = { 0 }, again = { 0 };

	(void)state;
	full_summary(&s);
	summary_encode(&s, &record);
	assert_int_equal(summary_decode(&back, bytes_span(&record)), 0);
	assert_int_equal(back.created_us, s.created_us);
	assert_int_equal(back.size, s.size);
	assert_int_equal(back.attachments, 7);
	assert_int_equal(back.inlines, 8);
	assert_string_equal(back.snippet, "It begins so");
	assert_int_equal(back.bcc_count, 2);
	assert_string_equal(back.subject, s.subject);
	assert_string_equal(back.sender, "");
	assert_string_equal(back.from.name, "Ann");
	assert_int_equal(back.to_count, 3);
	assert_string_equal(back.to[1].name, s.to[1].name);
	assert_int_equal(back.cc_count, 0);
	assert_string_equal(back.recipients[1], "c@example.org");
	summary_encode(&back, &again);
	assert_true(span_equal(bytes_span(&record), bytes_span(&again)));
	summary_release(&s);
	summary_release(&back);
	bytes_release(&record);
	bytes_release(&again);
}

static void no_login_is_an_empty_one(void **state)
{
	struct summary s, back;
	struct bytes record = { 0 };

	(void)state;
	full_summary(&s);
	free(s.login);
	s.login = NULL;
	summary_encode(&s, &record);
	assert_int_equal(summary_decode(&back, bytes_span(&record)), 0);
	assert_string_equal(back.login, "");
	summary_release(&s);
	summary_release(&back);
	bytes_release(&record);
}

static void a_cut_record_is_refused(void **state)
{
	struct summary s, back;
	struct bytes record = { 0 };

	(void)state;
	full_summary(&s);
	summary_encode(&s, &record);
	for (size_t length = 0; length < record.length; length++) {
		/* A copy of that size, so that a sanitizer sees a read beyond it. */
		char *cut = memory_text_of(record.data, length);

		assert_int_equal(summary_decode(&back, span_of(cut, length)), -1);
		assert_null(back.subject);
		free(cut);
	}
	summary_release(&s);
	bytes_release(&record);
}

/* What was written before there were Bcc, snippet and attachments. */
static void an_old_record_is_read(void **state)
{
	struct summary back;
	struct bytes record = { 0 };

	(void)state;
	bytes_put_u8(&record, 1);
	bytes_put_u8(&record, 1);
	bytes_put_i64(&record, 5);
	bytes_put_u64(&record, 6);
	bytes_put_text(&record, "id");
	bytes_put_text(&record, "subject");
	bytes_put_text(&record, "sender");
	bytes_put_text(&record, "login");
	bytes_put_u16(&record, 1);
	bytes_put_text(&record, "Ann");
	bytes_put_text(&record, "ann@x");
	for (size_t i = 0; i < 3; i++)
		bytes_put_u16(&record, 0);
	bytes_put_u16(&record, 1);
	bytes_put_text(&record, "b@x");
	assert_int_equal(summary_decode(&back, bytes_span(&record)), 0);
	assert_int_equal(back.size, 6);
	assert_string_equal(back.subject, "subject");
	assert_string_equal(back.recipients[0], "b@x");
	assert_string_equal(back.snippet, "");
	summary_release(&back);
	bytes_release(&record);
}

static void another_version_is_refused(void **state)
{
	struct summary s, back;
	struct bytes record = { 0 };

	(void)state;
	full_summary(&s);
	summary_encode(&s, &record);
	record.data[0]++;
	assert_int_equal(summary_decode(&back, bytes_span(&record)), -1);
	summary_release(&s);
	bytes_release(&record);
}

static void a_wild_count_is_refused(void **state)
{
	struct summary s = { 0 }, back;
	struct bytes record = { 0 };

	(void)state;
	summary_encode(&s, &record);
	assert_int_equal(summary_decode(&back, bytes_span(&record)), 0);
	summary_release(&back);
	/* To, Cc, Bcc, Reply-To, recipients. */
	for (size_t at = TO_COUNT_AT; at < TO_COUNT_AT + 10; at += 2) {
		be16_store(record.data + at, 0xffff);
		assert_int_equal(summary_decode(&back, bytes_span(&record)), -1);
		be16_store(record.data + at, 0);
	}
	/* There is one From. */
	be16_store(record.data + TO_COUNT_AT - 10, 0);
	assert_int_equal(summary_decode(&back, bytes_span(&record)), -1);
	bytes_release(&record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(no_login_is_an_empty_one),
		cmocka_unit_test(a_cut_record_is_refused),
		cmocka_unit_test(an_old_record_is_read),
		cmocka_unit_test(another_version_is_refused),
		cmocka_unit_test(a_wild_count_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
