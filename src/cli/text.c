/* SPDX-License-Identifier: ISC */
/* text.c - values of the daemon's answers, safe for a terminal. */
#include <stdio.h>
#include <sysexits.h>

#include "cli/cli.h"

void text_print(const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		putchar(c < 0x20 || c == 0x7f ? '?' : c);
	}
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
