/* SPDX-License-Identifier: ISC */
/* clock.h - time that tests can set. All times are microseconds. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_MS    INT64_C(1000)
#define CLOCK_SEC   INT64_C(1000000)
#define CLOCK_MIN   (60 * CLOCK_SEC)
#define CLOCK_HOUR  (60 * CLOCK_MIN)
#define CLOCK_DAY   (24 * CLOCK_HOUR)
#define CLOCK_NEVER INT64_MAX /* due time of held mail */

struct clock {
	int64_t (*wall)(const struct clock *clock);      /* since the epoch; may step */
	int64_t (*monotonic)(const struct clock *clock); /* never goes back */
};

/* The machine's clock; lives as long as the program. */
const struct clock *clock_system(void);

static inline int64_t clock_wall(const struct clock *c)
{
	return c->wall(c);
}

static inline int64_t clock_monotonic(const struct clock *c)
{
	return c->monotonic(c);
}

/* A clock that stands still until it is set; for tests and the dialogue runner. */
struct clock_set {
	struct clock clock; /* first: a pointer to it is a struct clock */
	int64_t wall_us;
	int64_t monotonic_us;
};

void clock_set_init(struct clock_set *c, int64_t wall_us);
void clock_set_pass(struct clock_set *c, int64_t us); /* both clocks move on */

/* RFC 5322 date-time in local time ("Sat, 21 Nov 2026 21:42:22 +0000"). */
#define CLOCK_DATE_MAX 40
void clock_format_rfc5322(int64_t wall_us, char out[CLOCK_DATE_MAX]);
/* RFC 3339 in UTC with microseconds ("2026-11-21T21:42:22.123456Z"). */
void clock_format_rfc3339(int64_t wall_us, char out[CLOCK_DATE_MAX]);

#endif
