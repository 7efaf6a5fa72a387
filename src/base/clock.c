/* SPDX-License-Identifier: ISC */
/* clock.c - the machine's clock, a clock for tests, and dates as text.
 *
 * The only file that asks the system for the time. Names of days and months are
 * ours, not strftime()'s: a date on the wire must not follow the locale.
 */
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define DATE_UNKNOWN "Thu, 01 Jan 1970 00:00:00 +0000"

static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

static int64_t read_clock(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return (int64_t)now.tv_sec * CLOCK_SEC + now.tv_nsec / 1000;
}

static int64_t system_wall(const struct clock *clock)
{
	(void)clock;
	return read_clock(CLOCK_REALTIME);
}

static int64_t system_monotonic(const struct clock *clock)
{
	(void)clock;
	return read_clock(CLOCK_MONOTONIC);
}

const struct clock *clock_system(void)
{
	static const struct clock system_clock = { system_wall, system_monotonic };

	return &system_clock;
}

static int64_t set_wall(const struct clock *clock)
{
	return ((const struct clock_set *)(const void *)clock)->wall_us;
}

static int64_t set_monotonic(const struct clock *clock)
{
	return ((const struct clock_set *)(const void *)clock)->monotonic_us;
}

void clock_set_init(struct clock_set *c, int64_t wall_us)
{
	*c = (struct clock_set){ .clock = { set_wall, set_monotonic }, .wall_us = wall_us };
}

void clock_set_pass(struct clock_set *c, int64_t us)
{
	c->wall_us += us;
	c->monotonic_us += us;
}

/* Whole seconds, rounded down also before the epoch; the rest is in *us_r. */
static time_t seconds_of(int64_t wall_us, int *us_r)
{
	int64_t seconds = wall_us / CLOCK_SEC;
	int64_t us = wall_us % CLOCK_SEC;

	if (us < 0) {
		us += CLOCK_SEC;
		seconds--;
	}
	*us_r = (int)us;
	return (time_t)seconds;
}

/* Two digits, whatever the calendar says: the compiler then knows that the text fits. */
static unsigned two(int value)
{
	return (unsigned)value % 100;
}

void clock_format_rfc5322(int64_t wall_us, char out[CLOCK_DATE_MAX])
{
	int us;
	time_t seconds = seconds_of(wall_us, &us);
	struct tm t;
	int offset;

	if (localtime_r(&seconds, &t) == NULL) {
		snprintf(out, CLOCK_DATE_MAX, "%s", DATE_UNKNOWN);
		return;
	}
	offset = (int)(labs(t.tm_gmtoff) / 60);
	snprintf(out, CLOCK_DATE_MAX, "%s, %02u %s %04d %02u:%02u:%02u %c%02u%02u",
	         day_names[t.tm_wday], two(t.tm_mday), month_names[t.tm_mon], t.tm_year + 1900,
	         two(t.tm_hour), two(t.tm_min), two(t.tm_sec), t.tm_gmtoff < 0 ? '-' : '+',
	         two(offset / 60), two(offset % 60));
}

void clock_format_rfc3339(int64_t wall_us, char out[CLOCK_DATE_MAX])
{
	int us;
	time_t seconds = seconds_of(wall_us, &us);
	struct tm t;

	if (gmtime_r(&seconds, &t) == NULL) {
		snprintf(out, CLOCK_DATE_MAX, "1970-01-01T00:00:00.000000Z");
		return;
	}
	snprintf(out, CLOCK_DATE_MAX, "%04d-%02u-%02uT%02u:%02u:%02u.%06dZ", t.tm_year + 1900,
	         two(t.tm_mon + 1), two(t.tm_mday), two(t.tm_hour), two(t.tm_min), two(t.tm_sec),
	         us);
}
