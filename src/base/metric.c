/* SPDX-License-Identifier: ISC */
/* metric.c - the process's counters and what they are called.
 *
 * Relaxed atomics: a counter orders nothing, and a reader may see one event counted
 * and another, earlier one not yet.
 */
#include "base/metric.h"

#include <stdatomic.h>

static _Atomic int64_t values[METRIC_COUNT];

static const struct {
	const char *name;
	const char *help;
	int gauge;
} facts[METRIC_COUNT] = {
	[METRIC_SESSIONS_OPEN] = { "sessions_open", "Inbound SMTP sessions open now", 1 },
	[METRIC_SESSIONS] = { "sessions", "Inbound SMTP sessions accepted", 0 },
	[METRIC_MESSAGES_ACCEPTED] = { "messages_accepted", "Messages stored and answered 250", 0 },
	[METRIC_RECIPIENTS_ACCEPTED] = { "recipients_accepted", "Recipients of accepted messages",
	                                 0 },
	[METRIC_BYTES_ACCEPTED] = { "bytes_accepted", "Octets of accepted message content", 0 },
	[METRIC_COMMANDS_REJECTED] = { "commands_rejected",
	                               "Commands of clients answered 4yz or 5yz", 0 },
	[METRIC_LOGINS_REFUSED] = { "logins_refused", "Logins of clients that were wrong", 0 },
	[METRIC_CONNECTIONS_OPEN] = { "connections_open", "Outbound connections open now", 1 },
	[METRIC_CONNECTIONS] = { "connections", "Outbound connections started", 0 },
	[METRIC_TLS_HANDSHAKES_OUT] = { "tls_handshakes_out",
	                                "TLS handshakes completed with providers", 0 },
	[METRIC_RECIPIENTS_SENT] = { "recipients_sent", "Recipients a provider took", 0 },
	[METRIC_RECIPIENTS_DEFERRED] = { "recipients_deferred",
	                                 "Attempts that ended with a later time", 0 },
	[METRIC_RECIPIENTS_BOUNCED] = { "recipients_bounced", "Recipients a provider refused", 0 },
	[METRIC_RECIPIENTS_EXPIRED] = { "recipients_expired", "Recipients given up for their age",
	                                0 },
	[METRIC_MESSAGES_INDETERMINATE] = { "messages_indeterminate",
	                                    "Deliveries that may be sent twice", 0 },
	[METRIC_SPOOL_COMMITS] = { "spool_commits", "Write transactions committed", 0 },
	[METRIC_SPOOL_SYNCS] = { "spool_syncs", "Commits that waited for the disk", 0 },
	[METRIC_SPOOL_OPERATIONS] = { "spool_operations", "Records put and deleted", 0 },
	[METRIC_SPOOL_REQUESTS] = { "spool_requests", "Requests handled by the writer", 0 },
	[METRIC_SPOOL_BYTES] = { "spool_bytes", "Octets reserved and stored in the spool", 1 },
	[METRIC_SPOOL_MESSAGES] = { "spool_messages", "Messages in the spool", 1 },
	[METRIC_WAKEUPS] = { "wakeups", "Wake-ups written from one thread to another", 0 },
};

void metric_add(enum metric m, int64_t n)
{
	atomic_fetch_add_explicit(&values[m], n, memory_order_relaxed);
}

void metric_set(enum metric m, int64_t value)
{
	atomic_store_explicit(&values[m], value, memory_order_relaxed);
}

int64_t metric_get(enum metric m)
{
	return atomic_load_explicit(&values[m], memory_order_relaxed);
}

const char *metric_name(enum metric m)
{
	return facts[m].name;
}

const char *metric_help(enum metric m)
{
	return facts[m].help;
}

int metric_is_gauge(enum metric m)
{
	return facts[m].gauge;
}
