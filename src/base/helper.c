/* SPDX-License-Identifier: ISC */
/* helper.c - threads that take jobs from one bounded queue.
 *
 * The bound counts jobs that wait, not those being worked on. Signals are blocked
 * on helpers: they belong to the main thread.
 */
#include "base/helper.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/memory.h"

#define THREAD_NAME_SIZE 16 /* octets, with the NUL: the kernel's limit */

struct helper {
	pthread_mutex_t lock;
	pthread_cond_t wanted; /* a job waits, or the end was called */
	struct channel_item *first, *last;
	size_t waiting;
	size_t waiting_max;
	bool ending;
	char name[THREAD_NAME_SIZE];
	size_t thread_count;
	pthread_t threads[];
};

/* Waits for a job; NULL when none will come. */
static struct helper_job *next_job(struct helper *helper)
{
	struct channel_item *item;

	pthread_mutex_lock(&helper->lock);
	while (helper->first == NULL && !helper->ending)
		pthread_cond_wait(&helper->wanted, &helper->lock);
	item = helper->first;
	if (item != NULL) {
		helper->first = item->next;
		helper->waiting--;
	}
	pthread_mutex_unlock(&helper->lock);
	return (struct helper_job *)(void *)item;
}

static void *run(void *context)
{
	struct helper *helper = context;
	struct helper_job *job;

	while ((job = next_job(helper)) != NULL) {
		struct channel *home = job->home;

		job->work(job);
		if (home != NULL)
			channel_post(home, &job->item);
	}
	return NULL;
}

static void start_threads(struct helper *helper)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (size_t i = 0; i < helper->thread_count; i++) {
		int error = pthread_create(&helper->threads[i], NULL, run, helper);

		if (error != 0)
			log_fatal(EX_OSERR, "cannot start a thread name=%s: %s", helper->name,
			          strerror(error));
		pthread_setname_np(helper->threads[i], helper->name);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct helper *helper_new(const char *name, size_t threads, size_t waiting_max)
{
	struct helper *helper = memory_new(sizeof(*helper) + threads * sizeof(pthread_t));
	size_t length = strnlen(name, THREAD_NAME_SIZE - 1);

	pthread_mutex_init(&helper->lock, NULL);
	pthread_cond_init(&helper->wanted, NULL);
	helper->thread_count = threads;
	helper->waiting_max = waiting_max;
	memcpy(helper->name, name, length);
	start_threads(helper);
	return helper;
}

void helper_free(struct helper **hp)
{
	struct helper *helper = *hp;

	if (helper == NULL)
		return;
	*hp = NULL;
	pthread_mutex_lock(&helper->lock);
	helper->ending = true;
	pthread_cond_broadcast(&helper->wanted);
	pthread_mutex_unlock(&helper->lock);
	for (size_t i = 0; i < helper->thread_count; i++)
		pthread_join(helper->threads[i], NULL);
	pthread_cond_destroy(&helper->wanted);
	pthread_mutex_destroy(&helper->lock);
	free(helper);
}

int helper_submit(struct helper *helper, struct helper_job *job)
{
	int result = -1;

	pthread_mutex_lock(&helper->lock);
	if (helper->waiting < helper->waiting_max) {
		job->item.next = NULL;
		if (helper->first == NULL)
			helper->first = &job->item;
		else
			helper->last->next = &job->item;
		helper->last = &job->item;
		helper->waiting++;
		pthread_cond_signal(&helper->wanted);
		result = 0;
	}
	pthread_mutex_unlock(&helper->lock);
	return result;
}
