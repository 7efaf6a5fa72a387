/* SPDX-License-Identifier: ISC */
/* check.c - is the configuration as a whole one that may run?
 *
 * Listeners, paths and the spool here, providers and routes in check_routes.c. The rules that
 * guard credentials and against an open relay stand here and nowhere else.
 */
#include "config/private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/values.h"

/* --- who may relay --- */

/* RFC 1918, 3927, 4193, 4291, 6598: not reached from the Internet. */
static const char *const private_networks[] = {
	"10.0.0.0/8",    "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16",
	"100.64.0.0/10", "fc00::/7",      "fe80::/10",
};
static const char *const loopback_networks[] = { "127.0.0.0/8", "::1" };

static bool network_is_within(const struct network *net, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct network outer;
		const char *error;
		if (network_parse(&outer, list[i], &error) == 0 && net->prefix >= outer.prefix &&
		    network_contains(&outer, net->family, net->address))
			return true;
	}
	return false;
}

static void check_relay_network(const struct listener_settings *l, const struct network *net,
                                const struct place *place, struct problems *problems)
{
	struct bytes text = { 0 };

	network_format(net, &text);
	if (network_is_within(net, loopback_networks, 2))
		;
	else if (network_is_within(net, private_networks,
	                           sizeof(private_networks) / sizeof(private_networks[0])))
		note_at(problems, place, "every host of %s may relay without a login",
		        bytes_text(&text));
	else if (!l->open_relay)
		problem_at(problems, place,
		           "%s is public: this would be an open relay: name only "
		           "networks of your own, or write open-relay = true if that is what you "
		           "want",
		           bytes_text(&text));
	else
		note_at(problems, place, "open relay: every host of %s may relay without a login",
		        bytes_text(&text));
	bytes_release(&text);
}

static void check_relay_from(const struct settings *s, size_t index, struct problems *problems)
{
	const struct listener_settings *l = &s->listeners[index];
	struct place place = { s, SECTION_LISTEN, index, "relay-from" };

	if (s->mode == MODE_CATCH || l->is_unix)
		return;
	for (size_t i = 0; i < l->relay_from_count; i++)
		check_relay_network(l, &l->relay_from[i], &place, problems);
}

/* A proxy may say that its client is anybody: it decides who may relay. */
static void check_proxy(const struct settings *s, size_t index, struct problems *problems)
{
	const struct listener_settings *l = &s->listeners[index];
	struct place protocol = { s, SECTION_LISTEN, index, "proxy-protocol" };
	struct place from = { s, SECTION_LISTEN, index, "proxy-from" };

	if (l->proxy_protocol && l->proxy_from_count == 0 && !l->is_unix)
		problem_at(problems, &protocol,
		           "says who the client is, so name the proxies that may: write "
		           "proxy-from = { \"127.0.0.0/8\" }");
	if (!l->proxy_protocol && l->proxy_from_count > 0)
		note_at(problems, &from, "is not used: proxy-protocol is false");
	for (size_t i = 0; l->proxy_protocol && i < l->proxy_from_count; i++)
		if (l->proxy_from[i].prefix == 0)
			problem_at(problems, &from,
			           "names every address, so that everybody may say to be this "
			           "host: name the proxies only");
}

/* --- TLS of listeners --- */

static void check_readable(const char *file, const struct place *place, struct problems *problems)
{
	int fd;

	if (file == NULL)
		return;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		problem_at(problems, place, "%s cannot be read: %s", file, strerror(errno));
	else
		close(fd);
}

static void check_listener_tls(const struct settings *s, size_t index, struct problems *problems)
{
	const struct listener_settings *l = &s->listeners[index];
	struct place tls = { s, SECTION_LISTEN, index, "tls" };
	struct place certificate = { s, SECTION_LISTEN, index, "certificate" };
	struct place key = { s, SECTION_LISTEN, index, "key" };

	if (l->certificate != NULL && l->key == NULL)
		problem_at(problems, &certificate,
		           "goes with key: write the key's file, too (it may "
		           "be the same file)");
	if (l->key != NULL && l->certificate == NULL)
		problem_at(problems, &key,
		           "goes with certificate: write the certificate's file, too");
	if (l->tls != LISTENER_TLS_OFF && l->certificate == NULL && s->mode != MODE_CATCH)
		problem_at(problems, &tls,
		           "needs a certificate: write certificate = \"FILE\" and key "
		           "= \"FILE\"%s",
		           l->port == 465 || l->port == 2465
		                   ? " (ports 465 and 2465 are always TLS)"
		                   : "");
	if (l->tls == LISTENER_TLS_OFF && l->certificate != NULL)
		note_at(problems, &certificate, "is not used: tls is \"off\"");
	check_readable(l->certificate, &certificate, problems);
	check_readable(l->key, &key, problems);
}

