/* SPDX-License-Identifier: ISC */
/* faults.h - faults that are asked for, as JSON; shared by the files of web/ that serve them. */
#ifndef WEB_FAULTS_H
#define WEB_FAULTS_H

#include <jansson.h>

#include "base/bytes.h"
#include "receive/faults.h"

struct fault_rules {
	struct fault *items;
	size_t count;
};
/* A list of rules, or one. 0, or -1 with *error for the asker. */
int fault_rules_parse(struct fault_rules *rules_r, json_t *body, struct bytes *error);
json_t *fault_rules_describe(const struct faults *faults); /* NULL: none */

/* Mailpit's ChaosTriggers. */
int chaos_parse(struct chaos chaos_r[CHAOS_TRIGGERS], json_t *body, struct bytes *error);
json_t *chaos_describe(const struct chaos chaos[CHAOS_TRIGGERS]);

#endif
