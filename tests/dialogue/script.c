/* SPDX-License-Identifier: ISC */
/* script.c - reads scripts; every line is understood before the first one is played. */
#include "script.h"

#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/values.h"

static const struct engine *const engines[] = { &inbound_engine, &outbound_engine };

/* Splits off the first word; returns what follows it and its spaces. */
static char *next_word(char *line)
{
	char *end = line + strcspn(line, " \t");

	if (*end == '\0')
		return end;
	*end++ = '\0';
	return end + strspn(end, " \t");
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* "\*3000{a}" is 3000 times "a". Returns what follows, or NULL. */
static const char *repeat(struct bytes *out, const char *at)
{
	char *end;
	unsigned long count = strtoul(at, &end, 10);

	if (end == at || end[0] != '{' || end[1] == '\0' || end[2] != '}')
		return NULL;
	while (count-- > 0)
		bytes_append_char(out, end[1]);
	return end + 3;
}

/* What follows the backslash; returns where to go on, or NULL. */
static const char *escape(struct bytes *out, const char *at)
{
	static const char names[] = "rnt0\\", values[] = "\r\n\t\0\\";
	const char *name = *at == '\0' ? NULL : strchr(names, *at);

	if (name != NULL) {
		bytes_append_char(out, values[name - names]);
		return at + 1;
	}
	if (*at == '*')
		return repeat(out, at + 1);
	if (*at != 'x' || !isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
		return NULL;
	bytes_append_char(out, (char)(hex_digit(at[1]) * 16 + hex_digit(at[2])));
	return at + 3;
}

static bool unescape(struct bytes *out, const char *text)
{
	while (text != NULL && *text != '\0') {
		if (*text == '\\')
			text = escape(out, text + 1);
		else
			bytes_append_char(out, *text++);
	}
	return text != NULL;
}

static bool parse_regex(struct step *step, const char *pattern)
{
	regex_t regex;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	regfree(&regex);
	step->regex = true;
	bytes_append_text(&step->text, pattern);
	return true;
}

/* "client says X", "client writes X", "client closes", "client starts TLS" */
static bool parse_peer(struct step *step, char *verb)
{
	char *rest = next_word(verb);

	if (strcmp(verb, "says") == 0 || strcmp(verb, "writes") == 0) {
		step->kind = STEP_SAY;
		if (!unescape(&step->text, rest))
			return false;
		if (verb[0] == 's')
			bytes_append_text(&step->text, "\r\n");
		return true;
	}
	if (strcmp(verb, "closes") == 0 && *rest == '\0')
		step->kind = STEP_CLOSE;
	else if (strcmp(verb, "starts") == 0 && strcmp(rest, "TLS") == 0)
		step->kind = STEP_TLS;
	else
		return false;
	return true;
}

/* "server says PATTERN", "server sends PATTERN", "server closes", where the engine is the server */
static bool parse_self(struct step *step, char *verb)
{
	char *rest = next_word(verb);

	if (strcmp(verb, "closes") == 0 && *rest == '\0') {
		step->kind = STEP_CLOSED;
		return true;
	}
	step->kind = STEP_HEAR;
	bytes_append_text(&step->text, rest);
	return strcmp(verb, "says") == 0 || strcmp(verb, "sends") == 0;
}

static bool parse_expect(struct step *step, const struct engine *engine, const char *what)
{
	if (strcmp(what, "nothing") == 0) {
		step->kind = STEP_QUIET;
	} else if (strcmp(what, "secured") == 0) {
		step->kind = STEP_SECURED;
	} else if (strcmp(what, "closed") == 0 && !engine->expects_events) {
		step->kind = STEP_CLOSED;
	} else {
		step->kind = engine->expects_events ? STEP_EVENT : STEP_HEAR;
		bytes_append_text(&step->text, what);
	}
	return *what != '\0';
}

/* "set NAME VALUE": the name becomes the word. */
static bool parse_set(struct step *step)
{
	char *name = step->rest, *value = memory_text(next_word(name));

	free(step->word);
	step->word = name;
	step->rest = value;
	return *name != '\0' && *value != '\0';
}

/* The words that every script has. false: the step is none of them. */
static bool parse_common(struct step *step, const struct engine *engine, bool *good_r)
{
	const char *word = step->word, *error;

	if (strcmp(word, "set") == 0) {
		step->kind = STEP_SET;
		*good_r = parse_set(step);
	} else if (strcmp(word, "expect") == 0) {
		*good_r = parse_expect(step, engine, step->rest);
	} else if (strcmp(word, "expect-last") == 0) {
		step->kind = STEP_HEAR_LAST;
		bytes_append_text(&step->text, step->rest);
	} else if (strcmp(word, "expect-re") == 0) {
		step->kind = engine->expects_events ? STEP_EVENT : STEP_HEAR;
		*good_r = parse_regex(step, step->rest);
	} else if (strcmp(word, "event") == 0) {
		step->kind = STEP_EVENT;
		bytes_append_text(&step->text, step->rest);
	} else if (strcmp(word, "pass") == 0) {
		step->kind = STEP_PASS;
		*good_r = duration_parse(&step->us, step->rest, &error) == 0;
	} else if (strcmp(word, engine->peer) == 0) {
		*good_r = parse_peer(step, step->rest);
	} else if (strcmp(word, engine->self) == 0) {
		*good_r = parse_self(step, step->rest);
	} else {
		return false;
	}
	return true;
}

static bool parse_step(struct script *script, char *line, unsigned number)
{
	struct step *step;
	bool good = true;
	char *rest = next_word(line);

	script->steps = memory_grow(script->steps, script->count + 1, sizeof *script->steps);
	step = &script->steps[script->count++];
	*step = (struct step){ .line = number,
		               .word = memory_text(line),
		               .rest = memory_text(rest) };
	if (!parse_common(step, script->engine, &good))
		step->kind = STEP_COMMAND;
	return good;
}

static const struct engine *find_engine(const char *name)
{
	for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
		if (strcmp(engines[i]->name, name) == 0)
			return engines[i];
	return NULL;
}

static bool parse_line(struct script *script, char *line, unsigned number)
{
	line[strcspn(line, "\n")] = '\0';
	line += strspn(line, " \t");
	if (*line == '\0' || *line == '#')
		return true;
	if (script->engine != NULL)
		return parse_step(script, line, number);
	script->engine = find_engine(line);
	return script->engine != NULL;
}

int script_read(struct script *script_r, const char *file, struct bytes *error)
{
	FILE *in = fopen(file, "r");
	char *line = NULL;
	size_t size = 0;
	unsigned number = 0;
	bool good = true;

	*script_r = (struct script){ 0 };
	if (in == NULL) {
		bytes_printf(error, "%s: cannot be read", file);
		return -1;
	}
	while (good && getline(&line, &size, in) >= 0)
		good = parse_line(script_r, line, ++number);
	if (!good)
		bytes_printf(error, "%s:%u: not understood", file, number);
	else if (script_r->count == 0)
		bytes_printf(error, "%s: nothing is played", file);
	good = good && script_r->count > 0;
	free(line);
	fclose(in);
	return good ? 0 : -1;
}

void script_release(struct script *script)
{
	for (size_t i = 0; i < script->count; i++) {
		free(script->steps[i].word);
		free(script->steps[i].rest);
		bytes_release(&script->steps[i].text);
	}
	free(script->steps);
	*script = (struct script){ 0 };
}
