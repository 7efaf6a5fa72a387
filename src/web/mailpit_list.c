/* SPDX-License-Identifier: ISC */
/* mailpit_list.c - lists of messages: GET messages, GET search.
 *
 * A page is one answer; a long list (limit=0 is everything) is streamed, some entries at a time, so
 * that 100,000 messages take no memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "inbox/inbox.h"
#include "web/mailpit.h"

#define LIMIT_DEFAULT 50
#define PAGE_MAX      250 /* entries of an answer that is not streamed */
#define STEP          50  /* entries of a piece */

struct listing {
	uint64_t *sequences; /* those of a search; NULL: as they stand in the inbox, */
	uint64_t before;     /* those before this one; 0: from the newest */
	uint64_t skip;
	uint64_t left; /* entries to come */
	size_t at;     /* in sequences */
	uint64_t written;
	bool begun;
	uint64_t total, unread, matches, matches_unread, start;
};

/* ---- the text ------------------------------------------------------------------ */

static void add_tag(void *context, const char *label, uint64_t count)
{
	(void)count;
	json_array_append_new(context, json_text(label));
}

static json_t *tags_of(struct web *web, uint32_t inbox)
{
	json_t *tags = json_array();

	reader_inbox_labels(web->reader, inbox, add_tag, tags);
	return tags;
}

static void append_json(struct bytes *out, json_t *value)
{
	json_line(out, value);
	out->length--; /* its newline */
}

static void append_head(struct bytes *out, struct call *call, const struct listing *l)
{
	bytes_printf(out,
	             "{\"total\":%llu,\"unread\":%llu,\"messages_count\":%llu,"
	             "\"messages_unread\":%llu,\"start\":%llu,\"tags\":",
	             (unsigned long long)l->total, (unsigned long long)l->unread,
	             (unsigned long long)l->matches, (unsigned long long)l->matches_unread,
	             (unsigned long long)l->start);
	append_json(out, tags_of(call->web, call->inbox));
	bytes_append_text(out, ",\"messages\":[");
}

static void append_tail(struct bytes *out, const struct listing *l)
{
	bytes_printf(out, "],\"count\":%llu}\n", (unsigned long long)l->written);
}

static void append_entry(struct bytes *out, struct listing *l, const struct inbox_entry *entry)
{
	struct summary summary;

	if (summary_decode(&summary, bytes_span(&entry->summary)) < 0)
		return; /* damaged */
	summary_complete(&summary, entry->id);
	if (l->written++ > 0)
		bytes_append_char(out, ',');
	inbox_summary_text(entry, &summary, out);
	summary_release(&summary);
}

/* Up to `max` entries that come next. False: there are no more. */
static bool append_found(struct bytes *out, struct call *call, struct listing *l, size_t max)
{
	struct inbox_entry entry;

	for (; l->left > 0 && max > 0; l->left--, max--) {
		if (!reader_inbox_entry(call->web->reader, call->inbox, l->sequences[l->at++],
		                        &entry))
			continue; /* deleted since it was found */
		append_entry(out, l, &entry);
		inbox_entry_release(&entry);
	}
	return l->left > 0;
}

static bool append_next(struct bytes *out, struct call *call, struct listing *l, size_t max)
{
	struct inbox_entry entries[STEP];
	size_t count;

	for (; l->left > 0 && max > 0; max -= count) {
		size_t step = max < STEP ? max : STEP;

		if (step > l->left)
			step = (size_t)l->left;
		count = reader_inbox_list(call->web->reader, call->inbox, l->before, true, l->skip,
		                          entries, step);
		l->skip = 0;
		l->left = count < step ? 0 : l->left - count;
		for (size_t i = 0; i < count; i++) {
			l->before = entries[i].sequence;
			append_entry(out, l, &entries[i]);
			inbox_entry_release(&entries[i]);
		}
	}
	return l->left > 0;
}

static bool append_some(struct bytes *out, struct call *call, struct listing *l, size_t max)
{
	return l->sequences != NULL ? append_found(out, call, l, max)
	                            : append_next(out, call, l, max);
}

/* ---- the answer ------------------------------------------------------------------ */

static void listing_release(struct call *call)
{
	struct listing *l = call->context;

	free(l->sequences);
	free(l);
}

