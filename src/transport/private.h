/* SPDX-License-Identifier: ISC */
/* private.h - the insides of an outbound connection, for transport/ alone.
 *
 * connection.c owns its life and its states, opening.c and login.c the steps to READY, outgoing.c
 * and compose.c what is written of transactions, reader.c and answer.c what comes back,
 * transaction.c and ehlo.c what that means.
 * A function that returns bool "alive" may have called the owner: false means that the connection
 * has ended or is freed, and the caller returns at once without touching it.
 */
#ifndef TRANSPORT_PRIVATE_H
#define TRANSPORT_PRIVATE_H

#include "base/clock.h"
#include "mail/dot.h"
#include "transport/sasl.h"
#include "transport/transport.h"

/* RFC 5321 4.5.3.2, as minima; the 10 minutes avoid duplicates (RFC 1047). */
#define PATIENCE_GREETING (5 * CLOCK_MIN)
#define PATIENCE_EHLO     (5 * CLOCK_MIN)
#define PATIENCE_TLS      (2 * CLOCK_MIN) /* no RFC: a handshake that takes longer is dead */
#define PATIENCE_SECRET   (1 * CLOCK_MIN) /* a token is fetched within 30 s, or not at all */
#define PATIENCE_AUTH     (3 * CLOCK_MIN) /* ESPs ask for 30 s and more */
#define PATIENCE_MAIL     (5 * CLOCK_MIN)
#define PATIENCE_RCPT     (5 * CLOCK_MIN)
#define PATIENCE_DATA     (2 * CLOCK_MIN)
#define PATIENCE_BLOCK    (3 * CLOCK_MIN) /* for HIGH to fall to LOW: 1 KiB/s */
#define PATIENCE_DOT      (10 * CLOCK_MIN)
#define PATIENCE_QUIT     (10 * CLOCK_SEC) /* nothing hangs on it any more */

/* Octets of a body read and encoded at once; one recv() of the peer. */
#define BODY_PIECE       (64 * 1024)
/* A content of at most so many octets is sent behind its envelope before anybody took that (RFC
 * 3030, RFC 2920): little is lost if nobody does. */
#define EAGER_LENGTH_MAX (256 * 1024)
/* The same is done only if the peer was heard so lately: one that closes a connection it finds
 * idle has then not been handed a whole message, of which nobody knows what became. */
#define EAGER_SILENCE    (5 * CLOCK_SEC)
/* Transactions a connection holds, in flight or waiting; the owner grants a few ahead. */
#define TRANSACTIONS_MAX 1000
/* RFC 4954 4: the longest line of AUTH. */
#define AUTH_LINE_MAX    12288

/* ehlo.c */

struct ehlo {
	struct peer_facts facts; /* all but tls */
	bool starttls, auth;
	unsigned mechanisms; /* of AUTH: sasl_bit() of those known here */
};

/* The capabilities in the text of an EHLO reply. What is malformed counts as not said. */
void ehlo_parse(struct ehlo *ehlo_r, const char *text);

/* reader.c */

/* Octets of the stream to replies. It remembers how much of our output the kernel had when the
 * first octet of a reply arrived: a reply cannot answer what was not sent by then. */
struct reply_reader {
	struct reply_parser parser;
	uint64_t sent;  /* at the last arrival */
	uint64_t begun; /* `sent` when the reply in progress began */
	bool in_reply;
};

enum read_progress { READ_MORE, READ_REPLY, READ_BROKEN };
void reply_reader_arrived(struct reply_reader *r, uint64_t sent);
/* Takes one reply from the stream (the caller releases it); *sent_r is what had been sent before
 * it began. */
enum read_progress reply_reader_next(struct reply_reader *r, struct stream *s,
                                     struct reply *reply_r, uint64_t *sent_r);
void reply_reader_release(struct reply_reader *r);

/* expect.c */

/* STEP: the reply that the state waits for. EMPTY_DOT: content of no octets for no recipients. */
enum expect_kind {
	EXPECT_STEP,
	EXPECT_RSET,
	EXPECT_MAIL,
	EXPECT_RCPT,
	EXPECT_DATA,
	EXPECT_DOT,
	EXPECT_EMPTY_DOT,
	EXPECT_BDAT,
	EXPECT_KINDS
};

struct flight;

/* One command that was written and whose reply is due. */
struct expect {
	enum expect_kind kind;
	size_t recipient;      /* of EXPECT_RCPT */
	uint64_t end;          /* our output up to and with the command */
	struct flight *flight; /* from EXPECT_MAIL on */
};

