/* SPDX-License-Identifier: ISC */
/* path.h - what a URL says: its segments without escapes, and the query. Pure functions. */
#ifndef WEB_PATH_H
#define WEB_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

#define PATH_SEGMENTS_MAX   16  /* the longest way has nine with an inbox in front */
#define PATH_PARAMETERS_MAX 100 /* of a query; honest ones have five */

struct path {
	char *segments[PATH_SEGMENTS_MAX];
	size_t count;
};
/* "/a/b%2Fc/" is "a", "b/c" and "". -1: no path, too long a one, a broken escape or an octet 0. */
int path_parse(struct path *path_r, const char *text);
void path_release(struct path *path);
/* Takes the first n away. */
void path_strip(struct path *path, size_t n);
/* The segments again, from the first on, each behind a slash. */
void path_join(const struct path *path, struct bytes *out);
/* Whether it has the segments of `prefix` ("/a/b/") in front; how many these are in *count_r. */
bool path_begins(const struct path *path, const char *prefix, size_t *count_r);
/* Against a pattern of ways; the segments that stand for {...} in arguments_r. {*} stands for
 * whatever is left, and is no argument. */
bool path_matches(const struct path *path, const char *pattern, const char **arguments_r,
                  size_t max, size_t *count_r);

struct query {
	struct query_parameter {
		char *name, *value;
	} * parameters;
	size_t count;
};
/* Takes what it can: a name without a value has "", a broken escape stands for itself. text NULL:
 * none. */
void query_parse(struct query *query_r, const char *text);
void query_release(struct query *query);
const char *query_find(const struct query *query, const char *name); /* the first; NULL: none */

/* Escapes all but unreserved characters (RFC 3986 2.3). */
void path_escape(const char *text, struct bytes *out);

#endif
