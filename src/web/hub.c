/* SPDX-License-Identifier: ISC */
/* hub.c - what is told of an inbox, and how often.
 *
 * New entries are read once for all clients and told one by one; when more came than a turn tells,
 * clients are asked to read their list again instead, as they are when retention took some. Counts
 * are told four times a second at most. An inbox that nobody watches costs nothing.
 */
#include "config.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/memory.h"
#include "inbox/inbox.h"
#include "mail/id.h"
#include "web/hub.h"
#include "web/private.h"

#define NEWS_MAX    50               /* new entries told one by one in a turn */
#define NEWS_EVERY  (50 * CLOCK_MS)  /* a thousand in a second is more than a page can show */
#define BURST_PAUSE (250 * CLOCK_MS) /* after more than that: the list is read again */
#define STATS_EVERY (250 * CLOCK_MS) /* as Mailpit */
#define PRUNE_EVERY (2 * CLOCK_SEC)  /* retention takes one for each that comes */
#define HEARTBEAT   (20 * CLOCK_SEC) /* proxies break what is silent for a minute */
#define CHANGES_MAX 100              /* changed entries told one by one */

static int64_t now_of(const struct room *room)
{
	return loop_now(room->hub->web->loop);
}

/* ---- telling ------------------------------------------------------------------- */

static void tell(struct room *room, enum hub_shape shape, json_t *event)
{
	char *text = json_dumps(event, JSON_COMPACT);

	json_decref(event);
	if (text != NULL)
		feed_tell(room, shape, span_of_text(text));
	free(text);
}

static void tell_mailpit(struct room *room, const char *type, json_t *data)
{
	json_t *event;

	if (!feed_wanted(room, HUB_MAILPIT)) {
		json_decref(data);
		return;
	}
	event = json_object();
	json_object_set_new(event, "Type", json_string(type));
	json_object_set_new(event, "Data", data);
	tell(room, HUB_MAILPIT, event);
}

static json_t *summary_of(const struct inbox_entry *entry)
{
	struct summary summary;
	json_t *json;

	if (summary_decode(&summary, bytes_span(&entry->summary)) < 0)
		return NULL;
	summary_complete(&summary, entry->id);
	json = inbox_summary_json(entry, &summary);
	summary_release(&summary);
	return json;
}

static void tell_new(struct room *room, const struct inbox_entry *entry)
{
	json_t *event = NULL;

	if (feed_wanted(room, HUB_MAILPIT) && (event = summary_of(entry)) != NULL)
		tell_mailpit(room, "new", event);
	if (feed_wanted(room, HUB_MAILCATCHER) && (event = mailcatcher_added(entry)) != NULL)
		tell(room, HUB_MAILCATCHER, event);
	if (feed_wanted(room, HUB_MAILHOG) &&
	    (event = mailhog_added(room->hub->web->reader, entry)) != NULL)
		tell(room, HUB_MAILHOG, event);
}

static void tell_stats(struct room *room, const struct inbox_counts *counts)
{
	json_t *data = json_object();

	json_object_set_new(data, "Total", json_integer((json_int_t)counts->entries));
	json_object_set_new(data, "Unread", json_integer((json_int_t)counts->unread));
	json_object_set_new(data, "Version", json_string(PACKAGE_VERSION));
	tell_mailpit(room, "stats", data);
}

/* ---- a turn -------------------------------------------------------------------- */

static void take_news(struct room *room)
{
	struct reader *reader = room->hub->web->reader;
	struct inbox_entry entries[NEWS_MAX];
	size_t count;

	room->news_at = now_of(room) + NEWS_EVERY;
	if (list_empty(&room->feeds)) {
		room->told = room->newest;
		return;
	}
	count = reader_inbox_list(reader, room->inbox, room->told, false, 0, entries, NEWS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (entries[i].sequence > room->told)
			room->told = entries[i].sequence;
		tell_new(room, &entries[i]);
		inbox_entry_release(&entries[i]);
	}
	if (count == NEWS_MAX && room->told < room->newest) {
		room->told = room->newest;
		room->news_at = now_of(room) + BURST_PAUSE;
		tell_mailpit(room, "prune", json_null());
	}
	if (count < NEWS_MAX && room->told < room->newest)
		room->told = room->newest; /* deleted already */
}

