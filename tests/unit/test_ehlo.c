/* SPDX-License-Identifier: ISC */
/* The capabilities of a peer, well and ill written. */
#include <string.h>

#include "transport_stage.h"

enum offered {
	PIPELINING = 1,
	EIGHT = 2,
	UTF8 = 4,
	DSN = 8,
	CHUNKING = 16,
	CODES = 32,
	SIZE = 64,
	STARTTLS = 128,
	AUTH = 256,
	PLAIN = 512,
	LOGIN = 1024
};

static unsigned offered_by(const struct ehlo *e)
{
	const struct peer_facts *f = &e->facts;

	return (f->pipelining ? PIPELINING : 0u) | (f->eight_bit_mime ? EIGHT : 0u) |
	       (f->smtputf8 ? UTF8 : 0u) | (f->dsn ? DSN : 0u) | (f->chunking ? CHUNKING : 0u) |
	       (f->enhanced_codes ? CODES : 0u) | (f->size ? SIZE : 0u) |
	       (e->starttls ? STARTTLS : 0u) | (e->auth ? AUTH : 0u) |
	       ((e->mechanisms & sasl_bit(PROVIDER_AUTH_PLAIN)) ? PLAIN : 0u) |
	       ((e->mechanisms & sasl_bit(PROVIDER_AUTH_LOGIN)) ? LOGIN : 0u);
}

static const struct {
	const char *text;
	unsigned offered;
	uint64_t size, recipients, messages;
} rows[] = {
	{ NULL, 0, 0, 0, 0 },
	{ "", 0, 0, 0, 0 },
	{ "PIPELINING", 0, 0, 0, 0 }, /* the first line is a name */
	{ "host\nPIPELINING", PIPELINING, 0, 0, 0 },
	{ "host\npipelining\n8bitmime\nSmtpUtf8", PIPELINING | EIGHT | UTF8, 0, 0, 0 },
	{ "host\nDSN\nCHUNKING\nENHANCEDSTATUSCODES\nSTARTTLS", DSN | CHUNKING | CODES | STARTTLS,
	  0, 0, 0 },
	{ "host\nPIPELININGS\nXDSN\nDSN-X\nSTART TLS", 0, 0, 0, 0 },
	{ "host\n\n\n DSN\n", DSN, 0, 0, 0 },
	{ "host\nSIZE", SIZE, 0, 0, 0 },
	{ "host\nSIZE 0", SIZE, 0, 0, 0 },
	{ "host\nSIZE 10240000", SIZE, 10240000, 0, 0 },
	{ "host\nsize   12  13", SIZE, 12, 0, 0 },
	{ "host\nSIZE 18446744073709551615", SIZE, UINT64_MAX, 0, 0 },
	{ "host\nSIZE 18446744073709551616", SIZE, 0, 0, 0 },
	{ "host\nSIZE 99999999999999999999999", SIZE, 0, 0, 0 },
	{ "host\nSIZE -1", SIZE, 0, 0, 0 },
	{ "host\nSIZE abc", SIZE, 0, 0, 0 },
	{ "host\nSIZE=5", 0, 0, 0, 0 },
	{ "host\nAUTH", AUTH, 0, 0, 0 },
	{ "host\nAUTH PLAIN", AUTH | PLAIN, 0, 0, 0 },
	{ "host\nAUTH CRAM-MD5 login PLAIN-X", AUTH | LOGIN, 0, 0, 0 },
	{ "host\nAUTH=LOGIN PLAIN", AUTH | PLAIN | LOGIN, 0, 0, 0 },
	{ "host\nAUTHPLAIN", 0, 0, 0, 0 },
	{ "host\nLIMITS RCPTMAX=50 MAILMAX=1000", 0, 0, 50, 1000 },
	{ "host\nLIMITS mailmax=5 RCPTDOMAINMAX=1 FOO=2 BAR", 0, 0, 0, 5 },
	{ "host\nLIMITS", 0, 0, 0, 0 },
	{ "host\nLIMITS RCPTMAX= =5 RCPTMAX MAILMAX=0", 0, 0, 0, 0 },
	{ "host\nLIMITS RCPTMAX=999999", 0, 0, 999999, 0 },
	{ "host\nLIMITS RCPTMAX=1000000 MAILMAX=12345678901234567890", 0, 0, 0, 0 },
	{ "host\nLIMITS RCPTMAX=5x MAILMAX=-1", 0, 0, 0, 0 },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ehlo e;

		ehlo_parse(&e, rows[i].text);
		assert_int_equal(offered_by(&e), rows[i].offered);
		assert_int_equal(e.facts.size_max, rows[i].size);
		assert_int_equal(e.facts.recipients_max, rows[i].recipients);
		assert_int_equal(e.facts.messages_max, rows[i].messages);
		assert_false(e.facts.tls);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
