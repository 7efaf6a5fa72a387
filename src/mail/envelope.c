/* SPDX-License-Identifier: ISC */
/* envelope.c - who a message is from and for. How many recipients there may be is the
 * caller's to bound; RCPT is where that is answered. */
#include "mail/envelope.h"

#include <stdlib.h>

#include "base/memory.h"

#define RECIPIENTS_FIRST 4 /* most mail has one or two */

void envelope_init(struct envelope *env)
{
	*env = (struct envelope){ 0 };
}

void envelope_release(struct envelope *env)
{
	for (size_t i = 0; i < env->count; i++)
		recipient_release(&env->recipients[i]);
	free(env->recipients);
	free(env->envid);
	address_release(&env->sender);
	envelope_init(env);
}

void envelope_add_recipient(struct envelope *env, struct recipient *to)
{
	if (env->count == env->capacity) {
		env->capacity = env->capacity == 0 ? RECIPIENTS_FIRST : 2 * env->capacity;
		env->recipients =
			memory_grow(env->recipients, env->capacity, sizeof(*env->recipients));
	}
	env->recipients[env->count++] = *to;
	*to = (struct recipient){ 0 };
}

void recipient_release(struct recipient *r)
{
	address_release(&r->address);
	free(r->orcpt);
	*r = (struct recipient){ 0 };
}

void recipient_copy(struct recipient *to, const struct recipient *from)
{
	address_copy(&to->address, &from->address);
	to->notify = from->notify;
	to->orcpt = from->orcpt == NULL ? NULL : memory_text(from->orcpt);
}
