/* SPDX-License-Identifier: ISC */
/* news.c - what became due and what came into an inbox, told after each commit.
 *
 * The writer merges into a set; one post is out at most, and what comes while it is out
 * waits in the set: so nothing overflows and nothing is lost. A set has one member
 * a line, however many rows it gained.
 */
#include "spool/private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- the sets ------------------------------------------------------------------ */

static bool same_line(const struct due_news *a, const struct due_news *b)
{
	return a->class == b->class && a->queue == b->queue && a->priority == b->priority;
}

static size_t slot_of(const struct due_set *set, const struct due_news *line)
{
	uint64_t hash =
		(uint64_t)line->queue << 24 | (uint64_t)(uint8_t)line->priority << 16 | line->class;
	size_t mask = set->capacity * 2 - 1;
	size_t slot = (size_t)(hash * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;

	while (set->index[slot] != 0 && !same_line(&set->lines[set->index[slot] - 1], line))
		slot = (slot + 1) & mask;
	return slot;
}

static void due_set_grow(struct due_set *set)
{
	set->capacity = set->capacity == 0 ? 16 : set->capacity * 2;
	set->lines = memory_grow(set->lines, set->capacity, sizeof(*set->lines));
	free(set->index);
	set->index = memory_new_array(set->capacity * 2, sizeof(*set->index));
	for (size_t i = 0; i < set->count; i++)
		set->index[slot_of(set, &set->lines[i])] = (uint32_t)i + 1;
}

void due_set_add(struct due_set *set, const struct due_news *line)
{
	size_t slot, at = set->last;

	if (at >= set->count || !same_line(&set->lines[at], line)) {
		if (set->count == set->capacity)
			due_set_grow(set);
		slot = slot_of(set, line);
		if (set->index[slot] == 0) {
			set->lines[set->count] = *line;
			set->index[slot] = (uint32_t)++set->count;
		}
		at = set->index[slot] - 1;
		set->last = at;
	}
	if (line->earliest_us < set->lines[at].earliest_us)
		set->lines[at].earliest_us = line->earliest_us;
}

void due_set_clear(struct due_set *set)
{
	if (set->count > 0)
		memset(set->index, 0, set->capacity * 2 * sizeof(*set->index));
	set->count = set->last = 0;
}

void due_set_release(struct due_set *set)
{
	free(set->lines);
	free(set->index);
	*set = (struct due_set){ 0 };
}

void inbox_set_add(struct inbox_set *set, uint32_t inbox, uint64_t sequence)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->inboxes[i].inbox == inbox) {
			if (sequence > set->inboxes[i].sequence)
				set->inboxes[i].sequence = sequence;
			return;
		}
	if (set->count == set->capacity) {
		set->capacity = set->capacity == 0 ? 4 : set->capacity * 2;
		set->inboxes = memory_grow(set->inboxes, set->capacity, sizeof(*set->inboxes));
	}
	set->inboxes[set->count++] = (struct head_entry){ .inbox = inbox, .sequence = sequence };
}

/* ---- the watchers -------------------------------------------------------------------- */

/* Takes what was gathered; posts the item once more when there is more after the news. */
static void due_arrived(struct channel_item *item, void *receiver)
{
	struct due_watch *watch = (struct due_watch *)(void *)item;
	struct due_set given;
	bool more;

	(void)receiver;
	pthread_mutex_lock(&watch->lock);
	given = watch->gathered;
	watch->gathered = watch->given;
	watch->given = given;
	pthread_mutex_unlock(&watch->lock);
	watch->news(watch->context, given.lines, given.count);
	due_set_clear(&watch->given);
	pthread_mutex_lock(&watch->lock);
	more = watch->posted = watch->gathered.count > 0;
	pthread_mutex_unlock(&watch->lock);
	if (more)
		channel_post(watch->home, &watch->item);
}

static void tell_due(struct due_watch *watch, struct due_set *due)
{
	bool post;

	if (due->count == 0)
		return;
	pthread_mutex_lock(&watch->lock);
	/* At the start the writer may be at work before anybody asks for its news. */
	if (watch->home == NULL) {
		pthread_mutex_unlock(&watch->lock);
		return;
	}
	for (size_t i = 0; i < due->count; i++)
		due_set_add(&watch->gathered, &due->lines[i]);
	post = !watch->posted;
	watch->posted = true;
	pthread_mutex_unlock(&watch->lock);
	if (post)
		channel_post(watch->home, &watch->item);
}

