/* SPDX-License-Identifier: ISC */
/* login.c - penstock login PROVIDER: the owner of an account agrees in a browser, and the refresh
 * token goes to the provider's refresh-token-file.
 *
 * The authorization code flow with PKCE (RFC 6749 4.1, RFC 7636) and a loopback redirection (RFC
 * 8252). It needs the configuration, not the daemon, which reads the file at its next fetch.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/redirect.h"
#include "config/settings.h"
#include "fetch/oauth2.h"

#define STATE_SIZE    16 /* octets of chance */
#define VERIFIER_SIZE 32 /* RFC 7636 4.1 recommends as many */

/* One attempt. */
struct attempt {
	const struct settings *settings;
	const struct provider_settings *provider;
	struct bytes state, verifier, redirect_uri, code;
	int listener;
};

static int complain(int status, const char *provider, const char *words)
{
	fprintf(stderr, "penstock login %s: %s\n", provider, words);
	return status;
}

static const char *missing(const struct provider_settings *p)
{
	const struct oauth2_settings *o = &p->oauth2;

	if (!o->used || o->token_command.count > 0 || o->grant != OAUTH2_REFRESH_TOKEN)
		return "this provider has no oauth2 section with a refresh token: nobody has to "
		       "log in";
	if (o->authorize_url == NULL)
		return "write authorize-url into its oauth2 section: the page where the account's "
		       "owner agrees";
	return NULL;
}

static void append_random(struct bytes *out, size_t size)
{
	unsigned char chance[VERIFIER_SIZE];

	digest_random(chance, size);
	base64url_encode(out, span_of(chance, size));
	memory_wipe(chance, sizeof(chance));
}

static bool is_at(const char *url, const char *host)
{
	size_t length = strlen(host);
	const char *begin = strstr(url, "://");

	return begin != NULL && strncmp(begin + 3, host, length) == 0 &&
	       strchr("/:?", begin[3 + length]) != NULL;
}

static void append_challenge(struct bytes *query, const struct bytes *verifier)
{
	unsigned char digest[DIGEST_SHA256_SIZE];
	struct bytes challenge = { 0 };

	digest_sha256(bytes_span(verifier), digest);
	base64url_encode(&challenge, span_of(digest, sizeof(digest)));
	form_append(query, "code_challenge", bytes_span(&challenge));
	form_append(query, "code_challenge_method", span_of_text("S256"));
	bytes_release(&challenge);
}

static void compose_url(const struct attempt *a, struct bytes *url)
{
	const struct oauth2_settings *o = &a->provider->oauth2;
	struct bytes query = { 0 };

	form_append(&query, "response_type", span_of_text("code"));
	form_append(&query, "client_id", span_of_text(o->client_id));
	form_append(&query, "redirect_uri", bytes_span(&a->redirect_uri));
	if (o->scope != NULL)
		form_append(&query, "scope", span_of_text(o->scope));
	form_append(&query, "state", bytes_span(&a->state));
	form_append(&query, "login_hint", span_of_text(a->provider->login));
	append_challenge(&query, &a->verifier);
	/* Google gives a refresh token only so. */
	if (is_at(o->authorize_url, "accounts.google.com")) {
		form_append(&query, "access_type", span_of_text("offline"));
		form_append(&query, "prompt", span_of_text("consent"));
	}
	bytes_append_text(url, o->authorize_url);
	bytes_append_char(url, strchr(o->authorize_url, '?') == NULL ? '?' : '&');
	bytes_append_span(url, bytes_span(&query));
	bytes_release(&query);
}

/* Where there is a desktop. */
static void open_browser(const char *url)
{
	char *words[] = { (char *)(uintptr_t) "xdg-open", (char *)(uintptr_t)url, NULL };
	pid_t pid;

	if (getenv("DISPLAY") != NULL || getenv("WAYLAND_DISPLAY") != NULL)
		(void)posix_spawnp(&pid, words[0], NULL, NULL, words, environ);
}

