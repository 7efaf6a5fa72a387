/* SPDX-License-Identifier: ISC */
/* heap.h - an intrusive binary heap, smallest key first (timers, due times). */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define HEAP_OUT SIZE_MAX /* index of a node that is in no heap */

struct heap_node {
	int64_t key;
	size_t index; /* set to HEAP_OUT before first use */
};

struct heap {
	struct heap_node **nodes;
	size_t count;
	size_t capacity;
};

void heap_release(struct heap *h);
void heap_insert(struct heap *h, struct heap_node *n, int64_t key);
void heap_remove(struct heap *h, struct heap_node *n);            /* no-op when HEAP_OUT */
void heap_move(struct heap *h, struct heap_node *n, int64_t key); /* inserts when HEAP_OUT */
struct heap_node *heap_first(const struct heap *h);               /* NULL: empty */

#endif
