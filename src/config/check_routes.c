/* SPDX-License-Identifier: ISC */
/* check_routes.c - may mail go where it is sent? Providers and the routes; what providers log in
 * with is in check_credentials.c.
 */
#include "config/private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mail/address.h"

/* --- providers --- */

static void check_file(const struct settings *s, size_t index, const char *option, const char *path,
                       struct problems *problems)
{
	struct place place = { s, SECTION_PROVIDER, index, option };
	int fd;

	if (path == NULL)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		problem_at(problems, &place, "%s cannot be read: %s", path, strerror(errno));
	else
		close(fd);
}

static void check_provider_tls(const struct settings *s, size_t index, struct problems *problems)
{
	const struct provider_settings *p = &s->providers[index];
	struct place url = { s, SECTION_PROVIDER, index, "url" };
	struct place verify = { s, SECTION_PROVIDER, index, "tls-verify" };
	struct place certificate = { s, SECTION_PROVIDER, index, "tls-certificate" };
	struct place key = { s, SECTION_PROVIDER, index, "tls-key" };
	bool beyond = !host_is_loopback(p->host);

	if (p->tls == PROVIDER_TLS_NEVER && beyond)
		note_at(problems, &url,
		        "mail to %s goes without TLS: everybody on the way can read it", p->host);
	else if (p->verify == TLS_VERIFY_OFF && beyond)
		note_at(problems, &verify, "the server %s is not verified", p->host);
	check_file(s, index, "tls-ca", p->tls_ca, problems);
	check_file(s, index, "tls-certificate", p->tls_certificate, problems);
	check_file(s, index, "tls-key", p->tls_key, problems);
	if (p->tls_certificate != NULL && p->tls_key == NULL)
		problem_at(problems, &certificate, "write tls-key = \"FILE\" besides");
	else if (p->tls_certificate == NULL && p->tls_key != NULL)
		problem_at(problems, &key, "write tls-certificate = \"FILE\" besides");
}

/* Who others become must be one that it takes: relay/from.c compares as here. */
static void check_senders(const struct settings *s, size_t index, struct problems *problems)
{
	const struct provider_settings *p = &s->providers[index];
	struct place place = { s, SECTION_PROVIDER, index, "rewrite-from" };
	struct address address = { 0 };
	const char *error;
	bool taken = p->from_allowed.count == 0;

	if (p->rewrite_from == NULL)
		return;
	if (address_parse(&address, span_of_text(p->rewrite_from), 0, &error) != 0) {
		problem_at(problems, &place,
		           "\"%.80s\" is no address (%s): write one such as \"app@example.com\"",
		           p->rewrite_from, error);
		return;
	}
	for (size_t i = 0; i < p->from_allowed.count; i++)
		taken = taken || address_matches(&address, p->from_allowed.items[i]);
	if (!taken)
		problem_at(problems, &place, "\"%.80s\" is not among those of from-allowed",
		           p->rewrite_from);
	address_release(&address);
}

static bool inbox_exists(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->inbox_count; i++) {
		if (strcmp(s->inboxes[i].name, name) == 0)
			return true;
	}
	return false;
}

static void check_provider(const struct settings *s, size_t index, struct problems *problems)
{
	const struct provider_settings *p = &s->providers[index];
	struct place place = { s, SECTION_PROVIDER, index, NULL };
	struct place url = { s, SECTION_PROVIDER, index, "url" };

	if (p->kind == PROVIDER_SMTP) {
		check_credentials(s, index, problems);
		check_provider_tls(s, index, problems);
		check_senders(s, index, problems);
		return;
	}
	if (p->from_allowed.count > 0 || p->rewrite_from != NULL)
		problem_at(problems, &place,
		           "from-allowed and rewrite-from go with an smtp URL only");
	if (p->kind == PROVIDER_INBOX && !inbox_exists(s, p->inbox))
		problem_at(problems, &url, "there is no inbox \"%s\": write inbox \"%s\" { }",
		           p->inbox, p->inbox);
	if (p->login != NULL || p->password_file != NULL || p->password_env != NULL ||
	    p->password_command.count > 0 || p->oauth2.used)
		problem_at(problems, &place, "a login goes with an smtp URL only");
}

/* Built-in names stand at the end: one that is found before was written. */
static void check_builtin_names(const struct settings *s, struct problems *problems)
{
	for (size_t i = 0; i + 2 < s->provider_count; i++) {
		const char *name = s->providers[i].name;
		struct place place = { s, SECTION_PROVIDER, i, NULL };
		if (strcmp(name, "inbox") == 0 || strcmp(name, "discard") == 0)
			problem_at(problems, &place, "this name is built in: choose another");
	}
}

void check_providers(struct settings *s, struct problems *problems)
{
	check_builtin_names(s, problems);
	for (size_t i = 0; i < s->provider_count; i++)
		check_provider(s, i, problems);
}

/* --- routes --- */

static void check_via(const struct settings *s, size_t index, struct problems *problems)
{
	const struct text_list *via = &s->routes[index].via;
	struct place place = { s, SECTION_ROUTE, index, "via" };

	for (size_t i = 0; i < via->count; i++) {
		const struct provider_settings *p = settings_provider(s, via->items[i]);
		if (p == NULL)
			problem_at(problems, &place,
			           "there is no provider \"%.80s\": write provider "
			           "\"%.80s\" { url = \"smtp://HOST:587\" }",
			           via->items[i], via->items[i]);
		else if (p->kind == PROVIDER_INBOX && via->count > 1)
			problem_at(problems, &place,
			           "the inbox \"%s\" stands alone: an inbox never fails, "
			           "so nothing would go to the others",
			           via->items[i]);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(via->items[i], via->items[j]) == 0)
				problem_at(problems, &place, "\"%s\" is named twice",
				           via->items[i]);
		}
	}
	if (via->count == 0)
		problem_at(problems, &place,
		           "names no provider, and there is none to take: write via = "
		           "{ \"NAME\" }");
}

