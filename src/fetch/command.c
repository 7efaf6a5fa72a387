/* SPDX-License-Identifier: ISC */
/* command.c - a program that prints a secret: started without a shell, bounded in time and output.
 *
 * It has our environment, nothing to read, and our standard error, where it may tell what is wrong.
 * What it starts itself ends with it: it leads a process group of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "fetch/private.h"

#define LOOK_MS 200 /* how often the end and the time are looked at */

static int spawn(pid_t *pid_r, const struct text_list *command, int output)
{
	char **words = memory_new_array(command->count + 1, sizeof(*words));
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int rc;

	for (size_t i = 0; i < command->count; i++)
		words[i] = command->items[i];
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	posix_spawnattr_init(&attributes);
	/* A helper's signals are blocked; the program's are as it expects them. */
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
	                                              POSIX_SPAWN_SETPGROUP);
	rc = posix_spawn(pid_r, words[0], &actions, &attributes, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	free(words);
	return rc;
}

/* Until it closes its output. NULL, or why that was not waited for. */
static const char *gather(int fd, struct bytes *out, size_t max, const atomic_bool *stop)
{
	int64_t until = clock_monotonic(clock_system()) + COMMAND_TIME;

	bytes_reserve(out, max + 3); /* a secret that moved would stay behind */
	for (;;) {
		struct pollfd watched = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&watched, 1, LOOK_MS) > 0) {
			got = read(fd, out->data + out->length, max + 3 - out->length);
			if (got == 0 || (got < 0 && errno != EINTR))
				return got == 0 ? NULL : "its output cannot be read";
			out->length += got > 0 ? (size_t)got : 0;
		}
		if (out->length > max + 2)
			return "it prints too much";
		if (stop != NULL && atomic_load(stop))
			return "the daemon stops";
		if (clock_monotonic(clock_system()) > until)
			return "it takes longer than 30 s";
	}
}

/* How it ended. A program that closed its output and goes on is given the rest of its time. */
static const char *await(pid_t pid, const char *why, struct bytes *words)
{
	int64_t until = clock_monotonic(clock_system()) + (why == NULL ? COMMAND_TIME : 0);
	int status = 0;
	pid_t ended;

	while ((ended = waitpid(pid, &status, WNOHANG)) == 0 &&
	       clock_monotonic(clock_system()) < until)
		poll(NULL, 0, 10);
	if (ended == 0) {
		kill(-pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return why == NULL ? "it does not end" : why;
	}
	kill(-pid, SIGKILL); /* what it left behind */
	if (why != NULL)
		return why;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return NULL;
	if (WIFEXITED(status))
		bytes_printf(words, "it ended with status %d", WEXITSTATUS(status));
	else
		bytes_printf(words, "it was ended by signal %d", WTERMSIG(status));
	return bytes_text(words);
}

int command_run(const struct text_list *command, size_t max, const atomic_bool *stop,
                struct bytes *output_r, struct bytes *error)
{
	struct bytes words = { 0 };
	const char *why;
	int pipes[2], rc;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) != 0) {
		bytes_printf(error, "no pipe: %s", strerror(errno));
		return -1;
	}
	rc = spawn(&pid, command, pipes[1]);
	close(pipes[1]);
	if (rc != 0) {
		bytes_printf(error, "%s cannot be started: %s", command->items[0], strerror(rc));
	} else {
		why = gather(pipes[0], output_r, max, stop);
		why = await(pid, why, &words);
		if (why != NULL)
			bytes_printf(error, "%s: %s", command->items[0], why);
		rc = why == NULL ? 0 : -1;
	}
	close(pipes[0]);
	bytes_release(&words);
	return rc == 0 ? 0 : -1;
}
