/* SPDX-License-Identifier: ISC */
/* build.c - a message from what the API's send was given, by GMime.
 *
 * Every text is looked at before it comes into a header: what has a line end or another control is
 * refused, so that nothing but what was asked for is in the result. Texts are quoted-printable and
 * files base64: lines are short, and the content is 7 bits.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "mail/address.h"
#include "mime/gmime_private.h"

#define HEADER_TEXT_MAX 4000 /* octets of one text: a subject, a name, a field's value */

/* ---- what was given ---------------------------------------------------------------- */

static bool is_clean(const char *text)
{
	struct span rest = span_of_text(text);

	if (rest.length > HEADER_TEXT_MAX)
		return false;
	while (rest.length > 0) {
		uint32_t code = 0;
		size_t length = utf8_next(rest, &code);

		if (length == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 ||
		    code == 0x2029)
			return false;
		rest = span_of(rest.data + length, rest.length - length);
	}
	return true;
}

static int check_text(const char *what, const char *text, struct bytes *error)
{
	if (text == NULL || is_clean(text))
		return 0;
	bytes_printf(error, "%s has a line end or another control character, or is too long", what);
	return -1;
}

static int check_mailboxes(const char *what, const struct mime_mailbox *list, size_t count,
                           struct bytes *error)
{
	for (size_t i = 0; i < count; i++) {
		struct address address = { 0 };
		const char *why;

		if (check_text(what, list[i].name, error) != 0)
			return -1;
		if (address_parse(&address, span_of_text(list[i].address), ADDRESS_UTF8, &why) !=
		    0) {
			bytes_printf(error, "%s: invalid email address: %s", what, why);
			return -1;
		}
		address_release(&address);
	}
	return 0;
}

static bool is_token(const char *text)
{
	if (text == NULL || *text == '\0' || strlen(text) > 100)
		return false;
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text >= 0x7f || strchr("()<>@,;:\\\"/[]?=", *text) != NULL)
			return false;
	return true;
}

/* Fields that have a place of their own, or that tell how to read the message. */
static bool is_ours(const char *name)
{
	static const char *const names[] = { "From",         "To",          "Cc",      "Bcc",
		                             "Reply-To",     "Subject",     "Date",    "Message-ID",
		                             "MIME-Version", "Return-Path", "Received" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return strncasecmp(name, "Content-", 8) == 0;
}

static int check_fields(const struct mime_draft *draft, struct bytes *error)
{
	for (size_t i = 0; i < draft->field_count; i++) {
		const struct mime_field *field = &draft->fields[i];

		if (!is_token(field->name)) {
			bytes_append_text(error, "Headers: a name is not the name of a header");
			return -1;
		}
		if (is_ours(field->name)) {
			bytes_printf(error, "Headers: %s cannot be set here", field->name);
			return -1;
		}
		if (check_text("Headers", field->value, error) != 0)
			return -1;
	}
	return 0;
}

/* "text/plain", without parameters; parts and messages are no files. */
static bool is_type(const char *type)
{
	const char *slash = strchr(type, '/');
	size_t length = strcspn(type, "; ");
	char copy[100];

	if (slash == NULL || length >= sizeof(copy) || slash > type + length ||
	    strncasecmp(type, "multipart/", 10) == 0 || strncasecmp(type, "message/", 8) == 0)
		return false;
	memcpy(copy, type, length);
	copy[length] = '\0';
	copy[slash - type] = '\0';
	return is_token(copy) && is_token(copy + (slash - type) + 1);
}

static int check_attachments(const struct mime_draft *draft, struct bytes *error)
{
	for (size_t i = 0; i < draft->attachment_count; i++) {
		const struct mime_attachment *a = &draft->attachments[i];

		if (check_text("Attachments: Filename", a->filename, error) != 0 ||
		    check_text("Attachments: ContentID", a->content_id, error) != 0)
			return -1;
		if (a->content_id != NULL && strpbrk(a->content_id, "<> ") != NULL) {
			bytes_append_text(error, "Attachments: invalid ContentID");
			return -1;
		}
		if (a->type != NULL && *a->type != '\0' && !is_type(a->type)) {
			bytes_append_text(error, "Attachments: invalid ContentType");
			return -1;
		}
	}
	return 0;
}

static int check_draft(const struct mime_draft *draft, struct bytes *error)
{
	if (check_mailboxes("From", &draft->from, 1, error) != 0 ||
	    check_mailboxes("To", draft->to, draft->to_count, error) != 0 ||
	    check_mailboxes("Cc", draft->cc, draft->cc_count, error) != 0 ||
	    check_mailboxes("ReplyTo", draft->reply_to, draft->reply_to_count, error) != 0 ||
	    check_text("Subject", draft->subject, error) != 0 || check_fields(draft, error) != 0)
		return -1;
	return check_attachments(draft, error);
}

/* ---- parts --------------------------------------------------------------------------- */

static bool is_given(const char *text)
{
	return text != NULL && *text != '\0';
}

static GMimePart *part_new(const char *type, struct span content, GMimeContentEncoding encoding)
{
	size_t length = strcspn(type, "/"), end = strcspn(type, "; ");
	char *media = g_strndup(type, length);
	char *subtype = g_strndup(type + length + 1, end - length - 1);
	GMimePart *part = g_mime_part_new_with_type(media, subtype);
	GMimeStream *stream = g_mime_stream_mem_new();
	GMimeDataWrapper *wrapper =
		g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);

	if (content.length > 0)
		g_mime_stream_write(stream, (const char *)content.data, content.length);
	g_mime_stream_reset(stream);
	g_mime_part_set_content(part, wrapper);
	g_mime_part_set_content_encoding(part, encoding);
	g_object_unref(wrapper);
	g_object_unref(stream);
	g_free(media);
	g_free(subtype);
	return part;
}

