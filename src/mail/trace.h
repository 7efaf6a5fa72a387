/* SPDX-License-Identifier: ISC */
/* trace.h - the facts of a message's arrival and the Received field made of them
 * (RFC 5321 4.4). The field is stored as facts and written when the message is read,
 * because its id is only known at the commit. */
#ifndef MAIL_TRACE_H
#define MAIL_TRACE_H

#include <stdint.h>

#include "base/bytes.h"

/* Fields that the message came without and that are written for it (RFC 6409 8), bits. */
enum trace_added {
	TRACE_ADD_DATE = 1,
	TRACE_ADD_FROM = 2,
	TRACE_ADD_MESSAGE_ID = 4,
	TRACE_ADD_LINE = 8 /* an empty line: the content begins with text, not with a field */
};

struct trace {
	char *helo;      /* what the client called itself */
	char *client;    /* "127.0.0.1", "::1", "unix:uid=1000" */
	char *by;        /* our hostname */
	char *with;      /* RFC 3848: "SMTP", "ESMTP", "ESMTPS", "ESMTPSA", "HTTP" ... */
	char *tls;       /* "TLSv1.3 TLS_AES_256_GCM_SHA384", or NULL */
	char *recipient; /* only when there is exactly one (RFC 5321 4.4), else NULL */
	int8_t priority; /* RFC 6710 7: said unless it is 0 */
	int64_t time_us; /* wall clock */
	unsigned added;  /* enum trace_added bits */
	char *from;      /* with TRACE_ADD_FROM: the mailbox */
};

void trace_release(struct trace *t);
/* Appends the whole folded field with CRLF. Client-given text is made safe for a header. */
void trace_format_received(const struct trace *t, uint64_t id, struct bytes *out);
/* What stands before the content when the message is read: the Received field, and the fields that
 * are added. Their bytes are the same each time; the content's are as they came. */
void trace_format(const struct trace *t, uint64_t id, struct bytes *out);
/* Of these the added fields alone, without an empty line that ends them. */
void trace_format_added(const struct trace *t, uint64_t id, struct bytes *out);
/* Counts Received fields in a header section (RFC 5321 6.3 loop detection). */
#define TRACE_HOPS_MAX 100 /* RFC 5321 6.3 */
unsigned trace_count_hops(struct span message);

#endif
