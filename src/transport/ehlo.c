/* SPDX-License-Identifier: ISC */
/* ehlo.c - what a peer's EHLO reply offers.
 *
 * Keywords are compared without case (RFC 5321 2.4). The first line is the peer's name and
 * greeting. Unknown keywords and malformed values are passed over: a peer that
 * says LIMITS RCPTMAX= has said nothing (RFC 9422 allows for it).
 */
#include "transport/private.h"

#include <string.h>

/* Takes the next word of the line; an empty span at its end. */
static struct span next_word(struct span *line)
{
	struct span word;

	while (line->length > 0 && (*line->data == ' ' || *line->data == '\t')) {
		line->data++;
		line->length--;
	}
	word = span_of(line->data, 0);
	while (line->length > 0 && *line->data != ' ' && *line->data != '\t') {
		line->data++;
		line->length--;
		word.length++;
	}
	return word;
}

static bool word_is(struct span word, const char *text)
{
	return span_equal_nocase(word, span_of_text(text));
}

/* 0: not a number, or too long to be one. RFC 1870: at most 20 digits. */
static uint64_t number_of(struct span digits)
{
	uint64_t value = 0;

	if (digits.length == 0)
		return 0;
	for (size_t i = 0; i < digits.length; i++) {
		unsigned digit = (unsigned)digits.data[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	return value;
}

static void take_size(struct ehlo *e, struct span line)
{
	e->facts.size = true;
	e->facts.size_max = number_of(next_word(&line));
}

/* 6 digits are all that RFC 9422 allows; more is malformed. */
static void take_limit(struct span word, const char *name, uint64_t *limit)
{
	size_t length = strlen(name);

	if (!span_starts_nocase(word, name) || word.length - length > 6)
		return;
	*limit = number_of(span_of(word.data + length, word.length - length));
}

static void take_limits(struct ehlo *e, struct span line)
{
	struct span word;

	while ((word = next_word(&line)).length > 0) {
		take_limit(word, "RCPTMAX=", &e->facts.recipients_max);
		take_limit(word, "MAILMAX=", &e->facts.messages_max);
	}
}

static void take_auth(struct ehlo *e, struct span line)
{
	struct span word;

	e->auth = true;
	while ((word = next_word(&line)).length > 0) {
		enum provider_auth mechanism = sasl_find(word);

		if (mechanism != PROVIDER_AUTH_AUTO)
			e->mechanisms |= sasl_bit(mechanism);
	}
}

static void take_line(struct ehlo *e, struct span line)
{
	struct peer_facts *f = &e->facts;
	struct span rest = line;
	struct span word = next_word(&rest);

	f->pipelining |= word_is(word, "PIPELINING");
	f->eight_bit_mime |= word_is(word, "8BITMIME");
	f->smtputf8 |= word_is(word, "SMTPUTF8");
	f->dsn |= word_is(word, "DSN");
	f->require_tls |= word_is(word, "REQUIRETLS");
	f->deliver_by |= word_is(word, "DELIVERBY");
	f->mt_priority |= word_is(word, "MT-PRIORITY");
	f->chunking |= word_is(word, "CHUNKING");
	f->enhanced_codes |= word_is(word, "ENHANCEDSTATUSCODES");
	e->starttls |= word_is(word, "STARTTLS");
	if (word_is(word, "SIZE"))
		take_size(e, rest);
	else if (word_is(word, "LIMITS"))
		take_limits(e, rest);
	else if (word_is(word, "AUTH"))
		take_auth(e, rest);
	else if (span_starts_nocase(word, "AUTH=")) /* from before RFC 2554, still met */
		take_auth(e, span_of(line.data + 5, line.length - 5));
}

void ehlo_parse(struct ehlo *ehlo_r, const char *text)
{
	const char *line = text == NULL ? NULL : strchr(text, '\n');

	*ehlo_r = (struct ehlo){ 0 };
	while (line != NULL) {
		const char *start = line + 1;

		line = strchr(start, '\n');
		take_line(ehlo_r,
		          span_of(start, line == NULL ? strlen(start) : (size_t)(line - start)));
	}
}
