/* SPDX-License-Identifier: ISC */
/* server.c - the web thread: evhttp within its limits, on the control socket.
 *
 * Who may connect is the socket's mode (0660 root:penstock, or 0600 of the user): there is no
 * login.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "web/private.h"

/* evhttp's own defaults are unlimited. */
#define HEADERS_MAX  (16 * 1024)   /* octets of a request's head; curl sends 200 */
#define BODY_MAX     (1024 * 1024) /* octets; the control API takes no large body */
#define TIMEOUT_SECS 60            /* an idle client; pages of a listing take milliseconds */

struct web_thread {
	struct web web; /* first */
	pthread_t thread;
};

void web_answer_json(struct evhttp_request *request, int status, json_t *value)
{
	struct bytes text = { 0 };
	struct evbuffer *body = evhttp_request_get_output_buffer(request);

	json_line(&text, value);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
	                  "application/json");
	evbuffer_add(body, text.data, text.length);
	evhttp_send_reply(request, status, NULL, NULL);
	bytes_release(&text);
}

void web_answer_error(struct evhttp_request *request, int status, const char *format, ...)
{
	struct bytes text = { 0 };
	json_t *object = json_object();
	va_list arguments;

	va_start(arguments, format);
	bytes_vprintf(&text, format, arguments);
	va_end(arguments);
	json_object_set_new(object, "error", json_text(bytes_text(&text)));
	bytes_release(&text);
	web_answer_json(request, status, object);
}

/* evhttp tells of a client that goes away through its connection only. */
static void client_closed(struct evhttp_connection *connection, void *context)
{
	struct pending *p = context;

	(void)connection;
	p->request = NULL;
}

void pending_start(struct pending *p, struct web *web, struct evhttp_request *request)
{
	p->web = web;
	p->request = request;
	list_append(&web->pending, &p->link);
	evhttp_connection_set_closecb(evhttp_request_get_connection(request), client_closed, p);
}

struct evhttp_request *pending_end(struct pending *p)
{
	struct evhttp_request *request = p->request;

	list_remove(&p->link);
	if (request != NULL)
		evhttp_connection_set_closecb(evhttp_request_get_connection(request), NULL, NULL);
	p->request = NULL;
	return request;
}

static void request_arrived(struct evhttp_request *request, void *context)
{
	struct web *web = context;
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));

	if (path != NULL && strncmp(path, "/relay/v1/", strlen("/relay/v1/")) == 0)
		control_handle(web, request, path + strlen("/relay/v1/"));
	else
		web_answer_error(request, 404, "no such path; the control API is /relay/v1/...");
}

static void *web_main(void *argument)
{
	struct web_thread *t = argument;

	loop_run(t->web.loop);
	return NULL;
}

static void stop_arrived(struct channel_item *item, void *receiver)
{
	struct web *web = receiver;

	free(item);
	content_end_all(web);
	loop_stop(web->loop);
}

static void web_free(struct web_thread *t)
{
	struct web *web = &t->web;

	channel_receive(web->channel);
	if (web->http != NULL)
		evhttp_free(web->http);
	/* Freed connections are finished by one more turn of the loop. */
	event_base_loop(loop_base(web->loop), EVLOOP_NONBLOCK);
	reader_free(&web->reader);
	loop_free(&web->loop);
	channel_free(&web->channel);
	free(t);
}

int web_start(struct web **web_r, const struct web_options *options, struct bytes *error)
{
	struct web_thread *t = memory_new(sizeof(*t));
	struct web *web = &t->web;
	int rc;

	web->options = *options;
	list_init(&web->pending);
	list_init(&web->bodies);
	web->started_us = clock_monotonic(options->clock);
	web->loop = loop_new(options->clock);
	web->channel = channel_new(web);
	loop_attach(web->loop, web->channel);
	web->reader = reader_new(options->spool);
	web->http = evhttp_new(loop_base(web->loop));
	evhttp_set_max_headers_size(web->http, HEADERS_MAX);
	evhttp_set_max_body_size(web->http, BODY_MAX);
	evhttp_set_timeout(web->http, TIMEOUT_SECS);
	evhttp_set_allowed_methods(web->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_DELETE);
	evhttp_set_gencb(web->http, request_arrived, web);
	if (evhttp_accept_socket(web->http, options->control_fd) < 0) {
		bytes_append_text(error, "cannot serve the control socket");
		close(options->control_fd);
		web_free(t);
		return -1;
	}
	rc = pthread_create(&t->thread, NULL, web_main, t);
	if (rc != 0) {
		bytes_printf(error, "cannot start the web thread: %s", strerror(rc));
		web_free(t);
		return -1;
	}
	*web_r = web;
	return 0;
}

void web_stop(struct web **web_p)
{
	struct web_thread *t = (struct web_thread *)*web_p;
	struct channel_item *item;

	if (t == NULL)
		return;
	*web_p = NULL;
	item = memory_new(sizeof(*item));
	item->arrived = stop_arrived;
	channel_post(t->web.channel, item);
	pthread_join(t->thread, NULL);
	web_free(t);
}
