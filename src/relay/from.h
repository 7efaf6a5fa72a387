/* SPDX-License-Identifier: ISC */
/* from.h - providers that take some senders only: whom they take, and how others are rewritten. */
#ifndef RELAY_FROM_H
#define RELAY_FROM_H

#include "config/settings.h"
#include "mail/address.h"
#include "mail/trace.h"

/* The addresses of all From fields, a line each, of a header section and of what is added to it;
 * "" when there are none. The caller frees it. */
char *from_addresses(struct span header, const struct trace *trace);

/* Whether a provider takes that reverse-path as it is; the null one always. */
bool from_takes_sender(const struct provider_settings *provider, const struct address *sender);
/* Whether it takes a From of those addresses as it is; NULL: not known, so it does. */
bool from_takes_header(const struct provider_settings *provider, const char *from);
/* Both, or else the mail can be rewritten for it. */
bool from_allows(const struct provider_settings *provider, const struct address *sender,
                 const char *from);

/* What stands before the body for this provider: our Received field, the added ones, and the header
 * section with its From rewritten; who wrote it stands in Reply-To, unless that is there. */
void from_rewrite(const struct provider_settings *provider, const struct trace *trace, uint64_t id,
                  struct span header, struct bytes *out);

#endif
