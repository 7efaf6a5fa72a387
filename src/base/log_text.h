/* SPDX-License-Identifier: ISC */
/* log_text.h - how the text of a log line is made safe; for log.c only. */
#ifndef BASE_LOG_TEXT_H
#define BASE_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* Text in memory of a fixed size. What does not fit is cut between characters, and "..." is
 * written in its place; then nothing is appended any more. */
struct log_text {
	char *data;
	size_t length;
	size_t max; /* octets of text; data has LOG_TEXT_SPARE more */
	bool cut;
};
#define LOG_TEXT_SPARE 5 /* "...", a closing quote or newline, and the NUL */

void log_text_append(struct log_text *t, const char *text);
/* Controls, bidirectional overrides and what is not UTF-8 become \xNN; so that quoted text can be
 * told from it, quotes and backslashes get a backslash when `quote` is set. */
void log_text_append_escaped(struct log_text *t, struct span raw, bool quote);
/* Appends the members of a JSON object for an escaped line: "event" and one for each key=value.
 * A line that is not of that form is all "event". */
void log_text_append_json(struct log_text *t, const char *line);

#endif
