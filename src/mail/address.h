/* SPDX-License-Identifier: ISC */
/* address.h - a mailbox as the envelope carries it (RFC 5321 4.1.2).
 *
 * The text is kept byte for byte as it was given (the local-part's case matters),
 * without the angle brackets and without a source route (RFC 5321 C: ignored).
 * The null reverse-path is the empty text.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

#define ADDRESS_LOCAL_MAX  64  /* octets, RFC 5321 4.5.3.1.1 */
#define ADDRESS_DOMAIN_MAX 255 /* octets, RFC 5321 4.5.3.1.2 */
#define ADDRESS_PATH_MAX \
	256 /* octets with the brackets, RFC 5321 4.5.3.1.3; source route not counted */

struct address {
	char *text;          /* "local@domain", "local" when unqualified, "" for <> */
	size_t local_length; /* octets before the '@' */
};

enum address_flags {
	ADDRESS_NULL = 1,        /* <> is allowed (reverse-path) */
	ADDRESS_UNQUALIFIED = 2, /* no "@domain" is allowed (postmaster always is) */
	ADDRESS_UTF8 = 4,        /* RFC 6531: valid UTF-8 is allowed */
};

/* Parses a path "<...>" at the start of `text`; *used_r is its length with brackets.
 * Returns 0, or -1 with *error_r a constant text that says what is wrong. */
int address_parse_path(struct address *addr_r, struct span text, unsigned flags, size_t *used_r,
                       const char **error_r);
/* The same for a bare "local@domain" (command line, configuration); all of text. */
int address_parse(struct address *addr_r, struct span text, unsigned flags, const char **error_r);
void address_release(struct address *addr);
void address_copy(struct address *to, const struct address *from); /* overwrites `to` */
/* Appends "@domain" to an unqualified address. */
void address_qualify(struct address *addr, const char *domain);

bool address_is_null(const struct address *addr);
bool address_is_utf8(const struct address *addr); /* has an octet above 127 */
struct span address_local(const struct address *addr);
struct span address_domain(const struct address *addr); /* empty when unqualified */

/* Shell-like patterns of the configuration: "*@example.com", "*", "root"; '*' matches any
 * run, the domain is compared without case, the local-part too. Without an '@' or '*' only the
 * unqualified address matches. */
bool address_matches(const struct address *addr, const char *pattern);

bool domain_is_valid(struct span domain); /* name or address literal, ASCII */

#endif
