/* SPDX-License-Identifier: ISC */
/* transport.h - one outbound connection to a provider and the transactions on it.
 *
 * Lives on a worker. Knows SMTP, not queues: it is handed transactions, one or more ahead,
 * and gives each back once, with a reply for every recipient. It never decides what a reply
 * means. Bodies come through struct source, so that neither spool nor relay is known here.
 */
#ifndef TRANSPORT_TRANSPORT_H
#define TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "mail/envelope.h"
#include "mail/reply.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/stream.h"

/* Where the octets of a message come from: trace fields first, then the content; clean CRLF lines.
 */
struct source {
	/* Appends at most max octets to out; nothing appended means the end. 0, or -1 when the
	 * message is gone. */
	int (*read)(struct source *source, struct bytes *out, size_t max);
	void (*free)(struct source *source);
	uint64_t length; /* octets that all reads give together (BDAT says them beforehand) */
};

struct recipient_result {
	struct reply reply; /* RCPT's when it was refused, else the message's */
	bool at_rcpt;       /* the reply was to RCPT */
};

enum transaction_end {
	TRANSACTION_REPLIED, /* every result holds a reply of the peer, or ours (local) when the
	                        peer's EHLO lacks what the message needs: then mail_written_us is 0
	                      */
	TRANSACTION_UNSENT,  /* the connection ended before the last body octet was handed over: not
	                        sent */
	TRANSACTION_INDETERMINATE, /* handed over in full, and no reply: it may have been sent */
};

/* Made by the owner, lent to the connection from connection_submit() to done(). */
struct transaction {
	uint32_t slot; /* the owner's number */
	uint64_t id;   /* of the message, for the log */
	struct address sender;
	enum envelope_body body;
	bool smtputf8;
	enum envelope_ret ret;
	char *envid;
	struct envelope_terms terms;
	int64_t by_left_s; /* until terms.by_us, when it was handed over */
	uint64_t size;     /* octets, for SIZE= (an estimate is allowed, RFC 1870 5) */
	struct recipient *recipients;
	size_t count;
	struct source *source;
	int64_t depart_us; /* monotonic: MAIL is not written before */
	size_t depth;      /* most in flight, it included, when MAIL is written; 0: `pipeline` */

	enum transaction_end end;
	int64_t mail_written_us;          /* monotonic; 0: MAIL was never written */
	struct recipient_result *results; /* count of them */
	struct reply reply;               /* the last word on the message, or why it ended */
	bool behind; /* not replied, and another was in flight before it: that one may be why */

	struct transaction *next; /* the connection's */
};
void transaction_free(struct transaction **t); /* with its source */

/* What the peer allows, from its EHLO (after TLS). */
struct peer_facts {
	bool pipelining, eight_bit_mime, smtputf8, dsn, chunking, enhanced_codes, size;
	bool mt_priority, deliver_by, require_tls;
	uint64_t size_max;                     /* 0: none said */
	uint64_t recipients_max, messages_max; /* RFC 9422 LIMITS; 0: none said */
	bool tls;
	bool tls_verified; /* and the certificate was checked */
};

enum connection_stage {
	STAGE_RESOLVE,
	STAGE_CONNECT,
	STAGE_GREETING,
	STAGE_TLS,
	STAGE_LOGIN,
	STAGE_READY
}; /* how far it got, for the verdict */

struct connection_events {
	void (*ready)(void *context, const struct peer_facts *facts);
	/* The transaction is the owner's again. The connection takes the next one unless closed()
	 * follows. */
	void (*done)(void *context, struct transaction *t);
	/* The end, after every transaction it held was given back; why->local for our own words. An
	 * ordinary end (idle, age, asked for, 421 or close while idle) has why->code 0 or 421. The
	 * owner calls connection_free(). */
	void (*closed)(void *context, enum connection_stage stage, const struct reply *why);
};

/* Where passwords and tokens come from, for a connection that is about to log in. */
struct secret_source {
	/* Calls done() later, on this thread, with the secret (valid during the call) and its
	 * number, or with NULL and the reason. Until then the query may be cancelled. */
	void *(*ask)(void *context, const struct provider_settings *provider,
	             void (*done)(void *asker, const char *secret, unsigned number,
	                          const char *error),
	             void *asker);
	void (*cancel)(void *context, void *query);
	/* The provider refused the secret of that number. */
	void (*refused)(void *context, const struct provider_settings *provider, unsigned number);
	void *context;
};

/* What all connections of a worker share. */
struct transport {
	struct loop *loop;
	struct resolver *resolver;           /* NULL in dialogue tests */
	const char *hostname;                /* for EHLO */
	const struct secret_source *secrets; /* NULL: the password of the settings */
};

struct connection;

/* Opens; `tls` is the provider's context (NULL when TLS is never used). The provider settings must
 * outlive it. */
struct connection *connection_new(const struct transport *transport,
                                  const struct provider_settings *provider, struct tls_context *tls,
                                  uint64_t number, const struct connection_events *events,
                                  void *context);
/* The same over a stream that is connected already (dialogue tests, fuzzing). */
struct connection *connection_new_on(const struct transport *transport, struct stream *stream,
                                     const struct provider_settings *provider,
                                     struct tls_context *tls, uint64_t number,
                                     const struct connection_events *events, void *context);
/* Queues a transaction behind those in flight. Only when ready. done() never comes from inside;
 * when the connection is about to end it comes soon, with UNSENT. */
void connection_submit(struct connection *c, struct transaction *t);
/* Ends after what is in flight: QUIT, then closed(), never from inside. What is queued and not
 * begun comes back UNSENT at once. */
void connection_finish(struct connection *c);
/* At once; transactions still held are given back through done() first. */
void connection_free(struct connection **c);

#endif
