/* SPDX-License-Identifier: ISC */
/* print.c - what -n prints: the effective settings in the language, each with its origin.
 *
 * The output can be read back as a configuration. Secrets are not in it: passwords are shown by
 * the file or variable they come from.
 */
#include "config/settings.h"

#include <string.h>

#include "base/memory.h"
#include "config/private.h"

#define ORIGIN_COLUMN 56
#define TAB_WIDTH     8

static void pad(struct bytes *out, size_t from)
{
	size_t width = ORIGIN_COLUMN;

	for (size_t i = from; out->data[i] == '\t'; i++)
		width -= TAB_WIDTH - 1;
	do
		bytes_append_char(out, ' ');
	while (out->length - from < width);
}

static void origin_print(const struct settings *s, const struct origin *origin, size_t from,
                         struct bytes *out)
{
	pad(out, from);
	bytes_append_text(out, "# ");
	if (origin == NULL)
		bytes_append_text(out, "default");
	origin_format(s, origin, out);
	bytes_append_char(out, '\n');
}

static void setting_line(const struct settings *s, enum section section, size_t index,
                         const struct setting *o, struct bytes *out)
{
	struct bytes value = { 0 };
	size_t from = out->length;

	setting_print(o, section_target((struct settings *)(uintptr_t)s, section, index), &value);
	if (value.length > 0) {
		if (section != SECTION_ROOT)
			bytes_append_char(out, '\t');
		if (section_is_inside(section))
			bytes_append_char(out, '\t');
		bytes_printf(out, "%s = ", o->name);
		bytes_append_span(out, bytes_span(&value));
		origin_print(s, origin_find(s, section, index, o), from, out);
	}
	bytes_release(&value);
}

/* A login that came with the URL is not an option of its own. */
static bool is_from_url(const struct settings *s, enum section section, size_t index,
                        const struct setting *o)
{
	return section == SECTION_PROVIDER && o == setting_find(SECTION_PROVIDER, "login") &&
	       origin_find(s, section, index, o) == NULL;
}

static void section_options(const struct settings *s, enum section section, size_t index,
                            struct bytes *out)
{
	for (const struct setting *o = section_specs[section].options; o->name != NULL; o++) {
		if (!is_from_url(s, section, index, o))
			setting_line(s, section, index, o, out);
	}
}

static void provider_comments(const struct provider_settings *p, struct bytes *out)
{
	static const char *const tls[] = {
		[PROVIDER_TLS_OPPORTUNISTIC] = "STARTTLS when offered",
		[PROVIDER_TLS_STARTTLS] = "STARTTLS required",
		[PROVIDER_TLS_IMPLICIT] = "implicit TLS",
		[PROVIDER_TLS_NEVER] = "no TLS",
	};

	if (p->kind == PROVIDER_SMTP)
		bytes_printf(out, "\t# %s port %u, %s\n", p->host, p->port, tls[p->tls]);
	if (p->password != NULL)
		bytes_append_text(out, "\t# password: ***\n");
}

/* Rules stand inside their provider, in the order in which they are compared. */
static void replies_print(const struct settings *s, size_t provider, struct bytes *out)
{
	for (size_t i = 0; i < s->reply_count; i++) {
		const struct reply_rule *r = &s->replies[i];
		size_t from = out->length;

		if (r->provider != provider)
			continue;
		bytes_append_text(out, "\treply ");
		string_print(r->pattern, out);
		bytes_append_text(out, " {");
		for (const struct setting *o = section_specs[SECTION_REPLY].options;
		     o->name != NULL; o++) {
			if (origin_find(s, SECTION_REPLY, i, o) == NULL)
				continue;
			bytes_printf(out, " %s = ", o->name);
			setting_print(o, r, out);
		}
		bytes_append_text(out, " }");
		origin_print(s, origin_find(s, SECTION_REPLY, i, NULL), from, out);
	}
}

static bool is_builtin(const struct settings *s, enum section section, size_t index)
{
	/* The two built-in providers stand at the end; the local socket is always there. */
	return (section == SECTION_PROVIDER && index + 2 >= s->provider_count) ||
	       (section == SECTION_LISTEN && s->listeners[index].local_submission);
}

/* Sections inside, when they are written. */
static void inner_print(const struct settings *s, enum section outer, size_t index,
                        struct bytes *out)
{
	for (int i = SECTION_ROOT + 1; outer != SECTION_ROOT && i < SECTION_COUNT; i++) {
		enum section section = (enum section)i;
		const struct origin *origin = origin_find(s, section, index, NULL);
		size_t from = out->length;
		if (section_specs[i].parent != outer || !section_is_inside(section) ||
		    origin == NULL)
			continue;
		bytes_printf(out, "\t%s {", section_specs[i].name);
		origin_print(s, origin, from, out);
		section_options(s, section, index, out);
		bytes_append_text(out, "\t}\n");
	}
}

static void section_print(const struct settings *s, enum section section, size_t index,
                          struct bytes *out)
{
	const char *title = section_title(s, section, index);
	size_t from = out->length + 1;

	bytes_printf(out, "\n%s ", section_specs[section].name);
	if (title != NULL) {
		string_print(title, out);
		bytes_append_char(out, ' ');
	}
	bytes_append_char(out, '{');
	origin_print(s, origin_find(s, section, index, NULL), from, out);
	if (section == SECTION_PROVIDER)
		provider_comments(&s->providers[index], out);
	section_options(s, section, index, out);
	if (section == SECTION_PROVIDER)
		replies_print(s, index, out);
	inner_print(s, section, index, out);
	bytes_append_text(out, "}\n");
}

static void command_line_print(const struct settings *s, struct bytes *out)
{
	static const char *const prints[] = { "off", "line", "headers", "full", "json" };

	if (s->mode == MODE_CATCH)
		bytes_append_text(out, "# mode: catch; nothing leaves the machine\n");
	if (s->print != PRINT_OFF)
		bytes_printf(out, "# --print=%s\n", prints[s->print]);
	if (s->save != NULL)
		bytes_printf(out, "# --save %s\n", s->save);
	if (s->exit_after > 0)
		bytes_printf(out, "# --exit-after %llu\n", (unsigned long long)s->exit_after);
	if (s->faults != NULL)
		bytes_printf(out, "# --faults %s\n", s->faults);
	if (s->chaos)
		chaos_print(s, out);
	if (s->spool_temporary)
		bytes_append_text(out,
		                  "# --spool none: a temporary directory, removed at the end\n");
}

void settings_print(const struct settings *s, struct bytes *out)
{
	command_line_print(s, out);
	section_options(s, SECTION_ROOT, 0, out);
	for (int i = SECTION_ROOT + 1; i < SECTION_COUNT; i++) {
		enum section section = (enum section)i;
		if (section_specs[i].parent != SECTION_ROOT)
			continue;
		for (size_t j = 0; j < section_count(s, section); j++) {
			if (!is_builtin(s, section, j))
				section_print(s, section, j, out);
		}
	}
	bytes_append_text(out, "\n# built in: provider \"inbox\", provider \"discard\"");
	if (s->local_socket != NULL)
		bytes_printf(out, ", listen \"unix:%s\"", s->local_socket);
	bytes_append_char(out, '\n');
}
