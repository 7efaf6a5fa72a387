/* SPDX-License-Identifier: ISC */
/* html.c - the text of an HTML mail, as far as a list, a search or a test wants it.
 *
 * No parser: marks are dropped wherever they are, block elements end lines, spaces are folded, what
 * script and style hold is left out. One pass over the octets; whatever is broken, text comes out.
 */
#include <string.h>

#include "base/utf8.h"
#include "mime/private.h"

#define NAME_MAX_LENGTH   16 /* octets of an element's name that matter */
#define ENTITY_MAX_LENGTH 10

enum gap { GAP_NONE, GAP_SPACE, GAP_LINE };

struct stripper {
	struct span rest;
	const struct html_hook *hook;
	struct bytes *out;
	enum gap gap; /* what stands before the next character */
};

static void step(struct stripper *s, size_t length)
{
	s->rest = span_of(s->rest.data + length, s->rest.length - length);
}

static void gap_widen(struct stripper *s, enum gap gap)
{
	if (gap > s->gap)
		s->gap = gap;
}

/* What has no width: fillers behind a preview text, soft hyphens, marks. */
static bool is_invisible(uint32_t code)
{
	return code == 0xad || code == 0x34f || (code >= 0x200b && code <= 0x200f) ||
	       code == 0x2060 || code == 0xfeff || (code < 0x20 && code != '\t');
}

static bool is_space(uint32_t code)
{
	return code == ' ' || (code >= '\t' && code <= '\r') || code == 0xa0 ||
	       (code >= 0x2000 && code <= 0x200a) || code == 0x3000;
}

static void character(struct stripper *s, uint32_t code)
{
	if (is_space(code)) {
		gap_widen(s, GAP_SPACE);
		return;
	}
	if (is_invisible(code))
		return;
	if (s->gap != GAP_NONE && s->out->length > 0)
		bytes_append_char(s->out, s->gap == GAP_LINE ? '\n' : ' ');
	s->gap = GAP_NONE;
	utf8_append(s->out, code);
}

/* ---- entities --------------------------------------------------------------------- */

static bool is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static uint32_t number_of(struct span digits, unsigned base)
{
	uint32_t code = 0;

	for (size_t i = 0; i < digits.length; i++) {
		unsigned char c = digits.data[i];
		unsigned value = c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10);

		if (value >= base)
			return 0;
		code = code * base + value;
		if (code > 0x10ffff)
			return 0xfffd;
	}
	return code;
}

/* The character that "&..." at the start of text means; 0: it means none. */
static uint32_t entity(struct span text, size_t *length_r)
{
	size_t from = 1, to;
	unsigned base = 0;
	struct span name;
	uint32_t code;

	if (from < text.length && text.data[from] == '#') {
		base = 10;
		from++;
		if (from < text.length && (text.data[from] | 0x20) == 'x') {
			base = 16;
			from++;
		}
	}
	for (to = from;
	     to < text.length && to - from < ENTITY_MAX_LENGTH && is_alnum(text.data[to]);)
		to++;
	name = span_of(text.data + from, to - from);
	code = name.length == 0 ? 0 : base > 0 ? number_of(name, base) : entity_find(name);
	*length_r = to + (to < text.length && text.data[to] == ';');
	return code;
}

static void decode_entities(struct span text, struct bytes *out)
{
	while (text.length > 0) {
		size_t length = 1;
		uint32_t code = text.data[0] == '&' ? entity(text, &length) : 0;

		if (code > 0) {
			utf8_append(out, code);
		} else {
			bytes_append_char(out, (char)text.data[0]);
			length = 1;
		}
		text = span_of(text.data + length, text.length - length);
	}
}

/* ---- marks ------------------------------------------------------------------------ */

struct tag {
	char name[NAME_MAX_LENGTH + 1]; /* in lower case */
	bool closes;
	struct span href; /* empty: none */
};

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(name, *list) == 0)
			return true;
	return false;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* An attribute's value at `at`; returns what follows it. */
static size_t attribute_value(struct span text, size_t at, struct span *value_r)
{
	size_t from;

	while (at < text.length && is_blank(text.data[at]))
		at++;
	if (at < text.length && (text.data[at] == '"' || text.data[at] == '\'')) {
		const unsigned char *quote =
			memchr(text.data + at + 1, text.data[at], text.length - at - 1);

		/* A quote that is never closed ends with the mark. */
		if (quote == NULL)
			quote = memchr(text.data + at, '>', text.length - at);
		if (quote == NULL)
			quote = text.data + text.length;
		*value_r = span_of(text.data + at + 1, (size_t)(quote - text.data) - at - 1);
		at = (size_t)(quote - text.data);
		return at < text.length && text.data[at] != '>' ? at + 1 : at;
	}
	for (from = at; at < text.length && !is_blank(text.data[at]) && text.data[at] != '>';)
		at++;
	*value_r = span_of(text.data + from, at - from);
	return at;
}

