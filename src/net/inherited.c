/* SPDX-License-Identifier: ISC */
/* inherited.c - finds out what the inherited descriptors are, and matches them with addresses.
 *
 * Whatever is odd about them is an error: a socket that nobody accepts on would leave its clients
 * waiting without a word.
 */
#include "net/inherited.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"

#define FIRST_FD 3   /* SD_LISTEN_FDS_START */
#define FDS_MAX  256 /* more sections nobody writes */

struct handed {
	int fd; /* -1: taken */
	struct sockaddr_storage address;
	char *name; /* LISTEN_FDNAMES; "" without */
};

struct inherited {
	struct handed *sockets;
	size_t count;
};

/* A whole number of at most `most`; 0 when it is none. */
static unsigned long number_of(const char *text, unsigned long most)
{
	char *end = NULL;
	unsigned long number;

	if (text == NULL || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	number = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && number <= most ? number : 0;
}

/* Accepting on it must work as on one of our own. */
static int adopt(struct handed *h, struct bytes *error)
{
	int one = 1, listening = 0, type = 0, flags = fcntl(h->fd, F_GETFL);
	socklen_t size = sizeof listening, length = sizeof h->address;

	if (flags < 0 || getsockopt(h->fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
	    getsockopt(h->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 ||
	    getsockname(h->fd, (struct sockaddr *)&h->address, &length) < 0 ||
	    type != SOCK_STREAM || !listening) {
		bytes_printf(error,
		             "descriptor %d from the service manager is no listening stream "
		             "socket: write ListenStream= and Accept=no",
		             h->fd);
		return -1;
	}
	fcntl(h->fd, F_SETFL, flags | O_NONBLOCK);
	fcntl(h->fd, F_SETFD, FD_CLOEXEC);
	listen(h->fd, SOMAXCONN);
	if (h->address.ss_family != AF_UNIX)
		setsockopt(h->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return 0;
}

static char *name_at(const char *names, size_t index)
{
	for (; index > 0 && names != NULL; index--) {
		names = strchr(names, ':');
		if (names != NULL)
			names++;
	}
	return names != NULL ? memory_text_of(names, strcspn(names, ":")) : memory_text("");
}

static int adopt_all(struct inherited *all, struct bytes *error)
{
	const char *names = getenv("LISTEN_FDNAMES");
	unsigned long pid = number_of(getenv("LISTEN_PID"), INT32_MAX);
	const char *count = getenv("LISTEN_FDS");

	if (count == NULL || pid != (unsigned long)getpid())
		return 0; /* none, or they are another process's */
	all->count = number_of(count, FDS_MAX);
	if (all->count == 0) {
		bytes_printf(error, "LISTEN_FDS is \"%s\": a number from 1 to %d is expected",
		             count, FDS_MAX);
		return -1;
	}
	all->sockets = memory_new_array(all->count, sizeof *all->sockets);
	for (size_t i = 0; i < all->count; i++) {
		all->sockets[i].fd = FIRST_FD + (int)i;
		all->sockets[i].name = name_at(names, i);
	}
	for (size_t i = 0; i < all->count; i++)
		if (adopt(&all->sockets[i], error) < 0)
			return -1;
	return 0;
}

int inherited_new(struct inherited **inherited_r, struct bytes *error)
{
	struct inherited *all = memory_new(sizeof *all);
	int rc = adopt_all(all, error);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (rc < 0)
		inherited_free(&all);
	*inherited_r = all;
	return rc;
}

void inherited_free(struct inherited **inherited)
{
	struct inherited *all = *inherited;

	if (all == NULL)
		return;
	*inherited = NULL;
	for (size_t i = 0; i < all->count; i++) {
		if (all->sockets[i].fd >= 0)
			close(all->sockets[i].fd);
		free(all->sockets[i].name);
	}
	free(all->sockets);
	free(all);
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->ss_family != b->sa_family)
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a->ss_family == AF_INET6 && a6->sin6_port == b6->sin6_port &&
	       IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
}

static int take(struct handed *h)
{
	int fd = h->fd;

	h->fd = -1;
	return fd;
}

static int take_address(struct inherited *inherited, const struct sockaddr *address)
{
	for (size_t i = 0; i < inherited->count; i++) {
		struct handed *h = &inherited->sockets[i];

		if (h->fd >= 0 && same_address(&h->address, address))
			return take(h);
	}
	return -1;
}

int inherited_take_tcp(struct inherited *inherited, const char *address, uint16_t port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *found = NULL;
	char service[8];
	int fd = -1;

	if (inherited->count == 0)
		return -1;
	snprintf(service, sizeof service, "%u", port);
	if (getaddrinfo(address, service, &hints, &found) != 0)
		return -1; /* binding will say it */
	for (struct addrinfo *ai = found; ai != NULL && fd < 0; ai = ai->ai_next)
		fd = take_address(inherited, ai->ai_addr);
	freeaddrinfo(found);
	return fd;
}

int inherited_take_unix(struct inherited *inherited, const char *path)
{
	for (size_t i = 0; i < inherited->count; i++) {
		struct handed *h = &inherited->sockets[i];
		const struct sockaddr_un *name = (const void *)&h->address;

		if (h->fd >= 0 && name->sun_family == AF_UNIX && strcmp(name->sun_path, path) == 0)
			return take(h);
	}
	return -1;
}

static void describe(const struct handed *h, struct bytes *list)
{
	const struct sockaddr_in *in4 = (const void *)&h->address;
	const struct sockaddr_in6 *in6 = (const void *)&h->address;
	const struct sockaddr_un *un = (const void *)&h->address;
	char text[INET6_ADDRSTRLEN] = "";

	if (list->length > 0)
		bytes_append_text(list, ", ");
	if (h->address.ss_family == AF_UNIX) {
		bytes_printf(list, "unix:%s", un->sun_path);
	} else if (h->address.ss_family == AF_INET) {
		inet_ntop(AF_INET, &in4->sin_addr, text, sizeof text);
		bytes_printf(list, "%s:%u", text, (unsigned)ntohs(in4->sin_port));
	} else {
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
		bytes_printf(list, "[%s]:%u", text, (unsigned)ntohs(in6->sin6_port));
	}
	if (h->name[0] != '\0')
		bytes_printf(list, " (%s)", h->name);
}

size_t inherited_left(const struct inherited *inherited, struct bytes *list)
{
	size_t left = 0;

	for (size_t i = 0; i < inherited->count; i++) {
		if (inherited->sockets[i].fd < 0)
			continue;
		describe(&inherited->sockets[i], list);
		left++;
	}
	return left;
}
