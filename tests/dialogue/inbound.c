/* SPDX-License-Identifier: ISC */
/* inbound.c - the inbound session as an engine of dialogues, over a store that keeps nothing.
 *
 * Events: "stored ID from=<A> to=<B>,<C> size=N with=ESMTP", and what else the client asked for,
 * when it did. Settings: see inbound_set().
 * Commands: "store holds" (requests wait), "store completes", "store fails", "store full".
 */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "receive/receive.h"

#define PIECE_SIZE 4080 /* octets; as with LMDB pages of 4 KiB */

struct inbound {
	struct dialogue *dialogue;
	struct settings settings;
	struct listener_settings listener;
	struct receive receive;
	struct timer complete; /* the store answers in a turn of its own, as the writer does */
	struct put *put;
	struct chunk *chunk;
	struct bytes recipients; /* of the put */
	uint64_t next_id, next_blob;
	bool holds, full;
	struct login_check *check; /* waits */
	struct timer checked;
};

static bool store_reserve(void *context, uint64_t octets, uint64_t spare)
{
	(void)octets;
	(void)spare;
	return !((struct inbound *)context)->full;
}

static void store_unreserve(void *context, uint64_t octets)
{
	(void)context;
	(void)octets;
}

static struct put *store_put_new(void *context)
{
	(void)context;
	return memory_new(sizeof(struct put));
}

static void request_came(struct inbound *in)
{
	if (!in->holds)
		timer_start(&in->complete, 0);
}

static void store_put(void *context, struct put *put)
{
	struct inbound *in = context;

	in->put = put;
	request_came(in);
}

static uint64_t store_blob_new(void *context)
{
	return ++((struct inbound *)context)->next_blob;
}

static void store_chunk(void *context, struct chunk *chunk)
{
	struct inbound *in = context;

	in->chunk = chunk;
	request_came(in);
}

static void store_drop(void *context, uint64_t blob)
{
	(void)context;
	(void)blob;
}

static void store_route(void *context, struct put *put, const struct envelope *envelope,
                        const char *listener)
{
	struct inbound *in = context;

	(void)put;
	(void)listener;
	bytes_clear(&in->recipients);
	for (size_t i = 0; i < envelope->count; i++) {
		const struct recipient *to = &envelope->recipients[i];

		bytes_printf(&in->recipients, "%s<%s>", i == 0 ? "" : ",", to->address.text);
		if (to->notify != NOTIFY_DEFAULT)
			bytes_printf(&in->recipients, "notify=%u", to->notify);
		if (to->orcpt != NULL)
			bytes_printf(&in->recipients, "orcpt=%s", to->orcpt);
	}
}

/* What was asked for beyond being delivered. */
static void describe_terms(struct bytes *out, const struct message_facts *facts)
{
	if (facts->terms.priority != 0)
		bytes_printf(out, " priority=%d", facts->terms.priority);
	if (facts->terms.require_tls)
		bytes_append_text(out, " requiretls");
	if (facts->terms.by_mode != BY_NONE)
		bytes_printf(out, " by=%c%s%lld", facts->terms.by_mode == BY_RETURN ? 'r' : 'n',
		             facts->terms.by_trace ? "t" : "",
		             (long long)((facts->terms.by_us - facts->trace.time_us) / CLOCK_SEC));
	if (facts->terms.release_us > 0)
		bytes_printf(
			out, " wait=%llds",
			(long long)((facts->terms.release_us - facts->trace.time_us) / CLOCK_SEC));
	if (facts->smtputf8)
		bytes_append_text(out, " smtputf8");
	if (facts->ret != RET_DEFAULT)
		bytes_append_text(out, facts->ret == RET_FULL ? " ret=full" : " ret=hdrs");
	if (facts->envid != NULL)
		bytes_printf(out, " envid=%s", facts->envid);
}

static void complete(struct inbound *in, int result)
{
	struct put *put = in->put;
	struct chunk *chunk = in->chunk;

	in->put = NULL;
	in->chunk = NULL;
	if (chunk != NULL)
		chunk->request.done(&chunk->request, result);
	if (put == NULL)
		return;
	put->reserved = 0;
	if (result == 0) {
		struct bytes terms = { 0 };

		put->facts.id = ++in->next_id;
		describe_terms(&terms, &put->facts);
		dialogue_event(in->dialogue, "stored %llu from=<%s> to=%s size=%llu with=%s%s",
		               (unsigned long long)put->facts.id, put->facts.sender.text,
		               bytes_text(&in->recipients), (unsigned long long)put->facts.size,
		               put->facts.trace.with, bytes_text(&terms));
		bytes_release(&terms);
	}
	put->request.done(&put->request, result);
}

static void complete_fired(void *context)
{
	complete(context, 0);
}

/* The helper with the users' file, whose only line is alice with the password secret. */
static uint64_t users_generation_of(void *context)
{
	(void)context;
	return 1;
}

