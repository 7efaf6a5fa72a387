/* SPDX-License-Identifier: ISC */
/* control.c - /relay/v1/...: what the penstock command asks.
 *
 *   GET     status                       counts, providers, counters
 *   GET     queue?after=&limit=&filter=  messages with deliveries, in order of acceptance; "next"
 *                                        goes on
 *   GET     messages/ID                  one message and its deliveries
 *   GET     messages/ID/content          the message itself
 *   POST    messages/ID/retry, /hold, /release
 *   DELETE  messages/ID                  its deliveries end without a bounce
 *   POST    reload, stop
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metric.h"
#include "config/values.h"
#include "mail/id.h"
#include "web/private.h"

#define QUEUE_LIMIT_DEFAULT 100
#define QUEUE_LIMIT_MAX     1000
/* Messages that one request looks at: a filter that matches nothing must not hold the thread. */
#define QUEUE_SCAN_MAX      10000
/* Recipients after which a page ends early: a message can have thousands, and its answer is made in
 * memory. */
#define QUEUE_RECIPIENTS    10000

/* ---- status ------------------------------------------------------------------- */

struct status_wait {
	struct call *call;
	struct relay_status_request request;
};

/* What a call gave to the dispatcher lives as long as the call. */
static void wait_release(struct call *call)
{
	free(call->context);
}

static json_t *describe_provider(const struct provider_status *p)
{
	json_t *object = json_object();
	struct bytes warm_up = { 0 };

	json_object_set_new(object, "name", json_text(p->name));
	json_object_set_new(object, "state", json_string(p->set_aside ? "set-aside" : "ok"));
	json_object_set_new(object, "aside_until",
	                    p->set_aside ? describe_time(p->aside_until_us) : json_null());
	json_object_set_new(object, "why", json_text(p->why));
	json_object_set_new(object, "connections", json_integer((json_int_t)p->connections_open));
	json_object_set_new(object, "ready", json_integer((json_int_t)p->connections_ready));
	json_object_set_new(object, "in_flight", json_integer((json_int_t)p->in_flight));
	json_object_set_new(object, "rate", p->rate > 0 ? json_real(p->rate) : json_null());
	json_object_set_new(object, "connections_max",
	                    json_integer((json_int_t)p->connections_max));
	if (p->warm_up.count > 0)
		rate_format(&p->warm_up, &warm_up);
	json_object_set_new(object, "warm_up",
	                    p->warm_up.count > 0 ? json_text(bytes_text(&warm_up)) : json_null());
	json_object_set_new(object, "warm_up_day",
	                    p->warm_up.count > 0 ? json_integer((json_int_t)p->warm_up_day)
	                                         : json_null());
	bytes_release(&warm_up);
	return object;
}

static json_t *describe_counters(void)
{
	json_t *object = json_object();

	for (int m = 0; m < METRIC_COUNT; m++)
		json_object_set_new(object, metric_name((enum metric)m),
		                    json_integer(metric_get((enum metric)m)));
	return object;
}

static json_t *describe_counts(struct web *web)
{
	struct spool_counts counts;
	json_t *object = json_object();

	reader_counts(web->reader, &counts);
	json_object_set_new(object, "messages", json_integer((json_int_t)counts.messages));
	json_object_set_new(object, "deliveries", json_integer((json_int_t)counts.deliveries));
	json_object_set_new(object, "in_flight", json_integer((json_int_t)counts.claims));
	json_object_set_new(object, "inbox", json_integer((json_int_t)counts.entries));
	json_object_set_new(object, "octets", json_integer((json_int_t)counts.octets));
	return object;
}

static void status_answer(struct relay_status_request *answer)
{
	struct status_wait *wait = answer->owner;
	struct call *call = wait->call;
	struct web *web = call->web;
	int64_t up = clock_monotonic(web->options.clock) - web->started_us;
	json_t *object, *providers = json_array();

	for (size_t i = 0; i < answer->count; i++)
		json_array_append_new(providers, describe_provider(&answer->providers[i]));
	object = json_object();
	json_object_set_new(object, "version", json_string(PACKAGE_VERSION));
	json_object_set_new(
		object, "mode",
		json_string(web->options.settings->mode == MODE_CATCH ? "catch" : "relay"));
	json_object_set_new(object, "pid", json_integer(getpid()));
	json_object_set_new(object, "uptime_seconds", json_integer(up / CLOCK_SEC));
	json_object_set_new(object, "spool", describe_counts(web));
	json_object_set_new(object, "providers", providers);
	json_object_set_new(object, "counters", describe_counters());
	answer_json(call, 200, object);
}

