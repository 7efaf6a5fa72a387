/* SPDX-License-Identifier: ISC */
/* balance.c - which provider of its route a queue's next mail goes to.
 *
 * In order: the first that can be used, for all mail, and after a failover it stays there for a
 * while. By weight or load: another turn after each mail; whose turn it is, the mail waits for,
 * so that the shares are exact, but one that cannot be used, or whose limits say that it would
 * take long, is passed over. What it missed by that is not made up for.
 */
#include "relay/private.h"

/* Within this a provider's limits may make its share wait; longer, and others have its turn. */
#define PATIENCE (10 * CLOCK_SEC)

struct share {
	size_t weight;
	uint64_t taken; /* messages, or what it missed */
};

static enum route_balance balance_of(const struct queue *queue)
{
	return queue->route->settings == NULL ? BALANCE_ORDER : queue->route->settings->balance;
}

void balance_init(struct queue *queue)
{
	const struct route_settings *rule = queue->route->settings;

	if (balance_of(queue) == BALANCE_ORDER)
		return;
	queue->shares = memory_new_array(queue->via_count + 1, sizeof(*queue->shares));
	for (size_t i = 0; i < queue->via_count; i++)
		queue->shares[i].weight = rule->weights == NULL ? 1 : rule->weights[i];
}

/* ---- in order ----------------------------------------------------------------- */

/* After a failover it stays for a while where it went, so that a provider that comes and goes does
 * not take the mail with it. */
static struct pool *first_usable(struct queue *queue, int64_t now_us)
{
	struct pool *first = NULL, *was = queue->pool;

	if (was != NULL && !was->health.aside && now_us < queue->stick_until_us)
		return was;
	for (size_t k = 0; k < queue->via_count && first == NULL; k++)
		if (!queue->via[k]->health.aside)
			first = queue->via[k];
	if (first != NULL && first != was && first != queue->via[0])
		queue->stick_until_us = now_us + queue->route->settings->stick_us;
	return first;
}

/* ---- by turns ----------------------------------------------------------------- */

/* When its limits let the next message leave; CLOCK_NEVER: it is set aside. */
static int64_t pool_when(struct pool *pool, int64_t now_us)
{
	int64_t when = limit_when(pool->limit, now_us, 1), other = adapt_when(&pool->adapt, now_us);

	if (pool->health.aside)
		return CLOCK_NEVER;
	if (when == LIMIT_UNKNOWN) /* as soon as something in flight is told of */
		when = now_us;
	when = other > when ? other : when;
	when = pool->paused_until_us > when ? pool->paused_until_us : when;
	/* What waits before it may need more of the limits than one message does. */
	if (!list_empty(&pool->parked) && pool->head_until_us > when)
		when = pool->head_until_us;
	/* No connection, and none may be opened yet. */
	if (pool->opening_count + pool->ready_count == 0 && pool->health.open_after_us > when)
		when = pool->health.open_after_us;
	return when;
}

/* Whether a's next message comes before b's when both keep to their weights: the middle of each
 * share counts, so that turns are spread. */
static bool share_before(const struct share *a, const struct share *b)
{
	return (2 * a->taken + 1) * b->weight < (2 * b->taken + 1) * a->weight;
}

static size_t load_of(const struct pool *pool, const struct pool *just)
{
	return pool->in_flight + !list_empty(&pool->parked) + (pool == just);
}

/* Fewer messages for each of its connections; if equal, whose turn it is. */
static bool load_before(const struct queue *queue, size_t a, size_t b, const struct pool *just)
{
	const struct pool *x = queue->via[a], *y = queue->via[b];
	size_t left = load_of(x, just) * y->connections_max;
	size_t right = load_of(y, just) * x->connections_max;

	return left == right ? share_before(&queue->shares[a], &queue->shares[b]) : left < right;
}

static struct pool *next_turn(struct queue *queue, int64_t now_us, const struct pool *just)
{
	size_t best = queue->via_count;
	int64_t best_when = CLOCK_NEVER;

	for (size_t i = 0; i < queue->via_count; i++) {
		int64_t when = pool_when(queue->via[i], now_us);
		bool soon = when <= now_us + PATIENCE;
		bool before;

		if (when == CLOCK_NEVER)
			continue;
		if (best == queue->via_count || !soon || best_when > now_us + PATIENCE)
			before = when < best_when;
		else if (balance_of(queue) == BALANCE_WEIGHT)
			before = share_before(&queue->shares[i], &queue->shares[best]);
		else
			before = load_before(queue, i, best, just);
		if (before) {
			best = i;
			best_when = when;
		}
	}
	return best == queue->via_count ? NULL : queue->via[best];
}

static void set_turn(struct relay *relay, struct queue *queue, struct pool *next)
{
	if (next != queue->pool)
		relay->again = true;
	queue->pool = next;
}

/* Those that cannot take their turns lose them. */
static void shares_missed(struct queue *queue, const struct share *took, int64_t now_us)
{
	for (size_t i = 0; i < queue->via_count; i++) {
		struct share *share = &queue->shares[i];

		if (share == took || pool_when(queue->via[i], now_us) <= now_us + PATIENCE)
			continue;
		while (share_before(share, took))
			share->taken++;
	}
}

void balance_took(struct relay *relay, struct queue *queue, const struct pool *pool)
{
	int64_t now = relay_now(relay);

	if (balance_of(queue) == BALANCE_ORDER)
		return;
	for (size_t i = 0; i < queue->via_count; i++) {
		if (queue->via[i] == pool) {
			shares_missed(queue, &queue->shares[i], now);
			queue->shares[i].taken++;
		}
	}
	set_turn(relay, queue, next_turn(queue, now, pool));
}

void balance_yield(struct pool *pool, int64_t when_us)
{
	struct relay *relay = pool->relay;

	if (when_us <= relay_now(relay) + PATIENCE)
		return;
	for (size_t i = 0; i < relay->queues.count; i++) {
		struct queue *queue = &relay->queues.items[i];

		if (queue->pool == pool && balance_of(queue) != BALANCE_ORDER)
			set_turn(relay, queue, next_turn(queue, relay_now(relay), NULL));
	}
}

void relay_choose_pools(struct relay *relay)
{
	for (size_t i = 0; i < relay->queues.count; i++) {
		struct queue *queue = &relay->queues.items[i];

		if (balance_of(queue) == BALANCE_ORDER)
			queue->pool = first_usable(queue, relay_now(relay));
		else if (queue->pool == NULL || queue->pool->health.aside)
			queue->pool = next_turn(queue, relay_now(relay), NULL);
	}
}
