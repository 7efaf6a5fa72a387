/* SPDX-License-Identifier: ISC */
/* dispatcher_ports.c - what relay/ asks for, carried out: orders to workers, requests to the
 * writer, reading, and reports that a helper makes.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "dispatcher_private.h"
#include "mail/header.h"
#include "relay/bounce.h"
#include "relay/rehouse.h"
#include "web/web.h"
#include "worker.h"

static void port_open(void *context, uint64_t number, const struct provider_settings *provider)
{
	struct dispatcher *d = context;

	worker_open(worker_of(d, number), number, provider);
}

static void port_finish(void *context, uint64_t number)
{
	struct dispatcher *d = context;

	worker_finish(worker_of(d, number), number);
}

/* What was accepted longer ago may have left the page cache: a worker that reads it would wait for
 * the disk, and with it all its connections. */
#define COLD_AFTER CLOCK_MIN
#define TOUCH_STEP (64 * 1024)

/* A grant on its way past a helper, which has the message's pages read. */
struct touch_job {
	struct helper_job job;
	struct dispatcher *dispatcher;
	struct grant *grant;
};

static void touch_work(struct helper_job *job)
{
	struct touch_job *t = (struct touch_job *)job;
	struct reader *reader = reader_new(t->dispatcher->daemon->spool);
	struct message_facts facts;
	unsigned char *octets;
	uint64_t offset = 0;
	size_t got = 1;

	if (reader_message(reader, t->grant->id, &facts)) {
		octets = memory_new(TOUCH_STEP);
		for (; got > 0; offset += got)
			if (reader_body(reader, facts.blob, offset, octets, TOUCH_STEP, &got) < 0)
				break;
		free(octets);
		message_facts_release(&facts);
	}
	reader_free(&reader);
}

static void touch_done(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;
	struct touch_job *t = (struct touch_job *)item;

	d->helped--;
	if (d->running)
		worker_grant(worker_of(d, t->grant->connection), t->grant);
	else
		grant_free(&t->grant); /* its claim is for the next start */
	free(t);
}

static void port_grant(void *context, struct grant *grant)
{
	struct dispatcher *d = context;
	struct touch_job *t;

	if (clock_wall(d->daemon->clock) - spool_id_time(grant->id) < COLD_AFTER) {
		worker_grant(worker_of(d, grant->connection), grant);
		return;
	}
	t = memory_new(sizeof(*t));
	t->dispatcher = d;
	t->grant = grant;
	t->job.item.arrived = touch_done;
	t->job.work = touch_work;
	t->job.home = d->channel;
	d->helped++;
	if (helper_submit(d->daemon->helpers, &t->job) < 0)
		touch_done(&t->job.item, d); /* they are busy: the worker may have to wait */
}

static bool port_due_line(void *context, struct due_row *line)
{
	struct dispatcher *d = context;

	return reader_due_line(d->reader, line);
}

static size_t port_due(void *context, const struct due_row *from, int64_t until_us,
                       struct due_row *rows_r, size_t max)
{
	struct dispatcher *d = context;

	return reader_due(d->reader, from, until_us, rows_r, max);
}

static bool port_delivery(void *context, uint64_t id, uint32_t n, struct delivery *delivery_r)
{
	struct dispatcher *d = context;

	return reader_delivery(d->reader, id, n, delivery_r);
}

static size_t port_deliveries(void *context, uint64_t id, uint32_t from, uint32_t *n_r, size_t max)
{
	struct dispatcher *d = context;

	return reader_deliveries(d->reader, id, from, n_r, max);
}

static size_t port_alarms(void *context, const struct alarm *from, int64_t until_us,
                          struct alarm *alarms_r, size_t max)
{
	struct dispatcher *d = context;

	return reader_alarms(d->reader, from, until_us, alarms_r, max);
}

static uint64_t port_size(void *context, uint64_t id)
{
	struct dispatcher *d = context;
	struct message_facts facts;
	uint64_t size;

	if (!reader_message(d->reader, id, &facts))
		return 0;
	size = facts.size;
	message_facts_release(&facts);
	return size;
}

static bool port_facts(void *context, uint64_t id, struct message_facts *facts_r)
{
	struct dispatcher *d = context;

	return reader_message(d->reader, id, facts_r);
}

static void port_claim(void *context, struct transition *t)
{
	struct dispatcher *d = context;

	t->request.home = d->channel;
	spool_claim(d->daemon->spool, t);
}

static void port_outcome(void *context, struct transition *t)
{
	struct dispatcher *d = context;

	t->request.home = d->channel;
	spool_outcome(d->daemon->spool, t);
}

static void port_outcome_now(void *context, struct transition *t)
{
	struct dispatcher *d = context;

	t->request.home = d->channel;
	spool_outcome_now(d->daemon->spool, t);
}

/* A report on its way through a helper. */
struct bounce_job {
	struct helper_job job;
	struct dispatcher *dispatcher;
	struct bounce_request *request;
	struct put *put;
};

