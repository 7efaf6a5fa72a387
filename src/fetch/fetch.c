/* SPDX-License-Identifier: ISC */
/* fetch.c - each provider's secret: held, had anew in time, handed to who asks.
 *
 * All of it on one thread; helpers get jobs and give them back. A secret is used until it ends; it
 * is had anew when a question comes after four fifths of its life, so a provider that is used
 * always has one, and one that is not used costs nothing. Invariant: at most one job a provider.
 */
#include "fetch/fetch.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "fetch/private.h"

#define THREADS       2 /* a slow endpoint leaves the other providers one */
#define BACKOFF_FIRST CLOCK_SEC
#define BACKOFF_MAX   (5 * CLOCK_MIN)
/* A secret that is refused as soon as it was had is not had again before: the fault is elsewhere.
 */
#define REFUSED_AGAIN CLOCK_MIN

struct entry {
	const struct provider_settings *provider;
	struct bytes secret;
	bool have;
	bool stale;               /* refused, or to be had anew */
	unsigned number;          /* of the secret */
	int64_t renew_us, end_us; /* monotonic; 0: never */
	bool running;
	struct fetch_query *waiting, **last;
	unsigned failures;
	int64_t retry_us;   /* no job before */
	int64_t refused_us; /* when a refusal last made us have it anew; 0: never */
	struct bytes trouble;
};

struct fetch {
	struct settings *settings;
	struct channel *home;
	const struct clock *clock;
	struct helper *helper; /* NULL: no provider needs one */
	struct entry *entries; /* by provider */
	size_t count;
	unsigned epoch; /* of the settings */
	bool stopped;
	atomic_bool stop;
};

/* What is told from other threads. */
struct refusal {
	struct channel_item item;
	struct fetch *fetch;
	unsigned number;
	char provider[];
};

void fetch_query_release(struct fetch_query *query)
{
	secret_wipe(&query->secret);
	bytes_release(&query->error);
}

/* ---- answers ------------------------------------------------------------------ */

static void query_back(struct channel_item *item, void *receiver)
{
	struct fetch_query *query = (struct fetch_query *)(void *)item;

	(void)receiver;
	query->answered(query);
}

static void answer(struct fetch_query *query)
{
	query->item.arrived = query_back;
	channel_post(query->home, &query->item);
}

static void answer_with(struct fetch_query *query, const struct entry *e)
{
	query->known = true;
	query->number = e->number;
	bytes_reserve(&query->secret, e->secret.length + 1);
	bytes_append_span(&query->secret, bytes_span(&e->secret));
	answer(query);
}

static void answer_not(struct fetch_query *query, const char *why)
{
	bytes_append_text(&query->error, why);
	answer(query);
}

static bool is_good(const struct entry *e, int64_t now)
{
	return e->have && (e->end_us == 0 || now < e->end_us);
}

static void answer_all(struct entry *e, int64_t now)
{
	struct fetch_query *query = e->waiting, *next;

	e->waiting = NULL;
	e->last = &e->waiting;
	for (; query != NULL; query = next) {
		next = query->next;
		if (is_good(e, now) && !e->stale)
			answer_with(query, e);
		else
			answer_not(query, bytes_text(&e->trouble));
	}
}

/* ---- jobs ------------------------------------------------------------------------ */

static void job_free(struct fetch_job *job)
{
	token_release(&job->token);
	bytes_release(&job->error);
	settings_release(&job->settings);
	free(job);
}

static int64_t backoff_us(unsigned failures)
{
	int64_t wait = BACKOFF_FIRST;

	while (--failures > 0 && wait < BACKOFF_MAX)
		wait *= 2;
	return wait < BACKOFF_MAX ? wait : BACKOFF_MAX;
}

static const char *kind_of(const struct provider_settings *p)
{
	return p->oauth2.used ? "token" : "password";
}

