/* SPDX-License-Identifier: ISC */
/* mailhog.h - messages as MailHog shows them: mailhog.c is its API, mailhog_content.c takes a
 * message apart as it does. */
#ifndef WEB_MAILHOG_H
#define WEB_MAILHOG_H

#include <jansson.h>

#include "base/bytes.h"
#include "spool/spool.h"

/* Octets of a message that are shown; what is longer is cut. The source has all of it. */
#define MAILHOG_MESSAGE_MAX (1024 * 1024)
#define MAILHOG_EVENT_MAX   (32 * 1024)

/* The message with its trace fields, cut. */
void mailhog_read(struct reader *reader, const struct message_facts *facts, size_t max,
                  struct bytes *out);
/* Text of a mail as JSON, whatever its octets. */
json_t *mailhog_text(struct span text);
/* {Headers, Body, Size, MIME}; MIME: {Parts} of a multipart, else null. */
json_t *mailhog_content(struct span message);
/* Appends the n-th part, counted from 0, without its base64. false: there is none. */
bool mailhog_part(struct span message, size_t n, struct bytes *out);

#endif
