/* SPDX-License-Identifier: ISC */
/* xtext.c - RFC 3461 section 4: "+" and two upper-case hexadecimal digits stand for an octet.
 *
 * A decoded value can hold any octet, line ends too: it is the caller's to
 * check before it goes anywhere but back into xtext.
 */
#include "mail/xtext.h"

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_plain(unsigned char c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

/* The octet that the text starts with; returns how long its spelling is, 0: it is not xtext. */
static size_t next_octet(struct span text, unsigned char *octet_r)
{
	if (is_plain(text.data[0])) {
		*octet_r = text.data[0];
		return 1;
	}
	if (text.data[0] != '+' || text.length < 3 || hex_value(text.data[1]) < 0 ||
	    hex_value(text.data[2]) < 0)
		return 0;
	*octet_r = (unsigned char)(hex_value(text.data[1]) << 4 | hex_value(text.data[2]));
	return 3;
}

bool xtext_is_valid(struct span text)
{
	while (text.length > 0) {
		unsigned char octet;
		size_t used = next_octet(text, &octet);

		if (used == 0)
			return false;
		text = span_of(text.data + used, text.length - used);
	}
	return true;
}

void xtext_encode(struct bytes *out, struct span text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = text.data[i];

		if (is_plain(c)) {
			bytes_append_char(out, (char)c);
		} else {
			bytes_append_char(out, '+');
			bytes_append_char(out, digits[c >> 4]);
			bytes_append_char(out, digits[c & 15]);
		}
	}
}

int xtext_decode(struct bytes *out, struct span text)
{
	size_t before = out->length;

	while (text.length > 0) {
		unsigned char octet;
		size_t used = next_octet(text, &octet);

		if (used == 0) {
			out->length = before;
			return -1;
		}
		bytes_append(out, &octet, 1);
		text = span_of(text.data + used, text.length - used);
	}
	return 0;
}
