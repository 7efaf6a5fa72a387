/* SPDX-License-Identifier: ISC */
/* metric.h - counters of the whole process: a fixed table of atomics.
 *
 * The only state, with the spool's reserved bytes and the clients' counts, that threads share.
 * Names and help texts stand beside the enum in metric.c.
 */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include <stdint.h>

enum metric {
	METRIC_SESSIONS_OPEN, /* gauge */
	METRIC_SESSIONS,
	METRIC_MESSAGES_ACCEPTED,
	METRIC_RECIPIENTS_ACCEPTED,
	METRIC_BYTES_ACCEPTED,
	METRIC_COMMANDS_REJECTED, /* 4yz and 5yz said to clients */
	METRIC_LOGINS_REFUSED,
	METRIC_CONNECTIONS_OPEN, /* outbound; gauge */
	METRIC_CONNECTIONS,
	METRIC_TLS_HANDSHAKES_OUT,
	METRIC_RECIPIENTS_SENT,
	METRIC_RECIPIENTS_DEFERRED,
	METRIC_RECIPIENTS_BOUNCED,
	METRIC_RECIPIENTS_EXPIRED,
	METRIC_MESSAGES_INDETERMINATE,
	METRIC_SPOOL_COMMITS,
	METRIC_SPOOL_SYNCS,
	METRIC_SPOOL_OPERATIONS, /* B-tree puts and deletes */
	METRIC_SPOOL_REQUESTS,
	METRIC_SPOOL_BYTES,    /* reserved and stored; gauge */
	METRIC_SPOOL_MESSAGES, /* gauge */
	METRIC_WAKEUPS,
	METRIC_COUNT
};

void metric_add(enum metric m, int64_t n); /* gauges also go down */
void metric_set(enum metric m, int64_t value);
int64_t metric_get(enum metric m);
const char *metric_name(enum metric m); /* "messages_accepted" */
const char *metric_help(enum metric m);
int metric_is_gauge(enum metric m);

#endif
