/* SPDX-License-Identifier: ISC */
/* test_stream.c - plain streams: pairs at every split, sockets, backpressure, ends, freeing
 * anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "net/listener.h"
#include "net_peer.h"

struct pair_test {
	struct clock_set clock;
	struct loop *loop;
	struct peer here, there;
};

static void pair_init(struct pair_test *f)
{
	struct stream *here, *there;

	*f = (struct pair_test){ 0 };
	clock_set_init(&f->clock, CLOCK_DAY);
	f->loop = loop_new_set(&f->clock);
	stream_pair(f->loop, &here, &there);
	peer_init(&f->here, here);
	peer_init(&f->there, there);
	loop_pass(f->loop, 0);
}

static void pair_release(struct pair_test *f)
{
	peer_release(&f->here);
	peer_release(&f->there);
	loop_free(&f->loop);
}

static void test_pair_delivers_at_every_split(void **state)
{
	static const char text[] = "EHLO a\r\nMAIL FROM:<>\r\n";

	(void)state;
	for (size_t split = 1; split < sizeof text; split++) {
		struct pair_test f;

		pair_init(&f);
		stream_pair_limit(f.there.stream, split);
		stream_write_text(f.here.stream, text);
		loop_pass(f.loop, 0);
		assert_string_equal(bytes_text(&f.there.received), text);
		assert_int_equal(f.there.told[PEER_READABLE], (sizeof text - 2) / split + 1);
		assert_int_equal(stream_sent(f.here.stream), sizeof text - 1);
		pair_release(&f);
	}
}

static void test_pump_moves_without_the_loop(void **state)
{
	struct pair_test f;

	(void)state;
	pair_init(&f);
	f.there.echoes = true;
	stream_write_text(f.here.stream, "ping");
	while (stream_pair_pump(f.here.stream))
		;
	assert_string_equal(bytes_text(&f.here.received), "ping");
	assert_false(stream_pair_pump(f.there.stream));
	pair_release(&f);
}

static void test_unconsumed_input_stays(void **state)
{
	struct pair_test f;

	(void)state;
	pair_init(&f);
	f.there.keeps = true;
	stream_write_text(f.here.stream, "abc");
	loop_pass(f.loop, 0);
	stream_write_text(f.here.stream, "def");
	loop_pass(f.loop, 0);
	assert_int_equal(f.there.told[PEER_READABLE], 2);
	assert_true(span_equal_text(stream_input(f.there.stream), "abcdef"));
	stream_consume(f.there.stream, 4);
	assert_true(span_equal_text(stream_input(f.there.stream), "ef"));
	loop_pass(f.loop, CLOCK_SEC);
	assert_int_equal(f.there.told[PEER_READABLE], 2); /* nothing more arrived */
	pair_release(&f);
}

/* What the owner wipes is gone from where it lay, and no growing has left a copy behind: checked
 * through the span, which shows the stream's own memory. */
static void test_wiped_input_is_overwritten(void **state)
{
	static const unsigned char zeros[6] = { 0 };
	struct pair_test f;

	(void)state;
	pair_init(&f);
	f.there.keeps = true;
	stream_write_text(f.here.stream, "secret rest");
	loop_pass(f.loop, 0);
	stream_wipe(f.there.stream, 100); /* more than there is: nothing */
	assert_true(span_equal_text(stream_input(f.there.stream), "secret rest"));
	stream_wipe(f.there.stream, 6);
	assert_memory_equal(stream_input(f.there.stream).data, zeros, 6);
	stream_consume(f.there.stream, 6);
	assert_true(span_equal_text(stream_input(f.there.stream), " rest"));
	pair_release(&f);
}

