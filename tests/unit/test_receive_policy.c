/* SPDX-License-Identifier: ISC */
/* test_receive_policy.c - who may relay, whose bare names are ours, under which key a peer counts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "config/values.h"
#include "receive/private.h"

static void relaying_follows_the_networks(void **state)
{
	static const struct {
		const char *peer;
		bool relay, local;
	} table[] = {
		{ "127.0.0.1", true, true },
		{ "127.255.0.9", true, true },
		{ "::ffff:127.0.0.1", true, true },
		{ "::1", true, true },
		{ "10.1.2.3", true, false },
		{ "10.2.0.0", false, false },
		{ "128.0.0.1", false, false },
		{ "192.0.2.1", false, false },
		{ "2001:db8::1", true, false },
		{ "2001:db9::1", false, false },
		{ "::", false, false },
		{ "unix:uid=1000", true, true },
		{ "memory", false, false },
		{ "", false, false },
	};
	static const char *const names[] = { "127.0.0.0/8", "::1", "10.1.0.0/16", "2001:db8::/32" };
	struct network networks[4];
	struct listener_settings listener = { .relay_from = networks, .relay_from_count = 4 };
	const char *error;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(network_parse(&networks[i], names[i], &error), 0);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		print_message("%s\n", table[i].peer);
		assert_int_equal(policy_may_relay(&listener, table[i].peer), table[i].relay);
		assert_int_equal(policy_is_local(&listener, table[i].peer), table[i].local);
	}
	listener.relay_from_count = 0;
	assert_false(policy_may_relay(&listener, "127.0.0.1"));
	listener.open_relay = true;
	assert_true(policy_may_relay(&listener, "192.0.2.1"));
	listener.open_relay = false;
	listener.auth = AUTH_ANY;
	assert_true(policy_may_relay(&listener, "192.0.2.1"));
	assert_false(policy_is_local(&listener, "192.0.2.1"));
	listener.local_submission = true;
	assert_true(policy_is_local(&listener, "192.0.2.1"));
}

static bool same_key(const char *a, const char *b)
{
	unsigned char first[POLICY_KEY_MAX], second[POLICY_KEY_MAX];

	return span_equal(policy_client_key(a, first), policy_client_key(b, second));
}

static void clients_are_told_apart(void **state)
{
	(void)state;
	assert_true(same_key("192.0.2.1", "::ffff:192.0.2.1"));
	assert_false(same_key("192.0.2.1", "192.0.2.2"));
	assert_true(same_key("2001:db8::1", "2001:db8::ffff:1"));
	assert_false(same_key("2001:db8::1", "2001:db8:0:1::1"));
	assert_false(same_key("unix:uid=1", "unix:uid=2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relaying_follows_the_networks),
		cmocka_unit_test(clients_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