static void handle_status(struct call *call)
{
	struct web *web = call->web;
	struct status_wait *wait = memory_new(sizeof(*wait));

	wait->call = call;
	call->context = wait;
	call->release = wait_release;
	wait->request.home = web->channel;
	wait->request.done = status_answer;
	wait->request.owner = wait;
	web->options.status(web->options.context, &wait->request);
}

/* ---- the queue ------------------------------------------------------------------- */

static bool text_has(const json_t *object, const char *key, const char *filter)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL && strcasestr(text, filter) != NULL;
}

/* A filter is part of the id, of the sender, of a recipient, or a state's name. */
static bool matches(const json_t *message, const char *filter)
{
	size_t i, k;
	json_t *delivery, *recipient;

	if (filter == NULL || *filter == '\0' || text_has(message, "id", filter) ||
	    text_has(message, "sender", filter))
		return true;
	json_array_foreach(json_object_get(message, "deliveries"), i, delivery)
	{
		if (text_has(delivery, "state", filter))
			return true;
		json_array_foreach(
			json_object_get(delivery, "recipients"), k,
			recipient) if (text_has(recipient, "address", filter)) return true;
	}
	return false;
}

static size_t recipients_of(const json_t *message)
{
	size_t count = 0, i;
	json_t *delivery;

	json_array_foreach(json_object_get(message, "deliveries"), i, delivery) count +=
		json_array_size(json_object_get(delivery, "recipients"));
	return count;
}

static void list_queue(struct call *call, uint64_t after, size_t limit, const char *filter)
{
	struct web *web = call->web;
	json_t *object = json_object(), *messages = json_array();
	size_t scanned = 0, recipients = 0;
	bool more = true;
	uint64_t id;
	char text[ID_TEXT_SIZE];

	while (json_array_size(messages) < limit && scanned < QUEUE_SCAN_MAX &&
	       recipients < QUEUE_RECIPIENTS) {
		json_t *message;

		more = reader_messages(web->reader, after, &id, 1) == 1;
		if (!more)
			break;
		after = id;
		scanned++;
		message = describe_message(web, id, false);
		if (recipients_of(message) > 0 && matches(message, filter)) {
			recipients += recipients_of(message);
			json_array_append(messages, message);
		}
		json_decref(message);
	}
	json_object_set_new(object, "messages", messages);
	id_format(after, text);
	/* There may be more: ask again with after=next. */
	if (more)
		json_object_set_new(object, "next", json_string(text));
	answer_json(call, 200, object);
}

static void handle_queue(struct call *call)
{
	const char *after_text = call_query(call, "after"), *limit_text = call_query(call, "limit");
	unsigned long limit = QUEUE_LIMIT_DEFAULT;
	uint64_t after = 0;
	char *end = NULL;

	if (limit_text != NULL)
		limit = strtoul(limit_text, &end, 10);
	if (after_text != NULL && id_parse(&after, after_text) < 0)
		answer_error(call, 400, "after: a message id has 13 characters");
	else if ((end != NULL && *end != '\0') || limit == 0 || limit > QUEUE_LIMIT_MAX)
		answer_error(call, 400, "limit: a number from 1 to %d", QUEUE_LIMIT_MAX);
	else
		list_queue(call, after, limit, call_query(call, "filter"));
}

/* ---- one message -------------------------------------------------------------------- */

struct order_wait {
	struct call *call;
	struct relay_order order;
};

static void order_answer(struct relay_order *order)
{
	struct order_wait *wait = order->owner;
	json_t *object;

	if (!order->found) {
		answer_error(wait->call, 404, "no such message in the queue");
		return;
	}
	object = json_object();
	json_object_set_new(object, "changed", json_integer((json_int_t)order->changed));
	json_object_set_new(object, "in_flight", json_integer((json_int_t)order->busy));
	answer_json(wait->call, 200, object);
}