static void test_pause_keeps_everything_until_resume(void **state)
{
	struct pair_test f;

	(void)state;
	pair_init(&f);
	stream_pause(f.there.stream);
	stream_write_text(f.here.stream, "abc");
	stream_close_after_output(&f.here.stream);
	loop_pass(f.loop, CLOCK_SEC);
	assert_int_equal(f.there.told[PEER_READABLE], 0);
	assert_int_equal(f.there.told[PEER_CLOSED], 0);
	stream_resume(f.there.stream);
	assert_int_equal(f.there.told[PEER_READABLE], 0); /* never from inside a call */
	loop_pass(f.loop, 0);
	assert_string_equal(bytes_text(&f.there.received), "abc");
	assert_string_equal(bytes_text(&f.there.error), "end");
	pair_release(&f);
}

static void test_input_and_output_are_bounded(void **state)
{
	struct pair_test f;
	unsigned char *block = memory_new(STREAM_READ_SIZE);
	size_t taken;

	(void)state;
	pair_init(&f);
	f.there.keeps = true;
	for (int i = 0; i < 20; i++)
		stream_write(f.here.stream, block, STREAM_READ_SIZE);
	loop_pass(f.loop, 0);
	taken = stream_input(f.there.stream).length;
	assert_in_range(taken, STREAM_INPUT_MAX, STREAM_INPUT_MAX + STREAM_READ_SIZE);
	assert_true(stream_output_length(f.here.stream) > STREAM_OUTPUT_LOW);
	assert_int_equal(f.here.told[PEER_DRAINED], 0);
	/* Consuming sets it going again, to the last octet. */
	f.there.keeps = false;
	stream_consume(f.there.stream, taken);
	loop_pass(f.loop, 0);
	assert_int_equal(taken + f.there.received.length, 20 * STREAM_READ_SIZE);
	assert_int_equal(f.here.told[PEER_DRAINED], 1);
	assert_int_equal(stream_output_length(f.here.stream), 0);
	free(block);
	pair_release(&f);
}

/* Sends commands without end and takes no replies: first the windows fill, then our output, then
 * its own output grows, which is its affair. */
static void test_who_takes_no_replies_is_not_read(void **state)
{
	struct pair_test f;
	unsigned char *block = memory_new(STREAM_READ_SIZE);
	size_t sent = 0;

	(void)state;
	pair_init(&f);
	f.there.echoes = true;
	stream_pause(f.here.stream);
	while (stream_output_length(f.here.stream) < STREAM_OUTPUT_HIGH) {
		stream_write(f.here.stream, block, STREAM_READ_SIZE);
		sent += STREAM_READ_SIZE;
		loop_pass(f.loop, 0);
		assert_true(sent < 40 * STREAM_READ_SIZE);
	}
	assert_in_range(stream_output_length(f.there.stream), STREAM_OUTPUT_STOP,
	                STREAM_OUTPUT_STOP + STREAM_READ_SIZE);
	stream_resume(f.here.stream);
	loop_pass(f.loop, 0);
	assert_int_equal(f.here.received.length, sent);
	free(block);
	pair_release(&f);
}

static void test_free_in_each_event(void **state)
{
	(void)state;
	for (unsigned event = 0; event < PEER_EVENTS; event++) {
		struct pair_test f;
		unsigned char *block = memory_new(2 * STREAM_OUTPUT_LOW);

		pair_init(&f);
		f.there.free_at = 1U << event;
		f.there.echoes = true;
		stream_write(f.there.stream, block, 2 * STREAM_OUTPUT_LOW);
		stream_write_text(f.here.stream, "abc");
		loop_pass(f.loop, 0);
		if (event != PEER_CLOSED && event != PEER_CONNECTED && event != PEER_SECURED) {
			assert_null(f.there.stream);
			assert_string_equal(bytes_text(&f.here.error), "end");
		}
		stream_free(&f.here.stream);
		loop_pass(f.loop, 0);
		if (event == PEER_CLOSED)
			assert_null(f.there.stream);
		free(block);
		pair_release(&f);
	}
}

