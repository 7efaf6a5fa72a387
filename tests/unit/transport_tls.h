/* SPDX-License-Identifier: ISC */
/* transport_tls.h - certificates for the peer of a stage: good ones and bad ones. */
#ifndef TRANSPORT_TLS_H
#define TRANSPORT_TLS_H

#include "transport_stage.h"

enum certificate_kind { CERTIFICATE_GOOD, CERTIFICATE_UNKNOWN, CERTIFICATE_EXPIRED };

/* The peer gets a certificate for smarthost.test, the client trusts it (unless UNKNOWN). */
void stage_tls(struct stage *s, enum tls_trust trust, enum certificate_kind kind);
/* The peer says so in clear, then begins its side of the handshake. */
void secures(struct stage *s, const char *text);

#endif
