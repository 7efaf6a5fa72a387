/* SPDX-License-Identifier: ISC */
/* client.c - the control API over the daemon's Unix socket.
 *
 * Which daemon: --socket or PENSTOCK_CONTROL; else the socket that answers, the user's before the
 * system's; when a relay and a catch-all both answer, both are named and nothing is done.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/cli.h"
#include "config/settings.h"

/* The largest answer: a page of 1,000 messages with their recipients. */
#define ANSWER_MAX   (64 * 1024 * 1024) /* octets */
#define TIMEOUT_SECS 60
#define CUTS_MAX     3 /* a question is asked once more so often */

struct client {
	char *socket;
	CURL *curl;
	const char *body;        /* of the next request; NULL: none */
	struct curl_slist *json; /* the header fields of a request with a body */
};

static bool answers(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	bool connected;
	int fd;

	if (length >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, length + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return connected;
}

/* What is looked for: the control socket, or the one for mail beside it. */
enum purpose { FOR_ORDERS, FOR_MAIL };

static void path_for(enum purpose purpose, const char *control, struct bytes *path)
{
	if (purpose == FOR_MAIL)
		settings_local_socket(control, path);
	else
		bytes_append_text(path, control);
}

static bool default_answers(enum settings_mode mode, bool system, enum purpose purpose,
                            struct bytes *control)
{
	struct bytes path = { 0 };
	bool does = false;

	if (settings_default_control(mode, system, control) == 0) {
		path_for(purpose, bytes_text(control), &path);
		does = answers(bytes_text(&path));
	}
	bytes_release(&path);
	return does;
}

/* Both kinds of one owner (the user, the system). EX_OK: its control socket in *found. EX_NOHOST:
 * neither answers. */
static int find_of(bool system, enum purpose purpose, struct bytes *found)
{
	struct bytes relay = { 0 }, catch = { 0 };
	bool has_relay = default_answers(MODE_RELAY, system, purpose, &relay);
	bool has_catch = default_answers(MODE_CATCH, system, purpose, &catch);
	int status = has_relay || has_catch ? EX_OK : EX_NOHOST;

	if (has_relay && has_catch) {
		fprintf(stderr,
		        "penstock: a relay and a catch-all both run; say which:\n"
		        "  --socket %s   (relay)\n  --socket %s   (catch-all)\n"
		        "or set PENSTOCK_CONTROL\n",
		        bytes_text(&relay), bytes_text(&catch));
		status = EX_USAGE;
	} else if (status == EX_OK) {
		bytes_append_span(found, bytes_span(has_relay ? &relay : &catch));
	}
	bytes_release(&relay);
	bytes_release(&catch);
	return status;
}

static int find_socket(const struct cli *cli, enum purpose purpose, struct bytes *path_r)
{
	struct bytes control = { 0 };
	int status = EX_NOHOST;

	if (cli->socket != NULL) {
		bytes_append_text(&control, cli->socket);
		status = EX_OK;
	}
	if (status == EX_NOHOST && geteuid() != 0)
		status = find_of(false, purpose, &control);
	if (status == EX_NOHOST)
		status = find_of(true, purpose, &control);
	if (status == EX_OK)
		path_for(purpose, bytes_text(&control), path_r);
	bytes_release(&control);
	if (status != EX_NOHOST)
		return status;
	fprintf(stderr,
	        "penstock: no penstockd answers on its %s socket; start it, or name its control "
	        "socket with --socket%s\n",
	        purpose == FOR_MAIL ? "mail" : "control",
	        purpose == FOR_MAIL ? "" : " (that of the system is for root and group penstock)");
	return EX_TEMPFAIL;
}

int client_smtp_path(const struct cli *cli, struct bytes *path_r)
{
	return find_socket(cli, FOR_MAIL, path_r);
}

int client_new(struct client **client_r, const struct cli *cli)
{
	struct client *c;
	struct bytes path = { 0 };
	int status = find_socket(cli, FOR_ORDERS, &path);

	if (status == EX_OK) {
		c = memory_new(sizeof(*c));
		c->socket = memory_text(bytes_text(&path));
		c->curl = curl_easy_init();
		c->json = curl_slist_append(NULL, "Content-Type: application/json");
		*client_r = c;
	}
	bytes_release(&path);
	return status;
}

void client_free(struct client **client)
{
	struct client *c = *client;

	if (c == NULL)
		return;
	*client = NULL;
	curl_easy_cleanup(c->curl);
	curl_slist_free_all(c->json);
	free(c->socket);
	free(c);
}

static size_t collect(char *data, size_t size, size_t count, void *context)
{
	struct bytes *answer = context;

	if (answer->length + size * count > ANSWER_MAX)
		return 0;
	bytes_append(answer, data, size * count);
	return size * count;
}

/* The answer goes to a file, but for an error, which is no message. */
struct copy {
	CURL *curl;
	FILE *out;
	struct bytes error;
};

static size_t copy_out(char *data, size_t size, size_t count, void *context)
{
	struct copy *copy = context;
	long http = 0;

	curl_easy_getinfo(copy->curl, CURLINFO_RESPONSE_CODE, &http);
	return http == 200 ? fwrite(data, 1, size * count, copy->out)
	                   : collect(data, size, count, &copy->error);
}

/* A daemon that reloads cuts what it has accepted a moment ago, and is there again at once. */
static bool was_cut(CURL *curl, CURLcode rc)
{
	curl_off_t got = 0;

	curl_easy_getinfo(curl, CURLINFO_SIZE_DOWNLOAD_T, &got);
	return got == 0 &&
	       (rc == CURLE_GOT_NOTHING || rc == CURLE_RECV_ERROR || rc == CURLE_SEND_ERROR);
}

/* Sends the request; the HTTP status in *http_r. A path with a slash in front is one of the web
 * side, others are the control API's. EX_OK, or EX_TEMPFAIL said on stderr. */
static int perform(struct client *c, const char *method, const char *path,
                   size_t (*sink)(char *, size_t, size_t, void *), void *context, long *http_r)
{
	struct bytes url = { 0 };
	unsigned cuts = 0;
	CURLcode rc;

	bytes_printf(&url, "http://localhost%s%s", *path == '/' ? "" : "/relay/v1/", path);
	curl_easy_reset(c->curl);
	if (c->body != NULL) {
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->body);
		curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->json);
	}
	curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	curl_easy_setopt(c->curl, CURLOPT_URL, bytes_text(&url));
	curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_SECS);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, sink);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, context);
	do
		rc = curl_easy_perform(c->curl);
	while (strcmp(method, "GET") == 0 && was_cut(c->curl, rc) && ++cuts <= CUTS_MAX);
	bytes_release(&url);
	if (rc != CURLE_OK) {
		fprintf(stderr, "penstock: control socket %s: %s\n", c->socket,
		        curl_easy_strerror(rc));
		return EX_TEMPFAIL;
	}
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, http_r);
	return EX_OK;
}

