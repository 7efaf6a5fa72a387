/* SPDX-License-Identifier: ISC */
/* submission.c - what a submission server does beyond a relay (RFC 6409): which senders a login may
 * use, the aliases of this host's bare names, and header fields that are missing.
 *
 * What is missing is found at the end of data and kept as facts of the message; the fields are
 * written before the content when it is read, as Received is. The content is never changed, so
 * signatures hold.
 * Aliases stand at RCPT, where max-recipients counts what they become, before routes look at the
 * result. Targets have domains and are not looked up again, so nothing can go in circles.
 */
#include "receive/private.h"

#include <string.h>

#include "base/memory.h"
#include "mail/header.h"

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
	return settings_alias_of(s->receive->settings, address_local(to), address_domain(to));
}

static bool is_recipient(const struct envelope *env, const char *address)
{
	for (size_t i = 0; i < env->count; i++) {
		if (strcmp(env->recipients[i].address.text, address) == 0)
			return true;
	}
	return false;
}

bool submission_has(const struct session *s, const struct address *to)
{
	return s->aliased && is_recipient(&s->envelope, to->text);
}

void submission_add_targets(struct session *s, const struct alias_settings *alias,
                            const struct recipient *asked)
{
	s->aliased = true;
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

/* ---- missing fields ---------------------------------------------------- */

/* Does it begin with a field, an empty line, or the envelope line of a mailbox? Else it is text
 * that somebody piped into a mailer, and our fields need an end. */
static bool begins_as_header(struct span content)
{
	struct header_reader r = header_reader(content);
	struct header_field field;

	if (content.length == 0 || content.data[0] == '\r' || content.data[0] == '\n' ||
	    span_starts_nocase(content, "From ") || span_starts_nocase(content, ">From "))
		return true;
	return header_next(&r, &field) && field.whole.data == content.data;
}

static bool has_field(struct span header, const char *name)
{
	struct span value;

	return header_find(header, name, &value);
}

static void add_from(const struct session *s, struct trace *t)
{
	const char *from = s->receive->listener->default_from;

	if (from == NULL && !address_is_null(&s->envelope.sender))
		from = s->envelope.sender.text;
	if (from == NULL)
		return; /* nobody wrote it */
	t->added |= TRACE_ADD_FROM;
	t->from = memory_text(from);
}

void submission_repair(const struct session *s, struct span header, struct trace *t)
{
	const struct listener_settings *listener = s->receive->listener;
	bool text = !begins_as_header(header);

	/* Mail of others for our postmaster is theirs. Of a header that was cut nothing is known.
	 */
	if ((!s->trusted && s->login == NULL) || header.length >= HEADER_MAX)
		return;
	if (text)
		header.length = 0;
	if (listener->add_date && !has_field(header, "Date"))
		t->added |= TRACE_ADD_DATE;
	if (listener->add_from && !has_field(header, "From"))
		add_from(s, t);
	if (listener->add_message_id && !has_field(header, "Message-ID"))
		t->added |= TRACE_ADD_MESSAGE_ID;
	if (text && t->added != 0)
		t->added |= TRACE_ADD_LINE;
}
