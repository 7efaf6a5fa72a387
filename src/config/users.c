/* SPDX-License-Identifier: ISC */
/* users.c - reads a users' file: lines NAME:HASH, comments, empty lines.
 *
 * What is a hash is libcrypt's to say (crypt_checksalt), with two checks that it leaves out: a
 * password in clear passes for the salt of an old DES hash, and a hash that was cut off for its
 * own salt. A file is taken whole or not at all.
 */
#include "config/users.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/utf8.h"

#define FAULTS_MAX   20 /* more than a screen holds help nobody */
#define DES_LENGTH   13 /* octets of a traditional hash */
#define BSDI_LENGTH  20 /* octets of one that begins with "_" */
#define DIGEST_SHORT 22 /* octets behind the last '$' of the shortest modern hash */

struct reading {
	struct user_list *list;
	const char *path;
	unsigned line, faults;
	unsigned legacy; /* the first line with an old method; 0: none */
	struct bytes *error, *notes;
};

void user_list_release(struct user_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		memory_wipe(list->items[i].hash, strlen(list->items[i].hash));
		free(list->items[i].hash);
		free(list->items[i].name);
	}
	free(list->items);
	*list = (struct user_list){ 0 };
}

static void fault(struct reading *r, const char *what)
{
	if (r->faults++ < FAULTS_MAX)
		bytes_printf(r->error, "%s%s:%u: %s", r->faults > 1 ? "\n" : "", r->path, r->line,
		             what);
}

static bool name_is_good(struct span name)
{
	for (size_t i = 0; i < name.length; i++) {
		if (name.data[i] < 0x20 || name.data[i] == 0x7f)
			return false;
	}
	return name.length > 0 && name.length <= USER_NAME_MAX && utf8_is_valid(name);
}

/* Is it as long as a whole hash, and not a password or a mere salt? */
static bool hash_is_whole(const char *hash)
{
	size_t length = strlen(hash);

	if (hash[0] == '$')
		return strlen(strrchr(hash, '$') + 1) >= DIGEST_SHORT;
	return length == (hash[0] == '_' ? BSDI_LENGTH : DES_LENGTH);
}

static bool hash_is_good(struct reading *r, const char *hash)
{
	int salt = crypt_checksalt(hash);

	if (salt == CRYPT_SALT_METHOD_DISABLED) {
		fault(r, "this system's crypt(3) has the method of the hash switched off");
		return false;
	}
	if (salt == CRYPT_SALT_INVALID || !hash_is_whole(hash)) {
		fault(r, "this is no hash that crypt(3) knows: make one with "
		         "\"openssl passwd -6\" or \"mkpasswd\"");
		return false;
	}
	if (salt != CRYPT_SALT_OK && r->legacy == 0)
		r->legacy = r->line;
	return true;
}

static void user_add(struct reading *r, struct span name, struct span hash)
{
	struct user_list *list = r->list;

	/* Doubling: one allocation a line would be quadratic in a large file. */
	if ((list->count & (list->count - 1)) == 0)
		list->items = memory_grow(list->items, list->count == 0 ? 1 : 2 * list->count,
		                          sizeof(*list->items));
	list->items[list->count].name = memory_text_of(name.data, name.length);
	list->items[list->count].hash = memory_text_of(hash.data, hash.length);
	list->items[list->count].line = r->line;
	if (hash_is_good(r, list->items[list->count].hash)) {
		list->count++;
		return;
	}
	free(list->items[list->count].name);
	memory_wipe(list->items[list->count].hash, hash.length);
	free(list->items[list->count].hash);
}

static void take_line(struct reading *r, struct span line)
{
	const unsigned char *colon;
	struct span name = line, hash;

	while (line.length > 0 && strchr(" \t\r", line.data[line.length - 1]) != NULL)
		line.length--;
	if (line.length == 0 || line.data[0] == '#')
		return;
	colon = memchr(line.data, ':', line.length);
	if (line.length > USER_LINE_MAX) {
		fault(r, "the line is too long for a name and a hash");
		return;
	}
	if (colon == NULL || memchr(line.data, '\0', line.length) != NULL) {
		fault(r, "write NAME:HASH");
		return;
	}
	name.length = (size_t)(colon - line.data);
	hash = span_of(colon + 1, line.length - name.length - 1);
	if (!name_is_good(name))
		fault(r, "the name is empty, too long, or no UTF-8 text");
	else if (r->list->count >= USER_COUNT_MAX)
		fault(r, "there are too many users");
	else
		user_add(r, name, hash);
}

