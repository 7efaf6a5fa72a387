/* SPDX-License-Identifier: ISC */
/* Reports are read again by a strict reader, whatever went into them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "relay/dsn.h"

#define PARTS_MAX  8
#define FIELDS_MAX 64

struct field {
	char name[64];
	char value[2048]; /* unfolded */
};

struct block { /* of fields, up to an empty line */
	struct field fields[FIELDS_MAX];
	size_t count;
};

/* RFC 5321 2.3.8, RFC 5322 2.1: clean lines, 7-bit, bounded. */
static void check_lines(struct span text)
{
	size_t line = 0;

	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = text.data[i];

		assert_true(c < 0x7f && c != 0);
		assert_true(c >= 0x20 || c == '\t' || c == '\r' || c == '\n');
		if (c == '\n') {
			assert_true(i > 0 && text.data[i - 1] == '\r');
			line = 0;
		} else if (c == '\r') {
			assert_true(i + 1 < text.length && text.data[i + 1] == '\n');
		} else {
			line++;
			assert_true(line <= 998);
		}
	}
	assert_int_equal(line, 0);
}

static const char *line_end(const char *at)
{
	const char *end = strstr(at, "\r\n");

	assert_non_null(end);
	return end;
}

/* Reads fields up to an empty line, or the end; returns what follows. */
static const char *read_block(const char *at, struct block *block)
{
	block->count = 0;
	while (*at != '\0' && strncmp(at, "\r\n", 2) != 0) {
		const char *end = line_end(at);
		struct field *field;

		if (*at == ' ' || *at == '\t') { /* folded */
			assert_true(block->count > 0);
			field = &block->fields[block->count - 1];
			while (at < end && (*at == ' ' || *at == '\t'))
				at++;
			assert_true(at < end); /* no line of white space alone */
			(void)snprintf(field->value + strlen(field->value),
			               sizeof(field->value) - strlen(field->value), " %.*s",
			               (int)(end - at), at);
		} else {
			const char *colon = memchr(at, ':', (size_t)(end - at));

			assert_non_null(colon);
			assert_true(block->count < FIELDS_MAX);
			field = &block->fields[block->count++];
			for (const char *c = at; c < colon; c++)
				assert_true(*c > 0x20 && *c < 0x7f);
			(void)snprintf(field->name, sizeof(field->name), "%.*s", (int)(colon - at),
			               at);
			for (colon++; colon < end && *colon == ' ';)
				colon++;
			(void)snprintf(field->value, sizeof(field->value), "%.*s",
			               (int)(end - colon), colon);
		}
		at = end + 2;
	}
	return strncmp(at, "\r\n", 2) == 0 ? at + 2 : at;
}

/* The value of a field that is there exactly once. */
static const char *the(const struct block *block, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < block->count; i++) {
		if (strcasecmp(block->fields[i].name, name) != 0)
			continue;
		if (value != NULL)
			fail_msg("%s twice", name);
		value = block->fields[i].value;
	}
	if (value == NULL)
		fail_msg("no %s", name);
	return value;
}

static bool has(const struct block *block, const char *name)
{
	for (size_t i = 0; i < block->count; i++)
		if (strcasecmp(block->fields[i].name, name) == 0)
			return true;
	return false;
}

struct report {
	struct bytes text;
	struct block header;
	char *parts[PARTS_MAX];
	size_t part_count;
	struct block part_headers[PARTS_MAX];
	const char *bodies[PARTS_MAX];
	struct block message; /* of the delivery status */
	struct block recipients[PARTS_MAX];
	size_t recipient_count;
};

static void split_parts(struct report *r, const char *body, const char *boundary)
{
	char between[100], last[100];
	const char *at, *next;

	(void)snprintf(between, sizeof(between), "\r\n--%s\r\n", boundary);
	(void)snprintf(last, sizeof(last), "\r\n--%s--\r\n", boundary);
	at = strstr(body, between);
	assert_non_null(at);
	while ((next = strstr(at + 2, between)) != NULL || (next = strstr(at + 2, last)) != NULL) {
		assert_true(r->part_count < PARTS_MAX);
		at += strlen(between);
		r->parts[r->part_count++] = memory_text_of(at, (size_t)(next - at));
		at = next;
	}
	assert_string_equal(at, last); /* nothing after the end */
}

