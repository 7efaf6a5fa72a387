/* SPDX-License-Identifier: ISC */
/* wire.c - how octets leave and arrive: a socket, or the other end of a pair.
 *
 * Both behave as recv() and send() on a non-blocking socket do. The read event is
 * persistent; the write event exists only for a stream whose send() once did not take all.
 */
#include "net/private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"

/* Octets that the other end of a pair has not taken: as a socket's buffer, so that tests meet
 * a full one. */
#define PAIR_WINDOW (256 * 1024)

static void read_ready(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	stream_read_turn(context);
}

static void finish_connect(struct stream *s)
{
	int error = 0;
	socklen_t length = sizeof error;

	wire_arm_write(s, false);
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	if (error != 0)
		stream_fail(s, "cannot connect to %s port %s: %s", s->peer, s->port,
		            strerror(error));
	else
		stream_connected(s);
}

static void write_ready(evutil_socket_t fd, short what, void *context)
{
	struct stream *s = context;

	(void)fd;
	(void)what;
	if (s->connecting)
		finish_connect(s);
	else
		stream_flush_turn(s);
}

/* What waits for a stream of a pair that begins to read. */
static void pair_arm_read(struct stream *s)
{
	if (s->pair->arrived.length > 0 || s->pair->other == NULL || s->pair->ended)
		stream_set_due(s, DUE_ARRIVED);
}

/* The kernel has no room for another watched descriptor: this connection's end, not the daemon's.
 */
static void watch_failed(struct stream *s)
{
	stream_fail(s, "cannot watch the connection to %s: %s", s->peer, strerror(errno));
}

void wire_arm_read(struct stream *s, bool armed)
{
	if (s->pair != NULL) {
		if (armed)
			pair_arm_read(s);
		return;
	}
	if (s->reading == armed || s->fd < 0)
		return;
	s->reading = armed;
	if (!armed) {
		event_del(&s->read_event);
		return;
	}
	if (event_assign(&s->read_event, s->loop->base, s->fd, EV_READ | EV_PERSIST, read_ready,
	                 s) != 0 ||
	    event_add(&s->read_event, NULL) != 0) {
		s->reading = false;
		watch_failed(s);
	}
}

void wire_arm_write(struct stream *s, bool armed)
{
	if (s->blocked == armed || s->dead)
		return;
	s->blocked = armed;
	if (s->pair != NULL)
		return;
	if (!armed) {
		event_free(s->write_event);
		s->write_event = NULL;
		return;
	}
	s->write_event = event_new(s->loop->base, s->fd, EV_WRITE | EV_PERSIST, write_ready, s);
	if (s->write_event == NULL)
		log_fatal(EX_OSERR, "cannot watch a socket");
	if (event_add(s->write_event, NULL) != 0)
		watch_failed(s);
}

static ssize_t pair_receive(struct stream *s, void *data, size_t size)
{
	struct pair *p = s->pair;
	size_t length = p->arrived.length < size ? p->arrived.length : size;

	if (length > p->limit)
		length = p->limit;
	if (length == 0) {
		errno = EAGAIN;
		return p->ended || p->other == NULL ? 0 : -1;
	}
	memcpy(data, p->arrived.data + p->arrived.start, length);
	flow_consume(&p->arrived, length);
	if (p->arrived.length > 0 || p->ended || p->other == NULL)
		stream_set_due(s, DUE_ARRIVED);
	if (p->other != NULL && p->other->blocked) {
		p->other->blocked = false;
		stream_want_flush(p->other);
	}
	return (ssize_t)length;
}

