/* SPDX-License-Identifier: ISC */
/* header.h - reading the header section of a message (RFC 5322 2.2), without MIME.
 *
 * Works on a prefix of the message of bounded length; tolerant of what it cannot parse.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/bytes.h"

/* Postfix's header_size_limit is 102400; ours bounds what a summary or a bounce reads. */
#define HEADER_MAX (128 * 1024) /* octets */

struct header_field {
	struct span name;  /* as written, without the colon */
	struct span value; /* raw, may hold folds, without the last line end */
	struct span whole; /* name, colon, value and line end */
};

struct header_reader {
	struct span rest;
};

struct header_reader header_reader(struct span message);
/* false at the end of the header section. Lines that are no field are skipped. */
bool header_next(struct header_reader *r, struct header_field *field_r);
/* Octets of the header section with the empty line that ends it; all of message when there is none.
 */
size_t header_length(struct span message);
/* The first field of that name: true and its raw value. */
bool header_find(struct span message, const char *name, struct span *value_r);
/* Unfolds and trims into text. */
void header_unfold(struct span value, struct bytes *out);
/* Decodes RFC 2047 words (those in charsets that nobody knows stay as written); invalid UTF-8
 * becomes U+FFFD; for display. */
void header_decode(struct span value, struct bytes *out);
/* Calls found() for each addr-spec in an address list (RFC 5322 3.4: names, comments, groups
 * tolerated), and for a lone word without '@'. name is decoded text, "" when absent; neither
 * holds controls, but whether address is one is for address_parse() to say. Linear in time. */
void header_addresses(struct span value,
                      void (*found)(void *context, const char *name, const char *address),
                      void *context);

#endif