static void read_report(struct report *r, const struct dsn *dsn)
{
	const char *body, *at;
	char boundary[80];

	memset(r, 0, sizeof(*r));
	dsn_format(dsn, &r->text);
	check_lines(bytes_span(&r->text));
	body = read_block(bytes_text(&r->text), &r->header);
	at = strstr(the(&r->header, "Content-Type"), "boundary=\"");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "boundary=\"%70[^\"]\"", boundary), 1);
	split_parts(r, body, boundary);
	assert_int_equal(r->part_count, 3);
	for (size_t i = 0; i < 3; i++)
		r->bodies[i] = read_block(r->parts[i], &r->part_headers[i]);
	at = read_block(r->bodies[1], &r->message);
	while (*at != '\0') {
		assert_true(r->recipient_count < PARTS_MAX);
		at = read_block(at, &r->recipients[r->recipient_count++]);
	}
}

static void report_release(struct report *r)
{
	bytes_release(&r->text);
	for (size_t i = 0; i < r->part_count; i++)
		free(r->parts[i]);
}

/* ---- cases ------------------------------------------------------------------------- */

static struct address sender = { (char *)"sender@example.com", 6 };

static struct dsn dsn_of(const struct bounce_failure *failures, size_t count, const char *original)
{
	return (struct dsn){ .hostname = "relay.example.net",
		             .from = "MAILER-DAEMON@relay.example.net",
		             .to = &sender,
		             .id = 0x123456789,
		             .n = 3,
		             .arrived_us = INT64_C(1790000000) * CLOCK_SEC,
		             .now_us = INT64_C(1790000100) * CLOCK_SEC,
		             .failures = failures,
		             .count = count,
		             .original = span_of_text(original) };
}

static struct bounce_failure failure_of(const char *to, int code, const char *enhanced,
                                        const char *text, const char *remote)
{
	struct bounce_failure f = { .remote = (char *)remote };

	f.to.address.text = (char *)to;
	f.to.address.local_length = strcspn(to, "@");
	reply_local(&f.reply, code, enhanced, "%s", text);
	f.reply.local = remote == NULL;
	return f;
}

static void test_a_plain_failure(void **state)
{
	struct bounce_failure f =
		failure_of("nobody@example.org", 550, "5.1.1", "No such user", "smtp.example.net");
	struct dsn dsn = dsn_of(&f, 1, "From: sender@example.com\r\nSubject: hi\r\n\r\n");
	struct report r;

	(void)state;
	f.to.orcpt = (char *)"rfc822;No+2Bbody@example.org";
	dsn.envid = "QQ+2B1";
	dsn.terms.hold_for_s = 3600;
	dsn.terms.by_mode = BY_NOTIFY;
	read_report(&r, &dsn);
	assert_string_equal(the(&r.header, "From"),
	                    "Mail Delivery System <MAILER-DAEMON@relay.example.net>");
	assert_string_equal(the(&r.header, "To"), "sender@example.com");
	assert_string_equal(the(&r.header, "Auto-Submitted"), "auto-replied");
	assert_string_equal(the(&r.header, "MIME-Version"), "1.0");
	assert_non_null(strstr(the(&r.header, "Message-ID"), ".3.failed@relay.example.net>"));
	assert_non_null(the(&r.header, "Date"));
	assert_non_null(the(&r.header, "Subject"));
	assert_ptr_equal(strstr(the(&r.header, "Content-Type"),
	                        "multipart/report; report-type=delivery-status;"),
	                 the(&r.header, "Content-Type"));
	assert_string_equal(the(&r.part_headers[1], "Content-Type"), "message/delivery-status");
	assert_string_equal(the(&r.part_headers[2], "Content-Type"), "text/rfc822-headers");
	assert_non_null(strstr(r.bodies[0], "<nobody@example.org>"));
	assert_non_null(strstr(r.bodies[0], "550 5.1.1 No such user"));
	assert_string_equal(the(&r.message, "Reporting-MTA"), "dns; relay.example.net");
	assert_string_equal(the(&r.message, "Original-Envelope-Id"), "QQ+1");
	assert_non_null(the(&r.message, "Arrival-Date"));
	assert_string_equal(the(&r.message, "Future-Release-Request"), "for;3600");
	assert_non_null(the(&r.message, "Deliver-By-Date"));
	assert_int_equal(r.recipient_count, 1);
	assert_string_equal(the(&r.recipients[0], "Original-Recipient"),
	                    "rfc822; No+body@example.org");
	assert_string_equal(the(&r.recipients[0], "Final-Recipient"), "rfc822; nobody@example.org");
	assert_string_equal(the(&r.recipients[0], "Action"), "failed");
	assert_string_equal(the(&r.recipients[0], "Status"), "5.1.1");
	assert_string_equal(the(&r.recipients[0], "Remote-MTA"), "dns; smtp.example.net");
	assert_string_equal(the(&r.recipients[0], "Diagnostic-Code"),
	                    "smtp; 550 5.1.1 No such user");
	assert_string_equal(r.bodies[2], "From: sender@example.com\r\nSubject: hi\r\n\r\n");
	report_release(&r);
	reply_release(&f.reply);
}

