/* SPDX-License-Identifier: ISC */
/* dispatcher.c - the thread of struct relay: news in, orders out.
 *
 * Decides nothing itself: it carries what workers, the writer, helpers and the control API post to
 * relay/; what relay/ asks for goes out through dispatcher_ports.c.
 */
#include "dispatcher.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dispatcher_private.h"
#include "worker.h"

/* A number that relay/ never uses: the connection of dispatcher_probe(). */
#define PROBE_NUMBER 0

/* ---- news of workers ------------------------------------------------------ */

struct connection_news {
	struct channel_item item;
	uint64_t connection;
	struct peer_facts facts;
	enum connection_stage stage;
	struct reply why;
};

struct probe_result {
	struct channel_item item;
	struct dispatcher_events events; /* the dispatcher may be gone when it arrives */
	const struct provider_settings *provider;
	char *why;
};

static void probe_result_arrived(struct channel_item *item, void *receiver)
{
	struct probe_result *result = (struct probe_result *)item;

	(void)receiver;
	result->events.probed(result->events.context, result->provider, result->why);
	free(result->why);
	free(result);
}

static void probe_end(struct dispatcher *d, const char *why)
{
	struct probe_result *result;

	if (d->probed == NULL)
		return;
	result = memory_new(sizeof(*result));
	result->item.arrived = probe_result_arrived;
	result->events = d->events;
	result->provider = d->probed;
	result->why = why == NULL ? NULL : memory_text(why);
	d->probed = NULL;
	channel_post(d->daemon->main, &result->item);
}

static void ready_arrived(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;
	struct connection_news *news = (struct connection_news *)item;

	if (news->connection == PROBE_NUMBER) {
		probe_end(d, NULL);
		worker_finish(worker_of(d, PROBE_NUMBER), PROBE_NUMBER);
	} else {
		relay_ready(d->relay, news->connection, &news->facts);
	}
	free(news);
}

static void closed_arrived(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;
	struct connection_news *news = (struct connection_news *)item;
	struct bytes text = { 0 };

	if (news->connection == PROBE_NUMBER) {
		reply_format(&news->why, &text);
		probe_end(d, bytes_text(&text));
		bytes_release(&text);
	} else {
		relay_closed(d->relay, news->connection, news->stage, &news->why);
	}
	reply_release(&news->why);
	free(news);
}

static void replied_arrived(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;

	relay_replied(d->relay, (struct grant_news *)item);
}

void dispatcher_ready(struct dispatcher *d, uint64_t connection, const struct peer_facts *facts)
{
	struct connection_news *news = memory_new(sizeof(*news));

	news->item.arrived = ready_arrived;
	news->connection = connection;
	news->facts = *facts;
	channel_post(d->channel, &news->item);
}

void dispatcher_closed(struct dispatcher *d, uint64_t connection, enum connection_stage stage,
                       const struct reply *why)
{
	struct connection_news *news = memory_new(sizeof(*news));

	news->item.arrived = closed_arrived;
	news->connection = connection;
	news->stage = stage;
	reply_copy(&news->why, why);
	channel_post(d->channel, &news->item);
}

void dispatcher_replied(struct dispatcher *d, struct grant_news *news)
{
	news->item.arrived = replied_arrived;
	channel_post(d->channel, &news->item);
}

/* ---- orders of the control API ------------------------------------------------ */

static void order_done(struct channel_item *item, void *receiver)
{
	struct relay_order *order = (struct relay_order *)item;

	(void)receiver;
	order->done(order);
}

static void order_arrived(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;
	struct relay_order *order = (struct relay_order *)item;

	order->item.arrived = order_done;
	relay_obey(d->relay, order);
}

void dispatcher_order(struct dispatcher *d, struct relay_order *order)
{
	order->item.arrived = order_arrived;
	channel_post(d->channel, &order->item);
}

static void status_done(struct channel_item *item, void *receiver)
{
	struct relay_status_request *request = (struct relay_status_request *)item;

	(void)receiver;
	request->done(request);
}

static void status_arrived(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;
	struct relay_status_request *request = (struct relay_status_request *)item;

	request->count = relay_status(d->relay, request->providers,
	                              sizeof(request->providers) / sizeof(request->providers[0]));
	request->item.arrived = status_done;
	channel_post(request->home, &request->item);
}

void dispatcher_status(struct dispatcher *d, struct relay_status_request *request)
{
	request->item.arrived = status_arrived;
	channel_post(d->channel, &request->item);
}

/* ---- life ----------------------------------------------------------------------------- */

static void due_news(void *context, const struct due_news *news, size_t count)
{
	struct dispatcher *d = context;

	relay_due(d->relay, news, count);
}

static void claim_found(void *context, const struct claim *claim)
{
	struct dispatcher *d = context;

	relay_recover(d->relay, claim);
}

