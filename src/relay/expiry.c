/* SPDX-License-Identifier: ISC */
/* expiry.c - mail that waits longer than its route, or its sender, allows.
 *
 * What is attempted expires at its deferral. What is not attempted, because every provider of its
 * route is set aside, is found here: a walk through the due rows of such queues, in due order, a
 * bounded number at a time. Those too old fail with a report; the others are not touched. What the
 * sender himself gave a time (RFC 2852) has an alarm in the spool, and is found by that.
 */
#include "relay/private.h"

#define ROWS_A_STEP  1024            /* read each time: about 2 ms every 10 s */
#define PASS_WAIT    (5 * CLOCK_MIN) /* from the begin of one walk to that of the next */
#define BOUNCING_MAX 64 /* reports being made at a time: helpers have other work, too */
#define ROWS_READ    64

/* Only the last words of a provider, or our own, can be told. */
struct reply last_reply(const struct delivery *d, size_t i)
{
	struct reply reply = { 0 };
	struct reply_parser parser = { .code = 0 };
	const char *text = d->recipients[i].last_reply;

	if (text == NULL || reply_parser_line(&parser, span_of_text(text), &reply) != REPLY_DONE)
		reply_local(&reply, 451, "4.4.1", "no provider could be reached");
	reply_parser_release(&parser);
	reply.local = true; /* said long ago, and not to be taken for an answer of today */
	return reply;
}

void attempt_expire(struct attempt *attempt)
{
	const struct delivery *delivery = attempt->delivery;
	struct recipient_fate fates[SPOOL_RECIPIENTS_MAX] = { 0 };
	struct reply replies[SPOOL_RECIPIENTS_MAX] = { 0 };
	size_t count = delivery->count;

	attempt_leave(attempt);
	for (size_t i = 0; i < count; i++) {
		replies[i] = last_reply(delivery, i);
		fates[i] = (struct recipient_fate){ FATE_FAILED, &replies[i], true };
	}
	outcome_fates(attempt, fates);
	for (size_t i = 0; i < count; i++)
		reply_release(&replies[i]);
}

static void expire_delivery(struct relay *relay, const struct due_row *row,
                            struct delivery *delivery)
{
	attempt_expire(attempt_new(relay, row, delivery));
}

static void look_at(struct relay *relay, const struct due_row *row)
{
	struct delivery *delivery;

	if (attempt_busy(relay, row->id, row->n))
		return;
	delivery = memory_new(sizeof(*delivery));
	if (CALL(relay, delivery, row->id, row->n, delivery) && delivery->due_us == row->time_us &&
	    delivery_expired(relay, delivery))
		expire_delivery(relay, row, delivery);
	else
		delivery_free(&delivery);
}

static bool is_stalled(const struct queue *queue)
{
	return queue->pool == NULL && queue->route->settings != NULL && queue->ready_mask != 0;
}

static void start_queue(struct relay *relay, size_t place)
{
	struct expiry *e = &relay->expiry;

	e->queue = place;
	e->in_line = false;
	e->line = (struct due_row){ .queue = relay->queues.items[place].route->queue,
		                    .priority = SPOOL_BEFORE_FIRST };
}

/* The next line of the queue being walked, or of the next one that is stalled. false: all were
 * walked; another pass begins later. */
static bool next_line(struct relay *relay)
{
	struct expiry *e = &relay->expiry;

	if (!e->begun) {
		if (relay_now(relay) < e->next_pass_us)
			return false;
		start_queue(relay, 0);
		e->next_pass_us = relay_now(relay) + PASS_WAIT;
		e->begun = true;
	}
	while (!is_stalled(&relay->queues.items[e->queue]) || !CALL(relay, due_line, &e->line)) {
		if (e->queue + 1 == relay->queues.count) {
			e->begun = false;
			return false;
		}
		start_queue(relay, e->queue + 1);
	}
	e->from = e->line;
	e->in_line = true;
	return true;
}

static size_t walk_line(struct relay *relay)
{
	struct expiry *e = &relay->expiry;
	struct due_row rows[ROWS_READ];
	size_t count = CALL(relay, due, &e->from, relay_wall(relay), rows, ROWS_READ);

	for (size_t i = 0; i < count; i++)
		look_at(relay, &rows[i]);
	if (count > 0) {
		e->from = rows[count - 1];
		e->from.n++;
	}
	e->in_line = count == ROWS_READ;
	return count + 1;
}

void expiry_walk(struct relay *relay)
{
	size_t done = 0;

	while (done < ROWS_A_STEP && relay->bouncing < BOUNCING_MAX &&
	       (relay->expiry.in_line || next_line(relay)))
		done += walk_line(relay);
}

/* A provider of their own is set aside, while their line goes through another. */
void expiry_elsewhere(struct relay *relay)
{
	for (size_t i = 0; i < relay->pool_count && relay->elsewhere > 0; i++) {
		struct list *node, *after;

		list_each(node, after, &relay->pools[i].parked)
		{
			struct attempt *attempt = list_entry(node, struct attempt, node);

			if (attempt->elsewhere && relay->bouncing < BOUNCING_MAX &&
			    delivery_expired(relay, attempt->delivery))
				attempt_expire(attempt);
		}
	}
}

/* ---- deadlines ------------------------------------------------------------- */

/* In flight: its outcome sees to it. One that only waits for its provider is taken back. */
static bool in_flight(struct relay *relay, const struct alarm *alarm)
{
	struct flight_key key = flight_key(alarm->id, alarm->n);
	struct attempt *attempt = table_find(relay->flights, flight_span(&key));

	if (attempt == NULL)
		return false;
	if (attempt->state != ATTEMPT_PARKED)
		return true;
	attempt_free(&attempt);
	return false;
}

/* Without what the clock was set forward. */
static bool is_delayed(const struct relay *relay, const struct delivery *d)
{
	return d->warn_us > 0 && relay_age(relay, d->accepted_us) >= d->warn_us - d->accepted_us;
}

static void deadline_reached(struct relay *relay, const struct alarm *alarm)
{
	struct delivery *d = memory_new(sizeof(*d));
	struct due_row row;

	if (!CALL(relay, delivery, alarm->id, alarm->n, d) ||
	    !(delivery_late(relay, d) || is_delayed(relay, d)) || in_flight(relay, alarm)) {
		delivery_free(&d);
		return;
	}
	row = (struct due_row){ d->queue, d->priority, d->class, d->due_us, alarm->id, alarm->n };
	if (delivery_expired(relay, d))
		expire_delivery(relay, &row, d);
	else
		report_delay(attempt_new(relay, &row, d));
}

/* Goes on where it was, so that those which are not late yet, because the clock was set forward, do
 * not stand before the others. */
void deadline_walk(struct relay *relay)
{
	struct alarm alarms[ROWS_READ], *from = &relay->expiry.alarm;
	size_t count, done = 0;

	if (relay->options.ports.alarms == NULL)
		return;
	do {
		count = CALL(relay, alarms, from, relay_wall(relay), alarms, ROWS_READ);
		for (size_t i = 0; i < count && relay->bouncing < BOUNCING_MAX; i++) {
			*from = alarms[i];
			from->n++;
			deadline_reached(relay, &alarms[i]);
		}
		done += count;
	} while (count == ROWS_READ && done < ROWS_A_STEP && relay->bouncing < BOUNCING_MAX);
	relay->more_alarms = count == ROWS_READ || relay->bouncing >= BOUNCING_MAX;
	if (!relay->more_alarms)
		*from = (struct alarm){ 0 };
}
