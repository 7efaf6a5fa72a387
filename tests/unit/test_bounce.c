/* SPDX-License-Identifier: ISC */
/* Reports of stored messages, and stored messages as the transport reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "mail/header.h"
#include "relay/bounce.h"
#include "relay/rehouse.h"
#include "relay/source.h"
#include "spool_lab.h"

static char *via[] = { (char *)"one" };
static struct provider_settings providers[] = { { .name = "one" } };
static struct route_settings routes[] = { { .name = "default", .via = { via, 1 } } };
static struct settings settings = { .hostname = "relay.example.net",
	                            .bounce_from = "MAILER-DAEMON@relay.example.net",
	                            .providers = providers,
	                            .provider_count = 1,
	                            .routes = routes,
	                            .route_count = 1 };

static uint64_t stored(struct lab *lab, const char *from, const char *content,
                       enum envelope_ret ret)
{
	struct put *put = lab_message(lab, 0);
	uint64_t id = 0;

	address_release(&put->facts.sender);
	put->facts.sender.text = memory_text(from);
	put->facts.sender.local_length = strcspn(from, "@");
	put->facts.ret = ret;
	bytes_append_text(&put->body, content);
	put->facts.size = put->body.length;
	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 1));
	assert_int_equal(lab_put(lab, put, &id), 0);
	return id;
}

static struct bounce_request *request_of(uint64_t id, unsigned notify)
{
	struct bounce_request *request = memory_new(sizeof(*request));

	request->id = id;
	request->n = 1;
	request->count = 1;
	request->failures = memory_new_array(1, sizeof(*request->failures));
	request->failures[0].to.address.text = memory_text("to@example.org");
	request->failures[0].to.notify = notify;
	request->failures[0].remote = memory_text("mx.example.org");
	reply_local(&request->failures[0].reply, 550, "5.1.1", "no such user");
	request->failures[0].reply.local = false;
	return request;
}

static struct put *made_of(struct lab *lab, uint64_t id, unsigned notify, enum report_kind report)
{
	struct bounce_request *request = request_of(id, notify);
	struct bounce_maker maker = { .settings = &settings,
		                      .spool = lab->sp,
		                      .clock = &lab->clock.clock };
	struct router *router;
	struct bytes error = { 0 };
	struct put *put;

	request->failures[0].report = report;
	assert_int_equal(router_new(&router, &settings, NULL, &error), 0);
	maker.router = router;
	put = bounce_make(&maker, lab->reader, request);
	bounce_request_free(&request);
	router_free(&router);
	return put;
}

static struct put *made(struct lab *lab, uint64_t id, unsigned notify)
{
	return made_of(lab, id, notify, REPORT_FAILED);
}

static const char message[] = "From: from@example.org\r\nSubject: hello\r\n\r\nthe body\r\n";

static void test_who_gets_a_report(void **state)
{
	static const struct {
		const char *from;
		unsigned notify;
		bool report;
	} rows[] = {
		{ "from@example.org", NOTIFY_DEFAULT, true },
		{ "from@example.org", NOTIFY_FAILURE, true },
		{ "from@example.org", NOTIFY_FAILURE | NOTIFY_DELAY, true },
		{ "from@example.org", NOTIFY_NEVER, false },
		{ "from@example.org", NOTIFY_SUCCESS, false },
		{ "from@example.org", NOTIFY_DELAY, false },
		{ "", NOTIFY_DEFAULT, false },
		{ "", NOTIFY_FAILURE, false },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t id = stored(lab, rows[i].from, message, RET_DEFAULT);
		struct put *put = made(lab, id, rows[i].notify);

		if ((put != NULL) != rows[i].report)
			fail_msg("row %zu", i);
		put_free(&put);
	}
	assert_null(made(lab, 1, NOTIFY_DEFAULT)); /* the message is gone */
}

/* RFC 3461 4.1 and 4.3: what was asked for, and the body with failures only. */
static void test_delays_and_relaying_are_told(void **state)
{
	static const struct {
		enum report_kind report;
		unsigned notify;
		bool told, full;
	} rows[] = {
		{ REPORT_FAILED, NOTIFY_DEFAULT, true, true },
		{ REPORT_DELAYED, NOTIFY_DEFAULT, true, false },
		{ REPORT_DELAYED, NOTIFY_DELAY, true, false },
		{ REPORT_DELAYED, NOTIFY_FAILURE, false, false },
		{ REPORT_DELAYED, NOTIFY_NEVER, false, false },
		{ REPORT_RELAYED, NOTIFY_DEFAULT, false, false },
		{ REPORT_RELAYED, NOTIFY_SUCCESS, true, false },
		{ REPORT_RELAYED, NOTIFY_DELAY | NOTIFY_FAILURE, false, false },
	};
	struct lab *lab = *state;
	uint64_t id = stored(lab, "from@example.org", message, RET_FULL);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct put *put = made_of(lab, id, rows[i].notify, rows[i].report);

		if ((put != NULL) != rows[i].told)
			fail_msg("row %zu", i);
		if (put != NULL)
			assert_true((strstr(bytes_text(&put->body), "the body") != NULL) ==
			            rows[i].full);
		put_free(&put);
	}
	id = stored(lab, "", message, RET_FULL);
	assert_null(made_of(lab, id, NOTIFY_DELAY, REPORT_DELAYED));
}

