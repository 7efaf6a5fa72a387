/* SPDX-License-Identifier: ISC */
/* AUTH: only inside verified TLS, every answer of a peer, and no secret left in a log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport_tls.h"

#define HELLO       "220 smarthost.test\r\n"
#define EHLO        "EHLO client.test\r\n"
#define PASSWORD    "s3cr3t-canary"
#define PLAIN64     "AHVzZXIAczNjcjN0LWNhbmFyeQ==" /* NUL user NUL s3cr3t-canary */
#define PASSWORD64  "czNjcjN0LWNhbmFyeQ=="
#define SAY_PLAIN   "AUTH PLAIN " PLAIN64 "\r\n"
#define ASK_LOGIN   "334 VXNlcm5hbWU6\r\n"
#define ASK_SECRET  "334 UGFzc3dvcmQ6\r\n"
#define OFFER_PLAIN "AUTH LOGIN PLAIN"
#define OFFER_LOGIN "AUTH GSSAPI LOGIN"
#define OFFER_CRAM  "AUTH CRAM-MD5"
#define WELCOME     "235 2.7.0 in\r\n"

static void set_login(struct stage *s)
{
	s->provider.tls = PROVIDER_TLS_STARTTLS;
	s->provider.login = (char *)"user";
	s->provider.password = (char *)PASSWORD;
}

/* Up to the second EHLO reply, inside TLS. */
static void reach_login(struct stage *s, const char *offer)
{
	char reply[256];

	stage_begin(s);
	says(s, HELLO);
	says(s, "250-smarthost.test\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n");
	hears(s, EHLO "STARTTLS\r\n");
	secures(s, "220 go\r\n");
	hears(s, EHLO);
	snprintf(reply, sizeof reply, "250-smarthost.test\r\n250 %s\r\n", offer);
	says(s, reply);
}

static void no_secret_in_the_log(struct stage *s)
{
	const char *log = bytes_text(&s->log);

	assert_non_null(strstr(log, "connection "));
	assert_null(strstr(log, PASSWORD));
	assert_null(strstr(log, PLAIN64));
	assert_null(strstr(log, PASSWORD64));
}

struct exchange {
	const char *offer;
	const char *lines[12]; /* heard, said, ... */
	int code;              /* 0: ready */
	bool local;
};

static const struct exchange exchanges[] = {
	{ OFFER_PLAIN, { SAY_PLAIN, WELCOME }, 0, false },
	{ "AUTH=PLAIN", { SAY_PLAIN, WELCOME }, 0, false },
	{ "auth plain", { SAY_PLAIN, WELCOME }, 0, false },
	/* an initial response that is overlooked */
	{ OFFER_PLAIN, { SAY_PLAIN, "334 \r\n", PLAIN64 "\r\n", WELCOME }, 0, false },
	{ OFFER_PLAIN, { SAY_PLAIN, "334\r\n", PLAIN64 "\r\n", "334 \r\n" }, 451, true },
	{ OFFER_PLAIN, { SAY_PLAIN, "535 5.7.8 bad\r\n" }, 535, false },
	{ OFFER_PLAIN, { SAY_PLAIN, "454 4.7.0 later\r\n" }, 454, false },
	{ OFFER_PLAIN, { SAY_PLAIN, "421 4.7.0 too many\r\n" }, 421, false },
	{ OFFER_PLAIN, { SAY_PLAIN, "504 5.5.4 what\r\n" }, 504, false },
	{ OFFER_PLAIN, { SAY_PLAIN, "250 ok\r\n" }, 451, true },
	{ OFFER_PLAIN, { SAY_PLAIN, "220 ok\r\n" }, 451, true },
	{ OFFER_PLAIN, { SAY_PLAIN, "354 ok\r\n" }, 451, true },
	{ OFFER_PLAIN, { SAY_PLAIN, "rubbish\r\n" }, 451, true },
	{ OFFER_PLAIN, { SAY_PLAIN, WELCOME WELCOME }, 451, true },
	{ OFFER_PLAIN, { SAY_PLAIN, "535 no user with " PASSWORD "\r\n" }, 535, true },
	{ OFFER_PLAIN, { SAY_PLAIN, "535 bad: " PLAIN64 "\r\n" }, 535, true },
	{ OFFER_PLAIN, { SAY_PLAIN, "454 bad: " PASSWORD64 "\r\n" }, 454, true },
	{ OFFER_PLAIN, { SAY_PLAIN, "250 bad: " PASSWORD64 "\r\n" }, 454, true },
	{ OFFER_LOGIN,
	  { "AUTH LOGIN\r\n", ASK_LOGIN, "dXNlcg==\r\n", ASK_SECRET, PASSWORD64 "\r\n", WELCOME },
	  0,
	  false },
	{ OFFER_LOGIN,
	  { "AUTH LOGIN\r\n", ASK_LOGIN, "dXNlcg==\r\n", ASK_SECRET, PASSWORD64 "\r\n",
	    ASK_SECRET },
	  451,
	  true },
	{ OFFER_LOGIN,
	  { "AUTH LOGIN\r\n", "334 " PASSWORD64 "\r\n", "dXNlcg==\r\n", "535 no\r\n" },
	  535,
	  false },
	{ OFFER_LOGIN, { "AUTH LOGIN\r\n", "502 no\r\n" }, 502, false },
	/* a challenge of RFC 2195 2, and ours; then ones that are none */
	{ OFFER_CRAM,
	  { "AUTH CRAM-MD5\r\n", "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n",
	    "dXNlciBhYjkxZDIyMmM5ZmZiNDE3NDBiMGQ5MWQyY2IyN2Y4Nw==\r\n", WELCOME },
	  0,
	  false },
	{ OFFER_CRAM, { "AUTH CRAM-MD5\r\n", "334 <not@base64>\r\n" }, 451, true },
	{ "AUTH PLAIN CRAM-MD5 LOGIN", { "AUTH CRAM-MD5\r\n", "535 no\r\n" }, 535, false },
	{ "AUTH GSSAPI XOAUTH2", { NULL }, 451, true },
	{ "AUTH PLAINLY", { NULL }, 451, true },
	{ "AUTH", { NULL }, 451, true },
	{ "PIPELINING", { NULL }, 451, true }, /* what was offered in clear does not count */
};

