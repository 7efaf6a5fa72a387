/* SPDX-License-Identifier: ISC */
/* compose.c - MAIL and RCPT as the peer can take them, and whether it can at all.
 *
 * A parameter is written only when its extension was offered. A message that needs what the
 * peer lacks is answered here (RFC 6152 3, RFC 6531 3.6): never a silent downgrade. Whatever
 * the parsers let through, no control character gets into a command line.
 */
#include "transport/private.h"

#include <inttypes.h>

static bool is_clean(const char *text)
{
	if (text == NULL)
		return true;
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f)
			return false;
	return true;
}

static bool is_word(const char *text)
{
	if (!is_clean(text))
		return false;
	for (const char *p = text; p != NULL && *p != '\0'; p++)
		if (*p == ' ')
			return false;
	return true;
}

static bool transaction_is_clean(const struct transaction *t)
{
	if (!is_clean(t->sender.text) || !is_word(t->envid))
		return false;
	for (size_t i = 0; i < t->count; i++)
		if (!is_clean(t->recipients[i].address.text) || !is_word(t->recipients[i].orcpt))
			return false;
	return true;
}

void compose_mail(struct bytes *out, const struct transaction *t, const struct peer_facts *facts)
{
	static const char *const ret[] = { [RET_FULL] = "FULL", [RET_HDRS] = "HDRS" };

	bytes_append_text(out, "MAIL FROM:<");
	bytes_append_text(out, t->sender.text == NULL ? "" : t->sender.text);
	bytes_append_char(out, '>');
	if (facts->size && t->size > 0)
		bytes_printf(out, " SIZE=%" PRIu64, t->size);
	if (facts->eight_bit_mime && t->body == BODY_8BITMIME)
		bytes_append_text(out, " BODY=8BITMIME");
	if (facts->smtputf8 && t->smtputf8)
		bytes_append_text(out, " SMTPUTF8");
	if (facts->dsn && t->ret != RET_DEFAULT)
		bytes_printf(out, " RET=%s", ret[t->ret]);
	if (facts->dsn && t->envid != NULL)
		bytes_printf(out, " ENVID=%s", t->envid);
	if (facts->require_tls && facts->tls && t->terms.require_tls)
		bytes_append_text(out, " REQUIRETLS");
	if (facts->mt_priority && t->terms.priority != 0)
		bytes_printf(out, " MT-PRIORITY=%d", t->terms.priority);
	if (facts->deliver_by && t->terms.by_mode != BY_NONE)
		bytes_printf(out, " BY=%" PRId64 ";%c%s", t->by_left_s,
		             t->terms.by_mode == BY_RETURN ? 'R' : 'N',
		             t->terms.by_trace ? "T" : "");
	bytes_append_text(out, "\r\n");
}

static void append_notify(struct bytes *out, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {
		{ NOTIFY_NEVER, "NEVER" },
		{ NOTIFY_SUCCESS, "SUCCESS" },
		{ NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" },
	};
	const char *separator = " NOTIFY=";

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if ((notify & words[i].bit) == 0)
			continue;
		bytes_append_text(out, separator);
		bytes_append_text(out, words[i].word);
		separator = ",";
		if (words[i].bit == NOTIFY_NEVER) /* stands alone */
			return;
	}
}

void compose_rcpt(struct bytes *out, const struct recipient *to, const struct peer_facts *facts)
{
	bytes_append_text(out, "RCPT TO:<");
	bytes_append_text(out, to->address.text == NULL ? "" : to->address.text);
	bytes_append_char(out, '>');
	if (facts->dsn) {
		append_notify(out, to->notify);
		if (to->orcpt != NULL)
			bytes_printf(out, " ORCPT=%s", to->orcpt);
	}
	bytes_append_text(out, "\r\n");
}

/* RFC 8689 4.2.1. A report goes all the same, with REQUIRETLS where that is known (section 5). */
static bool needs_tls(const struct transaction *t)
{
	return t->terms.require_tls && !address_is_null(&t->sender);
}

bool compose_possible(const struct transaction *t, const struct peer_facts *facts,
                      struct reply *reply_r)
{
	if (!transaction_is_clean(t))
		reply_local(reply_r, 553, "5.1.7", "control characters in the envelope");
	else if (facts->size && facts->size_max > 0 && t->size > facts->size_max)
		reply_local(reply_r, 552, "5.3.4",
		            "message of %" PRIu64 " octets: the server takes %" PRIu64, t->size,
		            facts->size_max);
	else if (t->body == BODY_BINARYMIME)
		reply_local(reply_r, 554, "5.6.3", "binary content cannot be sent by DATA");
	else if (t->body == BODY_8BITMIME && !facts->eight_bit_mime)
		reply_local(reply_r, 554, "5.6.3", "8-bit content: the server lacks 8BITMIME");
	else if (t->smtputf8 && !facts->smtputf8)
		reply_local(reply_r, 554, "5.6.7",
		            "internationalised mail: the server lacks SMTPUTF8");
	else if (t->terms.by_mode == BY_RETURN && !facts->deliver_by) /* RFC 2852 4.1 */
		reply_local(reply_r, 554, "5.3.3",
		            "DELIVERBY with return: the server lacks it, and would deliver late");
	else if (needs_tls(t) && !facts->tls_verified)
		reply_local(reply_r, 554, "5.7.10", "REQUIRETLS: no verified TLS to the server");
	else if (needs_tls(t) && !facts->require_tls)
		reply_local(reply_r, 554, "5.7.30", "REQUIRETLS: the server lacks it");
	else
		return true;
	return false;
}
