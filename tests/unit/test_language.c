/* SPDX-License-Identifier: ISC */
/* test_language.c - the tables agree with themselves, and the nearest name is near. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/private.h"

/* Every default is a value that its own option takes, and is printed as such. */
static void fallbacks_are_values(void **state)
{
	(void)state;
	for (int i = SECTION_ROOT; i < SECTION_COUNT; i++) {
		for (const struct setting *o = section_specs[i].options; o->name != NULL; o++) {
			size_t size = section_specs[i].titled ? section_specs[i].size
			                                      : sizeof(struct settings);
			char *target = memory_new(size + 1);
			struct bytes cure = { 0 };
			if (o->fallback != NULL && !setting_is_list(o)) {
				assert_int_equal(setting_set(o, target, o->fallback, &cure), 0);
				setting_print(o, target, &cure);
				assert_true(cure.length > 0);
				if (o->kind == SETTING_TEXT)
					free(*(char **)(void *)(target + o->offset));
			}
			assert_true(o->offset < size);
			bytes_release(&cure);
			free(target);
		}
	}
}

static void names_are_unique(void **state)
{
	(void)state;
	for (int i = SECTION_ROOT; i < SECTION_COUNT; i++) {
		for (const struct setting *o = section_specs[i].options; o->name != NULL; o++)
			assert_ptr_equal(setting_find((enum section)i, o->name), o);
		for (int j = SECTION_ROOT; j < i; j++)
			assert_string_not_equal(section_specs[i].name, section_specs[j].name);
	}
}

static void nearest(void **state)
{
	static const struct {
		enum section section;
		const char *name, *near;
	} cases[] = {
		{ SECTION_ROOT, "hostnme", "hostname" },
		{ SECTION_ROOT, "Hostname", "hostname" },
		{ SECTION_ROOT, "worker", "workers" },
		{ SECTION_ROOT, "listener", "listen" },
		{ SECTION_ROOT, "providers", "provider" },
		{ SECTION_ROOT, "bounce", "bounces" },
		{ SECTION_ROOT, "x", NULL },
		{ SECTION_ROOT, "certificate", NULL },
		{ SECTION_LISTEN, "cert", NULL },
		{ SECTION_LISTEN, "certficate", "certificate" },
		{ SECTION_LISTEN, "max_recipients", "max-recipients" },
		{ SECTION_PROVIDER, "pasword-file", "password-file" },
		{ SECTION_PROVIDER, "0auth2", "oauth2" },
		{ SECTION_ROUTE, "recipients", "recipient" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *near = setting_nearest(cases[i].section, cases[i].name);
		if (cases[i].near == NULL)
			assert_null(near);
		else
			assert_string_equal(near == NULL ? "" : near, cases[i].near);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fallbacks_are_values),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
