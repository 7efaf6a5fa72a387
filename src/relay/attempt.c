/* SPDX-License-Identifier: ISC */
/* attempt.c - one delivery from its turn to its grant, read from top to bottom.
 *
 * Chosen, claimed (durable before anything is sent), granted to a connection; the reply is
 * judge.c's, and what then becomes of it outcome.c's. While an attempt exists its delivery is in
 * `flights`, and nobody else touches it; its row is passed over when it is met in the index again.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/metric.h"
#include "mail/id.h"
#include "relay/private.h"

/* How long a delivery whose claim was refused is left alone. */
#define REFUSED_WAIT  CLOCK_SEC
#define LEAD_MORE     (10 * CLOCK_MS) /* for the wake-up of the worker */
#define LEAD_MOST     (50 * CLOCK_MS)
#define LEAD_FORGETS  256 /* claims */
/* When all that a route's limit allows is in flight. */
#define LOOK_AGAIN    (20 * CLOCK_MS)
/* Rows that are passed over at a time when they go elsewhere, and the rest for others between. */
#define ROWS_A_CHOICE 1000
#define CHOICE_WAIT   (10 * CLOCK_MS)

struct flight_key flight_key(uint64_t id, uint32_t n)
{
	struct flight_key key;

	be64_store(key.octets, id);
	be32_store(key.octets + 8, n);
	return key;
}

struct span flight_span(const struct flight_key *key)
{
	return span_of(key->octets, sizeof(key->octets));
}

static void attempt_again(void *context)
{
	attempt_unpark(context);
}

struct attempt *attempt_new(struct relay *relay, const struct due_row *row,
                            struct delivery *delivery)
{
	struct attempt *attempt = memory_new(sizeof(*attempt));
	struct flight_key key = flight_key(row->id, row->n);

	list_init(&attempt->node);
	attempt->relay = relay;
	attempt->row = *row;
	attempt->id = row->id;
	attempt->n = row->n;
	attempt->delivery = delivery;
	attempt->due_again_us = CLOCK_NEVER;
	timer_init(&attempt->again, relay->options.loop, attempt_again, attempt);
	table_set(relay->flights, flight_span(&key), attempt);
	return attempt;
}

void attempt_leave(struct attempt *attempt)
{
	list_remove(&attempt->node);
	attempt->relay->elsewhere -= attempt->elsewhere;
	attempt->elsewhere = false;
}

void attempt_free(struct attempt **attempt_p)
{
	struct attempt *attempt = *attempt_p;
	struct flight_key key;

	if (attempt == NULL)
		return;
	*attempt_p = NULL;
	key = flight_key(attempt->id, attempt->n);
	table_remove(attempt->relay->flights, flight_span(&key));
	if (attempt->claim.slot != 0)
		table_remove_u64(attempt->relay->slots, attempt->claim.slot);
	timer_stop(&attempt->again);
	attempt_leave(attempt);
	delivery_free(&attempt->delivery);
	transition_free(&attempt->outcome);
	free(attempt->counts);
	free(attempt);
}

bool attempt_busy(void *relay, uint64_t id, uint32_t n)
{
	struct flight_key key = flight_key(id, n);

	return table_find(((struct relay *)relay)->flights, flight_span(&key)) != NULL;
}

/* ---- choosing -------------------------------------------------------------- */

static void attempt_park(struct attempt *attempt, struct pool *pool, bool first)
{
	attempt->state = ATTEMPT_PARKED;
	attempt->pool = pool;
	if (first)
		list_prepend(&pool->parked, &attempt->node);
	else
		list_append(&pool->parked, &attempt->node);
}

void attempt_put_back(struct attempt *attempt)
{
	struct relay *relay = attempt->relay;
	struct due_news news = { attempt->row.queue, attempt->row.priority, attempt->row.class,
		                 attempt->row.time_us };

	attempt_free(&attempt);
	queues_news(&relay->queues, &news, relay_wall(relay));
}

