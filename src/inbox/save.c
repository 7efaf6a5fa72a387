/* SPDX-License-Identifier: ISC */
/* save.c - one .eml file a message: written aside, synced, renamed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "inbox/private.h"
#include "mail/id.h"

/* Octets that are read and written at a time. */
#define SAVE_STEP (64 * 1024)

static int write_all(int fd, struct span data)
{
	while (data.length > 0) {
		ssize_t n = write(fd, data.data, data.length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data.data += n;
		data.length -= (size_t)n;
	}
	return 0;
}

static int write_message(int fd, const struct entry *entry)
{
	struct bytes step = { 0 };
	uint64_t offset = 0;
	size_t got;
	int rc;

	trace_format(&entry->facts.trace, entry->id, &step);
	do {
		rc = write_all(fd, bytes_span(&step));
		bytes_clear(&step);
		bytes_reserve(&step, SAVE_STEP);
		got = 0;
		if (rc == 0 && reader_body(entry->reader, entry->facts.blob, offset, step.data,
		                           SAVE_STEP, &got) < 0) {
			errno = ENOENT;
			rc = -1;
		}
		step.length = got;
		offset += got;
	} while (rc == 0 && got > 0);
	bytes_release(&step);
	return rc;
}

int save_entry(const char *directory, const struct entry *entry, struct bytes *path_r)
{
	time_t seconds = (time_t)(entry->summary.created_us / CLOCK_SEC);
	char date[16], id[ID_TEXT_SIZE];
	struct bytes aside = { 0 };
	struct tm tm;
	int fd, rc, error;

	id_format(entry->id, id);
	localtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y%m%d%H%M%S", &tm);
	bytes_clear(path_r);
	bytes_printf(path_r, "%s/%s-%s.eml", directory, date, id);
	bytes_printf(&aside, "%s/.%s-%s.tmp", directory, date, id);
	fd = open(bytes_text(&aside), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	rc = fd < 0 ? -1 : write_message(fd, entry);
	if (rc == 0)
		rc = fdatasync(fd);
	if (fd >= 0 && close(fd) < 0)
		rc = -1;
	if (rc == 0)
		rc = rename(bytes_text(&aside), bytes_text(path_r));
	error = errno;
	if (rc < 0 && fd >= 0)
		unlink(bytes_text(&aside));
	bytes_release(&aside);
	errno = error;
	return rc;
}
