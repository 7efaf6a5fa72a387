/* SPDX-License-Identifier: ISC */
/* check_logins.c - logins of listeners, what each may do, whom a Unix socket trusts, and aliases.
 *
 * The users' file is read here as the daemon reads it later, so that a bad line stops the start
 * and not the first client.
 */
#include "config/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "config/users.h"
#include "mail/address.h"
#include "mail/header.h"

/* Above this a list is the better place: one message in would become a flood. */
#define ALIAS_TARGETS_MAX 100

/* --- listeners --- */

/* Each line of the text is told. */
static void tell_lines(const struct place *place, struct bytes *text,
                       void (*tell)(struct problems *problems, const struct place *place,
                                    const char *line),
                       struct problems *problems)
{
	char *copy = memory_text(bytes_text(text)), *rest = copy, *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line != '\0')
			tell(problems, place, line);
	}
	free(copy);
}

static void tell_problem(struct problems *problems, const struct place *place, const char *line)
{
	problem_at(problems, place, "%s", line);
}

static void tell_note(struct problems *problems, const struct place *place, const char *line)
{
	note_at(problems, place, "%s", line);
}

static void check_users_file(const struct settings *s, size_t index, struct problems *problems)
{
	struct place place = { s, SECTION_LISTEN, index, "users" };
	struct bytes error = { 0 }, notes = { 0 };
	struct user_list list;

	if (user_list_read(&list, s->listeners[index].users, &error, &notes) != 0)
		tell_lines(&place, &error, tell_problem, problems);
	else
		user_list_release(&list);
	tell_lines(&place, &notes, tell_note, problems);
	bytes_release(&error);
	bytes_release(&notes);
}

static void check_auth(const struct settings *s, size_t index, struct problems *problems)
{
	const struct listener_settings *l = &s->listeners[index];
	struct place auth = { s, SECTION_LISTEN, index, "auth" };
	struct place users = { s, SECTION_LISTEN, index, "users" };
	struct place clear = { s, SECTION_LISTEN, index, "auth-without-tls" };
	bool checked = l->auth == AUTH_OPTIONAL || l->auth == AUTH_REQUIRED;

	if (checked && l->users == NULL)
		problem_at(problems, &auth,
		           "needs the logins: write users = \"FILE\" with lines NAME:HASH");
	if (l->users != NULL && !checked)
		note_at(problems, &users, "is not used: auth is not \"optional\" or \"required\"");
	else if (l->users != NULL)
		check_users_file(s, index, problems);
	if (checked && l->auth_without_tls)
		note_at(problems, &clear, "passwords cross the network in clear");
	else if (checked && l->tls == LISTENER_TLS_OFF && !l->is_unix &&
	         !host_is_loopback(l->address))
		note_at(problems, &auth,
		        "only clients on this host can log in, for tls is \"off\": write "
		        "certificate = \"FILE\" and key = \"FILE\"");
}

static void check_peer_users(const struct settings *s, size_t index, struct problems *problems)
{
	struct listener_settings *l = &s->listeners[index];
	struct place place = { s, SECTION_LISTEN, index, "peer-users" };

	if (l->peer_users.count == 0)
		return;
	if (!l->is_unix)
		problem_at(problems, &place, "only the clients of a Unix socket have accounts");
	free(l->peer_uids);
	l->peer_uids = memory_new_array(l->peer_users.count, sizeof(*l->peer_uids));
	for (size_t i = 0; i < l->peer_users.count; i++) {
		if (account_number(&l->peer_uids[i], l->peer_users.items[i]) != 0)
			problem_at(problems, &place,
			           "there is no account \"%.80s\": create it, or name another",
			           l->peer_users.items[i]);
	}
}

struct mailboxes {
	size_t count;
	bool good;
};

static void found_mailbox(void *context, const char *name, const char *text)
{
	struct mailboxes *found = context;
	struct address address;
	const char *error;

	(void)name;
	found->count++;
	if (address_parse(&address, span_of_text(text), 0, &error) != 0)
		return;
	found->good = true;
	address_release(&address);
}

static bool is_ascii(const char *text)
{
	while (*text != '\0' && (unsigned char)*text < 0x80)
		text++;
	return *text == '\0';
}

static void check_default_from(const struct settings *s, size_t index, struct problems *problems)
{
	const char *from = s->listeners[index].default_from;
	struct place place = { s, SECTION_LISTEN, index, "default-from" };
	struct mailboxes found = { 0 };

	if (from == NULL)
		return;
	header_addresses(span_of_text(from), found_mailbox, &found);
	/* A field line has 998 octets at most (RFC 5322 2.1.1). */
	if (found.count != 1 || !found.good || !is_ascii(from) || strlen(from) > 900)
		problem_at(problems, &place,
		           "\"%.80s\" is no mailbox: write one such as \"root@example.com\" or "
		           "\"Our host <root@example.com>\", in ASCII",
		           from);
}

static void check_listener_logins(const struct settings *s, size_t index, struct problems *problems)
{
	check_auth(s, index, problems);
	check_peer_users(s, index, problems);
	check_default_from(s, index, problems);
}

/* --- logins and aliases --- */

static void check_login(const struct settings *s, size_t index, struct problems *problems)
{
	const char *name = s->logins[index].name;
	struct place place = { s, SECTION_LOGIN, index, NULL };

	if (*name == '\0' || strlen(name) > USER_NAME_MAX || strchr(name, ':') != NULL ||
	    !utf8_is_valid(span_of_text(name)))
		problem_at(problems, &place,
		           "write a login of the users' file, or \"*\" for those that have no "
		           "section of their own");
}

static void check_alias_target(const struct place *place, const char *text,
                               struct problems *problems)
{
	struct address address;
	const char *error;

	if (address_parse(&address, span_of_text(text), 0, &error) != 0)
		problem_at(problems, place,
		           "\"%.80s\" is no address (%s): write one with a domain, such as "
		           "\"ops@example.com\"",
		           text, error);
	else
		address_release(&address);
}

static void check_alias(const struct settings *s, size_t index, struct problems *problems)
{
	const struct alias_settings *a = &s->aliases[index];
	struct place title = { s, SECTION_ALIAS, index, NULL };
	struct place to = { s, SECTION_ALIAS, index, "to" };

	if (*a->name == '\0' || strlen(a->name) > ADDRESS_LOCAL_MAX || strchr(a->name, '@') != NULL)
		problem_at(problems, &title,
		           "an alias is for a name without a domain, such as \"root\"");
	if (settings_alias(s, span_of_text(a->name)) != a)
		problem_at(problems, &title,
		           "this name has an alias already (case does not count)");
	if (a->to.count == 0)
		problem_at(problems, &to, "is missing: write to = { \"ops@example.com\" }");
	if (a->to.count > ALIAS_TARGETS_MAX)
		problem_at(problems, &to, "names more than %d addresses: use a mailing list",
		           ALIAS_TARGETS_MAX);
	for (size_t i = 0; i < a->to.count; i++)
		check_alias_target(&to, a->to.items[i], problems);
}

void check_logins(struct settings *s, struct problems *problems)
{
	for (size_t i = 0; i < s->listener_count; i++)
		check_listener_logins(s, i, problems);
	for (size_t i = 0; i < s->login_count; i++)
		check_login(s, i, problems);
	for (size_t i = 0; i < s->alias_count; i++)
		check_alias(s, i, problems);
}