static void test_start_tls_with_input_pending_fails(void **state)
{
	struct pair_test f;
	struct tls_context *tls = NULL;
	struct bytes error = { 0 };

	(void)state;
	pair_init(&f);
	assert_int_equal(tls_context_new_client(&tls, TLS_TRUST_OFF, NULL, NULL, &error), 0);
	f.there.keeps = true;
	stream_write_text(f.here.stream, "STARTTLS\r\nNOOP\r\n");
	loop_pass(f.loop, 0);
	stream_consume(f.there.stream, 10);
	stream_start_tls(f.there.stream, tls, "a.example");
	assert_int_equal(f.there.told[PEER_CLOSED], 0);
	loop_pass(f.loop, 0);
	assert_int_equal(f.there.told[PEER_CLOSED], 1);
	assert_non_null(strstr(bytes_text(&f.there.error), "STARTTLS"));
	assert_int_equal(f.here.received.length, 0);
	tls_context_free(&tls);
	bytes_release(&error);
	pair_release(&f);
}

/* Sockets */

static void socket_pair(struct loop *loop, struct peer *here, struct peer *there)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	                 0);
	peer_init(here, NULL);
	peer_init(there, NULL);
	here->stream = stream_new(loop, fds[0], &peer_events, here);
	there->stream = stream_new(loop, fds[1], &peer_events, there);
}

static void test_socket_moves_much_both_ways(void **state)
{
	struct loop *loop = loop_new(clock_system());
	struct peer here, there;
	size_t size = 3000000, written = 0;
	unsigned char *block = memory_new(size);

	(void)state;
	for (size_t i = 0; i < size; i++)
		block[i] = (unsigned char)(i * 31 >> 3);
	socket_pair(loop, &here, &there);
	there.echoes = true;
	for (long turn = 0; here.received.length < size; turn++) {
		size_t piece = size - written < 100000 ? size - written : 100000;

		assert_true(turn < 1000000);
		if (stream_output_length(here.stream) < STREAM_OUTPUT_HIGH) {
			stream_write(here.stream, block + written, piece);
			written += piece;
		}
		loop_turn(loop, written == size);
	}
	assert_memory_equal(here.received.data, block, size);
	assert_true(here.told[PEER_DRAINED] >= 1);
	assert_true(here.told[PEER_READABLE] >= size / STREAM_READ_SIZE);
	stream_free(&there.stream);
	peer_wait(loop, here.told[PEER_CLOSED] == 1);
	assert_string_equal(bytes_text(&here.error), "end");
	free(block);
	peer_release(&here);
	peer_release(&there);
	loop_free(&loop);
}

static void test_output_of_a_turn_is_one_write(void **state)
{
	struct loop *loop = loop_new(clock_system());
	struct peer here, there;

	(void)state;
	socket_pair(loop, &here, &there);
	for (int i = 0; i < 100; i++)
		stream_write_text(here.stream, "250 ok\r\n");
	assert_int_equal(stream_sent(here.stream), 0);
	peer_wait(loop, there.received.length == 800);
	assert_int_equal(there.told[PEER_READABLE], 1);
	assert_int_equal(strncmp(stream_peer(here.stream), "unix:uid=", 9), 0);
	peer_release(&here);
	peer_release(&there);
	loop_free(&loop);
}

static void test_last_reply_is_read_after_writing_failed(void **state)
{
	struct loop *loop = loop_new(clock_system());
	struct peer here, there;

	(void)state;
	socket_pair(loop, &here, &there);
	stream_write_text(there.stream, "421 closing\r\n");
	stream_flush(there.stream);
	stream_free(&there.stream);
	stream_write_text(here.stream, "MAIL FROM:<>\r\n");
	stream_flush(here.stream); /* fails: nobody is there */
	peer_wait(loop, here.told[PEER_CLOSED] == 1);
	assert_string_equal(bytes_text(&here.received), "421 closing\r\n");
	assert_non_null(strstr(bytes_text(&here.error), "lost"));
	peer_release(&here);
	peer_release(&there);
	loop_free(&loop);
}

