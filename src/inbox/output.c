/* SPDX-License-Identifier: ISC */
/* output.c - stdout that may be a pipe nobody reads: it is waited for, but not when the daemon
 * stops.
 *
 * Its descriptor is shared with other programs, so it is left blocking; a pipe that polls as
 * writable takes PIPE_BUF octets without blocking.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "inbox/private.h"

/* How long a stopping daemon waits for whoever reads. */
#define LAST_PATIENCE_MS 1000

/* 0, or -1 with errno. */
static int wait_writable(int fd, struct channel *channel, const bool *stopping)
{
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = fd, .events = POLLOUT },
			{ .fd = channel_fd(channel), .events = POLLIN },
		};
		int n = *stopping ? poll(fds, 1, LAST_PATIENCE_MS) : poll(fds, 2, -1);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (n > 0 && fds[0].revents != 0)
			return 0; /* POLLERR too: write() says what it is */
		if (n > 0)
			channel_receive(channel);
	}
}

int output_write(int fd, struct channel *channel, const bool *stopping, struct span text)
{
	while (text.length > 0) {
		ssize_t n;

		if (wait_writable(fd, channel, stopping) < 0)
			return -1;
		n = write(fd, text.data, text.length < PIPE_BUF ? text.length : PIPE_BUF);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		if (n > 0) {
			text.data += n;
			text.length -= (size_t)n;
		}
	}
	return 0;
}
