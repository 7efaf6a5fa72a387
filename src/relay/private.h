/* SPDX-License-Identifier: ISC */
/* private.h - the relay's own structs, for the files of this folder.
 *
 * pool.c keeps connections (struct peer), health.c when a provider may be used, attempt.c takes
 * a delivery from its turn to its reply, outcome.c from there into the spool; orders.c
 * and expiry.c change deliveries that are not in flight. relay.c wires them.
 */
#ifndef RELAY_PRIVATE_H
#define RELAY_PRIVATE_H

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/table.h"
#include "relay/limit.h"
#include "relay/queue.h"
#include "relay/relay.h"
#include "relay/verdict.h"

/* ---- health.c: pure -------------------------------------------------------- */

struct health {
	bool aside;             /* its mail goes to the next provider */
	unsigned failures;      /* connections in a row that carried nothing */
	unsigned exhausted;     /* quotas in a row that were used up */
	int64_t open_after_us;  /* monotonic; no connection is opened before */
	int64_t failed_us;      /* monotonic; of the last failure counted */
	unsigned more_failures; /* of one beside others that work, in a row */
	int64_t more_after_us;  /* monotonic; none is opened beside others before */
	char why[256];          /* "" when healthy */
};

/* A connection ended without having carried anything; `others`: there are ready ones besides.
 * Returns whether the provider is set aside by this. */
bool health_failed(struct health *h, enum ending ending, int64_t opened_us, int64_t now_us,
                   bool others, const char *why);
/* The provider said of a transaction that it cannot be used. */
void health_refused(struct health *h, int64_t now_us, const char *why);
/* It said that it takes nothing for so long; 0: it did not say, so a while that doubles. */
void health_exhausted(struct health *h, int64_t now_us, int64_t wait_us, const char *why);
/* A connection got ready. Returns whether the provider had been set aside. */
bool health_ready(struct health *h);
void health_worked(struct health *h); /* a transaction was replied to */

/* ---- depth.c: pure --------------------------------------------------------- */

struct depth {
	size_t now;         /* messages that may be in flight on one connection */
	size_t point;       /* from here it grows slowly */
	size_t replies;     /* since it last grew */
	size_t ended_after; /* messages of the last session that was ended amid a flight */
	size_t session_max; /* learned; 0: nothing */
	int64_t session_until_us;
};

void depth_init(struct depth *d);
void depth_replied(struct depth *d, size_t max); /* to a message, whatever it said */
void depth_lost(struct depth *d);                /* a connection with messages in flight */
/* The peer ended a session with messages in flight. Returns whether that taught us its limit. */
bool depth_session_ended(struct depth *d, size_t messages, int64_t now_us);
size_t depth_session_max(const struct depth *d, int64_t now_us); /* SIZE_MAX: none is known */

/* ---- adapt.c: pure ------------------------------------------------------------ */

struct adapt {
	double rate;       /* messages a second now; 0: as fast as the declared rates allow */
	bool known;        /* it is near the limit */
	double ceiling;    /* where it last complained, once it is known */
	double low, high;  /* while it is looked for: bounds; 0: none yet */
	double good;       /* the last step of growth that was taken without a complaint; 0: none */
	double found;      /* what is remembered across restarts; 0: nothing */
	double most;       /* the least declared rate; 0: none */
	double step;       /* of growth */
	int64_t window_us; /* in which a complaint shows, as far as known */
	/* monotonic; 0: not */
	int64_t shut_us;      /* since then it took nothing */
	int64_t refused_us;   /* when it last complained */
	int64_t throttled_us; /* what was written before says nothing new */
	int64_t paused_until_us;
	int64_t opened_us; /* when it took something again; `taken` since */
	int64_t last_opened_us, shut_for_us;
	int64_t fell_us, step_us, held_us, second_us;
	double next_us; /* of the next departure */
	/* Of this cycle: how late it was asked at its beginning, and since; not asked at all. */
	double opened_late_us, lost_us, idle_us;
	size_t taken, step_count, held_count, since_fall, quiet; /* messages since */
	size_t second, before; /* of this second and the one before */
	unsigned hits, falls, hold;
	bool far;     /* it last complained far beyond the ceiling */
	bool changed; /* `found` is to be stored */
};
/* A message leaves then. */
void adapt_written(struct adapt *a, int64_t depart_us);
int64_t adapt_when(const struct adapt *a, int64_t now_us);
void adapt_worked(struct adapt *a, int64_t now_us); /* one was taken */
/* "Slow down" was said of a message written then; said: for how long, 0: not. Returns whether this
 * is news: of those written before it was known, one counts. */
