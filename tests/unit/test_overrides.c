/* SPDX-License-Identifier: ISC */
/* test_overrides.c - --catch, --relay, and what the command line changes in a file. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "config_case.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void load(struct config_case *c, const char *const *words)
{
	config_case_command(c, words, NULL);
	assert_string_equal(bytes_text(&c->error), "");
	assert_int_equal(c->rc, 0);
}

static void catches(void **state)
{
	struct config_case c;
	const struct settings *s;

	(void)state;
	load(&c, WORDS("--catch"));
	s = c.settings;
	assert_int_equal(s->mode, MODE_CATCH);
	assert_true(s->foreground);
	assert_int_equal(s->listener_count, 2);
	assert_string_equal(s->listeners[0].name, "127.0.0.1:1025");
	assert_int_equal(s->listeners[0].tls, LISTENER_TLS_STARTTLS);
	assert_null(s->listeners[0].certificate); /* made at first use */
	assert_int_equal(s->listeners[0].auth, AUTH_ANY);
	assert_int_equal(s->listeners[0].relay_from_count, 2); /* everybody */
	assert_int_equal(s->listeners[0].relay_from[0].prefix, 0);
	assert_int_equal(s->listeners[0].relay_from[1].family, AF_INET6);
	assert_true(s->listeners[1].local_submission);
	assert_int_equal(s->listeners[1].unix_mode, geteuid() == 0 ? 0666 : 0600);
	assert_int_equal(s->listeners[1].tls, LISTENER_TLS_OFF);
	assert_int_equal(s->route_count, 1);
	assert_string_equal(s->routes[0].name, "catch");
	assert_int_equal(s->routes[0].via.count, 1);
	assert_string_equal(s->routes[0].via.items[0], "inbox");
	assert_int_equal(s->provider_count, 2);
	assert_int_equal(s->inbox_count, 1);
	assert_int_equal(s->inboxes[0].keep, 500);
	assert_null(s->user);
	assert_int_equal(s->print, PRINT_OFF);
	config_case_release(&c);
}

static void catches_elsewhere(void **state)
{
	struct config_case c;
	char here[4096];
	struct bytes save = { 0 };

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	bytes_printf(&save, "%s/mails", here);
	load(&c, WORDS("--catch", "--smtp", "127.0.0.1:0", "--smtps", "127.0.0.1:465", "--spool",
	               "none", "--save", "mails", "--print", "--exit-after", "3", "--socket",
	               "/tmp/q/ctl.sock", "-v", "--keep", "7", "--max-age", "2h", "--max-size",
	               "3MiB"));
	assert_true(c.settings->inbox_count == 1 && c.settings->inboxes[0].keep == 7 &&
	            c.settings->inboxes[0].max_age_us == 2 * CLOCK_HOUR &&
	            c.settings->inboxes[0].max_size == 3 << 20);
	assert_int_equal(c.settings->listener_count, 3);
	assert_int_equal(c.settings->listeners[1].tls, LISTENER_TLS_IMPLICIT);
	assert_int_equal(c.settings->listeners[1].auth, AUTH_ANY);
	assert_true(c.settings->spool_temporary);
	assert_null(c.settings->spool_path);
	assert_string_equal(c.settings->save, bytes_text(&save));
	assert_int_equal(c.settings->print, PRINT_LINE);
	assert_int_equal(c.settings->exit_after, 3);
	assert_string_equal(c.settings->local_socket, "/tmp/q/smtp.sock");
	assert_int_equal(c.settings->log_level, LOG_LEVEL_DEBUG);
	config_case_release(&c);
	bytes_release(&save);
}

/* The relay is there for a message that is released by hand; nothing is routed to it. */
static void catches_with_a_relay(void **state)
{
	struct config_case c;

	(void)state;
	load(&c, WORDS("--catch", "--relay", "smtp://mx:587"));
	assert_string_equal(c.settings->providers[0].name, "smarthost");
	assert_int_equal(c.settings->route_count, 2);
	assert_int_equal(c.settings->routes[0].via.count, 1);
	assert_string_equal(c.settings->routes[0].via.items[0], "inbox");
	assert_null(settings_release_route(c.settings, "other"));
	assert_ptr_equal(settings_release_route(c.settings, "default"), &c.settings->routes[1]);
	assert_string_equal(c.settings->routes[1].via.items[0], "smarthost");
	assert_string_equal(c.settings->routes[1].recipient.items[0], "<>");
	assert_false(c.settings->routes[1].bounce_to_sender);
	config_case_release(&c);
}

