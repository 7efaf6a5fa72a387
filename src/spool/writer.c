/* SPDX-License-Identifier: ISC */
/* writer.c - the writer thread: the only write transaction after the start.
 *
 * Takes what waits on its channel, applies it, commits, and only then posts the
 * completions: while one sync runs the next batch gathers. Urgent requests and chunks
 * make it commit at once, lazy ones ride along or wait LAZY_WAIT at most. A batch in which
 * something fails is applied again one request at a time, so that only the guilty is refused.
 */
#include "spool/private.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metric.h"

struct queue {
	struct channel_item *first, *last;
	size_t count;
};

#define UPKEEP_PAUSE CLOCK_SEC /* after it failed: a full disk is not asked without end */
#define HOMES_MAX    64 /* threads that ask: workers, dispatcher, web; more cost a wake-up more */

struct writer {
	struct spool *sp;
	pthread_t thread;
	struct write write;
	struct queue urgent, lazy, bulk;
	int64_t lazy_since;   /* monotonic: when the oldest lazy request came */
	int64_t upkeep_after; /* monotonic: upkeep failed, a full disk perhaps; not before this */
	bool stopping;
	bool failed; /* the failure hook came back: everything is refused */
	struct spool_request stop;
	struct {
		struct channel *home;
		struct queue done;
	} homes[HOMES_MAX];
	size_t home_count;
};

/* ---- queues of requests -------------------------------------------------------------- */

static struct spool_request *request_of(struct channel_item *item)
{
	return (struct spool_request *)(void *)item; /* item is first */
}

static void queue_add(struct queue *q, struct channel_item *item)
{
	item->next = NULL;
	if (q->last == NULL)
		q->first = item;
	else
		q->last->next = item;
	q->last = item;
	q->count++;
}

static struct channel_item *queue_take(struct queue *q)
{
	struct channel_item *item = q->first;

	q->first = item->next;
	if (q->first == NULL)
		q->last = NULL;
	q->count--;
	return item;
}

static void queue_add_first(struct queue *q, struct channel_item *item)
{
	item->next = q->first;
	q->first = item;
	if (q->last == NULL)
		q->last = item;
	q->count++;
}

static size_t octets_of(const struct spool_request *request)
{
	switch (request->kind) {
	case REQUEST_PUT:
		return ((const struct put *)(const void *)request)->body.length;
	case REQUEST_CHUNK:
		return ((const struct chunk *)(const void *)request)->data.length;
	default:
		return 0;
	}
}

/* Sorts what came by class. */
static void receive_requests(struct writer *wr)
{
	struct channel_item *item = channel_take(wr->sp->channel), *next;

	for (; item != NULL; item = next) {
		struct spool_request *request = request_of(item);

		next = item->next;
		if (request->kind == REQUEST_STOP) {
			wr->stopping = true;
			continue;
		}
		if (request->urgency == SPOOL_URGENT) {
			queue_add(&wr->urgent, item);
		} else if (request->urgency == SPOOL_BULK) {
			queue_add(&wr->bulk, item);
		} else {
			if (wr->lazy.count == 0)
				wr->lazy_since = clock_monotonic(clock_system());
			queue_add(&wr->lazy, item);
		}
	}
}

/* ---- completions ------------------------------------------------------------------------ */

static void request_arrived(struct channel_item *item, void *receiver)
{
	struct spool_request *request = request_of(item);

	(void)receiver;
	request->done(request, request->result);
}

/* The quota that a put held is stored octets now, or nobody's. */
static void settle(struct spool *sp, struct put *put)
{
	atomic_fetch_sub(&sp->held, put->reserved);
	put->reserved = 0;
}

static void finish(struct writer *wr, struct channel_item *item)
{
	struct spool_request *request = request_of(item);
	size_t i = 0;

	if (request->kind == REQUEST_PUT)
		settle(wr->sp, (struct put *)(void *)request);
	if (request->kind == REQUEST_TRANSITION &&
	    ((struct transition *)(void *)request)->bounce != NULL && request->result == 0)
		settle(wr->sp, ((struct transition *)(void *)request)->bounce);
	if (request->home == NULL) {
		if (request->kind == REQUEST_DROP)
			free(request);
		return;
	}
	item->arrived = request_arrived;
	while (i < wr->home_count && wr->homes[i].home != request->home)
		i++;
	if (i == HOMES_MAX) {
		channel_post(request->home, item);
		return;
	}
	if (i == wr->home_count) {
		wr->homes[i].home = request->home;
		wr->homes[i].done = (struct queue){ 0 };
		wr->home_count++;
	}
	queue_add(&wr->homes[i].done, item);
}

static void post_completions(struct writer *wr)
{
	for (size_t i = 0; i < wr->home_count; i++)
		channel_post_list(wr->homes[i].home, wr->homes[i].done.first);
	wr->home_count = 0;
}

/* ---- one batch ------------------------------------------------------------------------------ */