static int status_of_http(long http)
{
	if (http / 100 == 2)
		return EX_OK;
	return http == 404 ? EX_NOINPUT : http / 100 == 4 ? EX_USAGE : EX_UNAVAILABLE;
}

/* The parsed answer, or the status to exit with, said on stderr. */
static int parse_answer(struct bytes *answer, long http, json_t **value_r)
{
	json_t *value = json_loadb((const char *)answer->data, answer->length,
	                           JSON_REJECT_DUPLICATES, NULL);
	int status = status_of_http(http);

	if (status == EX_OK && value == NULL)
		status = EX_PROTOCOL;
	if (status != EX_OK) {
		fputs("penstock: ", stderr);
		text_print(stderr, value != NULL ? text_of(value, "error")
		                                 : "the answer is not JSON: is that penstockd?");
		fputc('\n', stderr);
		json_decref(value);
		return status;
	}
	*value_r = value;
	return EX_OK;
}

int client_ask(struct client *c, const char *method, const char *path, json_t **value_r)
{
	struct bytes answer = { 0 };
	long http = 0;
	int status = perform(c, method, path, collect, &answer, &http);

	if (status == EX_OK)
		status = parse_answer(&answer, http, value_r);
	bytes_release(&answer);
	return status;
}

/* The web side says in plain words what is wrong. */
static int web_refused(struct bytes *words, long http)
{
	fputs("penstock: ", stderr);
	text_print(stderr, bytes_text(words));
	fputc('\n', stderr);
	return status_of_http(http);
}

int client_web(struct client *c, const char *method, const char *path, const char *body,
               struct bytes *answer_r)
{
	long http = 0;
	int status;

	c->body = body;
	status = perform(c, method, path, collect, answer_r, &http);
	c->body = NULL;
	if (status == EX_OK && http / 100 != 2)
		status = web_refused(answer_r, http);
	return status;
}

int client_copy(struct client *c, const char *path, FILE *out)
{
	struct copy copy = { .curl = c->curl, .out = out };
	json_t *value = NULL;
	long http = 0;
	int status = perform(c, "GET", path, copy_out, &copy, &http);

	if (status == EX_OK && http != 200 && *path == '/') {
		status = web_refused(&copy.error, http);
	} else if (status == EX_OK && http != 200) {
		status = parse_answer(&copy.error, http, &value);
		json_decref(value);
	}
	bytes_release(&copy.error);
	if (fflush(out) != 0 && status == EX_OK) {
		fprintf(stderr, "penstock: cannot write: %s\n", strerror(errno));
		status = EX_IOERR;
	}
	return status;
}

void client_escape(struct client *c, struct bytes *out, const char *text)
{
	char *escaped = curl_easy_escape(c->curl, text, 0);

	bytes_append_text(out, escaped != NULL ? escaped : "");
	curl_free(escaped);
}
