/* SPDX-License-Identifier: ISC */
/* mailcatcher.c - the API of MailCatcher: /messages, whose ids are the numbers of an inbox.
 *
 * Everything here is the inbox in other words; pages and parts are served as the rest of the web
 * serves them. DELETE / would end MailCatcher: it is refused, as with its --no-quit.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "inbox/inbox.h"
#include "web/hub.h"
#include "web/mailpit.h"
#include "web/part.h"

#define LIST_STEP 100 /* entries of a piece of the list */

/* ---- in MailCatcher's words ------------------------------------------------------------ */

/* "2026-11-22T01:00:00+00:00" */
static json_t *created_at(int64_t time_us)
{
	char text[CLOCK_DATE_MAX + 8];

	clock_format_rfc3339(time_us, text);
	memcpy(text + strcspn(text, ".Z"), "+00:00", sizeof("+00:00"));
	return json_string(text);
}

static json_t *in_brackets(const char *address)
{
	struct bytes text = { 0 };
	json_t *value;

	bytes_printf(&text, "<%s>", address);
	value = json_text(bytes_text(&text));
	bytes_release(&text);
	return value;
}

/* NULL: its record is damaged. */
static json_t *message_json(const struct inbox_entry *entry)
{
	json_t *object, *recipients;
	struct summary s;
	char size[24];

	if (summary_decode(&s, bytes_span(&entry->summary)) < 0)
		return NULL;
	object = json_object();
	recipients = json_array();
	json_object_set_new(object, "id", json_integer((json_int_t)entry->sequence));
	json_object_set_new(object, "sender", in_brackets(s.sender));
	for (size_t i = 0; i < s.recipient_count; i++)
		json_array_append_new(recipients, in_brackets(s.recipients[i]));
	json_object_set_new(object, "recipients", recipients);
	json_object_set_new(object, "subject", json_text(s.subject));
	snprintf(size, sizeof(size), "%" PRIu64, entry->size);
	json_object_set_new(object, "size", json_string(size));
	json_object_set_new(object, "created_at", created_at(entry->time_us));
	summary_release(&s);
	return object;
}

static json_t *event(const char *type)
{
	json_t *object = json_object();

	json_object_set_new(object, "type", json_string(type));
	return object;
}

json_t *mailcatcher_added(const struct inbox_entry *entry)
{
	json_t *message = message_json(entry), *object;

	if (message == NULL)
		return NULL;
	object = event("add");
	json_object_set_new(object, "message", message);
	return object;
}

json_t *mailcatcher_removed(uint64_t sequence)
{
	json_t *object = event("remove");

	json_object_set_new(object, "id", json_integer((json_int_t)sequence));
	return object;
}

json_t *mailcatcher_cleared(void)
{
	return event("clear");
}

/* ---- the list, oldest first -------------------------------------------------------------- */

struct listing {
	uint64_t after;
	bool begun, ended;
};

static void listing_release(struct call *call)
{
	free(call->context);
}

static void append_entry(struct bytes *piece, const struct inbox_entry *entry, bool *begun)
{
	json_t *message = message_json(entry);
	char *text = message == NULL ? NULL : json_dumps(message, JSON_COMPACT);

	if (text != NULL) {
		bytes_printf(piece, "%s%s", *begun ? "," : "", text);
		*begun = true;
	}
	free(text);
	json_decref(message);
}

static void listing_next(struct call *call)
{
	struct listing *l = call->context;
	struct inbox_entry entries[LIST_STEP];
	struct bytes piece = { 0 };
	size_t count;

	if (l->ended) {
		answer_end(call);
		return;
	}
	count = reader_inbox_list(call->web->reader, call->inbox, l->after, false, 0, entries,
	                          LIST_STEP);
	if (l->after == 0)
		bytes_append_char(&piece, '[');
	for (size_t i = 0; i < count; i++) {
		l->after = entries[i].sequence;
		append_entry(&piece, &entries[i], &l->begun);
		inbox_entry_release(&entries[i]);
	}
	l->ended = count < LIST_STEP;
	if (l->ended)
		bytes_append_char(&piece, ']');
	answer_piece(call, bytes_span(&piece));
	bytes_release(&piece);
}

static void get_messages(struct call *call)
{
	if (feed_is_upgrade(call)) {
		feed_open(call, HUB_MAILCATCHER);
		return;
	}
	call->context = memory_new(sizeof(struct listing));
	call->release = listing_release;
	answer_stream(call, 200, "application/json", -1, listing_next);
}

/* ---- one message --------------------------------------------------------------------------- */

/* "12" of "12.json". false: it names none that is there. */
static bool entry_of(struct call *call, struct inbox_entry *entry_r)
{
	const char *text = call->arguments[0];
	char *end = NULL;
	uint64_t sequence = 0;

	if (*text >= '1' && *text <= '9')
		sequence = strtoull(text, &end, 10);
	return sequence > 0 && (*end == '\0' || *end == '.') &&
	       reader_inbox_entry(call->web->reader, call->inbox, sequence, entry_r);
}

static bool has_role(const struct mime_index *index, enum mime_role role)
{
	for (size_t i = 0; i < index->count; i++)
		if (index->parts[i].role == role)
			return true;
	return false;
}