static void test_several_recipients(void **state)
{
	struct bounce_failure f[3] = {
		failure_of("a@example.org", 550, "5.1.1", "no", "mx.example.org"),
		failure_of("b@example.org", 451, "4.7.1", "later", "mx.example.org"),
		failure_of("c@example.org", 552, "5.3.4", "too large for us", NULL),
	};
	struct dsn dsn = dsn_of(f, 3, "Subject: hi\r\n\r\n");
	struct report r;

	(void)state;
	f[1].expired = true;
	dsn.now_us = dsn.arrived_us + 5 * CLOCK_DAY;
	read_report(&r, &dsn);
	assert_int_equal(r.recipient_count, 3);
	assert_string_equal(the(&r.recipients[1], "Status"), "4.4.7");
	assert_string_equal(the(&r.recipients[1], "Diagnostic-Code"), "smtp; 451 4.7.1 later");
	assert_string_equal(the(&r.recipients[2], "Status"), "5.3.4");
	/* No remote host said it. */
	assert_false(has(&r.recipients[2], "Diagnostic-Code"));
	assert_false(has(&r.recipients[2], "Remote-MTA"));
	assert_false(has(&r.message, "Original-Envelope-Id"));
	assert_false(has(&r.recipients[0], "Original-Recipient"));
	assert_non_null(strstr(r.bodies[0], "tried for 5 days"));
	report_release(&r);
	for (size_t i = 0; i < 3; i++)
		reply_release(&f[i].reply);
}

static void test_status_agrees_with_the_reply(void **state)
{
	struct bounce_failure f =
		failure_of("a@example.org", 550, "4.2.1", "odd", "mx.example.org");
	struct dsn dsn = dsn_of(&f, 1, "\r\n");
	struct report r;

	(void)state;
	read_report(&r, &dsn);
	assert_string_equal(the(&r.recipients[0], "Status"), "5.0.0");
	report_release(&r);
	/* RFC 2852: its sender's time has come. */
	f.expired = f.late = true;
	read_report(&r, &dsn);
	assert_string_equal(the(&r.recipients[0], "Status"), "5.4.7");
	report_release(&r);
	reply_release(&f.reply);
}

