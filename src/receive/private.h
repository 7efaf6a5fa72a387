/* SPDX-License-Identifier: ISC */
/* private.h - what the files of receive/ share: the session, its states, its limits.
 *
 * session.c keeps the life of a session; verbs.c finds the command; accept.c holds MAIL,
 * RCPT and DATA; parameters.c and terms.c what MAIL and RCPT carry; bdat.c BDAT; data.c the
 * content; auth.c the login; policy.c, admission.c, clients.c and rates.c who may do what, and how
 * much of it.
 */
#ifndef RECEIVE_PRIVATE_H
#define RECEIVE_PRIVATE_H

#include "base/metric.h"
#include "mail/dot.h"
#include "net/loop.h"
#include "receive/faults.h"
#include "receive/receive.h"

/* Postfix's line_length_limit; RFC 5321 4.5.3.1.4 asks for 512 and what the extensions add. */
#define COMMAND_LINE_MAX   2048 /* octets, line end included */
/* RFC 4954 4: a base64 line of 12288 octets has to be accepted. */
#define AUTH_LINE_MAX      12288 /* octets, line end included */
/* Postfix's smtpd_hard_error_limit: a client that only makes mistakes is not worth a session. */
#define ERRORS_MAX         20 /* 5yz replies without an accepted message between */
/* Postfix's smtpd_junk_command_limit: what costs us work and moves no mail. */
#define JUNK_MAX           100 /* EHLO, HELO, NOOP, VRFY, RSET, HELP without an accepted message between */
/* Pools of connections keep them alive by a NOOP every few seconds, for hours: of who is known one
 * such command is forgotten as often. */
#define JUNK_PERIOD_US     CLOCK_SEC
/* Postfix's smtpd_recipient_overshoot_limit: beyond it each 452 counts as a mistake. */
#define OVERSHOOT_MAX      1000 /* recipients over max-recipients */
/* A chunk below this that is not the last one costs more than it brings: it counts as junk. */
#define CHUNK_SMALL        64 /* octets */
/* RFC 2852 2: what is to be returned is looked for every ten seconds, and sending takes time. */
#define DELIVER_BY_MIN     60 /* seconds */
/* What a peer may still send of a message that is refused already, beside max-message-size. */
#define SWALLOW_MAX        (1024 * 1024) /* octets */
/* RFC 5321 4.5.3.2.7, when the settings do not say. */
#define IDLE_TIMEOUT_US    (5 * CLOCK_MIN)
/* Postfix reuses a connection for 5 minutes, and 1000 recipients one by one take a few: who needs
 * more than this for a message keeps a place, whatever it says meanwhile. idle-timeout, if longer.
 */
#define MAIL_PATIENCE_US   CLOCK_HOUR
/* A proxy sends its header at once; who does not is none. */
#define PROXY_PATIENCE_US  (5 * CLOCK_SEC)
/* From the first octet of TLS to the last of its handshake: a few round trips. */
#define TLS_PATIENCE_US    (30 * CLOCK_SEC)
/* Postfix's stress mode: so long may a client be silent while connections are short. */
#define STRESS_PATIENCE_US (10 * CLOCK_SEC)
/* RFC 5321 4.5.3.1.2: a domain, which is all that EHLO may give. */
#define HELO_MAX           255 /* octets */
/* A message without SIZE= reserves this at MAIL, so that a full spool says so before the data. */
#define RESERVE_MIN        4096 /* octets */

/* From here on a message whose size was not said has to leave room for others: see data.c. */
#define LARGE_MIN (1024 * 1024) /* octets */

/* What all messages that are received have in memory together: each session's share of it is its
 * chunk, which it may hold a few times over (decoded, with the writer, received and not decoded).
 */
#define CONTENT_BUDGET (24 * 1024 * 1024) /* octets */

/* RFC 5321 4.5.3.1.5; what does not fit is cut. */
#define REPLY_LINE 512 /* octets of one line that we write, CRLF included */

