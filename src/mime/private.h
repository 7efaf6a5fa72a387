/* SPDX-License-Identifier: ISC */
/* private.h - shared by the files of mime/ only. */
#ifndef MIME_PRIVATE_H
#define MIME_PRIVATE_H

#include "mime/mime.h"

#define SOURCE_READ_SIZE (64 * 1024) /* octets read from a source at a time */

/* What a message is parsed against: the whole of it takes MIME_TIME_MAX at most. */
struct effort {
	const struct mime_source *source;
	const struct clock *clock;
	int64_t deadline_us; /* monotonic */
	bool late;           /* it was reached, or the source cannot be read: stop soon */
};
/* As source->read(), but 0 octets when it is late. */
size_t effort_read(struct effort *e, uint64_t off, void *out, size_t len);

/* gauge.c: NULL, or why the message is not given to GMime. A constant text. */
const char *gauge_message(struct effort *e);

/* source.c: the decoded octets of a part, in pieces, until each() has enough. -1: it is late. */
int part_each(const struct mime_part *part, struct effort *e,
              bool (*each)(void *context, struct span decoded), void *context);
/* Finds its size, and the digests of what is no text. */
void part_measure(struct mime_part *part, struct effort *e);

/* walk.c, or absent.c: the parts in order, by GMime. NULL, or why not; a constant text. */
const char *walk_message(struct mime_index *index, struct effort *e);
/* index.c: a new part at the end, zeroed. */
struct mime_part *index_add(struct mime_index *index);

/* html.c: what a reader would read; each href goes to the hook. */
struct html_hook {
	void (*link)(void *context, struct span url);
	void *context;
};
void html_text(struct span html, const struct html_hook *hook, struct bytes *out);
/* entities.c: the character of that name ("amp"); 0: there is none. */
uint32_t entity_find(struct span name);

/* find.c: links and codes, added to the index unless they are there. */
void find_link(struct mime_index *index, struct span url);
void find_links(struct mime_index *index, struct span text);
void find_codes(struct mime_index *index, struct span text);

/* text.c: text, snippet and findings, from the parts of the index. */
void text_gather(struct mime_parse *parse, struct effort *e);

#endif
