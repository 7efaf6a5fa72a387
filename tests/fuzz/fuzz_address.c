/* SPDX-License-Identifier: ISC */
/* fuzz_address.c - what the address parser takes is clean, within limits, and reads back the same.
 *
 * First octet: flags. The rest is what follows "MAIL FROM:". */
#include "fuzz.h"

#include <string.h>

#include "base/utf8.h"
#include "mail/address.h"

/* What "<text>" means, it means again, and bare too. */
static void check_again(const struct address *a, unsigned flags)
{
	struct bytes path = { 0 };
	struct address again = { 0 };
	const char *error;
	size_t used;

	bytes_printf(&path, "<%s>", a->text);
	CHECK(address_parse_path(&again, bytes_span(&path), flags, &used, &error) == 0);
	CHECK(used == path.length);
	CHECK(strcmp(again.text, a->text) == 0 && again.local_length == a->local_length);
	address_release(&again);
	CHECK(address_parse(&again, span_of_text(a->text), flags, &error) == 0);
	CHECK(again.local_length == a->local_length);
	address_release(&again);
	bytes_release(&path);
}

static void check_address(const struct address *a, unsigned flags)
{
	struct span text = span_of_text(a->text);
	struct span domain = address_domain(a);

	CHECK(is_clean(text, 0) && utf8_is_valid(text));
	CHECK((flags & ADDRESS_UTF8) != 0 || !address_is_utf8(a));
	CHECK(text.length + 2 <= ADDRESS_PATH_MAX && a->local_length <= ADDRESS_LOCAL_MAX);
	CHECK(domain.length <= ADDRESS_DOMAIN_MAX);
	CHECK(text.length == 0 ? (flags & ADDRESS_NULL) != 0 : a->local_length > 0);
	CHECK(domain.length == 0 || a->text[a->local_length] == '@');
	CHECK(domain.length == 0 || memchr(domain.data, ' ', domain.length) == NULL);
	CHECK(domain.length == 0 || address_is_utf8(a) || domain_is_valid(domain));
	CHECK(address_matches(a, "*") && address_matches(a, a->text));
	check_again(a, flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct address a = { 0 };
	const char *error = NULL;
	unsigned flags;
	struct span text;
	size_t used = 0;

	if (length == 0)
		return 0;
	flags = data[0] & 7u;
	text = span_of(data + 1, length - 1);
	if (address_parse_path(&a, text, flags, &used, &error) == 0) {
		CHECK(used >= 2 && used <= text.length && text.data[used - 1] == '>');
		check_address(&a, flags);
		address_release(&a);
	} else {
		CHECK(a.text == NULL && error != NULL);
	}
	if (address_parse(&a, text, flags, &error) == 0) {
		check_address(&a, flags);
		address_release(&a);
	}
	return 0;
}
