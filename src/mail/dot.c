/* SPDX-License-Identifier: ISC */
/* dot.c - the content of DATA, decoded and encoded, split anywhere.
 *
 * One rule in, in this order: the first <CRLF>.<CRLF> ends the data (the CRLF of the DATA command
 * counts as the first); a dot that follows a CRLF is dropped; then each CR without LF and LF
 * without CR becomes CRLF. What follows a bare line end is therefore never a line start: its dot is
 * content, and it is stuffed again on the way out, as the clean content has it at a line's start.
 *
 *   decoder    '.'           CR            LF                     other
 *   START      drop, DOT     TEXT's        TEXT's                 TEXT's
 *   TEXT       keep          hold, CR      bare, TEXT             keep
 *   CR         bare, TEXT's  bare, hold    CRLF, START            bare, TEXT's
 *   DOT        TEXT's        drop, DOT_CR  TEXT's                 TEXT's
 *   DOT_CR     bare, TEXT's  bare, hold    the end: DONE          bare, TEXT's
 *
 * ("bare": CRLF is written for it and seen_bare set. "TEXT's": as in that row.) Both
 * modes decode alike; in REJECT mode the session refuses after the end, when seen_bare is set.
 *
 * The encoder also makes a CRLF of every bare CR or LF, so that none leaves whatever was stored.
 */
#include "mail/dot.h"

#include <string.h>

enum state { START, TEXT, CR, DOT, DOT_CR, DONE };

/* Clean lines are looked at, not copied one by one: they gather between `run` and `at`. */
struct cursor {
	const unsigned char *run;
	const unsigned char *at;
	const unsigned char *end;
	const unsigned char *lf; /* the first LF not before `at`, or end; NULL: to be sought */
	struct bytes *out;
};

enum line_end { LINE_NONE, LINE_CRLF, LINE_BARE, LINE_CUT };

/* Copies the run, and starts the next one `skip` octets further on. */
static void flush(struct cursor *c, size_t skip)
{
	bytes_append(c->out, c->run, (size_t)(c->at - c->run));
	c->at += skip;
	c->run = c->at;
}

static void write_line_end(struct cursor *c)
{
	bytes_append(c->out, "\r\n", 2);
}

/* Moves `at` to the next line end, or to `end` (NONE); CUT is a CR whose successor is not here
 * yet. The LF is remembered, so that many bare CRs before a far LF stay linear. */
static enum line_end find_line_end(struct cursor *c)
{
	const unsigned char *cr;

	if (c->lf == NULL || c->lf < c->at) {
		c->lf = memchr(c->at, '\n', (size_t)(c->end - c->at));
		if (c->lf == NULL)
			c->lf = c->end;
	}
	/* In clean mail the CR is right before the LF, but a bare one may come earlier. */
	cr = memchr(c->at, '\r', (size_t)(c->lf - c->at));
	if (cr == NULL) {
		c->at = c->lf;
		return c->lf == c->end ? LINE_NONE : LINE_BARE;
	}
	c->at = cr;
	if (cr + 1 == c->end)
		return LINE_CUT;
	return cr[1] == '\n' ? LINE_CRLF : LINE_BARE;
}

/* Reads from the middle of a line up to a dot at the start of one, or as far as it goes. */
static enum state decode_text(struct dot_decoder *d, struct cursor *c)
{
	for (;;) {
		switch (find_line_end(c)) {
		case LINE_NONE:
			return TEXT;
		case LINE_CUT:
			flush(c, 1);
			return CR;
		case LINE_BARE:
			d->seen_bare = true;
			flush(c, 1);
			write_line_end(c);
			break;
		case LINE_CRLF:
			c->at += 2;
			if (c->at == c->end || *c->at == '.')
				return START;
			break;
		}
	}
}

static enum state decode_start(struct dot_decoder *d, struct cursor *c)
{
	if (*c->at != '.')
		return decode_text(d, c);
	flush(c, 1);
	return DOT;
}

static enum state decode_after_dot(struct dot_decoder *d, struct cursor *c)
{
	if (*c->at != '\r')
		return decode_text(d, c);
	flush(c, 1);
	return DOT_CR;
}

/* A CR was held: is it half of a CRLF (which leads to `next`) or bare? */
static enum state decode_after_cr(struct dot_decoder *d, struct cursor *c, enum state next)
{
	bool whole = *c->at == '\n';

	if (next != DONE || !whole)
		write_line_end(c);
	if (whole) {
		flush(c, 1);
		return next;
	}
	d->seen_bare = true;
	return decode_text(d, c);
}

static enum state decode_step(struct dot_decoder *d, struct cursor *c)
{
	switch ((enum state)d->state) {
	case START:
		return decode_start(d, c);
	case TEXT:
		return decode_text(d, c);
	case CR:
		return decode_after_cr(d, c, START);
	case DOT:
		return decode_after_dot(d, c);
	case DOT_CR:
		return decode_after_cr(d, c, DONE);
	case DONE:
		break;
	}
	return DONE;
}

