/* SPDX-License-Identifier: ISC */
/* mechanisms.c - who logs in by a mechanism whose secret nobody checks: an inbox takes every login.
 *
 * Applications are tested with the mechanism of their provider. Only the name is taken from the
 * response; what proves it, is not looked at.
 */
#include "receive/private.h"

#include <string.h>

#include "base/digest.h"

/* RFC 2195 2: text that is never the same twice. */
void mechanism_challenge(const struct session *s, struct bytes *out)
{
	struct bytes text = { 0 };
	uint64_t random;

	digest_random(&random, sizeof random);
	bytes_printf(&text, "<%llu@%s>", (unsigned long long)random,
	             s->receive->settings->hostname);
	base64_encode(out, bytes_span(&text));
	bytes_release(&text);
}

/* What is between `before` and the first `end` behind it. */
static bool between(struct span text, const char *before, char end, struct span *found_r)
{
	size_t length = strlen(before);
	const unsigned char *at =
		text.length < length ? NULL : memmem(text.data, text.length, before, length);
	const unsigned char *last;

	if (at == NULL)
		return false;
	at += length;
	last = memchr(at, end, (size_t)(text.data + text.length - at));
	*found_r = span_of(at, last != NULL ? (size_t)(last - at) : 0);
	return last != NULL;
}

bool mechanism_name(enum mechanism mechanism, struct span response, struct span *name_r)
{
	switch (mechanism) {
	case MECHANISM_CRAM_MD5: /* RFC 2195 2: name, space, digest; names may have spaces */
		for (size_t i = response.length; i > 0; i--)
			if (response.data[i - 1] == ' ') {
				*name_r = span_of(response.data, i - 1);
				return true;
			}
		return false;
	case MECHANISM_XOAUTH2:
		return between(response, "user=", '\1', name_r);
	case MECHANISM_OAUTHBEARER: /* RFC 7628 3.1, RFC 5801 4 */
		return between(response, "a=", ',', name_r);
	default:
		return false;
	}
}
