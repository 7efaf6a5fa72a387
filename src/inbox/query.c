/* SPDX-License-Identifier: ISC */
/* query.c - Mailpit's search language: what is asked for becomes terms.
 *
 * As there, a query is never wrong: a date that is none and an empty word ask for nothing, a prefix
 * or a size that is none is a word. Quotation marks hold spaces together, wherever they stand.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "inbox/search_private.h"

/* What a person, or a test, writes; a bound for what a message is compared with. */
#define TERMS_MAX 100

enum argument { ARGUMENT_NONE, ARGUMENT_TEXT, ARGUMENT_ADDRESS, ARGUMENT_DATE, ARGUMENT_SIZE };

static const struct word {
	const char *text; /* with ':' an argument follows */
	enum term_kind kind;
	enum argument argument;
} words[] = {
	{ "to:", TERM_TO, ARGUMENT_ADDRESS },
	{ "from:", TERM_FROM, ARGUMENT_ADDRESS },
	{ "cc:", TERM_CC, ARGUMENT_ADDRESS },
	{ "bcc:", TERM_BCC, ARGUMENT_ADDRESS },
	{ "reply-to:", TERM_REPLY_TO, ARGUMENT_ADDRESS },
	{ "addressed:", TERM_ADDRESSED, ARGUMENT_ADDRESS },
	{ "subject:", TERM_SUBJECT, ARGUMENT_TEXT },
	{ "message-id:", TERM_MESSAGE_ID, ARGUMENT_TEXT },
	{ "tag:", TERM_TAG, ARGUMENT_TEXT },
	{ "is:read", TERM_READ, ARGUMENT_NONE },
	{ "is:unread", TERM_UNREAD, ARGUMENT_NONE },
	{ "is:tagged", TERM_TAGGED, ARGUMENT_NONE },
	{ "has:inline", TERM_INLINE, ARGUMENT_NONE },
	{ "has:inlines", TERM_INLINE, ARGUMENT_NONE },
	{ "has:attachment", TERM_ATTACHMENT, ARGUMENT_NONE },
	{ "has:attachments", TERM_ATTACHMENT, ARGUMENT_NONE },
	{ "after:", TERM_AFTER, ARGUMENT_DATE },
	{ "before:", TERM_BEFORE, ARGUMENT_DATE },
	{ "larger:", TERM_LARGER, ARGUMENT_SIZE },
	{ "smaller:", TERM_SMALLER, ARGUMENT_SIZE },
};

/* NULL: an ordinary word. */
static const struct word *word_find(struct span text)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t length = strlen(words[i].text);

		if (span_starts_nocase(text, words[i].text) &&
		    (words[i].argument != ARGUMENT_NONE || text.length == length))
			return &words[i];
	}
	return NULL;
}

/* "1.5M", "10 kB": octets; 0: no size. Folded before. */
static uint64_t size_of(const char *text)
{
	char *end = NULL, digits[32];
	size_t whole = strspn(text, "0123456789"), length = whole;
	double number;

	if (whole > 0 && text[whole] == '.' && isdigit((unsigned char)text[whole + 1]))
		length = whole + 1 + strspn(text + whole + 1, "0123456789");
	if (whole == 0 || length >= sizeof(digits))
		return 0;
	memcpy(digits, text, length);
	digits[length] = '\0';
	number = strtod(digits, &end);
	text += length;
	text += *text == ' ';
	if (strcmp(text, "k") == 0 || strcmp(text, "kb") == 0)
		number *= 1024;
	else if (strcmp(text, "m") == 0 || strcmp(text, "mb") == 0)
		number *= 1024 * 1024;
	else if (*text != '\0')
		return 0;
	return number < 1e18 ? (uint64_t)number : UINT64_C(1000000000000000000);
}

static bool set_text(struct term *term, struct span argument)
{
	struct bytes folded = { 0 };
	bool any;

	search_fold(&folded, argument);
	any = folded.length > 0;
	if (any)
		needle_init(&term->needle, bytes_span(&folded));
	bytes_release(&folded);
	return any;
}

/* In decimal points, as the argument of a time zone's name is: octets and not characters. */
static bool set_number(struct term *term, enum argument kind, struct span argument,
                       const struct zone *zone)
{
	struct bytes folded = { 0 };
	int64_t ms;

	search_fold(&folded, argument);
	if (kind == ARGUMENT_SIZE)
		term->number = size_of(bytes_text(&folded));
	else if (date_parse(bytes_span(&folded), zone, &ms) == 0)
		term->number = ms < 0 ? 0 : (uint64_t)ms;
	else
		kind = ARGUMENT_NONE;
	bytes_release(&folded);
	return kind == ARGUMENT_SIZE ? term->number > 0 : kind != ARGUMENT_NONE;
}

