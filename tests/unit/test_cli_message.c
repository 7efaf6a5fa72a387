/* SPDX-License-Identifier: ISC */
/* test_cli_message.c - mail as programs pipe it into sendmail: read, its recipients, completed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/cli.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

/* A file that holds the text, at its start. */
static int file_of(const void *data, size_t length)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, length), length);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void reads_lines_of_any_kind(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		bool dot_ends;
		const char *message;
		size_t message_length;
	} rows[] = {
#define ROW(text, dot, message) { text, sizeof(text) - 1, dot, message, sizeof(message) - 1 }
		ROW("", false, ""),
		ROW("a\n", false, "a\r\n"),
		ROW("a\r\nb\n", false, "a\r\nb\r\n"),
		ROW("a\nb", false, "a\r\nb\r\n"),
		ROW("a\r", false, "a\r\n"),
		ROW("a\rb\r\rc\r\n", false, "a\rb\r\rc\r\n"), /* the daemon judges lone CR */
		ROW("a\r\r\n", false, "a\r\r\n"),
		ROW("\n\n", false, "\r\n\r\n"),
		ROW("a\0b\n", false, "a\0b\r\n"),
		ROW(".\nb\n", false, ".\r\nb\r\n"),
		ROW(".\nb\n", true, ""),
		ROW("a\n.\nb\n", true, "a\r\n"),
		ROW("a\n.\r\nb\n", true, "a\r\n"),
		ROW("a\n.", true, "a\r\n"),
		ROW("a\n..\n.b\n", true, "a\r\n..\r\n.b\r\n"),
		ROW("\xff\xfe\n", false, "\xff\xfe\r\n"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		int fd = file_of(rows[i].text, rows[i].length);
		struct bytes message = { 0 }, error = { 0 };

		assert_int_equal(message_read(fd, rows[i].dot_ends, &message, &error), 0);
		assert_true(span_equal(bytes_span(&message),
		                       span_of(rows[i].message, rows[i].message_length)));
		close(fd);
		bytes_release(&message);
		bytes_release(&error);
	}
}

/* Lines, CRLF and the dot fall on both sides of what one read() gives. */
static void reads_lines_across_pieces(void **state)
{
	(void)state;
	for (size_t front = 64 * 1024 - 3; front <= 64 * 1024; front++) {
		struct bytes text = { 0 }, message = { 0 }, error = { 0 };
		int fd;

		for (size_t i = 0; i < front; i++)
			bytes_append_char(&text, 'x');
		bytes_append_text(&text, "\r\n.\r\nnot this\n");
		fd = file_of(text.data, text.length);
		assert_int_equal(message_read(fd, true, &message, &error), 0);
		assert_int_equal(message.length, front + 2);
		assert_memory_equal(message.data + front - 1, "x\r\n", 3);
		close(fd);
		bytes_release(&text);
		bytes_release(&message);
		bytes_release(&error);
	}
}

static void refuses_what_is_too_large_or_unreadable(void **state)
{
	struct bytes message = { 0 }, error = { 0 };
	int fd = file_of("", 0);

	(void)state;
	assert_int_equal(ftruncate(fd, MESSAGE_MAX + 1), 0); /* one line of zeros */
	assert_int_equal(message_read(fd, false, &message, &error), -1);
	assert_string_equal(bytes_text(&error), "the message is larger than 50 MiB");
	close(fd);
	bytes_clear(&error);
	assert_int_equal(message_read(fd, false, &message, &error), -1);
	assert_non_null(strstr(bytes_text(&error), "cannot read the message"));
	bytes_release(&message);
	bytes_release(&error);
}

static void finds_recipients(void **state)
{
	static const struct {
		const char *message;
		const char *recipients; /* each with a blank behind */
	} rows[] = {
		{ "", "" },
		{ "Subject: x\r\n\r\nTo: not@this\r\n", "" },
		{ "To: a@x\r\nCC: b@x\r\nbcc: c@x\r\n\r\n", "a@x b@x c@x " },
		{ "To: root\r\n\r\n", "root " },
		{ "To: A <a@x>,\r\n \"B, C\" <b@x>\r\n\t, (comment, d@x) c@x\r\n\r\n",
		  "a@x b@x c@x " },
		{ "To: friends: a@x, B <b@x>;, c@x\r\n\r\n", "a@x b@x c@x " },
		{ "To: undisclosed-recipients:;\r\n\r\n", "" },
		{ "To: \"a b\"@x\r\n\r\n", "\"a b\"@x " },
		{ "To : a@x\r\n\r\n", "a@x " },
		{ "To: a@x\r\nTo: b@x\r\n\r\n", "a@x b@x " },
		{ "To: a@x\r\nResent-To: r@x\r\nResent-Bcc: s@x\r\n\r\n", "r@x s@x " },
		{ "To: a@x\r\nResent-From: r@x\r\n\r\n", "a@x " },
		{ "From a@x Sat Nov 21\r\nTo: b@x\r\n\r\n", "b@x " },
		{ "no field\r\nTo: b@x\r\n\r\n", "" },
		{ "To: a@x\r\nno field\r\nBcc: body@x\r\n\r\n", "a@x " },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes text = { 0 };
		char **list = NULL;
		size_t count = 0;

		message_recipients(span_of_text(rows[i].message), &list, &count);
		for (size_t k = 0; k < count; k++) {
			bytes_printf(&text, "%s ", list[k]);
			free(list[k]);
		}
		assert_string_equal(bytes_text(&text), rows[i].recipients);
		free(list);
		bytes_release(&text);
	}
}