static void test_the_report_is_a_mail(void **state)
{
	struct lab *lab = *state;
	uint64_t id = stored(lab, "from@example.org", message, RET_DEFAULT), bounce = 0;
	struct put *put = made(lab, id, NOTIFY_DEFAULT);
	struct message_facts facts;

	assert_true(address_is_null(&put->facts.sender));
	assert_int_equal(put->delivery_count, 1);
	assert_int_equal(put->deliveries[0]->queue, 1);
	assert_int_equal(put->deliveries[0]->count, 1);
	assert_string_equal(put->deliveries[0]->recipients[0].to.address.text, "from@example.org");
	assert_true(put->deliveries[0]->due_us == LAB_WALL);
	assert_int_equal(put->facts.size, put->body.length);
	assert_non_null(strstr(bytes_text(&put->body), "text/rfc822-headers"));
	assert_non_null(strstr(bytes_text(&put->body), "Subject: hello\r\n"));
	assert_null(strstr(bytes_text(&put->body), "the body"));
	/* The spool takes it, and it can be read again. */
	assert_int_equal(lab_put(lab, put, &bounce), 0);
	assert_true(reader_message(lab->reader, bounce, &facts));
	assert_true(address_is_null(&facts.sender));
	message_facts_release(&facts);
	assert_null(made(lab, bounce, NOTIFY_DEFAULT));
}

static void test_what_is_returned(void **state)
{
	static const char *const binary = "Subject: x\r\n\r\ncaf\xc3\xa9\r\n";
	static const struct {
		bool full;
		enum envelope_ret ret;
		bool plain, whole;
	} rows[] = {
		{ false, RET_DEFAULT, true, false }, { true, RET_DEFAULT, true, true },
		{ true, RET_HDRS, true, false },     { false, RET_FULL, true, true },
		{ true, RET_FULL, false, false },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t id = stored(lab, "from@example.org", rows[i].plain ? message : binary,
		                     rows[i].ret);
		struct put *put;

		settings.bounce_full = rows[i].full;
		put = made(lab, id, NOTIFY_DEFAULT);
		settings.bounce_full = false;
		if ((strstr(bytes_text(&put->body), "message/rfc822") != NULL) != rows[i].whole)
			fail_msg("row %zu", i);
		put_free(&put);
	}
}

static void test_large_messages_return_their_header(void **state)
{
	struct lab *lab = *state;
	struct bytes content = { 0 };
	struct put *put;
	uint64_t id;

	bytes_append_text(&content, "Subject: large\r\n\r\n");
	while (content.length < 300000)
		bytes_append_text(&content, "and on and on\r\n");
	id = stored(lab, "from@example.org", bytes_text(&content), RET_FULL);
	put = made(lab, id, NOTIFY_DEFAULT);
	assert_true(put->body.length < 4000);
	assert_non_null(strstr(bytes_text(&put->body), "Subject: large"));
	put_free(&put);
	bytes_release(&content);
}

/* The sender sees what left, not what came. */
static void test_added_fields_return(void **state)
{
	static const struct {
		const char *content;
		unsigned added;
		enum envelope_ret ret;
		const char *has, *lacks;
	} rows[] = {
		{ "Subject: x\r\n\r\nthe body\r\n", 0, RET_HDRS, "\r\nFrom: r@h\r\nMessage-ID: <",
		  "the body" },
		{ "Subject: x\r\n\r\nthe body\r\n", 0, RET_FULL,
		  "@mx.test>\r\nSubject: x\r\n\r\nthe body\r\n", "text/rfc822-headers" },
		{ "the body\r\n", TRACE_ADD_LINE, RET_HDRS, "@mx.test>\r\n", "the body" },
		{ "the body\r\n", TRACE_ADD_LINE, RET_FULL, "@mx.test>\r\n\r\nthe body\r\n",
		  "text/rfc822-headers" },
	};
	struct lab *lab = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct put *put = lab_message(lab, 0), *report;
		uint64_t id = 0;

		put->facts.ret = rows[i].ret;
		put->facts.trace.added = TRACE_ADD_FROM | TRACE_ADD_MESSAGE_ID | rows[i].added;
		put->facts.trace.from = memory_text("r@h");
		free(put->facts.trace.by);
		put->facts.trace.by = memory_text("mx.test");
		bytes_append_text(&put->body, rows[i].content);
		put->facts.size = put->body.length;
		put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 1));
		assert_int_equal(lab_put(lab, put, &id), 0);
		report = made(lab, id, NOTIFY_DEFAULT);
		if (strstr(bytes_text(&report->body), rows[i].has) == NULL ||
		    strstr(bytes_text(&report->body), rows[i].lacks) != NULL)
			fail_msg("row %zu: %s", i, bytes_text(&report->body));
		put_free(&report);
	}
}

