/* SPDX-License-Identifier: ISC */
/* mailhog.c - the API of MailHog, v2 and what of v1 does not have Mailpit's names.
 *
 * Lists are sent a message at a time, each made when the one before is written: they carry whole
 * messages. Jim, its chaos monkey, is never there: Mailpit's chaos is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/json.h"
#include "base/memory.h"
#include "inbox/inbox.h"
#include "mail/header.h"
#include "mail/id.h"
#include "web/hub.h"
#include "web/mailhog.h"
#include "web/mailpit.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     250 /* as MailHog */

/* ---- one message -------------------------------------------------------------------------- */

static json_t *path_json(const char *address)
{
	const char *at = strrchr(address, '@');
	size_t local = at == NULL ? strlen(address) : (size_t)(at - address);
	char *mailbox = memory_text_of(address, local);
	json_t *path = json_object();

	json_object_set_new(path, "Relays", json_null());
	json_object_set_new(path, "Mailbox", json_text(mailbox));
	json_object_set_new(path, "Domain", json_text(at == NULL ? "" : at + 1));
	json_object_set_new(path, "Params", json_string(""));
	free(mailbox);
	return path;
}

static json_t *raw_json(const struct summary *s, const struct message_facts *facts,
                        struct span whole)
{
	json_t *raw = json_object(), *to = json_array();

	for (size_t i = 0; i < s->recipient_count; i++)
		json_array_append_new(to, json_text(s->recipients[i]));
	json_object_set_new(raw, "From", json_text(s->sender));
	json_object_set_new(raw, "To", to);
	json_object_set_new(raw, "Data", mailhog_text(whole));
	json_object_set_new(raw, "Helo", json_text(facts->trace.helo));
	return raw;
}

static json_t *make_message(const struct inbox_entry *entry, const struct summary *s,
                            const struct message_facts *facts, struct span whole)
{
	json_t *message = json_object(), *to = json_array(), *content = mailhog_content(whole);
	json_t *mime = json_object_get(content, "MIME");
	char id[ID_TEXT_SIZE];

	id_format(entry->id, id);
	for (size_t i = 0; i < s->recipient_count; i++)
		json_array_append_new(to, path_json(s->recipients[i]));
	json_object_set_new(message, "ID", json_string(id));
	json_object_set_new(message, "From", path_json(s->sender));
	json_object_set_new(message, "To", to);
	/* MailHog has the parts of the whole message beside its content. */
	json_object_set(message, "MIME", mime);
	json_object_set_new(content, "MIME", json_null());
	json_object_set_new(message, "Content", content);
	json_object_set_new(message, "Created", describe_time(entry->time_us));
	json_object_set_new(message, "Raw", raw_json(s, facts, whole));
	return message;
}

static json_t *mailhog_message(struct reader *reader, const struct inbox_entry *entry, size_t max)
{
	struct message_facts facts;
	struct bytes whole = { 0 };
	json_t *message = NULL;
	struct summary s;

	if (!reader_message(reader, entry->id, &facts))
		return NULL;
	if (summary_decode(&s, bytes_span(&entry->summary)) == 0) {
		mailhog_read(reader, &facts, max, &whole);
		message = make_message(entry, &s, &facts, bytes_span(&whole));
		summary_release(&s);
	}
	bytes_release(&whole);
	message_facts_release(&facts);
	return message;
}

json_t *mailhog_added(struct reader *reader, const struct inbox_entry *entry)
{
	return mailhog_message(reader, entry, MAILHOG_EVENT_MAX);
}

/* ---- lists ----------------------------------------------------------------------------------- */

struct hog_list {
	uint64_t *sequences, total, start;
	size_t count, at;
	bool begun, ended;
};

static void list_release(struct call *call)
{
	struct hog_list *l = call->context;

	free(l->sequences);
	free(l);
}

/* Appends the next message that is still there. */
static void append_message(struct call *call, struct hog_list *l, struct bytes *piece)
{
	struct inbox_entry entry;
	json_t *message;
	char *text;

	if (!reader_inbox_entry(call->web->reader, call->inbox, l->sequences[l->at++], &entry))
		return;
	message = mailhog_message(call->web->reader, &entry, MAILHOG_MESSAGE_MAX);
	text = message == NULL ? NULL : json_dumps(message, JSON_COMPACT);
	if (text != NULL) {
		bytes_printf(piece, "%s%s", l->begun ? "," : "", text);
		l->begun = true;
	}
	free(text);
	json_decref(message);
	inbox_entry_release(&entry);
}