static int begin(struct attempt *a, uint16_t *port_r)
{
	a->listener = redirect_listen(port_r);
	if (a->listener < 0)
		return -1;
	append_random(&a->state, STATE_SIZE);
	append_random(&a->verifier, VERIFIER_SIZE);
	/* Microsoft knows this host by that name only. */
	bytes_printf(&a->redirect_uri, "http://%s:%u",
	             is_at(a->provider->oauth2.authorize_url, "login.microsoftonline.com")
	                     ? "localhost"
	                     : "127.0.0.1",
	             (unsigned)*port_r);
	return 0;
}

static void ask_owner(const struct attempt *a, uint16_t port)
{
	struct bytes url = { 0 };

	compose_url(a, &url);
	printf("Log in as %s, and agree, at this address:\n\n%s\n\n"
	       "The browser comes back to this host. Is it on another one? Then first run there:\n"
	       "  ssh -L %u:127.0.0.1:%u THIS-HOST\n",
	       a->provider->login, bytes_text(&url), (unsigned)port, (unsigned)port);
	fflush(stdout);
	open_browser(bytes_text(&url));
	bytes_release(&url);
}

static int keep(const struct attempt *a, const struct token *token)
{
	const char *path = a->provider->oauth2.refresh_token_file;
	struct bytes error = { 0 };
	int status = EX_OK;

	if (token->refresh.length == 0)
		return complain(EX_UNAVAILABLE, a->provider->name,
		                "the provider gave no refresh token: at Microsoft offline_access "
		                "has to be in scope; others give one at the first consent only");
	if (secret_file_store(path, bytes_span(&token->refresh), a->settings->user, &error) != 0)
		status = complain(EX_CANTCREAT, a->provider->name, bytes_text(&error));
	else
		printf("Done: the refresh token is in %s; penstockd uses it from now on.\n", path);
	bytes_release(&error);
	return status;
}

static int exchange(struct attempt *a)
{
	const struct oauth2_code code = { bytes_text(&a->code), bytes_text(&a->verifier),
		                          bytes_text(&a->redirect_uri) };
	struct bytes error = { 0 };
	struct token token = { 0 };
	int status;

	if (oauth2_exchange(&token, &a->provider->oauth2, &code, &error) == 0)
		status = keep(a, &token);
	else
		status = complain(EX_UNAVAILABLE, a->provider->name, bytes_text(&error));
	token_release(&token);
	bytes_release(&error);
	return status;
}

static int run(struct attempt *a)
{
	struct bytes error = { 0 };
	uint16_t port;
	int status;

	if (begin(a, &port) != 0)
		return complain(EX_OSERR, a->provider->name, strerror(errno));
	ask_owner(a, port);
	if (redirect_wait(a->listener, bytes_text(&a->state), &a->code, &error) == 0)
		status = exchange(a);
	else
		status = complain(EX_NOPERM, a->provider->name, bytes_text(&error));
	close(a->listener);
	secret_wipe(&a->code);
	secret_wipe(&a->verifier);
	bytes_release(&a->state);
	bytes_release(&a->redirect_uri);
	bytes_release(&error);
	return status;
}

static int login_at(const struct settings *s, const char *name)
{
	struct attempt a = { .settings = s, .provider = settings_provider(s, name) };
	const char *why;

	if (a.provider == NULL)
		return complain(EX_USAGE, name, "there is no such provider in the configuration");
	why = missing(a.provider);
	return why != NULL ? complain(EX_CONFIG, name, why) : run(&a);
}

int cli_login(const struct cli *cli, int argc, char **argv)
{
	struct overrides over = { 0 };
	struct bytes error = { 0 }, notes = { 0 };
	struct settings *s;
	int option, status = EX_CONFIG;

	(void)cli;
	while ((option = getopt(argc, argv, "f:")) == 'f')
		over.file = optarg;
	if (option != -1 || optind != argc - 1) {
		fprintf(stderr, "usage: penstock login [-f FILE] PROVIDER\n");
		return EX_USAGE;
	}
	if (settings_load(&s, &over, &error, &notes) == 0) {
		status = login_at(s, argv[optind]);
		settings_release(&s);
	} else {
		fprintf(stderr, "penstock login: %s\n", bytes_text(&error));
	}
	bytes_release(&error);
	bytes_release(&notes);
	return status;
}
