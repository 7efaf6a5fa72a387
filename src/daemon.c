/* SPDX-License-Identifier: ISC */
/* daemon.c - the parts of a running penstockd: made, wired, started and stopped in order.
 *
 * Start: listeners are bound and keys read first (as root), then the user is changed, then the
 * spool is opened, and only then do threads run. A start that fails anywhere takes the same way
 * down as an orderly stop, which stopping.c has made quiet before.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "background.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metric.h"
#include "dispatcher.h"
#include "fetch/fetch.h"
#include "notify.h"
#include "service.h"
#include "worker.h"

/* Jobs that wait for a helper: one a session's login or a connection's name, and the bounces in
 * flight. */
#define HELPER_WAITING_MAX 100000
#define HELPER_THREADS     4

/* Memory that a crowd left behind: looked at so often, and only worth it beyond so many
 * connections. */
#define TIDY_EVERY (10 * CLOCK_SEC)
#define CROWD_MIN  100

#define SIGNALS 3 /* SIGTERM, SIGINT, SIGHUP */

static void on_terminate(void *context)
{
	struct service *s = context;

	if (s->stage == STAGE_RUNNING) {
		stop_begin(s, "signal");
	} else if (s->next != NULL) {
		log_info("stopping reason=signal instead of reloading");
		reload_forget(s);
	} else {
		stop_hurry(s);
	}
}

static void on_hangup(void *context)
{
	struct service *s = context;
	struct bytes error = { 0 };
	bool restarts;

	if (s->on_terminal) {
		stop_begin(s, "hangup");
		return;
	}
	if (reload_begin(s, &restarts, &error) < 0)
		log_error("settings not reloaded reason=%s cure=\"the old ones stay in use: mend "
		          "the file, then send SIGHUP again\"",
		          log_quoted(bytes_text(&error)));
	bytes_release(&error);
}

/* An order to stop from another thread (the follower, the control API). */
static void post_stop(struct service *s, void (*arrived)(struct channel_item *item, void *receiver))
{
	struct channel_item *item = memory_new(sizeof(*item));

	item->arrived = arrived;
	channel_post(s->daemon.main, item);
}

static void enough_arrived(struct channel_item *item, void *receiver)
{
	free(item);
	stop_soon(receiver);
}

static void follower_enough(void *context)
{
	post_stop(context, enough_arrived);
}

static void stop_arrived(struct channel_item *item, void *receiver)
{
	free(item);
	stop_begin(receiver, "control");
}

static void control_stop(void *context)
{
	post_stop(context, stop_arrived);
}

static void reload_told(struct channel_item *item, void *receiver)
{
	struct web_reload *request = list_entry(item, struct web_reload, item);

	(void)receiver;
	request->done(request);
}

static void reload_arrived(struct channel_item *item, void *receiver)
{
	struct web_reload *request = list_entry(item, struct web_reload, item);

	log_info("reload asked through the control socket");
	request->failed = reload_begin(receiver, &request->restarts, &request->error) < 0;
	item->arrived = reload_told;
	channel_post(request->home, item);
}

static void control_reload(void *context, struct web_reload *request)
{
	struct service *s = context;

	request->item.arrived = reload_arrived;
	channel_post(s->daemon.main, &request->item);
}

static void control_order(void *context, struct relay_order *order)
{
	struct service *s = context;

	dispatcher_order(s->daemon.dispatcher, order);
}

static void control_status(void *context, struct relay_status_request *request)
{
	struct service *s = context;

	dispatcher_status(s->daemon.dispatcher, request);
}

static void control_use_faults(void *context, struct faults_change *change)
{
	struct service *s = context;

	atomic_init(&change->waiting, s->daemon.worker_count);
	for (size_t i = 0; i < s->daemon.worker_count; i++)
		worker_use_faults(s->daemon.workers[i], change);
}

/* ---- starting ------------------------------------------------------------------- */

static void accepted(void *context, int fd)
{
	struct bound *b = context;
	struct service *s = b->service;

	worker_accept(s->daemon.workers[s->next_worker], b->index, fd);
	s->next_worker = (s->next_worker + 1) % s->daemon.worker_count;
}

static int start_follower(struct service *s, struct bytes *error)
{
	const struct settings *settings = s->daemon.settings;
	struct follower_options options = {
		.spool = s->daemon.spool,
		.print = settings->print,
		.save = settings->save,
		.exit_after = settings->exit_after,
		.enough = follower_enough,
		.context = s,
	};

	if (settings->print == PRINT_OFF && settings->save == NULL && settings->exit_after == 0)
		return 0;
	if (spool_number(s->daemon.spool, SPOOL_NAME_INBOX, settings->inboxes[0].name,
	                 &options.inbox) < 0) {
		bytes_printf(error, "cannot number inbox '%s' in the spool",
		             settings->inboxes[0].name);
		return -1;
	}
	return follower_start(&s->follower, &options, error);
}

