/* SPDX-License-Identifier: ISC */
/* test_endpoints.c - networks, listen addresses and provider URLs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/private.h"
#include "config/values.h"

static void networks(void **state)
{
	static const struct {
		const char *network, *inside, *outside, *written;
	} good[] = {
		{ "127.0.0.0/8", "127.255.0.1", "128.0.0.1", "127.0.0.0/8" },
		{ "10.1.2.3", "10.1.2.3", "10.1.2.4", "10.1.2.3" },
		{ "172.16.0.0/12", "172.31.255.255", "172.32.0.0", "172.16.0.0/12" },
		{ "0.0.0.0/0", "8.8.8.8", "::2", "0.0.0.0/0" },
		{ "::1", "::1", "::2", "::1" },
		{ "fe80::/10", "febf::1", "fec0::1", "fe80::/10" },
		{ "fd00::/8", "fdff::", "fe00::", "fd00::/8" },
		{ "::/0", "2001:db8::1", "1.2.3.4", "::/0" },
		{ "::ffff:10.0.0.0/104", "10.255.0.1", "11.0.0.0", "10.0.0.0/8" },
		{ "10.0.0.0/8", "::ffff:10.9.8.7", "::ffff:11.0.0.0", "10.0.0.0/8" },
	};
	struct bytes out = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct network net;
		unsigned char address[16];
		const char *error;
		int family;

		assert_int_equal(network_parse(&net, good[i].network, &error), 0);
		family = strchr(good[i].inside, ':') == NULL ? AF_INET : AF_INET6;
		assert_int_equal(inet_pton(family, good[i].inside, address), 1);
		assert_true(network_contains(&net, family, address));
		family = strchr(good[i].outside, ':') == NULL ? AF_INET : AF_INET6;
		assert_int_equal(inet_pton(family, good[i].outside, address), 1);
		assert_false(network_contains(&net, family, address));
		bytes_clear(&out);
		network_format(&net, &out);
		assert_string_equal(bytes_text(&out), good[i].written);
	}
	bytes_release(&out);
}

static void networks_refused(void **state)
{
	static const char *const form[] = {
		"",        "localhost",  "10.0.0.0/33", "10.0.0.0/",   "10.0.0/8",
		"::1/129", "1.2.3.4/08", "1.2.3.4 ",    "10.0.0.0/-1", "10.0.0.0/8/8"
	};
	static const char *const bits[] = { "10.1.2.3/8", "127.0.0.1/8", "fe80::1/10",
		                            "1.2.3.4/0" };
	const char *error;
	struct network net;

	(void)state;
	for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
		assert_int_equal(network_parse(&net, form[i], &error), -1);
		assert_string_equal(error, "write an address or a network such as "
		                           "\"127.0.0.0/8\", \"::1\" or \"fd00::/8\"");
	}
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		assert_int_equal(network_parse(&net, bits[i], &error), -1);
		assert_string_equal(error, "the address has bits beyond the prefix: shorten it "
		                           "(\"10.0.0.0/8\", not \"10.1.2.3/8\") or lengthen the "
		                           "prefix");
	}
}

static void listener_release(struct listener_settings *l)
{
	free(l->name);
	free(l->address);
	memset(l, 0, sizeof(*l));
}

static void listeners(void **state)
{
	static const struct {
		const char *text, *address;
		uint16_t port;
		bool is_unix;
	} good[] = {
		{ "127.0.0.1:25", "127.0.0.1", 25, false },
		{ "[::1]:25", "::1", 25, false },
		{ "localhost:65535", "localhost", 65535, false },
		{ "0.0.0.0:0", "0.0.0.0", 0, false },
		{ "mail-1.example.net:2525", "mail-1.example.net", 2525, false },
		{ "unix:/run/penstock/smtp.sock", "/run/penstock/smtp.sock", 0, true },
	};
	struct listener_settings l = { 0 };
	const char *error;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(listen_parse(&l, good[i].text, &error), 0);
		assert_string_equal(l.name, good[i].text);
		assert_string_equal(l.address, good[i].address);
		assert_int_equal(l.port, good[i].port);
		assert_int_equal(l.is_unix, good[i].is_unix);
		/* A title is parsed out of its own field, too. */
		assert_int_equal(listen_parse(&l, l.name, &error), 0);
		assert_string_equal(l.name, good[i].text);
	}
	listener_release(&l);
}

static void listeners_refused(void **state)
{
	static const char *const bad[] = {
		"",         ":25",    "25",      "127.0.0.1", "127.0.0.1:",    "127.0.0.1:65536",
		"::1:25",   "[::1]",  "[::1:25", "[::1]25",   "*:25",          "127.0.0.1:25x",
		"1.2.3:25", "a b:25", "-a:25",   "a..b:25",   "127.0.0.1:025", "[127.0.0.1]:25",
	};
	static const char *const sockets[] = {
		"unix:",
		"unix:relative",
		("unix:/"
		 "1234567890123456789012345678901234567890123456789012345678901234567890123456"
		 "78901234567890123456789012345678"),
	};
	struct listener_settings l = { 0 };
	const char *error;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(listen_parse(&l, bad[i], &error), -1);
		assert_string_equal(error, "write an address and a port such as \"127.0.0.1:25\", "
		                           "\"[::1]:25\" or \"localhost:25\", or \"unix:/path\"");
	}
	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		assert_int_equal(listen_parse(&l, sockets[i], &error), -1);
		assert_string_equal(error,
		                    "write a Unix socket as \"unix:/absolute/path\", at most "
		                    "107 bytes");
	}
	assert_null(l.name);
	assert_null(l.address);
}

static void provider_release(struct provider_settings *p)
{
	free(p->host);
	free(p->login);
	free(p->inbox);
	memset(p, 0, sizeof(*p));
}

