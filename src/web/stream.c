/* SPDX-License-Identifier: ISC */
/* stream.c - a client that is told of events: the handshake, and its connection from then on.
 *
 * evhttp gives up the connection once the request is read: its callbacks are replaced, and what is
 * written is ours, WebSocket frames or the lines of an event stream that ends with the connection.
 * A client that does not take what it is told is dropped, it may come again.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "base/memory.h"
#include "web/hub.h"
#include "web/websocket.h"

#define STREAMS_MAX 200 /* clients at a time: pages and tests of one developer, and then some */
#define OUTPUT_MAX  (256 * 1024) /* octets that wait for a client */
#define WRITE_SECS  30           /* for a client that takes nothing */
#define INPUT_MAX   (2 * WEBSOCKET_CLIENT_MAX)
/* Where browsers begin again after a break, milliseconds. */
#define RETRY_MS    2000

struct stream {
	struct list link;
	struct room *room;
	struct evhttp_connection *connection;
	struct bufferevent *socket;
	enum hub_shape shape;
	bool websocket;
	bool closing; /* a close frame is the last that is written */
	bool asked;   /* pinged, and nothing was heard since */
};

/* ---- the end ------------------------------------------------------------------- */

static void stream_free(struct stream *s)
{
	list_remove(&s->link);
	s->room->hub->streams--;
	bufferevent_setcb(s->socket, NULL, NULL, NULL, NULL);
	evhttp_connection_free(s->connection); /* with its request */
	free(s);
}

/* Gone, or it took nothing for too long. */
static void happened(struct bufferevent *socket, short what, void *context)
{
	(void)socket;
	(void)what;
	stream_free(context);
}

static void written(struct bufferevent *socket, void *context)
{
	struct stream *s = context;

	(void)socket;
	if (s->closing)
		stream_free(s);
}

static void write_out(struct stream *s, struct span octets)
{
	bufferevent_write(s->socket, octets.data, octets.length);
}

static void stream_close(struct stream *s, enum websocket_status status)
{
	struct bytes frame = { 0 };

	websocket_put_close(&frame, status);
	write_out(s, bytes_span(&frame));
	bytes_release(&frame);
	s->closing = true;
	bufferevent_disable(s->socket, EV_READ);
}

/* ---- what clients say ---------------------------------------------------------- */

static void frame_arrived(struct stream *s, const struct websocket_frame *frame)
{
	struct bytes answer = { 0 };

	if (frame->opcode == WEBSOCKET_CLOSE)
		stream_close(s, WEBSOCKET_NORMAL);
	if (frame->opcode != WEBSOCKET_PING)
		return;
	websocket_put(&answer, WEBSOCKET_PONG, span_of(frame->payload, frame->length));
	write_out(s, bytes_span(&answer));
	bytes_release(&answer);
}

static void frames_take(struct stream *s, struct evbuffer *input)
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
			stream_close(s, status);
		if (rc != 1)
			return;
		evbuffer_drain(input, taken);
		frame_arrived(s, &frame);
	}
}

static void said(struct bufferevent *socket, void *context)
{
	struct stream *s = context;
	struct evbuffer *input = bufferevent_get_input(socket);

	s->asked = false;
	if (s->websocket)
		frames_take(s, input);
	else
		evbuffer_drain(input, evbuffer_get_length(input));
	/* Pings without end whose answers nobody reads. */
	if (evbuffer_get_length(bufferevent_get_output(socket)) > OUTPUT_MAX)
		stream_free(s);
}

/* ---- telling ------------------------------------------------------------------- */

bool stream_wanted(const struct room *room, enum hub_shape shape)
{
	for (struct list *node = room->streams.next; node != &room->streams; node = node->next)
		if (list_entry(node, struct stream, link)->shape == shape)
			return true;
	return false;
}

static void send_or_drop(struct stream *s, struct span octets)
{
	size_t waiting = evbuffer_get_length(bufferevent_get_output(s->socket));

	if (s->closing)
		return;
	if (waiting > 0 && waiting + octets.length > OUTPUT_MAX)
		stream_free(s);
	else
		write_out(s, octets);
}

void stream_tell(struct room *room, enum hub_shape shape, struct span json)
{
	struct bytes frame = { 0 }, lines = { 0 };
	struct list *node, *after;

	websocket_put(&frame, WEBSOCKET_TEXT, json);
	bytes_append_text(&lines, "data: ");
	bytes_append_span(&lines, json);
	bytes_append_text(&lines, "\n\n");
	list_each(node, after, &room->streams)
	{
		struct stream *s = list_entry(node, struct stream, link);

		if (s->shape == shape)
			send_or_drop(s, bytes_span(s->websocket ? &frame : &lines));
	}
	bytes_release(&frame);
	bytes_release(&lines);
}

