/* SPDX-License-Identifier: ISC */
/* verdict.c - the table of what replies mean.
 *
 * The rules of the provider come first, then the words that providers are known to use, then
 * the codes; the first row that fits decides. What lies with the provider (login, quota,
 * billing, TLS, an unverified sender) must never bounce a mail, so it stands before the general
 * rows.
 */
#include "relay/verdict.h"

#include <string.h>
#include <strings.h>

#define ANY 0

/* Where the reply was heard. */
enum place { ANYWHERE, AT_RCPT, AT_RCPT_WITH_OTHERS };

struct row {
	int from, to;        /* codes */
	int subject, detail; /* of the enhanced code; ANY */
	enum place place;
	enum verdict verdict;
	const char *words, *and_words; /* both in the text, without case; NULL: any */
};

/* What is said of one mailbox (x.2.z) says nothing about us: those codes pass over these rows. */
static const struct row words[] = {
	/* Amazon SES, Microsoft 365, SocketLabs */
	{ 400, 499, ANY, ANY, ANYWHERE, VERDICT_FEWER_CONNECTIONS, "too many", "connections" },
	{ 400, 499, ANY, ANY, ANYWHERE, VERDICT_FEWER_CONNECTIONS, "concurrent connections", NULL },
	{ 400, 599, ANY, ANY, ANYWHERE, VERDICT_FEWER_CONNECTIONS, "sender thread limit", NULL },
	/* SendGrid, and what others say of bills */
	{ 400, 599, ANY, ANY, ANYWHERE, VERDICT_PROVIDER, "credits exceeded", NULL },
	{ 400, 599, ANY, ANY, ANYWHERE, VERDICT_PROVIDER, "payment required", NULL },
	{ 400, 599, ANY, ANY, ANYWHERE, VERDICT_PROVIDER, "billing", NULL },
	{ 400, 599, ANY, ANY, ANYWHERE, VERDICT_PROVIDER, "account", "suspended" },
	{ 400, 599, 7, ANY, ANYWHERE, VERDICT_PROVIDER, "account", "disabled" },
	/* Amazon SES, Gmail, Brevo */
	{ 400, 599, ANY, ANY, ANYWHERE, VERDICT_QUOTA, "daily", "exceeded" },
	{ 400, 599, ANY, ANY, ANYWHERE, VERDICT_QUOTA, "message quota exceeded", NULL },
	{ 400, 599, ANY, ANY, ANYWHERE, VERDICT_QUOTA, "sending quota", NULL },
	{ 400, 599, ANY, ANY, ANYWHERE, VERDICT_QUOTA, "sending limit", "exceeded" },
	{ 400, 599, ANY, ANY, ANYWHERE, VERDICT_QUOTA, "relay limit exceeded", NULL },
	{ 400, 499, ANY, ANY, ANYWHERE, VERDICT_QUOTA, "limit exceeded", "try again after" },
	/* Amazon SES, Microsoft 365, SendGrid */
	{ 400, 499, ANY, ANY, ANYWHERE, VERDICT_SLOW_DOWN, "maximum sending rate", NULL },
	{ 400, 499, ANY, ANY, ANYWHERE, VERDICT_SLOW_DOWN, "throttl", NULL },
	{ 400, 499, ANY, ANY, ANYWHERE, VERDICT_SLOW_DOWN, "rate limit", NULL },
	{ 400, 499, ANY, ANY, ANYWHERE, VERDICT_SLOW_DOWN, "too many messages", NULL },
	{ 400, 499, ANY, ANY, ANYWHERE, VERDICT_SLOW_DOWN, "submission rate", NULL },
	/* Amazon SES, SendGrid, SparkPost, Postmark: another provider may know this sender. */
	{ 500, 599, ANY, ANY, ANYWHERE, VERDICT_NEXT, "not verified", NULL },
	{ 500, 599, ANY, ANY, ANYWHERE, VERDICT_NEXT, "unverified", NULL },
	{ 500, 599, ANY, ANY, ANYWHERE, VERDICT_NEXT, "unconfigured sending domain", NULL },
	{ 500, 599, ANY, ANY, ANYWHERE, VERDICT_NEXT, "unauthenticated senders", NULL },
	{ 500, 599, ANY, ANY, ANYWHERE, VERDICT_NEXT, "sender identity", NULL },
	{ 500, 599, ANY, ANY, ANYWHERE, VERDICT_NEXT, "sender signature", NULL },
	{ 500, 599, ANY, ANY, ANYWHERE, VERDICT_NEXT, "not owned by user", NULL },
	{ 500, 599, ANY, ANY, ANYWHERE, VERDICT_NEXT, "not allowed to send as", NULL },
	{ 500, 599, ANY, ANY, ANYWHERE, VERDICT_NEXT, "sendasdenied", NULL },
};

