/* SPDX-License-Identifier: ISC */
/* relay.c - the entry points, and what ties queues, pools and attempts together.
 *
 * Everything runs on the dispatcher. Whatever happens ends in relay_pump(), which lets
 * every delivery leave that can; a pump inside a pump only asks for another round.
 */
#include "relay/relay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mail/id.h"
#include "relay/private.h"

/* The wall clock may step: a time that is due by it is noticed within so long. */
#define DUE_TIMER_MAX CLOCK_MIN
#define HOUSEKEEPING  (10 * CLOCK_SEC) /* pins and expiry are looked after so often */

/* ---- pumping --------------------------------------------------------------- */

static void due_timer_set(struct relay *relay)
{
	int64_t next = queues_next_us(&relay->queues), wait;

	if (next == CLOCK_NEVER) {
		timer_stop(&relay->due_timer);
		return;
	}
	wait = next - relay_wall(relay);
	wait = wait < 0 ? 0 : wait < DUE_TIMER_MAX ? wait : DUE_TIMER_MAX;
	timer_start(&relay->due_timer, wait);
}

void relay_pump(struct relay *relay)
{
	if (!relay->started || relay->pumping) {
		relay->again = true;
		return;
	}
	relay->pumping = true;
	steps_look(relay);
	do {
		relay->again = false;
		if (relay->left_some && relay->elsewhere < ELSEWHERE_MAX / 2) {
			relay->left_some = false;
			queues_look(&relay->queues, relay_wall(relay));
		}
		queues_wake(&relay->queues, relay_wall(relay));
		for (size_t i = 0; i < relay->pool_count; i++)
			pool_pump(&relay->pools[i]);
	} while (relay->again);
	relay->pumping = false;
	due_timer_set(relay);
}

static void due_timer(void *context)
{
	relay_pump(context);
}

/* Pins that have ended while their provider was away: those mails may go elsewhere now. */
static void unpark_ended(struct pool *pool)
{
	struct list *node, *after;
	int64_t wall = relay_wall(pool->relay);

	list_each(node, after, &pool->parked)
	{
		struct attempt *attempt = list_entry(node, struct attempt, node);

		if (attempt->delivery->pinned != 0 && attempt->delivery->pinned_until_us <= wall)
			attempt_unpark(attempt);
	}
}

static void housekeeping(void *context)
{
	struct relay *relay = context;

	relay->pumping = true; /* one pump at the end */
	steps_look(relay);
	for (size_t i = 0; i < relay->pool_count; i++) {
		unpark_ended(&relay->pools[i]);
		pool_look_after(&relay->pools[i]);
		warm_up_look(&relay->pools[i]);
	}
	expiry_elsewhere(relay);
	deadline_walk(relay);
	relay_choose_pools(relay); /* what stuck may go back */
	expiry_walk(relay);
	budget_look_after(relay);
	relay->pumping = false;
	timer_start(&relay->housekeeping, HOUSEKEEPING);
	relay_pump(relay);
}

struct pool *relay_pool(struct relay *relay, uint32_t number)
{
	for (size_t i = 0; i < relay->pool_count; i++)
		if (relay->pools[i].number == number)
			return &relay->pools[i];
	return NULL;
}

void relay_news(struct relay *relay, const struct delivery *line, int64_t due_us)
{
	struct due_news news = { line->queue, line->priority, line->class, due_us };

	queues_news(&relay->queues, &news, relay_wall(relay));
}

/* ---- making ---------------------------------------------------------------- */

static struct pool *pool_named(struct relay *relay, const char *name)
{
	for (size_t i = 0; i < relay->pool_count; i++)
		if (strcmp(relay->pools[i].provider->name, name) == 0)
			return &relay->pools[i];
	return NULL;
}

static void queue_init(struct queue *queue, struct relay *relay, const struct route *route)
{
	const struct text_list *via;

	queue->route = route;
	if (route->settings == NULL)
		return;
	via = &route->settings->via;
	if (route->settings->rate_count > 0)
		queue->limit = limit_new(route->settings->rates, route->settings->rate_count);
	queue->via = memory_new_array(via->count > 0 ? via->count : 1, sizeof(struct pool *));
	for (size_t i = 0; i < via->count; i++) {
		struct pool *pool = pool_named(relay, via->items[i]);

		if (pool != NULL)
			queue->via[queue->via_count++] = pool;
		queue->bars =
			queue->bars || (pool != NULL && pool->provider->from_allowed.count > 0 &&
		                        pool->provider->rewrite_from == NULL);
	}
	balance_init(queue);
}

static void make_pools(struct relay *relay)
{
	const struct settings *settings = relay->options.settings;

	relay->pools = memory_new_array(settings->provider_count + 1, sizeof(*relay->pools));
	for (size_t i = 0; i < settings->provider_count; i++)
		if (settings->providers[i].kind != PROVIDER_INBOX)
			pool_init(&relay->pools[relay->pool_count++], relay,
			          &settings->providers[i]);
}

static void make_queues(struct relay *relay)
{
	const struct router *router = relay->options.router;
	struct queue_reader reader = { .due_line = relay->options.ports.due_line,
		                       .due = relay->options.ports.due,
		                       .busy = attempt_busy,
		                       .context = relay->options.context,
		                       .busy_context = relay };

	queues_init(&relay->queues, router_count(router), &reader);
	for (size_t i = 0; i < relay->queues.count; i++)
		queue_init(&relay->queues.items[i], relay, router_at(router, i));
	relay_choose_pools(relay);
}

