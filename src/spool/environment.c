/* SPDX-License-Identifier: ISC */
/* environment.c - opening: the LMDB environment, its meta table, recovery.
 *
 * Fully synchronous always (never MDB_NOSYNC, never MDB_WRITEMAP). The map is reserved
 * far larger than the quota, because it cannot grow while readers run. Recovery
 * is small: bodies whose put never came become garbage; claims are left as they
 * are, the dispatcher treats them as indeterminate.
 */
#include "spool/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metric.h"

/* Address space only; a map that is too small would end accepting, not reading. */
#define MAP_MIN (UINT64_C(64) << 30)

static const char *const table_names[TABLE_COUNT] = {
	[TABLE_META] = "meta",   [TABLE_MESSAGE] = "message",   [TABLE_BLOB] = "blob",
	[TABLE_BODY] = "body",   [TABLE_GARBAGE] = "garbage",   [TABLE_DELIVERY] = "delivery",
	[TABLE_DUE] = "due",     [TABLE_CLAIM] = "claim",       [TABLE_INBOX] = "inbox",
	[TABLE_QUOTA] = "quota", [TABLE_ALARM] = "alarm",       [TABLE_PART] = "part",
	[TABLE_TEXT] = "text",   [TABLE_DIALOGUE] = "dialogue", [TABLE_LABEL] = "label",
	[TABLE_SIEVE] = "sieve",
};
static const char *const mode_names[] = { [SPOOL_RELAY] = "relay", [SPOOL_CATCH] = "catch" };

static int say(struct spool *sp, int rc, const char *what, struct bytes *error)
{
	bytes_printf(error, "cannot %s spool %s: %s", what, sp->path, mdb_strerror(rc));
	return -1;
}

/* ---- the map -------------------------------------------------------------------------- */

static uint64_t map_wanted(const struct spool *sp)
{
	uint64_t wanted = sp->max_size > UINT64_MAX / 4 ? UINT64_MAX / 2 : sp->max_size * 2;
	struct rlimit limit;

	if (wanted < MAP_MIN)
		wanted = MAP_MIN;
	/* The rest of the process needs address space too. */
	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    wanted > limit.rlim_cur / 2)
		wanted = limit.rlim_cur / 2;
	return wanted & ~UINT64_C(0xFFFFF);
}

