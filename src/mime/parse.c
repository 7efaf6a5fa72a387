/* SPDX-License-Identifier: ISC */
/* parse.c - a message from its octets to its index: measured, parsed, measured again.
 *
 * What the gauge finds too much is not given to GMime at all. Time is bounded where octets are
 * read, which every step does.
 */
#include <string.h>

#include "base/memory.h"
#include "mime/private.h"

void mime_parse(struct mime_parse *parse_r, const struct mime_source *source,
                const struct clock *clock)
{
	struct effort e = { .source = source,
		            .clock = clock,
		            .deadline_us = clock_monotonic(clock) + MIME_TIME_MAX };
	struct mime_index *index = &parse_r->index;
	const char *why;

	memset(parse_r, 0, sizeof(*parse_r));
	why = gauge_message(&e);
	if (why == NULL)
		why = walk_message(index, &e);
	for (size_t i = 0; i < index->count && why == NULL && !e.late; i++)
		part_measure(&index->parts[i], &e);
	if (why == NULL)
		text_gather(parse_r, &e);
	if (why == NULL && e.late)
		why = "it takes too long";
	if (why != NULL)
		mime_index_release(index);
	index->parsed = why == NULL;
	index->why = why == NULL ? NULL : memory_text(why);
}

void mime_parse_release(struct mime_parse *parse)
{
	mime_index_release(&parse->index);
	bytes_release(&parse->text);
	bytes_release(&parse->snippet);
}