static void succeeded(struct entry *e, struct fetch_job *job, int64_t now)
{
	const struct provider_settings *p = e->provider;

	secret_wipe(&e->secret);
	e->secret = job->token.access;
	job->token.access = (struct bytes){ 0 };
	e->have = true;
	e->stale = false;
	e->number++;
	e->failures = 0;
	e->retry_us = 0;
	e->end_us = job->token.life_us == 0 ? 0 : now + job->token.life_us;
	e->renew_us = job->token.life_us == 0 ? 0 : now + job->token.life_us / 5 * 4;
	bytes_clear(&e->trouble);
	log_info("%s fetched provider=%s life=%llds", kind_of(p), p->name,
	         (long long)(job->token.life_us / CLOCK_SEC));
}

static void failed(struct entry *e, struct fetch_job *job, int64_t now)
{
	const struct provider_settings *p = e->provider;
	int64_t wait = backoff_us(++e->failures);

	e->retry_us = now + wait;
	/* A password that cannot be read again, say as another user, may be good again tomorrow. */
	e->stale = e->stale && p->oauth2.used;
	bytes_clear(&e->trouble);
	bytes_append_span(&e->trouble, bytes_span(&job->error));
	log_warning("%s not fetched provider=%s reason=%s again=%llds", kind_of(p), p->name,
	            log_quoted(bytes_text(&e->trouble)), (long long)(wait / CLOCK_SEC));
}

static void job_arrived(struct channel_item *item, void *receiver)
{
	struct fetch_job *job = (struct fetch_job *)(void *)item;
	struct fetch *f = job->fetch;
	int64_t now = clock_monotonic(f->clock);
	struct entry *e;

	(void)receiver;
	if (!f->stopped && job->epoch == f->epoch) {
		e = &f->entries[job->provider - f->settings->providers];
		e->running = false;
		if (job->done)
			succeeded(e, job, now);
		else
			failed(e, job, now);
		answer_all(e, now);
	}
	job_free(job);
}

static void job_start(struct fetch *f, struct entry *e)
{
	struct fetch_job *job = memory_new(sizeof(*job));

	job->job.work = fetch_work;
	job->job.home = f->home;
	job->job.item.arrived = job_arrived;
	job->fetch = f;
	job->provider = e->provider;
	job->settings = settings_acquire(f->settings);
	job->epoch = f->epoch;
	job->wall_us = clock_wall(f->clock);
	job->stop = &f->stop;
	e->running = true;
	/* There is room for one of each provider. */
	if (helper_submit(f->helper, &job->job) != 0) {
		e->running = false;
		job_free(job);
	}
}

/* ---- questions -------------------------------------------------------------------- */

static struct entry *entry_find(struct fetch *f, const char *provider)
{
	for (size_t i = 0; i < f->count; i++) {
		if (strcmp(f->entries[i].provider->name, provider) == 0)
			return &f->entries[i];
	}
	return NULL;
}

static void wait_for(struct fetch *f, struct entry *e, struct fetch_query *query, int64_t now)
{
	query->next = NULL;
	*e->last = query;
	e->last = &query->next;
	if (!e->running && now >= e->retry_us && fetch_can(e->provider))
		job_start(f, e);
	if (!e->running)
		answer_all(e, now);
}

static void ask_arrived(struct channel_item *item, void *receiver)
{
	struct fetch_query *query = (struct fetch_query *)(void *)item;
	struct fetch *f = query->fetch;
	struct entry *e = f->stopped ? NULL : entry_find(f, query->provider);
	int64_t now = clock_monotonic(f->clock);

	(void)receiver;
	if (e == NULL) {
		answer_not(query, f->stopped ? "the daemon stops" : "the provider is gone");
	} else if (is_good(e, now) && !e->stale) {
		answer_with(query, e);
		if (e->renew_us != 0 && now >= e->renew_us && !e->running && now >= e->retry_us)
			job_start(f, e);
	} else {
		wait_for(f, e, query, now);
	}
}

void fetch_ask(struct fetch *f, struct fetch_query *query)
{
	query->fetch = f;
	query->item.arrived = ask_arrived;
	channel_post(f->home, &query->item);
}

