/* SPDX-License-Identifier: ISC */
/* scan.c - a walk over the text of a configuration before libconfuse reads it.
 *
 * libconfuse 3.3 counts three lines for each comment, trips over comments inside lists, ends
 * sections that were never closed, and drops '*', '+' and what follows "//" from text without
 * quotes, all in silence. So comments become spaces here, and the rest is reported. Meaning and
 * syntax beyond that are libconfuse's and parse.c's.
 */
#include "config/private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Enough of a wrong word to find it. */
#define WORD_SHOWN_MAX 80

enum token { TOKEN_OTHER, TOKEN_EQUALS, TOKEN_OPEN_LIST, TOKEN_COMMA };

struct walk {
	struct scan *scan;
	struct problems *problems;
	const char *file;
	char *text;
	size_t length, at;
	unsigned line;
	enum token last;
	bool in_list;
	size_t depth; /* of open sections; their indexes: */
	size_t open[4];
};

/* Sections nest two deep in the language; what is deeper is not remembered, only counted. */
#define OPEN_MAX (sizeof(((struct walk *)0)->open) / sizeof(size_t))

static void blank(struct walk *w, size_t end)
{
	for (; w->at < end; w->at++) {
		if (w->text[w->at] == '\n')
			w->line++;
		else
			w->text[w->at] = ' ';
	}
}

static void blank_line_comment(struct walk *w)
{
	const char *end = memchr(w->text + w->at, '\n', w->length - w->at);

	blank(w, end == NULL ? w->length : (size_t)(end - w->text));
}

static void blank_block_comment(struct walk *w)
{
	unsigned begin = w->line;
	size_t end = w->at + 2;

	while (end + 1 < w->length && !(w->text[end] == '*' && w->text[end + 1] == '/'))
		end++;
	if (end + 1 >= w->length) {
		problem(w->problems, "%s:%u: this comment is never closed: write */ at its end",
		        w->file, begin);
		end = w->length - 2;
	}
	blank(w, end + 2);
}

static void skip_quoted(struct walk *w)
{
	unsigned begin = w->line;
	char quote = w->text[w->at++];

	for (; w->at < w->length && w->text[w->at] != quote; w->at++) {
		if (w->text[w->at] == '\\' && w->at + 1 < w->length)
			w->at++;
		if (w->text[w->at] == '\n')
			w->line++;
	}
	if (w->at >= w->length)
		problem(w->problems, "%s:%u: the text that begins here has no closing %c", w->file,
		        begin, quote);
	else
		w->at++;
	w->last = TOKEN_OTHER;
}

static void open_section(struct walk *w)
{
	struct scan *scan = w->scan;

	scan->sections = memory_grow(scan->sections, scan->count + 1, sizeof(*scan->sections));
	scan->sections[scan->count] = (struct section_lines){ w->line, UINT32_MAX };
	if (w->depth < OPEN_MAX)
		w->open[w->depth] = scan->count;
	w->depth++;
	scan->count++;
}

static void close_section(struct walk *w)
{
	if (w->depth == 0) {
		problem(w->problems, "%s:%u: this } closes nothing", w->file, w->line);
		return;
	}
	w->depth--;
	if (w->depth < OPEN_MAX)
		w->scan->sections[w->open[w->depth]].last = w->line;
}

static void brace_open(struct walk *w)
{
	if (w->last == TOKEN_EQUALS) {
		w->in_list = true;
		w->last = TOKEN_OPEN_LIST;
	} else {
		open_section(w);
		w->last = TOKEN_OTHER;
	}
}

static void brace_close(struct walk *w)
{
	if (w->in_list && w->last == TOKEN_OPEN_LIST)
		problem(w->problems,
		        "%s:%u: this list is empty: leave the option out, or write "
		        "one value at least",
		        w->file, w->line);
	if (w->in_list)
		w->in_list = false;
	else
		close_section(w);
	w->last = TOKEN_OTHER;
}

