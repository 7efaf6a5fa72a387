/* SPDX-License-Identifier: ISC */
/* transport_stage.c - see transport_stage.h. */
#include "transport_stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

/* Sources */

struct text_source {
	struct source source;
	char *text;
	size_t length, at, fail_at;
};

static int text_read(struct source *source, struct bytes *out, size_t max)
{
	struct text_source *s = (struct text_source *)(void *)source;
	size_t length = s->length - s->at < max ? s->length - s->at : max;

	if (s->fail_at > 0 && s->at + length >= s->fail_at)
		return -1;
	bytes_append(out, s->text + s->at, length);
	s->at += length;
	return 0;
}

static void text_free(struct source *source)
{
	struct text_source *s = (struct text_source *)(void *)source;

	free(s->text);
	free(s);
}

static struct text_source *text_source(const char *text, size_t length)
{
	struct text_source *s = memory_new(sizeof *s);

	s->source = (struct source){ .read = text_read, .free = text_free, .length = length };
	s->text = memory_text_of(text, length);
	s->length = length;
	return s;
}

struct source *long_source(size_t length, size_t fail_at)
{
	char *text = memory_new(length + 1);
	struct text_source *s;

	for (size_t i = 0; i < length; i++)
		text[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : (char)('a' + i % 26);
	s = text_source(text, length);
	s->fail_at = fail_at;
	free(text);
	return &s->source;
}

/* The owner */

static void on_ready(void *context, const struct peer_facts *facts)
{
	struct stage *s = context;

	s->readies++;
	s->facts = *facts;
	if (s->free_on_ready)
		connection_free(&s->connection);
}

static void on_done(void *context, struct transaction *t)
{
	struct stage *s = context;

	assert_true(s->done_count < STAGE_DONE_MAX);
	assert_false(s->closed);
	s->done[s->done_count++] = (struct stage_done){ .slot = t->slot, .end = t->end, .t = t };
	if (s->submit_on_done && s->done_count == 1)
		submit(s, 1);
	if (s->finish_on_done)
		connection_finish(s->connection);
	if (s->free_on_done)
		connection_free(&s->connection);
}

static void on_closed(void *context, enum connection_stage at, const struct reply *why)
{
	struct stage *s = context;

	assert_false(s->closed);
	s->closed = true;
	s->at = at;
	s->code = why->code;
	s->local = why->local;
	snprintf(s->why, sizeof s->why, "%s", why->text == NULL ? "" : why->text);
	if (s->free_on_closed)
		connection_free(&s->connection);
}

static const struct connection_events owner = { on_ready, on_done, on_closed };

/* The peer */

static void peer_readable(void *context)
{
	struct stage *s = context;
	struct span in = stream_input(s->peer);

	bytes_append_span(&s->heard, in);
	stream_consume(s->peer, in.length);
}

static void peer_closed(void *context, const char *error)
{
	struct stage *s = context;

	(void)error;
	s->peer_closed = true;
	stream_free(&s->peer);
}

static const struct stream_events peer_events = { .readable = peer_readable,
	                                          .closed = peer_closed };

void says(struct stage *s, const char *text)
{
	if (s->peer != NULL)
		stream_write_text(s->peer, text);
	pass(s, 0);
}

void hears(struct stage *s, const char *text)
{
	pass(s, 0);
	assert_string_equal(bytes_text(&s->heard), text);
	bytes_clear(&s->heard);
}

void leaves(struct stage *s)
{
	stream_free(&s->peer);
	pass(s, 0);
}

void pass(struct stage *s, int64_t us)
{
	loop_pass(s->loop, us);
}

/* The stage */

static void keep_line(void *context, enum log_level level, const char *line)
{
	struct stage *s = context;

	(void)level;
	bytes_append_text(&s->log, line);
	bytes_append_char(&s->log, '\n');
}

void stage_open(struct stage *s)
{
	*s = (struct stage){ 0 };
	log_open("test", LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_capture(keep_line, s);
	clock_set_init(&s->clock, 1800000000 * CLOCK_SEC);
	clock_set_pass(&s->clock, CLOCK_HOUR);
	s->loop = loop_new_set(&s->clock);
	s->transport = (struct transport){ .loop = s->loop, .hostname = "client.test" };
	s->provider = (struct provider_settings){
		.name = (char *)"test",
		.host = (char *)"smarthost.test",
		.port = 2525,
		.tls = PROVIDER_TLS_NEVER,
		.pipeline = 20,
		.connect_timeout_us = 30 * CLOCK_SEC,
		.idle_timeout_us = 60 * CLOCK_SEC,
	};
}

void stage_begin(struct stage *s)
{
	struct stream *here;

	stream_pair(s->loop, &here, &s->peer);
	stream_set_events(s->peer, &peer_events, s);
	s->connection =
		connection_new_on(&s->transport, here, &s->provider, s->client_tls, 7, &owner, s);
	pass(s, 0);
}

void stage_ready(struct stage *s, const char *extensions)
{
	struct bytes reply = { 0 };
	const char *line = extensions;

	stage_begin(s);
	says(s, "220 smarthost.test\r\n");
	hears(s, "EHLO client.test\r\n");
	while (*line != '\0') {
		size_t length = strcspn(line, "\n");

		bytes_printf(&reply, "250-%.*s\r\n", (int)length, line);
		line += length + (line[length] == '\n' ? 1 : 0);
	}
	bytes_append_text(&reply, "250 HELP\r\n");
	says(s, "250-smarthost.test\r\n");
	says(s, bytes_text(&reply));
	bytes_release(&reply);
	assert_int_equal(s->readies, 1);
}

void stage_close(struct stage *s)
{
	connection_free(&s->connection);
	stream_free(&s->peer);
	for (size_t i = 0; i < s->done_count; i++)
		transaction_free(&s->done[i].t);
	tls_context_free(&s->client_tls);
	tls_context_free(&s->peer_tls);
	loop_free(&s->loop);
	log_capture(NULL, NULL);
	bytes_release(&s->heard);
	bytes_release(&s->log);
}

/* Transactions */

static void set_address(struct address *a, const char *text)
{
	const char *at = strrchr(text, '@');

	a->text = memory_text(text);
	a->local_length = at == NULL ? strlen(text) : (size_t)(at - text);
}

struct transaction *stage_transaction(struct stage *s, size_t count, const char *body)
{
	struct transaction *t = memory_new(sizeof *t);

	t->slot = s->next_slot++;
	t->id = 1000 + t->slot;
	set_address(&t->sender, "a@example.org");
	t->recipients = memory_new_array(count, sizeof *t->recipients);
	t->count = count;
	for (size_t i = 0; i < count; i++) {
		char text[64];

		snprintf(text, sizeof text, "r%zu@example.net", i);
		set_address(&t->recipients[i].address, text);
	}
	t->source = body == NULL ? NULL : &text_source(body, strlen(body))->source;
	t->size = body == NULL ? 0 : strlen(body);
	return t;
}

void submit(struct stage *s, size_t count)
{
	connection_submit(s->connection, stage_transaction(s, count, SMALL_BODY));
}

void came_back(const struct stage *s, size_t n, enum transaction_end end, int code)
{
	assert_true(n < s->done_count);
	assert_int_equal(s->done[n].end, end);
	assert_int_equal(s->done[n].t->reply.code, code);
	for (size_t i = 0; i < s->done[n].t->count; i++)
		assert_int_not_equal(s->done[n].t->results[i].reply.code, 0);
}

void result_is(const struct stage *s, size_t n, size_t recipient, int code, bool at_rcpt)
{
	assert_true(n < s->done_count);
	assert_int_equal(s->done[n].t->results[recipient].reply.code, code);
	assert_int_equal(s->done[n].t->results[recipient].at_rcpt, at_rcpt);
}

void ended_at(const struct stage *s, enum connection_stage at, int code, bool local)
{
	assert_true(s->closed);
	assert_int_equal(s->at, at);
	assert_int_equal(s->code, code);
	assert_int_equal(s->local, local);
}
