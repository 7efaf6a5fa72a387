/* SPDX-License-Identifier: ISC */
/* test_environment.c - opening: who may, what is refused with which words, what is remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "spool_lab.h"

#include "base/memory.h"

static int setup(void **state)
{
	struct lab *lab = memory_new(sizeof(*lab));

	lab_init(lab, SPOOL_RELAY);
	*state = lab;
	return 0;
}

/* Opening fails, and the operator is told this among other words. */
static void is_refused(struct lab *lab, const char *words)
{
	struct bytes error = { 0 };
	struct spool *sp;

	assert_int_equal(spool_open(&sp, &lab->options, &error), -1);
	assert_null(sp);
	if (strstr(bytes_text(&error), words) == NULL ||
	    strstr(bytes_text(&error), lab->options.path) == NULL)
		fail_msg("\"%s\" instead of \"%s\"", bytes_text(&error), words);
	bytes_release(&error);
}

static void makes_its_directory(void **state)
{
	static const char *const files[] = { "data.mdb", "lock.mdb", "lock", "" };
	struct lab *lab = *state;
	char path[128], file[192];
	struct stat st;

	snprintf(path, sizeof(path), "%s/a/b", lab->directory);
	lab->options.path = path;
	lab_open(lab);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(file, sizeof(file), "%s/data.mdb", path);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
	lab_simple(lab, 10);
	lab_close(lab);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s", path, files[i]);
		if (remove(file) != 0)
			fail_msg("%s", file);
	}
	snprintf(path, sizeof(path), "%s/a", lab->directory);
	rmdir(path);
}

