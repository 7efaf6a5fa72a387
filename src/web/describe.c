/* SPDX-License-Identifier: ISC */
/* describe.c - messages and deliveries as the control API shows them. */
#include "base/json.h"
#include "mail/id.h"
#include "web/private.h"

/* Deliveries of one message that are described at most; each has up to 50 recipients. */
#define DELIVERIES_SHOWN 2000

json_t *describe_time(int64_t wall_us)
{
	char text[CLOCK_DATE_MAX];

	clock_format_rfc3339(wall_us, text);
	return json_string(text);
}

/* A delivery that waits has its due row; one in flight has none. */
static bool is_waiting(struct web *web, const struct delivery *d)
{
	struct due_row row, from = {
		.queue = d->queue,
		.priority = d->priority,
		.class = d->class,
		.time_us = d->due_us,
		.id = d->id,
		.n = d->n,
	};

	return reader_due(web->reader, &from, d->due_us, &row, 1) == 1 && row.id == d->id &&
	       row.n == d->n;
}

/* The sender asked for a time to come (RFC 4865). */
static bool is_scheduled(struct web *web, const struct delivery *d)
{
	return d->due_us != CLOCK_NEVER && d->due_us == d->accepted_us &&
	       d->due_us > clock_wall(web->options.clock);
}

static const char *state_of(struct web *web, const struct delivery *d)
{
	if (!is_waiting(web, d))
		return "in-flight";
	if (d->due_us == CLOCK_NEVER)
		return "held";
	if (is_scheduled(web, d))
		return "scheduled";
	return d->attempts == 0 ? "queued" : "deferred";
}

static json_t *describe_delivery(struct web *web, const struct delivery *d)
{
	const struct route *route = route_of_queue(web->options.router, d->queue);
	json_t *object = json_object(), *recipients = json_array();

	json_object_set_new(object, "state", json_string(state_of(web, d)));
	json_object_set_new(object, "route",
	                    json_text(route != NULL && route->settings != NULL
	                                      ? route->settings->name
	                                      : "unrouted"));
	json_object_set_new(object, "attempts", json_integer(d->attempts));
	json_object_set_new(object, "next_attempt",
	                    d->due_us == CLOCK_NEVER ? json_null() : describe_time(d->due_us));
	json_object_set_new(object, "held_until",
	                    is_scheduled(web, d) ? describe_time(d->due_us) : json_null());
	for (size_t i = 0; i < d->count; i++) {
		json_t *recipient = json_object();

		json_object_set_new(recipient, "address",
		                    json_text(d->recipients[i].to.address.text));
		json_object_set_new(recipient, "last_reply",
		                    json_text(d->recipients[i].last_reply));
		json_array_append_new(recipients, recipient);
	}
	json_object_set_new(object, "recipients", recipients);
	return object;
}

static void describe_facts(json_t *object, const struct message_facts *facts, bool detail)
{
	json_object_set_new(object, "size", json_integer((json_int_t)facts->size));
	json_object_set_new(object, "sender", json_text(facts->sender.text));
	json_object_set_new(object, "accepted", describe_time(facts->trace.time_us));
	if (!detail)
		return;
	json_object_set_new(object, "login", json_text(facts->login));
	json_object_set_new(object, "client", json_text(facts->trace.client));
	json_object_set_new(object, "helo", json_text(facts->trace.helo));
	json_object_set_new(object, "with", json_text(facts->trace.with));
	json_object_set_new(object, "tls", json_text(facts->trace.tls));
}

json_t *describe_message(struct web *web, uint64_t id, bool detail)
{
	struct message_facts facts;
	json_t *object, *deliveries = json_array();
	char text[ID_TEXT_SIZE];
	uint32_t n[DELIVERIES_SHOWN];
	size_t count;

	if (!reader_message(web->reader, id, &facts)) {
		json_decref(deliveries);
		return NULL;
	}
	count = reader_deliveries(web->reader, id, 0, n, DELIVERIES_SHOWN);
	for (size_t i = 0; i < count; i++) {
		struct delivery d;

		if (!reader_delivery(web->reader, id, n[i], &d))
			continue;
		json_array_append_new(deliveries, describe_delivery(web, &d));
		delivery_release(&d);
	}
	object = json_object();
	id_format(id, text);
	json_object_set_new(object, "id", json_string(text));
	describe_facts(object, &facts, detail);
	json_object_set_new(object, "deliveries", deliveries);
	message_facts_release(&facts);
	return object;
}
