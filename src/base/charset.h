/* SPDX-License-Identifier: ISC */
/* charset.h - text in the charsets that mail is written in, as UTF-8. */
#ifndef BASE_CHARSET_H
#define BASE_CHARSET_H

#include "base/bytes.h"

struct charset;

/* A converter from the charset of that name (in any case) to UTF-8. An unknown name, or none, reads
 * UTF-8 and takes octets that are not for windows-1252, as old programs meant them. Never NULL. */
struct charset *charset_new(struct span name);
/* Appends what the octets mean; they may come in any pieces. What means nothing becomes U+FFFD. */
void charset_feed(struct charset *c, struct span text, struct bytes *out);
/* The text ends here: what is incomplete becomes U+FFFD. */
void charset_end(struct charset *c, struct bytes *out);
void charset_free(struct charset **charset);

/* All at once. -1: the charset is not known, nothing is appended. */
int charset_decode(struct span name, struct span text, struct bytes *out);

#endif
