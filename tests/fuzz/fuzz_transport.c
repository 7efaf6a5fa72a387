/* SPDX-License-Identifier: ISC */
/* fuzz_transport.c - the whole client against whatever a server says.
 *
 * The first octet chooses the provider and how the rest is cut; each further line is said when
 * the client has come to rest, "!" lets a minute pass, "!!" an hour. However it ends: each
 * transaction comes back once and whole, none is sent that the server did not hear to its end and
 * answer with 2yz afterwards, and where TLS or a login is required nothing is said without.
 */
#include "fuzz.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "transport/transport.h"

#define BODY         "Subject: x\r\n\r\n.dot\r\n"
#define HEARD_BODY   "Subject: x\r\n\r\n..dot\r\n.\r\n"
#define HEARD_CHUNK  "BDAT 20 LAST\r\n" BODY
#define TRANSACTIONS 4
#define RECIPIENTS   2

enum option {
	OPTION_TLS = 1,
	OPTION_LOGIN = 2,
	OPTION_OCTETS = 4,  /* octet by octet */
	OPTION_PAIRS = 8,   /* two lines at once */
	OPTION_LIMIT = 16,  /* two messages a connection */
	OPTION_NEXT = 32,   /* submits in done() */
	OPTION_FREE = 64,   /* frees in done() */
	OPTION_FINISH = 128 /* is asked to finish in done() */
};

struct play {
	unsigned options;
	struct clock_set clock;
	struct loop *loop;
	struct transport transport;
	struct provider_settings provider;
	struct stream *peer;
	struct bytes heard;
	struct connection *connection;
	size_t heard_bodies; /* before what was said last */
	bool said_two;       /* something that begins with 2 */
	unsigned submitted, returned, sent, perhaps;
	bool closed;
};

struct body {
	struct source source;
	bool read;
};

static int body_read(struct source *source, struct bytes *out, size_t max)
{
	struct body *b = (struct body *)(void *)source;

	(void)max;
	if (!b->read)
		bytes_append_text(out, BODY);
	b->read = true;
	return 0;
}

static void body_free(struct source *source)
{
	free(source);
}

static struct transaction *make_transaction(void)
{
	struct transaction *t = memory_new(sizeof *t);
	struct body *b = memory_new(sizeof *b);

	b->source = (struct source){ .read = body_read, .free = body_free, .length = strlen(BODY) };
	t->source = &b->source;
	t->sender.text = memory_text("a@example.org");
	t->recipients = memory_new_array(RECIPIENTS, sizeof *t->recipients);
	t->count = RECIPIENTS;
	for (size_t i = 0; i < RECIPIENTS; i++)
		t->recipients[i].address.text = memory_text("b@example.net");
	return t;
}

static void submit(struct play *p)
{
	if (p->submitted == TRANSACTIONS)
		return;
	p->submitted++;
	connection_submit(p->connection, make_transaction());
}

static size_t count_of(const struct play *p, const char *what)
{
	size_t count = 0, length = strlen(what);

	for (size_t i = 0; i + length <= p->heard.length; i++)
		count += memcmp(p->heard.data + i, what, length) == 0;
	return count;
}

static size_t count_bodies(const struct play *p)
{
	return count_of(p, HEARD_BODY) + count_of(p, HEARD_CHUNK);
}

static void on_ready(void *context, const struct peer_facts *facts)
{
	struct play *p = context;

	CHECK(!p->closed && p->submitted == 0);
	CHECK((p->options & (OPTION_TLS | OPTION_LOGIN)) == 0); /* no TLS is to be had here */
	CHECK(!facts->tls);
	while (p->submitted < ((p->options & OPTION_NEXT) ? 2 : TRANSACTIONS))
		submit(p);
}

static void on_done(void *context, struct transaction *t)
{
	struct play *p = context;

	p->returned++;
	CHECK(!p->closed && p->returned <= p->submitted);
	CHECK(t->reply.code >= 200 && t->reply.code <= 599);
	for (size_t i = 0; i < t->count; i++)
		CHECK(t->results[i].reply.code >= 400 || t->reply.code / 100 == 2);
	if (t->end == TRANSACTION_INDETERMINATE)
		p->perhaps++;
	else if (t->end == TRANSACTION_UNSENT)
		CHECK(t->reply.code >= 400);
	else if (t->reply.code / 100 == 2)
		p->sent++;
	CHECK(p->sent <= p->heard_bodies && (p->sent == 0 || p->said_two));
	transaction_free(&t);
	if (p->connection == NULL)
		return;
	if (p->options & OPTION_NEXT)
		submit(p);
	if (p->options & OPTION_FINISH)
		connection_finish(p->connection);
	if (p->options & OPTION_FREE)
		connection_free(&p->connection);
}

