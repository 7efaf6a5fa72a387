/* SPDX-License-Identifier: ISC */
/* relay_spool.c - the spool of a relay's world: deliveries, index and counts in memory, commits
 * that take their time, and reports and headers from helpers that are not there. */
#include "relay_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

/* ---- the index ------------------------------------------------------------- */

#define ORDER(a, b)                                \
	do {                                       \
		if ((a) != (b))                    \
			return (a) < (b) ? -1 : 1; \
	} while (0)

static int row_order(const struct due_row *a, const struct due_row *b)
{
	ORDER(a->queue, b->queue);
	ORDER(b->priority, a->priority);
	ORDER(a->class, b->class);
	ORDER(a->time_us, b->time_us);
	ORDER(a->id, b->id);
	ORDER(a->n, b->n);
	return 0;
}

/* The first row that is not before this one. */
static size_t row_place(const struct world *w, const struct due_row *row)
{
	size_t low = 0, high = w->row_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (row_order(&w->rows[middle], row) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void row_add(struct world *w, const struct due_row *row)
{
	size_t at = row_place(w, row);

	w->rows = memory_grow(w->rows, w->row_count + 1, sizeof(*w->rows));
	memmove(&w->rows[at + 1], &w->rows[at], (w->row_count - at) * sizeof(*w->rows));
	w->rows[at] = *row;
	w->row_count++;
}

static bool row_there(const struct world *w, const struct due_row *row)
{
	size_t at = row_place(w, row);

	return at < w->row_count && row_order(&w->rows[at], row) == 0;
}

static void row_remove(struct world *w, const struct due_row *row)
{
	size_t at = row_place(w, row);

	assert_true(row_there(w, row));
	memmove(&w->rows[at], &w->rows[at + 1], (w->row_count - at - 1) * sizeof(*w->rows));
	w->row_count--;
}

static struct due_row row_of(const struct delivery *d)
{
	return (struct due_row){ d->queue, d->priority, d->class, d->due_us, d->id, d->n };
}

/* ---- deliveries ------------------------------------------------------------ */

struct stored *world_find(struct world *w, uint64_t id, uint32_t n)
{
	/* Ids begin at 1; the first delivery of each stands at its place. */
	for (size_t i = (size_t)id - 1; i < w->stored_count; i++)
		if (w->stored[i]->d.id == id && w->stored[i]->d.n == n)
			return w->stored[i]->gone ? NULL : w->stored[i];
	return NULL;
}

size_t world_left(const struct world *w)
{
	size_t left = 0;

	for (size_t i = 0; i < w->stored_count; i++)
		left += !w->stored[i]->gone;
	return left;
}

static struct stored *store(struct world *w, const struct delivery *d)
{
	struct stored *s = memory_new(sizeof(*s));
	struct delivery *copy = delivery_copy(d);
	struct due_row row;

	s->d = *copy;
	free(copy);
	if (w->stored_count % 1024 == 0)
		w->stored = memory_grow(w->stored, w->stored_count + 1024, sizeof(*w->stored));
	w->stored[w->stored_count++] = s;
	row = row_of(&s->d);
	row_add(w, &row);
	return s;
}

static void tell_due(struct world *w, const struct delivery *d)
{
	struct due_news news = { d->queue, d->priority, d->class, d->due_us };

	if (d->due_us < CLOCK_NEVER)
		relay_due(w->relay, &news, 1);
}

static uint64_t add_mail(struct world *w, const struct world_mail *mail)
{
	struct delivery d = { .id = ++w->last_id,
		              .generation = router_generation(w->router),
		              .n = 1,
		              .queue = (uint32_t)mail->route + 1,
		              .priority = mail->priority,
		              .class = mail->class,
		              .accepted_us = clock_wall(&w->clock.clock),
		              .count = mail->recipients > 0 ? mail->recipients : 1 };
	struct stored *stored;

	if (mail->release_us > 0)
		d.accepted_us += mail->release_us;
	d.return_by_us = mail->by_us > 0 ? d.accepted_us + mail->by_us : 0;
	d.attempts = mail->wait_us > 0; /* or it would not wait */
	d.due_us = mail->held ? CLOCK_NEVER : d.accepted_us + mail->wait_us;
	d.recipients = memory_new_array(d.count, sizeof(*d.recipients));
	for (size_t i = 0; i < d.count; i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "r%zu@example.net", i);
		d.recipients[i].to.address.text = memory_text(text);
		d.recipients[i].to.address.local_length = strcspn(text, "@");
		d.recipients[i].to.notify = mail->notify;
	}
	d.warn_us = mail->warn_us > 0 ? d.accepted_us + mail->warn_us : 0;
	stored = store(w, &d);
	stored->release_us = mail->release_us > 0 ? d.due_us : 0;
	stored->notify_by_us = mail->notify_by_us > 0 ? d.accepted_us + mail->notify_by_us : 0;
	delivery_release(&d);
	return w->last_id;
}

uint64_t world_mail(struct world *w, const struct world_mail *mail)
{
	uint64_t id = add_mail(w, mail);

	tell_due(w, &world_find(w, id, 1)->d);
	return id;
}

void world_mails(struct world *w, const struct world_mail *mail, size_t count)
{
	uint64_t id = 0;

	for (size_t i = 0; i < count; i++)
		id = id == 0 ? add_mail(w, mail) : (add_mail(w, mail), id);
	tell_due(w, &world_find(w, id, 1)->d);
}

/* ---- the ports: spool ------------------------------------------------------ */

static bool port_due_line(void *context, struct due_row *line)
{
	struct world *w = context;
	struct due_row after = *line;
	size_t at;

	w->calls_line++;
	after.time_us = INT64_MAX;
	after.id = UINT64_MAX;
	after.n = UINT32_MAX;
	at = row_place(w, &after);
	if (line->priority == SPOOL_BEFORE_FIRST) {
		after.time_us = 0;
		at = row_place(w, &after);
	}
	if (at >= w->row_count || w->rows[at].queue != line->queue)
		return false;
	*line = w->rows[at];
	return true;
}

static size_t port_due(void *context, const struct due_row *from, int64_t until_us,
                       struct due_row *rows_r, size_t max)
{
	struct world *w = context;
	size_t at = row_place(w, from), count = 0;

	w->calls_due++;
	while (count < max && at < w->row_count) {
		const struct due_row *row = &w->rows[at++];

		if (row->queue != from->queue || row->priority != from->priority ||
		    row->class != from->class || row->time_us > until_us)
			break;
		rows_r[count++] = *row;
	}
	return count;
}

static bool port_delivery(void *context, uint64_t id, uint32_t n, struct delivery *delivery_r)
{
	struct world *w = context;
	struct stored *s = world_find(w, id, n);
	struct delivery *copy;

	w->calls_delivery++;
	if (s == NULL)
		return false;
	copy = delivery_copy(&s->d);
	*delivery_r = *copy;
	free(copy);
	return true;
}

static size_t port_deliveries(void *context, uint64_t id, uint32_t from, uint32_t *n_r, size_t max)
{
	struct world *w = context;
	size_t count = 0;

	for (size_t i = 0; i < w->stored_count && count < max; i++)
		if (w->stored[i]->d.id == id && !w->stored[i]->gone && w->stored[i]->d.n >= from)
			n_r[count++] = w->stored[i]->d.n;
	return count;
}

static uint64_t port_size(void *context, uint64_t id)
{
	(void)id;
	return ((struct world *)context)->size;
}

static int alarm_order(const struct alarm *a, const struct alarm *b)
{
	ORDER(a->time_us, b->time_us);
	ORDER(a->id, b->id);
	ORDER(a->n, b->n);
	return 0;
}

static void alarm_note(const struct delivery *d, int64_t time_us, const struct alarm *from,
                       struct alarm *found)
{
	struct alarm alarm = { time_us, d->id, d->n };

	if (time_us > 0 && alarm_order(&alarm, from) >= 0 && alarm_order(&alarm, found) < 0)
		*found = alarm;
}

static size_t port_alarms(void *context, const struct alarm *from, int64_t until_us,
                          struct alarm *alarms_r, size_t max)
{
	struct world *w = context;
	struct alarm at = *from;
	size_t count = 0;

	for (; count < max; at.n++) {
		struct alarm found = { CLOCK_NEVER, 0, 0 };

		for (size_t i = 0; i < w->stored_count; i++) {
			if (w->stored[i]->gone)
				continue;
			alarm_note(&w->stored[i]->d, w->stored[i]->d.return_by_us, &at, &found);
			alarm_note(&w->stored[i]->d, w->stored[i]->d.warn_us, &at, &found);
		}
		if (found.time_us > until_us)
			break;
		alarms_r[count++] = at = found;
	}
	return count;
}

static bool port_facts(void *context, uint64_t id, struct message_facts *facts_r)
{
	struct world *w = context;
	struct stored *s = world_find(w, id, 1);
	const char *sender = w->senders[id % 2] == NULL ? "a@example.com" : w->senders[id % 2];

	*facts_r = (struct message_facts){ .id = id };
	facts_r->terms.release_us = s == NULL ? 0 : s->release_us;
	facts_r->terms.by_us = s == NULL ? 0 : s->notify_by_us;
	facts_r->terms.by_mode = facts_r->terms.by_us > 0 ? BY_NOTIFY : BY_NONE;
	facts_r->sender.text = memory_text(sender);
	facts_r->listener = w->listener == NULL ? NULL : memory_text(w->listener);
	facts_r->from = memory_text(sender);
	facts_r->sender.local_length = 1;
	return true;
}

/* As the writer verifies. */
static bool is_valid(struct world *w, const struct transition *t, const struct stored *s)
{
	if (s == NULL || t->has_due == t->unclaims || (t->claims && !t->has_due))
		return false;
	if (t->has_due && !row_there(w, &t->due))
		return false;
	if (t->unclaims && (!s->claimed || s->claim.slot != t->claim.slot ||
	                    s->claim.provider != t->claim.provider))
		return false;
	return !(t->claims && s->claimed);
}

static void rewrite(struct world *w, struct stored *s, const struct delivery *now, bool with_row)
{
	struct delivery *copy = delivery_copy(now);
	struct due_row row;

	copy->id = s->d.id;
	copy->n = s->d.n;
	delivery_release(&s->d);
	s->d = *copy;
	free(copy);
	row = row_of(&s->d);
	if (with_row)
		row_add(w, &row);
}

static uint32_t next_n(const struct world *w, uint64_t id)
{
	uint32_t n = 0;

	for (size_t i = 0; i < w->stored_count; i++)
		if (w->stored[i]->d.id == id && w->stored[i]->d.n > n)
			n = w->stored[i]->d.n;
	return n + 1;
}

static void apply_count(struct world *w, const struct spool_count *count)
{
	for (size_t i = 0; i < w->count_count; i++) {
		struct spool_count *c = &w->counts[i];

		if (c->kind == count->kind && c->unit == count->unit && c->owner == count->owner &&
		    c->window == count->window && c->slice == count->slice) {
			c->amount = count->amount + (count->set ? 0 : c->amount);
			return;
		}
	}
	w->counts = memory_grow(w->counts, w->count_count + 1, sizeof(*w->counts));
	w->counts[w->count_count++] = *count;
}

static void apply(struct world *w, struct transition *t, struct stored *s)
{
	uint64_t id = s->d.id;

	for (size_t i = 0; i < t->count_count; i++)
		apply_count(w, &t->counts[i]);
	if (t->has_due)
		row_remove(w, &t->due);
	if (t->claims || t->unclaims) {
		s->claimed = t->claims;
		s->claim = t->claim;
	}
	if (t->now != NULL)
		rewrite(w, s, t->now, !t->claims);
	else if (!t->claims)
		s->gone = true;
	for (size_t i = 0; i < t->apart_count; i++) {
		t->apart[i]->id = id;
		t->apart[i]->n = next_n(w, id);
		(void)store(w, t->apart[i]);
	}
}

static void commit(struct world *w, void *argument)
{
	struct transition *t = argument;
	struct stored *s = world_find(w, t->id, t->n);
	bool refused = (t->claims ? w->refuse_claims : w->refuse_outcomes) || !is_valid(w, t, s);

	if (refused) {
		t->request.done(&t->request, -1);
		return;
	}
	apply(w, t, s);
	if (t->now != NULL && !t->claims)
		tell_due(w, &s->d);
	for (size_t i = 0; i < t->apart_count; i++)
		tell_due(w, t->apart[i]);
	t->request.done(&t->request, 0);
}

static void port_claim(void *context, struct transition *t)
{
	struct world *w = context;

	w->claims++;
	world_later(w, w->commit_us, commit, t);
}

static void port_outcome(void *context, struct transition *t)
{
	struct world *w = context;

	w->outcomes++;
	world_later(w, w->keep_outcomes ? 10 * CLOCK_SEC : w->commit_us, commit, t);
}

static void bounce_ready(struct world *w, void *argument)
{
	struct bounce_request *request = argument;
	struct put *put = w->no_bounce ? NULL : put_new(NULL);

	for (size_t i = 0; put != NULL && i < request->count; i++) {
		w->bounced += request->failures[i].report == REPORT_FAILED;
		w->delayed += request->failures[i].report == REPORT_DELAYED;
		w->relayed += request->failures[i].report == REPORT_RELAYED;
		w->late += request->failures[i].late;
	}
	reply_release(&w->last_failure);
	reply_copy(&w->last_failure, &request->failures[0].reply);
	relay_bounced(w->relay, request, put);
}

static void port_bounce(void *context, struct bounce_request *request)
{
	struct world *w = context;

	w->bounce_asked++;
	world_later(w, CLOCK_MS, bounce_ready, request);
}

static void header_ready(struct world *w, void *argument)
{
	struct header_request *request = argument;

	w->reading--;
	request->fits = router_read_header(w->router, span_of_text(w->header));
	relay_header_read(w->relay, request);
}

static void port_header(void *context, struct header_request *request)
{
	struct world *w = context;

	w->headers_read++;
	w->reading++;
	if (w->reading > w->headers_at_once)
		w->headers_at_once = w->reading;
	world_later(w, CLOCK_MS, header_ready, request);
}

static void rehouse_ready(struct world *w, void *argument)
{
	struct rehouse_request *request = argument;

	w->rehousing--;
	relay_rehoused(w->relay, request, w->no_rehousing ? NULL : put_new(NULL));
}

static void port_rehouse(void *context, struct rehouse_request *request)
{
	struct world *w = context;

	for (size_t i = 0; i < request->count; i++)
		w->rehoused[request->inboxes[i]]++;
	w->rehousing++;
	if (w->rehousing > w->rehoused_at_once)
		w->rehoused_at_once = w->rehousing;
	world_later(w, CLOCK_MS, rehouse_ready, request);
}

struct relay_ports world_ports(void)
{
	return (struct relay_ports){
		.open = host_open,
		.finish = host_finish,
		.grant = host_grant,
		.due_line = port_due_line,
		.due = port_due,
		.delivery = port_delivery,
		.deliveries = port_deliveries,
		.size = port_size,
		.facts = port_facts,
		.claim = port_claim,
		.outcome = port_outcome,
		.outcome_now = port_outcome,
		.bounce = port_bounce,
		.header = port_header,
		.rehouse = port_rehouse,
		.alarms = port_alarms,
	};
}

void world_drop(void (*run)(struct world *, void *), void *argument)
{
	struct transition *t = argument;
	struct bounce_request *request = argument;
	struct header_request *header = argument;
	struct rehouse_request *rehouse = argument;

	if (argument == NULL)
		;
	else if (run == commit)
		transition_free(&t);
	else if (run == bounce_ready)
		bounce_request_free(&request);
	else if (run == header_ready)
		header_request_free(&header);
	else if (run == rehouse_ready)
		rehouse_request_free(&rehouse);
	else
		assert_true(host_drop(run, argument));
}
