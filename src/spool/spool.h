/* SPDX-License-Identifier: ISC */
/* spool.h - the durable store: LMDB with one writer thread and group commit.
 *
 * Whoever asks builds a request, encodes its records on its own thread and hands it to the writer,
 * which owns it until it comes back, as its own completion, on the channel it was
 * sent from: result 0 when everything in it is durable, -1 when nothing of it is
 * stored. Posting never blocks. Reading is done by anybody through a reader of the thread's
 * own; a read copies out and ends, no read transaction outlives a call.
 *
 * States of a delivery, the transition between them, and what a crash leaves:
 *
 *   S0 -> S1  spool_chunk()     body being written; crash: dropped at start-up (garbage)
 *   S1 -> S2  spool_put()       durable, due; only now may a session say 250
 *   S2 -> S3  spool_claim()     in flight; crash: indeterminate (may have been sent)
 *   S3 -> S2  spool_outcome()   deferred: next attempt set in the same transaction
 *   S3 -> S0  spool_outcome()   sent, or failed with its bounce put inside
 *   S2 -> S0  spool_outcome()   expired or removed without a claim
 *   S2 -> S2  spool_outcome()   held, released, retried now: another due time
 *
 * src/spool/README.md has the tables.
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/channel.h"
#include "base/clock.h"
#include "mail/envelope.h"
#include "mail/trace.h"

#define SPOOL_RECIPIENTS_MAX 50 /* of one delivery row: the smallest common limit of providers */
/* Inbox entries of one message, and its deliveries: a put with more is refused. */
#define SPOOL_ENTRIES_MAX    64
#define SPOOL_DELIVERIES_MAX 10000
#define SPOOL_CHUNK_MAX      (64 * 1024) /* octets of one chunk request: a session's credit */
#define SPOOL_QUEUE_UNROUTED 0           /* the queue of what no route matches */

struct spool;
struct reader;

/* ---- opening --------------------------------------------------------- */

enum spool_mode { SPOOL_RELAY, SPOOL_CATCH }; /* neither opens the other's spool */

struct spool_options {
	const char *path;  /* made (0700) when it is not there */
	uint64_t max_size; /* our own quota in octets; the map is larger */
	enum spool_mode mode;
	const struct clock *clock;
};

/* Locks DIR/lock, opens, checks schema, mode and page size. -1 with *error for the operator: not
 * writable, locked by pid N, the other mode's spool, a newer schema ... */
int spool_open(struct spool **spool_r, const struct spool_options *options, struct bytes *error);

/* Between open and start, on the opening thread: the number that stands for a name in the
 * records; made when it is new, never reused while a record holds it. */
enum spool_names { SPOOL_NAME_QUEUE, SPOOL_NAME_PROVIDER, SPOOL_NAME_INBOX };
int spool_number(struct spool *sp, enum spool_names kind, const char *name, uint32_t *number_r);
/* How many entries an inbox keeps (0: all); older ones are deleted at the start and by the puts
 * that follow. */
void spool_keep(struct spool *sp, uint32_t inbox, size_t keep);
/* The same by the octets of their messages (0: all); the newest one always stays. */
void spool_keep_octets(struct spool *sp, uint32_t inbox, uint64_t octets);

/* The generation of the routing rules with that digest: the stored one while the digest is the
 * stored one, else the next, which is stored. Between open and start, on the opening thread. */
int spool_generation(struct spool *sp, struct span digest, uint64_t *generation_r);

/* Starts the writer thread. */
int spool_start(struct spool *sp, struct bytes *error);
/* Takes what still waits, commits it, ends the writer. */
void spool_stop(struct spool *sp);
void spool_close(struct spool **sp);

/* The daemon's answer when the writer cannot go on (I/O error with space left, MDB_PANIC): called
 * on the writer thread, logs and exits non-zero unless a test sets another. */
void spool_on_failure(struct spool *sp, void (*failed)(void *context, const char *why),
                      void *context);

/* ---- the quota -------------------------------------------------------- */

/* Reserves room for a message of that size (any thread, atomic); false: say 452 4.3.1. Deliveries
 * and deletes keep working beyond it. */
bool spool_reserve(struct spool *sp, uint64_t octets);
/* The same, if room for `spare` octets is left then. */
bool spool_reserve_sparing(struct spool *sp, uint64_t octets, uint64_t spare);
void spool_unreserve(struct spool *sp, uint64_t octets);
/* Every value is at most this long: one page less LMDB's header. Chunks are cut in such pieces. */
size_t spool_piece_size(const struct spool *sp);