/* Where applications are to send: the first port, 0 when there are only Unix sockets. */
static unsigned first_port(const struct service *s)
{
	for (size_t i = 0; i < s->daemon.settings->listener_count; i++)
		if (!s->daemon.settings->listeners[i].is_unix)
			return listener_port(s->bounds[i].fd);
	return 0;
}

static const char *first_address(const struct service *s)
{
	const struct settings *settings = s->daemon.settings;

	for (size_t i = 0; i < settings->listener_count; i++)
		if (!settings->listeners[i].is_unix)
			return settings->listeners[i].address;
	return "";
}

/* Sockets end with the web; these go on when there is a reload. -1 with *error. */
static int socket_copy(int fd, struct bytes *error)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		bytes_printf(error, "cannot serve the web: %s", strerror(errno));
	return copy;
}

static void log_http(const struct service *s)
{
	const struct http_settings *http = &s->daemon.settings->http;

	for (size_t i = 0; i < http->listener_count; i++)
		log_info("web on=%s port=%u", http->listen.items[i],
		         (unsigned)listener_port(s->http_fds[i]));
}

static int start_web(struct service *s, struct bytes *error)
{
	const struct settings *settings = s->daemon.settings;
	struct web_options options = {
		.smtp_address = first_address(s),
		.smtp_port = first_port(s),
		.settings = settings,
		.inboxes = s->daemon.inboxes,
		.spool = s->daemon.spool,
		.router = s->daemon.router,
		.intake = &s->daemon.intake,
		.clock = s->daemon.clock,
		.order = control_order,
		.status = control_status,
		.stop = control_stop,
		.reload = control_reload,
		.use_faults = s->daemon.settings->mode == MODE_CATCH ? control_use_faults : NULL,
		.faults = s->daemon.faults,
		.context = s,
	};

	int *fds = memory_new_array(settings->http.listener_count, sizeof(*fds)), rc = -1;

	options.control_fd = socket_copy(s->control_fd, error);
	for (options.fd_count = 0; options.fd_count < settings->http.listener_count;
	     options.fd_count++) {
		fds[options.fd_count] = socket_copy(s->http_fds[options.fd_count], error);
		if (fds[options.fd_count] < 0)
			break;
	}
	options.fds = fds;
	options.tls = tls_context_share(s->daemon.http_tls);
	if (options.control_fd >= 0 && options.fd_count == settings->http.listener_count)
		rc = web_start(&s->web, &options, error);
	free(fds);
	if (rc == 0)
		log_http(s);
	s->daemon.web = s->web;
	return rc;
}

static void probed(void *context, const struct provider_settings *provider, const char *why)
{
	const struct service *s = context;

	if (s->stage != STAGE_RUNNING)
		return;
	if (why == NULL)
		fprintf(stderr, "ready: connected to %s port %u as asked; mail is relayed there\n",
		        provider->host, (unsigned)provider->port);
	else
		fprintf(stderr,
		        "not ready: %s port %u: %s\n"
		        "mail is accepted and kept; delivery is tried again until it works\n",
		        provider->host, (unsigned)provider->port, why);
}

static size_t cores(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count < 1 ? 1 : (size_t)count;
}

static size_t worker_count(const struct settings *settings)
{
	return settings->workers > 0 ? settings->workers : cores();
}

static int make_threads(struct service *s, struct bytes *error)
{
	struct daemon *d = &s->daemon;
	const struct worker_events worker_events = { stop_drained, stop_quiet, s };
	const struct dispatcher_events dispatcher_events = { stop_idle, probed, s };

	d->helpers = helper_new("helper", HELPER_THREADS, HELPER_WAITING_MAX);
	/* One more than cores: a message that takes long leaves the way to others. */
	d->mime = helper_new("mime", cores() + 1, HELPER_WAITING_MAX);
	d->fetch = fetch_new(d->settings, d->main, d->clock);
	d->clients = clients_new();
	if (web_faults_read(&d->faults, d->settings, error) < 0 || logins_start(s, error) < 0)
		return -1;
	d->worker_count = worker_count(d->settings);
	d->workers = memory_new_array(d->worker_count, sizeof(struct worker *));
	if (dispatcher_new(&d->dispatcher, d, &dispatcher_events, error) < 0)
		return -1;
	for (size_t i = 0; i < d->worker_count; i++)
		d->workers[i] = worker_new(d, i, &worker_events);
	return 0;
}

