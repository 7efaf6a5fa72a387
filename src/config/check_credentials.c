/* SPDX-License-Identifier: ISC */
/* check_credentials.c - what a provider logs in with: a password from one place, or tokens.
 *
 * Promise: no credential leaves without verified TLS; what breaks it is refused here, before
 * anything is connected.
 */
#include "config/private.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEFAULT_CURE "write login = \"USER\", or the URL as smtp://USER@HOST"

bool settings_url_is_safe(const char *url)
{
	static const char *const here[] = { "http://127.0.0.1", "http://[::1]",
		                            "http://localhost" };

	if (strncasecmp(url, "https://", 8) == 0)
		return strlen(url) > 8 && strpbrk(url, " \"<>\\^`{|}\r\n\t") == NULL;
	for (size_t i = 0; i < sizeof(here) / sizeof(*here); i++) {
		size_t length = strlen(here[i]);
		/* What follows must not make it another host's name, or a user's. */
		if (strncasecmp(url, here[i], length) == 0 &&
		    (url[length] == ':' || url[length] == '/') && strchr(url, '@') == NULL)
			return strpbrk(url, " \"<>\\^`{|}\r\n\t") == NULL;
	}
	return false;
}

/* A program is started without a shell, as the path says. */
static void check_command(const struct text_list *command, const struct place *place,
                          struct problems *problems)
{
	const char *program;

	if (command->count == 0)
		return;
	program = command->items[0];
	if (*program != '/')
		problem_at(problems, place,
		           "write the absolute path of a program, each argument as a string of "
		           "its own: { \"/usr/bin/pass\", \"show\", \"smtp\" }; no shell is "
		           "involved unless it is the program: { \"/bin/sh\", \"-c\", \"...\" }");
	else if (access(program, X_OK) != 0)
		problem_at(problems, place,
		           "there is no such program: write each argument as a string of its own, "
		           "as in { \"/usr/bin/pass\", \"show\", \"smtp\" }");
}

static void check_password(const struct settings *s, size_t index, struct problems *problems)
{
	const struct provider_settings *p = &s->providers[index];
	struct place url = { s, SECTION_PROVIDER, index, "url" };
	struct place auth = { s, SECTION_PROVIDER, index, "auth" };
	struct place command = { s, SECTION_PROVIDER, index, "password-command" };
	int sources = (p->password_file != NULL) + (p->password_env != NULL) +
	              (p->password_command.count > 0);

	check_command(&p->password_command, &command, problems);
	if (sources > 1)
		problem_at(problems, &url,
		           "a password comes from one place: keep one of password-file, "
		           "password-env and password-command");
	if (p->login == NULL && sources > 0)
		problem_at(problems, &url, "a password without a login: " DEFAULT_CURE);
	if (p->login != NULL && sources == 0)
		problem_at(problems, &url,
		           "a login without a password: write password-file = "
		           "\"FILE\" or password-env = \"NAME\"");
	if (p->auth == PROVIDER_AUTH_XOAUTH2 || p->auth == PROVIDER_AUTH_OAUTHBEARER)
		problem_at(problems, &auth,
		           "sends a token, not a password: write oauth2 { ... }, or another "
		           "mechanism");
}

static void need(const struct place *section, const char *option, const char *value,
                 struct problems *problems)
{
	if (value == NULL)
		problem_at(problems, section, "%s is missing", option);
}

static void check_url(const struct place *place, const char *url, struct problems *problems)
{
	if (url != NULL && !settings_url_is_safe(url))
		problem_at(problems, place,
		           "would tell secrets on the way: write an https URL (http only on "
		           "127.0.0.1 or [::1])");
}

static void check_grant(const struct settings *s, size_t index, struct problems *problems)
{
	const struct oauth2_settings *o = &s->providers[index].oauth2;
	struct place section = { s, SECTION_OAUTH2, index, NULL };

	if (o->grant == OAUTH2_SERVICE_ACCOUNT) {
		need(&section, "service-account-file", o->service_account_file, problems);
		return;
	}
	need(&section, "token-url", o->token_url, problems);
	need(&section, "client-id", o->client_id, problems);
	if (o->grant == OAUTH2_REFRESH_TOKEN) {
		need(&section, "refresh-token-file", o->refresh_token_file, problems);
		return;
	}
	need(&section, "client-secret-file", o->client_secret_file, problems);
	need(&section, "scope", o->scope, problems);
}

static void check_refresh_token(const struct settings *s, size_t index, struct problems *problems)
{
	const struct provider_settings *p = &s->providers[index];
	struct place place = { s, SECTION_OAUTH2, index, "refresh-token-file" };

	if (p->oauth2.grant == OAUTH2_REFRESH_TOKEN && p->oauth2.token_command.count == 0 &&
	    p->oauth2.refresh_token_file != NULL && access(p->oauth2.refresh_token_file, F_OK) != 0)
		note_at(problems, &place, "there is no %s yet: penstock login %s makes it",
		        p->oauth2.refresh_token_file, p->name);
}

static void check_oauth2(const struct settings *s, size_t index, struct problems *problems)
{
	const struct provider_settings *p = &s->providers[index];
	const struct oauth2_settings *o = &p->oauth2;
	struct place section = { s, SECTION_OAUTH2, index, NULL };
	struct place token_url = { s, SECTION_OAUTH2, index, "token-url" };
	struct place authorize_url = { s, SECTION_OAUTH2, index, "authorize-url" };
	struct place command = { s, SECTION_OAUTH2, index, "token-command" };
	struct place auth = { s, SECTION_PROVIDER, index, "auth" };

	if (p->password_file != NULL || p->password_env != NULL || p->password_command.count > 0)
		problem_at(problems, &section, "a token takes the place of a password: keep one");
	if (p->login == NULL)
		problem_at(problems, &section, "a token without a login: " DEFAULT_CURE);
	if (p->auth != PROVIDER_AUTH_AUTO && p->auth != PROVIDER_AUTH_XOAUTH2 &&
	    p->auth != PROVIDER_AUTH_OAUTHBEARER)
		problem_at(problems, &auth,
		           "sends a password, not a token: write \"auto\", \"xoauth2\" or "
		           "\"oauthbearer\"");
	check_url(&token_url, o->token_url, problems);
	check_url(&authorize_url, o->authorize_url, problems);
	check_command(&o->token_command, &command, problems);
	if (o->token_command.count == 0)
		check_grant(s, index, problems);
	check_refresh_token(s, index, problems);
}

void check_credentials(const struct settings *s, size_t index, struct problems *problems)
{
	const struct provider_settings *p = &s->providers[index];
	struct place url = { s, SECTION_PROVIDER, index, "url" };
	struct place verify = { s, SECTION_PROVIDER, index, "tls-verify" };

	if (p->oauth2.used)
		check_oauth2(s, index, problems);
	else
		check_password(s, index, problems);
	if (p->login == NULL)
		return;
	if (p->tls == PROVIDER_TLS_NEVER)
		problem_at(problems, &url,
		           "a login goes over verified TLS only: write smtp+tls:// or "
		           "smtps:// instead of smtp+notls://, or remove the login");
	else if (p->verify == TLS_VERIFY_OFF)
		problem_at(
			problems, &verify,
			"\"off\" does not go with a login, which would be told to "
			"anybody: name the server's CA with tls-ca = \"FILE\", or pin its key with "
			"tls-verify = \"pin:sha256/...\"");
}
