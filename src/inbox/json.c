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
