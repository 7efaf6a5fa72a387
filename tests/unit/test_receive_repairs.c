/* SPDX-License-Identifier: ISC */
/* test_receive_repairs.c - which fields a message is without, and that its bytes stay. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mail/header.h"
#include "mail/trace.h"
#include "receive_server.h"

#define DATE TRACE_ADD_DATE
#define FROM TRACE_ADD_FROM
#define ID   TRACE_ADD_MESSAGE_ID
#define LINE TRACE_ADD_LINE
#define ALL  (DATE | FROM | ID)

static const struct {
	const char *content;
	unsigned added;
} cases[] = {
	{ "Date: x\r\nFrom: a@b\r\nMessage-ID: <a@b>\r\n\r\nhi\r\n", 0 },
	{ "dAtE: x\r\nFROM : a@b\r\nmessage-id:\r\n\t<a@b>\r\n\r\nhi\r\n", 0 },
	{ "Date:\r\nFrom:\r\nMessage-ID:\r\n\r\n", 0 }, /* there, though empty */
	{ "Subject: x\r\n\r\nhi\r\n", ALL },
	{ "From: a@b\r\nMessage-ID: <a@b>\r\n\r\nDate: in the body\r\n", DATE },
	{ "Date: x\r\nMessage-ID: <a@b>\r\nSubject: a\r\n From: folded\r\n\r\n", FROM },
	{ "Date: x\r\nFrom: a@b\r\nResent-Message-ID: <a@b>\r\n\r\n", ID },
	{ "X-Date: x\r\nFrom-Me: a@b\r\nMessage-IDs: <a@b>\r\n\r\n", ALL },
	{ "Subject: \xe4\xf6\xff\r\nDate: x\r\n\r\n\xe4\r\n", FROM | ID },
	{ "Subject: no body", ALL },
	{ "", ALL },
	{ "\r\nhi\r\n", ALL },
	/* Text without a header: even what looks like one later is text. */
	{ "hello world\r\n", ALL | LINE },
	{ "hello world\r\nDate: x\r\n\r\n", ALL | LINE },
	{ " folded from nothing\r\n", ALL | LINE },
	/* The envelope line of a mailbox is not. */
	{ "From a@b Sat Nov 21 20:22:22 2026\r\nDate: x\r\n\r\n", FROM | ID },
};

static void lab_init(struct server *v)
{
	server_init(v);
	v->listener.add_date = v->listener.add_from = v->listener.add_message_id = true;
	server_connect(v);
	server_greet(v);
}

static const struct stored *submit(struct server *v, const char *sender, const char *content)
{
	struct bytes text = { 0 };

	bytes_printf(&text, "MAIL FROM:<%s>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n%s\r\n.\r\n",
	             sender, content);
	if (strlen(content) == 0 || text_ends(content, "\n")) {
		text.length -= 5;
		bytes_append_text(&text, ".\r\n");
	}
	server_say_span(v, bytes_span(&text));
	bytes_release(&text);
	return &v->stored[v->stored_count - 1];
}

static void finds_what_is_missing(void **state)
{
	struct server v;

	(void)state;
	lab_init(&v);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct stored *m = submit(&v, "a@example.org", cases[i].content);
		size_t length = strlen(cases[i].content);

		assert_int_equal(v.stored_count, i + 1);
		if (m->added != cases[i].added)
			fail_msg("case %zu: %x", i, m->added);
		/* The content is what came, to the last byte. */
		assert_memory_equal(m->content.data, cases[i].content, length);
		if ((m->added & FROM) != 0)
			assert_string_equal(m->from, "a@example.org");
		else
			assert_null(m->from);
	}
	server_release(&v);
}

static void each_has_its_switch(void **state)
{
	struct server v;

	(void)state;
	lab_init(&v);
	v.listener.add_date = false;
	assert_int_equal(submit(&v, "a@example.org", "hi\r\n")->added, FROM | ID | LINE);
	v.listener.add_from = false;
	assert_int_equal(submit(&v, "a@example.org", "X: y\r\n\r\n")->added, ID);
	v.listener.add_message_id = false;
	assert_int_equal(submit(&v, "a@example.org", "hi\r\n")->added, 0);
	v.listener.add_from = true;
	/* Nobody wrote it, unless somebody says who. */
	assert_int_equal(submit(&v, "", "X: y\r\n\r\n")->added, 0);
	v.listener.default_from = (char[]){ "Host <root@example.com>" };
	assert_int_equal(submit(&v, "", "X: y\r\n\r\n")->added, FROM);
	assert_string_equal(v.stored[v.stored_count - 1].from, "Host <root@example.com>");
	v.listener.default_from = NULL;
	server_release(&v);
}

/* What others write to our postmaster is theirs. */
static void strangers_mail_stays(void **state)
{
	struct server v;

	(void)state;
	server_init(&v);
	v.listener.add_date = v.listener.add_from = v.listener.add_message_id = true;
	v.listener.open_relay = false;
	server_connect(&v);
	server_greet(&v);
	server_say(&v, "MAIL FROM:<a@example.org>\r\nRCPT TO:<postmaster>\r\nDATA\r\nhi\r\n.\r\n");
	assert_int_equal(v.stored_count, 1);
	assert_int_equal(v.stored[0].added, 0);
	server_release(&v);
}

/* Streamed mail, whose header has gone ahead, with the fields at its end; and one without end. */
static void streamed_mail(void **state)
{
	struct bytes content = { 0 }, field = { 0 };
	struct server v;

	(void)state;
	lab_init(&v);
	while (field.length < 60000)
		bytes_append_text(&field, "X-Filler: a line of a header that is long\r\n");
	bytes_append_span(&content, bytes_span(&field));
	bytes_append_text(&content, "Date: x\r\nMessage-ID: <a@b>\r\n\r\n");
	while (content.length < 300000)
		bytes_append_text(&content, "From: a line of the body\r\n");
	assert_int_equal(submit(&v, "a@example.org", bytes_text(&content))->added, FROM);
	assert_true(stored_is(&v.stored[0], bytes_span(&content)));
	assert_true(v.chunk_count > 0);
	bytes_clear(&content);
	while (content.length <= HEADER_MAX)
		bytes_append_span(&content, bytes_span(&field));
	v.listener.max_header_size = 1024 * 1024;
	assert_int_equal(submit(&v, "a@example.org", bytes_text(&content))->added, 0);
	bytes_release(&content);
	bytes_release(&field);
	server_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_missing),
		cmocka_unit_test(each_has_its_switch),
		cmocka_unit_test(strangers_mail_stays),
		cmocka_unit_test(streamed_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
