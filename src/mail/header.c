/* SPDX-License-Identifier: ISC */
/* header.c - finding fields in a header section.
 *
 * Lines may end by CRLF or by LF: besides received mail, which is clean, this reads what a user
 * pipes into the sendmail command. Nothing is copied; spans point into the message.
 */
#include "mail/header.h"

#include <string.h>

/* The first line with its line end; all of text when it has none. */
static size_t line_length(struct span text)
{
	const unsigned char *lf = text.length == 0 ? NULL : memchr(text.data, '\n', text.length);

	return lf == NULL ? text.length : (size_t)(lf - text.data) + 1;
}

static bool is_space(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static bool is_line_end(unsigned char c)
{
	return c == '\r' || c == '\n';
}

static bool is_empty_line(struct span text)
{
	return text.length == 0 || text.data[0] == '\n' ||
	       (text.data[0] == '\r' && text.length > 1 && text.data[1] == '\n');
}

static struct span behind(struct span text, size_t length)
{
	return span_of(text.data + length, text.length - length);
}

struct header_reader header_reader(struct span message)
{
	if (message.length > HEADER_MAX)
		message.length = HEADER_MAX;
	return (struct header_reader){ .rest = message };
}

/* The first line and those that continue it. */
static size_t folded_length(struct span text)
{
	size_t length = line_length(text);

	while (length < text.length && is_space(text.data[length]))
		length += line_length(behind(text, length));
	return length;
}

/* Splits "Name: value". The name is printable and without spaces, but for some before the colon,
 * which old mail has (RFC 5322 4.5). */
static bool split_field(struct span whole, struct header_field *field_r)
{
	size_t name = 0, colon, value, end = whole.length;

	while (name < whole.length && whole.data[name] > 32 && whole.data[name] < 127 &&
	       whole.data[name] != ':')
		name++;
	for (colon = name; colon < whole.length && is_space(whole.data[colon]);)
		colon++;
	if (name == 0 || colon == whole.length || whole.data[colon] != ':')
		return false;
	value = colon + 1;
	if (end > value && whole.data[end - 1] == '\n')
		end--;
	if (end > value && whole.data[end - 1] == '\r')
		end--;
	field_r->name = span_of(whole.data, name);
	field_r->value = span_of(whole.data + value, end - value);
	field_r->whole = whole;
	return true;
}

bool header_next(struct header_reader *r, struct header_field *field_r)
{
	while (!is_empty_line(r->rest)) {
		size_t length = folded_length(r->rest);
		struct span whole = span_of(r->rest.data, length);

		r->rest = behind(r->rest, length);
		if (split_field(whole, field_r))
			return true;
	}
	r->rest = span_of(NULL, 0);
	return false;
}

size_t header_length(struct span message)
{
	struct span rest = message;

	while (!is_empty_line(rest))
		rest = behind(rest, line_length(rest));
	return message.length - rest.length + line_length(rest);
}

bool header_find(struct span message, const char *name, struct span *value_r)
{
	struct header_reader r = header_reader(message);
	struct header_field field;

	while (header_next(&r, &field)) {
		if (span_equal_nocase(field.name, span_of_text(name))) {
			*value_r = field.value;
			return true;
		}
	}
	return false;
}

void header_unfold(struct span value, struct bytes *out)
{
	while (value.length > 0 && (is_space(value.data[0]) || is_line_end(value.data[0])))
		value = behind(value, 1);
	while (value.length > 0 && (is_space(value.data[value.length - 1]) ||
	                            is_line_end(value.data[value.length - 1])))
		value.length--;
	for (size_t i = 0; i < value.length; i++) {
		unsigned char c = value.data[i];

		if (!is_line_end(c))
			bytes_append_char(out, c == '\0' ? ' ' : (char)c);
	}
}
