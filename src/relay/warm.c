/* SPDX-License-Identifier: ISC */
/* warm.c - a provider that has to get to know us: a limit that doubles each day.
 *
 * The days are counted from the first message that it was given, which is remembered in the spool.
 * The limit is one more window beside the declared rates, so that what was used of it survives
 * like theirs.
 */
#include <stdlib.h>

#include "base/log.h"
#include "config/values.h"
#include "relay/private.h"

#define DAYS_MAX 30                      /* by then a thousand million times as many */
#define MOST     UINT64_C(1000000000000) /* limits nothing any more */

static bool is_warming_up(const struct pool *pool)
{
	return pool->provider->warm_up.count > 0;
}

void warm_up_init(struct pool *pool)
{
	const struct provider_settings *p = pool->provider;
	struct rate *rates = memory_new_array(p->rate_count + 1, sizeof(*rates));

	for (size_t i = 0; i < p->rate_count; i++)
		rates[i] = p->rates[i];
	rates[p->rate_count] = p->warm_up;
	pool->limit = limit_new(rates, p->rate_count + is_warming_up(pool));
	pool->warm_up = p->warm_up;
	free(rates);
}

/* Days that passed since the first message; 0: the first. */
static int64_t day_of(const struct pool *pool)
{
	int64_t age = pool->warm_since_us == 0 ? 0 : relay_age(pool->relay, pool->warm_since_us);

	return age < 0 ? 0 : age / CLOCK_DAY;
}

void warm_up_look(struct pool *pool)
{
	int64_t day = day_of(pool);
	uint64_t count = pool->provider->warm_up.count;
	struct bytes text = { 0 };

	if (!is_warming_up(pool))
		return;
	for (int64_t i = 0; i < day && i < DAYS_MAX && count < MOST; i++)
		count *= 2;
	if (count <= pool->warm_up.count) /* never less, whatever the clock says */
		return;
	pool->warm_up.count = count;
	limit_raise(pool->limit, pool->provider->rate_count, count);
	rate_format(&pool->warm_up, &text);
	log_info("provider warms up name=%s day=%lld limit=%s", pool->provider->name,
	         (long long)day + 1, bytes_text(&text));
	bytes_release(&text);
}

void warm_up_written(struct pool *pool)
{
	if (!is_warming_up(pool) || pool->warm_since_us != 0)
		return;
	pool->warm_since_us = relay_wall(pool->relay);
	pool->warm_changed = true;
}

void warm_up_remember(struct pool *pool, struct transition *t)
{
	struct spool_count count = { .kind = COUNT_WARM_UP,
		                     .owner = pool->number,
		                     .amount = (uint64_t)pool->warm_since_us,
		                     .set = true };

	if (!pool->warm_changed)
		return;
	pool->warm_changed = false;
	transition_count(t, &count);
}

void warm_up_restore(struct pool *pool, const struct spool_count *count)
{
	pool->warm_since_us = (int64_t)count->amount;
	warm_up_look(pool);
}

void warm_up_status(const struct pool *pool, struct provider_status *status)
{
	status->warm_up = pool->warm_up;
	status->warm_up_day = (unsigned)day_of(pool) + 1;
}