static void test_exchanges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
		const struct exchange *e = &exchanges[i];
		struct stage s;

		stage_open(&s);
		stage_tls(&s, TLS_TRUST_FULL, CERTIFICATE_GOOD);
		set_login(&s);
		reach_login(&s, e->offer);
		for (size_t n = 0; e->lines[n] != NULL; n += 2) {
			hears(&s, e->lines[n]);
			says(&s, e->lines[n + 1]);
		}
		if (strstr(e->lines[0] == NULL ? "" : e->lines[1], WELCOME WELCOME) != NULL) {
			ended_at(&s, STAGE_READY, 451, true); /* the second answered nothing */
		} else if (e->code != 0) {
			ended_at(&s, STAGE_LOGIN, e->code, e->local);
			assert_int_equal(s.readies, 0);
		} else {
			assert_int_equal(s.readies, 1);
			assert_false(s.closed);
		}
		assert_null(strstr(bytes_text(&s.heard), "MAIL"));
		assert_null(strstr(s.why, PASSWORD));
		assert_null(strstr(s.why, PASSWORD64));
		no_secret_in_the_log(&s);
		stage_close(&s);
	}
}

/* Without verified TLS the password stays here, whatever is offered. */
static void test_never_without_verified_tls(void **state)
{
	static const struct {
		enum provider_tls tls;
		enum tls_verify verify;
	} rows[] = {
		{ PROVIDER_TLS_NEVER, TLS_VERIFY_FULL },
		{ PROVIDER_TLS_OPPORTUNISTIC, TLS_VERIFY_FULL },
		{ PROVIDER_TLS_NEVER, TLS_VERIFY_OFF },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct stage s;

		stage_open(&s);
		set_login(&s);
		s.provider.tls = rows[i].tls;
		s.provider.verify = rows[i].verify;
		stage_begin(&s);
		says(&s, HELLO);
		says(&s, "250-smarthost.test\r\n250 AUTH PLAIN LOGIN\r\n");
		ended_at(&s, STAGE_LOGIN, 451, true);
		assert_null(strstr(bytes_text(&s.heard), "AUTH"));
		assert_non_null(strstr(s.why, "verified TLS"));
		stage_close(&s);
	}
}

static void test_tls_that_was_not_verified(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_tls(&s, TLS_TRUST_OFF, CERTIFICATE_UNKNOWN);
	set_login(&s);
	s.provider.verify = TLS_VERIFY_OFF;
	reach_login(&s, OFFER_PLAIN);
	ended_at(&s, STAGE_LOGIN, 451, true);
	assert_null(strstr(bytes_text(&s.heard), "AUTH"));
	stage_close(&s);
}