/* --- listeners --- */

static bool listener_equal(const struct listener_settings *a, const struct listener_settings *b)
{
	if (a->is_unix || b->is_unix)
		return a->is_unix == b->is_unix && strcmp(a->address, b->address) == 0;
	return a->port == b->port && a->port != 0 && strcasecmp(a->address, b->address) == 0;
}

static void check_duplicate_listener(const struct settings *s, size_t index,
                                     struct problems *problems)
{
	struct place place = { s, SECTION_LISTEN, index, NULL };

	for (size_t i = 0; i < index; i++) {
		if (listener_equal(&s->listeners[i], &s->listeners[index])) {
			/* The local socket is ours: the written one is told. */
			place.index = s->listeners[index].local_submission ? i : index;
			problem_at(problems, &place,
			           s->listeners[index].local_submission
			                   ? "this socket is always there, without a section of "
			                     "its own"
			                   : "the same address is written twice: keep one of them");
			return;
		}
	}
}

static void check_listeners(struct settings *s, struct problems *problems)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		const struct listener_settings *l = &s->listeners[i];
		struct place auth = { s, SECTION_LISTEN, i, "auth" };
		struct place recipients = { s, SECTION_LISTEN, i, "max-recipients" };

		check_duplicate_listener(s, i, problems);
		check_listener_tls(s, i, problems);
		check_relay_from(s, i, problems);
		check_proxy(s, i, problems);
		if (l->auth == AUTH_ANY && s->mode != MODE_CATCH)
			problem_at(problems, &auth,
			           "\"any\" accepts every login and goes with --catch "
			           "only: write auth = \"off\"");
		if (l->max_recipients < 100)
			note_at(problems, &recipients, "is below the 100 that RFC 5321 asks for");
	}
}

/* --- the rest --- */

static void check_absolute(const struct settings *s, enum section section, const char *option,
                           const char *path, struct problems *problems)
{
	struct place place = { s, section, 0, option };

	if (path != NULL && *path != '/')
		problem_at(problems, &place, "write an absolute path, one that begins with /");
}

static void check_socket(const struct settings *s, struct problems *problems)
{
	struct place place = { s, SECTION_CONTROL, 0, "socket" };

	/* The listener's name beside it is the longer one by at most ten bytes. */
	if (strlen(s->control_socket) + 10 >= sizeof(((struct sockaddr_un *)0)->sun_path))
		problem_at(problems, &place,
		           "%s is too long for a socket: write a path of at most 97 "
		           "bytes",
		           s->control_socket);
}

static void check_user(const struct settings *s, struct problems *problems)
{
	struct place place = { s, SECTION_ROOT, 0, "user" };

	if (s->user == NULL)
		return;
	if (!account_exists(s->user))
		problem_at(problems, &place,
		           "there is no account \"%s\": create it, or name another", s->user);
	else if (geteuid() != 0)
		note_at(problems, &place, "is not used: only root can change the user");
}

static bool hostname_is_valid(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= 255 && name[0] != '.' && name[0] != '-' &&
	       name[length - 1] != '.' && strstr(name, "..") == NULL &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
	               length;
}

void check_settings(struct settings *s, struct problems *problems)
{
	struct place hostname = { s, SECTION_ROOT, 0, "hostname" };

	if (!hostname_is_valid(s->hostname))
		problem_at(problems, &hostname,
		           "\"%.80s\" is no host name: write one such as "
		           "\"relay.example.net\"",
		           s->hostname);
	check_absolute(s, SECTION_SPOOL, "path", s->spool_path, problems);
	check_socket(s, problems);
	check_user(s, problems);
	check_listeners(s, problems);
	check_logins(s, problems);
	check_providers(s, problems);
	check_routes(s, problems);
	check_http(s, problems);
}
