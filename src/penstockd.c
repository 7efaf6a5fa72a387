/* SPDX-License-Identifier: ISC */
/* penstockd.c - the daemon's command: what is asked, what it says to a terminal, its exit status.
 *
 * The running parts are daemon.c's.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/settings.h"
#include "background.h"
#include "daemon.h"

struct asked {
	const struct settings *settings; /* at the start */
	const struct overrides *over;
};

/* The penstock command beside our own binary, for the text that shows how to send a mail. */
static void command_path(struct bytes *out)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	bytes_append_text(out, "penstock");
	if (n <= 0)
		return;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash == NULL)
		return;
	memcpy(slash, "/penstock", sizeof("/penstock"));
	/* An installed pair lives in sbin and bin: there the bare name is right. */
	if (access(self, X_OK) == 0) {
		bytes_clear(out);
		bytes_append_text(out, self);
	}
}

/* The host of the port that daemon_run() names: the first listener that has one. */
static const char *first_address(const struct settings *settings)
{
	for (size_t i = 0; i < settings->listener_count; i++)
		if (!settings->listeners[i].is_unix)
			return settings->listeners[i].address;
	return "";
}

/* How penstock is called for this daemon: it finds the sockets of the usual places by itself. */
static void command_line(const struct settings *settings, struct bytes *out)
{
	struct bytes usual = { 0 };

	command_path(out);
	if (settings_default_control(settings->mode, geteuid() == 0, &usual) < 0 ||
	    strcmp(bytes_text(&usual), settings->control_socket) != 0)
		bytes_printf(out, " --socket %s", settings->control_socket);
	bytes_release(&usual);
}

/* Where the page is, for somebody at this machine. */
static void page_url(const struct settings *settings, unsigned port, struct bytes *out)
{
	const struct http_settings *http = &settings->http;
	const char *host = http->listeners[0].address;

	if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
		host = "localhost";
	bytes_printf(out, strchr(host, ':') != NULL ? "%s://[%s]:%u%s" : "%s://%s:%u%s",
	             http->certificate != NULL ? "https" : "http", host, port, http->base_path);
}

static void greet_catch(const struct settings *settings, unsigned port, unsigned http_port)
{
	const char *host = first_address(settings);
	bool brackets = strchr(host, ':') != NULL;
	struct bytes command = { 0 }, page = { 0 };

	command_line(settings, &command);
	if (http_port != 0) {
		bytes_append_text(&page, "  Read it at ");
		page_url(settings, http_port, &page);
		bytes_append_char(&page, '\n');
	}
	fprintf(stderr,
	        "penstockd catches mail; nothing leaves this machine%s.\n"
	        "  Point your application at SMTP host %s, port %u (any login is accepted, "
	        "STARTTLS works).\n"
	        "%s"
	        "  Send a first mail:  %s send --to you@example.com\n"
	        "  The same with curl: printf 'Subject: hello\\n\\nFirst mail.\\n' | "
	        "curl -sS smtp://%s%s%s:%u --crlf -T - --mail-from me@example.com "
	        "--mail-rcpt you@example.com\n"
	        "  Stop with Ctrl-C.\n",
	        settings_release_route(settings, "default") == NULL ? "" : " but what you release",
	        host, port, bytes_text(&page), bytes_text(&command), brackets ? "[" : "", host,
	        brackets ? "]" : "", port);
	bytes_release(&command);
	bytes_release(&page);
}

static void greet(void *context, unsigned port, unsigned http_port)
{
	const struct asked *asked = context;
	const struct settings *settings = asked->settings;

	log_info("ready version=%s mode=%s spool=%s", PACKAGE_VERSION,
	         settings->mode == MODE_CATCH ? "catch" : "relay", settings->spool_path);
	if (settings->mode == MODE_CATCH)
		greet_catch(settings, port, http_port);
	else if (asked->over->relay != NULL)
		fprintf(stderr, "penstockd relays: point applications at SMTP host %s, port %u\n",
		        first_address(settings), port);
}

static void say_notes(const struct bytes *notes)
{
	struct bytes copy = { 0 };
	char *line, *rest;

	bytes_append_span(&copy, bytes_span(notes));
	bytes_append_char(&copy, '\0');
	for (rest = (char *)copy.data; (line = strsep(&rest, "\n")) != NULL;)
		if (*line != '\0')
			log_warning("configuration note=%s", log_quoted(line));
	bytes_release(&copy);
}

/* For a reload. */
static struct settings *load_again(void *context, struct bytes *error)
{
	const struct asked *asked = context;
	struct settings *settings = NULL;
	struct bytes notes = { 0 };

	if (settings_load(&settings, asked->over, error, &notes) == 0)
		say_notes(&notes);
	bytes_release(&notes);
	return settings;
}

static int run(struct settings *settings, const struct overrides *over)
{
	struct asked asked = { settings, over };
	struct daemon_options options = { .ready = greet, .load = load_again, .context = &asked };
	struct bytes error = { 0 };
	int status = EX_OK;

	if (over->relay != NULL && settings->mode != MODE_CATCH)
		options.probe = &settings->providers[0];
	if (daemon_run(settings, &options, &error) < 0) {
		fprintf(stderr, "penstockd: %s\n", bytes_text(&error));
		status = EX_UNAVAILABLE;
	}
	bytes_release(&error);
	return status;
}

static int load_and_act(const struct overrides *over, enum overrides_action action)
{
	struct bytes error = { 0 }, notes = { 0 }, text = { 0 };
	struct settings *settings;
	int status = EX_OK;

	if (settings_load(&settings, over, &error, &notes) < 0) {
		fprintf(stderr, "penstockd: %s\n", bytes_text(&error));
		bytes_release(&error);
		bytes_release(&notes);
		return EX_CONFIG;
	}
	if (action == ACTION_RUN)
		daemon_hold_signals();
	/* -n is asked at a terminal, whatever the daemon's log will be. */
	log_open("penstockd", action == ACTION_CHECK ? LOG_TO_STDERR : settings->log_target,
	         settings->log_format, settings->log_level);
	say_notes(&notes);
	if (action == ACTION_CHECK) {
		settings_print(settings, &text);
		fwrite(text.data, 1, text.length, stdout);
	} else {
		status = run(settings, over);
	}
	bytes_release(&notes);
	bytes_release(&text);
	settings_release(&settings);
	return status;
}

static int act(const struct overrides *over, enum overrides_action action)
{
	switch (action) {
	case ACTION_HELP:
		fputs(overrides_usage(), stdout);
		return EX_OK;
	case ACTION_VERSION:
		puts(PACKAGE_STRING);
		return EX_OK;
	case ACTION_RUN:
	case ACTION_CHECK:
		break;
	}
	return load_and_act(over, action);
}

int main(int argc, char **argv)
{
	extern char **environ;
	struct overrides over = { 0 };
	struct bytes error = { 0 };
	enum overrides_action action;
	int status = EX_USAGE;

	/* OpenSSL writes with write(2): a peer that went must not end the process. */
	signal(SIGPIPE, SIG_IGN);
	background_explain_lost_pages();
	if (overrides_parse(&over, argc, argv, environ, &action, &error) < 0)
		fprintf(stderr, "penstockd: %s\n%s", bytes_text(&error), overrides_usage());
	else
		status = act(&over, action);
	bytes_release(&error);
	overrides_release(&over);
	return status;
}