static void bounce_work(struct helper_job *job)
{
	struct bounce_job *b = (struct bounce_job *)job;
	const struct daemon *d = b->dispatcher->daemon;
	const struct bounce_maker maker = {
		.settings = d->settings,
		.router = d->router,
		.intake = &d->intake,
		.spool = d->spool,
		.clock = d->clock,
	};
	struct reader *reader = reader_new(d->spool);

	b->put = bounce_make(&maker, reader, b->request);
	reader_free(&reader);
	if (b->put != NULL && b->put->entry_count > 0)
		d->intake.finish(d->intake.context, b->put, d->spool);
}

static void bounce_done(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;
	struct bounce_job *b = (struct bounce_job *)item;

	d->helped--;
	relay_bounced(d->relay, b->request, b->put);
	free(b);
}

static void port_bounce(void *context, struct bounce_request *request)
{
	struct dispatcher *d = context;
	struct bounce_job *b = memory_new(sizeof(*b));

	b->dispatcher = d;
	b->request = request;
	b->job.item.arrived = bounce_done;
	b->job.work = bounce_work;
	b->job.home = d->channel;
	d->helped++;
	/* The helpers' queue holds more than relay/ ever has in flight, so this does not fail; if
	 * it did, the outcome would be recorded without a bounce: better to make it here, once. */
	if (helper_submit(d->daemon->helpers, &b->job) < 0) {
		bounce_work(&b->job);
		bounce_done(&b->job.item, d);
	}
}

/* A header on its way through a helper. */
struct header_job {
	struct helper_job job;
	struct dispatcher *dispatcher;
	struct header_request *request;
};

static void header_work(struct helper_job *job)
{
	struct header_job *h = (struct header_job *)job;
	const struct daemon *d = h->dispatcher->daemon;
	struct reader *reader = reader_new(d->spool);
	struct message_facts facts;
	struct bytes header = { 0 };

	if (reader_message(reader, h->request->id, &facts)) {
		if (reader_header(reader, facts.blob, HEADER_MAX, &header) == 0)
			h->request->fits = router_read_header(d->router, bytes_span(&header));
		message_facts_release(&facts);
	}
	bytes_release(&header);
	reader_free(&reader);
}

static void header_done(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;
	struct header_job *h = (struct header_job *)item;

	d->helped--;
	relay_header_read(d->relay, h->request);
	free(h);
}

static void port_header(void *context, struct header_request *request)
{
	struct dispatcher *d = context;
	struct header_job *h = memory_new(sizeof(*h));

	h->dispatcher = d;
	h->request = request;
	h->job.item.arrived = header_done;
	h->job.work = header_work;
	h->job.home = d->channel;
	d->helped++;
	/* As in port_bounce(); then the header counts as unreadable. */
	if (helper_submit(d->daemon->helpers, &h->job) < 0)
		channel_post(d->channel, &h->job.item);
}

static void port_released(void *context, uint64_t id, const char *recipient, const char *state,
                          const char *reply)
{
	struct dispatcher *d = context;

	web_release_told(d->daemon->web, id, recipient, state, reply);
}

/* Mail for inboxes on its way through a helper. */
struct rehouse_job {
	struct helper_job job;
	struct dispatcher *dispatcher;
	struct rehouse_request *request;
	struct put *put;
};

static void rehouse_work(struct helper_job *job)
{
	struct rehouse_job *r = (struct rehouse_job *)job;
	const struct daemon *d = r->dispatcher->daemon;
	struct reader *reader = reader_new(d->spool);

	r->put = rehouse_make(d->spool, reader, &d->intake, r->request);
	reader_free(&reader);
}

static void rehouse_done(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;
	struct rehouse_job *r = (struct rehouse_job *)item;

	d->helped--;
	relay_rehoused(d->relay, r->request, r->put);
	free(r);
}

static void port_rehouse(void *context, struct rehouse_request *request)
{
	struct dispatcher *d = context;
	struct rehouse_job *r = memory_new(sizeof(*r));

	r->dispatcher = d;
	r->request = request;
	r->job.item.arrived = rehouse_done;
	r->job.work = rehouse_work;
	r->job.home = d->channel;
	d->helped++;
	if (helper_submit(d->daemon->helpers, &r->job) < 0) { /* as in port_bounce() */
		rehouse_work(&r->job);
		channel_post(d->channel, &r->job.item);
	}
}

struct relay_ports dispatcher_ports(void)
{
	return (struct relay_ports){
		.open = port_open,
		.finish = port_finish,
		.grant = port_grant,
		.due_line = port_due_line,
		.due = port_due,
		.delivery = port_delivery,
		.deliveries = port_deliveries,
		.size = port_size,
		.facts = port_facts,
		.alarms = port_alarms,
		.claim = port_claim,
		.outcome = port_outcome,
		.outcome_now = port_outcome_now,
		.bounce = port_bounce,
		.released = port_released,
		.header = port_header,
		.rehouse = port_rehouse,
	};
}
