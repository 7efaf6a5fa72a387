/* SPDX-License-Identifier: ISC */
/* meddle.c - a library for LD_PRELOAD that stands between a program and the system.
 *
 * MEDDLE_LOG=FILE writes down what happens to data.mdb, and each reply with "queued as" that leaves
 * or comes, in the order in which the system saw it. MEDDLE_FAULT=FILE: once that is there, it
 * holds "CALL N ERRNO TIMES", and from the N-th CALL on so many fail; "CALL.done" is made beside it
 * when the first did. ERRNO 0 is a short write. MEDDLE_CLOCK=FILE holds 8 octets, microseconds that
 * are added to the wall clock. MEDDLE_MAILS=FILE: for each MAIL that is sent two doubles, monotonic
 * seconds before and after the call. tests/lib/meddle.py is the other side.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/* What the next library in line has under this name. */
#define NEXT(name)                       \
	static __typeof__(&(name)) next; \
	if (next == NULL)                \
	*(void **)(void *)&next = dlsym(RTLD_NEXT, #name)

enum kind { WRITE = 1, WRITE_SYNCED, WRITTEN, SYNCED, TRUNCATED, SENT, RECEIVED };

struct entry {
	uint32_t kind, length;
	int64_t offset;
};

/* ---- the log ------------------------------------------------------------------------- */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1, mails_fd = -1;
static const char *fault_path;

static bool is_spool(int fd)
{
	char link[64], path[4096];
	ssize_t length;

	if (log_fd < 0 && fault_path == NULL)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path));
	return length > 9 && (memcmp(path + length - 9, "/data.mdb", 9) == 0 ||
	                      memcmp(path + length - 9, "/data.new", 9) == 0);
}

static void note(enum kind kind, int64_t offset, const struct iovec *parts, int count)
{
	struct entry entry = { .kind = (uint32_t)kind, .offset = offset };
	struct iovec all[1 + 64] = { { &entry, sizeof(entry) } };
	int error = errno;
	ssize_t length = sizeof(entry);

	if (log_fd < 0)
		return;
	for (int i = 0; i < count && i < 64; i++) {
		all[i + 1] = parts[i];
		entry.length += (uint32_t)parts[i].iov_len;
	}
	length += entry.length;
	pthread_mutex_lock(&log_lock);
	/* Not through our own writev(). */
	if (count > 64 || pwritev2(log_fd, all, count + 1, -1, RWF_APPEND) != length)
		abort();
	pthread_mutex_unlock(&log_lock);
	errno = error;
}

static void note_reply(enum kind kind, const void *data, size_t length)
{
	struct iovec part = { (void *)(uintptr_t)data, length };

	if (log_fd >= 0 && memmem(data, length, "queued as ", 10) != NULL)
		note(kind, 0, &part, 1);
}

/* ---- faults -------------------------------------------------------------------------- */

static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static char fault_call[32];
static long fault_after, fault_errno, fault_times;

static void fault_read(void)
{
	char text[128] = "";
	int fd = open(fault_path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0)
		(void)!sscanf(text, "%31s %ld %ld %ld", fault_call, &fault_after, &fault_errno,
		              &fault_times);
	close(fd);
}

static void fault_tell(void)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s.done", fault_path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

/* Whether this call fails now; errno is set. */
static bool fails(const char *call)
{
	int error = errno;
	bool now;

	if (fault_path == NULL)
		return false;
	pthread_mutex_lock(&fault_lock);
	if (fault_call[0] == '\0')
		fault_read();
	now = strcmp(fault_call, call) == 0 && --fault_after <= 0 && fault_times > 0;
	if (now && fault_after == 0)
		fault_tell();
	if (now)
		fault_times--;
	pthread_mutex_unlock(&fault_lock);
	errno = now ? (int)fault_errno : error;
	return now;
}

/* ---- the spool's calls ---------------------------------------------------------------- */

static enum kind kind_of(int fd)
{
	return (fcntl(fd, F_GETFL) & O_DSYNC) != 0 ? WRITE_SYNCED : WRITE;
}

