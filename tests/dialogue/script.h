/* SPDX-License-Identifier: ISC */
/* script.h - a dialogue script, read and checked for form.
 *
 * One step a line; '#' begins a comment line. See tests/dialogue/README.md for the language.
 */
#ifndef TESTS_DIALOGUE_SCRIPT_H
#define TESTS_DIALOGUE_SCRIPT_H

#include "engine.h"

enum step_kind {
	STEP_SET,
	STEP_SAY,       /* the peer sends `text`, its escapes undone */
	STEP_HEAR,      /* one line from the engine matches `text` */
	STEP_HEAR_LAST, /* lines from the engine up to one that matches */
	STEP_EVENT,
	STEP_QUIET,  /* nothing has come, on the wire or as an event */
	STEP_CLOSE,  /* the peer closes */
	STEP_CLOSED, /* the engine closed */
	STEP_TLS,    /* the peer begins TLS */
	STEP_SECURED,
	STEP_PASS,
	STEP_COMMAND
};

struct step {
	enum step_kind kind;
	unsigned line;
	bool regex;        /* `text` is one; else '*' stands for anything */
	char *word, *rest; /* of SET and COMMAND */
	struct bytes text;
	int64_t us; /* PASS */
};

struct script {
	const struct engine *engine;
	struct step *steps;
	size_t count;
};

/* 0, or -1 with "FILE:LINE: what is wrong" in *error. */
int script_read(struct script *script_r, const char *file, struct bytes *error);
void script_release(struct script *script);

#endif
