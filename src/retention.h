/* SPDX-License-Identifier: ISC */
/* retention.h - inboxes with a max-age: what is older goes. Number and size are the spool's. */
#ifndef RETENTION_H
#define RETENTION_H

#include "config/settings.h"
#include "net/loop.h"
#include "spool/spool.h"

struct retention;

/* Before the spool is started. NULL when no inbox has a max-age. `home` is received on the loop. */
struct retention *retention_new(const struct settings *settings, struct spool *spool,
                                struct loop *loop, struct channel *home);
/* Removes what is too old, now and from time to time; NULL does nothing. */
void retention_start(struct retention *r);
/* Once the spool is stopped and what it answered is received. */
void retention_free(struct retention **r);

#endif
