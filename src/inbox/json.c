/* SPDX-License-Identifier: ISC */
/* json.c - an entry as Mailpit's MessageSummary: for --print=json, the list and the events. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "inbox/private.h"
#include "mail/id.h"

json_t *json_address(const char *name, const char *address)
{
	json_t *object = json_object();

	json_object_set_new(object, "Name", json_text(name));
	json_object_set_new(object, "Address", json_text(address));
	return object;
}

json_t *json_addresses(const struct summary_address *list, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_address(list[i].name, list[i].address));
	return array;
}

json_t *json_texts(char *const *texts, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_text(texts[i]));
	return array;
}

json_t *inbox_summary_json(const struct inbox_entry *entry, const struct summary *s)
{
	char date[CLOCK_DATE_MAX], id[ID_TEXT_SIZE];
	json_t *object = json_object();

	clock_format_rfc3339(s->created_us, date);
	id_format(entry->id, id);
	json_object_set_new(object, "ID", json_string(id));
	json_object_set_new(object, "MessageID", json_text(s->message_id));
	json_object_set_new(object, "Read", json_boolean(entry->read));
	json_object_set_new(object, "From", json_address(s->from.name, s->from.address));
	json_object_set_new(object, "To", json_addresses(s->to, s->to_count));
	json_object_set_new(object, "Cc", json_addresses(s->cc, s->cc_count));
	json_object_set_new(object, "Bcc", json_addresses(s->bcc, s->bcc_count));
	json_object_set_new(object, "ReplyTo", json_addresses(s->reply_to, s->reply_to_count));
	json_object_set_new(object, "Subject", json_text(s->subject));
	json_object_set_new(object, "Created", json_string(date));
	json_object_set_new(object, "Username", json_text(s->login));
	json_object_set_new(object, "Tags", json_texts(entry->labels, entry->label_count));
	json_object_set_new(object, "Size", json_integer((json_int_t)s->size));
	json_object_set_new(object, "Attachments", json_integer(s->attachments));
	json_object_set_new(object, "Snippet", json_text(s->snippet));
	return object;
}

/* ---- as text ------------------------------------------------------------------- */

static void put_address(struct bytes *out, const struct summary_address *address)
{
	bytes_append_text(out, "{\"Name\":");
	json_put_text(out, address->name);
	bytes_append_text(out, ",\"Address\":");
	json_put_text(out, address->address);
	bytes_append_char(out, '}');
}

static void put_addresses(struct bytes *out, const char *name, const struct summary_address *list,
                          size_t count)
{
	bytes_append_text(out, name);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			bytes_append_char(out, ',');
		put_address(out, &list[i]);
	}
	bytes_append_char(out, ']');
}

static void put_member(struct bytes *out, const char *name, const char *text)
{
	bytes_append_text(out, name);
	json_put_text(out, text);
}

void inbox_summary_text(const struct inbox_entry *entry, const struct summary *s, struct bytes *out)
{
	char date[CLOCK_DATE_MAX], id[ID_TEXT_SIZE];

	clock_format_rfc3339(s->created_us, date);
	id_format(entry->id, id);
	put_member(out, "{\"ID\":", id);
	put_member(out, ",\"MessageID\":", s->message_id);
	bytes_append_text(out,
	                  entry->read ? ",\"Read\":true,\"From\":" : ",\"Read\":false,\"From\":");
	put_address(out, &s->from);
	put_addresses(out, ",\"To\":[", s->to, s->to_count);
	put_addresses(out, ",\"Cc\":[", s->cc, s->cc_count);
	put_addresses(out, ",\"Bcc\":[", s->bcc, s->bcc_count);
	put_addresses(out, ",\"ReplyTo\":[", s->reply_to, s->reply_to_count);
	put_member(out, ",\"Subject\":", s->subject);
	put_member(out, ",\"Created\":", date);
	put_member(out, ",\"Username\":", s->login);
	bytes_append_text(out, ",\"Tags\":[");
	for (size_t i = 0; i < entry->label_count; i++)
		put_member(out, i > 0 ? "," : "", entry->labels[i]);
	bytes_printf(out, "],\"Size\":%llu,\"Attachments\":%lld", (unsigned long long)s->size,
	             (long long)s->attachments);
	put_member(out, ",\"Snippet\":", s->snippet);
	bytes_append_char(out, '}');
}
