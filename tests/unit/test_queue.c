/* SPDX-License-Identifier: ISC */
/* Lines and turns over an index in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "relay/queue.h"

#define ROWS_MAX 300
#define NOW      1000

/* Rows in the order of the index; `gone` ones are passed over. */
struct index {
	struct due_row rows[ROWS_MAX];
	bool gone[ROWS_MAX], busy[ROWS_MAX];
	size_t count, reads, lines;
};

static int order(const struct due_row *a, const struct due_row *b)
{
	const int64_t x[] = { a->queue, -a->priority, a->class, a->time_us, (int64_t)a->id, a->n };
	const int64_t y[] = { b->queue, -b->priority, b->class, b->time_us, (int64_t)b->id, b->n };

	for (size_t i = 0; i < 6; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

static void add(struct index *index, int8_t priority, uint16_t class, int64_t time_us, uint64_t id)
{
	struct due_row row = { 1, priority, class, time_us, id, 1 };
	size_t at = index->count++;

	assert_true(index->count <= ROWS_MAX);
	while (at > 0 && order(&index->rows[at - 1], &row) > 0) {
		index->rows[at] = index->rows[at - 1];
		index->gone[at] = index->gone[at - 1];
		index->busy[at] = index->busy[at - 1];
		at--;
	}
	index->rows[at] = row;
	index->gone[at] = index->busy[at] = false;
}

static bool same_line(const struct due_row *a, const struct due_row *b)
{
	return a->queue == b->queue && a->priority == b->priority && a->class == b->class;
}

static bool due_line(void *context, struct due_row *line)
{
	struct index *index = context;
	struct due_row after = *line;

	index->lines++;
	after.time_us = INT64_MAX;
	for (size_t i = 0; i < index->count; i++) {
		if (index->gone[i] || index->rows[i].queue != line->queue)
			continue;
		if (line->priority == SPOOL_BEFORE_FIRST || order(&index->rows[i], &after) > 0) {
			*line = index->rows[i];
			return true;
		}
	}
	return false;
}

static size_t due(void *context, const struct due_row *from, int64_t until_us,
                  struct due_row *rows_r, size_t max)
{
	struct index *index = context;
	size_t count = 0;

	index->reads++;
	for (size_t i = 0; i < index->count && count < max; i++)
		if (!index->gone[i] && same_line(&index->rows[i], from) &&
		    order(&index->rows[i], from) >= 0 && index->rows[i].time_us <= until_us)
			rows_r[count++] = index->rows[i];
	return count;
}

static size_t place_of(const struct index *index, uint64_t id)
{
	size_t place = 0;

	while (place < index->count && index->rows[place].id != id)
		place++;
	assert_true(place < index->count);
	return place;
}

static bool busy(void *context, uint64_t id, uint32_t n)
{
	struct index *index = context;

	(void)n;
	return index->busy[place_of(index, id)];
}

static const struct route route = { .queue = 1 };

static void start(struct queues *q, struct index *index)
{
	struct queue_reader reader = { due_line, due, busy, index, index };

	queues_init(q, 1, &reader);
	q->items[0].route = &route;
	queues_look(q, NOW);
}

/* Takes the next row as the relay does: in flight from now on. 0: none. */
static uint64_t take(struct queues *q, struct index *index, int64_t wall_us)
{
	struct due_row row;
	size_t place;

	queues_wake(q, wall_us);
	if (!queue_next(q, &q->items[0], wall_us, &row))
		return 0;
	place = place_of(index, row.id);
	assert_false(index->busy[place]);
	index->busy[place] = true;
	return row.id;
}

static void gone(struct index *index, uint64_t id)
{
	index->gone[place_of(index, id)] = true;
}

static void news(struct queues *q, int8_t priority, uint16_t class, int64_t earliest_us)
{
	struct due_news n = { 1, priority, class, earliest_us };

	queues_news(q, &n, NOW);
}

static void test_turns(void **state)
{
	static const uint64_t wanted[] = { 9, 1, 5, 7, 2, 6, 3, 4, 0 };
	struct index index = { .count = 0 };
	struct queues q;

	(void)state;
	for (uint64_t id = 1; id <= 4; id++)
		add(&index, 0, 10, (int64_t)id, id);
	add(&index, 0, 20, 1, 5);
	add(&index, 0, 20, 2, 6);
	add(&index, 0, 30, 900, 7);
	add(&index, 5, 30, 1000, 9);
	add(&index, 5, 30, 1001, 8); /* not yet */
	start(&q, &index);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_int_equal(take(&q, &index, NOW), wanted[i]);
	assert_true(queues_next_us(&q) == 1001);
	assert_int_equal(take(&q, &index, 1001), 8);
	assert_int_equal(take(&q, &index, 5000), 0);
	assert_true(queues_next_us(&q) == CLOCK_NEVER);
	assert_int_equal(table_count(q.lines), 0);
	queues_release(&q);
}

static void test_what_is_in_flight_is_passed_over(void **state)
{
	struct index index = { .count = 0 };
	struct queues q;

	(void)state;
	add(&index, 0, 1, 10, 1);
	add(&index, 0, 1, 20, 2);
	add(&index, 0, 1, 30, 3);
	start(&q, &index);
	assert_int_equal(take(&q, &index, NOW), 1);
	assert_int_equal(take(&q, &index, NOW), 2);
	/* A mail that was accepted earlier became durable later. */
	add(&index, 0, 1, 5, 4);
	news(&q, 0, 1, 5);
	assert_int_equal(take(&q, &index, NOW), 4);
	assert_int_equal(take(&q, &index, NOW), 3);
	assert_int_equal(take(&q, &index, NOW), 0);
	/* The first comes back, later than now. */
	gone(&index, 1);
	add(&index, 0, 1, 2000, 5);
	news(&q, 0, 1, 2000);
	assert_int_equal(take(&q, &index, 1999), 0);
	assert_true(queues_next_us(&q) == 2000);
	/* Earlier news than the one it waits for. */
	add(&index, 0, 1, 1500, 6);
	news(&q, 0, 1, 1500);
	assert_true(queues_next_us(&q) == 1500);
	assert_int_equal(take(&q, &index, 3000), 6);
	assert_int_equal(take(&q, &index, 3000), 5);
	queues_release(&q);
}

static void test_held_rows_cost_nothing(void **state)
{
	struct index index = { .count = 0 };
	struct queues q;
	size_t reads;

	(void)state;
	add(&index, 0, 1, CLOCK_NEVER, 1);
	start(&q, &index);
	news(&q, 0, 1, CLOCK_NEVER);
	reads = index.reads;
	assert_int_equal(take(&q, &index, CLOCK_NEVER - 1), 0);
	assert_int_equal(index.reads, reads);
	assert_int_equal(table_count(q.lines), 0);
	queues_release(&q);
}

static void test_news_of_strange_queues_are_left_alone(void **state)
{
	struct index index = { .count = 0 };
	struct due_news n = { 77, 0, 1, 5 };
	struct queues q;

	(void)state;
	start(&q, &index);
	queues_news(&q, &n, NOW);
	assert_int_equal(table_count(q.lines), 0);
	queues_release(&q);
}

/* Whatever comes when, each row is handed out once, and none is left. */
static void test_nothing_is_lost_or_taken_twice(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 200; seed++) {
		static struct index index;
		unsigned random = seed;
		size_t taken = 0, steps = 0;
		int64_t wall = NOW;
		uint64_t next = 1;
		struct queues q;

		index.count = 0;
		start(&q, &index);
		while (taken < 200) {
			random = random * 1103515245u + 12345u;
			if ((random >> 16) % 2 == 0 && next <= 200) {
				uint16_t class = (uint16_t)((random >> 20) % 3);
				int64_t at = wall - 50 + (random >> 8) % 100;

				add(&index, 0, class, at, next++);
				queues_news(&q, &(struct due_news){ 1, 0, class, at }, wall);
			} else {
				uint64_t id = take(&q, &index, wall);

				taken += id != 0;
				if (id != 0 && random % 3 == 0)
					gone(&index, id);
			}
			wall += (random >> 4) % 10;
			assert_true(++steps < 100000);
		}
		assert_int_equal(take(&q, &index, wall + 1000), 0);
		queues_release(&q);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_what_is_in_flight_is_passed_over),
		cmocka_unit_test(test_held_rows_cost_nothing),
		cmocka_unit_test(test_news_of_strange_queues_are_left_alone),
		cmocka_unit_test(test_nothing_is_lost_or_taken_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
