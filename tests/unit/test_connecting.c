/* SPDX-License-Identifier: ISC */
/* From a name to a connection over real sockets: several addresses, refused ones, silent ones. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/helper.h"
#include "base/log.h"
#include "net/listener.h"
#include "net/private.h"
#include "transport_stage.h"

struct line {
	struct loop *loop;
	struct helper *helper;
	struct channel *home;
	struct resolver *resolver;
	struct transport transport;
	struct provider_settings provider;
	struct connection *connection;
	struct listener *listener;
	struct stream *peer;
	uint16_t port;
	bool ready, closed;
	enum connection_stage at;
	int code;
	char why[256];
};

static void on_ready(void *context, const struct peer_facts *facts)
{
	struct line *l = context;

	(void)facts;
	l->ready = true;
}

static void on_done(void *context, struct transaction *t)
{
	(void)context;
	(void)t;
	fail();
}

static void on_closed(void *context, enum connection_stage at, const struct reply *why)
{
	struct line *l = context;

	l->closed = true;
	l->at = at;
	l->code = why->code;
	snprintf(l->why, sizeof l->why, "%s", why->text);
	connection_free(&l->connection);
}

static const struct connection_events owner = { on_ready, on_done, on_closed };

static void peer_readable(void *context)
{
	struct line *l = context;
	struct span in = stream_input(l->peer);

	if (span_starts_nocase(in, "QUIT"))
		stream_write_text(l->peer, "221 bye\r\n");
	else
		stream_write_text(l->peer, "250 hello\r\n");
	stream_consume(l->peer, in.length);
}

static void peer_closed(void *context, const char *error)
{
	struct line *l = context;

	(void)error;
	stream_free(&l->peer);
}

static const struct stream_events peer_events = { .readable = peer_readable,
	                                          .closed = peer_closed };

static void accepted(void *context, int fd)
{
	struct line *l = context;

	l->peer = stream_new(l->loop, fd, &peer_events, l);
	stream_write_text(l->peer, "220 hi\r\n");
}

static void line_open(struct line *l)
{
	struct bytes error = { 0 };
	int fd = listener_bind_tcp("127.0.0.1", 0, &error);

	*l = (struct line){ 0 };
	assert_true(fd >= 0);
	l->port = listener_port(fd);
	l->loop = loop_new(clock_system());
	l->listener = listener_new(l->loop, fd, accepted, l);
	l->helper = helper_new("resolve", 1, 16);
	l->home = channel_new(NULL);
	loop_attach(l->loop, l->home);
	l->resolver = resolver_new(l->helper, l->home, clock_system());
	l->transport = (struct transport){ .loop = l->loop,
		                           .resolver = l->resolver,
		                           .hostname = "client.test" };
	l->provider = (struct provider_settings){
		.name = (char *)"test",
		.host = (char *)"127.0.0.1",
		.port = l->port,
		.tls = PROVIDER_TLS_NEVER,
		.connect_timeout_us = 10 * CLOCK_SEC,
		.idle_timeout_us = 60 * CLOCK_SEC,
	};
	bytes_release(&error);
}

static void line_close(struct line *l)
{
	connection_free(&l->connection);
	stream_free(&l->peer);
	listener_free(&l->listener);
	resolver_free(&l->resolver);
	helper_free(&l->helper);
	channel_receive(l->home); /* what the helper still answered */
	loop_free(&l->loop);
	channel_free(&l->home);
}

static void line_connect(struct line *l)
{
	l->connection = connection_new(&l->transport, &l->provider, NULL, 1, &owner, l);
	assert_false(l->closed); /* nothing from inside */
	for (long turn = 0; !l->ready && !l->closed; turn++) {
		assert_true(turn < 1000000);
		loop_turn(l->loop, true);
	}
}

static void test_by_address_and_by_name(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct line l;

		line_open(&l);
		l.provider.host = (char *)hosts[i];
		line_connect(&l); /* localhost may be ::1 first, where nobody listens */
		assert_true(l.ready);
		assert_string_equal(stream_peer(l.connection->stream), "127.0.0.1");
		connection_finish(l.connection);
		while (!l.closed)
			loop_turn(l.loop, true);
		assert_int_equal(l.code, 0);
		assert_int_equal(l.at, STAGE_READY);
		line_close(&l);
	}
}

static void test_nobody_listens(void **state)
{
	struct line l;

	(void)state;
	line_open(&l);
	listener_free(&l.listener);
	line_connect(&l);
	assert_true(l.closed);
	assert_int_equal(l.at, STAGE_CONNECT);
	assert_int_equal(l.code, 451);
	assert_non_null(strstr(l.why, "127.0.0.1"));
	line_close(&l);
}

static void test_no_such_name(void **state)
{
	static const char longest[] = /* a label of 64 octets is no name, DNS is not asked */
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test";
	struct line l;

	(void)state;
	line_open(&l);
	l.provider.host = (char *)longest;
	line_connect(&l);
	assert_true(l.closed);
	assert_int_equal(l.at, STAGE_RESOLVE);
	assert_int_equal(l.code, 451);
	assert_non_null(strstr(l.why, longest));
	line_close(&l);
}