static void list_next(struct call *call)
{
	struct hog_list *l = call->context;
	struct bytes piece = { 0 };

	if (l->ended) {
		answer_end(call);
		return;
	}
	if (l->at == 0)
		bytes_printf(&piece, "{\"total\":%llu,\"count\":%zu,\"start\":%llu,\"items\":[",
		             (unsigned long long)l->total, l->count, (unsigned long long)l->start);
	if (l->at < l->count)
		append_message(call, l, &piece);
	l->ended = l->at >= l->count;
	if (l->ended)
		bytes_append_text(&piece, "]}");
	if (piece.length == 0)
		bytes_append_char(&piece, ' ');
	answer_piece(call, bytes_span(&piece));
	bytes_release(&piece);
}

/* Takes the sequences. */
static void answer_list(struct call *call, uint64_t *sequences, size_t count, uint64_t total)
{
	struct hog_list *l = memory_new(sizeof(*l));

	l->sequences = sequences;
	l->count = count;
	l->total = total;
	l->start = (uint64_t)call_query_number(call, "start", 0, INT64_MAX, 0);
	call->context = l;
	call->release = list_release;
	answer_stream(call, 200, "application/json", -1, list_next);
}

static size_t limit_of(const struct call *call)
{
	int64_t limit = call_query_number(call, "limit", 1, INT64_MAX, LIMIT_DEFAULT);

	return limit > LIMIT_MAX ? LIMIT_MAX : (size_t)limit;
}

static void get_messages(struct call *call)
{
	struct inbox_entry entries[LIMIT_MAX];
	uint64_t start = (uint64_t)call_query_number(call, "start", 0, INT64_MAX, 0);
	size_t count = reader_inbox_list(call->web->reader, call->inbox, 0, true, start, entries,
	                                 limit_of(call));
	uint64_t *sequences = memory_new_array(count + 1, sizeof(*sequences));
	struct inbox_counts counts;

	for (size_t i = 0; i < count; i++) {
		sequences[i] = entries[i].sequence;
		inbox_entry_release(&entries[i]);
	}
	reader_inbox_counts(call->web->reader, call->inbox, &counts);
	answer_list(call, sequences, count, counts.entries);
}

static void searched(struct hunt *hunt)
{
	uint64_t *sequences = hunt->sequences;

	hunt->sequences = NULL;
	if (hunt->error != NULL) {
		free(sequences);
		answer_text(hunt->job.call, 400, "%s", hunt->error);
	} else {
		answer_list(hunt->job.call, sequences, hunt->count, hunt->matches);
	}
}

static void get_search(struct call *call)
{
	const char *kind = call_query(call, "kind"), *query = call_query(call, "query");
	struct bytes words = { 0 };
	struct hunt *hunt;

	if (kind == NULL || query == NULL || *query == '\0' ||
	    (strcmp(kind, "from") != 0 && strcmp(kind, "to") != 0 &&
	     strcmp(kind, "containing") != 0)) {
		answer_text(call, 400, "kind: from, to or containing; query: what is searched for");
		return;
	}
	if (strcmp(kind, "containing") != 0)
		bytes_printf(&words, "%s:", kind);
	bytes_append_char(&words, '"');
	for (; *query != '\0'; query++)
		bytes_append_char(&words, *query == '"' ? ' ' : *query);
	bytes_append_char(&words, '"');
	hunt = hunt_new(call, bytes_text(&words), searched);
	hunt->start = (uint64_t)call_query_number(call, "start", 0, INT64_MAX, 0);
	hunt->limit = limit_of(call);
	hunt->counts = true;
	bytes_release(&words);
	hunt_start(hunt);
}

/* ---- v1
 * ------------------------------------------------------------------------------------------ */

