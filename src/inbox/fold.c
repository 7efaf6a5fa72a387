/* SPDX-License-Identifier: ISC */
/* fold.c - text as search compares it: without case, and with marks and white space as one space.
 *
 * Both sides pass here: what is kept of a message (SPOOL_TEXT) and what is asked for. So a phrase
 * is found over line ends, and "Ann <ann@example.com>" by the words in it. Case is folded one
 * character to one (Unicode's simple folding) in the scripts that have case and are written.
 */
#include "base/utf8.h"
#include "inbox/inbox.h"

/* Characters `first`, first + step ... last fold to themselves + delta. In order. */
static const struct range {
	uint16_t first, last;
	int16_t delta;
	uint8_t step;
} ranges[] = {
	{ 0xb5, 0xb5, 775, 1 },       { 0xc0, 0xd6, 32, 1 },        { 0xd8, 0xde, 32, 1 },
	{ 0x100, 0x12e, 1, 2 },       { 0x132, 0x136, 1, 2 },       { 0x139, 0x147, 1, 2 },
	{ 0x14a, 0x176, 1, 2 },       { 0x178, 0x178, -121, 1 },    { 0x179, 0x17d, 1, 2 },
	{ 0x17f, 0x17f, -268, 1 },    { 0x181, 0x181, 210, 1 },     { 0x182, 0x184, 1, 2 },
	{ 0x186, 0x186, 206, 1 },     { 0x187, 0x187, 1, 1 },       { 0x189, 0x18a, 205, 1 },
	{ 0x18b, 0x18b, 1, 1 },       { 0x18e, 0x18e, 79, 1 },      { 0x18f, 0x18f, 202, 1 },
	{ 0x190, 0x190, 203, 1 },     { 0x191, 0x191, 1, 1 },       { 0x193, 0x193, 205, 1 },
	{ 0x194, 0x194, 207, 1 },     { 0x196, 0x196, 211, 1 },     { 0x197, 0x197, 209, 1 },
	{ 0x198, 0x198, 1, 1 },       { 0x19c, 0x19c, 211, 1 },     { 0x19d, 0x19d, 213, 1 },
	{ 0x19f, 0x19f, 214, 1 },     { 0x1a0, 0x1a4, 1, 2 },       { 0x1a6, 0x1a6, 218, 1 },
	{ 0x1a7, 0x1a7, 1, 1 },       { 0x1a9, 0x1a9, 218, 1 },     { 0x1ac, 0x1ac, 1, 1 },
	{ 0x1ae, 0x1ae, 218, 1 },     { 0x1af, 0x1af, 1, 1 },       { 0x1b1, 0x1b2, 217, 1 },
	{ 0x1b3, 0x1b5, 1, 2 },       { 0x1b7, 0x1b7, 219, 1 },     { 0x1b8, 0x1b8, 1, 1 },
	{ 0x1bc, 0x1bc, 1, 1 },       { 0x1c4, 0x1c4, 2, 1 },       { 0x1c5, 0x1c5, 1, 1 },
	{ 0x1c7, 0x1c7, 2, 1 },       { 0x1c8, 0x1c8, 1, 1 },       { 0x1ca, 0x1ca, 2, 1 },
	{ 0x1cb, 0x1db, 1, 2 },       { 0x1de, 0x1ee, 1, 2 },       { 0x1f1, 0x1f1, 2, 1 },
	{ 0x1f2, 0x1f4, 1, 2 },       { 0x1f6, 0x1f6, -97, 1 },     { 0x1f7, 0x1f7, -56, 1 },
	{ 0x1f8, 0x21e, 1, 2 },       { 0x220, 0x220, -130, 1 },    { 0x222, 0x232, 1, 2 },
	{ 0x23a, 0x23a, 10795, 1 },   { 0x23b, 0x23b, 1, 1 },       { 0x23d, 0x23d, -163, 1 },
	{ 0x23e, 0x23e, 10792, 1 },   { 0x241, 0x241, 1, 1 },       { 0x243, 0x243, -195, 1 },
	{ 0x244, 0x244, 69, 1 },      { 0x245, 0x245, 71, 1 },      { 0x246, 0x24e, 1, 2 },
	{ 0x370, 0x372, 1, 2 },       { 0x376, 0x376, 1, 1 },       { 0x37f, 0x37f, 116, 1 },
	{ 0x386, 0x386, 38, 1 },      { 0x388, 0x38a, 37, 1 },      { 0x38c, 0x38c, 64, 1 },
	{ 0x38e, 0x38f, 63, 1 },      { 0x391, 0x3a1, 32, 1 },      { 0x3a3, 0x3ab, 32, 1 },
	{ 0x3c2, 0x3c2, 1, 1 },       { 0x3cf, 0x3cf, 8, 1 },       { 0x3d0, 0x3d0, -30, 1 },
	{ 0x3d1, 0x3d1, -25, 1 },     { 0x3d5, 0x3d5, -15, 1 },     { 0x3d6, 0x3d6, -22, 1 },
	{ 0x3d8, 0x3ee, 1, 2 },       { 0x3f0, 0x3f0, -54, 1 },     { 0x3f1, 0x3f1, -48, 1 },
	{ 0x3f4, 0x3f4, -60, 1 },     { 0x3f5, 0x3f5, -64, 1 },     { 0x3f7, 0x3f7, 1, 1 },
	{ 0x3f9, 0x3f9, -7, 1 },      { 0x3fa, 0x3fa, 1, 1 },       { 0x3fd, 0x3ff, -130, 1 },
	{ 0x400, 0x40f, 80, 1 },      { 0x410, 0x42f, 32, 1 },      { 0x460, 0x480, 1, 2 },
	{ 0x48a, 0x4be, 1, 2 },       { 0x4c0, 0x4c0, 15, 1 },      { 0x4c1, 0x4cd, 1, 2 },
	{ 0x4d0, 0x52e, 1, 2 },       { 0x531, 0x556, 48, 1 },      { 0x1e00, 0x1e94, 1, 2 },
	{ 0x1e9b, 0x1e9b, -58, 1 },   { 0x1e9e, 0x1e9e, -7615, 1 }, { 0x1ea0, 0x1efe, 1, 2 },
	{ 0x1f08, 0x1f0f, -8, 1 },    { 0x1f18, 0x1f1d, -8, 1 },    { 0x1f28, 0x1f2f, -8, 1 },
	{ 0x1f38, 0x1f3f, -8, 1 },    { 0x1f48, 0x1f4d, -8, 1 },    { 0x1f59, 0x1f5f, -8, 2 },
	{ 0x1f68, 0x1f6f, -8, 1 },    { 0x1f88, 0x1f8f, -8, 1 },    { 0x1f98, 0x1f9f, -8, 1 },
	{ 0x1fa8, 0x1faf, -8, 1 },    { 0x1fb8, 0x1fb9, -8, 1 },    { 0x1fba, 0x1fbb, -74, 1 },
	{ 0x1fbc, 0x1fbc, -9, 1 },    { 0x1fbe, 0x1fbe, -7173, 1 }, { 0x1fc8, 0x1fcb, -86, 1 },
	{ 0x1fcc, 0x1fcc, -9, 1 },    { 0x1fd8, 0x1fd9, -8, 1 },    { 0x1fda, 0x1fdb, -100, 1 },
	{ 0x1fe8, 0x1fe9, -8, 1 },    { 0x1fea, 0x1feb, -112, 1 },  { 0x1fec, 0x1fec, -7, 1 },
	{ 0x1ff8, 0x1ff9, -128, 1 },  { 0x1ffa, 0x1ffb, -126, 1 },  { 0x1ffc, 0x1ffc, -9, 1 },
	{ 0x2126, 0x2126, -7517, 1 }, { 0x212a, 0x212a, -8383, 1 }, { 0x212b, 0x212b, -8262, 1 },
	{ 0x2132, 0x2132, 28, 1 },    { 0x2160, 0x216f, 16, 1 },    { 0x2183, 0x2183, 1, 1 },
	{ 0xff21, 0xff3a, 32, 1 },
};

