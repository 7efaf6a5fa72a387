/* SPDX-License-Identifier: ISC */
/* reroute.c - mail that was routed by other rules is routed again.
 *
 * At each attempt, and by a paced walk after the start, which also finds what the attempts never
 * meet: queues that are gone from the configuration, and what no route matched. Where a rule on
 * the header decides, a helper reads it; what moves into an inbox is made ready for it by one.
 */
#include <stdlib.h>

#include "base/log.h"
#include "mail/id.h"
#include "relay/private.h"

#define ROWS_A_STEP 1024
#define STEP_WAIT   CLOCK_SEC
#define ROWS_READ   64
/* Headers being read, and mails made ready for inboxes, at a time: helpers have other work, too. */
#define READING_MAX 64
#define READ_WAIT   (50 * CLOCK_MS) /* until the walk goes on when there are so many */
/* Numbers of queues that are gone may be larger than those that are there. */
#define GONE_BEYOND 1000

static bool has_home(struct relay *relay, const struct delivery *d)
{
	return d->queue != SPOOL_QUEUE_UNROUTED && queues_find(&relay->queues, d->queue) != NULL;
}

/* The recipients of d that go to that route, as a delivery of its queue; NULL: none. */
static struct delivery *part_for(const struct delivery *d, const struct route *const *routes,
                                 const struct route *route, const struct message_facts *facts,
                                 uint64_t generation)
{
	struct delivery *part = delivery_copy(d);
	size_t count = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (routes[i] == route) {
			part->recipients[count++] = part->recipients[i];
		} else {
			recipient_release(&part->recipients[i].to);
			free(part->recipients[i].last_reply);
		}
	}
	part->count = count;
	part->queue = route->queue;
	part->generation = generation;
	part->priority = route_priority(route, facts);
	if (route->settings != NULL && route->settings->hold)
		part->due_us = CLOCK_NEVER;
	if (count == 0)
		delivery_free(&part);
	return part;
}

/* What goes into inboxes; NULL: nothing does. */
static struct rehouse_request *request_of(struct attempt *attempt,
                                          const struct route *const *routes)
{
	const struct delivery *d = attempt->delivery;
	struct rehouse_request *request = memory_new(sizeof(*request));

	request->id = attempt->id;
	request->owner = attempt;
	request->recipients = memory_new_array(d->count, sizeof(*request->recipients));
	request->inboxes = memory_new_array(d->count, sizeof(*request->inboxes));
	for (size_t i = 0; i < d->count; i++) {
		if (routes[i]->inbox == NULL)
			continue;
		request->inboxes[request->count] = routes[i]->inbox_number;
		recipient_copy(&request->recipients[request->count++], &d->recipients[i].to);
	}
	if (request->count == 0)
		rehouse_request_free(&request);
	return request;
}

static void move_end(struct attempt *attempt, struct transition *t)
{
	char id[ID_TEXT_SIZE];

	id_format(attempt->id, id);
	log_info("delivery rerouted msg=%s n=%u queue=%u to=%u%s", id, attempt->n,
	         attempt->delivery->queue, t->now == NULL ? 0 : t->now->queue,
	         t->bounce == NULL ? "" : " inbox=yes");
	pass_forget(attempt->relay, attempt->id, attempt->n);
	/* Its new line may be looked at, and found in flight, before the attempt ends: which then
	 * tells that line once more. */
	if (t->now != NULL) {
		attempt->row.queue = t->now->queue;
		attempt->row.priority = t->now->priority;
		attempt->due_again_us = t->now->due_us;
	}
	outcome_send(attempt, t, false);
}

void relay_rehoused(struct relay *relay, struct rehouse_request *request, struct put *put)
{
	struct attempt *attempt = request->owner;
	struct transition *t = attempt->outcome;

	relay->reading--;
	attempt->outcome = NULL;
	if (put == NULL) {
		transition_free(&t);
		outcome_unreadable(attempt);
	} else {
		t->bounce = put;
		move_end(attempt, t);
	}
	rehouse_request_free(&request);
	relay_pump(relay);
}

