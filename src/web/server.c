/* SPDX-License-Identifier: ISC */
/* server.c - the web thread: made, started, stopped.
 *
 * Who may connect to the control socket is the socket's mode (0660 root:penstock, or 0600 of the
 * user): there is no login, and no browser reaches it.
 */
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/tls.h"
#include "web/hub.h"
#include "web/private.h"

/* The operator's programs; each asks one thing and goes. */
#define CONTROL_CONNECTIONS 200
#define TOKEN_MAX           1024 /* octets of token-file */

static void *web_main(void *argument)
{
	struct web *web = argument;

	loop_run(web->loop);
	return NULL;
}

/* Streams end here; what waits for others is answered, or not, until web_free(). */
static void end_streams(struct web *web)
{
	struct list *node, *after;

	list_each(node, after, &web->calls)
	{
		struct call *call = list_entry(node, struct call, link);

		if (call->next != NULL)
			answer_end(call);
	}
}

static void stop_arrived(struct channel_item *item, void *receiver)
{
	struct web *web = receiver;

	free(item);
	web->stopping = true;
	end_streams(web);
	hub_stop(web);
	loop_stop(web->loop);
}

/* The first line of the file. */
static int token_read(struct web *web, const char *file, struct bytes *error)
{
	char text[TOKEN_MAX + 1];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, TOKEN_MAX);

	if (fd >= 0)
		close(fd);
	text[got < 0 ? 0 : got] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	if (*text == '\0') {
		bytes_printf(error,
		             "http token-file: %s cannot be read, or its first line is empty",
		             file);
		return -1;
	}
	web->token = memory_text(text);
	memory_wipe(text, sizeof(text));
	return 0;
}

static int serve(struct web *web, struct bytes *error)
{
	const struct http_settings *http = &web->options.settings->http;

	guard_init(&web->guard, web->options.settings);
	digest_random(web->view_key, sizeof(web->view_key));
	if (http->auth_file != NULL)
		web->auth = auth_new(http->auth_file);
	if (http->token_file != NULL && token_read(web, http->token_file, error) < 0)
		return -1;
	clients_start(web);
	web->control.control = true;
	web->control.connection_max = CONTROL_CONNECTIONS;
	web->tcp.connection_max = http->max_connections;
	web->tcp.tls = web->options.tls;
	if (face_open(&web->control, web, web->options.control_fd, error) < 0)
		return -1;
	for (size_t i = 0; i < web->options.fd_count; i++)
		if (face_open(&web->tcp, web, web->options.fds[i], error) < 0)
			return -1;
	return 0;
}

int web_start(struct web **web_r, const struct web_options *options, struct bytes *error)
{
	struct web *web = memory_new(sizeof(*web));
	int rc;

	*web_r = web;
	web->options = *options;
	web->faults = faults_share(options->faults);
	list_init(&web->calls);
	releases_start(web);
	web->started_us = clock_monotonic(options->clock);
	web->loop = loop_new(options->clock);
	web->channel = channel_new(web);
	loop_attach(web->loop, web->channel);
	web->reader = reader_new(options->spool);
	jobs_start(web);
	hub_start(web);
	if (serve(web, error) < 0)
		return -1;
	rc = pthread_create(&web->thread, NULL, web_main, web);
	if (rc != 0) {
		bytes_printf(error, "cannot start the web thread: %s", strerror(rc));
		return -1;
	}
	web->running = true;
	return 0;
}

void web_stop(struct web *web)
{
	struct channel_item *item;

	if (web == NULL || !web->running)
		return;
	item = memory_new(sizeof(*item));
	item->arrived = stop_arrived;
	channel_post(web->channel, item);
	pthread_join(web->thread, NULL);
	jobs_stop(web);
	web->running = false;
}

struct tls_item {
	struct channel_item item;
	struct tls_context *tls;
};

static void tls_arrived(struct channel_item *item, void *receiver)
{
	struct tls_item *fresh = (struct tls_item *)(void *)item;
	struct web *web = receiver;

	tls_context_free(&web->tcp.tls);
	web->tcp.tls = fresh->tls;
	free(fresh);
}

void web_use_tls(struct web *web, struct tls_context *tls)
{
	struct tls_item *item = memory_new(sizeof(*item));

	item->item.arrived = tls_arrived;
	item->tls = tls;
	channel_post(web->channel, &item->item);
}

void web_free(struct web **web_p)
{
	struct web *web = *web_p;
	struct list *node, *after;

	if (web == NULL)
		return;
	*web_p = NULL;
	web->stopping = true;
	jobs_stop(web);
	hub_stop(web);
	channel_receive(web->channel);
	face_close(&web->tcp);
	face_close(&web->control);
	/* What never came back has nobody any more who could bring it. */
	list_each(node, after, &web->calls) call_end(list_entry(node, struct call, link));
	/* Freed connections are finished by one more turn of the loop. */
	event_base_loop(loop_base(web->loop), EVLOOP_NONBLOCK);
	hub_free(web);
	releases_free(web);
	auth_free(&web->auth);
	sessions_release(&web->sessions);
	faults_free(&web->faults);
	if (web->token != NULL)
		memory_wipe(web->token, strlen(web->token));
	free(web->token);
	reader_free(&web->reader);
	loop_free(&web->loop);
	channel_free(&web->channel);
	free(web);
}
