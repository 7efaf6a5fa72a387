/* SPDX-License-Identifier: ISC */
/* queue.c - lines, their read-ahead, and the turns.
 *
 * A line is ready (in a list of its queue: rows are due), or waits (in the heap: its next row is
 * later), or is not kept (no rows but held ones or those in flight; news make it again).
 * Its cursor is the place up to which rows were handed out; news of an earlier row move it
 * back, and what is met again in flight is passed over.
 */
#include "relay/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "relay/limit.h"

/* Rows read ahead: fewer when there are many lines, so that all of them stay in a few MiB. */
#define ROWS_MAX   64
#define ROWS_FEW   8
#define LINES_MANY 1000

struct line {
	struct list turn;       /* in queue->ready[] */
	struct heap_node later; /* in waiting, by time */
	struct queue *queue;
	int8_t priority;
	uint16_t class;
	bool more;             /* rows may follow the cursor that are due */
	struct due_row cursor; /* the next read begins here */
	struct due_row *rows;  /* read ahead; NULL when it waits */
	unsigned row, row_count;
	int64_t next_us; /* when !more: of the row that follows; CLOCK_NEVER: none known */
};

static uint64_t line_key(uint32_t queue, int8_t priority, uint16_t class)
{
	return (uint64_t)queue << 32 | (uint64_t)(uint8_t)priority << 16 | class;
}

static unsigned place_of(int8_t priority)
{
	int place = 9 - priority;

	return place < 0 ? 0 : place >= QUEUE_PRIORITIES ? QUEUE_PRIORITIES - 1 : (unsigned)place;
}

void queues_init(struct queues *q, size_t count, const struct queue_reader *reader)
{
	memset(q, 0, sizeof(*q));
	q->items = memory_new_array(count, sizeof(*q->items));
	q->count = count;
	q->lines = table_new();
	q->reader = *reader;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < QUEUE_PRIORITIES; k++)
			list_init(&q->items[i].ready[k]);
}

static void line_forget(void *context, struct span key, void *value)
{
	struct line *line = value;

	(void)context;
	(void)key;
	free(line->rows);
	free(line);
}

void queues_release(struct queues *q)
{
	if (q->lines == NULL)
		return;
	heap_release(&q->waiting); /* its nodes lie in the lines */
	table_each(q->lines, line_forget, NULL);
	table_free(&q->lines);
	for (size_t i = 0; i < q->count; i++) {
		free(q->items[i].via);
		free(q->items[i].shares);
		limit_free(&q->items[i].limit);
	}
	free(q->items);
	memset(q, 0, sizeof(*q));
}

struct queue *queues_find(struct queues *q, uint32_t number)
{
	for (size_t i = 0; i < q->count; i++)
		if (q->items[i].route->queue == number)
			return &q->items[i];
	return NULL;
}

/* ---- states of a line ------------------------------------------------------ */

static void line_leave_turns(struct line *line)
{
	unsigned place = place_of(line->priority);

	list_remove(&line->turn);
	if (list_empty(&line->queue->ready[place]))
		line->queue->ready_mask &= ~(UINT32_C(1) << place);
}

static void line_get_ready(struct queues *q, struct line *line)
{
	unsigned place = place_of(line->priority);

	heap_remove(&q->waiting, &line->later);
	line->more = true;
	list_append(&line->queue->ready[place], &line->turn);
	line->queue->ready_mask |= UINT32_C(1) << place;
}

static void line_wait(struct queues *q, struct line *line)
{
	line_leave_turns(line);
	free(line->rows);
	line->rows = NULL;
	line->row = line->row_count = 0;
	if (line->next_us < CLOCK_NEVER) {
		heap_insert(&q->waiting, &line->later, line->next_us);
		return;
	}
	table_remove_u64(q->lines,
	                 line_key(line->queue->route->queue, line->priority, line->class));
	free(line);
}

/* Reads on from `time_us`. What is read ahead from there on is read again. */
static void line_rewind(struct line *line, int64_t time_us)
{
	line->more = true;
	if (time_us > line->cursor.time_us)
		return;
	while (line->row_count > line->row && line->rows[line->row_count - 1].time_us >= time_us)
		line->row_count--;
	line->cursor.time_us = time_us;
	line->cursor.id = 0;
	line->cursor.n = 0;
}

static struct line *line_new(struct queues *q, struct queue *queue, const struct due_row *head)
{
	struct line *line = memory_new(sizeof(*line));

	list_init(&line->turn);
	line->later.index = HEAP_OUT;
	line->queue = queue;
	line->priority = head->priority;
	line->class = head->class;
	line->cursor = *head;
	line->next_us = head->time_us;
	table_set_u64(q->lines, line_key(head->queue, head->priority, head->class), line);
	return line;
}

static void line_start(struct queues *q, struct line *line, int64_t wall_us)
{
	if (line->next_us <= wall_us)
		line_get_ready(q, line);
	else
		heap_move(&q->waiting, &line->later, line->next_us);
}

