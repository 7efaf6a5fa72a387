/* SPDX-License-Identifier: ISC */
/* chaos.c - --chaos: whether Mailpit's chaos may be asked for, and what of it is in force from the
 * start, in the words of Mailpit: "Sender:451:5,Recipient:451:2,Authentication:535:1". */
#include "config/private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

static const char *const names[CHAOS_TRIGGERS] = {
	[CHAOS_SENDER] = "Sender",
	[CHAOS_RECIPIENT] = "Recipient",
	[CHAOS_AUTHENTICATION] = "Authentication",
};

static int one_apply(struct settings *s, const char *text)
{
	size_t length = strcspn(text, ":"), i = 0;
	const char *at = text + length + (text[length] == ':');
	uint64_t code, probability;

	while (i < CHAOS_TRIGGERS &&
	       (strlen(names[i]) != length || strncasecmp(names[i], text, length) != 0))
		i++;
	if (i == CHAOS_TRIGGERS || number_read(&code, &at) != 0 || *at++ != ':' ||
	    number_read(&probability, &at) != 0 || *at != '\0' || code < 400 || code > 599 ||
	    probability > 100)
		return -1;
	s->chaos_triggers[i].code = (unsigned)code;
	s->chaos_triggers[i].probability = (unsigned)probability;
	return 0;
}

void chaos_apply(struct settings *s, const char *text, struct problems *problems)
{
	if (text == NULL || strcasecmp(text, "false") == 0)
		return;
	s->chaos = true;
	if (s->mode != MODE_CATCH)
		problem(problems, "--chaos: goes with --catch: a relay makes no faults");
	while (*text != '\0' && strcasecmp(text, "true") != 0) {
		size_t length = strcspn(text, ", ");
		char *one = memory_text_of(text, length);

		if (length > 0 && one_apply(s, one) != 0)
			problem(problems,
			        "--chaos: write Sender, Recipient or Authentication with a code "
			        "from 400 to 599 and a percentage: \"Sender:451:5\"");
		free(one);
		text += length + (text[length] != '\0');
	}
}

void chaos_print(const struct settings *s, struct bytes *out)
{
	const char *before = "=";

	bytes_append_text(out, "# --chaos");
	for (size_t i = 0; i < CHAOS_TRIGGERS; i++) {
		if (s->chaos_triggers[i].code == 0)
			continue;
		bytes_printf(out, "%s%s:%u:%u", before, names[i], s->chaos_triggers[i].code,
		             s->chaos_triggers[i].probability);
		before = ",";
	}
	bytes_append_char(out, '\n');
}
