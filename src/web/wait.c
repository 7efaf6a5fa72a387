/* SPDX-License-Identifier: ISC */
/* wait.c - requests that wait until enough messages match a query, so that a test need not poll.
 *
 * What is there already is counted on a helper, what comes meanwhile as it comes: each new message
 * is matched once for each that waits. Enough of them, and the answer is that of a search.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/memory.h"
#include "config/values.h"
#include "inbox/inbox.h"
#include "web/hub.h"
#include "web/mailpit.h"
#include "web/private.h"

#define WAITS_MAX       200               /* at a time; each has a connection */
#define TIMEOUT_DEFAULT (10 * CLOCK_SEC)  /* as the tests of most frameworks */
#define TIMEOUT_MAX     (300 * CLOCK_SEC) /* proxies give up long before */
#define COUNT_MAX       1000
#define LOOK_EVERY      CLOCK_SEC /* whether the client is still there */
#define SCAN_STEP       256       /* rows in a read transaction */

struct wait {
	struct list link; /* of its room */
	struct room *room;
	struct call *call;
	struct search *search;
	uint64_t after; /* entries up to this one are the helper's to count */
	uint64_t count, found;
	bool counting; /* the helper is not back yet */
	bool over;     /* the time is, or the daemon's */
	int64_t end_us;
	struct timer timer;
};

/* ---- counting what is there -------------------------------------------------------- */

struct count_job {
	struct call_job job;
	struct wait *wait;
	struct search *search; /* of its own: the other is the web thread's */
	uint64_t until, enough, found;
};

static void count_row(void *context, const struct inbox_row *row)
{
	struct count_job *c = context;

	if (row->sequence <= c->until && c->found < c->enough)
		c->found++;
}

static void count_work(struct call_job *job)
{
	struct count_job *c = (struct count_job *)(void *)job;
	uint64_t before = c->until + 1;

	do
		before = search_scan(c->search, job->reader, job->call->inbox, before, SCAN_STEP,
		                     count_row, c);
	while (before != 0 && c->found < c->enough);
}

/* ---- the end ------------------------------------------------------------------------ */

static void wait_free(struct wait *w)
{
	list_remove(&w->link);
	w->room->hub->waits--;
	timer_stop(&w->timer);
	search_free(&w->search);
	free(w);
}

/* Without a query any message will do. */
static bool is_any(const struct call *call)
{
	const char *query = call_query(call, "query");

	return query == NULL || *query == '\0';
}

static void wait_look(struct wait *w)
{
	struct call *call = w->call;
	bool enough = w->found >= w->count;

	if (w->counting || (!enough && !w->over))
		return;
	wait_free(w);
	/* As if that had been asked for. */
	if (enough && is_any(call))
		mailpit_list(call);
	else if (enough)
		mailpit_search(call);
	else
		answer_text(call, 404, "no message matched in time");
}

static void count_done(struct call_job *job)
{
	struct count_job *c = (struct count_job *)(void *)job;
	struct wait *w = c->wait;

	w->counting = false;
	w->found += c->found;
	search_free(&c->search);
	free(c);
	wait_look(w);
}

