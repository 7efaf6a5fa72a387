/* SPDX-License-Identifier: ISC */
/* retention.c - on the main thread: asks the spool to remove what is older than max-age.
 *
 * One request an inbox at a time; the writer does it in slices and stops at the first message
 * that is young enough, so that asking costs nothing when there is nothing to do.
 */
#include "retention.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

/* A message stays this part of its max-age longer at most, and no more than a minute. */
#define PERIOD_PART 10
#define PERIOD_MAX  CLOCK_MIN
#define PERIOD_MIN  CLOCK_SEC

struct aging {
	struct inbox_removal removal; /* first: comes back as it */
	const char *name;
	int64_t max_age_us;
	bool asked;
};

struct retention {
	struct spool *spool;
	const struct clock *clock;
	struct timer timer;
	int64_t period_us;
	struct aging *inboxes;
	size_t count;
};

static void removed(struct spool_request *request, int result)
{
	struct aging *aging = (struct aging *)(void *)request;

	aging->asked = false;
	if (result != 0)
		log_error("old messages not removed inbox=%s", log_quoted(aging->name));
	else if (aging->removal.removed > 0)
		log_info("old messages removed inbox=%s count=%zu", log_quoted(aging->name),
		         aging->removal.removed);
}

static void ask(struct retention *r, struct aging *aging)
{
	int64_t before_us = clock_wall(r->clock) - aging->max_age_us;

	if (aging->asked || before_us <= 0)
		return;
	aging->asked = true;
	aging->removal.before_us = before_us;
	spool_inbox_remove(r->spool, &aging->removal);
}

static void look(void *context)
{
	struct retention *r = context;

	for (size_t i = 0; i < r->count; i++)
		ask(r, &r->inboxes[i]);
	timer_start(&r->timer, r->period_us);
}

static void add(struct retention *r, const struct inbox_settings *inbox, struct channel *home)
{
	struct aging *aging = &r->inboxes[r->count];
	int64_t period_us = inbox->max_age_us / PERIOD_PART;

	if (inbox->max_age_us == 0 ||
	    spool_number(r->spool, SPOOL_NAME_INBOX, inbox->name, &aging->removal.inbox) < 0)
		return;
	aging->name = inbox->name;
	aging->max_age_us = inbox->max_age_us;
	aging->removal.request.home = home;
	aging->removal.request.done = removed;
	if (period_us < r->period_us)
		r->period_us = period_us < PERIOD_MIN ? PERIOD_MIN : period_us;
	r->count++;
}

struct retention *retention_new(const struct settings *settings, struct spool *spool,
                                struct loop *loop, struct channel *home)
{
	struct retention *r = memory_new(sizeof(*r));

	r->spool = spool;
	r->clock = loop_clock(loop);
	r->period_us = PERIOD_MAX;
	r->inboxes = memory_new_array(settings->inbox_count, sizeof(*r->inboxes));
	for (size_t i = 0; i < settings->inbox_count; i++)
		add(r, &settings->inboxes[i], home);
	timer_init(&r->timer, loop, look, r);
	if (r->count == 0)
		retention_free(&r);
	return r;
}

void retention_start(struct retention *r)
{
	if (r != NULL)
		look(r);
}

void retention_free(struct retention **retention)
{
	struct retention *r = *retention;

	if (r == NULL)
		return;
	*retention = NULL;
	timer_stop(&r->timer);
	free(r->inboxes);
	free(r);
}