#define THERE "From: a@x\r\nDate: d\r\nMessage-ID: <i>\r\n"

static void completes_what_is_there(void **state)
{
	static const struct {
		const char *message, *complete;
	} rows[] = {
		{ THERE "\r\nbody\r\n", THERE "\r\nbody\r\n" },
		{ THERE "\r\n", THERE "\r\n" },
		{ THERE, THERE "\r\n" },
		{ THERE "Bcc: b@x,\r\n c@x\r\n\td@x\r\nTo: e@x\r\n\r\nBcc: text\r\n",
		  THERE "To: e@x\r\n\r\nBcc: text\r\n" },
		{ "BCC : b@x\r\n" THERE "Resent-Bcc: b@x\r\n\r\n", THERE "\r\n" },
		{ THERE "Bccx: kept\r\n\r\n", THERE "Bccx: kept\r\n\r\n" },
		{ "From a@x Sat Nov 21\r\n" THERE "\r\nx\r\n", THERE "\r\nx\r\n" },
		{ ">From a@x Sat Nov 21\r\n" THERE "\r\nx\r\n", THERE "\r\nx\r\n" },
		{ "FROM : x\r\n" THERE "\r\n", "FROM : x\r\n" THERE "\r\n" },
		{ THERE "the empty line\r\nwas forgotten\r\n\r\nend\r\n",
		  THERE "\r\nthe empty line\r\nwas forgotten\r\n\r\nend\r\n" },
		{ THERE "\r\n\r\n\r\nempty lines\r\n", THERE "\r\n\r\n\r\nempty lines\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };

		assert_false(message_needs_sender(span_of_text(rows[i].message)));
		message_complete(span_of_text(rows[i].message), "s@x", NULL, &out);
		assert_string_equal(bytes_text(&out), rows[i].complete);
		bytes_release(&out);
	}
}

static void adds_what_is_missing(void **state)
{
	static const struct {
		const char *message, *name, *from, *end;
	} rows[] = {
		{ "no header\r\n", NULL, "From: <s@x.example>\r\nDate: ", "\r\n\r\nno header\r\n" },
		{ "\r\nbody\r\n", "", "From: <s@x.example>\r\nDate: ", "\r\n\r\nbody\r\n" },
		{ "", "Ann B", "From: \"Ann B\" <s@x.example>\r\nDate: ", "\r\n\r\n" },
		{ "To: t@x\r\n\r\nb\r\n", "J\xc3\xb6rg",
		  "From: =?utf-8?Q?=4A=C3=B6=72=67?= <s@x.example>\r\nDate: ",
		  "\r\nTo: t@x\r\n\r\nb\r\n" },
		{ "", "\xff", "From: =?utf-8?Q?=3F?= <s@x.example>\r\n", "\r\n\r\n" },
		{ " folded first\r\n\r\n", NULL, "From: <s@x.example>\r\n",
		  "\r\n\r\n folded first\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct bytes out = { 0 };
		const char *text;

		assert_true(message_needs_sender(span_of_text(rows[i].message)));
		message_complete(span_of_text(rows[i].message), "s@x.example", rows[i].name, &out);
		text = bytes_text(&out);
		assert_memory_equal(text, rows[i].from, strlen(rows[i].from));
		assert_non_null(strstr(text, "\r\nMessage-ID: <"));
		assert_non_null(strstr(text, "@x.example>\r\n"));
		assert_true(out.length > strlen(rows[i].end));
		assert_string_equal(text + out.length - strlen(rows[i].end), rows[i].end);
		bytes_release(&out);
	}
}

/* A long name takes several encoded words, each within its limit. */
static void encoded_words_are_short(void **state)
{
	struct bytes name = { 0 }, out = { 0 };
	char *word, *rest;
	size_t words = 0;

	(void)state;
	for (int i = 0; i < 50; i++)
		bytes_append_text(&name, "\xe2\x82\xac");
	message_complete(span_of_text(""), "s@x", bytes_text(&name), &out);
	rest = (char *)out.data + strlen("From: ");
	*strstr(rest, " <s@x>") = '\0';
	while ((word = strsep(&rest, " ")) != NULL) {
		assert_true(strlen(word) <= 75);
		assert_memory_equal(word, "=?utf-8?Q?", 10);
		words++;
	}
	assert_int_equal(words, 9); /* six characters of three octets in each */
	bytes_release(&name);
	bytes_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lines_of_any_kind),
		cmocka_unit_test(reads_lines_across_pieces),
		cmocka_unit_test(refuses_what_is_too_large_or_unreadable),
		cmocka_unit_test(finds_recipients),
		cmocka_unit_test(completes_what_is_there),
		cmocka_unit_test(adds_what_is_missing),
		cmocka_unit_test(encoded_words_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
