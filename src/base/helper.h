/* SPDX-License-Identifier: ISC */
/* helper.h - a bounded pool of threads for calls that block.
 *
 * A job runs on a helper, then comes back to the thread that asked, through its
 * channel. The number of waiting jobs is bounded: helper_submit() refuses above it and
 * the caller says "try later" to whoever asked.
 */
#ifndef BASE_HELPER_H
#define BASE_HELPER_H

#include <stddef.h>

#include "base/channel.h"

struct helper_job {
	struct channel_item item; /* item.arrived is called on the asking thread when done */
	void (*work)(struct helper_job *job); /* on a helper; touches only the job */
	/* NULL: nothing comes back, work() has taken the job. */
	struct channel *home;
};

struct helper;

struct helper *helper_new(const char *name, size_t threads, size_t waiting_max);
/* Finishes what waits, joins the threads. */
void helper_free(struct helper **helper);
/* 0, or -1 when the queue is full (the job is still the caller's). */
int helper_submit(struct helper *helper, struct helper_job *job);

#endif
