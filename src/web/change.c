/* SPDX-License-Identifier: ISC */
/* change.c - read marks, labels and deletion: asked of the writer, answered when it is durable. */
#include <stdlib.h>

#include "base/memory.h"
#include "web/hub.h"
#include "web/mailpit.h"

struct change_wait *change_new(struct call *call, uint64_t *sequences, size_t count)
{
	struct change_wait *wait = memory_new(sizeof(*wait));

	wait->call = call;
	wait->sequences = sequences;
	wait->count = count;
	return wait;
}

/* More changes than this are told as one: whoever shows messages asks for them again. */
#define TOLD_MAX 200

/* Who is told of changes is told by message, and a deleted one has no id any more. */
static void note_ids(struct change_wait *wait)
{
	struct call *call = wait->call;

	if (wait->sequences == NULL || wait->count > TOLD_MAX || call->web->hub->feeds == 0)
		return;
	wait->ids = memory_new_array(wait->count, sizeof(*wait->ids));
	for (size_t i = 0; i < wait->count; i++) {
		struct inbox_entry entry;

		if (!reader_inbox_entry(call->web->reader, call->inbox, wait->sequences[i], &entry))
			continue;
		wait->ids[i] = entry.id;
		inbox_entry_release(&entry);
	}
}

static void change_tell(struct change_wait *wait)
{
	struct web *web = wait->call->web;
	uint32_t inbox = wait->call->inbox;

	switch (wait->change.what) {
	case INBOX_SET_READ:
	case INBOX_SET_UNREAD:
		hub_read(web, inbox, wait->ids, wait->count, wait->change.what == INBOX_SET_READ);
		break;
	case INBOX_SET_LABELS:
		hub_tagged(web, inbox, wait->ids, wait->count, wait->labels, wait->label_count);
		break;
	case INBOX_RENAME_LABEL:
	case INBOX_DROP_LABEL:
		hub_tagged(web, inbox, NULL, 0, NULL, 0);
		break;
	}
}

static void change_done(struct change_wait *wait, int result)
{
	if (wait->durable != NULL)
		wait->durable(wait);
	else if (result < 0)
		answer_text(wait->call, 500, "the change could not be stored");
	else
		answer_ok(wait->call);
	for (size_t i = 0; i < wait->label_count; i++)
		free(wait->labels[i]);
	free(wait->sequences);
	free(wait->ids);
	free(wait);
}

static void changed(struct spool_request *request, int result)
{
	struct inbox_change *change = (struct inbox_change *)(void *)request;

	if (result == 0)
		change_tell(change->owner);
	change_done(change->owner, result);
}

static void removed(struct spool_request *request, int result)
{
	struct inbox_removal *removal = (struct inbox_removal *)(void *)request;
	struct change_wait *wait = removal->owner;
	struct call *call = wait->call;

	if (result == 0 && wait->sequences == NULL)
		hub_truncated(call->web, call->inbox);
	else if (result == 0)
		hub_deleted(call->web, call->inbox, wait->ids, wait->sequences, wait->count);
	change_done(removal->owner, result);
}

void change_set(struct change_wait *wait, enum inbox_change_kind what)
{
	struct web *web = wait->call->web;

	if (wait->sequences != NULL && wait->count == 0) {
		change_done(wait, 0); /* none of them is here */
		return;
	}
	note_ids(wait);
	wait->change.request.home = web->channel;
	wait->change.request.done = changed;
	wait->change.inbox = wait->call->inbox;
	wait->change.what = what;
	wait->change.sequences = wait->sequences;
	wait->change.count = wait->count;
	wait->change.labels = wait->labels;
	wait->change.label_count = wait->label_count;
	wait->change.owner = wait;
	spool_inbox_change(web->options.spool, &wait->change);
}

void change_remove(struct change_wait *wait)
{
	struct web *web = wait->call->web;

	if (wait->sequences != NULL && wait->count == 0) {
		change_done(wait, 0);
		return;
	}
	note_ids(wait);
	wait->removal.request.home = web->channel;
	wait->removal.request.done = removed;
	wait->removal.inbox = wait->call->inbox;
	wait->removal.sequences = wait->sequences;
	wait->removal.count = wait->count;
	wait->removal.owner = wait;
	spool_inbox_remove(web->options.spool, &wait->removal);
}

void mark_read(struct call *call, uint64_t sequence, void (*durable)(struct change_wait *wait),
               void *context)
{
	uint64_t *sequences = memory_new(sizeof(*sequences));
	struct change_wait *wait = change_new(call, sequences, 1);

	*sequences = sequence;
	wait->durable = durable;
	wait->context = context;
	change_set(wait, INBOX_SET_READ);
}