bool adapt_throttled(struct adapt *a, int64_t written_us, int64_t now_us, int64_t said_us);
void adapt_restore(struct adapt *a, double rate);

/* ---- pools ----------------------------------------------------------------- */

struct peer {             /* a connection, as the relay knows it */
	struct list node; /* in its pool's list by state */
	struct pool *pool;
	uint64_t number;
	bool ready, finishing;
	bool lost; /* it came back with messages that were in flight */
	struct peer_facts facts;
	size_t held;    /* attempts claiming or granted on it */
	size_t granted; /* of those, with the worker */
	size_t given;   /* grants so far */
	size_t replied; /* transactions that ended with a reply */
	size_t depth;   /* how many it may hold, where they do not go behind one another */
	int64_t opened_us;
};

struct pool {
	struct relay *relay;
	const struct provider_settings *provider;
	uint32_t number; /* in the spool; 0: not told */
	struct limit *limit;
	struct health health;
	struct depth depth;
	int64_t refused_us; /* monotonic; when it last said of a message that it refuses us */
	struct list opening, idle, partly, full; /* peers: not ready, held 0, below depth, at it */
	size_t opening_count, ready_count, in_flight;
	struct adapt adapt;
	int64_t paused_until_us; /* monotonic; it asked for less, and nothing adapts */
	int64_t slowed_us;       /* monotonic; when it last did */
	unsigned slow_downs;     /* in a row */
	unsigned fewer_row;      /* times in a row that it asked for fewer connections */
	size_t connections_max;  /* now; at most what the settings say */
	int64_t connections_us;  /* monotonic; when that changed */
	struct list parked;      /* attempts that wait for this provider */
	int64_t head_until_us;   /* monotonic; the first of them waits for tokens until then */
	struct rate warm_up;     /* its limit today; count 0: none */
	int64_t warm_since_us;   /* wall clock, of the first message; 0: there was none */
	bool warm_changed;       /* that is to be stored */
	size_t turn;             /* the queue after which to look */
	struct timer timer;      /* when this pool may do more without news */
};

struct attempt;

void pool_init(struct pool *pool, struct relay *relay, const struct provider_settings *provider);
void pool_release(struct pool *pool);
/* A connection that can take a grant, the emptiest; NULL: none now. */
struct peer *pool_peer(struct pool *pool);
/* An operator asks: the back-off ends now. */
void pool_retry(struct pool *pool);
void pool_wake_at(struct pool *pool, int64_t monotonic_us);
void peer_take(struct peer *peer);
void peer_give_back(struct peer *peer, bool was_granted);
/* By a reply to a message that was written then; sets aside. Of those written before the provider's
 * refusal was known, one counts. */
void pool_note_trouble(struct pool *pool, int64_t written_us, const char *why);
/* Its quota is used up, until then; 0: it did not say. Sets aside. */
void pool_exhausted(struct pool *pool, int64_t wait_us, const char *why);
void pool_stop(struct pool *pool);
/* Starts attempts for as long as there is work, a token and a connection. */
void pool_pump(struct pool *pool);

/* ---- throttle.c: less, when it asks for less ---------------------------------- */

/* By a reply to a message that was written then: those written before it was known are one. */
void pool_slow_down(struct pool *pool, int64_t written_us, int64_t wait_us, const char *why);
void pool_fewer_connections(struct pool *pool, const char *why);
/* What a connection was told when it ended, or could not begin. true: that is all there is to it.
 */
bool pool_heard_less(struct pool *pool, const struct reply *why, const char *words);
void pool_worked(struct pool *pool);     /* a transaction was replied to */
void pool_look_after(struct pool *pool); /* now and then */

/* ---- warm.c: a limit that doubles each day ------------------------------------ */

