/* SPDX-License-Identifier: ISC */
/* parameters.c - ESMTP parameters of MAIL and RCPT (RFC 5321 4.1.1.11).
 *
 * Only what EHLO offers is known; another keyword is refused with 555, so that nobody believes in a
 * service that we do not give. Pure: no session.
 */
#include "receive/private.h"

#include <string.h>

#include "mail/xtext.h"

struct span span_trim(struct span text)
{
	while (text.length > 0 && text.data[0] == ' ') {
		text.data++;
		text.length--;
	}
	while (text.length > 0 && text.data[text.length - 1] == ' ')
		text.length--;
	return text;
}

struct span span_word(struct span *rest)
{
	struct span text = span_trim(*rest), word = text;
	const unsigned char *space = memchr(text.data, ' ', text.length);

	if (space != NULL)
		word.length = (size_t)(space - text.data);
	*rest = span_trim(span_of(text.data + word.length, text.length - word.length));
	return word;
}

struct parameter {
	struct span keyword, value;
	bool has_value;
};

static int refuse(struct refusal *refusal_r, int code, const char *text)
{
	refusal_r->code = code;
	refusal_r->enhanced = "5.5.4";
	refusal_r->text = text;
	return -1;
}

/* RFC 1870 4: 1*20DIGIT. What 64 bits do not hold is over any limit. */
static int size_value(uint64_t *size_r, struct span value)
{
	uint64_t size = 0;
	size_t i;

	if (value.length == 0 || value.length > 20)
		return -1;
	for (i = 0; i < value.length; i++) {
		unsigned digit = (unsigned)(value.data[i] - '0');

		if (value.data[i] < '0' || value.data[i] > '9')
			return -1;
		size = size > (UINT64_MAX - digit) / 10 ? UINT64_MAX : size * 10 + digit;
	}
	*size_r = size;
	return 0;
}

static int take_size(struct mail_parameters *p, const struct parameter *one, struct refusal *no)
{
	if (p->has_size)
		return refuse(no, 501, "SIZE is given twice");
	p->has_size = true;
	if (!one->has_value || size_value(&p->size, one->value) != 0)
		return refuse(no, 501, "SIZE= needs 1 to 20 digits");
	return 0;
}

static int take_body(struct mail_parameters *p, const struct parameter *one, struct refusal *no)
{
	if (p->has_body)
		return refuse(no, 501, "BODY is given twice");
	p->has_body = true;
	if (one->has_value && span_equal_nocase(one->value, span_of_text("8BITMIME")))
		p->body = BODY_8BITMIME;
	else if (!one->has_value || !span_equal_nocase(one->value, span_of_text("7BIT")))
		return refuse(no, 501, "BODY= is 7BIT or 8BITMIME");
	return 0;
}

/* Who the message was first submitted by is nothing we trust or pass on. */
static int take_auth(struct mail_parameters *p, const struct parameter *one, struct refusal *no)
{
	if (p->has_auth)
		return refuse(no, 501, "AUTH is given twice");
	p->has_auth = true;
	if (!one->has_value || one->value.length == 0 || !xtext_is_valid(one->value))
		return refuse(no, 501, "AUTH= needs xtext");
	return 0;
}

static struct parameter parameter_next(struct span *rest)
{
	struct parameter one = { .keyword = span_word(rest) };
	const unsigned char *equals = memchr(one.keyword.data, '=', one.keyword.length);

	if (equals != NULL) {
		size_t length = (size_t)(equals - one.keyword.data);

		one.has_value = true;
		one.value = span_of(equals + 1, one.keyword.length - length - 1);
		one.keyword.length = length;
	}
	return one;
}

int mail_parameters_parse(struct mail_parameters *p_r, struct span text, bool auth,
                          struct refusal *refusal_r)
{
	struct span rest = span_trim(text);
	int result = 0;

	memset(p_r, 0, sizeof *p_r);
	while (rest.length > 0 && result == 0) {
		struct parameter one = parameter_next(&rest);

		if (span_equal_nocase(one.keyword, span_of_text("SIZE")))
			result = take_size(p_r, &one, refusal_r);
		else if (span_equal_nocase(one.keyword, span_of_text("BODY")))
			result = take_body(p_r, &one, refusal_r);
		else if (auth && span_equal_nocase(one.keyword, span_of_text("AUTH")))
			result = take_auth(p_r, &one, refusal_r);
		else
			result = refuse(refusal_r, 555, "MAIL parameter not recognized");
	}
	return result;
}

int rcpt_parameters_parse(struct span text, struct refusal *refusal_r)
{
	if (span_trim(text).length == 0)
		return 0;
	return refuse(refusal_r, 555, "RCPT parameter not recognized");
}
