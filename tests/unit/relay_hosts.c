/* SPDX-License-Identifier: ISC */
/* relay_hosts.c - the hosts of the world, and the connections to them. See relay_world.h. */
#include "relay_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

struct wire {
	struct list link;
	struct host *host;
	uint64_t number;
	struct grant *grants[64];
	size_t grant_count, done;
	bool busy, finishing, closed, flight_lost, cut_short;
	int64_t mail_us;
};

static struct wire *wire_find(struct world *w, uint64_t number)
{
	struct list *node, *after;

	for (size_t i = 0; i < w->settings.provider_count; i++) {
		list_each(node, after, &w->hosts[i].wires)
		{
			if (list_entry(node, struct wire, link)->number == number)
				return list_entry(node, struct wire, link);
		}
	}
	return NULL;
}

static struct grant *wire_take(struct wire *wire)
{
	struct grant *grant = wire->grants[0];

	memmove(&wire->grants[0], &wire->grants[1], --wire->grant_count * sizeof(grant));
	return grant;
}

static struct grant_news *news_for(const struct grant *grant, enum transaction_end end)
{
	struct grant_news *news = memory_new(sizeof(*news));

	news->connection = grant->connection;
	news->slot = grant->slot;
	news->end = end;
	news->count = grant->count;
	news->results = memory_new_array(grant->count, sizeof(*news->results));
	reply_local(&news->reply, 451, "4.4.2", "connection lost");
	return news;
}

static void note_written(struct host *host, size_t recipients)
{
	if (host->written_count % 1024 == 0) {
		host->written = memory_grow(host->written, host->written_count + 1024,
		                            sizeof(*host->written));
		host->written_for = memory_grow(host->written_for, host->written_count + 1024,
		                                sizeof(*host->written_for));
	}
	host->written[host->written_count] = host->world->clock.monotonic_us;
	host->written_for[host->written_count++] = recipients;
}

static void wire_close(struct wire *wire, enum connection_stage stage, int code, const char *text)
{
	struct world *w = wire->host->world;
	uint64_t number = wire->number;
	bool said = stage == STAGE_GREETING;
	struct reply why = { 0 };

	while (wire->grant_count > 0) {
		struct grant *grant = wire_take(wire);
		struct grant_news *news = news_for(grant, TRANSACTION_UNSENT);

		if (wire->flight_lost) {
			news->end = TRANSACTION_INDETERMINATE;
			news->behind = true;
			news->mail_written_us = w->clock.monotonic_us;
			note_written(wire->host, grant->count);
		} else if (wire->host->mode == HOST_ENDS_SESSIONS) {
			news->mail_written_us = w->clock.monotonic_us;
			news->behind = wire->cut_short;
			wire->host->cut_short += !wire->cut_short;
			wire->cut_short = true;
		}
		relay_replied(w->relay, news);
		grant_free(&grant);
	}
	list_remove(&wire->link);
	wire->host->open_now--;
	free(wire);
	if (code != 0)
		reply_local(&why, code, "4.4.2", "%s", text);
	why.local = !said;
	relay_closed(w->relay, number, stage, &why);
	reply_release(&why);
}

static void wire_open(struct world *w, void *argument)
{
	struct wire *wire = argument;

	if (wire->host->open_most > 0 && wire->host->open_now > wire->host->open_most) {
		wire->host->too_many++;
		if (wire->host->too_many_said)
			wire_close(wire, STAGE_GREETING, 421,
			           "Too many concurrent SMTP connections");
		else
			wire_close(wire, STAGE_CONNECT, 451, "connection refused");
		return;
	}
	switch (wire->host->mode) {
	case HOST_REFUSES:
		wire_close(wire, STAGE_CONNECT, 451, "connection refused");
		return;
	case HOST_NO_TLS:
		wire_close(wire, STAGE_TLS, 454, "certificate not trusted");
		return;
	case HOST_NO_LOGIN:
		wire_close(wire, STAGE_LOGIN, 535, "login refused");
		return;
	case HOST_CLOSES:
		relay_ready(w->relay, wire->number, &wire->host->facts);
		wire_close(wire, STAGE_READY, 421, "closing");
		return;
	default:
		relay_ready(w->relay, wire->number, &wire->host->facts);
	}
}

void host_open(void *context, uint64_t number, const struct provider_settings *provider)
{
	struct world *w = context;
	struct wire *wire = memory_new(sizeof(*wire));

	for (size_t i = 0; i < w->settings.provider_count; i++)
		if (&w->providers[i] == provider)
			wire->host = &w->hosts[i];
	wire->number = number;
	list_append(&wire->host->wires, &wire->link);
	w->calls_open++;
	wire->host->opens++;
	if (++wire->host->open_now > wire->host->open_max)
		wire->host->open_max = wire->host->open_now;
	world_later(w, wire->host->connect_us, wire_open, wire);
}

static void wire_next(struct wire *wire);

static void note_sent(struct world *w, const struct grant *grant, const struct grant_news *news)
{
	bool any = false;

	for (size_t i = 0; i < news->count; i++)
		if (news->results[i].reply.code / 100 == 2) {
			w->sent++;
			any = true;
		}
	if (!any)
		return;
	if (w->sent_id_count % 1024 == 0)
		w->sent_ids =
			memory_grow(w->sent_ids, w->sent_id_count + 1024, sizeof(*w->sent_ids));
	w->sent_ids[w->sent_id_count++] = grant->id;
}