static const struct row codes[] = {
	/* RFC 5321 3.8: the server closes; it says nothing about the message. */
	{ 421, 421, ANY, ANY, ANYWHERE, VERDICT_SESSION, NULL, NULL },
	/* RFC 4954 6 and RFC 3207 4: the provider wants a login, a better one, or TLS. */
	{ 530, 530, ANY, ANY, ANYWHERE, VERDICT_LOGIN, NULL, NULL },
	{ 534, 535, ANY, ANY, ANYWHERE, VERDICT_LOGIN, NULL, NULL },
	{ 538, 538, ANY, ANY, ANYWHERE, VERDICT_LOGIN, NULL, NULL },
	{ 432, 432, 7, ANY, ANYWHERE, VERDICT_LOGIN, NULL, NULL },
	/* Microsoft 365: logins of that kind are not taken (any more). */
	{ 550, 550, 7, 30, ANYWHERE, VERDICT_LOGIN, NULL, NULL },
	/* RFC 5321 4.5.3.1.10: too many recipients; 552 is its old form. The rest go at once. */
	{ 452, 452, ANY, ANY, AT_RCPT_WITH_OTHERS, VERDICT_AGAIN, NULL, NULL },
	{ 552, 552, 5, 3, AT_RCPT_WITH_OTHERS, VERDICT_AGAIN, NULL, NULL },
	{ 552, 552, 5, 3, AT_RCPT, VERDICT_DEFER, NULL, NULL },
	/* RFC 8689 4.2.1: no path that is safe enough here (our own words); perhaps the next is. */
	{ 554, 554, 7, 10, ANYWHERE, VERDICT_NEXT, NULL, NULL },
	{ 554, 554, 7, 30, ANYWHERE, VERDICT_NEXT, NULL, NULL },
	/* RFC 2852 4.1 (our own words): to be returned when late, and this provider does not know
	 * how; perhaps the next does. */
	{ 554, 554, 3, 3, ANYWHERE, VERDICT_NEXT, NULL, NULL },
	/* RFC 1870 6.1: larger than this provider takes. */
	{ 552, 552, 3, 4, ANYWHERE, VERDICT_NEXT, NULL, NULL },
	{ 200, 299, ANY, ANY, ANYWHERE, VERDICT_SENT, NULL, NULL },
	{ 400, 499, ANY, ANY, ANYWHERE, VERDICT_DEFER, NULL, NULL },
	{ 500, 599, ANY, ANY, ANYWHERE, VERDICT_BOUNCE, NULL, NULL },
	/* Not a final reply: the peer talks nonsense, which may pass. */
	{ 0, 999, ANY, ANY, ANYWHERE, VERDICT_DEFER, NULL, NULL },
};

static bool place_fits(enum place place, const struct verdict_question *q)
{
	switch (place) {
	case AT_RCPT:
		return q->at_rcpt;
	case AT_RCPT_WITH_OTHERS:
		return q->at_rcpt && q->others_accepted;
	default:
		return true;
	}
}

static bool words_fit(const char *wanted, const char *text)
{
	return wanted == NULL || strcasestr(text, wanted) != NULL;
}