static void take_counts(struct room *room)
{
	struct inbox_counts counts;

	reader_inbox_counts(room->hub->web->reader, room->inbox, &counts);
	room->counts_due = false;
	room->stats_at = now_of(room) + STATS_EVERY;
	tell_stats(room, &counts);
}

static void take_prune(struct room *room)
{
	room->prune_due = false;
	room->prune_at = now_of(room) + PRUNE_EVERY;
	tell_mailpit(room, "prune", json_null());
}

static void look_again(struct room *room)
{
	int64_t at = CLOCK_NEVER;

	if (room->told < room->newest)
		at = room->news_at;
	if (room->counts_due && room->stats_at < at)
		at = room->stats_at;
	if (room->prune_due && room->prune_at < at)
		at = room->prune_at;
	if (at != CLOCK_NEVER)
		timer_start_at(&room->timer, at);
}

static void room_turn(void *context)
{
	struct room *room = context;
	int64_t now = now_of(room);

	if (room->told < room->newest && room->news_at <= now)
		take_news(room);
	if (room->counts_due && room->stats_at <= now)
		take_counts(room);
	if (room->prune_due && room->prune_at <= now)
		take_prune(room);
	look_again(room);
}

/* ---- rooms --------------------------------------------------------------------- */

static struct room *room_find(struct hub *hub, uint32_t inbox)
{
	for (struct list *node = hub->rooms.next; node != &hub->rooms; node = node->next) {
		struct room *room = list_entry(node, struct room, link);

		if (room->inbox == inbox)
			return room;
	}
	return NULL;
}

struct room *hub_room(struct web *web, uint32_t inbox)
{
	struct hub *hub = web->hub;
	struct room *room = room_find(hub, inbox);
	struct inbox_counts counts;

	if (room == NULL) {
		room = memory_new(sizeof(*room));
		room->hub = hub;
		room->inbox = inbox;
		list_init(&room->feeds);
		list_init(&room->waits);
		timer_init(&room->timer, web->loop, room_turn, room);
		list_append(&hub->rooms, &room->link);
	}
	if (list_empty(&room->feeds) && list_empty(&room->waits)) {
		/* Nobody listened: what happened meanwhile is no news. */
		reader_inbox_counts(web->reader, inbox, &counts);
		room->told = room->newest = counts.last_sequence;
		room->prune_due = room->counts_due = false;
	}
	return room;
}

static void news_arrived(void *context, uint32_t inbox, uint64_t last_sequence)
{
	struct hub *hub = context;
	struct room *room = room_find(hub, inbox);

	if (room == NULL || (list_empty(&room->feeds) && list_empty(&room->waits)))
		return;
	if (last_sequence <= room->newest)
		return;
	wait_news(room, room->newest, last_sequence);
	room->newest = last_sequence;
	room->counts_due = true;
	room_turn(room);
}

static void retired_arrived(void *context, uint32_t inbox, uint64_t last_sequence)
{
	struct room *room = room_find(context, inbox);

	(void)last_sequence;
	if (room == NULL || list_empty(&room->feeds))
		return;
	room->prune_due = room->counts_due = true;
	room_turn(room);
}

/* ---- changes by requests ------------------------------------------------------- */

static struct room *room_to_tell(struct web *web, uint32_t inbox)
{
	struct room *room = web->hub == NULL ? NULL : room_find(web->hub, inbox);

	if (room == NULL || list_empty(&room->feeds))
		return NULL;
	room->counts_due = true;
	return room;
}

static void set_id(json_t *data, uint64_t id)
{
	char text[ID_TEXT_SIZE];

	id_format(id, text);
	json_object_set_new(data, "ID", json_string(text));
}

