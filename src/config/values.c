/* SPDX-License-Identifier: ISC */
/* values.c - durations, sizes and rates as the configuration writes them.
 *
 * Strict on purpose: no octal, no sign, no fraction, no bare unit, nothing after the value.
 * What *_format() writes, *_parse() reads back as the same value.
 * Addresses and URLs are in endpoints.c.
 */
#include "config/values.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "config/private.h"

/* Beyond a century a duration is a slip of the pen, and sums of them still fit in 64 bits. */
#define DURATION_MAX (INT64_C(36525) * CLOCK_DAY)

int number_read(uint64_t *number_r, const char **text)
{
	const char *p = *text;
	uint64_t number = 0;

	if (!isdigit((unsigned char)*p) || (*p == '0' && isdigit((unsigned char)p[1])))
		return -1;
	for (; isdigit((unsigned char)*p); p++) {
		unsigned digit = (unsigned)(*p - '0');
		if (number > (UINT64_MAX - digit) / 10)
			return -1;
		number = number * 10 + digit;
	}
	*number_r = number;
	*text = p;
	return 0;
}

struct duration_unit {
	const char *name;
	int64_t us;
};

/* Largest first; "min" before "m" and "ms" before "s" for those that share a beginning. */
static const struct duration_unit duration_units[] = {
	{ "d", CLOCK_DAY }, { "h", CLOCK_HOUR }, { "min", CLOCK_MIN }, { "ms", CLOCK_MS },
	{ "m", CLOCK_MIN }, { "s", CLOCK_SEC },  { "us", 1 },
};
#define DURATION_UNITS (sizeof(duration_units) / sizeof(duration_units[0]))

static const struct duration_unit *duration_unit_read(const char **text)
{
	size_t length = 0;

	while (isalpha((unsigned char)(*text)[length]))
		length++;
	for (size_t i = 0; i < DURATION_UNITS; i++) {
		const char *name = duration_units[i].name;
		if (strlen(name) == length && strncmp(*text, name, length) == 0) {
			*text += length;
			return &duration_units[i];
		}
	}
	return NULL;
}

/* Reads as far as the duration goes. */
static int duration_read(int64_t *us_r, const char **text)
{
	const char *p = *text;
	int64_t total = 0, smallest = INT64_MAX;

	do {
		uint64_t number;
		const struct duration_unit *unit;

		if (number_read(&number, &p) != 0)
			return -1;
		unit = duration_unit_read(&p);
		if (unit == NULL || unit->us >= smallest)
			return -1;
		if (number > (uint64_t)((DURATION_MAX - total) / unit->us))
			return -1;
		total += (int64_t)number * unit->us;
		smallest = unit->us;
	} while (isdigit((unsigned char)*p));
	*us_r = total;
	*text = p;
	return 0;
}

int duration_parse(int64_t *us_r, const char *text, const char **error_r)
{
	int64_t us;

	if (duration_read(&us, &text) != 0 || *text != '\0') {
		*error_r = "write a duration such as \"500ms\", \"90s\", \"15min\", \"1h30min\" "
			   "or \"5d\"";
		return -1;
	}
	*us_r = us;
	return 0;
}

static const struct duration_unit *duration_unit_for(int64_t us)
{
	static const struct duration_unit units[] = {
		{ "d", CLOCK_DAY }, { "h", CLOCK_HOUR }, { "min", CLOCK_MIN },
		{ "s", CLOCK_SEC }, { "ms", CLOCK_MS },  { "us", 1 },
	};
	const struct duration_unit *unit = units;

	if (us == 0)
		return &units[3];
	while (us % unit->us != 0)
		unit++;
	return unit;
}

void duration_format(int64_t us, struct bytes *out)
{
	const struct duration_unit *unit = duration_unit_for(us);

	bytes_printf(out, "%lld%s", (long long)(us / unit->us), unit->name);
}

struct size_unit {
	const char *name;
	uint64_t bytes;
};

