/* SPDX-License-Identifier: ISC */
/* test_mime_build.c - messages for the API's send: what comes out is what was asked for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mail/header.h"
#include "mime_text.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static const struct mime_mailbox to[] = { { "J\xc3\xb6rg", "j@example.org" },
	                                  { "", "k@example.org" } };

static struct mime_draft draft(void)
{
	return (struct mime_draft){
		.from = { "Ann", "ann@example.com" },
		.to = to,
		.to_count = 2,
		.subject = "Gr\xc3\xbc\xc3\x9f"
			   "e",
		.text = "Hello\nyou\r\n",
		.message_id = "id@example.com",
	};
}

static void build(const struct mime_draft *d, struct mime_text *m)
{
	struct bytes error = { 0 };

	memset(m, 0, sizeof(*m));
	mime_text_init(m, "");
	assert_int_equal(mime_build(d, &m->octets, &error), 0);
	m->source.size = m->octets.length;
	for (size_t i = 0, start = 0; i < m->octets.length; i++) {
		if (m->octets.data[i] != '\n')
			continue;
		assert_true(i > 0 && m->octets.data[i - 1] == '\r' && i - start <= 998);
		start = i + 1;
	}
	bytes_release(&error);
}

static void check(const struct mime_draft *d, const char *wanted)
{
	struct mime_text m;
	struct mime_parse parse;
	struct bytes outline = { 0 };

	build(d, &m);
	mime_parse(&parse, &m.source, clock_system());
	mime_text_outline(&parse.index, &outline);
	assert_string_equal(bytes_text(&outline), wanted);
	bytes_release(&outline);
	mime_parse_release(&parse);
	mime_text_release(&m);
}

static void every_shape_comes_back(void **state)
{
	static const struct mime_attachment files[] = {
		{ .content = { (const unsigned char *)"hello", 5 }, .filename = "n\xc3\xa4.pdf" },
		{ .content = { (const unsigned char *)"\0\xff\r\n", 4 },
		  .filename = "i.png",
		  .content_id = "i@x" },
	};
	struct mime_draft d = draft();

	(void)state;
	check(&d, "1 text/plain text quoted 12");
	d.html = "<p>Hello";
	check(&d, "1 text/plain text quoted 12; 2 text/html html quoted 8");
	d.attachments = files;
	d.attachment_count = 1;
	check(&d, "1.1 text/plain text quoted 12; 1.2 text/html html quoted 8; "
	          "2 application/pdf attachment base64 5 'n\xc3\xa4.pdf'");
	d.attachment_count = 2;
	check(&d, "1.1.1 text/plain text quoted 12; 1.1.2 text/html html quoted 8; "
	          "1.2 image/png inline base64 4 'i.png' <i@x>; "
	          "2 application/pdf attachment base64 5 'n\xc3\xa4.pdf'");
	d.text = d.html = NULL;
	d.attachment_count = 0;
	check(&d, "1 text/plain text quoted 0");
}

static void the_header_says_what_was_given(void **state)
{
	static const struct mime_field fields[] = { { "X-Mine", "one \xc3\xa4" } };
	struct mime_draft d = draft();
	struct mime_text m;
	struct bytes text = { 0 };
	struct span value;
	struct span all;

	(void)state;
	d.fields = fields;
	d.field_count = 1;
	build(&d, &m);
	all = bytes_span(&m.octets);
	assert_true(header_find(all, "Subject", &value));
	header_decode(value, &text);
	bytes_append_char(&text, '|');
	assert_true(header_find(all, "X-Mine", &value));
	header_decode(value, &text);
	bytes_append_char(&text, '|');
	assert_true(header_find(all, "To", &value));
	header_decode(value, &text);
	assert_string_equal(bytes_text(&text),
	                    "Gr\xc3\xbc\xc3\x9f"
	                    "e|one \xc3\xa4|J\xc3\xb6rg <j@example.org>, k@example.org");
	assert_true(header_find(all, "Message-ID", &value));
	assert_true(span_equal_text(value, " <id@example.com>"));
	assert_true(header_find(all, "MIME-Version", &value));
	assert_true(header_find(all, "Date", &value));
	bytes_release(&text);
	mime_text_release(&m);
}

/* Each place with something that would be another header, or none. */
static void nothing_else_gets_into_a_header(void **state)
{
	static const char *const bad[] = { "a\r\nBcc: x@y",
		                           "a\nb",
		                           "a\rb",
		                           "a\x01",
		                           "a\x7f",
		                           "a\xc2\x85"
		                           "b",
		                           "a\xe2\x80\xa8"
		                           "b",
		                           "a\xff" };
	struct bytes out = { 0 }, error = { 0 };

	(void)state;
	for (size_t i = 0; i < LENGTH(bad); i++) {
		for (size_t place = 0; place < 9; place++) {
			struct mime_mailbox box = { "x", "x@example.com" };
			struct mime_field field = { "X-A", "x" };
			struct mime_attachment file = { .filename = "x" };
			struct mime_draft d = draft();

			d.cc = &box;
			d.fields = &field;
			d.attachments = &file;
			d.cc_count = d.field_count = d.attachment_count = 1;
			*(const char **[]){ &d.subject,   &d.from.name,   &d.from.address,
				            &box.name,    &box.address,   &field.name,
				            &field.value, &file.filename, &file.type }[place] =
				bad[i];
			assert_int_equal(mime_build(&d, &out, &error), -1);
			assert_true(error.length > 0);
			assert_int_equal(out.length, 0);
			bytes_clear(&error);
		}
	}
	bytes_release(&error);
}

static void fields_that_are_ours_are_refused(void **state)
{
	static const char *const names[] = { "Bcc",       "from",         "SUBJECT", "Content-Type",
		                             "content-x", "MIME-Version", "Date",    "Received",
		                             "",          "a b",          "a:" };
	struct bytes out = { 0 }, error = { 0 };

	(void)state;
	for (size_t i = 0; i < LENGTH(names); i++) {
		struct mime_field field = { names[i], "x" };
		struct mime_draft d = draft();

		d.fields = &field;
		d.field_count = 1;
		assert_int_equal(mime_build(&d, &out, &error), -1);
	}
	bytes_release(&error);
}

static void types_of_files_are_types(void **state)
{
	static const char *const types[] = {
		"multipart/mixed", "message/rfc822", "text", "a/b/c", "/", "a/", "te xt/plain"
	};
	struct bytes out = { 0 }, error = { 0 };

	(void)state;
	for (size_t i = 0; i < LENGTH(types); i++) {
		struct mime_attachment file = { .filename = "x", .type = types[i] };
		struct mime_draft d = draft();

		d.attachments = &file;
		d.attachment_count = 1;
		assert_int_equal(mime_build(&d, &out, &error), -1);
	}
	bytes_release(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_comes_back),
		cmocka_unit_test(the_header_says_what_was_given),
		cmocka_unit_test(nothing_else_gets_into_a_header),
		cmocka_unit_test(fields_that_are_ours_are_refused),
		cmocka_unit_test(types_of_files_are_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