static void take_text(struct reading *r, struct span text)
{
	while (text.length > 0 && r->faults <= FAULTS_MAX) {
		const unsigned char *lf = memchr(text.data, '\n', text.length);
		size_t length = lf != NULL ? (size_t)(lf - text.data) : text.length;
		size_t used = lf != NULL ? length + 1 : length;

		r->line++;
		take_line(r, span_of(text.data, length));
		text = span_of(text.data + used, text.length - used);
	}
}

static int user_compare(const void *a, const void *b)
{
	const struct user *one = a, *other = b;
	int order = strcmp(one->name, other->name);

	return order != 0 ? order : one->line < other->line ? -1 : 1;
}

static void list_sort(struct reading *r)
{
	struct user_list *list = r->list;

	if (list->count > 0)
		qsort(list->items, list->count, sizeof(*list->items), user_compare);
	for (size_t i = 1; i < list->count; i++) {
		if (strcmp(list->items[i - 1].name, list->items[i].name) != 0)
			continue;
		r->line = list->items[i].line;
		fault(r, "this name has a line already: keep one of them");
	}
}

static int file_read(const char *path, struct bytes *text, struct stat *st)
{
	/* O_NONBLOCK: a FIFO must not hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t got = -1;

	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && !S_ISREG(st->st_mode)) {
		errno = EINVAL;
	} else {
		bytes_reserve(text,
		              (size_t)(st->st_size < USER_FILE_MAX ? st->st_size : USER_FILE_MAX) +
		                      1);
		do {
			/* Enough room from the start: hashes are not left behind by growing. */
			bytes_reserve(text, 1);
			got = read(fd, text->data + text->length, text->capacity - text->length);
			if (got > 0)
				text->length += (size_t)got;
		} while ((got > 0 && text->length <= USER_FILE_MAX) || (got < 0 && errno == EINTR));
	}
	close(fd);
	return got < 0 ? -1 : 0;
}

static void say_notes(const struct reading *r, const struct stat *st)
{
	if ((st->st_mode & 07) != 0)
		bytes_printf(r->notes, "%s: everybody on this host can read it: chmod 640 %s\n",
		             r->path, r->path);
	if (r->legacy > 0)
		bytes_printf(r->notes,
		             "%s:%u: this hash is of a weak, old method: make a new one "
		             "with \"openssl passwd -6\" or \"mkpasswd\"\n",
		             r->path, r->legacy);
	if (r->list->count == 0)
		bytes_printf(r->notes, "%s: holds no user: nobody can log in\n", r->path);
}

int user_list_read(struct user_list *list_r, const char *path, struct bytes *error,
                   struct bytes *notes)
{
	struct reading r = { .list = list_r, .path = path, .error = error, .notes = notes };
	struct bytes text = { 0 };
	struct stat st = { 0 };

	*list_r = (struct user_list){ 0 };
	if (file_read(path, &text, &st) != 0) {
		bytes_printf(error, "%s: cannot be read: %s", path,
		             errno == EINVAL ? "it is no file" : strerror(errno));
		r.faults++;
	} else if (text.length > USER_FILE_MAX) {
		bytes_printf(error, "%s: is larger than %d bytes", path, USER_FILE_MAX);
		r.faults++;
	} else {
		take_text(&r, bytes_span(&text));
		list_sort(&r);
	}
	if (text.data != NULL)
		memory_wipe(text.data, text.capacity);
	bytes_release(&text);
	if (r.faults == 0) {
		say_notes(&r, &st);
		return 0;
	}
	user_list_release(list_r);
	return -1;
}

static int name_compare(const void *key, const void *element)
{
	const struct span *name = key;
	const char *text = ((const struct user *)element)->name;
	size_t length = strlen(text);
	size_t shorter = length < name->length ? length : name->length;
	int order = memcmp(name->data, text, shorter);

	if (order != 0 || length == name->length)
		return order;
	return name->length < length ? -1 : 1;
}

const struct user *user_list_find(const struct user_list *list, struct span name)
{
	if (list->count == 0 || name.length == 0)
		return NULL;
	return bsearch(&name, list->items, list->count, sizeof(*list->items), name_compare);
}