static void test_a_delay(void **state)
{
	struct bounce_failure f = failure_of("a@example.org", 451, "4.7.1", "greylisted", NULL);
	struct dsn dsn = dsn_of(&f, 1, "Subject: hi\r\n\r\n");
	struct report r;

	(void)state;
	f.report = REPORT_DELAYED;
	f.until_us = dsn.arrived_us + 5 * CLOCK_DAY;
	dsn.now_us = dsn.arrived_us + 4 * CLOCK_HOUR;
	read_report(&r, &dsn);
	assert_string_equal(the(&r.header, "Subject"), "Mail is delayed and still being tried");
	assert_non_null(strstr(the(&r.header, "Message-ID"), ".3.delayed.1790014400000@"));
	assert_string_equal(the(&r.recipients[0], "Action"), "delayed");
	assert_string_equal(the(&r.recipients[0], "Status"), "4.7.1");
	assert_string_equal(the(&r.recipients[0], "Will-Retry-Until"),
	                    "Sat, 26 Sep 2026 14:13:20 +0000");
	assert_false(has(&r.recipients[0], "Diagnostic-Code"));
	assert_non_null(strstr(r.bodies[0], "could not yet be delivered"));
	assert_non_null(strstr(r.bodies[0], "tried for 4 hours"));
	assert_non_null(strstr(r.bodies[0], "451 4.7.1 greylisted"));
	assert_null(strstr(r.bodies[0], "permanent"));
	report_release(&r);
	/* RFC 2852: by the sender's own time. */
	f.late = true;
	read_report(&r, &dsn);
	assert_string_equal(the(&r.recipients[0], "Status"), "4.4.7");
	assert_non_null(strstr(r.bodies[0], "by the time that you gave"));
	report_release(&r);
	reply_release(&f.reply);
}

static void test_relayed_and_failed(void **state)
{
	struct bounce_failure f[2] = {
		failure_of("a@example.org", 250, "2.6.0", "queued as 7", "mx.example.org"),
		failure_of("b@example.org", 550, "5.1.1", "no", "mx.example.org"),
	};
	struct dsn dsn = dsn_of(f, 1, "Subject: hi\r\n\r\n");
	struct report r;

	(void)state;
	f[0].report = REPORT_RELAYED;
	read_report(&r, &dsn);
	assert_string_equal(the(&r.header, "Subject"), "Mail was handed on");
	assert_string_equal(the(&r.recipients[0], "Action"), "relayed");
	assert_string_equal(the(&r.recipients[0], "Status"), "2.6.0");
	assert_string_equal(the(&r.recipients[0], "Remote-MTA"), "dns; mx.example.org");
	assert_false(has(&r.recipients[0], "Will-Retry-Until"));
	assert_null(strstr(r.bodies[0], "could not"));
	report_release(&r);
	dsn.count = 2;
	read_report(&r, &dsn);
	assert_string_equal(the(&r.header, "Subject"), "Undelivered mail returned to sender");
	assert_string_equal(the(&r.recipients[0], "Action"), "relayed");
	assert_string_equal(the(&r.recipients[1], "Action"), "failed");
	assert_true(strstr(r.bodies[0], "<b@example.org>") <
	            strstr(r.bodies[0], "<a@example.org>"));
	report_release(&r);
	/* A reply that says nothing more. */
	reply_release(&f[0].reply);
	f[0].reply = (struct reply){ .code = 250 };
	dsn.count = 1;
	read_report(&r, &dsn);
	assert_string_equal(the(&r.recipients[0], "Status"), "2.0.0");
	report_release(&r);
	reply_release(&f[1].reply);
}

