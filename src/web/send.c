/* SPDX-License-Identifier: ISC */
/* send.c - POST api/v1/send: a message described in JSON, as Mailpit takes it.
 *
 * Built on a helper, then taken in like mail that came by SMTP; its id is told after the commit.
 * In the URL of an inbox it goes there, else where the routes say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/memory.h"
#include "inbox/inbox.h"
#include "mail/id.h"
#include "mime/mime.h"
#include "relay/route.h"
#include "web/deposit.h"
#include "web/private.h"
#include "web/release.h"

#define RECIPIENTS_MAX  1000 /* as max-recipients of a listener */
#define ATTACHMENTS_MAX 500
#define FIELDS_MAX      200

struct send {
	struct call_job job;
	struct deposit *deposit;
	struct bytes error; /* empty: none */
	/* The draft points into these, and into the call's body. */
	struct mime_draft draft;
	struct bytes *contents;
	struct bytes tags;
	char message_id[2 * 16 + 256 + 2];
};

static void send_free(struct send *s)
{
	deposit_free(&s->deposit);
	for (size_t i = 0; s->contents != NULL && i < s->draft.attachment_count; i++)
		bytes_release(&s->contents[i]);
	free(s->contents);
	free((void *)(uintptr_t)s->draft.to);
	free((void *)(uintptr_t)s->draft.cc);
	free((void *)(uintptr_t)s->draft.reply_to);
	free((void *)(uintptr_t)s->draft.attachments);
	free((void *)(uintptr_t)s->draft.fields);
	bytes_release(&s->tags);
	bytes_release(&s->error);
	free(s);
}

/* ---- reading the JSON ---------------------------------------------------------------- */

static int fail(struct send *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct send *s, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (s->error.length == 0)
		bytes_vprintf(&s->error, format, arguments);
	va_end(arguments);
	return -1;
}

/* A text, "" when there is none. */
static int take_text(struct send *s, json_t *object, const char *name, const char **text_r)
{
	json_t *value = call_member(object, name);

	*text_r = "";
	if (value == NULL || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return fail(s, "%s: write a text", name);
	if (strlen(json_string_value(value)) != json_string_length(value))
		return fail(s, "%s: a NUL is in the text", name);
	*text_r = json_string_value(value);
	return 0;
}

/* A list; an empty one when there is none. */
static int take_list(struct send *s, const char *name, size_t max, json_t **list_r)
{
	json_t *value = call_member(s->job.call->body, name);

	*list_r = json_is_null(value) ? NULL : value;
	if (*list_r != NULL && !json_is_array(value))
		return fail(s, "%s: write a list", name);
	if (json_array_size(*list_r) > max)
		return fail(s, "%s: %zu at most", name, max);
	return 0;
}

/* One that mail goes to, or only one that is shown. */
static int take_address(struct send *s, const char *what, const char *text, struct address *address)
{
	const char *why;

	if (address_parse(address, span_of_text(text), ADDRESS_UTF8, &why) == 0)
		return 0;
	return fail(s, "invalid %s address: %s", what, text);
}

static int add_recipient(struct send *s, const char *what, const char *text)
{
	struct recipient to = { .notify = NOTIFY_DEFAULT };
	struct envelope *envelope = &s->deposit->envelope;

	if (take_address(s, what, text, &to.address) < 0)
		return -1;
	if (envelope->count >= RECIPIENTS_MAX) {
		recipient_release(&to);
		return fail(s, "%d recipients at most", RECIPIENTS_MAX);
	}
	envelope->smtputf8 = envelope->smtputf8 || address_is_utf8(&to.address);
	envelope_add_recipient(envelope, &to);
	return 0;
}

/* [{Email, Name}]; recipients: of the message, too. */
static int take_mailboxes(struct send *s, const char *name, bool recipients,
                          const struct mime_mailbox **boxes_r, size_t *count_r)
{
	struct mime_mailbox *boxes;
	json_t *list, *item;
	size_t i;

	if (take_list(s, name, RECIPIENTS_MAX, &list) < 0)
		return -1;
	boxes = memory_new_array(json_array_size(list) + 1, sizeof(*boxes));
	*boxes_r = boxes;
	json_array_foreach(list, i, item)
	{
		struct address address = { 0 };

		if (take_text(s, item, "Name", &boxes[i].name) < 0 ||
		    take_text(s, item, "Email", &boxes[i].address) < 0)
			return -1;
		if (recipients ? add_recipient(s, name, boxes[i].address) < 0
		               : take_address(s, name, boxes[i].address, &address) < 0)
			return -1;
		address_release(&address);
		*count_r = i + 1;
	}
	return 0;
}

static int take_bcc(struct send *s)
{
	json_t *list, *item;
	size_t i;

	if (take_list(s, "Bcc", RECIPIENTS_MAX, &list) < 0)
		return -1;
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item))
			return fail(s, "Bcc: write a list of addresses");
		if (add_recipient(s, "Bcc", json_string_value(item)) < 0)
			return -1;
	}
	return 0;
}

