/* SPDX-License-Identifier: ISC */
/* bytes.c - spans, the growing buffer, and the big-endian encoding of records.
 *
 * Growth doubles, so appending is linear in all; memory is given back only by
 * bytes_release(). Nothing here knows a limit: whoever appends what a peer
 * sends has bounded it before.
 */
#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/memory.h"

#define BYTES_FIRST_CAPACITY 64 /* octets; a reply line or a small record fits */

struct span span_of(const void *data, size_t length)
{
	return (struct span){ .data = data, .length = length };
}

struct span span_of_text(const char *text)
{
	return span_of(text, text == NULL ? 0 : strlen(text));
}

bool span_equal(struct span a, struct span b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* Not strncasecmp(): it stops at NUL and follows the locale. */
static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

bool span_equal_nocase(struct span a, struct span b)
{
	if (a.length != b.length)
		return false;
	for (size_t i = 0; i < a.length; i++)
		if (lower(a.data[i]) != lower(b.data[i]))
			return false;
	return true;
}

bool span_equal_text(struct span a, const char *text)
{
	return span_equal(a, span_of_text(text));
}

bool span_starts_nocase(struct span text, const char *prefix)
{
	struct span p = span_of_text(prefix);

	return text.length >= p.length && span_equal_nocase(span_of(text.data, p.length), p);
}

void bytes_release(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){ 0 };
}

void bytes_clear(struct bytes *b)
{
	b->length = 0;
}

void bytes_reserve(struct bytes *b, size_t more)
{
	size_t capacity = b->capacity < BYTES_FIRST_CAPACITY ? BYTES_FIRST_CAPACITY : b->capacity;

	if (more <= b->capacity - b->length)
		return;
	if (more > SIZE_MAX / 2 - b->length)
		log_fatal(EX_SOFTWARE, "buffer without a bound length=%zu more=%zu", b->length,
		          more);
	while (capacity - b->length < more)
		capacity *= 2;
	b->data = memory_grow(b->data, capacity, 1);
	b->capacity = capacity;
}

void bytes_append(struct bytes *b, const void *data, size_t length)
{
	if (length == 0)
		return;
	bytes_reserve(b, length);
	memcpy(b->data + b->length, data, length);
	b->length += length;
}

void bytes_append_span(struct bytes *b, struct span s)
{
	bytes_append(b, s.data, s.length);
}

void bytes_append_text(struct bytes *b, const char *text)
{
	bytes_append_span(b, span_of_text(text));
}

void bytes_append_char(struct bytes *b, char c)
{
	bytes_reserve(b, 1);
	b->data[b->length++] = (unsigned char)c;
}

void bytes_printf(struct bytes *b, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	bytes_vprintf(b, format, arguments);
	va_end(arguments);
}

void bytes_vprintf(struct bytes *b, const char *format, va_list arguments)
{
	va_list again;
	size_t room;
	int length;

	bytes_reserve(b, 1);
	room = b->capacity - b->length;
	va_copy(again, arguments);
	length = vsnprintf((char *)b->data + b->length, room, format, arguments);
	if (length < 0)
		log_fatal(EX_SOFTWARE, "format cannot be printed format=%s", log_quoted(format));
	if ((size_t)length >= room) {
		bytes_reserve(b, (size_t)length + 1);
		vsnprintf((char *)b->data + b->length, (size_t)length + 1, format, again);
	}
	va_end(again);
	b->length += (size_t)length;
}

void bytes_consume(struct bytes *b, size_t length)
{
	if (length >= b->length) {
		b->length = 0;
		return;
	}
	if (length == 0)
		return;
	memmove(b->data, b->data + length, b->length - length);
	b->length -= length;
}

struct span bytes_span(const struct bytes *b)
{
	return span_of(b->data, b->length);
}

const char *bytes_text(struct bytes *b)
{
	bytes_reserve(b, 1);
	b->data[b->length] = '\0';
	return (const char *)b->data;
}

