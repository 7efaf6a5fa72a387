/* SPDX-License-Identifier: ISC */
/* test_receive_admission.c - who is let in: PROXY headers, rates, errors, and want of room. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config/values.h"
#include "receive/private.h"
#include "receive_server.h"

#define HEADER "PROXY TCP4 192.0.2.9 127.0.0.1 5 25\r\n"

static struct network loopback, documentation;

static void begin(struct server *v)
{
	const char *error;

	server_init(v);
	assert_int_equal(network_parse(&loopback, "127.0.0.0/8", &error), 0);
	assert_int_equal(network_parse(&documentation, "192.0.2.0/24", &error), 0);
	v->listener.open_relay = false;
	v->listener.relay_from = &loopback;
	v->listener.relay_from_count = 1;
	v->receive.clients = clients_new();
	v->peer = "127.0.0.1";
}

static void end(struct server *v)
{
	struct clients *clients = v->receive.clients;

	server_release(v);
	assert_int_equal(clients_distinct(clients), 0);
	clients_free(&clients);
}

static void begin_proxied(struct server *v)
{
	begin(v);
	v->listener.proxy_protocol = true;
	v->listener.proxy_from = &loopback;
	v->listener.proxy_from_count = 1;
}

static bool heard_starts(struct server *v, const char *text)
{
	return text_starts(bytes_text(&v->heard), text);
}

static const char *send_from_a(struct server *v)
{
	server_greet(v);
	return server_say(v, "MAIL FROM:<a@example.org>\r\n");
}

/* ---- the PROXY protocol ------------------------------------------------------ */

