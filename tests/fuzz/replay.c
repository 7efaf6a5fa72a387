/* SPDX-License-Identifier: ISC */
/* replay.c - runs a fuzz target without libFuzzer: over its seeds, and over changes of them.
 *
 * Without arguments the seeds are those of tests/fuzz/seeds/NAME for the program
 * fuzz_NAME, and each is also changed at random, always in the same ways: more with
 * LONG=yes. With arguments these files are run and nothing else: what libFuzzer found.
 */
#include "fuzz.h"

#include <dirent.h>
#include <string.h>

#include "base/memory.h"

#define INPUT_MAX    8192 /* octets; longer only costs time */
#define SEEDS_MAX    200
#define CHANGES      10000 /* of each seed in make check */
#define CHANGES_LONG 200000

struct seeds {
	struct bytes inputs[SEEDS_MAX];
	size_t count;
};

static uint32_t next_random(void)
{
	static uint32_t state = 2463534242;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static size_t below(size_t limit)
{
	return limit == 0 ? 0 : next_random() % limit;
}

static void read_file(const char *path, struct bytes *out)
{
	char block[4096];
	size_t length;
	FILE *file = fopen(path, "rb");

	if (file == NULL) {
		perror(path);
		exit(1);
	}
	while ((length = fread(block, 1, sizeof(block), file)) > 0)
		bytes_append(out, block, length);
	fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_seed(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void read_seeds(const char *directory, struct seeds *seeds)
{
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, is_seed, by_name);

	if (count < 0)
		perror(directory);
	for (int i = 0; i < count; i++) {
		struct bytes path = { 0 };

		bytes_printf(&path, "%s/%s", directory, entries[i]->d_name);
		if (seeds->count < SEEDS_MAX)
			read_file(bytes_text(&path), &seeds->inputs[seeds->count++]);
		bytes_release(&path);
		free(entries[i]);
	}
	free(entries);
}

/* The input in memory of exactly its size, so that a sanitizer sees every step outside. */
static void run(struct span input)
{
	char *exact = memory_text_of(input.data, input.length);

	exact = memory_grow(exact, input.length, 1);
	LLVMFuzzerTestOneInput((const uint8_t *)exact, input.length);
	free(exact);
}

static void insert(struct bytes *b, size_t at, struct span what)
{
	struct bytes tail = { 0 };

	bytes_append(&tail, b->data + at, b->length - at);
	b->length = at;
	bytes_append_span(b, what);
	bytes_append_span(b, bytes_span(&tail));
	bytes_release(&tail);
}

static void remove_some(struct bytes *b, size_t at)
{
	size_t length = 1 + below(8);

	if (length > b->length - at)
		length = b->length - at;
	memmove(b->data + at, b->data + at + length, b->length - at - length);
	b->length -= length;
}

static void change(struct bytes *b, const struct seeds *seeds)
{
	static const char *const telling[] = { "\r",       "\n",  "\r\n", ".",    "\r\n.\r\n",
		                               "<",        ">",   "@",    "\"",   "\\",
		                               "(",        ")",   " ",    "=",    "?",
		                               "-",        ":",   ",",    "250-", "=?utf-8?q?",
		                               "\xc3\xbc", "\xff" };
	const struct bytes *other = &seeds->inputs[below(seeds->count)];
	size_t at = below(b->length + 1);
	size_t from = below(other->length + 1);

	switch (below(5)) {
	case 0:
		insert(b, at, span_of_text(telling[below(sizeof(telling) / sizeof(*telling))]));
		break;
	case 1:
		if (at < b->length)
			b->data[at] = (unsigned char)next_random();
		break;
	case 2:
		remove_some(b, at);
		break;
	case 3:
		if (other->length > 0)
			insert(b, at, span_of(other->data + from, below(other->length - from + 1)));
		break;
	case 4:
		if (at < b->length)
			b->data[at] ^= (unsigned char)(1u << below(8));
		break;
	}
	if (b->length > INPUT_MAX)
		b->length = INPUT_MAX;
}

static size_t run_changes(const struct seeds *seeds, size_t changes)
{
	for (size_t s = 0; s < seeds->count; s++) {
		struct bytes input = { 0 };

		for (size_t i = 0; i < changes; i++) {
			/* Start anew now and then, so that the inputs stay near what is real. */
			if (i % 16 == 0) {
				bytes_clear(&input);
				bytes_append_span(&input, bytes_span(&seeds->inputs[s]));
				bytes_reserve(&input, 1);
			}
			change(&input, seeds);
			run(bytes_span(&input));
		}
		bytes_release(&input);
	}
	return seeds->count * changes;
}

static size_t run_files(int count, char **paths)
{
	for (int i = 0; i < count; i++) {
		struct bytes input = { 0 };

		read_file(paths[i], &input);
		run(bytes_span(&input));
		bytes_release(&input);
	}
	return (size_t)count;
}

static size_t run_seeds(const char *program)
{
	const char *name = strstr(program, "fuzz_");
	const char *top = getenv("TOP_SRCDIR");
	const char *more = getenv("LONG");
	struct seeds seeds = { .count = 0 };
	struct bytes directory = { 0 };
	size_t cases;

	bytes_printf(&directory, "%s/tests/fuzz/seeds/%s", top == NULL ? "." : top,
	             name == NULL ? "" : name + strlen("fuzz_"));
	read_seeds(bytes_text(&directory), &seeds);
	bytes_release(&directory);
	for (size_t i = 0; i < seeds.count; i++)
		run(bytes_span(&seeds.inputs[i]));
	cases = seeds.count +
	        run_changes(&seeds, more != NULL && *more != '\0' ? CHANGES_LONG : CHANGES);
	for (size_t i = 0; i < seeds.count; i++)
		bytes_release(&seeds.inputs[i]);
	return cases;
}

int main(int argc, char **argv)
{
	size_t cases = argc > 1 ? run_files(argc - 1, argv + 1) : run_seeds(argv[0]);

	printf("%zu inputs\n", cases);
	return cases == 0; /* no seeds: nothing was tested */
}
