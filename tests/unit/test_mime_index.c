/* SPDX-License-Identifier: ISC */
/* test_mime_index.c - the record of the parts: there and back, cut, wild. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mime/private.h"
#include "mime_text.h"

static void fill(struct mime_index *index)
{
	struct mime_part *part;

	memset(index, 0, sizeof(*index));
	index->parsed = true;
	for (unsigned i = 1; i <= 2; i++) {
		struct bytes number = { 0 };

		bytes_printf(&number, "1.%u", i);
		part = index_add(index);
		part->number = memory_text(bytes_text(&number));
		part->type = memory_text(i == 1 ? "text/html" : "image/png");
		part->charset = i == 1 ? memory_text("koi8-r") : NULL;
		part->filename = memory_text(i == 1 ? "" : "a.png");
		part->content_id = memory_text(i == 1 ? "" : "i@x");
		part->role = i == 1 ? MIME_HTML : MIME_INLINE;
		part->encoding = i == 1 ? MIME_QUOTED_PRINTABLE : MIME_BASE64;
		part->offset = UINT64_C(1) << 33;
		part->length = 77;
		part->size = 55;
		memset(part->sha256, (int)i, sizeof(part->sha256));
		bytes_release(&number);
	}
	find_link(index, span_of_text("http://x.test/"));
	find_codes(index, span_of_text("code 1234"));
}

static void comes_back_as_it_was(void **state)
{
	struct mime_index index, back;
	struct bytes record = { 0 }, again = { 0 }, outline = { 0 };

	(void)state;
	fill(&index);
	mime_index_encode(&index, &record);
	assert_int_equal(mime_index_decode(&back, bytes_span(&record)), 0);
	mime_text_outline(&back, &outline);
	assert_string_equal(
		bytes_text(&outline),
		"1.1 text/html html quoted 55; 1.2 image/png inline base64 55 'a.png' <i@x>");
	assert_string_equal(back.parts[0].charset, "koi8-r");
	assert_null(back.parts[1].charset);
	assert_int_equal(back.parts[1].offset, UINT64_C(1) << 33);
	assert_string_equal(back.links[0], "http://x.test/");
	assert_string_equal(back.codes[0], "1234");
	mime_index_encode(&back, &again);
	assert_true(span_equal(bytes_span(&record), bytes_span(&again)));
	assert_string_equal(mime_index_find(&back, "1.2")->type, "image/png");
	assert_null(mime_index_find(&back, "1"));
	assert_string_equal(mime_index_find_content_id(&back, "i@x")->number, "1.2");
	assert_null(mime_index_find_content_id(&back, ""));
	mime_index_release(&index);
	mime_index_release(&back);
	bytes_release(&record);
	bytes_release(&again);
	bytes_release(&outline);
}

static void cut_or_changed_it_is_refused(void **state)
{
	struct mime_index index, back;
	struct bytes record = { 0 };

	(void)state;
	fill(&index);
	mime_index_encode(&index, &record);
	for (size_t length = 0; length < record.length; length++) {
		/* A copy of that size, so that a sanitizer sees a read beyond it. */
		char *cut = memory_text_of(record.data, length);

		assert_int_equal(mime_index_decode(&back, span_of(cut, length)), -1);
		assert_null(back.parts);
		free(cut);
	}
	for (size_t at = 0; at < record.length; at++) {
		record.data[at] ^= 0xff;
		if (mime_index_decode(&back, bytes_span(&record)) == 0) {
			assert_true(back.count <= index.count);
			mime_index_release(&back);
		}
		record.data[at] ^= 0xff;
	}
	mime_index_release(&index);
	bytes_release(&record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(cut_or_changed_it_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
