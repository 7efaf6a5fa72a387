/* SPDX-License-Identifier: ISC */
/* net_peer.h - an owner of a stream that remembers what it was told; for tests. */
#ifndef TESTS_NET_PEER_H
#define TESTS_NET_PEER_H

#include "net/stream.h"

enum peer_event {
	PEER_CONNECTED,
	PEER_READABLE,
	PEER_DRAINED,
	PEER_SECURED,
	PEER_CLOSED,
	PEER_EVENTS
};

struct peer {
	struct stream *stream;
	struct bytes received;
	struct bytes error;
	unsigned told[PEER_EVENTS];
	bool keeps;       /* does not consume what arrives */
	bool echoes;      /* writes back what arrives */
	unsigned free_at; /* bits of events in which the stream is freed */
};

extern const struct stream_events peer_events;

void peer_init(struct peer *p, struct stream *s);
void peer_release(struct peer *p);
/* Turns of a real loop until the condition holds; fails the test after a great many. */
#define peer_wait(loop, condition)                            \
	do {                                                  \
		for (long turn_ = 0; !(condition); turn_++) { \
			assert_true(turn_ < 1000000);         \
			loop_turn(loop, true);                \
		}                                             \
	} while (0)

#endif
