/* SPDX-License-Identifier: ISC */
/* verdict.h - what a reply means for a recipient, and an end for its provider. Pure. */
#ifndef RELAY_VERDICT_H
#define RELAY_VERDICT_H

#include "transport/transport.h"

enum verdict {
	VERDICT_SENT,
	VERDICT_DEFER,   /* this recipient waits, by the schedule of its route */
	VERDICT_BOUNCE,  /* this recipient has failed for good */
	VERDICT_AGAIN,   /* not its fault and not the provider's: at once, in another transaction */
	VERDICT_SESSION, /* the session is over (421): at once, on another connection */
	VERDICT_SLOW_DOWN,         /* at once, but the provider gets less */
	VERDICT_FEWER_CONNECTIONS, /* at once, over fewer connections */
	VERDICT_NEXT,     /* this provider never takes this mail: the next one of its route may */
	VERDICT_QUOTA,    /* the provider takes no more for a while: set aside until then */
	VERDICT_LOGIN,    /* it refuses our login: set aside, an operator has to look */
	VERDICT_PROVIDER, /* the provider cannot be used: set aside, the mail waits unpunished */
};

struct verdict_question {
	const struct reply *reply;
	bool at_rcpt;
	bool others_accepted; /* the peer took another recipient of this transaction */
	const struct provider_settings *provider; /* whose rules come first; NULL: none */
	int64_t wall_us;                          /* for "try again after" a date */
};
/* *wait_us_r (may be NULL): how long the reply, or the rule, says to wait; 0: it does not. */
enum verdict verdict_of(const struct verdict_question *question, int64_t *wait_us_r);

/* The time a reply names: "in 30 seconds", "after Sat, 21 Nov 2026 10:00:00 GMT"; 0: none.
 * Bounded by a week. */
int64_t verdict_wait(const char *text, int64_t wall_us);

/* How a connection ended. */
enum ending {
	ENDING_ORDINARY, /* idle, age, 421, asked for: open another when there is work */
	ENDING_LOST,     /* broke while it was in use */
	ENDING_TROUBLE,  /* never became ready: set aside */
	ENDING_REFUSED,  /* login or TLS: set aside, and an operator has to look */
};
enum ending ending_of(enum connection_stage stage, const struct reply *why);

#endif
