/* SPDX-License-Identifier: ISC */
/* router.c - from a request of evhttp to the handler of its way.
 *
 * Everything that must be looked at for every way is looked at here, once and in this order: is the
 * request sound, are Host and Origin ours, is there such a way, may its client log in, is its body
 * what the way takes. Only then a handler runs.
 */
#include "web/router.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/digest.h"
#include "base/memory.h"
#include "web/assets.h"
#include "web/private.h"

/* As Mailpit's, of every body but that of a message that is sent. */
#define BODY_MAX   (5 * 1024 * 1024) /* octets */
/* Values of a JSON body: each costs about a hundred octets once it is parsed. */
#define VALUES_MAX 200000

static const struct way *const families[] = {
	control_ways,      fault_ways,         session_ways,        events_ways,
	send_ways,         metrics_ways,       release_ways,        mailcatcher_ways,
	mailhog_ways,      mailpit_list_ways,  mailpit_change_ways, mailpit_message_ways,
	mailpit_view_ways, mailpit_about_ways,
};
#define FAMILIES (sizeof(families) / sizeof(families[0]))

/* ---- what a call knows ----------------------------------------------------------- */

const char *call_query(const struct call *call, const char *name)
{
	return query_find(&call->query, name);
}

int64_t call_query_number(const struct call *call, const char *name, int64_t min, int64_t max,
                          int64_t fallback)
{
	const char *text = call_query(call, name);
	char *end;
	long long number;

	if (text == NULL || *text == '\0')
		return fallback;
	errno = 0;
	number = strtoll(text, &end, 10);
	return errno != 0 || *end != '\0' || number < min || number > max ? fallback : number;
}

json_t *call_member(json_t *object, const char *name)
{
	json_t *value, *found = NULL;
	const char *key;

	json_object_foreach(object, key, value)
	{
		if (strcasecmp(key, name) == 0)
			found = value;
	}
	return found;
}

/* What was sent as the body, whole; valid as long as the request. */
static struct span call_content(struct call *call)
{
	struct evbuffer *buffer;

	if (call->request == NULL)
		return span_of(NULL, 0);
	buffer = evhttp_request_get_input_buffer(call->request);
	return span_of(evbuffer_pullup(buffer, -1), evbuffer_get_length(buffer));
}

const char *call_header(const struct call *call, const char *name)
{
	if (call->request == NULL)
		return NULL;
	return evhttp_find_header(evhttp_request_get_input_headers(call->request), name);
}

void call_url(const struct call *call, const char *path, struct bytes *out)
{
	bytes_append_text(out, call->web->options.settings->http.base_path);
	if (call->inbox_name != NULL)
		bytes_printf(out, "inbox/%s/", call->inbox_name);
	bytes_append_text(out, path);
}

/* ---- is the request sound? --------------------------------------------------------- */

static size_t header_count(struct evkeyvalq *headers, const char *name)
{
	struct evkeyval *header;
	size_t count = 0;

	for (header = headers->tqh_first; header != NULL; header = header->next.tqe_next)
		count += strcasecmp(header->key, name) == 0;
	return count;
}

/* RFC 9112 5.1: a name with white space in it, or before its colon, is refused; evhttp takes it for
 * another name, a proxy perhaps for the one without. */
static bool names_are_tokens(struct evkeyvalq *headers)
{
	struct evkeyval *header;

	for (header = headers->tqh_first; header != NULL; header = header->next.tqe_next) {
		size_t length = strcspn(header->key, " \t\r\n\v\f");

		if (length == 0 || header->key[length] != '\0')
			return false;
	}
	return true;
}

/* Where evhttp and a proxy before us could find different ends of a body. */
static bool body_is_clear(struct evhttp_request *request, struct evkeyvalq *headers)
{
	const char *encoding = evhttp_find_header(headers, "Transfer-Encoding");
	const char *length = evhttp_find_header(headers, "Content-Length");
	bool head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;

	if (!names_are_tokens(headers) || header_count(headers, "Content-Length") > 1 ||
	    header_count(headers, "Transfer-Encoding") > 1)
		return false;
	if (encoding != NULL && (length != NULL || head || strcasecmp(encoding, "chunked") != 0))
		return false;
	if (length != NULL && (*length == '\0' || strspn(length, "0123456789") != strlen(length)))
		return false;
	return !head || length == NULL || strcmp(length, "0") == 0;
}

