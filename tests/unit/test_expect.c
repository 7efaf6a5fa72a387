/* SPDX-License-Identifier: ISC */
/* The ring of what is due keeps its order while it grows, wraps and empties. */
#include "transport_stage.h"

static void push(struct expects *e, size_t n)
{
	struct expect one = { .kind = EXPECT_RCPT, .recipient = n, .end = 10 * n };

	expects_push(e, &one);
}

static void test_order(void **state)
{
	struct expects e = { 0 };
	size_t pushed = 0, popped = 0;

	(void)state;
	assert_null(expects_front(&e));
	/* three in, two out: it grows with its start anywhere in the ring */
	for (int round = 0; round < 500; round++) {
		for (int i = 0; i < 3; i++)
			push(&e, pushed++);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(expects_front(&e)->recipient, popped);
			assert_int_equal(expects_pop(&e).end, 10 * popped);
			popped++;
		}
	}
	while (e.count > 0)
		assert_int_equal(expects_pop(&e).recipient, popped++);
	assert_int_equal(popped, pushed);
	expects_release(&e);
	assert_null(e.ring);
	push(&e, 1);
	assert_int_equal(expects_pop(&e).recipient, 1);
	expects_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_order) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
