/* SPDX-License-Identifier: ISC */
/* parameters.c - ESMTP parameters of MAIL and RCPT (RFC 5321 4.1.1.11).
 *
 * Only what EHLO offers is known; another keyword is refused with 555, so that nobody believes in a
 * service that we do not give. None may be given twice (RFC 3461 4, RFC 4865 4.2). Pure: no
 * session; spans point into the command line.
 */
#include "receive/private.h"

#include <string.h>

#include "base/utf8.h"
#include "mail/xtext.h"

/* RFC 3461 4.4; in xtext. */
#define ENVID_MAX 100 /* octets */
/* RFC 3461 4.2. */
#define ORCPT_MAX 500 /* octets */

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

static int refuse(struct refusal *refusal_r, int code, const char *text)
{
	refusal_r->code = code;
	refusal_r->enhanced = "5.5.4";
	refusal_r->text = text;
	return -1;
}

static bool value_is(const struct parameter *one, const char *text)
{
	return one->has_value && span_equal_nocase(one->value, span_of_text(text));
}

/* xtext of which nothing but graphic octets and spaces comes out (RFC 3461 4.2, 4.4). */
static bool is_printable_xtext(struct span text)
{
	struct bytes decoded = { 0 };
	bool good = xtext_decode(&decoded, text) == 0;

	good = good && !span_has_controls(bytes_span(&decoded)) &&
	       !span_has_8bit(bytes_span(&decoded));
	bytes_release(&decoded);
	return good;
}

/* ---- MAIL ---------------------------------------------------------------- */

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

static int take_size(struct mail_parameters *p, const struct parameter *one,
                     const struct mail_rules *rules, struct refusal *no)
{
	(void)rules;
	if (!one->has_value || size_value(&p->size, one->value) != 0)
		return refuse(no, 501, "SIZE= needs 1 to 20 digits");
	return 0;
}

static int take_body(struct mail_parameters *p, const struct parameter *one,
                     const struct mail_rules *rules, struct refusal *no)
{
	(void)rules;
	if (value_is(one, "8BITMIME"))
		p->body = BODY_8BITMIME;
	else if (!value_is(one, "7BIT"))
		return refuse(no, 501, "BODY= is 7BIT or 8BITMIME");
	return 0;
}

/* Who the message was first submitted by is nothing we trust or pass on. */
static int take_auth(struct mail_parameters *p, const struct parameter *one,
                     const struct mail_rules *rules, struct refusal *no)
{
	(void)p;
	if (!rules->auth)
		return refuse(no, 555, "MAIL parameter not recognized");
	if (!one->has_value || one->value.length == 0 || !xtext_is_valid(one->value))
		return refuse(no, 501, "AUTH= needs xtext");
	return 0;
}

static int take_ret(struct mail_parameters *p, const struct parameter *one,
                    const struct mail_rules *rules, struct refusal *no)
{
	(void)rules;
	if (value_is(one, "FULL"))
		p->ret = RET_FULL;
	else if (value_is(one, "HDRS"))
		p->ret = RET_HDRS;
	else
		return refuse(no, 501, "RET= is FULL or HDRS");
	return 0;
}

static int take_envid(struct mail_parameters *p, const struct parameter *one,
                      const struct mail_rules *rules, struct refusal *no)
{
	(void)rules;
	if (!one->has_value || one->value.length == 0 || one->value.length > ENVID_MAX ||
	    !is_printable_xtext(one->value))
		return refuse(no, 501, "ENVID= needs 1 to 100 octets of xtext");
	p->envid = one->value;
	return 0;
}

/* RFC 6531 3.4: it accepts no value. */
static int take_smtputf8(struct mail_parameters *p, const struct parameter *one,
                         const struct mail_rules *rules, struct refusal *no)
{
	(void)rules;
	if (one->has_value)
		return refuse(no, 501, "SMTPUTF8 has no value");
	p->smtputf8 = true;
	return 0;
}

static const struct mail_keyword {
	const char *keyword;
	int (*take)(struct mail_parameters *p, const struct parameter *one,
	            const struct mail_rules *rules, struct refusal *no);
	unsigned seen;     /* who share a bit exclude each other */
	const char *twice; /* the enhanced code of its repetition; NULL: 5.5.4 */
} mail_keywords[] = {
	{ "SIZE", take_size, 1 << 0, NULL },
	{ "BODY", take_body, 1 << 1, NULL },
	{ "AUTH", take_auth, 1 << 2, NULL },
	{ "RET", take_ret, 1 << 3, NULL },
	{ "ENVID", take_envid, 1 << 4, NULL },
	{ "SMTPUTF8", take_smtputf8, 1 << 5, NULL },
	{ "REQUIRETLS", take_require_tls, 1 << 9, NULL },
	{ "BY", take_by, 1 << 8, NULL },
	{ "HOLDFOR", take_hold_for, 1 << 7, NULL }, /* one of the two (RFC 4865 4.2) */
	{ "HOLDUNTIL", take_hold_until, 1 << 7, NULL },
	{ "MT-PRIORITY", take_priority, 1 << 6, "5.5.2" }, /* RFC 6710 4.1 */
};

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

static const struct mail_keyword *mail_keyword_find(struct span keyword)
{
	size_t i;

	for (i = 0; i < sizeof mail_keywords / sizeof mail_keywords[0]; i++) {
		if (span_equal_nocase(keyword, span_of_text(mail_keywords[i].keyword)))
			return &mail_keywords[i];
	}
	return NULL;
}

