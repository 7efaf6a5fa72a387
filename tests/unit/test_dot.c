/* SPDX-License-Identifier: ISC */
/* test_dot.c - the content of DATA at every split, against a plain reference. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../fuzz/dot_reference.h"
#include "mail/dot.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))
#define TEXT(text)                                              \
	{                                                       \
		(const unsigned char *)(text), sizeof(text) - 1 \
	}

struct result {
	struct bytes content;
	size_t used;
	bool done;
	struct dot_decoder decoder;
};

/* Feeds `wire` in pieces: the first of `first` octets, the others of `step` (0: all the rest). */
static struct result decode(struct span wire, size_t first, size_t step)
{
	struct result r = { 0 };
	size_t piece = first;

	dot_decoder_init(&r.decoder, DOT_BARE_NORMALIZE);
	while (!r.done && r.used < wire.length) {
		size_t rest = wire.length - r.used;
		size_t length = piece == 0 || piece > rest ? rest : piece;
		size_t used = 0;

		r.done = dot_decode(&r.decoder, span_of(wire.data + r.used, length), &used,
		                    &r.content);
		assert_true(r.done || used == length);
		r.used += used;
		piece = step;
	}
	assert_int_equal(r.decoder.written, r.content.length);
	return r;
}

static void check_same(const struct result *a, const struct result *b)
{
	assert_int_equal(a->done, b->done);
	assert_int_equal(a->used, b->used);
	assert_true(span_equal(bytes_span(&a->content), bytes_span(&b->content)));
	assert_int_equal(a->decoder.seen_bare, b->decoder.seen_bare);
	assert_int_equal(a->decoder.seen_nul, b->decoder.seen_nul);
	assert_int_equal(a->decoder.seen_8bit, b->decoder.seen_8bit);
}

/* Decodes at once, at every split in two, and octet by octet; all have to agree. */
static struct result decode_all_ways(struct span wire)
{
	struct result whole = decode(wire, 0, 0);

	for (size_t first = 0; first <= wire.length; first++) {
		struct result split = decode(wire, first, first == 0 ? 1 : 0);

		if (first == 0) {
			bytes_release(&split.content);
			split = decode(wire, 1, 1);
		}
		check_same(&whole, &split);
		bytes_release(&split.content);
	}
	return whole;
}

/* Everything that has been used to end the data early, somewhere (CVE-2023-51764 and after): each
 * is followed by commands and then by the real end. */
