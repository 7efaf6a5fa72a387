/* SPDX-License-Identifier: ISC */
/* fuzz_search.c - any octets as a query, over any octets as a summary and a text.
 *
 * The first line is the query. What it finds in a text is never held back by the sieve, and folding
 * what is folded changes nothing. For libFuzzer: FUZZ_FOLDERS="inbox spool".
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "inbox/search_private.h"
#include "spool/private.h"

static void check_fold(struct span text)
{
	struct bytes once = { 0 }, twice = { 0 };

	search_fold(&once, text);
	search_fold(&twice, bytes_span(&once));
	CHECK(span_equal(bytes_span(&once), bytes_span(&twice)));
	CHECK(once.length <= text.length + text.length / 2);
	bytes_release(&once);
	bytes_release(&twice);
}

static void check_row(struct search *search, struct span summary, struct span text)
{
	struct inbox_row row = { .sequence = 1, .summary = summary, .text = text };
	unsigned char slot[SIEVE_SLOT];

	sieve_slot(slot, text, row.labels);
	if (search_matches(search, &row))
		CHECK(sieve_passes(&search->sieve, slot));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	const uint8_t *end = length == 0 ? NULL : memchr(data, '\n', length);
	size_t first = end == NULL ? length : (size_t)(end - data);
	struct span rest = span_of(data + first, length - first);
	struct bytes query = { 0 }, error = { 0 };
	struct search *search;
	int64_t ms;

	bytes_append(&query, data, first);
	(void)date_parse(bytes_span(&query), NULL, &ms);
	check_fold(bytes_span(&query));
	check_fold(rest);
	if (search_parse(&search, bytes_text(&query), NULL, 0, &error) == 0) {
		check_row(search, rest, rest);
		check_row(search, rest, span_of(NULL, 0));
		search_free(&search);
	}
	bytes_release(&query);
	bytes_release(&error);
	return 0;
}
