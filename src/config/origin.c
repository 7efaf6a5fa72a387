/* SPDX-License-Identifier: ISC */
/* origin.c - where each value was written, and messages that say so.
 *
 * A snapshot carries one small record for every value that is not a default: parse.c notes
 * lines, options.c names of the command line. Errors, the check for repetitions and the comments
 * of -n all read them.
 */
#include "config/private.h"

#include <stdarg.h>
#include <string.h>

static int16_t option_index(enum section section, const struct setting *option)
{
	return option == NULL ? ORIGIN_TITLE : (int16_t)(option - section_specs[section].options);
}

void origin_set_line(struct settings *s, enum section section, size_t index,
                     const struct setting *option, unsigned line)
{
	struct origin origin = {
		.section = (uint8_t)section,
		.source = ORIGIN_FILE,
		.option = option_index(section, option),
		.index = (uint32_t)index,
		.line = line,
	};

	bytes_append(&s->origin, &origin, sizeof(origin));
}

void origin_set_preset(struct settings *s, enum section section, size_t index,
                       const struct setting *option, unsigned line)
{
	struct origin origin = {
		.section = (uint8_t)section,
		.source = ORIGIN_PRESET,
		.option = option_index(section, option),
		.index = (uint32_t)index,
		.line = line,
	};

	bytes_append(&s->origin, &origin, sizeof(origin));
}

void origin_set_command(struct settings *s, enum section section, size_t index,
                        const struct setting *option, const char *name)
{
	struct origin origin = {
		.section = (uint8_t)section,
		.source = ORIGIN_COMMAND,
		.option = option_index(section, option),
		.index = (uint32_t)index,
		.name = name,
	};

	bytes_append(&s->origin, &origin, sizeof(origin));
}

const struct origin *origin_find(const struct settings *s, enum section section, size_t index,
                                 const struct setting *option)
{
	const struct origin *all = (const struct origin *)(const void *)s->origin.data;
	int16_t wanted = option_index(section, option);

	/* The last one counts: the command line comes after the file. */
	for (size_t i = s->origin.length / sizeof(*all); i > 0; i--) {
		const struct origin *o = &all[i - 1];
		if (o->option == wanted && o->section == section && o->index == index)
			return o;
	}
	return NULL;
}

static const char *preset_of(const struct settings *s, const struct origin *origin)
{
	size_t provider = origin->section == SECTION_REPLY ? s->replies[origin->index].provider
	                                                   : origin->index;

	return s->providers[provider].preset;
}

void origin_format(const struct settings *s, const struct origin *origin, struct bytes *out)
{
	if (origin == NULL)
		return;
	if (origin->source == ORIGIN_PRESET)
		bytes_printf(out, "%s.conf:%u", preset_of(s, origin), origin->line);
	else if (origin->source == ORIGIN_COMMAND)
		bytes_append_text(out, origin->name);
	else
		bytes_printf(out, "%s:%u", s->file, origin->line);
}

/* --- messages --- */

static void place_format(const struct place *place, struct bytes *out)
{
	const struct section_spec *spec = &section_specs[place->section];
	const struct settings *s = place->settings;
	const struct setting *option =
		place->option == NULL ? NULL : setting_find(place->section, place->option);
	const struct origin *origin = origin_find(s, place->section, place->index, option);
	size_t before = out->length;

	if (origin == NULL)
		origin = origin_find(s, place->section, place->index, NULL);
	if (origin == NULL && section_is_inside(place->section))
		origin = origin_find(s, spec->parent, place->index, NULL);
	origin_format(s, origin, out);
	if (out->length > before)
		bytes_append_text(out, ": ");
	if (spec->titled)
		bytes_printf(out, "%s \"%s\": ", spec->name,
		             section_title(s, place->section, place->index));
	else if (section_is_inside(place->section))
		bytes_printf(out, "%s \"%s\": %s: ", section_specs[spec->parent].name,
		             section_title(s, place->section, place->index), spec->name);
	else if (place->section != SECTION_ROOT)
		bytes_printf(out, "%s: ", spec->name);
	if (place->option != NULL)
		bytes_printf(out, "%s: ", place->option);
}

/* Counts one more error; whether it is to be told. */
static bool problem_begin(struct problems *problems)
{
	if (problems->count++ >= PROBLEMS_MAX) {
		if (problems->count == PROBLEMS_MAX + 1)
			bytes_append_text(problems->error, "\nfurther errors are not shown");
		return false;
	}
	if (problems->error->length > 0)
		bytes_append_char(problems->error, '\n');
	return true;
}

void problem_at(struct problems *problems, const struct place *place, const char *format, ...)
{
	va_list arguments;

	if (!problem_begin(problems))
		return;
	place_format(place, problems->error);
	va_start(arguments, format);
	bytes_vprintf(problems->error, format, arguments);
	va_end(arguments);
}

void problem(struct problems *problems, const char *format, ...)
{
	va_list arguments;

	if (!problem_begin(problems))
		return;
	va_start(arguments, format);
	bytes_vprintf(problems->error, format, arguments);
	va_end(arguments);
}

void note_at(struct problems *problems, const struct place *place, const char *format, ...)
{
	va_list arguments;

	place_format(place, problems->notes);
	va_start(arguments, format);
	bytes_vprintf(problems->notes, format, arguments);
	va_end(arguments);
	bytes_append_char(problems->notes, '\n');
}

void note(struct problems *problems, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	bytes_vprintf(problems->notes, format, arguments);
	va_end(arguments);
	bytes_append_char(problems->notes, '\n');
}
