/* SPDX-License-Identifier: ISC */
/* find.c - what tests and people look for in a mail: links, and one-time codes.
 *
 * A code is a run of 4 to 8 digits, or two groups of them, that stands by itself with a word like
 * "code" near it; links are no place for one. Each is kept once, in the order of the text.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "mime/private.h"

#define URL_MAX    2048 /* octets; what browsers and servers agree on */
#define CODE_MIN   4
#define CODE_MAX   8
#define WORD_AHEAD 120 /* octets before a code in which a word says that it is one */
#define WORD_AFTER 40  /* and behind it */
#define YEAR_AHEAD 30  /* the same for what could be a year */

static void add_once(char ***texts, size_t *count, struct span text)
{
	if (*count >= MIME_FINDINGS_MAX)
		return;
	for (size_t i = 0; i < *count; i++)
		if (span_equal_text(text, (*texts)[i]))
			return;
	*texts = memory_grow(*texts, *count + 1, sizeof(**texts));
	(*texts)[(*count)++] = memory_text_of(text.data, text.length);
}

/* ---- links --------------------------------------------------------------------- */

/* Octets of "http://" or "https://" at the start of text; 0: neither. */
static size_t scheme_length(struct span text)
{
	if (text.length == 0 || (text.data[0] | 0x20) != 'h')
		return 0;
	return span_starts_nocase(text, "http://")    ? 7
	       : span_starts_nocase(text, "https://") ? 8
	                                              : 0;
}

void find_link(struct mime_index *index, struct span url)
{
	while (url.length > 0 && url.data[0] <= ' ')
		url = span_of(url.data + 1, url.length - 1);
	while (url.length > 0 && url.data[url.length - 1] <= ' ')
		url.length--;
	for (size_t i = 0; i < url.length; i++)
		if (url.data[i] < ' ' || url.data[i] == 0x7f)
			return;
	if (scheme_length(url) > 0 && url.length > scheme_length(url) && url.length <= URL_MAX &&
	    utf8_is_valid(url))
		add_once(&index->links, &index->link_count, url);
}

/* Octets that a link at the start of text goes on for. */
static size_t url_length(struct span text)
{
	size_t length = 0;

	while (length < text.length && text.data[length] > ' ' && text.data[length] != 0x7f &&
	       strchr("<>\"`{}|\\^", text.data[length]) == NULL)
		length++;
	return length;
}

static size_t count_of(struct span text, unsigned char c)
{
	size_t count = 0;

	for (size_t i = 0; i < text.length; i++)
		count += text.data[i] == c;
	return count;
}

/* What ends a sentence ends no link; a bracket does when it was opened in it. */
static size_t url_trim(struct span url)
{
	if (url.length > URL_MAX)
		return 0;
	while (url.length > 0) {
		unsigned char last = url.data[url.length - 1];

		if (last == ')' && count_of(url, '(') >= count_of(url, ')'))
			break;
		if (strchr(".,;:!?)]'*_", last) == NULL)
			break;
		url.length--;
	}
	return url.length;
}

void find_links(struct mime_index *index, struct span text)
{
	/* No text is no memory: NULL takes no offset. */
	const unsigned char *mark, *end = text.length == 0 ? text.data : text.data + text.length;

	while ((mark = text.length < 3 ? NULL : memmem(text.data, text.length, "://", 3)) != NULL) {
		size_t before = (size_t)(mark - text.data);
		const unsigned char *next = mark + 3;

		for (size_t back = 4; back <= 5 && back <= before; back++) {
			struct span url = span_of(mark - back, (size_t)(end - mark) + back);

			if (scheme_length(url) != back + 3)
				continue;
			url.length = url_length(url);
			find_link(index, span_of(url.data, url_trim(url)));
			next = url.data + url.length;
			break;
		}
		text = span_of(next, (size_t)(end - next));
	}
}

/* ---- codes ----------------------------------------------------------------------- */

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(unsigned char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c >= 0x80 || c == '_';
}

static bool says_code(struct span text)
{
	static const char *const words[] = {
		"code",  "kode",     "c\303\263digo", "codigo",   "codice",   "kod",      "otp",
		"2fa",   "mfa",      "pin",           "passcode", "password", "passwort", "verif",
		"token", "one-time", "einmal",        "confirm",  "authent",  "security",
	};

	for (size_t at = 0; at < text.length; at++)
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if ((text.data[at] | 0x20) == (words[i][0] | 0x20) &&
			    span_starts_nocase(span_of(text.data + at, text.length - at), words[i]))
				return true;
	return false;
}

static size_t digits_at(struct span text, size_t at)
{
	size_t from = at;

	while (at < text.length && is_digit(text.data[at]))
		at++;
	return at - from;
}

/* Does a code begin at `at`? Its digits in out, and how far it goes in *length_r. */
static bool code_digits(struct span text, size_t at, struct bytes *out, size_t *length_r)
{
	size_t first = digits_at(text, at), second = 0, end = at + first;

	if (first == 3 || first == 4) {
		/* "123 456", "1234-5678" */
		if (end + 1 < text.length && (text.data[end] == ' ' || text.data[end] == '-'))
			second = digits_at(text, end + 1);
		if (second == first)
			end += 1 + second;
		else
			second = 0;
	}
	*length_r = end - at;
	bytes_clear(out);
	bytes_append(out, text.data + at, first);
	bytes_append(out, text.data + end - second, second);
	if (out->length < CODE_MIN || out->length > CODE_MAX)
		return false;
	/* A number, an amount, a date or a part of a word is none. */
	if (end < text.length && (is_word(text.data[end]) || text.data[end] == '@'))
		return false;
	return end + 1 >= text.length || !is_digit(text.data[end + 1]) ||
	       strchr(".,:/-", text.data[end]) == NULL;
}

static bool may_follow(struct span text, size_t at)
{
	unsigned char before = at == 0 ? ' ' : text.data[at - 1];

	if (is_word(before) || strchr("$#@./,+", before) != NULL)
		return false;
	/* "G-123456" is one, "12-1234" is not */
	return before != '-' || at < 2 || !is_digit(text.data[at - 2]);
}

static bool is_year(const struct bytes *digits)
{
	return digits->length == 4 &&
	       (memcmp(digits->data, "19", 2) == 0 || memcmp(digits->data, "20", 2) == 0);
}

static bool word_is_near(struct span text, size_t at, size_t end, bool year)
{
	size_t ahead = year ? YEAR_AHEAD : WORD_AHEAD;
	size_t from = at > ahead ? at - ahead : 0;
	size_t after = text.length - end < WORD_AFTER ? text.length - end : WORD_AFTER;

	return says_code(span_of(text.data + from, at - from)) ||
	       (!year && says_code(span_of(text.data + end, after)));
}

void find_codes(struct mime_index *index, struct span text)
{
	struct bytes digits = { 0 };
	size_t length;

	for (size_t at = 0; at < text.length && index->code_count < MIME_FINDINGS_MAX;
	     at += length) {
		const struct span rest = { text.data + at, text.length - at };

		length = 1;
		if ((text.data[at] | 0x20) == 'h' && scheme_length(rest) > 0) {
			length = url_length(rest);
		} else if (is_digit(text.data[at])) {
			bool code = code_digits(text, at, &digits, &length);

			if (code && may_follow(text, at) &&
			    word_is_near(text, at, at + length, is_year(&digits)))
				add_once(&index->codes, &index->code_count, bytes_span(&digits));
		}
	}
	bytes_release(&digits);
}
