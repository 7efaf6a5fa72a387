/* SPDX-License-Identifier: ISC */
/* private.h - what the files of spool/ share: tables, keys, records, rows, the writing side.
 *
 * Return values of functions that touch LMDB are its codes: 0, MDB_..., an errno, or one of
 * the two of our own below. Only writer.c turns them into results of requests.
 */
#ifndef SPOOL_PRIVATE_H
#define SPOOL_PRIVATE_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "spool/spool.h"

/* ---- limits -------------------------------------------------------------- */

#define SPOOL_SCHEMA      1
/* LMDB 0.9.24: a page's header, which a value in pages of its own shares with its first page. */
#define PAGE_HEADER       16
/* The pages freed by a transaction are one record of LMDB; above 509 it needs a run of pages. */
#define FREED_PAGES_MAX   400
/* Of these, what one transaction spends on old garbage while somebody waits for the commit. */
#define FREED_PAGES_BUSY  100
/* Pages of dead bodies that may wait while somebody does: beyond, the writer deletes first, or
 * under load the file would grow without end. */
#define GARBAGE_PAGES_MAX 4096
/* Transactions that only delete, in a row, before the next batch. */
#define GARBAGE_ROUNDS    8
/* A body of more pages than this is never deleted at once: it would starve other deletes. */
#define BODY_DELETE_MAX   64
/* Requests of one transaction: bounds what a failed commit refuses, and the time until a 250. */
#define BATCH_REQUESTS    1000
/* Octets of puts in one transaction. LMDB keeps the memory of the largest transaction. */
#define BATCH_OCTETS      (8 * 1024 * 1024)
#define BULK_OCTETS       (4 * 1024 * 1024) /* of chunks: small mail is not held up by large */
#define LAZY_WAIT         (20 * CLOCK_MS)   /* the longest that a lazy request waits for company */
/* Entries beyond `keep` that one put deletes in its own transaction. */
#define KEEP_SLICE        16
/* What the rows of one message cost beside its body, for the quota. */
#define MESSAGE_OVERHEAD  1024
/* Readers are threads and helpers; a slot costs 64 octets. */
#define READERS_MAX       512
/* The least and the part of a file system kept free: deletes and outcomes write pages too. */
#define DISK_RESERVE      (UINT64_C(256) << 20)
#define DISK_RESERVE_PART 20
#define DISK_CHECK_EVERY  CLOCK_SEC
/* Who wants to know what came into inboxes: the follower, the web, a test. */
#define WATCHES_MAX       4

/* The request is wrong (what it removes is not there): refused, the batch goes on. */
#define REFUSED (-1)
/* A slice of the request is done, the rest waits for the next transaction. */
#define AGAIN   (-2)

/* ---- tables and keys (keys.c) ------------------------------------------- */

enum table_number {
	TABLE_META,
	TABLE_MESSAGE,
	TABLE_BLOB,
	TABLE_BODY,
	TABLE_GARBAGE,
	TABLE_DELIVERY,
	TABLE_DUE,
	TABLE_CLAIM,
	TABLE_INBOX,
	TABLE_QUOTA,
	TABLE_ALARM,
	TABLE_PART, /* the extras of inbox entries: TABLE_PART + enum spool_extra */
	TABLE_TEXT,
	TABLE_DIALOGUE,
	TABLE_LABEL,
	TABLE_SIEVE,
	TABLE_COUNT
};

#define KEY_MAX       (4 + SPOOL_LABEL_MAX)
/* Offsets of what the writer fills in: the id of the tables that begin with it, and others. */
#define DUE_ID_AT     15
#define DUE_N_AT      23
#define DELIVERY_N_AT 8
#define INBOX_SEQ_AT  4
#define ALARM_ID_AT   8
#define ALARM_N_AT    16
#define ENTRY_ID_AT   3 /* in the value of an inbox entry's first row */
#define ENTRY_TIME_AT 11
#define ENTRY_READ_AT 27

struct key {
	unsigned char bytes[KEY_MAX];
	size_t length;
};

