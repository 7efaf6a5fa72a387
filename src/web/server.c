/* SPDX-License-Identifier: ISC */
/* server.c - the web thread: evhttp within its limits, on the control socket.
 *
 * Who may connect is the socket's mode (0660 root:penstock, or 0600 of the user): there is no
 * login.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <poll.h>
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
/* Octets that wait unread: evhttp goes on reading while it streams an answer. At least HEADERS_MAX,
 * for a head is parsed a line at a time. */
#define INPUT_MAX    (2 * HEADERS_MAX)

/* Pause of accepting when descriptors ran out. */
#define SHORTAGE_PAUSE_MS 50

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
	struct evhttp_connection *connection = evhttp_request_get_connection(request);

	bufferevent_setwatermark(evhttp_connection_get_bufferevent(connection), EV_READ, 0,
	                         INPUT_MAX);
	if (path != NULL && strncmp(path, "/relay/v1/", strlen("/relay/v1/")) == 0)
		control_handle(web, request, path + strlen("/relay/v1/"));
	else
		web_answer_error(request, 404, "no such path; the control API is /relay/v1/...");
}

static void *web_main(void *argument)
{
	struct web *web = argument;

	loop_run(web->loop);
	return NULL;
}

static void stop_arrived(struct channel_item *item, void *receiver)
{
	struct web *web = receiver;

	free(item);
	content_end_all(web);
	loop_stop(web->loop);
}

/* The connection stays in the backlog, so evhttp would ask again at once, and again. */
static void accept_failed(struct evconnlistener *listener, void *context)
{
	(void)listener;
	(void)context;
	log_warning("accepting on the control socket waits error=%s", log_quoted(strerror(errno)));
	poll(NULL, 0, SHORTAGE_PAUSE_MS);
}

static int serve(struct web *web, struct bytes *error)
{
	struct event_base *base = loop_base(web->loop);
	struct evconnlistener *listener;

	web->http = evhttp_new(base);
	evhttp_set_max_headers_size(web->http, HEADERS_MAX);
	evhttp_set_max_body_size(web->http, BODY_MAX);
	evhttp_set_timeout(web->http, TIMEOUT_SECS);
	evhttp_set_allowed_methods(web->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_DELETE);
	evhttp_set_gencb(web->http, request_arrived, web);
	listener =
		evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE,
	                           0, web->options.control_fd);
	if (listener == NULL || evhttp_bind_listener(web->http, listener) == NULL) {
		bytes_append_text(error, "cannot serve the control socket");
		if (listener == NULL)
			close(web->options.control_fd);
		else
			evconnlistener_free(listener);
		return -1;
	}
	evconnlistener_set_error_cb(listener, accept_failed);
	return 0;
}

int web_start(struct web **web_r, const struct web_options *options, struct bytes *error)
{
	struct web *web = memory_new(sizeof(*web));
	int rc;

	*web_r = web;
	web->options = *options;
	list_init(&web->pending);
	list_init(&web->bodies);
	web->started_us = clock_monotonic(options->clock);
	web->loop = loop_new(options->clock);
	web->channel = channel_new(web);
	loop_attach(web->loop, web->channel);
	web->reader = reader_new(options->spool);
	if (serve(web, error) < 0)
		return -1;
	rc = pthread_create(&web->thread, NULL, web_main, web);
	if (rc != 0) {
		bytes_printf(error, "cannot start the web thread: %s", strerror(rc));
		return -1;
	}
	web->running = true;
	return 0;
}

void web_stop(struct web *web)
{
	struct channel_item *item;

	if (web == NULL || !web->running)
		return;
	item = memory_new(sizeof(*item));
	item->arrived = stop_arrived;
	channel_post(web->channel, item);
	pthread_join(web->thread, NULL);
	web->running = false;
}

void web_free(struct web **web_p)
{
	struct web *web = *web_p;
	struct list *node, *after;

	if (web == NULL)
		return;
	*web_p = NULL;
	channel_receive(web->channel);
	evhttp_free(web->http); /* tells what is pending that its client is gone */
	/* What never came back has nobody any more who could bring it. */
	list_each(node, after, &web->pending) free(list_entry(node, struct pending, link));
	/* Freed connections are finished by one more turn of the loop. */
	event_base_loop(loop_base(web->loop), EVLOOP_NONBLOCK);
	sessions_release(&web->sessions);
	reader_free(&web->reader);
	loop_free(&web->loop);
	channel_free(&web->channel);
	free(web);
}