/* 127.0.0.<last> */
static struct sockaddr_in loopback(unsigned last, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		                     .sin_port = htons(port),
		                     .sin_addr.s_addr = htonl(0x7f000000 + last) };
}

/* A socket that accepts nobody: its queue is full, so connecting to it hangs. */
static void make_silent(const struct sockaddr_in *address, int fds[3])
{
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fds[0], (const struct sockaddr *)address, sizeof *address), 0);
	assert_int_equal(listen(fds[0], 0), 0);
	for (int i = 1; i < 3; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fds[i], (const struct sockaddr *)address, sizeof *address);
	}
}

/* A refused address, a silent one, the good one. */
static int look_up(const char *host, struct resolved *found_r)
{
	static const unsigned last[] = { 2, 3, 1 };

	(void)host;
	for (size_t i = 0; i < 3; i++) {
		struct sockaddr_in address = loopback(last[i], 0);

		memcpy(&found_r->addresses[i], &address, sizeof address);
		found_r->lengths[i] = sizeof address;
	}
	found_r->count = 3;
	return 0;
}

/* A refused address costs nothing, a dead one its head start, not connect-timeout. */
static void test_next_address(void **state)
{
	struct sockaddr_in silent;
	struct line l;
	int fds[3];

	(void)state;
	line_open(&l);
	silent = loopback(3, l.port);
	make_silent(&silent, fds);
	resolver_look_up_with(l.resolver, look_up);
	l.provider.host = (char *)"smarthost.test";
	l.provider.connect_timeout_us = CLOCK_HOUR; /* which nobody lives to see */
	line_connect(&l);
	assert_true(l.ready);
	assert_string_equal(stream_peer(l.connection->stream), "127.0.0.1");
	assert_null(l.connection->found); /* an open connection does not keep it */
	line_close(&l);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* Two silent addresses: only then connect-timeout is what ends it. */
static int look_up_silent(const char *host, struct resolved *found_r)
{
	(void)look_up(host, found_r);
	found_r->addresses[0] = found_r->addresses[1];
	found_r->count = 2;
	return 0;
}

static void test_all_are_silent(void **state)
{
	struct sockaddr_in silent;
	struct line l;
	int fds[3];

	(void)state;
	line_open(&l);
	silent = loopback(3, l.port);
	make_silent(&silent, fds);
	resolver_look_up_with(l.resolver, look_up_silent);
	l.provider.host = (char *)"smarthost.test";
	l.provider.connect_timeout_us = 50 * CLOCK_MS;
	line_connect(&l);
	assert_true(l.closed);
	assert_int_equal(l.at, STAGE_CONNECT);
	assert_int_equal(l.code, 451);
	assert_string_equal(l.why, "connecting to smarthost.test timed out");
	line_close(&l);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* Families in turn: IPv4, IPv6, IPv4, IPv4; all but the last refuse. */
static int look_up_mixed(const char *host, struct resolved *found_r)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	(void)look_up(host, found_r);
	found_r->addresses[1] = found_r->addresses[0];
	memset(&found_r->addresses[3], 0, sizeof found_r->addresses[3]);
	memcpy(&found_r->addresses[3], &six, sizeof six);
	found_r->lengths[3] = sizeof six;
	found_r->count = 4;
	return 0;
}

static void keep_line(void *context, enum log_level level, const char *line)
{
	(void)level;
	if (strstr(line, "connection failed") != NULL)
		bytes_append_text(context, strstr(line, "::1") == NULL ? "4" : "6");
}

static void test_families_in_turn(void **state)
{
	struct bytes order = { 0 };
	struct line l;

	(void)state;
	line_open(&l);
	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_capture(keep_line, &order);
	resolver_look_up_with(l.resolver, look_up_mixed);
	l.provider.host = (char *)"smarthost.test";
	line_connect(&l);
	log_capture(NULL, NULL);
	assert_true(l.ready);
	assert_string_equal(bytes_text(&order), "464");
	bytes_release(&order);
	line_close(&l);
}

static void test_freed_while_racing(void **state)
{
	struct sockaddr_in silent;
	struct line l;
	int fds[3];

	(void)state;
	line_open(&l);
	silent = loopback(3, l.port);
	make_silent(&silent, fds);
	resolver_look_up_with(l.resolver, look_up_silent);
	l.provider.host = (char *)"smarthost.test";
	l.connection = connection_new(&l.transport, &l.provider, NULL, 1, &owner, &l);
	while (l.connection->race == NULL)
		loop_turn(l.loop, true);
	connection_free(&l.connection);
	assert_false(l.closed);
	line_close(&l);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void test_freed_while_resolving(void **state)
{
	struct line l;

	(void)state;
	line_open(&l);
	l.provider.host = (char *)"localhost";
	l.connection = connection_new(&l.transport, &l.provider, NULL, 1, &owner, &l);
	loop_turn(l.loop, true);
	connection_free(&l.connection);
	assert_false(l.closed);
	line_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_address_and_by_name),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_no_such_name),
		cmocka_unit_test(test_next_address),
		cmocka_unit_test(test_all_are_silent),
		cmocka_unit_test(test_families_in_turn),
		cmocka_unit_test(test_freed_while_racing),
		cmocka_unit_test(test_freed_while_resolving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
