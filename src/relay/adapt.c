/* SPDX-License-Identifier: ISC */
/* adapt.c - finds the rate that a provider takes without being told of it.
 *
 * Pure arithmetic on monotonic time. A provider that complains is shut until it takes something
 * again. From one opening to the next it took so many in so long: whatever its window is and
 * whenever it began, that is its rate, but for what was lost by asking late. So there are two
 * bounds, and when they are near each other the rate is found. Where they stay apart (a window of
 * few messages) the rate grows from the lower one in steps until the next complaint: found is the
 * last step that was taken without one. Then it keeps just below, and tries more seldom and seldom,
 * in small steps. What is not used does not grow.
 */
#include "relay/private.h"

#define SURE_COUNT  100  /* messages from opening to opening: enough to conclude from */
#define SURE_WIDTH  1.04 /* between the bounds */
#define BELOW_FOUND 0.985
#define BELOW_SHUT  0.98 /* of the rate at which a known limit was hit */
#define NEAR        1.1  /* of the ceiling: there it is the limit that is known */
#define RESTART     0.9  /* the rate is too high by so much: lower it and look again */
#define ABOVE_FAR   1.02
#define SHUT_AGAIN                                                                     \
	4 /* times as long as it was shut: then it shuts again, or the rate is too low \
	   */
#define IDLE_PART   4
#define FALL_IDLE   0.8 /* when nothing can be concluded: it was not asked all the time */
#define FALL_COUNT  50  /* messages, before it is lowered again */
#define FALLS_MOST  8   /* without a rest: it is another limit */
#define HITS_MOST   24
#define QUIET_AFTER 20   /* messages without a complaint */
#define HOLD_COUNT  1000 /* messages just below the limit, before more is tried; doubles */
#define HOLD_US     (2 * CLOCK_MIN)
#define HOLD_MOST   8 /* times as many */
/* One step of growth, at the earliest after so many messages and so long. */
#define STEP_COUNT  20
#define STEP_US     CLOCK_SEC
#define STEP_SEARCH 0.03
#define STEP_SMALL  0.005 /* near the ceiling; doubles with each step beyond it */
#define STEP_LARGE  0.08
#define BEGUN_LEAST 0.05 /* of a second: shorter ones tell nothing of a rate */
#define USED_LEAST  0.8
#define WINDOW_MOST (2 * CLOCK_MIN)
#define RATE_LEAST  (1.0 / 60) /* a second */
/* Until it is asked again after a complaint: a part of the time that it is shut already. */
#define PAUSE_PART  4
#define PAUSE_MIN   (50 * CLOCK_MS)
#define PAUSE_MOST  CLOCK_MIN

void adapt_written(struct adapt *a, int64_t depart_us)
{
	double gap = a->rate > 0 ? (double)CLOCK_SEC / a->rate : 0;

	/* While it is shut, one at a time asks whether it still is. */
	if (a->shut_us > 0 && gap < PAUSE_MIN)
		gap = PAUSE_MIN;
	/* Lateness of less than one gap is made up for, or rounding would undershoot the rate. */
	if (a->next_us < (double)depart_us - gap) {
		a->idle_us += (double)depart_us - gap - a->next_us;
		a->next_us = (double)depart_us - gap;
	}
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
	double rate = (double)a->before * (1 - part) + (double)a->second;

	if (a->before == 0 || part > 1) /* it has only begun, or was interrupted */
		rate = (double)a->second / (part > BEGUN_LEAST ? part : BEGUN_LEAST);
	return rate > 1 ? rate : 1;
}

static void begin_step(struct adapt *a, int64_t now_us)
{
	a->step_us = now_us;
	a->step_count = 0;
}

static void set_rate(struct adapt *a, double rate)
{
	a->rate = rate > RATE_LEAST ? rate : RATE_LEAST;
}

static double clamp(double value, double low, double high)
{
	return value < low ? low : value > high ? high : value;
}

/* ---- from opening to opening ------------------------------------------------ */