/* RFC 5322 2.2: printable, and no colon. */
static bool is_header_pattern(const char *text)
{
	size_t length = strcspn(text, ":");

	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return false;
	return length > 0 && text[length] == ':' &&
	       text[length + 1 + strspn(text + length + 1, " ")];
}

static void check_header(const struct settings *s, size_t index, struct problems *problems)
{
	const struct text_list *header = &s->routes[index].header;
	struct place place = { s, SECTION_ROUTE, index, "header" };

	for (size_t i = 0; i < header->count; i++)
		if (!is_header_pattern(header->items[i]))
			problem_at(problems, &place,
			           "\"%.80s\" is no field: write its name, a colon and a pattern, "
			           "as in \"X-Tag: bulk\" or \"X-Tag: *\"",
			           header->items[i]);
}

static void check_copy(const struct settings *s, size_t index, struct problems *problems)
{
	const struct route_settings *r = &s->routes[index];
	struct place place = { s, SECTION_ROUTE, index, "copy" };
	const struct inbox_settings *inbox;

	if (r->copy == NULL)
		return;
	inbox = settings_inbox(s, r->copy);
	if (inbox == NULL)
		problem_at(problems, &place,
		           "there is no inbox \"%.80s\": write \"inbox\", \"inbox:NAME\" with an "
		           "inbox \"NAME\" { }, or the name of a provider that is an inbox",
		           r->copy);
	else if (r->via.count == 1 && settings_inbox(s, r->via.items[0]) == inbox)
		problem_at(problems, &place, "the mail goes to this inbox anyway: remove it");
}

static void check_names(const struct settings *s, enum section section, struct problems *problems)
{
	for (size_t i = 0; i < section_count(s, section); i++) {
		struct place place = { s, section, i, NULL };
		if (!name_is_valid(section_title(s, section, i)))
			problem_at(problems, &place,
			           "write a name of letters, digits and . _ -, at most %d "
			           "of them",
			           NAME_MAX_LENGTH);
	}
}

static void check_release(const struct settings *s, size_t index, struct problems *problems)
{
	const char *name = s->inboxes[index].release;
	const struct provider_settings *p = name == NULL ? NULL : settings_provider(s, name);
	struct place place = { s, SECTION_INBOX, index, "release" };

	if (name != NULL && (p == NULL || p->kind == PROVIDER_INBOX))
		problem_at(problems, &place,
		           "there is no provider \"%.80s\" that mail leaves by: write provider "
		           "\"%.80s\" { url = \"smtp://HOST:587\" }",
		           name, name);
}

static void check_bounce_from(const struct settings *s, struct problems *problems)
{
	struct place place = { s, SECTION_BOUNCES, 0, "from" };
	struct address address = { 0 };
	const char *error;

	/* The default is as good as the hostname, which is told by itself. */
	if (origin_find(s, SECTION_BOUNCES, 0, setting_find(SECTION_BOUNCES, "from")) == NULL)
		return;
	if (address_parse(&address, span_of_text(s->bounce_from), 0, &error) != 0)
		problem_at(problems, &place,
		           "\"%.80s\" is no address (%s): write one such as "
		           "\"MAILER-DAEMON@relay.example.net\"",
		           s->bounce_from, error);
	else
		address_release(&address);
}

/* Whether its searches are any is for inbox/ to say, at the start. */
static void check_tag(const struct settings *s, size_t index, struct problems *problems)
{
	const struct tag_settings *tag = &s->tags[index];
	struct place query = { s, SECTION_TAG, index, "query" };
	struct place inbox = { s, SECTION_TAG, index, "inbox" };

	if (tag->query.count == 0)
		problem_at(problems, &query,
		           "is missing: write query = { \"subject:invoice\" }, a search of the "
		           "inbox");
	if (tag->inbox != NULL && !inbox_exists(s, tag->inbox))
		problem_at(problems, &inbox,
		           "there is no inbox \"%.80s\": write inbox \"%.80s\" { }", tag->inbox,
		           tag->inbox);
}

void check_routes(struct settings *s, struct problems *problems)
{
	check_names(s, SECTION_PROVIDER, problems);
	check_names(s, SECTION_ROUTE, problems);
	check_names(s, SECTION_INBOX, problems);
	check_bounce_from(s, problems);
	if (s->route_count == 0)
		problem(problems,
		        "%s: there is no provider to hand mail to: write provider "
		        "\"smarthost\" { url = \"smtp://USER@HOST:587\"  password-file = \"FILE\" "
		        "}",
		        s->file == NULL ? "penstock" : s->file);
	for (size_t i = 0; i < s->route_count; i++) {
		check_via(s, i, problems);
		check_header(s, i, problems);
		check_copy(s, i, problems);
	}
	for (size_t i = 0; i < s->inbox_count; i++)
		check_release(s, i, problems);
	for (size_t i = 0; i < s->tag_count; i++)
		check_tag(s, i, problems);
}
