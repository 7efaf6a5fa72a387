/* SPDX-License-Identifier: ISC */
/* relay_world.c - see relay_world.h. */
#include "relay_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

/* ---- what happens later ---------------------------------------------------- */

struct later {
	struct timer timer;
	struct world *world;
	void (*run)(struct world *w, void *argument);
	void *argument;
	unsigned generation;
};

static void drop(void (*run)(struct world *, void *), void *argument);

static void later_fired(void *context)
{
	struct later *l = context;
	struct later copy = *l;

	free(l);
	if (copy.generation != copy.world->generation)
		drop(copy.run, copy.argument);
	else
		copy.run(copy.world, copy.argument);
}

void world_later(struct world *w, int64_t us, void (*run)(struct world *, void *), void *argument)
{
	struct later *l = memory_new(sizeof(*l));

	l->world = w;
	l->run = run;
	l->argument = argument;
	l->generation = w->generation;
	timer_init(&l->timer, w->loop, later_fired, l);
	timer_start(&l->timer, us);
}

/* Orders to workers travel on a channel: they arrive one after the other. */
void world_post(struct world *w, void (*run)(struct world *, void *), void *argument)
{
	int64_t now = w->clock.monotonic_us;

	w->posted_us = w->posted_us + 1 > now ? w->posted_us + 1 : now;
	world_later(w, w->posted_us - now, run, argument);
}

unsigned world_random(struct world *w, unsigned below)
{
	w->random = w->random * 1103515245u + 12345u;
	return (w->random >> 8) % below;
}

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

	d.return_by_us = mail->by_us > 0 ? d.accepted_us + mail->by_us : 0;
	d.due_us = mail->held ? CLOCK_NEVER : d.accepted_us + mail->wait_us;
	d.recipients = memory_new_array(d.count, sizeof(*d.recipients));
	for (size_t i = 0; i < d.count; i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "r%zu@example.net", i);
		d.recipients[i].to.address.text = memory_text(text);
		d.recipients[i].to.address.local_length = strcspn(text, "@");
		d.recipients[i].to.notify = mail->notify;
	}
	(void)store(w, &d);
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

static size_t port_alarms(void *context, const struct alarm *from, int64_t until_us,
                          struct alarm *alarms_r, size_t max)
{
	struct world *w = context;
	size_t count = 0;

	/* In order of acceptance: near enough for those who ask once. */
	for (size_t i = 0; i < w->stored_count && count < max; i++) {
		const struct delivery *d = &w->stored[i]->d;

		if (!w->stored[i]->gone && d->return_by_us > 0 && d->return_by_us <= until_us &&
		    d->return_by_us >= from->time_us)
			alarms_r[count++] = (struct alarm){ d->return_by_us, d->id, d->n };
	}
	return count;
}

static bool port_facts(void *context, uint64_t id, struct message_facts *facts_r)
{
	(void)context;
	*facts_r = (struct message_facts){ .id = id };
	facts_r->sender.text = memory_text("a@example.com");
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

	if (put != NULL)
		w->bounced += request->count;
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

static void drop(void (*run)(struct world *, void *), void *argument)
{
	struct transition *t = argument;
	struct bounce_request *request = argument;

	if (argument == NULL)
		;
	else if (run == commit)
		transition_free(&t);
	else if (run == bounce_ready)
		bounce_request_free(&request);
	else
		assert_true(host_drop(run, argument));
}

/* ---- the world ------------------------------------------------------------- */

static char *named(const char *what, size_t i)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%s%zu", what, i);
	return memory_text(text);
}

static int64_t retries[] = { CLOCK_MIN, 5 * CLOCK_MIN, CLOCK_HOUR };