/* Nobody reads of this connection while it waits for an answer, so nobody else sees its end. */
static bool is_gone(const struct wait *w)
{
	char octet;
	int fd;

	if (w->call->client == NULL)
		return true;
	fd = bufferevent_getfd(w->call->client->bev);
	return recv(fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void tick(void *context)
{
	struct wait *w = context;
	int64_t now = loop_now(w->room->hub->web->loop);

	if (now >= w->end_us || is_gone(w))
		w->over = true;
	else
		timer_start_at(&w->timer,
		               now + LOOK_EVERY < w->end_us ? now + LOOK_EVERY : w->end_us);
	wait_look(w);
}

/* ---- what comes --------------------------------------------------------------------- */

struct news_scan {
	struct room *room;
	uint64_t told;
};

static void match_row(void *context, const struct inbox_row *row)
{
	const struct news_scan *scan = context;

	if (row->sequence <= scan->told)
		return;
	for (struct list *node = scan->room->waits.next; node != &scan->room->waits;
	     node = node->next) {
		struct wait *w = list_entry(node, struct wait, link);

		if (row->sequence > w->after && w->found < w->count &&
		    search_matches(w->search, row))
			w->found++;
	}
}

void wait_news(struct room *room, uint64_t told, uint64_t newest)
{
	struct news_scan scan = { room, told };
	struct reader *reader = room->hub->web->reader;
	struct list *node, *after;
	uint64_t before = newest + 1;

	if (list_empty(&room->waits))
		return;
	while (before != 0 && before > told + 1)
		before =
			reader_inbox_scan(reader, room->inbox, before, SCAN_STEP, match_row, &scan);
	list_each(node, after, &room->waits) wait_look(list_entry(node, struct wait, link));
}

/* Those whose helper is not back yet are ended when it is. */
void wait_end_all(struct room *room)
{
	struct list *node, *after;

	list_each(node, after, &room->waits)
	{
		struct wait *w = list_entry(node, struct wait, link);

		w->over = true;
		wait_look(w);
	}
}

/* ---- the request ---------------------------------------------------------------------- */

static void wait_begin(struct call *call, struct search *search, struct search *again,
                       int64_t timeout)
{
	struct room *room = hub_room(call->web, call->inbox);
	struct wait *w = memory_new(sizeof(*w));
	struct count_job *c = memory_new(sizeof(*c));

	w->room = room;
	w->call = call;
	w->search = search;
	w->after = room->newest;
	w->count = (uint64_t)call_query_number(call, "count", 1, COUNT_MAX, 1);
	w->counting = true;
	w->end_us = loop_now(call->web->loop) + timeout;
	timer_init(&w->timer, call->web->loop, tick, w);
	timer_start(&w->timer, timeout < LOOK_EVERY ? timeout : LOOK_EVERY);
	list_append(&room->waits, &w->link);
	room->hub->waits++;
	c->wait = w;
	c->search = again;
	c->until = w->after;
	c->enough = w->count;
	c->job.work = count_work;
	c->job.done = count_done;
	call_job_start(call, &c->job);
}

/* "10s", "500ms", "1min"; a bare number is seconds. -1: none of these. */
static int timeout_read(const struct call *call, int64_t *timeout_r)
{
	const char *text = call_query(call, "timeout"), *error;
	struct bytes seconds = { 0 };
	int rc = 0;

	*timeout_r = TIMEOUT_DEFAULT;
	if (text == NULL || *text == '\0')
		return 0;
	bytes_printf(&seconds, "%s%s", text, strspn(text, "0123456789") == strlen(text) ? "s" : "");
	rc = duration_parse(timeout_r, bytes_text(&seconds), &error);
	bytes_release(&seconds);
	if (*timeout_r > TIMEOUT_MAX)
		*timeout_r = TIMEOUT_MAX;
	return rc;
}

void wait_handle(struct call *call)
{
	const char *query = call_query(call, "query"), *tz = call_query(call, "tz");
	int64_t now = clock_wall(call->web->options.clock), timeout;
	struct search *search = NULL, *again = NULL;
	struct bytes error = { 0 };

	if (timeout_read(call, &timeout) < 0)
		answer_text(call, 400, "timeout: write a time such as 10s or 500ms");
	else if (call->web->hub->waits >= WAITS_MAX)
		answer_text(call, 503, "%d requests wait already", WAITS_MAX);
	else if (search_parse(&search, query == NULL ? "" : query, tz, now, &error) < 0 ||
	         search_parse(&again, query == NULL ? "" : query, tz, now, &error) < 0)
		answer_text(call, 400, "%s", bytes_text(&error));
	else {
		wait_begin(call, search, again, timeout);
		search = NULL;
	}
	search_free(&search);
	bytes_release(&error);
}
