/* SPDX-License-Identifier: ISC */
/* test_helper.c - jobs come home, the queue is bounded, and the end waits for what waits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "base/helper.h"
#include "base/memory.h"

struct job {
	struct helper_job job;
	int number, square;
	sem_t *started, *go; /* NULL: at once */
	pthread_t ran_on;
};

static void work(struct helper_job *hj)
{
	struct job *job = (struct job *)(void *)hj;

	if (job->go != NULL) {
		sem_post(job->started);
		sem_wait(job->go);
	}
	job->square = job->number * job->number;
	job->ran_on = pthread_self();
}

static void done(struct channel_item *item, void *receiver)
{
	struct job *job = (struct job *)(void *)item;

	assert_int_equal(job->square, job->number * job->number);
	assert_false(pthread_equal(job->ran_on, pthread_self()));
	*(int *)receiver += 1;
}

static struct job job_of(struct channel *home, int number)
{
	return (struct job){ .job = { .item = { .arrived = done }, .work = work, .home = home },
		             .number = number };
}

static void brings_jobs_home(void **state)
{
	int count = 0;
	struct channel *home = channel_new(&count);
	struct helper *helper = helper_new("test-with-a-long-name", 3, 100);
	struct job jobs[100];

	(void)state;
	for (int i = 0; i < 100; i++) {
		jobs[i] = job_of(home, i);
		assert_int_equal(helper_submit(helper, &jobs[i].job), 0);
	}
	while (count < 100) {
		channel_wait(home, -1);
		channel_receive(home);
	}
	helper_free(&helper);
	assert_null(helper);
	channel_free(&home);
}

static void work_and_free(struct helper_job *hj)
{
	struct job *job = (struct job *)(void *)hj;

	sem_post(job->started);
	free(job);
}

/* A job without a home belongs to its work. */
static void some_jobs_do_not_come_home(void **state)
{
	struct helper *helper = helper_new("test", 2, 100);
	sem_t worked;

	(void)state;
	sem_init(&worked, 0, 0);
	for (int i = 0; i < 50; i++) {
		struct job *job = memory_new(sizeof(*job));

		job->job.work = work_and_free;
		job->started = &worked;
		assert_int_equal(helper_submit(helper, &job->job), 0);
	}
	helper_free(&helper);
	for (int i = 0; i < 50; i++)
		assert_int_equal(sem_trywait(&worked), 0);
	sem_destroy(&worked);
}

static void refuses_above_its_bound_and_finishes_the_rest(void **state)
{
	int count = 0;
	sem_t started, go;
	struct channel *home = channel_new(&count);
	struct helper *helper = helper_new("test", 1, 2);
	struct job jobs[4];

	(void)state;
	sem_init(&started, 0, 0);
	sem_init(&go, 0, 0);
	for (int i = 0; i < 4; i++)
		jobs[i] = job_of(home, i + 1);
	jobs[0].started = &started;
	jobs[0].go = &go;
	assert_int_equal(helper_submit(helper, &jobs[0].job), 0);
	sem_wait(&started); /* it no longer waits: the queue has both places */
	assert_int_equal(helper_submit(helper, &jobs[1].job), 0);
	assert_int_equal(helper_submit(helper, &jobs[2].job), 0);
	assert_int_equal(helper_submit(helper, &jobs[3].job), -1);
	sem_post(&go);
	helper_free(&helper);
	assert_true(channel_receive(home));
	assert_int_equal(count, 3);
	channel_free(&home);
	sem_destroy(&started);
	sem_destroy(&go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(brings_jobs_home),
		cmocka_unit_test(some_jobs_do_not_come_home),
		cmocka_unit_test(refuses_above_its_bound_and_finishes_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
