/* SPDX-License-Identifier: ISC */
/* throttle.c - a provider that asks for less gets less, for a while.
 *
 * Slower after "slow down", over fewer connections after "too many"; the mails wait unpunished.
 */
#include "base/log.h"
#include "relay/private.h"

/* After a reply that asks for less without a time; doubles while nothing else is said. */
#define PAUSE_FIRST CLOCK_SEC
#define PAUSE_MAX   CLOCK_MIN
/* Connections refused together are one refusal; and how long until one more is tried. */
#define FEWER_AGAIN CLOCK_SEC
#define MORE_AFTER  (10 * CLOCK_MIN)

void pool_slow_down(struct pool *pool, int64_t written_us, int64_t wait_us, const char *why)
{
	int64_t now = relay_now(pool->relay);

	if (pool->provider->adaptive) {
		if (adapt_throttled(&pool->adapt, written_us == INT64_MAX ? now : written_us, now,
		                    wait_us))
			log_warning("provider asks for less name=%s rate=%.3g/s reason=%s",
			            pool->provider->name, pool->adapt.rate, log_quoted(why));
		return;
	}
	if (written_us <= pool->slowed_us) /* those that were in flight say the same again */
		return;
	pool->slowed_us = now;
	if (wait_us <= 0) {
		wait_us = PAUSE_FIRST;
		for (unsigned i = 0; i < pool->slow_downs && wait_us < PAUSE_MAX; i++)
			wait_us *= 2;
	}
	pool->slow_downs++;
	pool->paused_until_us = now + wait_us;
	log_warning("provider asks for less name=%s wait=%lldms reason=%s", pool->provider->name,
	            (long long)(wait_us / CLOCK_MS), log_quoted(why));
}

void pool_fewer_connections(struct pool *pool, const char *why)
{
	int64_t now = relay_now(pool->relay);
	size_t most = pool->opening_count + pool->ready_count;

	if (pool->connections_us != 0 && now - pool->connections_us < FEWER_AGAIN)
		return;
	if (most > pool->connections_max)
		most = pool->connections_max;
	pool->connections_us = now;
	/* The one that was refused was one too many; said again soon, that was not enough. */
	if (pool->fewer_row++ > 0)
		most = most * 3 / 4 + 1;
	pool->connections_max = most > 2 ? most - 1 : 1;
	log_warning("provider asks for fewer connections name=%s connections=%zu reason=%s",
	            pool->provider->name, pool->connections_max, log_quoted(why));
}

void pool_worked(struct pool *pool)
{
	health_worked(&pool->health);
	pool->slow_downs = 0;
	if (pool->provider->adaptive)
		adapt_worked(&pool->adapt, relay_now(pool->relay));
}

void pool_look_after(struct pool *pool)
{
	int64_t now = relay_now(pool->relay);

	if (pool->connections_max < pool->provider->connections &&
	    now - pool->connections_us >= MORE_AFTER) {
		pool->connections_max++;
		pool->fewer_row = 0;
		pool->connections_us = now;
	}
}

/* What a connection was told when it ended, or could not begin. true: that is all there is to it.
 */
bool pool_heard_less(struct pool *pool, const struct reply *why, const char *words)
{
	struct verdict_question q = { .reply = why,
		                      .provider = pool->provider,
		                      .wall_us = relay_wall(pool->relay) };
	int64_t wait;

	if (why == NULL || why->local || why->code < 400)
		return false;
	switch (verdict_of(&q, &wait)) {
	case VERDICT_FEWER_CONNECTIONS:
		pool_fewer_connections(pool, words);
		return pool->ready_count > 0;
	case VERDICT_SLOW_DOWN:
		pool_slow_down(pool, INT64_MAX, wait, words);
		return pool->ready_count > 0;
	case VERDICT_QUOTA:
		pool_exhausted(pool, wait, words);
		return true;
	default:
		return false;
	}
}
