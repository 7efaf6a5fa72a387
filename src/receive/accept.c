/* SPDX-License-Identifier: ISC */
/* accept.c - MAIL, RCPT and DATA: who sends, to whom, and whether there is room.
 *
 * The verb table has answered what is out of sequence. A refused command leaves the transaction as
 * it was (RFC 5321 4.1.4). The content itself is data.c's.
 */
#include "receive/private.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"

const struct refusal refusal_too_big = { 552, "5.3.4", "Message is larger than this server takes" };
const struct refusal refusal_no_room = { 452, "4.3.1", "No room in the spool, try later" };
/* RFC 6531 3.5 */
static const struct refusal needs_smtputf8 = { 553, "5.6.7",
	                                       "An address beyond ASCII needs SMTPUTF8 at MAIL" };
static const struct refusal login_required = { 530, "5.7.0", "Authentication required" };
static const struct refusal not_your_sender = { 553, "5.7.1",
	                                        "This login may not use that sender" };
static const struct refusal relay_denied = { 554, "5.7.1", "Relay access denied" };

/* "FROM:" or "TO:" and the path behind it; spaces between are tolerated, as Postfix does. */
static int path_parse(struct address *address_r, struct span argument, const char *keyword,
                      unsigned flags, struct span *parameters_r, const char **error_r)
{
	size_t length = strlen(keyword), used;

	*error_r = "Path expected";
	if (!span_starts_nocase(argument, keyword))
		return -1;
	argument = span_trim(span_of(argument.data + length, argument.length - length));
	if (address_parse_path(address_r, argument, flags | ADDRESS_UTF8, &used, error_r) != 0)
		return -1;
	*parameters_r = span_of(argument.data + used, argument.length - used);
	if (parameters_r->length == 0 || parameters_r->data[0] == ' ')
		return 0;
	*error_r = "A space has to follow the path";
	address_release(address_r);
	return -1;
}

static bool is_postmaster(const struct address *address)
{
	return address_domain(address).length == 0 &&
	       span_equal_nocase(address_local(address), span_of_text("postmaster"));
}

/* A bare name of a local program is this host's; "Postmaster" always is (RFC 5321 4.5.1). */
static bool qualify(struct session *s, struct address *address)
{
	if (address_is_null(address) || address_domain(address).length > 0)
		return true;
	if (!(s->local && s->receive->listener->qualify) && !is_postmaster(address))
		return false;
	address_qualify(address, s->receive->settings->hostname);
	return true;
}

static bool reserve(struct session *s, uint64_t size)
{
	const struct receive_store *store = &s->receive->store;
	uint64_t want = size > RESERVE_MIN ? size : RESERVE_MIN;

	if (!store->reserve(store->context, want, 0))
		return false;
	s->reserved = want;
	return true;
}

/* The parameters stand, the sender is known: is it welcome? */
static void sender_accept(struct session *s, struct address *sender,
                          const struct mail_parameters *parameters)
{
	const struct listener_settings *listener = s->receive->listener;
	int wait;
	/* RFC 6710 4.1: who is not known to us may be less urgent than others, not more. */
	bool slowed = parameters->terms.priority > 0 && !session_known(s);

	s->envelope.sender = *sender;
	s->envelope.body = parameters->body;
	s->envelope.declared_size = parameters->size;
	s->envelope.smtputf8 = parameters->smtputf8;
	s->envelope.terms = parameters->terms;
	if (slowed)
		s->envelope.terms.priority = 0;
	s->envelope.ret = parameters->ret;
	if (parameters->envid.length > 0)
		s->envelope.envid =
			memory_text_of(parameters->envid.data, parameters->envid.length);
	if (listener->auth == AUTH_REQUIRED && s->login == NULL) {
		session_refuse(s, &login_required, NULL);
	} else if (!submission_sender_allowed(s, sender)) {
		session_refuse(s, &not_your_sender, NULL);
	} else if (parameters->size > listener->max_message_size) {
		session_refuse(s, &refusal_too_big, NULL);
	} else if (!admission_message(s, &wait)) {
		log_info("message deferred client=%s reason=rate-per-client wait=%ds",
		         stream_peer(s->stream), wait);
		session_replyf(s, 450, "4.7.1",
		               "Too many messages from your address, try again in %d s", wait);
	} else if (!reserve(s, parameters->size)) {
		session_refuse(s, &refusal_no_room, NULL);
	} else {
		session_enter(s, SESSION_MAIL);
		session_reply(s, 250, slowed ? "2.3.6" : "2.1.0",
		              slowed ? "0 is the new priority, a higher one needs a login" : "Ok");
		return;
	}
	session_reset(s);
}

