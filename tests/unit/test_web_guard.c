/* SPDX-License-Identifier: ISC */
/* test_web_guard.c - which Host and Origin may ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "web/guard.h"

static char *names[] = { (char *)(uintptr_t) "mail.local", (char *)(uintptr_t) "Proxy.Example" };

static void guard_of(struct guard *guard, struct settings *s, const char *address, bool named)
{
	static struct http_listener listener;

	memset(s, 0, sizeof(*s));
	listener.address = (char *)(uintptr_t)address;
	s->hostname = (char *)(uintptr_t) "dev.example.net";
	s->http.listeners = &listener;
	s->http.listener_count = 1;
	s->http.allow_host.items = names;
	s->http.allow_host.count = named ? 2 : 0;
	guard_init(guard, s);
}

static void hosts(void **state)
{
	static const struct {
		const char *host;
		enum guard_verdict loopback, beyond; /* where it listens */
	} cases[] = {
		{ "localhost", GUARD_OK, GUARD_OK },
		{ "LOCALHOST:8025", GUARD_OK, GUARD_OK },
		{ "localhost.:8025", GUARD_OK, GUARD_OK },
		{ "mail.localhost:1", GUARD_OK, GUARD_OK },
		{ "127.0.0.1:8025", GUARD_OK, GUARD_OK },
		{ "127.0.0.1", GUARD_OK, GUARD_OK },
		{ "[::1]:8025", GUARD_OK, GUARD_OK },
		{ "192.168.1.5:8025", GUARD_OK, GUARD_OK },
		{ "dev.example.net", GUARD_OK, GUARD_OK },
		{ "DEV.example.net:9", GUARD_OK, GUARD_OK },
		{ "host.docker.internal:8025", GUARD_OK, GUARD_OK },
		{ "mailpit:8025", GUARD_FOREIGN_HOST, GUARD_OK },
		{ "evil.test:8025", GUARD_FOREIGN_HOST, GUARD_FOREIGN_HOST },
		{ "evil.test", GUARD_FOREIGN_HOST, GUARD_FOREIGN_HOST },
		{ "localhost.evil.test", GUARD_FOREIGN_HOST, GUARD_FOREIGN_HOST },
		{ "evillocalhost.test", GUARD_FOREIGN_HOST, GUARD_FOREIGN_HOST },
		{ "127.0.0.1.evil.test", GUARD_FOREIGN_HOST, GUARD_FOREIGN_HOST },
		{ "127.1", GUARD_FOREIGN_HOST, GUARD_FOREIGN_HOST },
		{ "0x7f000001.a", GUARD_FOREIGN_HOST, GUARD_FOREIGN_HOST },
		{ "mail.local", GUARD_FOREIGN_HOST, GUARD_FOREIGN_HOST },
		{ "", GUARD_BAD, GUARD_BAD },
		{ ":8025", GUARD_BAD, GUARD_BAD },
		{ "localhost:port", GUARD_BAD, GUARD_BAD },
		{ "localhost:65536", GUARD_BAD, GUARD_BAD },
		{ "localhost:80@evil.test", GUARD_BAD, GUARD_BAD },
		{ "evil.test/localhost", GUARD_BAD, GUARD_BAD },
		{ "local host", GUARD_BAD, GUARD_BAD },
		{ "[::1", GUARD_BAD, GUARD_BAD },
		{ "[::1]x", GUARD_BAD, GUARD_BAD },
		{ "[evil]", GUARD_FOREIGN_HOST, GUARD_FOREIGN_HOST },
		{ "localh\xc3\xb6st", GUARD_BAD, GUARD_BAD },
		{ NULL, GUARD_BAD, GUARD_BAD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct guard_facts facts = { .host = cases[i].host };
		struct settings settings;
		struct guard guard;

		guard_of(&guard, &settings, "127.0.0.1", false);
		if (guard_check(&guard, &facts) != cases[i].loopback)
			fail_msg("%s on loopback", cases[i].host);
		guard_of(&guard, &settings, "0.0.0.0", false);
		if (guard_check(&guard, &facts) != cases[i].beyond)
			fail_msg("%s beyond loopback", cases[i].host);
	}
}

