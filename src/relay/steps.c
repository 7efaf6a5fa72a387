/* SPDX-License-Identifier: ISC */
/* steps.c - the wall clock was set while mail waits.
 *
 * Set back, it makes wait what was queued before: after such a step, and after the start, all that
 * is due later than now is looked at, a bounded number at a time. What was never tried is due now,
 * unless it is held or its sender gave it a time; what was tried waits no longer than its route
 * ever lets it. Set forward, it is no time that passed: as long as this process lives it is not
 * counted as the age of mail. Rates go by the monotonic clock and know nothing of this.
 */
#include "base/log.h"
#include "mail/id.h"
#include "relay/private.h"

#define STEP_LEAST  CLOCK_MIN /* less is the clock being adjusted, or a slow look at it */
#define ROWS_A_TURN 1024
#define TURN_WAIT   CLOCK_SEC
#define ROWS_READ   64

/* ---- forward ----------------------------------------------------------------- */

static void note_forward(struct clock_steps *s, int64_t before_us, int64_t by_us)
{
	if (s->count ==
	    CLOCK_STEPS_MAX) { /* the oldest is forgotten: that mail is a little older */
		for (size_t i = 1; i < s->count; i++)
			s->forward[i - 1] = s->forward[i];
		s->count--;
	}
	s->forward[s->count].before_us = before_us;
	s->forward[s->count++].by_us = by_us;
}

/* What was set forward by mistake is set back. */
static void note_back(struct clock_steps *s, int64_t by_us)
{
	while (s->count > 0 && by_us > 0) {
		int64_t *last = &s->forward[s->count - 1].by_us;
		int64_t part = by_us < *last ? by_us : *last;

		*last -= part;
		by_us -= part;
		if (*last == 0)
			s->count--;
	}
}

int64_t relay_age(const struct relay *relay, int64_t since_us)
{
	const struct clock_steps *s = &relay->steps;
	int64_t age = relay_wall(relay) - since_us;

	for (size_t i = 0; i < s->count; i++)
		if (since_us <= s->forward[i].before_us)
			age -= s->forward[i].by_us;
	return age;
}

/* ---- back: the walk ---------------------------------------------------------- */

static int64_t longest_wait(const struct route_settings *rule)
{
	int64_t longest = 0;

	for (size_t i = 0; rule != NULL && i < rule->retry_count; i++)
		longest = rule->retry_us[i] > longest ? rule->retry_us[i] : longest;
	return outcome_wait_most(longest);
}

/* Its sender gave it that time (RFC 4865), and it was not tried since. */
static bool is_scheduled(struct relay *relay, const struct delivery *d)
{
	struct message_facts facts;
	bool scheduled;

	if (relay->options.ports.facts == NULL || !CALL(relay, facts, d->id, &facts))
		return false;
	scheduled = facts.terms.release_us > 0 && d->due_us <= facts.terms.release_us;
	message_facts_release(&facts);
	return scheduled;
}

static bool waits_too_long(struct relay *relay, const struct delivery *d,
                           const struct route_settings *rule)
{
	int64_t wait = d->due_us - relay_wall(relay);

	return wait > (d->attempts == 0 ? 0 : longest_wait(rule)) && !is_scheduled(relay, d);
}

static void make_due(struct relay *relay, const struct due_row *row, struct delivery *d)
{
	struct attempt *attempt = attempt_new(relay, row, d);
	struct transition *t = outcome_new(attempt);
	int64_t wall = relay_wall(relay);

	t->now = delivery_copy(d);
	t->now->due_us = wall;
	if (t->now->accepted_us > wall)
		t->now->accepted_us = wall;
	relay->steps.moved++;
	outcome_send(attempt, t, false);
}

static void look_at(struct relay *relay, const struct due_row *row,
                    const struct route_settings *rule)
{
	struct delivery *d;

	if (attempt_busy(relay, row->id, row->n))
		return;
	d = memory_new(sizeof(*d));
	if (CALL(relay, delivery, row->id, row->n, d) && d->due_us == row->time_us &&
	    waits_too_long(relay, d, rule))
		make_due(relay, row, d);
	else
		delivery_free(&d);
}

/* The next line of this queue, or of the next one that has any. false: all were walked. */
static bool next_line(struct relay *relay)
{
	struct clock_steps *s = &relay->steps;

	while (!CALL(relay, due_line, &s->line)) {
		if (++s->queue >= relay->queues.count)
			return false;
		s->line = (struct due_row){ .queue = relay->queues.items[s->queue].route->queue,
			                    .priority = SPOOL_BEFORE_FIRST };
	}
	s->from = s->line;
	s->from.time_us = relay_wall(relay) + 1;
	s->from.id = 0;
	s->from.n = 0;
	s->in_line = true;
	return true;
}

static size_t walk_line(struct relay *relay)
{
	struct clock_steps *s = &relay->steps;
	struct due_row rows[ROWS_READ];
	size_t count = CALL(relay, due, &s->from, CLOCK_NEVER - 1, rows, ROWS_READ);

	for (size_t i = 0; i < count; i++)
		look_at(relay, &rows[i], relay->queues.items[s->queue].route->settings);
	if (count > 0) {
		s->from = rows[count - 1];
		s->from.n++;
	}
	s->in_line = count == ROWS_READ;
	return count + 1;
}

static void walk(void *context)
{
	struct relay *relay = context;
	size_t done = 0;

	while (done < ROWS_A_TURN && !outcome_backlog(relay)) {
		if (!relay->steps.in_line && !next_line(relay)) {
			if (relay->steps.moved > 0)
				log_info("mail due again after the clock was set back count=%zu",
				         relay->steps.moved);
			return;
		}
		done += walk_line(relay);
	}
	timer_start(&relay->steps.timer, TURN_WAIT);
}

static void walk_start(struct relay *relay)
{
	struct clock_steps *s = &relay->steps;

	s->queue = 0;
	s->in_line = false;
	s->moved = 0;
	s->line = (struct due_row){ .queue = relay->queues.items[0].route->queue,
		                    .priority = SPOOL_BEFORE_FIRST };
	timer_start(&s->timer, 0);
}

/* ---- noticing ---------------------------------------------------------------- */

static int64_t ahead_us(const struct relay *relay)
{
	return relay_wall(relay) - relay_now(relay);
}

void steps_look(struct relay *relay)
{
	struct clock_steps *s = &relay->steps;
	int64_t by = ahead_us(relay) - s->ahead_us;

	if (by > -STEP_LEAST && by < STEP_LEAST)
		return;
	log_warning("the clock was set %s by=%llds", by < 0 ? "back" : "forward",
	            (long long)((by < 0 ? -by : by) / CLOCK_SEC));
	s->ahead_us = ahead_us(relay);
	if (by > 0) {
		note_forward(s, relay_wall(relay) - by, by);
		return;
	}
	note_back(s, -by);
	if (!relay->stopping)
		walk_start(relay);
}

void steps_init(struct relay *relay)
{
	timer_init(&relay->steps.timer, relay->options.loop, walk, relay);
}

void steps_start(struct relay *relay)
{
	relay->steps.ahead_us = ahead_us(relay);
	walk_start(relay);
}