/* As the outermost part would say. */
static const char *type_of(const struct mime_index *index)
{
	if (index->count == 1)
		return index->parts[0].type;
	if (has_role(index, MIME_ATTACHMENT))
		return "multipart/mixed";
	if (has_role(index, MIME_INLINE))
		return "multipart/related";
	return index->count == 0 ? "text/plain" : "multipart/alternative";
}

/* What it is asked for by: its Content-ID, or its number when it has none. */
static const char *cid_of(const struct mime_part *part)
{
	return *part->content_id != '\0' ? part->content_id : part->number;
}

static json_t *attachments_json(const struct mime_index *index)
{
	json_t *list = json_array();

	for (size_t i = 0; i < index->count; i++) {
		const struct mime_part *part = &index->parts[i];
		json_t *object;

		if (part->role != MIME_ATTACHMENT &&
		    (part->role != MIME_INLINE || *part->filename == '\0'))
			continue;
		object = json_object();
		json_object_set_new(object, "cid", json_text(cid_of(part)));
		json_object_set_new(object, "type", json_text(part->type));
		json_object_set_new(object, "filename", json_text(part->filename));
		json_object_set_new(object, "size", json_integer((json_int_t)part->size));
		json_array_append_new(list, object);
	}
	return list;
}

static void answer_message(struct call *call, const struct inbox_entry *entry)
{
	json_t *object = message_json(entry), *formats = json_array();
	struct mime_index index = { 0 };

	if (object == NULL) {
		json_decref(formats);
		answer_not_found(call);
		return;
	}
	(void)part_index(call, entry->sequence, &index);
	json_array_append_new(formats, json_string("source"));
	if (has_role(&index, MIME_HTML))
		json_array_append_new(formats, json_string("html"));
	if (has_role(&index, MIME_TEXT))
		json_array_append_new(formats, json_string("plain"));
	json_object_set_new(object, "type", json_text(type_of(&index)));
	json_object_set_new(object, "formats", formats);
	json_object_set_new(object, "attachments", attachments_json(&index));
	mime_index_release(&index);
	answer_json(call, 200, object);
}

static void answer_format(struct call *call, const struct inbox_entry *entry)
{
	const char *dot = strchr(call->arguments[0], '.');
	const char *format = dot == NULL ? "" : dot;
	bool sent = true;

	if (strcmp(format, ".json") == 0)
		answer_message(call, entry);
	else if (strcmp(format, ".html") == 0)
		view_html(call, entry->id, entry->sequence);
	else if (strcmp(format, ".plain") == 0)
		view_text(call, entry->id, entry->sequence);
	else if (strcmp(format, ".source") == 0)
		sent = content_answer(call, entry->id, "text/plain; charset=utf-8");
	else if (strcmp(format, ".eml") == 0)
		sent = content_answer(call, entry->id, "message/rfc822");
	else
		sent = false;
	if (!sent)
		answer_not_found(call);
}

static void get_message(struct call *call)
{
	struct inbox_entry entry;

	if (!entry_of(call, &entry)) {
		answer_not_found(call);
		return;
	}
	answer_format(call, &entry);
	inbox_entry_release(&entry);
}

static void get_part(struct call *call)
{
	struct mime_index index = { 0 };
	struct inbox_entry entry;
	bool sent = false;

	if (!entry_of(call, &entry)) {
		answer_not_found(call);
		return;
	}
	(void)part_index(call, entry.sequence, &index);
	for (size_t i = 0; i < index.count && !sent; i++)
		if (strcmp(cid_of(&index.parts[i]), call->arguments[1]) == 0)
			sent = part_answer(call, entry.id, entry.sequence, index.parts[i].number);
	mime_index_release(&index);
	inbox_entry_release(&entry);
	if (!sent)
		answer_not_found(call);
}

/* ---- deleting ---------------------------------------------------------------------------------
 */

static void deleted(struct change_wait *wait)
{
	answer_empty(wait->call, wait->removal.request.result < 0 ? 500 : 204);
}

static void delete_some(struct call *call, uint64_t *sequences, size_t count)
{
	struct change_wait *wait = change_new(call, sequences, count);

	wait->durable = deleted;
	change_remove(wait);
}

static void delete_messages(struct call *call)
{
	delete_some(call, NULL, 0);
}

static void delete_message(struct call *call)
{
	struct inbox_entry entry;
	uint64_t *sequence;

	if (!entry_of(call, &entry)) {
		answer_not_found(call);
		return;
	}
	sequence = memory_new(sizeof(*sequence));
	*sequence = entry.sequence;
	inbox_entry_release(&entry);
	delete_some(call, sequence, 1);
}

static void quit(struct call *call)
{
	answer_empty(call, 403);
}

const struct way mailcatcher_ways[] = {
	{ EVHTTP_REQ_GET, "/messages", get_messages, 0 },
	{ EVHTTP_REQ_DELETE, "/messages", delete_messages, 0 },
	{ EVHTTP_REQ_GET, "/messages/{N}", get_message, 0 },
	{ EVHTTP_REQ_DELETE, "/messages/{N}", delete_message, 0 },
	{ EVHTTP_REQ_GET, "/messages/{N}/parts/{CID}", get_part, 0 },
	{ EVHTTP_REQ_GET, "/", answer_page, 0 }, /* what has another method only is a 405 */
	{ EVHTTP_REQ_DELETE, "/", quit, 0 },
	WAYS_END,
};
