/* SPDX-License-Identifier: ISC */
/* deposit.h - a message that the web hands to the spool: what POST send and release share.
 *
 * It goes the way of mail that came by SMTP: room is reserved, whole pieces go ahead as chunks, one
 * at a time, then it is routed and taken in on a helper, and put.
 */
#ifndef WEB_DEPOSIT_H
#define WEB_DEPOSIT_H

#include "mail/envelope.h"
#include "web/router.h"

struct deposit {
	struct call_job job; /* private, with those below */
	struct put *put;
	struct chunk chunk;
	struct bytes whole; /* what was not yet handed on */
	/* ---- the asker's ---- */
	struct call *call;
	struct envelope envelope;
	/* Adds deliveries or entries to the put; on a helper. */
	void (*route)(struct deposit *d, struct put *put);
	/* Once: id 0: nothing is stored, *why says why. Answers the call; then the deposit is
	 * freed.
	 */
	void (*done)(struct deposit *d, uint64_t id, const char *why);
};

struct deposit *deposit_new(struct call *call);
void deposit_free(struct deposit **d); /* one that was not started */
/* Appends content, before the start. */
void deposit_append(struct deposit *d, struct span content);
uint64_t deposit_length(const struct deposit *d);
/* Takes it. On the web thread. */
void deposit_start(struct deposit *d);

#endif
