/* SPDX-License-Identifier: ISC */
/* answer.c - how a call ends: one answer, whole or in pieces, with the headers that guard what mail
 * contains.
 *
 * evhttp says that a client went away only through its connection, and only while it reads or
 * writes. So a call may outlive its client; its answer then goes nowhere.
 */
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "web/private.h"

/* Nothing that the API answers is a page. */
#define POLICY "default-src 'none'; frame-ancestors 'none'; sandbox"

/* ---- headers ----------------------------------------------------------------- */

void answer_header(struct call *call, const char *name, const char *value)
{
	struct evkeyvalq *headers;
	struct bytes clean = { 0 };

	if (call->request == NULL)
		return;
	headers = evhttp_request_get_output_headers(call->request);
	evhttp_remove_header(headers, name);
	if (value == NULL)
		return;
	for (; *value != '\0'; value++)
		if ((unsigned char)*value >= ' ' && *value != 0x7f)
			bytes_append_char(&clean, *value);
	evhttp_add_header(headers, name, bytes_text(&clean));
	bytes_release(&clean);
}

void call_common_headers(struct call *call)
{
	answer_header(call, "Content-Security-Policy", POLICY);
	answer_header(call, "X-Content-Type-Options", "nosniff");
	answer_header(call, "Referrer-Policy", "no-referrer");
	answer_header(call, "Cross-Origin-Resource-Policy", "same-origin");
	answer_header(call, "Cache-Control", "no-store");
}

/* ---- the end of a call ---------------------------------------------------------- */

void call_end(struct call *call)
{
	if (call->client != NULL)
		call->client->call = NULL;
	if (call->release != NULL)
		call->release(call);
	list_remove(&call->link);
	path_release(&call->path);
	query_release(&call->query);
	json_decref(call->body);
	free(call);
}

void call_gone(struct call *call)
{
	struct evhttp_request *request = call->request;

	call->client = NULL;
	call->request = NULL;
	/* evhttp left it to us when it was not answered yet; then it is freed by its end. */
	if (request != NULL && evhttp_request_get_connection(request) == NULL)
		evhttp_send_reply_end(request);
	/* Nobody calls a stream any more; whatever else waits for something comes back. */
	if (call->next != NULL)
		call_end(call);
}

/* ---- whole answers ---------------------------------------------------------------- */

static void send_whole(struct call *call, int status)
{
	struct evhttp_request *request = call->request;
	char length[32];

	/* evhttp would send the body after the head of an answer to HEAD, too. */
	if (request != NULL && call->head) {
		struct evbuffer *body = evhttp_request_get_output_buffer(request);

		snprintf(length, sizeof(length), "%zu", evbuffer_get_length(body));
		answer_header(call, "Content-Length", length);
		evbuffer_drain(body, evbuffer_get_length(body));
	}
	call_end(call);
	if (request != NULL)
		evhttp_send_reply(request, status, NULL, NULL);
}

void answer_body(struct call *call, int status, const char *type, struct span body)
{
	answer_header(call, "Content-Type", type);
	if (call->request != NULL)
		evbuffer_add(evhttp_request_get_output_buffer(call->request), body.data,
		             body.length);
	send_whole(call, status);
}

void answer_json(struct call *call, int status, json_t *value)
{
	struct bytes text = { 0 };

	json_line(&text, value);
	answer_body(call, status, "application/json", bytes_span(&text));
	bytes_release(&text);
}

void answer_text(struct call *call, int status, const char *format, ...)
{
	struct bytes text = { 0 };
	va_list arguments;

	va_start(arguments, format);
	bytes_vprintf(&text, format, arguments);
	va_end(arguments);
	answer_body(call, status, "text/plain; charset=utf-8", bytes_span(&text));
	bytes_release(&text);
}

void answer_ok(struct call *call)
{
	answer_body(call, 200, "text/plain", span_of_text("ok"));
}

void answer_empty(struct call *call, int status)
{
	send_whole(call, status);
}

void answer_not_found(struct call *call)
{
	answer_body(call, 404, "text/plain", span_of_text("404 page not found"));
}

static void answer_object(struct call *call, int status, const char *name, const char *text)
{
	json_t *object = json_object();

	json_object_set_new(object, name, json_text(text));
	answer_json(call, status, object);
}

void answer_json_error(struct call *call, int status, const char *text)
{
	answer_object(call, status, "Error", text);
}

void answer_error(struct call *call, int status, const char *format, ...)
{
	struct bytes text = { 0 };
	va_list arguments;

	va_start(arguments, format);
	bytes_vprintf(&text, format, arguments);
	va_end(arguments);
	answer_object(call, status, "error", bytes_text(&text));
	bytes_release(&text);
}

void answer_redirect(struct call *call, const char *url)
{
	answer_header(call, "Location", url);
	answer_empty(call, 302);
}

/* ---- in pieces ---------------------------------------------------------------------- */

static void stream_on(struct evhttp_connection *connection, void *context)
{
	struct call *call = context;

	(void)connection;
	call->next(call);
}

void answer_stream(struct call *call, int status, const char *type, int64_t length,
                   void (*next)(struct call *call))
{
	char text[32];

	answer_header(call, "Content-Type", type);
	if (length >= 0) {
		snprintf(text, sizeof(text), "%lld", (long long)length);
		answer_header(call, "Content-Length", text);
	}
	if (call->request == NULL || call->head) {
		struct evhttp_request *request = call->request;

		call_end(call);
		if (request != NULL)
			evhttp_send_reply(request, status, NULL, NULL);
		return;
	}
	if (length < 0)
		answer_header(call, "Connection", "close"); /* HTTP/1.0 knows no other end */
	call->left = length < 0 ? 0 : (uint64_t)length;
	call->next = next;
	evhttp_send_reply_start(call->request, status, NULL);
	next(call);
}

void answer_piece(struct call *call, struct span piece)
{
	struct evbuffer *buffer = evbuffer_new();

	call->left -= piece.length < call->left ? piece.length : call->left;
	evbuffer_add(buffer, piece.data, piece.length);
	evhttp_send_reply_chunk_with_cb(call->request, buffer, stream_on, call);
	evbuffer_free(buffer);
}

void answer_end(struct call *call)
{
	struct evhttp_request *request = call->request;

	/* What ends early, because it is deleted meanwhile, is seen as cut: the connection is
	 * closed. The header comes too late for the client, but evhttp looks at it. */
	if (call->left > 0)
		answer_header(call, "Connection", "close");
	call_end(call);
	if (request != NULL)
		evhttp_send_reply_end(request);
}