/* ---- facts ------------------------------------------------------------- */

struct message_facts {
	uint64_t id; /* given by the writer */
	struct address sender;
	enum envelope_body body;
	bool smtputf8;
	enum envelope_ret ret;
	char *envid; /* NULL: none */
	struct envelope_terms terms;
	char *login;    /* NULL: none */
	char *listener; /* its name; NULL: made here, or not known (stored by an earlier version) */
	char *from;     /* addresses of the header From, a line each, "" none; NULL: as listener */
	struct trace trace;
	uint64_t size; /* octets of the content as accepted, without trace fields */
	uint64_t blob;
};
void message_facts_release(struct message_facts *m);

struct delivery_recipient {
	struct recipient to;
	char *last_reply; /* "451 4.7.1 Greylisted", NULL before the first attempt */
};

struct delivery {
	uint64_t id;
	uint32_t n;
	uint32_t queue;
	uint64_t generation;  /* of the routing rules that chose the queue */
	int8_t priority;      /* -9 to 9: the route's and the sender's, added */
	uint16_t class;       /* spool_class(): whose turn */
	int64_t due_us;       /* wall clock; CLOCK_NEVER: held */
	int64_t accepted_us;  /* wall clock; expiry counts from here: when it was accepted, or is to
	                         be released (RFC 4865) */
	int64_t return_by_us; /* wall clock: it fails when it is later (RFC 2852); 0: never */
	int64_t warn_us; /* wall clock: its sender is told that it is delayed; 0: never, or was */
	uint32_t attempts;
	uint32_t pinned; /* provider number after an indeterminate end; 0: none */
	int64_t pinned_until_us;
	struct delivery_recipient *recipients;
	size_t count; /* at most SPOOL_RECIPIENTS_MAX */
};
void delivery_release(struct delivery *d);
void delivery_free(struct delivery **d);
struct delivery *delivery_copy(const struct delivery *d); /* on the heap */

struct due_row {
	uint32_t queue;
	int8_t priority;
	uint16_t class;
	int64_t time_us;
	uint64_t id;
	uint32_t n;
};

/* When a delivery has to be looked at, wherever it waits. */
struct alarm {
	int64_t time_us; /* wall clock: the delivery's return_by_us or warn_us */
	uint64_t id;
	uint32_t n;
};

struct claim {
	uint32_t provider;
	uint32_t slot; /* the dispatcher's number for the attempt; unique among open claims of all
	                  providers */
	uint64_t id;
	uint32_t n;
	uint32_t tokens; /* messages or recipients it counts as */
	int64_t time_us; /* wall clock of the claim */
};

/* So many tokens of a limit, used in one slice of a window; what the numbers mean is the asker's.
 */
struct spool_count {
	uint8_t kind, unit;
	uint64_t owner;
	uint64_t window; /* its length */
	uint64_t slice;  /* by the wall clock, counted from the epoch */
	uint64_t amount;
	uint64_t keep; /* slices of this window older than so many are forgotten; 0: none */
	bool set;      /* the amount replaces what is there, instead of being added */
};

/* The fair-queue class of a message: keyed hash of the login, else of the sender's domain. */
uint16_t spool_class(const struct spool *sp, const char *login, const struct address *sender);

/* ---- requests ---------------------------------------------------------- */

enum spool_urgency { SPOOL_URGENT, SPOOL_LAZY, SPOOL_BULK };

/* Head of every request. `done` runs on the thread of `home`, with the request back in the asker's
 * hands. */
struct spool_request {
	struct channel_item item;
	struct channel *home;
	void (*done)(struct spool_request *request, int result);
	int result;
	uint8_t kind, urgency; /* private to spool */
};

/* What an inbox keeps of a message beside its summary, in tables of their own, so that a list reads
 * none of it. What is in them is the asker's; at most SPOOL_EXTRA_MAX octets each. */
enum spool_extra {
	SPOOL_PARTS,    /* the part index: mime/mime.h */
	SPOOL_TEXT,     /* normalised text for search: inbox/inbox.h */
	SPOOL_DIALOGUE, /* what client and server said: mail/dialogue.h */
	SPOOL_EXTRA_COUNT
};
#define SPOOL_EXTRA_MAX  (1024 * 1024) /* a bound for one row set; askers cut before */
/* Labels (tags) of one entry, and octets of each: what fits beside the summary in one piece. */
#define SPOOL_LABELS_MAX 20
#define SPOOL_LABEL_MAX  100

