/* SPDX-License-Identifier: ISC */
/* terms.c - parameters of MAIL that say how a message is to be delivered: how urgent it is.
 *
 * Only what is said is read here; what this client may ask for is decided in accept.c. Pure.
 */
#include "receive/private.h"

static int refuse(struct refusal *no, const char *enhanced, const char *text)
{
	*no = (struct refusal){ 501, enhanced, text };
	return -1;
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 6710 8: (["-"] NZDIGIT) / "0" */
int take_priority(struct mail_parameters *p, const struct parameter *one,
                  const struct mail_rules *rules, struct refusal *no)
{
	struct span value = one->value;
	bool negative = value.length == 2 && value.data[0] == '-';
	unsigned char digit;

	(void)rules;
	if (one->has_value && (negative || value.length == 1)) {
		digit = value.data[value.length - 1];
		if (is_digit(digit) && !(negative && digit == '0')) {
			p->terms.priority = (int8_t)(negative ? '0' - digit : digit - '0');
			return 0;
		}
	}
	return refuse(no, "5.5.2", "MT-PRIORITY= is a number from -9 to 9");
}
