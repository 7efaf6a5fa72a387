/* SPDX-License-Identifier: ISC */
/* outcome.c - what became of a delivery, as one transaction for the spool.
 *
 * Recipients that were sent are gone, those deferred get another time, those that failed leave with
 * their report inside the same transaction. Until it is durable the delivery stays in
 * flight. Too much that is not yet durable stops new grants: what is sent but cannot be
 * recorded would be sent twice.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/metric.h"
#include "mail/id.h"
#include "relay/private.h"

/* Over 1,000 outcomes, or one older than a second: the writer does not keep up. */
#define BACKLOG_MAX     1000
#define BACKLOG_AGE_MAX CLOCK_SEC
/* An outcome that is refused is offered again, 1 s apart and then some; then the claim is left for
 * the next start to find. */
#define REFUSALS_MAX    5
#define REFUSED_WAIT    CLOCK_SEC
#define WAIT_UNSAID     (5 * CLOCK_MIN) /* of a route that has no schedule any more */
#define JITTER          32              /* up to a part in so many is added to a wait */

bool outcome_backlog(const struct relay *relay)
{
	struct list *first = list_first(&relay->recording);

	return first != NULL &&
	       (relay->recording_count > BACKLOG_MAX ||
	        relay_now(relay) - list_entry(first, struct attempt, node)->recording_us >
	                BACKLOG_AGE_MAX);
}

/* ---- sending it ------------------------------------------------------------ */

static void outcome_end(struct attempt *attempt, bool done)
{
	struct relay *relay = attempt->relay;
	struct due_news news = { attempt->row.queue, attempt->row.priority, attempt->row.class,
		                 attempt->due_again_us };
	void (*recorded)(struct attempt *, bool) = attempt->recorded;

	if (recorded != NULL)
		recorded(attempt, done);
	attempt_free(&attempt);
	queues_news(&relay->queues, &news, relay_wall(relay));
	relay_pump(relay);
}

static void outcome_retry(void *context)
{
	struct attempt *attempt = context;
	struct transition *t = attempt->outcome;

	attempt->outcome = NULL;
	CALL(attempt->relay, outcome, t);
}

static void outcome_refused(struct attempt *attempt, struct transition *t)
{
	char id[ID_TEXT_SIZE];

	id_format(attempt->id, id);
	if (attempt->recorded == NULL && ++attempt->refusals < REFUSALS_MAX) {
		log_warning("outcome refused msg=%s n=%u times=%u", id, attempt->n,
		            attempt->refusals);
		attempt->outcome = t;
		attempt->again.fired = outcome_retry;
		timer_start(&attempt->again, REFUSED_WAIT * attempt->refusals);
		return;
	}
	if (attempt->recorded == NULL)
		log_error("outcome lost msg=%s n=%u may be sent twice", id, attempt->n);
	transition_free(&t);
	attempt->relay->recording_count--;
	outcome_end(attempt, false);
}

static void outcome_done(struct spool_request *request, int result)
{
	struct transition *t = (struct transition *)request;
	struct attempt *attempt = t->owner;

	if (result != 0) {
		outcome_refused(attempt, t);
		return;
	}
	transition_free(&t);
	attempt->relay->recording_count--;
	outcome_end(attempt, true);
}

struct transition *outcome_new(struct attempt *attempt)
{
	struct transition *t = transition_new(attempt->id, attempt->n);

	if (attempt->claimed) {
		t->unclaims = true;
		t->claim = attempt->claim;
	} else {
		t->has_due = true;
		t->due = attempt->row;
	}
	for (size_t i = 0; i < attempt->count_count; i++)
		transition_count(t, &attempt->counts[i]);
	budget_remember(attempt, t);
	t->request.done = outcome_done;
	t->owner = attempt;
	return t;
}

static void note_due(struct attempt *attempt, const struct delivery *d)
{
	if (d->due_us < attempt->due_again_us)
		attempt->due_again_us = d->due_us;
}

void outcome_send(struct attempt *attempt, struct transition *t, bool now)
{
	struct relay *relay = attempt->relay;

	attempt->state = ATTEMPT_RECORDING;
	attempt->recording_us = relay_now(relay);
	if (t->now != NULL)
		note_due(attempt, t->now);
	for (size_t i = 0; i < t->apart_count; i++)
		note_due(attempt, t->apart[i]);
	list_append(&relay->recording, &attempt->node);
	relay->recording_count++;
	if (now)
		CALL(relay, outcome_now, t);
	else
		CALL(relay, outcome, t);
}

/* ---- its parts ------------------------------------------------------------- */

bool delivery_late(const struct relay *relay, const struct delivery *d)
{
	return d->return_by_us > 0 &&
	       relay_age(relay, d->accepted_us) >= d->return_by_us - d->accepted_us;
}

