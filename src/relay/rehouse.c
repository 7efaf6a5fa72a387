/* SPDX-License-Identifier: ISC */
/* rehouse.c - stored mail that other rules send into an inbox.
 *
 * An inbox takes whole messages when they are put, so it gets one of its own: the facts are
 * copied, the body is shared. It is put in the transaction that takes the recipients away from
 * the delivery, so that the mail is never in both places, nor in none.
 */
#include "relay/rehouse.h"

#include <stdlib.h>

#include "base/memory.h"
#include "mail/header.h"

static bool is_first(const struct rehouse_request *request, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (request->inboxes[k] == request->inboxes[i])
			return false;
	return true;
}

/* The structs are borrowed, not copied. */
static size_t gather(const struct rehouse_request *request, uint32_t inbox, struct recipient *out)
{
	size_t count = 0;

	for (size_t i = 0; i < request->count; i++)
		if (request->inboxes[i] == inbox)
			out[count++] = request->recipients[i];
	return count;
}

struct put *rehouse_make(struct spool *spool, struct reader *reader, const struct intake *intake,
                         const struct rehouse_request *request)
{
	struct put *put = put_new(spool);
	struct recipient *together = memory_new_array(request->count, sizeof(*together));

	if (!reader_message(reader, request->id, &put->facts) ||
	    reader_header(reader, put->facts.blob, HEADER_MAX, &put->header) != 0) {
		put_free(&put);
		free(together);
		return NULL;
	}
	put->shares = true;
	for (size_t i = 0; i < request->count; i++)
		if (is_first(request, i))
			intake->add(intake->context, put, request->inboxes[i], together,
			            gather(request, request->inboxes[i], together));
	intake->finish(intake->context, put, spool);
	free(together);
	return put;
}
