/* SPDX-License-Identifier: ISC */
/* dot.h - the content of DATA on the wire, in and out (RFC 5321 4.5.2).
 *
 * In: only <CRLF>.<CRLF> ends the data, whatever else the peer tries (SMTP
 * smuggling). What is stored is always clean: lines end with CRLF, no bare CR, no bare LF.
 * Out: a clean content gets its dots stuffed and its end.
 * Both work on any split of the input. The content of BDAT, which has no dots, is cleaned here too.
 */
#ifndef MAIL_DOT_H
#define MAIL_DOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum dot_bare { DOT_BARE_NORMALIZE, DOT_BARE_REJECT }; /* what happens to a bare CR or LF */

struct dot_decoder {
	enum dot_bare bare;
	uint8_t state;  /* private to dot.c */
	bool seen_bare; /* a bare CR or LF was met */
	bool seen_nul;  /* a NUL was met (kept: RFC 5321 does not forbid us, the session decides) */
	bool seen_8bit;
	uint64_t written; /* octets of content so far */
};

void dot_decoder_init(struct dot_decoder *d, enum dot_bare bare);
/* Decodes from `in`, appends content to `out`; *used_r is what was consumed. Returns true
 * when the end of data was reached (what follows in `in` is the next command).
 * In both modes a bare LF or CR becomes CRLF, and a line that is reached or ended by a bare line
 * end is content, never the end of data: "\n.\r\n" is stored as the line "." and stuffed
 * on its way out. Only a dot behind a CRLF is dropped ("\r\n.\n" is stored as an empty
 * line). In REJECT mode the session answers the end with a refusal when seen_bare is set.
 * `out` grows by at most twice the length of `in`, and 2. */
bool dot_decode(struct dot_decoder *d, struct span in, size_t *used_r, struct bytes *out);

/* The same for a piece of content that is counted, not ended by a dot (RFC 3030): dots are content,
 * bare CR and LF become CRLF, a CR at the end of a piece waits for the next. Takes all of it. */
void dot_decode_counted(struct dot_decoder *d, struct span in, struct bytes *out);
/* The last piece was it: a line without its end gets one, a CR that waits was bare. */
void dot_decode_counted_end(struct dot_decoder *d, struct bytes *out);

struct dot_encoder {
	uint8_t state;
};
void dot_encoder_init(struct dot_encoder *e);
/* Should content not be clean after all, its bare CR and LF leave as CRLF. */
void dot_encode(struct dot_encoder *e, struct span content, struct bytes *out);
/* The end: CRLF if the content did not end with one, then ".CRLF". */
void dot_encode_end(struct dot_encoder *e, struct bytes *out);

#endif
