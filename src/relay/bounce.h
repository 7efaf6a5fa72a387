/* SPDX-License-Identifier: ISC */
/* bounce.h - the report of a failure, a delay or a relaying (RFC 3461, 3464, 6522), built in a
 * helper.
 *
 * Never for a null reverse-path, never for a recipient with NOTIFY=NEVER. The report has
 * the null reverse-path itself, so it can never cause another.
 */
#ifndef RELAY_BOUNCE_H
#define RELAY_BOUNCE_H

#include "relay/relay.h"

struct bounce_maker {
	const struct settings *settings;
	const struct router *router;
	const struct intake *intake;
	struct spool *spool;
	const struct clock *clock;
};

/* Reads the original's header, builds the report and routes it. NULL: no bounce may or can be made.
 * Blocks: helpers only. */
struct put *bounce_make(const struct bounce_maker *maker, struct reader *reader,
                        const struct bounce_request *request);

#endif
