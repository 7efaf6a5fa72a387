/* SPDX-License-Identifier: ISC */
/* overrides.c - what the command line and the environment change in the settings.
 *
 * --catch and --relay build what a file would say; with a file, --smtp replaces its listeners,
 * --spool and --socket its paths.
 */
#include "config/private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/values.h"

#define CATCH_SMTP "127.0.0.1:1025"

void override_apply(struct settings *s, enum section section, size_t index, const char *name,
                    const char *value, const char *argument, struct problems *problems)
{
	const struct setting *o = setting_find(section, name);
	struct bytes cure = { 0 };

	if (setting_set(o, section_target(s, section, index), value, &cure) != 0)
		problem(problems, "%s: %s", argument, bytes_text(&cure));
	origin_set_command(s, section, index, o, argument);
	bytes_release(&cure);
}

static size_t listener_add(struct settings *s, const char *title, const char *argument)
{
	size_t index = section_add(s, SECTION_LISTEN, title);

	origin_set_command(s, SECTION_LISTEN, index, NULL, argument);
	return index;
}

/* --- --catch --- */

/* Nothing leaves the machine: whoever reaches the port may fill the inbox, under any name. */
static void catch_listener(struct settings *s, const char *title, const char *argument,
                           const char *tls, struct problems *problems)
{
	size_t index = listener_add(s, title, argument);

	override_apply(s, SECTION_LISTEN, index, "tls", tls, "--catch", problems);
	override_apply(s, SECTION_LISTEN, index, "auth", "any", "--catch", problems);
	override_apply(s, SECTION_LISTEN, index, "relay-from", "0.0.0.0/0", "--catch", problems);
	override_apply(s, SECTION_LISTEN, index, "relay-from", "::/0", "--catch", problems);
	override_apply(s, SECTION_LISTEN, index, "open-relay", "true", "--catch", problems);
}

static void catch_apply(struct settings *s, const struct overrides *over, struct problems *problems)
{
	for (size_t i = 0; i < over->smtp.count; i++)
		catch_listener(s, over->smtp.items[i], "--smtp", "starttls", problems);
	if (over->smtp.count == 0)
		catch_listener(s, CATCH_SMTP, "--catch", "starttls", problems);
	for (size_t i = 0; i < over->smtps.count; i++)
		catch_listener(s, over->smtps.items[i], "--smtps", "implicit", problems);
}

/* --- --relay --- */

static void password_apply(struct settings *s, size_t index, const struct overrides *over,
                           struct problems *problems)
{
	bool has_login = strrchr(over->relay, '@') != NULL;
	bool mailpit = s->mode == MODE_CATCH && getenv("PENSTOCK_PASSWORD") == NULL &&
	               getenv("MP_SMTP_RELAY_PASSWORD") != NULL;

	if (over->password_file != NULL)
		override_apply(s, SECTION_PROVIDER, index, "password-file", over->password_file,
		               "--password-file", problems);
	else if (has_login)
		override_apply(s, SECTION_PROVIDER, index, "password-env",
		               mailpit ? "MP_SMTP_RELAY_PASSWORD" : "PENSTOCK_PASSWORD", "--relay",
		               problems);
	else if (getenv("PENSTOCK_PASSWORD") != NULL)
		note(problems, "PENSTOCK_PASSWORD: is not used: the URL of --relay names no user "
		               "(smtp://USER@HOST)");
}

static void relay_apply(struct settings *s, const struct overrides *over, struct problems *problems)
{
	size_t index = section_add(s, SECTION_PROVIDER, "smarthost");

	origin_set_command(s, SECTION_PROVIDER, index, NULL, "--relay");
	override_apply(s, SECTION_PROVIDER, index, "url", over->relay, "--relay", problems);
	password_apply(s, index, over, problems);
	for (size_t i = 0; i < over->rate.count; i++)
		override_apply(s, SECTION_PROVIDER, index, "rate", over->rate.items[i], "--rate",
		               problems);
	/* What is caught stays here but for what somebody releases. */
	if (s->mode == MODE_CATCH)
		override_apply(s, SECTION_INBOX, section_add(s, SECTION_INBOX, "default"),
		               "release", "smarthost", "--relay", problems);
}

/* --- with a file, or with --relay --- */

static void listeners_apply(struct settings *s, const struct overrides *over,
                            struct problems *problems)
{
	if (over->smtp.count + over->smtps.count == 0)
		return;
	if (s->listener_count > 0)
		note(problems, "--smtp: replaces the %zu listeners of %s", s->listener_count,
		     s->file);
	section_clear(s, SECTION_LISTEN);
	for (size_t i = 0; i < over->smtp.count; i++)
		listener_add(s, over->smtp.items[i], "--smtp");
	for (size_t i = 0; i < over->smtps.count; i++)
		problem(problems,
		        "--smtps: goes with --catch; a relay needs a certificate: write a "
		        "listen section with tls = \"implicit\" into a file");
}

