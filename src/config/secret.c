/* SPDX-License-Identifier: ISC */
/* secret.c - reads each provider's password, once, from a file or a variable.
 *
 * No message ever holds a byte of what was read.
 */
#include "config/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

/* What is written as a line has its line end, which is not part of the password. */
static size_t strip_newline(const char *secret, size_t length)
{
	if (length > 0 && secret[length - 1] == '\n')
		length--;
	if (length > 0 && secret[length - 1] == '\r')
		length--;
	return length;
}

static const char *secret_fault(const char *secret, size_t length)
{
	if (length == 0)
		return "holds no password";
	if (length > SECRET_MAX)
		return "is too long for a password";
	for (size_t i = 0; i < length; i++) {
		if (secret[i] == '\0' || secret[i] == '\n' || secret[i] == '\r')
			return "holds more than one line: write the password alone into it";
	}
	return NULL;
}

/* Returns what was read (at most room bytes), or -1 with errno. */
static ssize_t read_all(int fd, char *out, size_t room)
{
	size_t used = 0;

	while (used < room) {
		ssize_t got = read(fd, out + used, room - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

static void secret_take(struct provider_settings *p, const struct place *place, const char *source,
                        const char *secret, size_t length, struct problems *problems)
{
	const char *fault;

	length = strip_newline(secret, length);
	fault = secret_fault(secret, length);
	if (fault != NULL)
		problem_at(problems, place, "%s %s", source, fault);
	else
		secret_set(&p->password, memory_text_of(secret, length));
}

static void secret_from_file(struct provider_settings *p, const struct place *place,
                             struct problems *problems)
{
	char secret[SECRET_MAX + 3]; /* one byte too many is noticed, line end included */
	int fd = open(p->password_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	ssize_t got;

	if (fd < 0 || (got = read_all(fd, secret, sizeof(secret))) < 0) {
		problem_at(problems, place, "%s cannot be read: %s", p->password_file,
		           strerror(errno));
	} else {
		if (fstat(fd, &st) == 0 && (st.st_mode & 077) != 0)
			note_at(problems, place, "others can read %s: chmod 600 %s",
			        p->password_file, p->password_file);
		secret_take(p, place, p->password_file, secret, (size_t)got, problems);
	}
	if (fd >= 0)
		close(fd);
	memory_wipe(secret, sizeof(secret));
}

static void secret_from_variable(struct provider_settings *p, const struct place *place,
                                 struct problems *problems)
{
	const char *secret = getenv(p->password_env);

	if (secret == NULL)
		problem_at(problems, place, "the variable %s is not set", p->password_env);
	else
		secret_take(p, place, p->password_env, secret, strlen(secret), problems);
}

static bool has_two(const struct provider_settings *p)
{
	return (p->password_file != NULL) + (p->password_env != NULL) +
	               (p->password_command.count > 0) >
	       1;
}

void secrets_read(struct settings *s, struct problems *problems)
{
	for (size_t i = 0; i < s->provider_count; i++) {
		struct provider_settings *p = &s->providers[i];
		struct place file = { s, SECTION_PROVIDER, i, "password-file" };
		struct place variable = { s, SECTION_PROVIDER, i, "password-env" };

		if (has_two(p))
			; /* told by check_credentials() */
		else if (p->password_file != NULL)
			secret_from_file(p, &file, problems);
		else if (p->password_env != NULL)
			secret_from_variable(p, &variable, problems);
	}
}
