/* SPDX-License-Identifier: ISC */
/* settings.c - the life of a snapshot: references, release, look-ups.
 *
 * Secrets are wiped before their memory is given back.
 */
#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/private.h"

struct settings *settings_acquire(const struct settings *s)
{
	/* The count is the one part of a snapshot that changes. */
	struct settings *shared = (struct settings *)(uintptr_t)s;

	atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
	return shared;
}

void secret_set(char **field, char *text)
{
	if (*field != NULL)
		memory_wipe(*field, strlen(*field));
	text_set(field, text);
}

static void listener_release(struct listener_settings *l)
{
	free(l->name);
	free(l->address);
	free(l->certificate);
	free(l->key);
	free(l->users);
	text_list_release(&l->peer_users);
	free(l->peer_uids);
	free(l->default_from);
	free(l->relay_from);
	free(l->proxy_from);
	free(l->client_rates);
}

static void oauth2_release(struct oauth2_settings *o)
{
	free(o->token_url);
	free(o->authorize_url);
	free(o->client_id);
	free(o->client_secret_file);
	free(o->refresh_token_file);
	free(o->scope);
	free(o->service_account_file);
	free(o->subject);
	free(o->tls_ca);
	text_list_release(&o->token_command);
}

static void provider_release(struct provider_settings *p)
{
	secret_set(&p->password, NULL);
	free(p->name);
	free(p->url);
	free(p->preset);
	free(p->region);
	free(p->host);
	free(p->tls_ca);
	free(p->tls_pin);
	free(p->tls_certificate);
	free(p->tls_key);
	free(p->login);
	free(p->password_file);
	free(p->password_env);
	text_list_release(&p->password_command);
	oauth2_release(&p->oauth2);
	free(p->rates);
	free(p->replies);
	text_list_release(&p->from_allowed);
	text_list_release(&p->warm_up_written);
	free(p->rewrite_from);
	free(p->inbox);
}

static void route_release(struct route_settings *r)
{
	free(r->name);
	text_list_release(&r->sender);
	text_list_release(&r->recipient);
	text_list_release(&r->login);
	text_list_release(&r->listener);
	text_list_release(&r->header);
	text_list_release(&r->via_written);
	text_list_release(&r->via);
	free(r->weights);
	free(r->copy);
	free(r->retry_us);
	free(r->rates);
	free(r->sender_rates);
}

static void element_release(struct settings *s, enum section section, size_t index)
{
	switch (section) {
	case SECTION_LISTEN:
		listener_release(&s->listeners[index]);
		break;
	case SECTION_PROVIDER:
		provider_release(&s->providers[index]);
		break;
	case SECTION_ROUTE:
		route_release(&s->routes[index]);
		break;
	case SECTION_LOGIN:
		free(s->logins[index].name);
		text_list_release(&s->logins[index].sender);
		break;
	case SECTION_ALIAS:
		free(s->aliases[index].name);
		text_list_release(&s->aliases[index].to);
		break;
	case SECTION_INBOX:
		free(s->inboxes[index].name);
		free(s->inboxes[index].release);
		break;
	case SECTION_TAG:
		free(s->tags[index].name);
		text_list_release(&s->tags[index].query);
		free(s->tags[index].inbox);
		break;
	case SECTION_REPLY:
		free(s->replies[index].pattern);
		if (s->replies[index].is_compiled)
			regfree(&s->replies[index].compiled);
		break;
	default:
		break;
	}
}

static void origins_remove(struct settings *s, enum section section)
{
	struct origin *all = (struct origin *)(void *)s->origin.data;
	size_t kept = 0;

	for (size_t i = 0; i < s->origin.length / sizeof(*all); i++) {
		if (all[i].section != section)
			all[kept++] = all[i];
	}
	s->origin.length = kept * sizeof(*all);
}

void section_clear(struct settings *s, enum section section)
{
	const struct section_spec *spec = &section_specs[section];
	size_t *count = (size_t *)(void *)((char *)s + spec->count_offset);

	for (size_t i = 0; i < *count; i++)
		element_release(s, section, i);
	*count = 0;
	origins_remove(s, section);
}

void settings_release(struct settings **sp)
{
	struct settings *s = *sp;

	*sp = NULL;
	if (s == NULL || atomic_fetch_sub(&s->references, 1) != 1)
		return;
	section_clear(s, SECTION_LISTEN);
	section_clear(s, SECTION_PROVIDER);
	section_clear(s, SECTION_ROUTE);
	section_clear(s, SECTION_LOGIN);
	section_clear(s, SECTION_ALIAS);
	section_clear(s, SECTION_INBOX);
	section_clear(s, SECTION_TAG);
	section_clear(s, SECTION_REPLY);
	free(s->listeners);
	free(s->providers);
	free(s->routes);
	free(s->logins);
	free(s->aliases);
	free(s->inboxes);
	free(s->tags);
	free(s->replies);
	free(s->file);
	free(s->hostname);
	free(s->user);
	free(s->group);
	free(s->spool_path);
	free(s->control_socket);
	free(s->local_socket);
	free(s->bounce_from);
	http_release(&s->http);
	free(s->save);
	free(s->faults);
	bytes_release(&s->origin);
	free(s);
}

const struct provider_settings *settings_provider(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->provider_count; i++) {
		if (strcmp(s->providers[i].name, name) == 0)
			return &s->providers[i];
	}
	return NULL;
}

const struct inbox_settings *settings_inbox(const struct settings *s, const char *target)
{
	const struct provider_settings *p = settings_provider(s, target);

	if (strncmp(target, "inbox:", 6) == 0)
		target += 6;
	else if (p != NULL && p->kind == PROVIDER_INBOX)
		target = p->inbox;
	else
		return NULL;
	for (size_t i = 0; i < s->inbox_count; i++)
		if (strcmp(s->inboxes[i].name, target) == 0)
			return &s->inboxes[i];
	return NULL;
}

const struct route_settings *settings_release_route(const struct settings *s, const char *inbox)
{
	const size_t prefix = strlen(RELEASE_ROUTE);

	for (size_t i = 0; i < s->route_count; i++)
		if (strncmp(s->routes[i].name, RELEASE_ROUTE, prefix) == 0 &&
		    strcmp(s->routes[i].name + prefix, inbox) == 0)
			return &s->routes[i];
	return NULL;
}

const struct login_settings *settings_login(const struct settings *s, const char *name)
{
	const struct login_settings *any = NULL;

	for (size_t i = 0; i < s->login_count; i++) {
		if (strcmp(s->logins[i].name, name) == 0)
			return &s->logins[i];
		if (strcmp(s->logins[i].name, "*") == 0)
			any = &s->logins[i];
	}
	return any;
}

const struct alias_settings *settings_alias(const struct settings *s, struct span name)
{
	for (size_t i = 0; i < s->alias_count; i++) {
		if (span_equal_nocase(span_of_text(s->aliases[i].name), name))
			return &s->aliases[i];
	}
	return NULL;
}

const struct alias_settings *settings_alias_of(const struct settings *s, struct span local,
                                               struct span domain)
{
	if (s->alias_count == 0 || !span_equal_nocase(domain, span_of_text(s->hostname)))
		return NULL;
	return settings_alias(s, local);
}
