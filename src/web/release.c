/* SPDX-License-Identifier: ISC */
/* release.c - POST api/v1/message/ID/release: a message of the inbox goes out after all.
 *
 * A copy with a Message-ID and a Date of its own, which nobody takes for the one that was caught,
 * becomes deliveries of the inbox's release route: from there on it is mail like any other. What
 * became of it is remembered here, small and until the daemon ends.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "inbox/inbox.h"
#include "mail/header.h"
#include "mail/id.h"
#include "mime/mime.h"
#include "relay/route.h"
#include "web/deposit.h"
#include "web/mailpit.h"
#include "web/private.h"
#include "web/release.h"

#define RECIPIENTS_MAX 100  /* of a request: somebody types them */
#define RUNNING_MAX    4    /* at a time; each has its message in memory */
#define KEPT_MAX       1000 /* releases whose state is remembered */
#define READ_STEP      (256 * 1024)
#define REPLY_MAX      200 /* octets of a reply that are kept */

/* ---- what became of them ------------------------------------------------------------- */

struct released {
	struct list link; /* the oldest in front */
	uint64_t source, id;
	size_t count;
	struct {
		char *to, *reply;
		const char *state; /* a constant */
	} recipients[];
};

static struct released *released_new(const struct deposit *d, uint64_t source, uint64_t id)
{
	size_t count = d->envelope.count;
	struct released *r = memory_new(sizeof(*r) + count * sizeof(r->recipients[0]));

	r->source = source;
	r->id = id;
	r->count = count;
	for (size_t i = 0; i < count; i++) {
		r->recipients[i].to = memory_text(d->envelope.recipients[i].address.text);
		r->recipients[i].reply = memory_text("");
		r->recipients[i].state = "queued";
	}
	return r;
}

static void released_free(struct released *r)
{
	list_remove(&r->link);
	for (size_t i = 0; i < r->count; i++) {
		free(r->recipients[i].to);
		free(r->recipients[i].reply);
	}
	free(r);
}

static void remember(struct releases *all, struct released *r)
{
	list_append(&all->kept, &r->link);
	if (++all->kept_count > KEPT_MAX) {
		released_free(list_entry(all->kept.next, struct released, link));
		all->kept_count--;
	}
}

json_t *release_json(const struct web *web, uint64_t source)
{
	const struct list *kept = &web->releases.kept;
	json_t *list = NULL;

	for (struct list *node = kept->next; node != kept; node = node->next) {
		const struct released *r = list_entry(node, struct released, link);

		for (size_t i = 0; r->source == source && i < r->count; i++) {
			json_t *one = json_object();

			json_object_set_new(one, "To", json_text(r->recipients[i].to));
			json_object_set_new(one, "State", json_string(r->recipients[i].state));
			json_object_set_new(one, "Reply", json_text(r->recipients[i].reply));
			list = list == NULL ? json_array() : list;
			json_array_append_new(list, one);
		}
	}
	return list;
}

/* News of the dispatcher. */
struct told {
	struct channel_item item;
	uint64_t id;
	const char *state;
	char *recipient, *reply;
};

static void told_arrived(struct channel_item *item, void *receiver)
{
	struct told *t = (struct told *)(void *)item;
	struct list *kept = &((struct web *)receiver)->releases.kept;

	/* The newest are asked first: they are what is being sent. */
	for (struct list *node = kept->prev; node != kept; node = node->prev) {
		struct released *r = list_entry(node, struct released, link);

		for (size_t i = 0; r->id == t->id && i < r->count; i++) {
			if (strcmp(r->recipients[i].to, t->recipient) != 0)
				continue;
			r->recipients[i].state = t->state;
			free(r->recipients[i].reply);
			r->recipients[i].reply = memory_text(t->reply);
		}
	}
	free(t->recipient);
	free(t->reply);
	free(t);
}

void web_release_told(struct web *web, uint64_t id, const char *recipient, const char *state,
                      const char *reply)
{
	struct told *t = memory_new(sizeof(*t));

	t->id = id;
	t->state = state;
	t->recipient = memory_text(recipient);
	t->reply = memory_text_of(reply, strnlen(reply, REPLY_MAX));
	t->item.arrived = told_arrived;
	channel_post(web->channel, &t->item);
}

void releases_start(struct web *web)
{
	list_init(&web->releases.kept);
}

