/* SPDX-License-Identifier: ISC */
/* dot_reference.h - the content of DATA decoded in the plainest way, to compare with. */
#ifndef TESTS_DOT_REFERENCE_H
#define TESTS_DOT_REFERENCE_H

#include "base/bytes.h"

/* Appends the content of `wire` up to its first <CRLF>.<CRLF>; *used_r is what comes before the
 * next command. false: there is no end. */
bool dot_reference(struct span wire, size_t *used_r, bool *bare_r, struct bytes *out);

#endif
