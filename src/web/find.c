/* SPDX-License-Identifier: ISC */
/* find.c - the message that a URL names. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mail/id.h"
#include "web/mailpit.h"

/* While the latest message is searched for. */
struct find_wait {
	enum find_words words;
	void (*found)(struct call *call, uint64_t id, uint64_t sequence);
};

static void not_found(struct call *call, enum find_words words)
{
	if (words == FIND_PAGE)
		answer_not_found(call);
	else
		answer_text(call, 404, "Message not found");
}

static void find_entry(struct call *call, uint64_t sequence,
                       void (*found)(struct call *call, uint64_t id, uint64_t sequence))
{
	struct inbox_entry entry;

	if (!reader_inbox_entry(call->web->reader, call->inbox, sequence, &entry)) {
		not_found(call, FIND_MESSAGE);
		return;
	}
	found(call, entry.id, sequence);
	inbox_entry_release(&entry);
}

static void release_wait(struct call *call)
{
	free(call->context);
}

static void latest_found(struct hunt *hunt)
{
	struct call *call = hunt->job.call;
	struct find_wait wait = *(struct find_wait *)call->context;

	free(call->context);
	call->context = NULL;
	call->release = NULL;
	if (hunt->count == 0)
		not_found(call, FIND_MESSAGE);
	else
		find_entry(call, hunt->sequences[0], wait.found);
}

static void find_latest(struct call *call, enum find_words words,
                        void (*found)(struct call *call, uint64_t id, uint64_t sequence))
{
	const char *query = call_query(call, "query");
	struct inbox_entry entry;
	struct find_wait *wait;
	struct hunt *hunt;

	if (query == NULL || query[strspn(query, " ")] == '\0') {
		if (reader_inbox_list(call->web->reader, call->inbox, 0, true, 0, &entry, 1) != 1) {
			not_found(call, FIND_MESSAGE);
			return;
		}
		found(call, entry.id, entry.sequence);
		inbox_entry_release(&entry);
		return;
	}
	wait = memory_new(sizeof(*wait));
	wait->words = words;
	wait->found = found;
	call->context = wait;
	call->release = release_wait;
	hunt = hunt_new(call, query, latest_found);
	hunt->limit = 1;
	hunt_start(hunt);
}

void find_message(struct call *call, const char *name, enum find_words words,
                  void (*found)(struct call *call, uint64_t id, uint64_t sequence))
{
	uint64_t id, sequence;

	if (strcmp(name, "latest") == 0) {
		find_latest(call, words, found);
		return;
	}
	sequence = id_parse(&id, name) < 0
	                   ? 0
	                   : reader_inbox_sequence(call->web->reader, call->inbox, id);
	if (sequence == 0)
		not_found(call, words);
	else
		found(call, id, sequence);
}

int find_sequences(struct call *call, const json_t *ids, uint64_t **sequences_r, size_t *count_r)
{
	uint64_t *sequences = memory_new_array(json_array_size(ids) + 1, sizeof(*sequences));
	size_t i, count = 0;
	json_t *value;

	json_array_foreach(ids, i, value)
	{
		uint64_t id, sequence;

		if (!json_is_string(value)) {
			free(sequences);
			return -1;
		}
		if (id_parse(&id, json_string_value(value)) < 0)
			continue;
		sequence = reader_inbox_sequence(call->web->reader, call->inbox, id);
		if (sequence != 0)
			sequences[count++] = sequence;
	}
	*sequences_r = sequences;
	*count_r = count;
	return 0;
}
