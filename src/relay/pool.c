/* SPDX-License-Identifier: ISC */
/* pool.c - the connections of one provider, as bookkeeping.
 *
 * A connection is asked for when work waits and no open one can take it; while some are being
 * opened no more are asked for than are ready already, so a pool doubles as it proves itself.
 * Each holds at first two grants, one in flight and one claimed ahead, and learns a
 * greater depth when it runs dry before the claims are durable. Where whole messages go behind one
 * another the provider's depth (depth.c) says how many, and half as many are claimed ahead.
 */
#include <stdlib.h>

#include "base/log.h"
#include "relay/private.h"

#define DEPTH_FIRST 2 /* claims are made one connection slot ahead */
/* How long a probe waits for connections that are being finished to make room. */
#define PROBE_WAIT  CLOCK_SEC

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

void pool_wake_at(struct pool *pool, int64_t monotonic_us)
{
	if (!timer_running(&pool->timer) || pool->timer.node.key > monotonic_us)
		timer_start_at(&pool->timer, monotonic_us);
}

static void pool_open(struct pool *pool);

/* The one connection to a provider that was set aside, whether mail waits or not. */
static void pool_probe(struct pool *pool)
{
	pool_open(pool);
	if (pool->opening_count == 0)
		pool_wake_at(pool, relay_now(pool->relay) + PROBE_WAIT);
}

static void pool_timer(void *context)
{
	struct pool *pool = context;

	if (pool->health.aside && !pool->relay->stopping)
		pool_probe(pool);
	relay_pump(pool->relay);
}

/* Messages a second of the slowest rate that is declared; 0: none is. */
static double slowest(const struct provider_settings *provider)
{
	double least_rate = 0;

	for (size_t i = 0; i < provider->rate_count; i++) {
		const struct rate *rate = &provider->rates[i];
		double one = (double)rate->count * (double)CLOCK_SEC / (double)rate->period_us;

		/* Quotas may be used up at any speed. */
		if (rate->period_us <= CLOCK_MIN && (least_rate == 0 || one < least_rate))
			least_rate = one;
	}
	return least_rate;
}

void pool_init(struct pool *pool, struct relay *relay, const struct provider_settings *provider)
{
	pool->relay = relay;
	pool->provider = provider;
	warm_up_init(pool);
	depth_init(&pool->depth);
	pool->adapt.most = slowest(provider);
	pool->connections_max = provider->connections > 0 ? provider->connections : 1;
	list_init(&pool->opening);
	list_init(&pool->idle);
	list_init(&pool->partly);
	list_init(&pool->full);
	list_init(&pool->parked);
	timer_init(&pool->timer, relay->options.loop, pool_timer, pool);
}

static void peers_free(struct list *peers)
{
	struct list *node, *after;

	list_each(node, after, peers)
	{
		free(list_entry(node, struct peer, node));
	}
}

void pool_release(struct pool *pool)
{
	timer_stop(&pool->timer);
	peers_free(&pool->opening);
	peers_free(&pool->idle);
	peers_free(&pool->partly);
	peers_free(&pool->full);
	limit_free(&pool->limit);
}

/* ---- peers ----------------------------------------------------------------- */

/* Whole messages go behind one another, without waiting for replies. */
static bool peer_is_deep(const struct peer *peer)
{
	return peer->facts.pipelining && peer->facts.chunking;
}

/* How many messages a session may carry: the smallest of what both sides say, and it showed. */
static size_t peer_messages_max(const struct peer *peer)
{
	const struct pool *pool = peer->pool;
	size_t max = depth_session_max(&pool->depth, relay_now(pool->relay));

	if (pool->provider->kind == PROVIDER_DISCARD)
		return SIZE_MAX; /* its one session never ends */
	if (pool->provider->messages_per_connection > 0)
		max = least(max, pool->provider->messages_per_connection);
	if (peer->facts.messages_max > 0)
		max = least(max, peer->facts.messages_max);
	return max;
}

static size_t peer_room(const struct peer *peer)
{
	size_t depth = peer->pool->depth.now;

	if (peer->given >= peer_messages_max(peer))
		return 0;
	return peer_is_deep(peer) ? depth + depth / 2 + 1 : peer->depth;
}

static void peer_place(struct peer *peer)
{
	struct pool *pool = peer->pool;
	struct list *place = &pool->partly;

	if (!peer->ready)
		place = &pool->opening;
	else if (peer->finishing || peer->held >= peer_room(peer))
		place = &pool->full;
	else if (peer->held == 0)
		place = &pool->idle;
	list_remove(&peer->node);
	/* Idle ones: the last used first, so that what is too many idles out. Others in turn. */
	if (place == &pool->idle)
		list_prepend(place, &peer->node);
	else
		list_append(place, &peer->node);
}

static void peer_finish(struct peer *peer)
{
	if (!peer->finishing) {
		peer->finishing = true;
		if (peer->pool->provider->kind != PROVIDER_DISCARD)
			CALL(peer->pool->relay, finish, peer->number);
	}
}