static int try_map(struct spool *sp, uint64_t size)
{
	int rc = mdb_env_create(&sp->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(sp->env, size);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(sp->env, 32);
	if (rc == 0)
		rc = mdb_env_set_maxreaders(sp->env, READERS_MAX);
	if (rc == 0)
		rc = mdb_env_open(sp->env, sp->path, MDB_NOTLS, 0600);
	if (rc != 0 && sp->env != NULL) {
		mdb_env_close(sp->env);
		sp->env = NULL;
	}
	return rc;
}

static int open_map(struct spool *sp, struct bytes *error)
{
	uint64_t least = sp->max_size + sp->max_size / 4, size = map_wanted(sp);
	int rc;

	do
		rc = try_map(sp, size);
	while (rc == ENOMEM && (size /= 2) >= least);
	if (rc == 0 && size < least) {
		mdb_env_close(sp->env);
		sp->env = NULL;
		rc = ENOMEM;
	}
	if (rc == ENOMEM) {
		bytes_printf(error,
		             "cannot reserve %llu MiB of address space for spool %s: raise ulimit "
		             "-v, or make spool.max-size smaller",
		             (unsigned long long)(least >> 20), sp->path);
		return -1;
	}
	if (rc == MDB_VERSION_MISMATCH || rc == MDB_INVALID) {
		bytes_printf(error,
		             "spool %s holds a data.mdb that is not an LMDB 0.9 file of this kind "
		             "of machine: move it away, or name another path",
		             sp->path);
		return -1;
	}
	return rc == 0 ? 0 : say(sp, rc, "open", error);
}

/* ---- a new file -------------------------------------------------------------------------- */

/* LMDB does not sync the first pages of a file that it makes. */
static int make_file(const char *new, const char *path)
{
	MDB_env *env;
	int rc = mdb_env_create(&env);

	if (rc != 0)
		return rc;
	rc = mdb_env_open(env, new, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS, 0600);
	if (rc == 0)
		rc = mdb_env_sync(env, 1);
	mdb_env_close(env);
	if (rc == 0 && rename(new, path) != 0)
		rc = errno;
	return rc;
}

/* data.mdb is there whole or not at all: an empty one has lost what it held, and LMDB would begin
 * anew in it without a word. */
static int find_file(struct spool *sp, struct bytes *error)
{
	struct bytes path = { 0 }, new = { 0 };
	struct stat st;
	int rc = 0;

	bytes_printf(&path, "%s/data.mdb", sp->path);
	bytes_printf(&new, "%s/data.new", sp->path);
	if (lstat(bytes_text(&path), &st) == 0) {
		if (st.st_size == 0 || !S_ISREG(st.st_mode)) {
			bytes_printf(error,
			             "spool %s: data.mdb is %s: put back what it was, or remove it "
			             "to start with an empty spool",
			             sp->path, st.st_size == 0 ? "empty" : "not a file");
			rc = -1;
		}
	} else if (unlink(bytes_text(&new)) != 0 && errno != ENOENT) {
		rc = say(sp, errno, "make", error);
	} else if ((rc = make_file(bytes_text(&new), bytes_text(&path))) != 0) {
		rc = say(sp, rc, "make", error);
	}
	bytes_release(&path);
	bytes_release(&new);
	return rc;
}

/* ---- the meta table -------------------------------------------------------------------- */

static int meta_get(struct write *w, const char *name, struct span *value_r)
{
	struct key key = key_of_text(name);

	return write_get(w, TABLE_META, &key, value_r);
}

static int meta_put(struct write *w, const char *name, struct span value)
{
	struct key key = key_of_text(name);

	return write_put(w, TABLE_META, value_of(key.bytes, key.length),
	                 value_of(value.data, value.length), 0);
}

static int meta_make(struct write *w)
{
	struct spool *sp = w->sp;
	unsigned char number[4];
	int rc;

	digest_random(sp->class_key, sizeof(sp->class_key));
	be32_store(number, SPOOL_SCHEMA);
	rc = meta_put(w, "schema", span_of(number, 4));
	be32_store(number, (uint32_t)(sp->piece + PAGE_HEADER));
	if (rc == 0)
		rc = meta_put(w, "page-size", span_of(number, 4));
	if (rc == 0)
		rc = meta_put(w, "mode", span_of_text(mode_names[sp->mode]));
	if (rc == 0)
		rc = meta_put(w, "class-key", span_of(sp->class_key, sizeof(sp->class_key)));
	return rc;
}

static int check_mode(struct spool *sp, struct span mode, struct bytes *error)
{
	if (span_equal_text(mode, mode_names[sp->mode]))
		return 0;
	bytes_printf(error,
	             sp->mode == SPOOL_RELAY
	                     ? "spool %s belongs to a catch-all inbox (penstockd --catch), a relay "
	                       "cannot use it: name another path"
	                     : "spool %s belongs to a relay, --catch cannot use it: name another "
	                       "path",
	             sp->path);
	return -1;
}

/* What another version or another machine wrote is not guessed at. */
static int meta_check(struct write *w, uint32_t schema, struct bytes *error)
{
	struct spool *sp = w->sp;
	struct span page, mode, key;

	if (schema != SPOOL_SCHEMA) {
		bytes_printf(error,
		             "spool %s has schema %u, this version reads %u: run the version that "
		             "wrote it until the spool is empty, or name another path",
		             sp->path, schema, SPOOL_SCHEMA);
		return -1;
	}
	if (meta_get(w, "page-size", &page) != 0 || page.length != 4 ||
	    meta_get(w, "mode", &mode) != 0 || meta_get(w, "class-key", &key) != 0 ||
	    key.length != sizeof(sp->class_key)) {
		bytes_printf(error, "spool %s lacks its meta records: move it away", sp->path);
		return -1;
	}
	if (be32_load(page.data) != sp->piece + PAGE_HEADER) {
		bytes_printf(
			error,
			"spool %s was made with pages of %u octets, here they have %zu: use it "
			"on the machine that made it, or name another path",
			sp->path, be32_load(page.data), sp->piece + PAGE_HEADER);
		return -1;
	}
	memcpy(sp->class_key, key.data, sizeof(sp->class_key));
	return check_mode(sp, mode, error);
}

static int meta_load(struct write *w, struct bytes *error)
{
	struct span schema, tally;
	int rc = meta_get(w, "schema", &schema);

	if (rc == MDB_NOTFOUND)
		rc = meta_make(w);
	else if (rc == 0 && meta_check(w, schema.length == 4 ? be32_load(schema.data) : 0, error))
		return -1;
	if (rc == 0 && meta_get(w, "tally", &tally) == 0 &&
	    record_parse_tally(tally, &w->tally) != 0)
		rc = MDB_CORRUPTED;
	return rc == 0 ? 0 : say(w->sp, rc, "read", error);
}

/* ---- recovery ---------------------------------------------------------------------------- */

/* Bodies that a crash or a stop interrupted: their rows (0, blob) become (1, blob). */
static int bury_interrupted(struct write *w)
{
	struct key first = key_of_garbage(0, 0), key;
	struct span found, value;
	int rc;

	while ((rc = write_seek(w, TABLE_GARBAGE, &first, &found, &value)) == 0) {
		uint64_t blob;
		uint8_t dead;

		atomic_store(&w->sp->garbage, true);
		if (found.length > 0 && found.data[0] != 0)
			return 0;
		if (key_parse_garbage(found, &dead, &blob) != 0)
			return MDB_CORRUPTED;
		key = key_of_garbage(1, blob);
		rc = write_delete_here(w, TABLE_GARBAGE);
		if (rc == 0)
			rc = write_put(w, TABLE_GARBAGE, value_of(key.bytes, key.length),
			               value_of(NULL, 0), 0);
		if (rc != 0)
			return rc;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The largest number of a streamed body that is left: the next is larger. */
static int find_last_blob(struct write *w)
{
	struct key key = key_of_body(BLOB_STREAMED_MAX, 0);
	MDB_val k, v;
	struct span found, value;
	uint64_t blob = 0;
	uint32_t piece;
	int rc = write_seek(w, TABLE_BODY, &key, &found, &value);

	if (rc != 0 && rc != MDB_NOTFOUND)
		return rc;
	rc = mdb_cursor_get(w->cursors[TABLE_BODY], &k, &v, rc == 0 ? MDB_PREV : MDB_LAST);
	if (rc == 0 && key_parse_body(span_of_value(k), &blob, &piece) != 0)
		return MDB_CORRUPTED;
	if (rc == 0)
		atomic_store(&w->sp->blobs, blob);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Makes what is missing, reads meta, recovers: one transaction. */
static int prepare_tables(struct write *w, bool *made_r, struct bytes *error)
{
	struct spool *sp = w->sp;
	MDB_stat stat;
	int rc = write_begin(w);

	for (int i = 0; i < TABLE_COUNT && rc == 0; i++)
		rc = mdb_dbi_open(w->txn, table_names[i], MDB_CREATE, &sp->table[i]);
	if (rc == 0)
		rc = mdb_stat(w->txn, sp->table[TABLE_META], &stat);
	if (rc != 0)
		return rc;
	*made_r = stat.ms_entries == 0;
	if (meta_load(w, error) != 0)
		return REFUSED; /* and said */
	sp->tally = w->tally;
	rc = bury_interrupted(w);
	if (rc == 0)
		rc = find_last_blob(w);
	w->operations++; /* tables may be new: commit in any case */
	return rc == 0 ? write_commit(w) : rc;
}

/* On a full disk: nothing is written, interrupted bodies wait for the next start. */
static int open_tables_only(struct spool *sp)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(sp->env, NULL, MDB_RDONLY, &txn);

	if (rc != 0)
		return rc;
	for (int i = 0; i < TABLE_COUNT && rc == 0; i++)
		rc = mdb_dbi_open(txn, table_names[i], 0, &sp->table[i]);
	if (rc == 0)
		return mdb_txn_commit(txn); /* keeps the tables open */
	mdb_txn_abort(txn);
	return rc;
}

static int open_tables(struct spool *sp, struct bytes *error)
{
	struct write w = { .sp = sp };
	bool made = true;
	MDB_stat stat;
	int dead, rc = mdb_env_stat(sp->env, &stat);

	if (rc == 0)
		rc = mdb_reader_check(sp->env, &dead);
	if (rc == 0) {
		sp->piece = stat.ms_psize - PAGE_HEADER;
		rc = prepare_tables(&w, &made, error);
	}
	write_release(&w);
	if (rc == REFUSED)
		return -1;
	/* A daemon that cannot start on a full disk cannot empty it either. */
	if (rc != 0 && !made && quota_is_full(sp, rc))
		rc = open_tables_only(sp);
	return rc == 0 ? 0 : say(sp, rc, "open", error);
}

/* ---- opening and closing -------------------------------------------------------------------- */

static void die(void *context, const char *why)
{
	(void)context;
	log_fatal(EX_IOERR, "spool failed error=%s", why);
}

void spool_on_failure(struct spool *sp, void (*failed)(void *context, const char *why),
                      void *context)
{
	sp->failed = failed;
	sp->failed_context = context;
}

int spool_open(struct spool **spool_r, const struct spool_options *options, struct bytes *error)
{
	struct spool *sp = memory_new(sizeof(*sp));

	*spool_r = NULL;
	sp->path = memory_text(options->path);
	sp->max_size = options->max_size;
	sp->mode = options->mode;
	sp->clock = options->clock != NULL ? options->clock : clock_system();
	sp->lock_fd = -1;
	sp->failed = die;
	sp->channel = channel_new(sp);
	watches_init(sp);
	if (spool_make_directory(sp->path, error) != 0 ||
	    (sp->lock_fd = spool_lock(sp->path, error)) < 0 || find_file(sp, error) != 0 ||
	    open_map(sp, error) != 0 || open_tables(sp, error) != 0 ||
	    spool_sync_directory(sp->path, error) != 0) {
		spool_close(&sp);
		return -1;
	}
	atomic_store(&sp->held, quota_weight(&sp->tally));
	metric_set(METRIC_SPOOL_BYTES, (int64_t)atomic_load(&sp->held));
	metric_set(METRIC_SPOOL_MESSAGES, (int64_t)sp->tally.messages);
	quota_check_disk_sometimes(sp);
	*spool_r = sp;
	return 0;
}

void spool_close(struct spool **spp)
{
	struct spool *sp = *spp;
	struct keep *keep;

	if (sp == NULL)
		return;
	*spp = NULL;
	spool_stop(sp);
	if (sp->env != NULL)
		mdb_env_close(sp->env);
	if (sp->lock_fd >= 0)
		close(sp->lock_fd);
	while ((keep = atomic_load(&sp->keeps)) != NULL) {
		atomic_store(&sp->keeps, keep->next);
		free(keep);
	}
	watches_release(sp);
	/* Requests that came too late are their askers', who must not wait for them. */
	channel_take(sp->channel);
	channel_free(&sp->channel);
	free(sp->path);
	free(sp);
}
