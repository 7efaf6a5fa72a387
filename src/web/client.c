/* SPDX-License-Identifier: ISC */
/* client.c - the connections of an evhttp: counted, bounded in time and in what they send.
 *
 * evhttp accepts without a limit, tells nobody of a connection before its first whole request, and
 * its timeouts start again with each octet. So each connection gets a struct of ours right after
 * its accept: the bufferevent is made by us, and what evhttp set as the argument of its
 * callbacks is the evhttp_connection. Invariant: face->connection_count is the number of these
 * structs and of what is in face->fresh.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "net/tls.h"
#include "web/private.h"

/* evhttp's own defaults are unlimited. */
#define HEADERS_MAX       (16 * 1024) /* octets of a request's head; curl sends 200 */
#define TIMEOUT_SECS      60          /* without an octet either way */
/* From one answer to the whole next request, however its octets come. */
#define REQUEST_US        (60 * CLOCK_SEC)
/* Octets that wait unread: evhttp goes on reading while it streams an answer. At least HEADERS_MAX,
 * for a head is parsed a line at a time. */
#define INPUT_MAX         (2 * HEADERS_MAX)
/* What every way takes at least; router.c says which takes more. */
#define BODY_MIN          (6 * 1024 * 1024) /* octets */
/* Requests that are in memory, all together. One may be a message of the largest size in base64. */
#define RECEIVING_MAX     (160ull * 1024 * 1024)
/* At the most connections: those that have been idle for so long make room for others. */
#define SPARE_IDLE_US     (1 * CLOCK_SEC)
#define SWEEP_US          (1 * CLOCK_SEC)
#define SWEEP_FULL_US     (50 * CLOCK_MS)
/* Pause of accepting when descriptors ran out. */
#define SHORTAGE_PAUSE_MS 50

/* ---- the listeners ------------------------------------------------------------ */

static void face_pause(struct face *face, bool pause)
{
	if (face->paused == pause)
		return;
	face->paused = pause;
	for (size_t i = 0; i < face->listener_count; i++) {
		if (pause)
			evconnlistener_disable(face->listeners[i]);
		else
			evconnlistener_enable(face->listeners[i]);
	}
	if (pause) {
		log_debug("accepting waits: %zu connections", face->connection_count);
		timer_start(&face->web->sweep, SWEEP_FULL_US);
	}
}

/* The connection stays in the backlog, so evhttp would ask again at once, and again. */
static void accept_failed(struct evconnlistener *listener, void *context)
{
	(void)listener;
	(void)context;
	log_warning("accepting on the web's sockets waits error=%s", log_quoted(strerror(errno)));
	poll(NULL, 0, SHORTAGE_PAUSE_MS);
}

/* ---- one connection ------------------------------------------------------------- */

static void client_free(struct client *c)
{
	struct face *face = c->face;

	c->web->receiving -= c->received;
	list_remove(&c->link);
	free(c);
	face->connection_count--;
	if (face->paused && face->connection_count < face->connection_max && !face->web->stopping)
		face_pause(face, false);
}

/* evhttp frees it, or we do. */
static void client_closed(struct evhttp_connection *http, void *context)
{
	struct client *c = context;
	struct call *call = c->call;

	(void)http;
	c->call = NULL;
	if (call != NULL)
		call_gone(call);
	client_free(c);
}

/* Runs inside evhttp's reading: what is too much is only noted, sweep() ends it. */
static void input_grew(struct evbuffer *input, const struct evbuffer_cb_info *info, void *context)
{
	struct client *c = context;

	(void)input;
	if (info->n_added == 0)
		return;
	c->received += info->n_added;
	c->web->receiving += info->n_added;
	if (c->web->receiving > RECEIVING_MAX)
		timer_start(&c->web->sweep, 0);
}

static void client_adopt(struct face *face, struct bufferevent *bev)
{
	struct client *c;
	void *http = NULL;

	bufferevent_getcb(bev, NULL, NULL, NULL, &http);
	if (http == NULL) { /* evhttp gave it up at once */
		face->connection_count--;
		return;
	}
	c = memory_new(sizeof(*c));
	c->web = face->web;
	c->face = face;
	c->http = http;
	c->bev = bev;
	c->since_us = loop_now(face->web->loop);
	list_append(&face->web->clients, &c->link);
	c->watched = evbuffer_add_cb(bufferevent_get_input(bev), input_grew, c);
	evhttp_connection_set_closecb(http, client_closed, c);
	if (!timer_running(&face->web->sweep))
		timer_start(&face->web->sweep, SWEEP_US);
}

/* In the turn of the accept, before anything can be read. */
static void adopt_fresh(evutil_socket_t fd, short what, void *context)
{
	struct face *face = context;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < face->fresh_count; i++) {
		client_adopt(face, face->fresh[i]);
		bufferevent_decref(face->fresh[i]);
	}
	face->fresh_count = 0;
}

static struct bufferevent *bufferevent_made(struct event_base *base, void *context)
{
	struct face *face = context;
	struct bufferevent *bev = face->tls != NULL
	                                  ? tls_bufferevent(face->tls, base)
	                                  : bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

	if (bev == NULL)
		return NULL;
	bufferevent_incref(bev);
	face->fresh = memory_grow(face->fresh, face->fresh_count + 1, sizeof(struct bufferevent *));
	face->fresh[face->fresh_count++] = bev;
	event_active(face->adopt, EV_TIMEOUT, 0);
	if (++face->connection_count >= face->connection_max)
		face_pause(face, true);
	return bev;
}