bool delivery_expired(const struct relay *relay, const struct delivery *d)
{
	const struct route *route = route_of_queue(relay->options.router, d->queue);

	if (delivery_late(relay, d))
		return true;
	return route != NULL && route->settings != NULL && route->settings->expire_us > 0 &&
	       relay_age(relay, d->accepted_us) >= route->settings->expire_us;
}

int64_t outcome_wait_most(int64_t wait_us)
{
	return (wait_us > WAIT_UNSAID ? wait_us : WAIT_UNSAID) / JITTER * (JITTER + 1) + CLOCK_SEC;
}

/* A little later than the schedule says, so that what was deferred together comes back apart. */
static int64_t jitter_us(const struct delivery *d, int64_t wait_us)
{
	uint64_t mixed = (d->id + d->n) * UINT64_C(0x9E3779B97F4A7C15) + d->attempts;

	return wait_us / JITTER > 0 ? (int64_t)((mixed >> 32) % (uint64_t)(wait_us / JITTER)) : 0;
}

/* The next time by the route's schedule; the last attempt is made when the mail expires. */
static int64_t next_due(const struct relay *relay, const struct delivery *d)
{
	const struct route *route = route_of_queue(relay->options.router, d->queue);
	int64_t wait = WAIT_UNSAID, wall = relay_wall(relay), due, left;

	if (route != NULL && route->settings != NULL && route->settings->retry_count > 0) {
		size_t step = d->attempts < route->settings->retry_count
		                      ? d->attempts
		                      : route->settings->retry_count - 1;

		wait = route->settings->retry_us[step];
	}
	due = wall + wait + jitter_us(d, wait);
	left = d->return_by_us - d->accepted_us - relay_age(relay, d->accepted_us);
	if (d->return_by_us > 0 && wall + left < due)
		due = wall + left;
	if (route == NULL || route->settings == NULL || route->settings->expire_us <= 0)
		return due;
	left = route->settings->expire_us - relay_age(relay, d->accepted_us);
	return due < wall + left ? due : wall + left;
}

/* A copy with only the recipients of that fate; NULL: there are none. */
static struct delivery *pick(const struct delivery *d, const struct recipient_fate *fates,
                             enum fate wanted)
{
	struct delivery *copy = delivery_copy(d);
	size_t count = 0;

	for (size_t i = 0; i < d->count; i++) {
		struct delivery_recipient *r = &copy->recipients[i];

		if (fates[i].fate != wanted) {
			recipient_release(&r->to);
			free(r->last_reply);
		} else {
			copy->recipients[count++] = *r;
		}
	}
	copy->count = count;
	if (count == 0)
		delivery_free(&copy);
	return copy;
}

static void set_last_replies(struct delivery *later, const struct delivery *d,
                             const struct recipient_fate *fates, enum fate wanted)
{
	struct bytes text = { 0 };
	size_t k = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (fates[i].fate != wanted)
			continue;
		bytes_clear(&text);
		reply_format(fates[i].reply, &text);
		free(later->recipients[k].last_reply);
		later->recipients[k++].last_reply = memory_text(bytes_text(&text));
	}
	bytes_release(&text);
}

static struct delivery *deferred_part(const struct attempt *attempt,
                                      const struct recipient_fate *fates, enum fate which)
{
	struct delivery *later = pick(attempt->delivery, fates, which);

	if (later == NULL)
		return NULL;
	set_last_replies(later, attempt->delivery, fates, which);
	later->due_us = next_due(attempt->relay, later);
	later->attempts++;
	return later;
}

static struct delivery *again_part(const struct attempt *attempt,
                                   const struct recipient_fate *fates)
{
	return pick(attempt->delivery, fates, FATE_AGAIN);
}

/* ---- telling --------------------------------------------------------------- */

/* Somebody released it by hand and looks what becomes of it. */
static void tell_releaser(const struct attempt *attempt, const struct recipient_fate *fate,
                          size_t i)
{
	static const char *const states[] = { [FATE_SENT] = "sent",
		                              [FATE_AGAIN] = "queued",
		                              [FATE_DEFERRED] = "deferred",
		                              [FATE_FAILED] = "failed" };
	struct relay *relay = attempt->relay;
	const struct route *route = route_of_queue(relay->options.router, attempt->delivery->queue);
	struct bytes reply = { 0 };

	if (relay->options.ports.released == NULL || route == NULL || route->settings == NULL ||
	    !route->settings->releases)
		return;
	reply_format(fate->reply, &reply);
	CALL(relay, released, attempt->id, attempt->delivery->recipients[i].to.address.text,
	     states[fate->fate], bytes_text(&reply));
	bytes_release(&reply);
}