void peer_take(struct peer *peer)
{
	peer->held++;
	peer->given++;
	peer_place(peer);
}

/* The worker ran out of transactions while claims were under way: claim further ahead. */
static void peer_learn(struct peer *peer)
{
	if (peer->granted == 0 && peer->held > 0 && peer->depth < peer->pool->provider->pipeline)
		peer->depth++;
}

void peer_give_back(struct peer *peer, bool was_granted)
{
	peer->held--;
	if (was_granted)
		peer->granted--;
	peer_learn(peer);
	if (peer->given >= peer_messages_max(peer) && peer->held == peer->granted)
		peer_finish(peer);
	peer_place(peer);
}

struct peer *pool_peer(struct pool *pool)
{
	struct list *first = list_first(&pool->idle);

	if (first == NULL)
		first = list_first(&pool->partly);
	return first == NULL ? NULL : list_entry(first, struct peer, node);
}

/* ---- opening and closing --------------------------------------------------- */

static void peer_new(struct pool *pool)
{
	struct peer *peer = memory_new(sizeof(*peer));

	list_init(&peer->node);
	peer->pool = pool;
	peer->number = lanes_take(&pool->relay->lanes);
	peer->opened_us = relay_now(pool->relay);
	pool->opening_count++;
	peer_place(peer);
	table_set_u64(pool->relay->connections, peer->number, peer);
	if (pool->provider->kind == PROVIDER_DISCARD)
		relay_ready(pool->relay, peer->number, &peer->facts);
	else
		CALL(pool->relay, open, peer->number, pool->provider);
}

/* If that is allowed now; else sets the timer for when it is. */
static void pool_open(struct pool *pool)
{
	size_t ramp = pool->ready_count > 1 ? pool->ready_count : 1;
	int64_t after;

	if (pool->relay->stopping || pool->opening_count >= ramp ||
	    pool->opening_count + pool->ready_count >= pool->connections_max)
		return;
	after = pool->health.open_after_us;
	if (pool->ready_count > 0 && pool->health.more_after_us > after)
		after = pool->health.more_after_us;
	if (after > relay_now(pool->relay))
		pool_wake_at(pool, after);
	else
		peer_new(pool);
}

void pool_retry(struct pool *pool)
{
	pool->health.open_after_us = 0;
	if (pool->health.aside)
		pool_open(pool);
}

void relay_ready(struct relay *relay, uint64_t connection, const struct peer_facts *facts)
{
	struct peer *peer = table_find_u64(relay->connections, connection);
	struct pool *pool;
	size_t pipeline;

	if (peer == NULL || peer->ready)
		return;
	pool = peer->pool;
	pipeline = pool->provider->pipeline > 0 ? pool->provider->pipeline : 1;
	peer->facts = *facts;
	peer->ready = true;
	peer->depth = least(DEPTH_FIRST, pipeline);
	pool->opening_count--;
	pool->ready_count++;
	peer_place(peer);
	if (health_ready(&pool->health)) {
		log_info("provider back name=%s host=%s", pool->provider->name,
		         pool->provider->host == NULL ? "" : pool->provider->host);
		relay_choose_pools(relay);
	}
	if (relay->stopping)
		peer_finish(peer);
	relay_pump(relay);
}

/* What waits for it in memory goes back to its line: another provider may take it. */
static void unpark_free(struct pool *pool)
{
	struct list *node, *after;

	list_each(node, after, &pool->parked)
	{
		struct attempt *attempt = list_entry(node, struct attempt, node);

		if (attempt->delivery->pinned == 0)
			attempt_put_back(attempt);
	}
}

static void pool_set_aside(struct pool *pool, enum ending ending)
{
	int64_t wait = pool->health.open_after_us - relay_now(pool->relay);

	if (ending == ENDING_REFUSED)
		log_error("provider refuses us name=%s host=%s wait=%lds reason=%s",
		          pool->provider->name,
		          pool->provider->host == NULL ? "" : pool->provider->host,
		          (long)(wait / CLOCK_SEC), log_quoted(pool->health.why));
	else
		log_warning("provider set aside name=%s host=%s wait=%lds reason=%s",
		            pool->provider->name,
		            pool->provider->host == NULL ? "" : pool->provider->host,
		            (long)(wait / CLOCK_SEC), log_quoted(pool->health.why));
	relay_choose_pools(pool->relay);
	unpark_free(pool);
}

/* Those that could take grants take no more. */
static void peers_finish(struct pool *pool, struct list *peers)
{
	struct list *node, *after;

	list_each(node, after, peers)
	{
		struct peer *peer = list_entry(node, struct peer, node);

		peer_finish(peer);
		if (peers == &pool->idle || peers == &pool->partly)
			peer_place(peer); /* into another list */
	}
}

static void pool_refused(struct pool *pool, bool was_aside)
{
	pool_wake_at(pool, pool->health.open_after_us);
	peers_finish(pool, &pool->idle);
	peers_finish(pool, &pool->partly);
	peers_finish(pool, &pool->full);
	if (!was_aside)
		pool_set_aside(pool, ENDING_REFUSED);
}

