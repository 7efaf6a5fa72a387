/* SPDX-License-Identifier: ISC */
/* Files of secrets: replaced at once or not at all, 0600, and never waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetch/oauth2.h"

static char directory[] = "/tmp/secret-file-XXXXXX";

static int enter(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL ? -1 : chdir(directory);
}

static int leave(void **state)
{
	(void)state;
	unlink("secret");
	unlink("pipe");
	return chdir("/") == 0 ? rmdir(directory) : -1;
}

static void test_store_and_read(void **state)
{
	struct bytes error = { 0 }, read = { 0 };
	struct stat st;

	(void)state;
	umask(0);
	assert_int_equal(secret_file_store("secret", span_of_text("one"), NULL, &error), 0);
	assert_int_equal(secret_file_store("secret", span_of_text("two"), NULL, &error), 0);
	assert_int_equal(stat("secret", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(secret_file_read("secret", &read, 100, &error), 0);
	assert_string_equal(bytes_text(&read), "two\n");
	secret_wipe(&read);
	/* never more than was asked for, and what tells that there is more */
	assert_int_equal(secret_file_store("secret", span_of_text("0123456789"), NULL, &error), 0);
	assert_int_equal(secret_file_read("secret", &read, 2, &error), 0);
	assert_int_equal(read.length, 5);
	secret_wipe(&read);
	assert_int_equal(error.length, 0);
}

static void test_troubles(void **state)
{
	struct bytes error = { 0 }, read = { 0 };

	(void)state;
	assert_int_equal(secret_file_read("none", &read, 9, &error), -1);
	assert_string_equal(bytes_text(&error), "none cannot be read: No such file or directory");
	bytes_clear(&error);
	assert_int_equal(mkfifo("pipe", 0600), 0); /* nobody writes: it must not wait */
	assert_int_equal(secret_file_read("pipe", &read, 9, &error), -1);
	bytes_clear(&error);
	assert_int_equal(secret_file_read(".", &read, 9, &error), -1);
	bytes_clear(&error);
	assert_int_equal(secret_file_store("none/secret", span_of_text("s3cr3t"), NULL, &error),
	                 -1);
	assert_string_equal(bytes_text(&error),
	                    "none/secret cannot be written: No such file or directory");
	bytes_release(&error);
	bytes_release(&read);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_store_and_read),
		                            cmocka_unit_test(test_troubles) };

	return cmocka_run_group_tests(tests, enter, leave);
}