static int start_threads(struct service *s, struct bytes *error)
{
	struct daemon *d = &s->daemon;

	s->retention = retention_new(d->settings, d->spool, s->loop, d->main);
	if (start_follower(s, error) < 0 || spool_start(d->spool, error) < 0)
		return -1;
	for (size_t i = 0; i < d->worker_count; i++)
		if (worker_start(d->workers[i], error) < 0)
			return -1;
	retention_start(s->retention);
	fetch_start(d->fetch);
	/* The dispatcher tells the web. */
	if (start_web(s, error) < 0 || dispatcher_start(d->dispatcher, error) < 0)
		return -1;
	for (size_t i = 0; i < d->settings->listener_count; i++) {
		struct bound *b = &s->bounds[i];
		const struct listener_settings *l = &d->settings->listeners[i];

		b->listener = listener_new(s->loop, b->fd, accepted, b);
		if (l->is_unix)
			log_info("listening on=unix:%s", l->address);
		else
			log_info("listening on=%s port=%u", l->name,
			         (unsigned)listener_port(b->fd));
	}
	return 0;
}

static size_t descriptors_wanted(const struct settings *settings)
{
	size_t wanted = 100; /* our own: spool, channels, loops, logs */

	if (settings->http.listener_count > 0)
		wanted += settings->http.max_connections;
	for (size_t i = 0; i < settings->listener_count; i++)
		if (!settings->listeners[i].is_unix)
			wanted += settings->listeners[i].max_connections;
	for (size_t i = 0; i < settings->provider_count; i++)
		wanted += settings->providers[i].connections;
	return wanted;
}

/* Until the loop takes them, these wait: a start that is interrupted still takes its parts down.
 * Threads inherit the mask, so that signals come to the main thread alone. */
