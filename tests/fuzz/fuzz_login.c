/* SPDX-License-Identifier: ISC */
/* fuzz_login.c - what servers may say to a login: challenges of each mechanism, and the answer of a
 * token endpoint.
 *
 * The first octet chooses the mechanism, each further line is a challenge. No answer is longer than
 * its bound, no server is believed that did not prove the password, and nothing but plain words is
 * kept of its error. All of it is an endpoint's answer, too: what it takes is fit for an AUTH line.
 */
#include "fuzz.h"

#include <string.h>

#include "fetch/oauth2.h"
#include "transport/sasl.h"

/* Every proof that a server could know of this exchange, from RFC 7677 3. It may end in other
 * unused bits of base64, and extensions may follow it (RFC 5802 5.1): what counts are the octets
 * before. */
#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define PROOF "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G"

static void check_visible(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		CHECK(text[i] > ' ' && text[i] <= '~');
}

static bool converse(struct sasl *s, const uint8_t *data, size_t length)
{
	struct bytes answer = { 0 };
	const char *error = NULL;
	bool goes_on = true, honest = false;

	while (goes_on && length > 0) {
		const uint8_t *lf = memchr(data, '\n', length);
		size_t piece = lf == NULL ? length : (size_t)(lf - data);

		bytes_clear(&answer);
		goes_on = sasl_answer(s, span_of(data, piece), &answer, &error) == 0;
		CHECK(goes_on || error != NULL);
		CHECK(answer.length <= SASL_ANSWER_MAX + length);
		honest |= piece > strlen(PROOF) && memcmp(data, PROOF, strlen(PROOF)) == 0;
		piece += lf == NULL ? 0 : 1;
		data += piece;
		length -= piece;
	}
	bytes_release(&answer);
	return honest;
}

static void play(unsigned choice, const uint8_t *data, size_t length)
{
	struct sasl s = { .mechanism = (enum provider_auth)(1 + choice % (PROVIDER_AUTH_COUNT - 1)),
		          .login = "user",
		          .secret = "pencil",
		          .host = "smarthost.test",
		          .port = 587,
		          .nonce = NONCE };
	struct bytes first = { 0 };
	bool honest;

	(void)sasl_begin(&s, &first);
	honest = converse(&s, data, length);
	if (s.mechanism == PROVIDER_AUTH_SCRAM_SHA_256)
		CHECK(!sasl_proved(&s) || honest);
	CHECK(strlen(s.status) <= SASL_STATUS_MAX && strcmp(s.status, s.secret) != 0);
	for (const char *p = s.status; *p != '\0'; p++)
		CHECK(*p >= ' ' && *p <= '~');
	bytes_release(&first);
	sasl_release(&s);
}

static void parse(const uint8_t *data, size_t length)
{
	struct token token = { 0 };
	struct bytes error = { 0 };

	if (token_parse(&token, 200, span_of(data, length), &error) == 0) {
		CHECK(token.access.length > 0 && token.access.length <= TOKEN_MAX);
		CHECK(token.life_us > 0 && token.life_us <= TOKEN_LIFE_MAX);
		check_visible((const char *)token.access.data, token.access.length);
		check_visible((const char *)token.refresh.data, token.refresh.length);
	} else {
		CHECK(error.length > 0 && error.length < 600);
		CHECK(token.access.length == 0 && token.refresh.length == 0);
	}
	token_release(&token);
	bytes_release(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	if (length == 0)
		return 0;
	play(data[0], data + 1, length - 1);
	parse(data + 1, length - 1);
	return 0;
}
