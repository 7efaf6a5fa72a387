/* SPDX-License-Identifier: ISC */
/* receive_server.c - see receive_server.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "receive_server.h"

/* ---- the scripted store -------------------------------------------------- */

static bool store_reserve(void *context, uint64_t octets, uint64_t spare)
{
	struct server *v = context;

	if (octets > v->room - v->reserved || spare > v->room - v->reserved - octets)
		return false;
	v->reserved += octets;
	return true;
}

static void store_unreserve(void *context, uint64_t octets)
{
	struct server *v = context;

	assert_true(octets <= v->reserved);
	v->reserved -= octets;
}

static struct put *store_put_new(void *context)
{
	(void)context;
	return memory_new(sizeof(struct put));
}

static void store_put(void *context, struct put *put)
{
	struct server *v = context;

	assert_null(v->put);
	assert_null(v->chunk);
	v->put = put;
}

static uint64_t store_blob_new(void *context)
{
	struct server *v = context;

	assert_int_equal(v->chunks.length, 0);
	return ++v->next_blob;
}

static void store_chunk(void *context, struct chunk *chunk)
{
	struct server *v = context;

	assert_null(v->put);
	assert_null(v->chunk);
	assert_true(chunk->data.length > 0 && chunk->data.length <= SPOOL_CHUNK_MAX);
	assert_int_equal(chunk->data.length % SERVER_PIECE, 0);
	assert_int_equal(chunk->blob, v->next_blob); /* one for all chunks of a message */
	assert_true(chunk->first_piece > 0 || v->chunks.length == 0);
	v->chunk = chunk;
}

static void store_drop(void *context, uint64_t blob)
{
	struct server *v = context;

	assert_int_equal(blob, v->blob);
	v->dropped++;
	v->blob = 0;
	bytes_clear(&v->chunks);
}

static void store_route(void *context, struct put *put, const struct envelope *envelope,
                        const char *listener)
{
	struct server *v = context;
	struct stored *m;

	assert_string_equal(listener, "here");
	assert_true(envelope->count > 0);
	assert_true(v->stored_count < SERVER_STORED_MAX);
	m = &v->stored[v->stored_count]; /* counted when the put is complete */
	bytes_release(&m->recipients);
	for (size_t i = 0; i < envelope->count; i++)
		bytes_printf(&m->recipients, "%s\n", envelope->recipients[i].address.text);
	assert_string_equal(put->facts.sender.text, envelope->sender.text);
	v->routed++;
}

static char *copy(const char *text)
{
	return text != NULL ? memory_text(text) : NULL;
}

static void store_message(struct server *v, struct put *put)
{
	struct stored *m = &v->stored[v->stored_count++];

	if (put->first_piece > 0)
		bytes_append_span(&m->content, bytes_span(&v->chunks));
	bytes_append_span(&m->content, bytes_span(&put->body));
	bytes_append_span(&m->header, bytes_span(&put->header));
	bytes_append_span(&m->dialogue, bytes_span(&put->dialogue));
	assert_int_equal(m->content.length, put->facts.size);
	assert_true(put->reserved >= put->facts.size);
	m->sender = copy(put->facts.sender.text);
	m->with = copy(put->facts.trace.with);
	m->login = copy(put->facts.login);
	m->from = copy(put->facts.trace.from);
	m->added = put->facts.trace.added;
	m->recipient = copy(put->facts.trace.recipient);
	m->body = put->facts.body;
	m->id = put->facts.id = ++v->next_id;
	m->reserved = put->reserved;
	v->blob = 0;
	bytes_clear(&v->chunks);
}

static void complete_chunk(struct server *v, int result)
{
	struct chunk *chunk = v->chunk;

	v->chunk = NULL;
	assert_int_equal(chunk->first_piece * SERVER_PIECE, v->chunks.length);
	v->blob = chunk->blob;
	v->chunk_count++;
	bytes_append_span(&v->chunks, bytes_span(&chunk->data));
	chunk->request.done(&chunk->request, result);
}

static void complete_put(struct server *v, int result)
{
	struct put *put = v->put;

	v->put = NULL;
	if (result == 0)
		store_message(v, put);
	v->reserved -= put->reserved; /* given back, or turned into stored size */
	put->reserved = 0;
	put->request.done(&put->request, result);
}

/* ---- the client's end ------------------------------------------------------ */

static void client_readable(void *context)
{
	struct server *v = context;
	struct span input = stream_input(v->client);

	bytes_append_span(&v->heard, input);
	stream_consume(v->client, input.length);
}

static void client_closed(void *context, const char *error)
{
	struct server *v = context;

	(void)error;
	v->closed = true;
	stream_free(&v->client);
}

static const struct stream_events client_events = {
	.readable = client_readable,
	.closed = client_closed,
};

static void settle(struct server *v)
{
	loop_pass(v->loop, 0);
	while (v->automatic && (v->put != NULL || v->chunk != NULL)) {
		if (v->put != NULL)
			complete_put(v, v->result);
		else
			complete_chunk(v, v->result);
		loop_pass(v->loop, 0);
	}
}

