/* SPDX-License-Identifier: ISC */
/* budget.c - all the limits that one delivery must pass: its provider's, its route's, its sender's.
 *
 * A sender is a class of its route (spool_class()): two senders that share a class share a limit,
 * which errs on the safe side. What was written becomes counts that ride in the outcome, so that
 * the use of every window is known after a crash: counted, or still claimed.
 */
#include <stdlib.h>

#include "relay/private.h"

#define ADAPTED_UNIT 1e6 /* a found rate is stored as so many a second */
#define BUDGETS_MAX  3
#define WINDOWS_MAX  32 /* of all limits of one delivery, that are counted */
/* Limits of senders that are remembered; those with nothing used are forgotten now and then. */
#define FORGET_ABOVE 1024

struct budget {
	struct limit *limit;
	enum count_kind kind;
	uint64_t owner;
};

static uint64_t sender_owner(uint32_t queue, uint16_t class)
{
	return (uint64_t)queue << 16 | class;
}

static struct limit *sender_limit(struct relay *relay, const struct queue *queue, uint16_t class)
{
	const struct route_settings *rule = queue->route->settings;
	uint64_t owner = sender_owner(queue->route->queue, class);
	struct limit *limit;

	if (rule == NULL || rule->sender_rate_count == 0)
		return NULL;
	limit = table_find_u64(relay->senders, owner);
	if (limit == NULL) {
		limit = limit_new(rule->sender_rates, rule->sender_rate_count);
		table_set_u64(relay->senders, owner, limit);
	}
	return limit;
}

static size_t budgets_of(struct relay *relay, struct pool *pool, uint32_t queue_number,
                         uint16_t class, struct budget out[BUDGETS_MAX])
{
	struct queue *queue = queues_find(&relay->queues, queue_number);
	struct limit *sender = queue == NULL ? NULL : sender_limit(relay, queue, class);
	size_t count = 0;

	if (pool != NULL)
		out[count++] = (struct budget){ pool->limit, COUNT_PROVIDER, pool->number };
	if (queue != NULL && queue->limit != NULL)
		out[count++] = (struct budget){ queue->limit, COUNT_ROUTE, queue_number };
	if (sender != NULL)
		out[count++] =
			(struct budget){ sender, COUNT_SENDER, sender_owner(queue_number, class) };
	return count;
}

static size_t budgets(const struct attempt *attempt, struct budget out[BUDGETS_MAX])
{
	return budgets_of(attempt->relay, attempt->pool, attempt->delivery->queue,
	                  attempt->delivery->class, out);
}

size_t budget_recipients_max(const struct attempt *attempt)
{
	struct budget b[BUDGETS_MAX];
	size_t count = budgets(attempt, b), max = SIZE_MAX;

	for (size_t i = 0; i < count; i++) {
		size_t one = limit_recipients_max(b[i].limit);

		max = one < max ? one : max;
	}
	return max;
}

int64_t budget_when(const struct attempt *attempt, size_t recipients, enum count_kind *kind_r)
{
	int64_t now = relay_now(attempt->relay), when = now;
	struct budget b[BUDGETS_MAX];
	size_t count = budgets(attempt, b);

	*kind_r = COUNT_PROVIDER;
	if (attempt->pool != NULL)
		when = adapt_when(&attempt->pool->adapt, now);
	for (size_t i = 0; i < count; i++) {
		int64_t one = limit_when(b[i].limit, now, recipients);

		if (one > when) {
			when = one;
			*kind_r = b[i].kind;
		}
	}
	return when;
}

void budget_take(struct attempt *attempt, size_t recipients)
{
	struct budget b[BUDGETS_MAX];
	size_t count = budgets(attempt, b);

	attempt->tokens = recipients;
	if (attempt->pool != NULL)
		adapt_written(&attempt->pool->adapt, attempt->depart_us);
	for (size_t i = 0; i < count; i++)
		limit_take(b[i].limit, attempt->depart_us, recipients);
}

void budget_return(struct attempt *attempt)
{
	struct budget b[BUDGETS_MAX];
	size_t count = attempt->tokens == 0 ? 0 : budgets(attempt, b);

	for (size_t i = 0; i < count; i++)
		limit_return(b[i].limit, attempt->tokens);
	attempt->tokens = 0;
}

/* ---- counts ---------------------------------------------------------------- */

static void count_budget(struct attempt *attempt, const struct budget *b, int64_t mail_us,
                         int64_t rcpt_us, size_t recipients)
{
	int64_t ahead = relay_wall(attempt->relay) - relay_now(attempt->relay);
	struct limit_slice slices[WINDOWS_MAX];
	size_t count = limit_slices(b->limit, mail_us + ahead, rcpt_us + ahead, recipients, slices,
	                            WINDOWS_MAX);

	for (size_t i = 0; i < count; i++) {
		attempt->counts = memory_grow(attempt->counts, attempt->count_count + 1,
		                              sizeof(*attempt->counts));
		attempt->counts[attempt->count_count++] =
			(struct spool_count){ .kind = (uint8_t)b->kind,
			                      .unit = (uint8_t)slices[i].unit,
			                      .owner = b->owner,
			                      .window = (uint64_t)slices[i].period_us,
			                      .slice = (uint64_t)slices[i].slice,
			                      .amount = slices[i].tokens,
			                      .keep = LIMIT_SLICES_KEPT };
	}
}