void pool_note_trouble(struct pool *pool, int64_t written_us, const char *why)
{
	bool was_aside = pool->health.aside;

	if (written_us <= pool->refused_us)
		return;
	pool->refused_us = relay_now(pool->relay);
	health_refused(&pool->health, relay_now(pool->relay), why);
	pool_refused(pool, was_aside);
}

void pool_exhausted(struct pool *pool, int64_t wait_us, const char *why)
{
	bool was_aside = pool->health.aside;

	if (was_aside) /* those that were in flight say the same again */
		return;
	health_exhausted(&pool->health, relay_now(pool->relay), wait_us, why);
	pool_refused(pool, was_aside);
}

/* What a connection that ended amid a flight teaches. */
static void peer_learn_end(struct peer *peer, const struct reply *why)
{
	struct pool *pool = peer->pool;

	if (!peer->lost || why == NULL || why->code == 0)
		return;
	depth_lost(&pool->depth);
	if (depth_session_ended(&pool->depth, peer->replied, relay_now(pool->relay)))
		log_info("provider ends sessions name=%s messages=%zu", pool->provider->name,
		         peer->replied);
}

static void peer_closed(struct peer *peer, enum connection_stage stage, const struct reply *why)
{
	struct pool *pool = peer->pool;
	enum ending ending = ending_of(stage, why);
	struct bytes words = { 0 };

	/* It carried something, or was asked to end: the next may be opened at once. */
	if (peer->replied > 0 || (peer->finishing && stage == STAGE_READY) || pool->relay->stopping)
		return;
	if (why != NULL)
		reply_format(why, &words);
	if (pool_heard_less(pool, why, bytes_text(&words)))
		;
	else if (health_failed(&pool->health, ending, peer->opened_us, relay_now(pool->relay),
	                       pool->ready_count > 0, bytes_text(&words)))
		pool_set_aside(pool, ending);
	else if (ending != ENDING_ORDINARY)
		log_info("connection failed provider=%s conn=%llu reason=%s", pool->provider->name,
		         (unsigned long long)peer->number, log_quoted(bytes_text(&words)));
	if (pool->health.aside)
		pool_wake_at(pool, pool->health.open_after_us);
	bytes_release(&words);
}

/* The attempts it held are claims still on their way: they look for another connection. */
static void forget_peer(void *context, struct span key, void *value)
{
	struct attempt *attempt = value;

	(void)key;
	if (attempt->peer == context)
		attempt->peer = NULL;
}

void relay_closed(struct relay *relay, uint64_t connection, enum connection_stage stage,
                  const struct reply *why)
{
	struct peer *peer = table_remove_u64(relay->connections, connection);

	if (peer == NULL)
		return;
	lanes_leave(&relay->lanes, connection);
	list_remove(&peer->node);
	if (peer->ready)
		peer->pool->ready_count--;
	else
		peer->pool->opening_count--;
	if (peer->held > 0)
		table_each(relay->slots, forget_peer, peer);
	peer_learn_end(peer, why);
	peer_closed(peer, stage, why);
	free(peer);
	relay_pump(relay);
}

void pool_stop(struct pool *pool)
{
	timer_stop(&pool->timer);
	peers_finish(pool, &pool->opening);
	peers_finish(pool, &pool->idle);
	peers_finish(pool, &pool->partly);
	peers_finish(pool, &pool->full);
}

/* ---- work ------------------------------------------------------------------ */

static bool pool_has_work(struct pool *pool)
{
	struct queues *queues = &pool->relay->queues;
	int64_t wall = relay_wall(pool->relay);

	if (!list_empty(&pool->parked))
		return true;
	for (size_t i = 0; i < queues->count; i++)
		if (queues->items[i].pool == pool &&
		    !queue_blocked(&queues->items[i], relay_now(pool->relay)) &&
		    queue_ready(queues, &queues->items[i], wall))
			return true;
	return false;
}

/* One attempt; false: nothing more can be done now. */
static bool pool_step(struct pool *pool)
{
	struct relay *relay = pool->relay;
	struct peer *peer;
	int64_t when;

	if (pool->health.aside || relay->stopping || outcome_backlog(relay) || !pool_has_work(pool))
		return false;
	when = limit_when(pool->limit, relay_now(relay), 1);
	if (when == LIMIT_UNKNOWN)
		return false;
	if (adapt_when(&pool->adapt, relay_now(relay)) > when)
		when = adapt_when(&pool->adapt, relay_now(relay));
	if (pool->paused_until_us > when)
		when = pool->paused_until_us + relay_lead(relay);
	if (when > relay_now(relay) + relay_lead(relay)) {
		pool_wake_at(pool, when - relay_lead(relay));
		balance_yield(pool, when);
		return false;
	}
	peer = pool_peer(pool);
	if (peer == NULL) {
		pool_open(pool);
		return false;
	}
	return attempt_start(pool, peer);
}

void pool_pump(struct pool *pool)
{
	while (pool_step(pool))
		;
}
