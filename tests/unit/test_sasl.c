/* SPDX-License-Identifier: ISC */
/* Each mechanism against the example of its RFC, and against servers that cheat or babble. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "transport/sasl.h"

#define TOKEN       "vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg=="
#define NONCE       "rOprNGfwEbeRWgbNEkqO"
#define SERVER      "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT        "W22ZaJ0SNY7soEsUEjb6gQ=="
#define FIRST       "r=" NONCE SERVER ",s=" SALT ",i=4096"
#define SCRAM_FINAL "c=biws,r=" NONCE SERVER ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SCRAM_PROOF "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

struct row {
	enum provider_auth mechanism;
	const char *login, *secret;
	const char *begin; /* NULL: the server speaks first */
	/* challenge, answer, ...; a challenge without an answer is an error */
	const char *lines[8];
	bool proved;
	const char *status;
};

static const struct row rows[] = {
	{ PROVIDER_AUTH_CRAM_MD5,
	  "tim",
	  "tanstaaftanstaaf",
	  NULL,
	  { "<1896.697170952@postoffice.reston.mci.net>", "tim b913a602c7eda7a495b4e6e7334d3890",
	    "<again>" },
	  true,
	  "" },
	{ PROVIDER_AUTH_LOGIN,
	  "user",
	  "secret",
	  NULL,
	  { "Username:", "user", "Password:", "secret", "Shoe size:" },
	  true,
	  "" },
	/* RFC 7677 3 */
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { FIRST, SCRAM_FINAL, SCRAM_PROOF, "" },
	  true,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "a,b=c",
	  "pencil",
	  "n,,n=a=2Cb=3Dc,r=" NONCE,
	  { NULL },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { FIRST, SCRAM_FINAL, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=" },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { FIRST, SCRAM_FINAL, "v=AAAA" },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { FIRST, SCRAM_FINAL, "e=invalid-proof" },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { FIRST, SCRAM_FINAL, SCRAM_PROOF, "", "more" },
	  true,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { "r=other" SERVER ",s=" SALT ",i=4096" },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { "r=" NONCE ",s=" SALT ",i=4096" },
	  false,
	  "" }, /* nothing of the server's */
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { "r=" NONCE SERVER ",s=" SALT ",i=4095" },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { "r=" NONCE SERVER ",s=" SALT ",i=100001" },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { "r=" NONCE SERVER ",s=" SALT ",i=99999999999999999999" },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { "r=" NONCE SERVER ",s=" SALT ",i=-4096" },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { "r=" NONCE SERVER ",s=,i=4096" },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { "r=" NONCE SERVER ",s=***,i=4096" },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256,
	  "user",
	  "pencil",
	  "n,,n=user,r=" NONCE,
	  { "m=x," FIRST },
	  false,
	  "" },
	{ PROVIDER_AUTH_SCRAM_SHA_256, "user", "pencil", "n,,n=user,r=" NONCE, { "" }, false, "" },
	/* RFC 7628 4.1, 4.3 */
	{ PROVIDER_AUTH_OAUTHBEARER,
	  "user@example.com",
	  TOKEN,
	  "n,a=user@example.com,\001host=server.example.com\001port=587\001auth=Bearer " TOKEN
	  "\001\001",
	  { "{\"status\":\"invalid_token\",\"scope\":\"example_scope\"}", "\001", "{}" },
	  true,
	  "invalid_token" },
	{ PROVIDER_AUTH_OAUTHBEARER,
	  "a,b=c",
	  TOKEN,
	  "n,a=a=2Cb=3Dc,\001host=server.example.com\001port=587\001auth=Bearer " TOKEN "\001\001",
	  { "rubbish", "\001" },
	  true,
	  "" },
	{ PROVIDER_AUTH_XOAUTH2,
	  "someuser@example.com",
	  TOKEN,
	  "user=someuser@example.com\001auth=Bearer " TOKEN "\001\001",
	  { "{\"status\":\"401\",\"schemes\":\"bearer mac\"}", "", "{}" },
	  true,
	  "401" },
	{ PROVIDER_AUTH_XOAUTH2,
	  "u",
	  TOKEN,
	  "user=u\001auth=Bearer " TOKEN "\001\001",
	  { "", "user=u\001auth=Bearer " TOKEN "\001\001", "{\"status\":400}", "", "{}" },
	  true,
	  "400" },
	/* what the server calls its error could be anything */
	{ PROVIDER_AUTH_XOAUTH2,
	  "u",
	  TOKEN,
	  "user=u\001auth=Bearer " TOKEN "\001\001",
	  { "{\"status\":\"" TOKEN "\"}", "" },
	  true,
	  "" },
	{ PROVIDER_AUTH_XOAUTH2,
	  "u",
	  "abc",
	  "user=u\001auth=Bearer abc\001\001",
	  { "{\"status\":\"abc\"}", "" },
	  true,
	  "" },
	{ PROVIDER_AUTH_XOAUTH2,
	  "u",
	  "abc",
	  "user=u\001auth=Bearer abc\001\001",
	  { "{\"status\":\"a\\nb\"}", "" },
	  true,
	  "" },
};

static void converse(struct sasl *s, const struct row *row)
{
	for (size_t i = 0; i < 8 && row->lines[i] != NULL; i += 2) {
		const char *challenge = row->lines[i];
		const char *expected = i + 1 < 8 ? row->lines[i + 1] : NULL;
		struct bytes answer = { 0 };
		const char *error = NULL;
		int rc = sasl_answer(s, span_of_text(challenge), &answer, &error);

		assert_int_equal(rc, expected == NULL ? -1 : 0);
		if (expected == NULL)
			assert_non_null(error);
		else
			assert_string_equal(bytes_text(&answer), expected);
		bytes_release(&answer);
		if (expected == NULL)
			return;
	}
}

