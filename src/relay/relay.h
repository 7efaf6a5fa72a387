/* SPDX-License-Identifier: ISC */
/* relay.h - every decision about outbound mail, on the dispatcher thread.
 *
 * Which delivery is due, which provider, whether a rate allows it, what a reply
 * means. Does no I/O of its own but short spool reads: what it wants done goes out through
 * relay_ports, what happened comes in through the relay_...() calls, so that tests
 * run it against a set clock, a scripted spool and scripted providers.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "net/loop.h"
#include "relay/route.h"
#include "spool/spool.h"
#include "transport/transport.h"

/* A delivery that may leave on a connection. Crosses threads: owns what it holds. */
struct grant {
	struct channel_item item;
	uint64_t connection;
	uint32_t slot;
	uint64_t id;
	uint32_t n;
	int64_t depart_us; /* monotonic; MAIL is not written before */
	size_t depth;      /* messages in flight, this included, when it is written */
	struct recipient *recipients;
	size_t count;
};
void grant_free(struct grant **grant);

/* What became of a grant. Owns what it holds. */
struct grant_news {
	struct channel_item item;
	uint64_t connection;
	uint32_t slot;
	enum transaction_end end;
	int64_t mail_written_us; /* monotonic; 0: the tokens come back unused */
	struct reply reply;
	struct recipient_result *results;
	size_t count;
	bool gone;   /* the message could not be read: nothing was sent */
	bool behind; /* not replied, but another in flight before it may be why */
};
void grant_news_free(struct grant_news **news);

/* What a recipient's sender is told (RFC 3464 2.3.3). */
enum report_kind { REPORT_FAILED, REPORT_DELAYED, REPORT_RELAYED };
/* By the recipient's NOTIFY (RFC 3461 4.1). */
bool report_is_wanted(enum report_kind report, unsigned notify);

/* Recipients of one delivery whose sender is told of them, on their way through the helper that
 * builds the report. */
struct bounce_request {
	uint64_t id;
	uint32_t n;
	const struct route *route;
	struct bounce_failure {
		enum report_kind report;
		struct recipient to;
		struct reply reply;
		char *remote; /* host that said it; NULL: we did */
		bool expired;
		bool late;        /* by the sender's own time (RFC 2852) */
		int64_t until_us; /* delayed: it is tried until then, wall clock; 0: not known */
	} * failures;
	size_t count;
	void *owner; /* the relay's attempt */
};
void bounce_request_free(struct bounce_request **request);

/* A delivery that is to be routed again by rules that ask for the header, on its way through the
 * helper that reads it. */
struct header_request {
	uint64_t id;
	bool *fits;  /* the helper's: router_read_header(); NULL: the message is gone */
	void *owner; /* the relay's attempt */
};
void header_request_free(struct header_request **request);

/* Recipients of a delivery that other rules send into inboxes, on their way through the helper that
 * makes what is put there. */
struct rehouse_request {
	uint64_t id;
	struct recipient *recipients;
	uint32_t *inboxes; /* of each */
	size_t count;
	void *owner; /* the relay's attempt */
};
void rehouse_request_free(struct rehouse_request **request);

/* What the relay asks of the daemon (or of a test). Never called from inside another relay_ call's
 * callback chain twice. */