static void relays(void **state)
{
	struct config_case c;
	const struct settings *s;

	(void)state;
	config_case_write("secret", "from a file\n", 0600);
	load(&c, WORDS("--relay", "smtp://user@mx:587", "--password-file", "secret", "--rate",
	               "10/s", "--rate", "100 recipients/min", "--smtp", "127.0.0.1:0"));
	s = c.settings;
	assert_int_equal(s->mode, MODE_RELAY);
	assert_true(s->foreground);
	assert_string_equal(s->providers[0].name, "smarthost");
	assert_string_equal(s->providers[0].host, "mx");
	assert_string_equal(s->providers[0].login, "user");
	assert_string_equal(s->providers[0].password, "from a file");
	assert_int_equal(s->providers[0].tls, PROVIDER_TLS_STARTTLS);
	assert_int_equal(s->providers[0].verify, TLS_VERIFY_FULL);
	assert_int_equal(s->providers[0].rate_count, 2);
	assert_string_equal(s->routes[0].name, "default");
	assert_string_equal(s->routes[0].via.items[0], "smarthost");
	assert_int_equal(s->listener_count, 2);
	assert_int_equal(s->listeners[0].auth, AUTH_OFF);
	assert_int_equal(s->listeners[0].tls, LISTENER_TLS_OFF);
	assert_int_equal(s->listeners[0].relay_from[0].prefix, 8);
	config_case_release(&c);
}

static void relays_with_a_variable(void **state)
{
	struct config_case c;

	(void)state;
	assert_int_equal(setenv("PENSTOCK_PASSWORD", "s3cr3t", 1), 0);
	load(&c, WORDS("--relay", "smtps://u@mx"));
	assert_string_equal(c.settings->providers[0].password, "s3cr3t");
	config_case_release(&c);
	load(&c, WORDS("--relay", "smtps://mx"));
	assert_null(c.settings->providers[0].password);
	assert_non_null(strstr(bytes_text(&c.notes),
	                       "PENSTOCK_PASSWORD: is not used: the URL of --relay names no user "
	                       "(smtp://USER@HOST)\n"));
	config_case_release(&c);
	assert_int_equal(unsetenv("PENSTOCK_PASSWORD"), 0);
	config_case_command_refused(WORDS("--relay", "smtps://u@mx"),
	                            "--relay: provider \"smarthost\": password-env: the variable "
	                            "PENSTOCK_PASSWORD is not set");
}

static void changes_a_file(void **state)
{
	struct config_case c;

	(void)state;
	config_case_write("t.conf",
	                  "provider \"p\" { url = \"smtp://mx\" }\n"
	                  "listen \"127.0.0.1:2525\" { max-recipients = 5 }\n"
	                  "spool { path = \"/file\"  max-size = \"1GiB\" }\n"
	                  "control { socket = \"/file/control.sock\" }\n",
	                  0600);
	load(&c, WORDS("-f", "t.conf", "--smtp", "127.0.0.1:0", "--smtp", "[::1]:0", "--spool",
	               "/cli", "--socket", "/cli/control.sock"));
	assert_int_equal(c.settings->listener_count, 3);
	assert_string_equal(c.settings->listeners[0].name, "127.0.0.1:0");
	assert_int_equal(c.settings->listeners[0].max_recipients, 1000);
	assert_string_equal(c.settings->spool_path, "/cli");
	assert_int_equal(c.settings->spool_max_size, 1 << 30);
	assert_string_equal(c.settings->control_socket, "/cli/control.sock");
	assert_string_equal(c.settings->local_socket, "/cli/smtp.sock");
	assert_false(c.settings->foreground);
	assert_non_null(strstr(bytes_text(&c.notes), "--smtp: replaces the 1 listeners of /"));
	assert_non_null(strstr(bytes_text(&c.notes), "/t.conf\n"));
	config_case_release(&c);
	load(&c, WORDS("-Ff", "t.conf"));
	assert_true(c.settings->foreground);
	assert_int_equal(c.settings->listeners[0].max_recipients, 5);
	config_case_release(&c);
}