static int take_from(struct send *s)
{
	struct envelope *envelope = &s->deposit->envelope;
	json_t *from = call_member(s->job.call->body, "From");

	if (take_text(s, from, "Name", &s->draft.from.name) < 0 ||
	    take_text(s, from, "Email", &s->draft.from.address) < 0)
		return -1;
	if (*s->draft.from.address == '\0')
		return fail(s, "From: an Email is required");
	address_release(&envelope->sender);
	if (take_address(s, "From", s->draft.from.address, &envelope->sender) < 0)
		return -1;
	envelope->smtputf8 = address_is_utf8(&envelope->sender);
	return 0;
}

/* ---- fields and tags ------------------------------------------------------------------ */

static int take_tags(struct send *s)
{
	json_t *list, *item;
	size_t i;

	if (take_list(s, "Tags", SPOOL_LABELS_MAX, &list) < 0)
		return -1;
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item))
			return fail(s, "Tags: write a list of texts");
		bytes_printf(&s->tags, "%s%s", i > 0 ? ", " : "", json_string_value(item));
	}
	return 0;
}

/* One of the asker's: "<a@b>". */
static int take_message_id(struct send *s, const char *text)
{
	size_t length = strlen(text);

	if (length >= 2 && text[0] == '<' && text[length - 1] == '>') {
		text++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof(s->message_id))
		return fail(s, "Headers: Message-ID: write <NAME@HOST>");
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f || text[i] == '<' || text[i] == '>')
			return fail(s, "Headers: Message-ID: write <NAME@HOST>");
	memcpy(s->message_id, text, length);
	s->message_id[length] = '\0';
	return 0;
}

static int take_fields(struct send *s)
{
	json_t *object = call_member(s->job.call->body, "Headers"), *value;
	struct mime_field *fields = memory_new_array(FIELDS_MAX + 1, sizeof(*fields));
	const char *name;

	s->draft.fields = fields;
	if (s->tags.length > 0)
		fields[s->draft.field_count++] =
			(struct mime_field){ "X-Tags", bytes_text(&s->tags) };
	if (object == NULL || json_is_null(object))
		return 0;
	if (!json_is_object(object) || json_object_size(object) >= FIELDS_MAX)
		return fail(s, "Headers: write an object of at most %d texts", FIELDS_MAX - 1);
	json_object_foreach(object, name, value)
	{
		if (!json_is_string(value))
			return fail(s, "Headers: the value of %s is no text", name);
		if (s->tags.length > 0 && strcasecmp(name, "X-Tags") == 0)
			return fail(s, "cannot overwrite header: \"%s\"", name);
		if (strcasecmp(name, "Message-ID") == 0) {
			if (take_message_id(s, json_string_value(value)) < 0)
				return -1;
			continue;
		}
		fields[s->draft.field_count++] =
			(struct mime_field){ name, json_string_value(value) };
	}
	return 0;
}

/* ---- attachments ---------------------------------------------------------------------- */

/* A data URL's head goes, as do line ends: some encoders write them. */
static int decode(const char *text, struct bytes *out)
{
	const char *comma = strrchr(text, ',');
	struct bytes plain = { 0 };
	int rc;

	text = comma == NULL ? text : comma + 1;
	for (; *text != '\0'; text += strcspn(text, "\r\n"), text += strspn(text, "\r\n"))
		bytes_append(&plain, text, strcspn(text, "\r\n"));
	rc = base64_decode(out, bytes_span(&plain));
	bytes_release(&plain);
	return rc;
}

static int take_attachment(struct send *s, json_t *item, struct mime_attachment *a,
                           struct bytes *content)
{
	const char *text;

	if (take_text(s, item, "Filename", &a->filename) < 0 ||
	    take_text(s, item, "ContentType", &a->type) < 0 ||
	    take_text(s, item, "ContentID", &a->content_id) < 0 ||
	    take_text(s, item, "Content", &text) < 0)
		return -1;
	if (decode(text, content) < 0)
		return fail(s, "error decoding base64 attachment \"%s\"", a->filename);
	a->content = bytes_span(content);
	a->type = *a->type == '\0' ? NULL : a->type;
	a->content_id = *a->content_id == '\0' ? NULL : a->content_id;
	return 0;
}

