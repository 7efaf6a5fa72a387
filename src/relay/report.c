/* SPDX-License-Identifier: ISC */
/* report.c - who is told what became of a recipient, and goes through a helper for it.
 *
 * Failures, delays, and mail that went to a host which reports nothing itself (RFC 3461 5.2.2).
 * What the sender wants to know of each recipient is asked here and again by bounce.c, which
 * also knows who the sender is. The report is in the transaction that makes it true.
 */
#include <stdlib.h>

#include "base/log.h"
#include "mail/id.h"
#include "relay/private.h"

/* While so many are made at a time, no more delays are told. */
#define BOUNCING_FEW 16

static bool is_told(const struct attempt *attempt)
{
	const struct route *route =
		route_of_queue(attempt->relay->options.router, attempt->delivery->queue);

	return route != NULL && (route->settings == NULL || route->settings->bounce_to_sender);
}

static struct bounce_request *request_new(struct attempt *attempt)
{
	struct bounce_request *request = memory_new(sizeof(*request));

	request->id = attempt->id;
	request->n = attempt->n;
	request->owner = attempt;
	request->route = route_of_queue(attempt->relay->options.router, attempt->delivery->queue);
	request->failures = memory_new_array(attempt->delivery->count, sizeof(*request->failures));
	return request;
}

static struct bounce_failure *add(struct bounce_request *request, const struct attempt *attempt,
                                  size_t i, enum report_kind report, const struct reply *reply)
{
	struct bounce_failure *f = &request->failures[request->count++];

	f->report = report;
	recipient_copy(&f->to, &attempt->delivery->recipients[i].to);
	reply_copy(&f->reply, reply);
	if (!reply->local && attempt->pool != NULL && attempt->pool->provider->host != NULL)
		f->remote = memory_text(attempt->pool->provider->host);
	return f;
}

/* Those that nobody wants to know of make no request: NULL. */
static struct bounce_request *request_or_none(struct bounce_request *request)
{
	if (request->count == 0)
		bounce_request_free(&request);
	return request;
}

static struct bounce_request *request_of_fates(struct attempt *attempt,
                                               const struct recipient_fate *fates)
{
	const struct delivery *d = attempt->delivery;
	struct bounce_request *request;
	struct bounce_failure *f;

	if (!is_told(attempt))
		return NULL;
	request = request_new(attempt);
	for (size_t i = 0; i < d->count; i++) {
		unsigned notify = d->recipients[i].to.notify;

		if (fates[i].fate == FATE_FAILED && report_is_wanted(REPORT_FAILED, notify)) {
			f = add(request, attempt, i, REPORT_FAILED, fates[i].reply);
			f->expired = fates[i].expired;
			f->late = fates[i].expired && delivery_late(attempt->relay, d);
		} else if (fates[i].fate == FATE_SENT && attempt->peer_is_silent &&
		           report_is_wanted(REPORT_RELAYED, notify)) {
			add(request, attempt, i, REPORT_RELAYED, fates[i].reply);
		}
	}
	return request_or_none(request);
}

static void report_send(struct attempt *attempt, struct transition *t,
                        struct bounce_request *request)
{
	if (request == NULL) {
		outcome_send(attempt, t, false);
		return;
	}
	attempt->state = ATTEMPT_BOUNCING;
	attempt->relay->bouncing++;
	attempt->outcome = t;
	CALL(attempt->relay, bounce, request);
}

void report_fates(struct attempt *attempt, struct transition *t, const struct recipient_fate *fates)
{
	report_send(attempt, t, request_of_fates(attempt, fates));
}

void relay_bounced(struct relay *relay, struct bounce_request *request, struct put *put)
{
	struct attempt *attempt = request->owner;
	struct transition *t = attempt->outcome;
	char id[ID_TEXT_SIZE];

	id_format(attempt->id, id);
	if (put == NULL)
		log_info("bounce not sent msg=%s n=%u", id, attempt->n);
	else
		log_info("bounce queued msg=%s n=%u rcpts=%zu", id, attempt->n, request->count);
	attempt->outcome = NULL;
	relay->bouncing--;
	t->bounce = put;
	bounce_request_free(&request);
	outcome_send(attempt, t, false);
	if (relay->more_alarms && relay->bouncing < BOUNCING_FEW && !relay->stopping)
		deadline_walk(relay);
	relay_pump(relay);
}

/* ---- delays ------------------------------------------------------------------ */

/* RFC 2852 4.1: what its sender gave a time is told then, besides. */
static int64_t next_warning(struct relay *relay, const struct delivery *d, bool *late_r)
{
	struct message_facts facts = { .id = 0 };
	int64_t next = 0;

	*late_r = false;
	if (relay->options.ports.facts == NULL || !CALL(relay, facts, d->id, &facts))
		return 0;
	if (facts.terms.by_mode == BY_NOTIFY) {
		*late_r = facts.terms.by_us <= relay_wall(relay);
		next = *late_r ? 0 : facts.terms.by_us;
	}
	message_facts_release(&facts);
	return next;
}

static struct bounce_request *request_of_delay(struct attempt *attempt, bool late)
{
	const struct delivery *d = attempt->delivery;
	struct bounce_request *request;

	if (!is_told(attempt))
		return NULL;
	request = request_new(attempt);
	for (size_t i = 0; i < d->count; i++) {
		struct reply reply = last_reply(d, i);
		struct bounce_failure *f;

		if (report_is_wanted(REPORT_DELAYED, d->recipients[i].to.notify)) {
			f = add(request, attempt, i, REPORT_DELAYED, &reply);
			f->late = late;
			if (request->route->settings != NULL)
				f->until_us = d->accepted_us + request->route->settings->expire_us;
		}
		reply_release(&reply);
	}
	return request_or_none(request);
}

void report_delay(struct attempt *attempt)
{
	struct transition *t = outcome_new(attempt);
	char id[ID_TEXT_SIZE];
	bool late;

	t->now = delivery_copy(attempt->delivery);
	t->now->warn_us = next_warning(attempt->relay, attempt->delivery, &late);
	id_format(attempt->id, id);
	log_info("delivery delayed msg=%s n=%u attempts=%u%s", id, attempt->n,
	         attempt->delivery->attempts, late ? " by=late" : "");
	report_send(attempt, t, request_of_delay(attempt, late));
}
