/* SPDX-License-Identifier: ISC */
/* test_proxy.c - headers of the PROXY protocol: what is read, what is refused, at every cut. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "net/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TEXT(t)   t, sizeof(t) - 1
#define TCP4_BODY "\xc0\0\x02\x01\x7f\0\0\x01\xd4\x31\0\x19"
#define TCP6_BODY                                                                                \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xd4\x31\0" \
	"\x19"
#define MAPPED_BODY \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x05\0\x19"

struct good {
	const char *bytes;
	size_t length;
	const char *address, *port;
	bool local;
};

static const struct good good[] = {
	{ TEXT("PROXY TCP4 192.0.2.1 127.0.0.1 54321 25\r\n"), "192.0.2.1", "54321", false },
	{ TEXT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255",
	  "65535", false },
	{ TEXT("PROXY TCP6 2001:DB8::5 ::1 1 0\r\n"), "2001:db8::5", "1", false },
	{ TEXT("PROXY TCP6 ::ffff:192.0.2.7 ::1 5 25\r\n"), "192.0.2.7", "5", false },
	{ TEXT("PROXY UNKNOWN\r\n"), "unknown", "", false },
	{ TEXT("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), "unknown", "",
	  false },
	{ TEXT(SIGNATURE "\x21\x11\0\x0c" TCP4_BODY), "192.0.2.1", "54321", false },
	{ TEXT(SIGNATURE "\x21\x11\0\x13" TCP4_BODY "\x04\0\x04"
	                 "abcd"),
	  "192.0.2.1", "54321", false },
	{ TEXT(SIGNATURE "\x21\x21\0\x24" TCP6_BODY), "2001:db8::5", "54321", false },
	{ TEXT(SIGNATURE "\x21\x21\0\x24" MAPPED_BODY), "192.0.2.7", "5", false },
	{ TEXT(SIGNATURE "\x21\0\0\0"), "unknown", "", false },
	{ TEXT(SIGNATURE "\x21\x31\0\x02xx"), "unknown", "", false },
	{ TEXT(SIGNATURE "\x20\0\0\0"), "", "", true },
	{ TEXT(SIGNATURE "\x20\x11\0\x0c" TCP4_BODY), "", "", true },
};

/* Cut anywhere it is partial; what follows is not looked at. */
static void reads_headers(void **state)
{
	struct proxy_header h;
	const char *error;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		const struct good *g = &good[i];
		unsigned char more[256];

		print_message("%zu\n", i);
		for (size_t cut = 0; cut < g->length; cut++)
			assert_int_equal(proxy_parse(&h, span_of(g->bytes, cut), &error),
			                 PROXY_PARTIAL);
		memcpy(more, g->bytes, g->length);
		memcpy(more + g->length, "\nEHLO", 5);
		assert_int_equal(proxy_parse(&h, span_of(more, g->length + 5), &error), PROXY_DONE);
		assert_int_equal(h.length, g->length);
		assert_string_equal(h.address, g->address);
		assert_string_equal(h.port, g->port);
		assert_int_equal(h.local, g->local);
	}
}

static void refuses_what_is_none(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *error;
	} table[] = {
		{ TEXT("EHLO x\r\n"), "no PROXY header" },
		{ TEXT("PROXY\r\n"), "no PROXY header" },
		{ TEXT("proxy TCP4 "), "no PROXY header" },
		{ TEXT("\r\n\r\nQUIT"), "no PROXY header" },
		{ TEXT("\x16\x03\x01"), "no PROXY header" },
		{ TEXT("PROXY \n"), "PROXY line malformed" },
		{ TEXT("PROXY \r\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP4\r\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP4 192.0.2.1 127.0.0.1 5 25\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP4 192.0.2.1 127.0.0.1 5\r\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP4 192.0.2.1 127.0.0.1 5 25 \r\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP4 192.0.2.1 127.0.0.1 5 25 6\r\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP4  192.0.2.1 127.0.0.1 5 25\r\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP4 192.0.2.1\0 127.0.0.1 5 25\r\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP4 192.0.2.1 127.0.0.1 65536 25\r\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP4 192.0.2.1 127.0.0.1 05 25\r\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP4 192.0.2.1 127.0.0.1 -5 25\r\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP4 ::1 ::1 5 25\r\n"), "PROXY line malformed" },
		{ TEXT("PROXY TCP6 192.0.2.1 127.0.0.1 5 25\r\n"), "PROXY line malformed" },
		{ TEXT("PROXY UDP4 192.0.2.1 127.0.0.1 5 25\r\n"), "PROXY line malformed" },
		{ TEXT(SIGNATURE "\x11\x11\0\x0c" TCP4_BODY),
		  "PROXY header of an unknown version or command" },
		{ TEXT(SIGNATURE "\x22\x11\0\x0c" TCP4_BODY),
		  "PROXY header of an unknown version or command" },
		{ TEXT(SIGNATURE "\x21\x12\0\x0c" TCP4_BODY), "PROXY header of an unknown family" },
		{ TEXT(SIGNATURE "\x21\x11\0\x0b" TCP4_BODY),
		  "PROXY header too short for its addresses" },
		{ TEXT(SIGNATURE "\x21\x21\0\x0c" TCP4_BODY),
		  "PROXY header too short for its addresses" },
		{ TEXT(SIGNATURE "\x21\x11\x02\x09"), "PROXY header too long" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct proxy_header h;
		const char *error = NULL;

		print_message("%zu\n", i);
		assert_int_equal(proxy_parse(&h, span_of(table[i].bytes, table[i].length), &error),
		                 PROXY_BAD);
		assert_string_equal(error, table[i].error);
	}
}

/* The longest of each version, and one octet more. */
static void keeps_the_bounds(void **state)
{
	unsigned char text[PROXY_V2_MAX + 1];
	struct proxy_header h;
	const char *error;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "PROXY UNKNOWN ", 14);
	assert_int_equal(proxy_parse(&h, span_of(text, PROXY_V1_MAX - 1), &error), PROXY_PARTIAL);
	assert_int_equal(proxy_parse(&h, span_of(text, PROXY_V1_MAX), &error), PROXY_BAD);
	memcpy(text + PROXY_V1_MAX - 2, "\r\n", 2);
	assert_int_equal(proxy_parse(&h, span_of(text, PROXY_V1_MAX), &error), PROXY_DONE);
	assert_int_equal(h.length, PROXY_V1_MAX);
	memcpy(text, SIGNATURE "\x21\x11\x02\x08" TCP4_BODY, 28);
	assert_int_equal(proxy_parse(&h, span_of(text, PROXY_V2_MAX - 1), &error), PROXY_PARTIAL);
	assert_int_equal(proxy_parse(&h, span_of(text, PROXY_V2_MAX), &error), PROXY_DONE);
	assert_int_equal(h.length, PROXY_V2_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_headers),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(keeps_the_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
