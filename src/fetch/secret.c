/* SPDX-License-Identifier: ISC */
/* secret.c - files that hold one secret: read, and replaced.
 *
 * No message holds a byte of what was read.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "fetch/private.h"

void secret_wipe(struct bytes *secret)
{
	if (secret->data != NULL)
		memory_wipe(secret->data, secret->capacity);
	bytes_release(secret);
}

const char *secret_trim(struct bytes *secret, size_t max)
{
	if (secret->length > 0 && secret->data[secret->length - 1] == '\n')
		secret->length--;
	if (secret->length > 0 && secret->data[secret->length - 1] == '\r')
		secret->length--;
	if (secret->length == 0)
		return "holds nothing";
	if (secret->length > max)
		return "is too long";
	for (size_t i = 0; i < secret->length; i++) {
		if (secret->data[i] < ' ' && secret->data[i] != '\t')
			return "holds more than one line";
	}
	return NULL;
}

/* Reads up to max octets and one more, which tells that there are too many. */
static int read_up_to(int fd, struct bytes *out, size_t max)
{
	bytes_reserve(out, max + 3);
	while (out->length < max + 3) {
		ssize_t got = read(fd, out->data + out->length, max + 3 - out->length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -1 : 0;
		out->length += (size_t)got;
	}
	return 0;
}

/* A named pipe or a device could keep a helper for ever. */
static int open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

int secret_file_read(const char *path, struct bytes *secret_r, size_t max, struct bytes *error)
{
	int fd = open_regular(path);

	if (fd < 0 || read_up_to(fd, secret_r, max) != 0) {
		bytes_printf(error, "%s cannot be read: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

static int write_all(int fd, struct span data)
{
	while (data.length > 0) {
		ssize_t put = write(fd, data.data, data.length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		data.data += put;
		data.length -= (size_t)put;
	}
	return 0;
}

/* Nothing to do, too, when there is no such account or we are it. */
static int give_to(int fd, const char *owner)
{
	struct passwd entry, *found = NULL;
	char room[4096];

	if (owner == NULL || geteuid() != 0 ||
	    getpwnam_r(owner, &entry, room, sizeof(room), &found) != 0 || found == NULL)
		return 0;
	return fchown(fd, found->pw_uid, found->pw_gid);
}

static int fill(int fd, struct span secret, const char *owner)
{
	int rc = fchmod(fd, 0600);

	if (rc == 0)
		rc = give_to(fd, owner);
	if (rc == 0)
		rc = write_all(fd, secret);
	if (rc == 0)
		rc = write_all(fd, span_of_text("\n"));
	return rc == 0 ? fsync(fd) : rc;
}

int secret_file_store(const char *path, struct span secret, const char *owner, struct bytes *error)
{
	struct bytes beside = { 0 };
	char *name;
	int fd, rc = -1;

	bytes_printf(&beside, "%s.XXXXXX", path);
	name = memory_text(bytes_text(&beside));
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0) {
		rc = fill(fd, secret, owner);
		if (close(fd) != 0 || rc != 0 || rename(name, path) != 0) {
			int saved = errno;
			unlink(name);
			errno = saved;
			rc = -1;
		}
	}
	if (rc != 0)
		bytes_printf(error, "%s cannot be written: %s", path, strerror(errno));
	free(name);
	bytes_release(&beside);
	return rc;
}