struct key key_of_message(uint64_t id, uint16_t k);
struct key key_of_blob(uint64_t blob);
struct key key_of_body(uint64_t blob, uint32_t piece);
struct key key_of_garbage(uint8_t dead, uint64_t blob);
struct key key_of_sieve(uint32_t inbox, uint64_t row);
struct key key_of_dead_extras(uint32_t inbox, uint64_t sequence); /* in garbage, too */
struct key key_of_delivery(uint64_t id, uint32_t n, uint16_t k);
struct key key_of_due(const struct due_row *row);
struct key key_of_claim(uint32_t provider, uint32_t slot);
struct key key_of_alarm(const struct alarm *alarm);
struct key key_of_entry(uint32_t inbox, uint64_t sequence, uint16_t k); /* and of its extras */
struct key key_of_label(uint32_t inbox, struct span label);             /* cut at SPOOL_LABEL_MAX */
struct key key_of_text(const char *text);                               /* meta; cut at KEY_MAX */
struct key key_of_inbox_tally(uint32_t inbox);

/* 0 or -1: not a key of that table. */
int key_parse_message(struct span key, uint64_t *id_r, uint16_t *k_r);
int key_parse_body(struct span key, uint64_t *blob_r, uint32_t *piece_r);
int key_parse_garbage(struct span key, uint8_t *dead_r, uint64_t *blob_r);
int key_parse_dead_extras(struct span key, uint32_t *inbox_r, uint64_t *sequence_r);
int key_parse_delivery(struct span key, uint64_t *id_r, uint32_t *n_r, uint16_t *k_r);
int key_parse_due(struct span key, struct due_row *row_r);
int key_parse_claim(struct span key, struct claim *claim_r);
int key_parse_alarm(struct span key, struct alarm *alarm_r);
int key_parse_entry(struct span key, uint32_t *inbox_r, uint64_t *sequence_r, uint16_t *k_r);
int key_parse_sieve(struct span key, uint32_t *inbox_r, uint64_t *row_r);
int key_parse_label(struct span key, uint32_t *inbox_r, struct span *label_r);
/* The key after which the rows of the next line (queue, priority, class) begin; -1: none. */
int key_of_next_line(const struct due_row *line, struct key *key_r);

/* ---- records (records.c) ------------------------------------------------------ */

struct head_entry {
	uint32_t inbox;
	uint64_t sequence;
};
/* (message, 0): the small part that changes. */
struct head {
	uint32_t holders; /* deliveries not final and inbox entries */
	uint32_t next_n;
	uint64_t blob, size;
	uint16_t pieces; /* rows of the facts, k from 1 on */
	uint16_t entry_count;
	struct head_entry entries[SPOOL_ENTRIES_MAX];
};
struct blob_record {
	uint32_t references, pieces;
	uint64_t size;
};
/* Counts that must survive, written by every commit. */
struct tally {
	uint64_t last_id, messages, deliveries, claims, entries, octets;
	uint64_t extras; /* octets of inbox entries beside their messages, about */
};
struct inbox_tally {
	uint64_t last_sequence, count, unread, octets;
	uint64_t plain; /* entries up to this sequence are in no sieve: earlier versions' */
};
/* An inbox entry. Of version 3 and before it is as if read and weighs nothing. */
struct entry_record {
	uint64_t id;
	int64_t time_us;
	uint64_t size;
	bool read;
	uint16_t extra_rows[SPOOL_EXTRA_COUNT];
	struct span labels;  /* an octet of length and the label, of each */
	struct span summary; /* in the rows that were decoded */
};

#define RECORD_MAX (64 + SPOOL_ENTRIES_MAX * 12) /* the longest of the fixed records below */
struct record {
	unsigned char bytes[RECORD_MAX];
	size_t length;
};
struct record record_of_head(const struct head *head);
struct record record_of_blob(const struct blob_record *blob);
struct record record_of_claim(const struct claim *claim);
struct record record_of_tally(const struct tally *tally);
struct record record_of_inbox_tally(const struct inbox_tally *tally);
struct record record_of_label(uint64_t count);

/* 0, or -1 when the octets are not such a record. */
int record_parse_head(struct span value, struct head *head_r);
int record_parse_blob(struct span value, struct blob_record *blob_r);
int record_parse_claim(struct span value, struct claim *claim_r); /* all but its key's part */
int record_parse_tally(struct span value, struct tally *tally_r);
int record_parse_inbox_tally(struct span value, struct inbox_tally *tally_r);
int record_parse_label(struct span value, uint64_t *count_r);

