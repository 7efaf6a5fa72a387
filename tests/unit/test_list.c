/* SPDX-License-Identifier: ISC */
/* test_list.c - linking, unlinking twice, and removal while visiting. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct thing {
	int number;
	struct list links;
};

static void keeps_order_and_survives_removal(void **state)
{
	struct thing things[5];
	struct list head, *node, *after;
	int seen = 0;

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	assert_null(list_first(&head));
	for (int i = 0; i < 5; i++) {
		things[i].number = i;
		if (i == 0)
			list_prepend(&head, &things[i].links);
		else
			list_append(&head, &things[i].links);
	}
	list_each(node, after, &head)
	{
		struct thing *t = list_entry(node, struct thing, links);

		assert_int_equal(t->number, seen++);
		if (t->number % 2 == 0)
			list_remove(node);
	}
	assert_int_equal(seen, 5);
	assert_int_equal(list_entry(list_first(&head), struct thing, links)->number, 1);
	list_remove(&things[1].links);
	list_remove(&things[1].links);
	list_remove(&things[3].links);
	assert_true(list_empty(&head));
	list_prepend(&head, &things[2].links);
	list_prepend(&head, &things[4].links);
	assert_ptr_equal(list_first(&head), &things[4].links);
	assert_ptr_equal(head.prev, &things[2].links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order_and_survives_removal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
