/* SPDX-License-Identifier: ISC */
/* race.c - connects to the first of several addresses that answers (RFC 8305).
 *
 * They are tried in the resolver's order, IPv6 and IPv4 in turn. Each has a head start of
 * 250 ms on the next; who fails gives way at once, who is silent is not waited for but stays in the
 * race. The others end when one has won, or when none did for connect-timeout after the last start.
 */
#include "transport/private.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

/* RFC 8305 5: the recommended connection attempt delay. */
#define HEAD_START (250 * CLOCK_MS)

struct racer {
	struct connection *c;
	struct stream *stream; /* NULL: not begun, or out */
	size_t address;        /* of the resolved ones */
};

struct race {
	struct racer racers[RESOLVE_ADDRESSES_MAX];
	size_t count, begun, running;
};

/* Puts the addresses in order: from both families in turn, each family's as they came. */
static void line_up(struct race *race, const struct resolved *found)
{
	sa_family_t family = found->addresses[0].ss_family;
	bool taken[RESOLVE_ADDRESSES_MAX] = { false };

	while (race->count < found->count) {
		size_t next = found->count;

		for (size_t i = found->count; i-- > 0;)
			if (!taken[i] &&
			    (found->addresses[i].ss_family == family || next == found->count ||
			     found->addresses[next].ss_family != family))
				next = i;
		taken[next] = true;
		family = found->addresses[next].ss_family == AF_INET6 ? AF_INET : AF_INET6;
		race->racers[race->count++].address = next;
	}
}

static void on_connected(void *context)
{
	struct racer *winner = context;
	struct connection *c = winner->c;
	struct stream *stream = winner->stream;

	winner->stream = NULL;
	race_release(c);
	c->stream = stream;
	c->written = 0;
	stream_set_events(stream, &connection_stream_events, c);
	opening_connected(c);
}

static void start_next(struct connection *c);

static void on_closed(void *context, const char *error)
{
	struct racer *loser = context;
	struct connection *c = loser->c;
	struct race *race = c->race;

	log_debug("connection failed provider=%s address=%s reason=%s", c->provider->name,
	          stream_peer(loser->stream), log_quoted(error == NULL ? "closed" : error));
	bytes_clear(&c->trouble);
	bytes_append_text(&c->trouble, error == NULL ? "the peer closed the connection" : error);
	stream_free(&loser->stream);
	race->running--;
	if (race->begun < race->count)
		start_next(c);
	else if (race->running == 0)
		connection_fail(c, 451, "4.4.1", "%s", bytes_text(&c->trouble));
}

static const struct stream_events racing = { .connected = on_connected, .closed = on_closed };

static void start_next(struct connection *c)
{
	struct race *race = c->race;
	struct racer *racer = &race->racers[race->begun++];

	racer->c = c;
	racer->stream = stream_connect(
		c->transport->loop, (const struct sockaddr *)&c->found->addresses[racer->address],
		c->found->lengths[racer->address], &racing, racer);
	race->running++;
	timer_start(&c->patience,
	            race->begun < race->count ? HEAD_START : c->provider->connect_timeout_us);
}

void race_start(struct connection *c)
{
	c->race = memory_new(sizeof *c->race);
	line_up(c->race, c->found);
	start_next(c);
}

void race_late(struct connection *c)
{
	if (c->race->begun < c->race->count)
		start_next(c);
	else
		connection_fail(c, 451, "4.4.1", "connecting to %s timed out", c->provider->host);
}

void race_release(struct connection *c)
{
	for (size_t i = 0; c->race != NULL && i < c->race->count; i++)
		stream_free(&c->race->racers[i].stream);
	free(c->race);
	c->race = NULL;
}
