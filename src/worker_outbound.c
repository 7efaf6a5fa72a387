/* SPDX-License-Identifier: ISC */
/* worker_outbound.c - the connections of one worker: grants become transactions, their ends news.
 *
 * Connection numbers are the dispatcher's; a grant for a connection that has just closed goes back
 * unsent, and so does one whose message is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/table.h"
#include "dispatcher.h"
#include "relay/source.h"
#include "worker_private.h"

/* One connection that the dispatcher ordered. */
struct outbound {
	struct worker *worker;
	uint64_t number;
	const struct provider_settings *provider;
	struct connection *connection;
};

static struct grant_news *news_new(uint64_t connection, uint32_t slot)
{
	struct grant_news *news = memory_new(sizeof(*news));

	news->connection = connection;
	news->slot = slot;
	return news;
}

static void outbound_done(void *context, struct transaction *t)
{
	struct outbound *out = context;
	struct grant_news *news = news_new(out->number, t->slot);

	news->end = t->end;
	news->mail_written_us = t->mail_written_us;
	news->reply = t->reply;
	news->results = t->results;
	news->count = t->count;
	news->behind = t->behind;
	/* The news owns them now. */
	memset(&t->reply, 0, sizeof(t->reply));
	t->results = NULL;
	transaction_free(&t);
	dispatcher_replied(out->worker->daemon->dispatcher, news);
}

static void outbound_ready(void *context, const struct peer_facts *facts)
{
	struct outbound *out = context;

	dispatcher_ready(out->worker->daemon->dispatcher, out->number, facts);
}

static void outbound_closed(void *context, enum connection_stage stage, const struct reply *why)
{
	struct outbound *out = context;
	struct worker *w = out->worker;

	dispatcher_closed(w->daemon->dispatcher, out->number, stage, why);
	table_remove_u64(w->outbounds, out->number);
	connection_free(&out->connection);
	free(out);
}

static const struct connection_events outbound_events = {
	.ready = outbound_ready,
	.done = outbound_done,
	.closed = outbound_closed,
};

/* RFC 2852 4.1: the seconds that are left; what is to be returned when late needs one at least. */
static int64_t by_left_s(const struct envelope_terms *terms, int64_t now_us)
{
	int64_t left = (terms->by_us - now_us) / CLOCK_SEC;

	return terms->by_mode == BY_RETURN && left < 1 ? 1 : left;
}

/* A transaction for the grant, which gives up its recipients; NULL: the message is gone. */
static struct transaction *transaction_of(struct worker *w, struct grant *grant,
                                          const struct provider_settings *provider)
{
	struct message_facts facts;
	struct source *source;
	struct transaction *t;

	if (source_open(&source, w->reader, grant->id, provider, &facts) < 0)
		return NULL;
	t = memory_new(sizeof(*t));
	t->slot = grant->slot;
	t->id = grant->id;
	t->sender = facts.sender;
	t->body = facts.body;
	t->smtputf8 = facts.smtputf8;
	t->ret = facts.ret;
	t->envid = facts.envid;
	t->terms = facts.terms;
	t->by_left_s = by_left_s(&facts.terms, clock_wall(w->daemon->clock));
	t->size = facts.size;
	t->depart_us = grant->depart_us;
	t->depth = grant->depth;
	t->source = source;
	t->recipients = grant->recipients;
	t->count = grant->count;
	t->results = memory_new_array(grant->count, sizeof(*t->results));
	grant->recipients = NULL;
	grant->count = 0;
	memset(&facts.sender, 0, sizeof(facts.sender));
	facts.envid = NULL;
	message_facts_release(&facts);
	return t;
}

static void refuse_grant(struct worker *w, const struct grant *grant, bool gone)
{
	struct grant_news *news = news_new(grant->connection, grant->slot);

	news->end = TRANSACTION_UNSENT;
	news->gone = gone;
	reply_local(&news->reply, 451, "4.4.2", "the connection closed before the transaction");
	dispatcher_replied(w->daemon->dispatcher, news);
}

void outbound_grant_arrived(struct channel_item *item, void *receiver)
{
	struct worker *w = receiver;
	struct grant *grant = (struct grant *)item;
	struct outbound *out = table_find_u64(w->outbounds, grant->connection);
	struct transaction *t;

	if (out == NULL) {
		refuse_grant(w, grant, false);
	} else {
		t = transaction_of(w, grant, out->provider);
		if (t == NULL)
			refuse_grant(w, grant, true);
		else
			connection_submit(out->connection, t);
	}
	grant_free(&grant);
}

void outbound_open(struct worker *w, uint64_t number, const struct provider_settings *provider)
{
	struct outbound *out = memory_new(sizeof(*out));
	size_t index = daemon_provider_index(w->daemon, provider);

	out->worker = w;
	out->number = number;
	out->provider = provider;
	table_set_u64(w->outbounds, out->number, out);
	out->connection = connection_new(&w->transport, provider, w->daemon->provider_tls[index],
	                                 out->number, &outbound_events, out);
}

void outbound_finish(struct worker *w, uint64_t number)
{
	struct outbound *out = table_find_u64(w->outbounds, number);

	if (out != NULL)
		connection_finish(out->connection);
}

static void collect_number(void *context, struct span key, void *value)
{
	struct bytes *numbers = context;
	struct outbound *out = value;

	(void)key;
	bytes_put_u64(numbers, out->number);
}

/* connection_finish() and _free() may change the table: take the numbers first. */
static void each_outbound(struct worker *w, void (*act)(struct worker *w, struct outbound *out))
{
	struct bytes numbers = { 0 };
	struct bytes_reader r;

	table_each(w->outbounds, collect_number, &numbers);
	for (r = bytes_reader(bytes_span(&numbers)); r.rest.length > 0;) {
		struct outbound *out = table_find_u64(w->outbounds, bytes_get_u64(&r));

		if (out != NULL)
			act(w, out);
	}
	bytes_release(&numbers);
}

static void finish_outbound(struct worker *w, struct outbound *out)
{
	(void)w;
	connection_finish(out->connection);
}

static void abandon_outbound(struct worker *w, struct outbound *out)
{
	struct reply why = { 0 };

	reply_local(&why, 421, "4.3.2", "the daemon stops");
	connection_free(&out->connection); /* gives its transactions back */
	dispatcher_closed(w->daemon->dispatcher, out->number, STAGE_READY, &why);
	reply_release(&why);
	table_remove_u64(w->outbounds, out->number);
	free(out);
}

void outbound_finish_all(struct worker *w)
{
	each_outbound(w, finish_outbound);
}

void outbound_abandon_all(struct worker *w)
{
	each_outbound(w, abandon_outbound);
}