static bool row_fits(const struct row *row, const struct verdict_question *q)
{
	const struct reply *reply = q->reply;
	const char *text = reply->text == NULL ? "" : reply->text;

	return reply->code >= row->from && reply->code <= row->to &&
	       (row->subject == ANY || reply->enhanced.subject == row->subject) &&
	       (row->detail == ANY || reply->enhanced.detail == row->detail) &&
	       place_fits(row->place, q) && words_fit(row->words, text) &&
	       words_fit(row->and_words, text);
}

/* ---- the provider's own rules ---------------------------------------------- */

static const enum verdict meant[] = {
	[REPLY_MEANS_NOTHING] = VERDICT_DEFER,
	[REPLY_MEANS_DELIVER] = VERDICT_SENT,
	[REPLY_MEANS_DEFER] = VERDICT_DEFER,
	[REPLY_MEANS_BOUNCE] = VERDICT_BOUNCE,
	[REPLY_MEANS_SLOW_DOWN] = VERDICT_SLOW_DOWN,
	[REPLY_MEANS_FEWER_CONNECTIONS] = VERDICT_FEWER_CONNECTIONS,
	[REPLY_MEANS_END_SESSION] = VERDICT_SESSION,
	[REPLY_MEANS_QUOTA] = VERDICT_QUOTA,
	[REPLY_MEANS_LOGIN_REFUSED] = VERDICT_LOGIN,
	[REPLY_MEANS_NEXT_PROVIDER] = VERDICT_NEXT,
	[REPLY_MEANS_PROVIDER_DOWN] = VERDICT_PROVIDER,
};

static const struct reply_rule *rule_for(const struct verdict_question *q)
{
	const struct reply_rule *found = NULL;
	struct bytes line = { 0 };

	/* What we say ourselves is not the provider's. */
	if (q->provider == NULL || q->provider->reply_count == 0 || q->reply->local)
		return NULL;
	reply_format(q->reply, &line);
	for (size_t i = 0; i < q->provider->reply_count && found == NULL; i++) {
		const struct reply_rule *rule = q->provider->replies[i];

		if (rule->is_compiled &&
		    regexec(&rule->compiled, bytes_text(&line), 0, NULL, 0) == 0)
			found = rule;
	}
	bytes_release(&line);
	return found;
}

static const struct row *row_for(const struct verdict_question *q)
{
	bool of_mailbox = q->reply->enhanced.subject == 2;

	for (size_t i = 0; !of_mailbox && !q->reply->local && i < sizeof(words) / sizeof(words[0]);
	     i++)
		if (row_fits(&words[i], q))
			return &words[i];
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (row_fits(&codes[i], q))
			return &codes[i];
	return NULL;
}

enum verdict verdict_of(const struct verdict_question *q, int64_t *wait_us_r)
{
	const struct reply_rule *rule = q->reply->code < 300 ? NULL : rule_for(q);
	const struct row *row = rule == NULL ? row_for(q) : NULL;
	int64_t said = 0;

	if (wait_us_r != NULL) {
		if (q->reply->text != NULL && q->reply->code >= 400)
			said = verdict_wait(q->reply->text, q->wall_us);
		*wait_us_r = rule != NULL && rule->wait_us > 0 ? rule->wait_us : said;
	}
	if (rule != NULL)
		return meant[rule->means];
	return row == NULL ? VERDICT_DEFER : row->verdict;
}

enum ending ending_of(enum connection_stage stage, const struct reply *why)
{
	bool ordinary = why == NULL || why->code == 0 || why->code == 421;

	if (stage == STAGE_READY)
		return ordinary ? ENDING_ORDINARY : ENDING_LOST;
	if (stage == STAGE_TLS || stage == STAGE_LOGIN)
		return ordinary || why->code < 500 ? ENDING_TROUBLE : ENDING_REFUSED;
	return ENDING_TROUBLE;
}