static void on_closed(void *context, enum connection_stage stage, const struct reply *why)
{
	struct play *p = context;

	CHECK(!p->closed && p->returned == p->submitted && stage <= STAGE_READY);
	CHECK(why->code == 0 || why->code >= 400);
	p->closed = true;
}

static const struct connection_events owner = { on_ready, on_done, on_closed };

static void peer_readable(void *context)
{
	struct play *p = context;
	struct span in = stream_input(p->peer);

	bytes_append_span(&p->heard, in);
	stream_consume(p->peer, in.length);
}

static void peer_closed(void *context, const char *error)
{
	struct play *p = context;

	(void)error;
	stream_free(&p->peer);
}

static const struct stream_events peer_events = { .readable = peer_readable,
	                                          .closed = peer_closed };

static void ignore_line(void *context, enum log_level level, const char *line)
{
	(void)context;
	(void)level;
	(void)line;
}

static void begin(struct play *p, unsigned options)
{
	struct stream *here;

	p->options = options;
	log_capture(ignore_line, NULL);
	clock_set_init(&p->clock, 0);
	clock_set_pass(&p->clock, CLOCK_HOUR);
	p->loop = loop_new_set(&p->clock);
	p->transport = (struct transport){ .loop = p->loop, .hostname = "client.test" };
	p->provider = (struct provider_settings){
		.name = (char *)"fuzz",
		.host = (char *)"smarthost.test",
		.tls = (options & OPTION_TLS) ? PROVIDER_TLS_STARTTLS : PROVIDER_TLS_NEVER,
		.login = (options & OPTION_LOGIN) ? (char *)"user" : NULL,
		.password = (options & OPTION_LOGIN) ? (char *)"secret" : NULL,
		.pipeline = 20,
		.messages_per_connection = (options & OPTION_LIMIT) ? 2 : 0,
		.idle_timeout_us = 5 * CLOCK_MIN,
	};
	stream_pair(p->loop, &here, &p->peer);
	stream_set_events(p->peer, &peer_events, p);
	p->connection = connection_new_on(&p->transport, here, &p->provider, NULL, 1, &owner, p);
	loop_pass(p->loop, 0);
}

static void say(struct play *p, const uint8_t *data, size_t length)
{
	p->heard_bodies = count_bodies(p);
	for (size_t i = 0; i < length; i++)
		p->said_two |= data[i] == '2';
	if (p->peer != NULL)
		stream_write(p->peer, data, length);
	loop_pass(p->loop, 0);
}

static size_t line_length(const uint8_t *data, size_t length)
{
	const uint8_t *lf = memchr(data, '\n', length);

	return lf == NULL ? length : (size_t)(lf - data) + 1;
}

static void say_next(struct play *p, const uint8_t **data, size_t *length)
{
	size_t piece = line_length(*data, *length);

	if ((*data)[0] == '!') {
		loop_pass(p->loop, piece > 1 && (*data)[1] == '!' ? CLOCK_HOUR : CLOCK_MIN);
	} else if (p->options & OPTION_OCTETS) {
		for (size_t i = 0; i < piece; i++)
			say(p, *data + i, 1);
	} else {
		if ((p->options & OPTION_PAIRS) && piece < *length)
			piece += line_length(*data + piece, *length - piece);
		say(p, *data, piece);
	}
	*data += piece;
	*length -= piece;
}

static void check_clear(const struct play *p)
{
	struct bytes heard = { 0 };

	bytes_append_span(&heard, bytes_span(&p->heard));
	if (p->options & (OPTION_TLS | OPTION_LOGIN)) {
		CHECK(strstr(bytes_text(&heard), "MAIL") == NULL);
		CHECK(strstr(bytes_text(&heard), "AUTH") == NULL);
	}
	bytes_release(&heard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct play p = { 0 };

	if (length == 0)
		return 0;
	begin(&p, *data++);
	length--;
	while (length > 0)
		say_next(&p, &data, &length);
	p.heard_bodies = count_bodies(&p);
	stream_free(&p.peer);
	loop_pass(p.loop, CLOCK_HOUR);
	CHECK(p.closed || p.connection == NULL);
	connection_free(&p.connection);
	CHECK(p.returned == p.submitted);
	CHECK(p.sent + p.perhaps <= count_bodies(&p));
	check_clear(&p);
	loop_free(&p.loop);
	bytes_release(&p.heard);
	log_capture(NULL, NULL);
	return 0;
}
