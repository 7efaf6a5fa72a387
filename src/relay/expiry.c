/* SPDX-License-Identifier: ISC */
/* expiry.c - mail that waits for a provider longer than its route allows. */
#include "relay/private.h"

void expiry_walk(struct relay *relay)
{
	(void)relay;
}
