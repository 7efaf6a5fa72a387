/* SPDX-License-Identifier: ISC */
/* private.h - shared by the files of inbox/ only. */
#ifndef INBOX_PRIVATE_H
#define INBOX_PRIVATE_H

#include "inbox/inbox.h"

/* One entry as a follower handles it. */
struct entry {
	uint64_t id;
	uint64_t sequence;
	struct summary summary;
	struct message_facts facts;
	struct reader *reader;
};

void summary_address_release(struct summary_address *a);

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