static void move(struct attempt *attempt, const struct route *const *routes,
                 const struct message_facts *facts)
{
	const struct router *router = attempt->relay->options.router;
	const struct delivery *d = attempt->delivery;
	struct rehouse_request *request = request_of(attempt, routes);
	struct transition *t = outcome_new(attempt);

	for (size_t i = 0; i < router_count(router); i++) {
		const struct route *route = router_at(router, i);
		struct delivery *part = route->inbox != NULL ? NULL
		                                             : part_for(d, routes, route, facts,
		                                                        router_generation(router));

		if (part != NULL && t->now == NULL)
			t->now = part;
		else if (part != NULL)
			transition_apart(t, part);
	}
	if (request == NULL) {
		move_end(attempt, t);
		return;
	}
	attempt->state = ATTEMPT_READING;
	attempt->outcome = t;
	attempt->relay->reading++;
	CALL(attempt->relay, rehouse, request);
}

/* Finds all routes; returns whether any is another one. */
static bool find_routes(struct relay *relay, const struct delivery *d,
                        const struct message_facts *facts, const bool *header_fits,
                        const struct route *routes[SPOOL_RECIPIENTS_MAX])
{
	const struct route_question question = { .sender = &facts->sender,
		                                 .login = facts->login,
		                                 .listener = facts->listener,
		                                 .header_fits = header_fits };
	bool moves = false;

	for (size_t i = 0; i < d->count; i++) {
		routes[i] =
			route_find(relay->options.router, &question, &d->recipients[i].to.address);
		moves = moves || routes[i]->inbox != NULL || routes[i]->queue != d->queue;
	}
	return moves;
}

/* ---- with the header ---------------------------------------------------------- */

static bool needs_header(const struct relay *relay, const struct delivery *d,
                         const struct message_facts *facts)
{
	const struct route_question question = { .sender = &facts->sender,
		                                 .login = facts->login,
		                                 .listener = facts->listener };

	if (relay->options.ports.header == NULL)
		return false;
	for (size_t i = 0; i < d->count; i++)
		if (route_needs_header(relay->options.router, &question,
		                       &d->recipients[i].to.address))
			return true;
	return false;
}

static enum reroute read_header(struct relay *relay, const struct due_row *row, struct delivery *d)
{
	struct header_request *request;
	struct attempt *attempt = attempt_new(relay, row, d);

	attempt->state = ATTEMPT_READING;
	request = memory_new(sizeof(*request));
	request->id = row->id;
	request->owner = attempt;
	relay->reading++;
	CALL(relay, header, request);
	return REROUTE_TAKEN;
}

void relay_header_read(struct relay *relay, struct header_request *request)
{
	const struct route *routes[SPOOL_RECIPIENTS_MAX];
	struct attempt *attempt = request->owner;
	struct message_facts facts = { .id = 0 };
	bool known = request->fits != NULL && CALL(relay, facts, attempt->id, &facts);

	relay->reading--;
	if (!relay->stopping && known &&
	    find_routes(relay, attempt->delivery, &facts, request->fits, routes)) {
		move(attempt, routes, &facts);
	} else {
		/* Noted with its next outcome. */
		if (known)
			attempt->delivery->generation = router_generation(relay->options.router);
		attempt_resume(attempt);
	}
	message_facts_release(&facts);
	header_request_free(&request);
	relay_pump(relay);
}

/* ---- deciding ------------------------------------------------------------------ */

static bool may_move(struct relay *relay, const struct delivery *d)
{
	if (d->generation == router_generation(relay->options.router) ||
	    relay->options.ports.facts == NULL || d->count > SPOOL_RECIPIENTS_MAX)
		return false;
	return !has_home(relay, d) || d->pinned == 0;
}

enum reroute reroute(struct relay *relay, const struct due_row *row, struct delivery *d)
{
	const struct route *routes[SPOOL_RECIPIENTS_MAX];
	enum reroute result = REROUTE_STAYS;
	struct message_facts facts;