void attempt_unpark(struct attempt *attempt)
{
	struct relay *relay = attempt->relay;

	attempt_put_back(attempt);
	relay_pump(relay);
}

/* Whether the route's own limit lets nothing through now. */
bool queue_blocked(const struct queue *queue, int64_t now_us)
{
	return queue->limit != NULL && queue->blocked_until_us > now_us;
}

/* The queue of the highest priority that this pool serves; equal ones take turns. */
static struct queue *choose_queue(struct pool *pool)
{
	struct queues *queues = &pool->relay->queues;
	struct queue *best = NULL;
	size_t turn = pool->turn;

	for (size_t i = 1; i <= queues->count; i++) {
		size_t place = (turn + i) % queues->count;
		struct queue *queue = &queues->items[place];

		if (queue->pool != pool || queue_blocked(queue, relay_now(pool->relay)) ||
		    !queue_ready(queues, queue, relay_wall(pool->relay)))
			continue;
		if (best == NULL || queue_priority(queue) > queue_priority(best)) {
			best = queue;
			pool->turn = place;
		}
	}
	return best;
}

/* The delivery a row of the index stands for; NULL: the row is out of date. */
static struct delivery *read_delivery(struct relay *relay, const struct due_row *row)
{
	struct delivery *delivery = memory_new(sizeof(*delivery));

	if (CALL(relay, delivery, row->id, row->n, delivery) && delivery->due_us == row->time_us &&
	    delivery->queue == row->queue)
		return delivery;
	delivery_free(&delivery);
	return NULL;
}

/* A delivery that may have been sent through a provider waits for that one, as long as its pin
 * lasts. Returns whether it may go through this pool. */
static bool pin_allows(struct attempt *attempt, struct pool *pool)
{
	struct delivery *d = attempt->delivery;
	struct pool *pinned;
	char id[ID_TEXT_SIZE];

	if (d->pinned == 0 || d->pinned == pool->number)
		return true;
	pinned = relay_pool(attempt->relay, d->pinned);
	if (pinned != NULL && relay_wall(attempt->relay) < d->pinned_until_us) {
		attempt_park(attempt, pinned, false);
		return false;
	}
	id_format(attempt->id, id);
	log_warning("delivery may be sent twice msg=%s n=%u provider=%s", id, attempt->n,
	            pool->provider->name);
	d->pinned = 0;
	return true;
}

/* No provider of its route takes its sender. */
static void attempt_unwanted(struct attempt *attempt)
{
	struct recipient_fate fates[SPOOL_RECIPIENTS_MAX] = { 0 };
	struct reply reply = { 0 };

	reply_local(&reply, 550, "5.7.1", "no provider of the route takes mail from this sender");
	for (size_t i = 0; i < attempt->delivery->count; i++)
		fates[i] = (struct recipient_fate){ FATE_FAILED, &reply, false };
	outcome_fates(attempt, fates);
	reply_release(&reply);
}

/* One that this provider refused, or would, goes to another of its route. While many do, the
 * further ones stay in their lines, but out of the way. */
static bool pass_allows(struct attempt *attempt, struct pool *pool)
{
	struct relay *relay = attempt->relay;
	struct pool *target = pass_target(attempt, pool);

	if (target == pool)
		return true;
	if (target == NULL) {
		attempt_unwanted(attempt);
	} else if (relay->elsewhere >= ELSEWHERE_MAX) {
		relay->left_some = true;
		attempt_free(&attempt);
	} else {
		attempt_park(attempt, target, false);
		attempt->elsewhere = true;
		relay->elsewhere++;
		relay->again = true;
	}
	return false;
}

/* Its pin, and those who refused it, decide whether this pool is the one. */
static bool pool_allowed(struct attempt *attempt, struct pool *pool)
{
	return pin_allows(attempt, pool) && pass_allows(attempt, pool);
}

