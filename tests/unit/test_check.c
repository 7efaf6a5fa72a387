/* SPDX-License-Identifier: ISC */
/* test_check.c - listeners, paths and names: what may run, what is noted, what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config_case.h"

#define P              "provider \"p\" { url = \"smtp://mx:587\" }\n"
#define LISTEN(inside) P "listen \"127.0.0.1:2525\" {\n " inside "\n}\n"
#define PEM            "certificate = \"cert.pem\"  key = \"key.pem\""

static int enter(void **state)
{
	if (config_case_enter(state) != 0)
		return -1;
	config_case_write("cert.pem", "x", 0600);
	config_case_write("key.pem", "x", 0600);
	return 0;
}

static void proxies(void **state)
{
	(void)state;
	config_case_taken(LISTEN("proxy-protocol = true\n proxy-from = { \"127.0.0.0/8\" }"), NULL);
	config_case_taken(P "listen \"unix:/tmp/p.sock\" { proxy-protocol = true }\n", NULL);
	config_case_taken(LISTEN("proxy-from = { \"10.0.0.1\" }"),
	                  "proxy-from: is not used: proxy-protocol is false\n");
	config_case_refused(LISTEN("proxy-protocol = true"),
	                    "t.conf:3: listen \"127.0.0.1:2525\": proxy-protocol: says who the "
	                    "client is, so name the proxies that may: write proxy-from = { "
	                    "\"127.0.0.0/8\" }");
	config_case_refused(LISTEN("proxy-protocol = true\n proxy-from = { \"::/0\" }"),
	                    "t.conf:4: listen \"127.0.0.1:2525\": proxy-from: names every "
	                    "address, so that everybody may say to be this host: name the "
	                    "proxies only");
}

static void relay_from(void **state)
{
	static const struct {
		const char *text, *note;
	} good[] = {
		{ LISTEN("relay-from = { \"127.0.0.0/8\", \"::1\", \"127.3.0.0/16\" }"), NULL },
		{ LISTEN("relay-from = { \"10.0.0.0/8\" }"),
		  "t.conf:3: listen \"127.0.0.1:2525\": relay-from: every host of 10.0.0.0/8 may "
		  "relay without a login\n" },
		{ LISTEN("relay-from = { \"192.168.1.0/24\" }"),
		  "every host of 192.168.1.0/24 may" },
		{ LISTEN("relay-from = { \"172.17.0.2\" }"), "every host of 172.17.0.2 may" },
		{ LISTEN("relay-from = { \"fd12::/16\" }"), "every host of fd12::/16 may" },
		{ LISTEN("relay-from = { \"0.0.0.0/0\" }\n open-relay = true"),
		  "t.conf:3: listen \"127.0.0.1:2525\": relay-from: open relay: every host of "
		  "0.0.0.0/0 may relay without a login\n" },
	};
	static const char *const public[] = { "0.0.0.0/0",     "8.8.8.8",       "10.0.0.0/7",
		                              "::/0",          "2001:db8::/32", "172.0.0.0/8",
		                              "192.168.0.0/15" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		config_case_taken(good[i].text, good[i].note);
	for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++) {
		struct bytes text = { 0 }, message = { 0 };
		bytes_printf(&text, P "listen \"127.0.0.1:2525\" { relay-from = { \"%s\" } }\n",
		             public[i]);
		bytes_printf(&message,
		             "t.conf:2: listen \"127.0.0.1:2525\": relay-from: %s is public: this "
		             "would be an open relay: name only networks of your own, or write "
		             "open-relay = true if that is what you want",
		             public[i]);
		config_case_refused(bytes_text(&text), bytes_text(&message));
		bytes_release(&text);
		bytes_release(&message);
	}
}

static void certificates(void **state)
{
#define NEEDS                                                                               \
	"t.conf:3: listen \"127.0.0.1:2525\": tls: needs a certificate: write certificate " \
	"= \"FILE\" and key = \"FILE\""
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ LISTEN("tls = \"starttls\""), NEEDS },
		{ LISTEN("tls = \"required\""), NEEDS },
		{ LISTEN("tls = \"implicit\""), NEEDS },
		{ P "listen \"127.0.0.1:465\" { tls = \"off\" }\n",
		  "t.conf:2: listen \"127.0.0.1:465\": tls: needs a certificate: write certificate "
		  "= "
		  "\"FILE\" and key = \"FILE\" (ports 465 and 2465 are always TLS)" },
		{ LISTEN("certificate = \"cert.pem\""),
		  "t.conf:3: listen \"127.0.0.1:2525\": certificate: goes with key: write the "
		  "key's "
		  "file, too (it may be the same file)" },
		{ LISTEN("key = \"key.pem\""),
		  "t.conf:3: listen \"127.0.0.1:2525\": key: goes with certificate: write the "
		  "certificate's file, too" },
		{ LISTEN("certificate = \"cert.pem\"\n key = \"none.pem\""),
		  "t.conf:4: listen \"127.0.0.1:2525\": key: none.pem cannot be read: No such file "
		  "or "
		  "directory" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		config_case_refused(bad[i].text, bad[i].message);
	config_case_taken(LISTEN("tls = \"off\" " PEM),
	                  "t.conf:3: listen \"127.0.0.1:2525\": certificate: is not used: tls is "
	                  "\"off\"\n");
}

/* The kind of TLS follows from the port before anything that is written. */
static void listener_tls(void **state)
{
	static const struct {
		const char *text;
		enum listener_tls tls;
	} cases[] = {
		{ LISTEN(""), LISTENER_TLS_OFF },
		{ LISTEN(PEM), LISTENER_TLS_STARTTLS },
		{ LISTEN("tls = \"required\" " PEM), LISTENER_TLS_REQUIRED },
		{ P "listen \"127.0.0.1:465\" { " PEM " }\n", LISTENER_TLS_IMPLICIT },
		{ P "listen \"127.0.0.1:465\" { tls = \"starttls\" " PEM " }\n",
		  LISTENER_TLS_IMPLICIT },
		{ P "listen \"[::1]:2465\" { tls = \"off\" " PEM " }\n", LISTENER_TLS_IMPLICIT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config_case c;
		config_case_load(&c, cases[i].text);
		assert_string_equal(bytes_text(&c.error), "");
		assert_int_equal(c.settings->listeners[0].tls, cases[i].tls);
		config_case_release(&c);
	}
}

static void listeners(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ P "listen \"localhost:25\" { }\nlisten \"LOCALHOST:25\" { }\n",
		  "t.conf:3: listen \"LOCALHOST:25\": the same address is written twice: keep one "
		  "of "
		  "them" },
		{ P "control { socket = \"/tmp/q/control.sock\" }\nlisten "
		    "\"unix:/tmp/q/smtp.sock\" { "
		    "}\n",
		  "t.conf:3: listen \"unix:/tmp/q/smtp.sock\": this socket is always there, "
		  "without a "
		  "section of its own" },
		{ LISTEN("auth = \"any\""),
		  "t.conf:3: listen \"127.0.0.1:2525\": auth: \"any\" accepts every login and goes "
		  "with --catch only: write auth = \"off\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		config_case_refused(bad[i].text, bad[i].message);
	config_case_taken(P "listen \"127.0.0.1:0\" { }\nlisten \"localhost:0\" { }\n", NULL);
	config_case_taken(LISTEN("max-recipients = 99"),
	                  "t.conf:3: listen \"127.0.0.1:2525\": max-recipients: is below the 100 "
	                  "that RFC 5321 asks for\n");
}

/* The listener's socket is the longer one; both must fit into an address. */
static void socket_paths(void **state)
{
	struct bytes path = { 0 }, text = { 0 }, message = { 0 };

	(void)state;
	bytes_append_text(&path, "/tmp/");
	while (path.length < 97)
		bytes_append_char(&path, 'x');
	bytes_printf(&text, P "control { socket = \"%s\" }\n", bytes_text(&path));
	config_case_taken(bytes_text(&text), NULL);
	bytes_append_char(&path, 'x');
	bytes_clear(&text);
	bytes_printf(&text, P "control { socket = \"%s\" }\n", bytes_text(&path));
	bytes_printf(&message,
	             "t.conf:2: control: socket: %s is too long for a socket: write a path of at "
	             "most 97 bytes",
	             bytes_text(&path));
	config_case_refused(bytes_text(&text), bytes_text(&message));
	bytes_release(&path);
	bytes_release(&text);
	bytes_release(&message);
}

static void places_and_names(void **state)
{
	static const struct {
		const char *text, *message;
	} bad[] = {
		{ P "spool { path = \"spool\" }\n",
		  "t.conf:2: spool: path: write an absolute path, one that begins with /" },
		{ P "control { socket = \"x.sock\" }\n",
		  "t.conf:2: control: socket: write an absolute path, one that begins with /" },
		{ P "user = \"no-such-user-here\"\n",
		  "t.conf:2: user: there is no account \"no-such-user-here\": create it, or name "
		  "another" },
		{ P "hostname = \"a b\"\n",
		  "t.conf:2: hostname: \"a b\" is no host name: write one "
		  "such as \"relay.example.net\"" },
		{ P "hostname = \"a..b\"\n",
		  "t.conf:2: hostname: \"a..b\" is no host name: write one "
		  "such as \"relay.example.net\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		config_case_refused(bad[i].text, bad[i].message);
	config_case_taken(P "user = \"root\"\n", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relay_from),       cmocka_unit_test(certificates),
		cmocka_unit_test(proxies),          cmocka_unit_test(certificates),
		cmocka_unit_test(listener_tls),     cmocka_unit_test(listeners),
		cmocka_unit_test(places_and_names), cmocka_unit_test(socket_paths),
	};

	return cmocka_run_group_tests(tests, enter, config_case_leave);
}
