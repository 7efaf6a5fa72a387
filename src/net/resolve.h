/* SPDX-License-Identifier: ISC */
/* resolve.h - names to addresses by getaddrinfo() in a helper, with a short cache.
 *
 * Answers are kept RESOLVE_FRESH; when DNS is down a stale answer is served. Address literals
 * are answered at once without a helper.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/helper.h"

#define RESOLVE_FRESH_US      (60 * CLOCK_SEC) /* libc gives no TTL; ESPs move in minutes */
#define RESOLVE_ADDRESSES_MAX 16               /* of one name; more are not tried anyway */

struct resolved {
	struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX]; /* port filled in */
	socklen_t lengths[RESOLVE_ADDRESSES_MAX];
	size_t count;
};

struct resolver; /* belongs to one thread */

struct resolver *resolver_new(struct helper *helper, struct channel *home,
                              const struct clock *clock);
void resolver_free(struct resolver **r); /* open queries are forgotten: no callback after this */
/* Tests put their own DNS in place of getaddrinfo(): called in the helper, 0 or an EAI_ code. */
void resolver_look_up_with(struct resolver *r,
                           int (*look_up)(const char *host, struct resolved *found_r));

/* Calls done() with error NULL and addresses (valid during the call), or with the reason (without
 * the name): later, or at once, and then NULL is returned. A query ends with its done(); before
 * that it may be cancelled by its handle. The port is filled in; "[::1]" and "::1" are the same. */
struct resolve_query;
struct resolve_query *resolver_ask(struct resolver *r, const char *host, uint16_t port,
                                   void (*done)(void *context, const struct resolved *found,
                                                const char *error),
                                   void *context);
void resolver_cancel(struct resolve_query **query);

#endif