void releases_free(struct web *web)
{
	struct list *node, *after;

	list_each(node, after, &web->releases.kept)
		released_free(list_entry(node, struct released, link));
}

/* ---- the copy -------------------------------------------------------------------------- */

struct release {
	struct call_job job;
	struct web *web; /* the call ends first */
	struct deposit *deposit;
	uint64_t id; /* of the message that is released */
	void (*answer)(struct call *call);
	const char *error; /* NULL: none */
	char message_id[300];
};

static void release_free(struct release *r)
{
	r->web->releases.running--;
	deposit_free(&r->deposit);
	free(r);
}

struct found {
	struct address first;
	size_t count;
};

static void take_first(void *context, const char *name, const char *address)
{
	struct found *found = context;
	const char *why;

	(void)name;
	if (found->count++ == 0)
		(void)address_parse(&found->first, span_of_text(address), ADDRESS_UTF8, &why);
}

/* Whom it is from: Sender, else From, as Mailpit; else whom it came from. */
static int take_sender(struct release *r, struct span header, const struct address *caught)
{
	static const char *const fields[] = { "Sender", "From" };
	struct found sender = { 0 };
	struct span value;

	for (size_t i = 0; i < 2 && sender.first.text == NULL; i++) {
		sender.count = 0;
		if (header_find(header, fields[i], &value))
			header_addresses(value, take_first, &sender);
	}
	if (sender.first.text == NULL && address_is_null(caught))
		return -1;
	if (sender.first.text == NULL)
		address_copy(&sender.first, caught);
	address_release(&r->deposit->envelope.sender);
	r->deposit->envelope.sender = sender.first;
	return 0;
}

static int copy_rest(struct release *r, const struct message_facts *facts, uint64_t from)
{
	unsigned char *data = memory_new(READ_STEP);
	size_t got = 1;
	int rc = 0;

	while (rc == 0 && got > 0) {
		rc = reader_body(r->job.reader, facts->blob, from, data, READ_STEP, &got);
		if (rc == 0)
			deposit_append(r->deposit, span_of(data, got));
		from += got;
	}
	free(data);
	return rc;
}

static const char *copy_message(struct release *r, const struct message_facts *facts)
{
	int64_t now = clock_wall(r->job.call->web->options.clock);
	struct bytes front = { 0 }, header = { 0 };
	struct span section;
	const char *error = NULL;

	if (reader_header(r->job.reader, facts->blob, HEADER_MAX, &front) < 0) {
		bytes_release(&front);
		return "the message is gone";
	}
	section = span_of(front.data, header_length(bytes_span(&front)));
	mime_release_header(section, r->message_id, now, &header);
	deposit_append(r->deposit, bytes_span(&header));
	if (take_sender(r, section, &facts->sender) < 0)
		error = "No From header found";
	else if (copy_rest(r, facts, section.length) < 0)
		error = "the message is gone";
	bytes_release(&front);
	bytes_release(&header);
	return error;
}

static void release_work(struct call_job *job)
{
	struct release *r = (struct release *)(void *)job;
	struct message_facts facts;

	if (!reader_message(job->reader, r->id, &facts)) {
		r->error = "the message is gone";
		return;
	}
	r->deposit->envelope.smtputf8 = r->deposit->envelope.smtputf8 || facts.smtputf8;
	r->error = copy_message(r, &facts);
	message_facts_release(&facts);
}

/* ---- its deliveries --------------------------------------------------------------------- */

static const struct route *route_of(const struct call *call)
{
	const struct web_options *o = &call->web->options;
	const struct route_settings *wanted = settings_release_route(
		o->settings, call->inbox_name == NULL ? "default" : call->inbox_name);

	for (size_t i = 0; wanted != NULL && i < router_count(o->router); i++)
		if (router_at(o->router, i)->settings == wanted)
			return router_at(o->router, i);
	return NULL;
}

