/* SPDX-License-Identifier: ISC */
/* oauth2.c - the grants: which secrets are read, what the form says, where it goes.
 *
 * Secrets are read at each fetch and wiped after it, so that a new refresh token counts at once.
 */
#include "fetch/oauth2.h"

#include <string.h>

#include "base/log.h"
#include "fetch/private.h"

#define GOOGLE_SCOPE "https://mail.google.com/"
#define GRANT_JWT    "urn:ietf:params:oauth:grant-type:jwt-bearer"

/* One request for a token. */
struct grant {
	struct bytes form;
	struct bytes url;      /* of the service account; else the settings' */
	struct bytes secret;   /* the client's */
	struct bytes evidence; /* the refresh token, the code, the assertion */
};

static void grant_release(struct grant *g)
{
	secret_wipe(&g->form);
	secret_wipe(&g->secret);
	secret_wipe(&g->evidence);
	bytes_release(&g->url);
}

static void add(struct grant *g, const char *name, const char *value)
{
	if (value != NULL)
		form_append(&g->form, name, span_of_text(value));
}

static int read_secret(const char *path, struct bytes *secret_r, struct bytes *error)
{
	const char *fault;

	if (secret_file_read(path, secret_r, TOKEN_MAX, error) != 0)
		return -1;
	fault = secret_trim(secret_r, TOKEN_MAX);
	if (fault != NULL)
		bytes_printf(error, "%s %s", path, fault);
	return fault == NULL ? 0 : -1;
}

static int add_client(struct grant *g, const struct oauth2_settings *o, struct bytes *error)
{
	add(g, "client_id", o->client_id);
	if (o->client_secret_file == NULL)
		return 0;
	if (read_secret(o->client_secret_file, &g->secret, error) != 0)
		return -1;
	form_append(&g->form, "client_secret", bytes_span(&g->secret));
	return 0;
}

static int prepare_refresh(struct grant *g, const struct oauth2_settings *o, struct bytes *error)
{
	if (add_client(g, o, error) != 0 ||
	    read_secret(o->refresh_token_file, &g->evidence, error) != 0)
		return -1;
	add(g, "grant_type", "refresh_token");
	form_append(&g->form, "refresh_token", bytes_span(&g->evidence));
	add(g, "scope", o->scope);
	return 0;
}

static int prepare_client(struct grant *g, const struct oauth2_settings *o, struct bytes *error)
{
	add(g, "grant_type", "client_credentials");
	add(g, "scope", o->scope);
	return add_client(g, o, error);
}

static int prepare_account(struct grant *g, const struct provider_settings *p, int64_t wall_us,
                           struct bytes *error)
{
	const struct oauth2_settings *o = &p->oauth2;
	const struct jwt_claims claims = {
		.scope = o->scope == NULL ? GOOGLE_SCOPE : o->scope,
		.subject = o->subject == NULL ? p->login : o->subject,
		.audience = o->token_url,
		.issued_us = wall_us,
	};
	struct bytes account = { 0 }, why = { 0 };
	int rc = secret_file_read(o->service_account_file, &account, ACCOUNT_FILE_MAX, error);

	if (rc == 0) {
		rc = jwt_sign(&g->evidence, &g->url, bytes_span(&account), &claims, &why);
		if (rc != 0)
			bytes_printf(error, "%s: %s", o->service_account_file, bytes_text(&why));
	}
	secret_wipe(&account);
	bytes_release(&why);
	add(g, "grant_type", GRANT_JWT);
	form_append(&g->form, "assertion", bytes_span(&g->evidence));
	return rc;
}

/* An endpoint may repeat what it was shown: then none of its words are. */
static bool repeats(const struct bytes *error, struct bytes *secret, size_t from)
{
	const char *text = (const char *)error->data + from;

	return secret->length > 0 && strstr(text, bytes_text(secret)) != NULL;
}