void view_key_of(const struct web *web, struct span id, char key[VIEW_KEY_SIZE])
{
	unsigned char digest[DIGEST_SHA256_SIZE];

	digest_hmac_sha256(web->view_key, id, digest);
	for (size_t i = 0; i < (VIEW_KEY_SIZE - 1) / 2; i++)
		snprintf(key + 2 * i, 3, "%02x", digest[i]);
}

/* The ID in the path of a part, as mailpit_view.c writes it; empty: it is no such path. */
static struct span part_owner(const struct call *call)
{
	static const char before[] = "/api/v1/message/", after[] = "/part/";
	const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(call->request));
	const char *id = path == NULL ? NULL : strstr(path, before);
	size_t length;

	if (id == NULL)
		return span_of(NULL, 0);
	id += sizeof(before) - 1;
	length = strcspn(id, "/");
	return strncmp(id + length, after, sizeof(after) - 1) == 0 ? span_of(id, length)
	                                                           : span_of(NULL, 0);
}

/* A page of mail has no origin: to its pictures it is a stranger, but for the key. What it can make
 * known by its styles is good for its own parts, which its sender has. */
bool call_has_view_key(const struct call *call)
{
	const char *key = call_query(call, "key");
	char expected[VIEW_KEY_SIZE];
	struct span id;

	if (call->request == NULL || call->method != EVHTTP_REQ_GET || key == NULL ||
	    strlen(key) != VIEW_KEY_SIZE - 1)
		return false;
	id = part_owner(call);
	view_key_of(call->web, id, expected);
	return id.length > 0 && digest_equal(key, expected, VIEW_KEY_SIZE - 1);
}

static enum guard_verdict guard_request(const struct call *call, struct evkeyvalq *headers)
{
	struct evhttp_request *request = call->request;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *authority = evhttp_uri_get_host(uri);
	const struct guard_facts facts = {
		.host = evhttp_find_header(headers, "Host"),
		.authority = authority,
		.origin = evhttp_find_header(headers, "Origin"),
		.site = evhttp_find_header(headers, "Sec-Fetch-Site"),
		.mode = evhttp_find_header(headers, "Sec-Fetch-Mode"),
		.host_repeated =
			header_count(headers, "Host") > 1 || header_count(headers, "Origin") > 1,
		.old = request->major == 1 && request->minor == 0,
		.keyed = call_has_view_key(call),
	};

	return guard_check(&call->web->guard, &facts);
}

static void refuse(struct call *call, int status, const char *text)
{
	answer_header(call, "Connection", "close");
	answer_text(call, status, "%s", text);
}

/* False: it was answered. */
static bool request_may_pass(struct call *call)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(call->request);
	const char *host = evhttp_find_header(headers, "Host");
	const char *origin = evhttp_find_header(headers, "Origin");

	if (!body_is_clear(call->request, headers)) {
		refuse(call, 400, "the end of the body is not clear");
		return false;
	}
	if (call->control)
		return true; /* no browser reaches it */
	switch (guard_request(call, headers)) {
	case GUARD_OK:
		return true;
	case GUARD_BAD:
		refuse(call, 400, "no clear Host");
		return false;
	case GUARD_FOREIGN_HOST:
		log_info("web request refused reason=host host=%s cure=\"http { allow-host = { ... "
		         "} }, --http-allow-host\"",
		         log_quoted(host == NULL ? "" : host));
		refuse(call, 403, "this host is not known here: see allow-host");
		return false;
	case GUARD_FOREIGN_ORIGIN:
		log_info("web request refused reason=origin origin=%s",
		         log_quoted(origin == NULL ? "" : origin));
		refuse(call, 403, "Blocked due to CORS violation");
		return false;
	}
	return false;
}

static void cross_origin_headers(struct call *call)
{
	const char *origin = call_header(call, "Origin");

	/* "null" is everybody's. */
	if (origin == NULL || (strcmp(origin, "null") == 0 && !call->web->guard.any_host))
		return;
	answer_header(call, "Access-Control-Allow-Origin", origin);
	answer_header(call, "Access-Control-Allow-Methods", "GET, POST, DELETE, PUT, OPTIONS");
	answer_header(call, "Access-Control-Allow-Headers", "*");
	answer_header(call, "Vary", "Origin");
}

