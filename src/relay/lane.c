/* SPDX-License-Identifier: ISC */
/* lane.c - which worker gets a new connection: the one that has the fewest.
 *
 * A connection's number says its worker (number modulo workers), so the choice is that of a number;
 * they grow, and skip a few.
 */
#include <stdlib.h>

#include "relay/private.h"

void lanes_init(struct lanes *lanes, size_t count)
{
	lanes->count = count > 0 ? count : 1;
	lanes->open = memory_new_array(lanes->count, sizeof(*lanes->open));
}

void lanes_release(struct lanes *lanes)
{
	free(lanes->open);
	lanes->open = NULL;
}

uint64_t lanes_take(struct lanes *lanes)
{
	uint64_t best = lanes->last + 1;

	for (uint64_t number = best; number < lanes->last + 1 + lanes->count; number++)
		if (lanes->open[number % lanes->count] < lanes->open[best % lanes->count])
			best = number;
	lanes->last = best;
	lanes->open[best % lanes->count]++;
	return best;
}

void lanes_leave(struct lanes *lanes, uint64_t number)
{
	lanes->open[number % lanes->count]--;
}