static void route(struct deposit *d, struct put *put)
{
	const struct web_options *o = &d->call->web->options;
	const struct route *to = route_of(d->call);
	int64_t now = clock_wall(o->clock);

	for (size_t from = 0; from < d->envelope.count; from += SPOOL_RECIPIENTS_MAX) {
		struct delivery *delivery = memory_new(sizeof(*delivery));
		size_t left = d->envelope.count - from;

		delivery->queue = to->queue;
		delivery->generation = router_generation(o->router);
		delivery->class = spool_class(o->spool, NULL, &d->envelope.sender);
		delivery->due_us = delivery->accepted_us = now;
		delivery->count = left < SPOOL_RECIPIENTS_MAX ? left : SPOOL_RECIPIENTS_MAX;
		delivery->recipients =
			memory_new_array(delivery->count, sizeof(*delivery->recipients));
		for (size_t i = 0; i < delivery->count; i++)
			recipient_copy(&delivery->recipients[i].to,
			               &d->envelope.recipients[from + i]);
		put_add_delivery(put, delivery);
	}
}

static void stored(struct deposit *d, uint64_t id, const char *why)
{
	struct release *r = d->call->context;

	if (id == 0) {
		answer_text(d->call, 507, "%s", why);
	} else {
		remember(&d->call->web->releases, released_new(d, r->id, id));
		r->answer(d->call);
	}
	release_free(r);
}

static void release_done(struct call_job *job)
{
	struct release *r = (struct release *)(void *)job;
	struct deposit *d = r->deposit;
	struct call *call = job->call;

	if (r->error != NULL) {
		answer_text(call, 400, "%s", r->error);
		release_free(r);
		return;
	}
	r->deposit = NULL;
	call->context = r;
	deposit_start(d);
}

/* ---- the request ------------------------------------------------------------------------- */

/* "a@b", or "Name <a@b>". */
static int add_recipient(struct envelope *envelope, const char *text)
{
	struct recipient to = { .notify = NOTIFY_DEFAULT };
	struct found found = { 0 };

	if (strpbrk(text, "\r\n") == NULL)
		header_addresses(span_of_text(text), take_first, &found);
	if (found.first.text == NULL || found.count != 1) {
		address_release(&found.first);
		return -1;
	}
	to.address = found.first;
	envelope->smtputf8 = envelope->smtputf8 || address_is_utf8(&to.address);
	envelope_add_recipient(envelope, &to);
	return 0;
}

/* {"To": [...]}, or MailHog's {"Email": "..."}. 0, or -1 and the call is answered. */
static int take_recipients(struct call *call, struct deposit *d)
{
	const char *email = json_string_value(call_member(call->body, "Email"));
	json_t *list = call_member(call->body, "To"), *item;
	size_t i;

	if (email != NULL && add_recipient(&d->envelope, email) == 0)
		return 0;

	if (!json_is_array(list) || json_array_size(list) == 0 ||
	    json_array_size(list) > RECIPIENTS_MAX) {
		answer_text(call, 400, "No valid addresses found: write {\"To\": [\"a@b\"]}");
		return -1;
	}
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (text == NULL || add_recipient(&d->envelope, text) < 0) {
			answer_text(call, 400, "Invalid email address: %s",
			            text == NULL ? "" : text);
			return -1;
		}
	}
	return 0;
}

void release_message(struct call *call, uint64_t id, void (*answer)(struct call *call))
{
	struct releases *all = &call->web->releases;
	struct deposit *d;
	struct release *r;

	if (route_of(call) == NULL) {
		answer_text(call, 400,
		            "releasing messages is not enabled: start with --relay URL, or write "
		            "release = \"PROVIDER\" for the inbox");
		return;
	}
	if (all->running >= RUNNING_MAX) {
		answer_text(call, 503, "%d messages are being released already", RUNNING_MAX);
		return;
	}
	d = deposit_new(call);
	if (take_recipients(call, d) < 0) {
		deposit_free(&d);
		return;
	}
	d->route = route;
	d->done = stored;
	r = memory_new(sizeof(*r));
	r->web = call->web;
	r->deposit = d;
	r->id = id;
	r->answer = answer;
	r->job.work = release_work;
	r->job.done = release_done;
	send_message_id(call->web, r->message_id, sizeof(r->message_id));
	all->running++;
	call_job_start(call, &r->job);
}

static void found(struct call *call, uint64_t id, uint64_t sequence)
{
	(void)sequence;
	release_message(call, id, answer_ok);
}

static void post_release(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, found);
}

const struct way release_ways[] = {
	{ EVHTTP_REQ_POST, "/api/v1/message/{ID}/release", post_release, WAY_JSON },
	WAYS_END,
};