static uint32_t fold_character(uint32_t code)
{
	size_t low = 0, high = sizeof(ranges) / sizeof(ranges[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct range *r = &ranges[middle];

		if (code > r->last)
			low = middle + 1;
		else if (code < r->first)
			high = middle;
		else
			return (code - r->first) % r->step == 0
			               ? (uint32_t)((int32_t)code + r->delta)
			               : code;
	}
	return code;
}

/* The marks are Mailpit's: what stands around addresses and in lists. */
static bool is_space(uint32_t code)
{
	switch (code) {
	case '<':
	case '>':
	case '"':
	case ',':
	case ';':
	case '(':
	case ')':
	case ' ':
	case 0x85:
	case 0xa0:
	case 0x1680:
	case 0x2028:
	case 0x2029:
	case 0x202f:
	case 0x205f:
	case 0x3000:
	case 0xfeff:
		return true;
	default:
		return (code >= '\t' && code <= '\r') || (code >= 0x2000 && code <= 0x200a);
	}
}

/* Copies what is plain: no space, no mark, no octet above 127. */
static struct span fold_plain(struct bytes *out, struct span text)
{
	size_t at = 0;

	for (; at < text.length; at++) {
		unsigned char c = text.data[at];

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		else if (c >= 0x80 || is_space(c))
			break;
		out->data[out->length + at] = c;
	}
	out->length += at;
	return span_of(text.data + at, text.length - at);
}

void search_fold(struct bytes *out, struct span text)
{
	bool space = out->length > 0;

	while (text.length > 0) {
		uint32_t code = text.data[0];
		size_t length = code < 0x80 ? 1 : utf8_next(text, &code);
		bool is_gap = length > 0 && is_space(code);

		if (is_gap) {
			space = out->length > 0;
		} else if (space) {
			bytes_append_char(out, ' ');
			space = false;
		}
		bytes_reserve(out, text.length);
		if (!is_gap && length > 0 && code < 0x80) {
			text = fold_plain(out, text);
			continue;
		}
		if (length == 0) /* no UTF-8: as it is */
			bytes_append_char(out, (char)text.data[0]);
		else if (!is_gap)
			utf8_append(out, fold_character(code));
		length += length == 0;
		text = span_of(text.data + length, text.length - length);
	}
}
