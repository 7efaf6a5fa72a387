/* SPDX-License-Identifier: ISC */
/* test_trace.c - the Received field, whatever the client calls itself; hops. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "mail/header.h"
#include "mail/trace.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))
#define TIME          INT64_C(1795297342123456)

/* Facts without memory of their own. */
static struct trace trace_of(const char *helo, const char *client, const char *tls,
                             const char *recipient)
{
	return (struct trace){ .helo = (char *)(uintptr_t)helo,
		               .client = (char *)(uintptr_t)client,
		               .by = (char *)(uintptr_t) "relay.example",
		               .with = (char *)(uintptr_t) "ESMTPS",
		               .tls = (char *)(uintptr_t)tls,
		               .recipient = (char *)(uintptr_t)recipient,
		               .time_us = TIME };
}

/* Byte for byte the same each time, behind the Received field. */
static void writes_what_is_added(void **state)
{
	static const struct {
		unsigned added;
		const char *from, *text;
	} rows[] = {
		{ 0, NULL, "" },
		{ TRACE_ADD_DATE, NULL, "Date: Sat, 21 Nov 2026 21:42:22 +0000\r\n" },
		{ TRACE_ADD_FROM, "Host <r@h.example>", "From: Host <r@h.example>\r\n" },
		{ TRACE_ADD_MESSAGE_ID, NULL, "Message-ID: <0000000000011@relay.example>\r\n" },
		{ TRACE_ADD_DATE | TRACE_ADD_FROM | TRACE_ADD_MESSAGE_ID | TRACE_ADD_LINE, "a@b",
		  "Date: Sat, 21 Nov 2026 21:42:22 +0000\r\nFrom: a@b\r\n"
		  "Message-ID: <0000000000011@relay.example>\r\n\r\n" },
	};

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct trace t = trace_of("h", "127.0.0.1", NULL, NULL);
		struct bytes out = { 0 }, received = { 0 };

		t.added = rows[i].added;
		t.from = (char *)(uintptr_t)rows[i].from;
		trace_format_received(&t, 33, &received);
		trace_format(&t, 33, &out);
		assert_memory_equal(out.data, received.data, received.length);
		assert_string_equal(bytes_text(&out) + received.length, rows[i].text);
		bytes_release(&out);
		bytes_release(&received);
	}
}

static void writes_received(void **state)
{
	static const struct {
		const char *helo, *client, *tls, *recipient, *from, *rest;
	} rows[] = {
		{ "app.example", "127.0.0.1", NULL, NULL, "from app.example ([127.0.0.1])\r\n",
		  ";" },
		{ "app.example", "::1", "TLSv1.3 TLS_AES_256_GCM_SHA384", "a@b",
		  "from app.example ([IPv6:::1])\r\n\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n",
		  "\r\n\tfor <a@b>;" },
		{ "[127.0.0.1]", "unix:uid=1000", NULL, "\"x y\"@b",
		  "from [127.0.0.1] (unix:uid=1000)\r\n", "\r\n\tfor <\"x y\"@b>;" },
		{ "", "", NULL, NULL, "from unknown (unknown)\r\n", ";" },
		{ NULL, NULL, NULL, NULL, "from unknown (unknown)\r\n", ";" },
		{ "evil)\r\nBcc: x (", "127.0.0.1", NULL, NULL,
		  "from evil???Bcc:?x?? ([127.0.0.1])\r\n", ";" },
		{ "h; x@y", "1)\n", "v\r\n(", "a\r\nb@c\x7f",
		  "from h??x?y ([1??])\r\n\t(v?\?\?)\r\n", "\r\n\tfor <a??b@c?>;" },
	};

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct trace t =
			trace_of(rows[i].helo, rows[i].client, rows[i].tls, rows[i].recipient);
		struct bytes out = { 0 }, expected = { 0 };

		trace_format_received(&t, 33, &out);
		bytes_printf(&expected,
		             "Received: %s\tby relay.example with ESMTPS id 0000000000011%s\r\n"
		             "\tSat, 21 Nov 2026 21:42:22 +0000\r\n",
		             rows[i].from, rows[i].rest);
		assert_string_equal(bytes_text(&out), bytes_text(&expected));
		assert_int_equal(trace_count_hops(bytes_span(&out)), 1);
		bytes_release(&out);
		bytes_release(&expected);
	}
}

static void bounds_what_the_client_says(void **state)
{
	char helo[5000];
	struct trace t;
	struct bytes out = { 0 };

	(void)state;
	memset(helo, 'h', sizeof(helo) - 1);
	helo[sizeof(helo) - 1] = '\0';
	t = trace_of(helo, "127.0.0.1", NULL, NULL);
	trace_format_received(&t, 1, &out);
	assert_true(out.length < 998);
	bytes_release(&out);
}

static void counts_hops(void **state)
{
	static const struct {
		const char *message;
		unsigned hops;
	} rows[] = {
		{ "", 0 },
		{ "Subject: x\r\n\r\nReceived: in the body\r\n", 0 },
		{ "Received: a\r\nRECEIVED: b\r\n\tfolded\r\nreceived : c\r\nX-Received: d\r\n\r\n",
		  3 },
		{ "Received: a\nReceived: b\n\nReceived: c\n", 2 },
		{ "X: y\r\n Received: folded\r\n\r\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++)
		assert_int_equal(trace_count_hops(span_of_text(rows[i].message)), rows[i].hops);
}

static void releases(void **state)
{
	struct trace t = { .helo = memory_text("a"), .tls = memory_text("b") };

	(void)state;
	trace_release(&t);
	assert_null(t.helo);
	trace_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_received),
		cmocka_unit_test(writes_what_is_added),
		cmocka_unit_test(bounds_what_the_client_says),
		cmocka_unit_test(counts_hops),
		cmocka_unit_test(releases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