static ssize_t write_at(int fd, const struct iovec *parts, int count, off_t offset)
{
	enum kind kind = kind_of(fd);
	const char *call = kind == WRITE ? "pwrite" : "meta";
	ssize_t done;

	if (fails(call)) {
		if (errno != 0 || parts->iov_len < 2)
			return -1;
		return pwritev2(fd, &(struct iovec){ parts->iov_base, parts->iov_len / 2 }, 1,
		                offset, 0);
	}
	note(kind, offset, parts, count);
	done = pwritev2(fd, parts, count, offset, 0);
	if (kind == WRITE_SYNCED && done >= 0)
		note(WRITTEN, offset, NULL, 0);
	return done;
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
	NEXT(pwrite);
	if (!is_spool(fd))
		return next(fd, data, length, offset);
	return write_at(fd, &(struct iovec){ (void *)(uintptr_t)data, length }, 1, offset);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	NEXT(writev);
	ssize_t done;
	off_t offset;

	if (!is_spool(fd))
		return next(fd, parts, count);
	offset = lseek(fd, 0, SEEK_CUR);
	done = write_at(fd, parts, count, offset);
	if (done > 0)
		lseek(fd, offset + done, SEEK_SET);
	return done;
}

EXPORT ssize_t write(int fd, const void *data, size_t length)
{
	NEXT(write);
	if (!is_spool(fd))
		return next(fd, data, length);
	return writev(fd, &(struct iovec){ (void *)(uintptr_t)data, length }, 1);
}

EXPORT int fdatasync(int fd)
{
	NEXT(fdatasync);
	int rc;

	if (!is_spool(fd))
		return next(fd);
	rc = fails("fdatasync") ? -1 : next(fd);
	if (rc == 0)
		note(SYNCED, 0, NULL, 0);
	return rc;
}

EXPORT int ftruncate(int fd, off_t length)
{
	NEXT(ftruncate);
	if (is_spool(fd))
		note(TRUNCATED, length, NULL, 0);
	return next(fd, length);
}

/* ---- sockets ------------------------------------------------------------------------- */

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void note_mails(const void *data, ssize_t length, double before)
{
	static const char mail[] = "MAIL FROM:<";
	const double times[2] = { before, seconds_now() };
	const char *at = data, *end = at + (length > 0 ? length : 0);

	while ((at = memmem(at, (size_t)(end - at), mail, sizeof(mail) - 1)) != NULL) {
		if (write(mails_fd, times, sizeof(times)) != sizeof(times))
			abort();
		at += sizeof(mail) - 1;
	}
}

EXPORT ssize_t send(int fd, const void *data, size_t length, int flags)
{
	NEXT(send);
	if (fails("send")) {
		if (errno != 0)
			return -1;
		length = length > 1 ? 1 : length;
	}
	note_reply(SENT, data, length);
	if (mails_fd >= 0) {
		double before = seconds_now();
		ssize_t sent = next(fd, data, length, flags);

		note_mails(data, sent, before);
		return sent;
	}
	return next(fd, data, length, flags);
}

EXPORT ssize_t recv(int fd, void *data, size_t length, int flags)
{
	NEXT(recv);
	ssize_t got = fails("recv") ? -1 : next(fd, data, length, flags);

	if (got > 0)
		note_reply(RECEIVED, data, (size_t)got);
	return got;
}

EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	NEXT(accept4);
	return fails("accept4") ? -1 : next(fd, address, length, flags);
}

EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	NEXT(connect);
	return fails("connect") ? -1 : next(fd, address, length);
}

EXPORT int socket(int domain, int type, int protocol)
{
	NEXT(socket);
	return fails("socket") ? -1 : next(domain, type, protocol);
}

EXPORT int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	NEXT(epoll_ctl);
	return fails("epoll_ctl") ? -1 : next(epoll, operation, fd, event);
}

EXPORT int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
	NEXT(epoll_wait);
	return fails("epoll_wait") ? -1 : next(epoll, events, count, timeout);
}

/* ---- the clock ----------------------------------------------------------------------- */

static const _Atomic int64_t *clock_step;

EXPORT int clock_gettime(clockid_t clock, struct timespec *now)
{
	NEXT(clock_gettime);
	int rc = next(clock, now);

	if (rc == 0 && clock == CLOCK_REALTIME && clock_step != NULL) {
		int64_t us = now->tv_sec * INT64_C(1000000) + now->tv_nsec / 1000;

		us += atomic_load(clock_step);
		now->tv_sec = us / 1000000;
		now->tv_nsec = us % 1000000 * 1000;
	}
	return rc;
}

__attribute__((constructor)) static void meddle_start(void)
{
	const char *path = getenv("MEDDLE_LOG");
	int fd;

	if (path != NULL && (log_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0)
		abort();
	path = getenv("MEDDLE_MAILS");
	if (path != NULL &&
	    (mails_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
		abort();
	fault_path = getenv("MEDDLE_FAULT");
	path = getenv("MEDDLE_CLOCK");
	if (path != NULL && (fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
		void *map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);

		clock_step = map == MAP_FAILED ? NULL : map;
		close(fd);
	}
}
