/* SPDX-License-Identifier: ISC */
/* test_writer.c - batches: what is committed together, refused alone, told once, given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "spool_lab.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/metric.h"

static int setup_stopped(void **state)
{
	struct lab *lab = memory_new(sizeof(*lab));

	lab_init(lab, SPOOL_RELAY);
	lab_open_only(lab);
	*state = lab;
	return 0;
}

static struct put *simple(struct lab *lab, size_t size)
{
	struct put *put = lab_message(lab, size);

	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL, 1));
	return put;
}

/* What waits is one commit, in order of arrival, and one wake-up of the asker. */
static void commits_in_groups(void **state)
{
	struct lab *lab = *state;
	struct fate fates[200];
	struct put *puts[200];
	int64_t commits = metric_get(METRIC_SPOOL_COMMITS);
	unsigned long wakeups = channel_wakeups(lab->home);

	for (size_t i = 0; i < 200; i++)
		lab_send_put(lab, puts[i] = simple(lab, i * 50), &fates[i]);
	lab_start(lab);
	for (size_t i = 0; i < 200; i++) {
		lab_wait(lab, &fates[i].done);
		assert_int_equal(fates[i].result, 0);
		if (i > 0)
			assert_true(puts[i]->facts.id > puts[i - 1]->facts.id);
	}
	assert_int_equal(metric_get(METRIC_SPOOL_COMMITS) - commits, 1);
	assert_int_equal(channel_wakeups(lab->home) - wakeups, 1);
	for (size_t i = 0; i < 200; i++)
		put_free(&puts[i]);
	lab_is_good(lab);
}

/* A message whose head is unreadable spoils its own outcome, nobody else's. */
static void refuses_the_guilty(void **state)
{
	struct lab *lab = *state;
	struct write w = { .sp = lab->sp };
	struct put *first, *last;
	struct fate fates[3];
	struct transition *t;
	struct key key;
	uint64_t id;

	lab_start(lab);
	id = lab_simple(lab, 10);
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 1)), 0);
	lab_close(lab);
	lab_open_only(lab);
	w.sp = lab->sp;
	key = key_of_message(id, 0);
	assert_int_equal(write_begin(&w), 0);
	assert_int_equal(
		write_put(&w, TABLE_MESSAGE, value_of(key.bytes, key.length), value_of("?", 1), 0),
		0);
	assert_int_equal(write_commit(&w), 0);
	write_release(&w);

	lab_send_put(lab, first = simple(lab, 10), &fates[0]);
	lab_send_outcome(lab, t = lab_to_end(lab, id, 1, 1), &fates[1]);
	lab_send_put(lab, last = simple(lab, 20), &fates[2]);
	lab_start(lab);
	for (size_t i = 0; i < 3; i++)
		lab_wait(lab, &fates[i].done);
	assert_int_equal(fates[0].result, 0);
	assert_int_equal(fates[1].result, -1);
	assert_int_equal(fates[2].result, 0);
	/* The ids of the batch that was given up are used by the next: nobody saw them. */
	assert_true(first->facts.id > id && last->facts.id > first->facts.id);
	assert_int_equal(lab_rows(lab->sp, TABLE_CLAIM), 1);
	assert_int_equal(lab_rows(lab->sp, TABLE_BLOB), 3);
	put_free(&first);
	put_free(&last);
	transition_free(&t);
}

/* A lazy request does not wait for company for ever; stop does not wait at all. */
static void lazy_requests_come(void **state)
{
	struct lab *lab = *state;
	struct transition *t;
	struct fate fate;
	uint64_t id;

	lab_start(lab);
	for (size_t i = 0; i < 2; i++) {
		id = lab_simple(lab, 10);
		assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 1)), 0);
		lab_send_outcome(lab, t = lab_to_end(lab, id, 1, 1), &fate);
		if (i == 1)
			spool_stop(lab->sp);
		lab_wait(lab, &fate.done);
		assert_int_equal(fate.result, 0);
		transition_free(&t);
	}
	lab_is_good(lab);
}