void be16_store(unsigned char *out, uint16_t v)
{
	out[0] = (unsigned char)(v >> 8);
	out[1] = (unsigned char)v;
}

void be32_store(unsigned char *out, uint32_t v)
{
	be16_store(out, (uint16_t)(v >> 16));
	be16_store(out + 2, (uint16_t)v);
}

void be64_store(unsigned char *out, uint64_t v)
{
	be32_store(out, (uint32_t)(v >> 32));
	be32_store(out + 4, (uint32_t)v);
}

uint16_t be16_load(const unsigned char *in)
{
	return (uint16_t)(in[0] << 8 | in[1]);
}

uint32_t be32_load(const unsigned char *in)
{
	return (uint32_t)be16_load(in) << 16 | be16_load(in + 2);
}

uint64_t be64_load(const unsigned char *in)
{
	return (uint64_t)be32_load(in) << 32 | be32_load(in + 4);
}

/* Makes room for `length` more octets and counts them as there. */
static unsigned char *extend(struct bytes *b, size_t length)
{
	bytes_reserve(b, length);
	b->length += length;
	return b->data + b->length - length;
}

void bytes_put_u8(struct bytes *b, uint8_t v)
{
	*extend(b, 1) = v;
}

void bytes_put_u16(struct bytes *b, uint16_t v)
{
	be16_store(extend(b, 2), v);
}

void bytes_put_u32(struct bytes *b, uint32_t v)
{
	be32_store(extend(b, 4), v);
}

void bytes_put_u64(struct bytes *b, uint64_t v)
{
	be64_store(extend(b, 8), v);
}

void bytes_put_i64(struct bytes *b, int64_t v)
{
	bytes_put_u64(b, (uint64_t)v);
}

void bytes_put_span(struct bytes *b, struct span s)
{
	if (s.length > UINT32_MAX)
		log_fatal(EX_SOFTWARE, "string without a bound length=%zu", s.length);
	bytes_put_u32(b, (uint32_t)s.length);
	bytes_append_span(b, s);
}

void bytes_put_text(struct bytes *b, const char *text)
{
	bytes_put_span(b, span_of_text(text));
}

struct bytes_reader bytes_reader(struct span s)
{
	return (struct bytes_reader){ .rest = s };
}

/* The next `length` octets, or NULL, with `failed` set, when they are not there. */
static const unsigned char *take(struct bytes_reader *r, size_t length)
{
	const unsigned char *at = r->rest.data;

	if (r->failed || length > r->rest.length) {
		r->failed = true;
		return NULL;
	}
	r->rest.data += length;
	r->rest.length -= length;
	return at;
}

uint8_t bytes_get_u8(struct bytes_reader *r)
{
	const unsigned char *at = take(r, 1);

	return at == NULL ? 0 : *at;
}

uint16_t bytes_get_u16(struct bytes_reader *r)
{
	const unsigned char *at = take(r, 2);

	return at == NULL ? 0 : be16_load(at);
}

uint32_t bytes_get_u32(struct bytes_reader *r)
{
	const unsigned char *at = take(r, 4);

	return at == NULL ? 0 : be32_load(at);
}

uint64_t bytes_get_u64(struct bytes_reader *r)
{
	const unsigned char *at = take(r, 8);

	return at == NULL ? 0 : be64_load(at);
}

int64_t bytes_get_i64(struct bytes_reader *r)
{
	return (int64_t)bytes_get_u64(r);
}

struct span bytes_get_span(struct bytes_reader *r)
{
	size_t length = bytes_get_u32(r);
	const unsigned char *at = length == 0 ? NULL : take(r, length);

	return at == NULL ? span_of(NULL, 0) : span_of(at, length);
}

char *bytes_get_text(struct bytes_reader *r)
{
	struct span s = bytes_get_span(r);

	return memory_text_of(s.data, s.length);
}
