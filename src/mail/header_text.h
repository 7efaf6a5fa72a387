/* SPDX-License-Identifier: ISC */
/* header_text.h - encoded words (RFC 2047), for the files that read header text. */
#ifndef MAIL_HEADER_TEXT_H
#define MAIL_HEADER_TEXT_H

#include "base/bytes.h"

/* The length of the encoded word that text starts with, 0 when it starts with none. */
size_t header_word_length(struct span text);

#endif
