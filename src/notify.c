/* SPDX-License-Identifier: ISC */
/* notify.c - the protocol of sd_notify(3), spoken directly: one datagram a state. */
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

/* 0, or -1 with errno. */
static int send_state(const char *path, const char *state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	size_t length = strlen(path), size = offsetof(struct sockaddr_un, sun_path) + length;
	ssize_t sent;
	int fd;

	if (length < 2 || length >= sizeof(name.sun_path) || (*path != '/' && *path != '@')) {
		errno = EINVAL;
		return -1;
	}
	memcpy(name.sun_path, path, length);
	if (*path == '@')
		name.sun_path[0] = '\0'; /* the abstract namespace */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
	              (const struct sockaddr *)&name, (socklen_t)size);
	close(fd);
	return sent < 0 ? -1 : 0;
}

void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (path != NULL && send_state(path, state) < 0)
		log_warning("cannot notify the service manager socket=%s error=%s",
		            log_quoted(path), log_quoted(strerror(errno)));
}