/* False: it was answered. */
static bool id_of(struct call *call, uint64_t *id_r)
{
	if (id_parse(id_r, call->arguments[0]) == 0)
		return true;
	answer_error(call, 400, "a message id has 13 characters");
	return false;
}

static void send_order(struct call *call, enum relay_verb verb)
{
	struct order_wait *wait;
	uint64_t id;

	if (!id_of(call, &id))
		return;
	wait = memory_new(sizeof(*wait));
	wait->call = call;
	call->context = wait;
	call->release = wait_release;
	wait->order.home = call->web->channel;
	wait->order.done = order_answer;
	wait->order.verb = verb;
	wait->order.id = id;
	wait->order.owner = wait;
	call->web->options.order(call->web->options.context, &wait->order);
}

static void handle_retry(struct call *call)
{
	send_order(call, RELAY_RETRY);
}

static void handle_hold(struct call *call)
{
	send_order(call, RELAY_HOLD);
}

static void handle_release(struct call *call)
{
	send_order(call, RELAY_RELEASE);
}

static void handle_remove(struct call *call)
{
	send_order(call, RELAY_REMOVE);
}

static void handle_show(struct call *call)
{
	json_t *message;
	uint64_t id;

	if (!id_of(call, &id))
		return;
	message = describe_message(call->web, id, true);
	if (message == NULL)
		answer_error(call, 404, "no such message");
	else
		answer_json(call, 200, message);
}

static void handle_content(struct call *call)
{
	uint64_t id;

	if (id_of(call, &id) && !content_answer(call, id, "message/rfc822"))
		answer_error(call, 404, "no such message");
}

static void reload_release(struct call *call)
{
	struct web_reload *request = call->context;

	bytes_release(&request->error);
	free(request);
}

static void reload_answer(struct web_reload *request)
{
	json_t *object;

	if (request->failed) {
		answer_error(request->owner, 409, "%s", bytes_text(&request->error));
		return;
	}
	object = json_object();
	json_object_set_new(object, "settings",
	                    json_string(request->restarts ? "new" : "unchanged"));
	answer_json(request->owner, 200, object);
}

static void handle_reload(struct call *call)
{
	struct web_reload *request = memory_new(sizeof(*request));

	request->home = call->web->channel;
	request->done = reload_answer;
	request->owner = call;
	call->context = request;
	call->release = reload_release;
	call->web->options.reload(call->web->options.context, request);
}

static void handle_stop(struct call *call)
{
	struct web *web = call->web;

	log_info("stop asked through the control socket");
	answer_json(call, 200, json_object());
	web->options.stop(web->options.context);
}

static void handle_unknown(struct call *call)
{
	answer_error(call, 404, "no such path or method");
}

#define CONTROL (WAY_CONTROL | WAY_BARE)
const struct way control_ways[] = {
	{ EVHTTP_REQ_GET, "/relay/v1/status", handle_status, CONTROL },
	{ EVHTTP_REQ_GET, "/relay/v1/queue", handle_queue, CONTROL },
	{ EVHTTP_REQ_GET, "/relay/v1/messages/{ID}", handle_show, CONTROL },
	{ EVHTTP_REQ_DELETE, "/relay/v1/messages/{ID}", handle_remove, CONTROL },
	{ EVHTTP_REQ_GET, "/relay/v1/messages/{ID}/content", handle_content, CONTROL },
	{ EVHTTP_REQ_POST, "/relay/v1/messages/{ID}/retry", handle_retry, CONTROL },
	{ EVHTTP_REQ_POST, "/relay/v1/messages/{ID}/hold", handle_hold, CONTROL },
	{ EVHTTP_REQ_POST, "/relay/v1/messages/{ID}/release", handle_release, CONTROL },
	{ EVHTTP_REQ_POST, "/relay/v1/reload", handle_reload, CONTROL },
	{ EVHTTP_REQ_POST, "/relay/v1/stop", handle_stop, CONTROL },
	{ EVHTTP_REQ_GET, "/relay/v1/{*}", handle_unknown, CONTROL },
	WAYS_END,
};