static int apply(struct writer *wr, struct spool_request *request)
{
	void *whole = request;

	switch ((enum request_kind)request->kind) {
	case REQUEST_PUT:
		return apply_put(&wr->write, whole);
	case REQUEST_CHUNK:
		return apply_chunk(&wr->write, whole);
	case REQUEST_TRANSITION:
		return apply_transition(&wr->write, whole);
	case REQUEST_REMOVAL:
		return apply_removal(&wr->write, whole);
	case REQUEST_CHANGE:
		return apply_change(&wr->write, whole);
	case REQUEST_DROP:
		return apply_drop(&wr->write, ((struct drop *)whole)->blob);
	case REQUEST_STOP:
		break;
	}
	return REFUSED;
}

/* What no request asks for: garbage and inboxes beyond what they keep. */
static int apply_upkeep(struct writer *wr)
{
	struct spool *sp = wr->sp;
	bool busy = wr->urgent.count + wr->bulk.count > 0;
	size_t limit = wr->write.freed + FREED_PAGES_BUSY;
	int rc = 0;

	if (!busy || sp->garbage_pages > GARBAGE_PAGES_MAX / 2 || limit > FREED_PAGES_MAX)
		limit = FREED_PAGES_MAX;
	if (atomic_load(&sp->keep_behind)) {
		wr->write.behind = false;
		wr->write.trimmed = true;
		for (struct keep *k = atomic_load(&sp->keeps); k != NULL && rc == 0; k = k->next)
			rc = remove_beyond_keep(&wr->write, k->inbox);
	}
	if (rc == 0 && atomic_load(&sp->garbage))
		rc = remove_garbage(&wr->write, limit);
	return rc;
}

static int apply_batch(struct writer *wr, struct queue *batch, bool upkeep)
{
	int rc = write_begin(&wr->write);

	for (struct channel_item *item = batch->first; item != NULL && rc == 0; item = item->next) {
		struct spool_request *request = request_of(item);

		rc = apply(wr, request);
		request->result = rc;
		if (rc == REFUSED || rc == AGAIN)
			rc = 0;
	}
	if (rc == 0 && upkeep)
		rc = apply_upkeep(wr);
	if (rc == 0)
		return write_commit(&wr->write);
	write_abort(&wr->write);
	return rc;
}

static void slice_committed(struct spool_request *request)
{
	struct inbox_removal *removal = (struct inbox_removal *)(void *)request;
	struct inbox_change *change = (struct inbox_change *)(void *)request;

	if (request->kind == REQUEST_REMOVAL)
		removal->committed = removal->at;
	else
		change->committed = change->at;
}

static void committed(struct writer *wr, struct queue *batch, const struct tally *before)
{
	struct spool *sp = wr->sp;
	uint64_t was = quota_weight(before);

	/* Unsigned arithmetic wraps both ways, so that less is added too. */
	atomic_fetch_add(&sp->held, quota_weight(&sp->tally) - was);
	while (batch->count > 0) {
		struct channel_item *item = queue_take(batch);
		struct spool_request *request = request_of(item);

		if (request->result == AGAIN) {
			slice_committed(request);
			queue_add_first(&wr->bulk, item);
		} else {
			finish(wr, item);
		}
	}
	metric_set(METRIC_SPOOL_BYTES, (int64_t)atomic_load(&sp->held));
	watches_tell(sp, &wr->write.due, &wr->write.news, &wr->write.gone);
	quota_check_disk_sometimes(sp);
}

static void refuse_all(struct writer *wr, struct queue *batch)
{
	while (batch->count > 0) {
		struct channel_item *item = queue_take(batch);

		request_of(item)->result = -1;
		finish(wr, item);
	}
}

/* ---- failures ----------------------------------------------------------------------------------
 */

/* One request's fault, perhaps: the others deserve to be tried. */
static bool is_of_request(int rc)
{
	return rc == MDB_BAD_VALSIZE || rc == MDB_KEYEXIST || rc == MDB_NOTFOUND ||
	       rc == MDB_TXN_FULL || rc == MDB_CORRUPTED || rc == MDB_CURSOR_FULL ||
	       rc == MDB_PAGE_FULL;
}

static void fail(struct writer *wr, struct queue *batch, int rc)
{
	wr->failed = true;
	refuse_all(wr, batch);
	wr->sp->failed(wr->sp->failed_context, mdb_strerror(rc));
}

static bool writes_more(const struct spool_request *request)
{
	return request->kind == REQUEST_PUT || request->kind == REQUEST_CHUNK;
}

/* What would fill the disk further is refused, the rest stays in the batch. */
static void refuse_growth(struct writer *wr, struct queue *batch)
{
	struct queue rest = { 0 };

	while (batch->count > 0) {
		struct channel_item *item = queue_take(batch);

		if (writes_more(request_of(item))) {
			request_of(item)->result = -1;
			finish(wr, item);
		} else {
			queue_add(&rest, item);
		}
	}
	*batch = rest;
}

static int run_once(struct writer *wr, struct queue *batch, bool upkeep)
{
	struct tally before = wr->sp->tally;
	int rc = apply_batch(wr, batch, upkeep);

	if (rc == 0)
		committed(wr, batch, &before);
	return rc;
}

