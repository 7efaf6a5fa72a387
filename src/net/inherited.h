/* SPDX-License-Identifier: ISC */
/* inherited.h - listening sockets that a service manager has opened for us: LISTEN_FDS, as
 * sd_listen_fds(3) describes it, spoken directly.
 *
 * A socket belongs to the listener with its address or path; who bound it unlinks it.
 */
#ifndef NET_INHERITED_H
#define NET_INHERITED_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct inherited; /* the sockets nobody has taken yet */

/* Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES and removes them from the environment; before
 * threads. None is fine. -1 with *error: they make no sense, or one is no listening socket. */
int inherited_new(struct inherited **inherited_r, struct bytes *error);
void inherited_free(struct inherited **inherited); /* closes what was not taken */

/* The socket that listens there, non-blocking and close-on-exec: the caller's now. -1: none does.
 * address may be a name such as "localhost". */
int inherited_take_tcp(struct inherited *inherited, const char *address, uint16_t port);
int inherited_take_unix(struct inherited *inherited, const char *path);

/* How many are left; their addresses and names are appended to *list. */
size_t inherited_left(const struct inherited *inherited, struct bytes *list);

#endif