static void refusal_arrived(struct channel_item *item, void *receiver)
{
	struct refusal *refusal = (struct refusal *)(void *)item;
	struct fetch *f = refusal->fetch;
	struct entry *e = f->stopped ? NULL : entry_find(f, refusal->provider);
	int64_t now = clock_monotonic(f->clock);

	(void)receiver;
	if (e != NULL && e->number == refusal->number && e->have && !e->stale &&
	    fetch_can(e->provider) &&
	    (e->refused_us == 0 || now >= e->refused_us + REFUSED_AGAIN)) {
		e->stale = true;
		e->refused_us = now;
		log_info("%s refused provider=%s: it is had anew", kind_of(e->provider),
		         e->provider->name);
	}
	free(refusal);
}

void fetch_refused(struct fetch *f, const char *provider, unsigned number)
{
	size_t length = strlen(provider);
	struct refusal *refusal = memory_new(sizeof(*refusal) + length + 1);

	refusal->fetch = f;
	refusal->number = number;
	memcpy(refusal->provider, provider, length);
	refusal->item.arrived = refusal_arrived;
	channel_post(f->home, &refusal->item);
}

/* ---- life ---------------------------------------------------------------------------- */

static void entries_make(struct fetch *f, const struct settings *settings)
{
	bool needed = false;

	f->settings = settings_acquire(settings);
	f->count = settings->provider_count;
	f->entries = memory_new_array(f->count, sizeof(*f->entries));
	for (size_t i = 0; i < f->count; i++) {
		const struct provider_settings *p = &settings->providers[i];
		struct entry *e = &f->entries[i];

		e->provider = p;
		e->last = &e->waiting;
		e->number = 1;
		if (p->password != NULL) {
			bytes_reserve(&e->secret, strlen(p->password) + 1);
			bytes_append_text(&e->secret, p->password);
			e->have = true;
		} else {
			bytes_append_text(&e->trouble, "there is none");
		}
		needed |= fetch_can(p);
	}
	if (needed && f->helper == NULL) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		f->helper = helper_new("fetch", THREADS, SIZE_MAX);
	}
}

static void entries_release(struct fetch *f, const char *why)
{
	for (size_t i = 0; i < f->count; i++) {
		struct entry *e = &f->entries[i];

		e->have = false;
		bytes_clear(&e->trouble);
		bytes_append_text(&e->trouble, why);
		answer_all(e, 0);
		secret_wipe(&e->secret);
		bytes_release(&e->trouble);
	}
	free(f->entries);
	f->entries = NULL;
	f->count = 0;
	settings_release(&f->settings);
}

struct fetch *fetch_new(const struct settings *settings, struct channel *home,
                        const struct clock *clock)
{
	struct fetch *f = memory_new(sizeof(*f));

	f->home = home;
	f->clock = clock;
	atomic_init(&f->stop, false);
	entries_make(f, settings);
	return f;
}

void fetch_start(struct fetch *f)
{
	for (size_t i = 0; i < f->count; i++) {
		if (f->entries[i].provider->password_command.count > 0 && !f->entries[i].running)
			job_start(f, &f->entries[i]);
	}
}

void fetch_forget(struct fetch *f)
{
	for (size_t i = 0; i < f->count; i++) {
		struct entry *e = &f->entries[i];

		e->retry_us = 0;
		e->refused_us = 0;
		if (e->have && !e->running && fetch_can(e->provider))
			job_start(f, e);
	}
}

void fetch_reload(struct fetch *f, const struct settings *settings)
{
	if (f->stopped)
		return;
	f->epoch++;
	entries_release(f, "the configuration has changed");
	entries_make(f, settings);
	fetch_start(f);
}

void fetch_stop(struct fetch *f)
{
	if (f == NULL || f->stopped)
		return;
	f->stopped = true;
	atomic_store(&f->stop, true);
	entries_release(f, "the daemon stops");
	helper_free(&f->helper);
}

void fetch_free(struct fetch **fetch)
{
	struct fetch *f = *fetch;

	if (f == NULL)
		return;
	*fetch = NULL;
	fetch_stop(f);
	free(f);
}
