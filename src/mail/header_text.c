/* SPDX-License-Identifier: ISC */
/* header_text.c - header text for display: RFC 2047 words, and UTF-8 whatever came.
 *
 * Adjacent words are joined before their octets are read as UTF-8, as many
 * programs cut characters in two. Linear: a word that is none is passed over once, because
 * its parts end at a '?' and hold none.
 */
#include "mail/header_text.h"

#include <string.h>

#include "base/charset.h"
#include "base/digest.h"
#include "base/utf8.h"
#include "mail/header.h"

struct word {
	struct span charset; /* without an RFC 2231 language */
	char encoding;       /* 'q', 'b', or something that is not known */
	struct span text;
	size_t length; /* "=?" to "?=" */
};

enum coding { CHARSET_UTF8, CHARSET_LATIN1, CHARSET_OTHER };

/* The span up to the next '?', which must be there and must not come after a space: Q text may
 * have some, though it should not. */
static bool take_part(struct span text, size_t *at, bool spaces, struct span *part_r)
{
	size_t start = *at;

	while (*at < text.length && text.data[*at] != '?') {
		if (!spaces && text.data[*at] <= ' ')
			return false;
		(*at)++;
	}
	*part_r = span_of(text.data + start, *at - start);
	return *at < text.length && part_r->length > 0;
}

static bool parse_word(struct span text, struct word *w)
{
	struct span encoding;
	const unsigned char *star;
	size_t at = 2;

	if (text.length < 8 || text.data[0] != '=' || text.data[1] != '?')
		return false;
	if (!take_part(text, &at, false, &w->charset) || ++at == text.length)
		return false;
	if (!take_part(text, &at, false, &encoding) || encoding.length != 1 || ++at == text.length)
		return false;
	w->encoding = (char)(encoding.data[0] | 0x20);
	/* An empty text is allowed by some: take_part() wants one octet. */
	if (text.data[at] == '?')
		w->text = span_of(text.data + at, 0);
	else if (!take_part(text, &at, w->encoding == 'q', &w->text))
		return false;
	if (at + 1 >= text.length || text.data[at + 1] != '=')
		return false;
	star = memchr(w->charset.data, '*', w->charset.length);
	if (star != NULL)
		w->charset.length = (size_t)(star - w->charset.data);
	w->length = at + 2;
	return true;
}

size_t header_word_length(struct span text)
{
	struct word w;

	return parse_word(text, &w) ? w.length : 0;
}

static enum coding charset_of(struct span name)
{
	static const struct {
		const char *name;
		enum coding charset;
	} known[] = {
		{ "utf-8", CHARSET_UTF8 },        { "utf8", CHARSET_UTF8 },
		{ "us-ascii", CHARSET_UTF8 },     { "ascii", CHARSET_UTF8 },
		{ "iso-8859-1", CHARSET_LATIN1 }, { "latin1", CHARSET_LATIN1 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (span_equal_nocase(name, span_of_text(known[i].name)))
			return known[i].charset;
	return CHARSET_OTHER;
}

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void decode_q(struct span text, struct bytes *out)
{
	for (size_t i = 0; i < text.length; i++) {
		unsigned char c = text.data[i];

		if (c == '=' && i + 2 < text.length && hex_value(text.data[i + 1]) >= 0 &&
		    hex_value(text.data[i + 2]) >= 0) {
			c = (unsigned char)(hex_value(text.data[i + 1]) << 4 |
			                    hex_value(text.data[i + 2]));
			i += 2;
		} else if (c == '_') {
			c = ' ';
		}
		bytes_append_char(out, (char)c);
	}
}

/* Padding is often forgotten. */
static int decode_b(struct span text, struct bytes *out)
{
	struct bytes padded = { 0 };
	int result;

	bytes_append_span(&padded, text);
	while (padded.length % 4 != 0 && padded.length < text.length + 2)
		bytes_append_char(&padded, '=');
	result = base64_decode(out, bytes_span(&padded));
	bytes_release(&padded);
	return result;
}

/* false: it is to stay as it was written. */
static bool decode_word(const struct word *w, struct bytes *out)
{
	enum coding charset = charset_of(w->charset);
	struct bytes octets = { 0 };
	bool good = w->encoding == 'q' || w->encoding == 'b';

	if (good && w->encoding == 'q')
		decode_q(w->text, &octets);
	else if (good)
		good = decode_b(w->text, &octets) == 0;
	if (good && charset == CHARSET_OTHER)
		good = charset_decode(w->charset, bytes_span(&octets), out) == 0;
	for (size_t i = 0; good && charset != CHARSET_OTHER && i < octets.length; i++) {
		if (charset == CHARSET_LATIN1)
			utf8_append(out, octets.data[i]);
		else
			bytes_append_char(out, (char)octets.data[i]);
	}
	bytes_release(&octets);
	return good;
}

static size_t space_length(struct span text)
{
	size_t length = 0;

	while (length < text.length && memchr(" \t\r\n", text.data[length], 4) != NULL)
		length++;
	return length;
}

/* Replaces words by what they mean; space between two words means nothing. */
static void decode_words(struct span text, struct bytes *out)
{
	size_t space_from = SIZE_MAX; /* space behind a word, dropped when another follows */
	size_t space_to = 0;

	for (size_t at = 0; at < text.length;) {
		struct span rest = span_of(text.data + at, text.length - at);
		size_t space = space_length(rest);
		struct word w;

		if (rest.data[0] == '=' && parse_word(rest, &w)) {
			size_t mark = out->length;

			if (space_from != SIZE_MAX && space_to == at)
				out->length = space_from;
			if (decode_word(&w, out)) {
				at += w.length;
				space_from = out->length;
				space_to = at;
				continue;
			}
			out->length = mark;
		}
		if (space > 0) {
			bytes_append(out, rest.data, space);
			at += space;
			if (space_to == at - space)
				space_to = at;
			continue;
		}
		bytes_append_char(out, (char)rest.data[0]);
		at++;
	}
}

/* Appends text as UTF-8 on one line: controls become spaces, what is not UTF-8 U+FFFD. */
static void append_displayable(struct span text, struct bytes *out)
{
	while (text.length > 0) {
		uint32_t code = 0;
		size_t length = utf8_next(text, &code);

		if (length == 0)
			utf8_append(out, 0xfffd);
		else if (code < 0x20 || (code >= 0x7f && code < 0xa0))
			bytes_append_char(out, ' ');
		else
			bytes_append(out, text.data, length);
		length = length == 0 ? 1 : length;
		text = span_of(text.data + length, text.length - length);
	}
}

void header_decode(struct span value, struct bytes *out)
{
	struct bytes flat = { 0 }, decoded = { 0 };

	header_unfold(value, &flat);
	decode_words(bytes_span(&flat), &decoded);
	append_displayable(bytes_span(&decoded), out);
	bytes_release(&flat);
	bytes_release(&decoded);
}
