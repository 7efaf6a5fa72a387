/* SPDX-License-Identifier: ISC */
/* follow.c - the thread behind --print, --save and --exit-after.
 *
 * Woken by the spool after a commit, it walks the inbox from where it stood. It handles entries in
 * order and never twice; a save that fails is tried again before the next entry, while accepting
 * goes on. Sequences have no gaps but those of deleted entries, which are counted as handled: a
 * test that waits for N messages must not wait for ever.
 */
#include <errno.h>
#include <pthread.h>
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
	uint64_t handled;  /* entries since the start, those that retention took included */
	bool stopping;
	bool showing; /* until stdout closes */
	bool colour;
	bool save_failed; /* said once for a run of failures */
};

/* no-color.org; a terminal that calls itself dumb has none. */
static bool wants_colour(void)
{
	const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && (none == NULL || *none == '\0') && terminal != NULL &&
	       strcmp(terminal, "dumb") != 0;
}

/* stdout closed, or took nothing when the daemon stops. */
static void show(struct follower *f, struct bytes *text)
{
	if (f->showing &&
	    output_write(STDOUT_FILENO, f->channel, &f->stopping, bytes_span(text)) < 0) {
		log_warning("printing stopped error=%s", log_quoted(strerror(errno)));
		f->showing = false;
	}
}

static void print_one(struct follower *f, const struct entry *entry)
{
	struct bytes text = { 0 };

	print_entry(f->options.print, entry, &text);
	if (text.length > 0)
		show(f, &text);
	bytes_release(&text);
}

/* A terminal user asked for the name; with --print=json stdout stays one object a line. */
static void tell_saved(struct follower *f, struct bytes *path)
{
	struct bytes text = { 0 };

	if (f->options.print == PRINT_JSON) {
		log_info("message saved file=%s", log_quoted(bytes_text(path)));
		return;
	}
	bytes_printf(&text, "saved %s\n", bytes_text(path));
	show(f, &text);
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
		tell_saved(f, &path);
	} else if (!f->save_failed) {
		f->save_failed = true;
		log_error("cannot save file=%s error=%s: trying again every second",
		          log_quoted(bytes_text(&path)), log_quoted(strerror(errno)));
	}
	bytes_release(&path);
	return saved;
}

/* Entries that retention deleted before their turn came. */
static void count_missed(uint64_t missed)
{
	if (missed > 0)
		log_warning("messages left the inbox before they were printed or saved count=%llu: "
		            "raise keep",
		            (unsigned long long)missed);
}

/* Moves on behind the entry. */
static void entry_handled(struct follower *f, uint64_t sequence)
{
	uint64_t before = f->handled;

	f->handled += sequence - f->sequence;
	f->sequence = sequence;
	if (before < f->options.exit_after && f->handled >= f->options.exit_after &&
	    f->options.enough != NULL)
		f->options.enough(f->options.context);
}

/* Handles the next entry. false: there is none, or it has to wait. *wait_r says which. */
static bool follow_one(struct follower *f, bool *wait_r)
{
	struct entry entry = { .reader = f->reader, .colour = f->colour };
	struct bytes record = { 0 };
	bool handled = true, there;

	*wait_r = false;
	entry.sequence =
		reader_inbox_next(f->reader, f->options.inbox, f->sequence, &entry.id, &record);
	if (entry.sequence == 0)
		return false;
	there = summary_decode(&entry.summary, bytes_span(&record)) == 0 &&
	        reader_inbox_entry(f->reader, f->options.inbox, entry.sequence, &entry.row) &&
	        reader_message(f->reader, entry.id, &entry.facts);
	if (there) {
		summary_complete(&entry.summary, entry.id);
		handled = save_one(f, &entry) || f->stopping;
		if (handled)
			print_one(f, &entry);
		message_facts_release(&entry.facts);
	}
	summary_release(&entry.summary);
	inbox_entry_release(&entry.row);
	bytes_release(&record);
	*wait_r = !handled;
	if (!handled)
		return false;
	count_missed(entry.sequence - f->sequence - (there ? 1 : 0));
	entry_handled(f, entry.sequence);
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
	f->showing = true;
	f->colour = wants_colour();
	f->channel = channel_new(f);
	f->reader = reader_new(options->spool);
	f->sequence = reader_inbox_last(f->reader, options->inbox); /* older ones are no news */
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
