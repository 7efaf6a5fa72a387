/* SPDX-License-Identifier: ISC */
/* guard.c - Host and Origin against the names that are ours.
 *
 * Addresses are always ours: nobody can make a browser believe that a page came from an address but
 * whoever answers there. So are localhost and the names below it, the name of this host, and
 * docker's names of it. Beyond loopback names without a dot are, too: nobody can register one.
 */
#include "web/guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"

/* Of an authority; longer is none. */
#define HOST_MAX 255 /* octets; RFC 1035 */

struct authority {
	char host[HOST_MAX + 1]; /* in lower case, without brackets and a last dot */
	long port;               /* -1: none is written */
	bool bracketed;
};

static int port_read(struct authority *a, const char *text)
{
	char *end;

	a->port = -1;
	if (*text == '\0')
		return 0;
	if (*text != ':')
		return -1;
	if (text[1] == '\0')
		return 0;
	if (!isdigit((unsigned char)text[1]) || strlen(text + 1) > 5)
		return -1;
	a->port = strtol(text + 1, &end, 10);
	return *end == '\0' && a->port <= 65535 ? 0 : -1;
}

static bool octet_is_of_name(char c, bool bracketed)
{
	return isalnum((unsigned char)c) || strchr(bracketed ? ":." : "-._", c) != NULL;
}

static int authority_read(struct authority *a, const char *text)
{
	size_t length;

	a->bracketed = *text == '[';
	text += a->bracketed;
	length = strcspn(text, a->bracketed ? "]" : ":");
	if (length == 0 || length > HOST_MAX || (a->bracketed && text[length] != ']'))
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (!octet_is_of_name(text[i], a->bracketed))
			return -1;
		a->host[i] = (char)tolower((unsigned char)text[i]);
	}
	if (a->host[length - 1] == '.' && length > 1)
		a->host[length - 1] = '\0';
	a->host[length] = '\0';
	return port_read(a, text + length + a->bracketed);
}

static bool is_address(const struct authority *a)
{
	unsigned char address[16];

	return inet_pton(a->bracketed ? AF_INET6 : AF_INET, a->host, address) == 1;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length > tail && strcmp(text + length - tail, end) == 0;
}

static bool is_allowed(const struct guard *guard, const char *host)
{
	if (guard->any_host)
		return true;
	for (size_t i = 0; i < guard->allowed->count; i++)
		if (strcasecmp(guard->allowed->items[i], host) == 0)
			return true;
	return false;
}

static bool is_ours(const struct guard *guard, const struct authority *a)
{
	if (is_address(a) || is_allowed(guard, a->host))
		return true;
	if (a->bracketed)
		return false;
	return strcmp(a->host, "localhost") == 0 || ends_with(a->host, ".localhost") ||
	       ends_with(a->host, ".docker.internal") ||
	       strcasecmp(a->host, guard->hostname) == 0 ||
	       (guard->beyond_loopback && strchr(a->host, '.') == NULL);
}

void guard_init(struct guard *guard, const struct settings *settings)
{
	*guard = (struct guard){ .allowed = &settings->http.allow_host,
		                 .hostname = settings->hostname };
	for (size_t i = 0; i < guard->allowed->count; i++)
		if (strcmp(guard->allowed->items[i], "*") == 0)
			guard->any_host = true;
	for (size_t i = 0; i < settings->http.listener_count; i++) {
		const char *address = settings->http.listeners[i].address;

		if (strncmp(address, "127.", 4) != 0 && strcmp(address, "::1") != 0 &&
		    strcasecmp(address, "localhost") != 0)
			guard->beyond_loopback = true;
	}
}

/* The page that asks is ours when it came from where it asks. */
static bool origin_is_ours(const struct guard *guard, const char *origin,
                           const struct authority *host)
{
	struct authority a;
	long port;

	if (strncasecmp(origin, "http://", 7) == 0)
		port = 80;
	else if (strncasecmp(origin, "https://", 8) == 0)
		port = 443;
	else
		return guard->any_host; /* "null": a sandboxed page, a file */
	if (authority_read(&a, strchr(origin, ':') + 3) < 0)
		return false;
	if (is_allowed(guard, a.host))
		return true;
	return strcmp(a.host, host->host) == 0 &&
	       (a.port < 0 ? port : a.port) == (host->port < 0 ? port : host->port);
}

/* An image or a script of another page's has no Origin; browsers say where it comes from. */
static bool is_cross_site(const struct guard_facts *facts)
{
	return facts->site != NULL && !facts->keyed && strcmp(facts->site, "cross-site") == 0 &&
	       (facts->mode == NULL || strcmp(facts->mode, "navigate") != 0);
}

enum guard_verdict guard_check(const struct guard *guard, const struct guard_facts *facts)
{
	struct authority host = { .port = -1 }, other;

	if (facts->host_repeated || (facts->host == NULL && !facts->old))
		return GUARD_BAD;
	if (facts->host != NULL) {
		if (authority_read(&host, facts->host) < 0)
			return GUARD_BAD;
		if (!is_ours(guard, &host))
			return GUARD_FOREIGN_HOST;
	}
	if (facts->authority != NULL &&
	    (authority_read(&other, facts->authority) < 0 || !is_ours(guard, &other)))
		return GUARD_FOREIGN_HOST;
	/* Newer browsers say so of the pictures in a sandboxed frame, too. */
	if (facts->keyed && facts->origin != NULL && strcmp(facts->origin, "null") == 0)
		return GUARD_OK;
	if (facts->origin != NULL)
		return origin_is_ours(guard, facts->origin, &host) ? GUARD_OK
		                                                   : GUARD_FOREIGN_ORIGIN;
	return is_cross_site(facts) && !guard->any_host ? GUARD_FOREIGN_ORIGIN : GUARD_OK;
}