void attempt_resume(struct attempt *attempt)
{
	struct relay *relay = attempt->relay;
	struct queue *queue = queues_find(&relay->queues, attempt->delivery->queue);

	if (queue == NULL || queue->pool == NULL || relay->stopping ||
	    attempt->row.time_us > relay_wall(relay))
		attempt_put_back(attempt);
	else if (pool_allowed(attempt, queue->pool)) {
		attempt_park(attempt, queue->pool, false);
		balance_took(relay, queue, queue->pool);
	}
}

static struct attempt *choose(struct pool *pool)
{
	struct relay *relay = pool->relay;
	struct list *parked = list_first(&pool->parked);
	struct queue *queue;
	struct due_row row;
	struct delivery *delivery;
	struct attempt *attempt;

	if (parked != NULL) {
		attempt = list_entry(parked, struct attempt, node);
		attempt_leave(attempt);
		return attempt;
	}
	for (size_t i = 0; !outcome_backlog(relay) && (queue = choose_queue(pool)) != NULL; i++) {
		if (i == ROWS_A_CHOICE) {
			pool_wake_at(pool, relay_now(relay) + CHOICE_WAIT);
			return NULL;
		}
		if (!queue_next(&relay->queues, queue, relay_wall(relay), &row))
			continue;
		delivery = read_delivery(relay, &row);
		if (delivery == NULL)
			continue;
		switch (reroute(relay, &row, delivery)) {
		case REROUTE_TAKEN:
			continue;
		case REROUTE_LATER:
			attempt_put_back(attempt_new(relay, &row, delivery));
			return NULL;
		case REROUTE_STAYS:
			break;
		}
		attempt = attempt_new(relay, &row, delivery);
		if (pool_allowed(attempt, pool)) {
			balance_took(relay, queue, pool);
			return attempt;
		}
	}
	return NULL;
}

/* ---- claiming -------------------------------------------------------------- */

static size_t recipients_max(const struct pool *pool, const struct peer *peer)
{
	size_t max = SIZE_MAX;
	size_t said = pool->provider->recipients_per_message;

	if (said > 0 && said < max)
		max = said;
	if (peer->facts.recipients_max > 0 && peer->facts.recipients_max < max)
		max = (size_t)peer->facts.recipients_max;
	return max;
}

/* What the grant leaves behind: the recipients from `count` on, as a delivery of their own. */
static struct delivery *split(struct delivery *d, size_t count)
{
	struct delivery *rest = memory_new(sizeof(*rest));

	*rest = *d;
	rest->count = d->count - count;
	rest->recipients = memory_new_array(rest->count, sizeof(*rest->recipients));
	for (size_t i = 0; i < rest->count; i++)
		rest->recipients[i] = d->recipients[count + i];
	d->count = count;
	return rest;
}

static uint32_t new_slot(struct relay *relay)
{
	do
		relay->last_slot++;
	while (relay->last_slot == 0 || table_find_u64(relay->slots, relay->last_slot) != NULL);
	return relay->last_slot;
}

static void claim_done(struct spool_request *request, int result);

static void attempt_claim(struct attempt *attempt, struct peer *peer, size_t count)
{
	struct transition *t = transition_new(attempt->id, attempt->n);
	struct relay *relay = attempt->relay;

	attempt->state = ATTEMPT_CLAIMING;
	attempt->claiming_us = relay_now(relay);
	attempt->peer = peer;
	budget_take(attempt, count);
	peer_take(peer);
	peer->pool->in_flight++;
	if (count < attempt->delivery->count) {
		transition_apart(t, split(attempt->delivery, count));
		attempt->due_again_us = attempt->row.time_us;
		t->now = delivery_copy(attempt->delivery);
	}
	attempt->claim = (struct claim){ .provider = peer->pool->number,
		                         .slot = new_slot(relay),
		                         .id = attempt->id,
		                         .n = attempt->n,
		                         .tokens = (uint32_t)count,
		                         .time_us = relay_wall(relay) };
	table_set_u64(relay->slots, attempt->claim.slot, attempt);
	t->has_due = true;
	t->due = attempt->row;
	t->claims = true;
	t->claim = attempt->claim;
	t->request.done = claim_done;
	t->owner = attempt;
	CALL(relay, claim, t);
}