/* ---- which way? ---------------------------------------------------------------------- */

static const char *method_name(enum evhttp_cmd_type method)
{
	switch (method) {
	case EVHTTP_REQ_GET:
		return "GET, HEAD";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	default:
		return "";
	}
}

/* Which way has the path and the method; what the path has, in `allow`. */
static const struct way *way_find(struct call *call, struct bytes *allow)
{
	for (size_t i = 0; i < FAMILIES; i++) {
		for (const struct way *way = families[i]; way->pattern != NULL; way++) {
			if (((way->flags & WAY_BARE) && call->inbox_name != NULL) ||
			    !path_matches(&call->path, way->pattern, call->arguments,
			                  CALL_ARGUMENTS_MAX, &call->argument_count))
				continue;
			if (way->method == call->method)
				return way;
			bytes_printf(allow, "%s, ", method_name(way->method));
		}
	}
	return NULL;
}

/* False: it was answered. */
static bool inbox_of(struct call *call)
{
	const struct settings *settings = call->web->options.settings;
	struct bytes url = { 0 };

	for (size_t i = 0; i < settings->inbox_count; i++)
		if (strcmp(settings->inboxes[i].name, "default") == 0)
			call->inbox = call->web->options.inboxes[i];
	if (call->path.count < 2 || strcmp(call->path.segments[0], "inbox") != 0)
		return true;
	for (size_t i = 0; i < settings->inbox_count; i++) {
		if (strcmp(settings->inboxes[i].name, call->path.segments[1]) != 0)
			continue;
		call->inbox = call->web->options.inboxes[i];
		call->inbox_name = settings->inboxes[i].name;
	}
	if (call->inbox_name == NULL) {
		answer_not_found(call);
		return false;
	}
	if (call->path.count == 2) {
		call_url(call, "", &url);
		answer_redirect(call, bytes_text(&url));
		bytes_release(&url);
		return false;
	}
	path_strip(&call->path, 2);
	return true;
}

/* False: it was answered. */
static bool path_of(struct call *call)
{
	const char *base = call->web->options.settings->http.base_path;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(call->request);
	size_t count;

	if (path_parse(&call->path, evhttp_uri_get_path(uri)) < 0) {
		refuse(call, 400, "the path cannot be read");
		return false;
	}
	/* On the control socket there is no base path. */
	if (call->control)
		return inbox_of(call);
	if (!path_begins(&call->path, base, &count)) {
		answer_not_found(call);
		return false;
	}
	if (count == call->path.count) {
		answer_redirect(call, base);
		return false;
	}
	path_strip(&call->path, count);
	return inbox_of(call);
}

/* The page, its files, and what else the table does not have. */
void answer_page(struct call *call)
{
	struct evhttp_request *request = call->request;
	struct bytes path = { 0 };

	/* The page has a policy of its own. */
	evhttp_clear_headers(evhttp_request_get_output_headers(request));
	path_join(&call->path, &path);
	if (assets_serve(request, bytes_text(&path))) {
		call_end(call);
	} else {
		call_common_headers(call);
		answer_not_found(call);
	}
	bytes_release(&path);
}

static const struct way page_way = { EVHTTP_REQ_GET, "/{*}", answer_page, 0 };

static void no_way(struct call *call, struct bytes *allow)
{
	if (call->method == EVHTTP_REQ_OPTIONS && allow->length > 0) {
		bytes_append_text(allow, "OPTIONS");
		answer_header(call, "Allow", bytes_text(allow));
		answer_body(call, 200, "text/plain", span_of_text(""));
	} else if (allow->length > 0) {
		bytes_append_text(allow, "OPTIONS");
		answer_header(call, "Allow", bytes_text(allow));
		answer_text(call, 405, "Method Not Allowed\n");
	} else if (call->method == EVHTTP_REQ_OPTIONS && call->path.count > 2 &&
	           strcmp(call->path.segments[0], "api") == 0) {
		answer_body(call, 200, "text/plain", span_of_text(""));
	} else {
		answer_not_found(call);
	}
}