/* Lines end by LF here; all of the result gets CRLF at the end. */
static GMimeObject *text_part(const char *type, const char *text)
{
	struct bytes lines = { 0 };
	GMimePart *part;

	for (; *text != '\0'; text++)
		if (*text != '\r')
			bytes_append_char(&lines, *text);
		else if (text[1] != '\n')
			bytes_append_char(&lines, '\n');
	part = part_new(type, bytes_span(&lines), GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	g_mime_object_set_content_type_parameter(GMIME_OBJECT(part), "charset", "utf-8");
	bytes_release(&lines);
	return GMIME_OBJECT(part);
}

static const char *type_of_file(const char *filename)
{
	static const char *const types[][2] = {
		{ ".txt", "text/plain" },      { ".html", "text/html" },
		{ ".htm", "text/html" },       { ".css", "text/css" },
		{ ".csv", "text/csv" },        { ".ics", "text/calendar" },
		{ ".png", "image/png" },       { ".jpg", "image/jpeg" },
		{ ".jpeg", "image/jpeg" },     { ".gif", "image/gif" },
		{ ".svg", "image/svg+xml" },   { ".webp", "image/webp" },
		{ ".pdf", "application/pdf" }, { ".json", "application/json" },
		{ ".xml", "application/xml" }, { ".zip", "application/zip" },
		{ ".gz", "application/gzip" }, { ".mp3", "audio/mpeg" },
		{ ".mp4", "video/mp4" },
	};
	const char *dot = filename == NULL ? NULL : strrchr(filename, '.');

	for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(*types); i++)
		if (strcasecmp(dot, types[i][0]) == 0)
			return types[i][1];
	return "application/octet-stream";
}

static GMimeObject *file_part(const struct mime_attachment *a)
{
	const char *type = is_given(a->type) ? a->type : type_of_file(a->filename);
	GMimePart *part = part_new(type, a->content, GMIME_CONTENT_ENCODING_BASE64);

	g_mime_object_set_disposition(GMIME_OBJECT(part),
	                              is_given(a->content_id) ? "inline" : "attachment");
	if (is_given(a->filename))
		g_mime_part_set_filename(part, a->filename);
	if (is_given(a->content_id))
		g_mime_object_set_content_id(GMIME_OBJECT(part), a->content_id);
	return GMIME_OBJECT(part);
}

