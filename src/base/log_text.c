/* SPDX-License-Identifier: ISC */
/* log_text.c - the text of a log line: escaping, quoting, cutting, and its JSON form.
 *
 * Invariant: what log_text_append_escaped() has written is UTF-8 without controls, on one line,
 * and the JSON form relies on that. No allocation: "memory is out" is logged too.
 */
#include "base/log_text.h"

#include <string.h>

#include "base/utf8.h"

/* Appends all of it or, when there is no room, the three dots and nothing ever after. */
static void append_unit(struct log_text *t, const char *unit, size_t length)
{
	if (t->cut)
		return;
	if (length > t->max - t->length) {
		t->cut = true;
		unit = "...";
		length = 3;
	}
	memcpy(t->data + t->length, unit, length);
	t->length += length;
	t->data[t->length] = '\0';
}

void log_text_append(struct log_text *t, const char *text)
{
	append_unit(t, text, strlen(text));
}

static void append_hex(struct log_text *t, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	char unit[4] = { '\\', 'x', digits[c >> 4], digits[c & 15] };

	append_unit(t, unit, sizeof(unit));
}

/* What ends a line or turns the reading direction on some screen, or speaks to a terminal. */
static bool is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

void log_text_append_escaped(struct log_text *t, struct span raw, bool quote)
{
	while (raw.length > 0 && !t->cut) {
		uint32_t code = 0;
		size_t length = utf8_next(raw, &code);

		if (length == 0 || is_unsafe(code)) {
			length = length == 0 ? 1 : length;
			for (size_t i = 0; i < length; i++)
				append_hex(t, raw.data[i]);
		} else if (quote && (code == '"' || code == '\\')) {
			char unit[2] = { '\\', (char)code };

			append_unit(t, unit, sizeof(unit));
		} else {
			append_unit(t, (const char *)raw.data, length);
		}
		raw = span_of(raw.data + length, raw.length - length);
	}
}

struct field {
	struct span key;
	struct span value; /* without its quotes */
	bool quoted;
};

static size_t key_length(const char *at)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t length = strspn(at, allowed);

	return length > 0 && at[length] == '=' ? length : 0;
}

static bool is_reserved(struct span key)
{
	return span_equal_text(key, "time") || span_equal_text(key, "level") ||
	       span_equal_text(key, "program") || span_equal_text(key, "event");
}

/* The end of the quoted value whose text starts at `at`: its closing quote, or the NUL. */
static const char *quote_end(const char *at)
{
	while (*at != '\0' && *at != '"')
		at += *at == '\\' && at[1] != '\0' ? 2 : 1;
	return at;
}

/* Reads "key=value" at *at and the space behind it. false: it is not there. */
static bool next_field(const char **at, struct field *f)
{
	const char *p = *at;
	size_t length = key_length(p);

	f->key = span_of(p, length);
	if (length == 0 || is_reserved(f->key))
		return false;
	p += length + 1;
	f->quoted = *p == '"';
	if (f->quoted) {
		const char *end = quote_end(++p);

		f->value = span_of(p, (size_t)(end - p));
		if (*end == '\0')
			return false;
		p = end + 1;
	} else {
		f->value = span_of(p, strcspn(p, " "));
		p += f->value.length;
	}
	if (*p != ' ' && *p != '\0')
		return false;
	*at = p + strspn(p, " ");
	return true;
}

/* Where the first key of a line of nothing but keys after its event starts; NULL: it is no such
 * line. */
static const char *find_fields(const char *line)
{
	const char *start = line;
	const char *at;
	struct field f;

	while (*start != '\0' && key_length(start) == 0) {
		start += strcspn(start, " ");
		start += strspn(start, " ");
	}
	for (at = start; *at != '\0';)
		if (!next_field(&at, &f))
			return NULL;
	return start;
}

/* Callers may also write what only looks like an escape; and many readers of JSON refuse NUL. */
static bool is_ascii_hex(char high, char low)
{
	return high >= '0' && high <= '7' && (high != '0' || low != '0') &&
	       ((low >= '0' && low <= '9') || (low >= 'a' && low <= 'f'));
}

/* One octet of a quoted value may be "\xNN": JSON has its own word for that below 80. */
static size_t append_json_escape(struct log_text *t, struct span rest)
{
	const char *at = (const char *)rest.data;
	char unit[6] = { '\\', 'u', '0', '0', 0, 0 };

	if (rest.length >= 2 && (at[1] == '"' || at[1] == '\\')) {
		append_unit(t, at, 2);
		return 2;
	}
	if (rest.length >= 4 && at[1] == 'x' && is_ascii_hex(at[2], at[3])) {
		memcpy(unit + 4, at + 2, 2);
		append_unit(t, unit, sizeof(unit));
		return 4;
	}
	log_text_append(t, "\\\\");
	return 1;
}

static void append_json_text(struct log_text *t, struct span text, bool quoted)
{
	log_text_append(t, "\"");
	for (size_t i = 0; i < text.length;) {
		struct span rest = span_of(text.data + i, text.length - i);
		const char *at = (const char *)rest.data;

		if (*at == '\\' && quoted) {
			i += append_json_escape(t, rest);
		} else if (*at == '\\' || *at == '"') {
			append_unit(t, *at == '"' ? "\\\"" : "\\\\", 2);
			i++;
		} else {
			append_unit(t, at, 1);
			i++;
		}
	}
	log_text_append(t, "\"");
}

void log_text_append_json(struct log_text *t, const char *line)
{
	const char *fields = find_fields(line);
	size_t event = fields == NULL ? strlen(line) : (size_t)(fields - line);
	struct field f;

	while (event > 0 && line[event - 1] == ' ')
		event--;
	log_text_append(t, "\"event\":");
	append_json_text(t, span_of(line, event), false);
	while (fields != NULL && *fields != '\0' && next_field(&fields, &f)) {
		log_text_append(t, ",");
		append_json_text(t, f.key, false);
		log_text_append(t, ":");
		append_json_text(t, f.value, f.quoted);
	}
}
