/* SPDX-License-Identifier: ISC */
/* deposit.c - a whole message into the spool, bounded like one of a session. See deposit.h. */
#include "web/deposit.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metric.h"
#include "mail/header.h"
#include "mail/id.h"
#include "web/private.h"

struct deposit *deposit_new(struct call *call)
{
	struct deposit *d = memory_new(sizeof(*d));

	d->call = call;
	d->put = put_new(call->web->options.spool);
	envelope_init(&d->envelope);
	return d;
}

void deposit_free(struct deposit **dp)
{
	struct deposit *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	put_free(&d->put);
	envelope_release(&d->envelope);
	bytes_release(&d->whole);
	bytes_release(&d->chunk.data);
	free(d);
}

void deposit_append(struct deposit *d, struct span content)
{
	bytes_append_span(&d->whole, content);
}

uint64_t deposit_length(const struct deposit *d)
{
	return d->whole.length;
}

/* ---- the end ------------------------------------------------------------------------ */

static void log_accepted(const struct deposit *d)
{
	const struct message_facts *facts = &d->put->facts;
	char id[ID_TEXT_SIZE];

	id_format(facts->id, id);
	log_info("message accepted msg=%s from=%s rcpts=%zu size=%llu client=%s helo=%s", id,
	         log_quoted(facts->sender.text), d->envelope.count, (unsigned long long)facts->size,
	         facts->trace.client, log_quoted(facts->trace.helo));
	metric_add(METRIC_MESSAGES_ACCEPTED, 1);
	metric_add(METRIC_RECIPIENTS_ACCEPTED, (int64_t)d->envelope.count);
	metric_add(METRIC_BYTES_ACCEPTED, (int64_t)facts->size);
}

static void refused(struct deposit *d, const char *why)
{
	struct spool *spool = d->call->web->options.spool;

	if (d->put->first_piece > 0)
		spool_drop(spool, d->put->facts.blob);
	if (d->put->reserved > 0)
		spool_unreserve(spool, d->put->reserved);
	d->done(d, 0, why);
	deposit_free(&d);
}

static void put_done(struct spool_request *request, int result)
{
	struct put *put = list_entry(request, struct put, request);
	struct deposit *d = put->owner;

	if (result != 0) {
		refused(d, "the spool has no room");
		return;
	}
	log_accepted(d);
	d->done(d, put->facts.id, NULL);
	deposit_free(&d);
}

/* ---- routing ------------------------------------------------------------------------ */

static void route_work(struct call_job *job)
{
	struct deposit *d = (struct deposit *)(void *)job;
	const struct web_options *o = &d->call->web->options;

	d->route(d, d->put);
	if (d->put->entry_count > 0)
		o->intake->finish(o->intake->context, d->put, o->spool);
}

static void route_done(struct call_job *job)
{
	struct deposit *d = (struct deposit *)(void *)job;

	if (d->put->entry_count + d->put->delivery_count == 0) {
		refused(d, "there is nobody to take it");
		return;
	}
	d->put->owner = d;
	d->put->request.home = d->call->web->channel;
	d->put->request.done = put_done;
	spool_put(d->call->web->options.spool, d->put);
}

/* ---- chunks ------------------------------------------------------------------------- */

/* Whole pieces alone go ahead. */
static size_t chunk_most(const struct spool *spool)
{
	return SPOOL_CHUNK_MAX / spool_piece_size(spool) * spool_piece_size(spool);
}

static void go_on(struct deposit *d);

static void chunk_done(struct spool_request *request, int result)
{
	struct chunk *chunk = list_entry(request, struct chunk, request);
	struct deposit *d = chunk->owner;

	if (result != 0)
		refused(d, "the spool has no room");
	else
		go_on(d);
}

static void go_on(struct deposit *d)
{
	struct web *web = d->call->web;
	size_t piece = spool_piece_size(web->options.spool), most = chunk_most(web->options.spool);
	struct put *put = d->put;
	size_t sent = put->first_piece * piece;

	if (d->whole.length - sent <= most) {
		bytes_append(&put->body, d->whole.data + sent, d->whole.length - sent);
		bytes_release(&d->whole);
		d->job.work = route_work;
		d->job.done = route_done;
		call_job_start(d->call, &d->job);
		return;
	}
	if (put->first_piece == 0)
		put->facts.blob = spool_blob_new(web->options.spool);
	bytes_clear(&d->chunk.data);
	bytes_append(&d->chunk.data, d->whole.data + sent, most);
	d->chunk.blob = put->facts.blob;
	d->chunk.first_piece = put->first_piece;
	d->chunk.owner = d;
	d->chunk.request.home = web->channel;
	d->chunk.request.done = chunk_done;
	put->first_piece += (uint32_t)(most / piece);
	spool_chunk(web->options.spool, &d->chunk);
}

/* ---- the start ---------------------------------------------------------------------- */

static bool has_8bit(const struct bytes *content)
{
	for (size_t i = 0; i < content->length; i++)
		if (content->data[i] >= 0x80)
			return true;
	return false;
}

static void facts_fill(struct deposit *d)
{
	const struct web_options *o = &d->call->web->options;
	struct message_facts *facts = &d->put->facts;
	const char *hostname = o->settings->hostname;
	char *client = NULL;
	uint16_t port = 0;

	if (d->call->client != NULL && !d->call->control)
		evhttp_connection_get_peer(d->call->client->http, &client, &port);
	address_copy(&facts->sender, &d->envelope.sender);
	facts->body = has_8bit(&d->whole) ? BODY_8BITMIME : BODY_7BIT;
	facts->smtputf8 = d->envelope.smtputf8;
	facts->size = d->whole.length;
	facts->trace.helo = memory_text(hostname);
	facts->trace.client = memory_text(client == NULL ? "unix:penstock" : client);
	facts->trace.by = memory_text(hostname);
	facts->trace.with = memory_text("HTTP");
	facts->trace.time_us = clock_wall(o->clock);
}

void deposit_start(struct deposit *d)
{
	struct spool *spool = d->call->web->options.spool;
	struct span head = bytes_span(&d->whole);

	facts_fill(d);
	if (!spool_reserve(spool, d->whole.length)) {
		refused(d, "the spool has no room");
		return;
	}
	d->put->reserved = d->whole.length;
	/* Kept of what goes ahead: routing and the summary read it. */
	if (d->whole.length > chunk_most(spool)) {
		head.length = head.length < HEADER_MAX ? head.length : HEADER_MAX;
		bytes_append(&d->put->header, head.data, header_length(head));
	}
	go_on(d);
}
