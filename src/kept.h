/* SPDX-License-Identifier: ISC */
/* kept.h - listening sockets that outlive the parts that served them: a reload stops these and
 * starts others, and who connects meanwhile waits in the backlog instead of being refused. */
#ifndef KEPT_H
#define KEPT_H

#include <stdbool.h>
#include <stddef.h>

struct kept_socket {
	char *name; /* a listener's, as written */
	char *path; /* of a Unix socket that is ours to unlink; NULL: none is */
	int fd;     /* -1: taken */
};

struct kept {
	struct kept_socket *sockets;
	size_t count;
};

/* Duplicates the descriptor, which stays the caller's; path may be NULL. */
void kept_add(struct kept *kept, const char *name, int fd, const char *path);
/* The descriptor, now the caller's, and in *ours_r whether it had a path; -1: no such. */
int kept_take(struct kept *kept, const char *name, bool *ours_r);
/* Closes what nobody took and unlinks its path. */
void kept_release(struct kept *kept);

#endif