/* Long records: version, number of rows, content; cut into rows by rows_of_long(). */
void record_encode_facts(const struct message_facts *facts, struct bytes *out);
void record_encode_delivery(const struct delivery *delivery, struct bytes *out);
void record_encode_entry(const struct entry_record *entry, struct bytes *out);
int record_decode_facts(struct span value, struct message_facts *facts_r);
int record_decode_delivery(struct span value, struct delivery *delivery_r);
/* From the first row alone: all but the end of the summary. */
int record_decode_entry(struct span value, struct entry_record *entry_r);
/* How many rows a long record has, from its first row; 0: not one. */
uint16_t record_rows(struct span first_row);
/* return_by_us of the delivery whose first row that is; 0: none. */
int64_t record_return_by(struct span first_row);
int64_t record_warn(struct span first_row); /* the same of warn_us */

/* ---- ids (id.c) ------------------------------------------------------------------ */

/* The id after `last` at that wall clock. */
uint64_t spool_id_next(uint64_t last, int64_t wall_us);
/* Numbers of streamed bodies stay below; those of whole bodies are ids, which are above. */
#define BLOB_STREAMED_MAX (UINT64_C(1) << 48)

/* ---- rows: what the asker encodes and the writer copies (rows.c) ------------------- */

/* Head of a row in request memory; the key and the value follow. Never stored. */
struct row {
	uint8_t table, key_length;
	uint16_t group; /* 0: n is known; else the 1st, 2nd ... that the writer numbers */
	uint32_t value_length;
	bool append; /* the key is larger than any in its table */
};
void rows_of_long(struct bytes *rows, struct row row, struct key (*key)(void *context, uint16_t k),
                  void *context, struct bytes *record, size_t piece);
void rows_of_facts(struct bytes *rows, const struct message_facts *facts, size_t piece,
                   uint16_t *count_r);
/* Of a delivery and, unless it is in flight, its due row. */
void rows_of_delivery(struct bytes *rows, const struct delivery *delivery, uint16_t group,
                      bool with_due, bool append, size_t piece);
void labels_encode(char *const *labels, size_t count, struct bytes *out);
/* With its extras, of the message with these facts. */
void rows_of_entry(struct bytes *rows, const struct put_entry *entry, uint16_t group,
                   const struct message_facts *facts, size_t piece);

/* ---- the sieve (sieve.c) ------------------------------------------------------------------ */

#define SIEVE_BITS_LOG 11
#define SIEVE_SLOT     (1 << (SIEVE_BITS_LOG - 3)) /* octets */
#define SIEVE_SLOTS    15                          /* in a row: what fits the least page */

/* What an entry with this text and these labels has. */
void sieve_slot(unsigned char *slot, struct span text, struct span labels);
bool sieve_passes(const struct inbox_sieve *sieve, const unsigned char *slot);
/* The slots of a row; NULL: it is none. */
const unsigned char *sieve_slots(struct span row);

/* ---- news (news.c) ------------------------------------------------------------------- */

struct due_set {
	struct due_news *lines;
	size_t count, capacity;
	uint32_t *index; /* open addressing: 1 + position, 0: free; twice the capacity */
	size_t last;     /* position of the line that was touched last */
};
void due_set_add(struct due_set *set, const struct due_news *line);
void due_set_clear(struct due_set *set);
void due_set_release(struct due_set *set);

struct inbox_set {
	struct head_entry *inboxes; /* the last sequence of each */
	size_t count, capacity;
};
void inbox_set_add(struct inbox_set *set, uint32_t inbox, uint64_t sequence);

struct due_watch {
	struct channel_item item; /* first: arrives at home */
	pthread_mutex_t lock;
	struct due_set gathered; /* under the lock, as is posted */
	bool posted;
	struct due_set given; /* home's while it is posted */
	struct channel *home;
	void (*news)(void *context, const struct due_news *news, size_t count);
	void *context;
};
struct inbox_watch {
	struct channel_item item;
	pthread_mutex_t lock;
	struct inbox_set gathered, given;
	bool posted;
	struct channel *home;
	spool_inbox_news *news;
	void *context;
};
struct inbox_watches {
	struct inbox_watch list[WATCHES_MAX];
	atomic_size_t count;
};
void watches_init(struct spool *sp);
void watches_release(struct spool *sp);
/* After a commit: what it added and what retention took. The sets are left empty. */
void watches_tell(struct spool *sp, struct due_set *due, struct inbox_set *inboxes,
                  struct inbox_set *gone);

/* ---- the spool --------------------------------------------------------------------- */

struct keep {
	struct keep *next;
	uint32_t inbox;
	_Atomic size_t keep;     /* 0: all */
	_Atomic uint64_t octets; /* 0: all */
};