static void a_second_is_refused(void **state)
{
	struct lab *lab = *state;
	char words[64];
	pid_t child;
	int status;

	lab_open(lab);
	snprintf(words, sizeof(words), "is in use by pid %ld", (long)getpid());
	is_refused(lab, words);
	/* The words are the same in another process. */
	child = fork();
	if (child == 0) {
		struct bytes error = { 0 };
		struct spool *sp;
		int rc = spool_open(&sp, &lab->options, &error);

		_exit(rc == -1 && strstr(bytes_text(&error), words) != NULL ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	lab_simple(lab, 10); /* the holder did not notice */
	lab_reopen(lab);
}

static void the_other_mode_is_refused(void **state)
{
	struct lab *lab = *state;

	lab_open(lab);
	lab_close(lab);
	lab->options.mode = SPOOL_CATCH;
	is_refused(lab, "belongs to a relay");
	lab->options.mode = SPOOL_RELAY;
	lab_open(lab);
}

static void change_meta(struct lab *lab, const char *name, uint32_t number)
{
	struct key key = key_of_text(name);
	unsigned char value[4];
	struct write w;

	lab_open_only(lab);
	w = (struct write){ .sp = lab->sp };
	be32_store(value, number);
	assert_int_equal(write_begin(&w), 0);
	assert_int_equal(
		write_put(&w, TABLE_META, value_of(key.bytes, key.length), value_of(value, 4), 0),
		0);
	assert_int_equal(write_commit(&w), 0);
	write_release(&w);
	lab_close(lab);
}

static void another_schema_is_refused(void **state)
{
	struct lab *lab = *state;

	change_meta(lab, "schema", SPOOL_SCHEMA + 1);
	is_refused(lab, "has schema 2, this version reads 1");
}

static void another_page_size_is_refused(void **state)
{
	struct lab *lab = *state;

	change_meta(lab, "page-size", 65536);
	is_refused(lab, "pages of 65536 octets");
}

static void other_files_are_refused(void **state)
{
	struct lab *lab = *state;
	char path[128], content[8192];
	FILE *file;

	snprintf(path, sizeof(path), "%s/data.mdb", lab->directory);
	memset(content, 'x', sizeof(content));
	file = fopen(path, "w");
	assert_non_null(file);
	fwrite(content, 1, sizeof(content), file);
	fclose(file);
	is_refused(lab, "is not an LMDB");
}

/* LMDB would take it for a new one, and nobody would hear of the loss. */
static void an_emptied_file_is_refused(void **state)
{
	struct lab *lab = *state;
	char path[128];

	lab_open(lab);
	lab_simple(lab, 100);
	lab_close(lab);
	snprintf(path, sizeof(path), "%s/data.mdb", lab->directory);
	assert_int_equal(truncate(path, 0), 0);
	is_refused(lab, "data.mdb is empty");
}

static void a_file_that_was_never_finished_is_made_again(void **state)
{
	struct lab *lab = *state;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/data.new", lab->directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fwrite("half", 1, 4, file);
	fclose(file);
	lab_open(lab);
	lab_simple(lab, 100);
	lab_is_good(lab);
	assert_int_equal(access(path, F_OK), -1);
}

static void bad_directories_are_refused(void **state)
{
	struct lab *lab = *state;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/file", lab->directory);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	lab->options.path = path;
	is_refused(lab, "is not a directory");
	snprintf(path, sizeof(path), "%s/file/spool", lab->directory);
	is_refused(lab, "cannot make spool");
	snprintf(path, sizeof(path), "%s/file", lab->directory);
	unlink(path);
	lab->options.path = lab->directory;
	assert_int_equal(chmod(lab->directory, 0777), 0);
	is_refused(lab, "chmod 700");
	assert_int_equal(chmod(lab->directory, 0700), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(lab->directory, 12345, 0), 0);
		is_refused(lab, "belongs to uid 12345");
		assert_int_equal(chown(lab->directory, 0, 0), 0);
	}
}

static void foreign_links_are_refused(void **state)
{
	struct lab *lab = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s-link", lab->directory);
	assert_int_equal(symlink(lab->directory, path), 0);
	lab->options.path = path;
	lab_open(lab); /* one's own is fine */
	lab_close(lab);
	if (geteuid() == 0) {
		assert_int_equal(lchown(path, 12345, 0), 0);
		is_refused(lab, "symbolic link of uid 12345");
	}
	unlink(path);
	lab->options.path = lab->directory;
}

/* Sanitizers need more address space than any limit worth testing leaves. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

#ifndef SANITIZED
/* Little address space: a smaller map when that still holds the quota, else a clear refusal. */
static void little_address_space(void **state)
{
	struct lab *lab = *state;
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct rlimit limit = { .rlim_cur = UINT64_C(4) << 30,
			                .rlim_max = UINT64_C(4) << 30 };
		struct bytes error = { 0 };
		struct spool *sp;

		if (setrlimit(RLIMIT_AS, &limit) != 0)
			_exit(1);
		lab->options.max_size = UINT64_C(16) << 30;
		if (spool_open(&sp, &lab->options, &error) == 0 ||
		    strstr(bytes_text(&error), "ulimit") == NULL)
			_exit(2);
		lab->options.max_size = UINT64_C(1) << 30;
		if (spool_open(&sp, &lab->options, &error) != 0)
			_exit(3);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#endif

static void numbers_last(void **state)
{
	struct lab *lab = *state;
	struct span one = span_of_text("one"), two = span_of_text("two");
	uint64_t generation[4];
	uint32_t n[6];
	char name[1000];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	lab_open_only(lab);
	assert_int_equal(spool_number(lab->sp, SPOOL_NAME_QUEUE, "bulk", &n[0]), 0);
	assert_int_equal(spool_number(lab->sp, SPOOL_NAME_QUEUE, name, &n[1]), 0);
	assert_int_equal(spool_number(lab->sp, SPOOL_NAME_PROVIDER, "bulk", &n[2]), 0);
	assert_int_equal(n[0], 1); /* 0 is the unrouted queue */
	assert_int_equal(n[1], 2);
	assert_int_equal(n[2], 1);
	assert_int_equal(spool_generation(lab->sp, one, &generation[0]), 0);
	lab_close(lab);
	lab_open_only(lab);
	assert_int_equal(spool_number(lab->sp, SPOOL_NAME_QUEUE, name, &n[3]), 0);
	assert_int_equal(spool_number(lab->sp, SPOOL_NAME_QUEUE, "bulk", &n[4]), 0);
	assert_int_equal(spool_number(lab->sp, SPOOL_NAME_QUEUE, "new", &n[5]), 0);
	assert_int_equal(n[3], 2);
	assert_int_equal(n[4], 1);
	assert_int_equal(n[5], 3);
	assert_int_equal(spool_generation(lab->sp, one, &generation[1]), 0);
	assert_int_equal(spool_generation(lab->sp, two, &generation[2]), 0);
	assert_int_equal(spool_generation(lab->sp, one, &generation[3]), 0);
	assert_true(generation[0] == generation[1]);
	assert_true(generation[2] == generation[1] + 1 && generation[3] == generation[2] + 1);
}

static void classes_last(void **state)
{
	struct lab *lab = *state;
	struct address a = { .text = memory_text("x@Example.ORG"), .local_length = 1 };
	struct address b = { .text = memory_text("y@example.org"), .local_length = 1 };
	struct address other = { .text = memory_text("x@example.net"), .local_length = 1 };
	struct address null = { .text = memory_text(""), .local_length = 0 };
	uint16_t class;

	lab_open_only(lab);
	class = spool_class(lab->sp, NULL, &a);
	assert_int_equal(spool_class(lab->sp, NULL, &b), class);
	assert_int_equal(spool_class(lab->sp, "crm", &a), spool_class(lab->sp, "crm", &other));
	/* 16 bits may collide, four of them at once do not. */
	assert_false(spool_class(lab->sp, NULL, &other) == class &&
	             spool_class(lab->sp, NULL, &null) == class &&
	             spool_class(lab->sp, "crm", &a) == class &&
	             spool_class(lab->sp, "web", &a) == class);
	lab_close(lab);
	lab_open_only(lab);
	assert_int_equal(spool_class(lab->sp, NULL, &a), class);
	address_release(&a);
	address_release(&b);
	address_release(&other);
	address_release(&null);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(makes_its_directory),
		CASE(a_second_is_refused),
		CASE(the_other_mode_is_refused),
		CASE(another_schema_is_refused),
		CASE(another_page_size_is_refused),
		CASE(other_files_are_refused),
		CASE(an_emptied_file_is_refused),
		CASE(a_file_that_was_never_finished_is_made_again),
		CASE(bad_directories_are_refused),
		CASE(foreign_links_are_refused),
#ifndef SANITIZED
		CASE(little_address_space),
#endif
		CASE(numbers_last),
		CASE(classes_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
