/* SPDX-License-Identifier: ISC */
/* delay.c - passes connections on to a port of this host, every octet later by half a round trip.
 *
 * Octets keep their order and their pace: what arrived together leaves together. An end is passed
 * on as late as octets are. Prints its own port, and goes on until it is killed.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stream.h"

static struct loop *loop;
static struct sockaddr_in target;
static int64_t delay_us = 25 * CLOCK_MS;

/* What arrived at once. */
struct piece {
	struct list link;
	int64_t due_us;
	struct bytes octets; /* none: the end */
};

struct link;

/* From one side to the other. */
struct way {
	struct link *link;
	struct stream *from;
	struct way *back;
	struct list pieces;
	struct timer timer;
};

struct link {
	struct way there, back;
};

static void way_release(struct way *way)
{
	struct list *node;

	timer_stop(&way->timer);
	stream_close_after_output(&way->from);
	while ((node = list_first(&way->pieces)) != NULL) {
		struct piece *piece = list_entry(node, struct piece, link);

		list_remove(node);
		bytes_release(&piece->octets);
		free(piece);
	}
}

static void link_free(struct link *link)
{
	way_release(&link->there);
	way_release(&link->back);
	free(link);
}

static void pass_on(void *context)
{
	struct way *way = context;
	struct list *node;

	while ((node = list_first(&way->pieces)) != NULL) {
		struct piece *piece = list_entry(node, struct piece, link);
		bool ends = piece->octets.length == 0;

		if (piece->due_us > loop_now(loop)) {
			timer_start_at(&way->timer, piece->due_us);
			return;
		}
		list_remove(node);
		if (way->back->from != NULL)
			stream_write(way->back->from, piece->octets.data, piece->octets.length);
		bytes_release(&piece->octets);
		free(piece);
		if (ends) {
			link_free(way->link);
			return;
		}
	}
}

static void keep(struct way *way, struct span octets)
{
	struct piece *piece = memory_new(sizeof(*piece));

	piece->due_us = loop_now(loop) + delay_us;
	bytes_append_span(&piece->octets, octets);
	list_append(&way->pieces, &piece->link);
	if (!timer_running(&way->timer))
		timer_start_at(&way->timer, piece->due_us);
}

static void on_readable(void *context)
{
	struct way *way = context;
	struct span input = stream_input(way->from);

	keep(way, input);
	stream_consume(way->from, input.length);
}

static void on_closed(void *context, const char *error)
{
	struct way *way = context;

	(void)error;
	stream_free(&way->from);
	keep(way, (struct span){ 0 });
}

static const struct stream_events events = { .readable = on_readable, .closed = on_closed };

static void way_init(struct way *way, struct link *link, struct way *back)
{
	way->link = link;
	way->back = back;
	list_init(&way->pieces);
	timer_init(&way->timer, loop, pass_on, way);
}

static void accepted(void *context, int fd)
{
	struct link *link = memory_new(sizeof(*link));

	(void)context;
	way_init(&link->there, link, &link->back);
	way_init(&link->back, link, &link->there);
	link->there.from = stream_new(loop, fd, &events, &link->there);
	link->back.from = stream_connect(loop, (const struct sockaddr *)&target, sizeof(target),
	                                 &events, &link->back);
}

int main(int argc, char **argv)
{
	struct bytes error = { 0 };
	int fd, c;

	signal(SIGPIPE, SIG_IGN);
	target.sin_family = AF_INET;
	target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while ((c = getopt(argc, argv, "r:t:")) != -1) {
		unsigned long value = strtoul(optarg == NULL ? "0" : optarg, NULL, 10);

		if (c == 'r')
			delay_us = (int64_t)value * CLOCK_MS / 2;
		else if (c == 't')
			target.sin_port = htons((uint16_t)value);
	}
	if (target.sin_port == 0) {
		fprintf(stderr, "usage: delay -t port [-r round trip in ms]\n");
		return 64;
	}
	loop = loop_new(clock_system());
	fd = listener_bind_tcp("127.0.0.1", 0, &error);
	if (fd < 0) {
		fprintf(stderr, "delay: %s\n", bytes_text(&error));
		return 1;
	}
	listener_new(loop, fd, accepted, NULL);
	printf("{\"port\": %u}\n", (unsigned)listener_port(fd));
	fflush(stdout);
	loop_run(loop);
	return 0;
}
