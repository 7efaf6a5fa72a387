/* SPDX-License-Identifier: ISC */
/* expect.c - the commands whose replies are due, in the order they were written.
 *
 * Bounded by what is in flight: `pipeline` transactions and their recipients. The
 * memory goes back when nothing is due, so that an idle connection has none.
 */
#include "transport/private.h"

#include <stdlib.h>

#include "base/memory.h"

#define RING_FIRST 8 /* most messages have few recipients */

static void grow(struct expects *e)
{
	size_t capacity = e->capacity == 0 ? RING_FIRST : e->capacity * 2;
	struct expect *ring = memory_new_array(capacity, sizeof *ring);

	for (size_t i = 0; i < e->count; i++)
		ring[i] = e->ring[(e->first + i) & (e->capacity - 1)];
	free(e->ring);
	e->ring = ring;
	e->capacity = capacity;
	e->first = 0;
}

void expects_push(struct expects *e, const struct expect *one)
{
	if (e->count == e->capacity)
		grow(e);
	e->ring[(e->first + e->count) & (e->capacity - 1)] = *one;
	e->count++;
}

const struct expect *expects_front(const struct expects *e)
{
	return e->count == 0 ? NULL : &e->ring[e->first];
}

struct expect expects_pop(struct expects *e)
{
	struct expect one = e->ring[e->first];

	e->first = (e->first + 1) & (e->capacity - 1);
	e->count--;
	return one;
}

void expects_release(struct expects *e)
{
	free(e->ring);
	*e = (struct expects){ 0 };
}
