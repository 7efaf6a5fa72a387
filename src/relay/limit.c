/* SPDX-License-Identifier: ISC */
/* limit.c - sliding windows over what was written, and the pace within them.
 *
 * Each rate is a window: what was written in the last P, plus what is in flight, never exceeds N.
 * Small windows keep every moment; large ones keep 256 slices, each freed a whole slice
 * late, so that they err on the safe side only. A rate with a burst is a window of N + B
 * and besides a bucket of B that refills at N per P. In flight means: written at a moment not
 * yet known, so it holds its token in every window.
 */
#include "relay/limit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"

/* Up to here a window knows every moment (16 octets each): 64 KiB a rate. */
#define EXACT_MAX  4096
#define LATE_MAX   16           /* entries told of after their successors made room */
#define SLICES     LIMIT_SLICES /* 0.4 % of the period is what the rounding costs */
#define RING_FIRST 16           /* entries; the ring grows as it is used */
/* Longer periods are quotas, to be used when needed; pacing them would starve a burst. */
#define PACED_MAX  CLOCK_MIN
#define PACE_DEPTH 10 /* a tenth of the rate may leave at once */

/* Tokens written at about the same time; they are free again after free_us. */
struct entry {
	int64_t free_us;
	uint64_t tokens;
};

struct window {
	struct rate rate;
	uint64_t capacity;     /* N + B */
	int64_t slice_us;      /* 0: exact */
	struct entry *entries; /* a ring, oldest first */
	size_t room;           /* entries there are now; at most size */
	size_t size, first, count;
	uint64_t spent;  /* sum of the entries */
	uint64_t flying; /* taken, not yet told of */
	/* pace: the next departure would be at the earliest here, less the depth */
	double pace_us; /* a token; 0: not paced */
	double pace_next_us;
	/* bucket, with a burst */
	double level;
	int64_t level_us;
};

struct limit {
	struct window *windows;
	size_t count;
};

/* ---- one window ------------------------------------------------------------ */

static void window_init(struct window *w, const struct rate *rate)
{
	w->rate = *rate;
	w->capacity = rate->count + rate->burst;
	w->slice_us = w->capacity > EXACT_MAX ? (rate->period_us + SLICES - 1) / SLICES : 0;
	/* A slice more than the period has is open, one is being freed late, one is slack. */
	w->size = w->slice_us > 0 ? SLICES + 3 : (size_t)w->capacity + LATE_MAX;
	w->room = w->size < RING_FIRST ? w->size : RING_FIRST;
	w->entries = memory_new_array(w->room, sizeof(*w->entries));
	w->level = (double)rate->burst;
	/* Two in a hundred faster than the rate, so that pacing alone never undershoots it. */
	if (rate->period_us <= PACED_MAX && rate->burst == 0)
		w->pace_us = (double)rate->period_us / (double)rate->count * 0.98;
}

static struct entry *entry_at(const struct window *w, size_t i)
{
	return &w->entries[(w->first + i) % w->room];
}

static void window_forget(struct window *w, int64_t now_us)
{
	while (w->count > 0 && entry_at(w, 0)->free_us <= now_us) {
		w->spent -= entry_at(w, 0)->tokens;
		w->first = (w->first + 1) % w->room;
		w->count--;
	}
}

static void window_grow(struct window *w)
{
	size_t room = w->room * 2 < w->size ? w->room * 2 : w->size;
	struct entry *entries = memory_new_array(room, sizeof(*entries));

	for (size_t i = 0; i < w->count; i++)
		entries[i] = *entry_at(w, i);
	free(w->entries);
	w->entries = entries;
	w->room = room;
	w->first = 0;
}

/* Writes may be told of out of order: the entry goes to its place, which is near the end. */
static void window_record(struct window *w, int64_t free_us, uint64_t tokens)
{
	size_t i = w->count;

	while (i > 0 && entry_at(w, i - 1)->free_us > free_us)
		i--;
	w->spent += tokens;
	if (i > 0 && entry_at(w, i - 1)->free_us == free_us) {
		entry_at(w, i - 1)->tokens += tokens;
		return;
	}
	if (w->count == w->room && w->room < w->size)
		window_grow(w);
	if (w->count == w->size) { /* more than was allowed: keep the sum, on the safe side */
		entry_at(w, i == w->count ? i - 1 : i)->tokens += tokens;
		if (i == w->count)
			entry_at(w, i - 1)->free_us = free_us;
		return;
	}
	for (size_t k = w->count; k > i; k--)
		*entry_at(w, k) = *entry_at(w, k - 1);
	entry_at(w, i)->free_us = free_us;
	entry_at(w, i)->tokens = tokens;
	w->count++;
}

