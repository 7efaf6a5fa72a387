/* SPDX-License-Identifier: ISC */
/* path.c - segments and parameters of a URL.
 *
 * A path is taken apart at its slashes first and each segment decoded once, so an escaped slash is
 * never one between segments, and what was decoded is what everything after looks at.
 */
#include "web/path.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static int hex_digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* -1: a broken escape, unless these are kept, or one of the octet 0. */
static int decode(const char *text, size_t length, bool form, char **text_r)
{
	struct bytes out = { 0 };

	for (size_t i = 0; i < length; i++) {
		int high = text[i] == '%' && i + 2 < length ? hex_digit(text[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

		if (low >= 0 && high * 16 + low != 0) {
			bytes_append_char(&out, (char)(high * 16 + low));
			i += 2;
		} else if (text[i] == '%' && !form) {
			bytes_release(&out);
			return -1;
		} else {
			bytes_append_char(&out, form && text[i] == '+' ? ' ' : text[i]);
		}
	}
	*text_r = memory_text_of(out.data, out.length);
	bytes_release(&out);
	return 0;
}

int path_parse(struct path *path_r, const char *text)
{
	struct path path = { .count = 0 };

	if (text == NULL || *text != '/')
		return -1;
	while (*text == '/') {
		size_t length = strcspn(++text, "/");

		if (path.count == PATH_SEGMENTS_MAX ||
		    decode(text, length, false, &path.segments[path.count]) < 0) {
			path_release(&path);
			return -1;
		}
		path.count++;
		text += length;
	}
	*path_r = path;
	return 0;
}

void path_release(struct path *path)
{
	for (size_t i = 0; i < path->count; i++)
		free(path->segments[i]);
	path->count = 0;
}

void path_strip(struct path *path, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(path->segments[i]);
	path->count -= n;
	memmove(path->segments, path->segments + n, path->count * sizeof(path->segments[0]));
}

void path_join(const struct path *path, struct bytes *out)
{
	for (size_t i = 0; i < path->count; i++) {
		bytes_append_char(out, '/');
		bytes_append_text(out, path->segments[i]);
	}
}

bool path_begins(const struct path *path, const char *prefix, size_t *count_r)
{
	size_t count = 0;

	for (prefix++; *prefix != '\0'; count++) {
		size_t length = strcspn(prefix, "/");

		if (count == path->count ||
		    !span_equal(span_of(prefix, length), span_of_text(path->segments[count])))
			return false;
		prefix += length + (prefix[length] == '/');
	}
	*count_r = count;
	return true;
}

bool path_matches(const struct path *path, const char *pattern, const char **arguments_r,
                  size_t max, size_t *count_r)
{
	size_t i = 0;

	*count_r = 0;
	while (*pattern == '/') {
		size_t length = strcspn(++pattern, "/");

		if (strcmp(pattern, "{*}") == 0)
			return i < path->count;
		if (i == path->count)
			return false;
		if (*pattern == '{') {
			/* No empty one: /message// is not a message. */
			if (path->segments[i][0] == '\0' || *count_r == max)
				return false;
			arguments_r[(*count_r)++] = path->segments[i];
		} else if (!span_equal(span_of(pattern, length), span_of_text(path->segments[i]))) {
			return false;
		}
		i++;
		pattern += length;
	}
	return i == path->count;
}

void query_parse(struct query *query_r, const char *text)
{
	*query_r = (struct query){ 0 };
	while (text != NULL && *text != '\0' && query_r->count < PATH_PARAMETERS_MAX) {
		size_t length = strcspn(text, "&"), name = strcspn(text, "=");
		struct query_parameter *added;

		if (name > length)
			name = length;
		query_r->parameters =
			memory_grow(query_r->parameters, query_r->count + 1, sizeof(*added));
		added = &query_r->parameters[query_r->count++];
		/* Broken escapes are kept in a form: these cannot fail. */
		(void)decode(text, name, true, &added->name);
		(void)decode(text + name + (name < length), length - name - (name < length), true,
		             &added->value);
		text += length + (text[length] == '&');
	}
}

void query_release(struct query *query)
{
	for (size_t i = 0; i < query->count; i++) {
		free(query->parameters[i].name);
		free(query->parameters[i].value);
	}
	free(query->parameters);
	*query = (struct query){ 0 };
}

const char *query_find(const struct query *query, const char *name)
{
	for (size_t i = 0; i < query->count; i++)
		if (strcmp(query->parameters[i].name, name) == 0)
			return query->parameters[i].value;
	return NULL;
}

void path_escape(const char *text, struct bytes *out)
{
	for (; *text != '\0'; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~", *text) != NULL)
			bytes_append_char(out, *text);
		else
			bytes_printf(out, "%%%02X", (unsigned char)*text);
	}
}
