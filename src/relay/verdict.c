/* SPDX-License-Identifier: ISC */
/* verdict.c - the table of what replies mean.
 *
 * The first row that fits decides. What lies with the provider (login, TLS, session) must never
 * bounce a mail, so those rows stand before the general ones.
 */
#include "relay/verdict.h"

#define ANY 0

/* Where the reply was heard. */
enum place { ANYWHERE, AT_RCPT, AT_RCPT_WITH_OTHERS };

struct row {
	int from, to;        /* codes */
	int subject, detail; /* of the enhanced code; ANY */
	enum place place;
	enum verdict verdict;
};

static const struct row table[] = {
	/* RFC 5321 3.8: the server closes; it says nothing about the message. */
	{ 421, 421, ANY, ANY, ANYWHERE, VERDICT_SESSION },
	/* RFC 4954 6 and RFC 3207 4: the provider wants a login, a better one, or TLS. */
	{ 530, 530, ANY, ANY, ANYWHERE, VERDICT_PROVIDER },
	{ 534, 535, ANY, ANY, ANYWHERE, VERDICT_PROVIDER },
	{ 538, 538, ANY, ANY, ANYWHERE, VERDICT_PROVIDER },
	{ 432, 432, 7, ANY, ANYWHERE, VERDICT_PROVIDER },
	/* RFC 5321 4.5.3.1.10: too many recipients; 552 is its old form. The rest go at once. */
	{ 452, 452, ANY, ANY, AT_RCPT_WITH_OTHERS, VERDICT_AGAIN },
	{ 552, 552, 5, 3, AT_RCPT_WITH_OTHERS, VERDICT_AGAIN },
	{ 552, 552, 5, 3, AT_RCPT, VERDICT_DEFER },
	{ 200, 299, ANY, ANY, ANYWHERE, VERDICT_SENT },
	{ 400, 499, ANY, ANY, ANYWHERE, VERDICT_DEFER },
	{ 500, 599, ANY, ANY, ANYWHERE, VERDICT_BOUNCE },
	/* Not a final reply: the peer talks nonsense, which may pass. */
	{ 0, 999, ANY, ANY, ANYWHERE, VERDICT_DEFER },
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

static bool row_fits(const struct row *row, const struct verdict_question *q)
{
	const struct reply *reply = q->reply;

	return reply->code >= row->from && reply->code <= row->to &&
	       (row->subject == ANY || reply->enhanced.subject == row->subject) &&
	       (row->detail == ANY || reply->enhanced.detail == row->detail) &&
	       place_fits(row->place, q);
}

enum verdict verdict_of(const struct verdict_question *question)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (row_fits(&table[i], question))
			return table[i].verdict;
	return VERDICT_DEFER;
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