static void test_too_long(void **state)
{
	struct stage s;
	char *password = calloc(1, AUTH_LINE_MAX);

	(void)state;
	memset(password, 'x', AUTH_LINE_MAX - 1);
	stage_open(&s);
	stage_tls(&s, TLS_TRUST_FULL, CERTIFICATE_GOOD);
	set_login(&s);
	s.provider.password = password;
	reach_login(&s, OFFER_PLAIN);
	ended_at(&s, STAGE_LOGIN, 451, true);
	stage_close(&s);
	free(password);
}

static void test_patience(void **state)
{
	struct stage s;

	(void)state;
	stage_open(&s);
	stage_tls(&s, TLS_TRUST_FULL, CERTIFICATE_GOOD);
	set_login(&s);
	reach_login(&s, OFFER_PLAIN);
	pass(&s, PATIENCE_AUTH - 1);
	assert_false(s.closed);
	pass(&s, 1);
	ended_at(&s, STAGE_LOGIN, 451, true);
	stage_close(&s);
}

/* A source of secrets that takes notes. */
struct vault {
	void (*done)(void *asker, const char *secret, unsigned number, const char *error);
	void *asker;
	unsigned asked, cancelled, refused;
};

static void *vault_ask(void *context, const struct provider_settings *provider,
                       void (*done)(void *asker, const char *secret, unsigned number,
                                    const char *error),
                       void *asker)
{
	struct vault *v = context;

	assert_string_equal(provider->name, "test");
	v->done = done;
	v->asker = asker;
	v->asked++;
	return v;
}

static void vault_cancel(void *context, void *query)
{
	struct vault *v = context;

	assert_ptr_equal(query, v);
	v->cancelled++;
}

static void vault_refused(void *context, const struct provider_settings *provider, unsigned number)
{
	struct vault *v = context;

	(void)provider;
	v->refused = number;
}

/* Up to the question. */
static void open_vault(struct stage *s, struct vault *v, struct secret_source *source)
{
	*v = (struct vault){ 0 };
	*source = (struct secret_source){ vault_ask, vault_cancel, vault_refused, v };
	stage_open(s);
	stage_tls(s, TLS_TRUST_FULL, CERTIFICATE_GOOD);
	set_login(s);
	s->provider.password = NULL;
	s->transport.secrets = source;
	reach_login(s, OFFER_PLAIN);
	assert_int_equal(v->asked, 1);
	hears(s, "");
}

static void test_the_secret_is_waited_for(void **state)
{
	struct secret_source source;
	struct stage s;
	struct vault v;

	(void)state;
	open_vault(&s, &v, &source);
	pass(&s, PATIENCE_SECRET - 1);
	v.done(v.asker, PASSWORD, 7, NULL);
	hears(&s, SAY_PLAIN);
	says(&s, "535 5.7.8 no\r\n");
	ended_at(&s, STAGE_LOGIN, 535, false);
	assert_int_equal(v.refused, 7);
	assert_int_equal(v.cancelled, 0);
	no_secret_in_the_log(&s);
	stage_close(&s);

	open_vault(&s, &v, &source);
	v.done(v.asker, PASSWORD, 8, NULL);
	hears(&s, SAY_PLAIN);
	says(&s, WELCOME);
	assert_int_equal(s.readies, 1);
	assert_int_equal(v.refused, 0);
	stage_close(&s);
}

static void test_no_secret_comes(void **state)
{
	struct secret_source source;
	struct stage s;
	struct vault v;

	(void)state;
	open_vault(&s, &v, &source); /* there is none */
	v.done(v.asker, NULL, 0, "the vault is shut");
	ended_at(&s, STAGE_LOGIN, 451, true);
	assert_string_equal(s.why, "no password to log in with: the vault is shut");
	stage_close(&s);
	assert_int_equal(v.cancelled, 0);

	open_vault(&s, &v, &source); /* too late */
	pass(&s, PATIENCE_SECRET);
	ended_at(&s, STAGE_LOGIN, 451, true);
	assert_int_equal(v.cancelled, 1);
	stage_close(&s);

	open_vault(&s, &v, &source); /* the peer has enough */
	says(&s, "421 4.4.2 idle\r\n");
	ended_at(&s, STAGE_LOGIN, 421, false);
	assert_int_equal(v.cancelled, 1);
	stage_close(&s);

	open_vault(&s, &v, &source); /* the owner has */
	stage_close(&s);
	assert_int_equal(v.cancelled, 1);
	assert_int_equal(v.refused, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchanges),
		cmocka_unit_test(test_never_without_verified_tls),
		cmocka_unit_test(test_tls_that_was_not_verified),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_the_secret_is_waited_for),
		cmocka_unit_test(test_no_secret_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
