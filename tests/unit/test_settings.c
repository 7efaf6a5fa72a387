/* SPDX-License-Identifier: ISC */
/* test_settings.c - a snapshot lives as long as somebody holds it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "config_case.h"

static void references(void **state)
{
	struct config_case c;
	struct settings *second;

	(void)state;
	config_case_load(&c, "provider \"p\" { url = \"smtp://mx\" }\n");
	assert_int_equal(c.rc, 0);
	second = settings_acquire(c.settings);
	assert_ptr_equal(second, c.settings);
	settings_release(&c.settings);
	assert_null(c.settings);
	assert_string_equal(second->providers[0].host, "mx"); /* still there; ASan would tell */
	settings_release(&second);
	assert_null(second);
	settings_release(&second);
	config_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references),
	};

	return cmocka_run_group_tests(tests, config_case_enter, config_case_leave);
}
