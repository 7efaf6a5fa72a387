/* SPDX-License-Identifier: ISC */
/* hub.h - who is told of what happens in the inboxes, while it happens.
 *
 * hub.c decides what is told and how often, feed.c carries it to a client: as WebSocket (RFC
 * 6455) or as server-sent events. wait.c answers requests that wait for a message. All of it runs
 * on the web thread.
 */
#ifndef WEB_HUB_H
#define WEB_HUB_H

#include <jansson.h>

#include "base/list.h"
#include "net/loop.h"
#include "web/router.h"

/* Each API has words of its own for the same events. */
enum hub_shape { HUB_MAILPIT, HUB_MAILCATCHER, HUB_MAILHOG, HUB_SHAPES };

/* What of an inbox is watched. Made with its first client. */
struct room {
	struct list link;
	struct hub *hub;
	uint32_t inbox;
	uint64_t told;                       /* the newest entry that was told of, or passed over */
	uint64_t newest;                     /* as the spool says */
	bool counts_due;                     /* something changed since the last stats */
	int64_t news_at, stats_at, prune_at; /* monotonic: not before */
	bool prune_due;
	struct timer timer;
	struct list feeds;
	struct list waits;
};

struct hub {
	struct web *web;
	struct list rooms;
	size_t feeds, waits; /* how many there are */
	struct timer heartbeat;
};

void hub_start(struct web *web); /* web->hub; watches the spool */
void hub_stop(struct web *web);  /* says good-bye; before the server goes */
void hub_free(struct web *web);
struct room *hub_room(struct web *web, uint32_t inbox);

/* What requests have changed, once it is durable. ids NULL: many, or all. */
void hub_read(struct web *web, uint32_t inbox, const uint64_t *ids, size_t count, bool read);
void hub_tagged(struct web *web, uint32_t inbox, const uint64_t *ids, size_t count,
                char *const *tags, size_t tag_count);
void hub_deleted(struct web *web, uint32_t inbox, const uint64_t *ids, const uint64_t *sequences,
                 size_t count);
void hub_truncated(struct web *web, uint32_t inbox); /* everything is gone */

/* A client was refused by 4yz or 5yz. */
void hub_error(struct web *web, uint32_t inbox, const char *type, const char *address,
               const char *text);

/* ---- feed.c ---- */

/* Answers with a stream of the events of the call's inbox, in that shape. */
void feed_open(struct call *call, enum hub_shape shape);
/* Does it ask for a WebSocket? */
bool feed_is_upgrade(const struct call *call);
/* Is anybody there who wants that shape? */
bool feed_wanted(const struct room *room, enum hub_shape shape);
/* Tells all of them; they may go away meanwhile. The text is one line. */
void feed_tell(struct room *room, enum hub_shape shape, struct span json);
void feed_heartbeat(struct room *room);
void feed_end_all(struct room *room);

/* ---- wait.c ---- */

void wait_handle(struct call *call); /* GET api/v1/wait?query=...&count=1&timeout=10s */
/* Entries came after `told`, up to `newest`. */
void wait_news(struct room *room, uint64_t told, uint64_t newest);
void wait_end_all(struct room *room);

/* ---- other words for the same: mailcatcher.c, mailhog.c ---- */

json_t *mailcatcher_added(const struct inbox_entry *entry);
json_t *mailcatcher_removed(uint64_t sequence);
json_t *mailcatcher_cleared(void);
/* NULL: it is gone already. */
json_t *mailhog_added(struct reader *reader, const struct inbox_entry *entry);

#endif
