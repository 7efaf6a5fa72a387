/* SPDX-License-Identifier: ISC */
/* recover.c - the claims that a crash left behind.
 *
 * Each of them may have been sent. It is said in the log, its tokens count as spent now (the moment
 * is not known), and the delivery is due again, through the same provider only.
 */
#include "base/log.h"
#include "base/metric.h"
#include "mail/id.h"
#include "relay/private.h"

static void recover_tell(const struct claim *claim, const struct pool *pool)
{
	char id[ID_TEXT_SIZE];

	id_format(claim->id, id);
	log_warning("delivery indeterminate msg=%s n=%u provider=%s may be sent twice", id,
	            claim->n, pool == NULL ? "(gone)" : pool->provider->name);
	metric_add(METRIC_MESSAGES_INDETERMINATE, 1);
}

void relay_recover(struct relay *relay, const struct claim *claim)
{
	struct pool *pool = relay_pool(relay, claim->provider);
	struct delivery *delivery = memory_new(sizeof(*delivery));
	struct due_row row = { .id = claim->id, .n = claim->n };
	struct attempt *attempt;
	struct transition *t;

	if (claim->slot > relay->last_slot)
		relay->last_slot = claim->slot;
	recover_tell(claim, pool);
	if (CALL(relay, delivery, claim->id, claim->n, delivery)) {
		row.queue = delivery->queue;
		row.priority = delivery->priority;
		row.class = delivery->class;
		delivery->due_us = relay_wall(relay);
		delivery->pinned = pool == NULL ? 0 : claim->provider;
		delivery->pinned_until_us = delivery->due_us + indeterminate_wait(pool);
	} else {
		log_error("claim without a delivery provider=%u slot=%u", claim->provider,
		          claim->slot);
		delivery_free(&delivery);
		return;
	}
	attempt = attempt_new(relay, &row, delivery);
	attempt->claimed = true;
	attempt->claim = *claim;
	table_set_u64(relay->slots, claim->slot, attempt);
	budget_recover(attempt, pool, claim->tokens);
	t = outcome_new(attempt);
	t->now = delivery_copy(delivery);
	outcome_send(attempt, t, false);
}
