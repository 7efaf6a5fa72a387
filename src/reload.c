/* SPDX-License-Identifier: ISC */
/* reload.c - what SIGHUP renews: the certificates of the listeners.
 *
 * A context is made from the files and checked before anybody sees it; then each worker gets it by
 * its channel and uses it for the next handshake. Connections go on with what they have. The
 * settings themselves are not read again.
 */
#include "base/log.h"
#include "service.h"
#include "worker.h"

/* True: the listener has a new context. */
static bool reload_one(struct service *s, size_t i)
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

void reload_certificates(struct service *s)
{
	const struct settings *settings = s->daemon.settings;
	size_t count = 0;

	for (size_t i = 0; i < settings->listener_count; i++)
		if (settings->listeners[i].tls != LISTENER_TLS_OFF && reload_one(s, i))
			count++;
	log_info("reloaded certificates=%zu (other settings: stop and start to apply them)", count);
}
