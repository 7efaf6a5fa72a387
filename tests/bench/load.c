/* SPDX-License-Identifier: ISC */
/* load.c - a load generator: threads, many sessions, many messages a connection, pipelining, TLS.
 *
 * Built on net/, so that it costs little beside what it measures. Prints one line of JSON: what was
 * accepted and refused, seconds, its own CPU, and the latency from the end of the content to the
 * reply.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/memory.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls.h"

struct load {
	struct sockaddr_in address;
	unsigned sessions, threads, recipients, per_connection;
	unsigned long messages;
	size_t size;
	bool pipelining, starttls;
	struct tls_context *tls;
	const char *sender;
	struct bytes mail, envelope, content;
	atomic_long left; /* messages not yet begun */
	atomic_ulong accepted, refused, broken, latency_us;
	atomic_uint open;
};

/* What the next reply answers. */
enum awaits { GREETING, EHLO, STARTTLS, HELLO_AGAIN, ENVELOPE, GO_AHEAD, FINAL };

struct client {
	struct load *load;
	struct loop *loop;
	struct stream *stream;
	enum awaits awaits;
	unsigned envelope_step; /* 0: MAIL's reply is awaited, then each RCPT's */
	unsigned sent;          /* on this connection */
	int64_t content_us;
	struct timer restart; /* a new connection, outside the callbacks of the old one */
};

static void client_connect(void *context);

static bool take_message(struct load *load)
{
	return atomic_fetch_sub(&load->left, 1) > 0;
}

static void client_end(struct client *c)
{
	stream_write_text(c->stream, "QUIT\r\n");
	stream_close_after_output(&c->stream);
	if (atomic_load(&c->load->left) > 0)
		timer_start(&c->restart, 0);
	else if (atomic_fetch_sub(&c->load->open, 1) == 1)
		kill(getpid(), SIGTERM);
}

static void write_envelope(struct client *c)
{
	const struct load *load = c->load;

	c->envelope_step = 0;
	c->awaits = ENVELOPE;
	if (load->pipelining)
		stream_write(c->stream, load->envelope.data, load->envelope.length);
	else
		stream_write(c->stream, load->mail.data, load->mail.length);
}

static void next_message(struct client *c)
{
	if (c->sent >= c->load->per_connection || !take_message(c->load)) {
		client_end(c);
		return;
	}
	c->sent++;
	write_envelope(c);
}

/* The replies to MAIL and each RCPT, one after the other. */
static void envelope_replied(struct client *c)
{
	bool last = ++c->envelope_step > c->load->recipients;

	if (last)
		c->awaits = GO_AHEAD;
	if (c->load->pipelining)
		return;
	stream_write_text(c->stream, last ? "DATA\r\n" : "RCPT TO:<user@example.org>\r\n");
}

static void hello(struct client *c, enum awaits next)
{
	stream_write_text(c->stream, "EHLO load.test\r\n");
	c->awaits = next;
}

static void final_replied(struct client *c, int code)
{
	int64_t now = clock_monotonic(clock_system());

	atomic_fetch_add(code == 250 ? &c->load->accepted : &c->load->refused, 1);
	atomic_fetch_add(&c->load->latency_us, (unsigned long)(now - c->content_us));
	next_message(c);
}

static void replied(struct client *c, int code)
{
	if (code >= 400 && c->awaits != FINAL) {
		atomic_fetch_add(&c->load->refused, 1);
		client_end(c);
		return;
	}
	switch (c->awaits) {
	case GREETING:
		hello(c, EHLO);
		break;
	case EHLO:
		if (c->load->starttls) {
			stream_write_text(c->stream, "STARTTLS\r\n");
			c->awaits = STARTTLS;
		} else {
			next_message(c);
		}
		break;
	case STARTTLS:
		stream_start_tls(c->stream, c->load->tls, "localhost");
		break;
	case HELLO_AGAIN:
		next_message(c);
		break;
	case ENVELOPE:
		envelope_replied(c);
		break;
	case GO_AHEAD:
		stream_write(c->stream, c->load->content.data, c->load->content.length);
		c->content_us = clock_monotonic(clock_system());
		c->awaits = FINAL;
		break;
	case FINAL:
		final_replied(c, code);
		break;
	}
}

static void on_readable(void *context)
{
	struct client *c = context;

	while (c->stream != NULL) {
		struct span input = stream_input(c->stream);
		const unsigned char *end =
			input.length == 0 ? NULL : memchr(input.data, '\n', input.length);
		char code[4] = { 0 };
		bool more;

		if (end == NULL || input.length < 4)
			return;
		memcpy(code, input.data, 3);
		more = input.data[3] == '-';
		stream_consume(c->stream, (size_t)(end - input.data) + 1);
		if (!more)
			replied(c, atoi(code));
	}
}

static void on_secured(void *context)
{
	hello(context, HELLO_AGAIN);
}

static void on_closed(void *context, const char *error)
{
	struct client *c = context;

	if (error != NULL)
		fprintf(stderr, "load: %s\n", error);
	atomic_fetch_add(&c->load->broken, 1);
	stream_free(&c->stream);
	if (atomic_load(&c->load->left) > 0 && atomic_load(&c->load->broken) < 1000)
		timer_start(&c->restart, 10 * CLOCK_MS);
	else if (atomic_fetch_sub(&c->load->open, 1) == 1)
		kill(getpid(), SIGTERM);
}

