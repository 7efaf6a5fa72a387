/* SPDX-License-Identifier: ISC */
/* summary.c - the small record of an inbox entry, encoded and decoded here only.
 *
 * That it fits one piece of the spool is intake.c's to see to; a record that is damaged is refused
 * and asks for no memory beyond its own size.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "inbox/private.h"
#include "mail/id.h"

#define SUMMARY_VERSION 1

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
	addresses_release(s->reply_to, s->reply_to_count);
	for (size_t i = 0; i < s->recipient_count; i++)
		free(s->recipients[i]);
	free(s->recipients);
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
	bytes_put_u8(out, s->read);
	bytes_put_i64(out, s->created_us);
	bytes_put_u64(out, s->size);
	bytes_put_text(out, s->message_id);
	bytes_put_text(out, s->subject);
	bytes_put_text(out, s->sender);
	bytes_put_text(out, s->login);
	put_addresses(out, &s->from, 1);
	put_addresses(out, s->to, s->to_count);
	put_addresses(out, s->cc, s->cc_count);
	put_addresses(out, s->reply_to, s->reply_to_count);
	bytes_put_u16(out, (uint16_t)s->recipient_count);
	for (size_t i = 0; i < s->recipient_count; i++)
		bytes_put_text(out, s->recipients[i]);
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

int summary_decode(struct summary *s, struct span record)
{
	struct bytes_reader r = bytes_reader(record);
	struct summary_address *from;
	size_t from_count;

	memset(s, 0, sizeof(*s));
	if (bytes_get_u8(&r) != SUMMARY_VERSION)
		return -1;
	s->read = bytes_get_u8(&r) != 0;
	s->created_us = bytes_get_i64(&r);
	s->size = bytes_get_u64(&r);
	s->message_id = bytes_get_text(&r);
	s->subject = bytes_get_text(&r);
	s->sender = bytes_get_text(&r);
	s->login = bytes_get_text(&r);
	from = get_addresses(&r, &from_count);
	if (from_count == 1) {
		s->from = from[0];
		free(from);
	} else {
		addresses_release(from, from_count);
		r.failed = true;
	}
	s->to = get_addresses(&r, &s->to_count);
	s->cc = get_addresses(&r, &s->cc_count);
	s->reply_to = get_addresses(&r, &s->reply_to_count);
	get_recipients(s, &r);
	if (r.failed) {
		summary_release(s);
		return -1;
	}
	return 0;
}