static void hold_signals(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

void daemon_hold_signals(void)
{
	hold_signals(true);
}

static void watch_signals(struct service *s, struct signal_watch *watches[SIGNALS])
{
	struct sigaction hangup;

	watches[0] = signal_watch_new(s->loop, SIGTERM, on_terminate, s);
	watches[1] = signal_watch_new(s->loop, SIGINT, on_terminate, s);
	/* Whoever starts us with nohup means it. */
	if (sigaction(SIGHUP, NULL, &hangup) < 0 || hangup.sa_handler != SIG_IGN)
		watches[2] = signal_watch_new(s->loop, SIGHUP, on_hangup, s);
	hold_signals(false);
}

/* Once half of them have gone, not each time: the workers wait for it. */
static void tidy(void *context)
{
	struct service *s = context;
	int64_t count = metric_get(METRIC_SESSIONS_OPEN) + metric_get(METRIC_CONNECTIONS_OPEN);

	if (s->crowd >= CROWD_MIN && count <= s->crowd / 2) {
		memory_give_back();
		s->crowd = count;
	}
	if (count > s->crowd)
		s->crowd = count;
	timer_start(&s->tidy, TIDY_EVERY);
}

static int service_start(struct service *s, struct bytes *error)
{
	struct daemon *d = &s->daemon;
	struct settings *settings = d->settings;

	background_raise_descriptors(descriptors_wanted(settings));
	if (settings->spool_temporary && settings->spool_path == NULL) {
		settings->spool_path = background_temporary_directory(settings, error);
		if (settings->spool_path == NULL)
			return -1;
	}
	/* The spool first: a user's sockets may be in it, and their parents are made readable. */
	if (background_directory(settings->spool_path, 0700, settings, error) < 0 ||
	    prepare_sockets(s, error) < 0)
		return -1;
	if (!settings->foreground && !s->again && background_fork(error) < 0)
		return -1;
	if (prepare_tls(d, error) < 0 || background_drop_privileges(settings, error) < 0 ||
	    prepare_spool(s, error) < 0 || prepare_own_tls(d, error) < 0)
		return -1;
	s->loop = loop_new(d->clock);
	d->main = channel_new(s);
	loop_attach(s->loop, d->main);
	timer_init(&s->patience, s->loop, stop_patience_over, s);
	timer_init(&s->soon, s->loop, stop_soon_over, s);
	timer_init(&s->tidy, s->loop, tidy, s);
	timer_start(&s->tidy, TIDY_EVERY);
	return make_threads(s, error) < 0 ? -1 : start_threads(s, error);
}

/* ---- the end ------------------------------------------------------------------------ */

/* Those who ask go first, then those who work for them, then the writer with its last commit; what
 * still comes back waits in channels until service_release(). */
static void service_stop(struct service *s)
{
	struct daemon *d = &s->daemon;

	s->stage = STAGE_CLOSED;
	prepare_close(s);
	prepare_unlink(s);
	web_stop(s->web);
	for (size_t i = 0; i < d->worker_count && d->workers[i] != NULL; i++) {
		worker_exit(d->workers[i]);
		worker_join(d->workers[i]);
	}
	if (d->dispatcher != NULL) {
		dispatcher_exit(d->dispatcher);
		dispatcher_join(d->dispatcher);
	}
	helper_free(&d->mime); /* what it has goes to the spool */
	if (d->spool != NULL)
		spool_stop(d->spool);
	follower_stop(&s->follower);
	helper_free(&d->helpers);
	logins_stop(s);
	fetch_stop(d->fetch);
}

static void tls_release(struct daemon *d)
{
	for (size_t i = 0; d->listener_tls != NULL && i < d->settings->listener_count; i++)
		tls_context_free(&d->listener_tls[i]);
	for (size_t i = 0; d->provider_tls != NULL && i < d->settings->provider_count; i++)
		tls_context_free(&d->provider_tls[i]);
	tls_context_free(&d->http_tls);
	free(d->listener_tls);
	free(d->provider_tls);
}

/* Upwards: each may still post to those released after it. */
static void service_release(struct service *s)
{
	struct daemon *d = &s->daemon;

	/* Questions for secrets first: their answers go to the workers. */
	if (d->main != NULL)
		channel_receive(d->main);
	for (size_t i = 0; i < d->worker_count; i++)
		worker_free(&d->workers[i]);
	dispatcher_free(&d->dispatcher);
	web_free(&s->web);
	clients_free(&d->clients);
	faults_free(&d->faults);
	router_free(&d->router);
	inbox_rules_free(&d->rules);
	spool_close(&d->spool);
	tls_release(d);
	if (s->control_fd >= 0)
		close(s->control_fd);
	if (d->main != NULL) {
		channel_receive(d->main);
		logins_free(s);
		retention_free(&s->retention);
		fetch_free(&d->fetch);
		loop_free(&s->loop);
		channel_free(&d->main);
	}
	free(d->workers);
	free(d->inboxes);
	free(s->bounds);
	if (d->settings->spool_temporary && d->settings->spool_path != NULL && !s->keep)
		background_remove_directory(d->settings->spool_path);
}

static unsigned first_http_port(const struct service *s)
{
	return s->daemon.settings->http.listener_count > 0 ? listener_port(s->http_fds[0]) : 0;
}

static void service_run(struct service *s)
{
	struct signal_watch *watches[SIGNALS] = { NULL };
	const struct daemon_options *options = s->options;

	watch_signals(s, watches);
	if (options->probe != NULL && !s->again)
		dispatcher_probe(s->daemon.dispatcher, options->probe);
	if (s->again)
		log_info("ready again: the new settings are in force");
	else
		options->ready(options->context, first_port(s), first_http_port(s));
	background_ready();
	notify("READY=1");
	loop_run(s->loop);
	for (size_t i = 0; i < SIGNALS; i++)
		signal_watch_free(&watches[i]);
}

/* One life, from start to orderly stop. In *next_r what a reload wants to go on with, else NULL. */
static int live(struct settings *settings, const struct daemon_options *options, struct kept *kept,
                bool again, struct settings **next_r, struct bytes *error)
{
	struct service s = { .control_fd = -1, .options = options, .kept = kept, .again = again };
	int rc;

	if (again)
		log_open("penstockd", settings->log_target, settings->log_format,
		         settings->log_level);
	s.daemon.settings = settings;
	s.daemon.clock = clock_system();
	s.on_terminal = settings->foreground && isatty(STDERR_FILENO);
	rc = service_start(&s, error);
	if (rc == 0)
		service_run(&s);
	else
		s.keep = again; /* for the settings before */
	hold_signals(true);     /* until the next life takes them */
	service_stop(&s);
	service_release(&s);
	*next_r = s.next;
	return rc;
}

int daemon_run(struct settings *settings, const struct daemon_options *options, struct bytes *error)
{
	struct settings *now = settings_acquire(settings), *before = NULL, *next = NULL;
	struct kept kept = { 0 };
	bool again = false;
	int rc;

	loop_take_words();
	for (;; again = true) {
		rc = live(now, options, &kept, again, &next, error);
		if (rc < 0 && before != NULL) {
			log_error("the new settings do not start reason=%s cure=\"the old ones are "
			          "in use again\"",
			          log_quoted(bytes_text(error)));
			bytes_clear(error);
			next = before;
			before = NULL;
		} else {
			settings_release(&before);
			before = now;
			now = NULL;
		}
		settings_release(&now);
		now = next;
		if (now == NULL)
			break;
	}
	settings_release(&before);
	kept_release(&kept);
	if (rc == 0)
		log_info("stopped");
	return rc;
}