/* One microsecond more than P, so that both ends of a window may be counted in. */
static int64_t free_time(const struct window *w, int64_t written_us)
{
	if (w->slice_us == 0)
		return written_us + w->rate.period_us + 1;
	return (written_us / w->slice_us + 1) * w->slice_us + w->rate.period_us + 1;
}

static uint64_t tokens_of(const struct window *w, size_t recipients)
{
	return w->rate.unit == RATE_RECIPIENTS ? recipients : 1;
}

static int64_t window_room(const struct window *w, int64_t now_us, uint64_t tokens)
{
	uint64_t held = w->spent + w->flying + tokens;
	int64_t when = now_us;

	if (w->flying + tokens > w->capacity)
		return LIMIT_UNKNOWN;
	for (size_t i = 0; held > w->capacity && i < w->count; i++) {
		held -= entry_at(w, i)->tokens;
		when = entry_at(w, i)->free_us;
	}
	return when;
}

static void bucket_fill(struct window *w, int64_t now_us)
{
	if (now_us <= w->level_us)
		return;
	w->level +=
		(double)(now_us - w->level_us) * (double)w->rate.count / (double)w->rate.period_us;
	if (w->level > (double)w->rate.burst)
		w->level = (double)w->rate.burst;
	w->level_us = now_us;
}

/* What is in flight has not left the bucket yet: its level falls when MAIL is written. */
static int64_t bucket_room(struct window *w, int64_t now_us, uint64_t tokens)
{
	double missing;

	bucket_fill(w, now_us);
	missing = (double)(w->flying + tokens) - w->level;
	if (missing <= 0)
		return now_us;
	if ((double)(w->flying + tokens) > (double)w->rate.burst)
		return LIMIT_UNKNOWN; /* never fuller than B: wait for the news */
	return now_us + (int64_t)(missing * (double)w->rate.period_us / (double)w->rate.count) + 1;
}

static double pace_depth(const struct window *w)
{
	uint64_t depth = w->rate.count / PACE_DEPTH;

	return w->pace_us * (double)(depth > 1 ? depth - 1 : 0);
}

static int64_t window_when(struct window *w, int64_t now_us, size_t recipients)
{
	uint64_t tokens = tokens_of(w, recipients);
	int64_t when, other;

	window_forget(w, now_us);
	when = window_room(w, now_us, tokens);
	if (w->rate.burst > 0) {
		other = bucket_room(w, now_us, tokens);
		when = other > when ? other : when;
	}
	if (w->pace_us > 0) {
		other = (int64_t)(w->pace_next_us - pace_depth(w));
		when = other > when ? other : when;
	}
	return when;
}

static void window_take(struct window *w, int64_t depart_us, size_t recipients)
{
	uint64_t tokens = tokens_of(w, recipients);

	w->flying += tokens;
	if (w->pace_us > 0) {
		if (w->pace_next_us < (double)depart_us)
			w->pace_next_us = (double)depart_us;
		w->pace_next_us += w->pace_us * (double)tokens;
	}
}

static void window_land(struct window *w, size_t recipients)
{
	uint64_t tokens = tokens_of(w, recipients);

	w->flying -= tokens < w->flying ? tokens : w->flying;
}

static void window_spend(struct window *w, int64_t written_us, size_t recipients)
{
	window_forget(w, written_us);
	window_record(w, free_time(w, written_us), tokens_of(w, recipients));
	if (w->rate.burst > 0) {
		bucket_fill(w, written_us);
		w->level -= (double)tokens_of(w, recipients);
	}
}

/* ---- all of them ----------------------------------------------------------- */

struct limit *limit_new(const struct rate *rates, size_t count)
{
	struct limit *limit = memory_new(sizeof(*limit));

	limit->count = count;
	limit->windows = memory_new_array(count > 0 ? count : 1, sizeof(*limit->windows));
	for (size_t i = 0; i < count; i++)
		window_init(&limit->windows[i], &rates[i]);
	return limit;
}

void limit_free(struct limit **limit_p)
{
	struct limit *limit = *limit_p;

	if (limit == NULL)
		return;
	*limit_p = NULL;
	for (size_t i = 0; i < limit->count; i++)
		free(limit->windows[i].entries);
	free(limit->windows);
	free(limit);
}

size_t limit_recipients_max(const struct limit *limit)
{
	size_t max = SIZE_MAX;

	for (size_t i = 0; i < limit->count; i++) {
		const struct window *w = &limit->windows[i];
		uint64_t room = w->rate.burst > 0 ? w->rate.burst : w->rate.count;

		if (w->rate.unit == RATE_RECIPIENTS && room < max)
			max = (size_t)room;
	}
	return max;
}

