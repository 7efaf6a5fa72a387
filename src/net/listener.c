/* SPDX-License-Identifier: ISC */
/* listener.c - binding with errors that name the cure, and accepting in bounded turns.
 *
 * Decides when accepting waits: while its owner paused it, and for a moment when descriptors ran
 * out (the backlog stays readable, so without the pause the loop would spin).
 */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

/* Connections taken in one turn: the loop's other work waits no longer. */
#define ACCEPTS_A_TURN      64
#define DESCRIPTOR_PAUSE_US (100 * CLOCK_MS)
/* A shortage is told again only when it was over for so long. */
#define SHORTAGE_OVER_US    CLOCK_MIN

static int fail_bind(struct bytes *error, const char *address, uint16_t port, int cause)
{
	switch (cause) {
	case EADDRINUSE:
		bytes_printf(error,
		             "port %u on %s is in use by another program: stop that one ('ss "
		             "-ltnp' shows "
		             "it) or choose another port",
		             port, address);
		break;
	case EACCES:
		bytes_printf(error,
		             "no permission for port %u on %s: start as root, or choose a port "
		             "above 1023",
		             port, address);
		break;
	case EADDRNOTAVAIL:
		bytes_printf(error, "this host has no address %s ('ip address' shows what it has)",
		             address);
		break;
	default:
		bytes_printf(error, "cannot listen on port %u of %s: %s", port, address,
		             strerror(cause));
	}
	return -1;
}

static int open_tcp(const struct addrinfo *ai)
{
	int one = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	/* "::" leaves 0.0.0.0 to a listener of its own. */
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	/* Accepted sockets inherit it: one system call less a connection. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0) {
		int cause = errno;

		close(fd);
		errno = cause;
		return -1;
	}
	return fd;
}

/* "[::1]" is "::1". */
static char *without_brackets(const char *address)
{
	size_t length = strlen(address);

	if (length >= 2 && address[0] == '[' && address[length - 1] == ']')
		return memory_text_of(address + 1, length - 2);
	return memory_text(address);
}

int listener_bind_tcp(const char *address, uint16_t port, struct bytes *error)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *found = NULL;
	char *host = without_brackets(address);
	char service[8];
	int fd = -1, rc;

	snprintf(service, sizeof service, "%u", port);
	rc = getaddrinfo(host, service, &hints, &found);
	if (rc != 0)
		bytes_printf(error, "cannot listen on '%s': %s", host, gai_strerror(rc));
	else if ((fd = open_tcp(found)) < 0)
		fail_bind(error, host, port, errno);
	if (found != NULL)
		freeaddrinfo(found);
	free(host);
	return fd;
}

/* 0: nobody is there and the path is free now. A socket whose daemon died refuses connections. */
static int clear_path(const struct sockaddr_un *name, struct bytes *error)
{
	const char *path = name->sun_path;
	struct stat st;
	int fd, rc, cause;

	if (lstat(path, &st) < 0)
		return 0; /* bind() says what else is wrong */
	if (!S_ISSOCK(st.st_mode)) {
		bytes_printf(error,
		             "'%s' exists and is not a socket: remove it or choose another path",
		             path);
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		bytes_printf(error, "cannot make a socket: %s", strerror(errno));
		return -1;
	}
	rc = connect(fd, (const struct sockaddr *)name, sizeof *name);
	cause = errno;
	close(fd);
	if (rc < 0 && cause == ENOENT)
		return 0;
	if (rc < 0 && cause == ECONNREFUSED) {
		if (unlink(path) == 0 || errno == ENOENT)
			return 0;
		bytes_printf(error, "cannot remove the abandoned socket '%s': %s", path,
		             strerror(errno));
		return -1;
	}
	if (rc < 0 && cause != EAGAIN) {
		bytes_printf(error, "cannot tell whether '%s' is in use: %s", path,
		             strerror(cause));
		return -1;
	}
	bytes_printf(
		error,
		"'%s' is in use by another program: stop that one ('ss -lxp' shows it) or choose "
		"another path",
		path);
	return -1;
}

