/* SPDX-License-Identifier: ISC */
/* json.c - text of peers as JSON. */
#include "base/json.h"

#include "base/utf8.h"

json_t *json_text(const char *text)
{
	json_t *value = json_string(text != NULL ? text : "");
	struct bytes valid = { 0 };
	struct span rest;

	if (value != NULL)
		return value;
	for (rest = span_of_text(text); rest.length > 0;) {
		size_t length = utf8_next(rest, NULL);

		if (length == 0)
			utf8_append(&valid, UINT32_MAX); /* U+FFFD */
		else
			bytes_append(&valid, rest.data, length);
		length = length == 0 ? 1 : length;
		rest.data += length;
		rest.length -= length;
	}
	value = json_string(bytes_text(&valid));
	bytes_release(&valid);
	return value;
}

static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

static void put_escaped(struct bytes *out, unsigned char c)
{
	static const char names[] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'
	};

	if (c == '"' || c == '\\')
		bytes_printf(out, "\\%c", c);
	else if (c < sizeof(names) && names[c] != 0)
		bytes_printf(out, "\\%c", names[c]);
	else
		bytes_printf(out, "\\u%04X", c);
}

void json_put_text(struct bytes *out, const char *text)
{
	struct span rest = span_of_text(text);

	bytes_append_char(out, '"');
	while (rest.length > 0) {
		size_t length = 0;

		while (length < rest.length && is_plain(rest.data[length]))
			length++;
		bytes_append(out, rest.data, length);
		if (length < rest.length && rest.data[length] < 0x80) {
			put_escaped(out, rest.data[length++]);
		} else if (length < rest.length) {
			uint32_t code;
			size_t octets =
				utf8_next(span_of(rest.data + length, rest.length - length), &code);

			utf8_append(out, octets == 0 ? UINT32_MAX : code);
			length += octets == 0 ? 1 : octets;
		}
		rest.data += length;
		rest.length -= length;
	}
	bytes_append_char(out, '"');
}

static int append(const char *data, size_t length, void *context)
{
	bytes_append(context, data, length);
	return 0;
}

void json_line(struct bytes *out, json_t *value)
{
	json_dump_callback(value, append, out, JSON_COMPACT | JSON_ENCODE_ANY);
	bytes_append_char(out, '\n');
	json_decref(value);
}

int json_member(struct span text, const char *name, struct bytes *out)
{
	json_t *object =
		json_loadb((const char *)text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
	const json_t *value = json_object_get(object, name);
	int rc = 0;

	if (json_is_string(value))
		bytes_append_text(out, json_string_value(value));
	else if (json_is_integer(value))
		bytes_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		rc = -1;
	json_decref(object);
	return rc;
}
