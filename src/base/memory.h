/* SPDX-License-Identifier: ISC */
/* memory.h - allocation that does not fail.
 *
 * Whatever grows in the daemon is bounded before it is allocated, and what was
 * accepted is durable: so running out of memory ends the process with one
 * clear line instead of an untested error path in every caller.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* Zeroed memory; the caller frees it with free(). Never returns NULL. */
void *memory_new(size_t size);
void *memory_new_array(size_t count, size_t size);

/* As realloc(count * size), with an overflow check; new bytes are not cleared. */
void *memory_grow(void *old, size_t count, size_t size);

char *memory_text(const char *text);                   /* strdup */
char *memory_text_of(const void *data, size_t length); /* and a final NUL */

/* After a crowd has gone: what is free goes back to the system. Takes some milliseconds. */
void memory_give_back(void);

/* Overwrites a secret in a manner that the compiler keeps. */
void memory_wipe(void *data, size_t length);

#endif
