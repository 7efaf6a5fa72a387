/* SPDX-License-Identifier: ISC */
/* summarize.c - from a header section to a summary that fits one piece of the spool.
 *
 * Whatever the header holds, texts are cut and address lists end; the message itself always has
 * everything.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "inbox/private.h"
#include "mail/header.h"

/* A piece is 4080 octets or more: these add up to less, with the fixed part. */
#define SUBJECT_KEEP 500 /* octets; longer ones are rare, and whole in the message */
#define SNIPPET_KEEP 500
#define TEXT_KEEP    256 /* octets of a name, address, login or Message-ID; as the longest path */
#define LIST_BUDGET  800 /* octets of the recipients, and again of the header's addresses */

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

/* ---- addresses --------------------------------------------------------------------- */

/* Collects addresses while budget and places last. */
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

static void collect_field(struct span header, const char *name, const struct collector *c)
{
	struct collector copy = *c;
	struct span value;

	if (header_find(header, name, &value))
		header_addresses(value, collect, &copy);
}

static void collect_from(struct summary *s, struct span header)
{
	struct summary_address *list = NULL;
	size_t count = 0, places = 1, budget = LIST_BUDGET;
	const struct collector c = { &list, &count, &places, &budget };

	collect_field(header, "From", &c);
	if (count == 1) {
		s->from = list[0];
	} else {
		s->from.name = memory_text("");
		s->from.address = memory_text("");
	}
	free(list);
}

/* Who the header names, in order, for many questions. */
struct named {
	char **items;
	size_t count;
};

static void named_add(void *context, const char *name, const char *address)
{
	struct named *n = context;

	(void)name;
	if ((n->count & (n->count - 1)) == 0)
		n->items =
			memory_grow(n->items, n->count == 0 ? 1 : n->count * 2, sizeof(*n->items));
	n->items[n->count++] = memory_text(address);
}

static int compare(const void *a, const void *b)
{
	return strcasecmp(*(char *const *)a, *(char *const *)b);
}

static void named_fill(struct named *n, struct span header)
{
	static const char *const fields[] = { "To", "Cc", "Bcc" };
	struct span value;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (header_find(header, fields[i], &value))
			header_addresses(value, named_add, n);
	if (n->count > 0)
		qsort(n->items, n->count, sizeof(*n->items), compare);
}

static bool is_named(const struct named *n, const char *address)
{
	return n->count > 0 &&
	       bsearch(&address, n->items, n->count, sizeof(*n->items), compare) != NULL;
}

static void named_release(struct named *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->items[i]);
	free(n->items);
}

/* The header's, and every recipient that it does not name. */
static void collect_bcc(const struct summary *s, struct span header, struct collector *c)
{
	struct named named = { 0 };

	collect_field(header, "Bcc", c);
	named_fill(&named, header);
	for (size_t i = 0; i<s->recipient_count && * c->places> 0; i++)
		if (!is_named(&named, s->recipients[i]))
			collect(c, "", s->recipients[i]);
	named_release(&named);
}

static void collect_lists(struct summary *s, struct span header)
{
	size_t places = SUMMARY_ADDRESSES_MAX, budget = LIST_BUDGET;
	struct collector to = { &s->to, &s->to_count, &places, &budget };
	struct collector cc = { &s->cc, &s->cc_count, &places, &budget };
	struct collector bcc = { &s->bcc, &s->bcc_count, &places, &budget };
	struct collector reply_to = { &s->reply_to, &s->reply_to_count, &places, &budget };

	collect_field(header, "To", &to);
	collect_field(header, "Cc", &cc);
	collect_bcc(s, header, &bcc);
	collect_field(header, "Reply-To", &reply_to);
}

static void trim_recipients(struct summary *s)
{
	size_t budget = LIST_BUDGET, kept = 0;

	while (kept < s->recipient_count && kept < SUMMARY_ADDRESSES_MAX &&
	       strlen(s->recipients[kept]) + 4 <= budget)
		budget -= strlen(s->recipients[kept++]) + 4;
	while (s->recipient_count > kept)
		free(s->recipients[--s->recipient_count]);
}

/* ---- all of it ------------------------------------------------------------------------ */

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

static char *added_message_id(const struct trace *t)
{
	struct bytes text = { 0 };
	char *kept;

	bytes_printf(&text, "@%s", t->by);
	kept = text_cut(text.data, text.length, TEXT_KEEP);
	bytes_release(&text);
	return kept;
}

void summary_begin(struct summary *s, const struct message_facts *facts,
                   const struct recipient *recipients, size_t count)
{
	memset(s, 0, sizeof(*s));
	s->created_us = facts->trace.time_us;
	s->size = facts->size;
	s->sender = memory_text(facts->sender.text != NULL ? facts->sender.text : "");
	if (facts->login != NULL)
		s->login = text_cut(facts->login, strlen(facts->login), TEXT_KEEP);
	s->from.name = memory_text("");
	s->from.address = memory_text("");
	s->message_id = memory_text("");
	s->subject = memory_text("");
	s->snippet = memory_text("");
	s->recipients = memory_new_array(count, sizeof(*s->recipients));
	for (size_t i = 0; i < count; i++)
		s->recipients[s->recipient_count++] = memory_text(recipients[i].address.text);
}

static uint32_t count_inlines(const struct mime_index *index)
{
	uint32_t count = 0;

	for (size_t i = 0; i < index->count; i++)
		count += index->parts[i].role == MIME_INLINE;
	return count;
}

void summary_finish(struct summary *s, const struct trace *trace, struct span header,
                    const struct mime_parse *parse)
{
	summary_address_release(&s->from);
	free(s->message_id);
	free(s->subject);
	free(s->snippet);
	s->message_id = trace->added & TRACE_ADD_MESSAGE_ID ? added_message_id(trace)
	                                                    : message_id_of(header);
	s->subject = decoded_field(header, "Subject", SUBJECT_KEEP);
	s->snippet = text_cut(parse->snippet.data, parse->snippet.length, SNIPPET_KEEP);
	s->attachments = (uint32_t)mime_index_attachments(&parse->index);
	s->inlines = count_inlines(&parse->index);
	collect_from(s, header);
	collect_lists(s, header);
	trim_recipients(s);
}
