/* SPDX-License-Identifier: ISC */
/* users.h - a file of logins and password hashes (`users` of a listener), read and judged.
 *
 * Used when the configuration is checked, and again whenever the file has changed.
 */
#ifndef CONFIG_USERS_H
#define CONFIG_USERS_H

#include <stddef.h>

#include "base/bytes.h"

/* Names become keys and log words; no honest one is longer. */
#define USER_NAME_MAX  255 /* octets */
/* A line is a name and a hash; the longest hash of libxcrypt has 384 octets. */
#define USER_LINE_MAX  1024 /* octets */
/* More logins than any relay of one host has; keeps the table in bounds. */
#define USER_COUNT_MAX 20000
#define USER_FILE_MAX  (8 * 1024 * 1024) /* octets */

struct user {
	char *name;
	char *hash; /* crypt(3) */
	unsigned line;
};

struct user_list {
	struct user *items; /* sorted by name */
	size_t count;
};

/* Reads all of it or nothing: 0, or -1 with *error, one fault a line, each with file and line.
 * What an operator should know besides goes to *notes, one a line. Neither shows any of a hash. */
int user_list_read(struct user_list *list_r, const char *path, struct bytes *error,
                   struct bytes *notes);
void user_list_release(struct user_list *list); /* wipes */
/* NULL: there is none of that name. */
const struct user *user_list_find(const struct user_list *list, struct span name);

#endif