static void refused(void **state)
{
	static const struct {
		const char *words[8], *message;
	} cases[] = {
		{ { "--catch", "--http", "8025" },
		  "--http: http: listen: \"8025\": write an address and a port such as "
		  "\"127.0.0.1:8025\" (--http off: no web)" },
		{ { "--catch", "-f", "x" },
		  "--file: goes without --catch and --relay, which replace a file" },
		{ { "--relay", "smtp://mx", "-f", "x" },
		  "--file: goes without --catch and --relay, which replace a file" },
		{ { "--relay", "smtp://mx", "--print" },
		  "--print, --save and --exit-after go with --catch" },
		{ { "--catch", "--chaos=Sender:451" },
		  "--chaos: write Sender, Recipient or Authentication with a code from 400 to 599 "
		  "and a percentage: \"Sender:451:5\"" },
		{ { "--catch", "--chaos=Sender:451:101" },
		  "--chaos: write Sender, Recipient or Authentication with a code from 400 to 599 "
		  "and a percentage: \"Sender:451:5\"" },
		{ { "--catch", "--chaos=Quit:451:1" },
		  "--chaos: write Sender, Recipient or Authentication with a code from 400 to 599 "
		  "and a percentage: \"Sender:451:5\"" },
		{ { "--relay", "smtp+notls://localhost:1", "--chaos" },
		  "--chaos: goes with --catch: a relay makes no faults" },
		{ { "--relay", "smtp://mx", "--spool", "none" },
		  "--spool: none goes with --catch: a relay would lose the mail it accepted" },
		{ { "--relay", "smtp://mx", "--smtps", "a:1" },
		  "--smtps: goes with --catch; a relay needs a certificate: write a listen section "
		  "with "
		  "tls = \"implicit\" into a file" },
		{ { "--catch", "--rate", "1/s" },
		  "--rate and --password-file go with --relay; in a file they are options of a "
		  "provider" },
		{ { "--catch", "--print=all" }, "--print: write line, headers, full or json" },
		{ { "--relay", "smtp://mx", "--keep", "5" },
		  "--keep, --max-age and --max-size go with --catch; in a file they are options of "
		  "an inbox" },
		{ { "--catch", "--exit-after", "0" },
		  "--exit-after: write a number of messages, 1 or more" },
		{ { "--catch", "--exit-after", "1x" },
		  "--exit-after: write a number of messages, 1 or more" },
		{ { "--relay", "smtp://mx", "--rate", "10" },
		  "--rate: write a rate such as \"14/s\", \"30 messages/min\", \"50000 "
		  "recipients/d\", "
		  "\"100/15min\" or \"14/s burst 28\"" },
		{ { "--relay", "mx:587" },
		  "--relay: provider \"smarthost\": url: write a URL that begins with smtp://, "
		  "smtp+tls://, smtps://, smtp+notls://, inbox: or discard:" },
		{ { "--relay", "smtp+notls://u@mx", "--password-file", "secret" },
		  "--relay: provider \"smarthost\": url: a login goes over verified TLS only: "
		  "write "
		  "smtp+tls:// or smtps:// instead of smtp+notls://, or remove the login" },
		{ { "--catch", "--smtp", "1025" },
		  "--smtp: listen \"1025\": write an address and a port such as \"127.0.0.1:25\", "
		  "\"[::1]:25\" or \"localhost:25\", or \"unix:/path\"" },
		{ { "--catch", "--smtp", "127.0.0.1:1", "--smtp", "127.0.0.1:1" },
		  "--smtp: listen \"127.0.0.1:1\": the same address is written twice: keep one of "
		  "them" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		config_case_command_refused(cases[i].words, cases[i].message);
}

static void without_a_file(void **state)
{
	struct config_case c;

	(void)state;
	if (geteuid() ==
	    0) /* root's default file is the system's: what it says is not known here */
		return;
	config_case_command(&c, WORDS("-F"), NULL);
	assert_int_equal(c.rc, -1);
	assert_non_null(strstr(bytes_text(&c.error), "/.config/penstock/penstock.conf: there is no "
	                                             "such file: write it"));
	config_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(catches),
		cmocka_unit_test(catches_elsewhere),
		cmocka_unit_test(catches_with_a_relay),
		cmocka_unit_test(relays),
		cmocka_unit_test(relays_with_a_variable),
		cmocka_unit_test(changes_a_file),
		cmocka_unit_test(refused),
		cmocka_unit_test(without_a_file),
	};

	return cmocka_run_group_tests(tests, config_case_enter, config_case_leave);
}
