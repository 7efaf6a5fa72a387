/* SPDX-License-Identifier: ISC */
/* test_spool_crash.c - a spool whose process is killed at any moment.
 *
 * A child puts, streams, claims, ends and defers as fast as it can and says over a pipe what was
 * acknowledged. It is killed after some number of these words; the parent opens the spool
 * and looks for everything that was promised. Rounds go on with the same spool.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "spool_lab.h"

#include "base/memory.h"
#include "base/table.h"

#define ROUNDS      5
#define ROUNDS_LONG 50 /* make check-long */
#define JOBS        12
#define KEEP        5
#define WORDS       600 /* the most before the kill */
#define STREAMED    60000

enum word { STORED, ENDING, ENDED };

struct said {
	uint64_t id;
	uint32_t size;
	uint32_t word;
};

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return (unsigned)(random_state >> 33) % n;
}

/* ---- the child ------------------------------------------------------------------------ */

struct job {
	struct lab *lab;
	struct put *put;
	struct chunk chunk;
	struct transition *t;
	uint64_t id;
	uint32_t slot;
	int words;
};

static void job_start(struct job *job);

static void say(struct job *job, enum word word, uint64_t id, size_t size)
{
	struct said said = { .id = id, .size = (uint32_t)size, .word = word };

	if (write(job->words, &said, sizeof(said)) != sizeof(said))
		_exit(1);
}

static void must(int result)
{
	if (result != 0)
		_exit(2);
}

static void job_changed(struct spool_request *request, int result)
{
	struct transition *t = (struct transition *)(void *)request;
	struct job *job = t->owner;
	bool ended = t->now == NULL;

	must(result);
	transition_free(&t);
	if (ended)
		say(job, ENDED, job->id, 0);
	job_start(job);
}

/* A third stays claimed, a third comes back, a third ends, half of these with a bounce. */
static void job_claimed(struct spool_request *request, int result)
{
	struct transition *t = (struct transition *)(void *)request;
	struct job *job = t->owner;
	unsigned fate = random_below(6);

	must(result);
	transition_free(&t);
	if (fate < 2) {
		job->slot += JOBS;
		job_start(job);
		return;
	}
	t = fate < 4 ? lab_to_defer(job->lab, job->id, 1, job->slot, LAB_WALL + fate)
	             : lab_to_end(job->lab, job->id, 1, job->slot);
	if (fate == 3)
		transition_apart(t, lab_delivery(2, 1, 1, LAB_WALL, 2));
	if (fate == 5) {
		t->bounce = lab_message(job->lab, 700);
		put_add_delivery(t->bounce, lab_delivery(9, 0, 0, LAB_WALL, 1));
	}
	if (fate >= 4)
		say(job, ENDING, job->id, 0);
	t->owner = job;
	t->request.home = job->lab->home;
	t->request.done = job_changed;
	spool_outcome(job->lab->sp, t);
}

static void job_stored(struct spool_request *request, int result)
{
	struct job *job = ((struct put *)(void *)request)->owner;
	struct transition *t;

	must(result);
	job->id = job->put->facts.id;
	say(job, STORED, job->id, job->put->facts.size);
	put_free(&job->put);
	t = lab_to_claim(job->lab, job->id, 1, job->slot);
	t->owner = job;
	t->request.home = job->lab->home;
	t->request.done = job_claimed;
	spool_claim(job->lab->sp, t);
}

static void job_put(struct job *job)
{
	job->put->owner = job;
	job->put->request.home = job->lab->home;
	job->put->request.done = job_stored;
	spool_put(job->lab->sp, job->put);
}

static void job_streamed(struct spool_request *request, int result)
{
	struct job *job = ((struct chunk *)(void *)request)->owner;

	must(result);
	bytes_consume(&job->put->body, job->chunk.data.length);
	bytes_clear(&job->chunk.data);
	if (random_below(4) == 0) {
		spool_drop(job->lab->sp, job->chunk.blob);
		put_free(&job->put);
		job_start(job);
		return;
	}
	job_put(job);
}

/* Labels and extras, some of many pages. */
static void dress(struct put_entry *entry)
{
	for (int kind = 0; kind < SPOOL_EXTRA_COUNT; kind++) {
		size_t length = random_below(3) == 0 ? random_below(300000) : random_below(3000);

		bytes_reserve(&entry->extras[kind], length);
		memset(entry->extras[kind].data, 'e', length);
		entry->extras[kind].length = length;
	}
	if (random_below(2) == 0) {
		entry->labels = memory_new(sizeof(char *));
		entry->labels[entry->label_count++] = memory_text(random_below(2) ? "a" : "b");
	}
}

static void changed(struct spool_request *request, int result)
{
	must(result);
	free(request);
}

static void change_some(struct lab *lab)
{
	static char *labels[] = { (char *)(uintptr_t) "a", (char *)(uintptr_t) "c" };
	struct inbox_change *change = memory_new(sizeof(*change));

	change->request.home = lab->home;
	change->request.done = changed;
	change->inbox = 1;
	change->what = random_below(2) == 0 ? INBOX_SET_READ : INBOX_RENAME_LABEL;
	change->labels = labels;
	change->label_count = 2;
	spool_inbox_change(lab->sp, change);
}

