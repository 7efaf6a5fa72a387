/* SPDX-License-Identifier: ISC */
/* kept.c - a list of listening sockets by name. A handful: it is searched from the front. */
#include "kept.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

void kept_add(struct kept *kept, const char *name, int fd, const char *path)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return; /* no descriptor left: it is bound anew */
	kept->sockets = memory_grow(kept->sockets, kept->count + 1, sizeof(*kept->sockets));
	kept->sockets[kept->count++] = (struct kept_socket){
		.name = memory_text(name),
		.path = path != NULL ? memory_text(path) : NULL,
		.fd = copy,
	};
}

int kept_take(struct kept *kept, const char *name, bool *ours_r)
{
	for (size_t i = 0; i < kept->count; i++) {
		struct kept_socket *socket = &kept->sockets[i];
		int fd = socket->fd;

		if (fd < 0 || strcmp(socket->name, name) != 0)
			continue;
		*ours_r = socket->path != NULL;
		socket->fd = -1;
		return fd;
	}
	return -1;
}

void kept_release(struct kept *kept)
{
	for (size_t i = 0; i < kept->count; i++) {
		struct kept_socket *socket = &kept->sockets[i];

		if (socket->fd >= 0) {
			if (socket->path != NULL)
				unlink(socket->path);
			close(socket->fd);
		}
		free(socket->name);
		free(socket->path);
	}
	free(kept->sockets);
	*kept = (struct kept){ 0 };
}
