/* SPDX-License-Identifier: ISC */
/* policy.c - what a peer's address decides: relaying, bare names, under which key it counts.
 *
 * Pure: addresses come as the text that stream_peer() gives. An IPv4 address in IPv6 clothes
 * (::ffff:127.0.0.1) is the IPv4 address.
 */
#include "receive/private.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "config/values.h"

struct peer {
	int family; /* AF_INET, AF_INET6; AF_UNIX; 0: something else */
	unsigned char address[16];
};

static struct peer peer_parse(const char *text)
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct peer peer = { .family = 0 };

	if (strncmp(text, "unix:", 5) == 0) {
		peer.family = AF_UNIX;
	} else if (inet_pton(AF_INET, text, peer.address) == 1) {
		peer.family = AF_INET;
	} else if (inet_pton(AF_INET6, text, peer.address) == 1) {
		peer.family = AF_INET6;
		if (memcmp(peer.address, mapped, sizeof mapped) == 0) {
			peer.family = AF_INET;
			memmove(peer.address, peer.address + 12, 4);
		}
	}
	return peer;
}

static bool is_in(const struct network *networks, size_t count, const struct peer *peer)
{
	for (size_t i = 0; i < count; i++) {
		if (network_contains(&networks[i], peer->family, peer->address))
			return true;
	}
	return false;
}

/* "unix:uid=1000": without a list every account may, else those in it. */
static bool peer_user_may(const struct listener_settings *listener, const char *peer)
{
	static const char prefix[] = "unix:uid=";
	char uid[24];

	if (listener->peer_users.count == 0)
		return true;
	if (strncmp(peer, prefix, sizeof prefix - 1) != 0)
		return false;
	for (size_t i = 0; i < listener->peer_users.count; i++) {
		snprintf(uid, sizeof uid, "%lu", (unsigned long)listener->peer_uids[i]);
		if (strcmp(peer + sizeof prefix - 1, uid) == 0)
			return true;
	}
	return false;
}

/* Who may open the file of a Unix listener was decided by its mode. */
bool policy_may_proxy(const struct listener_settings *listener, const char *peer)
{
	struct peer from = peer_parse(peer);

	if (from.family == AF_INET || from.family == AF_INET6)
		return is_in(listener->proxy_from, listener->proxy_from_count, &from);
	return from.family == AF_UNIX;
}

bool policy_may_relay(const struct listener_settings *listener, const char *peer)
{
	struct peer from = peer_parse(peer);

	/* auth = any is for the inbox only: the configuration lets nothing leave there. */
	if (listener->open_relay || listener->auth == AUTH_ANY)
		return true;
	if (from.family == AF_UNIX)
		return peer_user_may(listener, peer);
	return from.family != 0 && is_in(listener->relay_from, listener->relay_from_count, &from);
}

bool policy_is_local(const struct listener_settings *listener, const char *peer)
{
	static const unsigned char loopback[16] = { [15] = 1 };
	struct peer from = peer_parse(peer);

	if (listener->local_submission || from.family == AF_UNIX)
		return true;
	if (from.family == AF_INET)
		return from.address[0] == 127;
	return from.family == AF_INET6 && memcmp(from.address, loopback, sizeof loopback) == 0;
}

struct span policy_client_key(const char *peer, unsigned char key[POLICY_KEY_MAX])
{
	struct peer from = peer_parse(peer);
	size_t length;

	/* Who has one IPv6 address has its whole /64. */
	if (from.family == AF_INET || from.family == AF_INET6) {
		length = from.family == AF_INET ? 4 : 8;
		key[0] = (unsigned char)from.family;
		memcpy(key + 1, from.address, length);
		return span_of(key, length + 1);
	}
	length = strnlen(peer, POLICY_KEY_MAX);
	memcpy(key, peer, length);
	return span_of(key, length);
}
