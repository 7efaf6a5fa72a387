/* SPDX-License-Identifier: ISC */
/* test_places.c - default paths, for root and for a user. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "config/private.h"

struct place_case {
	bool system;
	const char *home, *state, *runtime, *config;
	const char *file, *spool, *catch_spool, *control, *catch_control;
};

static void variable(const char *name, const char *value)
{
	if (value == NULL)
		unsetenv(name);
	else
		setenv(name, value, 1);
}

static void expect(int rc, struct bytes *path, const char *wanted)
{
	assert_int_equal(rc, 0);
	assert_string_equal(bytes_text(path), wanted);
	bytes_clear(path);
}

static void defaults(void **state)
{
	static const struct place_case cases[] = {
		{ false, "/home/u", NULL, "/run/user/1", NULL,
		  "/home/u/.config/penstock/penstock.conf", "/home/u/.local/state/penstock-relay",
		  "/home/u/.local/state/penstock-catch", "/run/user/1/penstock/control.sock",
		  "/run/user/1/penstock/catch.sock" },
		{ false, "/home/u", "/s", NULL, "/c", "/c/penstock/penstock.conf",
		  "/s/penstock-relay", "/s/penstock-catch", "/s/penstock-relay/run/control.sock",
		  "/s/penstock-catch/run/catch.sock" },
		/* XDG: a relative path is no path. */
		{ false, "/home/u", "s", "r", "c", "/home/u/.config/penstock/penstock.conf",
		  "/home/u/.local/state/penstock-relay", "/home/u/.local/state/penstock-catch",
		  "/home/u/.local/state/penstock-relay/run/control.sock",
		  "/home/u/.local/state/penstock-catch/run/catch.sock" },
	};
	struct bytes path = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct place_case *c = &cases[i];
		variable("HOME", c->home);
		variable("XDG_STATE_HOME", c->state);
		variable("XDG_RUNTIME_DIR", c->runtime);
		variable("XDG_CONFIG_HOME", c->config);
		expect(default_file(&path, c->system), &path, c->file);
		expect(default_spool(&path, MODE_RELAY, c->system), &path, c->spool);
		expect(default_spool(&path, MODE_CATCH, c->system), &path, c->catch_spool);
		expect(settings_default_control(MODE_RELAY, c->system, &path), &path, c->control);
		expect(settings_default_control(MODE_CATCH, c->system, &path), &path,
		       c->catch_control);
	}
	bytes_release(&path);
}

static bool ends_with(struct bytes *path, const char *end)
{
	size_t length = strlen(end);
	bool ends = path->length >= length &&
	            memcmp(path->data + path->length - length, end, length) == 0;

	bytes_clear(path);
	return ends;
}

/* The directories before these are configure's. */
static void system_defaults(void **state)
{
	struct bytes path = { 0 };

	(void)state;
	assert_int_equal(default_file(&path, true), 0);
	assert_true(ends_with(&path, "/penstock/penstock.conf"));
	assert_int_equal(default_spool(&path, MODE_RELAY, true), 0);
	assert_true(ends_with(&path, "/spool/penstock"));
	assert_int_equal(default_spool(&path, MODE_CATCH, true), 0);
	assert_true(ends_with(&path, "/spool/penstock-catch"));
	assert_int_equal(settings_default_control(MODE_RELAY, true, &path), 0);
	assert_true(ends_with(&path, "/penstock/control.sock"));
	assert_int_equal(settings_default_control(MODE_CATCH, true, &path), 0);
	assert_true(ends_with(&path, "/penstock/catch.sock"));
	bytes_release(&path);
}

static void local_sockets(void **state)
{
	struct bytes path = { 0 };

	(void)state;
	settings_local_socket("/run/penstock/control.sock", &path);
	expect(0, &path, "/run/penstock/smtp.sock");
	settings_local_socket("/run/penstock/catch.sock", &path);
	expect(0, &path, "/run/penstock/catch-smtp.sock");
	settings_local_socket("/x", &path);
	expect(0, &path, "/smtp.sock");
	bytes_release(&path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(system_defaults),
		cmocka_unit_test(local_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
