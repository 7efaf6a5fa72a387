/* SPDX-License-Identifier: ISC */
/* id.c - ids as text. 13 characters of 5 bits hold 65: the first one is at most 'F', so that
 * each id has one canonical text and texts sort as ids do. */
#include "mail/id.h"

#include <string.h>

#define ID_LENGTH (ID_TEXT_SIZE - 1)

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void id_format(uint64_t id, char out[ID_TEXT_SIZE])
{
	for (int i = ID_LENGTH - 1; i >= 0; i--) {
		out[i] = digits[id & 31];
		id >>= 5;
	}
	out[ID_LENGTH] = '\0';
}

static int digit_value(char c)
{
	const char *at;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	at = c == '\0' ? NULL : strchr(digits, c);
	return at == NULL ? -1 : (int)(at - digits);
}

int id_parse(uint64_t *id_r, const char *text)
{
	uint64_t id = 0;

	for (int i = 0; i < ID_LENGTH; i++) {
		int value = digit_value(text[i]);

		if (value < 0 || (i == 0 && value > 15))
			return -1;
		id = id << 5 | (uint64_t)value;
	}
	if (text[ID_LENGTH] != '\0')
		return -1;
	*id_r = id;
	return 0;
}
