/* SPDX-License-Identifier: ISC */
/* test_table.c - finding, replacing, removing, also while visiting, and resizing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/table.h"

#define MANY 5000

static int values[MANY];

static void finds_what_was_set(void **state)
{
	struct table *t = table_new();
	char key[] = "abc";

	(void)state;
	assert_null(table_find(t, span_of_text("abc")));
	assert_null(table_set(t, span_of_text(key), &values[1]));
	key[0] = 'x'; /* the table has its own copy */
	assert_ptr_equal(table_find(t, span_of_text("abc")), &values[1]);
	assert_null(table_find(t, span_of_text("xbc")));
	assert_null(table_find(t, span_of_text("ab")));
	assert_null(table_set(t, span_of("a\0b", 3), &values[2]));
	assert_null(table_set(t, span_of("a\0c", 3), &values[3]));
	assert_null(table_set(t, span_of(NULL, 0), &values[4]));
	assert_ptr_equal(table_find(t, span_of("a\0b", 3)), &values[2]);
	assert_ptr_equal(table_find(t, span_of_text("")), &values[4]);
	assert_ptr_equal(table_set(t, span_of_text("abc"), &values[5]), &values[1]);
	assert_int_equal(table_count(t), 4);
	assert_ptr_equal(table_remove(t, span_of_text("abc")), &values[5]);
	assert_null(table_remove(t, span_of_text("abc")));
	assert_int_equal(table_count(t), 3);
	table_free(&t);
	assert_null(t);
	table_free(&t);
}

static void grows_and_shrinks(void **state)
{
	struct table *t = table_new();

	(void)state;
	for (uint64_t i = 0; i < MANY; i++)
		assert_null(table_set_u64(t, i << 32, &values[i]));
	for (uint64_t i = 0; i < MANY; i += 2)
		assert_ptr_equal(table_remove_u64(t, i << 32), &values[i]);
	for (uint64_t i = 0; i < MANY; i++)
		assert_ptr_equal(table_find_u64(t, i << 32), i % 2 == 0 ? NULL : &values[i]);
	for (uint64_t i = 1; i < MANY; i += 2)
		assert_ptr_equal(table_remove_u64(t, i << 32), &values[i]);
	assert_int_equal(table_count(t), 0);
	table_free(&t);
}

struct visit {
	struct table *table;
	size_t visits;
	bool remove_odd;
};

static void visit(void *context, struct span key, void *value)
{
	struct visit *v = context;
	uint64_t number = be64_load(key.data);

	assert_int_equal(key.length, 8);
	assert_ptr_equal(value, &values[number]);
	values[number]++;
	v->visits++;
	if (v->remove_odd && number % 2 == 1)
		assert_ptr_equal(table_remove(v->table, key), value);
}

static void visits_each_once_while_removing(void **state)
{
	struct visit v = { .table = table_new(), .remove_odd = true };

	(void)state;
	memset(values, 0, sizeof(values));
	for (uint64_t i = 0; i < MANY; i++)
		table_set_u64(v.table, i, &values[i]);
	table_each(v.table, visit, &v);
	assert_int_equal(v.visits, MANY);
	assert_int_equal(table_count(v.table), MANY / 2);
	table_each(v.table, visit, &v);
	assert_int_equal(v.visits, MANY + MANY / 2);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(values[i], i % 2 == 0 ? 2 : 1);
	table_free(&v.table);
}

static void remove_visited(void *context, struct span key, void *value)
{
	assert_ptr_equal(table_remove(context, key), value);
}

static void can_be_emptied_by_visiting(void **state)
{
	struct table *t = table_new();

	(void)state;
	for (uint64_t i = 0; i < MANY; i++)
		table_set_u64(t, i, &values[i]);
	table_each(t, remove_visited, t);
	assert_int_equal(table_count(t), 0);
	table_set_u64(t, 1, &values[1]);
	assert_ptr_equal(table_find_u64(t, 1), &values[1]);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_set),
		cmocka_unit_test(grows_and_shrinks),
		cmocka_unit_test(visits_each_once_while_removing),
		cmocka_unit_test(can_be_emptied_by_visiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
