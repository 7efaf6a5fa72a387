/* SPDX-License-Identifier: ISC */
/* defaults.c - completes what was written: sections that always exist, the tables' default
 * values, and the defaults that depend on the machine, the user or the mode.
 */
#include "config/private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

static bool is_written(const struct settings *s, enum section section, size_t index,
                       const char *name)
{
	return origin_find(s, section, index, setting_find(section, name)) != NULL;
}

/* --- from the tables --- */

/* The fallback of a list is its items separated by commas. */
static void fallback_apply(const struct setting *o, void *target)
{
	const char *rest = o->fallback;
	struct bytes cure = { 0 };

	while (rest != NULL) {
		size_t length = setting_is_list(o) ? strcspn(rest, ",") : strlen(rest);
		char *item = memory_text_of(rest, length);
		(void)setting_set(o, target, item, &cure);
		free(item);
		rest = rest[length] == ',' ? rest + length + 1 : NULL;
	}
	bytes_release(&cure);
}

static void section_fallbacks(struct settings *s, enum section section, size_t index)
{
	for (const struct setting *o = section_specs[section].options; o->name != NULL; o++) {
		if (origin_find(s, section, index, o) == NULL)
			fallback_apply(o, section_target(s, section, index));
	}
}

static void tables_apply(struct settings *s)
{
	for (int i = SECTION_ROOT; i < SECTION_COUNT; i++) {
		for (size_t j = 0; j < section_count(s, (enum section)i); j++)
			section_fallbacks(s, (enum section)i, j);
	}
}

/* --- from the machine and the user --- */

static void hostname_apply(struct settings *s)
{
	char name[256];

	if (s->hostname != NULL)
		return;
	if (gethostname(name, sizeof(name)) != 0 || name[0] == '\0')
		memcpy(name, "localhost", sizeof("localhost"));
	name[sizeof(name) - 1] = '\0';
	s->hostname = memory_text(name);
}

static void path_apply(char **field, int rc, struct bytes *path, const char *option,
                       struct problems *problems)
{
	if (rc != 0)
		problem(problems, "%s: there is no home directory to put it: set HOME or write %s",
		        option, option);
	else if (*field == NULL)
		*field = memory_text(bytes_text(path));
	bytes_release(path);
}

static void paths_apply(struct settings *s, bool system, struct problems *problems)
{
	struct place socket = { s, SECTION_CONTROL, 0, "socket" };
	struct bytes path = { 0 };

	if (s->spool_path == NULL && !s->spool_temporary)
		path_apply(&s->spool_path, default_spool(&path, s->mode, system), &path,
		           "spool path", problems);
	if (s->control_socket == NULL)
		path_apply(&s->control_socket, settings_default_control(s->mode, system, &path),
		           &path, "control socket", problems);
	if (s->control_socket == NULL)
		return;
	if (*s->control_socket != '/') {
		problem_at(problems, &socket, "write an absolute path, one that begins with /");
		return;
	}
	settings_local_socket(s->control_socket, &path);
	s->local_socket = memory_text(bytes_text(&path));
	bytes_release(&path);
}

/* Root's privileges are only for binding; an inbox for development has none to drop. */
static void user_apply(struct settings *s, bool system, struct problems *problems)
{
	if (!system || s->user != NULL || s->mode == MODE_CATCH)
		return;
	if (account_exists("penstock"))
		s->user = memory_text("penstock");
	else
		note(problems,
		     "user: there is no account \"penstock\": the daemon stays root; create "
		     "it, or write user = \"NAME\"");
}

static void bounces_apply(struct settings *s)
{
	struct bytes from = { 0 };

	if (s->bounce_from != NULL)
		return;
	bytes_printf(&from, "MAILER-DAEMON@%s", s->hostname);
	s->bounce_from = memory_text(bytes_text(&from));
	bytes_release(&from);
}

static void log_apply(struct settings *s, const struct overrides *over)
{
	if (!is_written(s, SECTION_LOG, 0, "target")) {
		/* systemd says with JOURNAL_STREAM that stderr is its journal. */
		if (getenv("JOURNAL_STREAM") != NULL)
			s->log_target = LOG_TO_JOURNAL;
		else
			s->log_target = s->foreground ? LOG_TO_STDERR : LOG_TO_SYSLOG;
	}
	if (over->verbose > 0) {
		s->log_level = LOG_LEVEL_DEBUG;
		origin_set_command(s, SECTION_LOG, 0, setting_find(SECTION_LOG, "level"), "-v");
	}
}

/* --- sections that always exist --- */

