/* SPDX-License-Identifier: ISC */
/* xtext.h - RFC 3461 section 4 encoding of ESMTP parameter values. */
#ifndef MAIL_XTEXT_H
#define MAIL_XTEXT_H

#include <stdbool.h>

#include "base/bytes.h"

bool xtext_is_valid(struct span text);
void xtext_encode(struct bytes *out, struct span text);
/* 0, or -1 and out as it was. What comes out may hold any octet, line ends and NUL too. */
int xtext_decode(struct bytes *out, struct span text);

#endif