static void begin_cycle(struct adapt *a, int64_t now_us)
{
	a->opened_us = now_us;
	a->opened_late_us = (double)(now_us - a->refused_us);
	a->lost_us = 0;
	a->idle_us = 0;
	a->taken = 0;
}

static void found(struct adapt *a, double ceiling, double rate)
{
	a->known = true;
	a->ceiling = ceiling;
	a->found = rate;
	a->changed = true;
	a->hits = a->falls = 0;
	a->since_fall = FALL_COUNT;
	a->far = false;
	a->step = STEP_SMALL;
	a->held_count = 0;
	a->held_us = a->throttled_us;
	a->hold = 1;
	set_rate(a, rate);
}

/* It was seen open, shut, and open again. */
static void conclude(struct adapt *a, int64_t now_us)
{
	double span = (double)(now_us - a->opened_us), taken = (double)a->taken;
	double least = span - a->lost_us - a->idle_us;
	double low = (taken - 1) * (double)CLOCK_SEC / (span + a->opened_late_us);
	double high = least > 0 ? (taken + 1) * (double)CLOCK_SEC / least : a->rate;

	if (a->idle_us > span / IDLE_PART) {
		set_rate(a, a->rate * FALL_IDLE);
		begin_cycle(a, now_us);
		return;
	}
	if (taken < STEP_COUNT)
		return;
	if (high < low * SURE_WIDTH) { /* near each other */
		double middle = (low + high) / 2;

		found(a, middle, middle * BELOW_FOUND);
		begin_cycle(a, now_us);
	} else if (taken >= SURE_COUNT) { /* asking late costs too much: grow from what is sure */
		a->low = low;
		a->high = high;
		a->good = 0;
		set_rate(a, low);
		begin_cycle(a, now_us);
	} else if (high < a->rate * RESTART) {
		set_rate(a, high);
		begin_cycle(a, now_us);
	}
}

static void note_window(struct adapt *a, int64_t span_us)
{
	if (span_us > a->window_us)
		a->window_us = span_us < WINDOW_MOST ? span_us : WINDOW_MOST;
}

static void open_again(struct adapt *a, int64_t now_us)
{
	double gap = (double)CLOCK_SEC / a->rate;

	a->lost_us += (double)(now_us - a->refused_us);
	a->shut_for_us = now_us - a->shut_us;
	a->shut_us = 0;
	a->next_us -= gap < PAUSE_MIN ? PAUSE_MIN - gap : 0;
	if (a->known) {
		begin_step(a, now_us);
		return;
	}
	if (a->opened_us == 0) {
		begin_cycle(a, now_us);
	} else {
		note_window(a, now_us - a->last_opened_us);
		conclude(a, now_us);
	}
	a->last_opened_us = now_us;
	begin_step(a, now_us);
}

/* ---- complaints -------------------------------------------------------------- */

static void search(struct adapt *a)
{
	a->known = false;
	a->opened_us = 0;
	a->window_us = 0;
	a->low = a->high = a->good = 0;
	a->far = false;
}

/* Where it was expected: a little less than that, and a longer rest. */
static void hit_near(struct adapt *a, int64_t now_us)
{
	a->held_count = 0;
	a->held_us = now_us;
	/* What goes on being refused is of the same window, or of a bucket that is still empty. */
	if (now_us - a->fell_us < a->window_us || a->since_fall < FALL_COUNT)
		return;
	a->fell_us = now_us;
	a->since_fall = 0;
	a->falls++;
	a->ceiling = a->rate;
	set_rate(a, a->rate * BELOW_SHUT);
	a->found = a->rate;
	a->changed = true;
}

