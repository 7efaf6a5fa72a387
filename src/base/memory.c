/* SPDX-License-Identifier: ISC */
/* memory.c - allocation that ends the process rather than fail.
 *
 * A size that overflows is treated as memory that is out: both mean that a bound
 * was forgotten somewhere above, and neither may be survived by guessing.
 */
#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/log.h"

_Noreturn static void out_of_memory(size_t count, size_t size)
{
	log_fatal(EX_OSERR, "memory is out count=%zu size=%zu", count, size);
}

void *memory_new(size_t size)
{
	return memory_new_array(1, size);
}

void *memory_new_array(size_t count, size_t size)
{
	/* calloc(0) may be NULL, which callers would take for a failure. */
	bool empty = count == 0 || size == 0;
	void *fresh = empty ? calloc(1, 1) : calloc(count, size);

	if (fresh == NULL)
		out_of_memory(count, size);
	return fresh;
}

void *memory_grow(void *old, size_t count, size_t size)
{
	bool empty = count == 0 || size == 0;
	void *grown;

	if (!empty && count > SIZE_MAX / size)
		out_of_memory(count, size);
	grown = realloc(old, empty ? 1 : count * size);
	if (grown == NULL)
		out_of_memory(count, size);
	return grown;
}

char *memory_text(const char *text)
{
	return memory_text_of(text, strlen(text));
}

char *memory_text_of(const void *data, size_t length)
{
	char *copy;

	if (length == SIZE_MAX)
		out_of_memory(1, length);
	copy = memory_grow(NULL, length + 1, 1);
	if (length > 0)
		memcpy(copy, data, length);
	copy[length] = '\0';
	return copy;
}

void memory_wipe(void *data, size_t length)
{
	if (length > 0)
		explicit_bzero(data, length);
}

void memory_give_back(void)
{
#ifdef __GLIBC__
	malloc_trim(0); /* which glibc does by itself only at the end of a heap */
#endif
}
