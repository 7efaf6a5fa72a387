/* SPDX-License-Identifier: ISC */
/* sasl.h - what a client says in each mechanism of AUTH: octets in, octets out.
 *
 * Knows neither SMTP nor base64, so that tables of the RFCs test it. What is appended to `out`
 * holds secrets: the caller makes room beforehand (SASL_ANSWER_MAX) and wipes it.
 */
#ifndef TRANSPORT_SASL_H
#define TRANSPORT_SASL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "config/settings.h"

/* RFC 4954 4 allows lines of 12288 octets, base64 included. */
#define SASL_SECRET_MAX      8192 /* octets of a login and its password or token */
#define SASL_ANSWER_MAX      (SASL_SECRET_MAX + 1024)
/* RFC 7677 4 asks for 4096 at least. A worker computes: 100,000 keep it for less than 0.1 s. */
#define SCRAM_ITERATIONS     4096
#define SCRAM_ITERATIONS_MAX 100000
#define SCRAM_NONCE_SIZE     24 /* printable octets: 18 random ones */
#define SASL_STATUS_MAX      64 /* octets of what a server's JSON calls its error */

struct sasl {
	/* Set by the caller; the texts are its own and outlive the exchange. */
	enum provider_auth mechanism;
	const char *login, *secret; /* the secret: a password, or a token */
	const char *host;           /* OAUTHBEARER tells them */
	uint16_t port;
	/* The exchange's. */
	unsigned answers;
	char nonce[SCRAM_NONCE_SIZE + 1]; /* chosen at the beginning unless it is set already */
	struct bytes first;               /* SCRAM: client-first-message-bare */
	unsigned char proof[DIGEST_SHA256_SIZE]; /* SCRAM: what the server has to say */
	bool proved;
	bool refused; /* OAuth: the server told its error, the rest is in its reply */
	char status[SASL_STATUS_MAX + 1]; /* OAuth: the error of the server's JSON; "" */
};

/* "SCRAM-SHA-256"; PROVIDER_AUTH_AUTO has none. */
const char *sasl_name(enum provider_auth mechanism);
/* A bit of a set of mechanisms. */
static inline unsigned sasl_bit(enum provider_auth mechanism)
{
	return 1u << mechanism;
}
/* The mechanism of that name, without case; PROVIDER_AUTH_AUTO: not known here. */
enum provider_auth sasl_find(struct span name);
/* The strongest of the offered ones that the kind of secret allows, or the wanted one. AUTO:
 * nothing fits. */
enum provider_auth sasl_choose(enum provider_auth wanted, bool token, unsigned offered);

/* Whether the client speaks first; then its octets are appended. */
bool sasl_begin(struct sasl *s, struct bytes *out);
/* The answer to a challenge (nothing appended: an empty line). -1: the exchange makes no sense, why
 * in words. */
int sasl_answer(struct sasl *s, struct span challenge, struct bytes *out, const char **error_r);
/* Whether a server that now says yes has proved what the mechanism makes it prove. */
bool sasl_proved(const struct sasl *s);
void sasl_release(struct sasl *s); /* wipes */

/* scram.c */
void scram_begin(struct sasl *s, struct bytes *out);
int scram_answer(struct sasl *s, struct span challenge, struct bytes *out, const char **error_r);

/* hints.c: the likely cause of a refused login in words; NULL: none is known. */
struct reply;
const char *login_hint(const char *host, bool token, const struct reply *reply);

#endif
