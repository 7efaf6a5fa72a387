/* SPDX-License-Identifier: ISC */
/* scram.c - SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding.
 *
 * The server has to prove that it knows the password, too: sasl_proved() tells. Names and passwords
 * go as they are written: those beyond ASCII have to be in the form of SASLprep already.
 */
#include "transport/sasl.h"

#include <string.h>

#include "base/mac.h"
#include "base/memory.h"

/* RFC 5802 5.1: ',' and '=' in a name. */
static void append_name(struct bytes *out, const char *name)
{
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == ',')
			bytes_append_text(out, "=2C");
		else if (*p == '=')
			bytes_append_text(out, "=3D");
		else
			bytes_append_char(out, *p);
	}
}

static void choose_nonce(struct sasl *s)
{
	unsigned char random[SCRAM_NONCE_SIZE / 4 * 3];
	struct bytes text = { 0 };

	if (s->nonce[0] != '\0')
		return;
	digest_random(random, sizeof(random));
	base64_encode(&text, span_of(random, sizeof(random))); /* has no comma */
	memcpy(s->nonce, text.data, SCRAM_NONCE_SIZE);
	bytes_release(&text);
}

void scram_begin(struct sasl *s, struct bytes *out)
{
	choose_nonce(s);
	bytes_append_text(&s->first, "n=");
	append_name(&s->first, s->login);
	bytes_printf(&s->first, ",r=%s", s->nonce);
	bytes_append_text(out, "n,,");
	bytes_append_span(out, bytes_span(&s->first));
}

/* Takes "x=value" up to the next comma; -1: there is something else. */
static int take_field(struct span *rest, char name, struct span *value_r)
{
	const unsigned char *comma;
	size_t length;

	if (rest->length < 2 || rest->data[0] != (unsigned char)name || rest->data[1] != '=')
		return -1;
	comma = memchr(rest->data, ',', rest->length);
	length = comma == NULL ? rest->length : (size_t)(comma - rest->data);
	*value_r = span_of(rest->data + 2, length - 2);
	if (comma != NULL)
		length++;
	*rest = span_of(rest->data + length, rest->length - length);
	return 0;
}

static unsigned iterations_of(struct span digits)
{
	unsigned value = 0;

	if (digits.length == 0 || digits.length > 9)
		return 0;
	for (size_t i = 0; i < digits.length; i++) {
		if (digits.data[i] < '0' || digits.data[i] > '9')
			return 0;
		value = value * 10 + (unsigned)(digits.data[i] - '0');
	}
	return value;
}

struct server_first {
	struct span nonce, salt64;
	unsigned iterations;
};

/* Further fields may follow and mean nothing to us; "m=" before them may not. */
static int read_first(const struct sasl *s, struct span text, struct server_first *first_r,
                      const char **error_r)
{
	size_t length = strlen(s->nonce);
	struct span iterations;

	*error_r = "what the server says is not SCRAM";
	if (take_field(&text, 'r', &first_r->nonce) != 0 ||
	    take_field(&text, 's', &first_r->salt64) != 0 ||
	    take_field(&text, 'i', &iterations) != 0)
		return -1;
	if (first_r->nonce.length <= length || memcmp(first_r->nonce.data, s->nonce, length) != 0) {
		*error_r = "the server answers another exchange (SCRAM nonce)";
		return -1;
	}
	first_r->iterations = iterations_of(iterations);
	if (first_r->iterations < SCRAM_ITERATIONS) {
		*error_r = "the server asks for fewer than 4096 rounds of SCRAM, which protect too "
			   "little";
		return -1;
	}
	if (first_r->iterations > SCRAM_ITERATIONS_MAX) {
		*error_r = "the server asks for more than 100000 rounds of SCRAM: write auth = "
			   "\"plain\"";
		return -1;
	}
	return 0;
}

/* The proof of the client; that of the server is kept in s->proof. */
static int compute(struct sasl *s, struct span salted, struct span message,
                   unsigned char out[DIGEST_SHA256_SIZE])
{
	unsigned char key[DIGEST_SHA256_SIZE], stored[DIGEST_SHA256_SIZE];
	unsigned char signature[DIGEST_SHA256_SIZE];
	int rc = -1;

	if (mac_hmac_sha256(salted, span_of_text("Client Key"), key) == 0) {
		digest_sha256(span_of(key, sizeof(key)), stored);
		rc = mac_hmac_sha256(span_of(stored, sizeof(stored)), message, signature);
		for (size_t i = 0; i < sizeof(key); i++)
			out[i] = key[i] ^ signature[i];
	}
	if (rc == 0)
		rc = mac_hmac_sha256(salted, span_of_text("Server Key"), key);
	if (rc == 0)
		rc = mac_hmac_sha256(span_of(key, sizeof(key)), message, s->proof);
	memory_wipe(key, sizeof(key));
	memory_wipe(stored, sizeof(stored));
	return rc;
}

static int prove(struct sasl *s, const struct server_first *first, struct span message,
                 unsigned char out[DIGEST_SHA256_SIZE])
{
	unsigned char salted[DIGEST_SHA256_SIZE];
	struct bytes salt = { 0 };
	int rc = base64_decode(&salt, first->salt64);

	if (rc == 0 && salt.length > 0)
		rc = mac_pbkdf2_sha256(span_of_text(s->secret), bytes_span(&salt),
		                       first->iterations, salted);
	else
		rc = -1;
	if (rc == 0)
		rc = compute(s, span_of(salted, sizeof(salted)), message, out);
	memory_wipe(salted, sizeof(salted));
	bytes_release(&salt);
	return rc;
}

/* client-final-message */
static int answer_first(struct sasl *s, struct span challenge, struct bytes *out,
                        const char **error_r)
{
	unsigned char proof[DIGEST_SHA256_SIZE];
	struct server_first first;
	struct bytes message = { 0 };
	size_t from = out->length;
	int rc;

	if (read_first(s, challenge, &first, error_r) != 0)
		return -1;
	bytes_append_text(out, "c=biws,r="); /* "n,," */
	bytes_append_span(out, first.nonce);
	bytes_append_span(&message, bytes_span(&s->first));
	bytes_append_char(&message, ',');
	bytes_append_span(&message, challenge);
	bytes_append_char(&message, ',');
	bytes_append(&message, out->data + from, out->length - from);
	rc = prove(s, &first, bytes_span(&message), proof);
	if (rc == 0) {
		bytes_append_text(out, ",p=");
		base64_encode(out, span_of(proof, sizeof(proof)));
	} else {
		*error_r = "the server's salt cannot be used (SCRAM)";
	}
	bytes_release(&message);
	return rc;
}

/* server-final-message */
static int take_final(struct sasl *s, struct span text, const char **error_r)
{
	struct bytes said = { 0 };
	struct span value;

	*error_r = "the server did not prove that it knows the password (SCRAM)";
	if (take_field(&text, 'v', &value) == 0 && base64_decode(&said, value) == 0 &&
	    said.length == sizeof(s->proof))
		s->proved = mac_equal(said.data, s->proof, sizeof(s->proof));
	bytes_release(&said);
	return s->proved ? 0 : -1;
}

int scram_answer(struct sasl *s, struct span challenge, struct bytes *out, const char **error_r)
{
	if (s->answers == 0)
		return answer_first(s, challenge, out, error_r);
	if (s->answers == 1)
		return take_final(s, challenge, error_r);
	*error_r = "the server asks for more than SCRAM needs";
	return -1;
}
