/* SPDX-License-Identifier: ISC */
/* dsn.h - the text of a delivery report (RFC 3461, 3464, 6522, 3834). Pure: facts in, text out. */
#ifndef RELAY_DSN_H
#define RELAY_DSN_H

#include "relay/relay.h"

struct dsn {
	const char *hostname;
	const char *from;         /* of the header, not of the envelope */
	const struct address *to; /* the failed message's reverse-path */
	const char *envid;        /* in xtext; NULL: none */
	struct envelope_terms terms;
	uint64_t id; /* the failed delivery */
	uint32_t n;
	int64_t arrived_us, now_us; /* wall clock */
	const struct bounce_failure *failures;
	size_t count;
	struct span original; /* its header section, or all of it */
	bool full;            /* it is all of it */
};

/* Appends the whole message: 7-bit, CRLF, no line over 998 octets. */
void dsn_format(const struct dsn *dsn, struct bytes *out);
/* Whether a message may be returned whole in 7-bit: no 8-bit octets, NUL or long lines. */
bool dsn_is_plain(struct span content);

#endif
