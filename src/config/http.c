/* SPDX-License-Identifier: ISC */
/* http.c - the web: what the command line says of it, what follows from its options, what is wrong
 * with them.
 *
 * Off unless it is asked for, but with --catch. Who may reach it reads all mail: beyond loopback
 * that is said, and a relay's asks for a login.
 */
#include "config/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/values.h"

#define CATCH_HTTP    "127.0.0.1:8025"
/* Longer ones do not fit the pages that are made with them. */
#define BASE_PATH_MAX 200 /* octets */

/* ---- the command line ------------------------------------------------------- */

static void listen_apply(struct settings *s, const struct overrides *over,
                         struct problems *problems)
{
	if (over->http.count == 0) {
		if (s->mode == MODE_CATCH)
			override_apply(s, SECTION_HTTP, 0, "listen", CATCH_HTTP, "--catch",
			               problems);
		return;
	}
	text_list_release(&s->http.listen);
	for (size_t i = 0; i < over->http.count; i++)
		if (strcmp(over->http.items[i], "off") != 0)
			override_apply(s, SECTION_HTTP, 0, "listen", over->http.items[i], "--http",
			               problems);
}

void http_overrides(struct settings *s, const struct overrides *over, struct problems *problems)
{
	const struct {
		const char *value, *option, *argument;
		bool path;
	} values[] = {
		{ over->http_auth_file, "auth-file", "--http-auth-file", true },
		{ over->http_token_file, "token-file", "--http-token-file", true },
		{ over->http_certificate, "certificate", "--http-certificate", true },
		{ over->http_key, "key", "--http-key", true },
		{ over->http_base_path, "base-path", "--http-base-path", false },
	};

	listen_apply(s, over, problems);
	if (over->http_allow_host.count > 0)
		text_list_release(&s->http.allow_host);
	for (size_t i = 0; i < over->http_allow_host.count; i++)
		override_apply(s, SECTION_HTTP, 0, "allow-host", over->http_allow_host.items[i],
		               "--http-allow-host", problems);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char *whole;

		if (values[i].value == NULL)
			continue;
		whole = values[i].path ? overrides_path(over, values[i].value)
		                       : memory_text(values[i].value);
		override_apply(s, SECTION_HTTP, 0, values[i].option, whole, values[i].argument,
		               problems);
		free(whole);
	}
}

/* ---- what follows ----------------------------------------------------------- */

static void listener_derive(struct settings *s, const char *text, struct problems *problems)
{
	struct place place = { s, SECTION_HTTP, 0, "listen" };
	struct http_settings *http = &s->http;
	struct listener_settings parsed = { 0 };
	const char *error = "";

	if (listen_parse(&parsed, text, &error) != 0 || parsed.is_unix) {
		problem_at(problems, &place,
		           "\"%.80s\": write an address and a port such as \"127.0.0.1:8025\" "
		           "(--http off: no web)",
		           text);
	} else {
		http->listeners = memory_grow(http->listeners, http->listener_count + 1,
		                              sizeof(*http->listeners));
		http->listeners[http->listener_count++] = (struct http_listener){
			.address = parsed.address,
			.port = parsed.port,
		};
		parsed.address = NULL;
	}
	free(parsed.address);
	free(parsed.name);
}

/* "mail", "/mail" and "/mail/" mean the same. */
static void base_path_derive(struct settings *s)
{
	struct bytes path = { 0 };
	const char *text = s->http.base_path;
	size_t length;

	while (*text == '/')
		text++;
	length = strlen(text);
	while (length > 0 && text[length - 1] == '/')
		length--;
	bytes_append_char(&path, '/');
	bytes_append(&path, text, length);
	if (length > 0)
		bytes_append_char(&path, '/');
	text_set(&s->http.base_path, memory_text(bytes_text(&path)));
	bytes_release(&path);
}

void http_derive(struct settings *s, struct problems *problems)
{
	for (size_t i = 0; i < s->http.listen.count; i++)
		listener_derive(s, s->http.listen.items[i], problems);
	base_path_derive(s);
}

/* ---- is it right? ----------------------------------------------------------- */

static void check_file(const struct settings *s, const char *option, const char *file,
                       struct problems *problems)
{
	struct place place = { s, SECTION_HTTP, 0, option };
	int fd;

	if (file == NULL)
		return;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		problem_at(problems, &place, "%s cannot be read: %s", file, strerror(errno));
	else
		close(fd);
}

static void check_reach(const struct settings *s, struct problems *problems)
{
	struct place place = { s, SECTION_HTTP, 0, "listen" };

	for (size_t i = 0; i < s->http.listener_count; i++) {
		if (host_is_loopback(s->http.listeners[i].address) || s->http.auth_file != NULL)
			continue;
		if (s->mode == MODE_CATCH)
			note_at(problems, &place,
			        "%s: everybody who reaches it can read and delete the mail: "
			        "auth-file asks for a login",
			        s->http.listen.items[i]);
		else
			problem_at(problems, &place,
			           "%s: everybody who reaches it could read mail: write "
			           "auth-file = \"FILE\", or listen on 127.0.0.1",
			           s->http.listen.items[i]);
	}
}

static void check_tls(const struct settings *s, struct problems *problems)
{
	struct place certificate = { s, SECTION_HTTP, 0, "certificate" };

	if ((s->http.certificate == NULL) != (s->http.key == NULL))
		problem_at(problems, &certificate,
		           "certificate and key go together: write both (it may be one file)");
}

static bool base_path_is_valid(const char *path)
{
	return strlen(path) <= BASE_PATH_MAX && strstr(path, "//") == NULL &&
	       strstr(path, "/.") == NULL &&
	       strspn(path,
	              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/") ==
	               strlen(path);
}

void check_http(const struct settings *s, struct problems *problems)
{
	struct place base = { s, SECTION_HTTP, 0, "base-path" };

	check_reach(s, problems);
	check_tls(s, problems);
	check_file(s, "auth-file", s->http.auth_file, problems);
	check_file(s, "token-file", s->http.token_file, problems);
	check_file(s, "certificate", s->http.certificate, problems);
	check_file(s, "key", s->http.key, problems);
	if (!base_path_is_valid(s->http.base_path))
		problem_at(problems, &base,
		           "write a path of letters, digits, - . _ ~ and / such as \"/mail/\"");
}

void http_release(struct http_settings *http)
{
	text_list_release(&http->listen);
	text_list_release(&http->allow_host);
	for (size_t i = 0; i < http->listener_count; i++)
		free(http->listeners[i].address);
	free(http->listeners);
	free(http->auth_file);
	free(http->token_file);
	free(http->certificate);
	free(http->key);
	free(http->base_path);
}