/* Eight octets at a time; the second term has a high bit exactly when an octet is zero. */
static void look_for_odd_octets(struct dot_decoder *d, const unsigned char *at, size_t length)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
	uint64_t high = 0, zero = 0, word;

	for (; length >= sizeof(word); at += sizeof(word), length -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		high |= word;
		zero |= (word - ones) & ~word;
	}
	for (; length > 0; at++, length--) {
		high |= *at;
		zero |= *at == 0 ? highs : 0;
	}
	d->seen_8bit |= (high & highs) != 0;
	d->seen_nul |= (zero & highs) != 0;
}

void dot_decoder_init(struct dot_decoder *d, enum dot_bare bare)
{
	*d = (struct dot_decoder){ .bare = bare, .state = START };
}

bool dot_decode(struct dot_decoder *d, struct span in, size_t *used_r, struct bytes *out)
{
	struct cursor c = { .run = in.data, .at = in.data, .out = out };
	size_t before = out->length;

	*used_r = 0;
	if (in.length > 0 && d->state != DONE) {
		c.end = in.data + in.length;
		while (c.at < c.end && d->state != DONE)
			d->state = (uint8_t)decode_step(d, &c);
		flush(&c, 0);
		*used_r = (size_t)(c.at - in.data);
		look_for_odd_octets(d, in.data, *used_r);
		d->written += out->length - before;
	}
	return d->state == DONE;
}

/* START: the content so far ends a line; TEXT: it does not; CR: a CR is held. */
static enum state decode_counted(struct dot_decoder *d, struct cursor *c, enum state state)
{
	for (;;) {
		const unsigned char *from = c->at;
		enum line_end end = find_line_end(c);

		if (end == LINE_NONE)
			return c->at > from ? TEXT : state;
		if (end == LINE_CUT) {
			flush(c, 1);
			return CR;
		}
		if (end == LINE_CRLF) {
			c->at += 2;
		} else {
			d->seen_bare = true;
			flush(c, 1);
			write_line_end(c);
		}
		state = START;
	}
}

void dot_decode_counted(struct dot_decoder *d, struct span in, struct bytes *out)
{
	struct cursor c = { .run = in.data, .at = in.data, .out = out };
	size_t before = out->length;

	if (in.length == 0)
		return;
	c.end = in.data + in.length;
	if (d->state == CR) {
		write_line_end(&c);
		d->state = START;
		if (*c.at == '\n')
			flush(&c, 1);
		else
			d->seen_bare = true;
	}
	d->state = (uint8_t)decode_counted(d, &c, (enum state)d->state);
	flush(&c, 0);
	look_for_odd_octets(d, in.data, in.length);
	d->written += out->length - before;
}

void dot_decode_counted_end(struct dot_decoder *d, struct bytes *out)
{
	if (d->state != START) {
		bytes_append(out, "\r\n", 2);
		d->written += 2;
	}
	d->seen_bare |= d->state == CR;
	d->state = DONE;
}

void dot_encoder_init(struct dot_encoder *e)
{
	e->state = START;
}

static enum state encode_text(struct cursor *c)
{
	for (;;) {
		switch (find_line_end(c)) {
		case LINE_NONE:
			return TEXT;
		case LINE_CUT:
			flush(c, 1);
			return CR;
		case LINE_BARE:
			flush(c, 1);
			write_line_end(c);
			return START;
		case LINE_CRLF:
			c->at += 2;
			if (c->at == c->end || *c->at == '.')
				return START;
			break;
		}
	}
}

static enum state encode_start(struct cursor *c)
{
	if (*c->at == '.') {
		flush(c, 0);
		bytes_append_char(c->out, '.');
	}
	return encode_text(c);
}

static enum state encode_after_cr(struct cursor *c)
{
	write_line_end(c);
	if (*c->at == '\n')
		flush(c, 1);
	return START;
}

void dot_encode(struct dot_encoder *e, struct span content, struct bytes *out)
{
	struct cursor c = { .run = content.data, .at = content.data, .out = out };

	if (content.length == 0)
		return;
	c.end = content.data + content.length;
	while (c.at < c.end) {
		if (e->state == START)
			e->state = (uint8_t)encode_start(&c);
		else if (e->state == TEXT)
			e->state = (uint8_t)encode_text(&c);
		else
			e->state = (uint8_t)encode_after_cr(&c);
	}
	flush(&c, 0);
}

void dot_encode_end(struct dot_encoder *e, struct bytes *out)
{
	if (e->state != START)
		bytes_append(out, "\r\n", 2);
	bytes_append(out, ".\r\n", 3);
	e->state = START;
}
