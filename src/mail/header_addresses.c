/* SPDX-License-Identifier: ISC */
/* header_addresses.c - the mailboxes of an address list, also of a bad one.
 *
 * One pass from left to right, no recursion: comments are counted, groups are only
 * punctuation. A mailbox collects its words until ',' or ';' ends it; then the text in
 * angle brackets is the address, else the word with an '@', else a lone word, which
 * the sendmail command qualifies. What is found has no control characters; whether it is a
 * valid address is address_parse()'s to say.
 */
#include "mail/header.h"
#include "mail/header_text.h"

#include <string.h>

struct mailbox {
	struct bytes name;    /* words before the brackets, unquoted */
	struct bytes words;   /* the same, as written; no space around '.' and '@' */
	struct bytes angle;   /* within the brackets */
	struct bytes comment; /* the last one: the name in the oldest style */
	bool has_angle;
	bool space;        /* seen since the last word */
	size_t word_start; /* the current word, in words */
	bool word_has_at;
	size_t best_start, best_end; /* the last word with an '@' */
	unsigned word_count;
};

struct scan {
	const unsigned char *at, *end;
	struct mailbox box;
	void (*found)(void *context, const char *name, const char *address);
	void *context;
};

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

static void clear(struct mailbox *b)
{
	bytes_clear(&b->name);
	bytes_clear(&b->words);
	bytes_clear(&b->angle);
	bytes_clear(&b->comment);
	b->has_angle = b->space = b->word_has_at = false;
	b->word_start = b->best_start = b->best_end = 0;
	b->word_count = 0;
}

static void end_word(struct mailbox *b)
{
	if (b->word_has_at) {
		b->best_start = b->word_start;
		b->best_end = b->words.length;
	}
	b->word_start = b->words.length;
	b->word_has_at = false;
}

/* Before a word's next piece: does it go on ("a . b @ c"), or start another? */
static void join_or_start(struct mailbox *b, char next)
{
	char last = b->words.length == 0 ? '\0' : (char)b->words.data[b->words.length - 1];
	bool joins = next == '.' || next == '@' || last == '.' || last == '@';

	if (b->words.length == 0) {
		b->word_count = 1;
	} else if (b->space && !joins) {
		end_word(b);
		b->word_count++;
	}
	if (b->space && b->name.length > 0)
		bytes_append_char(&b->name, ' ');
	b->space = false;
}

static void append_octets(struct bytes *out, const unsigned char *from, const unsigned char *to)
{
	for (; from < to; from++)
		if (!is_control(*from))
			bytes_append_char(out, (char)*from);
}

static void emit(struct scan *s, struct span address)
{
	struct mailbox *b = &s->box;
	struct bytes name = { 0 }, text = { 0 };
	bool bare = !b->has_angle;

	header_decode(bytes_span(bare || b->name.length == 0 ? &b->comment : &b->name), &name);
	bytes_append_span(&text, address);
	s->found(s->context, bytes_text(&name), bytes_text(&text));
	bytes_release(&name);
	bytes_release(&text);
}

static void end_mailbox(struct scan *s)
{
	struct mailbox *b = &s->box;

	end_word(b);
	if (b->has_angle) {
		if (b->angle.length > 0)
			emit(s, bytes_span(&b->angle));
	} else if (b->best_end > b->best_start) {
		emit(s, span_of(b->words.data + b->best_start, b->best_end - b->best_start));
	} else if (b->word_count == 1 && b->words.length > 0) {
		emit(s, bytes_span(&b->words));
	}
	clear(b);
}

/* Skips a quoted string or to the end, copying it as written and without its quotes. */
static void scan_quoted(struct scan *s, struct bytes *raw, struct bytes *plain)
{
	const unsigned char *start = s->at++;

	while (s->at < s->end && *s->at != '"') {
		if (*s->at == '\\' && s->at + 1 < s->end)
			s->at++;
		if (plain != NULL)
			append_octets(plain, s->at, s->at + 1);
		s->at++;
	}
	if (s->at < s->end)
		s->at++;
	append_octets(raw, start, s->at);
}

