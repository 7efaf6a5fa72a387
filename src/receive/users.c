/* SPDX-License-Identifier: ISC */
/* users.c - the helper that owns a table of logins: looks at the file, compares a password.
 *
 * An unknown name costs what a known one costs: the password is hashed with the salt of a login of
 * the table that a keyed hash of the name picks, so the method, and with it the time, is as likely
 * as with names that exist, and the same each time. Nothing else is shared between threads than
 * the generation, which counts the tables.
 */
#include "receive/users.h"

#include <crypt.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/users.h"

/* Logins that wait for the thread: at 50 ms each it is 3 s behind then, and more would only wait
 * for a time-out. */
#define WAITING_MAX 64

/* What changes when a file is written or replaced. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec written, changed;
};

struct users {
	struct helper *helper;
	_Atomic uint64_t generation;
	char *path;
	/* The helper's: */
	struct user_list list;
	struct stamp stamp;
	unsigned char key[16];
	char decoy[CRYPT_GENSALT_OUTPUT_SIZE]; /* a setting for an empty table */
	struct crypt_data *crypt;
	/* The looking thread's: */
	struct helper_job look;
	bool looking;
};

static struct stamp stamp_of(const char *path)
{
	struct stamp stamp;
	struct stat st;

	memset(&stamp, 0, sizeof stamp);
	if (stat(path, &st) != 0)
		return stamp;
	stamp.device = st.st_dev;
	stamp.inode = st.st_ino;
	stamp.size = st.st_size;
	stamp.written = st.st_mtim;
	stamp.changed = st.st_ctim;
	return stamp;
}

static void log_lines(struct bytes *text, bool fault)
{
	char *copy = memory_text(bytes_text(text)), *rest = copy, *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		if (fault)
			log_error("users' file not taken reason=%s", log_quoted(line));
		else
			log_warning("users' file note=%s", log_quoted(line));
	}
	free(copy);
}

/* Reads the file when it is not the one that was read last. */
static void refresh(struct users *u)
{
	struct stamp stamp = stamp_of(u->path);
	struct bytes error = { 0 }, notes = { 0 };
	struct user_list list;

	if (memcmp(&stamp, &u->stamp, sizeof stamp) == 0)
		return;
	u->stamp = stamp;
	if (user_list_read(&list, u->path, &error, &notes) == 0) {
		user_list_release(&u->list);
		u->list = list;
		atomic_fetch_add(&u->generation, 1);
		log_info("users' file read path=%s users=%zu", log_quoted(u->path), list.count);
	} else {
		log_lines(&error, true);
	}
	log_lines(&notes, false);
	bytes_release(&error);
	bytes_release(&notes);
}

/* Whose salt an unknown name is hashed with. */
static const char *decoy_for(const struct users *u, struct span name)
{
	if (u->list.count == 0)
		return u->decoy;
	return u->list.items[digest_siphash(u->key, name) % u->list.count].hash;
}

static bool password_fits(struct users *u, const char *password, const char *hash)
{
	const char *made = crypt_r(password, hash, u->crypt);
	size_t length = strlen(hash);
	bool equal = made != NULL && made[0] != '*' && strlen(made) == length &&
	             digest_equal(made, hash, length);

	memory_wipe(u->crypt, sizeof *u->crypt);
	return equal;
}

static void check_work(struct helper_job *job)
{
	struct login_check *check = (struct login_check *)job;
	struct users *u = check->users;
	const struct user *user;
	bool fits;

	refresh(u);
	check->generation = atomic_load(&u->generation);
	user = user_list_find(&u->list, span_of_text(check->name));
	fits = password_fits(u, check->password,
	                     user != NULL ? user->hash : decoy_for(u, span_of_text(check->name)));
	check->known = user != NULL;
	check->good = fits && user != NULL;
}

static void check_arrived(struct channel_item *item, void *receiver)
{
	struct login_check *check = (struct login_check *)item;

	(void)receiver;
	check->done(check);
}

int users_check(void *users, struct login_check *check)
{
	struct users *u = users;

	check->users = u;
	check->job.work = check_work;
	check->job.item.arrived = check_arrived;
	return u->helper != NULL ? helper_submit(u->helper, &check->job) : -1;
}

uint64_t users_generation(void *users)
{
	return atomic_load(&((struct users *)users)->generation);
}

static void look_work(struct helper_job *job)
{
	refresh((struct users *)(void *)((char *)job - offsetof(struct users, look)));
}

static void look_arrived(struct channel_item *item, void *receiver)
{
	(void)receiver;
	((struct users *)(void *)((char *)item - offsetof(struct users, look)))->looking = false;
}

void users_look(struct users *u, struct channel *home)
{
	if (u->looking)
		return;
	u->look.work = look_work;
	u->look.item.arrived = look_arrived;
	u->look.home = home;
	u->looking = helper_submit(u->helper, &u->look) == 0;
}

int users_new(struct users **users_r, const char *path, struct bytes *error)
{
	struct users *u = memory_new(sizeof *u);
	struct bytes notes = { 0 };
	int rc;

	u->path = memory_text(path);
	u->stamp = stamp_of(path);
	/* The notes were told when the configuration was checked. */
	rc = user_list_read(&u->list, path, error, &notes);
	bytes_release(&notes);
	if (rc == 0) {
		digest_random(u->key, sizeof u->key);
		if (crypt_gensalt_rn(NULL, 0, NULL, 0, u->decoy, sizeof u->decoy) == NULL)
			memcpy(u->decoy, "$6$nobody$", sizeof "$6$nobody$");
		u->crypt = memory_new(sizeof *u->crypt); /* 32 KiB */
		atomic_init(&u->generation, 1);
		u->helper = helper_new("login", 1, WAITING_MAX);
		*users_r = u;
		return 0;
	}
	users_free(&u);
	return -1;
}

void users_stop(struct users *u)
{
	helper_free(&u->helper);
}

void users_free(struct users **up)
{
	struct users *u = *up;

	if (u == NULL)
		return;
	*up = NULL;
	users_stop(u);
	user_list_release(&u->list);
	free(u->crypt);
	free(u->path);
	free(u);
}
