/* SPDX-License-Identifier: ISC */
/* job.c - work of calls that blocks, on helpers.
 *
 * A job needs a reader of the spool, and there are WEB_JOBS of these: the others wait here, as many
 * as there are connections.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "web/private.h"

static void job_work(struct helper_job *helper)
{
	struct call_job *job = (struct call_job *)(void *)helper;

	job->work(job);
}

static void jobs_pump(struct web *web);

static void job_arrived(struct channel_item *item, void *receiver)
{
	struct call_job *job = (struct call_job *)(void *)item;
	struct web *web = receiver;

	web->job_readers[web->job_reader_count++] = job->reader;
	job->done(job);
	jobs_pump(web);
}

static void jobs_pump(struct web *web)
{
	struct list *node;

	while (web->job_reader_count > 0 && (node = list_first(&web->jobs)) != NULL) {
		struct call_job *job = list_entry(node, struct call_job, link);

		list_remove(node);
		job->reader = web->job_readers[--web->job_reader_count];
		/* Never refused: there is room for as many as there are readers. */
		(void)helper_submit(web->helper, &job->helper);
	}
}

void call_job_start(struct call *call, struct call_job *job)
{
	struct web *web = call->web;

	job->call = call;
	job->helper.item.arrived = job_arrived;
	job->helper.work = job_work;
	job->helper.home = web->channel;
	list_append(&web->jobs, &job->link);
	jobs_pump(web);
}

void jobs_start(struct web *web)
{
	list_init(&web->jobs);
	web->helper = helper_new("web-helper", WEB_JOBS, WEB_JOBS);
	for (size_t i = 0; i < WEB_JOBS; i++)
		web->job_readers[i] = reader_new(web->options.spool);
	web->job_reader_count = WEB_JOBS;
}

/* After the loop, while the writer still runs: those that run come back to the channel, and start
 * those that wait. */
void jobs_stop(struct web *web)
{
	if (web->helper == NULL)
		return;
	while (web->job_reader_count < WEB_JOBS || !list_empty(&web->jobs)) {
		channel_wait(web->channel, -1);
		channel_receive(web->channel);
	}
	helper_free(&web->helper);
	for (size_t i = 0; i < WEB_JOBS; i++)
		reader_free(&web->job_readers[i]);
}