/* ---- may its client? is the body right? ------------------------------------------------ */

/* Parsed values cost more than their text: more of them than anybody needs are refused unparsed. */
static bool too_many_values(struct span text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.length; i++)
		count += text.data[i] == ',' || text.data[i] == '[' || text.data[i] == '{';
	return count > VALUES_MAX;
}

static bool is_blank(struct span text)
{
	for (size_t i = 0; i < text.length; i++)
		if (memchr(" \t\r\n", text.data[i], 4) == NULL)
			return false;
	return true;
}

static void body_refuse(struct call *call, struct bytes *why)
{
	if (call->way->flags & WAY_ERRORS)
		answer_json_error(call, 400, bytes_text(why));
	else
		answer_text(call, 400, "%s", bytes_text(why));
	bytes_release(why);
}

/* False: it was answered. */
static bool body_parse(struct call *call)
{
	struct span text = call_content(call);
	struct bytes why = { 0 };
	json_error_t error;

	if (is_blank(text))
		return true;
	if (too_many_values(text)) {
		refuse(call, 400, "the JSON has too many values");
		return false;
	}
	call->body = json_loadb((const char *)text.data, text.length, JSON_DECODE_ANY, &error);
	if (call->body == NULL) {
		bytes_printf(&why, "the body is not JSON: line %d: %s", error.line, error.text);
		body_refuse(call, &why);
		return false;
	}
	if (!json_is_object(call->body) &&
	    !(json_is_array(call->body) && (call->way->flags & WAY_LIST))) {
		bytes_append_text(&why, "the body is not a JSON object");
		body_refuse(call, &why);
		return false;
	}
	return true;
}

void router_run(struct call *call)
{
	if (call->request == NULL) {
		call_end(call);
		return;
	}
	if (!(call->way->flags & WAY_LARGE) &&
	    evbuffer_get_length(evhttp_request_get_input_buffer(call->request)) > BODY_MAX) {
		refuse(call, 413, "http: request body too large");
		return;
	}
	if ((call->way->flags & WAY_JSON) && !body_parse(call))
		return;
	call->way->handle(call);
}

static bool has_token(const struct call *call)
{
	const char *header = call_header(call, "Authorization");
	const char *token = call->web->token;

	return token != NULL && header != NULL && strncasecmp(header, "Bearer ", 7) == 0 &&
	       strlen(header + 7) == strlen(token) &&
	       digest_equal(header + 7, token, strlen(token));
}

static void login(struct call *call)
{
	if (call->control) {
		router_run(call);
	} else if (call->way->flags & WAY_CONTROL) {
		if (has_token(call))
			router_run(call);
		else
			refuse(call, call->web->token == NULL ? 403 : 401,
			       "over TCP this asks for the token of token-file");
	} else if (call->web->auth == NULL || (call->way->flags & WAY_OPEN)) {
		router_run(call);
	} else {
		auth_check(call);
	}
}

/* ---- a request arrives -------------------------------------------------------------------- */

static struct call *call_new(struct face *face, struct evhttp_request *request)
{
	struct call *call = memory_new(sizeof(*call));

	call->web = face->web;
	call->request = request;
	call->control = face->control;
	call->method = evhttp_request_get_command(request);
	call->head = call->method == EVHTTP_REQ_HEAD;
	if (call->head)
		call->method = EVHTTP_REQ_GET;
	query_parse(&call->query, evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request)));
	list_append(&face->web->calls, &call->link);
	call->client = client_find(face, request);
	if (call->client != NULL)
		client_begin(call->client, call, request);
	return call;
}

void router_request(struct evhttp_request *request, void *context)
{
	struct call *call = call_new(context, request);
	struct bytes allow = { 0 };

	call_common_headers(call);
	if (!request_may_pass(call))
		return;
	cross_origin_headers(call);
	if (!path_of(call))
		return;
	call->way = way_find(call, &allow);
	if (call->way == NULL && allow.length == 0 && call->method == EVHTTP_REQ_GET)
		call->way = &page_way;
	if (call->way != NULL)
		login(call);
	else
		no_way(call, &allow);
	bytes_release(&allow);
}
