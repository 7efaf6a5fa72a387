/* SPDX-License-Identifier: ISC */
/* pass.c - which providers refused a mail that another may take.
 *
 * An unverified sender, or a message that is too large for one provider, is no failure while
 * another provider of the route has not refused it too. Kept in memory only, and bounded: after a
 * restart the first provider refuses it once more. What from-allowed says is asked each time.
 */
#include <stdlib.h>

#include "relay/from.h"
#include "relay/private.h"

#define PASSED_MAX 1000 /* mails on their way round; beyond they wait like deferred ones */
#define MASK_BITS  64   /* providers beyond are never passed over */

struct passing {
	uint64_t refused; /* by the pool's place */
};

static uint64_t bit_of(const struct relay *relay, const struct pool *pool)
{
	size_t place = (size_t)(pool - relay->pools);

	return place < MASK_BITS ? UINT64_C(1) << place : 0;
}

/* One that can be used now before one that is set aside. */
static struct pool *another(struct relay *relay, uint32_t queue_number, uint64_t refused)
{
	struct queue *queue = queues_find(&relay->queues, queue_number);
	struct pool *aside = NULL;

	for (size_t i = 0; queue != NULL && i < queue->via_count; i++) {
		struct pool *pool = queue->via[i];

		if (refused & bit_of(relay, pool))
			continue;
		if (!pool->health.aside)
			return pool;
		aside = aside == NULL ? pool : aside;
	}
	return aside;
}

/* Those of its route that do not take its sender. */
static uint64_t barred_of(const struct attempt *attempt)
{
	struct relay *relay = attempt->relay;
	struct queue *queue = queues_find(&relay->queues, attempt->delivery->queue);
	struct message_facts facts;
	uint64_t barred = 0;

	if (queue == NULL || !queue->bars || relay->options.ports.facts == NULL ||
	    !CALL(relay, facts, attempt->id, &facts))
		return 0;
	for (size_t i = 0; i < queue->via_count; i++)
		if (!from_allows(queue->via[i]->provider, &facts.sender, facts.from))
			barred |= bit_of(relay, queue->via[i]);
	message_facts_release(&facts);
	return barred;
}

enum pass pass_on(struct attempt *attempt)
{
	struct relay *relay = attempt->relay;
	struct flight_key key = flight_key(attempt->id, attempt->n);
	struct passing *passing = table_find(relay->passed, flight_span(&key));
	uint64_t bit = bit_of(relay, attempt->pool);
	uint64_t refused = bit | (passing == NULL ? 0 : passing->refused);

	refused |= attempt->barred;
	if (bit == 0 || another(relay, attempt->delivery->queue, refused) == NULL)
		return PASS_NONE;
	if (passing == NULL) {
		if (table_count(relay->passed) >= PASSED_MAX)
			return PASS_LATER;
		passing = memory_new(sizeof(*passing));
		table_set(relay->passed, flight_span(&key), passing);
	}
	passing->refused |= bit;
	return PASS_ON;
}

struct pool *pass_target(struct attempt *attempt, struct pool *pool)
{
	struct relay *relay = attempt->relay;
	struct flight_key key = flight_key(attempt->id, attempt->n);
	const struct passing *passing = NULL;
	uint64_t refused;

	attempt->barred = refused = barred_of(attempt);
	if (table_count(relay->passed) > 0)
		passing = table_find(relay->passed, flight_span(&key));
	if (passing != NULL)
		refused |= passing->refused;
	if (!(refused & bit_of(relay, pool)))
		return pool;
	return another(relay, attempt->delivery->queue, refused);
}

void pass_forget(struct relay *relay, uint64_t id, uint32_t n)
{
	struct flight_key key = flight_key(id, n);

	if (table_count(relay->passed) > 0)
		free(table_remove(relay->passed, flight_span(&key)));
}

static void forget(void *context, struct span key, void *value)
{
	(void)context;
	(void)key;
	free(value);
}

void pass_release(struct relay *relay)
{
	table_each(relay->passed, forget, NULL);
	table_free(&relay->passed);
}
