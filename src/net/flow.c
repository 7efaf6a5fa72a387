/* SPDX-License-Identifier: ISC */
/* flow.c - octets waiting in order: appended behind, taken from the front.
 *
 * Consuming moves no memory; a flow that runs empty gives its memory back, so that
 * idle streams own none.
 */
#include "net/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define FLOW_FIRST 512 /* octets: most replies and commands fit */

static void flow_grow(struct flow *f, size_t needed)
{
	size_t capacity = f->capacity == 0 ? FLOW_FIRST : f->capacity;

	while (capacity < needed)
		capacity *= 2;
	f->data = memory_grow(f->data, capacity, 1);
	f->capacity = capacity;
}

void flow_append(struct flow *f, const void *data, size_t length)
{
	if (length == 0)
		return;
	if (f->start + f->length + length > f->capacity && f->start > 0) {
		memmove(f->data, f->data + f->start, f->length);
		f->start = 0;
	}
	if (f->length + length > f->capacity)
		flow_grow(f, f->length + length);
	memcpy(f->data + f->start + f->length, data, length);
	f->length += length;
}

void flow_take(struct flow *f, void *data, size_t length)
{
	struct span kept = flow_span(f);
	struct flow moved = { 0 };

	if (length == 0)
		return;
	if (f->start + f->length + length > f->capacity) {
		flow_grow(&moved, f->length + length);
		flow_append(&moved, kept.data, kept.length);
		flow_forget(f);
		*f = moved;
	}
	flow_append(f, data, length);
	memory_wipe(data, length);
}

void flow_consume(struct flow *f, size_t length)
{
	f->start += length;
	f->length -= length;
	if (f->length == 0)
		flow_release(f);
}

void flow_forget(struct flow *f)
{
	if (f->data != NULL)
		memory_wipe(f->data, f->capacity);
	flow_release(f);
}

void flow_release(struct flow *f)
{
	free(f->data);
	*f = (struct flow){ 0 };
}

struct span flow_span(const struct flow *f)
{
	if (f->length == 0)
		return (struct span){ 0 };
	return (struct span){ .data = f->data + f->start, .length = f->length };
}
