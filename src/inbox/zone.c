/* SPDX-License-Identifier: ISC */
/* zone.c - time zones by name, from the system's database (TZif, RFC 8536).
 *
 * The C library has one zone a process; who asks an inbox has one of his own. Times behind the last
 * that a file lists follow the rule at its end. A file that is damaged is UTC.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "inbox/search_private.h"

#define DIRECTORY "/usr/share/zoneinfo/"
#define FILE_MAX  (64 * 1024) /* the largest is 4 KiB */
#define NAME_MAX_ 64          /* "America/Argentina/ComodRivadavia" has 32 */
#define HEADER    44
#define DAY       INT64_C(86400)

/* The last, 5, first ... weekday of a month, at a time of the day. */
struct change {
	int month, week, day;
	int64_t time_s;
};
struct rule {
	int64_t standard_s, summer_s; /* east of UTC */
	bool has_summer;
	struct change start, end;
};
struct zone {
	struct bytes file;
	size_t count; /* of transitions: 64-bit times, then the index of each one's type */
	const unsigned char *times, *indexes, *types;
	size_t type_count;
	struct rule rule;
	bool has_rule;
};

/* ---- the rule at the end ------------------------------------------------------------------ */

static bool skip_name(const char **at)
{
	const char *start = *at;

	if (*start == '<') {
		*at = strchr(start, '>');
		if (*at == NULL)
			return false;
		++*at;
		return true;
	}
	while (isalpha((unsigned char)**at))
		++*at;
	return *at > start;
}

/* [+-]h[:mm[:ss]] */
static int64_t take_time(const char **at)
{
	int64_t seconds = 0, unit = 3600;
	bool minus = **at == '-';

	*at += minus || **at == '+';
	for (; unit > 0 && isdigit((unsigned char)**at); unit /= 60) {
		char *end;

		seconds += strtol(*at, &end, 10) * unit;
		*at = end + (*end == ':' && unit > 1);
	}
	return minus ? -seconds : seconds;
}

/* ,Mm.w.d[/time] */
static bool take_change(const char **at, struct change *change)
{
	int *const parts[] = { &change->month, &change->week, &change->day };

	if ((*at)[0] != ',' || (*at)[1] != 'M')
		return false;
	++*at;
	for (size_t i = 0; i < 3; i++) {
		char *end;

		*parts[i] = (int)strtol(*at + 1, &end, 10); /* behind M or a point */
		if (end == *at + 1 || *parts[i] < 0 || *parts[i] > 12)
			return false;
		*at = end;
	}
	change->time_s = 2 * 3600;
	if (**at == '/') {
		++*at;
		change->time_s = take_time(at);
	}
	return change->month >= 1 && change->week >= 1 && change->week <= 5 && change->day <= 6;
}

static bool rule_parse(struct rule *rule, const char *text)
{
	*rule = (struct rule){ .has_summer = false };
	if (!skip_name(&text))
		return false;
	rule->standard_s = -take_time(&text);
	if (*text == '\0')
		return true;
	if (!skip_name(&text))
		return false;
	rule->has_summer = true;
	rule->summer_s = *text == ',' ? rule->standard_s + 3600 : -take_time(&text);
	return take_change(&text, &rule->start) && take_change(&text, &rule->end) && *text == '\0';
}

static int64_t seconds_of_date(int year, int month, int day)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };

	return (int64_t)timegm(&tm);
}

/* As a wall clock shows it, in seconds since 1970. */
static int64_t change_in(const struct change *c, int year)
{
	int64_t first = seconds_of_date(year, c->month, 1), next;
	int64_t weekday = (first / DAY + 4) % 7; /* 1970 began on a Thursday */
	int64_t day = first + ((c->day - weekday + 7) % 7 + 7 * (c->week - 1)) * DAY;

	next = c->month == 12 ? seconds_of_date(year + 1, 1, 1)
	                      : seconds_of_date(year, c->month + 1, 1);
	while (day >= next)
		day -= 7 * DAY;
	return day + c->time_s;
}

static int64_t rule_offset(const struct rule *rule, int64_t utc_s)
{
	time_t local = (time_t)(utc_s + rule->standard_s);
	int64_t start, end;
	struct tm tm;

	if (!rule->has_summer || gmtime_r(&local, &tm) == NULL)
		return rule->standard_s;
	start = change_in(&rule->start, tm.tm_year + 1900) - rule->standard_s;
	end = change_in(&rule->end, tm.tm_year + 1900) - rule->summer_s;
	if (start < end ? utc_s >= start && utc_s < end : utc_s >= start || utc_s < end)
		return rule->summer_s;
	return rule->standard_s;
}

