/* SPDX-License-Identifier: ISC */
/* The steps to READY: whatever a peer answers, TLS rules and nothing said in clear that must not
 * be. */
#include <string.h>

#include "transport_tls.h"

#define HELLO    "220 smarthost.test\r\n"
#define EHLO     "EHLO client.test\r\n"
#define OFFERS   "250-smarthost.test\r\n250-STARTTLS\r\n250 PIPELINING\r\n"
#define OFFERS_A "250-smarthost.test\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n"

static void test_greetings(void **state)
{
	static const struct {
		const char *greeting;
		int code; /* 0: goes on with EHLO */
		bool local;
	} rows[] = {
		{ "220 hi\r\n", 0, false },
		{ "220\r\n", 0, false },
		{ "220-hi\r\n220-there\r\n220 end\r\n", 0, false },
		{ "220 bare line end\n", 0, false },
		{ "221 bye\r\n", 451, true },
		{ "250 hi\r\n", 451, true },
		{ "354 go\r\n", 451, true },
		{ "334 \r\n", 451, true },
		{ "421 4.3.2 busy\r\n", 421, false },
		{ "450 wait\r\n", 450, false },
		{ "500 what\r\n", 500, false },
		{ "554 no mail here\r\n", 554, false },
		{ "220-hi\r\n221 there\r\n", 451, true },
		{ "hello\r\n", 451, true },
		{ "HTTP/1.0 400 Bad Request\r\n", 451, true },
		{ "2200 hi\r\n", 451, true },
		{ "\r\n", 451, true },
		{ "220 hi\r\n220 hi\r\n", 451, true }, /* the second came before EHLO left */
		{ "220 hi\r\n250 early\r\n", 451, true },
		{ "\x16\x03\x01\x02\r\n", 451, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;

		stage_open(&s);
		stage_begin(&s);
		hears(&s, "");
		says(&s, rows[i].greeting);
		if (rows[i].code == 0) {
			hears(&s, EHLO);
			assert_false(s.closed);
		} else {
			ended_at(&s, STAGE_GREETING, rows[i].code, rows[i].local);
			assert_null(strstr(bytes_text(&s.heard), "EHLO"));
		}
		assert_int_equal(s.readies, 0);
		stage_close(&s);
	}
}

static void test_ehlo_replies(void **state)
{
	static const struct {
		const char *reply;
		int code; /* 0: ready; 1: HELO */
		bool local;
	} rows[] = {
		{ "250 hi\r\n", 0, false },
		{ "250-hi\r\n250-\r\n250-SIZE abc\r\n250 x y z\r\n", 0, false },
		{ "500 what\r\n", 1, false },
		{ "502 no\r\n", 1, false },
		{ "550 no\r\n", 1, false },
		{ "220 hi\r\n", 451, true },
		{ "221 bye\r\n", 451, true },
		{ "354 go\r\n", 451, true },
		{ "450 later\r\n", 450, false },
		{ "421 busy\r\n", 421, false },
		{ "250-hi\r\n251 there\r\n", 451, true },
		{ "250-hi\r\n500 there\r\n", 451, true },
		{ "250 hi\r\n250 again\r\n", 451, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;

		stage_open(&s);
		stage_begin(&s);
		says(&s, HELLO);
		hears(&s, EHLO);
		says(&s, rows[i].reply);
		if (rows[i].code == 1)
			hears(&s, "HELO client.test\r\n");
		else if (rows[i].code != 0)
			assert_true(s.closed);
		if (rows[i].code > 1)
			assert_int_equal(s.code, rows[i].code);
		assert_int_equal(s.closed && s.local, rows[i].local);
		stage_close(&s);
	}
}

static void test_helo_replies(void **state)
{
	static const struct {
		const char *reply;
		int code;
	} rows[] = { { "250 hi\r\n", 0 },
		     { "500 no\r\n", 500 },
		     { "421 no\r\n", 421 },
		     { "354 no\r\n", 451 } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;

		stage_open(&s);
		stage_begin(&s);
		says(&s, HELLO);
		says(&s, "502 no EHLO\r\n");
		hears(&s, EHLO "HELO client.test\r\n");
		says(&s, rows[i].reply);
		assert_int_equal(s.readies, rows[i].code == 0 ? 1 : 0);
		if (rows[i].code == 0) {
			assert_false(s.facts.pipelining);
			submit(&s, 1);
			hears(&s, "MAIL FROM:<a@example.org>\r\n");
		} else {
			ended_at(&s, STAGE_GREETING, rows[i].code, rows[i].code == 451);
		}
		stage_close(&s);
	}
}

/* Where EHLO matters there is no HELO. */
static void test_no_helo_when_tls_or_login_is_required(void **state)
{
	static const struct {
		enum provider_tls tls;
		const char *login;
		enum connection_stage at;
	} rows[] = {
		{ PROVIDER_TLS_STARTTLS, NULL, STAGE_TLS },
		{ PROVIDER_TLS_STARTTLS, "user", STAGE_TLS },
		{ PROVIDER_TLS_NEVER, "user", STAGE_GREETING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;

		stage_open(&s);
		stage_tls(&s, TLS_TRUST_FULL, CERTIFICATE_GOOD);
		s.provider.tls = rows[i].tls;
		s.provider.login = (char *)rows[i].login;
		s.provider.password = (char *)"secret";
		stage_begin(&s);
		says(&s, HELLO);
		says(&s, "500 what\r\n");
		assert_true(s.closed);
		assert_int_equal(s.at, rows[i].at);
		assert_null(strstr(bytes_text(&s.heard), "HELO client"));
		assert_null(strstr(bytes_text(&s.heard), "AUTH"));
		stage_close(&s);
	}
}

/* Required TLS that is not to be had: EHLO and STARTTLS are all that was ever said. */
static void test_starttls_refused(void **state)
{
	static const struct {
		const char *ehlo, *starttls;
		int code;
	} rows[] = {
		{ "250 smarthost.test\r\n", NULL, 451 },
		{ "250-starttls\r\n250 PIPELINING\r\n", NULL, 451 }, /* only a name */
		{ OFFERS, "454 4.7.0 not now\r\n", 451 },
		{ OFFERS, "502 no\r\n", 451 },
		{ OFFERS, "530 no\r\n", 451 },
		{ OFFERS, "221 bye\r\n", 451 },
		{ OFFERS, "250 ok\r\n", 451 },
		{ OFFERS, "354 go\r\n", 451 },
		{ OFFERS, "220-a\r\n221 b\r\n", 451 },
		{ OFFERS, "rubbish\r\n", 451 },
		{ OFFERS, "421 busy\r\n", 421 },
		{ OFFERS, "220 go\r\n250-smarthost.test\r\n250 AUTH PLAIN\r\n", 451 },
		{ OFFERS, "220 go\r\n250-SMTPUTF8 INJECTED ", 451 },
		{ OFFERS, "220 go\r\n2", 451 },
		{ OFFERS, "220 go\r\n\r\n", 451 },
	};
	static const enum provider_tls kinds[] = { PROVIDER_TLS_STARTTLS,
		                                   PROVIDER_TLS_OPPORTUNISTIC };

	(void)state;
	for (size_t n = 0; n < 2 * sizeof rows / sizeof *rows; n++) {
		size_t i = n / 2;
		struct stage s;

		if (rows[i].starttls == NULL && kinds[n % 2] == PROVIDER_TLS_OPPORTUNISTIC)
			continue;
		stage_open(&s);
		stage_tls(&s, TLS_TRUST_FULL, CERTIFICATE_GOOD);
		s.provider.tls = kinds[n % 2];
		stage_begin(&s);
		says(&s, HELLO);
		hears(&s, EHLO);
		says(&s, rows[i].ehlo);
		if (rows[i].starttls != NULL) {
			hears(&s, "STARTTLS\r\n");
			says(&s, rows[i].starttls);
		}
		ended_at(&s, STAGE_TLS, rows[i].code, rows[i].code != 421);
		hears(&s, "");
		assert_true(s.peer_closed);
		assert_int_equal(s.readies, 0);
		stage_close(&s);
	}
}

static void test_opportunistic_without_an_offer(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_tls(&s, TLS_TRUST_FULL, CERTIFICATE_GOOD);
	s.provider.tls = PROVIDER_TLS_OPPORTUNISTIC;
	stage_ready(&s, "PIPELINING");
	assert_false(s.facts.tls);
	stage_close(&s);
}

static void test_starttls(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_tls(&s, TLS_TRUST_FULL, CERTIFICATE_GOOD);
	s.provider.tls = PROVIDER_TLS_STARTTLS;
	stage_begin(&s);
	says(&s, HELLO);
	hears(&s, EHLO);
	says(&s, "250-smarthost.test\r\n250-STARTTLS\r\n250-SIZE 5\r\n250 PIPELINING\r\n");
	hears(&s, "STARTTLS\r\n");
	secures(&s, "220 go\r\n");
	hears(&s, EHLO);
	assert_int_equal(s.readies, 0);
	says(&s, "250-smarthost.test\r\n250 DSN\r\n");
	assert_int_equal(s.readies, 1);
	assert_true(s.facts.tls);
	assert_true(s.facts.dsn);
	assert_false(s.facts.size); /* said in clear: forgotten */
	assert_false(s.facts.pipelining);
	assert_non_null(strstr(bytes_text(&s.log), "connection opened conn=7 provider=test"));
	assert_non_null(strstr(bytes_text(&s.log), "tls=\"TLSv1.3"));
	submit(&s, 1);
	hears(&s, "MAIL FROM:<a@example.org>\r\n");
	stage_close(&s);
}

/* The second EHLO may refuse, too. */
static void test_ehlo_after_tls(void **state)
{
	static const char *const replies[] = { "500 what\r\n", "421 busy\r\n", "220 hi\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		struct stage s;

		stage_open(&s);
		stage_tls(&s, TLS_TRUST_FULL, CERTIFICATE_GOOD);
		s.provider.tls = PROVIDER_TLS_STARTTLS;
		stage_begin(&s);
		says(&s, HELLO);
		says(&s, OFFERS);
		secures(&s, "220 go\r\n");
		bytes_clear(&s.heard);
		says(&s, replies[i]);
		assert_true(s.closed);
		assert_null(strstr(bytes_text(&s.heard), "HELO"));
		stage_close(&s);
	}
}

static void test_implicit(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_tls(&s, TLS_TRUST_FULL, CERTIFICATE_GOOD);
	s.provider.tls = PROVIDER_TLS_IMPLICIT;
	stage_begin(&s);
	assert_int_equal(s.heard.data[0], 0x16); /* a ClientHello, nothing in clear */
	stage_close(&s);
}

/* A peer that cannot be verified hears neither AUTH nor MAIL. */
static void test_bad_certificates(void **state)
{
	static const struct {
		enum certificate_kind kind;
		const char *host;
		enum tls_trust trust;
		bool good;
	} rows[] = {
		{ CERTIFICATE_GOOD, "smarthost.test", TLS_TRUST_FULL, true },
		{ CERTIFICATE_GOOD, "localhost", TLS_TRUST_FULL, true },
		{ CERTIFICATE_GOOD, "other.test", TLS_TRUST_FULL, false },
		{ CERTIFICATE_UNKNOWN, "smarthost.test", TLS_TRUST_FULL, false },
		{ CERTIFICATE_EXPIRED, "smarthost.test", TLS_TRUST_FULL, false },
		{ CERTIFICATE_UNKNOWN, "smarthost.test", TLS_TRUST_CA, false },
		{ CERTIFICATE_EXPIRED, "smarthost.test", TLS_TRUST_CA, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;

		stage_open(&s);
		stage_tls(&s, rows[i].trust, rows[i].kind);
		s.provider.tls = PROVIDER_TLS_STARTTLS;
		s.provider.host = (char *)rows[i].host;
		s.provider.login = (char *)"user";
		s.provider.password = (char *)"secret";
		stage_begin(&s);
		says(&s, HELLO);
		says(&s, OFFERS);
		hears(&s, EHLO "STARTTLS\r\n");
		secures(&s, "220 go\r\n");
		if (rows[i].good) {
			hears(&s, EHLO);
			says(&s, OFFERS_A);
			assert_non_null(strstr(bytes_text(&s.heard), "AUTH PLAIN "));
		} else {
			ended_at(&s, STAGE_TLS, 451, true);
			hears(&s, "");
		}
		stage_close(&s);
	}
}

static void test_patience(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_begin(&s);
	says(&s, "220-slow\r\n");
	pass(&s, PATIENCE_GREETING - 1);
	assert_false(s.closed);
	pass(&s, 1);
	ended_at(&s, STAGE_GREETING, 451, true);
	stage_close(&s);

	stage_open(&s);
	stage_tls(&s, TLS_TRUST_FULL, CERTIFICATE_GOOD);
	s.provider.tls = PROVIDER_TLS_STARTTLS;
	stage_begin(&s);
	says(&s, HELLO);
	says(&s, OFFERS);
	says(&s, "220 go\r\n");
	pass(&s, PATIENCE_TLS);
	ended_at(&s, STAGE_TLS, 451, true);
	stage_close(&s);
}

static void test_finish_while_opening(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_begin(&s);
	connection_finish(s.connection);
	assert_false(s.closed);
	pass(&s, 0);
	ended_at(&s, STAGE_GREETING, 0, true);
	stage_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greetings),
		cmocka_unit_test(test_ehlo_replies),
		cmocka_unit_test(test_helo_replies),
		cmocka_unit_test(test_no_helo_when_tls_or_login_is_required),
		cmocka_unit_test(test_starttls_refused),
		cmocka_unit_test(test_opportunistic_without_an_offer),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_ehlo_after_tls),
		cmocka_unit_test(test_implicit),
		cmocka_unit_test(test_bad_certificates),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_finish_while_opening),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
