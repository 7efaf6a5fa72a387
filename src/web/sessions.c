/* SPDX-License-Identifier: ISC */
/* sessions.c - what was said: GET api/v1/message/ID/dialogue, and GET api/v1/sessions, the newest
 * ones that failed.
 *
 * They come from the workers by the web thread's channel and are kept in memory only. A flood of
 * them is bounded: what comes while too many wait to be taken is dropped.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "mail/dialogue.h"
#include "mail/id.h"
#include "web/hub.h"
#include "web/mailpit.h"

/* On their way at a time; sessions have at most 17 KiB each. */
#define WAITING_MAX 200

static void session_arrived(struct channel_item *item, void *receiver)
{
	struct sessions *sessions = &((struct web *)receiver)->sessions;

	atomic_fetch_sub(&sessions->waiting, 1);
	session_record_free(&sessions->ring[sessions->next]);
	sessions->ring[sessions->next] = (struct session_record *)item;
	sessions->next = (sessions->next + 1) % SESSIONS_KEPT;
}

void web_session_failed(struct web *web, struct session_record *record)
{
	if (atomic_fetch_add(&web->sessions.waiting, 1) >= WAITING_MAX) {
		atomic_fetch_sub(&web->sessions.waiting, 1);
		session_record_free(&record);
		return;
	}
	record->item.arrived = session_arrived;
	channel_post(web->channel, &record->item);
}

/* ---- refusals --------------------------------------------------------------------- */

struct refused {
	struct channel_item item;
	char *client, *text;
};

/* No inbox was reached: those who watch any of them are told. */
static void refused_arrived(struct channel_item *item, void *receiver)
{
	struct refused *refused = (struct refused *)item;
	struct web *web = receiver;

	atomic_fetch_sub(&web->sessions.refused, 1);
	for (size_t i = 0; !web->stopping && i < web->options.settings->inbox_count; i++)
		hub_error(web, web->options.inboxes[i], "smtpd", refused->client, refused->text);
	free(refused->client);
	free(refused->text);
	free(refused);
}

void web_client_refused(struct web *web, const char *client, const char *text)
{
	struct refused *refused;

	if (atomic_fetch_add(&web->sessions.refused, 1) >= WAITING_MAX) {
		atomic_fetch_sub(&web->sessions.refused, 1);
		return;
	}
	refused = memory_new(sizeof(*refused));
	refused->item.arrived = refused_arrived;
	refused->client = memory_text(client);
	refused->text = memory_text(text);
	channel_post(web->channel, &refused->item);
}

void sessions_release(struct sessions *sessions)
{
	for (size_t i = 0; i < SESSIONS_KEPT; i++)
		session_record_free(&sessions->ring[i]);
}

/* ---- as JSON ------------------------------------------------------------------ */

static json_t *describe_text(struct span text)
{
	struct bytes copy = { 0 };
	json_t *value;

	bytes_append_span(&copy, text);
	for (size_t i = 0; i < copy.length; i++)
		if (copy.data[i] == '\0')
			copy.data[i] = '?';
	value = json_text(bytes_text(&copy));
	bytes_release(&copy);
	return value;
}

static json_t *describe_dialogue(struct span record, uint64_t id)
{
	static const char *const from[] = { "", "client", "server" };
	struct dialogue_reader reader = dialogue_reader(record, id);
	struct dialogue_line line;
	json_t *lines = json_array();

	while (dialogue_next(&reader, &line)) {
		json_t *object = json_object();

		json_object_set_new(object, "Time", describe_time(line.time_us));
		json_object_set_new(object, "From", json_string(from[line.from]));
		json_object_set_new(object, "Text", describe_text(line.text));
		json_array_append_new(lines, object);
	}
	return lines;
}

static json_t *describe_session(const struct session_record *record)
{
	json_t *object = json_object();

	json_object_set_new(object, "Time", describe_time(record->time_us));
	json_object_set_new(object, "Client", json_text(record->client));
	json_object_set_new(object, "Helo", json_text(record->helo));
	json_object_set_new(object, "Reason", json_text(record->reason));
	json_object_set_new(object, "Lines", describe_dialogue(bytes_span(&record->dialogue), 0));
	return object;
}

/* ---- calls ---------------------------------------------------------------------- */

/* {"Lines": []} when it was not recorded. */
static void dialogue_found(struct call *call, uint64_t id, uint64_t sequence)
{
	struct bytes record = { 0 };
	json_t *object = json_object();

	(void)reader_inbox_extra(call->web->reader, call->inbox, sequence, SPOOL_DIALOGUE, &record);
	json_object_set_new(object, "Lines", describe_dialogue(bytes_span(&record), id));
	answer_json(call, 200, object);
	bytes_release(&record);
}

static void handle_dialogue(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, dialogue_found);
}

static void sessions_handle(struct call *call)
{
	const struct sessions *sessions = &call->web->sessions;
	json_t *list = json_array();

	for (size_t i = 1; i <= SESSIONS_KEPT; i++) {
		size_t place = (sessions->next + SESSIONS_KEPT - i) % SESSIONS_KEPT;

		if (sessions->ring[place] == NULL)
			break;
		json_array_append_new(list, describe_session(sessions->ring[place]));
	}
	answer_json(call, 200, list);
}

const struct way session_ways[] = {
	{ EVHTTP_REQ_GET, "/api/v1/message/{ID}/dialogue", handle_dialogue, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/sessions", sessions_handle, WAY_BARE },
	WAYS_END,
};