void warm_up_init(struct pool *pool);    /* makes its limit */
void warm_up_look(struct pool *pool);    /* now and then */
void warm_up_written(struct pool *pool); /* a message was sent to it */
void warm_up_remember(struct pool *pool, struct transition *t);
void warm_up_restore(struct pool *pool, const struct spool_count *count);
void warm_up_status(const struct pool *pool, struct provider_status *status);

/* ---- lane.c: pure ---------------------------------------------------------- */

struct lanes {
	size_t count;
	size_t *open; /* connections by worker */
	uint64_t last;
};
void lanes_init(struct lanes *lanes, size_t count);
void lanes_release(struct lanes *lanes);
uint64_t lanes_take(struct lanes *lanes); /* the number of a new connection */
void lanes_leave(struct lanes *lanes, uint64_t number);

/* ---- attempts -------------------------------------------------------------- */

enum attempt_state {
	ATTEMPT_PARKED,    /* chosen, waits for its provider or for tokens; nothing is claimed */
	ATTEMPT_READING,   /* its header is being read, to route it again; nothing is claimed */
	ATTEMPT_CLAIMING,  /* the claim is with the writer */
	ATTEMPT_GRANTED,   /* with a worker */
	ATTEMPT_BOUNCING,  /* the report is being made */
	ATTEMPT_RECORDING, /* the outcome is with the writer */
};

/* One delivery that is in flight or being changed: no one else may touch it. */
struct attempt {
	struct list node; /* pool->parked, or relay->recording */
	struct relay *relay;
	enum attempt_state state;
	struct pool *pool; /* NULL: no provider is concerned */
	struct peer *peer; /* claiming and granted */
	uint64_t id;
	uint32_t n;
	struct due_row row; /* as it stood in the index */
	struct delivery *delivery;
	bool claimed;
	struct claim claim;
	size_t tokens;              /* recipients counted in the limits; 0: none */
	struct spool_count *counts; /* what was written, for the outcome to carry */
	size_t count_count;
	int64_t claiming_us; /* since when, monotonic */
	int64_t depart_us;
	struct transition *outcome; /* bouncing: what goes with the report */
	struct timer again;         /* recording: refused, to be tried once more */
	int64_t recording_us;       /* since when, monotonic */
	int64_t due_again_us; /* recording: of the earliest row it writes; CLOCK_NEVER: none */
	unsigned refusals;
	bool peer_is_silent; /* granted: it sends no reports (DSN) */
	uint64_t barred;     /* providers that do not take its sender, by their places */
	bool elsewhere;      /* parked at another provider than the one whose turn it was */
	void (*recorded)(struct attempt *attempt, bool done); /* an order waits; NULL: none */
	void *owner;
};

/* What becomes of one recipient. */
enum fate { FATE_SENT, FATE_AGAIN, FATE_DEFERRED, FATE_FAILED };
struct recipient_fate {
	enum fate fate;
	const struct reply *reply;
	bool expired;
};

struct attempt *attempt_new(struct relay *relay, const struct due_row *row,
                            struct delivery *delivery); /* takes it */
void attempt_free(struct attempt **attempt);
void attempt_leave(struct attempt *attempt);                   /* those that are parked */
bool queue_blocked(const struct queue *queue, int64_t now_us); /* by its route's limit */
bool attempt_busy(void *relay, uint64_t id, uint32_t n);
/* Takes the next delivery for this provider and claims it for the peer. false: nothing to do. */
bool attempt_start(struct pool *pool, struct peer *peer);
/* The connection is done with it. */
void attempt_give_back(struct attempt *attempt, bool was_granted);
void attempt_replied(struct attempt *attempt, struct grant_news *news);
/* The same without a pump. */
void attempt_put_back(struct attempt *attempt);
/* It stays in its queue: when it is due it is the next for its provider. */
void attempt_resume(struct attempt *attempt);
/* A parked one goes back to its line. */
void attempt_unpark(struct attempt *attempt);

/* How long a delivery that may have been sent waits for that provider; pool NULL: gone. */
static inline int64_t indeterminate_wait(const struct pool *pool)
{
	return pool == NULL || pool->provider->indeterminate_wait_us == 0
	               ? CLOCK_HOUR
	               : pool->provider->indeterminate_wait_us;
}

