/* SPDX-License-Identifier: ISC */
/* oauth2.h - access tokens from a token endpoint (RFC 6749, 7523, 7636), and files of secrets.
 *
 * All of it blocks: it runs in a helper, or in the command line tool. A flag that turns true breaks
 * off what is under way; it may be NULL.
 */
#ifndef FETCH_OAUTH2_H
#define FETCH_OAUTH2_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "config/settings.h"

/* Microsoft's are about 2,500 octets; RFC 4954 leaves room for this much. */
#define TOKEN_MAX          8000
/* For an answer without expires_in (RFC 6749 5.1: only recommended), and for token-command. */
#define TOKEN_LIFE_UNKNOWN (5 * CLOCK_MIN)
#define TOKEN_LIFE_MAX     (7 * CLOCK_DAY)

struct token {
	struct bytes access;
	struct bytes refresh; /* a new refresh token; empty: the old one goes on */
	int64_t life_us;
};
void token_release(struct token *token); /* wipes */
void secret_wipe(struct bytes *secret);

/* As the provider's section oauth2 says. -1: the reason in words, without secrets. */
int oauth2_fetch(struct token *token_r, const struct provider_settings *provider, int64_t wall_us,
                 const atomic_bool *stop, struct bytes *error);

/* The end of the authorization code flow. */
struct oauth2_code {
	const char *code, *verifier, *redirect_uri;
};
int oauth2_exchange(struct token *token_r, const struct oauth2_settings *settings,
                    const struct oauth2_code *code, struct bytes *error);

/* What an endpoint said. */
int token_parse(struct token *token_r, long status, struct span body, struct bytes *error);

/* "NAME=VALUE" in application/x-www-form-urlencoded, behind '&' when something is there. */
void form_append(struct bytes *form, const char *name, struct span value);
void base64url_encode(struct bytes *out, struct span data); /* RFC 4648 5, without padding */

/* A service account's assertion (RFC 7523 3): what to sign is all in its JSON file. */
struct jwt_claims {
	const char *scope, *subject, *audience;
	int64_t issued_us; /* wall clock */
};
/* The account's own token_uri is appended to *audience_r when claims->audience is NULL. */
int jwt_sign(struct bytes *jwt_r, struct bytes *audience_r, struct span account,
             const struct jwt_claims *claims, struct bytes *error);

/* A file that holds one secret; its line end is no part of it. */
int secret_file_read(const char *path, struct bytes *secret_r, size_t max, struct bytes *error);
/* Replaces it at once or not at all, mode 0600; owner NULL: who we are. */
int secret_file_store(const char *path, struct span secret, const char *owner, struct bytes *error);

#endif
