/* SPDX-License-Identifier: ISC */
/* follow.c - the thread behind --print, --save and --exit-after.
 *
 * Woken by the spool after a commit, it walks the inbox from where it stood. It handles entries in
 * order and never twice; a save that fails is tried again before the next entry, while accepting
 * goes on.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "inbox/private.h"

/* A full or absent disk is asked again this often. */
#define SAVE_AGAIN_US (1000 * 1000L)

struct follower {
	struct follower_options options;
	char *save;
	pthread_t thread;
	struct channel *channel;
	struct reader *reader;
	uint64_t sequence; /* the last entry that was handled */
	uint64_t handled;
	bool stopping;
	bool printing;    /* until stdout closes */
	bool save_failed; /* said once for a run of failures */
};

static void print_one(struct follower *f, const struct entry *entry)
{
	struct bytes text = { 0 };

	if (!f->printing)
		return;
	print_entry(f->options.print, entry, &text);
	if (fwrite(text.data, 1, text.length, stdout) != text.length || fflush(stdout) != 0) {
		log_warning("printing stopped error=%s", log_quoted(strerror(errno)));
		f->printing = false;
	}
	bytes_release(&text);
}

/* false: try again later. */
static bool save_one(struct follower *f, const struct entry *entry)
{
	struct bytes path = { 0 };
	bool saved;

	if (f->save == NULL)
		return true;
	saved = save_entry(f->save, entry, &path) == 0;
	if (saved) {
		f->save_failed = false;
		/* Asked of a terminal user; with --print=json stdout stays one object a line. */
		if (f->options.print != PRINT_JSON) {
			printf("saved %s\n", bytes_text(&path));
			fflush(stdout);
		} else {
			log_info("message saved file=%s", log_quoted(bytes_text(&path)));
		}
	} else if (!f->save_failed) {
		f->save_failed = true;
		log_error("cannot save file=%s error=%s: trying again every second",
		          log_quoted(bytes_text(&path)), log_quoted(strerror(errno)));
	}
	bytes_release(&path);
	return saved;
}

/* Handles the next entry. false: there is none, or it has to wait. *wait_r says which. */
static bool follow_one(struct follower *f, bool *wait_r)
{
	struct entry entry = { .reader = f->reader };
	struct bytes record = { 0 };
	bool handled = true;

	*wait_r = false;
	entry.sequence =
		reader_inbox_next(f->reader, f->options.inbox, f->sequence, &entry.id, &record);
	if (entry.sequence == 0)
		return false;
	/* What retention has deleted meanwhile is passed over. */
	if (summary_decode(&entry.summary, bytes_span(&record)) == 0 &&
	    reader_message(f->reader, entry.id, &entry.facts)) {
		handled = save_one(f, &entry) || f->stopping;
		if (handled)
			print_one(f, &entry);
		message_facts_release(&entry.facts);
	}
	summary_release(&entry.summary);
	bytes_release(&record);
	*wait_r = !handled;
	if (!handled)
		return false;
	f->sequence = entry.sequence;
	f->handled++;
	if (f->handled == f->options.exit_after && f->options.enough != NULL)
		f->options.enough(f->options.context);
	return true;
}

static bool is_enough(const struct follower *f)
{
	return f->options.exit_after != 0 && f->handled >= f->options.exit_after;
}

static void *follower_main(void *argument)
{
	struct follower *f = argument;
	bool waiting = false;

	for (;;) {
		while (!is_enough(f) && follow_one(f, &waiting))
			;
		if (f->stopping)
			return NULL;
		channel_wait(f->channel, waiting ? SAVE_AGAIN_US : -1);
		channel_receive(f->channel);
	}
}

static void inbox_news(void *context, uint32_t inbox, uint64_t last_sequence)
{
	/* The walk finds what arrived; being woken is all that matters. */
	(void)context;
	(void)inbox;
	(void)last_sequence;
}

static void stop_arrived(struct channel_item *item, void *receiver)
{
	struct follower *f = receiver;

	free(item);
	f->stopping = true;
}

static int directory_check(const char *path, struct bytes *error)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		bytes_printf(error, "--save: cannot make directory '%s': %s", path,
		             strerror(errno));
		return -1;
	}
	if (access(path, W_OK | X_OK) < 0) {
		bytes_printf(error, "--save: cannot write to directory '%s': %s", path,
		             strerror(errno));
		return -1;
	}
	return 0;
}

/* The last entry there is now: those before are not news. */
static uint64_t last_sequence(struct follower *f)
{
	uint64_t last = 0, next, id;

	for (;;) {
		struct bytes record = { 0 };

		next = reader_inbox_next(f->reader, f->options.inbox, last, &id, &record);
		bytes_release(&record);
		if (next == 0)
			return last;
		last = next;
	}
}

int follower_start(struct follower **follower_r, const struct follower_options *options,
                   struct bytes *error)
{
	struct follower *f;
	int rc;

	if (options->save != NULL && directory_check(options->save, error) < 0)
		return -1;
	f = memory_new(sizeof(*f));
	f->options = *options;
	f->save = options->save == NULL ? NULL : memory_text(options->save);
	f->printing = options->print != PRINT_OFF;
	f->channel = channel_new(f);
	f->reader = reader_new(options->spool);
	f->sequence = last_sequence(f);
	spool_watch_inbox(options->spool, f->channel, inbox_news, f);
	rc = pthread_create(&f->thread, NULL, follower_main, f);
	if (rc != 0) {
		bytes_printf(error, "cannot start the thread of --print and --save: %s",
		             strerror(rc));
		return -1;
	}
	*follower_r = f;
	return 0;
}

void follower_stop(struct follower **follower)
{
	struct follower *f = *follower;
	struct channel_item *item;

	if (f == NULL)
		return;
	*follower = NULL;
	item = memory_new(sizeof(*item));
	item->arrived = stop_arrived;
	channel_post(f->channel, item);
	pthread_join(f->thread, NULL);
	channel_receive(f->channel);
	reader_free(&f->reader);
	channel_free(&f->channel);
	free(f->save);
	free(f);
}