static int take_attachments(struct send *s)
{
	struct mime_attachment *attachments;
	json_t *list, *item;
	size_t i;

	if (take_list(s, "Attachments", ATTACHMENTS_MAX, &list) < 0)
		return -1;
	attachments = memory_new_array(json_array_size(list) + 1, sizeof(*attachments));
	s->draft.attachments = attachments;
	s->contents = memory_new_array(json_array_size(list) + 1, sizeof(*s->contents));
	json_array_foreach(list, i, item)
	{
		s->draft.attachment_count = i + 1;
		if (take_attachment(s, item, &attachments[i], &s->contents[i]) < 0)
			return -1;
	}
	return 0;
}

/* ---- the work -------------------------------------------------------------------------- */

static int take_all(struct send *s)
{
	struct mime_draft *d = &s->draft;
	json_t *body = s->job.call->body;

	if (!json_is_object(body))
		return fail(s, "write an object with From, To, Subject, Text ...");
	if (take_from(s) < 0 || take_mailboxes(s, "To", true, &d->to, &d->to_count) < 0 ||
	    take_mailboxes(s, "Cc", true, &d->cc, &d->cc_count) < 0 || take_bcc(s) < 0 ||
	    take_mailboxes(s, "ReplyTo", false, &d->reply_to, &d->reply_to_count) < 0)
		return -1;
	if (take_text(s, body, "Subject", &d->subject) < 0 ||
	    take_text(s, body, "Text", &d->text) < 0 || take_text(s, body, "HTML", &d->html) < 0)
		return -1;
	if (take_tags(s) < 0 || take_fields(s) < 0 || take_attachments(s) < 0)
		return -1;
	/* Nobody: it is kept all the same, as if its writer had sent it to himself. */
	if (s->deposit->envelope.count == 0)
		return add_recipient(s, "From", d->from.address);
	return 0;
}

static void send_work(struct call_job *job)
{
	struct send *s = (struct send *)(void *)job;
	struct bytes message = { 0 };

	if (take_all(s) == 0 && mime_build(&s->draft, &message, &s->error) == 0)
		deposit_append(s->deposit, bytes_span(&message));
	else if (s->error.length == 0)
		bytes_append_text(&s->error, "the message cannot be built");
	bytes_release(&message);
}

static void route(struct deposit *d, struct put *put)
{
	const struct web_options *o = &d->call->web->options;
	const struct envelope *e = &d->envelope;

	if (d->call->inbox_name != NULL)
		o->intake->add(o->intake->context, put, d->call->inbox, e->recipients, e->count);
	else
		route_put(o->router, put, o->spool, e, "http", o->intake, clock_wall(o->clock));
}

static void stored(struct deposit *d, uint64_t id, const char *why)
{
	char text[ID_TEXT_SIZE];
	json_t *answer;

	if (id == 0) {
		answer_json_error(d->call, 507, why);
		return;
	}
	id_format(id, text);
	answer = json_object();
	json_object_set_new(answer, "ID", json_string(text));
	answer_json(d->call, 200, answer);
}

static void send_done(struct call_job *job)
{
	struct send *s = (struct send *)(void *)job;
	struct call *call = job->call;
	struct deposit *d = s->deposit;

	if (s->error.length > 0) {
		answer_json_error(call, 400, bytes_text(&s->error));
	} else if (deposit_length(d) > call->web->options.settings->listeners[0].max_message_size) {
		answer_json_error(call, 413, "the message is too large");
	} else {
		s->deposit = NULL;
		deposit_start(d);
	}
	send_free(s);
}

void send_message_id(const struct web *web, char *out, size_t size)
{
	unsigned char random[16];
	size_t at = 0;

	digest_random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random) && at + 3 < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%02x", random[i]);
	snprintf(out + at, size - at, "@%s", web->options.settings->hostname);
}

static void handle_send(struct call *call)
{
	struct send *s;

	if (call->web->options.settings->mode != MODE_CATCH) {
		answer_json_error(call, 400, "sending over HTTP goes with --catch");
		return;
	}
	s = memory_new(sizeof(*s));
	s->deposit = deposit_new(call);
	s->deposit->route = route;
	s->deposit->done = stored;
	send_message_id(call->web, s->message_id, sizeof(s->message_id));
	s->draft.message_id = s->message_id;
	s->draft.date_us = clock_wall(call->web->options.clock);
	s->job.work = send_work;
	s->job.done = send_done;
	call_job_start(call, &s->job);
}

const struct way send_ways[] = {
	{ EVHTTP_REQ_POST, "/api/v1/send", handle_send, WAY_JSON | WAY_LARGE | WAY_ERRORS },
	WAYS_END,
};