static void inbox_arrived(struct channel_item *item, void *receiver)
{
	struct inbox_watch *watch = (struct inbox_watch *)(void *)item;
	struct inbox_set given;
	bool more;

	(void)receiver;
	pthread_mutex_lock(&watch->lock);
	given = watch->gathered;
	watch->gathered = watch->given;
	watch->given = given;
	pthread_mutex_unlock(&watch->lock);
	for (size_t i = 0; i < given.count; i++)
		watch->news(watch->context, given.inboxes[i].inbox, given.inboxes[i].sequence);
	watch->given.count = 0;
	pthread_mutex_lock(&watch->lock);
	more = watch->posted = watch->gathered.count > 0;
	pthread_mutex_unlock(&watch->lock);
	if (more)
		channel_post(watch->home, &watch->item);
}

static void tell_one(struct inbox_watch *watch, const struct inbox_set *inboxes)
{
	bool post;

	pthread_mutex_lock(&watch->lock);
	for (size_t i = 0; i < inboxes->count; i++)
		inbox_set_add(&watch->gathered, inboxes->inboxes[i].inbox,
		              inboxes->inboxes[i].sequence);
	post = !watch->posted;
	watch->posted = true;
	pthread_mutex_unlock(&watch->lock);
	if (post)
		channel_post(watch->home, &watch->item);
}

static void tell_inbox(struct inbox_watches *watches, struct inbox_set *inboxes)
{
	size_t count = inboxes->count > 0 ? atomic_load(&watches->count) : 0;

	for (size_t i = 0; i < count; i++)
		tell_one(&watches->list[i], inboxes);
	inboxes->count = 0;
}

void watches_tell(struct spool *sp, struct due_set *due, struct inbox_set *inboxes,
                  struct inbox_set *gone)
{
	tell_due(&sp->due, due);
	tell_inbox(&sp->arrived, inboxes);
	tell_inbox(&sp->retired, gone);
	due_set_clear(due);
}

void watches_init(struct spool *sp)
{
	pthread_mutex_init(&sp->due.lock, NULL);
	sp->due.item.arrived = due_arrived;
}

static void inbox_watches_release(struct inbox_watches *watches)
{
	for (size_t i = 0; i < atomic_load(&watches->count); i++) {
		pthread_mutex_destroy(&watches->list[i].lock);
		free(watches->list[i].gathered.inboxes);
		free(watches->list[i].given.inboxes);
	}
}

void watches_release(struct spool *sp)
{
	pthread_mutex_destroy(&sp->due.lock);
	due_set_release(&sp->due.gathered);
	due_set_release(&sp->due.given);
	inbox_watches_release(&sp->arrived);
	inbox_watches_release(&sp->retired);
}

void spool_watch_due(struct spool *sp, struct channel *home,
                     void (*news)(void *context, const struct due_news *news, size_t count),
                     void *context)
{
	pthread_mutex_lock(&sp->due.lock);
	sp->due.news = news;
	sp->due.context = context;
	sp->due.home = home;
	pthread_mutex_unlock(&sp->due.lock);
}

static void watch_add(struct inbox_watches *watches, struct channel *home, spool_inbox_news *news,
                      void *context)
{
	size_t count = atomic_load(&watches->count);
	struct inbox_watch *watch = &watches->list[count];

	assert(count < WATCHES_MAX);
	pthread_mutex_init(&watch->lock, NULL);
	watch->item.arrived = inbox_arrived;
	watch->home = home;
	watch->news = news;
	watch->context = context;
	atomic_store(&watches->count, count + 1); /* the writer sees it whole */
}

void spool_watch_inbox(struct spool *sp, struct channel *home, spool_inbox_news *news,
                       void *context)
{
	watch_add(&sp->arrived, home, news, context);
}

void spool_watch_retired(struct spool *sp, struct channel *home, spool_inbox_news *news,
                         void *context)
{
	watch_add(&sp->retired, home, news, context);
}
