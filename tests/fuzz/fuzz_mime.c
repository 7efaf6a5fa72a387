/* SPDX-License-Identifier: ISC */
/* fuzz_mime.c - any octets as a message: parts stay inside it, texts are clean UTF-8, the index
 * comes back as it was stored. */
#include "fuzz.h"

#include <string.h>

#include "base/utf8.h"
#include "mime/mime.h"

struct octets {
	const uint8_t *data;
	size_t length;
};

static int read_octets(void *context, uint64_t off, void *out, size_t len, size_t *got_r)
{
	const struct octets *o = context;
	size_t left = off < o->length ? o->length - (size_t)off : 0;

	*got_r = left < len ? left : len;
	if (*got_r > 0)
		memcpy(out, o->data + off, *got_r);
	return 0;
}

static void check_text(const char *text)
{
	CHECK(text != NULL && is_clean(span_of_text(text), 0) && utf8_is_valid(span_of_text(text)));
}

static void check_part(const struct mime_part *part, const struct mime_source *source)
{
	struct bytes text = { 0 };

	CHECK(part->offset <= source->size && part->length <= source->size - part->offset);
	CHECK(part->size <= part->length + 4);
	check_text(part->number);
	check_text(part->type);
	check_text(part->filename);
	check_text(part->content_id);
	CHECK(strchr(part->type, '/') != NULL && strlen(part->filename) <= 255);
	CHECK(mime_part_text(part, source, 1000, &text) == 0);
	CHECK(text.length <= 1000 && utf8_is_valid(bytes_span(&text)));
	bytes_release(&text);
}

static void check_index(const struct mime_index *index, const struct mime_source *source)
{
	struct bytes record = { 0 }, again = { 0 };
	struct mime_index back;

	CHECK(index->parsed == (index->why == NULL) && index->count <= MIME_PARTS_MAX);
	for (size_t i = 0; i < index->count; i++) {
		check_part(&index->parts[i], source);
		CHECK(mime_index_find(index, index->parts[i].number) == &index->parts[i]);
	}
	CHECK(index->link_count <= MIME_FINDINGS_MAX && index->code_count <= MIME_FINDINGS_MAX);
	for (size_t i = 0; i < index->link_count; i++)
		check_text(index->links[i]);
	for (size_t i = 0; i < index->code_count; i++)
		check_text(index->codes[i]);
	mime_index_encode(index, &record);
	CHECK(mime_index_decode(&back, bytes_span(&record)) == 0);
	mime_index_encode(&back, &again);
	CHECK(span_equal(bytes_span(&record), bytes_span(&again)));
	mime_index_release(&back);
	bytes_release(&record);
	bytes_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct octets octets = { data, length };
	const struct mime_source source = { .size = length,
		                            .read = read_octets,
		                            .context = &octets };
	struct mime_parse parse;
	struct mime_index wild;
	struct bytes text = { 0 };

	mime_parse(&parse, &source, clock_system());
	check_index(&parse.index, &source);
	CHECK(utf8_is_valid(bytes_span(&parse.text)) && parse.text.length <= MIME_SEARCH_MAX);
	CHECK(utf8_is_valid(bytes_span(&parse.snippet)));
	mime_parse_release(&parse);
	mime_html_text(span_of(data, length), &text);
	CHECK(utf8_is_valid(bytes_span(&text)) && text.length <= length * 3);
	bytes_release(&text);
	if (mime_index_decode(&wild, span_of(data, length)) == 0)
		mime_index_release(&wild);
	return 0;
}
