/* SPDX-License-Identifier: ISC */
/* lines.c - the lines of a session, whole, bounded, and run in the state that they find.
 *
 * They are read where they lie in the stream's buffer, so an idle session owns none. Which command
 * a line is decides verbs.c. A line ends with CRLF only (RFC 5321 2.3.8).
 */
#include "receive/private.h"

#include <string.h>

#include "base/memory.h"

static bool is_letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t line_max(const struct session *s, struct span input)
{
	bool offered = s->receive->listener->auth != AUTH_OFF;

	return offered && (s->state == SESSION_AUTH || span_starts_nocase(input, "AUTH"))
	               ? AUTH_LINE_MAX
	               : COMMAND_LINE_MAX;
}

static void line_too_long(struct session *s)
{
	if (s->state == SESSION_AUTH) {
		auth_forget(s);
		session_enter(s, SESSION_READY);
	}
	record_note(s, "a line that is too long");
	session_reply(s, 500, s->skipping_auth ? "5.5.6" : "5.5.2", "Line too long");
}

/* The chunk behind a BDAT whose line is not one cannot be told from commands. */
static bool is_bdat(const struct session *s, struct span line)
{
	return s->state != SESSION_AUTH && span_starts_nocase(line, "BDAT");
}

static void bdat_hang_up(struct session *s)
{
	session_reply(s, 500, "5.5.2", "That is no line of BDAT");
	session_hang_up(s, "4.7.0", "Lost count of the octets, closing");
}

/* A line is here, with its LF. Whatever is wrong with its end, one reply follows. */
static void line_run(struct session *s, struct span line)
{
	bool crlf = line.length >= 2 && line.data[line.length - 2] == '\r';
	bool tainted = s->tainted;

	s->tainted = !crlf;
	s->spoken = true;
	record_command(s, span_of(line.data, line.length - (crlf ? 2 : 1)));
	if ((!crlf || tainted) && is_bdat(s, line))
		bdat_hang_up(s);
	else if (!crlf)
		session_reply(s, 500, "5.5.2", "Line ends with a bare LF; RFC 5321 wants CR LF");
	else if (tainted)
		session_reply(s, 500, "5.5.2", "Line began behind a bare LF and is ignored");
	else if (s->state == SESSION_AUTH)
		auth_line(s, span_of(line.data, line.length - 2));
	else
		verb_run(s, span_of(line.data, line.length - 2));
}

/* The rest of a line that was too long: dropped as it comes. */
static bool line_skip(struct session *s, struct span input)
{
	const unsigned char *lf = memchr(input.data, '\n', input.length);
	size_t length = lf != NULL ? (size_t)(lf - input.data) : input.length;

	if (length > 0)
		s->skipped_cr = input.data[length - 1] == '\r';
	if (s->skipping_auth)
		stream_wipe(s->stream, length);
	stream_consume(s->stream, lf != NULL ? length + 1 : length);
	if (lf == NULL)
		return false;
	s->skipping = false;
	s->tainted = !s->skipped_cr;
	line_too_long(s);
	return true;
}

/* One line, if it is here. The line is copied: consuming may move the stream's buffer, and a
 * command may write, pause, or end the session. */
bool line_step(struct session *s)
{
	struct span input = stream_input(s->stream);
	unsigned char line[AUTH_LINE_MAX];
	const unsigned char *lf;
	size_t length, max;

	if (input.length == 0)
		return false;
	if (s->skipping)
		return line_skip(s, input);
	if (!s->spoken && !is_letter(input.data[0]) && input.data[0] != '\r' &&
	    input.data[0] != '\n') {
		session_reply(s, 554, "5.5.2", "This is an SMTP server, closing");
		session_close(s, "not SMTP");
		return false;
	}
	max = line_max(s, input);
	lf = memchr(input.data, '\n', input.length < max ? input.length : max);
	if (lf == NULL && input.length < max)
		return false;
	s->activity_us = session_now(s);
	if (lf == NULL && is_bdat(s, input)) {
		bdat_hang_up(s);
		return false;
	}
	if (lf == NULL) {
		s->spoken = s->skipping = true;
		s->skipping_auth = max == AUTH_LINE_MAX;
		return true;
	}
	length = (size_t)(lf - input.data) + 1;
	memcpy(line, input.data, length);
	if (max == AUTH_LINE_MAX)
		stream_wipe(s->stream, length);
	stream_consume(s->stream, length);
	line_run(s, span_of(line, length));
	if (max == AUTH_LINE_MAX)
		memory_wipe(line, length);
	return true;
}
