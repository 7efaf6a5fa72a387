/* SPDX-License-Identifier: ISC */
/* json.h - text of peers as JSON (Jansson takes valid UTF-8 only). */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/bytes.h"

/* A JSON string; octets that are not UTF-8 become U+FFFD. NULL gives "". */
json_t *json_text(const char *text);
/* Appends the same string as text, with its quotes: what Jansson would write of json_text(). */
void json_put_text(struct bytes *out, const char *text);
/* Appends the value on one line with a newline, and releases it. */
void json_line(struct bytes *out, json_t *value);

/* Appends the text or number that an object has under that name. -1: it is no JSON object, or has
 * nothing of the kind there. */
int json_member(struct span text, const char *name, struct bytes *out);

#endif
