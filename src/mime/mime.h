/* SPDX-License-Identifier: ISC */
/* mime.h - what a message is made of: found once, when it is accepted, and never again.
 *
 * GMime stays in this folder. mime_parse() reads a message through a source and makes the part
 * index, with the place of each part in the stored octets, so that a part is served later by
 * reading and decoding just these (mime_decoder). All of it blocks and works: call it on helpers.
 * Bounded in time, parts, depth and header lines; past a bound parsed is false, and what the first
 * header section says is all there is.
 */
#ifndef MIME_MIME_H
#define MIME_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/clock.h"

/* Far more than mail has: a message of 50 MB with 200 attachments is a stress test. */
#define MIME_PARTS_MAX    1000
#define MIME_DEPTH_MAX    50
#define MIME_TIME_MAX     (10 * CLOCK_SEC) /* of parsing, by the monotonic clock */
#define MIME_SEARCH_MAX   (256 * 1024)     /* octets of text that search sees */
/* Characters. Mailpit's has up to 250: a page of 50 messages is to stay under 25 kB. */
#define MIME_SNIPPET_MAX  160
#define MIME_FINDINGS_MAX 100 /* links, and again codes, of a message */

/* false: built without GMime. Nothing is parsed or built then, but the rest here works. */
bool mime_available(void);

/* The octets of a message, wherever they are. */
struct mime_source {
	uint64_t size;
	/* Up to len octets from off; *got_r 0: the end. 0 or -1. */
	int (*read)(void *context, uint64_t off, void *out, size_t len, size_t *got_r);
	void *context;
};

enum mime_encoding { MIME_IDENTITY, MIME_BASE64, MIME_QUOTED_PRINTABLE, MIME_UUENCODE };
enum mime_role {
	MIME_TEXT,      /* shown as text */
	MIME_HTML,      /* shown as HTML */
	MIME_INLINE,    /* belongs to the HTML: has a Content-ID, or says inline */
	MIME_ATTACHMENT /* the rest */
};

/* A leaf. Containers only show in the numbers: "2.1". */
struct mime_part {
	char *number;     /* "1", "2.1": the id in the API */
	char *type;       /* "text/html", in lower case */
	char *charset;    /* NULL: none is named */
	char *filename;   /* decoded UTF-8; "": none */
	char *content_id; /* without <>; "": none */
	enum mime_role role;
	enum mime_encoding encoding;
	uint64_t offset, length;                     /* of the encoded content in the message */
	uint64_t size;                               /* decoded octets */
	unsigned char md5[16], sha1[20], sha256[32]; /* of the decoded octets; of inline and
	                                                attached parts only */
};

struct mime_index {
	bool parsed; /* false: past a bound; the reason is in `why` */
	char *why;   /* NULL, or a few words */
	struct mime_part *parts;
	size_t count;
	char **links; /* http and https, of text and HTML, without repetition, in order */
	size_t link_count;
	char **codes; /* what looks like a one-time code: 4 to 8 digits, or such groups, near such
	               * words
	               */
	size_t code_count;
};
void mime_index_release(struct mime_index *index);
/* NULL: there is none. */
const struct mime_part *mime_index_find(const struct mime_index *index, const char *number);
const struct mime_part *mime_index_find_content_id(const struct mime_index *index,
                                                   const char *content_id);
size_t mime_index_attachments(const struct mime_index *index); /* parts of that role */
/* Versioned record for SPOOL_PARTS; a damaged one is refused. */
void mime_index_encode(const struct mime_index *index, struct bytes *out);
int mime_index_decode(struct mime_index *index, struct span record);

/* What mime_parse() found beside the index. */
struct mime_parse {
	struct mime_index index;
	/* The HTML without its marks, or the text when there is none, as UTF-8; at most
	 * MIME_SEARCH_MAX */
	struct bytes text;
	struct bytes snippet; /* the start of it on one line */
};
/* Never fails: what is broken shows in index.parsed and in what is missing. */
void mime_parse(struct mime_parse *parse_r, const struct mime_source *source,
                const struct clock *clock);
void mime_parse_release(struct mime_parse *parse);

/* Decodes the content of a part as it is read: feed the octets from offset on, in any pieces. */
struct mime_decoder;
struct mime_decoder *mime_decoder_new(const struct mime_part *part);
void mime_decoder_feed(struct mime_decoder *d, struct span encoded, struct bytes *out);
/* The content has ended: what it still holds is appended. */
void mime_decoder_end(struct mime_decoder *d, struct bytes *out);
void mime_decoder_free(struct mime_decoder **d);

/* A text part decoded and converted to UTF-8 (what cannot be is U+FFFD), at most `max` octets. 0 or
 * -1: the source cannot be read. */
int mime_part_text(const struct mime_part *part, const struct mime_source *source, size_t max,
                   struct bytes *out);
/* What a reader of the HTML would read, as UTF-8 lines. */
void mime_html_text(struct span html, struct bytes *out);

/* Appends what the API takes for the text, and for the HTML, of the message: the parts of that role
 * one behind the other, at most `max` octets. 0 or -1: the source cannot be read. */
int mime_index_text(const struct mime_index *index, enum mime_role role,
                    const struct mime_source *source, size_t max, struct bytes *out);

/* A Date field's value in RFC 3339, in the zone that it names. -1: it is none. */
int mime_date(const char *value, struct bytes *out);

/* ---- building ------------------------------------------------------------- */

struct mime_mailbox {
	const char *name, *address; /* UTF-8; name may be "" */
};
struct mime_attachment {
	struct span content; /* decoded */
	const char *filename, *type,
		*content_id; /* type NULL: by the file name; content_id NULL: none */
};
struct mime_field {
	const char *name, *value;
};
struct mime_draft {
	struct mime_mailbox from;
	const struct mime_mailbox *to, *cc, *reply_to;
	size_t to_count, cc_count, reply_to_count;
	const char *subject, *text, *html; /* text, html: NULL or "": none */
	const struct mime_attachment *attachments;
	size_t attachment_count;
	/* Further ones; a name or value that is none is refused, and so is what stands above. */
	const struct mime_field *fields;
	size_t field_count;
	const char *message_id; /* without <> */
	int64_t date_us;
};
/* The whole message with CRLF and no line beyond 998 octets. 0, or -1 with *error for the asker. */
int mime_build(const struct mime_draft *draft, struct bytes *out, struct bytes *error);

/* ---- sending on ------------------------------------------------------------- */

/* The header section of a message that is sent on: Bcc, Return-Path, Message-ID and Date are left
 * out, and new ones of the latter two stand in front. Everything else is as it was, the empty line
 * at the end included. */
void mime_release_header(struct span header, const char *message_id, int64_t date_us,
                         struct bytes *out);

#endif
