/* SPDX-License-Identifier: ISC */
/* table.h - a hash table from byte keys to pointers; keyed hash, so that peers
 * cannot choose collisions. Grows by doubling, shrinks when nearly empty. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stddef.h>

#include "base/bytes.h"

struct table;

struct table *table_new(void);
void table_free(struct table **table);                        /* values are the caller's */
void *table_find(const struct table *table, struct span key); /* NULL: not there */
/* The key is copied. Returns the value it replaced, or NULL. */
void *table_set(struct table *table, struct span key, void *value);
void *table_remove(struct table *table, struct span key); /* the value, or NULL */
size_t table_count(const struct table *table);
/* Visits each entry once; the visited entry may be removed inside visit(). */
void table_each(struct table *table, void (*visit)(void *context, struct span key, void *value),
                void *context);

/* Shorthands for 64-bit keys. */
void *table_find_u64(const struct table *table, uint64_t key);
void *table_set_u64(struct table *table, uint64_t key, void *value);
void *table_remove_u64(struct table *table, uint64_t key);

#endif