/* A message being accepted. put_new(), fill facts, put_add_...(), spool_put(). */
struct put_entry {
	uint32_t inbox;
	struct bytes summary; /* see inbox/inbox.h; with the labels one piece at most */
	char **labels;        /* without repetition */
	size_t label_count;
	struct bytes extras[SPOOL_EXTRA_COUNT]; /* empty: nothing is kept */
};

struct put {
	struct spool_request request; /* request.home and .done are set by the asker */
	struct message_facts facts;   /* facts.id is filled at the commit */
	/* What client and server said (mail/dialogue.h), for the intake hook; empty: not recorded.
	 */
	struct bytes dialogue;
	struct bytes header;  /* the header section when it is no longer in body (streamed mail) */
	struct bytes body;    /* content from piece `first_piece` on; all of it for small mail */
	uint32_t first_piece; /* pieces already stored by spool_chunk() */
	bool shares; /* facts.blob is a stored message's: one reference more, body is empty. Refused
	                when it is gone */
	uint64_t reserved; /* octets of quota held; 0 when done() is called: given back by a
	                      refused put, turned into stored size by the other */
	struct delivery **deliveries;
	size_t delivery_count;
	struct put_entry *entries;
	size_t entry_count;
	struct bytes records; /* private to spool: encoded by spool_put() on the asker's thread */
	uint16_t fact_rows;   /* private to spool */
	void *owner;          /* the asker's */
};
struct put *put_new(struct spool *sp);
void put_free(struct put **put); /* does not unreserve */
void put_add_delivery(struct put *put,
                      struct delivery *delivery); /* takes it; id and n are filled by the writer */
void put_add_entry(struct put *put, uint32_t inbox, struct bytes *summary); /* takes its content */
/* What a put would read as header: put->header, or the front of put->body. */
struct span put_header(const struct put *put);
void spool_put(struct spool *sp, struct put *put);

/* Pieces of a large body, before its put. Every chunk but a message's last holds a whole number of
 * pieces. */
struct chunk {
	struct spool_request request;
	uint64_t blob; /* spool_blob_new() */
	uint32_t first_piece;
	struct bytes data; /* at most SPOOL_CHUNK_MAX */
	void *owner;
};
uint64_t spool_blob_new(struct spool *sp); /* any thread, atomic */
void spool_chunk(struct spool *sp, struct chunk *chunk);
/* Gives up a body whose chunks were written; nothing comes back. */
void spool_drop(struct spool *sp, uint64_t blob);

/* One delivery changes its state. Only the dispatcher makes these. The writer verifies that what is
 * to be removed is there, and refuses the request (-1) when it is not. */
struct transition {
	struct spool_request request;
	uint64_t id;
	uint32_t n;
	bool has_due; /* this row is removed */
	struct due_row due;
	bool claims, unclaims; /* this claim is added, or removed */
	struct claim claim;
	struct delivery *now;    /* as rewritten, with its due row unless it is being claimed; NULL:
	                            ended, or claimed as it is */
	struct delivery **apart; /* each becomes the message's next free n, with its due row */
	size_t apart_count;
	struct spool_count *counts; /* added in the same transaction */
	size_t count_count;
	struct put *bounce;   /* accepted in the same transaction; its own done() is not called */
	struct bytes records; /* private to spool */
	uint16_t now_rows;    /* private to spool */
	void *owner;
};
struct transition *transition_new(uint64_t id, uint32_t n);
void transition_apart(struct transition *t, struct delivery *delivery); /* takes it */
void transition_count(struct transition *t, const struct spool_count *count);
void transition_free(struct transition **t);                /* with its deliveries and its bounce */
void spool_claim(struct spool *sp, struct transition *t);   /* urgent */
void spool_outcome(struct spool *sp, struct transition *t); /* lazy: rides along, at most 20 ms */
/* The same at once: an operator or a test waits for it. */
void spool_outcome_now(struct spool *sp, struct transition *t);

/* How far a request came that is done in slices. Private to spool. */
struct spool_progress {
	size_t next, done;
	uint64_t after, until;
};

/* Deletes inbox entries; the messages go when nobody holds them any more. What is not there (any
 * more) is passed over. */
