/* SPDX-License-Identifier: ISC */
/* log.c - where log lines go, and what stands in front of them.
 *
 * Set once before threads start, read-only afterwards; a line is built on the caller's stack
 * and written with one write(2), so lines of several threads never mix. What a line may
 * contain is decided in log_text.c.
 */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_text.h"

/* A pipe takes up to PIPE_BUF, 4096 on Linux, in one piece; longer lines could mix. */
#define LOG_LINE_MAX       4096 /* octets, with prefix and newline */
/* JSON spells "a= " as `,"a":""`, at most 2.34 times as long: this keeps it below LOG_LINE_MAX. */
#define LOG_JSON_EVENT_MAX 1600 /* octets */
#define LOG_QUOTED_RING    8    /* results of log_quoted() that live at once */

static struct {
	char program[32];
	enum log_target target;
	enum log_format format;
	enum log_level level;
	void (*sink)(void *context, enum log_level level, const char *line);
	void *sink_context;
} output = { .program = "penstock", .level = LOG_LEVEL_INFO };

static const struct {
	const char *name;
	int priority; /* syslog's and journald's */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", LOG_ERR },
	[LOG_LEVEL_WARNING] = { "warning", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

void log_open(const char *program, enum log_target target, enum log_format format,
              enum log_level level)
{
	size_t length = strnlen(program, sizeof(output.program) - 1);

	memcpy(output.program, program, length);
	output.program[length] = '\0';
	output.target = target;
	output.format = format;
	output.level = level;
	if (target == LOG_TO_SYSLOG)
		openlog(output.program, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

bool log_enabled(enum log_level level)
{
	return level <= output.level;
}

static void append_time(struct log_text *line)
{
	char now[CLOCK_DATE_MAX];

	clock_format_rfc3339(clock_wall(clock_system()), now);
	log_text_append(line, now);
}

static void append_plain(struct log_text *line, enum log_level level, const char *event)
{
	if (output.target == LOG_TO_STDERR) {
		append_time(line);
		log_text_append(line, " ");
		log_text_append(line, levels[level].name);
		log_text_append(line, " ");
	}
	log_text_append_escaped(line, span_of_text(event), false);
}

static void append_json(struct log_text *line, enum log_level level, const char *event)
{
	log_text_append(line, "{\"time\":\"");
	append_time(line);
	log_text_append(line, "\",\"level\":\"");
	log_text_append(line, levels[level].name);
	log_text_append(line, "\",\"program\":\"");
	log_text_append(line, output.program);
	log_text_append(line, "\",");
	log_text_append_json(line, event);
	log_text_append(line, "}");
}

static void write_line(const char *line, size_t length)
{
	/* A log that cannot be written must not stop the mail. */
	while (write(STDERR_FILENO, line, length) < 0 && errno == EINTR)
		;
}

/* `event` is escaped already. */
static void emit(enum log_level level, const char *event)
{
	char memory[LOG_LINE_MAX];
	struct log_text line = { .data = memory, .max = sizeof(memory) - LOG_TEXT_SPARE };

	if (output.target == LOG_TO_JOURNAL) {
		char mark[4] = { '<', (char)('0' + levels[level].priority), '>', '\0' };

		log_text_append(&line, mark);
	}
	if (output.format == LOG_FORMAT_JSON)
		append_json(&line, level, event);
	else
		append_plain(&line, level, event);
	if (output.target == LOG_TO_SYSLOG) {
		syslog(levels[level].priority, "%s", line.data);
		return;
	}
	line.data[line.length++] = '\n';
	write_line(line.data, line.length);
}

static void log_arguments(enum log_level level, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void log_arguments(enum log_level level, const char *format, va_list arguments)
{
	char raw[LOG_LINE_MAX];
	char escaped[LOG_LINE_MAX];
	struct log_text event = { .data = escaped, .max = sizeof(escaped) - LOG_TEXT_SPARE };
	int before = errno;

	escaped[0] = '\0';
	if (output.format == LOG_FORMAT_JSON)
		event.max = LOG_JSON_EVENT_MAX;
	vsnprintf(raw, sizeof(raw), format, arguments);
	log_text_append_escaped(&event, span_of_text(raw), false);
	if (output.sink != NULL)
		output.sink(output.sink_context, level, escaped);
	else
		emit(level, escaped);
	errno = before;
}

#define LOG_AT(level, format)                                \
	do {                                                 \
		va_list arguments;                           \
		if (!log_enabled(level))                     \
			break;                               \
		va_start(arguments, format);                 \
		log_arguments((level), (format), arguments); \
		va_end(arguments);                           \
	} while (0)

void log_error(const char *format, ...)
{
	LOG_AT(LOG_LEVEL_ERROR, format);
}

void log_warning(const char *format, ...)
{
	LOG_AT(LOG_LEVEL_WARNING, format);
}

void log_info(const char *format, ...)
{
	LOG_AT(LOG_LEVEL_INFO, format);
}

void log_debug(const char *format, ...)
{
	LOG_AT(LOG_LEVEL_DEBUG, format);
}

void log_fatal(int status, const char *format, ...)
{
	LOG_AT(LOG_LEVEL_ERROR, format);
	/* Not exit(): its handlers would take libraries away from threads that still run. */
	_exit(status);
}

const char *log_quoted(const char *text)
{
	return log_quoted_span(span_of_text(text));
}

const char *log_quoted_span(struct span text)
{
	static _Thread_local char ring[LOG_QUOTED_RING][1 + LOG_QUOTED_MAX + LOG_TEXT_SPARE];
	static _Thread_local unsigned next;
	struct log_text quoted = { .data = ring[next++ % LOG_QUOTED_RING],
		                   .max = 1 + LOG_QUOTED_MAX };

	log_text_append(&quoted, "\"");
	log_text_append_escaped(&quoted, text, true);
	quoted.data[quoted.length++] = '"';
	quoted.data[quoted.length] = '\0';
	return quoted.data;
}

void log_capture(void (*sink)(void *context, enum log_level level, const char *line), void *context)
{
	output.sink = sink;
	output.sink_context = context;
}
