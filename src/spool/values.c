/* SPDX-License-Identifier: ISC */
/* values.c - making, copying and releasing facts, deliveries, puts and transitions. */
#include "spool/private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/memory.h"
#include "mail/header.h"

void message_facts_release(struct message_facts *m)
{
	address_release(&m->sender);
	free(m->envid);
	free(m->login);
	free(m->listener);
	free(m->from);
	trace_release(&m->trace);
	*m = (struct message_facts){ .id = 0 };
}

void delivery_release(struct delivery *d)
{
	for (size_t i = 0; i < d->count; i++) {
		recipient_release(&d->recipients[i].to);
		free(d->recipients[i].last_reply);
	}
	free(d->recipients);
	*d = (struct delivery){ .id = 0 };
}

void delivery_free(struct delivery **dp)
{
	struct delivery *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	delivery_release(d);
	free(d);
}

struct delivery *delivery_copy(const struct delivery *d)
{
	struct delivery *copy = memory_new(sizeof(*copy));

	*copy = *d;
	copy->recipients = memory_new_array(d->count, sizeof(*copy->recipients));
	for (size_t i = 0; i < d->count; i++) {
		recipient_copy(&copy->recipients[i].to, &d->recipients[i].to);
		if (d->recipients[i].last_reply != NULL)
			copy->recipients[i].last_reply = memory_text(d->recipients[i].last_reply);
	}
	return copy;
}

uint16_t spool_class(const struct spool *sp, const char *login, const struct address *sender)
{
	char domain[ADDRESS_DOMAIN_MAX];
	struct span text = login != NULL ? span_of_text(login) : address_domain(sender);

	if (text.length == 0)
		text = span_of_text("<>");
	if (login == NULL && text.length <= sizeof(domain)) {
		for (size_t i = 0; i < text.length; i++)
			domain[i] = (char)tolower(text.data[i]);
		return (uint16_t)digest_siphash(sp->class_key, span_of(domain, text.length));
	}
	return (uint16_t)digest_siphash(sp->class_key, text);
}

/* ---- puts ------------------------------------------------------------------------ */

struct put *put_new(struct spool *sp)
{
	(void)sp;
	return memory_new(sizeof(struct put));
}

static void put_entry_release(struct put_entry *entry)
{
	bytes_release(&entry->summary);
	for (size_t i = 0; i < entry->label_count; i++)
		free(entry->labels[i]);
	free(entry->labels);
	for (int kind = 0; kind < SPOOL_EXTRA_COUNT; kind++)
		bytes_release(&entry->extras[kind]);
}

void put_free(struct put **pp)
{
	struct put *put = *pp;

	if (put == NULL)
		return;
	*pp = NULL;
	message_facts_release(&put->facts);
	bytes_release(&put->dialogue);
	bytes_release(&put->header);
	bytes_release(&put->body);
	for (size_t i = 0; i < put->delivery_count; i++)
		delivery_free(&put->deliveries[i]);
	free(put->deliveries);
	for (size_t i = 0; i < put->entry_count; i++)
		put_entry_release(&put->entries[i]);
	free(put->entries);
	bytes_release(&put->records);
	free(put);
}

void put_add_delivery(struct put *put, struct delivery *delivery)
{
	put->deliveries =
		memory_grow(put->deliveries, put->delivery_count + 1, sizeof(*put->deliveries));
	put->deliveries[put->delivery_count++] = delivery;
}

void put_add_entry(struct put *put, uint32_t inbox, struct bytes *summary)
{
	put->entries = memory_grow(put->entries, put->entry_count + 1, sizeof(*put->entries));
	put->entries[put->entry_count++] =
		(struct put_entry){ .inbox = inbox, .summary = *summary };
	*summary = (struct bytes){ 0 };
}

struct span put_header(const struct put *put)
{
	struct span body = bytes_span(&put->body);

	if (put->header.length > 0)
		return bytes_span(&put->header);
	return span_of(body.data, header_length(body));
}

void inbox_entry_release(struct inbox_entry *e)
{
	for (size_t i = 0; i < e->label_count; i++)
		free(e->labels[i]);
	free(e->labels);
	bytes_release(&e->summary);
	*e = (struct inbox_entry){ .sequence = 0 };
}

/* ---- transitions ------------------------------------------------------------------- */

struct transition *transition_new(uint64_t id, uint32_t n)
{
	struct transition *t = memory_new(sizeof(*t));

	t->id = id;
	t->n = n;
	return t;
}

void transition_apart(struct transition *t, struct delivery *delivery)
{
	t->apart = memory_grow(t->apart, t->apart_count + 1, sizeof(*t->apart));
	t->apart[t->apart_count++] = delivery;
}

void transition_free(struct transition **tp)
{
	struct transition *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	delivery_free(&t->now);
	for (size_t i = 0; i < t->apart_count; i++)
		delivery_free(&t->apart[i]);
	free(t->apart);
	put_free(&t->bounce);
	free(t->counts);
	bytes_release(&t->records);
	free(t);
}
