/* SPDX-License-Identifier: ISC */
/* users.h - checks logins against a users' file, off the workers.
 *
 * One helper thread for each file owns the table, hashes passwords (tens of milliseconds each) and
 * reads the file again when it has changed; so nothing of the table is shared. A file that has
 * become unreadable or wrong is told and the last good one stays in force.
 */
#ifndef RECEIVE_USERS_H
#define RECEIVE_USERS_H

#include "base/helper.h"
#include "receive/receive.h"

struct users;

/* Reads the file and starts the thread. -1 with *error: each fault with file and line. */
int users_new(struct users **users_r, const char *path, struct bytes *error);
/* Answers what still waits and ends the thread; what it answered is still on its way. */
void users_stop(struct users *users);
void users_free(struct users **users);

/* As receive_users says; any thread. */
uint64_t users_generation(void *users);
int users_check(void *users, struct login_check *check);
/* On the thread of `home`, now and then: has the helper look whether the file has changed. */
void users_look(struct users *users, struct channel *home);

#endif
