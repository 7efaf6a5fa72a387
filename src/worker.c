/* SPDX-License-Identifier: ISC */
/* worker.c - one thread's sessions and connections, and the orders that reach it.
 *
 * Decides nothing about mail: sockets become sessions (receive/), orders of the dispatcher
 * become connections and transactions (transport/), and their ends become news.
 * Connection numbers are the dispatcher's; a grant for a connection that has just
 * closed goes back unsent.
 */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/table.h"
#include "dispatcher.h"
#include "relay/source.h"

struct worker {
	struct daemon *daemon;
	size_t number;
	struct worker_events events;
	pthread_t thread;
	bool running;
	struct loop *loop;
	struct channel *channel;
	struct reader *reader;
	struct resolver *resolver;
	struct transport transport;
	struct receive *receives; /* by listener */
	struct table *outbounds;  /* connection number -> struct outbound */
	bool draining, ending;
	bool told_drained, told_quiet;
};

/* One connection that the dispatcher ordered. */
struct outbound {
	struct worker *worker;
	uint64_t number;
	struct connection *connection;
};

/* What is posted to a worker. */
struct order {
	struct channel_item item;
	void (*run)(struct worker *worker, struct order *order);
	const struct provider_settings *provider;
	struct tls_context *tls;
	uint64_t connection;
	size_t listener;
	int fd;
};

/* What a worker tells the main thread. */
struct told {
	struct channel_item item;
	void (*event)(void *context, size_t number);
	void *context;
	size_t number;
};

static void told_arrived(struct channel_item *item, void *receiver)
{
	struct told *told = (struct told *)item;

	(void)receiver;
	told->event(told->context, told->number);
	free(told);
}

static void tell_main(struct worker *w, void (*event)(void *context, size_t number))
{
	struct told *told = memory_new(sizeof(*told));

	told->item.arrived = told_arrived;
	told->event = event;
	told->context = w->events.context;
	told->number = w->number;
	channel_post(w->daemon->main, &told->item);
}

static bool sessions_idle(const struct worker *w)
{
	for (size_t i = 0; i < w->daemon->settings->listener_count; i++)
		if (!receive_idle(&w->receives[i]))
			return false;
	return true;
}

/* End of each turn of the loop: is what the main thread waits for true now? */
static void turn(void *context)
{
	struct worker *w = context;

	if (w->draining && !w->told_drained && sessions_idle(w)) {
		w->told_drained = true;
		tell_main(w, w->events.drained);
	}
	if (w->ending && !w->told_quiet && sessions_idle(w) && table_count(w->outbounds) == 0) {
		w->told_quiet = true;
		tell_main(w, w->events.quiet);
	}
}

/* ---- transactions and their ends ---------------------------------------- */

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

/* A transaction for the grant, which gives up its recipients; NULL: the message is gone. */
static struct transaction *transaction_of(struct worker *w, struct grant *grant)
{
	struct message_facts facts;
	struct source *source;
	struct transaction *t;

	if (source_open(&source, w->reader, grant->id, &facts) < 0)
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

static void grant_arrived(struct channel_item *item, void *receiver)
{
	struct worker *w = receiver;
	struct grant *grant = (struct grant *)item;
	struct outbound *out = table_find_u64(w->outbounds, grant->connection);
	struct transaction *t;

	if (out == NULL) {
		refuse_grant(w, grant, false);
	} else {
		t = transaction_of(w, grant);
		if (t == NULL)
			refuse_grant(w, grant, true);
		else
			connection_submit(out->connection, t);
	}
	grant_free(&grant);
}

/* ---- orders ---------------------------------------------------------------- */

static void order_arrived(struct channel_item *item, void *receiver)
{
	struct order *order = (struct order *)item;

	order->run(receiver, order);
	free(order);
}

static struct order *order_new(void (*run)(struct worker *worker, struct order *order))
{
	struct order *order = memory_new(sizeof(*order));