/* --- in every mode --- */

char *overrides_path(const struct overrides *over, const char *path)
{
	struct bytes whole = { 0 };
	char *text;

	if (*path == '/' || over->directory[0] == '\0')
		return memory_text(path);
	bytes_printf(&whole, "%s/%s", over->directory, path);
	text = memory_text(bytes_text(&whole));
	bytes_release(&whole);
	return text;
}

static void spool_apply(struct settings *s, const struct overrides *over, struct problems *problems)
{
	char *path;

	if (over->spool == NULL)
		return;
	if (strcmp(over->spool, "none") != 0) {
		path = overrides_path(over, over->spool);
		override_apply(s, SECTION_SPOOL, 0, "path", path, "--spool", problems);
		free(path);
		return;
	}
	if (s->mode != MODE_CATCH)
		problem(problems, "--spool: none goes with --catch: a relay would lose the mail it "
		                  "accepted");
	s->spool_temporary = true;
}

static void socket_apply(struct settings *s, const struct overrides *over,
                         struct problems *problems)
{
	char *path;

	if (over->socket == NULL)
		return;
	path = overrides_path(over, over->socket);
	override_apply(s, SECTION_CONTROL, 0, "socket", path, "--socket", problems);
	free(path);
}

static void print_apply(struct settings *s, const char *mode, struct problems *problems)
{
	static const char *const names[] = {
		[PRINT_LINE] = "line",
		[PRINT_HEADERS] = "headers",
		[PRINT_FULL] = "full",
		[PRINT_JSON] = "json",
	};

	if (mode == NULL)
		return;
	if (*mode == '\0' || strcmp(mode, "true") == 0)
		mode = "line";
	for (unsigned i = PRINT_LINE; i <= PRINT_JSON; i++) {
		if (strcmp(mode, names[i]) == 0)
			s->print = (enum print_mode)i;
	}
	if (s->print == PRINT_OFF)
		problem(problems, "--print: write line, headers, full or json");
}

static void exit_after_apply(struct settings *s, const char *text, struct problems *problems)
{
	uint64_t number = 0;

	if (text == NULL)
		return;
	if (number_read(&number, &text) != 0 || *text != '\0' || number == 0)
		problem(problems, "--exit-after: write a number of messages, 1 or more");
	s->exit_after = number;
}

/* What the inbox of --catch keeps. */
static void keep_apply(struct settings *s, const struct overrides *over, struct problems *problems)
{
	const struct {
		const char *value, *option, *argument;
	} said[] = { { over->keep, "keep", "--keep" },
		     { over->max_age, "max-age", "--max-age" },
		     { over->max_size, "max-size", "--max-size" } };

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		if (said[i].value == NULL)
			continue;
		if (s->inbox_count == 0)
			section_add(s, SECTION_INBOX, "default");
		override_apply(s, SECTION_INBOX, 0, said[i].option, said[i].value, said[i].argument,
		               problems);
	}
}

static void mode_check(const struct settings *s, const struct overrides *over,
                       struct problems *problems)
{
	bool catching = s->mode == MODE_CATCH;

	if (over->file != NULL && (catching || over->relay != NULL))
		problem(problems, "--file: goes without --catch and --relay, which replace a file");
	if (!catching && (over->print != NULL || over->save != NULL || over->exit_after != NULL))
		problem(problems, "--print, --save and --exit-after go with --catch");
	if (!catching && over->faults != NULL)
		problem(problems, "--faults: goes with --catch: a relay makes no faults");
	if (!catching && (over->keep != NULL || over->max_age != NULL || over->max_size != NULL))
		problem(problems, "--keep, --max-age and --max-size go with --catch; in a file "
		                  "they are options of an inbox");
	if (over->relay == NULL && (over->rate.count > 0 || over->password_file != NULL))
		problem(problems, "--rate and --password-file go with --relay; in a file they are "
		                  "options of a provider");
}

void overrides_apply(struct settings *s, const struct overrides *over, struct problems *problems)
{
	mode_check(s, over, problems);
	if (s->mode == MODE_CATCH)
		catch_apply(s, over, problems);
	else
		listeners_apply(s, over, problems);
	if (over->relay != NULL)
		relay_apply(s, over, problems);
	http_overrides(s, over, problems);
	spool_apply(s, over, problems);
	socket_apply(s, over, problems);
	print_apply(s, over->print, problems);
	exit_after_apply(s, over->exit_after, problems);
	chaos_apply(s, over->chaos, problems);
	if (over->faults != NULL)
		s->faults = overrides_path(over, over->faults);
	if (over->save != NULL)
		s->save = overrides_path(over, over->save);
	if (s->mode == MODE_CATCH) {
		keep_apply(s, over, problems);
		mailpit_apply(s, over, problems);
	}
	/* Started by hand or by a container: somebody watches. */
	s->foreground = over->foreground || over->catch_all || over->relay != NULL;
}
