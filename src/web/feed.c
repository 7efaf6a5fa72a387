/* SPDX-License-Identifier: ISC */
/* feed.c - a client that is told of events: the handshake, and its connection from then on.
 *
 * evhttp gives up the connection once the request is read: its callbacks are replaced, and what is
 * written is ours, WebSocket frames or the lines of an event stream that ends with the connection.
 * A client that does not take what it is told is dropped, it may come again.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "base/memory.h"
#include "web/hub.h"
#include "web/private.h"
#include "web/websocket.h"

#define FEEDS_MAX  200 /* clients at a time: pages and tests of one developer, and then some */
#define OUTPUT_MAX (256 * 1024) /* octets that wait for a client */
#define WRITE_SECS 30           /* for a client that takes nothing */
#define INPUT_MAX  (2 * WEBSOCKET_CLIENT_MAX)
/* Where browsers begin again after a break, milliseconds. */
#define RETRY_MS   2000

struct feed {
	struct list link;
	struct room *room;
	struct call *call;
	struct bufferevent *socket;
	enum hub_shape shape;
	bool websocket;
	bool closing; /* a close frame is the last that is written */
	bool asked;   /* pinged, and nothing was heard since */
};

/* ---- the end ------------------------------------------------------------------- */

static void feed_free(struct feed *s)
{
	struct call *call = s->call;

	list_remove(&s->link);
	s->room->hub->feeds--;
	bufferevent_setcb(s->socket, NULL, NULL, NULL, NULL);
	free(s);
	evhttp_connection_free(call->client->http); /* with its request */
	call_end(call);
}

/* Gone, or it took nothing for too long. */
static void happened(struct bufferevent *socket, short what, void *context)
{
	(void)socket;
	(void)what;
	feed_free(context);
}

static void written(struct bufferevent *socket, void *context)
{
	struct feed *s = context;

	(void)socket;
	if (s->closing)
		feed_free(s);
}

static void write_out(struct feed *s, struct span octets)
{
	bufferevent_write(s->socket, octets.data, octets.length);
}

static void feed_close(struct feed *s, enum websocket_status status)
{
	struct bytes frame = { 0 };

	websocket_put_close(&frame, status);
	write_out(s, bytes_span(&frame));
	bytes_release(&frame);
	s->closing = true;
	bufferevent_disable(s->socket, EV_READ);
}

/* ---- what clients say ---------------------------------------------------------- */

static void frame_arrived(struct feed *s, const struct websocket_frame *frame)
{
	struct bytes answer = { 0 };

	if (frame->opcode == WEBSOCKET_CLOSE)
		feed_close(s, WEBSOCKET_NORMAL);
	if (frame->opcode != WEBSOCKET_PING)
		return;
	websocket_put(&answer, WEBSOCKET_PONG, span_of(frame->payload, frame->length));
	write_out(s, bytes_span(&answer));
	bytes_release(&answer);
}

static void frames_take(struct feed *s, struct evbuffer *input)
{
	struct websocket_frame frame;
	enum websocket_status status;
	size_t taken;
	int rc = 1;

	while (rc == 1 && !s->closing) {
		size_t length = evbuffer_get_length(input);

		rc = websocket_take(span_of(evbuffer_pullup(input, -1), length), &frame, &taken,
		                    &status);
		if (rc < 0)
			feed_close(s, status);
		if (rc != 1)
			return;
		evbuffer_drain(input, taken);
		frame_arrived(s, &frame);
	}
}

static void said(struct bufferevent *socket, void *context)
{
	struct feed *s = context;
	struct evbuffer *input = bufferevent_get_input(socket);

	s->asked = false;
	if (s->websocket)
		frames_take(s, input);
	else
		evbuffer_drain(input, evbuffer_get_length(input));
	/* Pings without end whose answers nobody reads. */
	if (evbuffer_get_length(bufferevent_get_output(socket)) > OUTPUT_MAX)
		feed_free(s);
}

/* ---- telling ------------------------------------------------------------------- */

bool feed_wanted(const struct room *room, enum hub_shape shape)
{
	for (struct list *node = room->feeds.next; node != &room->feeds; node = node->next)
		if (list_entry(node, struct feed, link)->shape == shape)
			return true;
	return false;
}

static void send_or_drop(struct feed *s, struct span octets)
{
	size_t waiting = evbuffer_get_length(bufferevent_get_output(s->socket));

	if (s->closing)
		return;
	if (waiting > 0 && waiting + octets.length > OUTPUT_MAX)
		feed_free(s);
	else
		write_out(s, octets);
}

void feed_tell(struct room *room, enum hub_shape shape, struct span json)
{
	struct bytes frame = { 0 }, lines = { 0 };
	struct list *node, *after;

	websocket_put(&frame, WEBSOCKET_TEXT, json);
	bytes_append_text(&lines, "data: ");
	bytes_append_span(&lines, json);
	bytes_append_text(&lines, "\n\n");
	list_each(node, after, &room->feeds)
	{
		struct feed *s = list_entry(node, struct feed, link);

		if (s->shape == shape)
			send_or_drop(s, bytes_span(s->websocket ? &frame : &lines));
	}
	bytes_release(&frame);
	bytes_release(&lines);
}