/* {ID} and, of an update, what is other now: under `name`, shared by all. Takes it. */
static void tell_each(struct room *room, const char *type, const uint64_t *ids, size_t count,
                      const char *name, json_t *value)
{
	if (ids == NULL || count > CHANGES_MAX)
		room->prune_due = true;
	for (size_t i = 0; ids != NULL && count <= CHANGES_MAX && i < count; i++) {
		json_t *data = json_object();

		set_id(data, ids[i]);
		if (name != NULL)
			json_object_set(data, name, value);
		tell_mailpit(room, type, data);
	}
	json_decref(value);
	room_turn(room);
}

void hub_read(struct web *web, uint32_t inbox, const uint64_t *ids, size_t count, bool read)
{
	struct room *room = room_to_tell(web, inbox);

	if (room != NULL)
		tell_each(room, "update", ids, count, "Read", json_boolean(read));
}

void hub_tagged(struct web *web, uint32_t inbox, const uint64_t *ids, size_t count,
                char *const *tags, size_t tag_count)
{
	struct room *room = room_to_tell(web, inbox);
	json_t *list;

	if (room == NULL)
		return;
	list = json_array();
	for (size_t i = 0; i < tag_count; i++)
		json_array_append_new(list, json_text(tags[i]));
	tell_each(room, "update", ids, count, "Tags", list);
}

void hub_deleted(struct web *web, uint32_t inbox, const uint64_t *ids, const uint64_t *sequences,
                 size_t count)
{
	struct room *room = room_to_tell(web, inbox);

	if (room == NULL)
		return;
	for (size_t i = 0; feed_wanted(room, HUB_MAILCATCHER) && i < count; i++)
		tell(room, HUB_MAILCATCHER, mailcatcher_removed(sequences[i]));
	tell_each(room, "delete", ids, count, NULL, NULL);
}

void hub_truncated(struct web *web, uint32_t inbox)
{
	struct room *room = room_to_tell(web, inbox);

	if (room == NULL)
		return;
	tell_mailpit(room, "truncate", json_null());
	if (feed_wanted(room, HUB_MAILCATCHER))
		tell(room, HUB_MAILCATCHER, mailcatcher_cleared());
	room_turn(room);
}

void hub_error(struct web *web, uint32_t inbox, const char *type, const char *address,
               const char *text)
{
	struct room *room = room_to_tell(web, inbox);
	json_t *data;

	if (room == NULL)
		return;
	data = json_object();
	json_object_set_new(data, "Level", json_string("warning"));
	json_object_set_new(data, "Type", json_string(type));
	json_object_set_new(data, "IP", json_text(address));
	json_object_set_new(data, "Message", json_text(text));
	tell_mailpit(room, "error", data);
}

/* ---- life ---------------------------------------------------------------------- */

static void beat(void *context)
{
	struct hub *hub = context;

	for (struct list *node = hub->rooms.next; node != &hub->rooms; node = node->next)
		feed_heartbeat(list_entry(node, struct room, link));
	timer_start(&hub->heartbeat, HEARTBEAT);
}

void hub_start(struct web *web)
{
	struct hub *hub = memory_new(sizeof(*hub));

	hub->web = web;
	list_init(&hub->rooms);
	timer_init(&hub->heartbeat, web->loop, beat, hub);
	timer_start(&hub->heartbeat, HEARTBEAT);
	web->hub = hub;
	spool_watch_inbox(web->options.spool, web->channel, news_arrived, hub);
	spool_watch_retired(web->options.spool, web->channel, retired_arrived, hub);
}

void hub_stop(struct web *web)
{
	struct hub *hub = web->hub;
	struct list *node, *after;

	if (hub == NULL)
		return;
	timer_stop(&hub->heartbeat);
	list_each(node, after, &hub->rooms)
	{
		struct room *room = list_entry(node, struct room, link);

		wait_end_all(room);
		feed_end_all(room);
		timer_stop(&room->timer);
	}
}

void hub_free(struct web *web)
{
	struct list *node, *after;

	if (web->hub == NULL)
		return;
	list_each(node, after, &web->hub->rooms) free(list_entry(node, struct room, link));
	free(web->hub);
	web->hub = NULL;
}
