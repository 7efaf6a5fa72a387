/* SPDX-License-Identifier: ISC */
/* fuzz_dot.c - the decoder in pieces against the reference; the encoder read back.
 *
 * First octet: the pieces. The rest is sent, and then a real end. */
#include "fuzz.h"

#include <string.h>

#include "dot_reference.h"
#include "mail/dot.h"

/* Lengths of pieces that follow from the seed: mostly short, now and then all the rest. */
static size_t next_piece(unsigned *seed, size_t rest)
{
	size_t piece;

	*seed = *seed * 1103515245 + 12345;
	piece = (*seed >> 16) % 20;
	return piece == 19 || piece > rest ? rest : piece;
}

static struct dot_decoder decode(struct span wire, unsigned seed, size_t *used_r,
                                 struct bytes *content)
{
	struct dot_decoder d;
	bool done = false;

	dot_decoder_init(&d, DOT_BARE_NORMALIZE);
	*used_r = 0;
	while (!done && *used_r < wire.length) {
		size_t piece = next_piece(&seed, wire.length - *used_r);
		size_t used = 0;

		done = dot_decode(&d, span_of(wire.data + *used_r, piece), &used, content);
		CHECK(done || used == piece);
		*used_r += used;
	}
	CHECK(done);
	CHECK(d.written == content->length);
	return d;
}

static void check_sent_on(struct span content, unsigned seed)
{
	struct bytes wire = { 0 }, again = { 0 };
	struct dot_encoder e;
	struct dot_decoder d;
	size_t used;

	dot_encoder_init(&e);
	for (size_t at = 0; at < content.length;) {
		size_t piece = next_piece(&seed, content.length - at);

		dot_encode(&e, span_of(content.data + at, piece), &wire);
		at += piece;
	}
	dot_encode_end(&e, &wire);
	CHECK(memmem(wire.data, wire.length, "\n.\r", 3) == NULL ||
	      (unsigned char *)memmem(wire.data, wire.length, "\n.\r", 3) ==
	              wire.data + wire.length - 4);
	d = decode(bytes_span(&wire), seed, &used, &again);
	CHECK(used == wire.length && !d.seen_bare);
	CHECK(span_equal(bytes_span(&again), content));
	bytes_release(&wire);
	bytes_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct bytes wire = { 0 }, content = { 0 }, expected = { 0 };
	struct dot_decoder d;
	size_t used, expected_used;
	bool bare, nul;

	if (length == 0)
		return 0;
	bytes_append(&wire, data + 1, length - 1);
	bytes_append_text(&wire, "\r\n.\r\n");
	CHECK(dot_reference(bytes_span(&wire), &expected_used, &bare, &expected));
	d = decode(bytes_span(&wire), data[0], &used, &content);
	CHECK(used == expected_used);
	CHECK(span_equal(bytes_span(&content), bytes_span(&expected)));
	nul = memchr(wire.data, 0, used) != NULL;
	CHECK(d.seen_bare == bare && d.seen_nul == nul);
	check_sent_on(bytes_span(&content), data[0]);
	bytes_release(&wire);
	bytes_release(&content);
	bytes_release(&expected);
	return 0;
}
