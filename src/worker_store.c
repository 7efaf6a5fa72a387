/* SPDX-License-Identifier: ISC */
/* worker_store.c - the way into the spool for receive/, which does not know where mail goes. */
#include <stdlib.h>

#include "base/memory.h"
#include "receive/faults.h"
#include "receive/users.h"
#include "web/web.h"
#include "worker_private.h"

static bool store_reserve(void *context, uint64_t octets, uint64_t spare)
{
	struct worker *w = context;

	return spool_reserve_sparing(w->daemon->spool, octets, spare);
}

static void store_unreserve(void *context, uint64_t octets)
{
	struct worker *w = context;

	spool_unreserve(w->daemon->spool, octets);
}

static struct put *store_put_new(void *context)
{
	struct worker *w = context;

	return put_new(w->daemon->spool);
}

/* A message for an inbox, on its way through a mime helper. */
struct intake_job {
	struct helper_job job;
	const struct daemon *daemon;
	struct put *put;
};

static void intake_work(struct helper_job *job)
{
	struct intake_job *i = (struct intake_job *)job;
	const struct daemon *d = i->daemon;

	d->intake.finish(d->intake.context, i->put, d->spool);
	spool_put(d->spool, i->put); /* its completion goes to the session */
	free(i);
}

/* A session has one put outstanding: its messages stay in order, and no more wait than there are
 * sessions. */
static void store_put(void *context, struct put *put)
{
	struct worker *w = context;
	struct intake_job *i;

	if (put->entry_count == 0) {
		spool_put(w->daemon->spool, put);
		return;
	}
	i = memory_new(sizeof(*i));
	i->job.work = intake_work;
	i->daemon = w->daemon;
	i->put = put;
	/* The queue takes all sessions that can be; if one day it did not, better late than never.
	 */
	if (helper_submit(w->daemon->mime, &i->job) < 0)
		intake_work(&i->job);
}

static uint64_t store_blob_new(void *context)
{
	struct worker *w = context;

	return spool_blob_new(w->daemon->spool);
}

static void store_chunk(void *context, struct chunk *chunk)
{
	struct worker *w = context;

	spool_chunk(w->daemon->spool, chunk);
}

static void store_drop(void *context, uint64_t blob)
{
	struct worker *w = context;

	spool_drop(w->daemon->spool, blob);
}

static void store_route(void *context, struct put *put, const struct envelope *envelope,
                        const char *listener)
{
	struct worker *w = context;
	const struct daemon *d = w->daemon;

	route_put(d->router, put, d->spool, envelope, listener, &d->intake, clock_wall(d->clock));
}

static void session_failed(void *context, struct session_record *record)
{
	struct worker *w = context;

	web_session_failed(w->daemon->web, record);
}

static void client_refused(void *context, const char *client, const char *text)
{
	struct worker *w = context;

	web_client_refused(w->daemon->web, client, text);
}

/* Whether mail can go to somebody who reads it here, and may ask how it came. */
static bool keeps_mail(const struct settings *settings)
{
	if (settings->mode == MODE_CATCH)
		return true;
	for (size_t i = 0; i < settings->route_count; i++) {
		const struct route_settings *r = &settings->routes[i];

		if (r->copy != NULL)
			return true;
		for (size_t k = 0; k < r->via.count; k++) {
			const struct provider_settings *p =
				settings_provider(settings, r->via.items[k]);

			if (p != NULL && p->kind == PROVIDER_INBOX)
				return true;
		}
	}
	return false;
}

void worker_receive_prepare(struct worker *w, size_t i)
{
	const struct daemon *d = w->daemon;
	struct receive *receive = &w->receives[i];

	receive_init(receive);
	receive->settings = d->settings;
	receive->listener = &d->settings->listeners[i];
	receive->loop = w->loop;
	receive->home = w->channel;
	receive->tls = tls_context_share(d->listener_tls[i]);
	receive->clients = d->clients;
	receive->faults = faults_share(d->faults);
	receive->records = keeps_mail(d->settings);
	receive->watch = (struct receive_watch){ .failed = session_failed,
		                                 .refused = client_refused,
		                                 .context = w };
	if (d->users[i] != NULL) {
		receive->users = (struct receive_users){
			.generation = users_generation,
			.check = users_check,
			.context = d->users[i],
		};
		receive->logins = login_cache_new();
	}
	receive->store = (struct receive_store){
		.reserve = store_reserve,
		.unreserve = store_unreserve,
		.put_new = store_put_new,
		.put = store_put,
		.blob_new = store_blob_new,
		.chunk = store_chunk,
		.drop = store_drop,
		.route = store_route,
		.piece_size = spool_piece_size(d->spool),
		.context = w,
	};
}
