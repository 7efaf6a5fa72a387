/* SPDX-License-Identifier: ISC */
/* utf8.c - reading and writing UTF-8.
 *
 * Strict, so that no text has two spellings: what an overlong form or a surrogate could hide from
 * a check never gets past utf8_next().
 */
#include "base/utf8.h"

#define REPLACEMENT 0xfffd

/* Lengths 2 to 4: what the first octet looks like and the least character that needs it. */
static const struct {
	unsigned char mask, mark;
	uint32_t least;
} forms[] = { { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

static bool is_character(uint32_t code)
{
	return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static size_t next_long(struct span text, uint32_t *code_r)
{
	for (size_t form = 0; form < 3; form++) {
		size_t length = form + 2;
		uint32_t code = text.data[0] & (unsigned char)~forms[form].mask;

		if ((text.data[0] & forms[form].mask) != forms[form].mark)
			continue;
		if (text.length < length)
			return 0;
		for (size_t i = 1; i < length; i++) {
			if ((text.data[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (text.data[i] & 0x3f);
		}
		if (code < forms[form].least || !is_character(code))
			return 0;
		*code_r = code;
		return length;
	}
	return 0;
}

size_t utf8_next(struct span text, uint32_t *code_r)
{
	uint32_t code = 0;
	size_t length;

	if (text.length == 0)
		return 0;
	if (text.data[0] < 0x80) {
		code = text.data[0];
		length = 1;
	} else {
		length = next_long(text, &code);
	}
	if (code_r != NULL && length > 0)
		*code_r = code;
	return length;
}

bool utf8_is_valid(struct span text)
{
	while (text.length > 0) {
		size_t length = utf8_next(text, NULL);

		if (length == 0)
			return false;
		text = span_of(text.data + length, text.length - length);
	}
	return true;
}

bool utf8_is_ascii(struct span text)
{
	unsigned char all = 0;

	for (size_t i = 0; i < text.length; i++)
		all |= text.data[i];
	return all < 0x80;
}

void utf8_append(struct bytes *out, uint32_t code)
{
	if (!is_character(code))
		code = REPLACEMENT;
	if (code < 0x80) {
		bytes_put_u8(out, (uint8_t)code);
	} else if (code < 0x800) {
		bytes_put_u8(out, (uint8_t)(0xc0 | code >> 6));
		bytes_put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
	} else if (code < 0x10000) {
		bytes_put_u8(out, (uint8_t)(0xe0 | code >> 12));
		bytes_put_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
		bytes_put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
	} else {
		bytes_put_u8(out, (uint8_t)(0xf0 | code >> 18));
		bytes_put_u8(out, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
		bytes_put_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
		bytes_put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
	}
}
