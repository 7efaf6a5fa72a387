/* SPDX-License-Identifier: ISC */
/* fuzz_reply.c - whatever a server says, the reply kept of it is clean and bounded. */
#include "fuzz.h"

#include <string.h>

#include "base/utf8.h"
#include "mail/reply.h"

static void check_reply(const struct reply *r)
{
	struct span text = span_of_text(r->text);
	struct bytes line = { 0 };
	char enhanced[16];

	CHECK(r->code >= 200 && r->code <= 599 && !r->local);
	CHECK(r->enhanced.class == 0 || r->enhanced.class == r->code / 100);
	CHECK(is_clean(text, '\n') && utf8_is_valid(text));
	reply_format_enhanced(r, enhanced);
	reply_format(r, &line);
	CHECK(is_clean(bytes_span(&line), 0) && utf8_is_valid(bytes_span(&line)));
	CHECK(line.length <= 3 + sizeof(enhanced) + 1 + REPLY_TEXT_MAX);
	bytes_release(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct reply_parser p = { 0 };
	enum reply_progress progress = REPLY_MORE;

	while (length > 0 && progress != REPLY_BROKEN) {
		const uint8_t *lf = memchr(data, '\n', length);
		size_t line = lf == NULL ? length : (size_t)(lf - data);
		struct reply r = { 0 };

		progress = reply_parser_line(&p, span_of(data, line), &r);
		if (progress == REPLY_DONE) {
			check_reply(&r);
			CHECK(p.lines == 0 && p.text.length == 0);
		}
		CHECK(p.lines <= REPLY_LINES_MAX);
		CHECK(p.text.length <= 3 * REPLY_LINES_MAX * REPLY_LINE_MAX);
		reply_release(&r);
		line += lf != NULL;
		data += line;
		length -= line;
	}
	reply_parser_release(&p);
	return 0;
}