/* A multipart of that kind with the first part in it, which it takes. */
static GMimeObject *wrap(const char *kind, GMimeObject *first)
{
	GMimeMultipart *multipart = g_mime_multipart_new_with_subtype(kind);

	g_mime_multipart_add(multipart, first);
	g_object_unref(first);
	return GMIME_OBJECT(multipart);
}

static void add(GMimeObject *multipart, GMimeObject *part)
{
	g_mime_multipart_add(GMIME_MULTIPART(multipart), part);
	g_object_unref(part);
}

static GMimeObject *body_of(const struct mime_draft *draft)
{
	GMimeObject *html, *body;

	if (!is_given(draft->html))
		return text_part("text/plain", draft->text == NULL ? "" : draft->text);
	html = text_part("text/html", draft->html);
	if (!is_given(draft->text))
		return html;
	body = wrap("alternative", text_part("text/plain", draft->text));
	add(body, html);
	return body;
}

static GMimeObject *content_of(const struct mime_draft *draft)
{
	static const char *const kinds[] = { "related", "mixed" };
	GMimeObject *content = body_of(draft);

	for (size_t round = 0; round < 2; round++) {
		GMimeObject *outer = NULL;

		for (size_t i = 0; i < draft->attachment_count; i++) {
			const struct mime_attachment *a = &draft->attachments[i];

			if (is_given(a->content_id) != (round == 0))
				continue;
			if (outer == NULL)
				outer = wrap(kinds[round], content);
			add(outer, file_part(a));
		}
		content = outer == NULL ? content : outer;
	}
	return content;
}

/* ---- the message ---------------------------------------------------------------------------- */

static void add_mailboxes(GMimeMessage *message, GMimeAddressType type,
                          const struct mime_mailbox *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		g_mime_message_add_mailbox(message, type,
		                           is_given(list[i].name) ? list[i].name : NULL,
		                           list[i].address);
}

static GMimeMessage *message_of(const struct mime_draft *draft)
{
	GMimeMessage *message = g_mime_message_new(TRUE);
	GMimeObject *content = content_of(draft);
	char date[CLOCK_DATE_MAX];

	clock_format_rfc5322(draft->date_us, date);
	g_mime_object_set_header(GMIME_OBJECT(message), "Date", date, NULL);
	g_mime_message_set_message_id(message, draft->message_id);
	add_mailboxes(message, GMIME_ADDRESS_TYPE_FROM, &draft->from, 1);
	add_mailboxes(message, GMIME_ADDRESS_TYPE_TO, draft->to, draft->to_count);
	add_mailboxes(message, GMIME_ADDRESS_TYPE_CC, draft->cc, draft->cc_count);
	add_mailboxes(message, GMIME_ADDRESS_TYPE_REPLY_TO, draft->reply_to, draft->reply_to_count);
	g_mime_message_set_subject(message, draft->subject == NULL ? "" : draft->subject, "utf-8");
	for (size_t i = 0; i < draft->field_count; i++)
		g_mime_object_append_header(GMIME_OBJECT(message), draft->fields[i].name,
		                            draft->fields[i].value, "utf-8");
	g_mime_message_set_mime_part(message, content);
	g_object_unref(content);
	return message;
}

int mime_build(const struct mime_draft *draft, struct bytes *out, struct bytes *error)
{
	GMimeMessage *message;
	char *text;

	if (check_draft(draft, error) != 0)
		return -1;
	gmime_begin();
	message = message_of(draft);
	text = g_mime_object_to_string(GMIME_OBJECT(message), NULL);
	for (const char *at = text; *at != '\0'; at++) {
		if (*at == '\n')
			bytes_append_char(out, '\r');
		bytes_append_char(out, *at);
	}
	g_free(text);
	g_object_unref(message);
	return 0;
}