/* More outcomes than one transaction may free pages for. */
static void many_outcomes(void **state)
{
	enum { MANY = 1500 };
	struct lab *lab = *state;
	struct fate *fates = memory_new_array(MANY, sizeof(*fates));
	struct transition **t = memory_new_array(MANY, sizeof(struct transition *));
	struct put **puts = memory_new_array(MANY, sizeof(struct put *));

	lab_start(lab);
	for (size_t i = 0; i < MANY; i++)
		lab_send_put(lab, puts[i] = simple(lab, 5000), &fates[i]);
	for (size_t i = 0; i < MANY; i++) {
		lab_wait(lab, &fates[i].done);
		lab_send_claim(lab, t[i] = lab_to_claim(lab, puts[i]->facts.id, 1, (uint32_t)i),
		               &fates[i]);
	}
	for (size_t i = 0; i < MANY; i++) {
		lab_wait(lab, &fates[i].done);
		assert_int_equal(fates[i].result, 0);
		transition_free(&t[i]);
		lab_send_outcome(lab, t[i] = lab_to_end(lab, puts[i]->facts.id, 1, (uint32_t)i),
		                 &fates[i]);
	}
	for (size_t i = 0; i < MANY; i++) {
		lab_wait(lab, &fates[i].done);
		assert_int_equal(fates[i].result, 0);
		transition_free(&t[i]);
		put_free(&puts[i]);
	}
	lab_settle(lab);
	lab_is_good(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_BODY), 0);
	free(fates);
	free(t);
	free(puts);
}

/* ---- ids --------------------------------------------------------------------------- */

static void ids_grow(void **state)
{
	struct lab *lab = *state;
	uint64_t last = 0;

	lab_start(lab);
	for (size_t i = 0; i < 30; i++) {
		uint64_t id = lab_simple(lab, 1);

		assert_true(id > last);
		last = id;
		lab->clock.wall_us += i % 3 == 0 ? -CLOCK_HOUR : CLOCK_MS;
		if (i == 10 || i == 20) { /* also when nothing is left that has it */
			assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 1)), 0);
			assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 1, 1)), 0);
			lab_reopen(lab);
		}
	}
}

static void id_layout(void **state)
{
	uint64_t a = spool_id_next(0, LAB_WALL), b = spool_id_next(a, LAB_WALL), full;

	(void)state;
	assert_true(a == (uint64_t)(LAB_WALL / CLOCK_MS) << 22);
	assert_true(b == a + 1);
	assert_true(spool_id_next(b, LAB_WALL + CLOCK_MS) == a + (1 << 22));
	full = a | ((1 << 14) - 1);
	assert_true(spool_id_next(full, LAB_WALL) == a + (1 << 22)); /* the node stays 0 */
	assert_true(spool_id_next(0, 0) > BLOB_STREAMED_MAX);
}

/* ---- news ----------------------------------------------------------------------------- */

struct heard {
	struct due_news news[8];
	size_t count, calls;
};

static void hear(void *context, const struct due_news *news, size_t count)
{
	struct heard *heard = context;

	heard->calls++;
	for (size_t i = 0; i < count && heard->count < 8; i++)
		heard->news[heard->count++] = news[i];
}

/* One post for a batch of many rows; each line once, with its earliest time. */
static void due_is_told_once(void **state)
{
	struct lab *lab = *state;
	struct heard heard = { .count = 0 };
	struct put *put = lab_message(lab, 1);
	struct fate fate;

	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL + 7, 1));
	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL + 3, 1));
	put_add_delivery(put, lab_delivery(1, 1, 5, CLOCK_NEVER, 1));
	put_add_delivery(put, lab_delivery(1, 0, 5, LAB_WALL + 9, 1));
	spool_watch_due(lab->sp, lab->home, hear, &heard);
	lab_send_put(lab, put, &fate);
	lab_start(lab);
	lab_wait(lab, &fate.done);
	spool_stop(lab->sp);
	channel_receive(lab->home);
	put_free(&put);
	assert_int_equal(heard.calls, 1);
	assert_int_equal(heard.count, 2);
	assert_int_equal(heard.news[0].queue, 1);
	assert_int_equal(heard.news[0].class, 5);
	assert_true(heard.news[0].earliest_us == LAB_WALL + 3);
	assert_int_equal(heard.news[1].priority, 1);
	assert_true(heard.news[1].earliest_us == CLOCK_NEVER);
}

