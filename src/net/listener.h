/* SPDX-License-Identifier: ISC */
/* listener.h - bound sockets: TCP and Unix, accepting without ever spinning.
 *
 * When descriptors run out (EMFILE) accepting pauses for 100 ms and says so once.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "net/loop.h"

/* Binds and listens; returns a non-blocking descriptor or -1 with *error (a busy port names the
 * port and the cure; a Unix socket that refuses connections is replaced, one that answers is busy).
 * address may be a name such as "localhost": its first address. */
int listener_bind_tcp(const char *address, uint16_t port, struct bytes *error);
int listener_bind_unix(const char *path, unsigned mode, struct bytes *error);
/* The port that was bound (port 0 lets the kernel choose). */
uint16_t listener_port(int fd);

struct listener;

/* Takes the bound descriptor. accepted() gets a non-blocking, close-on-exec socket (TCP_NODELAY)
 * that it owns. */
struct listener *listener_new(struct loop *loop, int fd, void (*accepted)(void *context, int fd),
                              void *context);
void listener_pause(struct listener *l); /* e.g. at max-connections: the kernel's backlog waits */
void listener_resume(struct listener *l);
void listener_free(struct listener **l); /* closes; a Unix path is unlinked by its binder */

#endif
