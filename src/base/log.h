/* SPDX-License-Identifier: ISC */
/* log.h - one event, one line: "event words key=value key=value".
 *
 * The line is written with one write(2). Control characters and bytes that are
 * not UTF-8 are escaped as \xNN here, once, whatever the caller passes: no peer can
 * start a second line or speak to the terminal. Values that come from a peer go
 * through log_quoted() so that they cannot fake a further key.
 * Lines longer than 4096 octets are cut and end in "...". In JSON a line of the form
 * above becomes {"time", "level", "program", "event": "event words", "key": "value" ...}, any
 * other line is all "event". Never pass a secret. Safe to call on any thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_target {
	LOG_TO_STDERR,
	LOG_TO_JOURNAL,
	LOG_TO_SYSLOG
}; /* JOURNAL: stderr with <N> levels */
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Before threads start; stderr at info without it. */
void log_open(const char *program, enum log_target target, enum log_format format,
              enum log_level level);
bool log_enabled(enum log_level level);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Logs and ends the process at once with an exit status of sysexits.h: what stdio holds is
 * not written, no exit handler runs. */
_Noreturn void log_fatal(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "text" in double quotes with quotes, backslashes and controls escaped, at most
 * LOG_QUOTED_MAX bytes (then "..."). The result lives in a ring of this thread
 * and stays valid for the next 7 calls: use it as an argument only. */
#define LOG_QUOTED_MAX 512
const char *log_quoted(const char *text);
const char *log_quoted_span(struct span text);

/* Tests catch lines instead of writing them; NULL restores. The line has no newline. */
void log_capture(void (*sink)(void *context, enum log_level level, const char *line),
                 void *context);

#endif