static void test_close_after_output_sends_all(void **state)
{
	struct loop *loop = loop_new(clock_system());
	struct peer here, there;
	size_t size = 2000000;
	unsigned char *block = memory_new(size);

	(void)state;
	socket_pair(loop, &here, &there);
	stream_write(here.stream, block, size);
	stream_close_after_output(&here.stream);
	assert_null(here.stream);
	peer_wait(loop, there.told[PEER_CLOSED] == 1);
	assert_int_equal(there.received.length, size);
	assert_int_equal(here.told[PEER_CLOSED], 0);
	free(block);
	peer_release(&here);
	peer_release(&there);
	loop_free(&loop);
}

struct accepting {
	struct listener *listener;
	struct loop *loop;
	struct peer peer;
};

static void accepted(void *context, int fd)
{
	struct accepting *a = context;

	peer_init(&a->peer, NULL);
	a->peer.keeps = true;
	a->peer.stream = stream_new(a->loop, fd, &peer_events, &a->peer);
}

static void connect_local(struct accepting *a, struct peer *client)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct bytes error = { 0 };
	int fd = listener_bind_tcp("127.0.0.1", 0, &error);

	assert_true(fd >= 0);
	*a = (struct accepting){ .loop = loop_new(clock_system()) };
	to.sin_port = htons(listener_port(fd));
	a->listener = listener_new(a->loop, fd, accepted, a);
	peer_init(client, NULL);
	client->stream = stream_connect(a->loop, (const struct sockaddr *)&to, sizeof to,
	                                &peer_events, client);
	bytes_release(&error);
}

/* Closing with input unread would reset the connection, and the reply be lost. */
static void test_last_reply_survives_a_peer_that_still_sends(void **state)
{
	struct accepting a;
	struct peer client;
	size_t size = 1000000;
	unsigned char *block = memory_new(size);

	(void)state;
	connect_local(&a, &client);
	stream_write(client.stream, block, size);
	peer_wait(a.loop, a.peer.told[PEER_READABLE] > 0);
	stream_write_text(a.peer.stream, "500 too long\r\n");
	stream_close_after_output(&a.peer.stream);
	peer_wait(a.loop, client.told[PEER_CLOSED] == 1);
	assert_string_equal(bytes_text(&client.received), "500 too long\r\n");
	free(block);
	peer_release(&client);
	peer_release(&a.peer);
	listener_free(&a.listener);
	loop_free(&a.loop);
}

/* "printf ... | nc -N": all commands, then the end of input, while replies are still to come. */
static void test_half_closed_peer_gets_the_last_reply(void **state)
{
	struct loop *loop = loop_new(clock_system());
	struct peer here;
	char reply[16] = "";
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	                 0);
	peer_init(&here, NULL);
	here.keeps = true;
	here.stream = stream_new(loop, fds[0], &peer_events, &here);
	assert_int_equal(write(fds[1], "QUIT\r\n", 6), 6);
	shutdown(fds[1], SHUT_WR);
	peer_wait(loop, here.told[PEER_READABLE] == 1);
	assert_int_equal(here.told[PEER_CLOSED], 0);
	stream_write_text(here.stream, "221 bye\r\n");
	stream_close_after_output(&here.stream);
	loop_turn(loop, false);
	loop_turn(loop, false);
	assert_int_equal(read(fds[1], reply, sizeof reply), 9);
	assert_memory_equal(reply, "221 bye\r\n", 9);
	assert_int_equal(read(fds[1], reply, sizeof reply), 0);
	close(fds[1]);
	peer_release(&here);
	loop_free(&loop);
}

static void test_connect_tells_connected(void **state)
{
	struct accepting a;
	struct peer client;

	(void)state;
	connect_local(&a, &client);
	assert_int_equal(client.told[PEER_CONNECTED], 0);
	stream_write_text(client.stream, "early");
	peer_wait(a.loop, a.peer.told[PEER_READABLE] > 0);
	assert_int_equal(client.told[PEER_CONNECTED], 1);
	assert_true(span_equal_text(stream_input(a.peer.stream), "early"));
	assert_string_equal(stream_peer(client.stream), "127.0.0.1");
	assert_string_equal(stream_peer(a.peer.stream), "127.0.0.1");
	assert_true(atoi(stream_peer_port(a.peer.stream)) > 0);
	peer_release(&client);
	peer_release(&a.peer);
	listener_free(&a.listener);
	loop_free(&a.loop);
}