/* ---- the source ------------------------------------------------------------------- */

static void test_the_field_then_the_content(void **state)
{
	static const size_t maxima[] = { 1, 7, 100, 4096, 100000 };
	struct lab *lab = *state;
	uint64_t id = lab_simple(lab, 50000);

	for (size_t i = 0; i < sizeof(maxima) / sizeof(maxima[0]); i++) {
		struct bytes whole = { 0 }, field = { 0 };
		struct message_facts facts;
		struct source *source;
		size_t before;

		assert_int_equal(source_open(&source, lab->reader, id, NULL, &facts), 0);
		assert_int_equal(facts.size, 50000);
		do {
			before = whole.length;
			assert_int_equal(source->read(source, &whole, maxima[i]), 0);
			assert_true(whole.length - before <= maxima[i]);
		} while (whole.length > before);
		trace_format_received(&facts.trace, id, &field);
		assert_int_equal(whole.length, field.length + 50000);
		assert_int_equal(source->length, whole.length);
		assert_memory_equal(whole.data, field.data, field.length);
		for (size_t k = 0; k < 50000; k++)
			assert_int_equal(whole.data[field.length + k], (unsigned char)lab_octet(k));
		source->free(source);
		message_facts_release(&facts);
		bytes_release(&whole);
		bytes_release(&field);
	}
}

static void test_a_message_that_is_gone(void **state)
{
	struct lab *lab = *state;
	struct message_facts facts;
	struct source *source;
	struct bytes out = { 0 };
	uint64_t id = lab_simple(lab, 50000);
	int rc = 0;

	assert_int_equal(source_open(&source, lab->reader, 4711, NULL, &facts), -1);
	assert_int_equal(source_open(&source, lab->reader, id, NULL, &facts), 0);
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 5)), 0);
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 1, 5)), 0);
	for (int i = 0; i < 1000 && rc == 0; i++)
		rc = source->read(source, &out, 100);
	assert_int_equal(rc, -1);
	source->free(source);
	message_facts_release(&facts);
	bytes_release(&out);
}

/* What the intake was asked: "inbox: recipients in order", and whether it was to finish. */
static void note(void *context, struct put *put, uint32_t inbox, const struct recipient *recipients,
                 size_t count)
{
	struct bytes *text = context;

	assert_true(put->shares);
	bytes_printf(text, "%u:", inbox);
	for (size_t i = 0; i < count; i++)
		bytes_printf(text, " %s", recipients[i].address.text);
	bytes_append_char(text, '\n');
}

static void finish(void *context, struct put *put, struct spool *spool)
{
	(void)spool;
	assert_true(header_length(put_header(put)) < put->facts.size);
	bytes_append_text(context, "done\n");
}

static void test_stored_mail_is_put_into_inboxes(void **state)
{
	struct lab *lab = *state;
	uint64_t id = stored(lab, "from@example.org", message, RET_DEFAULT);
	struct bytes text = { 0 };
	struct intake intake = { .add = note, .finish = finish, .context = &text };
	struct recipient to[] = { { .address = { (char *)"a@b.example", 1 } },
		                  { .address = { (char *)"c@d.example", 1 } },
		                  { .address = { (char *)"e@f.example", 1 } } };
	uint32_t inboxes[] = { 7, 2, 7 };
	struct rehouse_request request = {
		.id = id, .recipients = to, .inboxes = inboxes, .count = 3
	};
	struct put *put = rehouse_make(lab->sp, lab->reader, &intake, &request);

	assert_string_equal(bytes_text(&text),
	                    "7: a@b.example e@f.example\n2: c@d.example\ndone\n");
	assert_string_equal(put->facts.sender.text, "from@example.org");
	assert_int_equal(put->facts.blob, id);
	assert_int_equal(put->body.length, 0);
	put_free(&put);
	request.id = 4711;
	assert_null(rehouse_make(lab->sp, lab->reader, &intake, &request));
	bytes_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_who_gets_a_report, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_delays_and_relaying_are_told, lab_setup,
		                                lab_teardown),
		cmocka_unit_test_setup_teardown(test_stored_mail_is_put_into_inboxes, lab_setup,
		                                lab_teardown),
		cmocka_unit_test_setup_teardown(test_the_report_is_a_mail, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_returned, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_large_messages_return_their_header, lab_setup,
		                                lab_teardown),
		cmocka_unit_test_setup_teardown(test_added_fields_return, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_the_field_then_the_content, lab_setup,
		                                lab_teardown),
		cmocka_unit_test_setup_teardown(test_a_message_that_is_gone, lab_setup,
		                                lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