static int send_grant(struct token *token_r, struct grant *g, const struct oauth2_settings *o,
                      const atomic_bool *stop, struct bytes *error)
{
	const struct http_request request = {
		.url = g->url.length > 0 ? bytes_text(&g->url) : o->token_url,
		.ca = o->tls_ca,
		.form = bytes_span(&g->form),
	};
	struct bytes body = { 0 };
	size_t from;
	long status = 0;
	int rc = http_post(&request, stop, &status, &body, error);

	if (rc == 0) {
		bytes_printf(error, "%s: ", request.url);
		from = error->length;
		rc = token_parse(token_r, status, bytes_span(&body), error);
		(void)bytes_text(error);
		if (rc != 0 &&
		    (repeats(error, &g->secret, from) || repeats(error, &g->evidence, from))) {
			error->length = from;
			bytes_append_text(error, "it refused, and repeated a secret");
		}
	}
	if (rc == 0)
		bytes_clear(error);
	secret_wipe(&body);
	return rc;
}

static int run_command(struct token *token_r, const struct oauth2_settings *o,
                       const atomic_bool *stop, struct bytes *error)
{
	struct bytes output = { 0 };
	const char *fault = NULL;
	int rc = command_run(&o->token_command, HTTP_ANSWER_MAX, stop, &output, error);

	if (rc == 0 && output.length > 0 && output.data[0] == '{') {
		rc = token_parse(token_r, 200, bytes_span(&output), error);
	} else if (rc == 0) {
		fault = secret_trim(&output, TOKEN_MAX);
		if (fault == NULL) {
			token_r->access = output;
			token_r->life_us = TOKEN_LIFE_UNKNOWN;
			return 0;
		}
		bytes_printf(error, "what %s prints %s", o->token_command.items[0], fault);
		rc = -1;
	}
	secret_wipe(&output);
	return rc;
}

/* Some endpoints give a new refresh token each time, and take back the old one sooner or later. */
static void keep_refresh(const struct token *token, const struct provider_settings *p,
                         const struct bytes *before)
{
	struct bytes error = { 0 };

	if (p->oauth2.grant != OAUTH2_REFRESH_TOKEN || token->refresh.length == 0 ||
	    span_equal(bytes_span(&token->refresh), bytes_span(before)))
		return;
	if (secret_file_store(p->oauth2.refresh_token_file, bytes_span(&token->refresh), NULL,
	                      &error) != 0)
		log_warning("refresh token changed, and is not kept provider=%s: %s", p->name,
		            bytes_text(&error));
	bytes_release(&error);
}

int oauth2_fetch(struct token *token_r, const struct provider_settings *p, int64_t wall_us,
                 const atomic_bool *stop, struct bytes *error)
{
	const struct oauth2_settings *o = &p->oauth2;
	struct grant g = { 0 };
	int rc;

	if (o->token_command.count > 0)
		return run_command(token_r, o, stop, error);
	if (o->grant == OAUTH2_SERVICE_ACCOUNT)
		rc = prepare_account(&g, p, wall_us, error);
	else if (o->grant == OAUTH2_CLIENT_CREDENTIALS)
		rc = prepare_client(&g, o, error);
	else
		rc = prepare_refresh(&g, o, error);
	if (rc == 0)
		rc = send_grant(token_r, &g, o, stop, error);
	if (rc == 0)
		keep_refresh(token_r, p, &g.evidence);
	grant_release(&g);
	return rc;
}

int oauth2_exchange(struct token *token_r, const struct oauth2_settings *o,
                    const struct oauth2_code *code, struct bytes *error)
{
	struct grant g = { 0 };
	int rc = add_client(&g, o, error);

	add(&g, "grant_type", "authorization_code");
	add(&g, "code", code->code);
	add(&g, "code_verifier", code->verifier);
	add(&g, "redirect_uri", code->redirect_uri);
	bytes_append_text(&g.evidence, code->code);
	if (rc == 0)
		rc = send_grant(token_r, &g, o, NULL, error);
	grant_release(&g);
	return rc;
}