struct relay_ports {
	/* Opens connection `number` to the provider on some worker; relay_ready() or relay_closed()
	 * follows. */
	void (*open)(void *context, uint64_t number, const struct provider_settings *provider);
	/* Ends it when what is in flight is done. */
	void (*finish)(void *context, uint64_t number);
	void (*grant)(void *context, struct grant *grant); /* takes it */
	/* Spool, as in spool.h. */
	bool (*due_line)(void *context, struct due_row *line);
	size_t (*due)(void *context, const struct due_row *from, int64_t until_us,
	              struct due_row *rows_r, size_t max);
	bool (*delivery)(void *context, uint64_t id, uint32_t n, struct delivery *delivery_r);
	size_t (*deliveries)(void *context, uint64_t id, uint32_t from, uint32_t *n_r, size_t max);
	/* Octets of the content (reader_message's facts.size); 0: gone. Asked only when a peer may
	 * take less than our listeners do. */
	uint64_t (*size)(void *context, uint64_t id);
	/* Of a message, for routing it again; false: gone. NULL: nothing is routed again. */
	bool (*facts)(void *context, uint64_t id, struct message_facts *facts_r);
	/* Requests to the writer. request.done and owner are the relay's; the port sets
	 * request.home and hands the transition to spool_claim() and so on; done() runs on this
	 * thread, and takes it. */
	void (*claim)(void *context, struct transition *t);
	void (*outcome)(void *context, struct transition *t);
	void (*outcome_now)(void *context, struct transition *t);
	/* Builds the report for failed recipients of (id, n) in a helper and routes it into a put;
	 * relay_bounced() follows with the put, or with NULL when no bounce may or can be made
	 * (null reverse-path, message gone). */
	void (*bounce)(void *context, struct bounce_request *request);
	/* Reads the header of a message in a helper; relay_header_read() follows. NULL: rules that
	 * ask for it never fit what is routed again. */
	void (*header)(void *context, struct header_request *request);
	/* What became of a recipient that somebody released, and the reply; `state` is a constant.
	 * NULL: nobody wants to know. */
	void (*released)(void *context, uint64_t id, const char *recipient, const char *state,
	                 const char *reply);
	/* Makes what is put into inboxes in a helper (rehouse.h); relay_rehoused() follows with the
	 * put, or with NULL when the message is gone. */
	void (*rehouse)(void *context, struct rehouse_request *request);
	/* As reader_alarms(). */
	size_t (*alarms)(void *context, const struct alarm *from, int64_t until_us,
	                 struct alarm *alarms_r, size_t max);
};

struct relay;

struct relay_options {
	const struct settings *settings;
	const struct router *router;
	struct loop *loop;   /* timers; its clock decides what is due */
	struct spool *spool; /* for numbers only; NULL in tests */
	struct relay_ports ports;
	void *context;
	size_t workers; /* a connection is on worker number modulo workers; 0 is 1 */
};
struct relay *relay_new(const struct relay_options *options);
void relay_free(struct relay **relay);

/* The numbers of the providers in the spool, before the start. */
void relay_number(struct relay *relay, const struct provider_settings *provider, uint32_t number);
/* What a former process used of a limit, the slices of a window in order. Before the claims. */
void relay_restore(struct relay *relay, const struct spool_count *count);
/* A claim a crash left behind: logged as indeterminate, pinned to its provider, counted as spent.
 * Before relay_start(). */
void relay_recover(struct relay *relay, const struct claim *claim);
void relay_start(struct relay *relay); /* looks through the due index once and begins */
/* No new grants; relay_idle() turns true when nothing is in flight any more. */
void relay_stop(struct relay *relay);
bool relay_idle(const struct relay *relay);

void relay_due(struct relay *relay, const struct due_news *news, size_t count);
void relay_ready(struct relay *relay, uint64_t connection, const struct peer_facts *facts);
void relay_closed(struct relay *relay, uint64_t connection, enum connection_stage stage,
                  const struct reply *why);
void relay_replied(struct relay *relay, struct grant_news *news); /* takes it */
void relay_bounced(struct relay *relay, struct bounce_request *request,
                   struct put *put); /* takes both */
void relay_rehoused(struct relay *relay, struct rehouse_request *request,
                    struct put *put);                                        /* takes both */
void relay_header_read(struct relay *relay, struct header_request *request); /* takes it */

/* An operator's order from the control API; comes back through done() on its home. */
enum relay_verb { RELAY_RETRY, RELAY_HOLD, RELAY_RELEASE, RELAY_REMOVE };
struct relay_order {
	struct channel_item item;
	struct channel *home;
	void (*done)(struct relay_order *order);
	enum relay_verb verb;
	uint64_t id; /* every delivery of this message */
	size_t changed,
		busy; /* answer: deliveries changed; those in flight, which were left alone */
	bool found;
	size_t pending; /* the relay's */
	void *owner;
};
void relay_obey(struct relay *relay, struct relay_order *order);

/* For status: one entry a provider. */
struct provider_status {
	char name[64];
	bool set_aside;
	int64_t aside_until_us; /* wall clock */
	char why[256];          /* the last failure in words; "" when healthy */
	size_t connections_open, connections_ready, in_flight;
	double rate; /* messages a second, as found by adapting; 0: only what is declared */
	size_t connections_max; /* now */
	struct rate warm_up;    /* its limit today; count 0: none */
	unsigned warm_up_day;   /* the first is 1 */
};
size_t relay_status(const struct relay *relay, struct provider_status *out, size_t max);
struct relay_status_request {
	struct channel_item item;
	struct channel *home;
	void (*done)(struct relay_status_request *request);
	struct provider_status providers[32];
	size_t count;
	void *owner;
};

#endif
