/* SPDX-License-Identifier: ISC */
/* rehouse.h - stored mail that other rules send into an inbox, made into what is put there. */
#ifndef RELAY_REHOUSE_H
#define RELAY_REHOUSE_H

#include "relay/relay.h"

/* A message with the facts and the body of a stored one, which it shares, and an entry for each
 * inbox of the request. NULL: the stored one is gone. Blocks, and parses: helpers only. */
struct put *rehouse_make(struct spool *spool, struct reader *reader, const struct intake *intake,
                         const struct rehouse_request *request);

#endif