static ssize_t pair_send(struct stream *s, const void *data, size_t length)
{
	struct stream *other = s->pair->other;
	size_t room;

	if (other == NULL) {
		errno = EPIPE;
		return -1;
	}
	room = PAIR_WINDOW - other->pair->arrived.length;
	if (room == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (length > room)
		length = room;
	flow_append(&other->pair->arrived, data, length);
	stream_set_due(other, DUE_ARRIVED);
	return (ssize_t)length;
}

ssize_t wire_receive(struct stream *s, void *data, size_t size)
{
	return s->pair != NULL ? pair_receive(s, data, size) : recv(s->fd, data, size, 0);
}

ssize_t wire_send(struct stream *s, const void *data, size_t length)
{
	return s->pair != NULL ? pair_send(s, data, length)
	                       : send(s->fd, data, length, MSG_NOSIGNAL);
}

static void pair_end(struct stream *s)
{
	struct stream *other = s->pair->other;

	if (other == NULL)
		return;
	other->pair->ended = true;
	stream_set_due(other, DUE_ARRIVED);
}

void wire_shut(struct stream *s)
{
	if (s->pair != NULL)
		pair_end(s);
	else
		shutdown(s->fd, SHUT_WR);
}

static void pair_close(struct stream *s)
{
	pair_end(s);
	if (s->pair->other != NULL)
		s->pair->other->pair->other = NULL;
	flow_release(&s->pair->arrived);
	free(s->pair);
	s->pair = NULL;
}

void wire_close(struct stream *s)
{
	if (s->pair != NULL) {
		pair_close(s);
		return;
	}
	if (s->reading)
		event_del(&s->read_event);
	if (s->write_event != NULL)
		event_free(s->write_event);
	s->reading = false;
	s->write_event = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static void name_unix_peer(struct stream *s)
{
	struct ucred peer;
	socklen_t length = sizeof peer;

	if (getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0)
		snprintf(s->peer, sizeof s->peer, "unix:uid=%lu", (unsigned long)peer.uid);
	else
		snprintf(s->peer, sizeof s->peer, "unix");
}

/* The text of an address that is known, else of whom the socket is connected to. An IPv4 peer of a
 * socket for both families is shown as IPv4. */
void wire_name_peer(struct stream *s, const struct sockaddr *address, socklen_t length)
{
	struct sockaddr_storage storage = { 0 };
	const struct sockaddr_in *in4 = (const void *)&storage;
	const struct sockaddr_in6 *in6 = (const void *)&storage;

	if (address != NULL)
		memcpy(&storage, address, length < sizeof storage ? length : sizeof storage);
	else {
		length = sizeof storage;
		if (getpeername(s->fd, (struct sockaddr *)&storage, &length) < 0)
			storage.ss_family = AF_UNSPEC;
	}
	snprintf(s->peer, sizeof s->peer, "unknown");
	if (storage.ss_family == AF_UNIX) {
		if (address == NULL)
			name_unix_peer(s);
		else
			snprintf(s->peer, sizeof s->peer, "unix");
	} else if (storage.ss_family == AF_INET) {
		inet_ntop(AF_INET, &in4->sin_addr, s->peer, sizeof s->peer);
		snprintf(s->port, sizeof s->port, "%u", ntohs(in4->sin_port));
	} else if (storage.ss_family == AF_INET6) {
		if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
			inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], s->peer, sizeof s->peer);
		else
			inet_ntop(AF_INET6, &in6->sin6_addr, s->peer, sizeof s->peer);
		snprintf(s->port, sizeof s->port, "%u", ntohs(in6->sin6_port));
	}
}

void wire_connect(struct stream *s, const struct sockaddr *address, socklen_t length)
{
	int one = 1;

	s->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		stream_fail(s, "cannot make a socket to %s: %s", s->peer, strerror(errno));
		return;
	}
	if (address->sa_family != AF_UNIX)
		setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(s->fd, address, length) == 0)
		stream_connected(s);
	else if (errno == EINPROGRESS)
		wire_arm_write(s, true);
	else
		stream_fail(s, "cannot connect to %s port %s: %s", s->peer, s->port,
		            strerror(errno));
}

const char *stream_peer(const struct stream *s)
{
	return s->peer;
}

const char *stream_peer_port(const struct stream *s)
{
	return s->port;
}

void stream_set_peer(struct stream *s, const char *peer, const char *port)
{
	snprintf(s->peer, sizeof s->peer, "%s", peer);
	snprintf(s->port, sizeof s->port, "%s", port);
}
