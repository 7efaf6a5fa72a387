/* SPDX-License-Identifier: ISC */
/* from.c - compares senders with what a provider takes, and rewrites a header for it.
 *
 * Only From changes, and with it Sender goes and Reply-To comes; every other octet stays as it is,
 * so that what was signed besides can still be checked. A name before the address is kept.
 */
#include "relay/from.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "mail/header.h"
#include "relay/match.h"

/* More addresses in From than that are not looked at: the mail is not allowed. */
#define ADDRESSES_MAX 1000 /* octets */

/* ---- who it is from -------------------------------------------------------- */

static void collect(void *context, const char *name, const char *address)
{
	struct bytes *out = context;

	(void)name;
	if (out->length > ADDRESSES_MAX)
		return;
	if (out->length > 0)
		bytes_append_char(out, '\n');
	bytes_append_text(out, out->length + strlen(address) > ADDRESSES_MAX ? "?" : address);
}

char *from_addresses(struct span header, const struct trace *trace)
{
	struct header_reader r = header_reader(header);
	struct header_field field;
	struct bytes out = { 0 };
	char *text;

	while (header_next(&r, &field))
		if (span_equal_nocase(field.name, span_of_text("From")))
			header_addresses(field.value, collect, &out);
	if ((trace->added & TRACE_ADD_FROM) && trace->from != NULL)
		header_addresses(span_of_text(trace->from), collect, &out);
	text = memory_text(bytes_text(&out));
	bytes_release(&out);
	return text;
}

/* ---- whom it takes --------------------------------------------------------- */

/* Without patterns, the one that others become. */
static bool is_taken(const struct provider_settings *provider, const struct address *address)
{
	struct text_list own = { (char **)(uintptr_t)&provider->rewrite_from, 1 };

	if (provider->from_allowed.count == 0 && provider->rewrite_from != NULL)
		return match_address(&own, address);
	return match_address(&provider->from_allowed, address);
}

bool from_takes_sender(const struct provider_settings *provider, const struct address *sender)
{
	return address_is_null(sender) || is_taken(provider, sender);
}

static bool text_taken(const struct provider_settings *provider, const char *text, size_t length)
{
	struct address address = { .text = memory_text_of(text, length) };
	const char *at = strrchr(address.text, '@');
	bool taken;

	address.local_length = at == NULL ? length : (size_t)(at - address.text);
	taken = is_taken(provider, &address);
	address_release(&address);
	return taken;
}

bool from_takes_header(const struct provider_settings *provider, const char *from)
{
	size_t length;

	if (from == NULL)
		return true;
	do {
		length = strcspn(from, "\n");
		if (!text_taken(provider, from, length))
			return false;
		from += length + (from[length] == '\n');
	} while (*from != '\0');
	return true;
}

bool from_allows(const struct provider_settings *provider, const struct address *sender,
                 const char *from)
{
	return provider->from_allowed.count == 0 || provider->rewrite_from != NULL ||
	       (from_takes_sender(provider, sender) && from_takes_header(provider, from));
}

/* ---- rewriting ------------------------------------------------------------- */

struct mailbox {
	size_t count;
	char *address; /* of the first */
};

static void note_mailbox(void *context, const char *name, const char *address)
{
	struct mailbox *m = context;

	(void)name;
	if (m->count++ == 0)
		m->address = memory_text(address);
}

/* Of "Name <address>" what stands before the bracket; else nothing. */
static struct span name_of(struct span value)
{
	const unsigned char *bracket =
		value.length == 0 ? NULL : memrchr(value.data, '<', value.length);
	struct span name = span_of(NULL, 0);
	struct mailbox m = { 0 };
	size_t front, length;

	header_addresses(value, note_mailbox, &m);
	if (m.count == 1 && bracket != NULL) {
		front = (size_t)(bracket - value.data);
		length = strlen(m.address);
		if (value.length - front > length + 1 && bracket[length + 1] == '>' &&
		    memcmp(bracket + 1, m.address, length) == 0)
			name = span_of(value.data, front);
	}
	free(m.address);
	return name;
}

static void append_field(struct bytes *out, const char *name, struct span value)
{
	bytes_printf(out, "%s:", name);
	if (value.length == 0 || (value.data[0] != ' ' && value.data[0] != '\t'))
		bytes_append_char(out, ' ');
	bytes_append_span(out, value);
	bytes_append_text(out, "\r\n");
}

static void append_from(const struct provider_settings *provider, struct span value,
                        struct bytes *out)
{
	struct span name = name_of(value);
	struct bytes text = { 0 };

	bytes_append_span(&text, name);
	if (name.length > 0)
		bytes_printf(&text, "<%s>", provider->rewrite_from);
	else
		bytes_append_text(&text, provider->rewrite_from);
	append_field(out, "From", bytes_span(&text));
	bytes_release(&text);
}

static bool is_blank(struct span value)
{
	struct bytes text = { 0 };
	bool blank;

	header_unfold(value, &text);
	blank = text.length == 0;
	bytes_release(&text);
	return blank;
}

/* The field of who wrote it, as it is to be, and where answers go. */
static void append_author(const struct provider_settings *provider, struct span value,
                          bool has_reply_to, struct bytes *out)
{
	append_from(provider, value, out);
	if (!has_reply_to && !is_blank(value))
		append_field(out, "Reply-To", value);
}

/* All of the header but From and Sender as it is. Returns whether there was a From. */
static bool rewrite_fields(const struct provider_settings *provider, struct span header,
                           bool has_reply_to, struct bytes *out)
{
	struct header_reader r = header_reader(header);
	const unsigned char *at = header.data;
	struct header_field field;
	bool found = false;

	while (header_next(&r, &field)) {
		bool is_from = span_equal_nocase(field.name, span_of_text("From"));

		if (!is_from && !span_equal_nocase(field.name, span_of_text("Sender")))
			continue;
		bytes_append(out, at, (size_t)(field.whole.data - at));
		at = field.whole.data + field.whole.length;
		if (is_from && !found)
			append_author(provider, field.value, has_reply_to, out);
		found = found || is_from;
	}
	if (header.length > 0)
		bytes_append(out, at, header.length - (size_t)(at - header.data));
	return found;
}

void from_rewrite(const struct provider_settings *provider, const struct trace *trace, uint64_t id,
                  struct span header, struct bytes *out)
{
	struct trace others = *trace;
	struct bytes fields = { 0 };
	struct span value = span_of(NULL, 0);
	bool has_reply_to;

	/* Behind a line that we added there is text only. */
	if (trace->added & TRACE_ADD_LINE)
		header.length = 0;
	has_reply_to = header_find(header, "Reply-To", &value);
	others.added &= ~(unsigned)(TRACE_ADD_FROM | TRACE_ADD_LINE);
	trace_format(&others, id, out);
	value = span_of(NULL, 0);
	if ((trace->added & TRACE_ADD_FROM) && trace->from != NULL)
		value = span_of_text(trace->from);
	if (!rewrite_fields(provider, header, has_reply_to, &fields))
		append_author(provider, value, has_reply_to, out);
	bytes_append_span(out, bytes_span(&fields));
	bytes_release(&fields);
	if (trace->added & TRACE_ADD_LINE)
		bytes_append_text(out, "\r\n");
}
