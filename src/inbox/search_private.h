/* SPDX-License-Identifier: ISC */
/* search_private.h - what the files of the search share: a query's terms, needles, dates. */
#ifndef INBOX_SEARCH_PRIVATE_H
#define INBOX_SEARCH_PRIVATE_H

#include "inbox/inbox.h"

/* ---- needles (needle.c) ------------------------------------------------------------------ */

/* Octets to find, and the two of them that are likely to be rare. */
struct needle {
	struct bytes octets;
	size_t rare, second;
};
void needle_init(struct needle *n, struct span octets); /* copies */
void needle_release(struct needle *n);
bool needle_is_in(const struct needle *n, struct span text);

/* ---- terms (query.c) ----------------------------------------------------------------------- */

/* In the order in which they are asked: what costs least first. */
enum term_kind {
	TERM_READ,
	TERM_UNREAD,
	TERM_AFTER,
	TERM_BEFORE,
	TERM_LARGER,
	TERM_SMALLER,
	TERM_TAGGED,
	TERM_TAG,
	TERM_ATTACHMENT,
	TERM_INLINE,
	TERM_MESSAGE_ID,
	TERM_SUBJECT,
	TERM_FROM,
	TERM_TO,
	TERM_CC,
	TERM_BCC,
	TERM_REPLY_TO,
	TERM_ADDRESSED,
	TERM_TEXT
};
struct term {
	enum term_kind kind;
	bool excludes;
	bool whole;           /* an address: not a part of it */
	struct needle needle; /* folded */
	uint64_t number;      /* milliseconds since the epoch, or octets */
};
struct search {
	struct term *terms;
	size_t count;
	struct bytes *scratch;    /* of the one thread that asks */
	struct inbox_sieve sieve; /* what must be in a text or a label */
};

/* ---- dates (date.c, zone.c) ------------------------------------------------------------------ */

/* Milliseconds since the epoch; -1: no date. Without a zone it is in that one. */
struct zone;
int date_parse(struct span text, const struct zone *zone, int64_t *ms_r);

/* A zone of the system's time zone database. NULL, and names that are none: UTC. */
struct zone *zone_new(const char *name);
void zone_free(struct zone **zone);
/* Seconds since the epoch of a wall clock that shows so many seconds since 1970. */
int64_t zone_to_utc(const struct zone *zone, int64_t local_s);

/* ---- summaries in place (view.c) --------------------------------------------------------------
 */

/* What a query looks at, as spans of the record. Lists as they are encoded. */
struct summary_view {
	struct span message_id, subject;
	struct span from, to, cc, bcc, reply_to;
	uint32_t attachments, inlines;
};
int summary_look(struct summary_view *view_r, struct span record);
/* Takes one from a list. false: no more. */
bool summary_next_address(struct span *list, struct span *name_r, struct span *address_r);

#endif
