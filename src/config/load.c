/* SPDX-License-Identifier: ISC */
/* load.c - the order in which settings are made: file, command line, defaults, what follows
 * from them, secrets, checks.
 *
 * What was misread is told alone: checks of a half-read configuration would only mislead.
 */
#include "config/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/private.h"

static void file_load(struct settings *s, const struct overrides *over, bool system,
                      struct problems *problems)
{
	struct bytes path = { 0 };

	if (over->file != NULL) {
		char *named = overrides_path(over, over->file);

		config_parse(s, named, problems);
		free(named);
		return;
	}
	if (default_file(&path, system) != 0)
		problem(problems, "there is no home directory: set HOME, or name a file with -f");
	else if (access(bytes_text(&path), F_OK) != 0 && errno == ENOENT)
		problem(problems,
		        "%s: there is no such file: write it (provider \"smarthost\" { url "
		        "= \"smtp://HOST:587\" } is enough), name another with -f, or start with "
		        "--relay URL or --catch",
		        bytes_text(&path));
	else
		config_parse(s, bytes_text(&path), problems);
	bytes_release(&path);
}

static void settings_build(struct settings *s, const struct overrides *over,
                           struct problems *problems)
{
	bool system = geteuid() == 0 || over->as_root;

	if (!over->catch_all && over->relay == NULL)
		file_load(s, over, system, problems);
	overrides_apply(s, over, problems);
	presets_apply(s, problems);
	if (problems->count > 0)
		return;
	defaults_apply(s, over, system, problems);
	endpoints_derive(s, problems);
	replies_derive(s, problems);
	if (problems->count > 0)
		return;
	secrets_read(s, problems);
	check_settings(s, problems);
}

int settings_load(struct settings **settings_r, const struct overrides *over, struct bytes *error,
                  struct bytes *notes)
{
	struct problems problems = { .error = error, .notes = notes };
	struct settings *s = memory_new(sizeof(*s));

	atomic_init(&s->references, 1);
	s->mode = over->catch_all ? MODE_CATCH : MODE_RELAY;
	settings_build(s, over, &problems);
	if (problems.count > 0) {
		settings_release(&s);
		return -1;
	}
	*settings_r = s;
	return 0;
}
