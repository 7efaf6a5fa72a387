/* SPDX-License-Identifier: ISC */
/* Random providers, with limits that are declared and limits that are hidden. Of each: one that is
 * declared is never exceeded, and 99 % of it is used; of a hidden one 95 % is used, with under 1 %
 * of the attempts throttled once it was found. A share of them here, two hundred with LONG set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "relay_world.h"

#define SHARE   20
#define ALL     200
#define MOST    20000 /* messages of one simulation */
#define BACKLOG 300

enum kind { SLIDING, FIXED, BUCKET, KINDS };

struct policy {
	enum kind kind;
	bool hidden;
	struct rate rate; /* what it enforces */
	double level;     /* bucket */
	int64_t level_us;
	int64_t *taken; /* moments of what it took */
	size_t taken_count;
	size_t attempts, throttled;
	size_t connections, open_most; /* declared; what it allows, and does not say, 0: all */
	bool counting;                 /* after it was found */
};

static struct policy policy;

static bool sliding_takes(struct policy *p, int64_t now)
{
	size_t back = p->taken_count, count = 0;

	while (back > 0 && now - p->taken[back - 1] < p->rate.period_us) {
		back--;
		count++;
	}
	return count < p->rate.count;
}

static bool fixed_takes(struct policy *p, int64_t now)
{
	int64_t window = now / p->rate.period_us;
	size_t back = p->taken_count, count = 0;

	while (back > 0 && p->taken[back - 1] / p->rate.period_us == window) {
		back--;
		count++;
	}
	return count < p->rate.count;
}

static bool bucket_takes(struct policy *p, int64_t now)
{
	p->level += (double)(now - p->level_us) * (double)p->rate.count / (double)p->rate.period_us;
	p->level_us = now;
	if (p->level > (double)p->rate.burst)
		p->level = (double)p->rate.burst;
	if (p->level < 1)
		return false;
	p->level -= 1;
	return true;
}

static void answer(struct host *host, const struct grant *grant, struct grant_news *news)
{
	static bool (*const takes[])(struct policy *, int64_t) = { sliding_takes, fixed_takes,
		                                                   bucket_takes };
	int64_t now = host->world->clock.monotonic_us;

	policy.attempts += policy.counting;
	if (!takes[policy.kind](&policy, now)) {
		policy.throttled += policy.counting;
		answer_all(news, grant, 454, "4.7.0",
		           "Throttling failure: Maximum sending rate exceeded");
		return;
	}
	if (policy.taken_count % 4096 == 0)
		policy.taken =
			memory_grow(policy.taken, policy.taken_count + 4096, sizeof(*policy.taken));
	policy.taken[policy.taken_count++] = now;
	answer_all(news, grant, 250, "2.0.0", "ok");
}

static size_t fed;