void world_init(struct world *w, size_t hosts, size_t routes)
{
	memset(w, 0, sizeof(*w));
	clock_set_init(&w->clock, WORLD_START);
	w->clock.monotonic_us = CLOCK_HOUR;
	w->loop = loop_new_set(&w->clock);
	w->commit_us = 2 * CLOCK_MS;
	w->random = 1;
	w->settings.providers = w->providers;
	w->settings.provider_count = hosts;
	w->settings.routes = w->routes;
	w->settings.route_count = routes;
	for (size_t i = 0; i < hosts; i++) {
		w->providers[i] = (struct provider_settings){ .name = named("p", i),
			                                      .host = named("host", i),
			                                      .connections = 10,
			                                      .recipients_per_message = 50,
			                                      .pipeline = 20 };
		w->hosts[i] = (struct host){ .world = w,
			                     .provider = &w->providers[i],
			                     .connect_us = 10 * CLOCK_MS,
			                     .reply_us = 5 * CLOCK_MS };
		w->hosts[i].facts.pipelining = true;
		list_init(&w->hosts[i].wires);
	}
	for (size_t i = 0; i < routes; i++) {
		struct route_settings *route = &w->routes[i];

		*route = (struct route_settings){ .name = named("r", i),
			                          .retry_us = retries,
			                          .retry_count = 3,
			                          .expire_us = 5 * CLOCK_DAY,
			                          .bounce_to_sender = true };
		route->via.items = memory_new_array(hosts, sizeof(char *));
		for (size_t k = 0; k < hosts; k++)
			route->via.items[route->via.count++] = w->providers[k].name;
	}
}

void world_start(struct world *w)
{
	struct relay_options options = {
		.settings = &w->settings,
		.loop = w->loop,
		.context = w,
		.ports = { host_open, host_finish, host_grant, port_due_line, port_due,
		           port_delivery, port_deliveries, port_size, port_facts, port_claim,
		           port_outcome, port_outcome, port_bounce, port_alarms },
	};
	struct bytes error = { 0 };

	assert_int_equal(router_new(&w->router, &w->settings, NULL, &error), 0);
	options.router = w->router;
	w->relay = relay_new(&options);
	for (size_t i = 0; i < w->settings.provider_count; i++)
		relay_number(w->relay, &w->providers[i], (uint32_t)i + 1);
}

static int by_slice(const void *a, const void *b)
{
	const struct spool_count *x = a, *y = b;

	return x->slice < y->slice ? -1 : x->slice > y->slice;
}

void world_crash(struct world *w)
{
	w->generation++;
	for (size_t i = 0; i < w->settings.provider_count; i++)
		host_crash(&w->hosts[i]);
	relay_free(&w->relay);
	router_free(&w->router);
	world_start(w);
	if (w->count_count > 1)
		qsort(w->counts, w->count_count, sizeof(*w->counts), by_slice);
	for (size_t i = 0; i < w->count_count; i++)
		relay_restore(w->relay, &w->counts[i]);
	for (size_t i = 0; i < w->stored_count; i++)
		if (!w->stored[i]->gone && w->stored[i]->claimed)
			relay_recover(w->relay, &w->stored[i]->claim);
	relay_start(w->relay);
}

void world_pass(struct world *w, int64_t us)
{
	loop_pass(w->loop, us);
}

static void host_release(struct host *host)
{
	free(host->written);
	free(host->written_for);
}

/* Everything in flight ends, so that nothing is left to come back. */
void world_release(struct world *w)
{
	w->refuse_claims = w->refuse_outcomes = w->keep_outcomes = false;
	if (w->relay != NULL)
		relay_stop(w->relay);
	world_pass(w, 10 * CLOCK_MIN);
	assert_true(w->relay == NULL || relay_idle(w->relay));
	relay_free(&w->relay);
	router_free(&w->router);
	loop_free(&w->loop);
	for (size_t i = 0; i < w->stored_count; i++) {
		delivery_release(&w->stored[i]->d);
		free(w->stored[i]);
	}
	free(w->stored);
	free(w->rows);
	free(w->counts);
	free(w->sent_ids);
	reply_release(&w->last_failure);
	for (size_t i = 0; i < w->settings.provider_count; i++) {
		host_release(&w->hosts[i]);
		free(w->providers[i].name);
		free(w->providers[i].host);
	}
	for (size_t i = 0; i < w->settings.route_count; i++) {
		free(w->routes[i].name);
		free(w->routes[i].via.items);
	}
}
