/* SPDX-License-Identifier: ISC */
/* test_memory.c - what is promised of allocation, also that it ends the process. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

static void gives_zeroed_memory(void **state)
{
	unsigned char *m = memory_new_array(100, 10);
	void *nothing = memory_new(0);

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(m[i], 0);
	assert_non_null(nothing);
	m = memory_grow(m, 2000, 1);
	m[1999] = 1;
	m = memory_grow(m, 0, 1);
	assert_non_null(m);
	free(m);
	free(nothing);
}

static void copies_text(void **state)
{
	char *whole = memory_text("abc");
	char *part = memory_text_of("abcdef", 2);
	char *none = memory_text_of(NULL, 0);

	(void)state;
	assert_string_equal(whole, "abc");
	assert_string_equal(part, "ab");
	assert_string_equal(none, "");
	free(whole);
	free(part);
	free(none);
}

static void wipes(void **state)
{
	char secret[] = "secret";

	(void)state;
	memory_wipe(secret, 6);
	assert_memory_equal(secret, "\0\0\0\0\0\0", 6);
	memory_wipe(NULL, 0);
}

static void discard(void *context, enum log_level level, const char *line)
{
	(void)context, (void)level, (void)line;
}

static void grow_by_overflow(void)
{
	memory_grow(NULL, SIZE_MAX / 2, 3);
}

static void text_by_overflow(void)
{
	memory_text_of("", SIZE_MAX);
}

static void ends_the_process(void **state)
{
	void (*const calls[])(void) = { grow_by_overflow, text_by_overflow };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		int status = 0;
		pid_t child = fork();

		if (child == 0) {
			log_capture(discard, NULL);
			calls[i]();
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), EX_OSERR);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_zeroed_memory),
		cmocka_unit_test(copies_text),
		cmocka_unit_test(wipes),
		cmocka_unit_test(ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
