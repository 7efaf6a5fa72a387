/* SPDX-License-Identifier: ISC */
/* heap.c - an intrusive binary heap, smallest key first.
 *
 * Invariants: nodes[i]->index == i; no node's key is smaller than its parent's.
 * Nodes belong to the caller; the heap owns only the array of pointers, and gives
 * half of it back when three quarters are unused.
 */
#include "base/heap.h"

#include <stdlib.h>

#include "base/memory.h"

#define HEAP_FIRST_CAPACITY 16 /* pointers */

static void place(struct heap *h, struct heap_node *n, size_t index)
{
	h->nodes[index] = n;
	n->index = index;
}

/* Moves n, which belongs at `index` or above, towards the root. */
static void sift_up(struct heap *h, struct heap_node *n, size_t index)
{
	while (index > 0) {
		size_t parent = (index - 1) / 2;

		if (h->nodes[parent]->key <= n->key)
			break;
		place(h, h->nodes[parent], index);
		index = parent;
	}
	place(h, n, index);
}

/* Moves n, which belongs at `index` or below, towards the leaves. */
static void sift_down(struct heap *h, struct heap_node *n, size_t index)
{
	for (;;) {
		size_t child = 2 * index + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count && h->nodes[child + 1]->key < h->nodes[child]->key)
			child++;
		if (n->key <= h->nodes[child]->key)
			break;
		place(h, h->nodes[child], index);
		index = child;
	}
	place(h, n, index);
}

static void settle(struct heap *h, struct heap_node *n, size_t index)
{
	if (index > 0 && n->key < h->nodes[(index - 1) / 2]->key)
		sift_up(h, n, index);
	else
		sift_down(h, n, index);
}

static void resize(struct heap *h, size_t capacity)
{
	h->nodes = memory_grow(h->nodes, capacity, sizeof(*h->nodes));
	h->capacity = capacity;
}

void heap_release(struct heap *h)
{
	for (size_t i = 0; i < h->count; i++)
		h->nodes[i]->index = HEAP_OUT;
	free(h->nodes);
	*h = (struct heap){ 0 };
}

void heap_insert(struct heap *h, struct heap_node *n, int64_t key)
{
	if (h->count == h->capacity)
		resize(h, h->capacity == 0 ? HEAP_FIRST_CAPACITY : 2 * h->capacity);
	n->key = key;
	sift_up(h, n, h->count++);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	size_t index = n->index;
	struct heap_node *last;

	if (index == HEAP_OUT)
		return;
	n->index = HEAP_OUT;
	last = h->nodes[--h->count];
	if (last != n)
		settle(h, last, index);
	if (h->capacity > HEAP_FIRST_CAPACITY && h->count < h->capacity / 4)
		resize(h, h->capacity / 2);
}

void heap_move(struct heap *h, struct heap_node *n, int64_t key)
{
	if (n->index == HEAP_OUT) {
		heap_insert(h, n, key);
		return;
	}
	n->key = key;
	settle(h, n, n->index);
}

struct heap_node *heap_first(const struct heap *h)
{
	return h->count == 0 ? NULL : h->nodes[0];
}
