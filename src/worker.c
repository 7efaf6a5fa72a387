/* SPDX-License-Identifier: ISC */
/* worker.c - the thread of sessions and connections: its life, and the orders that reach it.
 *
 * Decides nothing about mail: sockets become sessions (receive/, which reaches the spool through
 * worker_store.c), orders of the dispatcher become connections and transactions
 * (worker_outbound.c).
 */
#include "worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/table.h"
#include "receive/faults.h"
#include "worker_private.h"

/* What is posted to a worker. */
struct order {
	struct channel_item item;
	void (*run)(struct worker *worker, struct order *order);
	const struct provider_settings *provider;
	struct tls_context *tls;
	struct faults_change *faults;
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

static void run_use_faults(struct worker *w, struct order *order)
{
	struct faults_change *change = order->faults;

	for (size_t i = 0; i < w->daemon->settings->listener_count; i++) {
		faults_free(&w->receives[i].faults);
		w->receives[i].faults = faults_share(change->faults);
	}
	if (atomic_fetch_sub(&change->waiting, 1) == 1)
		channel_post(change->home, &change->item);
}

static void run_open(struct worker *w, struct order *order)
{
	outbound_open(w, order->connection, order->provider);
}

static void run_finish(struct worker *w, struct order *order)
{
	outbound_finish(w, order->connection);
}

static void run_drain(struct worker *w, struct order *order)
{
	(void)order;
	w->draining = true;
	for (size_t i = 0; i < w->daemon->settings->listener_count; i++)
		receive_stop(&w->receives[i]);
}

static void run_end(struct worker *w, struct order *order)
{
	(void)order;
	w->ending = true;
	for (size_t i = 0; i < w->daemon->settings->listener_count; i++)
		receive_end(&w->receives[i]);
	outbound_finish_all(w);
}

static void run_abandon(struct worker *w, struct order *order)
{
	(void)order;
	outbound_abandon_all(w);
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

void worker_use_faults(struct worker *w, struct faults_change *change)
{
	struct order *order = order_new(run_use_faults);

	order->faults = change;
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
	grant->item.arrived = outbound_grant_arrived;
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
	credentials_init(&w->credentials, daemon->fetch, w->channel);
	w->transport.secrets = &w->credentials.source;
	w->outbounds = table_new();
	w->receives = memory_new_array(daemon->settings->listener_count, sizeof(*w->receives));
	for (size_t i = 0; i < daemon->settings->listener_count; i++)
		worker_receive_prepare(w, i);
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
	for (size_t i = 0; i < w->daemon->settings->listener_count; i++)
		login_cache_free(&w->receives[i].logins);
	for (size_t i = 0; i < w->daemon->settings->listener_count; i++)
		faults_free(&w->receives[i].faults);
	outbound_abandon_all(w); /* none after an orderly stop */
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
