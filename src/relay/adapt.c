/* SPDX-License-Identifier: ISC */
/* adapt.c - finds the rate that a provider takes without being told of it.
 *
 * Pure arithmetic on monotonic time. A reply that asks for less makes the rate fall: by much
 * while the limit is not known, by little when it was hit where it was expected. Then
 * it stays just below for a thousand messages, and grows again in small steps, so that under one in
 * a hundred is throttled. What is not used does not grow.
 */
#include "relay/private.h"

#define FALL_UNKNOWN 0.7
#define FALL_AGAIN   0.93
#define FALL_KNOWN   0.98
#define NEAR         1.15 /* of the ceiling: there it was expected */
/* So many messages without a complaint end a row of them. */
#define QUIET_AFTER  20
#define HOLD_COUNT   1000
#define HOLD_US      (2 * CLOCK_MIN)
/* One step of growth, at the earliest after so many messages and so long. */
#define STEP_COUNT   20
#define STEP_US      CLOCK_SEC
#define STEP_SMALL   0.005 /* near the ceiling; doubles with each step beyond it */
#define STEP_LARGE   0.08
#define STEP_FIRST   0.04 /* from far below the ceiling back to it */
#define PROOF_LEAST  20   /* messages */
#define PROOF_KEEPS  0.985
#define PROOF_LOSES  0.03 /* for each complaint in a row beyond the usual */
#define PROOF_ABOVE  1.02
#define ROW_LONG     12
#define HOLD_SILENCE 30 /* it holds as many times as long as it was refused the last time */
#define HOLD_FIRST   50 /* messages, while the ceiling is a guess */
#define USED_LEAST   0.8
#define RATE_LEAST   (1.0 / 60) /* a second */
#define PAUSE_MIN    (50 * CLOCK_MS)
#define PAUSE_FIRST  CLOCK_SEC
#define PAUSE_ROW    (8 * CLOCK_SEC)
#define PAUSE_MOST   CLOCK_MIN

void adapt_written(struct adapt *a, int64_t depart_us)
{
	double gap = a->rate > 0 ? (double)CLOCK_SEC / a->rate : 0;

	/* Lateness of less than one gap is made up for, or rounding would undershoot the rate. */
	if (a->next_us < (double)depart_us - gap)
		a->next_us = (double)depart_us - gap;
	a->next_us += gap;
}

int64_t adapt_when(const struct adapt *a, int64_t now_us)
{
	int64_t when = a->rate > 0 ? (int64_t)a->next_us : now_us;

	when = a->paused_until_us > when ? a->paused_until_us : when;
	return when > now_us ? when : now_us;
}

/* Messages of the last second: what it took before it complained the first time. */
static double measured(const struct adapt *a, int64_t now_us)
{
	double part = (double)(now_us - a->second_us) / (double)CLOCK_SEC;
	double rate = part < 1 ? (double)a->before * (1 - part) + (double)a->second
	                       : (double)a->second / part;

	return rate > 1 ? rate : 1;
}

static void begin_step(struct adapt *a, int64_t now_us)
{
	a->step_us = now_us;
	a->step_count = 0;
}

static double fall_of(const struct adapt *a)
{
	/* What goes on being refused after the first fall is of the same window. */
	if (a->known && a->row > 1 && a->row <= ROW_LONG)
		return 1;
	if (a->row > 2 || a->ceiling <= 0)
		return FALL_UNKNOWN;
	if (a->row > 1)
		return FALL_AGAIN;
	return a->rate <= a->ceiling * NEAR ? FALL_KNOWN : FALL_UNKNOWN;
}

/* From one complaint to the next, with the silence after the first: the provider took so many. That
 * much it takes, whatever the window, so the rate does not fall far below. */
static void note_proven(struct adapt *a, int64_t now_us)
{
	a->proven = a->row_us > 0 && a->taken >= PROOF_LEAST
	                    ? (double)a->taken * (double)CLOCK_SEC / (double)(now_us - a->row_us)
	                    : 0;
	a->taken = 0;
	a->row_us = now_us;
}

/* Two complaints in a row at about the same rate make it known. What follows the first at once is
 * of the same window, and says nothing of the lower rate, unless it goes on. */
