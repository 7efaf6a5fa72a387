/* SPDX-License-Identifier: ISC */
/* inbox.h - the catch-all inbox: summaries, and those who follow what arrives.
 *
 * What an entry is made of is found once, by a mime helper between the end of data and the commit
 * (intake hook), and written in the accepting transaction. Followers (--print, --save,
 * --exit-after) read the spool after the commit, on a thread of their own, so that a slow terminal
 * or disk never delays a 250.
 */
#ifndef INBOX_INBOX_H
#define INBOX_INBOX_H

#include <jansson.h>

#include "mime/mime.h"
#include "relay/route.h"
#include "spool/spool.h"

struct summary_address {
	char *name, *address;
};
/* The small record of one entry. Versioned; encoded and decoded in summary.c only. */
struct summary {
	int64_t created_us;
	char *message_id; /* without <>; "@host": see summary_complete() */
	char *subject;    /* decoded */
	char *sender;     /* reverse-path */
	char *login;      /* NULL: none */
	uint64_t size;
	struct summary_address from;
	/* From the header, at most SUMMARY_ADDRESSES_MAX in all; bcc with the recipients that the
	 * header does not name */
	struct summary_address *to, *cc, *bcc, *reply_to;
	size_t to_count, cc_count, bcc_count, reply_to_count;
	char **recipients; /* of the envelope */
	size_t recipient_count;
	char *snippet;
	uint32_t attachments, inlines;
};
#define SUMMARY_ADDRESSES_MAX 50 /* kept in a summary; the header has them all */
void summary_release(struct summary *s);
void summary_encode(const struct summary *s, struct bytes *out);
int summary_decode(struct summary *s, struct span record);
/* A Message-ID of ours has the message's id before its "@", which nobody knows when the summary is
 * written: whoever shows a summary puts it there. */
void summary_complete(struct summary *s, uint64_t id);

/* Tags that the settings give to messages as they come; numbers[i] is that of settings->inboxes[i].
 * -1 with *error: a search that is none. */
struct inbox_rules;
int inbox_rules_new(struct inbox_rules **rules_r, const struct settings *settings,
                    const uint32_t *numbers, int64_t now_us, struct bytes *error);
void inbox_rules_free(struct inbox_rules **rules);
/* The intake hook for daemon.c to wire. The rules must outlive its use; NULL: none. */
struct intake inbox_intake(struct inbox_rules *rules);

/* A label as it is kept, in Mailpit's way: marks and runs of space are one space, at most
 * SPOOL_LABEL_MAX octets. NULL: nothing is left. */
char *inbox_label(struct span text);

/* ---- what the API says of an entry ------------------------------------------------ */

/* Mailpit's MessageSummary. The caller releases it. */
json_t *inbox_summary_json(const struct inbox_entry *entry, const struct summary *s);
/* Appends the same as text, at once: a list has many. */
void inbox_summary_text(const struct inbox_entry *entry, const struct summary *s,
                        struct bytes *out);

/* These read the spool and work: call them on helpers. */

/* Mailpit's Message, with Links, Codes, Envelope and Parsed of our own. NULL: it is gone. */
json_t *inbox_message_json(struct reader *reader, uint32_t inbox, uint64_t sequence);
/* The name under which a part is offered: its own, or one that is made. */
void inbox_part_name(const struct mime_part *part, struct bytes *out);
/* Canonical name -> values, names in order as Go writes them; the fields that are written in front
 * of the content included. NULL: it is gone. */
json_t *inbox_headers_json(struct reader *reader, uint32_t inbox, uint64_t sequence);

/* ---- search ------------------------------------------------------------------ */

/* A query in the language of Mailpit: words and "phrases" that all have to be there, - or ! before
 * what must not, from: to: cc: bcc: reply-to: addressed: subject: message-id: tag: is: has: after:
 * before: larger: smaller:. Ours: = before an address compares it whole (to:=a@example.com), and
 * header-less words look into subject, addresses, text, file names and tags. */
struct search;
/* tz: the name of the asker's time zone for dates without one; NULL and unknown ones: UTC. As in
 * Mailpit what cannot be understood is a word, or asks for nothing. 0, or -1 with *error: too many
 * words. A search is one thread's. */
int search_parse(struct search **search_r, const char *query, const char *tz, int64_t now_us,
                 struct bytes *error);
bool search_matches(const struct search *search, const struct inbox_row *row);
/* Whether it asks for nothing, and so finds everything: "subject:", before: and no date. */
bool search_finds_all(const struct search *search);
void search_free(struct search **search);
/* A date as people write it, in that zone, in microseconds (of milliseconds, as Mailpit counts);
 * -1: it is none. */
int search_date(const char *text, const char *tz, int64_t *us_r);

/* reader_inbox_scan() of those that match; NULL: all. 100,000 messages take milliseconds when the
 * query has a word that few have, a tenth of a second otherwise: call it on helpers. */
uint64_t search_scan(const struct search *search, struct reader *r, uint32_t inbox, uint64_t before,
                     size_t max, void (*each)(void *context, const struct inbox_row *row),
                     void *context);
/* Appends text as search compares it: case folded, marks and white space as one space, after a
 * space when something is there. What an intake keeps as SPOOL_TEXT is made of nothing else: From,
 * Subject, To, Cc, Bcc, Reply-To, the reverse-path, the text, then names of attached files. */
void search_fold(struct bytes *out, struct span text);

/* ---- followers ------------------------------------------------------------ */

struct follower;

struct follower_options {
	struct spool *spool;
	uint32_t inbox; /* its number */
	enum print_mode print;
	const char *save;    /* directory, or NULL */
	uint64_t exit_after; /* 0: never */
	/* On the follower's thread, once: exit_after messages were printed and saved. */
	void (*enough)(void *context);
	void *context;
};

/* Follows what arrives from now on. -1 with *error: the directory cannot be written. */
int follower_start(struct follower **follower_r, const struct follower_options *options,
                   struct bytes *error);
/* Follows what is committed by now, then ends. */
void follower_stop(struct follower **follower);

#endif