struct relay *relay_new(const struct relay_options *options)
{
	struct relay *relay = memory_new(sizeof(*relay));

	relay->options = *options;
	relay->flights = table_new();
	relay->slots = table_new();
	relay->connections = table_new();
	lanes_init(&relay->lanes, options->workers);
	relay->senders = table_new();
	relay->passed = table_new();
	relay->losses = table_new();
	sweep_init(relay);
	steps_init(relay);
	list_init(&relay->discards);
	list_init(&relay->recording);
	timer_init(&relay->due_timer, options->loop, due_timer, relay);
	timer_init(&relay->housekeeping, options->loop, housekeeping, relay);
	for (size_t i = 0; i < options->settings->listener_count; i++)
		if (options->settings->listeners[i].max_message_size > relay->message_max)
			relay->message_max = options->settings->listeners[i].max_message_size;
	make_pools(relay);
	make_queues(relay);
	return relay;
}

static void forget_attempt(void *context, struct span key, void *value)
{
	struct attempt *attempt = value;

	(void)context;
	(void)key;
	attempt_free(&attempt);
}

void relay_free(struct relay **relay_p)
{
	struct relay *relay = *relay_p;

	if (relay == NULL)
		return;
	*relay_p = NULL;
	timer_stop(&relay->due_timer);
	timer_stop(&relay->housekeeping);
	timer_stop(&relay->sweep.timer);
	timer_stop(&relay->steps.timer);
	discard_release(relay);
	table_each(relay->flights, forget_attempt, NULL);
	queues_release(&relay->queues);
	for (size_t i = 0; i < relay->pool_count; i++)
		pool_release(&relay->pools[i]);
	free(relay->pools);
	table_free(&relay->flights);
	table_free(&relay->slots);
	table_free(&relay->connections);
	lanes_release(&relay->lanes);
	pass_release(relay);
	budget_release(relay);
	table_free(&relay->losses);
	free(relay);
}

void relay_number(struct relay *relay, const struct provider_settings *provider, uint32_t number)
{
	struct pool *pool = pool_named(relay, provider->name);

	if (pool != NULL)
		pool->number = number;
}

/* ---- starting and stopping ------------------------------------------------- */

void relay_start(struct relay *relay)
{
	relay->started = true;
	queues_look(&relay->queues, relay_wall(relay));
	timer_start(&relay->housekeeping, HOUSEKEEPING);
	sweep_start(relay);
	steps_start(relay);
	relay_pump(relay);
}

void relay_stop(struct relay *relay)
{
	relay->stopping = true;
	timer_stop(&relay->housekeeping);
	timer_stop(&relay->sweep.timer);
	timer_stop(&relay->steps.timer);
	for (size_t i = 0; i < relay->pool_count; i++) {
		struct list *parked;

		pool_stop(&relay->pools[i]);
		while ((parked = list_first(&relay->pools[i].parked)) != NULL) {
			struct attempt *attempt = list_entry(parked, struct attempt, node);

			attempt_free(&attempt);
		}
	}
}

bool relay_idle(const struct relay *relay)
{
	return table_count(relay->flights) == 0;
}

/* ---- what happens ---------------------------------------------------------- */

static void tell_unrouted(struct relay *relay, uint32_t queue)
{
	if (relay->unrouted_told)
		return;
	relay->unrouted_told = true;
	log_warning("mail unrouted queue=%u: no route matches it, it waits until one does", queue);
}

void relay_due(struct relay *relay, const struct due_news *news, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (news[i].queue == SPOOL_QUEUE_UNROUTED)
			tell_unrouted(relay, news[i].queue);
		queues_news(&relay->queues, &news[i], relay_wall(relay));
	}
	relay_pump(relay);
}

void relay_replied(struct relay *relay, struct grant_news *news)
{
	struct attempt *attempt = table_find_u64(relay->slots, news->slot);

	steps_look(relay); /* before anything is found too old */
	if (attempt == NULL || attempt->state != ATTEMPT_GRANTED)
		log_error("grant unknown slot=%u conn=%llu", news->slot,
		          (unsigned long long)news->connection);
	else
		attempt_replied(attempt, news);
	grant_news_free(&news);
	relay_pump(relay);
}

size_t relay_status(const struct relay *relay, struct provider_status *out, size_t max)
{
	int64_t ahead = relay_wall(relay) - relay_now(relay);
	size_t count = 0;

	for (; count < relay->pool_count && count < max; count++) {
		const struct pool *pool = &relay->pools[count];
		struct provider_status *status = &out[count];

		memset(status, 0, sizeof(*status));
		(void)snprintf(status->name, sizeof(status->name), "%s", pool->provider->name);
		(void)snprintf(status->why, sizeof(status->why), "%s", pool->health.why);
		status->set_aside = pool->health.aside;
		if (pool->health.aside)
			status->aside_until_us = pool->health.open_after_us + ahead;
		status->connections_open = pool->opening_count + pool->ready_count;
		status->connections_ready = pool->ready_count;
		status->in_flight = pool->in_flight;
		status->rate = pool->adapt.rate;
		status->connections_max = pool->connections_max;
		warm_up_status(pool, status);
	}
	return count;
}