/* A ring of them, in the order written. Zeroed is empty. */
struct expects {
	struct expect *ring;
	size_t first, count, capacity; /* capacity: a power of two, or 0 */
};

void expects_push(struct expects *e, const struct expect *one);
const struct expect *expects_front(const struct expects *e); /* NULL: none */
struct expect expects_pop(struct expects *e);
void expects_release(struct expects *e);

/* transaction.c */

enum flight_phase {
	FLIGHT_COMMANDS, /* MAIL, RCPT, DATA are being written or answered */
	FLIGHT_BODY,     /* 354 came or BDAT was said, the content is being written */
	FLIGHT_BROKEN,   /* the content could not be read to its end */
	FLIGHT_ENDED,    /* all is written, the last reply is due */
};

/* A transaction on the wire. */
struct flight {
	struct transaction *t;
	struct flight *next;
	enum flight_phase phase;
	size_t step;        /* of the next command: 0 MAIL, 1..count RCPT, then DATA or BDAT */
	size_t due;         /* replies */
	size_t answered;    /* recipients */
	size_t accepted;    /* recipients */
	bool dated;         /* it is known when MAIL was written: */
	unsigned long turn; /* at the end of this turn of the loop */
	bool mailed;        /* MAIL was accepted */
	bool refused;       /* MAIL, DATA or the content was: t->reply says how */
	uint64_t body_at;   /* our output when the body began */
	uint64_t dot_at;    /* our output with the last of the content; 0: not written */
	bool chunk;         /* BDAT n LAST, not DATA */
	uint64_t left;      /* octets of the chunk not yet written */
	struct dot_encoder dots;
};

/* connection.c */

enum connection_state {
	STATE_NEW,       /* made; nothing is tried before the owner has it */
	STATE_RESOLVE,   /* the name is asked for */
	STATE_RESOLVED,  /* addresses are here, or none */
	STATE_CONNECT,   /* to the first of several addresses */
	STATE_GREETING,  /* connected; 220 is due */
	STATE_EHLO,      /* before or after TLS */
	STATE_HELO,      /* a peer without EHLO */
	STATE_STARTTLS,  /* 220 to STARTTLS is due */
	STATE_HANDSHAKE, /* TLS */
	STATE_SECRET,    /* the password or token is asked for */
	STATE_AUTH,      /* an exchange of SASL */
	STATE_READY,     /* transactions */
	STATE_QUIT,      /* 221 is due */
	STATE_CLOSED,    /* closed() was called */
	STATE_COUNT
};

/* Notices that the connection was freed inside a callback. */
struct guard {
	bool gone;
	struct guard *outer;
};

/* From AUTH to its last reply. */
struct login {
	void *query;         /* at transport->secrets, or NULL */
	struct bytes secret; /* the answer, and its number */
	unsigned number;
	struct sasl sasl;
	struct bytes said; /* the last answer in base64: a peer may repeat it */
};

struct connection {
	const struct transport *transport;
	const struct provider_settings *provider;
	struct tls_context *tls;
	uint64_t number;
	const struct connection_events *events;
	void *context;

	enum connection_state state;
	struct stream *stream;
	uint64_t written; /* octets given to the stream */
	struct reply_reader reader;
	struct expects expects;
	struct timer patience; /* for what is due next; idle */
	struct timer depart;   /* for the next transaction */
	struct timer wrote;    /* after the turn in which MAIL was written */
	struct timer age;
	struct guard *guards;

	struct resolve_query *query;
	struct resolved *found;
	struct race *race;    /* to the addresses of found */
	struct bytes trouble; /* why resolving or the last address failed */
	int64_t begun_us;
	struct ehlo ehlo;
	struct login login;

	struct flight *flights, *flights_last; /* on the wire, in order */
	struct transaction *queue, *queue_last;
	size_t flight_count, queue_count;
	bool needs_rset;    /* a transaction was left open */
	bool finishing;     /* no new ones; QUIT when nothing is in flight */
	bool opened;        /* it was READY once */
	const char *ended;  /* why it is finishing, in words */
	uint64_t messages;  /* MAILs written */
	uint64_t completed; /* transactions that got all their replies */
	uint64_t sent;      /* what of our output had left at the end */
	bool dismissed;     /* the peer said 421: nothing behind that was looked at */
	int64_t heard_us;   /* monotonic: the last reply */
};