static bool is_word(char c)
{
	return !isspace((unsigned char)c) && strchr("\"'={}(),", c) == NULL;
}

/* "${NAME}", or the dollar alone. */
static size_t variable_length(const struct walk *w)
{
	const char *text = w->text + w->at;
	const char *end = memchr(text, '}', w->length - w->at);
	const char *line = memchr(text, '\n', w->length - w->at);

	if (w->at + 1 >= w->length || text[1] != '{' || end == NULL || (line != NULL && line < end))
		return 1;
	return (size_t)(end - text) + 1;
}

/* Without quotes stand numbers and plain words only, nothing that libconfuse would cut. */
static void word(struct walk *w)
{
	size_t begin = w->at;
	bool plain = true;
	int shown;

	while (w->at < w->length && is_word(w->text[w->at])) {
		char c = w->text[w->at];
		if (c == '#' || (c == '+' && w->last == TOKEN_OTHER))
			break;
		if (!isalnum((unsigned char)c) && strchr("._-", c) == NULL)
			plain = false;
		w->at += c == '$' ? variable_length(w) : 1;
	}
	shown = (int)(w->at - begin > WORD_SHOWN_MAX ? WORD_SHOWN_MAX : w->at - begin);
	if (!plain && w->text[begin] == ';')
		problem(w->problems, "%s:%u: a ; has no place here: remove it", w->file, w->line);
	else if (!plain)
		problem(w->problems, "%s:%u: write this in quotes: \"%.*s\"", w->file, w->line,
		        shown, w->text + begin);
	if (w->at == begin)
		w->at++;
	w->last = TOKEN_OTHER;
}

static bool comment(struct walk *w)
{
	char c = w->text[w->at];
	char next = w->at + 1 < w->length ? w->text[w->at + 1] : '\0';

	if (c == '#' || (c == '/' && next == '/'))
		blank_line_comment(w);
	else if (c == '/' && next == '*')
		blank_block_comment(w);
	else
		return false;
	return true;
}

static void step(struct walk *w)
{
	switch (w->text[w->at]) {
	case '\n':
		w->line++;
		w->at++;
		break;
	case ' ':
	case '\t':
	case '\r':
		w->at++;
		break;
	case '"':
	case '\'':
		skip_quoted(w);
		break;
	case '{':
		brace_open(w);
		w->at++;
		break;
	case '}':
		brace_close(w);
		w->at++;
		break;
	case '=':
		w->last = TOKEN_EQUALS;
		w->at++;
		break;
	case ',':
		w->last = w->in_list ? TOKEN_COMMA : TOKEN_OTHER;
		w->at++;
		break;
	default:
		if (!comment(w))
			word(w);
	}
}

void scan_text(struct scan *scan_r, char *text, size_t length, const char *file,
               struct problems *problems)
{
	struct walk w = {
		.scan = scan_r,
		.problems = problems,
		.file = file,
		.text = text,
		.length = length,
		.line = 1,
	};

	memset(scan_r, 0, sizeof(*scan_r));
	while (w.at < w.length)
		step(&w);
	if (w.depth > 0 && w.depth <= OPEN_MAX)
		problem(problems, "%s:%u: this section is never closed: write } at its end", file,
		        scan_r->sections[w.open[w.depth - 1]].first);
	else if (w.depth > 0 || w.in_list)
		problem(problems, "%s:%u: a } is missing before the end of the file", file, w.line);
}

void scan_release(struct scan *scan)
{
	free(scan->sections);
	scan->sections = NULL;
	scan->count = 0;
}

unsigned scan_section_line(const struct scan *scan, unsigned line)
{
	unsigned found = line;

	for (size_t i = 0; i < scan->count && scan->sections[i].first <= line; i++) {
		if (line <= scan->sections[i].last)
			found = scan->sections[i].first;
	}
	return found;
}
