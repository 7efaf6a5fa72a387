/* SPDX-License-Identifier: ISC */
/* search.c - which messages a query finds.
 *
 * Each message is asked in place, in the spool's own pages, and term by term: those that cost
 * little come first. What must be in the text goes through the spool's sieve before, so that most
 * messages are never asked.
 */
#include "inbox/search_private.h"
#include "mail/id.h"

/* ---- one message ---------------------------------------------------------------------- */

/* What terms ask of the same message; the summary is looked at when the first one needs it. */
struct question {
	const struct search *search;
	const struct inbox_row *row;
	struct summary_view view;
	bool looked;
};

static const struct summary_view *view_of(struct question *q)
{
	if (!q->looked && summary_look(&q->view, q->row->summary) != 0)
		q->view = (struct summary_view){ .attachments = 0 };
	q->looked = true;
	return &q->view;
}

static bool field_has(struct question *q, const struct term *term, struct span field)
{
	struct bytes *folded = q->search->scratch;

	bytes_clear(folded);
	search_fold(folded, field);
	return needle_is_in(&term->needle, bytes_span(folded));
}

static bool is_folded(struct question *q, const struct term *term, struct span field)
{
	struct bytes *folded = q->search->scratch;

	bytes_clear(folded);
	search_fold(folded, field);
	return span_equal(bytes_span(&term->needle.octets), bytes_span(folded));
}

static bool list_has(struct question *q, const struct term *term, struct span list)
{
	struct bytes *folded = q->search->scratch;
	struct span name, address;

	while (summary_next_address(&list, &name, &address)) {
		if (term->whole && is_folded(q, term, address))
			return true;
		if (term->whole)
			continue;
		bytes_clear(folded);
		search_fold(folded, name);
		search_fold(folded, address);
		if (needle_is_in(&term->needle, bytes_span(folded)))
			return true;
	}
	return false;
}

static bool addressed(struct question *q, const struct term *term)
{
	const struct summary_view *view = view_of(q);

	return list_has(q, term, view->from) || list_has(q, term, view->to) ||
	       list_has(q, term, view->cc) || list_has(q, term, view->bcc) ||
	       list_has(q, term, view->reply_to);
}

static bool tagged(struct question *q, const struct term *term)
{
	struct span labels = q->row->labels, label;

	while (row_label(&labels, &label))
		if (term->kind == TERM_TAG ? is_folded(q, term, label) : field_has(q, term, label))
			return true;
	return false;
}

/* A message that has no text (of an earlier version) has its summary. */
static bool text_has(struct question *q, const struct term *term)
{
	if (needle_is_in(&term->needle, q->row->text) || tagged(q, term))
		return true;
	return q->row->text.length == 0 &&
	       (field_has(q, term, view_of(q)->subject) || addressed(q, term));
}

/* One of ours lacks the message's id: summary_complete(). */
static bool message_id_has(struct question *q, const struct term *term)
{
	struct span kept = view_of(q)->message_id;
	struct bytes whole = { 0 };
	char id[ID_TEXT_SIZE];
	bool found;

	if (kept.length == 0 || kept.data[0] != '@')
		return field_has(q, term, kept);
	id_format(q->row->id, id);
	bytes_append_text(&whole, id);
	bytes_append_span(&whole, kept);
	found = field_has(q, term, bytes_span(&whole));
	bytes_release(&whole);
	return found;
}

static bool number_is_right(struct question *q, const struct term *term)
{
	uint64_t ms = q->row->time_us < 0 ? 0 : (uint64_t)q->row->time_us / 1000;

	/* Equal dates are on both sides of either, sizes on neither, as in Mailpit. */
	switch (term->kind) {
	case TERM_AFTER:
		return term->excludes ? ms <= term->number : ms >= term->number;
	case TERM_BEFORE:
		return term->excludes ? ms >= term->number : ms <= term->number;
	case TERM_LARGER:
		return term->excludes ? q->row->size < term->number : q->row->size > term->number;
	default:
		return term->excludes ? q->row->size > term->number : q->row->size < term->number;
	}
}

static bool is_true(struct question *q, const struct term *term)
{
	switch (term->kind) {
	case TERM_READ:
		return q->row->read;
	case TERM_UNREAD:
		return !q->row->read;
	case TERM_TAGGED:
		return q->row->labels.length > 0;
	case TERM_TAG:
		return tagged(q, term);
	case TERM_ATTACHMENT:
		return view_of(q)->attachments > 0;
	case TERM_INLINE:
		return view_of(q)->inlines > 0;
	case TERM_MESSAGE_ID:
		return message_id_has(q, term);
	case TERM_SUBJECT:
		return field_has(q, term, view_of(q)->subject);
	case TERM_FROM:
		return list_has(q, term, view_of(q)->from);
	case TERM_TO:
		return list_has(q, term, view_of(q)->to);
	case TERM_CC:
		return list_has(q, term, view_of(q)->cc);
	case TERM_BCC:
		return list_has(q, term, view_of(q)->bcc);
	case TERM_REPLY_TO:
		return list_has(q, term, view_of(q)->reply_to);
	case TERM_ADDRESSED:
		return addressed(q, term);
	default:
		return text_has(q, term);
	}
}

static bool is_right(struct question *q, const struct term *term)
{
	switch (term->kind) {
	case TERM_AFTER:
	case TERM_BEFORE:
	case TERM_LARGER:
	case TERM_SMALLER:
		return number_is_right(q, term);
	default:
		return is_true(q, term) != term->excludes;
	}
}

bool search_finds_all(const struct search *search)
{
	return search->count == 0;
}

bool search_matches(const struct search *search, const struct inbox_row *row)
{
	struct question q = { .search = search, .row = row };

	for (size_t i = 0; i < search->count; i++)
		if (!is_right(&q, &search->terms[i]))
			return false;
	return true;
}

/* ---- many messages ------------------------------------------------------------------------ */

struct scan {
	const struct search *search;
	void (*each)(void *context, const struct inbox_row *row);
	void *context;
};

static void ask(void *context, const struct inbox_row *row)
{
	const struct scan *scan = context;

	if (search_matches(scan->search, row))
		scan->each(scan->context, row);
}

uint64_t search_scan(const struct search *search, struct reader *r, uint32_t inbox, uint64_t before,
                     size_t max, void (*each)(void *context, const struct inbox_row *row),
                     void *context)
{
	struct scan scan = { search, each, context };

	if (search == NULL)
		return reader_inbox_scan(r, inbox, before, max, each, context);
	return reader_inbox_sift(r, inbox, before, max, &search->sieve, ask, &scan);
}