/* ---- the file -------------------------------------------------------------------------------- */

static bool name_is_good(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > NAME_MAX_ || name[0] == '/' || strstr(name, "..") != NULL)
		return false;
	return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") ==
	       length;
}

static int read_file(const char *name, struct bytes *out)
{
	struct bytes path = { 0 };
	ssize_t got = 0;
	int fd;

	bytes_printf(&path, "%s%s", DIRECTORY, name);
	fd = open(bytes_text(&path), O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bytes_release(&path);
	if (fd < 0)
		return -1;
	bytes_reserve(out, FILE_MAX);
	while (out->length < FILE_MAX &&
	       (got = read(fd, out->data + out->length, FILE_MAX - out->length)) > 0)
		out->length += (size_t)got;
	close(fd);
	return got == 0 ? 0 : -1;
}

struct block {
	size_t times, types, octets; /* of all behind its header */
};

/* A header and what follows, with times of that many octets. */
static int block_at(struct span file, size_t at, size_t width, struct block *block_r)
{
	uint64_t counts[6], octets; /* isut, isstd, leap, time, type, char */

	if (file.length < HEADER || at > file.length - HEADER ||
	    memcmp(file.data + at, "TZif", 4) != 0)
		return -1;
	for (size_t i = 0; i < 6; i++)
		counts[i] = be32_load(file.data + at + 20 + 4 * i);
	octets = counts[3] * (width + 1) + counts[4] * 6 + counts[5] + counts[2] * (width + 4) +
	         counts[1] + counts[0];
	if (octets > file.length - HEADER - at)
		return -1;
	*block_r = (struct block){ (size_t)counts[3], (size_t)counts[4], (size_t)octets };
	return 0;
}

static void read_rule(struct zone *zone, size_t at)
{
	struct bytes text = { 0 };

	if (at < zone->file.length && zone->file.data[at] == '\n')
		while (++at < zone->file.length && zone->file.data[at] != '\n')
			bytes_append_char(&text, (char)zone->file.data[at]);
	zone->has_rule = text.length > 0 && rule_parse(&zone->rule, bytes_text(&text));
	bytes_release(&text);
}

static int zone_read(struct zone *zone, const char *name)
{
	struct block old, block;
	struct span file;
	size_t at;

	if (!name_is_good(name) || read_file(name, &zone->file) != 0)
		return -1;
	file = bytes_span(&zone->file);
	if (block_at(file, 0, 4, &old) != 0 || file.data[4] < '2' ||
	    block_at(file, HEADER + old.octets, 8, &block) != 0 || block.types == 0)
		return -1;
	at = 2 * HEADER + old.octets;
	zone->count = block.times;
	zone->type_count = block.types;
	zone->times = file.data + at;
	zone->indexes = zone->times + 8 * block.times;
	zone->types = zone->indexes + block.times;
	read_rule(zone, at + block.octets);
	return 0;
}

static int64_t type_offset(const struct zone *zone, size_t type)
{
	return type < zone->type_count ? (int32_t)be32_load(zone->types + 6 * type) : 0;
}

static int64_t offset_at(const struct zone *zone, int64_t utc_s)
{
	size_t low = 0, high = zone->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if ((int64_t)be64_load(zone->times + 8 * middle) <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->count && zone->has_rule)
		return rule_offset(&zone->rule, utc_s);
	return type_offset(zone, low == 0 ? 0 : zone->indexes[low - 1]);
}

struct zone *zone_new(const char *name)
{
	struct zone *zone = memory_new(sizeof(*zone));

	if (name != NULL && zone_read(zone, name) == 0)
		return zone;
	bytes_release(&zone->file);
	free(zone);
	return NULL;
}

void zone_free(struct zone **zone)
{
	if (*zone == NULL)
		return;
	bytes_release(&(*zone)->file);
	free(*zone);
	*zone = NULL;
}

int64_t zone_to_utc(const struct zone *zone, int64_t local_s)
{
	if (zone == NULL)
		return local_s;
	return local_s - offset_at(zone, local_s - offset_at(zone, local_s));
}
