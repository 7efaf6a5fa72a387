/* SPDX-License-Identifier: ISC */
/* charset.c - charsets by iconv, and the guess when there is none.
 *
 * Names come from mail: only what can be a charset's name is asked for, so that none is a path or
 * an option of iconv. Converting makes at most a few octets of one, so output is bounded by input.
 */
#include "base/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

#define NAME_MAX_LENGTH 40 /* octets; the longest registered one has 45, and nobody uses it */
#define PENDING_MAX     16 /* octets of an incomplete character, escape sequences included */
#define REPLACEMENT     0xfffd

struct charset {
	iconv_t iconv;       /* (iconv_t)-1: guess */
	iconv_t windows1252; /* for the guess, opened when one is needed */
	unsigned char pending[PENDING_MAX];
	size_t pending_length;
};

#define NO_ICONV ((iconv_t)-1)

/* As iconv_open() wants it; false: cannot be one. */
static bool name_clean(struct span name, char out[NAME_MAX_LENGTH + 1])
{
	if (name.length == 0 || name.length > NAME_MAX_LENGTH)
		return false;
	for (size_t i = 0; i < name.length; i++) {
		unsigned char c = name.data[i];

		if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
		      memchr("-_.:+", c, 5) != NULL))
			return false;
		out[i] = (char)c;
	}
	out[name.length] = '\0';
	return true;
}

/* Names that mean something else than they say, as browsers take them (WHATWG Encoding). */
static const char *meant(const char *name)
{
	static const char *const names[][2] = {
		{ "us-ascii", NULL },
		{ "ascii", NULL },
		{ "utf-8", NULL },
		{ "utf8", NULL },
		{ "unknown-8bit", NULL },
		{ "iso-8859-1", "windows-1252" },
		{ "latin1", "windows-1252" },
		{ "gb2312", "gb18030" },
		{ "gbk", "gb18030" },
		{ "shift_jis", "cp932" },
		{ "x-sjis", "cp932" },
		{ "ks_c_5601-1987", "uhc" },
		{ "euc-kr", "uhc" },
		{ "iso-8859-8-i", "iso-8859-8" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasecmp(name, names[i][0]) == 0)
			return names[i][1];
	return name;
}

static struct charset *charset_of(struct span name, bool *known_r)
{
	struct charset *c = memory_new(sizeof(*c));
	char clean[NAME_MAX_LENGTH + 1];
	const char *asked = name_clean(name, clean) ? meant(clean) : "";

	c->iconv = asked == NULL || *asked == '\0' ? NO_ICONV : iconv_open("UTF-8", asked);
	*known_r = asked == NULL || c->iconv != NO_ICONV;
	c->windows1252 = NO_ICONV;
	return c;
}

struct charset *charset_new(struct span name)
{
	bool known;

	return charset_of(name, &known);
}

void charset_free(struct charset **charset)
{
	struct charset *c = *charset;

	if (c == NULL)
		return;
	*charset = NULL;
	if (c->iconv != NO_ICONV)
		iconv_close(c->iconv);
	if (c->windows1252 != NO_ICONV)
		iconv_close(c->windows1252);
	free(c);
}

static void keep(struct charset *c, struct span rest)
{
	c->pending_length = rest.length < PENDING_MAX ? rest.length : PENDING_MAX;
	memcpy(c->pending, rest.data, c->pending_length);
}

/* An octet that is no UTF-8. */
static void append_guess(struct charset *c, unsigned char octet, struct bytes *out)
{
	char in = (char)octet, text[8], *from = &in, *to = text;
	size_t left = 1, room = sizeof(text);

	if (c->windows1252 == NO_ICONV)
		c->windows1252 = iconv_open("UTF-8", "windows-1252");
	if (c->windows1252 == NO_ICONV || iconv(c->windows1252, &from, &left, &to, &room) != 0)
		utf8_append(out, REPLACEMENT);
	else
		bytes_append(out, text, sizeof(text) - room);
}

/* Could the rest be the start of a character that is cut here? */
static bool is_cut(struct span rest)
{
	size_t wanted = rest.data[0] >= 0xf0 ? 4 : rest.data[0] >= 0xe0 ? 3 : 2;

	if (rest.data[0] < 0xc2 || rest.data[0] > 0xf4 || rest.length >= wanted)
		return false;
	for (size_t i = 1; i < rest.length; i++)
		if ((rest.data[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* Octets of whole characters at the start of text. */
static size_t valid_length(struct span text)
{
	size_t at = 0, length;

	for (;;) {
		while (at < text.length && text.data[at] < 0x80)
			at++;
		length = utf8_next(span_of(text.data + at, text.length - at), NULL);
		if (length == 0)
			return at;
		at += length;
	}
}

static void feed_guess(struct charset *c, struct span text, bool last, struct bytes *out)
{
	while (text.length > 0) {
		size_t length = valid_length(text);

		if (length > 0) {
			bytes_append(out, text.data, length);
		} else if (!last && is_cut(text)) {
			keep(c, text);
			return;
		} else {
			append_guess(c, text.data[0], out);
			length = 1;
		}
		text = span_of(text.data + length, text.length - length);
	}
}

static void feed_iconv(struct charset *c, struct span text, bool last, struct bytes *out)
{
	char *from = (char *)text.data;
	size_t left = text.length;

	while (left > 0) {
		char *to;
		size_t room = left * 2 + 64, given = room, done;
		int error;

		bytes_reserve(out, room);
		to = (char *)out->data + out->length;
		done = iconv(c->iconv, &from, &left, &to, &room);
		error = done == (size_t)-1 ? errno : 0;
		out->length += given - room;
		if (error == EINVAL && !last && left <= PENDING_MAX) {
			keep(c, span_of(from, left));
			return;
		}
		if (error == EILSEQ || error == EINVAL) {
			utf8_append(out, REPLACEMENT);
			from++;
			left--;
		}
	}
}

static void feed(struct charset *c, struct span text, bool last, struct bytes *out)
{
	struct bytes joined = { 0 };

	if (c->pending_length > 0) {
		bytes_append(&joined, c->pending, c->pending_length);
		bytes_append_span(&joined, text);
		text = bytes_span(&joined);
		c->pending_length = 0;
	}
	if (c->iconv == NO_ICONV)
		feed_guess(c, text, last, out);
	else
		feed_iconv(c, text, last, out);
	bytes_release(&joined);
}

void charset_feed(struct charset *c, struct span text, struct bytes *out)
{
	feed(c, text, false, out);
}

void charset_end(struct charset *c, struct bytes *out)
{
	feed(c, span_of(NULL, 0), true, out);
}

int charset_decode(struct span name, struct span text, struct bytes *out)
{
	bool known;
	struct charset *c = charset_of(name, &known);

	if (known)
		feed(c, text, true, out);
	charset_free(&c);
	return known ? 0 : -1;
}
