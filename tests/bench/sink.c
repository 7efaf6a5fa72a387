/* SPDX-License-Identifier: ISC */
/* sink.c - a smarthost that throws mail away: threads, pipelining, BDAT, STARTTLS, a delay per
 * message.
 *
 * Prints its port, and at SIGTERM (or once -u messages have come) one line of JSON: messages,
 * octets, connections, and when the first and the last message came (monotonic seconds). With -o
 * FILE each MAIL is a line there as soon as it is read: monotonic seconds and the sender.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mail/dot.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls.h"

static struct {
	struct tls_context *tls;
	int64_t delay_us;
	bool defers; /* every recipient gets 451 */
	bool chunking;
	unsigned long until;
	FILE *log; /* NULL: none */
	atomic_ulong messages, octets, connections;
	atomic_llong first_us, last_us;
} sink;

/* One of the threads that serve. */
struct server {
	pthread_t thread;
	struct loop *loop;
	struct channel *channel;
};

struct session {
	struct stream *stream;
	bool in_content, waits;
	bool is_chunk;
	uint64_t chunk; /* octets of a BDAT that are to come */
	bool last;      /* it is the last */
	struct dot_decoder decoder;
	struct bytes content;
	struct timer delay;
};

static void session_free(struct session *s)
{
	timer_stop(&s->delay);
	stream_free(&s->stream);
	bytes_release(&s->content);
	free(s);
}

static void count_message(uint64_t octets)
{
	long long now = clock_monotonic(clock_system()), none = 0;
	unsigned long count = atomic_fetch_add(&sink.messages, 1) + 1;

	atomic_fetch_add(&sink.octets, octets);
	atomic_compare_exchange_strong(&sink.first_us, &none, now);
	atomic_store(&sink.last_us, now);
	if (count == sink.until)
		kill(getpid(), SIGTERM);
}

static void answer_content(struct session *s)
{
	if (sink.delay_us == 0) {
		stream_write_text(s->stream, "250 2.0.0 Ok\r\n");
	} else {
		s->waits = true;
		timer_start(&s->delay, sink.delay_us);
	}
}

static void begin_chunk(struct session *s, struct span line)
{
	unsigned long long length = 0;
	char last[8] = "";
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)line.length, (const char *)line.data);
	if (sscanf(text, "%*s %llu %5s", &length, last) < 1)
		return;
	s->in_content = s->is_chunk = true;
	s->chunk = length;
	s->last = *last != '\0';
	bytes_clear(&s->content);
}

/* false: the rest of the chunk is not here yet. */
static bool take_chunk(struct session *s)
{
	struct span input = stream_input(s->stream);
	size_t length = input.length < s->chunk ? input.length : (size_t)s->chunk;

	atomic_fetch_add(&sink.octets, length);
	stream_consume(s->stream, length);
	s->chunk -= length;
	if (s->chunk > 0)
		return false;
	s->in_content = false;
	if (s->last)
		count_message(0);
	answer_content(s);
	return true;
}

/* false: the end of data is not here yet. */
static bool take_content(struct session *s)
{
	size_t used;
	bool ended;

	bytes_clear(&s->content);
	ended = dot_decode(&s->decoder, stream_input(s->stream), &used, &s->content);
	stream_consume(s->stream, used);
	if (!ended)
		return false;
	s->in_content = false;
	count_message(s->decoder.written);
	answer_content(s);
	return true;
}

static void greet(struct session *s)
{
	stream_write_text(s->stream,
	                  "250-sink.test\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n");
	if (sink.chunking)
		stream_write_text(s->stream, "250-CHUNKING\r\n");
	if (sink.tls != NULL && !stream_is_tls(s->stream))
		stream_write_text(s->stream, "250-STARTTLS\r\n");
	stream_write_text(s->stream, "250 ENHANCEDSTATUSCODES\r\n");
}

/* "MAIL FROM:<a@example.com> ..." */
static void log_mail(struct span line)
{
	const char *from = (const char *)line.data;
	const char *begin = memchr(from, '<', line.length);
	const char *end =
		begin == NULL ? NULL : memchr(begin, '>', line.length - (size_t)(begin - from));
	int64_t now = clock_monotonic(clock_system());

	if (end != NULL)
		fprintf(sink.log, "%.6f %.*s\n", (double)now / 1e6, (int)(end - begin - 1),
		        begin + 1);
}

/* false: the session is over. */
static bool command(struct session *s, struct span line)
{
	if (sink.log != NULL && span_starts_nocase(line, "MAIL"))
		log_mail(line);
	if (span_starts_nocase(line, "EHLO")) {
		greet(s);
	} else if (sink.defers && span_starts_nocase(line, "RCPT")) {
		stream_write_text(s->stream, "451 4.7.1 later\r\n");
	} else if (sink.defers && span_starts_nocase(line, "DATA")) {
		stream_write_text(s->stream, "554 5.5.1 no valid recipients\r\n");
	} else if (span_starts_nocase(line, "DATA")) {
		stream_write_text(s->stream, "354 go on\r\n");
		dot_decoder_init(&s->decoder, DOT_BARE_NORMALIZE);
		s->is_chunk = false;
		s->in_content = true;
	} else if (span_starts_nocase(line, "BDAT")) {
		begin_chunk(s, line);
	} else if (span_starts_nocase(line, "STARTTLS")) {
		stream_write_text(s->stream, "220 2.0.0 go on\r\n");
		stream_consume(s->stream, stream_input(s->stream).length);
		stream_start_tls(s->stream, sink.tls, NULL);
	} else if (span_starts_nocase(line, "QUIT")) {
		stream_write_text(s->stream, "221 2.0.0 Bye\r\n");
		stream_close_after_output(&s->stream);
		session_free(s);
		return false;
	} else {
		stream_write_text(s->stream, "250 2.0.0 Ok\r\n");
	}
	return true;
}

