/* SPDX-License-Identifier: ISC */
/* wait.c - the time that a reply tells us to wait: a count of seconds, minutes, hours, or a date.
 *
 * Only after words that say so ("try again in", "retry after"); anything else is not a
 * time. What a peer says is bounded: nobody keeps our mail for longer than a week.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "relay/verdict.h"

#define WAIT_MAX    (7 * CLOCK_DAY)
#define NUMBER_MAX  1000000
#define DATE_LENGTH 64 /* a date is copied out of a reply: no more of it */

static const char *const beginnings[] = { "again after", "retry after", "retry-after", "again in",
	                                  "retry in",    "wait",        "again at",    "until" };

static const struct {
	const char *name;
	int64_t us;
} units[] = {
	{ "second", CLOCK_SEC }, { "sec", CLOCK_SEC },   { "minute", CLOCK_MIN },
	{ "min", CLOCK_MIN },    { "hour", CLOCK_HOUR }, { "day", CLOCK_DAY },
	{ "s", CLOCK_SEC },      { "m", CLOCK_MIN },     { "h", CLOCK_HOUR },
};

static bool ends_word(char c)
{
	return !isalnum((unsigned char)c);
}

/* "30 seconds", "5 min", "120"; 0: not a count. */
static int64_t count_of(const char *text)
{
	int64_t number = 0;

	if (!isdigit((unsigned char)*text))
		return 0;
	for (; isdigit((unsigned char)*text); text++)
		if (number < NUMBER_MAX)
			number = number * 10 + (*text - '0');
	while (*text == ' ')
		text++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t length = strlen(units[i].name);

		if (strncasecmp(text, units[i].name, length) != 0)
			continue;
		length += text[length] == 's';
		if (ends_word(text[length]))
			return number * units[i].us;
	}
	/* A number with nothing that continues it, as in "retry-after 120": seconds. */
	return *text == '\0' || *text == '.' || *text == ')' || *text == '\n' ? number * CLOCK_SEC
	                                                                      : 0;
}

/* The hours and minutes of "+0100"; "GMT", "UTC", "Z" and nothing are 0. */
static int64_t zone_of(const char *text)
{
	int hours, minutes;

	while (*text == ' ')
		text++;
	if ((*text != '+' && *text != '-') || strspn(text + 1, "0123456789") < 4)
		return 0;
	hours = (text[1] - '0') * 10 + (text[2] - '0');
	minutes = (text[3] - '0') * 10 + (text[4] - '0');
	return (*text == '-' ? -1 : 1) * (hours * CLOCK_HOUR + minutes * CLOCK_MIN);
}

static int64_t date_of(const char *text, int64_t wall_us)
{
	static const char *const formats[] = { "%a, %d %b %Y %H:%M:%S", "%d %b %Y %H:%M:%S",
		                               "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S" };
	char copy[DATE_LENGTH];
	size_t length = strnlen(text, sizeof(copy) - 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct tm tm = { 0 };
		const char *rest = strptime(copy, formats[i], &tm);

		if (rest != NULL)
			return (int64_t)timegm(&tm) * CLOCK_SEC - zone_of(rest) - wall_us;
	}
	return 0;
}

int64_t verdict_wait(const char *text, int64_t wall_us)
{
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		const char *at = strcasestr(text, beginnings[i]);
		int64_t wait;

		if (at == NULL)
			continue;
		at += strlen(beginnings[i]);
		at += strspn(at, " :");
		wait = isdigit((unsigned char)*at) ? count_of(at) : 0;
		if (wait <= 0)
			wait = date_of(at, wall_us);
		if (wait > 0)
			return wait < WAIT_MAX ? wait : WAIT_MAX;
	}
	return 0;
}
