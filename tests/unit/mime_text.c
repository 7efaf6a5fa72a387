/* SPDX-License-Identifier: ISC */
/* mime_text.c - see mime_text.h. */
#include "mime_text.h"

#include <string.h>

static int read_octets(void *context, uint64_t off, void *out, size_t len, size_t *got_r)
{
	const struct mime_text *m = context;
	size_t left = off < m->octets.length ? m->octets.length - (size_t)off : 0;

	*got_r = left < len ? left : len;
	if (*got_r > 0)
		memcpy(out, m->octets.data + off, *got_r);
	return 0;
}

void mime_text_init(struct mime_text *m, const char *text)
{
	memset(m, 0, sizeof(*m));
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			bytes_append_char(&m->octets, '\r');
		bytes_append_char(&m->octets, *text);
	}
	m->source =
		(struct mime_source){ .size = m->octets.length, .read = read_octets, .context = m };
}

void mime_text_release(struct mime_text *m)
{
	bytes_release(&m->octets);
}

void mime_text_outline(const struct mime_index *index, struct bytes *out)
{
	static const char *const roles[] = { "text", "html", "inline", "attachment" };
	static const char *const encodings[] = { "-", "base64", "quoted", "uu" };

	if (!index->parsed)
		bytes_printf(out, "(%s)", index->why);
	for (size_t i = 0; i < index->count; i++) {
		const struct mime_part *part = &index->parts[i];

		bytes_printf(out, "%s%s %s %s %s %llu", i == 0 ? "" : "; ", part->number,
		             part->type, roles[part->role], encodings[part->encoding],
		             (unsigned long long)part->size);
		if (part->filename[0] != '\0')
			bytes_printf(out, " '%s'", part->filename);
		if (part->content_id[0] != '\0')
			bytes_printf(out, " <%s>", part->content_id);
	}
}
