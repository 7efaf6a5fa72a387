/* SPDX-License-Identifier: ISC */
/* prepare.c - what has to be there before threads run: sockets (bound as root), the spool with its
 * numbers, TLS contexts.
 *
 * Each part can fail; daemon.c then takes down what is there. A socket's path is unlinked only by
 * who bound it: the daemon that was refused must not take away the running one's.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "background.h"
#include "base/memory.h"
#include "net/inherited.h"
#include "service.h"

void prepare_close(struct service *s)
{
	for (size_t i = 0; s->bounds != NULL && i < s->daemon.settings->listener_count; i++) {
		const struct listener_settings *l = &s->daemon.settings->listeners[i];
		struct bound *b = &s->bounds[i];
		const char *path = l->is_unix && !b->inherited ? l->address : NULL;

		if (b->fd >= 0 && s->keep)
			kept_add(s->kept, l->name, b->fd, path);
		if (b->listener != NULL)
			listener_free(&b->listener);
		else if (b->fd >= 0)
			close(b->fd);
		if (b->fd >= 0 && path != NULL && !s->keep)
			unlink(path);
		b->fd = -1;
	}
}

/* "http:" keeps their names apart from those of SMTP. */
static char *http_name(const struct service *s, size_t i)
{
	struct bytes name = { 0 };
	char *text;

	bytes_printf(&name, "http:%s", s->daemon.settings->http.listen.items[i]);
	text = memory_text(bytes_text(&name));
	bytes_release(&name);
	return text;
}

static void close_http(struct service *s)
{
	for (size_t i = 0; s->http_fds != NULL && i < s->daemon.settings->http.listener_count;
	     i++) {
		char *name = http_name(s, i);

		if (s->http_fds[i] >= 0 && s->keep)
			kept_add(s->kept, name, s->http_fds[i], NULL);
		if (s->http_fds[i] >= 0)
			close(s->http_fds[i]);
		free(name);
	}
	free(s->http_fds);
	s->http_fds = NULL;
}

void prepare_unlink(struct service *s)
{
	const char *path = s->control_bound ? s->daemon.settings->control_socket : NULL;

	if (s->control_fd >= 0 && s->keep)
		kept_add(s->kept, s->daemon.settings->control_socket, s->control_fd, path);
	else if (path != NULL)
		unlink(path);
	s->control_bound = false;
	close_http(s);
}

static int make_parent(const char *path, const struct settings *settings, struct bytes *error)
{
	char *copy = memory_text(path);
	char *slash = strrchr(copy, '/');
	int rc = 0;

	if (slash != NULL && slash != copy) {
		*slash = '\0';
		/* As root others reach smtp.sock through it; a user's sockets are the user's. */
		rc = background_directory(copy, geteuid() == 0 ? 0755 : 0700, settings, error);
	}
	free(copy);
	return rc;
}

static int inherited_take(struct inherited *inherited, const struct listener_settings *l)
{
	return l->is_unix ? inherited_take_unix(inherited, l->address)
	                  : inherited_take_tcp(inherited, l->address, l->port);
}

static int bind_one(struct service *s, struct bound *b, struct inherited *inherited,
                    struct bytes *error)
{
	const struct listener_settings *l = &s->daemon.settings->listeners[b->index];
	bool ours = false;

	b->fd = kept_take(s->kept, l->name, &ours);
	if (b->fd < 0)
		b->fd = inherited_take(inherited, l);
	if (b->fd >= 0)
		b->inherited = !ours;
	else if (!l->is_unix)
		b->fd = listener_bind_tcp(l->address, l->port, error);
	else if (make_parent(l->address, s->daemon.settings, error) == 0)
		b->fd = listener_bind_unix(l->address, l->unix_mode, error);
	if (b->fd < 0 && !l->is_unix)
		bytes_append_text(error, " (--smtp ADDR:PORT, or listen in the configuration)");
	return b->fd < 0 ? -1 : 0;
}

