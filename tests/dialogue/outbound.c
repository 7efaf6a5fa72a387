/* SPDX-License-Identifier: ISC */
/* outbound.c - the outbound connection as an engine of dialogues; the script is the server.
 *
 * Events: "ready" and what the peer allows, "done ID END REPLY", after it "to <A> REPLY" for each
 * recipient whose reply is another, and "closed STAGE REPLY". Commands: "submit ID from=<A>
 * to=<B>,<C> body=WORDS_LIKE_THIS" and "finish". Settings: see outbound_set().
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "transport/transport.h"

struct outbound {
	struct dialogue *dialogue;
	struct provider_settings provider;
	struct transport transport;
	struct connection *connection;
	bool ready;
};

/* The content of one message */

struct text_source {
	struct source source; /* first */
	struct bytes text;
};

static int source_read(struct source *source, struct bytes *out, size_t max)
{
	struct text_source *t = (struct text_source *)(void *)source;
	size_t length = t->text.length < max ? t->text.length : max;

	bytes_append(out, t->text.data, length);
	bytes_consume(&t->text, length);
	return 0;
}

static void source_free(struct source *source)
{
	struct text_source *t = (struct text_source *)(void *)source;

	bytes_release(&t->text);
	free(t);
}

/* "A_line/Another" becomes two lines of words. */
static struct source *source_of(const char *body)
{
	struct text_source *t = memory_new(sizeof *t);

	t->source = (struct source){ .read = source_read, .free = source_free };
	for (; *body != '\0'; body++) {
		if (*body == '/')
			bytes_append_text(&t->text, "\r\n");
		else
			bytes_append_char(&t->text, *body == '_' ? ' ' : *body);
	}
	bytes_append_text(&t->text, "\r\n");
	t->source.length = t->text.length;
	return &t->source;
}

/* What it tells */

static void on_ready(void *context, const struct peer_facts *facts)
{
	struct outbound *o = context;

	o->ready = true;
	dialogue_event(o->dialogue, "ready%s%s%s%s", facts->tls ? " tls" : "",
	               facts->pipelining ? " pipelining" : "",
	               facts->eight_bit_mime ? " 8bitmime" : "", facts->dsn ? " dsn" : "");
}

static void say_reply(struct outbound *o, const char *before, const struct reply *reply)
{
	struct bytes text = { 0 };

	reply_format(reply, &text);
	dialogue_event(o->dialogue, "%s %s%s", before, reply->local ? "local " : "",
	               bytes_text(&text));
	bytes_release(&text);
}

static bool same_reply(const struct reply *a, const struct reply *b)
{
	return a->code == b->code &&
	       strcmp(a->text != NULL ? a->text : "", b->text != NULL ? b->text : "") == 0;
}

static void on_done(void *context, struct transaction *t)
{
	static const char *const ends[] = {
		[TRANSACTION_REPLIED] = "replied",
		[TRANSACTION_UNSENT] = "unsent",
		[TRANSACTION_INDETERMINATE] = "indeterminate",
	};
	struct outbound *o = context;
	char before[300];

	snprintf(before, sizeof before, "done %llu %s", (unsigned long long)t->id, ends[t->end]);
	say_reply(o, before, &t->reply);
	for (size_t i = 0; t->end == TRANSACTION_REPLIED && i < t->count; i++) {
		if (same_reply(&t->results[i].reply, &t->reply))
			continue;
		snprintf(before, sizeof before, "to <%s>", t->recipients[i].address.text);
		say_reply(o, before, &t->results[i].reply);
	}
	transaction_free(&t);
}

static void on_closed(void *context, enum connection_stage stage, const struct reply *why)
{
	static const char *const stages[] = {
		[STAGE_RESOLVE] = "closed resolve",   [STAGE_CONNECT] = "closed connect",
		[STAGE_GREETING] = "closed greeting", [STAGE_TLS] = "closed tls",
		[STAGE_LOGIN] = "closed login",       [STAGE_READY] = "closed ready",
	};
	struct outbound *o = context;

	o->ready = false;
	say_reply(o, stages[stage], why);
	connection_free(&o->connection);
}

static const struct connection_events connection_events = {
	.ready = on_ready,
	.done = on_done,
	.closed = on_closed,
};

/* What it is told */