static void the_proxys_client_is_the_client(void **state)
{
	static const struct {
		const char *header, *reply;
	} table[] = {
		{ HEADER, "554 5.7.1 " },
		{ "PROXY TCP4 127.0.0.5 127.0.0.1 5 25\r\n", "250 " },
		{ "PROXY UNKNOWN\r\n", "554 5.7.1 " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		for (size_t size = 1; size < 100; size += 98) {
			struct server v;

			begin_proxied(&v);
			server_connect(&v);
			assert_int_equal(v.heard.length, 0);
			server_say_pieces(&v, span_of_text(table[i].header), size);
			assert_true(heard_starts(&v, "220 "));
			server_say(&v, "EHLO x\r\nMAIL FROM:<a@example.org>\r\n");
			assert_true(text_starts(server_say(&v, "RCPT TO:<b@example.net>\r\n"),
			                        table[i].reply));
			end(&v);
		}
	}
}

static void the_proxy_may_speak_for_itself(void **state)
{
	struct server v;

	(void)state;
	begin_proxied(&v);
	server_connect(&v);
	server_say_span(&v, span_of("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16));
	assert_true(heard_starts(&v, "220 "));
	server_say(&v, "EHLO x\r\nMAIL FROM:<a@example.org>\r\n");
	assert_true(text_starts(server_say(&v, "RCPT TO:<b@example.net>\r\n"), "250 "));
	end(&v);
}

static void commands_behind_the_header_are_the_clients(void **state)
{
	struct server v;

	(void)state;
	begin_proxied(&v);
	server_connect(&v);
	assert_true(text_ends(server_say(&v, HEADER "QUIT\r\n"), "221 2.0.0 Bye\r\n"));
	assert_true(v.closed);
	end(&v);
}

static void what_is_no_header_is_refused_in_silence(void **state)
{
	struct server v;

	(void)state;
	begin_proxied(&v);
	server_connect(&v);
	server_say(&v, "EHLO x\r\n");
	assert_true(v.closed);
	assert_int_equal(v.heard.length, 0);
	v.peer = "192.0.2.1"; /* no proxy of ours */
	server_connect(&v);
	assert_true(v.closed);
	assert_int_equal(v.heard.length, 0);
	end(&v);
}

static void a_header_has_to_come_soon(void **state)
{
	struct server v;

	(void)state;
	begin_proxied(&v);
	server_connect(&v);
	server_say(&v, "PROXY ");
	server_pass(&v, PROXY_PATIENCE_US - 1);
	assert_false(v.closed);
	server_say(&v, "TCP4 ");
	server_pass(&v, 1);
	assert_true(v.closed);
	end(&v);
}

static void a_proxied_session_has_its_full_patience(void **state)
{
	struct server v;

	(void)state;
	begin_proxied(&v);
	server_connect(&v);
	server_say(&v, HEADER);
	server_pass(&v, 5 * CLOCK_MIN - 1);
	assert_false(v.closed);
	server_pass(&v, CLOCK_MIN);
	assert_true(v.closed);
	end(&v);
}

/* ---- rates ------------------------------------------------------------------- */

static void a_client_sends_no_faster_than_allowed(void **state)
{
	struct rate rate = { .count = 2, .period_us = CLOCK_MIN };
	struct server v;

	(void)state;
	begin(&v);
	v.listener.client_rates = &rate;
	v.listener.client_rate_count = 1;
	for (int i = 0; i < 2; i++) {
		server_connect(&v);
		assert_true(text_starts(send_from_a(&v), "250 "));
		server_vanish(&v);
	}
	server_connect(&v);
	assert_string_equal(send_from_a(&v),
	                    "450 4.7.1 Too many messages from your address, try again in 30 s\r\n");
	assert_true(text_starts(server_say(&v, "RCPT TO:<b@example.net>\r\n"), "503 "));
	server_vanish(&v);
	v.peer = "127.0.0.2";
	server_connect(&v);
	assert_true(text_starts(send_from_a(&v), "250 "));
	server_vanish(&v);
	v.peer = "127.0.0.1";
	server_pass(&v, CLOCK_MIN / 2);
	server_connect(&v);
	assert_true(text_starts(send_from_a(&v), "250 "));
	end(&v);
}

static void make_mistakes(struct server *v, int count)
{
	server_connect(v);
	for (int i = 0; i < count; i++)
		server_say(v, "WHAT\r\n");
	server_vanish(v);
}

static void mistakes_add_up_over_sessions(void **state)
{
	struct server v;

	(void)state;
	begin(&v);
	v.listener.max_errors_per_client = 12;
	v.peer = "192.0.2.1";
	make_mistakes(&v, 6);
	make_mistakes(&v, 6);
	server_connect(&v);
	assert_true(heard_starts(&v, "421 4.7.0 Too many errors from your address"));
	v.peer = "192.0.2.2";
	server_connect(&v);
	assert_true(heard_starts(&v, "220 "));
	server_vanish(&v);
	v.peer = "192.0.2.1";
	server_pass(&v, CLOCK_MIN / 12);
	server_connect(&v);
	assert_true(heard_starts(&v, "220 "));
	end(&v);
}

static void the_mistakes_of_this_host_are_nobodys(void **state)
{
	struct server v;

	(void)state;
	begin(&v);
	v.listener.max_errors_per_client = 1;
	make_mistakes(&v, 10);
	server_connect(&v);
	assert_true(heard_starts(&v, "220 "));
	end(&v);
}

/* ---- want of room -------------------------------------------------------------- */

enum { MOST = 20 };

/* Clients that only stay; the first `count` of them are there. */
static struct stream *guests[MOST];

static void guest_ended(void *context, const char *error)
{
	struct stream **guest = context;

	(void)error;
	stream_free(guest);
}

static const struct stream_events guest_events = { .closed = guest_ended };

static void invite(struct server *v, size_t from, size_t to, const char *peer)
{
	for (size_t i = from; i < to; i++) {
		struct stream *here;

		stream_pair(v->loop, &here, &guests[i]);
		stream_set_events(guests[i], &guest_events, &guests[i]);
		stream_set_peer(here, peer, "1");
		(void)session_new(&v->receive, here);
	}
	server_pass(v, 0);
}

static size_t guests_left(void)
{
	size_t left = 0;

	for (size_t i = 0; i < MOST; i++)
		left += guests[i] != NULL;
	return left;
}

static void dismiss(struct server *v)
{
	for (size_t i = 0; i < MOST; i++)
		stream_free(&guests[i]);
	server_pass(v, 0);
}

static void alone_a_client_may_have_all_places(void **state)
{
	struct server v;

	(void)state;
	begin(&v);
	v.listener.max_connections = MOST;
	invite(&v, 0, MOST, "192.0.2.1");
	assert_int_equal(guests_left(), MOST);
	v.peer = "192.0.2.1";
	server_connect(&v);
	assert_true(heard_starts(&v, "421 4.3.2 Too many connections, try later"));
	dismiss(&v);
	end(&v);
}

static void the_busiest_goes_first(void **state)
{
	struct server v;

	(void)state;
	begin(&v);
	v.listener.max_connections = MOST;
	invite(&v, 0, 17, "192.0.2.1");
	invite(&v, 17, 18, "192.0.2.2");
	v.peer = "192.0.2.1";
	server_connect(&v);
	assert_true(heard_starts(&v, "421 4.7.0 Busy, and your address has its share"));
	v.peer = "192.0.2.2";
	server_connect(&v);
	assert_true(heard_starts(&v, "220 "));
	dismiss(&v);
	end(&v);
}

static void the_silent_make_room(void **state)
{
	struct server v;

	(void)state;
	begin(&v);
	v.listener.max_connections = MOST;
	invite(&v, 0, 10, "192.0.2.1");
	server_pass(&v, STRESS_PATIENCE_US + 1);
	assert_int_equal(guests_left(), 10);
	invite(&v, 10, 18, "192.0.2.2");
	assert_int_equal(guests_left(), 18); /* no pressure yet */
	v.peer = "192.0.2.3";
	server_connect(&v);
	assert_true(heard_starts(&v, "220 "));
	assert_int_equal(guests_left(), 8);
	dismiss(&v);
	end(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_proxys_client_is_the_client),
		cmocka_unit_test(the_proxy_may_speak_for_itself),
		cmocka_unit_test(commands_behind_the_header_are_the_clients),
		cmocka_unit_test(what_is_no_header_is_refused_in_silence),
		cmocka_unit_test(a_header_has_to_come_soon),
		cmocka_unit_test(a_proxied_session_has_its_full_patience),
		cmocka_unit_test(a_client_sends_no_faster_than_allowed),
		cmocka_unit_test(mistakes_add_up_over_sessions),
		cmocka_unit_test(the_mistakes_of_this_host_are_nobodys),
		cmocka_unit_test(alone_a_client_may_have_all_places),
		cmocka_unit_test(the_busiest_goes_first),
		cmocka_unit_test(the_silent_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
