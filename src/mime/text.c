/* SPDX-License-Identifier: ISC */
/* text.c - the words of a message: its text parts in UTF-8, what search and the list show of them.
 *
 * Bounded: of each text no more is decoded than asked for, however long the part is.
 */
#include <string.h>

#include "base/charset.h"
#include "base/utf8.h"
#include "mime/private.h"

/* Of HTML this much is looked at: marks are often most of it. */
#define HTML_LOOK_MAX (2 * 1024 * 1024) /* octets */

/* ---- a part ------------------------------------------------------------------------ */

struct conversion {
	struct charset *charset;
	struct bytes *out;
	size_t end; /* of out: no more is wanted */
};

static bool convert(void *context, struct span decoded)
{
	struct conversion *c = context;

	charset_feed(c->charset, decoded, c->out);
	return c->out->length < c->end;
}

/* Cut between characters. */
static void cut(struct bytes *text, size_t end)
{
	if (text->length <= end)
		return;
	while (end > 0 && (text->data[end] & 0xc0) == 0x80)
		end--;
	text->length = end;
}

static int part_text(const struct mime_part *part, struct effort *e, size_t max, struct bytes *out)
{
	struct conversion c = { .out = out, .end = out->length + max };
	int rc;

	c.charset = charset_new(span_of_text(part->charset));
	rc = part_each(part, e, convert, &c);
	charset_end(c.charset, out);
	charset_free(&c.charset);
	cut(out, c.end);
	return rc;
}

/* Readers of what is stored have no hurry. */
static struct effort unhurried(const struct mime_source *source)
{
	return (struct effort){ .source = source,
		                .clock = clock_system(),
		                .deadline_us = INT64_MAX };
}

int mime_part_text(const struct mime_part *part, const struct mime_source *source, size_t max,
                   struct bytes *out)
{
	struct effort e = unhurried(source);

	return part_text(part, &e, max, out);
}

static int role_text(const struct mime_index *index, enum mime_role role, struct effort *e,
                     size_t max, struct bytes *out)
{
	size_t start = out->length, end = start + max;

	for (size_t i = 0; i < index->count && out->length < end; i++) {
		if (index->parts[i].role != role)
			continue;
		if (out->length > start && out->data[out->length - 1] != '\n')
			bytes_append_char(out, '\n');
		if (part_text(&index->parts[i], e, end - out->length, out) != 0)
			return -1;
	}
	return 0;
}

int mime_index_text(const struct mime_index *index, enum mime_role role,
                    const struct mime_source *source, size_t max, struct bytes *out)
{
	struct effort e = unhurried(source);

	return role_text(index, role, &e, max, out);
}

/* ---- all of them --------------------------------------------------------------------- */

static void link_found(void *context, struct span url)
{
	find_link(context, url);
}

/* Spaces and line ends folded, cut at the number of characters. */
static void snippet_make(struct span text, struct bytes *out)
{
	size_t characters = 0, shorter = 0;
	bool space = false;

	while (text.length > 0 && characters <= MIME_SNIPPET_MAX) {
		uint32_t code = 0;
		size_t length = utf8_next(text, &code);

		if (length > 0 && code > ' ' && code != 0xa0 && code != 0xfeff && code != 0x7f) {
			if (space && out->length > 0) {
				bytes_append_char(out, ' ');
				characters++;
			}
			space = false;
			bytes_append(out, text.data, length);
			if (++characters <= MIME_SNIPPET_MAX - 3)
				shorter = out->length;
		} else {
			space = true;
		}
		length = length == 0 ? 1 : length;
		text = span_of(text.data + length, text.length - length);
	}
	if (characters > MIME_SNIPPET_MAX) {
		out->length = shorter;
		bytes_append_text(out, "...");
	}
}

void text_gather(struct mime_parse *parse, struct effort *e)
{
	const struct html_hook hook = { .link = link_found, .context = &parse->index };
	struct bytes html = { 0 }, plain = { 0 };

	role_text(&parse->index, MIME_HTML, e, HTML_LOOK_MAX, &html);
	role_text(&parse->index, MIME_TEXT, e, MIME_SEARCH_MAX, &plain);
	html_text(bytes_span(&html), &hook, &parse->text);
	cut(&parse->text, MIME_SEARCH_MAX);
	find_links(&parse->index, bytes_span(&plain));
	find_links(&parse->index, bytes_span(&parse->text));
	if (parse->text.length == 0)
		bytes_append_span(&parse->text, bytes_span(&plain));
	find_codes(&parse->index, bytes_span(&parse->text));
	snippet_make(bytes_span(&parse->text), &parse->snippet);
	bytes_release(&html);
	bytes_release(&plain);
}
