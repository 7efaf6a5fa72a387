/* SPDX-License-Identifier: ISC */
/* bench_spool.c - durable messages a second: threads that each have some puts outstanding.
 *
 * bench_spool [threads] [outstanding] [seconds] [octets] [directory] [relay]
 * Prints messages a second, CPU and syncs a message. No parsing, no sockets: what the
 * spool itself can do; with "relay" it claims and ends each message too.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/metric.h"
#include "spool/spool.h"

struct producer {
	pthread_t thread;
	struct spool *sp;
	struct channel *home;
	struct reader *reader;
	size_t octets, outstanding, waiting;
	unsigned slots;
	int64_t until;
	bool relay;
	uint64_t done, failed;
};

static struct put *message(struct producer *p)
{
	struct put *put = put_new(p->sp);
	struct delivery *d = memory_new(sizeof(*d));

	put->facts.sender =
		(struct address){ .text = memory_text("from@example.org"), .local_length = 4 };
	put->facts.trace.client = memory_text("127.0.0.1");
	put->facts.trace.helo = memory_text("client.example.org");
	put->facts.trace.by = memory_text("relay.example.org");
	put->facts.trace.with = memory_text("ESMTP");
	put->facts.size = p->octets;
	bytes_reserve(&put->body, p->octets);
	memset(put->body.data, 'x', p->octets);
	put->body.length = p->octets;
	d->queue = 1;
	d->class = spool_class(p->sp, NULL, &put->facts.sender);
	d->due_us = d->accepted_us = clock_wall(clock_system());
	d->recipients = memory_new(sizeof(*d->recipients));
	d->count = 1;
	d->recipients[0].to.address =
		(struct address){ .text = memory_text("to@example.net"), .local_length = 2 };
	put_add_delivery(put, d);
	return put;
}

static void ended(struct spool_request *request, int result)
{
	struct transition *t = (struct transition *)(void *)request;
	struct producer *p = t->owner;

	p->waiting--;
	p->failed += result != 0;
	transition_free(&t);
}

static void claimed(struct spool_request *request, int result)
{
	struct transition *t = (struct transition *)(void *)request;
	struct producer *p = t->owner;
	struct transition *end = transition_new(t->id, t->n);

	p->failed += result != 0;
	end->unclaims = true;
	end->claim = t->claim;
	end->owner = p;
	end->request.home = p->home;
	end->request.done = ended;
	transition_free(&t);
	spool_outcome(p->sp, end);
}

static void claim(struct producer *p, const struct put *put)
{
	const struct delivery *d = put->deliveries[0];
	struct transition *t = transition_new(d->id, d->n);

	t->has_due = true;
	t->due = (struct due_row){
		.queue = d->queue, .class = d->class, .time_us = d->due_us, .id = d->id, .n = d->n
	};
	t->claims = true;
	t->claim = (struct claim){ .provider = (uint32_t)(uintptr_t)p->home, .slot = p->slots++ };
	t->owner = p;
	t->request.home = p->home;
	t->request.done = claimed;
	p->waiting++;
	spool_claim(p->sp, t);
}

static void stored(struct spool_request *request, int result)
{
	struct put *put = (struct put *)(void *)request;
	struct producer *p = put->owner;

	p->waiting--;
	p->failed += result != 0;
	p->done += result == 0;
	if (p->relay && result == 0)
		claim(p, put);
	put_free(&put);
}

static void *produce(void *context)
{
	struct producer *p = context;
	bool more = true;

	while (more || p->waiting > 0) {
		more = clock_monotonic(clock_system()) < p->until;
		while (more && p->waiting < p->outstanding) {
			struct put *put = message(p);

			put->owner = p;
			put->request.home = p->home;
			put->request.done = stored;
			p->waiting++;
			spool_put(p->sp, put);
		}
		channel_wait(p->home, 100000);
		channel_receive(p->home);
	}
	return NULL;
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void remove_directory(const char *directory)
{
	static const char *const files[] = { "data.mdb", "lock.mdb", "lock" };
	char path[4096];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
		unlink(path);
	}
	rmdir(directory);
}

static void run(size_t threads, struct producer model)
{
	struct producer *all = memory_new_array(threads, sizeof(*all));
	int64_t start = clock_monotonic(clock_system()), seconds = model.until;
	double cpu = cpu_seconds(), wall, done = 0, failed = 0;

	for (size_t i = 0; i < threads; i++) {
		all[i] = model;
		all[i].until = start + seconds * CLOCK_SEC;
		all[i].home = channel_new(&all[i]);
		all[i].slots = (unsigned)(i << 24);
		pthread_create(&all[i].thread, NULL, produce, &all[i]);
	}
	for (size_t i = 0; i < threads; i++) {
		pthread_join(all[i].thread, NULL);
		done += (double)all[i].done;
		failed += (double)all[i].failed;
		channel_free(&all[i].home);
	}
	wall = (double)(clock_monotonic(clock_system()) - start) / 1e6;
	cpu = cpu_seconds() - cpu;
	printf("%s octets=%zu threads=%zu outstanding=%zu messages/s=%.0f cpu-us/message=%.1f "
	       "syncs/message=%.4f operations/message=%.1f wakeups/message=%.3f failed=%.0f\n",
	       model.relay ? "accept+relay" : "accept", model.octets, threads, model.outstanding,
	       done / wall, cpu * 1e6 / done, (double)metric_get(METRIC_SPOOL_SYNCS) / done,
	       (double)metric_get(METRIC_SPOOL_OPERATIONS) / done,
	       (double)metric_get(METRIC_WAKEUPS) / done, failed);
	free(all);
}

int main(int argc, char **argv)
{
	char directory[] = "/tmp/penstock-bench-XXXXXX";
	struct producer model = { .octets = 4096, .outstanding = 25, .until = 3 };
	size_t threads;
	struct spool_options options = { .max_size = UINT64_C(64) << 30 };
	struct bytes error = { 0 };
	bool own;

	if (argc > 1 && strcmp(argv[argc - 1], "relay") == 0) {
		model.relay = true;
		argc--;
	}
	own = argc <= 5;
	threads = argc > 1 ? (size_t)atol(argv[1]) : 2;
	if (argc > 2)
		model.outstanding = (size_t)atol(argv[2]);
	if (argc > 3)
		model.until = atol(argv[3]);
	if (argc > 4)
		model.octets = (size_t)atol(argv[4]);
	options.path = own ? mkdtemp(directory) : argv[5];
	if (options.path == NULL || spool_open(&model.sp, &options, &error) != 0 ||
	    spool_start(model.sp, &error) != 0) {
		fprintf(stderr, "bench_spool: %s\n", bytes_text(&error));
		return 1;
	}
	run(threads, model);
	spool_close(&model.sp);
	if (own)
		remove_directory(directory);
	return 0;
}