static void origins(void **state)
{
	static const struct {
		const char *host, *origin;
		bool allowed;
	} cases[] = {
		{ "localhost:8025", NULL, true },
		{ "localhost:8025", "http://localhost:8025", true },
		{ "localhost:8025", "HTTP://LOCALHOST:8025", true },
		{ "localhost:8025", "https://localhost:8025", true },
		{ "localhost", "http://localhost", true },
		{ "localhost:80", "http://localhost", true },
		{ "localhost", "https://localhost:443", true },
		{ "[::1]:8025", "http://[::1]:8025", true },
		{ "localhost:8025", "http://localhost:3000", false },
		{ "localhost:8025", "http://localhost", false },
		{ "localhost:8025", "http://127.0.0.1:8025", false },
		{ "localhost:8025", "http://evil.test", false },
		{ "localhost:8025", "http://evil.test:8025", false },
		{ "localhost:8025", "http://localhost:8025.evil.test", false },
		{ "localhost:8025", "http://localhost:8025@evil.test", false },
		{ "localhost:8025", "http://localhost:8025/", false },
		{ "localhost:8025", "null", false },
		{ "localhost:8025", "", false },
		{ "localhost:8025", "file://", false },
		{ "localhost:8025", "chrome-extension://abc", false },
		{ "localhost:8025", "http://", false },
		{ "localhost:8025", "http://mail.local", true }, /* allow-host */
		{ "localhost:8025", "https://proxy.example:99", true },
		{ "mail.local", "http://mail.local", true },
		{ "mail.local", "http://evil.test", false },
	};
	struct settings settings;
	struct guard guard;

	(void)state;
	guard_of(&guard, &settings, "127.0.0.1", true);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct guard_facts facts = { .host = cases[i].host,
			                           .origin = cases[i].origin };

		if (guard_check(&guard, &facts) !=
		    (cases[i].allowed ? GUARD_OK : GUARD_FOREIGN_ORIGIN))
			fail_msg("%s at %s", cases[i].origin, cases[i].host);
	}
}

static void sites(void **state)
{
	static const struct {
		const char *site, *mode;
		bool keyed, allowed;
		const char *origin;
	} cases[] = {
		{ "cross-site", "no-cors", true, true, "null" },
		{ "cross-site", "no-cors", false, false, "null" },
		{ "cross-site", "no-cors", true, false, "http://evil.test" },
		{ NULL, NULL, false, true, NULL },
		{ "same-origin", "cors", false, true, NULL },
		{ "none", "navigate", false, true, NULL },
		{ "cross-site", "navigate", false, true, NULL },
		{ "cross-site", "no-cors", false, false, NULL },
		{ "cross-site", "websocket", false, false, NULL },
		{ "cross-site", NULL, false, false, NULL },
		{ "cross-site", "no-cors", true, true, NULL },
	};
	struct settings settings;
	struct guard guard;

	(void)state;
	guard_of(&guard, &settings, "127.0.0.1", false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct guard_facts facts = {
			.host = "localhost",
			.site = cases[i].site,
			.mode = cases[i].mode,
			.keyed = cases[i].keyed,
			.origin = cases[i].origin,
		};

		assert_int_equal(guard_check(&guard, &facts),
		                 cases[i].allowed ? GUARD_OK : GUARD_FOREIGN_ORIGIN);
	}
}

static void other_facts(void **state)
{
	struct guard_facts facts = { .host = "localhost", .host_repeated = true };
	struct settings settings;
	struct guard guard;

	(void)state;
	guard_of(&guard, &settings, "127.0.0.1", false);
	assert_int_equal(guard_check(&guard, &facts), GUARD_BAD);
	facts = (struct guard_facts){ .host = "localhost", .authority = "evil.test" };
	assert_int_equal(guard_check(&guard, &facts), GUARD_FOREIGN_HOST);
	facts = (struct guard_facts){ .host = "evil.test", .authority = "localhost" };
	assert_int_equal(guard_check(&guard, &facts), GUARD_FOREIGN_HOST);
	facts = (struct guard_facts){ .old = true };
	assert_int_equal(guard_check(&guard, &facts), GUARD_OK);
	facts = (struct guard_facts){ .old = true, .origin = "http://evil.test" };
	assert_int_equal(guard_check(&guard, &facts), GUARD_FOREIGN_ORIGIN);
}

static void any_host(void **state)
{
	static char *all[] = { (char *)(uintptr_t) "*" };
	const struct guard_facts facts = { .host = "evil.test", .origin = "null" };
	struct settings settings;
	struct guard guard;

	(void)state;
	guard_of(&guard, &settings, "127.0.0.1", false);
	settings.http.allow_host.items = all;
	settings.http.allow_host.count = 1;
	guard_init(&guard, &settings);
	assert_int_equal(guard_check(&guard, &facts), GUARD_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),       cmocka_unit_test(origins),  cmocka_unit_test(sites),
		cmocka_unit_test(other_facts), cmocka_unit_test(any_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
