/* SPDX-License-Identifier: ISC */
/* token.c - what a token endpoint is told and what it answers (RFC 6749 4.1.3, 5.1, 5.2).
 *
 * Its answer is a stranger's: a token that could not stand in an AUTH line is refused, and of an
 * error only what can be printed is repeated.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "fetch/private.h"

#define DESCRIPTION_MAX 200 /* octets of error_description */

void token_release(struct token *token)
{
	secret_wipe(&token->access);
	secret_wipe(&token->refresh);
}

void form_append(struct bytes *form, const char *name, struct span value)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-._~";

	bytes_reserve(form, strlen(name) + value.length * 3 + 3);
	if (form->length > 0)
		bytes_append_char(form, '&');
	bytes_append_text(form, name);
	bytes_append_char(form, '=');
	for (size_t i = 0; i < value.length; i++) {
		unsigned char c = value.data[i];

		if (c != '\0' && strchr(safe, c) != NULL)
			bytes_append_char(form, (char)c);
		else
			bytes_printf(form, "%%%02X", c);
	}
}

/* RFC 6750 2.1: a token is of visible ASCII. */
static int take_token(struct bytes *out, const json_t *value)
{
	const char *text = json_string_value(value);
	size_t length = text == NULL ? 0 : strlen(text);

	if (length == 0 || length > TOKEN_MAX || json_string_length(value) != length)
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '!' || text[i] > '~')
			return -1;
	}
	bytes_reserve(out, length + 1);
	bytes_append(out, text, length);
	return 0;
}

/* A number, or, from some, a text of digits. */
static int64_t life_of(const json_t *object)
{
	const json_t *value = json_object_get(object, "expires_in");
	const char *text = json_string_value(value);
	int64_t seconds = json_is_integer(value) ? json_integer_value(value) : 0;

	if (text != NULL && strspn(text, "0123456789") == strlen(text) && strlen(text) <= 9)
		seconds = strtoll(text, NULL, 10);
	if (json_is_real(value) && json_real_value(value) < 1e9)
		seconds = (int64_t)json_real_value(value);
	if (seconds <= 0)
		return TOKEN_LIFE_UNKNOWN;
	return seconds < TOKEN_LIFE_MAX / CLOCK_SEC ? seconds * CLOCK_SEC : TOKEN_LIFE_MAX;
}

static void append_printable(struct bytes *out, const char *text, size_t max)
{
	for (size_t i = 0; text[i] != '\0' && i < max; i++)
		bytes_append_char(out, text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
}

static const struct cure {
	const char *error, *words;
} cures[] = {
	{ "invalid_grant",
	  "what it was shown is not valid (any more): penstock login gets a new refresh token" },
	{ "invalid_client", "client-id and the client's secret do not belong together" },
	{ "unauthorized_client", "the client may not have tokens in this way" },
	{ "unsupported_grant_type", "it knows no such grant" },
	{ "invalid_scope", "it does not know the scope" },
	{ "interaction_required", "the account's owner has to agree: penstock login" },
};

static void explain(const json_t *object, long status, struct bytes *error)
{
	const char *name = json_string_value(json_object_get(object, "error"));
	const char *description = json_string_value(json_object_get(object, "error_description"));

	if (name == NULL) {
		bytes_printf(error, "status %ld, and no token in its answer", status);
		return;
	}
	bytes_append_text(error, "it says ");
	append_printable(error, name, 60);
	for (size_t i = 0; i < sizeof(cures) / sizeof(*cures); i++) {
		if (strcmp(cures[i].error, name) == 0)
			bytes_printf(error, ": %s", cures[i].words);
	}
	if (description != NULL) {
		bytes_append_text(error, " (");
		append_printable(error, description, DESCRIPTION_MAX);
		bytes_append_char(error, ')');
	}
}

static void wipe_member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (text != NULL)
		memory_wipe((char *)(uintptr_t)text, strlen(text));
}

int token_parse(struct token *token_r, long status, struct span body, struct bytes *error)
{
	json_t *object =
		json_loadb((const char *)body.data, body.length, JSON_REJECT_DUPLICATES, NULL);
	const char *type = json_string_value(json_object_get(object, "token_type"));
	const json_t *refresh = json_object_get(object, "refresh_token");
	int rc = -1;

	if (status != 200 || json_object_get(object, "access_token") == NULL)
		explain(object, status, error);
	else if (type != NULL && strcasecmp(type, "bearer") != 0)
		bytes_append_text(error, "its token is of another type than Bearer");
	else if (take_token(&token_r->access, json_object_get(object, "access_token")) != 0)
		bytes_append_text(error, "its access_token is none");
	else if (refresh != NULL && take_token(&token_r->refresh, refresh) != 0)
		bytes_append_text(error, "its refresh_token is none");
	else
		rc = 0;
	if (rc == 0)
		token_r->life_us = life_of(object);
	else
		token_release(token_r);
	wipe_member(object, "access_token");
	wipe_member(object, "refresh_token");
	json_decref(object);
	return rc;
}