static const struct size_unit size_units[] = {
	{ "TiB", UINT64_C(1) << 40 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "KiB", UINT64_C(1) << 10 },
	{ "TB", UINT64_C(1000000000000) },
	{ "GB", UINT64_C(1000000000) },
	{ "MB", UINT64_C(1000000) },
	{ "KB", UINT64_C(1000) },
	{ "B", 1 },
	{ "", 1 },
};
#define SIZE_UNITS (sizeof(size_units) / sizeof(size_units[0]))

int size_parse(uint64_t *bytes_r, const char *text, const char **error_r)
{
	uint64_t number;

	*error_r = "write a size such as \"50MiB\", \"25MB\" or \"65536\"";
	if (number_read(&number, &text) != 0)
		return -1;
	for (size_t i = 0; i < SIZE_UNITS; i++) {
		if (strcasecmp(text, size_units[i].name) != 0)
			continue;
		if (number > INT64_MAX / size_units[i].bytes)
			return -1;
		*bytes_r = number * size_units[i].bytes;
		return 0;
	}
	return -1;
}

/* The unit that leaves the smallest number. */
void size_format(uint64_t bytes, struct bytes *out)
{
	const struct size_unit *best = &size_units[SIZE_UNITS - 1];

	for (size_t i = 0; bytes > 0 && i < SIZE_UNITS; i++) {
		if (bytes % size_units[i].bytes == 0 && size_units[i].bytes > best->bytes)
			best = &size_units[i];
	}
	bytes_printf(out, "%llu%s", (unsigned long long)(bytes / best->bytes), best->name);
}

static void skip_spaces(const char **text)
{
	while (**text == ' ')
		(*text)++;
}

static bool word_read(const char **text, const char *word)
{
	size_t length = strlen(word);

	if (strncasecmp(*text, word, length) != 0 || isalpha((unsigned char)(*text)[length]))
		return false;
	*text += length;
	skip_spaces(text);
	return true;
}

static enum rate_unit rate_unit_read(const char **text)
{
	if (word_read(text, "recipients") || word_read(text, "recipient"))
		return RATE_RECIPIENTS;
	if (!word_read(text, "messages"))
		(void)word_read(text, "message");
	return RATE_MESSAGES;
}

/* "s", "min", "h", "d" alone mean one of it. */
static int period_read(int64_t *us_r, const char **text)
{
	const struct duration_unit *unit;

	if (isdigit((unsigned char)**text))
		return duration_read(us_r, text);
	unit = duration_unit_read(text);
	if (unit == NULL)
		return -1;
	*us_r = unit->us;
	return 0;
}

static int rate_read(struct rate *rate, const char *text)
{
	skip_spaces(&text);
	if (number_read(&rate->count, &text) != 0 || rate->count == 0 ||
	    rate->count > RATE_COUNT_MAX)
		return -1;
	skip_spaces(&text);
	rate->unit = rate_unit_read(&text);
	if (*text++ != '/')
		return -1;
	skip_spaces(&text);
	if (period_read(&rate->period_us, &text) != 0 || rate->period_us < CLOCK_MS ||
	    rate->period_us > RATE_PERIOD_MAX)
		return -1;
	skip_spaces(&text);
	if (word_read(&text, "burst")) {
		if (number_read(&rate->burst, &text) != 0 || rate->burst > RATE_COUNT_MAX)
			return -1;
		skip_spaces(&text);
	}
	return *text == '\0' ? 0 : -1;
}

int rate_parse(struct rate *rate_r, const char *text, const char **error_r)
{
	struct rate rate = { 0 };

	if (rate_read(&rate, text) != 0) {
		*error_r = "write a rate such as \"14/s\", \"30 messages/min\", "
			   "\"50000 recipients/d\", \"100/15min\" or \"14/s burst 28\"";
		return -1;
	}
	*rate_r = rate;
	return 0;
}

void rate_format(const struct rate *rate, struct bytes *out)
{
	const struct duration_unit *unit = duration_unit_for(rate->period_us);

	bytes_printf(out, "%llu%s/", (unsigned long long)rate->count,
	             rate->unit == RATE_RECIPIENTS ? " recipients" : "");
	if (rate->period_us == unit->us)
		bytes_append_text(out, unit->name);
	else
		duration_format(rate->period_us, out);
	if (rate->burst > 0)
		bytes_printf(out, " burst %llu", (unsigned long long)rate->burst);
}
