/* SPDX-License-Identifier: ISC */
/* fuzz_header.c - any octets as a message: spans stay inside it, what is shown is clean text. */
#include "fuzz.h"

#include "base/utf8.h"
#include "mail/header.h"
#include "mail/trace.h"

static void check_address(void *context, const char *name, const char *address)
{
	struct span n = span_of_text(name), a = span_of_text(address);

	++*(size_t *)context;
	CHECK(is_clean(n, 0) && utf8_is_valid(n));
	CHECK(is_clean(a, 0) && a.length > 0);
}

static void check_value(struct span value)
{
	struct bytes flat = { 0 }, shown = { 0 };
	size_t found = 0;

	header_unfold(value, &flat);
	CHECK(flat.length <= value.length);
	for (size_t i = 0; i < flat.length; i++)
		CHECK(flat.data[i] != '\r' && flat.data[i] != '\n' && flat.data[i] != '\0');
	header_decode(value, &shown);
	CHECK(is_clean(bytes_span(&shown), 0) && utf8_is_valid(bytes_span(&shown)));
	header_addresses(value, check_address, &found);
	CHECK(found <= value.length);
	bytes_release(&flat);
	bytes_release(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct span message = span_of(data, length);
	struct header_reader r = header_reader(message);
	struct header_field f;
	size_t section = header_length(message);
	const uint8_t *last = data;

	CHECK(section <= length);
	while (header_next(&r, &f)) {
		CHECK(f.whole.data >= last && f.whole.length > f.name.length);
		last = f.whole.data + f.whole.length;
		CHECK(last <= data + section);
		CHECK(f.name.data == f.whole.data && f.name.length > 0);
		CHECK(f.value.data >= f.name.data + f.name.length);
		CHECK(f.value.data + f.value.length <= last);
		check_value(f.value);
	}
	check_value(message);
	CHECK(trace_count_hops(message) <= length);
	return 0;
}
