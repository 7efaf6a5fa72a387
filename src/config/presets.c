/* SPDX-License-Identifier: ISC */
/* presets.c - what is known of a provider by its name: one file each, in the configuration's
 * language.
 *
 * A preset fills in the options that are not written; its reply rules are compared after the
 * written ones. "{region}" in it is replaced by the provider's region. The files are installed
 * beside the program, or stand where PENSTOCK_PROVIDERS says.
 */
#include "config/private.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#define REGION     "{region}"
#define EXTENSION  ".conf"
#define REGION_MAX 40 /* octets; it becomes part of a host's name */

static const char *directory(void)
{
	const char *said = getenv("PENSTOCK_PROVIDERS");

	return said != NULL && *said != '\0' ? said : PROVIDERSDIR;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "amazon-ses, brevo, ..." */
static void list_presets(struct bytes *out)
{
	struct text_list names = { 0 };
	DIR *dir = opendir(directory());
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		size_t length = strlen(entry->d_name);

		if (length <= strlen(EXTENSION) ||
		    strcmp(entry->d_name + length - strlen(EXTENSION), EXTENSION) != 0)
			continue;
		entry->d_name[length - strlen(EXTENSION)] = '\0';
		text_list_add(&names, entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	if (names.count > 0)
		qsort(names.items, names.count, sizeof(*names.items), by_name);
	for (size_t i = 0; i < names.count; i++)
		bytes_printf(out, "%s%s", i == 0 ? "" : ", ", names.items[i]);
	text_list_release(&names);
}

static bool region_is_valid(const char *region)
{
	return strlen(region) <= REGION_MAX && region[0] != '-' &&
	       strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(region);
}

static void fill_in(const struct bytes *text, const char *region, struct bytes *out)
{
	const char *rest = bytes_text((struct bytes *)(uintptr_t)text), *at;

	while (region != NULL && (at = strstr(rest, REGION)) != NULL) {
		bytes_append(out, rest, (size_t)(at - rest));
		bytes_append_text(out, region);
		rest = at + strlen(REGION);
	}
	bytes_append_text(out, rest);
}

/* false: told. */
static bool region_fits(const struct settings *s, size_t index, const struct bytes *text,
                        struct problems *problems)
{
	const struct provider_settings *p = &s->providers[index];
	struct place preset = { s, SECTION_PROVIDER, index, "preset" };
	struct place region = { s, SECTION_PROVIDER, index, "region" };
	bool wanted = strstr(bytes_text((struct bytes *)(uintptr_t)text), REGION) != NULL;

	if (wanted && p->region == NULL)
		problem_at(problems, &preset,
		           "\"%s\" needs a region: write region = \"eu-west-1\", or where you are",
		           p->preset);
	else if (!wanted && p->region != NULL)
		problem_at(problems, &region, "the preset \"%s\" has no regions: remove it",
		           p->preset);
	else if (wanted && !region_is_valid(p->region))
		problem_at(problems, &region, "write a region as in region = \"eu-west-1\"");
	else
		return true;
	return false;
}

static void preset_apply(struct settings *s, size_t index, struct problems *problems)
{
	struct provider_settings *p = &s->providers[index];
	struct place place = { s, SECTION_PROVIDER, index, "preset" };
	struct bytes path = { 0 }, text = { 0 }, filled = { 0 };

	bytes_printf(&path, "%s/%s%s", directory(), p->preset, EXTENSION);
	if (!name_is_valid(p->preset) || access(bytes_text(&path), R_OK) != 0) {
		list_presets(&filled);
		problem_at(problems, &place, "there is no preset \"%.80s\" in %s: %s%s", p->preset,
		           directory(), filled.length > 0 ? "write one of " : "it is empty",
		           bytes_text(&filled));
	} else if (config_file_read(bytes_text(&path), &text, problems) == 0 &&
	           region_fits(s, index, &text, problems)) {
		fill_in(&text, p->region, &filled);
		config_parse_preset(s, index, bytes_text(&path), (char *)filled.data, filled.length,
		                    problems);
	}
	bytes_release(&path);
	bytes_release(&text);
	bytes_release(&filled);
}

void presets_apply(struct settings *s, struct problems *problems)
{
	for (size_t i = 0; i < s->provider_count; i++) {
		struct place region = { s, SECTION_PROVIDER, i, "region" };

		if (s->providers[i].preset != NULL)
			preset_apply(s, i, problems);
		else if (s->providers[i].region != NULL)
			problem_at(problems, &region,
			           "goes with a preset: write preset = "
			           "\"amazon-ses\", or remove it");
	}
}
