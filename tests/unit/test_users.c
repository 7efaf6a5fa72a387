/* SPDX-License-Identifier: ISC */
/* test_users.c - users' files: what is taken, what is refused and how that is told. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config/users.h"
#include "config_case.h"

/* Of "secret", each by another method. */
#define SHA512                                                         \
	"$6$abc$IdWKNKTJEb8LxY7CGg8YBXlvtfZzFw7Mp/r6niK9YB2mdvgY..TKj" \
	"v1T..8RadRt2qvUHYRLr/TsVArtr91iR1"
#define MD5 "$1$abc$iCQ2D3nhptRYi27fDYv2s1"
#define DES "abNANd1rDfiNc"

static int read_text(struct user_list *list, const char *text, struct bytes *error,
                     struct bytes *notes)
{
	config_case_write("users", text, 0600);
	return user_list_read(list, "users", error, notes);
}

static void finds_names(void **state)
{
	static const char *const names[] = {
		"zoe", "al", "alice", "a", "bob@example.com", "\xc3\xa4\xc3\xb6"
	};
	struct bytes text = { 0 }, error = { 0 }, notes = { 0 };
	struct user_list list;

	(void)state;
	bytes_append_text(&text, "# the logins\n\n   \n");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		bytes_printf(&text, "%s:" SHA512 "%s\n", names[i], i % 2 == 0 ? "\r" : " ");
	assert_int_equal(read_text(&list, bytes_text(&text), &error, &notes), 0);
	assert_int_equal(list.count, 6);
	assert_int_equal(notes.length, 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const struct user *found = user_list_find(&list, span_of_text(names[i]));

		assert_non_null(found);
		assert_string_equal(found->name, names[i]);
		assert_string_equal(found->hash, SHA512);
		assert_int_equal(found->line, 4 + i);
	}
	assert_null(user_list_find(&list, span_of_text("ali")));
	assert_null(user_list_find(&list, span_of_text("alicia")));
	assert_null(user_list_find(&list, span_of_text("")));
	assert_null(user_list_find(&list, span_of("a\0", 2)));
	user_list_release(&list);
	assert_null(user_list_find(&list, span_of_text("a")));
	bytes_release(&text);
}

#define NO_HASH                                                         \
	"this is no hash that crypt(3) knows: make one with \"openssl " \
	"passwd -6\" or \"mkpasswd\""

static void refuses_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "alice\n", "users:1: write NAME:HASH" },
		{ "\n:" SHA512 "\n", "users:2: the name is empty, too long, or no UTF-8 text" },
		{ "\xff:" SHA512 "\n", "users:1: the name is empty, too long, or no UTF-8 text" },
		{ "a\tb:" SHA512 "\n", "users:1: the name is empty, too long, or no UTF-8 text" },
		{ "alice:\n", "users:1: " NO_HASH },
		{ "alice:secret\n", "users:1: " NO_HASH },  /* a password in clear */
		{ "alice:$6$abc$\n", "users:1: " NO_HASH }, /* a salt alone */
		{ "alice:$6$abc$XrmVDYjd\n", "users:1: " NO_HASH },
		{ "alice:$99$abc$XrmVDYjdYQYU6Hs/XDTcQbvN2KPsMRC0sZ0\n", "users:1: " NO_HASH },
		{ "alice:*\n", "users:1: " NO_HASH },
		{ "alice:" SHA512 ":19000:0\n", "users:1: " NO_HASH }, /* a line of shadow(5) */
		{ "alice:" SHA512 "\nbob\nalice:" SHA512 "\n",
		  "users:2: write NAME:HASH\n"
		  "users:3: this name has a line already: keep one of them" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct bytes error = { 0 }, notes = { 0 };
		struct user_list list;

		assert_int_equal(read_text(&list, cases[i].text, &error, &notes), -1);
		assert_string_equal(bytes_text(&error), cases[i].error);
		assert_int_equal(notes.length, 0);
		assert_int_equal(list.count, 0);
		bytes_release(&error);
	}
}

static void notes_what_is_weak(void **state)
{
	struct bytes error = { 0 }, notes = { 0 };
	struct user_list list;

	(void)state;
	config_case_write("users", "a:" SHA512 "\nb:" MD5 "\nc:" DES "\n", 0644);
	assert_int_equal(user_list_read(&list, "users", &error, &notes), 0);
	assert_int_equal(list.count, 3);
	assert_string_equal(bytes_text(&notes),
	                    "users: everybody on this host can read it: chmod 640 users\n"
	                    "users:2: this hash is of a weak, old method: make a new one with "
	                    "\"openssl passwd -6\" or \"mkpasswd\"\n");
	user_list_release(&list);
	bytes_clear(&notes);
	assert_int_equal(read_text(&list, "", &error, &notes), 0);
	user_list_release(&list);
	bytes_release(&notes);
}

static void is_bounded(void **state)
{
	struct bytes text = { 0 }, error = { 0 }, notes = { 0 };
	struct user_list list;

	(void)state;
	assert_int_equal(user_list_read(&list, "none", &error, &notes), -1);
	assert_string_equal(bytes_text(&error), "none: cannot be read: No such file or directory");
	bytes_clear(&error);
	assert_int_equal(user_list_read(&list, "/", &error, &notes), -1);
	assert_string_equal(bytes_text(&error), "/: cannot be read: it is no file");
	bytes_clear(&error);
	assert_int_equal(user_list_read(&list, "/dev/zero", &error, &notes), -1);
	for (size_t i = 0; i < USER_LINE_MAX; i++)
		bytes_append_char(&text, 'a');
	bytes_append_text(&text, ":" SHA512 "\n");
	bytes_clear(&error);
	assert_int_equal(read_text(&list, bytes_text(&text), &error, &notes), -1);
	assert_string_equal(bytes_text(&error),
	                    "users:1: the line is too long for a name and a hash");
	bytes_clear(&text);
	for (unsigned i = 0; i <= USER_COUNT_MAX; i++)
		bytes_printf(&text, "u%u:" DES "\n", i);
	bytes_clear(&error);
	assert_int_equal(read_text(&list, bytes_text(&text), &error, &notes), -1);
	assert_string_equal(bytes_text(&error), "users:20001: there are too many users");
	bytes_release(&text);
	bytes_release(&error);
	bytes_release(&notes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_names),
		cmocka_unit_test(refuses_what_is_wrong),
		cmocka_unit_test(notes_what_is_weak),
		cmocka_unit_test(is_bounded),
	};

	return cmocka_run_group_tests(tests, config_case_enter, config_case_leave);
}