/* A browser answers pings; an event stream only shows by its errors that nobody is there. */
void feed_heartbeat(struct room *room)
{
	struct bytes ping = { 0 };
	struct list *node, *after;

	websocket_put(&ping, WEBSOCKET_PING, span_of(NULL, 0));
	list_each(node, after, &room->feeds)
	{
		struct feed *s = list_entry(node, struct feed, link);

		if (s->websocket && (s->asked || s->closing)) {
			feed_free(s);
			continue;
		}
		s->asked = true;
		send_or_drop(s, s->websocket ? bytes_span(&ping) : span_of_text(": ping\n\n"));
	}
	bytes_release(&ping);
}

/* The loop has ended: what the socket takes now is all it gets. */
static void write_now(struct feed *s)
{
	struct evbuffer *output = bufferevent_get_output(s->socket);

	evbuffer_unfreeze(output, 1); /* bufferevents keep others from it */
	evbuffer_write(output, bufferevent_getfd(s->socket));
	evbuffer_freeze(output, 1);
}

void feed_end_all(struct room *room)
{
	struct list *node, *after;

	list_each(node, after, &room->feeds)
	{
		struct feed *s = list_entry(node, struct feed, link);

		if (s->websocket && !s->closing)
			feed_close(s, WEBSOCKET_GOING_AWAY);
		if (s->call->client->face->tls == NULL)
			write_now(s);
		feed_free(s);
	}
}

/* ---- the handshake ------------------------------------------------------------- */

/* A word of a header field's list, without case. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (list != NULL && *list != '\0') {
		size_t item;

		list += strspn(list, " \t,");
		item = strcspn(list, " \t,;");
		if (item == length && strncasecmp(list, word, length) == 0)
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

bool feed_is_upgrade(const struct call *call)
{
	return call->method == EVHTTP_REQ_GET &&
	       has_word(call_header(call, "Upgrade"), "websocket") &&
	       has_word(call_header(call, "Connection"), "upgrade");
}

/* The answer's head. Fields that guard what mail contains go along. -1: the request is refused. */
static int head_make(struct call *call, bool websocket, struct bytes *head)
{
	const char *key = call_header(call, "Sec-WebSocket-Key");
	const struct evkeyvalq *headers = evhttp_request_get_output_headers(call->request);
	struct evkeyval *header;

	if (websocket) {
		bytes_append_text(head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		                        "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
		if (key == NULL || websocket_accept(key, head) < 0)
			return -1;
		bytes_append_text(head, "\r\n\r\n");
		return 0;
	}
	answer_header(call, "Connection", "close");
	answer_header(call, "Content-Type", "text/event-stream");
	bytes_append_text(head, "HTTP/1.1 200 OK\r\n");
	TAILQ_FOREACH(header, headers, next)
	bytes_printf(head, "%s: %s\r\n", header->key, header->value);
	bytes_printf(head, "\r\nretry: %d\n\n", RETRY_MS);
	return 0;
}

static void take_over(struct room *room, struct call *call, enum hub_shape shape, bool websocket,
                      struct span head)
{
	static const struct timeval patience = { .tv_sec = WRITE_SECS };
	struct feed *s = memory_new(sizeof(*s));

	s->room = room;
	s->shape = shape;
	s->websocket = websocket;
	s->call = call;
	s->socket = call->client->bev;
	list_append(&room->feeds, &s->link);
	room->hub->feeds++;
	client_take(call->client);
	bufferevent_setcb(s->socket, said, written, happened, s);
	bufferevent_set_timeouts(s->socket, NULL, &patience);
	bufferevent_setwatermark(s->socket, EV_READ, 0, INPUT_MAX);
	write_out(s, head);
	bufferevent_enable(s->socket, EV_READ | EV_WRITE);
	/* Frames that came with the request. */
	said(s->socket, s);
}

void feed_open(struct call *call, enum hub_shape shape)
{
	bool websocket = feed_is_upgrade(call);
	const char *version = call_header(call, "Sec-WebSocket-Version");
	struct hub *hub = call->web->hub;
	struct bytes head = { 0 };

	if (hub->feeds >= FEEDS_MAX) {
		answer_text(call, 503, "%d clients are told of events already", FEEDS_MAX);
	} else if (call->head ||
	           (!websocket && !has_word(call_header(call, "Accept"), "text/event-stream"))) {
		answer_text(call, 400, "connect by WebSocket, or with Accept: text/event-stream");
	} else if (websocket && (version == NULL || strcmp(version, "13") != 0)) {
		answer_header(call, "Sec-WebSocket-Version", "13");
		answer_text(call, 426, "the version of WebSocket is 13");
	} else if (head_make(call, websocket, &head) < 0) {
		answer_text(call, 400, "Sec-WebSocket-Key is none");
	} else {
		take_over(hub_room(call->web, call->inbox), call, shape, websocket,
		          bytes_span(&head));
	}
	bytes_release(&head);
}

static void handle_events(struct call *call)
{
	feed_open(call, HUB_MAILPIT);
}

const struct way events_ways[] = {
	{ EVHTTP_REQ_GET, "/api/events", handle_events, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/wait", wait_handle, 0 },
	WAYS_END,
};
