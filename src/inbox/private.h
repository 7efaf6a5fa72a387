/* SPDX-License-Identifier: ISC */
/* private.h - shared by the files of inbox/ only. */
#ifndef INBOX_PRIVATE_H
#define INBOX_PRIVATE_H

#include <jansson.h>

#include "inbox/inbox.h"

/* One entry as a follower handles it. */
struct entry {
	uint64_t id;
	uint64_t sequence;
	struct inbox_entry row;
	struct summary summary;
	struct message_facts facts;
	struct reader *reader;
	bool colour; /* what shows it is a terminal */
};

void summary_address_release(struct summary_address *a);

/* summarize.c */
/* What the envelope says; all recipients, so that the rest can be found from them. */
void summary_begin(struct summary *s, const struct message_facts *facts,
                   const struct recipient *recipients, size_t count);
/* And what the header and the parts say, cut to what fits one piece of the spool. */
void summary_finish(struct summary *s, const struct trace *trace, struct span header,
                    const struct mime_parse *parse);

/* labels.c: in order, none twice; the entry takes the items. */
struct labels {
	char **items;
	size_t count;
};
void labels_add(struct labels *labels, struct span text);
void labels_of_message(struct labels *labels, const struct summary *s, struct span header);

/* rules.c: `row` is the entry that is being made. */
void rules_apply(struct inbox_rules *r, uint32_t inbox, const struct inbox_row *row,
                 const char *login, struct labels *labels);

/* json.c; the caller releases them. */
json_t *json_address(const char *name, const char *address);
json_t *json_addresses(const struct summary_address *list, size_t count);
json_t *json_texts(char *const *texts, size_t count);

/* Appends the text with '?' for control characters (but line ends and tabs; CR is left out), for
 * what is not UTF-8 and for marks of direction, so that a message cannot speak to the terminal. */
void print_safe(struct bytes *out, struct span text);

/* Writes the text to fd, however slowly it is taken, while orders on the channel are received; once
 * one of them has set *stopping, fd is given a last second. 0, or -1 with errno. */
int output_write(int fd, struct channel *channel, const bool *stopping, struct span text);

/* Appends what --print shows of the entry. */
void print_entry(enum print_mode mode, const struct entry *entry, struct bytes *out);

/* Writes DIR/YYYYmmddHHMMSS-ID.eml under a temporary name, syncs and renames. 0 with the path in
 * *path_r, or -1 with errno. */
int save_entry(const char *directory, const struct entry *entry, struct bytes *path_r);

#endif
