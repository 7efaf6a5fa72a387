/* SPDX-License-Identifier: ISC */
/* mailpit.h - what the files of Mailpit's API share: finding messages, changing them. */
#ifndef WEB_MAILPIT_H
#define WEB_MAILPIT_H

#include "web/private.h"

/* ---- hunt.c: searching, on a helper -------------------------------------------- */

struct hunt {
	struct call_job job;
	char *query;           /* NULL: every entry */
	char *before;          /* a date: only what came before it; NULL or no date: all */
	char *zone;            /* NULL: UTC */
	uint64_t start, limit; /* which of those found are wanted, the newest first */
	bool counts;           /* all are counted, also beyond those that are wanted */
	bool strict;           /* a query that asks for nothing is an error */
	uint32_t inbox;
	int64_t now_us;
	void (*found)(struct hunt *hunt); /* with the call: answers it, or hands it on */
	/* What came out. */
	char *error; /* NULL: none */
	uint64_t *sequences;
	size_t count;
	uint64_t matches, unread;
	/* private */
	struct search *search;
	int64_t before_us;
};
#define HUNT_ALL UINT64_MAX
/* With ?query=, ?tz= and ?before= of the call, or `query` instead of the first. */
struct hunt *hunt_new(struct call *call, const char *query, void (*found)(struct hunt *hunt));
/* hunt->found() runs on the web thread; the hunt is freed after it. */
void hunt_start(struct hunt *hunt);

/* ---- find.c: {ID} ---------------------------------------------------------------- */

/* Finds the message that an {ID} names, which may be `latest`, of those that ?query= finds. Then
 * found() runs, or the answer was 404: as Mailpit's JSON ways say it, or plainly. */
enum find_words { FIND_PAGE, FIND_MESSAGE };
void find_message(struct call *call, const char *name, enum find_words words,
                  void (*found)(struct call *call, uint64_t id, uint64_t sequence));
/* Sequences of the messages that an array of IDs names, without those that are none. 0, or -1: it
 * holds something else. */
int find_sequences(struct call *call, const json_t *ids, uint64_t **sequences_r, size_t *count_r);

/* ---- mailpit_list.c ---------------------------------------------------------------- */

void mailpit_list(struct call *call);   /* GET messages */
void mailpit_search(struct call *call); /* GET search */

/* ---- mailpit_view.c: a message as a page, or as text; marks it read ------------------ */

void view_html(struct call *call, uint64_t id, uint64_t sequence);
void view_text(struct call *call, uint64_t id, uint64_t sequence);

/* ---- change.c: what is asked of the writer ------------------------------------------ */

struct change_wait {
	struct call *call;
	struct inbox_change change;
	struct inbox_removal removal;
	uint64_t *sequences; /* NULL: all */
	size_t count;
	uint64_t *ids; /* private: of the same messages */
	char *labels[SPOOL_LABELS_MAX];
	size_t label_count;
	/* When it is durable, or could not be stored. NULL: the answer is `ok`, or 500. */
	void (*durable)(struct change_wait *wait);
	void *context; /* of durable() */
};
/* sequences NULL: all entries; else taken, and none of them is none. */
struct change_wait *change_new(struct call *call, uint64_t *sequences, size_t count);
void change_set(struct change_wait *wait, enum inbox_change_kind what);
void change_remove(struct change_wait *wait);
/* One message is read; then durable(). A mark that cannot be stored keeps nobody from reading. */
void mark_read(struct call *call, uint64_t sequence, void (*durable)(struct change_wait *wait),
               void *context);

#endif
