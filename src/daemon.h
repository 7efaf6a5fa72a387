/* SPDX-License-Identifier: ISC */
/* daemon.h - what the threads of one penstockd share: all of it immutable once they run,
 * or safe from any thread by its own contract. */
#ifndef DAEMON_H
#define DAEMON_H

#include "base/helper.h"
#include "config/settings.h"
#include "net/tls.h"
#include "receive/receive.h"
#include "relay/route.h"
#include "spool/spool.h"

struct fetch;
struct inbox_rules;
struct faults;
struct web;
struct worker;
struct dispatcher;

struct daemon {
	struct settings *settings;
	const struct clock *clock;
	struct spool *spool;
	struct router *router;
	struct inbox_rules *rules;
	struct intake intake;
	struct clients *clients;
	struct users **users;   /* by listener, shared by those of one file; NULL: none */
	struct helper *helpers; /* names, bounces */
	struct helper *mime;    /* what messages for an inbox are made of, before their commit */
	struct fetch *fetch;    /* passwords and tokens; lives on the main thread */
	struct tls_context **listener_tls; /* by listener; NULL: no TLS there */
	struct tls_context **provider_tls; /* by provider; NULL: never TLS */
	struct tls_context *http_tls;      /* NULL: none */
	struct worker **workers;
	size_t worker_count;
	uint32_t *inboxes; /* their numbers in the spool, in the order of the settings */
	struct dispatcher *dispatcher;
	struct web *web;       /* set before the first session */
	struct faults *faults; /* what the sessions begin with; NULL: none */
	struct channel *main;  /* the main thread's */
};

/* Index of a provider of daemon->settings. */
static inline size_t daemon_provider_index(const struct daemon *d,
                                           const struct provider_settings *provider)
{
	return (size_t)(provider - d->settings->providers);
}

struct daemon_options {
	const struct provider_settings *probe; /* --relay: try it once at the start; NULL: no */
	/* Called once when everything runs, with the ports of the first listeners; 0: none. */
	void (*ready)(void *context, unsigned smtp_port, unsigned http_port);
	/* The settings as files and command line say them now; NULL with *error. */
	struct settings *(*load)(void *context, struct bytes *error);
	void *context;
};

/* Before the first word is said: SIGTERM and its like now wait until daemon_run() takes them. */
void daemon_hold_signals(void);

/* Starts everything, runs until told to stop, stops in order; asked to reload, it does so with the
 * new settings and the same sockets. -1 with *error when it cannot start. */
int daemon_run(struct settings *settings, const struct daemon_options *options,
               struct bytes *error);

#endif