static const struct stream_events events = {
	.readable = on_readable,
	.secured = on_secured,
	.closed = on_closed,
};

static void client_connect(void *context)
{
	struct client *c = context;

	c->sent = 0;
	c->awaits = GREETING;
	c->stream = stream_connect(c->loop, (const struct sockaddr *)&c->load->address,
	                           sizeof(c->load->address), &events, c);
}

static void *thread_main(void *argument)
{
	struct load *load = argument;
	struct loop *loop = loop_new(clock_system());
	unsigned share = load->sessions / load->threads;
	struct client *clients = memory_new_array(share, sizeof(*clients));

	for (unsigned i = 0; i < share; i++) {
		clients[i].load = load;
		clients[i].loop = loop;
		timer_init(&clients[i].restart, loop, client_connect, &clients[i]);
		client_connect(&clients[i]);
	}
	loop_run(loop);
	return NULL;
}

static void prepare(struct load *load)
{
	bytes_append_text(&load->mail, "MAIL FROM:<");
	bytes_append_text(&load->mail, load->sender);
	bytes_append_text(&load->mail, ">\r\n");
	bytes_append_text(&load->envelope, bytes_text(&load->mail));
	for (unsigned i = 0; i < load->recipients; i++)
		bytes_append_text(&load->envelope, "RCPT TO:<user@example.org>\r\n");
	bytes_append_text(&load->envelope, "DATA\r\n");
	bytes_append_text(&load->content, "From: <load@example.com>\r\nTo: <user@example.org>\r\n"
	                                  "Subject: load\r\n\r\n");
	while (load->content.length + 2 < load->size) {
		size_t left = load->size - load->content.length - 2;

		for (size_t i = 0; i < (left < 76 ? left : 76); i++)
			bytes_append_char(&load->content, 'x');
		bytes_append_text(&load->content, "\r\n");
	}
	bytes_append_text(&load->content, ".\r\n");
}

static void report(struct load *load, double seconds)
{
	struct rusage used;
	unsigned long done = atomic_load(&load->accepted) + atomic_load(&load->refused);
	double cpu;

	getrusage(RUSAGE_SELF, &used);
	cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	      (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	printf("{\"accepted\": %lu, \"refused\": %lu, \"broken\": %lu, \"seconds\": %.3f, "
	       "\"cpu_seconds\": %.3f, \"mean_latency_ms\": %.3f}\n",
	       atomic_load(&load->accepted), atomic_load(&load->refused),
	       atomic_load(&load->broken), seconds, cpu,
	       done == 0 ? 0.0 : (double)atomic_load(&load->latency_us) / (double)done / 1e3);
}

static void run(struct load *load)
{
	int64_t began = clock_monotonic(clock_system());
	sigset_t end;
	int signal_number;

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &end, NULL);
	atomic_store(&load->open, load->sessions);
	atomic_store(&load->left, (long)load->messages);
	for (unsigned i = 0; i < load->threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, thread_main, load) != 0)
			exit(1);
	}
	sigwait(&end, &signal_number);
	report(load, (double)(clock_monotonic(clock_system()) - began) / 1e6);
}

static void use_tls(struct load *load)
{
	struct bytes error = { 0 };

	load->starttls = true;
	if (tls_context_new_client(&load->tls, TLS_TRUST_OFF, NULL, NULL, &error) < 0) {
		fprintf(stderr, "load: %s\n", bytes_text(&error));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static struct load load = { .sessions = 50,
		                    .threads = 2,
		                    .recipients = 1,
		                    .messages = 10000,
		                    .sender = "load@example.com",
		                    .per_connection = 1000000,
		                    .size = 4096 };
	unsigned port = 25;
	int c;

	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt(argc, argv, "p:s:t:r:m:c:l:f:PT")) != -1) {
		unsigned long value = optarg == NULL ? 0 : strtoul(optarg, NULL, 10);

		switch (c) {
		case 'p':
			port = (unsigned)value;
			break;
		case 's':
			load.sessions = (unsigned)value;
			break;
		case 't':
			load.threads = (unsigned)value;
			break;
		case 'r':
			load.recipients = (unsigned)value;
			break;
		case 'm':
			load.messages = value;
			break;
		case 'c':
			load.per_connection = (unsigned)value;
			break;
		case 'l':
			load.size = value;
			break;
		case 'f':
			load.sender = optarg;
			break;
		case 'P':
			load.pipelining = true;
			break;
		case 'T':
			use_tls(&load);
			break;
		default:
			fprintf(stderr, "usage: load -p PORT [-s sessions] [-t threads] "
			                "[-m messages] [-c messages a connection] [-l octets] "
			                "[-r recipients] [-f sender] [-P pipelining] [-T TLS]\n");
			return 64;
		}
	}
	if (load.threads > load.sessions)
		load.threads = load.sessions;
	load.sessions -= load.sessions % load.threads;
	load.address.sin_family = AF_INET;
	load.address.sin_port = htons((uint16_t)port);
	load.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	prepare(&load);
	run(&load);
	return atomic_load(&load.accepted) == load.messages ? 0 : 1;
}
