/* SPDX-License-Identifier: ISC */
/* fuzz_proxy.c - a PROXY header: bounded, an address that reads back, the same answer at any cut.
 */
#include "fuzz.h"

#include <arpa/inet.h>
#include <string.h>

#include "net/proxy.h"

static void check_done(const struct proxy_header *h, struct span input)
{
	unsigned char address[16];
	bool known = strcmp(h->address, "unknown") != 0;

	CHECK(h->length <= input.length && h->length <= PROXY_V2_MAX);
	if (h->local)
		CHECK(h->address[0] == '\0');
	else if (known)
		CHECK(inet_pton(AF_INET, h->address, address) == 1 ||
		      inet_pton(AF_INET6, h->address, address) == 1);
	CHECK((h->port[0] != '\0') == (known && !h->local));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct span input = span_of(data, length);
	struct proxy_header whole, part;
	const char *error = NULL;
	enum proxy_result result = proxy_parse(&whole, input, &error), early;

	CHECK((result == PROXY_BAD) == (error != NULL));
	if (result == PROXY_DONE)
		check_done(&whole, input);
	/* What is decided of a part stays so. */
	for (size_t cut = 0; cut < length && cut <= PROXY_V2_MAX; cut++) {
		early = proxy_parse(&part, span_of(data, cut), &error);
		CHECK(early == PROXY_PARTIAL || early == result);
		if (early == PROXY_DONE)
			CHECK(memcmp(&part, &whole, sizeof part) == 0);
	}
	CHECK(result != PROXY_PARTIAL || length < PROXY_V2_MAX);
	return 0;
}