/* While news is out the next gathers; it comes in one piece afterwards. */
static void due_gathers_while_told(void **state)
{
	struct lab *lab = *state;
	struct channel *watcher = channel_new(NULL);
	struct heard heard = { .count = 0 };

	spool_watch_due(lab->sp, watcher, hear, &heard);
	lab_start(lab);
	for (size_t i = 0; i < 20; i++)
		lab_simple(lab, 1);
	spool_stop(lab->sp);
	while (channel_receive(watcher))
		;
	/* The first post may have been taken before or after some of the others came. */
	assert_int_equal(heard.count, heard.calls);
	assert_int_equal(heard.calls, 1);
	channel_free(&watcher);
}

static void due_set_merges(void **state)
{
	struct due_set set = { .count = 0 };

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 1000; i++) {
			struct due_news line = { .queue = i % 10,
				                 .priority = (int8_t)(i % 7 - 3),
				                 .class = (uint16_t)(i % 11),
				                 .earliest_us = 5000 - i };

			due_set_add(&set, &line);
		}
		assert_int_equal(set.count, 770);
		assert_true(set.lines[0].earliest_us == 5000 - 770);
		due_set_clear(&set);
		assert_int_equal(set.count, 0);
	}
	due_set_release(&set);
}

struct heard_inbox {
	uint32_t inbox[4];
	uint64_t last[4];
	size_t count;
};

static void hear_inbox(void *context, uint32_t inbox, uint64_t last_sequence)
{
	struct heard_inbox *heard = context;

	assert_true(heard->count < 4);
	heard->inbox[heard->count] = inbox;
	heard->last[heard->count++] = last_sequence;
}

static void inbox_is_told_once(void **state)
{
	static const uint32_t inboxes[] = { 1, 2, 1 };
	struct lab *lab = *state;
	struct heard_inbox heard = { .count = 0 };
	struct fate fates[3];
	struct put *puts[3];

	spool_watch_inbox(lab->sp, lab->home, hear_inbox, &heard);
	for (size_t i = 0; i < 3; i++) {
		struct bytes summary = { 0 };

		puts[i] = lab_message(lab, 1);
		put_add_entry(puts[i], inboxes[i], &summary);
		lab_send_put(lab, puts[i], &fates[i]);
	}
	lab_start(lab);
	for (size_t i = 0; i < 3; i++) {
		lab_wait(lab, &fates[i].done);
		put_free(&puts[i]);
	}
	spool_stop(lab->sp);
	channel_receive(lab->home);
	assert_int_equal(heard.count, 2);
	assert_int_equal(heard.inbox[0], 1);
	assert_int_equal(heard.last[0], 2);
	assert_int_equal(heard.last[1], 1);
}

/* ---- room and failures --------------------------------------------------------------------- */

static void quota_is_kept(void **state)
{
	struct lab *lab = *state;
	struct put *put;
	uint64_t id;

	lab->sp->max_size = 100000;
	lab_start(lab);
	assert_true(spool_reserve(lab->sp, 60000));
	assert_false(spool_reserve(lab->sp, 60000));
	assert_true(spool_reserve(lab->sp, 40000));
	spool_unreserve(lab->sp, 40000);
	assert_false(spool_reserve(lab->sp, UINT64_MAX));
	put = simple(lab, 50000);
	put->reserved = 60000;
	assert_int_equal(lab_put(lab, put, &id), 0);
	assert_int_equal(atomic_load(&lab->sp->held), 50000 + MESSAGE_OVERHEAD);
	assert_false(spool_reserve(lab->sp, 60000));
	lab_reopen(lab);
	lab->sp->max_size = 100000;
	assert_int_equal(atomic_load(&lab->sp->held), 50000 + MESSAGE_OVERHEAD);
	/* Beyond the quota what is there is still sent. */
	lab->sp->max_size = 1;
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 1)), 0);
	assert_int_equal(lab_outcome(lab, lab_to_end(lab, id, 1, 1)), 0);
	assert_int_equal(atomic_load(&lab->sp->held), 0);
	/* A refused put gives back what it reserved. */
	lab->sp->max_size = 100000;
	assert_true(spool_reserve(lab->sp, 1000));
	put = simple(lab, 1000);
	put->reserved = 1000;
	put->first_piece = 1;
	assert_int_equal(lab_put(lab, put, NULL), -1);
	assert_int_equal(atomic_load(&lab->sp->held), 0);
}

static void swallow(void *context, enum log_level level, const char *line)
{
	(void)context;
	(void)level;
	(void)line;
}