struct client *client_find(struct face *face, struct evhttp_request *request)
{
	struct evhttp_connection *http = evhttp_request_get_connection(request);
	struct list *node, *after;

	/* The one that has waited longest is at the front; a request's is near the end. */
	for (node = face->web->clients.prev; node != &face->web->clients; node = after) {
		struct client *c = list_entry(node, struct client, link);

		after = node->prev;
		if (c->http == http)
			return c;
	}
	return NULL;
}

/* The answer is written. */
static void answered(struct evhttp_request *request, void *context)
{
	struct client *c = context;

	(void)request;
	c->web->receiving -= c->received;
	c->received = 0;
	c->busy = false;
	bufferevent_setwatermark(c->bev, EV_READ, 0, 0);
	c->since_us = loop_now(c->web->loop);
	list_remove(&c->link);
	list_append(&c->web->clients, &c->link);
}

void client_begin(struct client *c, struct call *call, struct evhttp_request *request)
{
	c->call = call;
	c->busy = true;
	/* evhttp takes a body only when all of it is there: until here its own bounds count. */
	bufferevent_setwatermark(c->bev, EV_READ, 0, INPUT_MAX);
	evhttp_request_set_on_complete_cb(request, answered, c);
}

void client_take(struct client *c)
{
	c->taken = true;
	evbuffer_remove_cb_entry(bufferevent_get_input(c->bev), c->watched);
	c->watched = NULL;
	c->web->receiving -= c->received;
	c->received = 0;
}

/* ---- what takes too long, or too much --------------------------------------------- */

static void client_drop(struct client *c, const char *why)
{
	char *address = NULL;
	uint16_t port = 0;

	evhttp_connection_get_peer(c->http, &address, &port);
	log_info("web client dropped client=%s reason=%s", address == NULL ? "" : address,
	         log_quoted(why));
	evhttp_connection_free(c->http);
}

static void drop_largest(struct web *web)
{
	struct client *largest = NULL;
	struct list *node, *after;

	list_each(node, after, &web->clients)
	{
		struct client *c = list_entry(node, struct client, link);

		if (c->call == NULL && !c->taken &&
		    (largest == NULL || c->received > largest->received))
			largest = c;
	}
	if (largest != NULL && largest->received > 0)
		client_drop(largest, "too much is being received");
}

static void sweep(void *context)
{
	struct web *web = context;
	int64_t now = loop_now(web->loop);
	bool full = web->tcp.paused || web->control.paused;
	struct list *node, *after;

	if (web->receiving > RECEIVING_MAX)
		drop_largest(web);
	list_each(node, after, &web->clients)
	{
		struct client *c = list_entry(node, struct client, link);
		int64_t age = now - c->since_us;

		if (c->busy || c->taken)
			continue;
		if (age > REQUEST_US)
			client_drop(c, "no whole request in a minute");
		else if (c->face->paused && age > SPARE_IDLE_US)
			client_drop(c, "others wait for a connection");
	}
	if (!list_empty(&web->clients))
		timer_start(&web->sweep, full ? SWEEP_FULL_US : SWEEP_US);
}

void clients_start(struct web *web)
{
	list_init(&web->clients);
	timer_init(&web->sweep, web->loop, sweep, web);
}

/* ---- faces --------------------------------------------------------------------------- */

static void face_start(struct face *face, struct web *web)
{
	uint64_t largest = BODY_MIN;

	for (size_t i = 0; i < web->options.settings->listener_count; i++) {
		/* A message as JSON: in base64, and some words about it. */
		uint64_t size =
			web->options.settings->listeners[i].max_message_size / 3 * 4 + BODY_MIN;

		largest = size > largest ? size : largest;
	}
	if (largest > RECEIVING_MAX)
		largest = RECEIVING_MAX;
	face->web = web;
	face->http = evhttp_new(loop_base(web->loop));
	face->adopt = event_new(loop_base(web->loop), -1, 0, adopt_fresh, face);
	evhttp_set_max_headers_size(face->http, HEADERS_MAX);
	evhttp_set_max_body_size(face->http, (ev_ssize_t)largest);
	evhttp_set_default_content_type(face->http, "text/plain; charset=utf-8");
	evhttp_set_timeout(face->http, TIMEOUT_SECS);
	evhttp_set_allowed_methods(face->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
	                                               EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
	                                               EVHTTP_REQ_OPTIONS);
	evhttp_set_bevcb(face->http, bufferevent_made, face);
	evhttp_set_gencb(face->http, router_request, face);
}

int face_open(struct face *face, struct web *web, int fd, struct bytes *error)
{
	struct evconnlistener *listener;

	if (face->http == NULL)
		face_start(face, web);
	listener = evconnlistener_new(loop_base(web->loop), NULL, NULL,
	                              LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE, 0, fd);
	if (listener == NULL || evhttp_bind_listener(face->http, listener) == NULL) {
		bytes_append_text(error, "cannot serve a socket of the web");
		if (listener == NULL)
			close(fd);
		else
			evconnlistener_free(listener);
		return -1;
	}
	evconnlistener_set_error_cb(listener, accept_failed);
	face->listeners = memory_grow(face->listeners, face->listener_count + 1,
	                              sizeof(struct evconnlistener *));
	face->listeners[face->listener_count++] = listener;
	return 0;
}

void face_close(struct face *face)
{
	if (face->http == NULL)
		return;
	adopt_fresh(-1, 0, face);
	evhttp_free(face->http); /* tells the calls that their clients are gone */
	event_free(face->adopt);
	free(face->listeners);
	free(face->fresh);
	tls_context_free(&face->tls);
	*face = (struct face){ 0 };
}
