/* SPDX-License-Identifier: ISC */
/* trace.h - the facts of a message's arrival and the Received field made of them
 * (RFC 5321 4.4). The field is stored as facts and written when the message is read,
 * because its id is only known at the commit. */
#ifndef MAIL_TRACE_H
#define MAIL_TRACE_H

#include <stdint.h>

#include "base/bytes.h"

struct trace {
	char *helo;      /* what the client called itself */
	char *client;    /* "127.0.0.1", "::1", "unix:uid=1000" */
	char *by;        /* our hostname */
	char *with;      /* RFC 3848: "SMTP", "ESMTP", "ESMTPS", "ESMTPSA", "HTTP" ... */
	char *tls;       /* "TLSv1.3 TLS_AES_256_GCM_SHA384", or NULL */
	char *recipient; /* only when there is exactly one (RFC 5321 4.4), else NULL */
	int8_t priority; /* RFC 6710 7: said unless it is 0 */
	int64_t time_us; /* wall clock */
};

void trace_release(struct trace *t);
/* Appends the whole folded field with CRLF. Client-given text is made safe for a header. */
void trace_format_received(const struct trace *t, uint64_t id, struct bytes *out);
/* Counts Received fields in a header section (RFC 5321 6.3 loop detection). */
#define TRACE_HOPS_MAX 100 /* RFC 5321 6.3 */
unsigned trace_count_hops(struct span message);

#endif
