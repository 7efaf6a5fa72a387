/* SPDX-License-Identifier: ISC */
/* mailpit_change.c - what changes messages: read marks, deletion, tags.
 *
 * Where an empty list means everything, Mailpit takes a body that it cannot read for one. Here such
 * a body is refused: router.c answers 400 to what is no JSON, the handlers to what is of another
 * kind.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/memory.h"
#include "inbox/inbox.h"
#include "web/mailpit.h"

/* An array, or nothing. False: it was answered. */
static bool array_member(struct call *call, const char *name, const json_t **array_r)
{
	json_t *value = call_member(call->body, name);

	*array_r = json_is_null(value) ? NULL : value;
	if (*array_r == NULL || json_is_array(*array_r))
		return true;
	answer_text(call, 400, "%s is not an array", name);
	return false;
}

/* Changes all when the array is empty or not there, else these. False: it was answered. */
static bool sequences_of(struct call *call, const json_t *ids, uint64_t **sequences_r,
                         size_t *count_r)
{
	*sequences_r = NULL;
	*count_r = 0;
	if (json_array_size(ids) == 0 || find_sequences(call, ids, sequences_r, count_r) == 0)
		return true;
	answer_text(call, 400, "IDs is not an array of strings");
	return false;
}

/* ---- read marks -------------------------------------------------------------------- */

static void mark_found(struct hunt *hunt)
{
	struct call *call = hunt->job.call;
	struct change_wait *wait;

	if (hunt->count == 0) {
		answer_ok(call);
		return;
	}
	wait = change_new(call, hunt->sequences, hunt->count);
	hunt->sequences = NULL;
	change_set(wait, json_is_true(call_member(call->body, "Read")) ? INBOX_SET_READ
	                                                               : INBOX_SET_UNREAD);
}

static void set_read(struct call *call)
{
	const json_t *ids, *read = call_member(call->body, "Read"),
			   *search = call_member(call->body, "Search");
	const char *query = json_string_value(search);
	uint64_t *sequences;
	size_t count;

	if (call->body == NULL) {
		answer_text(call, 400, "EOF");
		return;
	}
	if ((read != NULL && !json_is_boolean(read) && !json_is_null(read)) ||
	    (search != NULL && query == NULL && !json_is_null(search))) {
		answer_text(call, 400, "Read is not a boolean, or Search not a string");
		return;
	}
	if (!array_member(call, "IDs", &ids))
		return;
	if (json_array_size(ids) > 0 && query != NULL && *query != '\0') {
		answer_text(call, 400, "You may specify either IDs or a search query, not both");
		return;
	}
	if (query != NULL && *query != '\0') {
		hunt_start(hunt_new(call, query, mark_found));
		return;
	}
	if (sequences_of(call, ids, &sequences, &count))
		change_set(change_new(call, sequences, count),
		           json_is_true(read) ? INBOX_SET_READ : INBOX_SET_UNREAD);
}

/* ---- deletion ----------------------------------------------------------------------- */

static void deleted_quietly(struct change_wait *wait)
{
	if (wait->removal.request.result < 0)
		answer_text(wait->call, 500, "the change could not be stored");
	else
		answer_body(wait->call, 200, "text/json", span_of_text(""));
}

/* MailHog has this way, too, and says nothing; its client in npm, which parses what is said as
 * JSON, asks by a bare request of Node: kept alive, and with none of what all others say. */
static bool is_mailhog(const struct call *call)
{
	static const char *const said[] = { "User-Agent", "Accept", "Accept-Encoding",
		                            "Content-Type", "Content-Length" };
	const char *connection = call_header(call, "Connection");

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (call_header(call, said[i]) != NULL)
			return false;
	return connection != NULL && strcmp(connection, "keep-alive") == 0;
}

static void delete_messages(struct call *call)
{
	struct change_wait *wait;
	const json_t *ids;
	uint64_t *sequences;
	size_t count;

	if (!array_member(call, "IDs", &ids) || !sequences_of(call, ids, &sequences, &count))
		return;
	wait = change_new(call, sequences, count);
	if (is_mailhog(call))
		wait->durable = deleted_quietly;
	change_remove(wait);
}

static void delete_found(struct hunt *hunt)
{
	struct change_wait *wait;

	if (hunt->count == 0) {
		answer_ok(hunt->job.call);
		return;
	}
	wait = change_new(hunt->job.call, hunt->sequences, hunt->count);
	hunt->sequences = NULL;
	change_remove(wait);
}

static void delete_search(struct call *call)
{
	const char *query = call_query(call, "query");
	struct hunt *hunt;

	if (query == NULL || query[strspn(query, " \t\r\n")] == '\0') {
		answer_text(call, 400, "Error: no search query");
		return;
	}
	hunt = hunt_new(call, query, delete_found);
	hunt->strict = true; /* a mistyped date empties no inbox */
	hunt_start(hunt);
}

