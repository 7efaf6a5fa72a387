/* SPDX-License-Identifier: ISC */
/* dialogue.h - what client and server said, as a record that goes with a message. Pure.
 *
 * Lines with their times, without their ends, in the order in which they were said; what a peer
 * said is in it octet by octet, so whoever shows it has to make it safe. Secrets are not in it.
 */
#ifndef MAIL_DIALOGUE_H
#define MAIL_DIALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "mail/id.h"

enum dialogue_from {
	DIALOGUE_NOTE, /* neither: what happened */
	DIALOGUE_CLIENT,
	DIALOGUE_SERVER,
	DIALOGUE_QUEUED /* the server's last line before the id; readers see DIALOGUE_SERVER */
};

struct dialogue_line {
	int64_t time_us; /* wall clock */
	enum dialogue_from from;
	struct span text;
};

/* Octets of a line in the record beside its text. */
#define DIALOGUE_LINE_HEAD 11

/* A record begins with this, then has its lines. */
void dialogue_begin(struct bytes *record);
/* Appends; text beyond 64 KiB is cut. */
void dialogue_put(struct bytes *record, const struct dialogue_line *line);

struct dialogue_reader {
	struct span rest;
	uint64_t id;
	char queued[80 + ID_TEXT_SIZE];
};
/* id: of the message whose dialogue it is, which nobody knew when it was written; else 0. */
struct dialogue_reader dialogue_reader(struct span record, uint64_t id);
/* The next line, whose text is the record's or the reader's; false: no more, or it is damaged. */
bool dialogue_next(struct dialogue_reader *r, struct dialogue_line *line_r);

#endif
