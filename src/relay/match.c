/* SPDX-License-Identifier: ISC */
/* match.c - compares what a mail has with the patterns of the configuration.
 *
 * Everything is compared without case, and '*' stands for any text. Of a field's value only the
 * front is looked at, so that no header costs more than its length times that of the pattern.
 */
#include "relay/match.h"

#include <string.h>

#include "mail/header.h"

#define VALUE_MAX 4096 /* octets of a field that are compared */

/* '*' matches any run; the rest without case. Listener names hold brackets: no fnmatch(3). */
static bool text_matches(const char *text, const char *pattern)
{
	const char *star = NULL, *retry = NULL;

	while (*text != '\0') {
		struct span a = span_of(text, 1), b = span_of(pattern, *pattern == '\0' ? 0 : 1);

		if (*pattern == '*') {
			star = pattern++;
			retry = text;
		} else if (span_equal_nocase(a, b)) {
			text++;
			pattern++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool is_any(const char *pattern)
{
	return strcmp(pattern, "*") == 0;
}

bool match_text(const struct text_list *patterns, const char *text)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (is_any(patterns->items[i]) ||
		    (text != NULL && text_matches(text, patterns->items[i])))
			return true;
	return patterns->count == 0;
}

static bool address_fits(const struct address *address, const char *pattern)
{
	if (is_any(pattern))
		return true;
	if (*pattern == '\0' || strcmp(pattern, "<>") == 0)
		return address_is_null(address);
	return !address_is_null(address) && address_matches(address, pattern);
}

bool match_address(const struct text_list *patterns, const struct address *address)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (address_fits(address, patterns->items[i]))
			return true;
	return patterns->count == 0;
}

/* ---- header ---------------------------------------------------------------- */

static bool value_fits(struct span value, const char *pattern)
{
	struct bytes text = { 0 };
	bool fits;

	value.length = value.length < VALUE_MAX ? value.length : VALUE_MAX;
	header_decode(value, &text);
	fits = text_matches(bytes_text(&text), pattern);
	bytes_release(&text);
	return fits;
}

static bool field_fits(const struct header_field *field, const char *pattern)
{
	const char *colon = strchr(pattern, ':');

	return colon != NULL &&
	       span_equal_nocase(field->name, span_of(pattern, (size_t)(colon - pattern))) &&
	       value_fits(field->value, colon + 1 + strspn(colon + 1, " \t"));
}

bool match_header(const struct text_list *patterns, struct span header)
{
	struct header_reader r = header_reader(header);
	struct header_field field;

	if (patterns->count == 0)
		return true;
	while (header_next(&r, &field))
		for (size_t i = 0; i < patterns->count; i++)
			if (field_fits(&field, patterns->items[i]))
				return true;
	return false;
}