struct writer;

struct spool {
	char *path;
	uint64_t max_size;
	enum spool_mode mode;
	const struct clock *clock;
	int lock_fd;
	MDB_env *env;
	MDB_dbi table[TABLE_COUNT];
	size_t piece; /* the longest value */
	unsigned char class_key[16];
	struct tally tally;      /* as committed; the writer's after the start */
	_Atomic uint64_t held;   /* octets reserved and stored */
	_Atomic uint64_t blobs;  /* the last number of a streamed body */
	atomic_bool full;        /* the disk, not the quota */
	_Atomic int64_t checked; /* when, on the machine's monotonic clock */
	struct keep *_Atomic keeps;
	atomic_bool garbage;     /* there may be dead bodies to delete */
	int64_t garbage_pages;   /* about; the writer's */
	atomic_bool keep_behind; /* there may be an inbox with more than it keeps */
	struct channel *channel;
	struct writer *writer; /* NULL: not started */
	struct due_watch due;
	struct inbox_watches arrived, retired;
	void (*failed)(void *context, const char *why);
	void *failed_context;
};

enum request_kind {
	REQUEST_PUT,
	REQUEST_CHUNK,
	REQUEST_TRANSITION,
	REQUEST_REMOVAL,
	REQUEST_CHANGE,
	REQUEST_DROP,
	REQUEST_STOP
};
struct drop {
	struct spool_request request;
	uint64_t blob;
};

/* Whether an inbox with that tally has more than spool_keep() and its kin said. */
bool spool_keep_exceeded(struct spool *sp, uint32_t inbox, const struct inbox_tally *tally);
/* What the asker promised of a put: else it is refused, and not encoded. */
bool put_is_bounded(const struct spool *sp, const struct put *put);
bool labels_are_good(char *const *labels, size_t count);
void request_post(struct spool *sp, struct spool_request *request, enum request_kind kind,
                  enum spool_urgency urgency);

/* quota.c */
/* Whether that failure means no room, ours or the disk's: then new mail is refused from now on. */
bool quota_is_full(struct spool *sp, int rc);
/* Octets of what is stored, for the quota. */
uint64_t quota_weight(const struct tally *tally);
/* Asks statvfs at most once in DISK_CHECK_EVERY; sets or clears sp->full. */
void quota_check_disk_sometimes(struct spool *sp);

/* directory.c: DIR and DIR/lock; the descriptor, or -1 with an error. */
int spool_lock(const char *path, struct bytes *error);
int spool_make_directory(const char *path, struct bytes *error);
/* Syncs the directory and the one above it: new files must be there after a power loss. */
int spool_sync_directory(const char *path, struct bytes *error);

/* ---- one read transaction (read.c) ----------------------------------------------------------- */

struct reader {
	struct spool *sp;
	MDB_txn *txn;
	MDB_cursor *cursors[TABLE_COUNT];
	bool current[TABLE_COUNT]; /* the cursor is of this transaction */
};

void read_begin(struct reader *r);
void read_end(struct reader *r);
/* Spans are valid until read_end(). */
bool read_get(struct reader *r, enum table_number table, const struct key *key,
              struct span *value_r);
/* The first row from key on; then the ones behind and before it. */
bool read_seek(struct reader *r, enum table_number table, const struct key *key, struct span *key_r,
               struct span *value_r);
bool read_next(struct reader *r, enum table_number table, struct span *key_r, struct span *value_r);
bool read_previous(struct reader *r, enum table_number table, struct span *key_r,
                   struct span *value_r);
/* The last row before key. */
bool read_seek_before(struct reader *r, enum table_number table, const struct key *key,
                      struct span *key_r, struct span *value_r);
/* The row with that key, near the one before: quicker than read_get() for neighbours. */
bool read_near(struct reader *r, enum table_number table, const struct key *key,
               struct span *value_r);
/* The rows of a long record from its first one on; `whole` is memory for more than one. */
bool read_long(struct reader *r, enum table_number table,
               struct key (*key)(const void *context, uint16_t k), const void *context,
               struct bytes *whole, struct span *record_r);
void read_say_bad(const char *what, uint64_t id);

/* ---- one write transaction (write.c, apply.c, remove.c) --------------------------------- */

