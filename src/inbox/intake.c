/* SPDX-License-Identifier: ISC */
/* intake.c - the hook that gives a message being accepted its inbox entry.
 *
 * The summary is made of the header alone. It fits one piece of the spool, whatever the header
 * holds: texts are cut and address lists end; the message itself always has everything.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "inbox/private.h"
#include "mail/header.h"

/* A piece is 4080 octets or more: these add up to less, with the fixed part. */
#define SUBJECT_KEEP 600  /* octets; longer ones are rare, and whole in the message */
#define TEXT_KEEP    256  /* octets of a name, address, login or Message-ID; as the longest path */
#define LIST_BUDGET  1000 /* octets of the recipients, and again of the header's addresses */

/* At most `keep` octets, cut between UTF-8 characters. */
static char *text_cut(const void *data, size_t length, size_t keep)
{
	const unsigned char *text = data;

	if (length > keep)
		for (length = keep; length > 0 && (text[length] & 0xc0) == 0x80;)
			length--;
	return memory_text_of(text, length);
}

static char *decoded_field(struct span header, const char *name, size_t keep)
{
	struct bytes text = { 0 };
	struct span value;
	char *cut;

	if (header_find(header, name, &value))
		header_decode(value, &text);
	cut = text_cut(text.data, text.length, keep);
	bytes_release(&text);
	return cut;
}

/* Collects addresses of one field while budget and places last. */
struct collector {
	struct summary_address **list;
	size_t *count;
	size_t *places, *budget;
};

static void collect(void *context, const char *name, const char *address)
{
	struct collector *c = context;
	struct summary_address *a;

	if (*c->places == 0)
		return;
	*c->list = memory_grow(*c->list, *c->count + 1, sizeof(**c->list));
	a = &(*c->list)[*c->count];
	a->name = text_cut(name, strlen(name), TEXT_KEEP);
	a->address = text_cut(address, strlen(address), TEXT_KEEP);
	if (strlen(a->name) + strlen(a->address) + 8 > *c->budget) {
		summary_address_release(a);
		*c->places = 0;
		return;
	}
	*c->budget -= strlen(a->name) + strlen(a->address) + 8;
	*c->places -= 1;
	*c->count += 1;
}

static void collect_field(struct span header, const char *name, struct summary_address **list,
                          size_t *count, size_t *places, size_t *budget)
{
	struct collector c = { list, count, places, budget };
	struct span value;

	if (header_find(header, name, &value))
		header_addresses(value, collect, &c);
}

static void collect_from(struct summary *s, struct span header)
{
	struct summary_address *list = NULL;
	size_t count = 0, places = 1, budget = LIST_BUDGET;

	collect_field(header, "From", &list, &count, &places, &budget);
	if (count == 1) {
		s->from = list[0];
	} else {
		s->from.name = memory_text("");
		s->from.address = memory_text("");
	}
	free(list);
}

static void take_recipients(struct summary *s, const struct recipient *recipients, size_t count,
                            size_t *budget)
{
	s->recipients = memory_new_array(count, sizeof(*s->recipients));
	for (size_t i = 0; i < count && i < SUMMARY_ADDRESSES_MAX; i++) {
		const char *text = recipients[i].address.text;

		if (strlen(text) + 4 > *budget)
			return;
		*budget -= strlen(text) + 4;
		s->recipients[s->recipient_count++] = memory_text(text);
	}
}

static char *message_id_of(struct span header)
{
	char *text = decoded_field(header, "Message-ID", TEXT_KEEP);
	size_t length = strlen(text);

	if (length >= 2 && text[0] == '<' && text[length - 1] == '>') {
		memmove(text, text + 1, length - 2);
		text[length - 2] = '\0';
	}
	return text;
}

/* As it is read later: with the fields that the message came without. The id is not known before
 * the commit: summary_complete(). */
static void whole_header(const struct put *put, struct bytes *out)
{
	trace_format_added(&put->facts.trace, 0, out);
	if ((put->facts.trace.added & TRACE_ADD_LINE) == 0)
		bytes_append_span(out, put_header(put));
}

static char *added_message_id(const struct trace *t)
{
	struct bytes text = { 0 };
	char *kept;

	bytes_printf(&text, "@%s", t->by);
	kept = text_cut(text.data, text.length, TEXT_KEEP);
	bytes_release(&text);
	return kept;
}

static void intake_add(void *context, struct put *put, uint32_t inbox,
                       const struct recipient *recipients, size_t count)
{
	struct bytes whole = { 0 };
	struct span header;
	size_t places = SUMMARY_ADDRESSES_MAX, budget = LIST_BUDGET;
	struct summary s = { 0 };
	struct bytes record = { 0 };

	(void)context;
	whole_header(put, &whole);
	header = bytes_span(&whole);
	s.created_us = put->facts.trace.time_us;
	s.size = put->facts.size;
	s.message_id = put->facts.trace.added & TRACE_ADD_MESSAGE_ID
	                       ? added_message_id(&put->facts.trace)
	                       : message_id_of(header);
	s.subject = decoded_field(header, "Subject", SUBJECT_KEEP);
	s.sender = memory_text(put->facts.sender.text != NULL ? put->facts.sender.text : "");
	if (put->facts.login != NULL)
		s.login = text_cut(put->facts.login, strlen(put->facts.login), TEXT_KEEP);
	collect_from(&s, header);
	take_recipients(&s, recipients, count, &budget);
	budget = LIST_BUDGET;
	collect_field(header, "To", &s.to, &s.to_count, &places, &budget);
	collect_field(header, "Cc", &s.cc, &s.cc_count, &places, &budget);
	collect_field(header, "Reply-To", &s.reply_to, &s.reply_to_count, &places, &budget);
	summary_encode(&s, &record);
	put_add_entry(put, inbox, &record);
	bytes_append_span(&put->entries[put->entry_count - 1].extras[SPOOL_DIALOGUE],
	                  bytes_span(&put->dialogue));
	summary_release(&s);
	bytes_release(&whole);
}

struct intake inbox_intake(void)
{
	return (struct intake){ .add = intake_add, .context = NULL };
}
