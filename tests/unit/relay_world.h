/* SPDX-License-Identifier: ISC */
/* relay_world.h - a relay in a small world: a spool in memory, hosts that answer by script, and
 * a clock that is set. Everything takes time: commits, connections, replies. */
#ifndef TESTS_RELAY_WORLD_H
#define TESTS_RELAY_WORLD_H

#include "base/clock.h"
#include "base/list.h"
#include "relay/relay.h"

#define WORLD_START  (INT64_C(1800000000) * CLOCK_SEC)
#define WORLD_HOSTS  4
#define WORLD_ROUTES 4

struct world;
struct host;

enum host_mode {
	HOST_WORKS,
	HOST_REFUSES, /* the connection */
	HOST_NO_TLS,
	HOST_NO_LOGIN,
	HOST_CLOSES,        /* at once when ready */
	HOST_LOSES_MAIL,    /* at each MAIL */
	HOST_LOSES_END,     /* after each end of data */
	HOST_LOSES_FLIGHT,  /* all that it holds, `lose_flights` times */
	HOST_ENDS_SESSIONS, /* session_max, and what is in flight then was begun in vain */
};

/* One provider, and what stands behind it. */
struct host {
	struct world *world;
	struct provider_settings *provider;
	enum host_mode mode;
	int64_t connect_us, reply_us,
		late_us;    /* late: MAIL is written up to so much after its time */
	size_t session_max; /* 421 after so many messages; 0: never */
	size_t open_most;   /* it takes no more connections; 0: all */
	bool too_many_said; /* by 421, not by the system */
	size_t too_many;    /* times that it said so */
	size_t lose_flights;
	bool at_once;     /* all that it holds was written when the first was */
	size_t deepest;   /* the greatest depth granted */
	size_t cut_short; /* sessions ended with messages in flight */
	struct peer_facts facts;
	/* NULL: 250 for everybody. */
	void (*answer)(struct host *host, const struct grant *grant, struct grant_news *news);
	size_t opens, open_now, open_max, grants;
	int64_t *written; /* when each MAIL was, and for how many */
	size_t *written_for;
	size_t written_count;
	struct list wires;
};

struct stored {
	struct delivery d;
	bool claimed, gone;
	int64_t release_us, notify_by_us;
	struct claim claim;
};

struct world {
	struct clock_set clock;
	struct loop *loop;
	struct settings settings;
	struct provider_settings providers[WORLD_HOSTS];
	struct route_settings routes[WORLD_ROUTES];
	struct host hosts[WORLD_HOSTS];
	struct router *router;
	struct relay *relay;
	/* the spool */
	struct stored **stored;
	size_t stored_count;
	uint64_t last_id;
	struct due_row *rows; /* sorted as the index is */
	size_t row_count;
	int64_t commit_us, posted_us;
	struct spool_count *counts; /* as the table quota */
	size_t count_count;
	unsigned generation; /* of the process */
	bool refuse_claims, refuse_outcomes, keep_outcomes;
	uint64_t size; /* of every message */
	const char *header, *listener;
	const char *senders[2]; /* of messages with an even, and with an odd id */
	/* what happened */
	size_t calls_due, calls_line, calls_delivery, calls_open, claims, outcomes;
	size_t headers_read, headers_at_once, reading;
	size_t rehoused[8], rehoused_at_once, rehousing; /* recipients by inbox */
	bool no_rehousing;
	size_t sent; /* recipients with 250 */
	uint64_t *sent_ids;
	size_t sent_id_count;
	size_t bounced; /* recipients in reports that were accepted */
	size_t delayed, relayed, late;
	size_t bounce_asked;
	bool no_bounce; /* as for a null reverse-path */
	struct reply last_failure;
	unsigned random;
};

void world_init(struct world *w, size_t hosts, size_t routes);
void world_start(struct world *w); /* after hosts and routes were set up */
void world_release(struct world *w);
/* kill -9 and a new process: what was not committed is lost, connections break. */
void world_crash(struct world *w);
void world_pass(struct world *w, int64_t us);
unsigned world_random(struct world *w, unsigned below);

/* Accepts mail, due after wait_us; its id. */
struct world_mail {
	size_t route;
	int8_t priority;
	uint16_t class;
	size_t recipients; /* 0: one */
	int64_t wait_us;
	unsigned notify;
	bool held;
	int64_t by_us;        /* returned when it is so old (RFC 2852); 0: never */
	int64_t warn_us;      /* its sender is told when it is so old; 0: never */
	int64_t notify_by_us; /* and then again (RFC 2852); 0: never */
	int64_t release_us;   /* its sender wants it to wait so long (RFC 4865); 0: not */
};
uint64_t world_mail(struct world *w, const struct world_mail *mail);
void world_mails(struct world *w, const struct world_mail *mail, size_t count);
struct stored *world_find(struct world *w, uint64_t id, uint32_t n); /* NULL: gone */
size_t world_left(const struct world *w);                            /* deliveries not gone */
size_t world_sent_times(const struct world *w, uint64_t id);

/* Something to happen after a while, or as soon as what was posted before it has happened. */
void world_later(struct world *w, int64_t us, void (*run)(struct world *w, void *argument),
                 void *argument);
void world_post(struct world *w, void (*run)(struct world *w, void *argument), void *argument);

/* relay_spool.c */
struct relay_ports world_ports(void);
void world_drop(void (*run)(struct world *w, void *argument), void *argument);

/* What was under way in the process that died; true: it was a host's. */
bool host_drop(void (*run)(struct world *w, void *argument), void *argument);
void host_crash(struct host *host);

/* Ports of the relay: what workers do. */
void host_open(void *context, uint64_t number, const struct provider_settings *provider);
void host_finish(void *context, uint64_t number);
void host_grant(void *context, struct grant *grant);

/* Answers for hosts. */
void answer_all(struct grant_news *news, const struct grant *grant, int code, const char *enhanced,
                const char *text);
void answer_one(struct grant_news *news, size_t i, int code, const char *enhanced, const char *text,
                bool at_rcpt);

#endif
