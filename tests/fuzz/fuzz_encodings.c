/* SPDX-License-Identifier: ISC */
/* fuzz_encodings.c - base64 and xtext: each octet string has one spelling, and reads back. */
#include "fuzz.h"

#include "base/digest.h"
#include "mail/xtext.h"

struct encoding {
	void (*encode)(struct bytes *out, struct span data);
	int (*decode)(struct bytes *out, struct span text);
};

static void check(const struct encoding *e, struct span input)
{
	struct bytes text = { 0 }, back = { 0 };

	e->encode(&text, input);
	CHECK(e->decode(&back, bytes_span(&text)) == 0);
	CHECK(span_equal(bytes_span(&back), input));
	bytes_clear(&text);
	bytes_clear(&back);
	if (e->decode(&back, input) == 0) {
		CHECK(back.length <= input.length);
		/* xtext may also spell plain characters in hexadecimal */
		e->encode(&text, bytes_span(&back));
		CHECK(e->decode == xtext_decode ? text.length <= input.length
		                                : span_equal(bytes_span(&text), input));
	} else {
		CHECK(back.length == 0);
	}
	bytes_release(&text);
	bytes_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static const struct encoding encodings[] = { { base64_encode, base64_decode },
		                                     { xtext_encode, xtext_decode } };
	struct span input = span_of(data, length);
	struct bytes out = { 0 };

	for (size_t i = 0; i < sizeof(encodings) / sizeof(*encodings); i++)
		check(&encodings[i], input);
	CHECK(xtext_is_valid(input) == (xtext_decode(&out, input) == 0));
	bytes_release(&out);
	return 0;
}
