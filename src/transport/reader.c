/* SPDX-License-Identifier: ISC */
/* reader.c - bounded lines from a stream, into replies.
 *
 * A line ends with LF; a CR before it belongs to the end. A line that has no end within
 * REPLY_LINE_MAX, or anything the parser calls broken, means the peer does not speak SMTP.
 */
#include "transport/private.h"

#include <string.h>

void reply_reader_arrived(struct reply_reader *r, uint64_t sent)
{
	r->sent = sent;
}

enum read_progress reply_reader_next(struct reply_reader *r, struct stream *s,
                                     struct reply *reply_r, uint64_t *sent_r)
{
	for (;;) {
		struct span in = stream_input(s);
		const unsigned char *end;
		enum reply_progress progress;
		struct span line;

		if (in.length == 0)
			return READ_MORE;
		if (!r->in_reply) {
			r->in_reply = true;
			r->begun = r->sent;
		}
		end = memchr(in.data, '\n',
		             in.length < REPLY_LINE_MAX ? in.length : REPLY_LINE_MAX);
		if (end == NULL)
			return in.length < REPLY_LINE_MAX ? READ_MORE : READ_BROKEN;
		line = span_of(in.data, (size_t)(end - in.data));
		if (line.length > 0 && line.data[line.length - 1] == '\r')
			line.length--;
		progress = reply_parser_line(&r->parser, line, reply_r);
		stream_consume(s, (size_t)(end - in.data) + 1);
		if (progress == REPLY_BROKEN)
			return READ_BROKEN;
		if (progress == REPLY_DONE) {
			r->in_reply = false;
			*sent_r = r->begun;
			return READ_REPLY;
		}
	}
}

void reply_reader_release(struct reply_reader *r)
{
	reply_parser_release(&r->parser);
	*r = (struct reply_reader){ 0 };
}