static int open_unix(const struct sockaddr_un *name, unsigned mode)
{
	int cause, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	/* Linux takes the mode of the new name from here: it never appears with more than asked
	 * for. Elsewhere this fails, and chmod() follows a moment later. */
	(void)!fchmod(fd, mode);
	if (bind(fd, (const struct sockaddr *)name, sizeof *name) == 0) {
		/* Not through a link that somebody put in its place meanwhile. */
		if (fchmodat(AT_FDCWD, name->sun_path, mode, AT_SYMLINK_NOFOLLOW) == 0 &&
		    listen(fd, SOMAXCONN) == 0)
			return fd;
		cause = errno;
		unlink(name->sun_path);
		errno = cause;
	}
	cause = errno;
	close(fd);
	errno = cause;
	return -1;
}

int listener_bind_unix(const char *path, unsigned mode, struct bytes *error)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	size_t length = strlen(path);
	int fd;

	if (length == 0 || length >= sizeof name.sun_path) {
		bytes_printf(error,
		             "the path '%s' has %zu octets; a Unix socket's path has 1 to %zu",
		             path, length, sizeof name.sun_path - 1);
		return -1;
	}
	memcpy(name.sun_path, path, length);
	if (clear_path(&name, error) < 0)
		return -1;
	fd = open_unix(&name, mode);
	if (fd < 0)
		bytes_printf(error, "cannot listen on '%s': %s", path, strerror(errno));
	return fd;
}

uint16_t listener_port(int fd)
{
	struct sockaddr_storage name = { 0 };
	socklen_t length = sizeof name;

	if (getsockname(fd, (struct sockaddr *)&name, &length) < 0)
		return 0;
	if (name.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)&name)->sin_port);
	if (name.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)&name)->sin6_port);
	return 0;
}

struct listener {
	struct watch *watch;
	struct timer pause; /* runs while descriptors are short */
	void (*accepted)(void *context, int fd);
	void *context;
	bool paused;         /* by the owner */
	int64_t short_until; /* the last shortage, and SHORTAGE_OVER_US */
	struct loop *loop;
	bool *freed; /* set for accept_turn(), whose callback may free us */
	int fd;
};

static void listener_arm(struct listener *l)
{
	watch_want(l->watch, !l->paused && !timer_running(&l->pause), false);
}

static void pause_over(void *context)
{
	listener_arm(context);
}

static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void shortage(struct listener *l, int error)
{
	if (loop_now(l->loop) >= l->short_until)
		log_warning("accepting waits reason=\"%s\" cure=\"raise the limit of open files "
		            "(LimitNOFILE, ulimit -n) or lower max-connections\"",
		            strerror(error));
	l->short_until = loop_now(l->loop) + SHORTAGE_OVER_US;
	timer_start(&l->pause, DESCRIPTOR_PAUSE_US);
	listener_arm(l);
}

static void accept_turn(void *context, bool readable, bool writable)
{
	struct listener *l = context;
	bool freed = false;
	int failures = 0;

	(void)readable;
	(void)writable;
	l->freed = &freed;
	for (int i = 0; i < ACCEPTS_A_TURN && !l->paused; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			l->accepted(l->context, fd);
			if (freed)
				return;
		} else if (is_shortage(errno)) {
			shortage(l, errno);
			break;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			break;
		} else {
			failures++; /* this one went away before it was taken */
		}
	}
	l->freed = NULL;
	/* No peer is like that: some other trouble, which must not be asked without end. */
	if (failures == ACCEPTS_A_TURN) {
		timer_start(&l->pause, DESCRIPTOR_PAUSE_US);
		listener_arm(l);
	}
}

struct listener *listener_new(struct loop *loop, int fd, void (*accepted)(void *context, int fd),
                              void *context)
{
	struct listener *l = memory_new(sizeof *l);

	l->loop = loop;
	l->fd = fd;
	l->short_until = INT64_MIN;
	l->accepted = accepted;
	l->context = context;
	l->watch = watch_new(loop, fd, accept_turn, l);
	timer_init(&l->pause, loop, pause_over, l);
	listener_arm(l);
	return l;
}

void listener_pause(struct listener *l)
{
	l->paused = true;
	listener_arm(l);
}

void listener_resume(struct listener *l)
{
	l->paused = false;
	listener_arm(l);
}

void listener_free(struct listener **lp)
{
	struct listener *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	if (l->freed != NULL)
		*l->freed = true;
	timer_stop(&l->pause);
	watch_free(&l->watch);
	close(l->fd);
	free(l);
}
