/* SPDX-License-Identifier: ISC */
/* mime_text.h - a message in memory as a source, for the tests of mime/. */
#ifndef MIME_TEXT_H
#define MIME_TEXT_H

#include "mime/mime.h"

/* Written with "\n"; read with CRLF. */
struct mime_text {
	struct bytes octets;
	struct mime_source source;
};
void mime_text_init(struct mime_text *m, const char *text);
void mime_text_release(struct mime_text *m);

/* "1 text/plain text 7bit 12 name;..." of all parts, or "(why)". */
void mime_text_outline(const struct mime_index *index, struct bytes *out);

#endif
