/* SPDX-License-Identifier: ISC */
/* redirect.c - a web server for one answer: GET /?code=...&state=...
 *
 * Anybody on this host can connect: only who knows the state, which went to the browser alone, is
 * believed. One connection at a time, bounded in size and time; a browser opens some that stay
 * silent.
 */
#include "cli/redirect.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define REQUEST_MAX  (16 * 1024) /* octets; a code has a few hundred */
#define REQUEST_SECS 2           /* for a connection that says nothing */
#define OWNER_TIME   (10 * CLOCK_MIN)

enum verdict { GO_ON, TAKEN, REFUSED };

int redirect_listen(uint16_t *port_r)
{
	struct sockaddr_in here = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(here);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 &&
	    (bind(fd, (struct sockaddr *)&here, sizeof(here)) != 0 || listen(fd, 8) != 0 ||
	     getsockname(fd, (struct sockaddr *)&here, &length) != 0)) {
		close(fd);
		return -1;
	}
	*port_r = ntohs(here.sin_port);
	return fd;
}

/* Up to the empty line behind the header. */
static int read_request(int fd, struct bytes *request)
{
	const struct timeval patience = { .tv_sec = REQUEST_SECS };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	while (strstr(bytes_text(request), "\r\n\r\n") == NULL) {
		char piece[2048];
		ssize_t got = recv(fd, piece, sizeof(piece), 0);

		if (got <= 0 || request->length + (size_t)got > REQUEST_MAX ||
		    memchr(piece, '\0', (size_t)got) != NULL)
			return -1;
		bytes_append(request, piece, (size_t)got);
	}
	return 0;
}

static void respond(int fd, const char *status, const char *words)
{
	struct bytes page = { 0 };

	bytes_printf(&page,
	             "HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: "
	             "no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n"
	             "Content-Length: %zu\r\n\r\n<p>%s</p>\n",
	             status, strlen(words) + 8, words);
	(void)send(fd, page.data, page.length, MSG_NOSIGNAL);
	bytes_release(&page);
}

/* The value of a parameter in the query; false: it has none. */
static bool parameter(const char *query, const char *name, struct bytes *value_r)
{
	size_t length = strlen(name);

	for (const char *at = query; *at != '\0' && *at != ' ';) {
		size_t whole = strcspn(at, "& ");

		if (whole > length && strncmp(at, name, length) == 0 && at[length] == '=') {
			int got = 0;
			char *text = curl_easy_unescape(NULL, at + length + 1,
			                                (int)(whole - length - 1), &got);

			if (text != NULL)
				bytes_append(value_r, text, (size_t)got);
			curl_free(text);
			return text != NULL;
		}
		at += whole + (at[whole] == '&');
	}
	return false;
}

static enum verdict judge(const char *query, const char *state, int fd, struct bytes *code_r,
                          struct bytes *error)
{
	struct bytes said = { 0 }, trouble = { 0 };
	enum verdict verdict = GO_ON;

	if (!parameter(query, "state", &said) || strcmp(bytes_text(&said), state) != 0) {
		respond(fd, "400 Bad Request", "This does not belong to the login under way.");
	} else if (parameter(query, "error", &trouble)) {
		bytes_append_text(error, "the provider says ");
		for (size_t i = 0; i < trouble.length && i < 100; i++)
			bytes_append_char(error, trouble.data[i] >= ' ' && trouble.data[i] <= '~'
			                                 ? (char)trouble.data[i]
			                                 : '?');
		respond(fd, "200 OK", "The login was refused. You can close this window.");
		verdict = REFUSED;
	} else if (parameter(query, "code", code_r) && code_r->length > 0) {
		respond(fd, "200 OK", "Thank you. You can close this window.");
		verdict = TAKEN;
	} else {
		respond(fd, "400 Bad Request", "There is no code in this answer.");
	}
	bytes_release(&said);
	bytes_release(&trouble);
	return verdict;
}

static enum verdict serve(int fd, const char *state, struct bytes *code_r, struct bytes *error)
{
	struct bytes request = { 0 };
	enum verdict verdict = GO_ON;
	const char *text;

	if (read_request(fd, &request) == 0) {
		text = bytes_text(&request);
		if (strncmp(text, "GET /?", 6) == 0)
			verdict = judge(text + 6, state, fd, code_r, error);
		else
			respond(fd, "404 Not Found", "There is nothing here.");
	}
	if (request.data != NULL)
		memory_wipe(request.data, request.capacity);
	bytes_release(&request);
	return verdict;
}

int redirect_wait(int listener, const char *state, struct bytes *code_r, struct bytes *error)
{
	int64_t until = clock_monotonic(clock_system()) + OWNER_TIME;
	enum verdict verdict = GO_ON;

	while (verdict == GO_ON) {
		struct pollfd watched = { .fd = listener, .events = POLLIN };
		int64_t left = until - clock_monotonic(clock_system());
		int fd;

		if (left <= 0) {
			bytes_append_text(error, "nobody agreed within 10 minutes");
			return -1;
		}
		if (poll(&watched, 1, (int)(left / CLOCK_MS) + 1) <= 0)
			continue;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		verdict = serve(fd, state, code_r, error);
		close(fd);
	}
	return verdict == TAKEN ? 0 : -1;
}