static int users_ask(void *context, struct login_check *check)
{
	struct inbound *in = context;

	in->check = check;
	timer_start(&in->checked, 0);
	return 0;
}

static void users_answer(void *context)
{
	struct inbound *in = context;
	struct login_check *check = in->check;

	in->check = NULL;
	if (check == NULL)
		return;
	check->known = strcmp(check->name, "alice") == 0;
	check->good = check->known && strcmp(check->password, "secret") == 0;
	check->done(check);
}

static void *inbound_make(struct dialogue *d)
{
	struct inbound *in = memory_new(sizeof *in);

	in->dialogue = d;
	in->settings.hostname = memory_text("mx.test");
	in->listener.name = memory_text("here");
	in->listener.open_relay = true;
	in->listener.qualify = true;
	in->listener.max_message_size = 1024 * 1024;
	in->listener.max_recipients = 1000;
	in->listener.max_header_size = 128 * 1024;
	in->listener.min_data_rate = 500;
	in->listener.idle_timeout_us = 5 * CLOCK_MIN;
	timer_init(&in->complete, d->loop, complete_fired, in);
	timer_init(&in->checked, d->loop, users_answer, in);
	receive_init(&in->receive);
	return in;
}

static bool inbound_set(void *engine, const char *name, const char *value)
{
	struct inbound *in = engine;

	if (strcmp(name, "max-message-size") == 0)
		in->listener.max_message_size = strtoull(value, NULL, 10);
	else if (strcmp(name, "max-recipients") == 0)
		in->listener.max_recipients = strtoul(value, NULL, 10);
	else if (strcmp(name, "max-future-release") == 0)
		in->listener.max_future_release_us = strtoll(value, NULL, 10) * CLOCK_SEC;
	else if (strcmp(name, "local") == 0)
		return engine_parse_bool(&in->listener.local_submission, value);
	else if (strcmp(name, "auth") == 0 && strcmp(value, "optional") == 0)
		in->listener.auth = AUTH_OPTIONAL;
	else if (strcmp(name, "auth") == 0 && strcmp(value, "required") == 0)
		in->listener.auth = AUTH_REQUIRED;
	else if (strcmp(name, "auth-without-tls") == 0)
		return engine_parse_bool(&in->listener.auth_without_tls, value);
	else if (strcmp(name, "open-relay") == 0)
		return engine_parse_bool(&in->listener.open_relay, value);
	else if (strcmp(name, "tls") == 0 && strcmp(value, "starttls") == 0)
		in->listener.tls = LISTENER_TLS_STARTTLS;
	else if (strcmp(name, "tls") == 0 && strcmp(value, "required") == 0)
		in->listener.tls = LISTENER_TLS_REQUIRED;
	else if (strcmp(name, "bare-newline") == 0 && strcmp(value, "reject") == 0)
		in->listener.reject_bare_newline = true;
	else
		return false;
	return true;
}

static void inbound_start(void *engine, struct stream *stream)
{
	struct inbound *in = engine;

	in->receive.settings = &in->settings;
	in->receive.listener = &in->listener;
	in->receive.loop = in->dialogue->loop;
	if (in->listener.tls != LISTENER_TLS_OFF)
		in->receive.tls = in->dialogue->server_tls;
	in->receive.users = (struct receive_users){ users_generation_of, users_ask, in };
	in->receive.store = (struct receive_store){
		.reserve = store_reserve,
		.unreserve = store_unreserve,
		.put_new = store_put_new,
		.put = store_put,
		.blob_new = store_blob_new,
		.chunk = store_chunk,
		.drop = store_drop,
		.route = store_route,
		.piece_size = PIECE_SIZE,
		.context = in,
	};
	session_new(&in->receive, stream);
}

static bool inbound_command(void *engine, const char *word, const char *rest)
{
	struct inbound *in = engine;

	if (strcmp(word, "daemon") == 0 && strcmp(rest, "stops") == 0) {
		receive_stop(&in->receive);
		return true;
	}
	if (strcmp(word, "store") != 0)
		return false;
	if (strcmp(rest, "holds") == 0)
		in->holds = true;
	else if (strcmp(rest, "full") == 0)
		in->full = true;
	else if ((strcmp(rest, "completes") == 0 || strcmp(rest, "fails") == 0) &&
	         (in->put != NULL || in->chunk != NULL))
		complete(in, rest[0] == 'c' ? 0 : -1);
	else
		return false;
	return true;
}

static void inbound_end(void *engine)
{
	struct inbound *in = engine;

	receive_end(&in->receive);
	complete(in, -1);
	users_answer(in);
	timer_stop(&in->complete);
	timer_stop(&in->checked);
	bytes_release(&in->recipients);
	free(in->settings.hostname);
	free(in->listener.name);
	free(in);
}

const struct engine inbound_engine = {
	.name = "inbound",
	.peer = "client",
	.self = "server",
	.make = inbound_make,
	.set = inbound_set,
	.start = inbound_start,
	.command = inbound_command,
	.end = inbound_end,
};