static int bind_control(struct service *s, struct inherited *inherited, struct bytes *error)
{
	const struct settings *settings = s->daemon.settings;

	s->control_fd = kept_take(s->kept, settings->control_socket, &s->control_bound);
	if (s->control_fd < 0)
		s->control_fd = inherited_take_unix(inherited, settings->control_socket);
	if (s->control_fd >= 0)
		return 0;
	if (make_parent(settings->control_socket, settings, error) < 0)
		return -1;
	s->control_fd =
		listener_bind_unix(settings->control_socket, geteuid() == 0 ? 0660 : 0600, error);
	if (s->control_fd < 0)
		return -1;
	s->control_bound = true;
	background_share(settings->control_socket, "penstock");
	return 0;
}

static int bind_http(struct service *s, struct inherited *inherited, struct bytes *error)
{
	const struct http_settings *http = &s->daemon.settings->http;

	for (size_t i = 0; i < http->listener_count; i++) {
		const struct http_listener *l = &http->listeners[i];
		char *name = http_name(s, i);
		bool ours;

		s->http_fds[i] = kept_take(s->kept, name, &ours);
		free(name);
		if (s->http_fds[i] < 0)
			s->http_fds[i] = inherited_take_tcp(inherited, l->address, l->port);
		if (s->http_fds[i] < 0)
			s->http_fds[i] = listener_bind_tcp(l->address, l->port, error);
		if (s->http_fds[i] < 0) {
			bytes_append_text(error, " (--http ADDR:PORT or --http off)");
			return -1;
		}
	}
	return 0;
}

/* A socket without a listener would leave its clients waiting. */
static int check_left(const struct inherited *inherited, struct bytes *error)
{
	struct bytes list = { 0 };
	size_t left = inherited_left(inherited, &list);

	if (left > 0)
		bytes_printf(error,
		             "the service manager hands over sockets that no listener is "
		             "configured for: %s: write a listen section with that address, or "
		             "take them from the .socket unit",
		             bytes_text(&list));
	bytes_release(&list);
	return left > 0 ? -1 : 0;
}

static int bind_all(struct service *s, struct inherited *inherited, struct bytes *error)
{
	for (size_t i = 0; i < s->daemon.settings->listener_count; i++)
		if (bind_one(s, &s->bounds[i], inherited, error) < 0)
			return -1;
	if (bind_control(s, inherited, error) < 0 || bind_http(s, inherited, error) < 0)
		return -1;
	return check_left(inherited, error);
}

int prepare_sockets(struct service *s, struct bytes *error)
{
	const struct settings *settings = s->daemon.settings;
	struct inherited *inherited;
	int rc;

	s->bounds = memory_new_array(settings->listener_count, sizeof(*s->bounds));
	for (size_t i = 0; i < settings->listener_count; i++)
		s->bounds[i] = (struct bound){ .service = s, .index = i, .fd = -1 };
	s->http_fds = memory_new_array(settings->http.listener_count, sizeof(int));
	for (size_t i = 0; i < settings->http.listener_count; i++)
		s->http_fds[i] = -1;
	if (inherited_new(&inherited, error) < 0)
		return -1;
	rc = bind_all(s, inherited, error);
	inherited_free(&inherited);
	if (rc == 0)
		kept_release(s->kept); /* what no listener asks for any more */
	return rc;
}

static int own_certificate(const struct daemon *d, const struct listener_settings *l,
                           struct tls_context **context_r, struct bytes *error)
{
	struct bytes certificate = { 0 }, key = { 0 };
	int rc;

	bytes_printf(&certificate, "%s/certificate.pem", d->settings->spool_path);
	bytes_printf(&key, "%s/key.pem", d->settings->spool_path);
	rc = tls_make_certificate(bytes_text(&certificate), bytes_text(&key), d->settings->hostname,
	                          error);
	if (rc == 0)
		rc = tls_context_new_server(context_r, l->name, bytes_text(&certificate),
		                            bytes_text(&key), error);
	bytes_release(&certificate);
	bytes_release(&key);
	return rc;
}

int prepare_listener_tls(const struct daemon *d, size_t i, struct tls_context **context_r,
                         struct bytes *error)
{
	const struct listener_settings *l = &d->settings->listeners[i];

	if (l->certificate == NULL)
		return own_certificate(d, l, context_r, error);
	return tls_context_new_server(context_r, l->name, l->certificate, l->key, error);
}

