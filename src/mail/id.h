/* SPDX-License-Identifier: ISC */
/* id.h - message ids as text: 64 bits in 13 Crockford base-32 characters, order kept. */
#ifndef MAIL_ID_H
#define MAIL_ID_H

#include <stdint.h>

#define ID_TEXT_SIZE 14 /* with the NUL */

void id_format(uint64_t id, char out[ID_TEXT_SIZE]);
/* Accepts lower case and Crockford's aliases (o for 0, i and l for 1). 0 or -1. */
int id_parse(uint64_t *id_r, const char *text);

#endif