/* What peers and senders say must not make a field, a part, or a line. */
static void test_hostile_text(void **state)
{
	char lengthy[3000];
	const char *texts[] = {
		"x\nAction: delivered\nStatus: 2.0.0",
		"x\r\n\r\n--=_0000004HMASW9.3.0\r\nContent-Type: text/html\r\n\r\n<script>",
		"\xff\xfe\x80 \xc3\xa9\xe2\x80\xa8 \x1b[31m \x7f \x01",
		"   \n\n\t  ",
		"",
		lengthy,
	};

	(void)state;
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[sizeof(lengthy) - 1] = '\0';
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct bounce_failure f =
			failure_of("a@example.org", 550, "5.0.0", "", "mx.example.org");
		struct dsn dsn = dsn_of(&f, 1,
		                        "Subject: --=_0000004HMASW9.3.0\r\n"
		                        "X: --=_0000004HMASW9.3.1\r\n\r\n");
		struct report r;

		free(f.reply.text);
		f.reply.text = memory_text(texts[i]);
		f.to.address.text = (char *)"\"a\r\nAction: x\"@example.org";
		f.to.orcpt = (char *)"rfc822;a+0D+0AAction:+20none";
		dsn.envid = "+0D+0A+0D+0AX:y";
		read_report(&r, &dsn);
		assert_int_equal(r.recipient_count, 1);
		assert_string_equal(the(&r.recipients[0], "Action"), "failed");
		assert_string_equal(the(&r.recipients[0], "Status"), "5.0.0");
		assert_int_equal(r.recipients[0].count, 6);
		assert_int_equal(r.message.count, 3);
		report_release(&r);
		reply_release(&f.reply);
	}
}

static void test_originals_beyond_ascii(void **state)
{
	char lengthy[2100];
	struct bounce_failure f = failure_of("a@example.org", 550, "5.0.0", "no", "mx.example.org");
	const char *originals[] = { "Subject: caf\xc3\xa9 = x \r\nX: y\r\n\r\n", lengthy };

	(void)state;
	memset(lengthy, 'y', sizeof(lengthy));
	memcpy(lengthy, "X: ", 3);
	memcpy(lengthy + sizeof(lengthy) - 5, "\r\n\r\n", 5);
	for (size_t i = 0; i < 2; i++) {
		struct dsn dsn = dsn_of(&f, 1, originals[i]);
		struct report r;

		read_report(&r, &dsn);
		assert_string_equal(the(&r.part_headers[2], "Content-Transfer-Encoding"),
		                    "quoted-printable");
		if (i == 0)
			assert_string_equal(r.bodies[2],
			                    "Subject: caf=C3=A9 =3D x=20\r\nX: y\r\n\r\n");
		report_release(&r);
	}
	reply_release(&f.reply);
}

static void test_a_whole_message(void **state)
{
	struct bounce_failure f = failure_of("a@example.org", 550, "5.0.0", "no", "mx.example.org");
	struct dsn dsn = dsn_of(&f, 1, "Subject: x\r\n\r\nbody\r\n");
	struct report r;

	(void)state;
	dsn.full = true;
	read_report(&r, &dsn);
	assert_string_equal(the(&r.part_headers[2], "Content-Type"), "message/rfc822");
	assert_false(has(&r.part_headers[2], "Content-Transfer-Encoding"));
	assert_string_equal(r.bodies[2], "Subject: x\r\n\r\nbody\r\n");
	report_release(&r);
	reply_release(&f.reply);
}

static void test_addresses_beyond_ascii(void **state)
{
	struct address international = { (char *)"j\xc3\xb6rg@example.com", 5 };
	struct bounce_failure f =
		failure_of("d\xc3\xb6ner@example.org", 550, "5.1.1", "no", "mx.example.org");
	struct dsn dsn = dsn_of(&f, 1, "Subject: x\r\n\r\n");
	struct report r;

	(void)state;
	dsn.to = &international;
	read_report(&r, &dsn);
	assert_string_equal(the(&r.recipients[0], "Final-Recipient"),
	                    "utf-8; d\\x{F6}ner@example.org");
	assert_string_equal(the(&r.header, "To"), "undisclosed-recipients:;");
	report_release(&r);
	reply_release(&f.reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_plain_failure),
		cmocka_unit_test(test_several_recipients),
		cmocka_unit_test(test_status_agrees_with_the_reply),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_originals_beyond_ascii),
		cmocka_unit_test(test_a_whole_message),
		cmocka_unit_test(test_addresses_beyond_ascii),
		cmocka_unit_test(test_a_delay),
		cmocka_unit_test(test_relayed_and_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