/* ---- pass.c: providers that refused a mail which another may take ----------- */

/* Notes that the attempt's provider refused it. */
enum pass {
	PASS_ON,    /* another of its route may take it, at once */
	PASS_LATER, /* so it is, but too many are on their way round */
	PASS_NONE   /* all of them refused it */
};
enum pass pass_on(struct attempt *attempt);
/* Where a delivery goes whose turn it is at this pool: there, or, because that provider refused it
 * or does not take its sender, to another; NULL: none of its route takes its sender. */
struct pool *pass_target(struct attempt *attempt, struct pool *pool);
/* So many wait elsewhere that more of them are left in their lines, to be looked at later. */
#define ELSEWHERE_MAX 1000
void pass_forget(struct relay *relay, uint64_t id, uint32_t n);
void pass_release(struct relay *relay);

/* ---- balance.c: whose turn it is among a route's providers -------------------- */

void balance_init(struct queue *queue); /* after its providers are known */
/* That provider has taken a mail of the queue. */
void balance_took(struct relay *relay, struct queue *queue, const struct pool *pool);
/* It can take nothing before that time: when that is long, others have its turns. */
void balance_yield(struct pool *pool, int64_t when_us);
/* A provider was set aside or came back: which one each queue uses. */
void relay_choose_pools(struct relay *relay);

/* ---- budget.c: the limits of a delivery -------------------------------------- */

/* What a count in the spool is of; stored, so never renumbered. */
enum count_kind {
	COUNT_PROVIDER = 1,
	COUNT_ROUTE = 2,
	COUNT_SENDER = 3,
	COUNT_ADAPTED = 4,
	COUNT_WARM_UP = 5
};

size_t budget_recipients_max(const struct attempt *attempt);
/* As limit_when(); *kind_r: whose limit it is. */
int64_t budget_when(const struct attempt *attempt, size_t recipients, enum count_kind *kind_r);
void budget_take(struct attempt *attempt, size_t recipients);
void budget_return(struct attempt *attempt);
void budget_spend(struct attempt *attempt, int64_t mail_us, int64_t rcpt_us);
/* A claim that a crash left: its tokens are spent now. pool NULL: gone. */
void budget_recover(struct attempt *attempt, struct pool *pool, size_t recipients);
void budget_remember(const struct attempt *attempt, struct transition *t);
void budget_look_after(struct relay *relay); /* now and then */
void budget_release(struct relay *relay);

/* ---- outcomes -------------------------------------------------------------- */

struct transition *outcome_new(struct attempt *attempt);
/* The delivery as it was, due again at once; nobody is punished. */
void outcome_back(struct attempt *attempt);
/* Recipients sent, deferred and failed, as one transaction. Fates: one a recipient. */
void outcome_fates(struct attempt *attempt, const struct recipient_fate *fates);
/* The same, and the recipients that are AGAIN may have been sent: they are pinned, and wait unless
 * `soon`. */
void outcome_indeterminate(struct attempt *attempt, struct recipient_fate *fates, bool soon);
void outcome_unreadable(struct attempt *attempt); /* held for an operator */
void outcome_send(struct attempt *attempt, struct transition *t, bool now);
/* ---- report.c: what is told of recipients; with the transaction, which they take */

void report_fates(struct attempt *attempt, struct transition *t,
                  const struct recipient_fate *fates);
/* It is still not sent. */
void report_delay(struct attempt *attempt);
struct reply last_reply(const struct delivery *d, size_t i); /* the caller releases it */

bool outcome_backlog(const struct relay *relay); /* no grants while so much is unrecorded */
/* Its sender wants it back: RFC 2852. */
bool delivery_late(const struct relay *relay, const struct delivery *d);
/* By that, or by its route. */
bool delivery_expired(const struct relay *relay, const struct delivery *d);
/* The most that a wait of the schedule becomes. */
int64_t outcome_wait_most(int64_t wait_us);

/* ---- the relay ------------------------------------------------------------- */

struct expiry {
	size_t queue;        /* which one is being walked */
	struct due_row line; /* where in it */
	struct due_row from;
	bool begun, in_line;
	int64_t next_pass_us; /* monotonic */
	struct alarm alarm;   /* where in the deadlines */
};

