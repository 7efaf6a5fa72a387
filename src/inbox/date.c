/* SPDX-License-Identifier: ISC */
/* date.c - dates as people write them: 2026-11-22, 11/22/2026 3:04pm, 22 Nov 2026, Sun Nov 22
 * 15:04:05 UTC 2026, 20261122, 1795359600.
 *
 * The forms are those that Mailpit takes; what is ambiguous is read as there, the month first. Text
 * comes folded: in lower case, without commas, with single spaces.
 */
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "inbox/search_private.h"

struct date {
	int year, month, day; /* -1: not said */
	int hour, minute, second, ms;
	bool has_time, has_zone;
	int64_t zone_s;   /* east of UTC */
	int64_t epoch_ms; /* -1: not said */
};

static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun",
	                              "jul", "aug", "sep", "oct", "nov", "dec" };
static const char *const weekdays[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

/* A number of up to `most` digits; -1: none, or a longer one. */
static int64_t take_number(struct span *text, size_t most)
{
	int64_t number = 0;
	size_t length = 0;

	while (length < text->length && isdigit(text->data[length]) && length < 18)
		number = number * 10 + text->data[length++] - '0';
	if (length == 0 || length > most)
		return -1;
	*text = span_of(text->data + length, text->length - length);
	return number;
}

static bool take_char(struct span *text, const char *any)
{
	if (text->length == 0 || text->data[0] == '\0' || strchr(any, text->data[0]) == NULL)
		return false;
	*text = span_of(text->data + 1, text->length - 1);
	return true;
}

/* The place of a name that begins with one of these, 3 letters or more; -1: none. */
static int name_find(struct span text, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (text.length >= 3 && memcmp(text.data, names[i], 3) == 0)
			return i;
	return -1;
}

static bool digits_only(struct span text)
{
	for (size_t i = 0; i < text.length; i++)
		if (!isdigit(text.data[i]))
			return false;
	return text.length > 0;
}

/* Two digits are of the years 1969 to 2068, as elsewhere. */
static int year_of(int64_t number, size_t digits)
{
	if (digits <= 2)
		number += number < 69 ? 2000 : 1900;
	return (int)number;
}

/* ---- tokens ----------------------------------------------------------------------------- */

static struct span take_fraction(struct span text, struct date *d)
{
	size_t length = 0;

	for (int unit = 100; length < text.length && isdigit(text.data[length]); unit /= 10)
		d->ms += (text.data[length++] - '0') * unit;
	return span_of(text.data + length, text.length - length);
}

/* hh:mm[:ss[.fraction]], hh alone before am or pm. */
static bool take_clock(struct span text, struct date *d, struct span *rest_r)
{
	int64_t part = take_number(&text, 2);

	if (part < 0 || d->has_time)
		return false;
	d->hour = (int)part;
	d->has_time = true;
	if (take_char(&text, ":")) {
		if ((part = take_number(&text, 2)) < 0)
			return false;
		d->minute = (int)part;
		if (take_char(&text, ":")) {
			if ((part = take_number(&text, 2)) < 0)
				return false;
			d->second = (int)part;
		}
	}
	*rest_r = take_char(&text, ".") ? take_fraction(text, d) : text;
	return true;
}

static bool set_half(struct date *d, bool afternoon)
{
	if (!d->has_time || d->hour < 1 || d->hour > 12)
		return false;
	d->hour = d->hour % 12 + (afternoon ? 12 : 0);
	return true;
}

/* +hh:mm, -hhmm, +hh */
static bool set_offset(struct date *d, struct span text)
{
	bool minus = text.data[0] == '-';
	int64_t hours, minutes = 0;

	text = span_of(text.data + 1, text.length - 1);
	if (digits_only(text) && text.length == 4) {
		hours = take_number(&text, 4);
		minutes = hours % 100;
		hours /= 100;
	} else {
		hours = take_number(&text, 2);
		if (take_char(&text, ":"))
			minutes = take_number(&text, 2);
	}
	if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59 || text.length > 0)
		return false;
	d->has_zone = true;
	d->zone_s = (hours * 3600 + minutes * 60) * (minus ? -1 : 1);
	return true;
}

/* What follows a time without a space, or stands alone: am, pm, z, utc, +01:00. */
static bool take_suffix(struct span text, struct date *d)
{
	static const char *const zones[] = { "z", "utc", "gmt", "ut" };

	if (text.length == 0)
		return true;
	if (text.data[0] == '+' || text.data[0] == '-')
		return d->has_time && set_offset(d, text);
	if (span_equal_text(text, "am") || span_equal_text(text, "pm"))
		return set_half(d, text.data[0] == 'p');
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (span_equal_text(text, zones[i])) {
			d->has_zone = true;
			return true;
		}
	return false;
}

static bool take_time(struct span text, struct date *d)
{
	struct span rest;

	return take_clock(text, d, &rest) && take_suffix(rest, d);
}