static void hit_known(struct adapt *a, int64_t now_us)
{
	bool far = a->rate > a->ceiling * NEAR;

	if (a->quiet >= HOLD_COUNT) {
		a->hits = a->falls = 0;
		a->hold = a->hold < HOLD_MOST ? a->hold * 2 : a->hold;
	}
	if ((far && a->far) || a->falls >= FALLS_MOST || ++a->hits >= HITS_MOST) {
		search(a);
		return;
	}
	a->step = STEP_SMALL;
	a->far = far;
	if (far) /* so much was saved up, or the limit is another now: the next complaint tells */
		set_rate(a, a->ceiling * ABOVE_FAR);
	else
		hit_near(a, now_us);
}

static void hit(struct adapt *a, int64_t now_us)
{
	if (a->rate <= 0) {
		a->rate = measured(a, now_us);
		search(a);
		return;
	}
	if (a->known) {
		hit_known(a, now_us);
		return;
	}
	if (a->good > 0 && a->rate <= a->good * (1 + 2 * STEP_SEARCH))
		found(a, a->rate, clamp(a->good, a->low, a->high) * BELOW_FOUND);
}

static int64_t pause_of(const struct adapt *a, int64_t now_us, int64_t said_us)
{
	int64_t wait = (now_us - a->shut_us) / PAUSE_PART;
	int64_t least = (int64_t)((double)CLOCK_SEC / a->rate / PAUSE_PART);

	if (said_us > 0)
		return said_us;
	wait = wait > least ? wait : least;
	wait = wait < PAUSE_MIN ? PAUSE_MIN : wait;
	return wait < PAUSE_MOST ? wait : PAUSE_MOST;
}

bool adapt_throttled(struct adapt *a, int64_t written_us, int64_t now_us, int64_t said_us)
{
	if (written_us <= a->throttled_us) /* those that were in flight say the same again */
		return false;
	if (a->shut_us == 0) {
		hit(a, now_us);
		a->shut_us = now_us;
		a->quiet = 0;
	}
	a->throttled_us = a->refused_us = now_us;
	a->paused_until_us = now_us + pause_of(a, now_us, said_us);
	/* What is granted already leaves before: two at once would come back in each window. */
	if (a->next_us < (double)a->paused_until_us)
		a->next_us = (double)a->paused_until_us;
	return true;
}

/* ---- growth ------------------------------------------------------------------ */

static void grow(struct adapt *a, int64_t now_us)
{
	double elapsed = (double)(now_us - a->step_us) / (double)CLOCK_SEC;
	bool used = (double)a->step_count >= USED_LEAST * a->rate * elapsed;

	begin_step(a, now_us);
	if (!used)
		return;
	a->opened_us = 0; /* a cycle is of one rate */
	if (!a->known) {
		a->good = a->high > 0 ? a->rate : 0;
		a->rate *= 1 + STEP_SEARCH;
		return;
	}
	a->rate *= 1 + a->step;
	if (a->rate > a->ceiling && a->step < STEP_LARGE)
		a->step *= 2;
}

/* Just below the ceiling it stays for a while; while it is looked for, until it was shut twice. */
static bool is_holding(const struct adapt *a, int64_t now_us)
{
	if (!a->known)
		return a->high <= 0 && now_us - a->last_opened_us < SHUT_AGAIN * a->shut_for_us;
	if (a->rate > a->ceiling)
		return false;
	return a->held_count < a->hold * HOLD_COUNT || now_us - a->held_us < HOLD_US;
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
	/* What was on its way when it complained says nothing. */
	if (a->shut_us > 0 && now_us >= a->paused_until_us)
		open_again(a, now_us);
	a->taken++;
	a->step_count++;
	a->held_count++;
	a->since_fall++;
	a->quiet++;
	if (a->shut_us > 0 || a->step_count < STEP_COUNT || now_us - a->step_us < STEP_US ||
	    now_us - a->step_us < a->window_us || is_holding(a, now_us))
		return;
	grow(a, now_us);
	if (a->most > 0 && a->rate > a->most) /* the declared rate is below: nothing to adapt */
		*a = (struct adapt){ .most = a->most, .changed = true };
}

void adapt_restore(struct adapt *a, double rate)
{
	found(a, rate / BELOW_FOUND, rate);
	a->changed = false;
}
