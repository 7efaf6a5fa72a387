/* SPDX-License-Identifier: ISC */
/* quiet.c - renames tags by their names alone.
 *
 * A browser takes "<" and a letter for the beginning of a tag in all of its states but those in
 * which there is no markup (scripts, styles, comments, values): there the renaming changes what is
 * read, not what is done. So no parser is needed, and none can be led astray.
 */
#include <string.h>

#include "web/quiet.h"

static const char *const loud[] = { "link", "iframe", "frame", "object", "embed" };

#define RENAMED "x-"

static bool ends_name(struct span text, size_t at)
{
	static const char ends[] = { ' ', '\t', '\n', '\f', '\r', '/', '>' };

	return at >= text.length || memchr(ends, text.data[at], sizeof(ends)) != NULL;
}

/* Does the name of such an element begin here? */
static bool is_loud(struct span text)
{
	for (size_t i = 0; i < sizeof(loud) / sizeof(*loud); i++)
		if (span_starts_nocase(text, loud[i]) && ends_name(text, strlen(loud[i])))
			return true;
	return false;
}

void quiet_html(struct bytes *out, struct span html)
{
	while (html.length > 0) {
		const unsigned char *tag = memchr(html.data, '<', html.length);
		size_t taken = tag == NULL ? html.length : (size_t)(tag - html.data) + 1;

		bytes_append(out, html.data, taken);
		html = span_of(html.data + taken, html.length - taken);
		if (is_loud(html))
			bytes_append_text(out, RENAMED);
	}
}