	if (!may_move(relay, d) || !CALL(relay, facts, d->id, &facts))
		return REROUTE_STAYS;
	if (relay->reading >= READING_MAX) {
		result = REROUTE_LATER;
	} else if (needs_header(relay, d, &facts)) {
		result = read_header(relay, row, d);
	} else if (find_routes(relay, d, &facts, NULL, routes)) {
		result = REROUTE_TAKEN;
		move(attempt_new(relay, row, d), routes, &facts);
	}
	message_facts_release(&facts);
	return result;
}

/* ---- the walk ---------------------------------------------------------------- */

/* A line of a queue that is there is walked when its head is of other rules: what waits longest
 * shows whether they changed. Later rows that do not are met by their attempts. */
static bool is_stale(struct relay *relay, const struct due_row *head)
{
	struct delivery *d;
	bool stale;

	if (head->queue == SPOOL_QUEUE_UNROUTED || queues_find(&relay->queues, head->queue) == NULL)
		return true;
	d = memory_new(sizeof(*d));
	stale = CALL(relay, delivery, head->id, head->n, d) &&
	        d->generation != router_generation(relay->options.router);
	delivery_free(&d);
	return stale;
}

static enum reroute look_at(struct relay *relay, const struct due_row *row)
{
	enum reroute result = REROUTE_STAYS;
	struct delivery *d;

	if (attempt_busy(relay, row->id, row->n))
		return result;
	d = memory_new(sizeof(*d));
	if (CALL(relay, delivery, row->id, row->n, d) && d->due_us == row->time_us)
		result = reroute(relay, row, d);
	if (result != REROUTE_TAKEN)
		delivery_free(&d);
	return result;
}

/* The next line of this queue, or of the next one that has any. false: all were walked. */
static bool next_line(struct relay *relay)
{
	struct sweep *s = &relay->sweep;

	while (!CALL(relay, due_line, &s->line)) {
		if (s->line.queue >= s->last)
			return false;
		s->line = (struct due_row){ .queue = s->line.queue + 1,
			                    .priority = SPOOL_BEFORE_FIRST };
	}
	s->from = s->line;
	s->in_line = is_stale(relay, &s->line);
	return true;
}

static size_t walk_line(struct relay *relay)
{
	struct sweep *s = &relay->sweep;
	struct due_row rows[ROWS_READ];
	size_t count = CALL(relay, due, &s->from, CLOCK_NEVER, rows, ROWS_READ);

	for (size_t i = 0; i < count; i++) {
		s->from = rows[i];
		if (look_at(relay, &rows[i]) == REROUTE_LATER)
			return i + 1;
		s->from.n++;
	}
	s->in_line = count == ROWS_READ;
	return count + 1;
}

static void sweep_step(void *context)
{
	struct relay *relay = context;
	size_t done = 0;

	while (done < ROWS_A_STEP && !outcome_backlog(relay) && relay->reading < READING_MAX) {
		if (!relay->sweep.in_line && !next_line(relay))
			return; /* all of it was seen */
		done += relay->sweep.in_line ? walk_line(relay) : 1;
	}
	timer_start(&relay->sweep.timer, done < ROWS_A_STEP ? READ_WAIT : STEP_WAIT);
}

void sweep_start(struct relay *relay)
{
	const struct router *router = relay->options.router;
	struct sweep *s = &relay->sweep;

	for (size_t i = 0; i < router_count(router); i++)
		if (router_at(router, i)->queue > s->last)
			s->last = router_at(router, i)->queue;
	s->last += GONE_BEYOND;
	s->line = (struct due_row){ .queue = SPOOL_QUEUE_UNROUTED, .priority = SPOOL_BEFORE_FIRST };
	timer_start(&s->timer, 0);
}

void sweep_init(struct relay *relay)
{
	timer_init(&relay->sweep.timer, relay->options.loop, sweep_step, relay);
}
