/* SPDX-License-Identifier: ISC */
/* search.c - which messages a query finds, and the job that asks all of an inbox, newest first.
 *
 * Each message is asked in place, in the spool's own pages, and term by term: those that cost
 * little come first. The job reads in slices, so that no read transaction is old, and stops
 * between them when it is cancelled.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "inbox/search_private.h"

/* Of one read transaction: some milliseconds. */
#define SLICE 500

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
		return field_has(q, term, view_of(q)->message_id);
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

bool search_matches(const struct search *search, const struct inbox_row *row)
{
	struct question q = { .search = search, .row = row };

	for (size_t i = 0; i < search->count; i++)
		if (!is_right(&q, &search->terms[i]))
			return false;
	return true;
}

/* ---- all of an inbox -------------------------------------------------------------------- */

struct walk {
	struct search_job *job;
	struct search *search;
	bool ended; /* at job->after */
};

static void see(void *context, const struct inbox_row *row)
{
	struct walk *walk = context;
	struct search_job *job = walk->job;

	if (row->sequence <= job->after)
		walk->ended = true;
	if (walk->ended || (job->before_us > 0 && row->time_us >= job->before_us) ||
	    !search_matches(walk->search, row))
		return;
	if (job->total >= job->start && job->count < job->limit) {
		if (job->count == job->capacity) {
			job->capacity = job->capacity == 0 ? 64 : job->capacity * 2;
			job->sequences =
				memory_grow(job->sequences, job->capacity, sizeof(*job->sequences));
		}
		job->sequences[job->count++] = row->sequence;
	}
	job->total++;
	job->unread += !row->read;
}

static void work(struct helper_job *helper_job)
{
	struct search_job *job = (struct search_job *)(void *)helper_job;
	struct walk walk = { .job = job };
	struct reader *reader;
	uint64_t before = 0;

	job->result = search_parse(&walk.search, job->query, job->tz, clock_wall(clock_system()),
	                           &job->error);
	if (job->result != 0)
		return;
	reader = reader_new(job->spool);
	do
		before = reader_inbox_sift(reader, job->inbox, before, SLICE, &walk.search->sieve,
		                           see, &walk);
	while (before != 0 && !walk.ended && !atomic_load(&job->cancelled));
	reader_free(&reader);
	search_free(&walk.search);
}

int search_job_submit(struct helper *helper, struct search_job *job)
{
	job->job.work = work;
	job->total = job->unread = 0;
	job->count = 0;
	return helper_submit(helper, &job->job);
}

void search_job_release(struct search_job *job)
{
	free(job->sequences);
	job->sequences = NULL;
	job->count = job->capacity = 0;
	bytes_release(&job->error);
}
