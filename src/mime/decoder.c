/* SPDX-License-Identifier: ISC */
/* decoder.c - content transfer encodings (RFC 2045 6), as they come in pieces.
 *
 * Tolerant: what is none of the encoding is passed over (base64, uuencode) or stays as it is
 * (quoted-printable). Output is never longer than input.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mime/private.h"

#define UU_LINE_MAX 128 /* octets; an honest line has 61 */

struct mime_decoder {
	enum mime_encoding encoding;
	uint32_t bits; /* base64: what is not yet three octets */
	unsigned digits;
	unsigned char held[4]; /* quoted-printable: from '=' on */
	size_t held_length;
	unsigned char line[UU_LINE_MAX]; /* uuencode */
	size_t line_length;
	bool begun, ended;
};

struct mime_decoder *mime_decoder_new(const struct mime_part *part)
{
	struct mime_decoder *d = memory_new(sizeof(*d));

	d->encoding = part->encoding;
	return d;
}

void mime_decoder_free(struct mime_decoder **d)
{
	free(*d);
	*d = NULL;
}

/* ---- base64 --------------------------------------------------------------------- */

static int base64_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Padding, or the end: two digits left over are one octet, three are two. */
static void base64_flush(struct mime_decoder *d, struct bytes *out)
{
	if (d->digits >= 2)
		bytes_append_char(out, (char)(d->bits >> (d->digits * 6 - 8)));
	if (d->digits == 3)
		bytes_append_char(out, (char)(d->bits >> 2));
	d->digits = 0;
	d->bits = 0;
}

static void base64_feed(struct mime_decoder *d, struct span in, struct bytes *out)
{
	for (size_t i = 0; i < in.length; i++) {
		int value = base64_value(in.data[i]);

		if (in.data[i] == '=')
			base64_flush(d, out);
		if (value < 0)
			continue;
		d->bits = d->bits << 6 | (uint32_t)value;
		if (++d->digits < 4)
			continue;
		out->data[out->length++] = (unsigned char)(d->bits >> 16);
		out->data[out->length++] = (unsigned char)(d->bits >> 8);
		out->data[out->length++] = (unsigned char)d->bits;
		d->digits = 0;
		d->bits = 0;
	}
}

/* ---- quoted-printable ------------------------------------------------------------- */

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* '=' and what follows: false while it is incomplete. What is no escape stays. */
static bool quoted_resolve(struct mime_decoder *d, struct bytes *out)
{
	const unsigned char *h = d->held;

	if (d->held_length == 2 && h[1] == '\n')
		return true;
	if (d->held_length == 2 && (h[1] == '\r' || hex_value(h[1]) >= 0))
		return false;
	if (d->held_length == 3 && h[1] == '\r' && h[2] == '\n')
		return true;
	if (d->held_length == 3 && h[1] != '\r' && hex_value(h[2]) >= 0)
		bytes_append_char(out, (char)(hex_value(h[1]) << 4 | hex_value(h[2])));
	else
		bytes_append(out, h, d->held_length);
	return true;
}

static void quoted_feed(struct mime_decoder *d, struct span in, struct bytes *out)
{
	for (size_t i = 0; i < in.length; i++) {
		unsigned char c = in.data[i];

		if (d->held_length == 0 && c != '=') {
			out->data[out->length++] = c;
		} else if (d->held_length > 0 && c == '=') {
			bytes_append(out, d->held, d->held_length);
			d->held_length = 1;
		} else {
			d->held[d->held_length++] = c;
			if (d->held_length > 1 && quoted_resolve(d, out))
				d->held_length = 0;
		}
	}
}

/* ---- uuencode ------------------------------------------------------------------------- */

static uint32_t uu_value(const struct mime_decoder *d, size_t at)
{
	return at < d->line_length ? (uint32_t)(d->line[at] - ' ') & 63 : 0;
}

static void uu_line(struct mime_decoder *d, struct bytes *out)
{
	size_t octets = uu_value(d, 0);

	/* A length that the line has no digits for is a lie. */
	if (octets > d->line_length / 4 * 3)
		octets = d->line_length / 4 * 3;
	for (size_t i = 0; i < octets; i++) {
		size_t at = 1 + i / 3 * 4;
		uint32_t bits = uu_value(d, at) << 18 | uu_value(d, at + 1) << 12 |
		                uu_value(d, at + 2) << 6 | uu_value(d, at + 3);

		bytes_append_char(out, (char)(bits >> (16 - 8 * (i % 3))));
	}
}

static bool line_begins(const struct mime_decoder *d, const char *word)
{
	size_t length = strlen(word);

	return d->line_length >= length && memcmp(d->line, word, length) == 0;
}

static void uu_line_end(struct mime_decoder *d, struct bytes *out)
{
	while (d->line_length > 0 && d->line[d->line_length - 1] == '\r')
		d->line_length--;
	if (!d->begun)
		d->begun = line_begins(d, "begin ");
	else if (line_begins(d, "end"))
		d->ended = true;
	else if (!d->ended && d->line_length > 0)
		uu_line(d, out);
	d->line_length = 0;
}

static void uu_feed(struct mime_decoder *d, struct span in, struct bytes *out)
{
	for (size_t i = 0; i < in.length; i++) {
		if (in.data[i] == '\n')
			uu_line_end(d, out);
		else if (d->line_length < UU_LINE_MAX)
			d->line[d->line_length++] = in.data[i];
	}
}

/* ---- any ------------------------------------------------------------------------------ */

void mime_decoder_feed(struct mime_decoder *d, struct span encoded, struct bytes *out)
{
	bytes_reserve(out, encoded.length + sizeof(d->held));
	switch (d->encoding) {
	case MIME_IDENTITY:
		bytes_append_span(out, encoded);
		break;
	case MIME_BASE64:
		base64_feed(d, encoded, out);
		break;
	case MIME_QUOTED_PRINTABLE:
		quoted_feed(d, encoded, out);
		break;
	case MIME_UUENCODE:
		uu_feed(d, encoded, out);
		break;
	}
}

void mime_decoder_end(struct mime_decoder *d, struct bytes *out)
{
	if (d->encoding == MIME_BASE64)
		base64_flush(d, out);
	if (d->encoding == MIME_QUOTED_PRINTABLE)
		bytes_append(out, d->held, d->held_length);
	if (d->encoding == MIME_UUENCODE && d->line_length > 0)
		uu_line_end(d, out);
	d->held_length = 0;
}