int prepare_http_tls(const struct daemon *d, struct tls_context **context_r, struct bytes *error)
{
	const struct http_settings *http = &d->settings->http;

	*context_r = NULL;
	if (http->certificate == NULL || http->listener_count == 0)
		return 0;
	return tls_context_new_server(context_r, "http", http->certificate, http->key, error);
}

int prepare_own_tls(struct daemon *d, struct bytes *error)
{
	for (size_t i = 0; i < d->settings->listener_count; i++) {
		const struct listener_settings *l = &d->settings->listeners[i];

		if (l->tls != LISTENER_TLS_OFF && l->certificate == NULL &&
		    prepare_listener_tls(d, i, &d->listener_tls[i], error) < 0)
			return -1;
	}
	return 0;
}

static int prepare_provider_tls(struct daemon *d, size_t i, struct bytes *error)
{
	static const enum tls_trust trust[] = {
		[TLS_VERIFY_FULL] = TLS_TRUST_FULL,
		[TLS_VERIFY_CA] = TLS_TRUST_CA,
		[TLS_VERIFY_PIN] = TLS_TRUST_PIN,
		[TLS_VERIFY_OFF] = TLS_TRUST_OFF,
	};
	const struct provider_settings *p = &d->settings->providers[i];

	if (p->kind != PROVIDER_SMTP || p->tls == PROVIDER_TLS_NEVER)
		return 0;
	if (tls_context_new_client(&d->provider_tls[i], trust[p->verify], p->tls_ca, p->tls_pin,
	                           error) < 0)
		return -1;
	tls_context_set_minimum(d->provider_tls[i], p->tls_1_3 ? TLS_VERSION_1_3 : TLS_VERSION_1_2);
	if (p->tls_certificate == NULL)
		return 0;
	return tls_context_set_certificate(d->provider_tls[i], p->tls_certificate, p->tls_key,
	                                   error);
}

int prepare_tls(struct daemon *d, struct bytes *error)
{
	d->listener_tls = memory_new_array(d->settings->listener_count, sizeof(*d->listener_tls));
	d->provider_tls = memory_new_array(d->settings->provider_count, sizeof(*d->provider_tls));
	for (size_t i = 0; i < d->settings->listener_count; i++) {
		const struct listener_settings *l = &d->settings->listeners[i];

		if (l->tls != LISTENER_TLS_OFF && l->certificate != NULL &&
		    prepare_listener_tls(d, i, &d->listener_tls[i], error) < 0)
			return -1;
	}
	if (prepare_http_tls(d, &d->http_tls, error) < 0)
		return -1;
	for (size_t i = 0; i < d->settings->provider_count; i++)
		if (prepare_provider_tls(d, i, error) < 0)
			return -1;
	return 0;
}

int prepare_spool(struct service *s, struct bytes *error)
{
	struct daemon *d = &s->daemon;
	const struct settings *settings = d->settings;
	const struct spool_options options = {
		.path = settings->spool_path,
		.max_size = settings->spool_max_size,
		.mode = settings->mode == MODE_CATCH ? SPOOL_CATCH : SPOOL_RELAY,
		.clock = d->clock,
	};

	if (spool_open(&d->spool, &options, error) < 0)
		return -1;
	d->inboxes = memory_new_array(settings->inbox_count, sizeof(*d->inboxes));
	for (size_t i = 0; i < settings->inbox_count; i++) {
		const struct inbox_settings *inbox = &settings->inboxes[i];
		uint32_t number;

		if (spool_number(d->spool, SPOOL_NAME_INBOX, inbox->name, &number) < 0) {
			bytes_printf(error, "cannot number inbox '%s' in the spool", inbox->name);
			return -1;
		}
		d->inboxes[i] = number;
		spool_keep(d->spool, number, inbox->keep);
		spool_keep_octets(d->spool, number, inbox->max_size);
	}
	if (inbox_rules_new(&d->rules, settings, d->inboxes, clock_wall(d->clock), error) < 0)
		return -1;
	d->intake = inbox_intake(d->rules);
	return router_new(&d->router, settings, d->spool, error);
}