/* The most octets this provider takes, by its EHLO and its settings; 0: not known. */
static uint64_t size_max(const struct peer *peer)
{
	uint64_t said = peer->pool->provider->max_message_size;

	if (peer->facts.size_max > 0 && (said == 0 || peer->facts.size_max < said))
		return peer->facts.size_max;
	return said;
}

/* Larger than this peer takes: nothing is sent. Another provider may take it; else the message
 * fails as the peer would say. */
static bool too_large(struct attempt *attempt, const struct peer *peer)
{
	const struct relay *relay = attempt->relay;
	struct recipient_fate fates[SPOOL_RECIPIENTS_MAX] = { 0 };
	struct reply reply = { 0 };
	uint64_t size, most = size_max(peer);
	enum fate fate = FATE_FAILED;

	if (most == 0 || most >= relay->message_max || relay->options.ports.size == NULL)
		return false;
	size = CALL(relay, size, attempt->id);
	if (size <= most)
		return false;
	switch (pass_on(attempt)) {
	case PASS_ON:
		attempt_put_back(attempt);
		return true;
	case PASS_LATER:
		fate = FATE_DEFERRED;
		break;
	case PASS_NONE:
		break;
	}
	reply_local(&reply, 552, "5.3.4", "message of %llu octets, %s takes %llu",
	            (unsigned long long)size, peer->pool->provider->name, (unsigned long long)most);
	for (size_t i = 0; i < attempt->delivery->count; i++)
		fates[i] = (struct recipient_fate){ fate, &reply, false };
	pass_forget(attempt->relay, attempt->id, attempt->n);
	outcome_fates(attempt, fates);
	reply_release(&reply);
	return true;
}

/* Not now: by the provider's limit it waits at its head, by its route's or its sender's it goes
 * back, and only that route or sender waits. */
static void attempt_wait(struct attempt *attempt, enum count_kind kind)
{
	struct relay *relay = attempt->relay;
	struct pool *pool = attempt->pool;
	int64_t when = attempt->depart_us, now = relay_now(relay);
	struct due_row row = attempt->row;

	if (kind == COUNT_PROVIDER) {
		attempt_park(attempt, pool, true);
		if (when < LIMIT_UNKNOWN) {
			pool_wake_at(pool, when - relay_lead(relay));
			pool->head_until_us = when;
			balance_yield(pool, when);
		}
		return;
	}
	/* What is in flight will be told of; nobody asks again for it, so look soon. */
	when = when == LIMIT_UNKNOWN ? now + LOOK_AGAIN : when - relay_lead(relay);
	attempt_put_back(attempt);
	if (kind == COUNT_ROUTE) {
		struct queue *queue = queues_find(&relay->queues, row.queue);

		if (queue != NULL)
			queue->blocked_until_us = when;
		pool_wake_at(pool, when);
	} else {
		queues_postpone(&relay->queues, &row, relay_wall(relay) + when - now);
	}
}

bool attempt_start(struct pool *pool, struct peer *peer)
{
	struct attempt *attempt = choose(pool);
	size_t count, max = recipients_max(pool, peer), most;
	enum count_kind kind;

	if (attempt == NULL)
		return false;
	attempt->pool = pool;
	if (delivery_late(pool->relay, attempt->delivery)) {
		attempt_expire(attempt);
		return true;
	}
	if (too_large(attempt, peer))
		return true;
	most = budget_recipients_max(attempt);
	max = most < max ? most : max;
	count = attempt->delivery->count < max ? attempt->delivery->count : max;
	attempt->depart_us = budget_when(attempt, count, &kind);
	if (attempt->depart_us > relay_now(pool->relay) + relay_lead(pool->relay)) {
		attempt_wait(attempt, kind);
		return kind != COUNT_PROVIDER;
	}
	attempt_claim(attempt, peer, count);
	return true;
}

