/* SPDX-License-Identifier: ISC */
/* hunt.c - goes through an inbox for what a query finds, on a helper, in slices of one read
 * transaction each: the writer never waits for it. */
#include <stdlib.h>

#include "base/memory.h"
#include "inbox/inbox.h"
#include "web/mailpit.h"

/* Rows of a read transaction; the first slice is small, for one message is often enough. */
#define SLICE_FIRST 64
#define SLICE       2000

static char *copy_of(const char *text)
{
	return text == NULL || *text == '\0' ? NULL : memory_text(text);
}

struct hunt *hunt_new(struct call *call, const char *query, void (*found)(struct hunt *hunt))
{
	struct hunt *hunt = memory_new(sizeof(*hunt));

	hunt->query = copy_of(query);
	hunt->before = copy_of(call_query(call, "before"));
	hunt->zone = copy_of(call_query(call, "tz"));
	hunt->limit = HUNT_ALL;
	hunt->inbox = call->inbox;
	hunt->now_us = clock_wall(call->web->options.clock);
	hunt->found = found;
	hunt->job.call = call;
	return hunt;
}

static void row_arrived(void *context, const struct inbox_row *row)
{
	struct hunt *hunt = context;

	if (row->time_us >= hunt->before_us)
		return;
	hunt->unread += !row->read;
	if (hunt->matches++ < hunt->start || hunt->count >= hunt->limit)
		return;
	/* Room for twice as many each time. */
	if ((hunt->count & (hunt->count - 1)) == 0)
		hunt->sequences =
			memory_grow(hunt->sequences, hunt->count == 0 ? 1 : hunt->count * 2,
		                    sizeof(*hunt->sequences));
	hunt->sequences[hunt->count++] = row->sequence;
}

static void hunt_work(struct call_job *job)
{
	struct hunt *hunt = (struct hunt *)(void *)job;
	struct bytes error = { 0 };
	size_t slice = SLICE_FIRST;
	uint64_t before = 0;

	if (hunt->query != NULL &&
	    search_parse(&hunt->search, hunt->query, hunt->zone, hunt->now_us, &error) < 0) {
		hunt->error = memory_text(bytes_text(&error));
		hunt->search = NULL;
		bytes_release(&error);
		return;
	}
	if (hunt->strict && search_finds_all(hunt->search)) {
		hunt->error = memory_text("Error: the search asks for nothing, and would find "
		                          "every message");
		return;
	}
	/* A date that is none is passed over, as Mailpit does. */
	hunt->before_us = INT64_MAX;
	if (hunt->before != NULL)
		(void)search_date(hunt->before, hunt->zone, &hunt->before_us);
	do {
		before = search_scan(hunt->search, job->reader, hunt->inbox, before, slice,
		                     row_arrived, hunt);
		slice = SLICE;
	} while (before != 0 && (hunt->counts || hunt->count < hunt->limit));
}

static void hunt_done(struct call_job *job)
{
	struct hunt *hunt = (struct hunt *)(void *)job;

	if (hunt->error != NULL)
		answer_text(job->call, 400, "%s", hunt->error);
	else
		hunt->found(hunt);
	search_free(&hunt->search);
	free(hunt->query);
	free(hunt->before);
	free(hunt->zone);
	free(hunt->error);
	free(hunt->sequences);
	free(hunt);
}

void hunt_start(struct hunt *hunt)
{
	hunt->job.work = hunt_work;
	hunt->job.done = hunt_done;
	call_job_start(hunt->job.call, &hunt->job);
}
