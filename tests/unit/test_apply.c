/* SPDX-License-Identifier: ISC */
/* test_apply.c - puts and every transition, with the rows that they leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "spool_lab.h"

#include "base/memory.h"

static void stores_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 2000, 4079, 4080, 4081, 8160, 8161, 65536 };
	struct lab *lab = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t id = lab_simple(lab, sizes[i]);
		struct message_facts facts;

		assert_true(reader_message(lab->reader, id, &facts));
		assert_int_equal(facts.size, sizes[i]);
		assert_string_equal(facts.sender.text, "from@example.org");
		assert_true(lab_body_is(lab, facts.blob, sizes[i]));
		message_facts_release(&facts);
	}
	lab_is_good(lab);
	assert_int_equal(lab_rows(lab->sp, TABLE_DUE), sizeof(sizes) / sizeof(sizes[0]));
}

/* What is longer than a page continues: 50 recipients with everything at its longest. */
static void stores_long_deliveries(void **state)
{
	struct lab *lab = *state;
	struct put *put = lab_message(lab, 10);
	struct delivery *d = lab_delivery(2, -9, 65535, CLOCK_NEVER, SPOOL_RECIPIENTS_MAX);
	char text[600];
	uint64_t id;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < d->count; i++) {
		d->recipients[i].to.orcpt = memory_text(text);
		d->recipients[i].last_reply = memory_text(text);
	}
	put_add_delivery(put, d);
	assert_int_equal(lab_put(lab, put, &id), 0);
	d = lab_read(lab, id, 1);
	assert_int_equal(d->count, SPOOL_RECIPIENTS_MAX);
	assert_string_equal(d->recipients[49].to.address.text, "to49@example.net");
	assert_string_equal(d->recipients[49].last_reply, text);
	assert_int_equal(d->priority, -9);
	assert_true(d->due_us == CLOCK_NEVER);
	delivery_free(&d);
	assert_true(lab_rows(lab->sp, TABLE_DELIVERY) > 10);
	lab_is_good(lab);

	/* Claimed with one recipient left: the rows beyond are gone. */
	struct transition *t = lab_to_claim(lab, id, 1, 1);
	for (size_t i = 1; i < t->now->count; i++) {
		recipient_release(&t->now->recipients[i].to);
		free(t->now->recipients[i].last_reply);
	}
	t->now->count = 1;
	assert_int_equal(lab_claim(lab, t), 0);
	assert_int_equal(lab_rows(lab->sp, TABLE_DELIVERY), 1);
	lab_is_good(lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(stores_sizes, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(stores_long_deliveries, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
