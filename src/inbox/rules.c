/* SPDX-License-Identifier: ISC */
/* rules.c - the tags that the configuration gives to messages as they come.
 *
 * Made at the start and never changed. All mime helpers ask them, a search by one at a time.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "inbox/private.h"

struct rule {
	char *label;
	struct search *search;
	uint32_t inbox; /* 0: every one */
};

struct inbox_rules {
	struct rule *rules;
	size_t count;
	uint32_t *tag_login; /* inboxes in which a login is a tag */
	size_t tag_login_count;
	pthread_mutex_t lock; /* of the searches */
};

static uint32_t number_of(const struct settings *settings, const uint32_t *numbers,
                          const char *inbox)
{
	for (size_t i = 0; i < settings->inbox_count && inbox != NULL; i++)
		if (strcmp(settings->inboxes[i].name, inbox) == 0)
			return numbers[i];
	return 0;
}

static int rule_add(struct inbox_rules *r, const struct tag_settings *tag, const char *query,
                    uint32_t inbox, int64_t now_us, struct bytes *error)
{
	struct bytes why = { 0 };
	struct rule *rule;
	int rc = 0;

	r->rules = memory_grow(r->rules, r->count + 1, sizeof(*r->rules));
	rule = &r->rules[r->count++];
	*rule = (struct rule){ .label = inbox_label(span_of_text(tag->name)), .inbox = inbox };
	if (search_parse(&rule->search, query, NULL, now_us, &why) != 0) {
		bytes_printf(error, "tag \"%s\": query: %s", tag->name, bytes_text(&why));
		rc = -1;
	}
	bytes_release(&why);
	return rc;
}

int inbox_rules_new(struct inbox_rules **rules_r, const struct settings *settings,
                    const uint32_t *numbers, int64_t now_us, struct bytes *error)
{
	struct inbox_rules *r = memory_new(sizeof(*r));
	int rc = 0;

	pthread_mutex_init(&r->lock, NULL);
	r->tag_login = memory_new_array(settings->inbox_count, sizeof(*r->tag_login));
	for (size_t i = 0; i < settings->inbox_count; i++)
		if (settings->inboxes[i].tag_login)
			r->tag_login[r->tag_login_count++] = numbers[i];
	for (size_t i = 0; i < settings->tag_count; i++) {
		const struct tag_settings *tag = &settings->tags[i];
		uint32_t inbox = number_of(settings, numbers, tag->inbox);

		for (size_t k = 0; k < tag->query.count && rc == 0; k++)
			rc = rule_add(r, tag, tag->query.items[k], inbox, now_us, error);
	}
	if (rc != 0)
		inbox_rules_free(&r);
	*rules_r = r;
	return rc;
}

void inbox_rules_free(struct inbox_rules **rules)
{
	struct inbox_rules *r = *rules;

	if (r == NULL)
		return;
	*rules = NULL;
	for (size_t i = 0; i < r->count; i++) {
		free(r->rules[i].label);
		search_free(&r->rules[i].search);
	}
	pthread_mutex_destroy(&r->lock);
	free(r->rules);
	free(r->tag_login);
	free(r);
}

static bool login_is_label(const struct inbox_rules *r, uint32_t inbox)
{
	for (size_t i = 0; i < r->tag_login_count; i++)
		if (r->tag_login[i] == inbox)
			return true;
	return false;
}

void rules_apply(struct inbox_rules *r, uint32_t inbox, const struct inbox_row *row,
                 const char *login, struct labels *labels)
{
	if (r->count > 0)
		pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->count; i++) {
		const struct rule *rule = &r->rules[i];

		if (rule->label != NULL && (rule->inbox == 0 || rule->inbox == inbox) &&
		    search_matches(rule->search, row))
			labels_add(labels, span_of_text(rule->label));
	}
	if (r->count > 0)
		pthread_mutex_unlock(&r->lock);
	if (login != NULL && login_is_label(r, inbox))
		labels_add(labels, span_of_text(login));
}