/* 20261122, 20261122150405, seconds, milli- and microseconds since 1970. */
static bool take_digits(struct span text, struct date *d)
{
	size_t digits = text.length;
	int64_t number = take_number(&text, 18);

	if (number < 0)
		return false;
	switch (digits) {
	case 14:
		d->second = (int)(number % 100);
		d->minute = (int)(number / 100 % 100);
		d->hour = (int)(number / 10000 % 100);
		d->has_time = true;
		number /= 1000000;
		/* fall through */
	case 8:
		d->day = (int)(number % 100);
		d->month = (int)(number / 100 % 100);
		d->year = (int)(number / 10000);
		return true;
	case 10:
		d->epoch_ms = number * 1000;
		return true;
	case 13:
		d->epoch_ms = number;
		return true;
	case 16:
		d->epoch_ms = number / 1000;
		return true;
	case 4:
		d->year = (int)number;
		return true;
	case 1:
	case 2:
		if (d->day >= 0 && d->year < 0)
			d->year = year_of(number, digits);
		else
			d->day = (int)number;
		return true;
	default:
		return false;
	}
}

/* y-m-d, y-m, m/d/y, with - / or . between; then perhaps T and a time. */
static bool take_date(struct span text, struct date *d)
{
	size_t before = text.length, digits;
	int64_t parts[3] = { -1, -1, -1 };
	const char *between = "-/.";

	for (int i = 0; i < 3; i++) {
		parts[i] = take_number(&text, 4);
		digits = before - text.length;
		if (parts[i] < 0 || (i == 0 && !(d->year < 0 && d->day < 0)))
			return false;
		if (i == 0)
			d->year = digits == 4 ? (int)parts[0] : -1;
		else if (i == 2 && d->year < 0)
			d->year = year_of(parts[2], digits);
		if (i == 2 || !take_char(&text, between))
			break;
		before = text.length;
	}
	if (parts[2] < 0 && (d->year < 0 || parts[1] < 0))
		return false;
	if (d->year == parts[0]) {
		d->month = (int)parts[1];
		d->day = (int)parts[2];
	} else {
		d->month = (int)parts[0];
		d->day = (int)parts[1];
	}
	if (take_char(&text, "t"))
		return take_time(text, d);
	return text.length == 0;
}

/* 22-nov-2026, 22nd, 3pm, 3:04pm */
static bool take_mixed(struct span text, struct date *d)
{
	struct span rest = text;
	int64_t number = take_number(&rest, 4);

	if (number < 0 || rest.length == 0)
		return false;
	if (rest.data[0] == ':' || span_equal_text(rest, "am") || span_equal_text(rest, "pm"))
		return take_time(text, d);
	if (span_equal_text(rest, "st") || span_equal_text(rest, "nd") ||
	    span_equal_text(rest, "rd") || span_equal_text(rest, "th")) {
		d->day = (int)number;
		return true;
	}
	if (rest.length >= 5 && rest.data[0] == '-' && isalpha(rest.data[1]) &&
	    (d->month = name_find(span_of(rest.data + 1, rest.length - 1), months, 12) + 1) > 0 &&
	    rest.data[4] == '-') {
		size_t digits = rest.length - 5;

		d->day = (int)number;
		rest = span_of(rest.data + 5, digits);
		number = take_number(&rest, 4);
		d->year = year_of(number, digits);
		return number >= 0 && rest.length == 0;
	}
	return take_date(text, d);
}

static bool take_token(struct span text, struct date *d)
{
	int month;

	if (digits_only(text))
		return take_digits(text, d);
	if (isdigit(text.data[0]))
		return take_mixed(text, d);
	if (take_suffix(text, d))
		return true;
	if (name_find(text, weekdays, 7) >= 0)
		return true;
	month = name_find(text, months, 12);
	d->month = month + 1;
	return month >= 0;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static bool is_date(const struct date *d)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return d->year >= 0 && d->year <= 9999 && d->month >= 1 && d->month <= 12 && d->day >= 1 &&
	       d->day <= days[d->month - 1] && d->hour <= 23 && d->minute <= 59 && d->second <= 60;
}

static int64_t ms_of(const struct date *d, const struct zone *zone)
{
	struct tm tm = { .tm_year = d->year - 1900,
		         .tm_mon = d->month - 1,
		         .tm_mday = d->day,
		         .tm_hour = d->hour,
		         .tm_min = d->minute,
		         .tm_sec = d->second };
	int64_t shown = (int64_t)timegm(&tm);

	return (d->has_zone ? shown - d->zone_s : zone_to_utc(zone, shown)) * 1000 + d->ms;
}

int date_parse(struct span text, const struct zone *zone, int64_t *ms_r)
{
	struct date d = { .year = -1, .month = -1, .day = -1, .epoch_ms = -1 };

	if (text.length == 0)
		return -1;
	while (text.length > 0) {
		const unsigned char *space = memchr(text.data, ' ', text.length);
		size_t length = space == NULL ? text.length : (size_t)(space - text.data);

		if (length == 0 || !take_token(span_of(text.data, length), &d))
			return -1;
		length += space != NULL;
		text = span_of(text.data + length, text.length - length);
	}
	if (d.epoch_ms >= 0) {
		*ms_r = d.epoch_ms;
		return 0;
	}
	if (d.year >= 0 && d.month < 0 && d.day < 0)
		d.month = 1; /* a year is its beginning, a month too */
	if (d.month >= 0 && d.year >= 0 && d.day < 0)
		d.day = 1;
	if (!is_date(&d))
		return -1;
	*ms_r = ms_of(&d, zone);
	return 0;
}
