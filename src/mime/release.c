/* SPDX-License-Identifier: ISC */
/* release.c - the header of a caught message that is sent on to the real world. */
#include "mail/header.h"
#include "mime/private.h"

static bool is_left_out(struct span name)
{
	static const char *const names[] = { "Bcc", "Resent-Bcc", "Return-Path", "Message-ID",
		                             "Date" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (span_equal_nocase(name, span_of_text(names[i])))
			return true;
	return false;
}

void mime_release_header(struct span header, const char *message_id, int64_t date_us,
                         struct bytes *out)
{
	struct header_reader r = header_reader(header);
	struct header_field field;
	char date[CLOCK_DATE_MAX];
	size_t done = 0;

	clock_format_rfc5322(date_us, date);
	bytes_printf(out, "Date: %s\r\nMessage-ID: <%s>\r\n", date, message_id);
	while (header_next(&r, &field)) {
		size_t from = (size_t)(field.whole.data - header.data);

		bytes_append(out, header.data + done, from - done);
		if (!is_left_out(field.name))
			bytes_append_span(out, field.whole);
		done = from + field.whole.length;
	}
	bytes_append(out, header.data + done, header.length - done);
}
