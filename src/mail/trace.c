/* SPDX-License-Identifier: ISC */
/* trace.c - the Received field.
 *
 * What the client said of itself reaches the header only through an alphabet in which
 * neither a comment, a clause nor a line can be begun or ended.
 */
#include "mail/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mail/header.h"
#include "mail/id.h"

/* A domain name's length; the longest line of the field stays below RFC 5322's 998. */
#define TRACE_WORD_MAX 255 /* octets */

void trace_release(struct trace *t)
{
	free(t->helo);
	free(t->client);
	free(t->by);
	free(t->with);
	free(t->tls);
	free(t->recipient);
	free(t->from);
	*t = (struct trace){ 0 };
}

/* Appends at most TRACE_WORD_MAX octets of text; what is not a letter, a digit or in `also`
 * becomes '?'. Nothing at all becomes "unknown". */
static void append_word(struct bytes *out, const char *text, const char *also)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t length = text == NULL ? 0 : strnlen(text, TRACE_WORD_MAX);

	if (length == 0)
		bytes_append_text(out, "unknown");
	for (size_t i = 0; i < length; i++) {
		bool good = strchr(alphabet, text[i]) != NULL || strchr(also, text[i]) != NULL;

		bytes_append_char(out, good ? text[i] : '?');
	}
}

/* RFC 5321 4.1.3: an address is written as a literal; a Unix client is named as it is. */
static void append_client(struct bytes *out, const char *client)
{
	bool is_address = client != NULL && strncmp(client, "unix", 4) != 0 && *client != '\0';

	if (is_address)
		bytes_append_text(out, strchr(client, ':') != NULL ? "[IPv6:" : "[");
	append_word(out, client, ".:-_=%");
	if (is_address)
		bytes_append_char(out, ']');
}

/* The mailbox as it is (RFC 6531 allows UTF-8 here), but for controls. */
static void append_recipient(struct bytes *out, const char *recipient)
{
	for (const char *at = recipient; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;

		bytes_append_char(out, c < 0x20 || c == 0x7f ? '?' : *at);
	}
}

void trace_format_received(const struct trace *t, uint64_t id, struct bytes *out)
{
	char id_text[ID_TEXT_SIZE];
	char date[CLOCK_DATE_MAX];

	id_format(id, id_text);
	clock_format_rfc5322(t->time_us, date);
	bytes_append_text(out, "Received: from ");
	append_word(out, t->helo, ".-_:[]");
	bytes_append_text(out, " (");
	append_client(out, t->client);
	bytes_append_text(out, ")\r\n");
	if (t->tls != NULL) {
		bytes_append_text(out, "\t(");
		append_word(out, t->tls, " .-_");
		bytes_append_text(out, ")\r\n");
	}
	bytes_append_text(out, "\tby ");
	append_word(out, t->by, ".-_:[]");
	bytes_append_text(out, " with ");
	append_word(out, t->with, "-");
	bytes_printf(out, " id %s", id_text);
	if (t->recipient != NULL) {
		bytes_append_text(out, "\r\n\tfor <");
		append_recipient(out, t->recipient);
		bytes_append_char(out, '>');
	}
	if (t->priority != 0)
		bytes_printf(out, " PRIORITY %d", t->priority);
	bytes_printf(out, ";\r\n\t%s\r\n", date);
}

void trace_format_added(const struct trace *t, uint64_t id, struct bytes *out)
{
	char id_text[ID_TEXT_SIZE];
	char date[CLOCK_DATE_MAX];

	if (t->added & TRACE_ADD_DATE) {
		clock_format_rfc5322(t->time_us, date);
		bytes_printf(out, "Date: %s\r\n", date);
	}
	if ((t->added & TRACE_ADD_FROM) && t->from != NULL)
		bytes_printf(out, "From: %s\r\n", t->from);
	if (t->added & TRACE_ADD_MESSAGE_ID) {
		/* Ours are never given twice, so that the host makes it the world's only one. */
		id_format(id, id_text);
		bytes_printf(out, "Message-ID: <%s@", id_text);
		append_word(out, t->by, ".-_");
		bytes_append_text(out, ">\r\n");
	}
}

void trace_format(const struct trace *t, uint64_t id, struct bytes *out)
{
	trace_format_received(t, id, out);
	trace_format_added(t, id, out);
	if (t->added & TRACE_ADD_LINE)
		bytes_append_text(out, "\r\n");
}

unsigned trace_count_hops(struct span message)
{
	struct header_reader r = header_reader(message);
	struct header_field field;
	unsigned hops = 0;

	while (header_next(&r, &field))
		hops += span_equal_nocase(field.name, span_of_text("Received"));
	return hops;
}
