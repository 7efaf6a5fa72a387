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
 *   POST    stop
 */
#include "config.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metric.h"
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
	struct pending pending;
	struct relay_status_request request;
};

static json_t *describe_provider(const struct provider_status *p)
{
	json_t *object = json_object();

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
	struct web *web = wait->pending.web;
	struct evhttp_request *request = pending_end(&wait->pending);
	int64_t up = clock_monotonic(web->options.clock) - web->started_us;
	json_t *object, *providers = json_array();

	for (size_t i = 0; i < answer->count; i++)
		json_array_append_new(providers, describe_provider(&answer->providers[i]));
	free(wait);
	if (request == NULL) {
		json_decref(providers);
		return;
	}
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
	web_answer_json(request, 200, object);
}

static void handle_status(struct web *web, struct evhttp_request *request)
{
	struct status_wait *wait = memory_new(sizeof(*wait));

	pending_start(&wait->pending, web, request);
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

static void list_queue(struct web *web, struct evhttp_request *request, uint64_t after,
                       size_t limit, const char *filter)
{
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
	web_answer_json(request, 200, object);
}

static void handle_queue(struct web *web, struct evhttp_request *request)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
	struct evkeyvalq values = { 0 };
	const char *after_text, *limit_text;
	uint64_t after = 0;
	unsigned long limit = QUEUE_LIMIT_DEFAULT;
	char *end = NULL;

	if (query != NULL && evhttp_parse_query_str(query, &values) < 0) {
		web_answer_error(request, 400, "the query is not of the form name=value&...");
		return;
	}
	after_text = query == NULL ? NULL : evhttp_find_header(&values, "after");
	limit_text = query == NULL ? NULL : evhttp_find_header(&values, "limit");
	if (limit_text != NULL)
		limit = strtoul(limit_text, &end, 10);
	if (after_text != NULL && id_parse(&after, after_text) < 0)
		web_answer_error(request, 400, "after: a message id has 13 characters");
	else if ((end != NULL && *end != '\0') || limit == 0 || limit > QUEUE_LIMIT_MAX)
		web_answer_error(request, 400, "limit: a number from 1 to %d", QUEUE_LIMIT_MAX);
	else
		list_queue(web, request, after, limit,
		           query == NULL ? NULL : evhttp_find_header(&values, "filter"));
	if (query != NULL)
		evhttp_clear_headers(&values);
}

/* ---- one message -------------------------------------------------------------------- */

struct order_wait {
	struct pending pending;
	struct relay_order order;
};

static void order_answer(struct relay_order *order)
{
	struct order_wait *wait = order->owner;
	struct evhttp_request *request = pending_end(&wait->pending);
	json_t *object;

	if (request == NULL) {
		free(wait);
		return;
	}
	if (!order->found) {
		web_answer_error(request, 404, "no such message in the queue");
	} else {
		object = json_object();
		json_object_set_new(object, "changed", json_integer((json_int_t)order->changed));
		json_object_set_new(object, "in_flight", json_integer((json_int_t)order->busy));
		web_answer_json(request, 200, object);
	}
	free(wait);
}

static void send_order(struct web *web, struct evhttp_request *request, enum relay_verb verb,
                       uint64_t id)
{
	struct order_wait *wait = memory_new(sizeof(*wait));

	pending_start(&wait->pending, web, request);
	wait->order.home = web->channel;
	wait->order.done = order_answer;
	wait->order.verb = verb;
	wait->order.id = id;
	wait->order.owner = wait;
	web->options.order(web->options.context, &wait->order);
}

static void handle_show(struct web *web, struct evhttp_request *request, uint64_t id)
{
	json_t *message = describe_message(web, id, true);

	if (message == NULL)
		web_answer_error(request, 404, "no such message");
	else
		web_answer_json(request, 200, message);
}

/* "messages/ID" and what follows it. */
static void handle_message(struct web *web, struct evhttp_request *request, const char *path)
{
	static const struct {
		enum evhttp_cmd_type method;
		const char *tail;
		enum relay_verb verb;
	} orders[] = {
		{ EVHTTP_REQ_POST, "/retry", RELAY_RETRY },
		{ EVHTTP_REQ_POST, "/hold", RELAY_HOLD },
		{ EVHTTP_REQ_POST, "/release", RELAY_RELEASE },
		{ EVHTTP_REQ_DELETE, "", RELAY_REMOVE },
	};
	enum evhttp_cmd_type method = evhttp_request_get_command(request);
	size_t length = strcspn(path, "/");
	const char *tail = path + length;
	char text[ID_TEXT_SIZE];
	uint64_t id;

	if (length >= sizeof(text)) {
		web_answer_error(request, 400, "a message id has 13 characters");
		return;
	}
	memcpy(text, path, length);
	text[length] = '\0';
	if (id_parse(&id, text) < 0) {
		web_answer_error(request, 400, "a message id has 13 characters");
		return;
	}
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (method == orders[i].method && strcmp(tail, orders[i].tail) == 0) {
			send_order(web, request, orders[i].verb, id);
			return;
		}
	if (method == EVHTTP_REQ_GET && *tail == '\0')
		handle_show(web, request, id);
	else if (method == EVHTTP_REQ_GET && strcmp(tail, "/content") == 0)
		content_send(web, request, id);
	else
		web_answer_error(request, 404, "no such path or method");
}

void control_handle(struct web *web, struct evhttp_request *request, const char *path)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(request);

	if (method == EVHTTP_REQ_GET && strcmp(path, "status") == 0) {
		handle_status(web, request);
	} else if (method == EVHTTP_REQ_GET && strcmp(path, "queue") == 0) {
		handle_queue(web, request);
	} else if (method == EVHTTP_REQ_GET && strcmp(path, "sessions") == 0) {
		sessions_handle(web, request);
	} else if (strncmp(path, "messages/", strlen("messages/")) == 0) {
		handle_message(web, request, path + strlen("messages/"));
	} else if (method == EVHTTP_REQ_POST && strcmp(path, "stop") == 0) {
		log_info("stop asked through the control socket");
		web_answer_json(request, 200, json_object());
		web->options.stop(web->options.context);
	} else {
		web_answer_error(request, 404, "no such path or method");
	}
}
