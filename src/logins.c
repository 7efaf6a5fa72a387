/* SPDX-License-Identifier: ISC */
/* logins.c - the users' files of the daemon: opened at the start, looked at while it runs. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "receive/users.h"
#include "service.h"

/* Who has changed a password expects it to be in force when he has typed the next command. */
#define LOOK_EVERY (2 * CLOCK_SEC)

static bool is_checked(const struct listener_settings *l)
{
	return l->users != NULL && (l->auth == AUTH_OPTIONAL || l->auth == AUTH_REQUIRED);
}

/* The first listener that checks against the same file, which may be this one. */
static size_t first_of_file(const struct settings *settings, size_t index)
{
	size_t i = 0;

	while (!is_checked(&settings->listeners[i]) ||
	       strcmp(settings->listeners[i].users, settings->listeners[index].users) != 0)
		i++;
	return i;
}

static void look(void *context)
{
	struct service *s = context;
	const struct daemon *d = &s->daemon;

	for (size_t i = 0; i < d->settings->listener_count; i++) {
		if (d->users[i] != NULL && first_of_file(d->settings, i) == i)
			users_look(d->users[i], d->main);
	}
	timer_start(&s->look, LOOK_EVERY);
}

int logins_start(struct service *s, struct bytes *error)
{
	struct daemon *d = &s->daemon;
	bool any = false;

	d->users = memory_new_array(d->settings->listener_count, sizeof(*d->users));
	timer_init(&s->look, s->loop, look, s);
	for (size_t i = 0; i < d->settings->listener_count; i++) {
		const struct listener_settings *l = &d->settings->listeners[i];
		size_t first;

		if (!is_checked(l))
			continue;
		any = true;
		first = first_of_file(d->settings, i);
		if (d->users[first] == NULL && users_new(&d->users[first], l->users, error) != 0)
			return -1;
		d->users[i] = d->users[first];
	}
	if (any)
		timer_start(&s->look, LOOK_EVERY);
	return 0;
}

/* Calls act() for each file once. */
static void each_file(const struct daemon *d, void (*act)(struct users **users))
{
	for (size_t i = d->settings->listener_count; d->users != NULL && i-- > 0;) {
		if (d->users[i] != NULL && first_of_file(d->settings, i) == i)
			act(&d->users[i]);
	}
}

static void stop_one(struct users **users)
{
	users_stop(*users);
}

void logins_stop(struct service *s)
{
	each_file(&s->daemon, stop_one);
}

void logins_free(struct service *s)
{
	if (s->daemon.users != NULL)
		timer_stop(&s->look);
	each_file(&s->daemon, users_free);
	free(s->daemon.users);
}
