/* SPDX-License-Identifier: ISC */
/* view.c - a summary's record in place: no memory is asked for, so that many can be looked at.
 *
 * The order of the fields is summary.c's, in each of its versions.
 */
#include <string.h>

#include "inbox/search_private.h"

#define VERSION_FIRST 1 /* has a read mark, and no Bcc, snippet and numbers of parts */
#define VERSION_LAST  2

/* Passes over a list; without its count. */
static struct span get_list(struct bytes_reader *r)
{
	size_t count = bytes_get_u16(r);
	const unsigned char *start = r->rest.data;

	for (size_t i = 0; i < count && !r->failed; i++) {
		bytes_get_span(r);
		bytes_get_span(r);
	}
	return r->failed ? span_of(NULL, 0) : span_of(start, (size_t)(r->rest.data - start));
}

static void pass_recipients(struct bytes_reader *r)
{
	size_t count = bytes_get_u16(r);

	for (size_t i = 0; i < count && !r->failed; i++)
		bytes_get_span(r);
}

int summary_look(struct summary_view *view_r, struct span record)
{
	struct bytes_reader r = bytes_reader(record);
	uint8_t version = bytes_get_u8(&r);
	bool first = version == VERSION_FIRST;

	*view_r = (struct summary_view){ .attachments = 0 };
	if (version < VERSION_FIRST || version > VERSION_LAST)
		return -1;
	if (first)
		bytes_get_u8(&r);
	bytes_get_i64(&r); /* created */
	bytes_get_u64(&r); /* size */
	view_r->message_id = bytes_get_span(&r);
	view_r->subject = bytes_get_span(&r);
	bytes_get_span(&r); /* sender */
	bytes_get_span(&r); /* login */
	view_r->from = get_list(&r);
	view_r->to = get_list(&r);
	view_r->cc = get_list(&r);
	if (!first)
		view_r->bcc = get_list(&r);
	view_r->reply_to = get_list(&r);
	pass_recipients(&r);
	if (!first) {
		bytes_get_span(&r); /* snippet */
		view_r->attachments = bytes_get_u32(&r);
		view_r->inlines = bytes_get_u32(&r);
	}
	return r.failed ? -1 : 0;
}

bool summary_next_address(struct span *list, struct span *name_r, struct span *address_r)
{
	struct bytes_reader r = bytes_reader(*list);

	*name_r = bytes_get_span(&r);
	*address_r = bytes_get_span(&r);
	*list = r.rest;
	return !r.failed;
}
