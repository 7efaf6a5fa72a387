/* SPDX-License-Identifier: ISC */
/* judge.c - an attempt was replied to: verdicts for its recipients, its connection, its provider.
 *
 * Each recipient gets a fate from its reply; what the replies said of the session or of the
 * provider is told once for the whole transaction. outcome.c then writes the fates down.
 */
#include <stdlib.h>

#include "base/log.h"
#include "relay/private.h"

/* Deliveries remembered for having lost a connection once; above it they wait like deferred ones.
 */
#define LOSSES_MAX 10000

static void count_tokens(struct attempt *attempt, const struct grant_news *news, bool pipelined)
{
	int64_t rcpt_us = pipelined ? news->mail_written_us : relay_now(attempt->relay);

	if (news->mail_written_us == 0)
		budget_return(attempt);
	else
		budget_spend(attempt, news->mail_written_us, rcpt_us);
}

/* Whether a delivery loses its connection for the first time: then it may go again at once. A
 * message that ends every session must not do so for ever. */
static bool first_loss(struct attempt *attempt)
{
	struct table *losses = attempt->relay->losses;
	struct flight_key key = flight_key(attempt->id, attempt->n);

	if (table_remove(losses, flight_span(&key)) != NULL || table_count(losses) >= LOSSES_MAX)
		return false;
	table_set(losses, flight_span(&key), attempt->relay);
	return true;
}

static void attempt_forget_loss(struct attempt *attempt)
{
	struct flight_key key = flight_key(attempt->id, attempt->n);

	if (table_count(attempt->relay->losses) > 0)
		table_remove(attempt->relay->losses, flight_span(&key));
}

static bool others_accepted(const struct grant_news *news, size_t except)
{
	for (size_t i = 0; i < news->count; i++)
		if (i != except && !news->results[i].at_rcpt)
			return true;
	return false;
}

/* What the replies of one transaction said besides of its recipients; told once. */
struct judging {
	struct attempt *attempt;
	const struct grant_news *news;
	bool session_ended, session_again;
	bool provider_refused, asked_for_less;
	bool pass_tried;
	enum pass passed;
};

static enum fate session_fate(struct judging *j)
{
	if (!j->session_ended) {
		j->session_ended = true;
		j->session_again = first_loss(j->attempt);
	}
	return j->session_again ? FATE_AGAIN : FATE_DEFERRED;
}

static enum fate provider_fate(struct judging *j, const struct reply *reply, enum verdict verdict,
                               int64_t wait_us)
{
	struct pool *pool = j->attempt->pool;
	const char *why = reply->text == NULL ? "" : reply->text;

	if (j->provider_refused)
		return FATE_AGAIN;
	j->provider_refused = true;
	if (verdict == VERDICT_QUOTA)
		pool_exhausted(pool, wait_us, why);
	else
		pool_note_trouble(pool, j->news->mail_written_us, why);
	return FATE_AGAIN;
}

static enum fate less_fate(struct judging *j, const struct reply *reply, enum verdict verdict,
                           int64_t wait_us)
{
	struct pool *pool = j->attempt->pool;
	const char *why = reply->text == NULL ? "" : reply->text;

	if (j->asked_for_less)
		return FATE_AGAIN;
	j->asked_for_less = true;
	if (verdict == VERDICT_SLOW_DOWN)
		pool_slow_down(pool, j->news->mail_written_us, wait_us, why);
	else
		pool_fewer_connections(pool, why);
	return FATE_AGAIN;
}

/* Only when every provider of the route has refused it, it has failed. */
static enum fate next_fate(struct judging *j, const struct reply *reply)
{
	if (!j->pass_tried) {
		j->pass_tried = true;
		j->passed = pass_on(j->attempt);
	}
	if (j->passed == PASS_ON)
		return FATE_AGAIN;
	return reply->code >= 500 && j->passed == PASS_NONE ? FATE_FAILED : FATE_DEFERRED;
}

static struct recipient_fate fate_of(struct judging *j, size_t i)
{
	const struct recipient_result *result = &j->news->results[i];
	struct recipient_fate fate = { FATE_DEFERRED, &result->reply, false };
	struct verdict_question question = { .reply = &result->reply,
		                             .at_rcpt = result->at_rcpt,
		                             .provider = j->attempt->pool->provider,
		                             .wall_us = relay_wall(j->attempt->relay) };
	enum verdict verdict;
	int64_t wait_us;

