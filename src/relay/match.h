/* SPDX-License-Identifier: ISC */
/* match.h - the patterns of routes and providers: pure comparisons of texts, addresses, fields. */
#ifndef RELAY_MATCH_H
#define RELAY_MATCH_H

#include "config/settings.h"
#include "mail/address.h"

/* An empty list asks for nothing: all of these are true for it. */

/* "*" also fits what is not there (NULL). */
bool match_text(const struct text_list *patterns, const char *text);
/* An empty pattern, or "<>", is the null reverse-path. */
bool match_address(const struct text_list *patterns, const struct address *address);
/* Patterns "Name: value": some field of that name has such a value, unfolded and decoded. */
bool match_header(const struct text_list *patterns, struct span header);

#endif
