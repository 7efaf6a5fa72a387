/* SPDX-License-Identifier: ISC */
/* labels.c - the labels that a message brings along: X-Tags, and what is behind a plus in
 * addresses.
 *
 * As Mailpit cleans, sorts and folds them; letters of other scripts are kept.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "inbox/private.h"
#include "mail/header.h"

static bool is_kept(uint32_t code)
{
	if (code < 0x80)
		return (code >= '0' && code <= '9') ||
		       ((code | 0x20) >= 'a' && (code | 0x20) <= 'z') ||
		       (code != 0 && strchr("-_.@", (int)code) != NULL);
	/* Neither controls, spaces, marks of direction nor what cannot be read. */
	return code > 0xa0 && !(code >= 0x2000 && code <= 0x206f) && code != 0x3000 &&
	       code != 0xfeff && code != 0xfffd;
}

char *inbox_label(struct span text)
{
	struct bytes out = { 0 };
	bool space = false;
	char *label;

	while (text.length > 0) {
		uint32_t code = 0;
		size_t length = utf8_next(text, &code);

		if (length > 0 && is_kept(code)) {
			if (out.length + length + space > SPOOL_LABEL_MAX)
				break;
			if (space)
				bytes_append_char(&out, ' ');
			bytes_append(&out, text.data, length);
			space = false;
		} else {
			space = out.length > 0;
		}
		length = length == 0 ? 1 : length;
		text = span_of(text.data + length, text.length - length);
	}
	label = out.length == 0 ? NULL : memory_text(bytes_text(&out));
	bytes_release(&out);
	return label;
}

void labels_add(struct labels *labels, struct span text)
{
	char *label = labels->count < SPOOL_LABELS_MAX ? inbox_label(text) : NULL;
	size_t at = 0;

	if (label == NULL)
		return;
	for (size_t i = 0; i < labels->count; i++) {
		if (strcasecmp(labels->items[i], label) == 0) {
			free(label);
			return;
		}
	}
	labels->items = memory_grow(labels->items, labels->count + 1, sizeof(*labels->items));
	while (at < labels->count && strcmp(labels->items[at], label) < 0)
		at++;
	memmove(labels->items + at + 1, labels->items + at,
	        (labels->count - at) * sizeof(*labels->items));
	labels->items[at] = label;
	labels->count++;
}

/* Each piece between the marks. */
static void add_split(struct labels *labels, struct span text, char mark)
{
	while (text.length > 0) {
		const unsigned char *end = memchr(text.data, mark, text.length);
		size_t length = end == NULL ? text.length : (size_t)(end - text.data);

		labels_add(labels, span_of(text.data, length));
		length += end != NULL;
		text = span_of(text.data + length, text.length - length);
	}
}

/* "user+one+two@example.com" */
static void add_plus(struct labels *labels, const char *address)
{
	const char *plus = strchr(address, '+'), *at = strrchr(address, '@');

	if (plus != NULL && at != NULL && plus < at && plus > address)
		add_split(labels, span_of(plus + 1, (size_t)(at - plus) - 1), '+');
}

static void add_plus_of(struct labels *labels, const struct summary_address *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_plus(labels, list[i].address);
}

void labels_of_message(struct labels *labels, const struct summary *s, struct span header)
{
	struct bytes text = { 0 };
	struct span value;

	if (header_find(header, "X-Tags", &value)) {
		header_decode(value, &text);
		add_split(labels, bytes_span(&text), ',');
	}
	bytes_release(&text);
	add_plus_of(labels, s->to, s->to_count);
	add_plus_of(labels, s->cc, s->cc_count);
	add_plus_of(labels, s->bcc, s->bcc_count);
	add_plus(labels, s->from.address);
}
