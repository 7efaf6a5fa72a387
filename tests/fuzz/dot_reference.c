/* SPDX-License-Identifier: ISC */
/* dot_reference.c - RFC 5321 4.5.2 step by step: find the end, drop dots, mend line ends.
 *
 * No states and no splits, so that it shares no mistake with mail/dot.c. */
#include "dot_reference.h"

#include <string.h>

static bool at_crlf(const unsigned char *text, size_t length, size_t i)
{
	return i + 1 < length && text[i] == '\r' && text[i + 1] == '\n';
}

bool dot_reference(struct span wire, size_t *used_r, bool *bare_r, struct bytes *out)
{
	struct bytes all = { 0 }; /* with the CRLF of the DATA command */
	const unsigned char *end;

	bytes_append_text(&all, "\r\n");
	bytes_append_span(&all, wire);
	end = memmem(all.data, all.length, "\r\n.\r\n", 5);
	*bare_r = false;
	for (size_t i = 2; end != NULL && i < (size_t)(end - all.data) + 2; i++) {
		unsigned char c = all.data[i];

		if (c == '.' && all.data[i - 1] == '\n' && all.data[i - 2] == '\r')
			continue;
		if (at_crlf(all.data, all.length, i)) {
			bytes_append_text(out, "\r\n");
			i++;
		} else if (c == '\r' || c == '\n') {
			bytes_append_text(out, "\r\n");
			*bare_r = true;
		} else {
			bytes_append(out, &c, 1);
		}
	}
	*used_r = end == NULL ? 0 : (size_t)(end - all.data) + 3;
	bytes_release(&all);
	return end != NULL;
}
