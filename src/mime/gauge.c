/* SPDX-License-Identifier: ISC */
/* gauge.c - how much work a message would be, found by reading its lines once.
 *
 * GMime makes an object of each part and each header line, and keeps what stands before and behind
 * the parts. So this counts them beforehand, in memory that does not grow, and errs on the side of
 * more: whatever GMime could take for a boundary or a header line is counted. Wherever a
 * boundary cannot be told for sure, every line that begins with "--" counts as one.
 */
#include <string.h>

#include "mime/private.h"

#define BOUNDARIES_MAX    64            /* told apart; with more, every "--" line counts */
#define BOUNDARY_MAX      100           /* octets of one that are compared; RFC 2046: 70 */
#define FIELD_MAX         4096          /* octets of a Content-Type that are looked at */
#define HEADER_LINES_MAX  20000         /* in all: 20 for each of MIME_PARTS_MAX */
#define HEADER_OCTETS_MAX (1024 * 1024) /* in all */
/* Of one field: the time for its parameters grows with the square of their number. */
#define FIELD_OCTETS_MAX  (128 * 1024)
#define FACE_OCTETS_MAX   (1024 * 1024) /* before, between and behind parts: GMime keeps it */

struct boundary {
	char text[BOUNDARY_MAX]; /* with the "--" */
	size_t length;
	unsigned depth; /* of the parts that it separates */
};

struct gauge {
	struct boundary boundaries[BOUNDARIES_MAX];
	size_t count;
	bool any; /* every line that begins with "--" counts */

	bool in_header;  /* between the start of a section and its empty line */
	bool is_message; /* this section's content begins with another section */
	bool is_multipart;
	bool digest; /* parts without a type are messages: every section may be one's */
	bool in_face;
	unsigned depth;

	char field[FIELD_MAX + 1]; /* the Content-Type that is being read, folds taken out */
	size_t field_length;
	bool in_type;

	size_t parts, lines;
	uint64_t header_octets, face_octets, field_octets;

	unsigned char start[BOUNDARY_MAX + 4]; /* of the line */
	size_t start_length;
	size_t line_length;
	const char *why;
};

/* ---- the Content-Type ---------------------------------------------------------- */

static void declare(struct gauge *g, const char *value, size_t length)
{
	struct boundary *b;

	if (length == 0 || length > BOUNDARY_MAX - 2 || g->count == BOUNDARIES_MAX) {
		g->any = true;
		return;
	}
	b = &g->boundaries[g->count++];
	b->text[0] = b->text[1] = '-';
	memcpy(b->text + 2, value, length);
	b->length = length + 2;
	b->depth = g->depth + 1;
	if (b->depth > MIME_DEPTH_MAX)
		g->why = "parts in parts too deep";
}

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("'()+_,-./:=?@#$%&*!^~ ", c) != NULL);
}

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t\r");
}

/* What stands behind "boundary". */
static void take_boundary(struct gauge *g, const char *at)
{
	const char *end;
	bool quoted;

	at = skip_space(at);
	if (*at++ != '=') {
		g->any = true; /* continued, encoded, or with a comment (RFC 2231) */
		return;
	}
	at = skip_space(at);
	quoted = *at == '"';
	at += quoted;
	for (end = at; is_plain(*end) && (quoted || *end != ' ');)
		end++;
	if (*end != '\0' && strchr(quoted ? "\"" : "; \t\r\n", *end) == NULL) {
		g->any = true;
		return;
	}
	/* Unquoted ones may end in what is no part of it, for some. */
	declare(g, at, (size_t)(end - at));
	if (!quoted && memchr(at, '(', (size_t)(end - at)) != NULL)
		g->any = true;
}

static void type_end(struct gauge *g)
{
	const char *at = g->field;

	if (!g->in_type)
		return;
	g->in_type = false;
	if (g->field_length == FIELD_MAX) { /* too long to be understood */
		g->any = g->is_multipart = g->is_message = true;
		return;
	}
	g->field[g->field_length] = '\0';
	if (strlen(g->field) != g->field_length)
		g->any = true;
	g->is_multipart = g->is_multipart || strcasestr(at, "multipart") != NULL;
	g->is_message = g->is_message || strcasestr(at, "message") != NULL;
	g->digest = g->digest || strcasestr(at, "digest") != NULL;
	while ((at = strcasestr(at, "boundary")) != NULL) {
		at += strlen("boundary");
		take_boundary(g, at);
	}
}

static void type_add(struct gauge *g, const unsigned char *data, size_t length)
{
	size_t room = FIELD_MAX - g->field_length;

	length = length < room ? length : room;
	memcpy(g->field + g->field_length, data, length);
	g->field_length += length;
}