size_t world_sent_times(const struct world *w, uint64_t id)
{
	size_t times = 0;

	for (size_t i = 0; i < w->sent_id_count; i++)
		times += w->sent_ids[i] == id;
	return times;
}

static void wire_answer(struct world *w, void *argument)
{
	struct wire *wire = argument;
	struct host *host = wire->host;
	struct grant *grant = wire_take(wire);
	struct grant_news *news = news_for(grant, TRANSACTION_REPLIED);
	bool lost;

	wire->flight_lost = host->mode == HOST_LOSES_FLIGHT && host->lose_flights > 0;
	lost = host->mode == HOST_LOSES_MAIL || host->mode == HOST_LOSES_END || wire->flight_lost;
	host->lose_flights -= wire->flight_lost;
	wire->busy = false;
	wire->done++;
	news->mail_written_us = wire->mail_us;
	if (host->mode == HOST_LOSES_MAIL)
		news->end = TRANSACTION_UNSENT;
	else if (lost)
		news->end = TRANSACTION_INDETERMINATE;
	else if (host->answer != NULL)
		host->answer(host, grant, news);
	else
		answer_all(news, grant, 250, "2.0.0", "ok");
	if (!lost)
		note_sent(w, grant, news);
	grant_free(&grant);
	relay_replied(w->relay, news);
	if (lost)
		wire_close(wire, STAGE_READY, 451, "connection lost");
	else if (host->session_max > 0 && wire->done >= host->session_max)
		wire_close(wire, STAGE_READY, 421, "enough");
	else
		wire_next(wire);
}

static void wire_mail(struct world *w, void *argument)
{
	struct wire *wire = argument;

	if (!wire->host->at_once || wire->mail_us == 0)
		wire->mail_us = w->clock.monotonic_us;
	note_written(wire->host, wire->grants[0]->count);
	world_later(w, wire->host->reply_us, wire_answer, wire);
}

static void wire_next(struct wire *wire)
{
	struct world *w = wire->host->world;
	int64_t wait;

	if (wire->busy)
		return;
	if (wire->grant_count == 0) {
		if (wire->finishing)
			wire_close(wire, STAGE_READY, 0, "");
		return;
	}
	wire->busy = true;
	wait = wire->grants[0]->depart_us - w->clock.monotonic_us;
	wait = wait < 0 ? 0 : wait;
	if (wire->host->late_us > 0)
		wait += world_random(w, (unsigned)wire->host->late_us);
	world_later(w, wait, wire_mail, wire);
}

static void wire_finish(struct world *w, void *argument)
{
	struct wire *wire = wire_find(w, *(uint64_t *)argument);

	free(argument);
	if (wire == NULL)
		return;
	wire->finishing = true;
	wire_next(wire);
}

void host_finish(void *context, uint64_t number)
{
	uint64_t *copy = memory_new(sizeof(*copy));

	*copy = number;
	world_post(context, wire_finish, copy);
}

static void wire_grant(struct world *w, void *argument)
{
	struct grant *grant = argument;
	struct wire *wire = wire_find(w, grant->connection);

	if (wire == NULL) {
		relay_replied(w->relay, news_for(grant, TRANSACTION_UNSENT));
		grant_free(&grant);
		return;
	}
	assert_true(wire->grant_count < sizeof(wire->grants) / sizeof(wire->grants[0]));
	wire->host->grants++;
	if (grant->depth > wire->host->deepest)
		wire->host->deepest = grant->depth;
	wire->grants[wire->grant_count++] = grant;
	wire_next(wire);
}

void host_grant(void *context, struct grant *grant)
{
	world_post(context, wire_grant, grant);
}

bool host_drop(void (*run)(struct world *w, void *argument), void *argument)
{
	struct grant *grant = argument;

	if (run == wire_grant)
		grant_free(&grant);
	else if (run == wire_finish)
		free(argument);
	/* Wires went with their host. */
	return run == wire_grant || run == wire_finish || run == wire_open || run == wire_answer ||
	       run == wire_mail;
}

void host_crash(struct host *host)
{
	struct list *node, *after;

	list_each(node, after, &host->wires)
	{
		struct wire *wire = list_entry(node, struct wire, link);

		while (wire->grant_count > 0) {
			struct grant *grant = wire_take(wire);

			grant_free(&grant);
		}
		list_remove(&wire->link);
		free(wire);
	}
	host->open_now = 0;
}

/* ---- answers --------------------------------------------------------------- */

void answer_one(struct grant_news *news, size_t i, int code, const char *enhanced, const char *text,
                bool at_rcpt)
{
	reply_release(&news->results[i].reply);
	reply_local(&news->results[i].reply, code, enhanced, "%s", text);
	news->results[i].reply.local = false;
	news->results[i].at_rcpt = at_rcpt;
}

void answer_all(struct grant_news *news, const struct grant *grant, int code, const char *enhanced,
                const char *text)
{
	for (size_t i = 0; i < grant->count; i++)
		answer_one(news, i, code, enhanced, text, false);
}
