/* SPDX-License-Identifier: ISC */
/* test_json.c - any octets become a JSON string, any value one line. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static void takes_any_octets(void **state)
{
	static const char *const rows[][2] = {
		{ "plain", "plain" },
		{ "", "" },
		{ NULL, "" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "gr\xfc\xdf \xc3\xbc", "gr\xef\xbf\xbd\xef\xbf\xbd \xc3\xbc" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd" },
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(rows); i++) {
		json_t *value = json_text(rows[i][0]);

		assert_non_null(value);
		assert_string_equal(json_string_value(value), rows[i][1]);
		json_decref(value);
	}
}

static void writes_one_line(void **state)
{
	struct bytes out = { 0 };

	(void)state;
	json_line(&out, json_pack("{s:s}", "a", "x\n\"y\""));
	json_line(&out, json_text("z\r\n"));
	assert_string_equal(bytes_text(&out), "{\"a\":\"x\\n\\\"y\\\"\"}\n\"z\\r\\n\"\n");
	bytes_release(&out);
}

/* As Jansson writes it. */
static void put_text(void **state)
{
	static const char *const texts[] = {
		"",
		"plain",
		"a\"b\\c/d",
		"\b\f\n\r\t\x01\x1f\x7f",
		"gr\xc3\xbc\xc3\x9f"
		"e \xf0\x9f\x98\x80",
		"\xff broken \xc3",
		"\xed\xa0\x80 surrogate, \xc0\x80 overlong",
		"</script>\xe2\x80\xa8",
		NULL,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct bytes ours = { 0 }, theirs = { 0 };

		json_put_text(&ours, texts[i]);
		bytes_append_char(&ours, '\n');
		json_line(&theirs, json_text(texts[i]));
		assert_string_equal(bytes_text(&ours), bytes_text(&theirs));
		bytes_release(&ours);
		bytes_release(&theirs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_text),
		cmocka_unit_test(takes_any_octets),
		cmocka_unit_test(writes_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
