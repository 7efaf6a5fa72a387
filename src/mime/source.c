/* SPDX-License-Identifier: ISC */
/* source.c - reading the octets of a message while there is time, and measuring its parts. */
#include "mime/private.h"

#include "base/digest.h"

size_t effort_read(struct effort *e, uint64_t off, void *out, size_t len)
{
	size_t got = 0;

	if (!e->late && clock_monotonic(e->clock) >= e->deadline_us)
		e->late = true;
	if (e->late)
		return 0;
	if (e->source->read(e->source->context, off, out, len, &got) != 0)
		e->late = true;
	return e->late ? 0 : got;
}

int part_each(const struct mime_part *part, struct effort *e,
              bool (*each)(void *context, struct span decoded), void *context)
{
	struct mime_decoder *d = mime_decoder_new(part);
	unsigned char block[SOURCE_READ_SIZE];
	struct bytes decoded = { 0 };
	uint64_t done = 0;
	bool more = true;

	while (more && done < part->length) {
		uint64_t left = part->length - done;
		size_t got = effort_read(e, part->offset + done, block,
		                         left < sizeof(block) ? (size_t)left : sizeof(block));

		if (got == 0)
			break;
		done += got;
		bytes_clear(&decoded);
		mime_decoder_feed(d, span_of(block, got), &decoded);
		if (done == part->length)
			mime_decoder_end(d, &decoded);
		more = each(context, bytes_span(&decoded));
	}
	mime_decoder_free(&d);
	bytes_release(&decoded);
	return e->late ? -1 : 0;
}

struct measure {
	struct mime_part *part;
	struct digest_sums *sums; /* NULL: nobody asks for those of text */
};

static bool measure_octets(void *context, struct span decoded)
{
	struct measure *m = context;

	m->part->size += decoded.length;
	if (m->sums != NULL)
		digest_sums_feed(m->sums, decoded);
	return true;
}

void part_measure(struct mime_part *part, struct effort *e)
{
	struct measure m = { .part = part };

	if (part->role == MIME_INLINE || part->role == MIME_ATTACHMENT)
		m.sums = digest_sums_new();
	part_each(part, e, measure_octets, &m);
	if (m.sums != NULL)
		digest_sums_end(&m.sums, part->md5, part->sha1, part->sha256);
}