static int mail_parameter(struct mail_parameters *p, const struct parameter *one, unsigned *seen,
                          const struct mail_rules *rules, struct refusal *no)
{
	const struct mail_keyword *known = mail_keyword_find(one->keyword);

	if (known == NULL)
		return refuse(no, 555, "MAIL parameter not recognized");
	if ((*seen & known->seen) != 0) {
		refuse(no, 501, "A MAIL parameter is given twice");
		if (known->twice != NULL)
			no->enhanced = known->twice;
		return -1;
	}
	*seen |= known->seen;
	return known->take(p, one, rules, no);
}

int mail_parameters_parse(struct mail_parameters *p_r, struct span text,
                          const struct mail_rules *rules, struct refusal *refusal_r)
{
	struct span rest = span_trim(text);
	unsigned seen = 0;
	int result = 0;

	memset(p_r, 0, sizeof *p_r);
	while (rest.length > 0 && result == 0) {
		struct parameter one = parameter_next(&rest);

		result = mail_parameter(p_r, &one, &seen, rules, refusal_r);
	}
	/* RFC 4865 5.2.2 */
	if (result == 0 && p_r->terms.by_mode != BY_NONE &&
	    p_r->terms.release_us > p_r->terms.by_us)
		return refuse(refusal_r, 501, "It would be released behind the time given by BY=");
	return result;
}

/* ---- RCPT ---------------------------------------------------------------- */

static unsigned notify_bit(struct span word)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = {
		{ "NEVER", NOTIFY_NEVER },
		{ "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE },
		{ "DELAY", NOTIFY_DELAY },
	};
	size_t i;

	for (i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (span_equal_nocase(word, span_of_text(words[i].word)))
			return words[i].bit;
	}
	return 0;
}

/* "NEVER", or words parted by commas (RFC 3461 4.1). */
static int notify_value(unsigned *notify_r, struct span value)
{
	unsigned notify = 0;

	for (;;) {
		const unsigned char *comma = memchr(value.data, ',', value.length);
		size_t length = comma != NULL ? (size_t)(comma - value.data) : value.length;
		unsigned bit = notify_bit(span_of(value.data, length));

		if (bit == 0)
			return -1;
		notify |= bit;
		if (comma == NULL)
			break;
		value = span_of(comma + 1, value.length - length - 1);
	}
	*notify_r = notify;
	return (notify & NOTIFY_NEVER) != 0 && notify != NOTIFY_NEVER ? -1 : 0;
}

/* RFC 6533 3: in an internationalised message the address may stand as it is. */
static bool is_unitext(struct span text)
{
	size_t i;

	for (i = 0; i < text.length; i++) {
		unsigned char c = text.data[i];

		if (c <= ' ' || c == '+' || c == '=' || c == 0x7f)
			return false;
	}
	return utf8_is_valid(text);
}

/* addr-type ";" xtext */
static bool is_orcpt(struct span value, bool utf8)
{
	const unsigned char *semicolon = memchr(value.data, ';', value.length);
	struct span type, address;
	size_t i;

	if (semicolon == NULL || semicolon == value.data || value.length > ORCPT_MAX)
		return false;
	type = span_of(value.data, (size_t)(semicolon - value.data));
	address = span_of(semicolon + 1, value.length - type.length - 1);
	for (i = 0; i < type.length; i++) {
		unsigned char c = type.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '-'))
			return false;
	}
	if (address.length == 0)
		return false;
	if (utf8 && span_equal_nocase(type, span_of_text("utf-8")) && span_has_8bit(address))
		return is_unitext(address);
	return is_printable_xtext(address);
}

static int take_notify(struct rcpt_parameters *p, const struct parameter *one, struct refusal *no)
{
	if (p->notify != NOTIFY_DEFAULT)
		return refuse(no, 501, "NOTIFY is given twice");
	if (!one->has_value || notify_value(&p->notify, one->value) != 0)
		return refuse(no, 501, "NOTIFY= is NEVER, or of SUCCESS, FAILURE and DELAY");
	return 0;
}

static int take_orcpt(struct rcpt_parameters *p, const struct parameter *one, bool utf8,
                      struct refusal *no)
{
	if (p->orcpt.length > 0)
		return refuse(no, 501, "ORCPT is given twice");
	if (!one->has_value || !is_orcpt(one->value, utf8))
		return refuse(no, 501, "ORCPT= is a type, ';' and xtext, 500 octets at most");
	p->orcpt = one->value;
	return 0;
}

int rcpt_parameters_parse(struct rcpt_parameters *p_r, struct span text, bool utf8,
                          struct refusal *refusal_r)
{
	struct span rest = span_trim(text);
	int result = 0;

	memset(p_r, 0, sizeof *p_r);
	while (rest.length > 0 && result == 0) {
		struct parameter one = parameter_next(&rest);

		if (span_equal_nocase(one.keyword, span_of_text("NOTIFY")))
			result = take_notify(p_r, &one, refusal_r);
		else if (span_equal_nocase(one.keyword, span_of_text("ORCPT")))
			result = take_orcpt(p_r, &one, utf8, refusal_r);
		else
			result = refuse(refusal_r, 555, "RCPT parameter not recognized");
	}
	return result;
}
