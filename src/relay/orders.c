/* SPDX-License-Identifier: ISC */
/* orders.c - what an operator asks for a whole message: retry, hold, release, remove.
 *
 * Each delivery that is not in flight becomes an attempt without a provider, so that nobody else
 * touches it, and changes in a transaction of its own; those in flight are left alone. The
 * order goes home when all of them are durable.
 */
#include "relay/private.h"

#define DELIVERIES_MAX 64 /* numbers of deliveries read at a time */

static void order_home(struct channel_item *item, void *receiver)
{
	struct relay_order *order = (struct relay_order *)item;

	(void)receiver;
	order->done(order);
}

/* `pending` counts deliveries and one for the walk itself. */
static void order_step_done(struct relay_order *order)
{
	if (--order->pending > 0)
		return;
	order->item.arrived = order_home;
	if (order->home == NULL)
		order->done(order);
	else
		channel_post(order->home, &order->item);
}

static void order_recorded(struct attempt *attempt, bool done)
{
	struct relay_order *order = attempt->owner;

	if (done)
		order->changed++;
	order_step_done(order);
}

/* The due time that the order gives; false: it does not concern this delivery. A release time that
 * the sender asked for outlives hold and release, and yields to a release of its own only. */
static bool order_due(const struct relay *relay, enum relay_verb verb, const struct delivery *d,
                      int64_t *due_r)
{
	bool held = d->due_us == CLOCK_NEVER, scheduled = d->accepted_us > relay_wall(relay);

	*due_r = verb == RELAY_HOLD ? CLOCK_NEVER : relay_wall(relay);
	switch (verb) {
	case RELAY_RETRY:
		return !held && !scheduled && d->due_us > *due_r;
	case RELAY_HOLD:
		return !held;
	case RELAY_RELEASE:
		if (held && scheduled)
			*due_r = d->accepted_us;
		return held || (scheduled && d->due_us > *due_r);
	case RELAY_REMOVE:
		return true;
	}
	return false;
}

static void order_apply(struct relay *relay, struct relay_order *order, struct delivery *delivery)
{
	struct due_row row = { delivery->queue,  delivery->priority, delivery->class,
		               delivery->due_us, delivery->id,       delivery->n };
	struct attempt *attempt;
	struct transition *t;
	int64_t due;

	if (!order_due(relay, order->verb, delivery, &due)) {
		delivery_free(&delivery);
		return;
	}
	order->pending++;
	attempt = attempt_new(relay, &row, delivery);
	attempt->recorded = order_recorded;
	attempt->owner = order;
	t = outcome_new(attempt);
	if (order->verb != RELAY_REMOVE) {
		t->now = delivery_copy(delivery);
		t->now->due_us = due;
	}
	outcome_send(attempt, t, true);
}

/* One that only waits its turn in memory is not in flight. */
static bool in_flight(struct relay *relay, uint64_t id, uint32_t n)
{
	struct flight_key key = flight_key(id, n);
	struct attempt *attempt = table_find(relay->flights, flight_span(&key));

	if (attempt != NULL && attempt->state == ATTEMPT_PARKED) {
		attempt_free(&attempt);
		return false;
	}
	return attempt != NULL;
}

static void order_delivery(struct relay *relay, struct relay_order *order, uint32_t n)
{
	struct delivery *delivery;

	order->found = true;
	if (in_flight(relay, order->id, n)) {
		order->busy++;
		return;
	}
	delivery = memory_new(sizeof(*delivery));
	if (CALL(relay, delivery, order->id, n, delivery))
		order_apply(relay, order, delivery);
	else
		delivery_free(&delivery);
}

void relay_obey(struct relay *relay, struct relay_order *order)
{
	uint32_t numbers[DELIVERIES_MAX], from = 0;
	size_t count;

	order->changed = order->busy = 0;
	order->found = false;
	order->pending = 1;
	do {
		count = CALL(relay, deliveries, order->id, from, numbers, DELIVERIES_MAX);
		for (size_t i = 0; i < count; i++)
			order_delivery(relay, order, numbers[i]);
		if (count > 0)
			from = numbers[count - 1] + 1;
	} while (count == DELIVERIES_MAX);
	/* Whoever says retry has mended something: its provider is tried at once, too. */
	for (size_t i = 0; order->verb == RELAY_RETRY && order->found && i < relay->pool_count; i++)
		pool_retry(&relay->pools[i]);
	order_step_done(order);
	relay_pump(relay);
}