static void run_one_by_one(struct writer *wr, struct queue *batch)
{
	while (batch->count > 0 && !wr->failed) {
		struct queue one = { 0 };
		int rc;

		queue_add(&one, queue_take(batch));
		rc = run_once(wr, &one, false);
		if (rc == 0)
			continue;
		if (quota_is_full(wr->sp, rc) || is_of_request(rc)) {
			log_error("spool request refused kind=%u error=%s",
			          (unsigned)request_of(one.first)->kind, mdb_strerror(rc));
			refuse_all(wr, &one);
		} else {
			fail(wr, &one, rc);
		}
	}
	refuse_all(wr, batch);
}

static bool upkeep_is_due(const struct writer *wr)
{
	return (atomic_load(&wr->sp->garbage) || atomic_load(&wr->sp->keep_behind)) &&
	       clock_monotonic(clock_system()) >= wr->upkeep_after;
}

static void run_batch(struct writer *wr, struct queue *batch)
{
	bool upkeep = upkeep_is_due(wr);
	int rc = run_once(wr, batch, upkeep);

	if (rc == 0)
		return;
	if (upkeep)
		wr->upkeep_after = clock_monotonic(clock_system()) + UPKEEP_PAUSE;
	if (quota_is_full(wr->sp, rc)) {
		refuse_growth(wr, batch);
		if (batch->count > 0)
			run_one_by_one(wr, batch);
	} else if (is_of_request(rc)) {
		if (upkeep && batch->count == 0)
			log_error("spool upkeep failed error=%s", mdb_strerror(rc));
		run_one_by_one(wr, batch);
	} else {
		fail(wr, batch, rc);
	}
}

/* ---- the thread
 * ----------------------------------------------------------------------------------- */

static void take_up_to(struct queue *from, struct queue *batch, size_t octets_max)
{
	size_t octets = 0, count = 0;

	while (from->count > 0 && count++ < BATCH_REQUESTS) {
		octets += octets_of(request_of(from->first));
		if (octets > octets_max && count > 1)
			return;
		queue_add(batch, queue_take(from));
	}
}

/* Outcomes may delete; more of them than FREED_PAGES_MAX wait for the next transaction. */
static void take_lazy(struct writer *wr, struct queue *batch)
{
	size_t most = FREED_PAGES_MAX / 2;

	while (wr->lazy.count > 0 && most-- > 0)
		queue_add(batch, queue_take(&wr->lazy));
	if (wr->lazy.count > 0)
		wr->lazy_since = 0; /* they have waited: the next batch comes at once */
}

/* How long to wait for requests; 0: there is something to do; -1: nothing until one comes. */
static long patience(const struct writer *wr)
{
	bool upkeep = atomic_load(&wr->sp->garbage) || atomic_load(&wr->sp->keep_behind);
	int64_t until = INT64_MAX, left;

	if (wr->stopping || wr->urgent.count + wr->bulk.count > 0)
		return 0;
	if (wr->lazy.count > 0)
		until = wr->lazy_since + LAZY_WAIT;
	if (upkeep && !wr->failed && wr->upkeep_after < until)
		until = wr->upkeep_after;
	if (until == INT64_MAX)
		return -1;
	left = until - clock_monotonic(clock_system());
	return left > 0 ? (long)left : 0;
}

static bool must_delete(const struct writer *wr)
{
	return !wr->failed && wr->sp->garbage_pages > GARBAGE_PAGES_MAX && upkeep_is_due(wr);
}

static void work(struct writer *wr)
{
	struct queue batch = { 0 };

	take_up_to(&wr->urgent, &batch, BATCH_OCTETS);
	take_lazy(wr, &batch);
	take_up_to(&wr->bulk, &batch, BULK_OCTETS);
	metric_add(METRIC_SPOOL_REQUESTS, (int64_t)batch.count);
	if (wr->failed)
		refuse_all(wr, &batch);
	else
		run_batch(wr, &batch);
	post_completions(wr);
	for (int i = 0; i < GARBAGE_ROUNDS && must_delete(wr); i++)
		run_batch(wr, &batch);
}

static void *writer_main(void *context)
{
	struct writer *wr = context;

	for (;;) {
		long wait = patience(wr);

		if (wait != 0)
			channel_wait(wr->sp->channel, wait);
		receive_requests(wr);
		if (wr->stopping && wr->urgent.count + wr->lazy.count + wr->bulk.count == 0)
			return NULL;
		if (patience(wr) == 0)
			work(wr);
	}
}

int spool_start(struct spool *sp, struct bytes *error)
{
	struct writer *wr = memory_new(sizeof(*wr));
	sigset_t all, before;
	int rc;

	wr->sp = wr->write.sp = sp;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&wr->thread, NULL, writer_main, wr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		bytes_printf(error, "cannot start the spool's writer: %s", strerror(rc));
		free(wr);
		return -1;
	}
	sp->writer = wr;
	return 0;
}

void spool_stop(struct spool *sp)
{
	struct writer *wr = sp->writer;

	if (wr == NULL)
		return;
	request_post(sp, &wr->stop, REQUEST_STOP, SPOOL_URGENT);
	pthread_join(wr->thread, NULL);
	sp->writer = NULL;
	write_release(&wr->write);
	free(wr);
}
