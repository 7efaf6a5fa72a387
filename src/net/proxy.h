/* SPDX-License-Identifier: ISC */
/* proxy.h - the header of the PROXY protocol, versions 1 and 2 (haproxy's doc/proxy-protocol.txt).
 *
 * Pure: octets in, the client's address out. Who may send one is the caller's to decide.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "base/bytes.h"

#define PROXY_V1_MAX 107 /* octets, CRLF included: the protocol's own bound */
/* The least that every path carries in one segment; TLVs beyond it no listener here asks for. */
#define PROXY_V2_MAX 536 /* octets */

enum proxy_result { PROXY_PARTIAL, PROXY_DONE, PROXY_BAD };

struct proxy_header {
	size_t length;    /* octets of the header; what follows is the client's */
	bool local;       /* the proxy speaks for itself (a health check) */
	char address[48]; /* as stream_peer() writes them; "unknown": the proxy did not say */
	char port[8];     /* "": not known */
};

/* PROXY_PARTIAL: more has to come. PROXY_BAD: this is no header, *error_r says why (constant). */
enum proxy_result proxy_parse(struct proxy_header *header_r, struct span input,
                              const char **error_r);

#endif