void server_pass(struct server *v, int64_t us)
{
	loop_pass(v->loop, us);
	settle(v);
}

const char *server_complete(struct server *v, int result)
{
	bytes_clear(&v->heard);
	if (v->put != NULL)
		complete_put(v, result);
	else if (v->chunk != NULL)
		complete_chunk(v, result);
	else
		fail_msg("nothing is with the writer");
	settle(v);
	return bytes_text(&v->heard);
}

const char *server_say_pieces(struct server *v, struct span text, size_t size)
{
	bytes_clear(&v->heard);
	while (text.length > 0 && v->client != NULL) {
		size_t length = text.length < size ? text.length : size;

		stream_write(v->client, text.data, length);
		settle(v);
		text = span_of(text.data + length, text.length - length);
	}
	return bytes_text(&v->heard);
}

const char *server_say_span(struct server *v, struct span text)
{
	return server_say_pieces(v, text, text.length);
}

const char *server_say(struct server *v, const char *text)
{
	return server_say_span(v, span_of_text(text));
}

void server_greet(struct server *v)
{
	assert_non_null(strstr(server_say(v, "EHLO client.example\r\n"), "\r\n250 ENHANCED"));
}

void server_connect(struct server *v)
{
	struct stream *here;

	assert_null(v->client);
	stream_pair(v->loop, &here, &v->client);
	stream_set_events(v->client, &client_events, v);
	if (v->peer != NULL)
		stream_set_peer(here, v->peer, "54321");
	bytes_clear(&v->heard);
	v->closed = false;
	v->session = session_new(&v->receive, here);
	settle(v);
}

void server_vanish(struct server *v)
{
	stream_free(&v->client);
	settle(v);
}

/* ---- conveniences ---------------------------------------------------------- */

bool text_starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

bool text_ends(const char *text, const char *with)
{
	size_t length = strlen(text), tail = strlen(with);

	return length >= tail && strcmp(text + length - tail, with) == 0;
}

bool stored_is(const struct stored *m, struct span content)
{
	return span_equal(bytes_span(&m->content), content);
}

void server_open_data(struct server *v)
{
	server_connect(v);
	assert_true(text_ends(server_say(v, SERVER_OPENING),
	                      "\r\n354 End data with <CR><LF>.<CR><LF>\r\n"));
}

void large_content(struct bytes *out, size_t size, const char *line_end)
{
	bytes_append_text(out, "Received: by x\r\nSubject: large\r\n\r\n");
	for (unsigned n = 0; out->length < size; n++)
		bytes_printf(out, "line %u of many, none like the other%s", n, line_end);
}

/* ---- the whole -------------------------------------------------------------- */

void server_init(struct server *v)
{
	memset(v, 0, sizeof *v);
	clock_set_init(&v->clock, INT64_C(1790000000) * CLOCK_SEC);
	v->loop = loop_new_set(&v->clock);
	v->settings.hostname = memory_text("mx.test");
	v->listener.name = memory_text("here");
	v->listener.open_relay = true;
	v->listener.qualify = true;
	v->listener.max_message_size = 1024 * 1024;
	v->listener.max_recipients = 1000;
	v->listener.max_header_size = 128 * 1024;
	v->listener.min_data_rate = 500;
	v->listener.idle_timeout_us = 5 * CLOCK_MIN;
	v->room = UINT64_C(1) << 40;
	v->automatic = true;
	v->stored = memory_new_array(SERVER_STORED_MAX, sizeof *v->stored);
	receive_init(&v->receive);
	v->receive.settings = &v->settings;
	v->receive.listener = &v->listener;
	v->receive.loop = v->loop;
	v->receive.store = (struct receive_store){
		.reserve = store_reserve,
		.unreserve = store_unreserve,
		.put_new = store_put_new,
		.put = store_put,
		.blob_new = store_blob_new,
		.chunk = store_chunk,
		.drop = store_drop,
		.route = store_route,
		.piece_size = SERVER_PIECE,
		.context = v,
	};
}

void server_forget_stored(struct server *v)
{
	for (size_t i = 0; i <= v->stored_count && i < SERVER_STORED_MAX; i++) {
		struct stored *m = &v->stored[i];

		bytes_release(&m->content);
		bytes_release(&m->header);
		bytes_release(&m->dialogue);
		bytes_release(&m->recipients);
		free(m->sender);
		free(m->with);
		free(m->login);
		free(m->from);
		free(m->recipient);
		memset(m, 0, sizeof *m);
	}
	v->stored_count = 0;
}

void server_release(struct server *v)
{
	if (v->client != NULL)
		server_vanish(v);
	receive_end(&v->receive);
	if (v->put != NULL || v->chunk != NULL)
		server_complete(v, -1);
	loop_pass(v->loop, 0);
	assert_true(receive_idle(&v->receive));
	assert_int_equal(v->reserved, 0);
	assert_int_equal(v->chunks.length, 0);
	server_forget_stored(v);
	free(v->stored);
	bytes_release(&v->heard);
	bytes_release(&v->chunks);
	free(v->settings.hostname);
	free(v->listener.name);
	loop_free(&v->loop);
}