static void listeners_apply(struct settings *s, bool system)
{
	if (s->listener_count > 0)
		return;
	if (system) {
		section_add(s, SECTION_LISTEN, "127.0.0.1:25");
		section_add(s, SECTION_LISTEN, "[::1]:25");
	} else {
		section_add(s, SECTION_LISTEN, "127.0.0.1:1025");
	}
}

static void local_listener_add(struct settings *s, bool system)
{
	struct bytes name = { 0 };
	struct listener_settings *l;

	if (s->local_socket == NULL)
		return;
	bytes_printf(&name, "unix:%s", s->local_socket);
	l = section_target(s, SECTION_LISTEN, section_add(s, SECTION_LISTEN, bytes_text(&name)));
	l->local_submission = true;
	l->unix_mode = system ? 0666 : 0600;
	bytes_release(&name);
}

static void builtin_add(struct settings *s, const char *name, const char *url)
{
	struct provider_settings *p =
		section_target(s, SECTION_PROVIDER, section_add(s, SECTION_PROVIDER, name));

	p->url = memory_text(url);
}

static void inboxes_apply(struct settings *s)
{
	for (size_t i = 0; i < s->inbox_count; i++) {
		if (strcmp(s->inboxes[i].name, "default") == 0)
			return;
	}
	section_add(s, SECTION_INBOX, "default");
}

/* Every provider that leads somewhere else, in order; an inbox is chosen by name only. */
static void via_apply(struct settings *s, struct route_settings *r, size_t provider_count)
{
	if (r->via_written.count > 0)
		return;
	for (size_t i = 0; i < provider_count; i++) {
		const struct provider_settings *p = &s->providers[i];
		if (p->url == NULL || strncmp(p->url, "inbox:", 6) != 0)
			text_list_add(&r->via_written, p->name);
	}
}

/* What a person releases goes this way, and no other mail: no recipient is the null path. Whoever
 * released it sees how it went, so it needs no bounce. */
static void release_route_add(struct settings *s, const struct inbox_settings *inbox)
{
	static const char *const values[][2] = { { "recipient", "<>" }, { "bounce", "log" } };
	struct bytes name = { 0 };
	size_t index;

	bytes_printf(&name, RELEASE_ROUTE "%s", inbox->name);
	index = section_add(s, SECTION_ROUTE, bytes_text(&name));
	bytes_clear(&name);
	text_list_add(&s->routes[index].via, inbox->release);
	s->routes[index].releases = true;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const struct setting *o = setting_find(SECTION_ROUTE, values[i][0]);

		(void)setting_set(o, &s->routes[index], values[i][1], &name);
		origin_set_command(s, SECTION_ROUTE, index, o, "release");
	}
	bytes_release(&name);
}

static void routes_apply(struct settings *s, size_t provider_count)
{
	if (s->mode == MODE_CATCH) {
		struct route_settings *r =
			section_target(s, SECTION_ROUTE, section_add(s, SECTION_ROUTE, "catch"));
		text_list_add(&r->via_written, "inbox");
	} else if (s->route_count == 0 && provider_count > 0) {
		section_add(s, SECTION_ROUTE, "default");
	}
	for (size_t i = 0; i < s->route_count; i++)
		via_apply(s, &s->routes[i], provider_count);
	for (size_t i = 0; i < s->inbox_count; i++)
		if (s->inboxes[i].release != NULL &&
		    settings_provider(s, s->inboxes[i].release) != NULL &&
		    settings_release_route(s, s->inboxes[i].name) == NULL)
			release_route_add(s, &s->inboxes[i]);
}

/* An inbox shows what the application sent; what goes on to others is completed. */
static void repairs_apply(struct settings *s)
{
	static const char *const names[] = { "add-date", "add-message-id", "add-from" };

	for (size_t i = 0; i < s->listener_count; i++) {
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			struct bytes cure = { 0 };

			if (!is_written(s, SECTION_LISTEN, i, names[j]))
				(void)setting_set(setting_find(SECTION_LISTEN, names[j]),
				                  &s->listeners[i],
				                  s->mode == MODE_CATCH ? "false" : "true", &cure);
			bytes_release(&cure);
		}
	}
}

void defaults_apply(struct settings *s, const struct overrides *over, bool system,
                    struct problems *problems)
{
	size_t written = s->provider_count;

	hostname_apply(s);
	paths_apply(s, system, problems);
	user_apply(s, system, problems);
	bounces_apply(s);
	listeners_apply(s, system);
	local_listener_add(s, system);
	builtin_add(s, "inbox", "inbox:default");
	builtin_add(s, "discard", "discard:");
	inboxes_apply(s);
	routes_apply(s, written);
	tables_apply(s);
	repairs_apply(s);
	log_apply(s, over);
}