void verb_mail(struct session *s, struct span argument)
{
	const unsigned flags = ADDRESS_NULL | ADDRESS_UNQUALIFIED;
	struct address sender;
	const struct mail_rules rules = verb_rules(s);
	const struct fault_point point = {
		.stage = FAULT_MAIL, .sender = &sender, .again = verb_again, .refuse = verb_refuse
	};
	struct mail_parameters parameters;
	struct refusal refusal;
	struct span rest;
	const char *error;

	if (path_parse(&sender, argument, "FROM:", flags, &rest, &error) != 0) {
		session_replyf(s, 501, "5.1.7", "Bad sender, MAIL FROM:<address> expected: %s",
		               error);
		return;
	}
	if (mail_parameters_parse(&parameters, rest, &rules, &refusal) != 0)
		session_reply(s, refusal.code, refusal.enhanced, refusal.text);
	else if (!parameters.smtputf8 && address_is_utf8(&sender))
		session_reply(s, needs_smtputf8.code, needs_smtputf8.enhanced, needs_smtputf8.text);
	else if (!qualify(s, &sender))
		session_reply(s, 553, "5.1.7", "The sender's address needs a domain");
	else if (!play_fault(s, &point)) {
		sender_accept(s, &sender, &parameters);
		return;
	}
	address_release(&sender);
}

/* "Postmaster" without a domain is us: everybody may write to it (RFC 5321 4.5.1). */
static bool may_send_to(const struct session *s, const struct address *address)
{
	return s->trusted || s->login != NULL || is_postmaster(address);
}

/* Above the limit earlier recipients stay (RFC 5321 4.5.3.1.10). */
static void too_many_recipients(struct session *s)
{
	session_reply(s, 452, "4.5.3", "Too many recipients, send the rest in another transaction");
	if (++s->overshoot > OVERSHOOT_MAX)
		s->errors++;
}

/* An alias becomes many; alone it always fits. */
static bool is_room_for(const struct session *s, const struct address *to)
{
	const struct alias_settings *alias = submission_alias(s, to);
	size_t more = alias != NULL ? alias->to.count : 1, count = s->envelope.count;

	return count == 0 || count + more <= s->receive->listener->max_recipients;
}

static void recipient_accept(struct session *s, struct address *address,
                             const struct rcpt_parameters *parameters)
{
	struct recipient to = { .address = *address, .notify = parameters->notify };
	const struct alias_settings *alias;

	memset(address, 0, sizeof *address);
	if (parameters->orcpt.length > 0)
		to.orcpt = memory_text_of(parameters->orcpt.data, parameters->orcpt.length);
	alias = submission_alias(s, &to.address);
	if (alias != NULL) {
		submission_add_targets(s, alias, &to);
		recipient_release(&to);
	} else if (submission_has(s, &to.address)) {
		recipient_release(&to);
	} else {
		envelope_add_recipient(&s->envelope, &to);
	}
	session_enter(s, SESSION_RCPT);
	session_reply(s, 250, "2.1.5", "Ok");
}

void verb_rcpt(struct session *s, struct span argument)
{
	struct address address;
	const struct fault_point point = { .stage = FAULT_RCPT,
		                           .recipient = &address,
		                           .again = verb_again,
		                           .refuse = verb_refuse };
	struct rcpt_parameters parameters;
	struct refusal refusal;
	struct span rest;
	const char *error;

	if (path_parse(&address, argument, "TO:", ADDRESS_UNQUALIFIED, &rest, &error) != 0) {
		session_replyf(s, 501, "5.1.3", "Bad recipient, RCPT TO:<address> expected: %s",
		               error);
		return;
	}
	if (rcpt_parameters_parse(&parameters, rest, s->envelope.smtputf8, &refusal) != 0)
		session_reply(s, refusal.code, refusal.enhanced, refusal.text);
	else if (!s->envelope.smtputf8 && address_is_utf8(&address))
		session_reply(s, needs_smtputf8.code, needs_smtputf8.enhanced, needs_smtputf8.text);
	else if (!may_send_to(s, &address))
		session_refuse(s, &relay_denied, address.text);
	else if (!qualify(s, &address))
		session_reply(s, 553, "5.1.3", "The recipient's address needs a domain");
	else if (!is_room_for(s, &address))
		too_many_recipients(s);
	else if (!play_fault(s, &point))
		recipient_accept(s, &address, &parameters);
	address_release(&address);
}

void verb_data(struct session *s, struct span argument)
{
	if (argument.length > 0) {
		session_reply(s, 501, "5.5.4", "DATA takes no argument");
	} else if (s->envelope.count == 0) {
		session_reply(s, 554, "5.5.1", "No valid recipients");
	} else {
		data_start(s);
		session_reply(s, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	}
}