/* One state: what is written on entering, what is done with the reply. */
struct step {
	const char *name;
	enum connection_stage stage;
	int64_t patience; /* 0: connection.c sets it */
	void (*send)(struct connection *c);
	void (*got)(struct connection *c, const struct reply *reply);
};

extern const struct step connection_steps[STATE_COUNT];

void connection_enter(struct connection *c, enum connection_state next);
void connection_write(struct connection *c, const void *data, size_t length);
/* Writes a command whose reply is the state's own. */
void connection_command(struct connection *c, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void connection_expect(struct connection *c, enum expect_kind kind, struct flight *flight,
                       size_t recipient);
/* After the peer did something: writes what may be written, and ends what is to end. */
void connection_went_on(struct connection *c);

/* The end: gives everything back, tells closed(). Takes the content of `why`. */
void connection_end(struct connection *c, struct reply *why);
/* The same after a QUIT that nobody waits for. */
void connection_end_politely(struct connection *c, struct reply *why);
/* The same with our own words. */
void connection_fail(struct connection *c, int code, const char *enhanced, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The same with the peer's words when it refused with 4yz or 5yz, else with ours about them. */
void connection_refused(struct connection *c, const struct reply *reply, const char *step);
void reply_ordinary(struct reply *reply_r, const char *words);
/* An ordinary end: code 0 and what it was. */
void connection_end_well(struct connection *c, const char *words);
bool connection_give_back(struct connection *c, struct transaction *t); /* alive */
void connection_ready(struct connection *c);

void guard_enter(struct connection *c, struct guard *g);
bool guard_leave(struct connection *c, struct guard *g); /* alive */

/* answer.c */
extern const struct stream_events connection_stream_events;

/* race.c */
void race_start(struct connection *c);
void race_late(struct connection *c); /* its patience has ended */
void race_release(struct connection *c);

/* opening.c: the steps up to READY */
void opening_resolve(struct connection *c);
void opening_connect(struct connection *c);
void opening_connected(struct connection *c);
void opening_secured(struct connection *c);
void opening_release(struct connection *c);
void got_greeting(struct connection *c, const struct reply *reply);
void send_ehlo(struct connection *c);
void got_ehlo(struct connection *c, const struct reply *reply);
void send_helo(struct connection *c);
void got_helo(struct connection *c, const struct reply *reply);
void send_starttls(struct connection *c);
void got_starttls(struct connection *c, const struct reply *reply);

/* login.c */
void send_secret(struct connection *c);
void send_auth(struct connection *c);
void got_auth(struct connection *c, const struct reply *reply);
void login_release(struct connection *c); /* wipes what was told */

/* outgoing.c */
/* Writes what may be written now; true: there is something to tell the owner. */
bool transactions_write(struct connection *c);
/* The same, and tells. */
bool transactions_advance(struct connection *c); /* alive */
/* The last octets of a flight, as EXPECT_DOT, EXPECT_EMPTY_DOT or EXPECT_BDAT. */
void outgoing_wrote(struct connection *c); /* what was to be, in the turn before */
void outgoing_end(struct connection *c, struct flight *f, enum expect_kind kind,
                  const struct bytes *octets);

/* transaction.c */
/* Nobody takes the content, and every reply that says so is here. */
/* Its MAIL was written before now. */
void flight_date(const struct connection *c, struct flight *f);
bool flight_failed(const struct flight *f);
/* Gives every recipient the peer's words ... */
void transaction_settle(struct transaction *t);
/* ... or, for want of them, why there are none. */
void transaction_settle_without(struct transaction *t, enum transaction_end end,
                                const struct reply *why);
struct transaction *transactions_unqueue(struct connection *c); /* the first */
/* A reply to a command of a flight. */
bool transactions_got(struct connection *c, const struct expect *expect,
                      const struct reply *reply); /* alive */
/* A reply before the dot it could answer was sent; true: it was a refusal amid the content, and
 * the connection is ended. */
bool transactions_got_early(struct connection *c, const struct reply *reply, uint64_t sent);
/* Gives back all that is held. */
bool transactions_end(struct connection *c, const struct reply *why); /* alive */
/* The peer closed before it saw a command of a new transaction: nothing is wrong. */
bool transactions_untouched(const struct connection *c);

/* compose.c */
void compose_mail(struct bytes *out, const struct transaction *t, const struct peer_facts *facts);
void compose_rcpt(struct bytes *out, const struct recipient *to, const struct peer_facts *facts);
/* Whether the peer can be given the message at all; false with a local reply. */
bool compose_possible(const struct transaction *t, const struct peer_facts *facts,
                      struct reply *reply_r);

#endif