/* A walk through all that waits, after the start. */
struct sweep {
	struct timer timer;
	struct due_row line, from;
	bool in_line;
	uint32_t last; /* queue */
};

/* steps.c: the wall clock was set. */
#define CLOCK_STEPS_MAX 8
struct clock_steps {
	int64_t ahead_us; /* wall clock less monotonic, when it was last looked at */
	struct {
		int64_t before_us, by_us; /* wall clock, just before it */
	} forward[CLOCK_STEPS_MAX];
	size_t count;
	/* the walk through what waits */
	struct timer timer;
	size_t queue, moved;
	struct due_row line, from;
	bool in_line;
};

struct relay {
	struct relay_options options;
	struct pool *pools; /* as the providers of the settings, without inboxes */
	size_t pool_count;
	struct queues queues;
	struct table *flights;     /* (id, n): struct attempt */
	struct table *slots;       /* claim slot: struct attempt */
	struct table *connections; /* number: struct peer */
	struct table *senders;     /* limits, by route and class */
	struct table *passed;      /* (id, n): struct passing */
	struct table *losses;      /* (id, n): deliveries whose connection broke once */
	struct list discards;      /* grants to the provider that drops them */
	struct list recording;     /* attempts, oldest first */
	size_t recording_count, bouncing, reading, elsewhere;
	bool more_alarms; /* have rung than were looked at */
	bool left_some;   /* in their lines, because too many wait elsewhere */
	uint32_t last_slot;
	int64_t claiming_us; /* how long claims take, the longest of late */
	struct lanes lanes;
	uint64_t message_max; /* the largest any listener takes */
	bool started, stopping, pumping, again, unrouted_told;
	struct expiry expiry;
	struct sweep sweep;
	struct clock_steps steps;
	struct timer due_timer;
	struct timer housekeeping;
};

#define CALL(relay, port, ...) ((relay)->options.ports.port((relay)->options.context, __VA_ARGS__))

static inline int64_t relay_wall(const struct relay *relay)
{
	return clock_wall(loop_clock(relay->options.loop));
}

static inline int64_t relay_now(const struct relay *relay)
{
	return loop_now(relay->options.loop);
}

/* A token is taken so far ahead of its time: a commit and a wake-up of the worker lie between. What
 * comes meanwhile, however urgent, leaves after it, so this is not more than is needed. */
int64_t relay_lead(const struct relay *relay);
void relay_pump(struct relay *relay); /* lets everything that can leave, leave */
struct pool *relay_pool(struct relay *relay, uint32_t number); /* NULL: gone */
/* A row of that line may be due again. */
void relay_news(struct relay *relay, const struct delivery *line, int64_t due_us);
/* Moves a delivery that was routed by other rules. */
enum reroute {
	REROUTE_STAYS,
	REROUTE_TAKEN, /* the delivery is moving, or being looked at */
	REROUTE_LATER  /* too many are: ask again */
};
enum reroute reroute(struct relay *relay, const struct due_row *row, struct delivery *delivery);
void sweep_init(struct relay *relay);
void sweep_start(struct relay *relay);
void expiry_walk(struct relay *relay);
void steps_init(struct relay *relay);
void steps_start(struct relay *relay);
void steps_look(struct relay *relay); /* whether the clock was set */
/* What passed since then, without what the clock was set forward. */
int64_t relay_age(const struct relay *relay, int64_t since_wall_us);
void expiry_elsewhere(struct relay *relay); /* of what waits for a provider that is set aside */
void deadline_walk(struct relay *relay); /* what its sender wants back by now, wherever it waits */
/* All recipients fail with the last words that were said of them. */
void attempt_expire(struct attempt *attempt);
/* The provider "discard": what a worker does for others. Takes the grant. */
void discard_grant(struct relay *relay, const struct provider_settings *provider,
                   struct grant *grant);
void discard_release(struct relay *relay);

/* Key of (id, n) for the tables. */
struct flight_key {
	unsigned char octets[12];
};
struct flight_key flight_key(uint64_t id, uint32_t n);
struct span flight_span(const struct flight_key *key);

#endif
