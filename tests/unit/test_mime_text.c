/* SPDX-License-Identifier: ISC */
/* test_mime_text.c - the words of HTML, and what is found in text: links and codes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mime/private.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static void html_is_read_as_a_reader_would(void **state)
{
	static const struct {
		const char *html, *text;
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "<p>one</p>\n<p>two</p>", "one\ntwo" },
		{ "one<br>two<BR/>three", "one\ntwo\nthree" },
		{ "a<b>b</b>c <i> d</i>", "abc d" },
		{ "<td>a</td><td>b</td>", "a b" },
		{ "x<script>var a='</p>';</script>y", "xy" },
		{ "<style>p{}</style><title>t</title>body", "body" },
		{ "<STYLE>never ends", "" },
		{ "<!-- no --><!DOCTYPE x><?xml?>yes<!-- open", "yes" },
		{ "&lt;b&gt; &amp;amp; &copy; &eacute; &nbsp; &#65;&#x42;",
		  "<b> &amp; \xc2\xa9 \xc3\xa9 AB" },
		{ "&unknown; &; & &#; &#xZZ; &#0; &#1114112; &amp",
		  "&unknown; &; & &#; &#xZZ; &#0; \xef\xbf\xbd &" },
		{ "1 < 2 > 0 <3", "1 < 2 > 0 <3" },
		{ "<a href='x>y'>in</a>", "in" },
		{ "<a title=\"1 > 0\">in</a>", "in" },
		{ "<a title=\"open>out", "out" },
		{ "<p", "" },
		{ "soft&shy;hyphen&zwnj;&#8203;x", "softhyphenx" },
		{ "\xff\xfe"
		  "bad",
		  "\xef\xbf\xbd\xef\xbf\xbd"
		  "bad" },
		{ "<svg/onload=alert(1)>text", "text" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };

		mime_html_text(span_of_text(rows[i].html), &out);
		assert_string_equal(bytes_text(&out), rows[i].text);
		bytes_release(&out);
	}
}

static void join(char *const *texts, size_t count, struct bytes *out)
{
	for (size_t i = 0; i < count; i++)
		bytes_printf(out, i == 0 ? "%s" : " %s", texts[i]);
}

static void links_are_found(void **state)
{
	static const struct {
		const char *text, *links;
	} rows[] = {
		{ "no link", "" },
		{ "See http://a.test/x?y=1&z=2.", "http://a.test/x?y=1&z=2" },
		{ "(https://a.test/b_(c)) HTTP://B.test!", "https://a.test/b_(c) HTTP://B.test" },
		{ "<http://a.test> \"http://b.test\" 'http://c.test'",
		  "http://a.test http://b.test http://c.test" },
		{ "http://a.test http://a.test", "http://a.test" },
		{ "http:// https://", "" },
		{ "javascript:alert(1) ftp://x mailto:a@b", "" },
		{ "xhttp://a.test", "http://a.test" },
		{ "http://a.test/\xc3\xa4 http://b.test/\xff", "http://a.test/\xc3\xa4" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct mime_index index = { 0 };
		struct bytes all = { 0 };

		find_links(&index, span_of_text(rows[i].text));
		join(index.links, index.link_count, &all);
		assert_string_equal(bytes_text(&all), rows[i].links);
		bytes_release(&all);
		mime_index_release(&index);
	}
}

static void codes_are_found(void **state)
{
	static const struct {
		const char *text, *codes;
	} rows[] = {
		{ "Your code is 123456.", "123456" },
		{ "123456 is your verification code", "123456" },
		{ "Your code: 123 456", "123456" },
		{ "OTP 1234-5678", "12345678" },
		{ "Use G-482910 as your code", "482910" },
		{ "PIN:0042", "0042" },
		{ "Ihr Einmalpasswort lautet 99887766", "99887766" },
		{ "C\xc3\xb3"
		  "digo: 4711",
		  "4711" },
		{ "code 123", "" },
		{ "code 123456789", "" },
		{ "Order 123456 has been shipped to you, thank you", "" },
		{ "Your code is in https://x.test/123456", "" },
		{ "code a123456 123456b 123456@x", "" },
		{ "code $1234 or 1,2345", "" },
		{ "The password rules changed. They hold for everybody from the year 2026 on", "" },
		{ "Your code is 2026", "2026" },
		{ "code 123456 or 123456 or 654321", "123456 654321" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct mime_index index = { 0 };
		struct bytes all = { 0 };

		find_codes(&index, span_of_text(rows[i].text));
		join(index.codes, index.code_count, &all);
		assert_string_equal(bytes_text(&all), rows[i].codes);
		bytes_release(&all);
		mime_index_release(&index);
	}
}

static void findings_end_somewhere(void **state)
{
	struct mime_index index = { 0 };
	struct bytes text = { 0 };

	(void)state;
	for (size_t i = 0; i < 500; i++)
		bytes_printf(&text, "code %zu http://x.test/%zu ", 10000 + i, i);
	find_links(&index, bytes_span(&text));
	find_codes(&index, bytes_span(&text));
	assert_int_equal(index.link_count, MIME_FINDINGS_MAX);
	assert_int_equal(index.code_count, MIME_FINDINGS_MAX);
	bytes_release(&text);
	mime_index_release(&index);
}

static void a_released_header_is_new(void **state)
{
	static const char header[] = "Return-Path: <x@y>\r\nSubject: a\r\n b\r\nbcc: secret@x\r\n"
				     "DATE: yesterday\r\nMessage-Id: <old@x>\r\nTo: a@x\r\n\r\n";
	struct bytes out = { 0 };

	(void)state;
	mime_release_header(span_of_text(header), "new@y", 0, &out);
	assert_non_null(strstr(bytes_text(&out), "Message-ID: <new@y>\r\n"));
	assert_non_null(strstr(bytes_text(&out), "Date: Thu, 01 Jan 1970 "));
	assert_non_null(strstr(bytes_text(&out), "\r\nSubject: a\r\n b\r\nTo: a@x\r\n\r\n"));
	assert_null(strstr(bytes_text(&out), "secret"));
	assert_null(strstr(bytes_text(&out), "yesterday"));
	assert_null(strstr(bytes_text(&out), "old@x"));
	assert_null(strstr(bytes_text(&out), "Return-Path"));
	bytes_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(html_is_read_as_a_reader_would),
		cmocka_unit_test(links_are_found),
		cmocka_unit_test(codes_are_found),
		cmocka_unit_test(findings_end_somewhere),
		cmocka_unit_test(a_released_header_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
