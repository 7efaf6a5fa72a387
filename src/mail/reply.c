/* SPDX-License-Identifier: ISC */
/* reply.c - replies of a smarthost, and failures of our own in the same form.
 *
 * Tolerant where servers differ (no text, no enhanced code, one on any line), strict
 * where a reply could be taken for another command's: what is not a reply breaks the
 * connection. The kept text is UTF-8 without controls but '\n' between lines, always.
 */
#include "mail/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

/* All lines together; 100 lines of the honest 512 octets fit. */
#define REPLY_SIZE_MAX (64 * 1024) /* octets */

void reply_release(struct reply *r)
{
	free(r->text);
	*r = (struct reply){ 0 };
}

void reply_copy(struct reply *to, const struct reply *from)
{
	*to = *from;
	to->text = memory_text(from->text == NULL ? "" : from->text);
}

/* Appends one line of text: controls and what is not UTF-8 become '?', a tab a space. */
static void append_clean(struct bytes *out, struct span text)
{
	while (text.length > 0) {
		uint32_t code = 0;
		size_t length = utf8_next(text, &code);

		if (code == '\t')
			bytes_append_char(out, ' ');
		else if (length == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0))
			bytes_append_char(out, '?');
		else
			bytes_append(out, text.data, length);
		length = length == 0 ? 1 : length;
		text = span_of(text.data + length, text.length - length);
	}
}

/* Reads 1 to 3 digits (RFC 3463 section 2) at *at. */
static bool take_number(struct span text, size_t *at, uint16_t *number_r)
{
	size_t start = *at;
	unsigned number = 0;

	while (*at < text.length && *at < start + 3 && text.data[*at] >= '0' &&
	       text.data[*at] <= '9')
		number = number * 10 + (unsigned)(text.data[(*at)++] - '0');
	*number_r = (uint16_t)number;
	return *at > start;
}

/* What follows must not continue the number: "4.2.2.1 blocked" starts with an address. */
static bool ends_code(struct span text, size_t at)
{
	return at == text.length || strchr(" \t\r\n:;,)-", text.data[at]) != NULL;
}

bool enhanced_code_parse(struct enhanced_code *code_r, struct span text, size_t *used_r)
{
	struct enhanced_code code = { 0 };
	size_t at = 2;

	if (text.length < 5 || text.data[1] != '.' || text.data[0] == '\0' ||
	    strchr("245", text.data[0]) == NULL)
		return false;
	code.class = (uint8_t)(text.data[0] - '0');
	if (!take_number(text, &at, &code.subject) || at == text.length || text.data[at++] != '.')
		return false;
	if (!take_number(text, &at, &code.detail) || !ends_code(text, at))
		return false;
	*code_r = code;
	*used_r = at;
	return true;
}

void reply_local(struct reply *r, int code, const char *enhanced, const char *format, ...)
{
	struct bytes clean = { 0 };
	char text[REPLY_TEXT_MAX + 1];
	va_list arguments;
	size_t used;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	append_clean(&clean, span_of_text(text));
	*r = (struct reply){ .code = code, .local = true };
	if (enhanced != NULL)
		enhanced_code_parse(&r->enhanced, span_of_text(enhanced), &used);
	r->text = memory_text(bytes_text(&clean));
	bytes_release(&clean);
}

void reply_format_enhanced(const struct reply *r, char out[16])
{
	int class = r->code / 100;

	if (r->enhanced.class != 0) {
		snprintf(out, 16, "%u.%u.%u", r->enhanced.class, r->enhanced.subject,
		         r->enhanced.detail);
		return;
	}
	/* RFC 3463 has three classes; without one of them, nothing is known to be final. */
	if (class != 2 && class != 5)
		class = 4;
	snprintf(out, 16, "%d.0.0", class);
}

/* How much of the text is kept: whole characters up to the limit. */
static size_t kept_length(const char *text)
{
	size_t length = strnlen(text, REPLY_TEXT_MAX);

	while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	return length;
}

void reply_format(const struct reply *r, struct bytes *out)
{
	const char *text = r->text == NULL ? "" : r->text;
	size_t length = kept_length(text);
	char enhanced[16];

	bytes_printf(out, "%03d", r->code);
	if (r->enhanced.class != 0) {
		reply_format_enhanced(r, enhanced);
		bytes_printf(out, " %s", enhanced);
	}
	if (length > 0)
		bytes_append_char(out, ' ');
	for (size_t i = 0; i < length; i++)
		bytes_append_char(out, text[i] == '\n' ? ' ' : text[i]);
}

/* The code of a line, and whether it is the last one: "250", "250 text", "250-text". */
static int parse_code(struct span line, int *code_r, bool *last_r)
{
	const unsigned char *d = line.data;

	if (line.length < 3 || d[0] < '2' || d[0] > '5' || d[1] < '0' || d[1] > '9' || d[2] < '0' ||
	    d[2] > '9')
		return -1;
	if (line.length > 3 && d[3] != ' ' && d[3] != '-')
		return -1;
	*code_r = (d[0] - '0') * 100 + (d[1] - '0') * 10 + (d[2] - '0');
	*last_r = line.length == 3 || d[3] == ' ';
	return 0;
}

/* Takes an enhanced code off a line's text. It counts when it is of the code's class (RFC 2034
 * section 4), and the first that is given counts for the reply. */
static struct span take_enhanced(struct reply_parser *p, struct span text)
{
	struct enhanced_code found;
	size_t used;

	if (!enhanced_code_parse(&found, text, &used) || found.class != p->code / 100)
		return text;
	if (p->enhanced.class == 0)
		p->enhanced = found;
	while (used < text.length && text.data[used] == ' ')
		used++;
	return span_of(text.data + used, text.length - used);
}

static void append_line(struct reply_parser *p, struct span text)
{
	text = take_enhanced(p, text);
	while (text.length > 0 && (text.data[text.length - 1] == ' '))
		text.length--;
	if (p->lines++ > 0)
		bytes_append_char(&p->text, '\n');
	append_clean(&p->text, text);
}

void reply_parser_release(struct reply_parser *p)
{
	bytes_release(&p->text);
	*p = (struct reply_parser){ 0 };
}

enum reply_progress reply_parser_line(struct reply_parser *p, struct span line,
                                      struct reply *reply_r)
{
	int code;
	bool last;

	/* The limit counts the line end, which is not here any more. */
	if (line.length + 2 > REPLY_LINE_MAX || p->lines == REPLY_LINES_MAX ||
	    p->text.length + line.length > REPLY_SIZE_MAX)
		return REPLY_BROKEN;
	if (parse_code(line, &code, &last) != 0 || (p->lines > 0 && code != p->code))
		return REPLY_BROKEN;
	p->code = code;
	append_line(p,
	            line.length <= 4 ? span_of(NULL, 0) : span_of(line.data + 4, line.length - 4));
	if (!last)
		return REPLY_MORE;
	*reply_r = (struct reply){ .code = p->code, .enhanced = p->enhanced };
	bytes_text(&p->text);
	reply_r->text = (char *)p->text.data; /* the reply's from now on */
	*p = (struct reply_parser){ 0 };
	return REPLY_DONE;
}