static void used_found(void *context, const struct spool_count *count)
{
	struct dispatcher *d = context;

	relay_restore(d->relay, count);
}

struct idle_told {
	struct channel_item item;
	struct dispatcher_events events;
};

static void idle_arrived(struct channel_item *item, void *receiver)
{
	struct idle_told *told = (struct idle_told *)item;

	(void)receiver;
	told->events.idle(told->events.context);
	free(told);
}

static void turn(void *context)
{
	struct dispatcher *d = context;
	struct idle_told *told;

	if (!d->draining || d->told_idle || d->helped > 0 || !relay_idle(d->relay))
		return;
	d->told_idle = true;
	told = memory_new(sizeof(*told));
	told->item.arrived = idle_arrived;
	told->events = d->events;
	channel_post(d->daemon->main, &told->item);
}

struct plain_order {
	struct channel_item item;
	const struct provider_settings *provider;
};

static void post_plain(struct dispatcher *d, const struct provider_settings *provider,
                       void (*arrived)(struct channel_item *item, void *receiver))
{
	struct plain_order *order = memory_new(sizeof(*order));

	order->item.arrived = arrived;
	order->provider = provider;
	channel_post(d->channel, &order->item);
}

static void probe_arrived(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;
	struct plain_order *order = (struct plain_order *)item;

	d->probed = order->provider;
	worker_open(worker_of(d, PROBE_NUMBER), PROBE_NUMBER, order->provider);
	free(order);
}

void dispatcher_probe(struct dispatcher *d, const struct provider_settings *provider)
{
	post_plain(d, provider, probe_arrived);
}

static void drain_arrived(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;

	free(item);
	d->draining = true;
	relay_stop(d->relay);
}

void dispatcher_drain(struct dispatcher *d)
{
	post_plain(d, NULL, drain_arrived);
}

static void exit_arrived(struct channel_item *item, void *receiver)
{
	struct dispatcher *d = receiver;

	free(item);
	loop_stop(d->loop);
}

void dispatcher_exit(struct dispatcher *d)
{
	post_plain(d, NULL, exit_arrived);
}

/* Claims and pins name a provider by its number in the spool. */
static int number_providers(struct dispatcher *d, struct bytes *error)
{
	const struct settings *settings = d->daemon->settings;

	for (size_t i = 0; i < settings->provider_count; i++) {
		const struct provider_settings *p = &settings->providers[i];
		uint32_t number;

		if (spool_number(d->daemon->spool, SPOOL_NAME_PROVIDER, p->name, &number) < 0) {
			bytes_printf(error, "cannot number provider '%s' in the spool", p->name);
			return -1;
		}
		relay_number(d->relay, p, number);
	}
	return 0;
}

int dispatcher_new(struct dispatcher **dispatcher_r, struct daemon *daemon,
                   const struct dispatcher_events *events, struct bytes *error)
{
	struct dispatcher *d = memory_new(sizeof(*d));
	struct relay_options options;

	*dispatcher_r = d;

	d->daemon = daemon;
	d->events = *events;
	d->loop = loop_new(daemon->clock);
	d->channel = channel_new(d);
	loop_attach(d->loop, d->channel);
	loop_on_turn(d->loop, turn, d);
	d->reader = reader_new(daemon->spool);
	options = (struct relay_options){
		.settings = daemon->settings,
		.router = daemon->router,
		.loop = d->loop,
		.spool = daemon->spool,
		.ports = dispatcher_ports(),
		.context = d,
		.workers = d->daemon->worker_count,
	};
	d->relay = relay_new(&options);
	return number_providers(d, error);
}

static void *dispatcher_main(void *argument)
{
	struct dispatcher *d = argument;

	reader_used(d->reader, used_found, d);
	reader_claims(d->reader, claim_found, d);
	relay_start(d->relay);
	loop_run(d->loop);
	return NULL;
}

int dispatcher_start(struct dispatcher *d, struct bytes *error)
{
	int rc;

	spool_watch_due(d->daemon->spool, d->channel, due_news, d);
	rc = pthread_create(&d->thread, NULL, dispatcher_main, d);
	if (rc != 0) {
		bytes_printf(error, "cannot start the dispatcher thread: %s", strerror(rc));
		return -1;
	}
	d->running = true;
	return 0;
}

void dispatcher_join(struct dispatcher *d)
{
	if (d->running)
		pthread_join(d->thread, NULL);
	d->running = false;
}

void dispatcher_free(struct dispatcher **dispatcher)
{
	struct dispatcher *d = *dispatcher;

	if (d == NULL)
		return;
	*dispatcher = NULL;
	channel_receive(d->channel);
	relay_free(&d->relay);
	reader_free(&d->reader);
	loop_free(&d->loop);
	channel_free(&d->channel);
	free(d);
}
