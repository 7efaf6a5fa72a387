/* SPDX-License-Identifier: ISC */
/* mailpit.c - Mailpit's API v1. */
#include "web/private.h"

static void handle_live(struct call *call)
{
	answer_empty(call, 200);
}

const struct way mailpit_ways[] = {
	{ EVHTTP_REQ_GET, "/livez", handle_live, WAY_OPEN },
	{ EVHTTP_REQ_GET, "/readyz", handle_live, WAY_OPEN },
	WAYS_END,
};