enum session_state {
	SESSION_PROXY,  /* a PROXY header is awaited; nothing was said yet */
	SESSION_TLS,    /* the handshake runs; no input is ours */
	SESSION_START,  /* connected, or fresh inside TLS: EHLO or HELO is awaited */
	SESSION_READY,  /* greeted; between transactions */
	SESSION_MAIL,   /* a sender is given */
	SESSION_RCPT,   /* at least one recipient is accepted */
	SESSION_AUTH,   /* a line of the login dialogue is awaited */
	SESSION_LOGIN,  /* a login is checked, or its refusal held back; input waits */
	SESSION_DATA,   /* content is read */
	SESSION_BDAT,   /* the octets of a chunk are read */
	SESSION_CHUNKS, /* between the chunks of a message: another BDAT, or RSET, is awaited */
	SESSION_FAULT,  /* a fault is played: what was asked comes late; input waits */
	SESSION_WRITER, /* a chunk or the put is with the writer; input waits */
	SESSION_OVER    /* the stream is given back; only a request of ours may still be out */
};
#define BIT(state) (1u << (state))
#define BETWEEN    (BIT(SESSION_START) | BIT(SESSION_READY))
#define COMMANDS   (BETWEEN | BIT(SESSION_MAIL) | BIT(SESSION_RCPT) | BIT(SESSION_CHUNKS))
/* Those in which the next message is waited for. */
#define WAITING    (BETWEEN | BIT(SESSION_MAIL) | BIT(SESSION_RCPT) | BIT(SESSION_AUTH))
/* Those in which it is us who are slow. */
#define OURS       (BIT(SESSION_LOGIN) | BIT(SESSION_WRITER) | BIT(SESSION_FAULT))
/* Those in which content is due. */
#define CONTENT    (BIT(SESSION_DATA) | BIT(SESSION_BDAT) | BIT(SESSION_CHUNKS))

/* A place in the clients' table; zeroed: not counted. */
struct client_count {
	uint64_t tag;
	size_t set;
	bool client; /* not a listener's total */
};

struct data;
struct login_attempt;
struct session {
	struct list node;
	struct receive *receive;
	struct stream *stream; /* NULL when over */
	struct timer timer;
	enum session_state state;
	bool esmtp;         /* EHLO, not HELO */
	bool spoken;        /* the first command line has come */
	bool tainted;       /* the line that is read began behind a bare LF */
	bool skipping;      /* the rest of a line that was too long is swallowed */
	bool skipping_auth; /* it belongs to AUTH */
	bool skipped_cr;    /* the last octet of it was a CR */
	bool choked;        /* the peer does not read our replies; its input waits */
	bool aliased;       /* an alias made some of the recipients */
	bool trusted;       /* may relay by its address */
	bool local;         /* loopback or a Unix socket */
	uint8_t login_failures;
	unsigned errors, junk, overshoot;
	char *helo;                    /* NULL: not greeted */
	char *login;                   /* NULL: not logged in */
	struct login_attempt *attempt; /* NULL: none; see auth.c */
	struct envelope envelope;
	uint64_t reserved;     /* octets of the spool's quota held by this transaction */
	int64_t activity_us;   /* monotonic: the last whole line or piece of content */
	int64_t waiting_us;    /* monotonic: since when the next content is waited for */
	int64_t junk_us;       /* monotonic: up to when junk was forgotten */
	struct data *data;     /* NULL: no content is read */
	struct record *record; /* NULL: what is said is not recorded */
	struct play *play;     /* NULL: no fault is played */
	struct span line;      /* the command that is run */
	struct client_count by_client, by_listener;
	size_t all; /* connections of the listener when this one came */
};

/* ---- session.c -------------------------------------------------------- */

/* A reply that is decided in one place and said in another. */
struct refusal {
	int code;
	const char *enhanced;
	const char *text;
};