/* false: it asks for nothing. */
static bool term_parse(struct term *term, struct span text, const struct zone *zone)
{
	const struct word *word = word_find(text);
	size_t length = word == NULL ? 0 : strlen(word->text);
	struct span argument = span_of(text.data + length, text.length - length);

	term->kind = word == NULL ? TERM_TEXT : word->kind;
	if (word == NULL)
		return set_text(term, text);
	switch (word->argument) {
	case ARGUMENT_NONE:
		return true;
	case ARGUMENT_ADDRESS:
		term->whole = argument.length > 0 && argument.data[0] == '=';
		argument = span_of(argument.data + term->whole, argument.length - term->whole);
		return set_text(term, argument);
	case ARGUMENT_TEXT:
		return set_text(term, argument);
	case ARGUMENT_DATE:
		return set_number(term, word->argument, argument, zone);
	case ARGUMENT_SIZE:
		if (set_number(term, word->argument, argument, zone))
			return true;
		term->kind = TERM_TEXT;
		return set_text(term, text);
	}
	return false;
}

/* Stands behind those that cost as much. */
static void term_insert(struct search *search, const struct term *term)
{
	size_t at = search->count;

	search->terms = memory_grow(search->terms, search->count + 1, sizeof(*search->terms));
	for (; at > 0 && search->terms[at - 1].kind > term->kind; at--)
		search->terms[at] = search->terms[at - 1];
	search->terms[at] = *term;
	search->count++;
	if (term->kind == TERM_TEXT && !term->excludes)
		inbox_sieve_add(&search->sieve, bytes_span(&term->needle.octets));
}

static void word_add(struct search *search, struct span text, const struct zone *zone)
{
	struct term term = { .number = 0 };
	struct bytes folded = { 0 };
	bool empty;

	search_fold(&folded, text);
	empty = folded.length == 0;
	bytes_release(&folded);
	if (empty)
		return;
	if (text.length > 1 && (text.data[0] == '-' || text.data[0] == '!')) {
		term.excludes = true;
		text = span_of(text.data + 1, text.length - 1);
	}
	if (term_parse(&term, text, zone))
		term_insert(search, &term);
}

static struct span trimmed(struct span text)
{
	while (text.length > 0 && isspace(text.data[0]))
		text = span_of(text.data + 1, text.length - 1);
	while (text.length > 0 && isspace(text.data[text.length - 1]))
		text.length--;
	return text;
}

/* Up to a space outside of quotation marks; without these. */
static const char *word_take(const char *query, struct bytes *word)
{
	bool quoted = false;

	bytes_clear(word);
	for (; *query != '\0' && (quoted || *query != ' '); query++) {
		if (*query == '"')
			quoted = !quoted;
		else
			bytes_append_char(word, *query);
	}
	return *query == ' ' ? query + 1 : query;
}

int search_parse(struct search **search_r, const char *query, const char *tz, int64_t now_us,
                 struct bytes *error)
{
	struct search *search = memory_new(sizeof(*search));
	struct zone *zone = zone_new(tz);
	struct bytes word = { 0 };

	(void)now_us;
	search->scratch = memory_new(sizeof(*search->scratch));
	while (*query != '\0' && search->count <= TERMS_MAX) {
		query = word_take(query, &word);
		word_add(search, trimmed(bytes_span(&word)), zone);
	}
	bytes_release(&word);
	zone_free(&zone);
	if (search->count > TERMS_MAX) {
		bytes_printf(error, "more than %d words are asked for", TERMS_MAX);
		search_free(&search);
		return -1;
	}
	*search_r = search;
	return 0;
}

void search_free(struct search **search)
{
	struct search *s = *search;

	if (s == NULL)
		return;
	*search = NULL;
	for (size_t i = 0; i < s->count; i++)
		needle_release(&s->terms[i].needle);
	free(s->terms);
	bytes_release(s->scratch);
	free(s->scratch);
	free(s);
}

int search_date(const char *text, const char *tz, int64_t *us_r)
{
	struct zone *zone = zone_new(tz);
	struct bytes folded = { 0 };
	int64_t ms;
	int rc;

	search_fold(&folded, span_of_text(text));
	rc = date_parse(bytes_span(&folded), zone, &ms);
	if (rc == 0)
		*us_r = ms * CLOCK_MS;
	bytes_release(&folded);
	zone_free(&zone);
	return rc;
}