struct inbox_removal {
	struct spool_request request;
	uint32_t inbox;
	uint64_t *sequences; /* NULL: all that are there; the asker's */
	size_t count;
	int64_t before_us; /* with sequences NULL: only those that came before; 0: all */
	size_t removed;    /* out */
	void *owner;
	struct spool_progress at, committed; /* private to spool */
};
void spool_inbox_remove(struct spool *sp, struct inbox_removal *removal);

/* Changes what the list shows of entries, in slices when there are many. */
enum inbox_change_kind {
	INBOX_SET_READ,
	INBOX_SET_UNREAD,
	INBOX_SET_LABELS,   /* exactly these */
	INBOX_RENAME_LABEL, /* of every entry that has labels[0]: it becomes labels[1] */
	INBOX_DROP_LABEL    /* labels[0] is taken from every entry that has it */
};
struct inbox_change {
	struct spool_request request;
	uint32_t inbox;
	enum inbox_change_kind what;
	uint64_t *sequences; /* NULL: all that are there; the asker's */
	size_t count;
	char **labels; /* the asker's */
	size_t label_count;
	size_t changed; /* out: entries that are other than before */
	void *owner;
	struct spool_progress at, committed; /* private to spool */
};
void spool_inbox_change(struct spool *sp, struct inbox_change *change);

/* ---- news --------------------------------------------------------------- */

struct due_news {
	uint32_t queue;
	int8_t priority;
	uint16_t class;
	int64_t earliest_us; /* wall clock */
};
/* After each commit: the merged set of lines that gained due rows, run on the thread of `home`. */
void spool_watch_due(struct spool *sp, struct channel *home,
                     void (*news)(void *context, const struct due_news *news, size_t count),
                     void *context);
/* After each commit that added to an inbox, run on the thread of `home`; merged. A few may watch;
 * watchers are added by one thread. */
typedef void spool_inbox_news(void *context, uint32_t inbox, uint64_t last_sequence);
void spool_watch_inbox(struct spool *sp, struct channel *home, spool_inbox_news *news,
                       void *context);
/* The same when retention (number, octets, age) took entries, up to that sequence. */
void spool_watch_retired(struct spool *sp, struct channel *home, spool_inbox_news *news,
                         void *context);

/* ---- reading: one reader a thread ----------------------------------------- */

struct reader *reader_new(struct spool *sp);
void reader_free(struct reader **reader);

/* true: found; the caller releases what it got. */
bool reader_message(struct reader *r, uint64_t id, struct message_facts *facts_r);
bool reader_delivery(struct reader *r, uint64_t id, uint32_t n, struct delivery *delivery_r);
/* The numbers n of a message's deliveries, from `from` on, at most max; returns how many. */
size_t reader_deliveries(struct reader *r, uint64_t id, uint32_t from, uint32_t *n_r, size_t max);
/* Ids after `after`, in order of acceptance. */
size_t reader_messages(struct reader *r, uint64_t after, uint64_t *id_r, size_t max);
/* Copies up to len octets of a body from off. 0, or -1 when the blob is gone. *got_r 0: the end. */
int reader_body(struct reader *r, uint64_t blob, uint64_t off, void *out, size_t len,
                size_t *got_r);
/* When a message was accepted, by its id: wall clock, to the millisecond. */
int64_t spool_id_time(uint64_t id);
/* The first `max` octets at most: header section of a stored message. */
int reader_header(struct reader *r, uint64_t blob, size_t max, struct bytes *out);

/* The next line (queue, priority, class) of a queue in priority order with its head row; *line is
 * the place after which to look; before the first: queue set and priority = SPOOL_BEFORE_FIRST.
 * false: no more. One skip-seek each. */
#define SPOOL_BEFORE_FIRST 127
bool reader_due_line(struct reader *r, struct due_row *line);
/* Rows of one line, from `from` (time, id, n; inclusive) and with time_us <= until_us, at most max.
 */
size_t reader_due(struct reader *r, const struct due_row *from, int64_t until_us,
                  struct due_row *rows_r, size_t max);
/* Alarms up to until_us, from `from` on (inclusive), at most max, the earliest first. */
size_t reader_alarms(struct reader *r, const struct alarm *from, int64_t until_us,
                     struct alarm *alarms_r, size_t max);
/* All claims (at start: those a crash left). Calls each() after the read transaction has ended. */
void reader_claims(struct reader *r, void (*each)(void *context, const struct claim *claim),
                   void *context);