static void job_start(struct job *job)
{
	size_t size = random_below(3) == 0 ? STREAMED + random_below(9000) : random_below(9000);
	struct bytes summary = { 0 };

	job->put = lab_message(job->lab, size);
	put_add_delivery(job->put, lab_delivery(1, 0, (uint16_t)random_below(3), LAB_WALL, 3));
	if (random_below(2) == 0) {
		put_add_entry(job->put, 1, &summary);
		dress(&job->put->entries[0]);
	}
	if (random_below(20) == 0)
		change_some(job->lab);
	if (size < STREAMED) {
		job_put(job);
		return;
	}
	job->put->facts.blob = job->chunk.blob = spool_blob_new(job->lab->sp);
	job->put->first_piece = 1 + random_below(12);
	bytes_append(&job->chunk.data, job->put->body.data,
	             job->put->first_piece * spool_piece_size(job->lab->sp));
	job->chunk.owner = job;
	job->chunk.request.home = job->lab->home;
	job->chunk.request.done = job_streamed;
	spool_chunk(job->lab->sp, &job->chunk);
}

static _Noreturn void child(struct lab *lab, int words, unsigned round)
{
	struct job jobs[JOBS];

	lab_open(lab);
	spool_keep(lab->sp, 1, KEEP);
	for (uint32_t i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){ .lab = lab, .words = words, .slot = round * 1000000 + i };
		job_start(&jobs[i]);
	}
	for (;;) {
		channel_wait(lab->home, -1);
		channel_receive(lab->home);
	}
}

/* ---- the parent -------------------------------------------------------------------------- */

struct promise {
	uint64_t id;
	uint32_t size;
	bool ending, ended;
};

struct promises {
	struct table *table;
	size_t stored, ended;
};

static void hear(struct promises *promises, const struct said *said)
{
	struct promise *promise = table_find_u64(promises->table, said->id);

	if (promise == NULL) {
		promise = memory_new(sizeof(*promise));
		promise->id = said->id;
		table_set_u64(promises->table, said->id, promise);
	}
	if (said->word == STORED) {
		promise->size = said->size;
		promises->stored++;
	}
	promise->ending |= said->word != STORED;
	promise->ended |= said->word == ENDED;
	promises->ended += said->word == ENDED;
}

static void run_and_kill(struct lab *lab, struct promises *promises, unsigned round)
{
	unsigned left = 1 + random_below(WORDS);
	struct said said;
	int words[2], status;
	pid_t pid;

	assert_int_equal(pipe(words), 0);
	pid = fork();
	if (pid == 0) {
		close(words[0]);
		child(lab, words[1], round);
	}
	close(words[1]);
	/* Words are shorter than PIPE_BUF: they come whole, also those written before the kill. */
	while (read(words[0], &said, sizeof(said)) == sizeof(said)) {
		hear(promises, &said);
		if (--left == 0)
			kill(pid, SIGKILL);
	}
	close(words[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void check_promise(void *context, struct span key, void *value)
{
	const struct promise *promise = value;
	struct lab *lab = context;
	struct message_facts facts;
	uint64_t id = promise->id;

	(void)key;
	if (promise->ended) {
		struct delivery d;

		assert_false(reader_delivery(lab->reader, id, 1, &d));
		return;
	}
	if (promise->ending)
		return;
	if (!reader_message(lab->reader, id, &facts))
		fail_msg("message %llx was acknowledged and is gone", (unsigned long long)id);
	assert_int_equal(facts.size, promise->size);
	assert_true(lab_body_is(lab, facts.blob, facts.size));
	message_facts_release(&facts);
}

struct leftovers {
	struct claim claims[20000];
	size_t count;
};

static void see_claim(void *context, const struct claim *claim)
{
	struct leftovers *left = context;

	assert_true(left->count < 20000);
	left->claims[left->count++] = *claim;
}

/* As the dispatcher does at start: what was in flight is due again, for the same provider. */
static void recover_claims(struct lab *lab)
{
	struct leftovers *left = memory_new(sizeof(*left));
	struct transition **t;
	struct fate *fates;

	reader_claims(lab->reader, see_claim, left);
	t = memory_new_array(left->count + 1, sizeof(struct transition *));
	fates = memory_new_array(left->count + 1, sizeof(*fates));
	for (size_t i = 0; i < left->count; i++) {
		const struct claim *claim = &left->claims[i];

		t[i] = lab_to_defer(lab, claim->id, claim->n, claim->slot, LAB_WALL);
		t[i]->now->pinned = claim->provider;
		lab_send_outcome(lab, t[i], &fates[i]);
	}
	for (size_t i = 0; i < left->count; i++) {
		lab_wait(lab, &fates[i].done);
		assert_int_equal(fates[i].result, 0);
		transition_free(&t[i]);
	}
	assert_int_equal(lab_rows(lab->sp, TABLE_CLAIM), 0);
	free(t);
	free(fates);
	free(left);
}

static void free_promise(void *context, struct span key, void *value)
{
	(void)context;
	(void)key;
	free(value);
}

static void keeps_its_promises(void **state)
{
	const char *much = getenv("LONG");
	unsigned rounds = much != NULL && strcmp(much, "yes") == 0 ? ROUNDS_LONG : ROUNDS;
	struct promises promises = { .table = table_new() };
	struct lab lab;

	(void)state;
	lab_init(&lab, SPOOL_RELAY);
	for (unsigned round = 0; round < rounds; round++) {
		random_state = (uint64_t)getpid() * 1000 + round;
		run_and_kill(&lab, &promises, round);
		lab_open(&lab);
		lab_is_good(&lab);
		table_each(promises.table, check_promise, &lab);
		lab_settle(&lab);
		assert_int_equal(lab_rows(lab.sp, TABLE_GARBAGE), 0);
		assert_true(lab_rows(lab.sp, TABLE_INBOX) <= KEEP);
		if (round % 2 == 1)
			recover_claims(&lab);
		lab_is_good(&lab);
		lab_close(&lab);
	}
	assert_true(promises.stored >= rounds);
	print_message("%zu acknowledged, %zu ended\n", promises.stored, promises.ended);
	table_each(promises.table, free_promise, NULL);
	table_free(&promises.table);
	lab_release(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_its_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