static void listing_next(struct call *call)
{
	struct listing *l = call->context;
	struct bytes piece = { 0 };

	if (l->begun && l->left == 0) {
		answer_end(call);
		return;
	}
	if (!l->begun)
		append_head(&piece, call, l);
	l->begun = true;
	/* Of what was found all of a step may be deleted by now; and a piece of nothing is never
	 * written, so nobody would ask for the next. */
	while (append_some(&piece, call, l, STEP) && piece.length == 0)
		;
	if (l->left == 0)
		append_tail(&piece, l);
	answer_piece(call, bytes_span(&piece));
	bytes_release(&piece);
}

/* Takes the listing. */
static void listing_answer(struct call *call, struct listing *l)
{
	struct bytes text = { 0 };

	call->context = l;
	call->release = listing_release;
	if (l->left > PAGE_MAX) {
		answer_stream(call, 200, "application/json", -1, listing_next);
		return;
	}
	append_head(&text, call, l);
	append_some(&text, call, l, PAGE_MAX);
	append_tail(&text, l);
	answer_body(call, 200, "application/json", bytes_span(&text));
	bytes_release(&text);
}

static struct listing *listing_new(struct call *call)
{
	struct listing *l = memory_new(sizeof(*l));
	struct inbox_counts counts;

	reader_inbox_counts(call->web->reader, call->inbox, &counts);
	l->total = l->matches = counts.entries;
	l->unread = l->matches_unread = counts.unread;
	return l;
}

/* ---- messages --------------------------------------------------------------------- */

static uint64_t limit_of(struct call *call)
{
	return (uint64_t)call_query_number(call, "limit", 0, INT64_MAX, LIMIT_DEFAULT);
}

static uint64_t start_of(struct call *call)
{
	return (uint64_t)call_query_number(call, "start", 0, INT64_MAX, 0);
}

/* Those before a date: the counts stay those of the whole inbox. */
static void earlier_found(struct hunt *hunt)
{
	struct listing *l = listing_new(hunt->job.call);

	l->start = hunt->start;
	l->sequences = hunt->sequences;
	l->left = hunt->count;
	hunt->sequences = NULL;
	if (l->sequences == NULL)
		l->sequences = memory_new(sizeof(*l->sequences));
	listing_answer(hunt->job.call, l);
}

void mailpit_list(struct call *call)
{
	uint64_t limit = limit_of(call);
	struct listing *l;

	if (call_query(call, "before") != NULL) {
		struct hunt *hunt = hunt_new(call, NULL, earlier_found);

		hunt->limit = limit == 0 ? HUNT_ALL : limit;
		hunt->start = limit == 0 ? 0 : start_of(call);
		hunt_start(hunt);
		return;
	}
	l = listing_new(call);
	l->start = start_of(call);
	/* As Mailpit: without a limit there is no start, but it is said. */
	l->skip = limit == 0 ? 0 : l->start;
	l->left = l->skip >= l->total ? 0 : l->total - l->skip;
	if (limit != 0 && l->left > limit)
		l->left = limit;
	listing_answer(call, l);
}

/* ---- search ------------------------------------------------------------------------ */

static void search_found(struct hunt *hunt)
{
	struct listing *l = listing_new(hunt->job.call);

	l->start = hunt->start;
	l->matches = hunt->matches;
	l->matches_unread = hunt->unread;
	l->sequences = hunt->sequences;
	l->left = hunt->count;
	hunt->sequences = NULL;
	if (l->sequences == NULL)
		l->sequences = memory_new(sizeof(*l->sequences));
	listing_answer(hunt->job.call, l);
}

void mailpit_search(struct call *call)
{
	const char *query = call_query(call, "query");
	struct hunt *hunt;

	if (query == NULL || query[strspn(query, " \t\r\n")] == '\0') {
		answer_text(call, 400, "Error: no search query");
		return;
	}
	hunt = hunt_new(call, query, search_found);
	hunt->counts = true;
	hunt->start = start_of(call);
	/* As Mailpit: a limit of 0 counts, and shows none. */
	hunt->limit = limit_of(call);
	hunt_start(hunt);
}

static void list_tags(struct call *call)
{
	answer_json(call, 200, tags_of(call->web, call->inbox));
}

const struct way mailpit_list_ways[] = {
	{ EVHTTP_REQ_GET, "/api/v1/messages", mailpit_list, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/search", mailpit_search, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/tags", list_tags, 0 },
	WAYS_END,
};
