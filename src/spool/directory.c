/* SPDX-License-Identifier: ISC */
/* directory.c - DIR and DIR/lock: made, looked at, locked, before LMDB opens anything.
 *
 * The lock is flock on a file of our own: LMDB's locks vanish when anybody in the process
 * opens and closes its files once more. The holder's pid stands inside for the operator.
 */
#include "spool/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		int made;

		*slash = '\0';
		made = mkdir(path, 0700);
		*slash = '/';
		if (made != 0 && errno != EEXIST)
			return -1;
	}
	return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

/* Somebody else's link or directory would hand him the mail, or hand us his. */
static int check_owner(const char *path, struct bytes *error)
{
	uid_t user = geteuid();
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && st.st_uid != user && st.st_uid != 0) {
		bytes_printf(error,
		             "spool %s is a symbolic link of uid %u: remove it, or name the "
		             "directory itself",
		             path, (unsigned)st.st_uid);
		return -1;
	}
	if (stat(path, &st) != 0) {
		bytes_printf(error, "cannot look at spool %s: %s", path, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		bytes_printf(error, "spool %s is not a directory: name another path", path);
		return -1;
	}
	if (st.st_uid != user) {
		bytes_printf(error,
		             "spool %s belongs to uid %u, the daemon runs as uid %u: chown -R it, "
		             "or name another path",
		             path, (unsigned)st.st_uid, (unsigned)user);
		return -1;
	}
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		bytes_printf(error, "spool %s can be written by others: chmod 700 it", path);
		return -1;
	}
	return 0;
}

int spool_make_directory(const char *path, struct bytes *error)
{
	char *copy = memory_text(path);
	int made;

	if (path[0] == '\0') {
		free(copy);
		bytes_append_text(error, "the spool's path is empty: name a directory");
		return -1;
	}
	made = make_parents(copy);
	free(copy);
	if (made != 0) {
		bytes_printf(error,
		             "cannot make spool %s: %s: make it and give it to the daemon's user, "
		             "or name another path",
		             path, strerror(errno));
		return -1;
	}
	return check_owner(path, error);
}

static int sync_one(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	/* Some file systems have no such thing; they need none then. */
	if (rc != 0 && errno == EINVAL)
		rc = 0;
	close(fd);
	return rc;
}

int spool_sync_directory(const char *path, struct bytes *error)
{
	struct bytes above = { 0 };
	int rc;

	bytes_printf(&above, "%s/..", path);
	rc = sync_one(path);
	if (rc == 0 && sync_one(bytes_text(&above)) != 0 && errno != EACCES)
		rc = -1;
	bytes_release(&above);
	if (rc != 0)
		bytes_printf(error, "cannot sync spool %s: %s", path, strerror(errno));
	return rc;
}

static void say_holder(int fd, const char *path, struct bytes *error)
{
	char text[32] = "";
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
	long pid = got > 0 ? strtol(text, NULL, 10) : 0;

	if (pid > 0)
		bytes_printf(error, "spool %s is in use by pid %ld: stop it, or name another path",
		             path, pid);
	else
		bytes_printf(error,
		             "spool %s is in use by another process: stop it, or name another path",
		             path);
}

int spool_lock(const char *path, struct bytes *error)
{
	struct bytes name = { 0 };
	char pid[32];
	int fd, length;

	bytes_printf(&name, "%s/lock", path);
	fd = open(bytes_text(&name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	bytes_release(&name);
	if (fd < 0) {
		bytes_printf(error,
		             "cannot write in spool %s: %s: give it to the daemon's user, or name "
		             "another path",
		             path, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			say_holder(fd, path, error);
		else
			bytes_printf(error, "cannot lock spool %s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	length = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	/* Only for people: a full disk must not keep the daemon from starting. */
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)length, 0) != length)
		errno = 0;
	return fd;
}