static void note_ceiling(struct adapt *a, int64_t now_us)
{
	if (a->row == 1) {
		note_proven(a, now_us);
		a->known = (a->proven > 0 && a->rate < a->proven * NEAR) ||
		           (a->ceiling > 0 && a->rate > a->ceiling * 0.93 &&
		            a->rate < a->ceiling * 1.07);
		a->ceiling = !a->known && a->proven > 0 && a->proven * PROOF_ABOVE < a->rate
		                     ? a->proven * PROOF_ABOVE
		                     : a->rate;
	} else if (a->row > ROW_LONG || (a->row > 2 && a->proven <= 0)) {
		a->known = false;
		a->ceiling = a->rate;
	}
}

static int64_t pause_of(const struct adapt *a, int64_t said_us)
{
	int64_t wait = (int64_t)(2 * (double)CLOCK_SEC / a->rate);

	if (said_us > 0)
		return said_us;
	wait = wait < PAUSE_MIN ? PAUSE_MIN : wait < PAUSE_FIRST ? wait : PAUSE_FIRST;
	for (unsigned i = 1; i < a->row && wait < (a->row > ROW_LONG ? PAUSE_MOST : PAUSE_ROW); i++)
		wait *= 2;
	return wait;
}

bool adapt_throttled(struct adapt *a, int64_t written_us, int64_t now_us, int64_t said_us)
{
	double fall, floor;

	if (written_us <= a->throttled_us) /* those that were in flight say the same again */
		return false;
	if (a->rate <= 0)
		a->rate = measured(a, now_us);
	a->row++;
	a->quiet = 0;
	note_ceiling(a, now_us);
	fall = fall_of(a);
	a->rate *= fall;
	floor = a->proven *
	        (PROOF_KEEPS - (a->row > ROW_LONG ? PROOF_LOSES * (a->row - ROW_LONG) : 0));
	if (a->rate < floor)
		a->rate = floor;
	if (a->rate < RATE_LEAST)
		a->rate = RATE_LEAST;
	a->throttled_us = now_us;
	a->paused_until_us = now_us + pause_of(a, said_us);
	a->next_us = (double)a->paused_until_us;
	a->found = a->rate;
	a->step = STEP_SMALL;
	begin_step(a, a->paused_until_us);
	a->held_count = 0;
	a->held_us = now_us;
	a->changed = true;
	return true;
}

static void grow(struct adapt *a, int64_t now_us)
{
	double elapsed = (double)(now_us - a->step_us) / (double)CLOCK_SEC;
	bool used = (double)a->step_count >= USED_LEAST * a->rate * elapsed;

	begin_step(a, now_us);
	if (!used)
		return;
	if (a->rate < a->ceiling * 0.95) {
		a->rate *= 1 + STEP_FIRST;
		return;
	}
	a->rate *= 1 + a->step;
	if (a->rate > a->ceiling && a->step < STEP_LARGE)
		a->step *= 2;
}

/* Just below the ceiling it stays for a while. */
static bool is_holding(const struct adapt *a, int64_t now_us)
{
	if (a->rate < a->ceiling * 0.95 || a->rate > a->ceiling)
		return false;
	if (!a->known)
		return a->held_count < HOLD_FIRST;
	return a->held_count < HOLD_COUNT || now_us - a->held_us < HOLD_US ||
	       now_us - a->held_us < HOLD_SILENCE * a->silence_us;
}

void adapt_worked(struct adapt *a, int64_t now_us)
{
	if (now_us - a->second_us >= CLOCK_SEC) {
		a->before = now_us - a->second_us < 2 * CLOCK_SEC ? a->second : 0;
		a->second = 0;
		a->second_us = now_us;
	}
	a->second++;
	if (a->rate <= 0)
		return;
	if (a->taken++ == 0 && a->row_us > 0)
		a->silence_us = now_us - a->row_us < CLOCK_MIN ? now_us - a->row_us : CLOCK_MIN;
	a->step_count++;
	a->held_count++;
	if (++a->quiet >= QUIET_AFTER)
		a->row = 0;
	/* A window that was shut for long shows only late that it is overfilled. */
	if (a->step_count < STEP_COUNT || now_us - a->step_us < STEP_US ||
	    now_us - a->step_us < a->silence_us / 4 || is_holding(a, now_us))
		return;
	grow(a, now_us);
	if (a->most > 0 && a->rate > a->most) /* the declared rate is below: nothing to adapt */
		*a = (struct adapt){ .most = a->most, .changed = true };
}

void adapt_restore(struct adapt *a, double rate)
{
	a->rate = a->found = rate;
	a->ceiling = rate / FALL_KNOWN;
	a->step = STEP_SMALL;
}