static void scan_comment(struct scan *s)
{
	size_t depth = 0;

	bytes_clear(&s->box.comment);
	for (; s->at < s->end; s->at++) {
		unsigned char c = *s->at;

		if (c == '\\' && s->at + 1 < s->end)
			append_octets(&s->box.comment, s->at + 1, s->at + 2), s->at++;
		else if (c == '(' && depth++ == 0)
			continue;
		else if (c == ')' && --depth == 0)
			break;
		else
			append_octets(&s->box.comment, s->at, s->at + 1);
	}
	if (s->at < s->end)
		s->at++;
	s->box.space = true;
}

/* "@one,@two:" in front of an address in brackets. */
static void skip_route(struct scan *s)
{
	while (s->at < s->end && *s->at != ':' && *s->at != '>')
		s->at++;
	if (s->at < s->end && *s->at == ':')
		s->at++;
}

/* A '>' that never comes is taken as read before the next ','. */
static void scan_angle(struct scan *s)
{
	struct mailbox *b = &s->box;

	s->at++;
	if (b->has_angle) /* a comma was forgotten */
		end_mailbox(s);
	b->has_angle = true;
	while (s->at < s->end && *s->at != '>' && *s->at != ',') {
		if (*s->at == '"') {
			scan_quoted(s, &b->angle, NULL);
		} else if (*s->at == '<') {
			bytes_clear(&b->angle);
			s->at++;
		} else if (*s->at == '@' && b->angle.length == 0) {
			skip_route(s);
		} else {
			if (*s->at != ' ')
				append_octets(&b->angle, s->at, s->at + 1);
			s->at++;
		}
	}
	if (s->at < s->end && *s->at == '>')
		s->at++;
}

/* "[IPv6:2001:db8::1]": its colons start no group. */
static void scan_literal(struct scan *s)
{
	const unsigned char *start = s->at;

	while (s->at < s->end && *s->at != ']' && *s->at != ',')
		s->at++;
	if (s->at < s->end && *s->at == ']')
		s->at++;
	append_octets(&s->box.words, start, s->at);
	append_octets(&s->box.name, start, s->at);
}

static void scan_word(struct scan *s)
{
	struct mailbox *b = &s->box;
	size_t encoded = header_word_length(span_of(s->at, (size_t)(s->end - s->at)));
	size_t length = encoded > 0 ? encoded : 1;

	join_or_start(b, (char)*s->at);
	if (*s->at == '"') {
		scan_quoted(s, &b->words, &b->name);
		return;
	}
	if (*s->at == '[') {
		scan_literal(s);
		return;
	}
	if (*s->at == '@')
		b->word_has_at = true;
	append_octets(&b->words, s->at, s->at + length);
	append_octets(&b->name, s->at, s->at + length);
	s->at += length;
}

static void scan_next(struct scan *s)
{
	switch (*s->at) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
	case ')': /* of no comment */
		s->box.space = true;
		s->at++;
		break;
	case ',':
	case ';':
		end_mailbox(s);
		s->at++;
		break;
	case ':': /* what was read is a group's name */
		clear(&s->box);
		s->at++;
		break;
	case '(':
		scan_comment(s);
		break;
	case '<':
		scan_angle(s);
		break;
	default:
		scan_word(s);
	}
}

void header_addresses(struct span value,
                      void (*found)(void *context, const char *name, const char *address),
                      void *context)
{
	struct scan s = { .at = value.data, .found = found, .context = context };

	if (value.length > 0)
		for (s.end = s.at + value.length; s.at < s.end;)
			scan_next(&s);
	end_mailbox(&s);
	bytes_release(&s.box.name);
	bytes_release(&s.box.words);
	bytes_release(&s.box.angle);
	bytes_release(&s.box.comment);
}
