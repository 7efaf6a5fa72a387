/* SPDX-License-Identifier: ISC */
/* fuzz_log.c - no text can start a second log line, leave its quotes or break the JSON form. */
#include "fuzz.h"

#include <jansson.h>
#include <string.h>

#include "base/log.h"
#include "base/log_text.h"
#include "base/utf8.h"

static void check_quoted(struct span text)
{
	const char *quoted = log_quoted_span(text);
	size_t length = strlen(quoted);

	CHECK(is_clean(span_of_text(quoted), 0) && utf8_is_valid(span_of_text(quoted)));
	CHECK(length >= 2 && quoted[0] == '"' && length <= LOG_QUOTED_MAX + 5);
	for (size_t i = 1; i < length - 1; i++) {
		CHECK(quoted[i] != '"');
		if (quoted[i] == '\\')
			i++;
		CHECK(i < length - 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	char memory[2000 + LOG_TEXT_SPARE], json[3 * 2000 + LOG_TEXT_SPARE];
	struct log_text line = { .data = memory, .max = 2000 };
	struct log_text object = { .data = json, .max = 3 * 2000 };
	json_t *parsed;

	check_quoted(span_of(data, length));
	memory[0] = json[0] = '\0';
	log_text_append_escaped(&line, span_of(data, length), false);
	CHECK(is_clean(span_of_text(memory), 0) && utf8_is_valid(span_of_text(memory)));
	log_text_append(&object, "{");
	log_text_append_json(&object, memory);
	log_text_append(&object, "}");
	CHECK(!object.cut);
	parsed = json_loads(json, 0, NULL);
	CHECK(parsed != NULL);
	json_decref(parsed);
	return 0;
}
