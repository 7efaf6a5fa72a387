/* SPDX-License-Identifier: ISC */
/* config_case.h - loads settings from a text or a command line, in a directory of its own. */
#ifndef CONFIG_CASE_H
#define CONFIG_CASE_H

#include <stddef.h>

#include "config/settings.h"

struct config_case {
	int rc;
	struct settings *settings; /* NULL after an error */
	struct bytes error, notes;
};

/* cmocka group fixtures: a new directory is the current one, the environment is bare. */
int config_case_enter(void **state);
int config_case_leave(void **state);

void config_case_write(const char *name, const char *text, unsigned mode);
/* Loads text as the file t.conf. */
void config_case_load(struct config_case *c, const char *text);
/* As penstockd would with these words behind its name; NULL ends them. */
void config_case_command(struct config_case *c, const char *const *words,
                         const char *const *environment);
void config_case_release(struct config_case *c);

/* Fails the test unless the text is refused with exactly this message. */
void config_case_refused(const char *text, const char *message);
void config_case_command_refused(const char *const *words, const char *message);
/* Fails the test unless the text is taken; the note must be among the notes (NULL: any). */
void config_case_taken(const char *text, const char *note);

#endif
