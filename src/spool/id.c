/* SPDX-License-Identifier: ISC */
/* id.c - ids of messages: 64 bits that grow, whatever the clock does.
 *
 *   63                    22 21      14 13           0
 *   | milliseconds, 42 bits | node, 8  | sequence, 14 |
 *
 * Milliseconds since the epoch last until 2109; 16,384 ids a millisecond, and when they are
 * used up, or the clock stepped back, the id borrows from the future rather than
 * repeat itself. Node is 0: one node.
 */
#include "spool/private.h"

#define SEQUENCE_BITS 14
#define NODE_BITS     8
#define TIME_SHIFT    (SEQUENCE_BITS + NODE_BITS)
#define SEQUENCE_MASK ((UINT64_C(1) << SEQUENCE_BITS) - 1)
/* 2020-01-01: a machine without a clock of its own starts here, so that every id is larger
 * than any number of a streamed body. */
#define TIME_MIN_MS   INT64_C(1577836800000)

uint64_t spool_id_next(uint64_t last, int64_t wall_us)
{
	int64_t now_ms = wall_us / CLOCK_MS;
	uint64_t then = last >> TIME_SHIFT, sequence = last & SEQUENCE_MASK;

	if (now_ms < TIME_MIN_MS)
		now_ms = TIME_MIN_MS;
	if ((uint64_t)now_ms > then)
		return (uint64_t)now_ms << TIME_SHIFT;
	if (sequence == SEQUENCE_MASK)
		return (then + 1) << TIME_SHIFT;
	return then << TIME_SHIFT | (sequence + 1);
}

int64_t spool_id_time(uint64_t id)
{
	return (int64_t)(id >> TIME_SHIFT) * CLOCK_MS;
}