int64_t limit_when(struct limit *limit, int64_t now_us, size_t recipients)
{
	int64_t when = now_us;

	for (size_t i = 0; i < limit->count; i++) {
		int64_t one = window_when(&limit->windows[i], now_us, recipients);

		when = one > when ? one : when;
	}
	return when;
}

void limit_take(struct limit *limit, int64_t depart_us, size_t recipients)
{
	for (size_t i = 0; i < limit->count; i++)
		window_take(&limit->windows[i], depart_us, recipients);
}

void limit_spend(struct limit *limit, int64_t mail_us, int64_t rcpt_us, size_t recipients)
{
	for (size_t i = 0; i < limit->count; i++) {
		struct window *w = &limit->windows[i];

		window_land(w, recipients);
		window_spend(w, w->rate.unit == RATE_RECIPIENTS ? rcpt_us : mail_us, recipients);
	}
}

void limit_return(struct limit *limit, size_t recipients)
{
	for (size_t i = 0; i < limit->count; i++)
		window_land(&limit->windows[i], recipients);
}

void limit_recover(struct limit *limit, int64_t now_us, size_t recipients)
{
	for (size_t i = 0; i < limit->count; i++)
		window_spend(&limit->windows[i], now_us, recipients);
}

void limit_raise(struct limit *limit, size_t place, uint64_t count)
{
	struct window *w = &limit->windows[place];

	w->rate.count = count;
	w->capacity = count + w->rate.burst;
	if (w->slice_us == 0 && w->capacity > EXACT_MAX) {
		/* What was exact so far stays in its entries until it is free. */
		w->slice_us = (w->rate.period_us + SLICES - 1) / SLICES;
		w->size += SLICES + 3;
	} else if (w->slice_us == 0) {
		w->size = (size_t)w->capacity + LATE_MAX;
	}
	if (w->pace_us > 0)
		w->pace_us = (double)w->rate.period_us / (double)count * 0.98;
}

/* ---- what survives --------------------------------------------------------- */

static int64_t kept_slice_us(int64_t period_us)
{
	return (period_us + LIMIT_SLICES - 1) / LIMIT_SLICES;
}

static bool is_told_before(const struct limit *limit, size_t i)
{
	const struct rate *rate = &limit->windows[i].rate;

	for (size_t k = 0; k < i; k++)
		if (limit->windows[k].rate.unit == rate->unit &&
		    limit->windows[k].rate.period_us == rate->period_us)
			return true;
	return false;
}

size_t limit_slices(const struct limit *limit, int64_t mail_wall_us, int64_t rcpt_wall_us,
                    size_t recipients, struct limit_slice *out, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < limit->count && count < max; i++) {
		const struct window *w = &limit->windows[i];
		int64_t wall = w->rate.unit == RATE_RECIPIENTS ? rcpt_wall_us : mail_wall_us;

		if (is_told_before(limit, i))
			continue;
		out[count++] = (struct limit_slice){ w->rate.unit, w->rate.period_us,
			                             wall / kept_slice_us(w->rate.period_us),
			                             tokens_of(w, recipients) };
	}
	return count;
}

static void window_restore(struct window *w, const struct limit_slice *slice, int64_t written_us)
{
	window_record(w, free_time(w, written_us), slice->tokens);
	if (w->rate.burst > 0) {
		bucket_fill(w, written_us);
		w->level -= (double)slice->tokens;
	}
}

void limit_restore(struct limit *limit, const struct limit_slice *slice, int64_t ahead_us,
                   int64_t now_us)
{
	/* The end of the slice, or now: the wall clock may have been set back. */
	int64_t end = (slice->slice + 1) * kept_slice_us(slice->period_us) - ahead_us;

	end = end < now_us ? end : now_us;
	for (size_t i = 0; i < limit->count; i++) {
		struct window *w = &limit->windows[i];

		if (w->rate.unit == slice->unit && w->rate.period_us == slice->period_us &&
		    free_time(w, end) > now_us)
			window_restore(w, slice, end);
	}
}

bool limit_idle(struct limit *limit, int64_t now_us)
{
	for (size_t i = 0; i < limit->count; i++) {
		struct window *w = &limit->windows[i];

		window_forget(w, now_us);
		bucket_fill(w, now_us);
		if (w->count > 0 || w->flying > 0 ||
		    (w->rate.burst > 0 && w->level < (double)w->rate.burst))
			return false;
	}
	return true;
}