static void urls(void **state)
{
	static const struct {
		const char *url, *host, *login;
		uint16_t port;
		enum provider_tls tls;
	} good[] = {
		{ "smtp://mx", "mx", NULL, 25, PROVIDER_TLS_OPPORTUNISTIC },
		{ "smtp://mx.example.net:587", "mx.example.net", NULL, 587,
		  PROVIDER_TLS_OPPORTUNISTIC },
		{ "SMTP://mx:587/", "mx", NULL, 587, PROVIDER_TLS_OPPORTUNISTIC },
		{ "smtp+tls://u@mx", "mx", "u", 25, PROVIDER_TLS_STARTTLS },
		{ "smtps://mx", "mx", NULL, 465, PROVIDER_TLS_IMPLICIT },
		{ "smtp+notls://127.0.0.1:2525", "127.0.0.1", NULL, 2525, PROVIDER_TLS_NEVER },
		{ "smtp://[::1]:25", "::1", NULL, 25, PROVIDER_TLS_OPPORTUNISTIC },
		{ "smtp://user@example.com@mx:587", "mx", "user@example.com", 587,
		  PROVIDER_TLS_OPPORTUNISTIC },
		{ "smtp://a%40b%3ac%25@mx", "mx", "a@b:c%", 25, PROVIDER_TLS_OPPORTUNISTIC },
	};
	struct provider_settings p = { 0 };
	const char *error;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(provider_url_parse(&p, good[i].url, &error), 0);
		assert_int_equal(p.kind, PROVIDER_SMTP);
		assert_string_equal(p.host, good[i].host);
		assert_int_equal(p.port, good[i].port);
		assert_int_equal(p.tls, good[i].tls);
		if (good[i].login == NULL)
			assert_null(p.login);
		else
			assert_string_equal(p.login, good[i].login);
		provider_release(&p);
	}
}

static void other_urls(void **state)
{
	struct provider_settings p = { 0 };
	const char *error;

	(void)state;
	assert_int_equal(provider_url_parse(&p, "inbox:qa-2", &error), 0);
	assert_int_equal(p.kind, PROVIDER_INBOX);
	assert_string_equal(p.inbox, "qa-2");
	assert_int_equal(provider_url_parse(&p, "discard:?delay=500ms", &error), 0);
	assert_int_equal(p.kind, PROVIDER_DISCARD);
	assert_int_equal(p.discard_delay_us, 500 * CLOCK_MS);
	assert_int_equal(provider_url_parse(&p, "discard:", &error), 0);
	assert_int_equal(p.discard_delay_us, 0);
	provider_release(&p);
}

#define PASSWORD                                                                            \
	"a password does not belong in a URL, where others can read it: write "             \
	"smtp://USER@HOST and keep the password in a file (password-file, "                 \
	"--password-file) or a variable (password-env, PENSTOCK_PASSWORD); write a ':' of " \
	"the user's name as %3A"
#define FORM                                                                            \
	"write the URL as smtp://HOST:PORT, with smtp+tls, smtps or smtp+notls as the " \
	"manual says, and nothing after the port"
#define LOGIN "the user's name in the URL is not readable: write special characters as %XX"
#define SCHEME                                                                                \
	"write a URL that begins with smtp://, smtp+tls://, smtps://, smtp+notls://, inbox: " \
	"or discard:"

static void urls_refused(void **state)
{
	static const struct {
		const char *url, *error;
	} bad[] = {
		{ "smtp://u:secret@mx", PASSWORD },
		{ "smtps://u:@mx", PASSWORD },
		{ "smtp://u:p@ss@mx", PASSWORD },
		{ "smtp://@mx", LOGIN },
		{ "smtp://a%zz@mx", LOGIN },
		{ "smtp://a%4@mx", LOGIN },
		{ "smtp://a%00@mx", LOGIN },
		{ "smtp://a%0d%0a@mx", LOGIN },
		{ "smtp://", FORM },
		{ "smtp://mx:0", FORM },
		{ "smtp://mx:99999", FORM },
		{ "smtp://mx:587/path", FORM },
		{ "smtp://mx:587?x=y", FORM },
		{ "smtp://mx mx", FORM },
		{ "smtp://[::1", FORM },
		{ "smtp://::1:25", FORM },
		{ "mx:587", SCHEME },
		{ "", SCHEME },
		{ "https://mx", SCHEME },
		{ "inbox:", "write the name of an inbox, as in \"inbox:default\"" },
		{ "inbox:a b", "write the name of an inbox, as in \"inbox:default\"" },
		{ "discard:?delay=", "write \"discard:\" or \"discard:?delay=500ms\"" },
		{ "discard:x", "write \"discard:\" or \"discard:?delay=500ms\"" },
	};
	struct provider_settings p = { 0 };
	const char *error;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		error = NULL;
		assert_int_equal(provider_url_parse(&p, bad[i].url, &error), -1);
		assert_string_equal(error, bad[i].error);
		assert_null(p.host);
		assert_null(p.login);
	}
}

static void loopback(void **state)
{
	(void)state;
	assert_true(host_is_loopback("localhost"));
	assert_true(host_is_loopback("127.9.9.9"));
	assert_true(host_is_loopback("::1"));
	assert_false(host_is_loopback("localhost.example.net"));
	assert_false(host_is_loopback("10.0.0.1"));
	assert_false(host_is_loopback("::2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks),     cmocka_unit_test(networks_refused),
		cmocka_unit_test(listeners),    cmocka_unit_test(listeners_refused),
		cmocka_unit_test(urls),         cmocka_unit_test(other_urls),
		cmocka_unit_test(urls_refused), cmocka_unit_test(loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
