/* SPDX-License-Identifier: ISC */
/* bytes.h - a span of bytes somebody else owns, and a growing buffer of one's own.
 *
 * Also the big-endian encoding that every stored record and key uses: a writer
 * that appends to a buffer, and a reader that never reads past its span and
 * remembers that it failed, so that a decoder checks once, at its end.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const unsigned char *data;
	size_t length;
};

struct span span_of(const void *data, size_t length);
struct span span_of_text(const char *text); /* without the NUL; NULL gives an empty span */
bool span_equal(struct span a, struct span b);
bool span_equal_nocase(struct span a, struct span b); /* ASCII only */
bool span_equal_text(struct span a, const char *text);
bool span_starts_nocase(struct span text, const char *prefix);

/* A zeroed struct bytes is an empty buffer that owns nothing. */
struct bytes {
	unsigned char *data;
	size_t length;
	size_t capacity;
};

void bytes_release(struct bytes *b); /* frees, leaves it empty */
void bytes_clear(struct bytes *b);   /* length 0, memory kept */
void bytes_reserve(struct bytes *b, size_t more);
void bytes_append(struct bytes *b, const void *data, size_t length);
void bytes_append_span(struct bytes *b, struct span s);
void bytes_append_text(struct bytes *b, const char *text);
void bytes_append_char(struct bytes *b, char c);
void bytes_printf(struct bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bytes_vprintf(struct bytes *b, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
void bytes_consume(struct bytes *b, size_t length); /* drops from the front */
struct span bytes_span(const struct bytes *b);
/* NUL-terminates (not counted in length) and returns the text; valid until the next change. */
const char *bytes_text(struct bytes *b);

/* Encoding: big-endian; a string is its 32-bit length and its bytes. */
void bytes_put_u8(struct bytes *b, uint8_t v);
void bytes_put_u16(struct bytes *b, uint16_t v);
void bytes_put_u32(struct bytes *b, uint32_t v);
void bytes_put_u64(struct bytes *b, uint64_t v);
void bytes_put_i64(struct bytes *b, int64_t v);
void bytes_put_span(struct bytes *b, struct span s);
void bytes_put_text(struct bytes *b, const char *text); /* NULL is stored as the empty text */

/* Into fixed memory, for keys. */
void be16_store(unsigned char *out, uint16_t v);
void be32_store(unsigned char *out, uint32_t v);
void be64_store(unsigned char *out, uint64_t v);
uint16_t be16_load(const unsigned char *in);
uint32_t be32_load(const unsigned char *in);
uint64_t be64_load(const unsigned char *in);

/* Decoding. After the first read past the end `failed` stays set and every
 * further value is 0 or empty. */
struct bytes_reader {
	struct span rest;
	bool failed;
};

struct bytes_reader bytes_reader(struct span s);
uint8_t bytes_get_u8(struct bytes_reader *r);
uint16_t bytes_get_u16(struct bytes_reader *r);
uint32_t bytes_get_u32(struct bytes_reader *r);
uint64_t bytes_get_u64(struct bytes_reader *r);
int64_t bytes_get_i64(struct bytes_reader *r);
struct span bytes_get_span(struct bytes_reader *r); /* points into the span that is read */
char *bytes_get_text(struct bytes_reader *r);       /* the caller frees; never NULL */

#endif
