/* SPDX-License-Identifier: ISC */
/* background.c - what a daemon does to itself before it starts threads.
 *
 * Decides who owns what is made while we are still root, and what becomes of the terminal. All of
 * it happens on the only thread there is.
 */
#include "background.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

static int ready_fd = -1; /* the pipe to the waiting parent */

static void page_lost(int number, siginfo_t *info, void *context)
{
	static const char why[] =
		"penstockd: data.mdb of the spool is shorter than it was, or its disk cannot be "
		"read: see the kernel's log, put back what was there, or move it away\n";

	(void)context;
	if (info->si_code == BUS_ADRERR) {
		(void)!write(STDERR_FILENO, why, sizeof(why) - 1);
		_exit(EX_IOERR);
	}
	signal(number, SIG_DFL); /* and comes again */
}

void background_explain_lost_pages(void)
{
	struct sigaction action = { .sa_sigaction = page_lost, .sa_flags = SA_SIGINFO };

	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

void background_raise_descriptors(size_t wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < wanted)
		log_info("descriptors limited wanted=%zu have=%llu: raise LimitNOFILE= or "
		         "ulimit -n, "
		         "or lower max-connections",
		         wanted, (unsigned long long)limit.rlim_cur);
}

/* The parent's part: waits for one octet (ready) or the child's end, which has said why. */
static _Noreturn void parent_wait(pid_t child, int fd)
{
	int status = 0;
	sigset_t none;
	char octet;
	ssize_t n;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);

	do
		n = read(fd, &octet, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(0);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		fprintf(stderr, "penstockd: the daemon was ended by signal %d while it started\n",
		        WTERMSIG(status));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE);
}

int background_fork(struct bytes *error)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0 || (child = fork()) < 0) {
		bytes_printf(error, "cannot go to the background: %s", strerror(errno));
		return -1;
	}
	if (child > 0) {
		close(fds[1]);
		parent_wait(child, fds[0]);
	}
	close(fds[0]);
	ready_fd = fds[1];
	setsid();
	return 0;
}

void background_ready(void)
{
	int null;

	if (ready_fd < 0)
		return;
	if (chdir("/") < 0)
		log_warning("cannot change to / error=%s", log_quoted(strerror(errno)));
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		fflush(stdout);
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		/* With a log on stderr (a file, a pipe) it stays; a terminal is left. */
		if (isatty(STDERR_FILENO))
			dup2(null, STDERR_FILENO);
		close(null);
	}
	if (write(ready_fd, "r", 1) != 1)
		log_warning("cannot tell the parent process error=%s", log_quoted(strerror(errno)));
	close(ready_fd);
	ready_fd = -1;
}

static const struct passwd *user_of(const struct settings *settings)
{
	return settings->user != NULL && geteuid() == 0 ? getpwnam(settings->user) : NULL;
}

static int make_one(const char *path, unsigned mode, const struct passwd *user)
{
	if (mkdir(path, mode) == 0) {
		/* Whatever the umask: others reach smtp.sock, or the spool stays ours. */
		if (chmod(path, mode) < 0)
			return -1;
		return user == NULL ? 0 : chown(path, user->pw_uid, user->pw_gid);
	}
	return errno == EEXIST ? 0 : -1;
}

int background_directory(const char *path, unsigned mode, const struct settings *settings,
                         struct bytes *error)
{
	char *copy = memory_text(path);
	int rc = 0;

	for (char *slash = copy + 1; rc == 0 && (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		rc = make_one(copy, 0755, NULL);
		*slash = '/';
	}
	if (rc == 0)
		rc = make_one(copy, mode, user_of(settings));
	if (rc < 0)
		bytes_printf(error, "cannot make directory '%s': %s", copy, strerror(errno));
	free(copy);
	return rc;
}

void background_share(const char *path, const char *group)
{
	const struct group *entry = geteuid() == 0 ? getgrnam(group) : NULL;

	/* The directory may be our user's: nothing that a link points to is changed as root. */
	if (entry != NULL && lchown(path, (uid_t)-1, entry->gr_gid) < 0)
		log_warning("cannot give %s to group %s error=%s", path, group,
		            log_quoted(strerror(errno)));
}

int background_drop_privileges(const struct settings *settings, struct bytes *error)
{
	const struct passwd *user;

	if (settings->user == NULL || geteuid() != 0)
		return 0;
	errno = 0;
	user = getpwnam(settings->user);
	if (user == NULL) {
		bytes_printf(
			error,
			"user '%s' does not exist: make it (useradd --system %s) or set user = "
			"\"...\"",
			settings->user, settings->user);
		return -1;
	}
	if (initgroups(settings->user, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
	    setuid(user->pw_uid) < 0) {
		bytes_printf(error, "cannot become user '%s': %s", settings->user, strerror(errno));
		return -1;
	}
	return 0;
}

char *background_temporary_directory(const struct settings *settings, struct bytes *error)
{
	const struct passwd *user = user_of(settings);
	const char *parent = getenv("TMPDIR");
	struct bytes template = { 0 };
	char *path;

	bytes_printf(&template, "%s/penstock-XXXXXX", parent != NULL ? parent : "/tmp");
	path = memory_text(bytes_text(&template));
	bytes_release(&template);
	if (mkdtemp(path) != NULL) {
		if (user == NULL || chown(path, user->pw_uid, user->pw_gid) == 0)
			return path;
		rmdir(path);
	}
	bytes_printf(error, "cannot make a temporary spool '%s': %s", path, strerror(errno));
	free(path);
	return NULL;
}

void background_remove_directory(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	if (rmdir(path) < 0)
		log_warning("cannot remove the temporary spool path=%s error=%s", path,
		            log_quoted(strerror(errno)));
}
