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

static void later_fired(void *context)
{
	struct later *l = context;
	struct later copy = *l;

	free(l);
	if (copy.generation != copy.world->generation)
		world_drop(copy.run, copy.argument);
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
		.ports = world_ports(),
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
