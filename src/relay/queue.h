/* SPDX-License-Identifier: ISC */
/* queue.h - whose turn it is: the due index as lines of (queue, priority, class).
 *
 * The index in the spool is the schedule; here is one small struct for each line that has due or
 * later rows, with a few rows read ahead. Classes of equal priority take turns. Nothing
 * here grows with the number of messages.
 */
#ifndef RELAY_QUEUE_H
#define RELAY_QUEUE_H

#include "base/heap.h"
#include "base/list.h"
#include "base/table.h"
#include "relay/route.h"

#define QUEUE_PRIORITIES 19 /* -9..9 */

struct pool;
struct share;
struct limit;

/* One route's queue. */
struct queue {
	const struct route *route;
	struct pool **via; /* its providers, in order */
	size_t via_count;
	bool bars;                           /* some of them take some senders only */
	struct share *shares;                /* of each, by weight or load; NULL: in order */
	struct pool *pool;                   /* whose turn it is; NULL: all are set aside */
	struct list ready[QUEUE_PRIORITIES]; /* of struct line; 0 is priority 9 */
	uint32_t ready_mask;                 /* which of them are not empty */
	int64_t stick_until_us;              /* monotonic; it does not go back before */
	struct limit *limit;                 /* of the route; NULL: none */
	int64_t blocked_until_us;            /* monotonic; by that limit */
};

struct queue_reader {
	bool (*due_line)(void *context, struct due_row *line);
	size_t (*due)(void *context, const struct due_row *from, int64_t until_us,
	              struct due_row *rows_r, size_t max);
	/* In flight, or being changed: not to be handed out. */
	bool (*busy)(void *busy_context, uint64_t id, uint32_t n);
	void *context, *busy_context;
};

struct queues {
	struct queue *items; /* as the router's routes, the unrouted queue at the end */
	size_t count;
	struct table *lines;
	struct heap waiting; /* lines by the time of their next row */
	struct queue_reader reader;
};

void queues_init(struct queues *q, size_t count, const struct queue_reader *reader);
void queues_release(struct queues *q);
struct queue *queues_find(struct queues *q, uint32_t number); /* NULL: not one of ours */

/* One look through the index at the start: the head of every line. */
void queues_look(struct queues *q, int64_t wall_us);
/* Rows were added to a line (or may be there again), the earliest at that time. */
void queues_news(struct queues *q, const struct due_news *news, int64_t wall_us);
/* Lines whose time has come get ready. */
void queues_wake(struct queues *q, int64_t wall_us);
/* When the next does; CLOCK_NEVER: none is known. */
int64_t queues_next_us(const struct queues *q);

/* Whether a row is due and not in flight. */
bool queue_ready(struct queues *q, struct queue *queue, int64_t wall_us);
/* Of what is ready (queue_ready() said so): the highest. */
int queue_priority(const struct queue *queue);
/* The row whose turn it is; false: nothing is due. */
bool queue_next(struct queues *q, struct queue *queue, int64_t wall_us, struct due_row *row_r);

/* A row that was handed out may not go before that time, nor what follows it in its line. */
void queues_postpone(struct queues *q, const struct due_row *row, int64_t until_wall_us);

#endif
