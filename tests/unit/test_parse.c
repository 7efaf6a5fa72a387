/* SPDX-License-Identifier: ISC */
/* test_parse.c - the language: what a text means, and the exact words for what is wrong,
 * libconfuse's traps among it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "config_case.h"

/* A configuration that is complete but for what a case adds. */
#define P "provider \"p\" { url = \"smtp://mx:587\" }\n"

static const char whole[] =
	"# A comment, and another one\n"
	"hostname = \"relay.example.net\"  // one at the end\n"
	"workers = 3\n"
	"stop-timeout = \"10s\" /* over\n"
	"two lines */\n"
	"spool { path = \"/var/tmp/spool\"  max-size = \"2GiB\" }\n"
	"listen \"127.0.0.1:2525\" {\n"
	"  relay-from = { \"127.0.0.0/8\", # here\n"
	"                 '10.0.0.0/8' }\n"
	"  max-message-size = \"1MiB\"  max-recipients = 200\n"
	"  max-connections = 20  max-connections-per-client = 10\n"
	"  idle-timeout = \"1min\"  bare-newline = \"reject\"\n"
	"}\n"
	"listen \"unix:/tmp/x.sock\" { }\n"
	"provider \"ses\" {\n"
	"  url = \"smtp://mx.example.net:587\"\n"
	"  login = \"AKIA\"  password-file = \"secret\"\n"
	"  tls-verify = \"pin:sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"\n"
	"  connections = 4  messages-per-connection = 50  recipients-per-message = 20\n"
	"  pipeline = 5  connect-timeout = \"10s\"  idle-timeout = \"30s\"\n"
	"  connection-age = \"10min\"  tls-min-version = \"1.3\"\n"
	"  tls-certificate = \"/dev/null\"  tls-key = \"/dev/null\"\n"
	"  rate = { \"14/s burst 28\" }\n"
	"  rate += { \"50000 recipients/d\" }\n"
	"}\n"
	"provider \"sink\" { url = \"discard:?delay=5ms\" }\n"
	"route \"bulk\" {\n"
	"  sender = { \"*@news.example.com\" }  recipient = { \"*\" }  login = { \"crm\" }\n"
	"  listener = { \"*\" }  via = { \"ses\", \"sink\" }  priority = -3\n"
	"  retry = { \"1min\", \"2h\" }  expire = \"2d\"  bounce = \"log\"  hold = true\n"
	"}\n"
	"route \"rest\" { }\n"
	"bounces { from = \"bounce@example.net\"  return = \"full\" }\n"
	"control { socket = \"/tmp/penstock/control.sock\" }\n"
	"inbox \"qa\" { keep = 0 }\n"
	"log { format = \"json\"  level = \"debug\"  target = \"syslog\" }\n";

static void check_whole_listeners(const struct settings *s)
{
	const struct listener_settings *l = &s->listeners[0];
	static const unsigned char ten[] = { 10, 0, 0, 0 };

	assert_int_equal(s->listener_count, 3);
	assert_string_equal(l->name, "127.0.0.1:2525");
	assert_string_equal(l->address, "127.0.0.1");
	assert_int_equal(l->port, 2525);
	assert_int_equal(l->tls, LISTENER_TLS_OFF);
	assert_int_equal(l->relay_from_count, 2);
	assert_int_equal(l->relay_from[1].family, AF_INET);
	assert_int_equal(l->relay_from[1].prefix, 8);
	assert_memory_equal(l->relay_from[1].address, ten, 4);
	assert_int_equal(l->max_message_size, 1 << 20);
	assert_int_equal(l->max_recipients, 200);
	assert_int_equal(l->max_connections, 20);
	assert_int_equal(l->max_connections_per_client, 10);
	assert_int_equal(l->idle_timeout_us, CLOCK_MIN);
	assert_true(l->reject_bare_newline);
	assert_true(s->listeners[1].is_unix);
	assert_false(s->listeners[1].local_submission);
	assert_string_equal(s->listeners[1].address, "/tmp/x.sock");
	assert_true(s->listeners[2].local_submission);
	assert_string_equal(s->listeners[2].address, "/tmp/penstock/smtp.sock");
}