static void message_found(struct call *call, uint64_t id, uint64_t sequence)
{
	struct inbox_entry entry;
	json_t *message = NULL;

	(void)id;
	if (reader_inbox_entry(call->web->reader, call->inbox, sequence, &entry)) {
		message = mailhog_message(call->web->reader, &entry, MAILHOG_MESSAGE_MAX);
		inbox_entry_release(&entry);
	}
	if (message == NULL)
		answer_not_found(call);
	else
		answer_json(call, 200, message);
}

static void get_message(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, message_found);
}

static void attach(struct call *call, uint64_t id, const char *tail)
{
	struct bytes text = { 0 };
	char name[ID_TEXT_SIZE];

	id_format(id, name);
	bytes_printf(&text, "attachment; filename=\"%s%s\"", name, tail);
	answer_header(call, "Content-Disposition", bytes_text(&text));
	bytes_release(&text);
}

static void download_found(struct call *call, uint64_t id, uint64_t sequence)
{
	(void)sequence;
	attach(call, id, ".eml");
	if (!content_answer(call, id, "message/rfc822"))
		answer_not_found(call);
}

static void get_download(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, download_found);
}

static void part_found(struct call *call, uint64_t id, uint64_t sequence)
{
	struct message_facts facts;
	struct bytes whole = { 0 }, part = { 0 };
	char *end;
	unsigned long n = strtoul(call->arguments[1], &end, 10);
	bool there = *end == '\0' && reader_message(call->web->reader, id, &facts);

	(void)sequence;
	if (there) {
		mailhog_read(call->web->reader, &facts, MAILHOG_MESSAGE_MAX, &whole);
		there = mailhog_part(bytes_span(&whole), n, &part);
		message_facts_release(&facts);
	}
	if (there) {
		attach(call, id, "-part");
		answer_body(call, 200, "application/octet-stream", bytes_span(&part));
	} else {
		answer_not_found(call);
	}
	bytes_release(&whole);
	bytes_release(&part);
}

static void get_part(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, part_found);
}

/* Clients parse what is said as JSON, and nothing when nothing is said. */
static void answer_done(struct call *call)
{
	answer_body(call, 200, "text/json", span_of_text(""));
}

static void deleted(struct change_wait *wait)
{
	if (wait->removal.request.result < 0)
		answer_empty(wait->call, 500);
	else
		answer_done(wait->call);
}

static void delete_found(struct call *call, uint64_t id, uint64_t sequence)
{
	uint64_t *sequences = memory_new(sizeof(*sequences));
	struct change_wait *wait = change_new(call, sequences, 1);

	(void)id;
	*sequences = sequence;
	wait->durable = deleted;
	change_remove(wait);
}

static void delete_message(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, delete_found);
}

static void release_found(struct call *call, uint64_t id, uint64_t sequence)
{
	(void)sequence;
	release_message(call, id, answer_done);
}

static void post_release(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, release_found);
}

/* ---- the rest
 * ------------------------------------------------------------------------------------- */

static void get_events(struct call *call)
{
	feed_open(call, HUB_MAILHOG);
}

static void no_jim(struct call *call)
{
	answer_empty(call, 404);
}

static void get_outgoing(struct call *call)
{
	answer_json(call, 200, json_object());
}

const struct way mailhog_ways[] = {
	{ EVHTTP_REQ_GET, "/api/v2/messages", get_messages, 0 },
	{ EVHTTP_REQ_GET, "/api/v2/search", get_search, 0 },
	{ EVHTTP_REQ_GET, "/api/v2/jim", no_jim, 0 },
	{ EVHTTP_REQ_POST, "/api/v2/jim", no_jim, 0 },
	{ EVHTTP_REQ_PUT, "/api/v2/jim", no_jim, 0 },
	{ EVHTTP_REQ_DELETE, "/api/v2/jim", no_jim, 0 },
	{ EVHTTP_REQ_GET, "/api/v2/outgoing-smtp", get_outgoing, 0 },
	{ EVHTTP_REQ_GET, "/api/v2/websocket", get_events, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/events", get_events, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/messages/{ID}", get_message, 0 },
	{ EVHTTP_REQ_DELETE, "/api/v1/messages/{ID}", delete_message, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/messages/{ID}/download", get_download, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/messages/{ID}/mime/part/{N}/download", get_part, 0 },
	{ EVHTTP_REQ_POST, "/api/v1/messages/{ID}/release", post_release, WAY_JSON },
	WAYS_END,
};
