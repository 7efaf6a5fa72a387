/* SPDX-License-Identifier: ISC */
/* test_assets.c - the page over HTTP: what is served, with which headers, and what leads where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "web/assets.h"

struct served {
	struct event_base *base;
	struct evhttp *http;
	struct evhttp_connection *client;
	int status;
	struct bytes headers; /* "Name: value\n" each */
	struct bytes body;
};

static void arrived(struct evhttp_request *request, void *context)
{
	(void)context;
	if (!assets_serve(request, evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request))))
		evhttp_send_error(request, HTTP_NOTFOUND, NULL);
}

static int setup(void **state)
{
	struct served *s = memory_new(sizeof(*s));
	struct sockaddr_in address = { 0 };
	socklen_t length = sizeof(address);
	struct evhttp_bound_socket *bound;

	s->base = event_base_new();
	s->http = evhttp_new(s->base);
	evhttp_set_gencb(s->http, arrived, s);
	bound = evhttp_bind_socket_with_handle(s->http, "127.0.0.1", 0);
	assert_non_null(bound);
	assert_int_equal(getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address,
	                             &length),
	                 0);
	s->client = evhttp_connection_base_new(s->base, NULL, "127.0.0.1", ntohs(address.sin_port));
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct served *s = *state;

	evhttp_connection_free(s->client);
	evhttp_free(s->http);
	event_base_free(s->base);
	bytes_release(&s->headers);
	bytes_release(&s->body);
	free(s);
	return 0;
}

static void answered(struct evhttp_request *request, void *context)
{
	struct served *s = context;
	struct evbuffer *body;

	assert_non_null(request);
	s->status = evhttp_request_get_response_code(request);
	for (struct evkeyval *header = evhttp_request_get_input_headers(request)->tqh_first;
	     header != NULL; header = header->next.tqe_next)
		bytes_printf(&s->headers, "%s: %s\n", header->key, header->value);
	body = evhttp_request_get_input_buffer(request);
	bytes_append(&s->body, evbuffer_pullup(body, -1), evbuffer_get_length(body));
	event_base_loopbreak(s->base);
}

static void ask(struct served *s, enum evhttp_cmd_type method, const char *path, const char *tag)
{
	struct evhttp_request *request = evhttp_request_new(answered, s);

	bytes_clear(&s->headers);
	bytes_clear(&s->body);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Host", "localhost");
	if (tag != NULL)
		evhttp_add_header(evhttp_request_get_output_headers(request), "If-None-Match", tag);
	assert_int_equal(evhttp_make_request(s->client, request, method, path), 0);
	event_base_dispatch(s->base);
}

static void has_header(struct served *s, const char *line)
{
	if (strstr(bytes_text(&s->headers), line) == NULL)
		fail_msg("no '%s' in\n%s", line, bytes_text(&s->headers));
}

static void test_files(void **state)
{
	static const struct {
		const char *path;
		const char *type;
		const char *text; /* that is in it */
	} files[] = {
		{ "/", "text/html; charset=utf-8", "page/page.js" },
		{ "/index.html", "text/html; charset=utf-8", "page/page.js" },
		{ "/page/page.js", "text/javascript; charset=utf-8", "import" },
		{ "/page/base.css", "text/css; charset=utf-8", ":root" },
		{ "/page/icon.svg", "image/svg+xml", "<svg" },
	};
	struct served *s = *state;
	struct bytes type = { 0 };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		ask(s, EVHTTP_REQ_GET, files[i].path, NULL);
		assert_int_equal(s->status, 200);
		bytes_clear(&type);
		bytes_printf(&type, "Content-Type: %s\n", files[i].type);
		has_header(s, bytes_text(&type));
		has_header(s, "Content-Security-Policy: default-src 'none'; script-src 'self';");
		has_header(s, "X-Content-Type-Options: nosniff\n");
		has_header(s, "Referrer-Policy: no-referrer\n");
		has_header(s, "Cache-Control: no-cache\n");
		assert_non_null(strstr(bytes_text(&s->body), files[i].text));
	}
	bytes_release(&type);
}

/* Whatever the page names is there. */
static void test_names_in_page(void **state)
{
	struct served *s = *state;
	char path[64];
	size_t names = 0;
	char *page;

	ask(s, EVHTTP_REQ_GET, "/", NULL);
	page = memory_text(bytes_text(&s->body));
	for (const char *at = page; (at = strstr(at, "\"page/")) != NULL; names++) {
		size_t length = strcspn(++at, "\"");

		assert_true(length < sizeof(path) - 1);
		path[0] = '/';
		memcpy(path + 1, at, length);
		path[length + 1] = '\0';
		ask(s, EVHTTP_REQ_GET, path, NULL);
		assert_int_equal(s->status, 200);
	}
	assert_true(names > 5);
	free(page);
}

static void test_not_modified(void **state)
{
	struct served *s = *state;
	char *tag;
	size_t whole;

	ask(s, EVHTTP_REQ_GET, "/page/list.js", NULL);
	tag = memory_text(strstr(bytes_text(&s->headers), "ETag: ") + strlen("ETag: "));
	*strchr(tag, '\n') = '\0';
	whole = s->body.length;
	assert_true(whole > 0);
	ask(s, EVHTTP_REQ_GET, "/page/list.js", tag);
	assert_int_equal(s->status, 304);
	assert_int_equal(s->body.length, 0);
	ask(s, EVHTTP_REQ_GET, "/page/list.js", "\"another\"");
	assert_int_equal(s->status, 200);
	assert_int_equal(s->body.length, whole);
	ask(s, EVHTTP_REQ_GET, "/page/row.js", tag);
	assert_int_equal(s->status, 200);
	free(tag);
}

static void test_elsewhere(void **state)
{
	static const struct {
		const char *path;
		int status;
		const char *location;
	} places[] = {
		{ "/view/0A1B2C", 302, "Location: ../#id=0A1B2C\n" },
		{ "/view/latest", 302, "Location: ../#id=latest\n" },
		{ "/search?query=from%3Aa%20b", 302, "Location: ./#q=from%3Aa%20b\n" },
		{ "/search?q=x%0d%0aSet-Cookie:y", 302, "Location: ./#q=x%0D%0ASet-Cookie%3Ay\n" },
		{ "/search", 302, "Location: ./#q=\n" },
		{ "/view/0A1B2C.html", 404, NULL },
		{ "/view/", 404, NULL },
		{ "/view/a%2fb", 404, NULL },
		{ "/page/", 404, NULL },
		{ "/page/nothing.js", 404, NULL },
		{ "/page/../page/page.js", 404, NULL },
		{ "/api/v1/messages", 404, NULL },
	};
	struct served *s = *state;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		ask(s, EVHTTP_REQ_GET, places[i].path, NULL);
		assert_int_equal(s->status, places[i].status);
		if (places[i].location != NULL)
			has_header(s, places[i].location);
	}
}

static void test_methods(void **state)
{
	struct served *s = *state;

	ask(s, EVHTTP_REQ_HEAD, "/", NULL);
	assert_int_equal(s->status, 200);
	assert_int_equal(s->body.length, 0);
	ask(s, EVHTTP_REQ_POST, "/", NULL);
	assert_int_equal(s->status, 405);
	has_header(s, "Allow: GET, HEAD\n");
	ask(s, EVHTTP_REQ_DELETE, "/view/0A1B2C", NULL);
	assert_int_equal(s->status, 405);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_in_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_modified, setup, teardown),
		cmocka_unit_test_setup_teardown(test_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_methods, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
