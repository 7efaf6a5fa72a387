/* SPDX-License-Identifier: ISC */
/* summary.c - the small record of an inbox entry, encoded and decoded here only.
 * view.c looks at it in place, and knows the order of its fields.
 *
 * That it fits one piece of the spool is intake.c's to see to; a record that is damaged is refused
 * and asks for no memory beyond its own size.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "inbox/private.h"
#include "mail/id.h"

#define SUMMARY_VERSION 2
#define SUMMARY_OLD     1 /* has a read mark, and no Bcc, snippet and numbers of parts */

void summary_address_release(struct summary_address *a)
{
	free(a->name);
	free(a->address);
}

static void addresses_release(struct summary_address *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		summary_address_release(&list[i]);
	free(list);
}

void summary_release(struct summary *s)
{
	free(s->message_id);
	free(s->subject);
	free(s->sender);
	free(s->login);
	summary_address_release(&s->from);
	addresses_release(s->to, s->to_count);
	addresses_release(s->cc, s->cc_count);
	addresses_release(s->bcc, s->bcc_count);
	addresses_release(s->reply_to, s->reply_to_count);
	for (size_t i = 0; i < s->recipient_count; i++)
		free(s->recipients[i]);
	free(s->recipients);
	free(s->snippet);
	memset(s, 0, sizeof(*s));
}

void summary_complete(struct summary *s, uint64_t id)
{
	struct bytes whole = { 0 };
	char text[ID_TEXT_SIZE];

	if (s->message_id[0] != '@')
		return;
	id_format(id, text);
	bytes_printf(&whole, "%s%s", text, s->message_id);
	free(s->message_id);
	s->message_id = memory_text(bytes_text(&whole));
	bytes_release(&whole);
}

static void put_addresses(struct bytes *out, const struct summary_address *list, size_t count)
{
	bytes_put_u16(out, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		bytes_put_text(out, list[i].name);
		bytes_put_text(out, list[i].address);
	}
}

void summary_encode(const struct summary *s, struct bytes *out)
{
	bytes_put_u8(out, SUMMARY_VERSION);
	bytes_put_i64(out, s->created_us);
	bytes_put_u64(out, s->size);
	bytes_put_text(out, s->message_id);
	bytes_put_text(out, s->subject);
	bytes_put_text(out, s->sender);
	bytes_put_text(out, s->login);
	put_addresses(out, &s->from, 1);
	put_addresses(out, s->to, s->to_count);
	put_addresses(out, s->cc, s->cc_count);
	put_addresses(out, s->bcc, s->bcc_count);
	put_addresses(out, s->reply_to, s->reply_to_count);
	bytes_put_u16(out, (uint16_t)s->recipient_count);
	for (size_t i = 0; i < s->recipient_count; i++)
		bytes_put_text(out, s->recipients[i]);
	bytes_put_text(out, s->snippet);
	bytes_put_u32(out, s->attachments);
	bytes_put_u32(out, s->inlines);
}

/* NULL with *count_r 0 when the record is cut. */
static struct summary_address *get_addresses(struct bytes_reader *r, size_t *count_r)
{
	size_t count = bytes_get_u16(r);
	struct summary_address *list;

	*count_r = 0;
	/* Each takes 8 octets of lengths at least: a wild count asks for no memory. */
	if (r->failed || count > r->rest.length / 8)
		r->failed = true;
	if (r->failed || count == 0)
		return NULL;
	list = memory_new_array(count, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		list[i].name = bytes_get_text(r);
		list[i].address = bytes_get_text(r);
	}
	*count_r = count;
	return list;
}

static void get_recipients(struct summary *s, struct bytes_reader *r)
{
	size_t count = bytes_get_u16(r);

	if (r->failed || count > r->rest.length / 4) {
		r->failed = true;
		return;
	}
	s->recipients = memory_new_array(count, sizeof(*s->recipients));
	for (size_t i = 0; i < count; i++)
		s->recipients[i] = bytes_get_text(r);
	s->recipient_count = count;
}

static void get_from(struct summary *s, struct bytes_reader *r)
{
	size_t count;
	struct summary_address *from = get_addresses(r, &count);

	if (count == 1) {
		s->from = from[0];
		free(from);
	} else {
		addresses_release(from, count);
		r->failed = true;
	}
}

static void get_fields(struct summary *s, struct bytes_reader *r, bool old)
{
	if (old)
		bytes_get_u8(r);
	s->created_us = bytes_get_i64(r);
	s->size = bytes_get_u64(r);
	s->message_id = bytes_get_text(r);
	s->subject = bytes_get_text(r);
	s->sender = bytes_get_text(r);
	s->login = bytes_get_text(r);
	get_from(s, r);
	s->to = get_addresses(r, &s->to_count);
	s->cc = get_addresses(r, &s->cc_count);
	s->bcc = old ? NULL : get_addresses(r, &s->bcc_count);
	s->reply_to = get_addresses(r, &s->reply_to_count);
	get_recipients(s, r);
	s->snippet = old ? memory_text("") : bytes_get_text(r);
	s->attachments = old ? 0 : bytes_get_u32(r);
	s->inlines = old ? 0 : bytes_get_u32(r);
}

int summary_decode(struct summary *s, struct span record)
{
	struct bytes_reader r = bytes_reader(record);
	uint8_t version = bytes_get_u8(&r);

	memset(s, 0, sizeof(*s));
	if (version != SUMMARY_VERSION && version != SUMMARY_OLD)
		return -1;
	get_fields(s, &r, version == SUMMARY_OLD);
	if (r.failed) {
		summary_release(s);
		return -1;
	}
	return 0;
}