/* The attributes from `at` on; returns the length up to and with the '>'. */
static size_t attributes(struct span text, size_t at, struct tag *tag)
{
	while (at < text.length && text.data[at] != '>') {
		size_t from = at;
		struct span name, value = { 0 };

		while (at < text.length && is_alnum(text.data[at]))
			at++;
		name = span_of(text.data + from, at - from);
		while (at < text.length && is_blank(text.data[at]))
			at++;
		if (name.length > 0 && at < text.length && text.data[at] == '=')
			at = attribute_value(text, at + 1, &value);
		else if (at == from)
			at++;
		if (span_equal_nocase(name, span_of_text("href")))
			tag->href = value;
	}
	return at < text.length ? at + 1 : at;
}

/* "<name ...>" at the start of text: its length; 0: it is none. */
static size_t tag_parse(struct span text, struct tag *tag)
{
	size_t at = 1, length = 0;

	memset(tag, 0, sizeof(*tag));
	if (at < text.length && text.data[at] == '/') {
		tag->closes = true;
		at++;
	}
	if (at >= text.length || (text.data[at] | 0x20) < 'a' || (text.data[at] | 0x20) > 'z')
		return 0;
	while (at < text.length && is_alnum(text.data[at])) {
		unsigned char c = text.data[at++];

		if (length < NAME_MAX_LENGTH)
			tag->name[length++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	return attributes(text, at, tag);
}

static size_t find(struct span text, const char *what)
{
	const unsigned char *at =
		text.length == 0 ? NULL : memmem(text.data, text.length, what, strlen(what));

	return at == NULL ? text.length : (size_t)(at - text.data) + strlen(what);
}

/* "<!--", "<!DOCTYPE", "<?xml": its length; 0: it is none. */
static size_t declaration(struct span text)
{
	if (text.length >= 4 && memcmp(text.data, "<!--", 4) == 0)
		return find(text, "-->");
	if (text.length >= 2 && (text.data[1] == '!' || text.data[1] == '?'))
		return find(text, ">");
	return 0;
}

/* Up to the element's end mark: what is between is no text. */
static void skip_element(struct stripper *s, const char *name)
{
	size_t length = strlen(name);

	while (s->rest.length > 0) {
		const unsigned char *at = memmem(s->rest.data, s->rest.length, "</", 2);

		if (at == NULL) {
			step(s, s->rest.length);
			return;
		}
		step(s, (size_t)(at - s->rest.data));
		if (s->rest.length >= length + 2 &&
		    span_equal_nocase(span_of(s->rest.data + 2, length), span_of_text(name)))
			return;
		step(s, 2);
	}
}

static void take_link(const struct stripper *s, struct span href)
{
	struct bytes url = { 0 };

	decode_entities(href, &url);
	s->hook->link(s->hook->context, bytes_span(&url));
	bytes_release(&url);
}

static void take_tag(struct stripper *s, const struct tag *tag)
{
	static const char *const hidden[] = { "script",   "style",    "title",
		                              "noscript", "template", NULL };
	static const char *const blocks[] = {
		"address", "article", "aside", "blockquote", "body",     "br",     "center",
		"dd",      "div",     "dl",    "dt",         "fieldset", "footer", "form",
		"h1",      "h2",      "h3",    "h4",         "h5",       "h6",     "header",
		"hr",      "li",      "main",  "nav",        "ol",       "p",      "pre",
		"section", "table",   "tr",    "ul",         NULL
	};
	static const char *const cells[] = { "td", "th", "img", "option", NULL };

	if (!tag->closes && is_one_of(tag->name, hidden))
		skip_element(s, tag->name);
	else if (is_one_of(tag->name, blocks))
		gap_widen(s, GAP_LINE);
	else if (is_one_of(tag->name, cells))
		gap_widen(s, GAP_SPACE);
	else if (tag->href.length > 0 && s->hook != NULL)
		take_link(s, tag->href);
}

static void take_one(struct stripper *s)
{
	size_t length = 0;
	uint32_t code = 0;
	struct tag tag;

	if (s->rest.data[0] == '<') {
		if ((length = declaration(s->rest)) > 0) {
			step(s, length);
			return;
		}
		if ((length = tag_parse(s->rest, &tag)) > 0) {
			step(s, length);
			take_tag(s, &tag);
			return;
		}
	}
	if (s->rest.data[0] == '&')
		code = entity(s->rest, &length);
	if (code == 0)
		length = utf8_next(s->rest, &code);
	character(s, length == 0 ? 0xfffd : code);
	step(s, length == 0 ? 1 : length);
}

void html_text(struct span html, const struct html_hook *hook, struct bytes *out)
{
	struct stripper s = { .rest = html, .hook = hook, .out = out };

	while (s.rest.length > 0)
		take_one(&s);
}

void mime_html_text(struct span html, struct bytes *out)
{
	html_text(html, NULL, out);
}