static void must_not_fail(void *context, const char *why)
{
	(void)context;
	fail_msg("%s", why);
}

/* The file may not grow: new mail is refused, what is there goes out, then there is room again. */
static void full_disk_is_survived(void **state)
{
	struct lab *lab = *state;
	struct rlimit before, limit;
	uint64_t ids[64];
	size_t count = 0;
	struct put *put;
	int refused = 0;

	log_capture(swallow, NULL);
	spool_on_failure(lab->sp, must_not_fail, NULL);
	lab_start(lab);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 3000000 + 123; /* not at a page */
	setrlimit(RLIMIT_FSIZE, &limit);
	while (count < 64 && refused == 0) {
		put = simple(lab, 200000);
		if (lab_put(lab, put, &ids[count]) == 0)
			count++;
		else
			refused++;
	}
	assert_int_equal(refused, 1);
	assert_true(count > 5);
	assert_false(spool_reserve(lab->sp, 1));
	lab_is_good(lab);
	for (size_t i = 0; i < count; i++) {
		assert_true(lab_body_is(lab, ids[i], 200000));
		assert_int_equal(lab_claim(lab, lab_to_claim(lab, ids[i], 1, 1)), 0);
		assert_int_equal(lab_outcome(lab, lab_to_end(lab, ids[i], 1, 1)), 0);
	}
	lab_settle(lab);
	lab_is_good(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_BODY), 0);
	setrlimit(RLIMIT_FSIZE, &before);
	atomic_store(&lab->sp->checked, 0);
	assert_true(spool_reserve(lab->sp, 1));
	assert_true(lab_simple(lab, 200000) > 0);
	lab_is_good(lab);
	log_capture(NULL, NULL);
}

/* Started on a full disk it sends what is there; what was interrupted waits for another start. */
static void starts_on_a_full_disk(void **state)
{
	struct lab *lab = *state;
	uint64_t id, blob = spool_blob_new(lab->sp);
	struct rlimit before, limit;

	log_capture(swallow, NULL);
	lab_start(lab);
	assert_int_equal(lab_chunk(lab, blob, 0, "x", 1), 0);
	id = lab_simple(lab, 10000);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 8192; /* LMDB's two meta pages */
	setrlimit(RLIMIT_FSIZE, &limit);
	lab_reopen(lab);
	assert_false(spool_reserve(lab->sp, 1));
	assert_true(lab_body_is(lab, id, 10000));
	assert_int_equal(lab_put(lab, simple(lab, 1), NULL), -1);
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 1)), -1);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(lab_claim(lab, lab_to_claim(lab, id, 1, 1)), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_GARBAGE), 1);
	lab_is_good(lab);
	lab_reopen(lab);
	lab_settle(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_GARBAGE), 0);
	lab_is_good(lab);
	log_capture(NULL, NULL);
}

static void failed(void *context, const char *why)
{
	atomic_bool *called = context;

	assert_non_null(why);
	atomic_store(called, true);
}

/* A descriptor that cannot be written is no full disk: the hook hears it, requests are refused. */
static void broken_disk_is_fatal(void **state)
{
	struct lab *lab = *state;
	atomic_bool called = false;
	mdb_filehandle_t fd;
	int kept;

	spool_on_failure(lab->sp, failed, &called);
	lab_start(lab);
	lab_simple(lab, 1);
	assert_int_equal(mdb_env_get_fd(lab->sp->env, &fd), 0);
	kept = dup(fd);
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[0], fd); /* pwrite() on it: ESPIPE */
	assert_int_equal(lab_put(lab, simple(lab, 1), NULL), -1);
	assert_true(atomic_load(&called));
	assert_int_equal(lab_put(lab, simple(lab, 1), NULL), -1);
	dup2(kept, fd);
	close(kept);
	close(pipes[0]);
	close(pipes[1]);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup_stopped, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(commits_in_groups),
		CASE(refuses_the_guilty),
		CASE(lazy_requests_come),
		CASE(many_outcomes),
		CASE(ids_grow),
		cmocka_unit_test(id_layout),
		CASE(due_is_told_once),
		CASE(due_gathers_while_told),
		cmocka_unit_test(due_set_merges),
		CASE(inbox_is_told_once),
		CASE(quota_is_kept),
		CASE(full_disk_is_survived),
		CASE(starts_on_a_full_disk),
		CASE(broken_disk_is_fatal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