/* The only place that changes the state. */
void session_enter(struct session *s, enum session_state next);
/* One line "CODE ENHANCED text"; counts what is an error. enhanced NULL: none (3yz, greetings). */
void session_reply(struct session *s, int code, const char *enhanced, const char *text);
/* What is no single line. */
void session_send(struct session *s, const void *data, size_t length);
void session_replyf(struct session *s, int code, const char *enhanced, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* session_reply(), and an info line that says who was refused what; `to`: a recipient or NULL. */
void session_refuse(struct session *s, const struct refusal *refusal, const char *to);
/* One more command that moves no mail, for JUNK_MAX. */
void session_junk(struct session *s);
/* Forgets the transaction: envelope, content, reservation. State becomes READY (or START). */
void session_reset(struct session *s);
/* Gives back the room that the transaction holds. */
void session_unreserve(struct session *s);
/* As after a fresh connection (RFC 3207 4.2). */
void session_forget(struct session *s);
/* Closes when what is queued is written. */
void session_close(struct session *s, const char *why);
/* 421 ENHANCED text, and closes. */
void session_hang_up(struct session *s, const char *enhanced, const char *text);
/* Goes on after a completion; the session may be gone afterwards. */
void session_resume(struct session *s);
bool session_secured(const struct session *s);
/* By a login or its address. Everybody on an open relay is trusted with mail, but is not known. */
bool session_known(const struct session *s);
int64_t session_now(const struct session *s);      /* monotonic */
int64_t session_patience(const struct session *s); /* idle-timeout, in microseconds */

/* ---- lines.c ------------------------------------------------------------ */

/* Reads one line, if it is here; false: nothing more can be done now. */
bool line_step(struct session *s);

/* ---- record.c ----------------------------------------------------------- */

/* What is said, for those who read the messages and look for what went wrong. All of them do
 * nothing when nobody does. */
void record_begin(struct session *s);
void record_command(struct session *s, struct span line); /* hides what is secret in it */
void record_content(struct session *s, uint64_t octets);
void record_reply(struct session *s, struct span lines); /* one, without its end, or more */
void record_note(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A refusal: it is told, and the session has failed if no message is accepted. */
void record_failure(struct session *s, int code, const char *enhanced, const char *text);
void record_over(struct session *s, const char *why); /* before its state says so */
/* The dialogue of the message that the writer is to get, with the reply that will follow. */
void record_give(struct session *s, struct bytes *dialogue);
void record_accepted(struct session *s); /* forgets what belonged to that message alone */
void record_free(struct session *s);     /* tells of a session that failed */

/* ---- play.c ------------------------------------------------------------- */

/* Where a fault may happen. */
struct fault_point {
	enum fault_stage stage;
	const struct address *sender, *recipient; /* NULL: those of the envelope */
	void (*again)(struct session *s);         /* what the stage does, once the delay is over */
	void (*refuse)(struct session *s, const struct refusal *refusal);
};
/* Does a fault happen instead of it, or before it? Then it is answered, or will be. */
bool play_fault(struct session *s, const struct fault_point *at);
/* Takes what is to be written, if it is to be written slowly. */
bool play_write(struct session *s, const void *data, size_t length);
bool play_is_writing(const struct session *s);
void play_line(struct session *s, struct bytes *line); /* takes the command that was delayed */
void play_free(struct session *s);

/* ---- verbs.c ------------------------------------------------------------ */

/* Runs one command line (without its line end). */
void verb_run(struct session *s, struct span line);
bool verb_is_known(struct span line);
void verb_again(struct session *s); /* the line that a fault has delayed */
void verb_refuse(struct session *s, const struct refusal *refusal);
bool span_has_controls(struct span text); /* C0 and DEL */
bool span_has_8bit(struct span text);

/* What this session may ask for: EHLO lists it, MAIL takes it. */
struct mail_rules verb_rules(const struct session *s);

/* ---- accept.c ------------------------------------------------------ */

void verb_mail(struct session *s, struct span argument);
void verb_rcpt(struct session *s, struct span argument);
void verb_data(struct session *s, struct span argument);

extern const struct refusal refusal_too_big, refusal_no_room; /* at MAIL, and of the content */

/* ---- bdat.c --------------------------------------------------------------- */

/* A line that begins with "BDAT"; `line` is what follows these four letters. */
void verb_bdat(struct session *s, struct span line);

/* ---- parameters.c ------------------------------------------------------- */

struct span span_trim(struct span text); /* no spaces at either end */
/* The next word, up to a space; *rest goes on behind it. Empty: no more. */
struct span span_word(struct span *rest);

struct parameter {
	struct span keyword, value;
	bool has_value;
};

struct mail_parameters {
	uint64_t size; /* 0: not said */
	enum envelope_body body;
	bool smtputf8;
	enum envelope_ret ret;
	struct span envid; /* empty: none */
	struct envelope_terms terms;
};
/* What this session may use of what MAIL can carry. */
struct mail_rules {
	bool require_tls;    /* REQUIRETLS is known (RFC 8689): the session is inside TLS */
	bool auth;           /* AUTH= is known (RFC 4954 5) */
	int64_t hold_max_us; /* HOLDFOR= and HOLDUNTIL= are known up to so much (RFC 4865) */
	int64_t now_us;      /* wall clock */
};
/* ESMTP parameters of MAIL. 0, or -1 with the reply. */
int mail_parameters_parse(struct mail_parameters *p_r, struct span text,
                          const struct mail_rules *rules, struct refusal *refusal_r);

struct rcpt_parameters {
	unsigned notify;   /* enum notify bits */
	struct span orcpt; /* empty: none */
};
/* Of RCPT; utf8: MAIL said SMTPUTF8. */
int rcpt_parameters_parse(struct rcpt_parameters *p_r, struct span text, bool utf8,
                          struct refusal *refusal_r);

/* ---- terms.c -------------------------------------------------------------- */

/* Parameters of MAIL that become envelope_terms, as the others in parameters.c. */
int take_priority(struct mail_parameters *p, const struct parameter *one,
                  const struct mail_rules *rules, struct refusal *no);
int take_require_tls(struct mail_parameters *p, const struct parameter *one,
                     const struct mail_rules *rules, struct refusal *no);
int take_hold_for(struct mail_parameters *p, const struct parameter *one,
                  const struct mail_rules *rules, struct refusal *no);
int take_by(struct mail_parameters *p, const struct parameter *one, const struct mail_rules *rules,
            struct refusal *no);
int take_hold_until(struct mail_parameters *p, const struct parameter *one,
                    const struct mail_rules *rules, struct refusal *no);

/* ---- data.c --------------------------------------------------------------- */

/* Begins the content of the transaction. */
void data_start(struct session *s);
/* Decodes what has come; false: nothing more can be done now. */
bool data_step(struct session *s);
/* The octets of a chunk follow. refusal: what is to be said behind them, for the command was wrong;
 * NULL: they are content. */
void bdat_start(struct session *s, uint64_t size, bool last, const struct refusal *refusal);
/* As data_step(), for a chunk. */
bool bdat_step(struct session *s);
/* Monotonic time at which the content has to be here, by min-data-rate. */
int64_t data_deadline(const struct session *s);
/* A request is with the writer: the session must stay until it is back. */
bool data_outstanding(const struct data *data);
/* Gives up content that is not accepted. Nothing is outstanding. */
void data_free(struct session *s);

/* ---- auth.c --------------------------------------------------------------- */

void verb_auth(struct session *s, struct span argument);
void auth_offer(const struct session *s, struct bytes *out); /* the line of EHLO, or nothing */
/* One line of the dialogue. */
void auth_line(struct session *s, struct span line);
/* Gives up the attempt, with its secrets. Its check is not outstanding. */
void auth_forget(struct session *s);
/* A check is with the helper: the session must stay until it is back. */
bool auth_outstanding(const struct login_attempt *attempt);

/* ---- mechanisms.c ------------------------------------------------------------ */

/* The last three with auth = any alone. */
enum mechanism {
	MECHANISM_PLAIN,
	MECHANISM_LOGIN,
	MECHANISM_CRAM_MD5,
	MECHANISM_XOAUTH2,
	MECHANISM_OAUTHBEARER,
	MECHANISM_COUNT
};
void mechanism_challenge(const struct session *s, struct bytes *out); /* of CRAM-MD5, in base64 */
/* The name in the response of one of those; false: it is malformed. */
bool mechanism_name(enum mechanism mechanism, struct span response, struct span *name_r);

/* ---- login_cache.c ---------------------------------------------------------- */

/* Was this pair good a moment ago, by the table of that generation? cache NULL: no. */
bool login_cache_find(struct login_cache *cache, const char *name, const char *password,
                      uint64_t generation, int64_t now_us);
void login_cache_add(struct login_cache *cache, const char *name, const char *password,
                     uint64_t generation, int64_t now_us);

/* ---- submission.c ------------------------------------------------------------- */

/* May the session's login, if it has one, use that sender? */
bool submission_sender_allowed(const struct session *s, const struct address *sender);
/* The alias of a qualified address of this host, or NULL. */
const struct alias_settings *submission_alias(const struct session *s, const struct address *to);
/* Adds its targets, those that are recipients already left out; NOTIFY and ORCPT stay. */
void submission_add_targets(struct session *s, const struct alias_settings *alias,
                            const struct recipient *asked);
/* Has an alias made it a recipient already? */
bool submission_has(const struct session *s, const struct address *to);

/* Notes in the trace which fields the header is without and the listener adds. */
void submission_repair(const struct session *s, struct span header, struct trace *t);

/* ---- policy.c ------------------------------------------------------------- */

/* Whether a peer ("127.0.0.1", "unix:uid=0" ...) may relay without a login. */
bool policy_may_relay(const struct listener_settings *listener, const char *peer);
/* Loopback or a Unix socket: bare names are this host's. */
bool policy_is_local(const struct listener_settings *listener, const char *peer);
/* Whether a peer may speak the PROXY protocol. */
bool policy_may_proxy(const struct listener_settings *listener, const char *peer);
/* What is counted for a peer: its IPv4 address, the /64 of its IPv6 address, else its text. */
#define POLICY_KEY_MAX 64
struct span policy_client_key(const char *peer, unsigned char key[POLICY_KEY_MAX]);

/* ---- admission.c ---------------------------------------------------------- */

/* The first thing of a session: waits for the proxy's word, begins TLS, greets, or refuses. */
void admission_begin(struct session *s);
bool admission_proxy_step(struct session *s);
void admission_greet(struct session *s); /* 220 */
/* Ends a session that is not let in, and says so in the log. */
void admission_refuse(struct session *s, const char *why);
void admission_error(struct session *s); /* a 5yz reply, for max-errors-per-client */
/* Whether the client may begin one more message (rate-per-client); it is counted then. False with
 * the seconds after which it may. */
bool admission_message(struct session *s, int *wait_r);
/* Times out the sessions that have been silent for so long. */
void receive_relieve(struct receive *receive, int64_t idle_us);

/* ---- rates.c -------------------------------------------------------------- */

/* Buckets that leak, one for each key, in a table that never grows: of a full set the emptiest
 * bucket is forgotten. Times are monotonic microseconds. */
struct rates;
struct rates *rates_new(void);
void rates_free(struct rates **rates);
/* How long until one more of `count` in `period_us` fits; 0: now. */
int64_t rates_wait(struct rates *rates, struct span key, const struct rate *rate, int64_t now_us);
void rates_charge(struct rates *rates, struct span key, const struct rate *rate, int64_t now_us);

/* ---- clients.c ------------------------------------------------------------- */

/* Counts one more of that key and returns how many there are now; 0: its set is full and it is not
 * counted. */
size_t clients_enter(struct clients *clients, struct span key, struct client_count *count_r);
/* The same for a listener's total, which is no client of clients_distinct(). */
size_t clients_enter_total(struct clients *clients, struct span key, struct client_count *count_r);
size_t clients_distinct(const struct clients *clients); /* clients that have a connection */
struct rates *clients_rates(struct clients *clients);
/* One more message is received, or one less. */
void clients_content_begin(struct clients *clients);
void clients_content_end(struct clients *clients);
/* Octets of CONTENT_BUDGET for each of them, from `least` to `most`. */
size_t clients_content_share(const struct clients *clients, size_t least, size_t most);
void clients_leave(struct clients *clients, struct client_count *count);

#endif
