/* SPDX-License-Identifier: ISC */
/* MAIL and RCPT with the parameters a peer can take, and nothing that is not clean. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transport_stage.h"

static const struct peer_facts all = {
	.pipelining = true, .eight_bit_mime = true, .smtputf8 = true, .dsn = true, .size = true
};
static const struct peer_facts none;
static const struct peer_facts ranks = { .mt_priority = true, .deliver_by = true };

static struct transaction *make(void)
{
	struct stage s = { 0 };
	struct transaction *t = stage_transaction(&s, 1, "x\r\n");

	t->size = 0;
	return t;
}

static void mail_is(const struct transaction *t, const struct peer_facts *facts, const char *line)
{
	struct bytes out = { 0 };

	compose_mail(&out, t, facts);
	assert_string_equal(bytes_text(&out), line);
	bytes_release(&out);
}

static void rcpt_is(const struct transaction *t, const struct peer_facts *facts, const char *line)
{
	struct bytes out = { 0 };

	compose_rcpt(&out, &t->recipients[0], facts);
	assert_string_equal(bytes_text(&out), line);
	bytes_release(&out);
}

static void test_mail(void **state)
{
	struct transaction *t = make();

	(void)state;
	mail_is(t, &all, "MAIL FROM:<a@example.org>\r\n");
	t->size = 12345;
	t->body = BODY_8BITMIME;
	t->smtputf8 = true;
	t->ret = RET_HDRS;
	t->envid = memory_text("a+2Bb");
	mail_is(t, &all,
	        "MAIL FROM:<a@example.org> SIZE=12345 BODY=8BITMIME SMTPUTF8 RET=HDRS "
	        "ENVID=a+2Bb\r\n");
	mail_is(t, &none, "MAIL FROM:<a@example.org>\r\n");
	t->terms.priority = -4;
	mail_is(t, &none, "MAIL FROM:<a@example.org>\r\n");
	mail_is(t, &ranks, "MAIL FROM:<a@example.org> MT-PRIORITY=-4\r\n");
	t->terms.priority = 0;
	t->terms.by_mode = BY_RETURN;
	t->terms.by_trace = true;
	t->by_left_s = 90;
	mail_is(t, &none, "MAIL FROM:<a@example.org>\r\n");
	mail_is(t, &ranks, "MAIL FROM:<a@example.org> BY=90;RT\r\n");
	t->terms.by_mode = BY_NOTIFY;
	t->terms.by_trace = false;
	t->by_left_s = -7;
	mail_is(t, &ranks, "MAIL FROM:<a@example.org> BY=-7;N\r\n");
	t->terms.by_mode = BY_NONE;
	t->ret = RET_FULL;
	t->body = BODY_7BIT;
	t->smtputf8 = false;
	free(t->sender.text);
	t->sender = (struct address){ .text = memory_text("") };
	mail_is(t, &all, "MAIL FROM:<> SIZE=12345 RET=FULL ENVID=a+2Bb\r\n");
	transaction_free(&t);
	assert_null(t);
}

/* RFC 8689 4.2.1 and 5 */
static void test_require_tls(void **state)
{
	static const struct {
		struct peer_facts facts;
		const char *sender;
		const char *detail; /* of 5.7; NULL: it may go */
		const char *line;
	} rows[] = {
		{ { .require_tls = true, .tls = true, .tls_verified = true },
		  "a@example.org",
		  NULL,
		  "MAIL FROM:<a@example.org> REQUIRETLS\r\n" },
		{ { .require_tls = true, .tls = true }, "a@example.org", "5.7.10", NULL },
		{ { .require_tls = true }, "a@example.org", "5.7.10", NULL },
		{ { .tls = true, .tls_verified = true }, "a@example.org", "5.7.30", NULL },
		{ { .tls = true, .tls_verified = true }, "", NULL, "MAIL FROM:<>\r\n" },
		{ { .require_tls = true }, "", NULL, "MAIL FROM:<>\r\n" },
		{ { .require_tls = true, .tls = true }, "", NULL, "MAIL FROM:<> REQUIRETLS\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct transaction *t = make();
		struct reply reply = { 0 };
		char code[16];

		free(t->sender.text);
		t->sender = (struct address){ .text = memory_text(rows[i].sender) };
		t->terms.require_tls = true;
		assert_int_equal(compose_possible(t, &rows[i].facts, &reply),
		                 rows[i].detail == NULL);
		if (rows[i].detail != NULL) {
			reply_format_enhanced(&reply, code);
			assert_string_equal(code, rows[i].detail);
			assert_true(reply.local && reply.code == 554);
		} else {
			mail_is(t, &rows[i].facts, rows[i].line);
		}
		reply_release(&reply);
		transaction_free(&t);
	}
}

/* RFC 2852 4.1: what is to be returned when late goes to nobody who would not. */
static void test_deliver_by(void **state)
{
	static const struct {
		enum by_mode mode;
		bool offered, possible;
	} rows[] = {
		{ BY_RETURN, true, true },  { BY_RETURN, false, false }, { BY_NOTIFY, true, true },
		{ BY_NOTIFY, false, true }, { BY_NONE, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct peer_facts facts = { .deliver_by = rows[i].offered };
		struct transaction *t = make();
		struct reply reply = { 0 };

		t->terms.by_mode = rows[i].mode;
		assert_int_equal(compose_possible(t, &facts, &reply), rows[i].possible);
		assert_int_equal(reply.code, rows[i].possible ? 0 : 554);
		reply_release(&reply);
		transaction_free(&t);
	}
}

static void test_rcpt(void **state)
{
	struct transaction *t = make();
	struct recipient *to = &t->recipients[0];

	(void)state;
	rcpt_is(t, &all, "RCPT TO:<r0@example.net>\r\n");
	to->notify = NOTIFY_NEVER;
	rcpt_is(t, &all, "RCPT TO:<r0@example.net> NOTIFY=NEVER\r\n");
	to->notify = NOTIFY_SUCCESS | NOTIFY_DELAY | NOTIFY_FAILURE;
	to->orcpt = memory_text("rfc822;R0@Example.net");
	rcpt_is(t, &all,
	        "RCPT TO:<r0@example.net> NOTIFY=SUCCESS,FAILURE,DELAY "
	        "ORCPT=rfc822;R0@Example.net\r\n");
	rcpt_is(t, &none, "RCPT TO:<r0@example.net>\r\n");
	transaction_free(&t);
}

/* Whatever got past the parsers ends here. */
static void test_not_clean(void **state)
{
	static const char *const texts[] = { "a\r\nRSET", "a\nb", "a\rb", "a\tb", "a\x7f", "\x01" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		for (int where = 0; where < 4; where++) {
			struct transaction *t = make();
			char **field[] = { &t->sender.text, &t->recipients[0].address.text,
				           &t->envid, &t->recipients[0].orcpt };
			struct reply reply = { 0 };

			assert_true(compose_possible(t, &all, &reply));
			free(*field[where]);
			*field[where] = memory_text(texts[i]);
			assert_false(compose_possible(t, &all, &reply));
			assert_int_equal(reply.code, 553);
			assert_true(reply.local);
			reply_release(&reply);
			transaction_free(&t);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_mail),
		                            cmocka_unit_test(test_deliver_by),
		                            cmocka_unit_test(test_require_tls),
		                            cmocka_unit_test(test_rcpt),
		                            cmocka_unit_test(test_not_clean) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
