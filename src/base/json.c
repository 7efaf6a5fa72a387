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
