/* SPDX-License-Identifier: ISC */
/* reload.c - what SIGHUP and `penstock reload` renew.
 *
 * Settings that read as before: the certificates of the listeners and the secrets of the providers
 * are taken anew, and nothing else notices. Other settings: an orderly stop, then a start with
 * them in the same process on the same sockets (daemon.c), so that no client is refused. Wrong
 * settings change nothing.
 */
#include "base/log.h"
#include "base/memory.h"
#include "fetch/fetch.h"
#include "notify.h"
#include "service.h"
#include "worker.h"

/* True: the listener has a new context. A context is made from the files and checked before anybody
 * sees it; then each worker gets it by its channel and uses it for the next handshake. */
static bool renew_certificate(struct service *s, size_t i)
{
	struct daemon *d = &s->daemon;
	const char *name = d->settings->listeners[i].name;
	struct tls_context *fresh;
	struct bytes error = { 0 };

	if (prepare_listener_tls(d, i, &fresh, &error) < 0) {
		log_error("certificate not reloaded listener=%s reason=%s cure=\"the old one stays "
		          "in "
		          "use: mend the file, then send SIGHUP again\"",
		          name, log_quoted(bytes_text(&error)));
		bytes_release(&error);
		return false;
	}
	tls_context_free(&d->listener_tls[i]);
	d->listener_tls[i] = fresh;
	for (size_t w = 0; w < d->worker_count; w++)
		worker_use_tls(d->workers[w], i, tls_context_share(fresh));
	log_info("certificate reloaded listener=%s", name);
	return true;
}

static size_t renew_http_certificate(struct service *s)
{
	struct tls_context *fresh;
	struct bytes error = { 0 };

	if (prepare_http_tls(&s->daemon, &fresh, &error) < 0) {
		log_error("certificate not reloaded listener=http reason=%s cure=\"the old one "
		          "stays in use: mend the file, then send SIGHUP again\"",
		          log_quoted(bytes_text(&error)));
		bytes_release(&error);
		return 0;
	}
	if (fresh == NULL)
		return 0;
	web_use_tls(s->web, fresh);
	log_info("certificate reloaded listener=http");
	return 1;
}

static void renew_certificates(struct service *s)
{
	const struct settings *settings = s->daemon.settings;
	size_t count = renew_http_certificate(s);

	for (size_t i = 0; i < settings->listener_count; i++)
		if (settings->listeners[i].tls != LISTENER_TLS_OFF && renew_certificate(s, i))
			count++;
	log_info("reloaded certificates=%zu", count);
}

/* What -n prints is all that there is to settings but their secrets, which fetch/ reads itself. */
static bool same(const struct settings *a, const struct settings *b)
{
	struct bytes first = { 0 }, second = { 0 };
	bool equal;

	settings_print(a, &first);
	settings_print(b, &second);
	equal = span_equal(bytes_span(&first), bytes_span(&second));
	bytes_release(&first);
	bytes_release(&second);
	return equal;
}

/* The spool of --spool none goes on: what is in it is nowhere else. */
static void take_temporary_spool(const struct settings *now, struct settings *next)
{
	if (now->spool_temporary && next->spool_temporary)
		next->spool_path = memory_text(now->spool_path);
}

/* What Type=notify-reload of systemd waits for. */
static void tell_manager(const struct clock *clock)
{
	struct bytes state = { 0 };

	bytes_printf(&state, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_monotonic(clock));
	notify(bytes_text(&state));
	bytes_release(&state);
}

int reload_begin(struct service *s, bool *restarts_r, struct bytes *error)
{
	const struct settings *now = s->daemon.settings;
	bool stopping = s->stage != STAGE_RUNNING;
	struct settings *next;

	*restarts_r = false;
	if (stopping && s->next == NULL)
		return 0; /* for good */
	next = s->options->load(s->options->context, error);
	if (!stopping && (next == NULL || same(now, next))) {
		renew_certificates(s);
		fetch_forget(s->daemon.fetch);
	}
	if (next == NULL)
		return -1;
	if (!stopping && same(now, next)) {
		settings_release(&next);
		return 0;
	}
	take_temporary_spool(now, next);
	settings_release(&s->next);
	s->next = next;
	s->keep = *restarts_r = true;
	tell_manager(s->daemon.clock);
	stop_begin(s, "reload");
	return 0;
}

void reload_forget(struct service *s)
{
	settings_release(&s->next);
	s->keep = false;
	notify("STOPPING=1");
}