/* All counts, the slices of a window in order. As reader_claims(). */
void reader_used(struct reader *r, void (*each)(void *context, const struct spool_count *count),
                 void *context);

/* ---- reading inboxes ---- */

/* One entry, copied. */
struct inbox_entry {
	uint64_t sequence, id;
	int64_t time_us; /* when it came */
	uint64_t size;   /* octets of the message */
	bool read;
	char **labels;
	size_t label_count;
	struct bytes summary;
};
void inbox_entry_release(struct inbox_entry *e);

/* Entries after sequence `from` (or, backwards, before it; 0: from the newest) leaving out the
 * first `skip`, at most max; returns how many. Skipped ones are not decoded. */
size_t reader_inbox_list(struct reader *r, uint32_t inbox, uint64_t from, bool backwards,
                         uint64_t skip, struct inbox_entry *entries_r, size_t max);
bool reader_inbox_entry(struct reader *r, uint32_t inbox, uint64_t sequence,
                        struct inbox_entry *entry_r);
/* The entry of a message in that inbox; 0: it has none. */
uint64_t reader_inbox_sequence(struct reader *r, uint32_t inbox, uint64_t id);
/* Appends an extra of the entry. false: none is kept. */
bool reader_inbox_extra(struct reader *r, uint32_t inbox, uint64_t sequence, enum spool_extra kind,
                        struct bytes *out);

struct inbox_counts {
	uint64_t entries, unread, octets; /* octets: sizes of the messages */
	uint64_t removed;                 /* ever, also by retention */
	uint64_t last_sequence;           /* that an entry ever got; 0: none */
};
void reader_inbox_counts(struct reader *r, uint32_t inbox, struct inbox_counts *counts_r);
/* Labels in use with the number of entries, in order of octets. As reader_claims(). */
void reader_inbox_labels(struct reader *r, uint32_t inbox,
                         void (*each)(void *context, const char *label, uint64_t count),
                         void *context);

/* For search: rows in place, newest first, those before `before` (0: all), at most max, in one
 * read transaction. Spans last as long as the call of each(). Returns the sequence to go on before,
 * 0: the end. */
struct inbox_row {
	uint64_t sequence, id;
	int64_t time_us;
	uint64_t size;
	bool read;
	struct span labels; /* row_label() walks them */
	struct span summary;
	struct span text; /* SPOOL_TEXT, in one span */
};
bool row_label(struct span *labels, struct span *label_r); /* false: no more */
uint64_t reader_inbox_scan(struct reader *r, uint32_t inbox, uint64_t before, size_t max,
                           void (*each)(void *context, const struct inbox_row *row), void *context);

/* What must be in the text of a row, or in one of its labels: folded octets, in any number. Without
 * any of three octets or more everything passes. Zeroed it is empty. */
#define SIEVE_TRIPLES_MAX 64
struct inbox_sieve {
	uint16_t bits[SIEVE_TRIPLES_MAX];
	size_t count;
};
void inbox_sieve_add(struct inbox_sieve *sieve, struct span octets);
/* As reader_inbox_scan(), but most rows that cannot have it are not seen, nor read: 100,000 are
 * passed in milliseconds. max counts those that are seen, and a share of the others. */
uint64_t reader_inbox_sift(struct reader *r, uint32_t inbox, uint64_t before, size_t max,
                           const struct inbox_sieve *sieve,
                           void (*each)(void *context, const struct inbox_row *row), void *context);

/* As reader_body(), of a body whose put has not come: the pieces that spool_chunk() stored. */
int reader_chunks(struct reader *r, uint64_t blob, uint64_t off, void *out, size_t len,
                  size_t *got_r);

/* Entries of an inbox after sequence `after`; returns the sequence, 0: none. Summary is appended;
 * message id in *id_r. */
uint64_t reader_inbox_next(struct reader *r, uint32_t inbox, uint64_t after, uint64_t *id_r,
                           struct bytes *summary);

/* The sequence of the last entry that an inbox ever got, still there or not; 0: none. */
uint64_t reader_inbox_last(struct reader *r, uint32_t inbox);

/* For status: number of messages, of due rows, of claims, of entries, octets stored. */
struct spool_counts {
	uint64_t messages, deliveries, claims, entries, octets;
};
void reader_counts(struct reader *r, struct spool_counts *counts_r);

#endif