	order->item.arrived = order_arrived;
	order->run = run;
	return order;
}

static void post_order(struct worker *w, void (*run)(struct worker *worker, struct order *order))
{
	channel_post(w->channel, &order_new(run)->item);
}

static void run_accept(struct worker *w, struct order *order)
{
	struct receive *receive = &w->receives[order->listener];
	/* The session sets the events. */
	struct stream *stream = stream_new(w->loop, order->fd, NULL, NULL);

	session_new(receive, stream);
}

static void run_use_tls(struct worker *w, struct order *order)
{
	struct receive *receive = &w->receives[order->listener];

	tls_context_free(&receive->tls);
	receive->tls = order->tls;
}

static void run_open(struct worker *w, struct order *order)
{
	struct outbound *out = memory_new(sizeof(*out));
	size_t index = daemon_provider_index(w->daemon, order->provider);

	out->worker = w;
	out->number = order->connection;
	table_set_u64(w->outbounds, out->number, out);
	out->connection =
		connection_new(&w->transport, order->provider, w->daemon->provider_tls[index],
	                       out->number, &outbound_events, out);
}

static void run_finish(struct worker *w, struct order *order)
{
	struct outbound *out = table_find_u64(w->outbounds, order->connection);

	if (out != NULL)
		connection_finish(out->connection);
}

static void run_drain(struct worker *w, struct order *order)
{
	(void)order;
	w->draining = true;
	for (size_t i = 0; i < w->daemon->settings->listener_count; i++)
		receive_stop(&w->receives[i]);
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

static void run_end(struct worker *w, struct order *order)
{
	(void)order;
	w->ending = true;
	for (size_t i = 0; i < w->daemon->settings->listener_count; i++)
		receive_end(&w->receives[i]);
	each_outbound(w, finish_outbound);
}

static void run_abandon(struct worker *w, struct order *order)
{
	(void)order;
	each_outbound(w, abandon_outbound);
}

static void run_exit(struct worker *w, struct order *order)
{
	(void)order;
	loop_stop(w->loop);
}

void worker_accept(struct worker *w, size_t listener, int fd)
{
	struct order *order = order_new(run_accept);

	order->listener = listener;
	order->fd = fd;
	channel_post(w->channel, &order->item);
}

void worker_use_tls(struct worker *w, size_t listener, struct tls_context *tls)
{
	struct order *order = order_new(run_use_tls);

	order->listener = listener;
	order->tls = tls;
	channel_post(w->channel, &order->item);
}

void worker_open(struct worker *w, uint64_t connection, const struct provider_settings *provider)
{
	struct order *order = order_new(run_open);

	order->connection = connection;
	order->provider = provider;
	channel_post(w->channel, &order->item);
}

void worker_finish(struct worker *w, uint64_t connection)
{
	struct order *order = order_new(run_finish);

	order->connection = connection;
	channel_post(w->channel, &order->item);
}

void worker_grant(struct worker *w, struct grant *grant)
{
	grant->item.arrived = grant_arrived;
	channel_post(w->channel, &grant->item);
}

void worker_drain(struct worker *w)
{
	post_order(w, run_drain);
}

void worker_end(struct worker *w)
{
	post_order(w, run_end);
}

void worker_abandon(struct worker *w)
{
	post_order(w, run_abandon);
}

void worker_exit(struct worker *w)
{
	post_order(w, run_exit);
}

/* ---- the way into the spool, for receive/ ----------------------------------- */

static bool store_reserve(void *context, uint64_t octets)
{
	struct worker *w = context;

	return spool_reserve(w->daemon->spool, octets);
}

static void store_unreserve(void *context, uint64_t octets)
{
	struct worker *w = context;

	spool_unreserve(w->daemon->spool, octets);
}

static struct put *store_put_new(void *context)
{
	struct worker *w = context;

	return put_new(w->daemon->spool);
}

static void store_put(void *context, struct put *put)
{
	struct worker *w = context;

	spool_put(w->daemon->spool, put);
}

static uint64_t store_blob_new(void *context)
{
	struct worker *w = context;

	return spool_blob_new(w->daemon->spool);
}

static void store_chunk(void *context, struct chunk *chunk)
{
	struct worker *w = context;

	spool_chunk(w->daemon->spool, chunk);
}

static void store_drop(void *context, uint64_t blob)
{
	struct worker *w = context;

	spool_drop(w->daemon->spool, blob);
}

static void store_route(void *context, struct put *put, const struct envelope *envelope,
                        const char *listener)
{
	struct worker *w = context;
	const struct daemon *d = w->daemon;

	route_put(d->router, put, d->spool, envelope, listener, &d->intake, clock_wall(d->clock));
}

static void receive_prepare(struct worker *w, size_t i)
{
	const struct daemon *d = w->daemon;
	struct receive *receive = &w->receives[i];

	receive_init(receive);
	receive->settings = d->settings;
	receive->listener = &d->settings->listeners[i];
	receive->loop = w->loop;
	receive->home = w->channel;
	receive->tls = tls_context_share(d->listener_tls[i]);
	receive->clients = d->clients;
	receive->store = (struct receive_store){
		.reserve = store_reserve,
		.unreserve = store_unreserve,
		.put_new = store_put_new,
		.put = store_put,
		.blob_new = store_blob_new,
		.chunk = store_chunk,
		.drop = store_drop,
		.route = store_route,
		.piece_size = spool_piece_size(d->spool),
		.context = w,
	};
}

/* ---- life ----------------------------------------------------------------------- */

struct worker *worker_new(struct daemon *daemon, size_t number, const struct worker_events *events)
{
	struct worker *w = memory_new(sizeof(*w));

	w->daemon = daemon;
	w->number = number;
	w->events = *events;
	w->loop = loop_new(daemon->clock);
	w->channel = channel_new(w);
	loop_attach(w->loop, w->channel);
	loop_on_turn(w->loop, turn, w);
	w->reader = reader_new(daemon->spool);
	w->resolver = resolver_new(daemon->helpers, w->channel, daemon->clock);
	w->transport.loop = w->loop;
	w->transport.resolver = w->resolver;
	w->transport.hostname = daemon->settings->hostname;
	w->outbounds = table_new();
	w->receives = memory_new_array(daemon->settings->listener_count, sizeof(*w->receives));
	for (size_t i = 0; i < daemon->settings->listener_count; i++)
		receive_prepare(w, i);
	return w;
}

static void *worker_main(void *argument)
{
	struct worker *w = argument;

	loop_run(w->loop);
	return NULL;
}

int worker_start(struct worker *w, struct bytes *error)
{
	int rc = pthread_create(&w->thread, NULL, worker_main, w);

	if (rc != 0) {
		bytes_printf(error, "cannot start a worker thread: %s", strerror(rc));
		return -1;
	}
	w->running = true;
	return 0;
}

void worker_join(struct worker *w)
{
	if (w->running)
		pthread_join(w->thread, NULL);
	w->running = false;
}

void worker_free(struct worker **worker)
{
	struct worker *w = *worker;

	if (w == NULL)
		return;
	*worker = NULL;
	channel_receive(w->channel);
	for (size_t i = 0; i < w->daemon->settings->listener_count; i++)
		receive_end(&w->receives[i]);
	each_outbound(w, abandon_outbound); /* none after an orderly stop */
	resolver_free(&w->resolver);
	reader_free(&w->reader);
	table_free(&w->outbounds);
	loop_free(&w->loop);
	channel_free(&w->channel);
	for (size_t i = 0; i < w->daemon->settings->listener_count; i++)
		tls_context_free(&w->receives[i].tls);
	free(w->receives);
	free(w);
}