static void *outbound_make(struct dialogue *d)
{
	struct outbound *o = memory_new(sizeof *o);

	o->dialogue = d;
	o->provider.name = memory_text("smarthost");
	o->provider.host = memory_text("localhost");
	o->provider.port = 587;
	o->provider.tls = PROVIDER_TLS_NEVER;
	o->provider.connections = 1;
	o->provider.messages_per_connection = 100;
	o->provider.recipients_per_message = 50;
	o->provider.pipeline = 20;
	o->provider.connect_timeout_us = 30 * CLOCK_SEC;
	o->provider.idle_timeout_us = CLOCK_MIN;
	o->provider.connection_age_us = 5 * CLOCK_MIN;
	o->transport = (struct transport){ .loop = d->loop, .hostname = "relay.test" };
	return o;
}

static bool outbound_set(void *engine, const char *name, const char *value)
{
	static const struct {
		const char *name;
		enum provider_tls tls;
	} kinds[] = { { "opportunistic", PROVIDER_TLS_OPPORTUNISTIC },
		      { "starttls", PROVIDER_TLS_STARTTLS },
		      { "implicit", PROVIDER_TLS_IMPLICIT },
		      { "never", PROVIDER_TLS_NEVER } };
	struct outbound *o = engine;

	for (size_t i = 0; strcmp(name, "tls") == 0 && i < sizeof kinds / sizeof kinds[0]; i++) {
		if (strcmp(kinds[i].name, value) != 0)
			continue;
		o->provider.tls = kinds[i].tls;
		return true;
	}
	if (strcmp(name, "login") == 0 && o->provider.login == NULL)
		o->provider.login = memory_text(value);
	else if (strcmp(name, "password") == 0 && o->provider.password == NULL)
		o->provider.password = memory_text(value);
	else if (strcmp(name, "token") == 0 && o->provider.password == NULL) {
		o->provider.password = memory_text(value);
		o->provider.oauth2.used = true;
	} else if (strcmp(name, "pipeline") == 0)
		o->provider.pipeline = strtoul(value, NULL, 10);
	else
		return false;
	return true;
}

static void outbound_start(void *engine, struct stream *stream)
{
	struct outbound *o = engine;

	o->connection = connection_new_on(&o->transport, stream, &o->provider,
	                                  o->dialogue->client_tls, 1, &connection_events, o);
}

/* "<B>,<C>" */
static bool add_recipients(struct transaction *t, const char *list)
{
	const char *error;
	size_t used;

	while (*list == '<') {
		struct recipient to = { 0 };

		if (address_parse_path(&to.address, span_of_text(list), 0, &used, &error) < 0)
			return false;
		t->recipients = memory_grow(t->recipients, t->count + 1, sizeof *t->recipients);
		t->recipients[t->count++] = to;
		list += used;
		if (*list == ',')
			list++;
	}
	return *list == '\0' && t->count > 0;
}

static bool submit(struct outbound *o, const char *rest)
{
	char *from = engine_argument(rest, "from"), *to = engine_argument(rest, "to");
	char *body = engine_argument(rest, "body");
	struct transaction *t = memory_new(sizeof *t);
	const char *error;
	size_t used;
	bool good = from != NULL && to != NULL && body != NULL &&
	            address_parse_path(&t->sender, span_of_text(from), ADDRESS_NULL, &used,
	                               &error) == 0 &&
	            add_recipients(t, to);

	if (good) {
		t->id = strtoull(rest, NULL, 10);
		t->size = strlen(body) + 2;
		t->source = source_of(body);
		connection_submit(o->connection, t);
	} else {
		transaction_free(&t);
	}
	free(from);
	free(to);
	free(body);
	return good;
}

static bool outbound_command(void *engine, const char *word, const char *rest)
{
	struct outbound *o = engine;

	if (!o->ready)
		return false;
	if (strcmp(word, "submit") == 0)
		return submit(o, rest);
	if (strcmp(word, "finish") != 0 || *rest != '\0')
		return false;
	connection_finish(o->connection);
	return true;
}

static void outbound_end(void *engine)
{
	struct outbound *o = engine;

	connection_free(&o->connection);
	free(o->provider.name);
	free(o->provider.host);
	free(o->provider.login);
	free(o->provider.password);
	free(o);
}

const struct engine outbound_engine = {
	.name = "outbound",
	.peer = "server",
	.self = "client",
	.expects_events = true,
	.make = outbound_make,
	.set = outbound_set,
	.start = outbound_start,
	.command = outbound_command,
	.end = outbound_end,
};
