/* SPDX-License-Identifier: ISC */
/* quota.c - room: our own quota, and the disk's.
 *
 * Both only stop new mail. Outcomes and deletes are never asked for room: the map is larger
 * than the quota and a part of the disk is kept free for them. A full disk is seen
 * at a commit and recovers by itself, because reserve() looks again.
 */
#include "spool/private.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/log.h"

/* What the process may still write to the file, when somebody limited its size (ulimit -f). */
static uint64_t file_room(struct spool *sp)
{
	struct rlimit limit;
	struct stat st;
	mdb_filehandle_t fd;

	if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
	    mdb_env_get_fd(sp->env, &fd) != 0 || fstat(fd, &st) != 0)
		return UINT64_MAX;
	return (uint64_t)st.st_size >= limit.rlim_cur ? 0 : limit.rlim_cur - (uint64_t)st.st_size;
}

/* What deleted mail left: LMDB's file never shrinks, its free pages are used first. Read from the
 * committed state; pages that a reader still pins count too, a commit that finds none says so. */
static uint64_t free_in_file(struct spool *sp)
{
	uint64_t used = 0, reached;
	MDB_envinfo info;
	MDB_stat stat;
	MDB_txn *txn;

	if (sp->env == NULL || mdb_env_info(sp->env, &info) != 0 ||
	    mdb_txn_begin(sp->env, NULL, MDB_RDONLY, &txn) != 0)
		return 0;
	reached = info.me_last_pgno + 1;
	/* The tables' own roots are in two more: the list of free pages, and the list of tables. */
	for (int i = -2; i < TABLE_COUNT; i++)
		if (mdb_stat(txn, i < 0 ? (MDB_dbi)(i + 2) : sp->table[i], &stat) == 0)
			used += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
	mdb_txn_abort(txn);
	return reached > used ? (reached - used) * (sp->piece + PAGE_HEADER) : 0;
}

static void set_full(struct spool *sp, bool full)
{
	if (atomic_exchange(&sp->full, full) == full)
		return;
	if (full)
		log_error("spool disk full, new mail is refused path=%s", sp->path);
	else
		log_info("spool disk has room again path=%s", sp->path);
}

/* Sets or clears sp->full. True: the disk is (nearly) full. */
static bool check_disk(struct spool *sp)
{
	struct statvfs disk;
	uint64_t room = UINT64_MAX, reserve = DISK_RESERVE, file = file_room(sp), spare;
	bool full;

	if (statvfs(sp->path, &disk) == 0) {
		uint64_t part = disk.f_blocks * disk.f_frsize / DISK_RESERVE_PART;

		spare = free_in_file(sp);
		room = disk.f_bavail * disk.f_frsize + spare;
		file = file > UINT64_MAX - spare ? UINT64_MAX : file + spare;
		if (part < reserve)
			reserve = part;
	}
	/* A limit of the file's size has no other users: what one batch can write is enough. */
	full = room < reserve || file < 2 * BATCH_OCTETS;
	set_full(sp, full);
	return full;
}

bool quota_is_full(struct spool *sp, int rc)
{
	switch (rc) {
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		atomic_store(&sp->checked, clock_monotonic(clock_system()));
		set_full(sp, true);
		return true;
	case EIO: /* LMDB's word for a short write, and the disk's for worse */
		return check_disk(sp);
	default:
		return false;
	}
}

uint64_t quota_weight(const struct tally *tally)
{
	return tally->octets + tally->extras + tally->messages * MESSAGE_OVERHEAD;
}

void quota_check_disk_sometimes(struct spool *sp)
{
	int64_t now = clock_monotonic(clock_system()), last = atomic_load(&sp->checked);

	if (now - last >= DISK_CHECK_EVERY &&
	    atomic_compare_exchange_strong(&sp->checked, &last, now))
		check_disk(sp);
}

bool spool_reserve(struct spool *sp, uint64_t octets)
{
	return spool_reserve_sparing(sp, octets, 0);
}

bool spool_reserve_sparing(struct spool *sp, uint64_t octets, uint64_t spare)
{
	uint64_t before, room = spare < sp->max_size ? sp->max_size - spare : 0;

	if (atomic_load_explicit(&sp->full, memory_order_relaxed)) {
		quota_check_disk_sometimes(sp);
		if (atomic_load(&sp->full))
			return false;
	}
	before = atomic_fetch_add(&sp->held, octets);
	if (octets <= room && before <= room - octets)
		return true;
	atomic_fetch_sub(&sp->held, octets);
	return false;
}

void spool_unreserve(struct spool *sp, uint64_t octets)
{
	atomic_fetch_sub(&sp->held, octets);
}

size_t spool_piece_size(const struct spool *sp)
{
	return sp->piece;
}