static void test_exchanges(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		struct sasl s = { .mechanism = row->mechanism,
			          .login = row->login,
			          .secret = row->secret,
			          .host = "server.example.com",
			          .port = 587,
			          .nonce = NONCE };
		struct bytes first = { 0 };

		assert_int_equal(sasl_begin(&s, &first), row->begin != NULL);
		if (row->begin != NULL)
			assert_string_equal(bytes_text(&first), row->begin);
		converse(&s, row);
		assert_int_equal(sasl_proved(&s), row->proved);
		assert_string_equal(s.status, row->status);
		bytes_release(&first);
		sasl_release(&s);
	}
}

static void test_plain(void **state)
{
	struct sasl s = { .mechanism = PROVIDER_AUTH_PLAIN,
		          .login = "tim",
		          .secret = "tanstaaftanstaaf" };
	struct bytes out = { 0 };
	const char *error;

	(void)state;
	assert_true(sasl_begin(&s, &out));
	assert_int_equal(out.length, 21);
	assert_memory_equal(out.data, "\0tim\0tanstaaftanstaaf", 21);
	bytes_clear(&out);
	assert_int_equal(sasl_answer(&s, span_of(NULL, 0), &out, &error), 0);
	assert_int_equal(out.length, 21);
	assert_int_equal(sasl_answer(&s, span_of(NULL, 0), &out, &error), -1);
	bytes_release(&out);
	sasl_release(&s);
}

static void test_nonces_differ(void **state)
{
	struct sasl a = { .mechanism = PROVIDER_AUTH_SCRAM_SHA_256, .login = "u" }, b = a;
	struct bytes out = { 0 };

	(void)state;
	assert_true(sasl_begin(&a, &out) && sasl_begin(&b, &out));
	assert_int_equal(strlen(a.nonce), SCRAM_NONCE_SIZE);
	assert_string_not_equal(a.nonce, b.nonce);
	assert_null(strchr(a.nonce, ','));
	bytes_release(&out);
	sasl_release(&a);
	sasl_release(&b);
}

#define BIT(name) (1u << PROVIDER_AUTH_##name)

static void test_choice(void **state)
{
	static const struct {
		enum provider_auth wanted;
		bool token;
		unsigned offered;
		enum provider_auth chosen;
	} choices[] = {
		{ PROVIDER_AUTH_AUTO, false, BIT(PLAIN) | BIT(LOGIN), PROVIDER_AUTH_PLAIN },
		{ PROVIDER_AUTH_AUTO, false, BIT(LOGIN), PROVIDER_AUTH_LOGIN },
		{ PROVIDER_AUTH_AUTO, false, BIT(PLAIN) | BIT(CRAM_MD5), PROVIDER_AUTH_CRAM_MD5 },
		{ PROVIDER_AUTH_AUTO, false, BIT(SCRAM_SHA_256) | BIT(CRAM_MD5) | BIT(PLAIN),
		  PROVIDER_AUTH_SCRAM_SHA_256 },
		{ PROVIDER_AUTH_PLAIN, false, BIT(SCRAM_SHA_256) | BIT(PLAIN),
		  PROVIDER_AUTH_PLAIN },
		{ PROVIDER_AUTH_SCRAM_SHA_256, false, BIT(PLAIN), PROVIDER_AUTH_AUTO },
		{ PROVIDER_AUTH_AUTO, false, 0, PROVIDER_AUTH_AUTO },
		/* a password is never sent as a token, nor a token as a password */
		{ PROVIDER_AUTH_AUTO, false, BIT(XOAUTH2) | BIT(OAUTHBEARER), PROVIDER_AUTH_AUTO },
		{ PROVIDER_AUTH_AUTO, true, BIT(PLAIN) | BIT(LOGIN), PROVIDER_AUTH_AUTO },
		{ PROVIDER_AUTH_AUTO, true, BIT(PLAIN) | BIT(XOAUTH2), PROVIDER_AUTH_XOAUTH2 },
		{ PROVIDER_AUTH_AUTO, true, BIT(XOAUTH2) | BIT(OAUTHBEARER),
		  PROVIDER_AUTH_OAUTHBEARER },
		{ PROVIDER_AUTH_XOAUTH2, true, BIT(XOAUTH2) | BIT(OAUTHBEARER),
		  PROVIDER_AUTH_XOAUTH2 },
		{ PROVIDER_AUTH_PLAIN, true, BIT(PLAIN), PROVIDER_AUTH_AUTO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++)
		assert_int_equal(
			sasl_choose(choices[i].wanted, choices[i].token, choices[i].offered),
			choices[i].chosen);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = PROVIDER_AUTH_AUTO + 1; i < PROVIDER_AUTH_COUNT; i++)
		assert_int_equal(sasl_find(span_of_text(sasl_name((enum provider_auth)i))), i);
	assert_int_equal(sasl_find(span_of_text("scram-sha-256")), PROVIDER_AUTH_SCRAM_SHA_256);
	assert_int_equal(sasl_find(span_of_text("SCRAM-SHA-256-PLUS")), PROVIDER_AUTH_AUTO);
	assert_int_equal(sasl_find(span_of_text("")), PROVIDER_AUTH_AUTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchanges),     cmocka_unit_test(test_plain),
		cmocka_unit_test(test_nonces_differ), cmocka_unit_test(test_choice),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
