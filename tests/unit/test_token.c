/* SPDX-License-Identifier: ISC */
/* What a token endpoint answers, as RFC 6749 5 has it and as strangers do; and forms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fetch/oauth2.h"

static const struct {
	long status;
	const char *body;
	const char *access, *refresh; /* NULL: an error */
	int64_t life_us;
	const char *words; /* in the error */
} rows[] = {
	{ 200,
	  "{\"access_token\":\"2YotnFZFEjr1zCsicMWpAA\",\"token_type\":\"Bearer\","
	  "\"expires_in\":3600,\"refresh_token\":\"tGzv3JOkF0XG5Qx2TlKWIA\"}",
	  "2YotnFZFEjr1zCsicMWpAA", "tGzv3JOkF0XG5Qx2TlKWIA", CLOCK_HOUR, NULL },
	{ 200, "{\"access_token\":\"a\",\"token_type\":\"bearer\",\"expires_in\":\"60\"}", "a", "",
	  CLOCK_MIN, NULL },
	{ 200, "{\"access_token\":\"a\"}", "a", "", TOKEN_LIFE_UNKNOWN, NULL },
	{ 200, "{\"access_token\":\"a\",\"expires_in\":-1}", "a", "", TOKEN_LIFE_UNKNOWN, NULL },
	{ 200, "{\"access_token\":\"a\",\"expires_in\":59.9}", "a", "", 59 * CLOCK_SEC, NULL },
	{ 200, "{\"access_token\":\"a\",\"expires_in\":9223372036854775807}", "a", "",
	  TOKEN_LIFE_MAX, NULL },
	{ 200, "{\"access_token\":\"a\",\"expires_in\":1e300}", "a", "", TOKEN_LIFE_UNKNOWN, NULL },
	{ 200, "{\"access_token\":\"\"}", NULL, NULL, 0, "access_token is none" },
	{ 200, "{\"access_token\":\"a b\"}", NULL, NULL, 0, "access_token is none" },
	{ 200, "{\"access_token\":\"a\\u0001\"}", NULL, NULL, 0, "access_token is none" },
	{ 200, "{\"access_token\":null}", NULL, NULL, 0, "access_token is none" },
	{ 200, "{\"access_token\":\"a\",\"refresh_token\":\"\\n\"}", NULL, NULL, 0,
	  "refresh_token is none" },
	{ 200, "{\"access_token\":\"a\",\"token_type\":\"mac\"}", NULL, NULL, 0, "another type" },
	{ 200, "{\"access_token\":\"a\",\"access_token\":\"b\"}", NULL, NULL, 0, "no token" },
	{ 200, "", NULL, NULL, 0, "status 200, and no token" },
	{ 200, "[]", NULL, NULL, 0, "no token" },
	{ 200, "{\"access_token\":\"a\"", NULL, NULL, 0, "no token" },
	{ 302, "{\"access_token\":\"a\"}", NULL, NULL, 0, "status 302" },
	{ 400, "{\"error\":\"invalid_grant\",\"error_description\":\"ex\\npired\"}", NULL, NULL, 0,
	  "it says invalid_grant: what it was shown is not valid (any more): penstock login gets a "
	  "new refresh token (ex?pired)" },
	{ 401, "{\"error\":\"invalid_client\"}", NULL, NULL, 0, "do not belong together" },
	{ 400, "{\"error\":\"\\u001b[31m\"}", NULL, NULL, 0, "it says ?[31m" },
	{ 400, "{\"error\":[]}", NULL, NULL, 0, "status 400" },
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct token token = { 0 };
		struct bytes error = { 0 };
		int rc = token_parse(&token, rows[i].status, span_of_text(rows[i].body), &error);

		assert_int_equal(rc, rows[i].access == NULL ? -1 : 0);
		if (rows[i].access == NULL) {
			assert_non_null(strstr(bytes_text(&error), rows[i].words));
			assert_int_equal(token.access.length + token.refresh.length, 0);
		} else {
			assert_string_equal(bytes_text(&token.access), rows[i].access);
			assert_string_equal(bytes_text(&token.refresh), rows[i].refresh);
			assert_true(token.life_us == rows[i].life_us);
		}
		token_release(&token);
		bytes_release(&error);
	}
}

static void test_form(void **state)
{
	struct bytes form = { 0 };

	(void)state;
	form_append(&form, "a", span_of_text("x y&z=1/~\xc3\xa9"));
	form_append(&form, "b", span_of("\0", 1));
	form_append(&form, "c", span_of(NULL, 0));
	assert_string_equal(bytes_text(&form), "a=x%20y%26z%3D1%2F~%C3%A9&b=%00&c=");
	bytes_release(&form);
}

/* RFC 7636 appendix A and B. */
static void test_base64url(void **state)
{
	struct bytes out = { 0 };

	(void)state;
	base64url_encode(&out, span_of("\x03\xec\xff\xe0\xc1", 5));
	assert_string_equal(bytes_text(&out), "A-z_4ME");
	bytes_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_answers),
		                            cmocka_unit_test(test_form),
		                            cmocka_unit_test(test_base64url) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