static void on_readable(void *context)
{
	struct session *s = context;

	while (!s->waits) {
		struct span input = stream_input(s->stream);
		const unsigned char *end;
		struct bytes line = { 0 };
		bool goes_on;

		if (s->in_content) {
			if (!(s->is_chunk ? take_chunk : take_content)(s))
				return;
			continue;
		}
		end = input.length == 0 ? NULL : memchr(input.data, '\n', input.length);
		if (end == NULL)
			return;
		bytes_append(&line, input.data, (size_t)(end - input.data));
		stream_consume(s->stream, line.length + 1);
		goes_on = command(s, bytes_span(&line));
		bytes_release(&line);
		if (!goes_on)
			return;
	}
}

static void delayed(void *context)
{
	struct session *s = context;

	s->waits = false;
	stream_write_text(s->stream, "250 2.0.0 Ok\r\n");
	on_readable(s);
}

static void on_closed(void *context, const char *error)
{
	(void)error;
	session_free(context);
}

static const struct stream_events events = { .readable = on_readable, .closed = on_closed };

/* An accepted socket on its way to a thread. */
struct dealt {
	struct channel_item item;
	int fd;
};

static void dealt_arrived(struct channel_item *item, void *receiver)
{
	struct dealt *dealt = (struct dealt *)item;
	struct server *server = receiver;
	struct session *s = memory_new(sizeof(*s));

	timer_init(&s->delay, server->loop, delayed, s);
	s->stream = stream_new(server->loop, dealt->fd, &events, s);
	stream_write_text(s->stream, "220 sink.test ESMTP\r\n");
	free(dealt);
}

static struct server servers[16];
static unsigned server_count = 2;

static void accepted(void *context, int fd)
{
	struct dealt *dealt = memory_new(sizeof(*dealt));
	unsigned long number = atomic_fetch_add(&sink.connections, 1);

	(void)context;
	dealt->item.arrived = dealt_arrived;
	dealt->fd = fd;
	channel_post(servers[number % server_count].channel, &dealt->item);
}

static void *server_main(void *argument)
{
	struct server *server = argument;

	loop_run(server->loop);
	return NULL;
}

static void terminate(void *context)
{
	(void)context;
	printf("{\"messages\": %lu, \"octets\": %lu, \"connections\": %lu, \"first\": %.6f, "
	       "\"last\": %.6f}\n",
	       atomic_load(&sink.messages), atomic_load(&sink.octets),
	       atomic_load(&sink.connections), (double)atomic_load(&sink.first_us) / 1e6,
	       (double)atomic_load(&sink.last_us) / 1e6);
	fflush(stdout);
	_exit(0);
}

static void serve(uint16_t port)
{
	struct bytes error = { 0 };
	struct loop *loop = loop_new(clock_system());
	int fd = listener_bind_tcp("127.0.0.1", port, &error);

	if (fd < 0) {
		fprintf(stderr, "sink: %s\n", bytes_text(&error));
		exit(1);
	}
	signal_watch_new(loop, SIGTERM, terminate, NULL);
	for (unsigned i = 0; i < server_count; i++) {
		servers[i].loop = loop_new(clock_system());
		servers[i].channel = channel_new(&servers[i]);
		loop_attach(servers[i].loop, servers[i].channel);
		if (pthread_create(&servers[i].thread, NULL, server_main, &servers[i]) != 0)
			exit(1);
	}
	listener_new(loop, fd, accepted, NULL);
	printf("{\"port\": %u}\n", (unsigned)listener_port(fd));
	fflush(stdout);
	loop_run(loop);
}

int main(int argc, char **argv)
{
	const char *certificate = NULL, *key = NULL;
	struct bytes error = { 0 };
	uint16_t port = 0;
	int c;

	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt(argc, argv, "p:t:d:u:o:C:K:DB")) != -1) {
		unsigned long value = optarg == NULL ? 0 : strtoul(optarg, NULL, 10);

		switch (c) {
		case 'p':
			port = (uint16_t)value;
			break;
		case 't':
			server_count = value < 1 || value > 16 ? 2 : (unsigned)value;
			break;
		case 'd':
			sink.delay_us = (int64_t)value * CLOCK_MS;
			break;
		case 'u':
			sink.until = value;
			break;
		case 'o':
			sink.log = fopen(optarg, "a");
			if (sink.log == NULL) {
				perror(optarg);
				return 1;
			}
			setvbuf(sink.log, NULL, _IOLBF, 0);
			break;
		case 'D':
			sink.defers = true;
			break;
		case 'B':
			sink.chunking = true;
			break;
		case 'C':
			certificate = optarg;
			break;
		case 'K':
			key = optarg;
			break;
		default:
			fprintf(stderr,
			        "usage: sink [-p port] [-t threads] [-d delay ms] "
			        "[-u messages] [-o log] [-C certificate -K key] [-D] [-B]\n");
			return 64;
		}
	}
	if (certificate != NULL &&
	    tls_context_new_server(&sink.tls, "here", certificate, key, &error) < 0) {
		fprintf(stderr, "sink: %s\n", bytes_text(&error));
		return 1;
	}
	serve(port);
	return 0;
}