static bool begins_type(const struct gauge *g)
{
	static const char name[] = "content-type";
	size_t at = sizeof(name) - 1;

	if (g->start_length <= at || strncasecmp((const char *)g->start, name, at) != 0)
		return false;
	while (at < g->start_length && (g->start[at] == ' ' || g->start[at] == '\t'))
		at++;
	/* With nothing but spaces so far, it may yet come. */
	return at == sizeof(g->start) || (at < g->start_length && g->start[at] == ':');
}

/* ---- lines ------------------------------------------------------------------- */

static void section_begin(struct gauge *g)
{
	g->in_header = true;
	g->is_message = g->is_multipart = g->in_type = false;
	g->in_face = false;
}

static void section_end(struct gauge *g)
{
	bool more, face;

	type_end(g);
	more = g->is_message || g->digest;
	face = g->is_multipart;
	g->in_header = false;
	if (more)
		section_begin(g);
	g->in_face = face;
}

/* The depth that the line's boundary separates; 0: it is none. */
static unsigned boundary_depth(const struct gauge *g, bool *closes_r)
{
	for (size_t i = g->count; i > 0; i--) {
		const struct boundary *b = &g->boundaries[i - 1];

		if (g->start_length >= b->length && memcmp(g->start, b->text, b->length) == 0) {
			*closes_r = g->start_length >= b->length + 2 &&
			            memcmp(g->start + b->length, "--", 2) == 0;
			return b->depth;
		}
	}
	*closes_r = false;
	return g->any ? g->depth + (g->depth == 0) : 0;
}

static void boundary_line(struct gauge *g, unsigned depth, bool closes)
{
	type_end(g);
	g->depth = closes ? depth - 1 : depth;
	if (closes) {
		g->in_header = false;
		g->in_face = true;
		return;
	}
	section_begin(g);
	if (++g->parts > MIME_PARTS_MAX)
		g->why = "too many parts";
}

static bool is_empty_line(const struct gauge *g)
{
	return g->start_length == 0 || (g->start_length == 1 && g->start[0] == '\r');
}

/* The line is complete; `start` has the first octets of it. */
static void line_end(struct gauge *g)
{
	bool closes;
	unsigned depth = 0;

	if (g->start_length >= 2 && memcmp(g->start, "--", 2) == 0)
		depth = boundary_depth(g, &closes);
	if (depth > 0)
		boundary_line(g, depth, closes);
	else if (g->in_header && is_empty_line(g))
		section_end(g);
	else if (g->in_header)
		g->lines++;
	g->start_length = g->line_length = 0;
}

/* Lines may be without an end. */
static void count(struct gauge *g, size_t length)
{
	if (g->in_header) {
		g->header_octets += length;
		g->field_octets += length;
	} else if (g->in_face) {
		g->face_octets += length + 1;
	}
	if (g->lines > HEADER_LINES_MAX || g->header_octets > HEADER_OCTETS_MAX ||
	    g->field_octets > FIELD_OCTETS_MAX)
		g->why = "too much header in its parts";
	if (g->face_octets > FACE_OCTETS_MAX)
		g->why = "too much between its parts";
}

/* A piece of a line, without its LF. */
static void line_piece(struct gauge *g, const unsigned char *data, size_t length)
{
	size_t room = sizeof(g->start) - g->start_length;
	bool begins = g->line_length == 0 && length > 0;

	memcpy(g->start + g->start_length, data, length < room ? length : room);
	g->start_length += length < room ? length : room;
	g->line_length += length;
	if (begins && data[0] != ' ' && data[0] != '\t')
		g->field_octets = 0;
	count(g, length);
	if (!g->in_header)
		return;
	if (begins && data[0] != ' ' && data[0] != '\t')
		type_end(g);
	if (g->in_type) {
		type_add(g, data, length);
	} else if (g->line_length - length < sizeof(g->start) && begins_type(g)) {
		g->in_type = true;
		g->field_length = 0;
		type_add(g, g->start, g->start_length);
		type_add(g, data + (length - (g->line_length - g->start_length)),
		         g->line_length - g->start_length);
	}
}

static void gauge_block(struct gauge *g, const unsigned char *data, size_t length)
{
	while (length > 0 && g->why == NULL) {
		const unsigned char *lf = memchr(data, '\n', length);
		size_t piece = lf == NULL ? length : (size_t)(lf - data);

		line_piece(g, data, piece);
		if (lf == NULL)
			return;
		line_end(g);
		data += piece + 1;
		length -= piece + 1;
	}
}

const char *gauge_message(struct effort *e)
{
	struct gauge g = { .in_header = true };
	unsigned char block[SOURCE_READ_SIZE];
	uint64_t off = 0;
	size_t got;

	while (g.why == NULL && (got = effort_read(e, off, block, sizeof(block))) > 0) {
		gauge_block(&g, block, got);
		off += got;
	}
	if (g.why == NULL && e->late)
		return "too long to read";
	return g.why;
}