static void feed(struct world *w, void *argument)
{
	size_t *added = &fed;
	size_t want =
		w->sent + BACKLOG + (size_t)(policy.rate.count < 2000 ? policy.rate.count : 2000);

	if (*added < want) {
		world_mails(w, &(struct world_mail){ 0 }, want - *added);
		*added = want;
	}
	world_later(w, 500 * CLOCK_MS, feed, argument);
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t most_in_window(struct host *host, int64_t period_us)
{
	uint64_t max = 0;

	qsort(host->written, host->written_count, sizeof(*host->written), by_time);
	for (size_t first = 0, last = 0; last < host->written_count; last++) {
		while (host->written[last] - host->written[first] > period_us)
			first++;
		max = last - first + 1 > max ? last - first + 1 : max;
	}
	return max;
}

/* Numbers of its own, so that one row can be run again by itself. */
static unsigned pick(unsigned *seed, unsigned from, unsigned to)
{
	*seed = (*seed ^ *seed >> 15) * 2654435769u + 12345u;
	return from + (*seed >> 8) % (to - from + 1);
}

static void make_policy(unsigned i)
{
	static const int64_t periods[] = { CLOCK_SEC, CLOCK_SEC, CLOCK_MIN, CLOCK_HOUR, CLOCK_DAY };
	unsigned seed = i * 7919 + 17, place;

	policy = (struct policy){ .kind = (enum kind)pick(&seed, 0, KINDS - 1),
		                  .hidden = pick(&seed, 0, 1) == 1 };
	/* A hidden quota of hours is told as a quota, not as a rate. */
	place = pick(&seed, 0, policy.hidden ? 2 : 4);
	policy.rate.period_us = periods[place];
	policy.rate.count = place < 2 ? pick(&seed, 1, 100) : pick(&seed, 20, 1500);
	if (policy.kind == BUCKET)
		policy.rate.burst = pick(&seed, 1, 50) + policy.rate.count / 10;
	policy.connections = 1 + i % 10;
	policy.open_most =
		pick(&seed, 0, 2) == 0 ? pick(&seed, 1, (unsigned)policy.connections) : 0;
	policy.level = (double)policy.rate.burst;
	policy.level_us = CLOCK_HOUR;
}

static void told(unsigned i, double share, size_t too_many)
{
	if (getenv("POLICY") != NULL)
		(void)fprintf(
			stderr,
			"policy %u: %s kind %d, connections %zu of %zu, refused %zu, %llu per "
			"%llds burst %llu: %.4f used, %zu of %zu throttled\n",
			i, policy.hidden ? "hidden" : "declared", (int)policy.kind,
			policy.open_most, policy.connections, too_many,
			(unsigned long long)policy.rate.count,
			(long long)(policy.rate.period_us / CLOCK_SEC),
			(unsigned long long)policy.rate.burst, share, policy.throttled,
			policy.attempts);
}

/* So short that the connections can carry twice what the policy allows. */
static int64_t reply_us(unsigned i, double per_us)
{
	int64_t us = (5 + i % 90) * CLOCK_MS;
	size_t open = policy.open_most > 0 ? policy.open_most : policy.connections;

	return per_us * (double)us * 2 > (double)open ? (int64_t)((double)open / per_us / 2) : us;
}

static void simulate(unsigned i)
{
	struct world w;
	size_t before, too_many;
	double per_us, share;
	int64_t warm, length;

	make_policy(i);
	per_us = (double)policy.rate.count / (double)policy.rate.period_us;
	length = (int64_t)(MOST / 2 / per_us);
	length = length > CLOCK_DAY ? CLOCK_DAY : length;
	/* A window shows itself only as often as it comes round. */
	if (policy.hidden && length < 60 * policy.rate.period_us)
		length = 60 * policy.rate.period_us;
	length = length < 3 * policy.rate.period_us ? 3 * policy.rate.period_us : length;
	warm = policy.hidden ? length : policy.rate.period_us;
	world_init(&w, 1, 1);
	w.providers[0].adaptive = true;
	w.providers[0].connections = policy.connections;
	w.hosts[0].open_most = policy.open_most;
	w.hosts[0].too_many_said = i % 4 != 0;
	w.hosts[0].reply_us = reply_us(i, per_us);
	w.hosts[0].late_us = 300;
	w.hosts[0].answer = answer;
	if (!policy.hidden) {
		w.providers[0].rates = &policy.rate;
		w.providers[0].rate_count = 1;
	}
	world_start(&w);
	relay_start(w.relay);
	fed = 0;
	feed(&w, NULL);
	world_pass(&w, warm);
	if (policy.hidden && i % 3 == 0) { /* what was found is remembered */
		world_crash(&w);
		feed(&w, NULL);
	}
	before = policy.taken_count;
	too_many = w.hosts[0].too_many;
	policy.counting = true;
	world_pass(&w, length);
	share = (double)(policy.taken_count - before) / (per_us * (double)length);
	if (!policy.hidden && most_in_window(&w.hosts[0], policy.rate.period_us) >
	                              policy.rate.count + policy.rate.burst)
		fail_msg("policy %u: declared %llu exceeded", i,
		         (unsigned long long)policy.rate.count);
	too_many = w.hosts[0].too_many - too_many;
	told(i, share, too_many);
	/* One more is tried now and then, not with every message. */
	if ((int64_t)too_many > 10 + length / (4 * CLOCK_MIN))
		fail_msg("policy %u: too many connections %zu times", i, too_many);
	if (!policy.hidden && share < 0.99 - 1.5 / (per_us * (double)length))
		fail_msg("policy %u: a declared limit is not used: %.4f", i, share);
	if (policy.hidden && (share < 0.95 || policy.throttled * 100 >= policy.attempts))
		fail_msg("policy %u: a hidden limit is not found: %.4f used, %zu of %zu throttled",
		         i, share, policy.throttled, policy.attempts);
	w.generation++; /* the feeding ends */
	host_crash(&w.hosts[0]);
	relay_free(&w.relay);
	world_release(&w);
	free(policy.taken);
}

static void test_random_providers(void **state)
{
	const char *one = getenv("POLICY");
	unsigned count = getenv("LONG") != NULL && *getenv("LONG") != '\0' ? ALL : SHARE;

	(void)state;
	if (one != NULL) {
		simulate((unsigned)atoi(one));
		return;
	}
	for (unsigned i = 0; i < count; i++)
		simulate(i);
}

static void quiet(void *context, enum log_level level, const char *line)
{
	(void)context;
	(void)level;
	if (getenv("POLICY") != NULL)
		(void)fprintf(stderr, "%s\n", line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_providers),
	};

	log_capture(quiet, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
