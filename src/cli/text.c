/* SPDX-License-Identifier: ISC */
/* text.c - values of the daemon's answers, safe for a terminal. */
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/utf8.h"
#include "cli/cli.h"

/* C0, DEL and C1 speak to terminals; marks of direction turn what stands behind them. */
static bool is_plain(uint32_t code)
{
	return code >= 0x20 && !(code >= 0x7f && code < 0xa0) &&
	       !(code >= 0x202a && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069);
}

void text_print(FILE *out, const char *text)
{
	struct span rest = span_of_text(text);

	while (rest.length > 0) {
		uint32_t code;
		size_t length = utf8_next(rest, &code);

		if (length > 0 && is_plain(code))
			fwrite(rest.data, 1, length, out);
		else
			fputc('?', out);
		length = length == 0 ? 1 : length;
		rest.data += length;
		rest.length -= length;
	}
}

void time_print(const char *text)
{
	struct tm tm = { 0 };
	char local[32];
	time_t seconds;

	if (strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL) {
		text_print(stdout, text);
		return;
	}
	seconds = timegm(&tm);
	localtime_r(&seconds, &tm);
	strftime(local, sizeof(local), "%Y-%m-%d %H:%M:%S", &tm);
	fputs(local, stdout);
}

void size_print(int width, long long octets)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	char text[32];
	double value = (double)octets;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		value /= 1024;
		unit++;
	}
	snprintf(text, sizeof(text), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
	printf("%*s", width, text);
}

void count_print(long long count, const char *noun)
{
	size_t length = strlen(noun);

	if (count == 1)
		printf("1 %s", noun);
	else if (length > 0 && noun[length - 1] == 'y')
		printf("%lld %.*sies", count, (int)(length - 1), noun);
	else
		printf("%lld %ss", count, noun);
}

const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

int json_out(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(value);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