/* ---- tags --------------------------------------------------------------------------- */

/* Mailpit's rule: ^([a-zA-Z0-9\-\ \_\.@]){1,100}$. NULL: it is none. */
static char *tag_of(const char *text)
{
	char *tag = text == NULL ? NULL : inbox_label(span_of_text(text));

	for (const char *c = tag; c != NULL && *c != '\0'; c++) {
		if (isalnum((unsigned char)*c) || strchr("- _.@", *c) != NULL)
			continue;
		free(tag);
		return NULL;
	}
	return tag;
}

struct spelling {
	const char *tag; /* searched for */
	char *found;     /* as it is in use; NULL: it is not */
};

static void compare_label(void *context, const char *label, uint64_t count)
{
	struct spelling *s = context;

	(void)count;
	if (strcasecmp(label, s->tag) == 0 && s->found == NULL)
		s->found = memory_text(label);
}

/* The tag as it is in use, whatever its case; NULL: it is not. */
static char *tag_in_use(struct call *call, const char *tag)
{
	struct spelling s = { .tag = tag };

	reader_inbox_labels(call->web->reader, call->inbox, compare_label, &s);
	return s.found;
}

static void add_label(struct change_wait *wait, const char *text)
{
	char *tag = tag_of(text), *used;

	if (tag == NULL || wait->label_count == SPOOL_LABELS_MAX) {
		free(tag);
		return;
	}
	for (size_t i = 0; i < wait->label_count; i++) {
		if (strcasecmp(wait->labels[i], tag) == 0) {
			free(tag);
			return;
		}
	}
	used = tag_in_use(wait->call, tag);
	wait->labels[wait->label_count++] = used != NULL ? used : tag;
	if (used != NULL)
		free(tag);
}

static void set_tags(struct call *call)
{
	const json_t *ids, *tags;
	struct change_wait *wait;
	uint64_t *sequences;
	size_t count, i;
	json_t *value;

	if (call->body == NULL) {
		answer_text(call, 400, "EOF");
		return;
	}
	if (!array_member(call, "IDs", &ids) || !array_member(call, "Tags", &tags))
		return;
	json_array_foreach(tags, i, value)
	{
		if (!json_is_string(value)) {
			answer_text(call, 400, "Tags is not an array of strings");
			return;
		}
	}
	/* Here an empty list means none of them. */
	if (json_array_size(ids) == 0) {
		answer_ok(call);
		return;
	}
	if (!sequences_of(call, ids, &sequences, &count))
		return;
	wait = change_new(call, sequences, count);
	json_array_foreach(tags, i, value) add_label(wait, json_string_value(value));
	change_set(wait, INBOX_SET_LABELS);
}

static void rename_tag(struct call *call)
{
	const char *name = json_string_value(call_member(call->body, "Name"));
	char *to = tag_of(name), *from = tag_in_use(call, call->arguments[0]);
	char *taken = to == NULL ? NULL : tag_in_use(call, to);
	struct change_wait *wait;

	if (to == NULL) {
		answer_text(call, 400, "invalid tag name: %s", name == NULL ? "" : name);
	} else if (strcmp(to, call->arguments[0]) == 0) {
		answer_ok(call);
	} else if (from == NULL) {
		answer_text(call, 400, "tag not found: %s", call->arguments[0]);
	} else if (taken != NULL && strcmp(taken, from) != 0) {
		answer_text(call, 400, "tag already exists: %s", to);
	} else {
		wait = change_new(call, NULL, 0);
		wait->labels[0] = memory_text(from);
		wait->labels[1] = memory_text(to);
		wait->label_count = 2;
		change_set(wait, INBOX_RENAME_LABEL);
	}
	free(taken);
	free(from);
	free(to);
}

static void delete_tag(struct call *call)
{
	char *tag = tag_in_use(call, call->arguments[0]);
	struct change_wait *wait;

	if (tag == NULL) {
		answer_text(call, 400, "tag not found: %s", call->arguments[0]);
		return;
	}
	wait = change_new(call, NULL, 0);
	wait->labels[0] = tag;
	wait->label_count = 1;
	change_set(wait, INBOX_DROP_LABEL);
}

const struct way mailpit_change_ways[] = {
	{ EVHTTP_REQ_PUT, "/api/v1/messages", set_read, WAY_JSON },
	{ EVHTTP_REQ_DELETE, "/api/v1/messages", delete_messages, WAY_JSON },
	{ EVHTTP_REQ_DELETE, "/api/v1/search", delete_search, 0 },
	{ EVHTTP_REQ_PUT, "/api/v1/tags", set_tags, WAY_JSON },
	{ EVHTTP_REQ_PUT, "/api/v1/tags/{Tag}", rename_tag, WAY_JSON },
	{ EVHTTP_REQ_DELETE, "/api/v1/tags/{Tag}", delete_tag, 0 },
	WAYS_END,
};
