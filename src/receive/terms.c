/* SPDX-License-Identifier: ISC */
/* terms.c - parameters of MAIL that say how a message is to be delivered: how urgent it is, when,
 * and how safely.
 *
 * Only what is said is read here; what this client may ask for is decided in accept.c. Pure.
 */
#include "receive/private.h"

#include <string.h>

static int refuse(struct refusal *no, const char *enhanced, const char *text)
{
	*no = (struct refusal){ 501, enhanced, text };
	return -1;
}

static int unknown(struct refusal *no)
{
	*no = (struct refusal){ 555, "5.5.4", "MAIL parameter not recognized" };
	return -1;
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 6710 8: (["-"] NZDIGIT) / "0" */
int take_priority(struct mail_parameters *p, const struct parameter *one,
                  const struct mail_rules *rules, struct refusal *no)
{
	struct span value = one->value;
	bool negative = value.length == 2 && value.data[0] == '-';
	unsigned char digit;

	(void)rules;
	if (one->has_value && (negative || value.length == 1)) {
		digit = value.data[value.length - 1];
		if (is_digit(digit) && !(negative && digit == '0')) {
			p->terms.priority = (int8_t)(negative ? '0' - digit : digit - '0');
			return 0;
		}
	}
	return refuse(no, "5.5.2", "MT-PRIORITY= is a number from -9 to 9");
}

/* RFC 8689 2: no value, and only inside TLS. The field "TLS-Required: No" is for others: where TLS
 * is used is the operator's to say here, and REQUIRETLS outdoes it anyway. */
int take_require_tls(struct mail_parameters *p, const struct parameter *one,
                     const struct mail_rules *rules, struct refusal *no)
{
	if (!rules->require_tls)
		return unknown(no);
	if (one->has_value)
		return refuse(no, "5.5.4", "REQUIRETLS has no value");
	p->terms.require_tls = true;
	return 0;
}

/* ---- RFC 4865 ------------------------------------------------------------ */

/* 1*9DIGIT */
static bool take_number(struct span text, uint32_t *number_r)
{
	uint32_t number = 0;
	size_t i;

	for (i = 0; i < text.length && i < 9 && is_digit(text.data[i]); i++)
		number = number * 10 + (uint32_t)(text.data[i] - '0');
	*number_r = number;
	return i > 0 && i == text.length;
}

int take_hold_for(struct mail_parameters *p, const struct parameter *one,
                  const struct mail_rules *rules, struct refusal *no)
{
	uint32_t seconds;

	if (rules->hold_max_us == 0)
		return unknown(no);
	if (!one->has_value || !take_number(one->value, &seconds) || seconds == 0 ||
	    seconds * CLOCK_SEC > rules->hold_max_us)
		return refuse(no, "5.5.4", "HOLDFOR= is a number of seconds up to the one offered");
	p->terms.hold_for_s = seconds;
	p->terms.release_us = rules->now_us + seconds * CLOCK_SEC;
	return 0;
}

/* Digits of a fixed place; out of bounds is no number. */
static bool field(struct span text, size_t at, size_t length, unsigned low, unsigned high,
                  unsigned *value_r)
{
	unsigned value = 0;
	size_t i;

	for (i = at; i < at + length; i++) {
		if (!is_digit(text.data[i]))
			return false;
		value = value * 10 + (unsigned)(text.data[i] - '0');
	}
	*value_r = value;
	return value >= low && value <= high;
}

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool day_exists(unsigned year, unsigned month, unsigned day)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return day <= days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/* Days since 1970 in the calendar of Gregory: March begins the year, so that its last day is the
 * odd one. */
static int64_t days_since_epoch(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2), m = month > 2 ? month - 3 : month + 9;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

/* "2026-11-21T21:42:22Z", with or without a fraction (RFC 3339 5.6, in UTC). */
static bool take_date(struct span text, int64_t *wall_us_r)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd";
	size_t length = sizeof form - 1, i;
	unsigned year, month, day, hour, minute, second;

	if (text.length < length + 1 || (text.data[text.length - 1] | 0x20) != 'z')
		return false;
	for (i = 0; i < length; i++) {
		if (form[i] != 'd' && (text.data[i] & ~0x20) != (form[i] & ~0x20))
			return false;
	}
	if (text.length > length + 1 && (text.data[length] != '.' || text.length == length + 2))
		return false;
	for (i = length + 1; i + 1 < text.length; i++) {
		if (!is_digit(text.data[i]))
			return false;
	}
	if (!field(text, 0, 4, 1970, 9999, &year) || !field(text, 5, 2, 1, 12, &month) ||
	    !field(text, 8, 2, 1, 31, &day) || !field(text, 11, 2, 0, 23, &hour) ||
	    !field(text, 14, 2, 0, 59, &minute) || !field(text, 17, 2, 0, 60, &second) ||
	    !day_exists(year, month, day))
		return false;
	*wall_us_r = (days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 +
	              second + (text.length > length + 1)) *
	             CLOCK_SEC; /* a fraction counts as a whole second: never early */
	return true;
}

int take_hold_until(struct mail_parameters *p, const struct parameter *one,
                    const struct mail_rules *rules, struct refusal *no)
{
	int64_t at;

	if (rules->hold_max_us == 0)
		return unknown(no);
	if (!one->has_value || !take_date(one->value, &at) || at <= rules->now_us ||
	    at > rules->now_us + rules->hold_max_us)
		return refuse(no, "5.5.4",
		              "HOLDUNTIL= is a time in UTC, to come, up to the one offered");
	p->terms.release_us = at;
	return 0;
}

/* ---- RFC 2852 ------------------------------------------------------------ */

/* by-time ";" by-mode [by-trace]: ["-" / "+"] 1*9DIGIT, "N" or "R", "T" */
static bool by_parse(struct envelope_terms *terms, struct span value, int64_t *seconds_r)
{
	const unsigned char *semicolon = memchr(value.data, ';', value.length);
	struct span time = value, mode;
	bool sign = value.length > 0 && (value.data[0] == '-' || value.data[0] == '+');
	uint32_t seconds;

	if (semicolon == NULL)
		return false;
	time.length = (size_t)(semicolon - value.data);
	mode = span_of(semicolon + 1, value.length - time.length - 1);
	if (sign)
		time = span_of(time.data + 1, time.length - 1);
	if (!take_number(time, &seconds) || mode.length < 1 || mode.length > 2)
		return false;
	*seconds_r = sign && value.data[0] == '-' ? -(int64_t)seconds : (int64_t)seconds;
	terms->by_trace = mode.length == 2;
	if (terms->by_trace && (mode.data[1] | 0x20) != 't')
		return false;
	terms->by_mode = (mode.data[0] | 0x20) == 'r' ? BY_RETURN : BY_NOTIFY;
	return terms->by_mode == BY_RETURN || (mode.data[0] | 0x20) == 'n';
}

int take_by(struct mail_parameters *p, const struct parameter *one, const struct mail_rules *rules,
            struct refusal *no)
{
	int64_t seconds = 0;

	if (!one->has_value || !by_parse(&p->terms, one->value, &seconds))
		return refuse(no, "5.5.4", "BY= is seconds, ';' and R or N, perhaps T");
	if (p->terms.by_mode == BY_RETURN && seconds <= 0)
		return refuse(no, "5.5.4", "BY= with R needs a time to come");
	if (p->terms.by_mode == BY_RETURN && seconds < DELIVER_BY_MIN) {
		*no = (struct refusal){ 555, "5.5.4", "BY= is shorter than the time offered" };
		return -1;
	}
	p->terms.by_us = rules->now_us + seconds * CLOCK_SEC;
	return 0;
}
