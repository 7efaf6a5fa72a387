/* SPDX-License-Identifier: ISC */
/* test_receive_users.c - the helper that checks logins: right, wrong, unknown, a changed file. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "receive/users.h"

/* Of "secret" and "other", with few rounds. */
#define SECRET "alice:$5$rounds=1000$abc$Mz4DiYKTnNKbZLo/mIp3d8Y4aQBhv3uhSwxLDy55/Y8"
#define OTHER  "bob:$5$rounds=1000$xyz$w0lNzJF0lEbZj/ArbNGexAZ29J8i8jpvnLecYtocO6/"

static char path[64];

static void write_file(const char *text)
{
	char next[80];
	FILE *file;

	snprintf(next, sizeof next, "%s.new", path);
	file = fopen(next, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(next, path), 0);
}

static void done(struct login_check *check)
{
	check->password = NULL;
}

/* Waits for the answer. */
static struct login_check ask(struct users *users, const char *name, const char *password)
{
	struct channel *home = channel_new(NULL);
	struct login_check check = { .done = done, .name = name, .password = password };

	check.job.home = home;
	assert_int_equal(users_check(users, &check), 0);
	while (check.password != NULL) {
		channel_wait(home, -1);
		channel_receive(home);
	}
	channel_free(&home);
	assert_int_equal(check.generation, users_generation(users));
	return check;
}

static void compares(void **state)
{
	struct bytes error = { 0 };
	struct users *users;

	(void)state;
	write_file("# two\n" SECRET "\n" OTHER "\n");
	assert_int_equal(users_new(&users, path, &error), 0);
	assert_true(ask(users, "alice", "secret").good);
	assert_false(ask(users, "alice", "Secret").good);
	assert_false(ask(users, "alice", "").good);
	assert_true(ask(users, "bob", "other").good);
	assert_true(ask(users, "bob", "secret").known);
	/* An unknown name is hashed with the salt of one of the two, and never let in by that. */
	for (char name[] = "a"; name[0] <= 'z'; name[0]++) {
		assert_false(ask(users, name, "secret").good);
		assert_false(ask(users, name, "other").good);
		assert_false(ask(users, name, "other").known);
	}
	users_free(&users);
	assert_null(users);
}

static void reads_a_changed_file(void **state)
{
	struct bytes error = { 0 };
	struct users *users;
	uint64_t before;

	(void)state;
	write_file(SECRET "\n");
	assert_int_equal(users_new(&users, path, &error), 0);
	before = users_generation(users);
	assert_false(ask(users, "bob", "other").good);
	write_file(OTHER "\n");
	assert_true(ask(users, "bob", "other").good);
	assert_int_equal(users_generation(users), before + 1);
	assert_false(ask(users, "alice", "secret").known);
	/* A file with a fault, and one that is gone: the last good one counts. */
	write_file(OTHER "\nnonsense\n");
	assert_true(ask(users, "bob", "other").good);
	unlink(path);
	assert_true(ask(users, "bob", "other").good);
	assert_int_equal(users_generation(users), before + 1);
	write_file("");
	assert_false(ask(users, "bob", "other").good);
	users_free(&users);
}

static void looks_without_a_login(void **state)
{
	struct channel *home = channel_new(NULL);
	struct bytes error = { 0 };
	struct users *users;

	(void)state;
	write_file(SECRET "\n");
	assert_int_equal(users_new(&users, path, &error), 0);
	write_file(OTHER "\n");
	users_look(users, home);
	users_look(users, home); /* one at a time */
	channel_wait(home, -1);
	channel_receive(home);
	assert_int_equal(users_generation(users), 2);
	users_look(users, home);
	users_stop(users);
	channel_receive(home);
	assert_int_equal(users_generation(users), 2);
	users_free(&users);
	channel_free(&home);
}

static void tells_why_it_cannot_start(void **state)
{
	struct bytes error = { 0 };
	struct users *users;

	(void)state;
	unlink(path);
	assert_int_equal(users_new(&users, path, &error), -1);
	assert_non_null(strstr(bytes_text(&error), "cannot be read: No such file"));
	bytes_release(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),
		cmocka_unit_test(reads_a_changed_file),
		cmocka_unit_test(looks_without_a_login),
		cmocka_unit_test(tells_why_it_cannot_start),
	};
	int rc;

	snprintf(path, sizeof path, "/tmp/penstock-users-%ld", (long)getpid());
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return rc;
}