static void is_not_smuggled_past(void **state)
{
	static const struct {
		struct span sequence;
		const char *stored; /* between "a" and "MAIL" */
	} rows[] = {
		{ TEXT("\n.\n"), "\r\n.\r\n" },
		{ TEXT("\n.\r"), "\r\n.\r\n" },
		{ TEXT("\r.\n"), "\r\n.\r\n" },
		{ TEXT("\r.\r"), "\r\n.\r\n" },
		{ TEXT("\n.\r\n"), "\r\n.\r\n" },
		{ TEXT("\r.\r\n"), "\r\n.\r\n" },
		{ TEXT("\r\n.\n"), "\r\n\r\n" },
		{ TEXT("\r\n.\r"), "\r\n\r\n" },
		{ TEXT("\r\n.\r\r\n"), "\r\n\r\n\r\n" },
		{ TEXT("\r\r\n.\r\r\n"), "\r\n\r\n\r\n\r\n" },
		{ TEXT("\r\n..\r\n"), "\r\n.\r\n" },
		{ TEXT("\r\n .\r\n"), "\r\n .\r\n" },
		{ TEXT("\r\n. \r\n"), "\r\n \r\n" },
		{ TEXT("\r\n.\x85\r\n"), "\r\n\x85\r\n" },
		{ TEXT("\n\n.\n\n"), "\r\n\r\n.\r\n\r\n" },
		{ TEXT("\n\r.\r\n"), "\r\n\r\n.\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes wire = { 0 }, expected = { 0 };
		struct result r;

		bytes_append_text(&wire, "a");
		bytes_append_span(&wire, rows[i].sequence);
		bytes_append_text(&wire, "MAIL FROM:<x@y>\r\n.\r\nQUIT\r\n");
		bytes_printf(&expected, "a%sMAIL FROM:<x@y>\r\n", rows[i].stored);
		r = decode_all_ways(bytes_span(&wire));
		assert_true(r.done);
		assert_int_equal(r.used, wire.length - 6);
		assert_string_equal(bytes_text(&r.content), bytes_text(&expected));
		bytes_release(&r.content);
		bytes_release(&wire);
		bytes_release(&expected);
	}
}

static void keeps_nul_beside_a_dot(void **state)
{
	static const struct {
		struct span wire, content;
	} rows[] = {
		{ TEXT("a\r\n\0.\r\nb\r\n.\r\n"), TEXT("a\r\n\0.\r\nb\r\n") },
		{ TEXT("a\r\n.\0\r\nb\r\n.\r\n"), TEXT("a\r\n\0\r\nb\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct result r = decode_all_ways(rows[i].wire);

		assert_true(r.done && r.decoder.seen_nul && !r.decoder.seen_bare);
		assert_true(span_equal(bytes_span(&r.content), rows[i].content));
		bytes_release(&r.content);
	}
}

static void ends_where_it_should(void **state)
{
	static const struct {
		const char *wire, *content;
		bool done;
		size_t left; /* octets behind the end */
	} rows[] = {
		{ ".\r\n", "", true, 0 },
		{ ".\r\nQUIT\r\n", "", true, 6 },
		{ "\r\n.\r\n", "\r\n", true, 0 },
		{ "a\r\n.\r\n.\r\n", "a\r\n", true, 3 },
		{ "..\r\n.\r\n", ".\r\n", true, 0 },
		{ "...\r\n.\r\n", "..\r\n", true, 0 },
		{ ".a\r\n.\r\n", "a\r\n", true, 0 },
		{ "a.\r\nb..c\r\n.\r\n", "a.\r\nb..c\r\n", true, 0 },
		{ "a\r\r\n.\r\n", "a\r\n\r\n", true, 0 },
		{ "a\n\r\n.\r\n", "a\r\n\r\n", true, 0 },
		{ "a\r\n", "a\r\n", false, 0 },
		{ "a\r\n.", "a\r\n", false, 0 },
		{ "a\r\n.\r", "a\r\n", false, 0 },
		{ "a\r", "a", false, 0 },
		{ "", "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct result r = decode_all_ways(span_of_text(rows[i].wire));

		assert_int_equal(r.done, rows[i].done);
		assert_int_equal(strlen(rows[i].wire) - r.used, rows[i].left);
		assert_string_equal(bytes_text(&r.content), rows[i].content);
		bytes_release(&r.content);
	}
}

static void sees_bare_nul_and_8bit(void **state)
{
	static const struct {
		struct span wire;
		bool bare, nul, high;
	} rows[] = {
		{ TEXT("0123456789\r\n.\r\n"), false, false, false },
		{ TEXT("01234567\0009\r\n.\r\n"), false, true, false },
		{ TEXT("\x01\x01\x01\x01\x01\x01\x01\x01\x7f\r\n.\r\n"), false, false, false },
		{ TEXT("\x80\x01\x01\x01\x01\x01\x01\x01\r\n.\r\n"), false, false, true },
		{ TEXT("0123456\0\r\n.\r\n"), false, true, false },
		{ TEXT("abc\xc3\xbc\r\n.\r\n"), false, false, true },
		{ TEXT("abc\nd\r\n.\r\n"), true, false, false },
		{ TEXT("abc\rd\r\n.\r\n"), true, false, false },
		{ TEXT("\n\0\xff\r\n.\r\n"), true, true, true },
		{ TEXT("a\r\n.\r\n\xff\n\0"), false, false, false }, /* not ours any more */
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct result r = decode_all_ways(rows[i].wire);

		assert_true(r.done);
		assert_int_equal(r.decoder.seen_bare, rows[i].bare);
		assert_int_equal(r.decoder.seen_nul, rows[i].nul);
		assert_int_equal(r.decoder.seen_8bit, rows[i].high);
		bytes_release(&r.content);
	}
}

/* Sends clean content through the encoder, split at `first`, and checks it as the next hop would.
 */
static void check_encoded(struct span content, size_t first)
{
	struct dot_encoder e;
	struct bytes wire = { 0 };
	struct result r;
	size_t head = first > content.length ? content.length : first;

	dot_encoder_init(&e);
	dot_encode(&e, span_of(content.data, head), &wire);
	dot_encode(&e, span_of(content.data + head, content.length - head), &wire);
	dot_encode_end(&e, &wire);
	/* The most careless next hop takes any of these for the end; there must be one, at the end.
	 */
	for (size_t i = 0; i < wire.length; i++) {
		bool line_start = i == 0 || wire.data[i - 1] == '\n';

		assert_true(wire.data[i] != '\n' || (i > 0 && wire.data[i - 1] == '\r'));
		assert_true(wire.data[i] != '\r' || wire.data[i + 1] == '\n');
		if (line_start && wire.data[i] == '.')
			assert_true(wire.data[i + 1] == '.' || i + 3 == wire.length);
	}
	r = decode(bytes_span(&wire), 0, 0);
	assert_true(r.done && r.used == wire.length && !r.decoder.seen_bare);
	assert_true(span_equal(bytes_span(&r.content), content));
	bytes_release(&r.content);
	bytes_release(&wire);
}

/* Every text of up to 8 octets of what matters, followed by a real end. */
static void agrees_with_the_reference(void **state)
{
	static const char alphabet[] = { '.', '\r', '\n', 'a' };
	size_t cases = 0;

	(void)state;
	for (size_t length = 0; length <= 8; length++) {
		for (uint32_t number = 0; number < 1u << 2 * length; number++) {
			char wire[16] = { 0 };
			struct span all = span_of(wire, length + 5);
			struct bytes content = { 0 };
			size_t used = 0;
			bool bare = false;
			struct result r;

			for (size_t i = 0; i < length; i++)
				wire[i] = alphabet[number >> 2 * i & 3];
			memcpy(wire + length, "\r\n.\r\n", 5);
			bytes_reserve(&content, 1); /* not NULL when empty */
			assert_true(dot_reference(all, &used, &bare, &content));
			r = length <= 6 ? decode_all_ways(all)
			                : decode(all, 1 + number % length, 0);
			assert_true(r.done);
			assert_int_equal(r.used, used);
			assert_true(span_equal(bytes_span(&r.content), bytes_span(&content)));
			assert_int_equal(r.decoder.seen_bare, bare);
			check_encoded(bytes_span(&content), number % 7);
			bytes_release(&r.content);
			bytes_release(&content);
			cases++;
		}
	}
	assert_int_equal(cases, 87381);
}

static void encodes(void **state)
{
	static const char *const rows[][2] = {
		{ "", ".\r\n" },
		{ "a\r\n", "a\r\n.\r\n" },
		{ "a", "a\r\n.\r\n" },
		{ ".\r\n", "..\r\n.\r\n" },
		{ "a\r\n.b\r\n..\r\nc.d\r\n", "a\r\n..b\r\n...\r\nc.d\r\n.\r\n" },
		{ "\r\n", "\r\n.\r\n" },
		/* What should not be there does not leave either. */
		{ "a\nb\rc\r", "a\r\nb\r\nc\r\n.\r\n" },
		{ "a\n.\n", "a\r\n..\r\n.\r\n" },
		{ "a\r.\r\n", "a\r\n..\r\n.\r\n" },
		{ "a\r\r\n.", "a\r\n\r\n..\r\n.\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct span content = span_of_text(rows[i][0]);

		for (size_t split = 0; split <= content.length; split++) {
			struct bytes wire = { 0 };
			struct dot_encoder e;

			dot_encoder_init(&e);
			dot_encode(&e, span_of(content.data, split), &wire);
			dot_encode(&e, span_of(content.data + split, content.length - split),
			           &wire);
			dot_encode_end(&e, &wire);
			assert_string_equal(bytes_text(&wire), rows[i][1]);
			bytes_release(&wire);
		}
	}
}

/* Two million bare CRs before the only LF: quadratic code would not come back. */
static void stays_linear(void **state)
{
	struct bytes wire = { 0 };
	struct result r;

	(void)state;
	for (int i = 0; i < 2000000; i++)
		bytes_append_char(&wire, '\r');
	bytes_append_text(&wire, "\r\n.\r\n");
	r = decode(bytes_span(&wire), 0, 0);
	assert_true(r.done);
	assert_int_equal(r.content.length, 2 * 2000001);
	bytes_release(&r.content);
	bytes_release(&wire);
}

/* What BDAT content becomes, read octet by octet. Returns whether a line end was bare. */
static bool counted_reference(struct span in, struct bytes *out)
{
	bool bare = false, line = true;

	for (size_t i = 0; i < in.length; i++) {
		bool crlf = in.data[i] == '\r' && i + 1 < in.length && in.data[i + 1] == '\n';

		line = in.data[i] == '\r' || in.data[i] == '\n';
		if (line)
			bytes_append(out, "\r\n", 2);
		else
			bytes_append(out, &in.data[i], 1);
		bare |= line && !crlf;
		i += crlf;
	}
	if (!line)
		bytes_append(out, "\r\n", 2);
	return bare;
}

static void check_counted(struct span in, size_t cut)
{
	struct bytes expected = { 0 }, out = { 0 };
	struct dot_decoder d;
	bool bare = counted_reference(in, &expected);

	dot_decoder_init(&d, DOT_BARE_NORMALIZE);
	dot_decode_counted(&d, span_of(in.data, cut), &out);
	dot_decode_counted(&d, span_of(in.data + cut, in.length - cut), &out);
	dot_decode_counted_end(&d, &out);
	assert_true(span_equal(bytes_span(&out), bytes_span(&expected)));
	assert_int_equal(d.written, out.length);
	assert_int_equal(d.seen_bare, bare);
	bytes_release(&expected);
	bytes_release(&out);
}

/* RFC 3030 2: all strings of four octets that matter, up to seven long, at every cut. */
static void counted_content_is_clean(void **state)
{
	static const char alphabet[] = "\r\n.a";
	unsigned char text[7];

	(void)state;
	for (size_t length = 0; length <= sizeof text; length++) {
		for (unsigned code = 0; code < 1U << 2 * length; code++) {
			for (size_t i = 0; i < length; i++)
				text[i] = (unsigned char)alphabet[code >> 2 * i & 3];
			for (size_t cut = 0; cut <= length; cut++)
				check_counted(span_of(text, length), cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_not_smuggled_past),
		cmocka_unit_test(keeps_nul_beside_a_dot),
		cmocka_unit_test(ends_where_it_should),
		cmocka_unit_test(sees_bare_nul_and_8bit),
		cmocka_unit_test(agrees_with_the_reference),
		cmocka_unit_test(encodes),
		cmocka_unit_test(stays_linear),
		cmocka_unit_test(counted_content_is_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