void budget_spend(struct attempt *attempt, int64_t mail_us, int64_t rcpt_us)
{
	struct budget b[BUDGETS_MAX];
	size_t count = attempt->tokens == 0 ? 0 : budgets(attempt, b);

	for (size_t i = 0; i < count; i++) {
		limit_spend(b[i].limit, mail_us, rcpt_us, attempt->tokens);
		count_budget(attempt, &b[i], mail_us, rcpt_us, attempt->tokens);
	}
	if (attempt->tokens > 0 && attempt->pool != NULL)
		warm_up_written(attempt->pool);
	attempt->tokens = 0;
}

void budget_recover(struct attempt *attempt, struct pool *pool, size_t recipients)
{
	int64_t now = relay_now(attempt->relay);
	struct budget b[BUDGETS_MAX];
	size_t count = budgets_of(attempt->relay, pool, attempt->delivery->queue,
	                          attempt->delivery->class, b);

	for (size_t i = 0; i < count; i++) {
		limit_recover(b[i].limit, now, recipients);
		count_budget(attempt, &b[i], now, now, recipients);
	}
}

/* ---- after a start --------------------------------------------------------- */

static struct limit *owner_of(struct relay *relay, const struct spool_count *count)
{
	struct queue *queue;
	struct pool *pool;

	switch ((enum count_kind)count->kind) {
	case COUNT_PROVIDER:
		pool = relay_pool(relay, (uint32_t)count->owner);
		return pool == NULL ? NULL : pool->limit;
	case COUNT_ROUTE:
		queue = queues_find(&relay->queues, (uint32_t)count->owner);
		return queue == NULL ? NULL : queue->limit;
	case COUNT_SENDER:
		queue = queues_find(&relay->queues, (uint32_t)(count->owner >> 16));
		return queue == NULL ? NULL : sender_limit(relay, queue, (uint16_t)count->owner);
	case COUNT_ADAPTED:
	case COUNT_WARM_UP:
		break;
	}
	return NULL;
}

/* What adapting found is remembered with the next outcome. */
void budget_remember(const struct attempt *attempt, struct transition *t)
{
	struct pool *pool = attempt->pool;
	struct spool_count count = { .kind = COUNT_ADAPTED, .set = true };

	if (pool != NULL)
		warm_up_remember(pool, t);
	if (pool == NULL || !pool->adapt.changed)
		return;
	pool->adapt.changed = false;
	count.owner = pool->number;
	count.amount = (uint64_t)(pool->adapt.found * ADAPTED_UNIT);
	transition_count(t, &count);
}

static void restore_adapted(struct relay *relay, const struct spool_count *count)
{
	struct pool *pool = relay_pool(relay, (uint32_t)count->owner);

	if (pool != NULL && pool->provider->adaptive && count->amount > 0)
		adapt_restore(&pool->adapt, (double)count->amount / ADAPTED_UNIT);
}

static void restore_warm_up(struct relay *relay, const struct spool_count *count)
{
	struct pool *pool = relay_pool(relay, (uint32_t)count->owner);

	if (pool != NULL)
		warm_up_restore(pool, count);
}

void relay_restore(struct relay *relay, const struct spool_count *count)
{
	struct limit *limit = owner_of(relay, count);
	struct limit_slice slice = { .unit = (enum rate_unit)count->unit,
		                     .period_us = (int64_t)count->window,
		                     .slice = (int64_t)count->slice,
		                     .tokens = count->amount };

	if (count->kind == COUNT_ADAPTED)
		restore_adapted(relay, count);
	else if (count->kind == COUNT_WARM_UP)
		restore_warm_up(relay, count);
	else if (limit != NULL)
		limit_restore(limit, &slice, relay_wall(relay) - relay_now(relay),
		              relay_now(relay));
}

/* ---- senders --------------------------------------------------------------- */

struct forgetting {
	uint64_t owners[256];
	size_t count;
	int64_t now_us;
};

static void find_idle(void *context, struct span key, void *value)
{
	struct forgetting *f = context;

	if (f->count < sizeof(f->owners) / sizeof(f->owners[0]) && limit_idle(value, f->now_us))
		f->owners[f->count++] = be64_load((const unsigned char *)key.data);
}

void budget_look_after(struct relay *relay)
{
	struct forgetting f = { .now_us = relay_now(relay) };

	if (table_count(relay->senders) < FORGET_ABOVE)
		return;
	table_each(relay->senders, find_idle, &f);
	for (size_t i = 0; i < f.count; i++) {
		struct limit *limit = table_remove_u64(relay->senders, f.owners[i]);

		limit_free(&limit);
	}
}

static void forget(void *context, struct span key, void *value)
{
	struct limit *limit = value;

	(void)context;
	(void)key;
	limit_free(&limit);
}

void budget_release(struct relay *relay)
{
	table_each(relay->senders, forget, NULL);
	table_free(&relay->senders);
}
