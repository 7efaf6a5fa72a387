/* SPDX-License-Identifier: ISC */
/* utf8.h - which octets are UTF-8 (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* The length of the character that text starts with, and the character in *code_r (may be
 * NULL); 0 when text is empty or does not start with one. */
size_t utf8_next(struct span text, uint32_t *code_r);
bool utf8_is_valid(struct span text);
bool utf8_is_ascii(struct span text); /* no octet above 127 */
/* Appends the character; U+FFFD for what is none. */
void utf8_append(struct bytes *out, uint32_t code);

#endif
