/* SPDX-License-Identifier: ISC */
/* background.h - becoming a daemon: descriptors, directories, the background, the user. */
#ifndef BACKGROUND_H
#define BACKGROUND_H

#include <stddef.h>

#include "base/bytes.h"
#include "config/settings.h"

/* Raises the soft descriptor limit to the hard one; warns when `wanted` does not fit. */
void background_raise_descriptors(size_t wanted);

/* A page of the spool that the disk does not give comes as SIGBUS: it shall not end us without a
 * word. */
void background_explain_lost_pages(void);

/* Forks into the background. The parent waits, and exits 0 once background_ready() was called in
 * the child, else with the child's own status. Before threads and before LMDB. */
int background_fork(struct bytes *error);
/* Lets the parent go; the terminal is left. Does nothing in the foreground. */
void background_ready(void);

/* Makes the directory `path` and its parents (0700 for the last one made with `mode`), owned by the
 * user of the settings when we are root. */
int background_directory(const char *path, unsigned mode, const struct settings *settings,
                         struct bytes *error);
/* As root: gives a file (the control socket) to a group that may use it, when that group exists. */
void background_share(const char *path, const char *group);
/* Becomes settings->user for good, after ports are bound. */
int background_drop_privileges(const struct settings *settings, struct bytes *error);

/* Makes a private directory (0700) under TMPDIR, owned as the above; the caller frees its path.
 * NULL with *error. */
char *background_temporary_directory(const struct settings *settings, struct bytes *error);
/* Removes it and the files in it. */
void background_remove_directory(const char *path);

#endif