/* ---- claimed --------------------------------------------------------------- */

void attempt_give_back(struct attempt *attempt, bool was_granted)
{
	if (attempt->peer != NULL)
		peer_give_back(attempt->peer, was_granted);
	attempt->peer = NULL;
	attempt->pool->in_flight--;
}

static void claim_refused(struct attempt *attempt)
{
	char id[ID_TEXT_SIZE];

	id_format(attempt->id, id);
	log_warning("claim refused msg=%s n=%u", id, attempt->n);
	attempt_give_back(attempt, false);
	budget_return(attempt);
	attempt->state = ATTEMPT_PARKED;
	timer_start(&attempt->again, REFUSED_WAIT);
}

static struct grant *grant_new(const struct attempt *attempt)
{
	struct grant *grant = memory_new(sizeof(*grant));
	const struct delivery *d = attempt->delivery;

	grant->connection = attempt->peer->number;
	grant->slot = attempt->claim.slot;
	grant->id = attempt->id;
	grant->n = attempt->n;
	grant->depart_us = attempt->depart_us;
	grant->depth = attempt->pool->depth.now;
	grant->recipients = memory_new_array(d->count, sizeof(*grant->recipients));
	grant->count = d->count;
	for (size_t i = 0; i < d->count; i++)
		recipient_copy(&grant->recipients[i], &d->recipients[i].to);
	return grant;
}

/* The connection ended while the claim was written: another, or back into the line. */
static void attempt_other_peer(struct attempt *attempt)
{
	struct peer *peer = pool_peer(attempt->pool);

	if (peer != NULL && recipients_max(attempt->pool, peer) >= attempt->delivery->count) {
		attempt->peer = peer;
		peer_take(peer);
	}
}

static void attempt_grant(struct attempt *attempt)
{
	struct relay *relay = attempt->relay;

	if (attempt->peer == NULL && !relay->stopping)
		attempt_other_peer(attempt);
	if (attempt->peer == NULL || relay->stopping) {
		attempt_give_back(attempt, false);
		budget_return(attempt);
		outcome_back(attempt);
		return;
	}
	attempt->state = ATTEMPT_GRANTED;
	attempt->peer->granted++;
	attempt->peer_is_silent =
		!attempt->peer->facts.dsn && attempt->pool->provider->kind == PROVIDER_SMTP;
	if (attempt->pool->provider->kind == PROVIDER_DISCARD)
		discard_grant(relay, attempt->pool->provider, grant_new(attempt));
	else
		CALL(relay, grant, grant_new(attempt));
}

/* The longest counts, and is forgotten slowly. */
static void note_claim(struct relay *relay, int64_t took_us)
{
	relay->claiming_us -= relay->claiming_us / LEAD_FORGETS;
	if (took_us > relay->claiming_us)
		relay->claiming_us = took_us;
}

int64_t relay_lead(const struct relay *relay)
{
	int64_t lead = 2 * relay->claiming_us + LEAD_MORE;

	return lead < LEAD_MOST ? lead : LEAD_MOST;
}

static void claim_done(struct spool_request *request, int result)
{
	struct transition *t = (struct transition *)request;
	struct attempt *attempt = t->owner;
	struct relay *relay = attempt->relay;

	/* The rest of a split delivery is due, and not in flight. */
	if (attempt->due_again_us < CLOCK_NEVER)
		relay_news(relay, attempt->delivery, attempt->due_again_us);
	attempt->due_again_us = CLOCK_NEVER;
	transition_free(&t);
	if (result != 0) {
		claim_refused(attempt);
	} else {
		attempt->claimed = true;
		note_claim(relay, relay_now(relay) - attempt->claiming_us);
		attempt_grant(attempt);
	}
	relay_pump(relay);
}
