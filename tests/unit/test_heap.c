/* SPDX-License-Identifier: ISC */
/* test_heap.c - order under every operation, against a plain search for the smallest. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/heap.h"

#define NODES 300

static struct heap_node *smallest(struct heap_node *nodes)
{
	struct heap_node *least = NULL;

	for (size_t i = 0; i < NODES; i++)
		if (nodes[i].index != HEAP_OUT && (least == NULL || nodes[i].key < least->key))
			least = &nodes[i];
	return least;
}

static void check(const struct heap *h, struct heap_node *nodes, size_t count)
{
	struct heap_node *least = smallest(nodes);

	assert_int_equal(h->count, count);
	if (least == NULL)
		assert_null(heap_first(h));
	else
		assert_int_equal(heap_first(h)->key, least->key);
	for (size_t i = 0; i < h->count; i++)
		assert_int_equal(h->nodes[i]->index, i);
}

static void keeps_the_smallest_first(void **state)
{
	struct heap_node nodes[NODES];
	struct heap h = { 0 };
	size_t count = 0;
	unsigned random = 1;

	(void)state;
	for (size_t i = 0; i < NODES; i++)
		nodes[i].index = HEAP_OUT;
	for (int step = 0; step < 20000; step++) {
		struct heap_node *n;
		int64_t key;

		random = random * 1103515245 + 12345;
		n = &nodes[(random >> 8) % NODES];
		key = (int64_t)(random >> 16 & 127) - 64;
		if (n->index == HEAP_OUT) {
			heap_move(&h, n, key);
			count++;
		} else if (step % 3 == 0) {
			heap_remove(&h, n);
			heap_remove(&h, n);
			assert_true(n->index == HEAP_OUT);
			count--;
		} else {
			heap_move(&h, n, key);
		}
		check(&h, nodes, count);
	}
	heap_release(&h);
	for (size_t i = 0; i < NODES; i++)
		assert_true(nodes[i].index == HEAP_OUT);
}

static void gives_everything_in_order(void **state)
{
	struct heap_node nodes[NODES];
	struct heap h = { 0 };
	int64_t last = INT64_MIN;

	(void)state;
	for (size_t i = 0; i < NODES; i++)
		heap_insert(&h, &nodes[i], i == 7 ? INT64_MAX : (int64_t)(i * 7919 % NODES));
	for (size_t i = 0; i < NODES; i++) {
		struct heap_node *n = heap_first(&h);

		assert_true(n->key >= last);
		last = n->key;
		heap_remove(&h, n);
	}
	assert_true(last == INT64_MAX);
	assert_null(heap_first(&h));
	assert_true(h.capacity < NODES / 4);
	heap_release(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_smallest_first),
		cmocka_unit_test(gives_everything_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
