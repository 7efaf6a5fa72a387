/* SPDX-License-Identifier: ISC */
/* discard.c - the built-in provider that takes every mail and drops it, after a delay if asked.
 *
 * Its connections exist in the bookkeeping alone: always ready, never finished. Claims, rates
 * and outcomes are as with any other provider.
 */
#include <stdlib.h>

#include "relay/private.h"

struct discarded {
	struct list node;
	struct timer timer;
	struct relay *relay;
	struct grant *grant;
};

static void discarded_free(struct discarded *d)
{
	timer_stop(&d->timer);
	list_remove(&d->node);
	grant_free(&d->grant);
	free(d);
}

static void discarded_reply(void *context)
{
	struct discarded *d = context;
	struct relay *relay = d->relay;
	struct grant_news *news = memory_new(sizeof(*news));

	news->connection = d->grant->connection;
	news->slot = d->grant->slot;
	news->end = TRANSACTION_REPLIED;
	news->mail_written_us = relay_now(relay);
	news->count = d->grant->count;
	news->results = memory_new_array(news->count, sizeof(*news->results));
	for (size_t i = 0; i < news->count; i++)
		reply_local(&news->results[i].reply, 250, "2.0.0", "discarded");
	discarded_free(d);
	relay_replied(relay, news);
}

void discard_grant(struct relay *relay, const struct provider_settings *provider,
                   struct grant *grant)
{
	struct discarded *d = memory_new(sizeof(*d));
	int64_t at = relay_now(relay) + provider->discard_delay_us;

	d->relay = relay;
	d->grant = grant;
	list_append(&relay->discards, &d->node);
	timer_init(&d->timer, relay->options.loop, discarded_reply, d);
	timer_start_at(&d->timer, at > grant->depart_us ? at : grant->depart_us);
}

void discard_release(struct relay *relay)
{
	struct list *node;

	while ((node = list_first(&relay->discards)) != NULL)
		discarded_free(list_entry(node, struct discarded, node));
}
