/* SPDX-License-Identifier: ISC */
/* reply.h - one SMTP reply, and the parser of replies from a smarthost.
 *
 * Local failures (connection lost, timeout ...) are expressed as replies too, with
 * `local` set, so that one table decides what any outcome means.
 */
#ifndef MAIL_REPLY_H
#define MAIL_REPLY_H

#include <stdbool.h>

#include "base/bytes.h"

/* RFC 5321 4.5.3.1.5 says 512; real servers exceed it. */
#define REPLY_LINE_MAX  4096 /* octets, CRLF included */
/* An EHLO reply is the longest honest one; more lines is an attack. */
#define REPLY_LINES_MAX 100
/* What is kept of a reply's text in the spool and in bounces. */
#define REPLY_TEXT_MAX  1000 /* octets */

/* RFC 3463; class 0: none was given. */
struct enhanced_code {
	uint8_t class; /* 2, 4, 5 */
	uint16_t subject, detail;
};

struct reply {
	int code; /* 200 to 599; 0: none yet */
	struct enhanced_code enhanced;
	char *text; /* without codes, lines joined by '\n', control characters replaced by '?' */
	bool local; /* made here, not said by the peer */
};

void reply_release(struct reply *r);
void reply_copy(struct reply *to, const struct reply *from);
/* A local failure, e.g. reply_local(&r, 451, "4.4.2", "connection lost"). */
void reply_local(struct reply *r, int code, const char *enhanced, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
bool enhanced_code_parse(struct enhanced_code *code_r, struct span text, size_t *used_r);
/* The given code, or x.0.0 of the reply's class ("5.0.0"). */
void reply_format_enhanced(const struct reply *r, char out[16]);
/* "550 5.1.1 No such user" on one line, for logs, records and Diagnostic-Code. */
void reply_format(const struct reply *r, struct bytes *out);

/* Collects the lines of one reply. Zeroed is ready. */
struct reply_parser {
	struct bytes text;
	int code;
	unsigned lines;
	struct enhanced_code enhanced;
};

enum reply_progress { REPLY_MORE, REPLY_DONE, REPLY_BROKEN };
/* One line without its line end. DONE: *reply_r holds the reply (caller releases) and the parser is
 * ready for the next. BROKEN: not SMTP, code changed between lines, or too long: the
 * connection cannot be trusted any more. */
enum reply_progress reply_parser_line(struct reply_parser *p, struct span line,
                                      struct reply *reply_r);
void reply_parser_release(struct reply_parser *p);

#endif
