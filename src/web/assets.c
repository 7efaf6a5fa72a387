/* SPDX-License-Identifier: ISC */
/* assets.c - serves the page of the inbox and its files from the program itself.
 *
 * Decides what a browser lets the page do: scripts, styles and calls of this origin only, no
 * script made from text. What mails contain is served elsewhere, under stricter rules.
 */
#include <ctype.h>
#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "web/assets.h"

/* blob: is what the page may make of a part it fetched; data: are its own small pictures. */
#define POLICY                                                                                  \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " \
	"connect-src 'self'; frame-src 'self'; font-src 'self'; base-uri 'none'; "              \
	"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "      \
	"trusted-types 'none'"

static const struct page_file *file_find(const char *path)
{
	if (strcmp(path, "index.html") == 0)
		path = "";
	for (size_t i = 0; i < page_file_count; i++)
		if (strcmp(page_files[i].path, path) == 0)
			return &page_files[i];
	return NULL;
}

/* Is it one of the tags that the browser has a copy for? */
static bool copy_is_good(struct evhttp_request *request, const char *etag)
{
	const char *known =
		evhttp_find_header(evhttp_request_get_input_headers(request), "If-None-Match");

	return known != NULL && strstr(known, etag) != NULL;
}

static void length_only(struct evkeyvalq *headers, size_t length)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", length);
	evhttp_add_header(headers, "Content-Length", text);
}

static void file_send(struct evhttp_request *request, const struct page_file *file)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

	evhttp_add_header(headers, "Content-Type", file->type);
	evhttp_add_header(headers, "Content-Security-Policy", POLICY);
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(headers, "Referrer-Policy", "no-referrer");
	evhttp_add_header(headers, "Cache-Control", "no-cache");
	evhttp_add_header(headers, "ETag", file->etag);
	if (copy_is_good(request, file->etag)) {
		evhttp_send_reply(request, HTTP_NOTMODIFIED, NULL, NULL);
		return;
	}
	/* evhttp would send a body after the head of an answer to HEAD, too. */
	if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD)
		length_only(headers, file->length);
	else
		evbuffer_add_reference(evhttp_request_get_output_buffer(request), file->data,
		                       file->length, NULL, NULL);
	evhttp_send_reply(request, HTTP_OK, NULL, NULL);
}

/* Leads to the page, which reads `name` and `value` behind the # of its address. */
static void redirect(struct evhttp_request *request, const char *page, const char *name,
                     const char *value)
{
	struct bytes place = { 0 };
	char *encoded = evhttp_uriencode(value, -1, 0);

	bytes_printf(&place, "%s#%s=%s", page, name, encoded == NULL ? "" : encoded);
	evhttp_add_header(evhttp_request_get_output_headers(request), "Location",
	                  bytes_text(&place));
	evhttp_send_reply(request, HTTP_MOVETEMP, NULL, NULL);
	free(encoded);
	bytes_release(&place);
}

static void search_send(struct evhttp_request *request)
{
	const char *text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));
	struct evkeyvalq values = { 0 };
	const char *query = NULL;

	if (text != NULL && evhttp_parse_query_str(text, &values) == 0) {
		query = evhttp_find_header(&values, "q");
		if (query == NULL)
			query = evhttp_find_header(&values, "query");
	}
	redirect(request, "./", "q", query == NULL ? "" : query);
	evhttp_clear_headers(&values);
}

/* The ID of view/ID; NULL when it is none, or the mail itself is asked for: view/ID.html. */
static const char *viewed(const char *path)
{
	const char *id = path + strlen("view/");

	if (strncmp(path, "view/", strlen("view/")) != 0 || *id == '\0')
		return NULL;
	for (const char *c = id; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			return NULL;
	return id;
}

static bool only_reads(struct evhttp_request *request)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(request);

	return method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD;
}

bool assets_serve(struct evhttp_request *request, const char *path)
{
	const struct page_file *file;

	if (*path == '/')
		path++;
	file = file_find(path);
	if (file == NULL && viewed(path) == NULL && strcmp(path, "search") != 0)
		return false;
	if (!only_reads(request)) {
		evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
		evhttp_send_reply(request, HTTP_BADMETHOD, NULL, NULL);
	} else if (file != NULL) {
		file_send(request, file);
	} else if (viewed(path) != NULL) {
		redirect(request, "../", "id", viewed(path));
	} else {
		search_send(request);
	}
	return true;
}