static void test_connect_refused_says_where(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct loop *loop = loop_new(clock_system());
	struct bytes error = { 0 };
	struct peer client;
	int fd = listener_bind_tcp("127.0.0.1", 0, &error);

	(void)state;
	to.sin_port = htons(listener_port(fd));
	close(fd);
	peer_init(&client, NULL);
	client.free_at = 1U << PEER_CLOSED;
	client.stream = stream_connect(loop, (const struct sockaddr *)&to, sizeof to, &peer_events,
	                               &client);
	peer_wait(loop, client.told[PEER_CLOSED] == 1);
	assert_non_null(strstr(bytes_text(&client.error), "cannot connect to 127.0.0.1 port "));
	assert_non_null(strstr(bytes_text(&client.error), "refused"));
	peer_release(&client);
	loop_free(&loop);
}

/* Closing streams without owners are the loop's to free. */
static void test_loop_frees_what_is_still_closing(void **state)
{
	struct loop *loop = loop_new(clock_system());
	struct peer here, there;
	unsigned char *block = memory_new(2000000);

	(void)state;
	socket_pair(loop, &here, &there);
	stream_write(here.stream, block, 2000000);
	stream_close_after_output(&here.stream);
	loop_turn(loop, false);
	stream_free(&there.stream);
	free(block);
	peer_release(&here);
	peer_release(&there);
	loop_free(&loop);
}

static void test_closing_ends_at_its_deadline(void **state)
{
	struct pair_test f;
	unsigned char *block = memory_new(STREAM_OUTPUT_STOP);

	(void)state;
	pair_init(&f);
	stream_pause(f.there.stream);
	stream_write(f.here.stream, block, STREAM_OUTPUT_STOP);
	stream_close_after_output(&f.here.stream);
	loop_pass(f.loop, STREAM_CLOSE_TIMEOUT_US - 1);
	stream_resume(f.there.stream);
	stream_pause(f.there.stream);
	loop_pass(f.loop, 1);
	f.there.keeps = false;
	stream_resume(f.there.stream);
	loop_pass(f.loop, 0);
	/* What fitted into the window, not the rest. */
	assert_int_equal(f.there.received.length, 256 * 1024);
	assert_string_equal(bytes_text(&f.there.error), "end");
	free(block);
	pair_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_delivers_at_every_split),
		cmocka_unit_test(test_pump_moves_without_the_loop),
		cmocka_unit_test(test_unconsumed_input_stays),
		cmocka_unit_test(test_wiped_input_is_overwritten),
		cmocka_unit_test(test_pause_keeps_everything_until_resume),
		cmocka_unit_test(test_input_and_output_are_bounded),
		cmocka_unit_test(test_who_takes_no_replies_is_not_read),
		cmocka_unit_test(test_free_in_each_event),
		cmocka_unit_test(test_start_tls_with_input_pending_fails),
		cmocka_unit_test(test_socket_moves_much_both_ways),
		cmocka_unit_test(test_output_of_a_turn_is_one_write),
		cmocka_unit_test(test_last_reply_is_read_after_writing_failed),
		cmocka_unit_test(test_close_after_output_sends_all),
		cmocka_unit_test(test_last_reply_survives_a_peer_that_still_sends),
		cmocka_unit_test(test_half_closed_peer_gets_the_last_reply),
		cmocka_unit_test(test_connect_tells_connected),
		cmocka_unit_test(test_connect_refused_says_where),
		cmocka_unit_test(test_loop_frees_what_is_still_closing),
		cmocka_unit_test(test_closing_ends_at_its_deadline),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
