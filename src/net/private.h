/* SPDX-License-Identifier: ISC */
/* private.h - what the files of net/ know of each other.
 *
 * A turn of the loop: events of descriptors (reading), due timers, streams that have
 * something due, the hooks of loop_on_turn(), then all output that was gathered, then the
 * memory of what was freed. Callbacks run in these phases only.
 */
#ifndef NET_PRIVATE_H
#define NET_PRIVATE_H

#include <event2/event_struct.h>

#include "base/list.h"
#include "net/loop.h"
#include "net/stream.h"

/* A queue of octets that owns no memory while it is empty. */
struct flow {
	unsigned char *data;
	size_t start, length, capacity;
};

void flow_append(struct flow *f, const void *data, size_t length);
/* The same for what a peer sent, which may be half of a password: no other copy is left, neither
 * in `data` nor where the flow's octets lay before. */
void flow_take(struct flow *f, void *data, size_t length);
void flow_consume(struct flow *f, size_t length);
void flow_release(struct flow *f);
void flow_forget(struct flow *f); /* overwrites, then releases */
struct span flow_span(const struct flow *f);

/* TLS yields at most what came in, and one record whose first part came before. */
#define LOOP_PLAIN_SIZE (STREAM_READ_SIZE + 2 * 16384)

struct loop {
	const struct clock *clock;
	struct clock_set *set;   /* NULL: the kernel's time and descriptors */
	struct event_base *base; /* NULL with a set clock */
	struct heap timers;
	struct event *alarm; /* wakes for the first timer ... */
	int64_t alarm_at;    /* ... or before it: it is moved only when it would be late */
	int64_t now;
	bool now_known; /* false from falling asleep to the first question */
	bool stopping;
	unsigned long turns;
	struct list channels, hooks;
	struct list flush;    /* streams with output */
	struct list ready;    /* streams with something due */
	struct list closing;  /* streams without an owner, writing their last output */
	struct list graves;   /* freed streams whose memory the stack may still hold */
	unsigned char *raw;   /* STREAM_READ_SIZE: what recv() fills, lent to readable() */
	unsigned char *plain; /* LOOP_PLAIN_SIZE: the same, decrypted */
	bool lent;            /* readable() is looking at one of them */
};

/* What a stream has to tell its owner, in the order of telling. */
enum stream_due {
	DUE_CONNECTED = 1,
	DUE_SECURED = 2,
	DUE_READABLE = 4, /* of input that is left */
	DUE_ARRIVED = 8,  /* the other end of a pair sent something, or ended */
	DUE_DRAINED = 16,
	DUE_CLOSED = 32,
	DUE_EARLY = 64, /* the beginning of a handshake is here already */
};

/* The other end of a pair and what it sent. */
struct pair {
	struct stream *other; /* NULL: gone */
	struct flow arrived;
	size_t limit;
	bool ended; /* the other end sends no more */
};

struct secure; /* TLS of one stream: secure.c */

struct stream {
	struct loop *loop;
	const struct stream_events *events;
	void *context;
	struct list flush_link, ready_link, life_link;
	struct event read_event;
	struct event *write_event; /* NULL while send() never blocked */
	struct timer *deadline;    /* NULL unless closing */
	struct pair *pair;         /* NULL: a socket */
	struct secure *secure;     /* NULL: plain */
	struct span lent;          /* input in the loop's memory, during readable() */
	struct flow input;         /* input that was left */
	struct flow output;        /* as the owner wrote it */
	struct flow wire;          /* TLS: as the peer gets it */
	char *failure;             /* why, for closed() */
	uint64_t sent;
	size_t read_size; /* of one recv() */
	int fd;
	unsigned char due;
	bool reading; /* the read event is armed */
	bool blocked; /* the write event is armed */
	bool connecting;
	bool paused;
	bool high;     /* output was above STREAM_OUTPUT_LOW */
	bool broken;   /* writing failed; what arrived before is still read */
	bool over;     /* closed() is due or was told */
	bool closing;  /* no owner any more */
	bool dropping; /* closing: the peer was still sending */
	bool ended;    /* closing: the peer has ended */
	bool shut;     /* closing: our side has ended */
	bool dead;     /* freed */
	char peer[48];
	char port[8];
};

/* stream.c and output.c, for the loop */
void stream_flush_turn(struct stream *s);
void stream_read_turn(struct stream *s);
void stream_tell(struct stream *s);
void stream_bury(struct stream *s); /* closes, frees all but the struct, into the graves */

/* stream.c */
extern const struct stream_events stream_no_events;
size_t stream_input_length(const struct stream *s);
/* Neither reads nor writes any more, and says so to the owner. */
void stream_end(struct stream *s);
void stream_set_due(struct stream *s, enum stream_due due);
void stream_fail(struct stream *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void stream_ended(struct stream *s);                              /* the peer sends no more */
void stream_deliver(struct stream *s, void *data, size_t length); /* may overwrite it */
void stream_arm(struct stream *s); /* reads again if nothing is in the way */
void stream_connected(struct stream *s);

/* output.c */
void stream_want_flush(struct stream *s);

/* wire.c: the socket or the pair; as recv() and send() */
ssize_t wire_receive(struct stream *s, void *data, size_t size);
ssize_t wire_send(struct stream *s, const void *data, size_t length);
void wire_shut(struct stream *s);
void wire_close(struct stream *s);
void wire_arm_read(struct stream *s, bool armed);
void wire_arm_write(struct stream *s, bool armed);
void wire_name_peer(struct stream *s, const struct sockaddr *address, socklen_t length);
void wire_connect(struct stream *s, const struct sockaddr *address, socklen_t length);

/* secure.c */
void secure_begin(struct stream *s);                                 /* the client's first flight */
void secure_take(struct stream *s, const void *data, size_t length); /* from the wire */
void secure_take_early(struct stream *s);                            /* what was there before */
void secure_fill(struct stream *s, size_t wire_max);                 /* encrypts output */
void secure_end(struct stream *s);                                   /* close_notify */
bool secure_done(const struct stream *s);
void secure_free(struct secure **sp);

#endif
