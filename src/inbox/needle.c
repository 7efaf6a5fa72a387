/* SPDX-License-Identifier: ISC */
/* needle.c - finds octets in a text: the whole of a search over many messages is spent here.
 *
 * Two octets of the needle that are rare in mail are compared at 16 places at a time; the needle
 * itself only where both are right. Where there is no SSE2, the C library looks.
 */
#include <string.h>

#include "inbox/search_private.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* The more common, the later. What is not here is rarer than all of it. */
static const char common[] = "zqxjk0123456789vbpygwfmcu-./@ldrhsnioate ";

static size_t commonness(unsigned char c)
{
	const char *at = c == '\0' ? NULL : strchr(common, c);

	return at == NULL ? 0 : (size_t)(at - common) + 1;
}

/* The place of the rarest octet but the one at `except`. */
static size_t rarest(struct span octets, size_t except)
{
	size_t best = except == 0 && octets.length > 1 ? 1 : 0;

	for (size_t i = 0; i < octets.length; i++)
		if (i != except && commonness(octets.data[i]) < commonness(octets.data[best]))
			best = i;
	return best;
}

void needle_init(struct needle *n, struct span octets)
{
	*n = (struct needle){ .rare = rarest(octets, octets.length) };
	n->second = rarest(octets, n->rare);
	bytes_append_span(&n->octets, octets);
}

void needle_release(struct needle *n)
{
	bytes_release(&n->octets);
}

#ifdef __SSE2__
/* Of the 16 places from `at` on. */
static bool is_at_one_of(const struct needle *n, const unsigned char *at)
{
	const unsigned char *octets = n->octets.data;
	__m128i first = _mm_set1_epi8((char)octets[n->rare]);
	__m128i second = _mm_set1_epi8((char)octets[n->second]);
	__m128i a = _mm_loadu_si128((const __m128i *)(const void *)(at + n->rare));
	__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(at + n->second));
	unsigned hits = (unsigned)_mm_movemask_epi8(
		_mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, second)));

	for (; hits != 0; hits &= hits - 1)
		if (memcmp(at + __builtin_ctz(hits), octets, n->octets.length) == 0)
			return true;
	return false;
}
#endif

bool needle_is_in(const struct needle *n, struct span text)
{
	size_t length = n->octets.length, at = 0;

	if (length == 0)
		return true;
	if (text.length < length)
		return false;
#ifdef __SSE2__
	for (; at + 15 + length <= text.length; at += 16)
		if (is_at_one_of(n, text.data + at))
			return true;
#endif
	return memmem(text.data + at, text.length - at, n->octets.data, length) != NULL;
}
