/* SPDX-License-Identifier: ISC */
/* index.c - the part index: given back, found in, encoded and decoded.
 *
 * A record that is damaged is refused and asks for no memory beyond its own size.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mime/private.h"

#define INDEX_VERSION 1

/* What a part takes in a record at least: texts with their lengths, numbers, digests. */
#define PART_OCTETS_MIN (5 * 4 + 2 + 3 * 8 + 16 + 20 + 32)

static void part_release(struct mime_part *part)
{
	free(part->number);
	free(part->type);
	free(part->charset);
	free(part->filename);
	free(part->content_id);
}

struct mime_part *index_add(struct mime_index *index)
{
	struct mime_part *part;

	index->parts = memory_grow(index->parts, index->count + 1, sizeof(*index->parts));
	part = &index->parts[index->count++];
	memset(part, 0, sizeof(*part));
	return part;
}

static void texts_release(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

void mime_index_release(struct mime_index *index)
{
	for (size_t i = 0; i < index->count; i++)
		part_release(&index->parts[i]);
	free(index->parts);
	free(index->why);
	texts_release(index->links, index->link_count);
	texts_release(index->codes, index->code_count);
	memset(index, 0, sizeof(*index));
}

const struct mime_part *mime_index_find(const struct mime_index *index, const char *number)
{
	for (size_t i = 0; i < index->count; i++)
		if (strcmp(index->parts[i].number, number) == 0)
			return &index->parts[i];
	return NULL;
}

const struct mime_part *mime_index_find_content_id(const struct mime_index *index,
                                                   const char *content_id)
{
	for (size_t i = 0; i < index->count && *content_id != '\0'; i++)
		if (strcmp(index->parts[i].content_id, content_id) == 0)
			return &index->parts[i];
	return NULL;
}

size_t mime_index_attachments(const struct mime_index *index)
{
	size_t count = 0;

	for (size_t i = 0; i < index->count; i++)
		count += index->parts[i].role == MIME_ATTACHMENT;
	return count;
}

/* ---- the record ------------------------------------------------------------- */

static void put_part(struct bytes *out, const struct mime_part *part)
{
	bytes_put_text(out, part->number);
	bytes_put_text(out, part->type);
	bytes_put_text(out, part->charset);
	bytes_put_text(out, part->filename);
	bytes_put_text(out, part->content_id);
	bytes_put_u8(out, (uint8_t)part->role);
	bytes_put_u8(out, (uint8_t)part->encoding);
	bytes_put_u64(out, part->offset);
	bytes_put_u64(out, part->length);
	bytes_put_u64(out, part->size);
	bytes_append(out, part->md5, sizeof(part->md5));
	bytes_append(out, part->sha1, sizeof(part->sha1));
	bytes_append(out, part->sha256, sizeof(part->sha256));
}

static void put_texts(struct bytes *out, char **texts, size_t count)
{
	bytes_put_u16(out, (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		bytes_put_text(out, texts[i]);
}

void mime_index_encode(const struct mime_index *index, struct bytes *out)
{
	bytes_put_u8(out, INDEX_VERSION);
	bytes_put_u8(out, index->parsed);
	bytes_put_text(out, index->why);
	bytes_put_u16(out, (uint16_t)index->count);
	for (size_t i = 0; i < index->count; i++)
		put_part(out, &index->parts[i]);
	put_texts(out, index->links, index->link_count);
	put_texts(out, index->codes, index->code_count);
}

static char *get_optional(struct bytes_reader *r)
{
	struct span text = bytes_get_span(r);

	return text.length == 0 ? NULL : memory_text_of(text.data, text.length);
}

static void get_octets(struct bytes_reader *r, unsigned char *out, size_t length)
{
	if (r->failed || r->rest.length < length) {
		r->failed = true;
		return;
	}
	memcpy(out, r->rest.data, length);
	r->rest = span_of(r->rest.data + length, r->rest.length - length);
}

static void get_part(struct bytes_reader *r, struct mime_part *part)
{
	uint8_t role, encoding;

	part->number = bytes_get_text(r);
	part->type = bytes_get_text(r);
	part->charset = get_optional(r);
	part->filename = bytes_get_text(r);
	part->content_id = bytes_get_text(r);
	role = bytes_get_u8(r);
	encoding = bytes_get_u8(r);
	if (role > MIME_ATTACHMENT || encoding > MIME_UUENCODE)
		r->failed = true;
	part->role = (enum mime_role)role;
	part->encoding = (enum mime_encoding)encoding;
	part->offset = bytes_get_u64(r);
	part->length = bytes_get_u64(r);
	part->size = bytes_get_u64(r);
	get_octets(r, part->md5, sizeof(part->md5));
	get_octets(r, part->sha1, sizeof(part->sha1));
	get_octets(r, part->sha256, sizeof(part->sha256));
}

/* A count of things that take so many octets each at least: a wild one asks for no memory. */
static size_t get_count(struct bytes_reader *r, size_t octets)
{
	size_t count = bytes_get_u16(r);

	if (count > r->rest.length / octets)
		r->failed = true;
	return r->failed ? 0 : count;
}

static char **get_texts(struct bytes_reader *r, size_t *count_r)
{
	size_t count = get_count(r, 4);
	char **texts = count == 0 ? NULL : memory_new_array(count, sizeof(*texts));

	for (size_t i = 0; i < count; i++)
		texts[i] = bytes_get_text(r);
	*count_r = count;
	return texts;
}

int mime_index_decode(struct mime_index *index, struct span record)
{
	struct bytes_reader r = bytes_reader(record);

	memset(index, 0, sizeof(*index));
	if (bytes_get_u8(&r) != INDEX_VERSION)
		return -1;
	index->parsed = bytes_get_u8(&r) != 0;
	index->why = get_optional(&r);
	index->count = get_count(&r, PART_OCTETS_MIN);
	if (index->count > 0)
		index->parts = memory_new_array(index->count, sizeof(*index->parts));
	for (size_t i = 0; i < index->count; i++)
		get_part(&r, &index->parts[i]);
	index->links = get_texts(&r, &index->link_count);
	index->codes = get_texts(&r, &index->code_count);
	if (r.failed) {
		mime_index_release(index);
		return -1;
	}
	return 0;
}
