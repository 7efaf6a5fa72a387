/* SPDX-License-Identifier: ISC */
/* submission.c - what a submission server does beyond a relay (RFC 6409): which senders a login may
 * use, and the aliases of this host's bare names.
 *
 * Aliases stand at RCPT, where max-recipients counts what they become, before routes look at the
 * result. Targets have domains and are not looked up again, so nothing can go in circles.
 */
#include "receive/private.h"

#include <string.h>

#include "base/memory.h"

bool submission_sender_allowed(const struct session *s, const struct address *sender)
{
	const struct login_settings *login;

	/* The empty sender pretends to be nobody. An inbox takes every login, and all it says. */
	if (s->login == NULL || address_is_null(sender) || s->receive->listener->auth == AUTH_ANY)
		return true;
	login = settings_login(s->receive->settings, s->login);
	if (login == NULL || login->sender.count == 0)
		return true;
	for (size_t i = 0; i < login->sender.count; i++) {
		if (address_matches(sender, login->sender.items[i]))
			return true;
	}
	return false;
}

const struct alias_settings *submission_alias(const struct session *s, const struct address *to)
{
	const struct settings *settings = s->receive->settings;

	if (settings->alias_count == 0 ||
	    !span_equal_nocase(address_domain(to), span_of_text(settings->hostname)))
		return NULL;
	return settings_alias(settings, address_local(to));
}

static bool is_recipient(const struct envelope *env, const char *address)
{
	for (size_t i = 0; i < env->count; i++) {
		if (strcmp(env->recipients[i].address.text, address) == 0)
			return true;
	}
	return false;
}

void submission_add_targets(struct session *s, const struct alias_settings *alias,
                            const struct recipient *asked)
{
	for (size_t i = 0; i < alias->to.count; i++) {
		struct recipient to = { .notify = asked->notify };
		const char *error, *text = alias->to.items[i];

		if (is_recipient(&s->envelope, text) ||
		    address_parse(&to.address, span_of_text(text), 0, &error) != 0)
			continue;
		to.orcpt = asked->orcpt != NULL ? memory_text(asked->orcpt) : NULL;
		envelope_add_recipient(&s->envelope, &to);
	}
}