	question.others_accepted = result->at_rcpt && others_accepted(j->news, i);
	verdict = verdict_of(&question, &wait_us);
	switch (verdict) {
	case VERDICT_SENT:
		fate.fate = FATE_SENT;
		break;
	case VERDICT_BOUNCE:
		fate.fate = FATE_FAILED;
		break;
	case VERDICT_AGAIN:
		fate.fate = FATE_AGAIN;
		break;
	case VERDICT_PROVIDER:
	case VERDICT_LOGIN:
	case VERDICT_QUOTA:
		fate.fate = provider_fate(j, &result->reply, verdict, wait_us);
		break;
	case VERDICT_SLOW_DOWN:
	case VERDICT_FEWER_CONNECTIONS:
		fate.fate = less_fate(j, &result->reply, verdict, wait_us);
		break;
	case VERDICT_NEXT:
		fate.fate = next_fate(j, &result->reply);
		break;
	case VERDICT_SESSION:
		fate.fate = session_fate(j);
		break;
	case VERDICT_DEFER:
		break;
	}
	return fate;
}

/* Refusals of us, and sessions that ended, are no work: they must not reset the back-off. */
static void note_work(const struct judging *j, struct peer *peer)
{
	if (j->session_ended || j->provider_refused)
		return;
	if (peer != NULL)
		peer->replied++;
	if (!j->asked_for_less)
		pool_worked(j->attempt->pool);
}

static void attempt_judge(struct attempt *attempt, const struct grant_news *news, struct peer *peer)
{
	struct recipient_fate fates[SPOOL_RECIPIENTS_MAX] = { 0 };
	struct judging j = { .attempt = attempt, .news = news };
	bool again = false;

	for (size_t i = 0; i < news->count; i++) {
		fates[i] = fate_of(&j, i);
		again = again || fates[i].fate == FATE_AGAIN;
	}
	if (!j.session_ended)
		attempt_forget_loss(attempt);
	if (!again)
		pass_forget(attempt->relay, attempt->id, attempt->n);
	note_work(&j, peer);
	outcome_fates(attempt, fates);
}

static void attempt_unsent(struct attempt *attempt, const struct grant_news *news)
{
	struct recipient_fate fates[SPOOL_RECIPIENTS_MAX] = { 0 };

	/* What another may be guilty of costs nothing; at the head of a flight it shows. */
	if (news->mail_written_us == 0 || news->behind || first_loss(attempt)) {
		outcome_back(attempt);
		return;
	}
	for (size_t i = 0; i < attempt->delivery->count; i++)
		fates[i] = (struct recipient_fate){ FATE_DEFERRED, &news->reply, false };
	outcome_fates(attempt, fates);
}

/* Those refused at RCPT are known; the others may have been sent. */
static void attempt_indeterminate(struct attempt *attempt, const struct grant_news *news)
{
	struct recipient_fate fates[SPOOL_RECIPIENTS_MAX] = { 0 };
	struct judging j = { .attempt = attempt, .news = news };

	for (size_t i = 0; i < attempt->delivery->count; i++) {
		fates[i] = (struct recipient_fate){ FATE_AGAIN, &news->reply, false };
		if (i < news->count && news->results[i].at_rcpt &&
		    news->results[i].reply.code >= 400)
			fates[i] = fate_of(&j, i);
	}
	outcome_indeterminate(attempt, fates, news->behind && first_loss(attempt));
}

/* Whether the provider keeps up with what is in flight. */
static void note_flight(struct attempt *attempt, const struct grant_news *news)
{
	struct pool *pool = attempt->pool;

	if (news->mail_written_us == 0)
		return;
	if (news->end == TRANSACTION_REPLIED)
		depth_replied(&pool->depth, pool->provider->pipeline);
	else if (attempt->peer != NULL)
		attempt->peer->lost = true;
}

void attempt_replied(struct attempt *attempt, struct grant_news *news)
{
	struct peer *peer = attempt->peer;

	count_tokens(attempt, news, peer != NULL && peer->facts.pipelining);
	note_flight(attempt, news);
	attempt_give_back(attempt, true);
	if (news->gone)
		outcome_unreadable(attempt);
	else if (news->end == TRANSACTION_REPLIED && news->count == attempt->delivery->count)
		attempt_judge(attempt, news, peer);
	else if (news->end == TRANSACTION_INDETERMINATE)
		attempt_indeterminate(attempt, news);
	else
		attempt_unsent(attempt, news);
}