static void tell(const struct attempt *attempt, const struct recipient_fate *fate, size_t i,
                 int64_t due_us)
{
	static const char *const words[] = { [FATE_SENT] = "delivery sent",
		                             [FATE_AGAIN] = "delivery again",
		                             [FATE_DEFERRED] = "delivery deferred",
		                             [FATE_FAILED] = "delivery failed" };
	static const enum metric metrics[] = { [FATE_SENT] = METRIC_RECIPIENTS_SENT,
		                               [FATE_DEFERRED] = METRIC_RECIPIENTS_DEFERRED,
		                               [FATE_FAILED] = METRIC_RECIPIENTS_BOUNCED };
	const struct provider_settings *p = attempt->pool == NULL ? NULL : attempt->pool->provider;
	int64_t wait = due_us - relay_wall(attempt->relay);
	struct bytes reply = { 0 };
	char id[ID_TEXT_SIZE];

	tell_releaser(attempt, fate, i);
	if (fate->fate != FATE_AGAIN)
		metric_add(fate->expired ? METRIC_RECIPIENTS_EXPIRED : metrics[fate->fate], 1);
	if (!log_enabled(LOG_LEVEL_INFO))
		return;
	id_format(attempt->id, id);
	reply_format(fate->reply, &reply);
	log_info("%s msg=%s rcpt=%s provider=%s host=%s wait=%lds%s reply=%s", words[fate->fate],
	         id, log_quoted(attempt->delivery->recipients[i].to.address.text),
	         p == NULL ? "-" : p->name, p == NULL || p->host == NULL ? "-" : p->host,
	         fate->fate == FATE_DEFERRED ? (long)(wait / CLOCK_SEC) : 0L,
	         fate->expired ? " expired=yes" : "", log_quoted(bytes_text(&reply)));
	bytes_release(&reply);
}

static void tell_all(const struct attempt *attempt, const struct recipient_fate *fates,
                     const struct delivery *later)
{
	for (size_t i = 0; i < attempt->delivery->count; i++)
		tell(attempt, &fates[i], i, later == NULL ? 0 : later->due_us);
}

/* ---- outcomes -------------------------------------------------------------- */

/* A deferral of what has become too old is a failure. */
static void expire(const struct attempt *attempt, struct recipient_fate *fates)
{
	if (!delivery_expired(attempt->relay, attempt->delivery))
		return;
	for (size_t i = 0; i < attempt->delivery->count; i++) {
		if (fates[i].fate != FATE_DEFERRED && fates[i].fate != FATE_AGAIN)
			continue;
		fates[i].fate = FATE_FAILED;
		fates[i].expired = true;
	}
}

static void outcome_parts(struct attempt *attempt, struct recipient_fate *fates,
                          struct delivery *again)
{
	struct transition *t = outcome_new(attempt);
	struct delivery *later = deferred_part(attempt, fates, FATE_DEFERRED);

	tell_all(attempt, fates, later);
	t->now = again != NULL ? again : later;
	if (again != NULL && later != NULL)
		transition_apart(t, later);
	report_fates(attempt, t, fates);
}

void outcome_fates(struct attempt *attempt, const struct recipient_fate *fates)
{
	struct recipient_fate mine[SPOOL_RECIPIENTS_MAX];

	for (size_t i = 0; i < attempt->delivery->count; i++)
		mine[i] = fates[i];
	expire(attempt, mine);
	outcome_parts(attempt, mine, again_part(attempt, mine));
}

void outcome_indeterminate(struct attempt *attempt, struct recipient_fate *fates, bool soon)
{
	struct relay *relay = attempt->relay;
	struct delivery *again;
	char id[ID_TEXT_SIZE];

	expire(attempt, fates);
	again = soon ? again_part(attempt, fates) : deferred_part(attempt, fates, FATE_AGAIN);
	id_format(attempt->id, id);
	log_warning("delivery indeterminate msg=%s n=%u provider=%s may be sent twice", id,
	            attempt->n, attempt->pool->provider->name);
	metric_add(METRIC_MESSAGES_INDETERMINATE, 1);
	if (again != NULL) {
		again->pinned = attempt->pool->number;
		again->pinned_until_us = relay_wall(relay) + indeterminate_wait(attempt->pool);
	}
	outcome_parts(attempt, fates, again);
}

void outcome_back(struct attempt *attempt)
{
	struct transition *t = outcome_new(attempt);

	t->now = delivery_copy(attempt->delivery);
	outcome_send(attempt, t, false);
}

void outcome_unreadable(struct attempt *attempt)
{
	struct transition *t = outcome_new(attempt);
	char id[ID_TEXT_SIZE];

	id_format(attempt->id, id);
	log_error("message unreadable msg=%s n=%u: held", id, attempt->n);
	t->now = delivery_copy(attempt->delivery);
	t->now->due_us = CLOCK_NEVER;
	outcome_send(attempt, t, false);
}
