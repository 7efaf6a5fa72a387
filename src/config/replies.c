/* SPDX-License-Identifier: ISC */
/* replies.c - compiles the rules of replies, and hands each provider its own.
 *
 * A pattern is compiled once, here; one that is wrong, or that would cost too much when a reply is
 * compared with it, is named before anything starts.
 */
#include "config/private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* All counts in braces multiplied: how much larger the compiled pattern is than the written one. */
static uint64_t repetitions(const char *pattern)
{
	uint64_t product = 1;

	for (const char *p = pattern; *p != '\0'; p++) {
		uint64_t count = 0;

		if (*p == '\\' && p[1] != '\0') {
			p++;
			continue;
		}
		if (*p != '{')
			continue;
		for (p++; isdigit((unsigned char)*p) || *p == ','; p++) {
			count = *p == ',' ? count : count * 10 + (uint64_t)(*p - '0');
			if (count > PATTERN_REPEAT)
				return UINT64_MAX;
		}
		product *= count > 1 ? count : 1;
		if (product > PATTERN_REPEAT)
			return UINT64_MAX;
		if (*p == '\0')
			break;
	}
	return product;
}

/* glibc takes \1 in an extended pattern too, and then searches without bound. */
static bool refers_back(const char *pattern)
{
	for (const char *p = pattern; *p != '\0'; p++) {
		if (*p != '\\')
			continue;
		if (isdigit((unsigned char)p[1]))
			return true;
		if (*++p == '\0')
			break;
	}
	return false;
}

static void rule_compile(struct settings *s, size_t index, struct problems *problems)
{
	struct reply_rule *rule = &s->replies[index];
	struct place place = { s, SECTION_REPLY, index, NULL };
	char why[128];
	int rc;

	if (strlen(rule->pattern) > PATTERN_MAX) {
		problem_at(problems, &place, "the pattern is longer than %d octets", PATTERN_MAX);
		return;
	}
	if (refers_back(rule->pattern) || repetitions(rule->pattern) > PATTERN_REPEAT) {
		problem_at(problems, &place,
		           "write the pattern without back-references such as \\1, and with fewer "
		           "repetitions such as {1000}");
		return;
	}
	rc = regcomp(&rule->compiled, rule->pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB);
	if (rc != 0) {
		(void)regerror(rc, &rule->compiled, why, sizeof(why));
		problem_at(problems, &place, "is no POSIX extended regular expression: %s", why);
		return;
	}
	rule->is_compiled = true;
}

void replies_derive(struct settings *s, struct problems *problems)
{
	for (size_t i = 0; i < s->reply_count; i++) {
		struct provider_settings *p;

		rule_compile(s, i, problems);
		if (!s->replies[i].owned || s->replies[i].provider >= s->provider_count)
			continue;
		p = &s->providers[s->replies[i].provider];
		p->replies = memory_grow(p->replies, p->reply_count + 1, sizeof(*p->replies));
		p->replies[p->reply_count++] = &s->replies[i];
	}
}
