/* SPDX-License-Identifier: ISC */
/* part.h - the parts of a message as answers. */
#ifndef WEB_PART_H
#define WEB_PART_H

#include "mime/mime.h"
#include "web/private.h"

/* The index of a message; the caller releases it. False: there is none, or it is damaged. */
bool part_index(struct call *call, uint64_t sequence, struct mime_index *index_r);
/* Answers with the decoded part of that number. False: there is none, and nothing was answered. */
bool part_answer(struct call *call, uint64_t id, uint64_t sequence, const char *number);
/* The same, or a blank picture when it is none that a page may show small. */
bool part_thumb_answer(struct call *call, uint64_t id, uint64_t sequence, const char *number);

#endif
