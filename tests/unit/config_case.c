/* SPDX-License-Identifier: ISC */
/* config_case.c - see config_case.h. Removes what it made, by name. */
#include "config_case.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

#define WORDS_MAX 32

static char directory[] = "/tmp/penstock-config-XXXXXX";

int config_case_enter(void **state)
{
	static const char *const variables[] = { "JOURNAL_STREAM",  "HOME",
		                                 "XDG_STATE_HOME",  "XDG_CONFIG_HOME",
		                                 "XDG_RUNTIME_DIR", "PENSTOCK_PASSWORD" };

	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	if (mkdtemp(directory) == NULL || chdir(directory) != 0)
		return -1;
	return setenv("HOME", directory, 1);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int config_case_leave(void **state)
{
	(void)state;
	return chdir("/") == 0 ? nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

void config_case_write(const char *name, const char *text, unsigned mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

void config_case_load(struct config_case *c, const char *text)
{
	struct overrides over = { .file = "t.conf" };

	memset(c, 0, sizeof(*c));
	config_case_write("t.conf", text, 0600);
	c->rc = settings_load(&c->settings, &over, &c->error, &c->notes);
}

void config_case_command(struct config_case *c, const char *const *words,
                         const char *const *environment)
{
	char *argv[WORDS_MAX + 2] = { memory_text("penstockd") };
	struct overrides over;
	enum overrides_action action;
	int argc = 1;

	memset(c, 0, sizeof(*c));
	for (; *words != NULL; words++) {
		assert_true(argc <= WORDS_MAX);
		argv[argc++] = memory_text(*words);
	}
	c->rc = overrides_parse(&over, argc, argv, (char **)(uintptr_t)environment, &action,
	                        &c->error);
	if (c->rc == 0) {
		c->rc = settings_load(&c->settings, &over, &c->error, &c->notes);
		overrides_release(&over);
	}
	while (argc > 0)
		free(argv[--argc]);
}

void config_case_release(struct config_case *c)
{
	settings_release(&c->settings);
	bytes_release(&c->error);
	bytes_release(&c->notes);
}

static void expect_refused(struct config_case *c, const char *message)
{
	assert_string_equal(bytes_text(&c->error), message);
	assert_int_equal(c->rc, -1);
	assert_null(c->settings);
	config_case_release(c);
}

void config_case_refused(const char *text, const char *message)
{
	struct config_case c;

	config_case_load(&c, text);
	expect_refused(&c, message);
}

void config_case_command_refused(const char *const *words, const char *message)
{
	struct config_case c;

	config_case_command(&c, words, NULL);
	expect_refused(&c, message);
}

void config_case_taken(const char *text, const char *note)
{
	struct config_case c;

	config_case_load(&c, text);
	assert_string_equal(bytes_text(&c.error), "");
	assert_int_equal(c.rc, 0);
	if (note != NULL && strstr(bytes_text(&c.notes), note) == NULL)
		assert_string_equal(bytes_text(&c.notes), note);
	config_case_release(&c);
}