struct inbox_state {
	uint32_t inbox;
	struct inbox_tally tally;
};
struct write {
	struct spool *sp;
	MDB_txn *txn;
	MDB_cursor *cursors[TABLE_COUNT];
	struct tally tally;
	struct inbox_state *inboxes; /* those touched */
	size_t inbox_count, inbox_capacity;
	size_t freed;        /* pages, about */
	size_t freed_octets; /* of rows that share pages, not yet counted as one */
	uint64_t operations;
	bool no_garbage; /* all of it is gone with this transaction */
	int64_t buried;  /* pages of bodies that became garbage, less those deleted */
	bool behind;     /* an inbox has more than it keeps */
	bool trimmed;    /* all inboxes were looked at */
	struct due_set due;
	struct inbox_set news;
	struct inbox_set gone; /* what retention took */
	uint32_t sieve_inbox;  /* of the row that lost a slot last */
	uint64_t sieve_row;
	struct spool_count *counts; /* gathered, written at the commit */
	size_t count_count, count_capacity;
};

int write_begin(struct write *w);
/* Counts and commits; w has no transaction afterwards, whatever it returns. */
int write_commit(struct write *w);
void write_abort(struct write *w);
void write_release(struct write *w);

int write_put(struct write *w, enum table_number table, MDB_val key, MDB_val value, unsigned flags);
int write_put_record(struct write *w, enum table_number table, const struct key *key,
                     const struct record *record);
/* MDB_NOTFOUND when it is not there. value_r may be NULL; valid until the next change. */
int write_get(struct write *w, enum table_number table, const struct key *key,
              struct span *value_r);
/* Sets the cursor on the first row from key on. */
int write_seek(struct write *w, enum table_number table, const struct key *key, struct span *key_r,
               struct span *value_r);
/* Deletes the row on which write_get() or write_seek() left the table's cursor. */
int write_delete_here(struct write *w, enum table_number table);
int write_delete(struct write *w, enum table_number table, const struct key *key);
int write_get_head(struct write *w, uint64_t id, struct head *head_r);
/* A row of that many octets goes, or changes: counts towards `freed`. */
void write_freed(struct write *w, size_t octets);
int write_inbox(struct write *w, uint32_t inbox, struct inbox_tally **tally_r);

/* count.c */
struct key key_of_count(const struct spool_count *count);
int count_parse(struct span key, struct span value, struct spool_count *count_r);
void counts_add(struct write *w, const struct spool_count *counts, size_t count);
int counts_write(struct write *w);

int apply_put(struct write *w, struct put *put);
int apply_chunk(struct write *w, struct chunk *chunk);
int apply_transition(struct write *w, struct transition *t);
int apply_removal(struct write *w, struct inbox_removal *removal);
int apply_change(struct write *w, struct inbox_change *change);
int apply_drop(struct write *w, uint64_t blob);

/* What its extras take, about, by their rows. */
uint64_t entry_weight(const struct spool *sp, const uint16_t rows[SPOOL_EXTRA_COUNT]);

/* sieve.c. Of an entry; of one that is in no sieve nothing changes. */
int sieve_set(struct write *w, uint32_t inbox, uint64_t sequence, const unsigned char *slot);
int sieve_label(struct write *w, uint32_t inbox, uint64_t sequence, struct span labels);
int sieve_clear(struct write *w, uint32_t inbox, uint64_t sequence);

/* entry.c. A label of that entry more, or less. */
int entry_count_labels(struct write *w, uint32_t inbox, struct span labels, bool more);
/* The message goes with its last holder. MDB_NOTFOUND: no such entry, nothing is written. */
int entry_remove(struct write *w, uint32_t inbox, uint64_t sequence);
/* The first entry after `after`; MDB_NOTFOUND: there is none. */
int entry_next(struct write *w, uint32_t inbox, uint64_t after, uint64_t *sequence_r,
               struct entry_record *entry_r);

/* A holder less; of an inbox entry. */
int remove_holder(struct write *w, uint64_t id, uint32_t inbox, uint64_t sequence);
int remove_message(struct write *w, uint64_t id, const struct head *head);
/* The oldest entries beyond what the inbox keeps, at most KEEP_SLICE. */
int remove_beyond_keep(struct write *w, uint32_t inbox);
/* Extras of an entry that is gone: now, or in slices. */
int remove_extras(struct write *w, uint32_t inbox, uint64_t sequence,
                  const struct entry_record *entry);
/* Pages of dead bodies, until `freed` reaches limit. */
int remove_garbage(struct write *w, size_t limit);

MDB_val value_of(const void *data, size_t length);
struct span span_of_value(MDB_val v);

#endif