/* A browser answers pings; an event stream only shows by its errors that nobody is there. */
void stream_heartbeat(struct room *room)
{
	struct bytes ping = { 0 };
	struct list *node, *after;

	websocket_put(&ping, WEBSOCKET_PING, span_of(NULL, 0));
	list_each(node, after, &room->streams)
	{
		struct stream *s = list_entry(node, struct stream, link);

		if (s->websocket && (s->asked || s->closing)) {
			stream_free(s);
			continue;
		}
		s->asked = true;
		send_or_drop(s, s->websocket ? bytes_span(&ping) : span_of_text(": ping\n\n"));
	}
	bytes_release(&ping);
}

void stream_end_all(struct room *room)
{
	struct list *node, *after;

	list_each(node, after, &room->streams)
	{
		struct stream *s = list_entry(node, struct stream, link);

		if (s->websocket && !s->closing)
			stream_close(s, WEBSOCKET_GOING_AWAY);
		/* The loop has ended: what the socket takes now is all it gets. */
		evbuffer_write(bufferevent_get_output(s->socket), bufferevent_getfd(s->socket));
		stream_free(s);
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

static const char *field(struct evhttp_request *request, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(request), name);
}

bool stream_is_upgrade(struct evhttp_request *request)
{
	return evhttp_request_get_command(request) == EVHTTP_REQ_GET &&
	       has_word(field(request, "Upgrade"), "websocket") &&
	       has_word(field(request, "Connection"), "upgrade");
}

/* The answer's head. Fields that the guard has set go along. -1: the request is refused. */
static int head_make(struct evhttp_request *request, bool websocket, struct bytes *head)
{
	const char *key = field(request, "Sec-WebSocket-Key");
	const struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evkeyval *header;

	if (websocket) {
		bytes_append_text(head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		                        "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
		if (key == NULL || websocket_accept(key, head) < 0)
			return -1;
		bytes_append_text(head, "\r\n\r\n");
		return 0;
	}
	bytes_append_text(head, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	                        "Cache-Control: no-store\r\nConnection: close\r\n");
	TAILQ_FOREACH(header, headers, next)
	if (strcasecmp(header->key, "Connection") != 0 &&
	    strcasecmp(header->key, "Cache-Control") != 0)
		bytes_printf(head, "%s: %s\r\n", header->key, header->value);
	bytes_printf(head, "\r\nretry: %d\n\n", RETRY_MS);
	return 0;
}

static void take_over(struct room *room, struct evhttp_request *request, enum hub_shape shape,
                      bool websocket, struct span head)
{
	static const struct timeval patience = { .tv_sec = WRITE_SECS };
	struct stream *s = memory_new(sizeof(*s));

	s->room = room;
	s->shape = shape;
	s->websocket = websocket;
	s->connection = evhttp_request_get_connection(request);
	s->socket = evhttp_connection_get_bufferevent(s->connection);
	list_append(&room->streams, &s->link);
	room->hub->streams++;
	bufferevent_setcb(s->socket, said, written, happened, s);
	bufferevent_set_timeouts(s->socket, NULL, &patience);
	bufferevent_setwatermark(s->socket, EV_READ, 0, INPUT_MAX);
	write_out(s, head);
	bufferevent_enable(s->socket, EV_READ | EV_WRITE);
	/* Frames that came with the request. */
	said(s->socket, s);
}

void stream_open(struct web *web, struct evhttp_request *request, uint32_t inbox,
                 enum hub_shape shape)
{
	bool websocket = stream_is_upgrade(request);
	const char *version = field(request, "Sec-WebSocket-Version");
	struct room *room = hub_room(web, inbox);
	struct bytes head = { 0 };

	if (room->hub->streams >= STREAMS_MAX) {
		web_answer_error(request, 503, "%d clients are told of events already",
		                 STREAMS_MAX);
	} else if (!websocket && !has_word(field(request, "Accept"), "text/event-stream")) {
		web_answer_error(request, 400,
		                 "connect by WebSocket, or with Accept: text/event-stream");
	} else if (websocket && (version == NULL || strcmp(version, "13") != 0)) {
		evhttp_add_header(evhttp_request_get_output_headers(request),
		                  "Sec-WebSocket-Version", "13");
		web_answer_error(request, 426, "the version of WebSocket is 13");
	} else if (head_make(request, websocket, &head) < 0) {
		web_answer_error(request, 400, "Sec-WebSocket-Key is none");
	} else {
		take_over(room, request, shape, websocket, bytes_span(&head));
	}
	bytes_release(&head);
}