static void check_whole_providers(const struct settings *s)
{
	const struct provider_settings *p = settings_provider(s, "ses");

	assert_int_equal(s->provider_count, 4);
	assert_ptr_equal(p, &s->providers[0]);
	assert_string_equal(p->host, "mx.example.net");
	assert_int_equal(p->port, 587);
	assert_int_equal(p->tls, PROVIDER_TLS_STARTTLS);
	assert_int_equal(p->verify, TLS_VERIFY_PIN);
	assert_string_equal(p->tls_pin, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
	assert_true(p->tls_1_3);
	assert_string_equal(p->tls_certificate, "/dev/null");
	assert_string_equal(p->tls_key, "/dev/null");
	assert_string_equal(p->login, "AKIA");
	assert_string_equal(p->password, "open sesame");
	assert_int_equal(p->connections, 4);
	assert_int_equal(p->messages_per_connection, 50);
	assert_int_equal(p->recipients_per_message, 20);
	assert_int_equal(p->pipeline, 5);
	assert_int_equal(p->connect_timeout_us, 10 * CLOCK_SEC);
	assert_int_equal(p->idle_timeout_us, 30 * CLOCK_SEC);
	assert_int_equal(p->connection_age_us, 10 * CLOCK_MIN);
	assert_int_equal(p->rate_count, 2);
	assert_int_equal(p->rates[0].burst, 28);
	assert_int_equal(p->rates[1].unit, RATE_RECIPIENTS);
	assert_int_equal(s->providers[1].kind, PROVIDER_DISCARD);
	assert_int_equal(s->providers[1].discard_delay_us, 5 * CLOCK_MS);
	assert_int_equal(settings_provider(s, "inbox")->kind, PROVIDER_INBOX);
	assert_string_equal(settings_provider(s, "inbox")->inbox, "default");
	assert_int_equal(settings_provider(s, "discard")->kind, PROVIDER_DISCARD);
	assert_null(settings_provider(s, "none"));
}

static void check_whole_routes(const struct settings *s)
{
	const struct route_settings *r = &s->routes[0];

	assert_int_equal(s->route_count, 2);
	assert_string_equal(r->sender.items[0], "*@news.example.com");
	assert_string_equal(r->recipient.items[0], "*");
	assert_string_equal(r->login.items[0], "crm");
	assert_string_equal(r->listener.items[0], "*");
	assert_int_equal(r->via.count, 2);
	assert_string_equal(r->via.items[1], "sink");
	assert_int_equal(r->priority, -3);
	assert_int_equal(r->retry_count, 2);
	assert_int_equal(r->retry_us[1], 2 * CLOCK_HOUR);
	assert_int_equal(r->expire_us, 2 * CLOCK_DAY);
	assert_false(r->bounce_to_sender);
	assert_true(r->hold);
	r = &s->routes[1]; /* everything written, in order */
	assert_int_equal(r->via.count, 2);
	assert_string_equal(r->via.items[0], "ses");
	assert_int_equal(r->retry_count, 4);
	assert_int_equal(r->expire_us, 5 * CLOCK_DAY);
	assert_true(r->bounce_to_sender);
}

static void reads_the_whole_language(void **state)
{
	struct config_case c;
	const struct settings *s;

	(void)state;
	config_case_write("secret", "open sesame\n", 0600);
	config_case_load(&c, whole);
	assert_string_equal(bytes_text(&c.error), "");
	s = c.settings;
	assert_int_equal(s->mode, MODE_RELAY);
	assert_string_equal(s->file, "t.conf");
	assert_string_equal(s->hostname, "relay.example.net");
	assert_int_equal(s->workers, 3);
	assert_int_equal(s->stop_timeout_us, 10 * CLOCK_SEC);
	assert_string_equal(s->spool_path, "/var/tmp/spool");
	assert_int_equal(s->spool_max_size, UINT64_C(2) << 30);
	check_whole_listeners(s);
	check_whole_providers(s);
	check_whole_routes(s);
	assert_string_equal(s->bounce_from, "bounce@example.net");
	assert_true(s->bounce_full);
	assert_string_equal(s->control_socket, "/tmp/penstock/control.sock");
	assert_string_equal(s->local_socket, "/tmp/penstock/smtp.sock");
	assert_int_equal(s->inbox_count, 2);
	assert_int_equal(s->inboxes[0].keep, 0);
	assert_string_equal(s->inboxes[1].name, "default");
	assert_int_equal(s->inboxes[1].keep, 500);
	assert_int_equal(s->log_format, LOG_FORMAT_JSON);
	assert_int_equal(s->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(s->log_target, LOG_TO_SYSLOG);
	config_case_release(&c);
}

static void one_line_is_a_relay(void **state)
{
	struct config_case c;

	(void)state;
	config_case_load(&c, P);
	assert_int_equal(c.rc, 0);
	assert_int_equal(c.settings->route_count, 1);
	assert_string_equal(c.settings->routes[0].name, "default");
	assert_string_equal(c.settings->routes[0].via.items[0], "p");
	assert_int_equal(c.settings->providers[0].connections, 10);
	assert_int_equal(c.settings->listeners[0].relay_from_count, 2);
	assert_int_equal(c.settings->listeners[0].max_message_size, 50 << 20);
	config_case_release(&c);
}

struct refusal {
	const char *text, *message;
};

static void refuse_all(const struct refusal *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		config_case_refused(cases[i].text, cases[i].message);
}
#define REFUSE(cases) refuse_all(cases, sizeof(cases) / sizeof((cases)[0]))

/* The line is right whatever comments stand before it. */
static void lines_are_right(void **state)
{
	static const struct refusal cases[] = {
		{ "# a\n# b\n# c\nworkers = \"x\"\n",
		  "t.conf:4: workers = \"x\": write a number from 0 to 256" },
		{ "// a\n/* b\n\n*/ # c\nworkers = \"x\"\n",
		  "t.conf:5: workers = \"x\": write a number from 0 to 256" },
		{ "hostname = \"a#b//c/*d\"\nworkers = \"x\"\n",
		  "t.conf:2: workers = \"x\": write a number from 0 to 256" },
		{ "hostname = 'a\\'#b'\nworkers = \"x\"\n",
		  "t.conf:2: workers = \"x\": write a number from 0 to 256" },
		{ "hostname = \"a\\\"#b\"\nworkers = \"x\"\n",
		  "t.conf:2: workers = \"x\": write a number from 0 to 256" },
		{ "route \"r\" {\n via = { # one\n \"p\", # two\n \"q\" }\n priority = 10\n}\n",
		  "t.conf:5: route \"r\": priority = \"10\": write a number from -9 to 9" },
		{ "\r\n\r\nworkers = 300\r\n",
		  "t.conf:3: workers = \"300\": write a number from 0 to 256" },
		{ "\n\n\nlisten \"x\" {\n}\n" P,
		  "t.conf:4: listen \"x\": write an address and a port such as \"127.0.0.1:25\", "
		  "\"[::1]:25\" or \"localhost:25\", or \"unix:/path\"" },
		{ "# a\n" P "\n\nlisten \"127.0.0.1:1\" {\n tls\n =\n \"offf\" }\n",
		  "t.conf:8: listen \"127.0.0.1:1\": tls = \"offf\": write \"off\" or \"starttls\" "
		  "or \"required\" or \"implicit\"" },
	};

	(void)state;
	REFUSE(cases);
}

static void unknown_and_repeated(void **state)
{
	static const struct refusal cases[] = {
		{ "hostnme = \"x\"\n", "t.conf:1: unknown option hostnme: did you mean hostname?" },
		{ "zzz = \"x\"\n",
		  "t.conf:1: unknown option zzz: penstock.conf(5) lists those there "
		  "are" },
		{ "listen \"a:1\" {\n max-recipient = 3\n}\n",
		  "t.conf:2: unknown option max-recipient in listen: did you mean "
		  "max-recipients?" },
		{ "provder \"p\" { }\n",
		  "t.conf:1: unknown option provder: did you mean provider?" },
		{ "include(\"x\")\n",
		  "t.conf:1: unknown option include: penstock.conf(5) lists those "
		  "there are" },
		{ "workers = 1\nworkers = 2\n",
		  "t.conf:2: workers: is written twice, first on line 1: keep one of them" },
		{ "provider \"p\" {\n url = \"smtp://a\"\n\n url = \"smtp://b\"\n}\n",
		  "t.conf:4: provider \"p\": url: is written twice, first on line 2: keep one of "
		  "them" },
		{ "provider \"p\" {\n rate = { \"1/s\", \"2/s\" }\n rate = { \"3/s\" }\n}\n",
		  "t.conf:3: provider \"p\": rate: is written twice, first on line 2: keep one of "
		  "them" },
		{ P P,
		  "t.conf:2: the name \"p\" is taken by an earlier section of this kind: choose "
		  "another" },
		{ "spool { }\nspool { }\n",
		  "t.conf:2: spool is written twice, first on line 1: write all its options in one "
		  "place" },
		{ "spool { path = \"/a\" }\n\nspool {\n path = \"/b\"\n}\n",
		  "t.conf:4: spool: path: is written twice, first on line 1: keep one of them\n"
		  "t.conf:3: spool is written twice, first on line 1: write all its options in one "
		  "place" },
	};

	(void)state;
	REFUSE(cases);
}

static void not_supported_yet(void **state)
{
	static const struct refusal cases[] = {};

	(void)state;
	REFUSE(cases);
}

/* What libconfuse would take in silence, or read as something else. */
static void traps(void **state)
{
	static const struct refusal cases[] = {
		{ "listen *:25 { }\n", "t.conf:1: write this in quotes: \"*:25\"" },
		{ "hostname = a+b@c\n", "t.conf:1: write this in quotes: \"a+b@c\"" },
		{ "provider \"p\" { url = smtp://mx }\n",
		  "t.conf:1: write this in quotes: \"smtp://mx\"" },
		{ "hostname = ${HOSTNAME}\n", "t.conf:1: write this in quotes: \"${HOSTNAME}\"" },
		{ "route \"r\" { sender = { *@x } }\n", "t.conf:1: write this in quotes: \"*@x\"" },
		{ "workers = 2;\n", "t.conf:1: write this in quotes: \"2;\"" },
		{ "workers = 2 ;\n", "t.conf:1: a ; has no place here: remove it" },
		{ "workers = 010\n", "t.conf:1: workers = \"010\": write a number from 0 to 256" },
		{ "workers = 0x10\n",
		  "t.conf:1: workers = \"0x10\": write a number from 0 to 256" },
		{ "workers = \"\"\n", "t.conf:1: workers: is empty (an unset ${VARIABLE} is empty, "
		                      "too)" },
		{ "hostname = \"${PENSTOCK_TEST_UNSET}\"\n",
		  "t.conf:1: hostname: is empty (an unset ${VARIABLE} is empty, too)" },
		{ "hostname = \"a\nb\"\nworkers = -1\n",
		  "t.conf:2: hostname: holds a line break or another control character\n"
		  "t.conf:3: workers = \"-1\": write a number from 0 to 256" },
		{ "\nprovider \"p\" {\n url = \"smtp://mx\"\n",
		  "t.conf:2: this section is never closed: write } at its end" },
		{ "}\n", "t.conf:1: this } closes nothing" },
		{ "hostname = \"x\n\n", "t.conf:1: the text that begins here has no closing \"" },
		{ "\nhostname = 'x\n", "t.conf:2: the text that begins here has no closing '" },
		{ "\n/* x\n", "t.conf:2: this comment is never closed: write */ at its end" },
		{ "/*/", "t.conf:1: this comment is never closed: write */ at its end" },
		{ "route \"r\" {\n via = { }\n}\n",
		  "t.conf:2: this list is empty: leave the option out, or write one value at "
		  "least" },
		{ "route \"r\" {\n via = { \"a\" \n",
		  "t.conf:1: this section is never closed: write } at its end" },
		{ "provider \"\" { url = \"smtp://mx\" }\n",
		  "t.conf:1: provider \"\": write a name of letters, digits and . _ -, at most 64 "
		  "of "
		  "them" },
	};

	(void)state;
	REFUSE(cases);
}

static void no_sentence_of_the_language(void **state)
{
#define WHERE                                                                           \
	": an option has one value, or a list { \"a\", \"b\" } where penstock.conf(5) " \
	"says so"
	static const struct refusal cases[] = {
		{ "hostname \"x\"\n", "t.conf:1: missing equal sign after option 'hostname': write "
		                      "NAME = \"VALUE\"" },
		{ "provider { }\n",
		  "t.conf:1: missing title for section 'provider': write a name in "
		  "quotes after it" },
		{ "spool = \"x\"\n", "t.conf:1: missing opening brace for section 'spool': write { "
		                     "after it" },
		{ "hostname = { \"x\" }\n", "t.conf:1: unexpected token '{'" WHERE },
		{ "provider \"p\" { rate = \"1/s\", \"2/s\" }\n",
		  "t.conf:1: unexpected token ','" WHERE },
		{ "hostname =\n", "t.conf:2: premature end of file" },
		{ "hostname = \"x\" \"y\"\n",
		  "t.conf:1: unknown option y: penstock.conf(5) lists those there are" },
	};

	(void)state;
	REFUSE(cases);
}

static void values(void **state)
{
	static const struct refusal cases[] = {
		{ "stop-timeout = \"2h\"\n",
		  "t.conf:1: stop-timeout = \"2h\": write a duration from 0s to 1h" },
		{ "spool { max-size = \"1KiB\" }\n",
		  "t.conf:1: spool: max-size = \"1KiB\": write a size of at least 1MiB" },
		{ "listen \"a:1\" { max-message-size = \"2TiB\" }\n",
		  "t.conf:1: listen \"a:1\": max-message-size = \"2TiB\": write a size of at least "
		  "1KiB and at most 1TiB" },
		{ "listen \"a:1\" { open-relay = \"maybe\" }\n",
		  "t.conf:1: listen \"a:1\": open-relay = \"maybe\": write true or false" },
		{ "listen \"a:1\" { relay-from = { \"10.0.0.0/8\", \"10.1.1.1/8\" } }\n",
		  "t.conf:1: listen \"a:1\": relay-from = \"10.1.1.1/8\": the address has bits "
		  "beyond "
		  "the prefix: shorten it (\"10.0.0.0/8\", not \"10.1.2.3/8\") or lengthen the "
		  "prefix" },
		{ "listen \"a:1\" { max-connections = 0 }\n",
		  "t.conf:1: listen \"a:1\": max-connections = \"0\": write a number from 1 to "
		  "1000000" },
		{ "provider \"p\" { tls-verify = \"none\" }\n",
		  "t.conf:1: provider \"p\": tls-verify = \"none\": write \"full\", \"ca\", "
		  "\"off\" or "
		  "\"pin:sha256/\" and the base64 SHA-256 of the server's public key" },
		{ "provider \"p\" { tls-verify = \"pin:sha256/abcd\" }\n",
		  "t.conf:1: provider \"p\": tls-verify = \"pin:sha256/abcd\": write \"full\", "
		  "\"ca\", "
		  "\"off\" or \"pin:sha256/\" and the base64 SHA-256 of the server's public key" },
		{ "log { level = \"loud\" }\nworkers = x\n",
		  "t.conf:1: log: level = \"loud\": write \"error\" or \"warning\" or \"info\" or "
		  "\"debug\"\n"
		  "t.conf:2: workers = \"x\": write a number from 0 to 256" },
	};

	(void)state;
	REFUSE(cases);
}

/* No message repeats what may be a secret. */
static void passwords(void **state)
{
	static const char *const texts[] = {
		"provider \"p\" { url = \"smtp://u:s3cr3t@mx\" }\n",
		"provider \"p\" { password = \"s3cr3t\" }\n",
		"provider \"p\" { url = \"smtp://u@mx\"  password-command = \"/s3cr3t\" }\n",
		"provider \"p\" { password = \"s3cr3t\"  password = \"s3cr3t\" }\n",
		"provider \"p\" { url = \"smtp://u:s3cr3t\n@mx\" }\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config_case c;
		config_case_load(&c, texts[i]);
		assert_int_equal(c.rc, -1);
		assert_null(strstr(bytes_text(&c.error), "s3cr3t"));
		config_case_release(&c);
	}
	config_case_refused(texts[1], "t.conf:1: provider \"p\": password: a password does not "
	                              "belong in this file: write password-file = \"FILE\" or "
	                              "password-env = \"NAME\"");
}

static void errors_are_bounded(void **state)
{
	struct bytes text = { 0 };
	struct config_case c;
	size_t lines = 1;

	(void)state;
	for (int i = 0; i < 100; i++)
		bytes_printf(&text, "inbox \"i%d\" { keep = x }\n", i);
	config_case_load(&c, bytes_text(&text));
	assert_int_equal(c.rc, -1);
	for (const char *p = bytes_text(&c.error); (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, 21);
	assert_non_null(strstr(bytes_text(&c.error), "\nfurther errors are not shown"));
	config_case_release(&c);
	bytes_release(&text);
}

/* libconfuse's lexer is global: an error in one load must not spoil the next. */
static void loads_again_after_an_error(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++) {
		config_case_refused("workers = x\nhostname\n",
		                    "t.conf:1: workers = \"x\": write a number from 0 to 256\n"
		                    "t.conf:3: premature end of file");
		config_case_taken(P, NULL);
	}
}

static void files(void **state)
{
	struct overrides over = { .file = "absent.conf" };
	struct bytes error = { 0 }, notes = { 0 };
	struct settings *s = NULL;

	(void)state;
	assert_int_equal(settings_load(&s, &over, &error, &notes), -1);
	assert_string_equal(bytes_text(&error),
	                    "absent.conf: cannot be read: No such file or directory");
	bytes_clear(&error);
	over.file = "/";
	assert_int_equal(settings_load(&s, &over, &error, &notes), -1);
	assert_string_equal(bytes_text(&error), "/: cannot be read: Is a directory");
	bytes_release(&error);
	bytes_release(&notes);
	config_case_refused("", "t.conf: there is no provider to hand mail to: write provider "
	                        "\"smarthost\" { url = \"smtp://USER@HOST:587\"  password-file = "
	                        "\"FILE\" }");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_whole_language),
		cmocka_unit_test(one_line_is_a_relay),
		cmocka_unit_test(lines_are_right),
		cmocka_unit_test(unknown_and_repeated),
		cmocka_unit_test(not_supported_yet),
		cmocka_unit_test(traps),
		cmocka_unit_test(no_sentence_of_the_language),
		cmocka_unit_test(values),
		cmocka_unit_test(passwords),
		cmocka_unit_test(errors_are_bounded),
		cmocka_unit_test(loads_again_after_an_error),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, config_case_enter, config_case_leave);
}
