/* SPDX-License-Identifier: ISC */
/* test_envelope.c - who owns what when recipients are added and copied. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/memory.h"
#include "mail/envelope.h"

static struct recipient recipient_of(const char *text, const char *orcpt)
{
	struct recipient r = { .notify = NOTIFY_SUCCESS | NOTIFY_DELAY };
	const char *error;

	assert_int_equal(address_parse(&r.address, span_of_text(text), 0, &error), 0);
	r.orcpt = orcpt == NULL ? NULL : memory_text(orcpt);
	return r;
}

static void takes_recipients_over(void **state)
{
	struct envelope env;
	struct recipient copy;

	(void)state;
	envelope_init(&env);
	env.envid = memory_text("QQ314159");
	for (int i = 0; i < 100; i++) {
		struct recipient r = recipient_of("a@b", i % 2 == 0 ? "rfc822;a@b" : NULL);

		envelope_add_recipient(&env, &r);
		assert_null(r.address.text);
		assert_null(r.orcpt);
	}
	assert_int_equal(env.count, 100);
	for (size_t i = 0; i < 2; i++) {
		recipient_copy(&copy, &env.recipients[i]);
		assert_string_equal(copy.address.text, "a@b");
		assert_ptr_not_equal(copy.address.text, env.recipients[i].address.text);
		assert_int_equal(copy.notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
		if (i == 0)
			assert_string_equal(copy.orcpt, "rfc822;a@b");
		else
			assert_null(copy.orcpt);
		recipient_release(&copy);
		assert_null(copy.address.text);
	}
	envelope_release(&env);
	assert_int_equal(env.count, 0);
	assert_null(env.recipients);
	envelope_release(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_recipients_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
