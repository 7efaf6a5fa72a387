/* SPDX-License-Identifier: ISC */
/* source.h - a stored message as the transport reads it: Received field, then the content. */
#ifndef RELAY_SOURCE_H
#define RELAY_SOURCE_H

#include "config/settings.h"
#include "spool/spool.h"
#include "transport/transport.h"

/* Opens message `id` with the worker's reader and fills facts_r (the caller releases it). A
 * provider with rewrite-from gets other senders rewritten, in the source and in facts_r; NULL:
 * none. -1: gone.
 */
int source_open(struct source **source_r, struct reader *reader, uint64_t id,
                const struct provider_settings *provider, struct message_facts *facts_r);

#endif