/* ---- news ------------------------------------------------------------------ */

void queues_look(struct queues *q, int64_t wall_us)
{
	for (size_t i = 0; i < q->count; i++) {
		struct due_row row = { .queue = q->items[i].route->queue,
			               .priority = SPOOL_BEFORE_FIRST };

		while (q->reader.due_line(q->reader.context, &row)) {
			struct due_news news = { row.queue, row.priority, row.class, row.time_us };

			queues_news(q, &news, wall_us);
		}
	}
}

void queues_news(struct queues *q, const struct due_news *news, int64_t wall_us)
{
	struct line *line;
	struct queue *queue;

	if (news->earliest_us == CLOCK_NEVER)
		return;
	line = table_find_u64(q->lines, line_key(news->queue, news->priority, news->class));
	if (line == NULL) {
		struct due_row head = { news->queue, news->priority,
			                news->class, news->earliest_us,
			                0,           0 };

		queue = queues_find(q, news->queue);
		if (queue != NULL)
			line_start(q, line_new(q, queue, &head), wall_us);
	} else if (line->later.index == HEAP_OUT) {
		line_rewind(line, news->earliest_us);
	} else if (news->earliest_us < line->next_us) {
		line->next_us = news->earliest_us;
		line_rewind(line, news->earliest_us);
		line_start(q, line, wall_us);
	}
}

void queues_wake(struct queues *q, int64_t wall_us)
{
	struct heap_node *first;

	while ((first = heap_first(&q->waiting)) != NULL && first->key <= wall_us)
		line_get_ready(q, list_entry(first, struct line, later));
}

int64_t queues_next_us(const struct queues *q)
{
	struct heap_node *first = heap_first(&q->waiting);

	return first == NULL ? CLOCK_NEVER : first->key;
}

/* ---- turns ----------------------------------------------------------------- */

/* Reads the next rows. Those that are due go ahead; the first later one is when to look again. */
static void line_read(struct queues *q, struct line *line, int64_t wall_us)
{
	size_t max = table_count(q->lines) > LINES_MANY ? ROWS_FEW : ROWS_MAX;
	size_t count;

	if (line->rows == NULL)
		line->rows = memory_new_array(max, sizeof(*line->rows));
	else if (max > ROWS_FEW)
		line->rows = memory_grow(line->rows, max, sizeof(*line->rows));
	count = q->reader.due(q->reader.context, &line->cursor, CLOCK_NEVER - 1, line->rows, max);
	line->row = line->row_count = 0;
	while (line->row_count < count && line->rows[line->row_count].time_us <= wall_us)
		line->row_count++;
	line->more = line->row_count == max;
	line->next_us = CLOCK_NEVER;
	if (line->row_count < count) {
		line->cursor = line->rows[line->row_count];
		line->next_us = line->cursor.time_us;
	} else if (count > 0) {
		line->cursor = line->rows[count - 1];
		line->cursor.n++; /* the place after it */
	}
}

/* The row whose turn it is, if there is one; it stays the line's. */
static const struct due_row *line_peek(struct queues *q, struct line *line, int64_t wall_us)
{
	for (;;) {
		while (line->row < line->row_count) {
			const struct due_row *row = &line->rows[line->row];

			if (!q->reader.busy(q->reader.busy_context, row->id, row->n))
				return row;
			line->row++;
		}
		if (!line->more)
			return NULL;
		line_read(q, line, wall_us);
	}
}

static struct list *turns_of(struct queue *queue)
{
	return &queue->ready[__builtin_ctz(queue->ready_mask)];
}

bool queue_ready(struct queues *q, struct queue *queue, int64_t wall_us)
{
	while (queue->ready_mask != 0) {
		struct line *line = list_entry(list_first(turns_of(queue)), struct line, turn);

		if (line_peek(q, line, wall_us) != NULL)
			return true;
		line_wait(q, line);
	}
	return false;
}

int queue_priority(const struct queue *queue)
{
	return 9 - __builtin_ctz(queue->ready_mask);
}

bool queue_next(struct queues *q, struct queue *queue, int64_t wall_us, struct due_row *row_r)
{
	struct list *turns;
	struct line *line;

	if (!queue_ready(q, queue, wall_us))
		return false;
	turns = turns_of(queue);
	line = list_entry(list_first(turns), struct line, turn);
	*row_r = line->rows[line->row++];
	list_remove(&line->turn);
	list_append(turns, &line->turn);
	return true;
}

void queues_postpone(struct queues *q, const struct due_row *row, int64_t until_wall_us)
{
	struct line *line =
		table_find_u64(q->lines, line_key(row->queue, row->priority, row->class));

	if (line == NULL || line->later.index != HEAP_OUT)
		return;
	line_rewind(line, row->time_us);
	line->next_us = until_wall_us;
	line_wait(q, line);
}
