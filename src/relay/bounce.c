/* SPDX-License-Identifier: ISC */
/* bounce.c - decides whether a failure is reported, reads the original, routes the report.
 *
 * Runs in a helper: reading a cold message may wait for the disk. The report goes in
 * like any other mail, with the null reverse-path, so that it ends wherever the rules send it.
 */
#include "relay/bounce.h"

#include <stdlib.h>

#include "base/memory.h"
#include "mail/header.h"
#include "relay/dsn.h"

/* A message is returned whole up to here; beyond it only its header. */
#define RETURN_MAX (64 * 1024) /* octets */
#define PIECE      (16 * 1024) /* octets read at a time */

/* Those who did not ask to be spared a report (RFC 3461 4.1). */
static size_t to_report(struct bounce_failure *out, const struct bounce_request *request)
{
	size_t count = 0;

	for (size_t i = 0; i < request->count; i++)
		if (report_is_wanted(request->failures[i].report, request->failures[i].to.notify))
			out[count++] = request->failures[i];
	return count;
}

/* RFC 3461 4.3: only then RET is meant. */
static bool has_failures(const struct bounce_failure *failures, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (failures[i].report == REPORT_FAILED)
			return true;
	return false;
}

/* What stands before it when it is sent, but for our Received field: the fields that it came
 * without. */
static void append_added(const struct message_facts *facts, struct bytes *out)
{
	trace_format_added(&facts->trace, facts->id, out);
	if (facts->trace.added & TRACE_ADD_LINE)
		bytes_append_text(out, "\r\n");
}

static int read_whole(struct reader *reader, const struct message_facts *facts, struct bytes *out)
{
	size_t got = 0;
	uint64_t at = 0;

	append_added(facts, out);
	do {
		bytes_reserve(out, PIECE);
		if (reader_body(reader, facts->blob, at, out->data + out->length, PIECE, &got) != 0)
			return -1;
		out->length += got;
		at += got;
	} while (got > 0 && out->length <= RETURN_MAX);
	return out->length <= RETURN_MAX && dsn_is_plain(bytes_span(out)) ? 0 : -1;
}

static void read_header(struct reader *reader, const struct message_facts *facts, struct bytes *out)
{
	struct bytes header = { 0 };

	bytes_clear(out);
	append_added(facts, out);
	/* Behind a line that we added there is text only. */
	if ((facts->trace.added & TRACE_ADD_LINE) == 0 &&
	    reader_header(reader, facts->blob, HEADER_MAX, &header) == 0)
		bytes_append(out, header.data, header_length(bytes_span(&header)));
	bytes_release(&header);
}

/* Returns whether it is the whole message; else its header section, or nothing. */
static bool read_original(const struct bounce_maker *maker, struct reader *reader,
                          const struct message_facts *facts, bool failed, struct bytes *out)
{
	bool full = facts->ret == RET_FULL ||
	            (facts->ret == RET_DEFAULT && maker->settings->bounce_full);

	full = full && failed && !facts->terms.require_tls; /* RFC 8689 5 */

	if (full && facts->size <= RETURN_MAX && read_whole(reader, facts, out) == 0)
		return true;
	read_header(reader, facts, out);
	return false;
}

static void fill_facts(struct put *put, const struct bounce_maker *maker,
                       const struct message_facts *original, int64_t now_us)
{
	struct message_facts *facts = &put->facts;
	const char *hostname = maker->settings->hostname;

	facts->sender.text = memory_text("");
	facts->body = BODY_7BIT;
	facts->terms.require_tls = original->terms.require_tls; /* RFC 8689 5 */
	/* RFC 6710 4.6 */
	facts->terms.priority = facts->trace.priority = original->terms.priority;
	facts->size = put->body.length;
	facts->trace.helo = memory_text(hostname);
	facts->trace.client = memory_text("unix:penstock");
	facts->trace.by = memory_text(hostname);
	facts->trace.with = memory_text("LOCAL");
	facts->trace.time_us = now_us;
}

/* To the sender; a name of this host, as cron's, to whom its alias says. */
static void address_to(const struct settings *settings, struct envelope *envelope,
                       const struct address *sender)
{
	const struct alias_settings *alias =
		settings_alias_of(settings, address_local(sender), address_domain(sender));
	struct recipient recipient = { .notify = NOTIFY_DEFAULT };
	const char *error;

	if (alias == NULL) {
		address_copy(&recipient.address, sender);
		envelope_add_recipient(envelope, &recipient);
		return;
	}
	for (size_t i = 0; i < alias->to.count; i++) {
		recipient = (struct recipient){ .notify = NOTIFY_DEFAULT };
		if (address_parse(&recipient.address, span_of_text(alias->to.items[i]), 0,
		                  &error) == 0)
			envelope_add_recipient(envelope, &recipient);
	}
}

static void route_report(const struct bounce_maker *maker, struct put *put,
                         const struct address *to, int64_t now_us)
{
	struct envelope envelope;

	envelope_init(&envelope);
	envelope.sender.text = memory_text("");
	envelope.smtputf8 = put->facts.smtputf8 = address_is_utf8(to);
	address_to(maker->settings, &envelope, to);
	route_put(maker->router, put, maker->spool, &envelope, NULL, maker->intake, now_us);
	envelope_release(&envelope);
}

static struct put *make(const struct bounce_maker *maker, struct reader *reader,
                        const struct bounce_request *request, const struct message_facts *facts,
                        const struct bounce_failure *failures, size_t count)
{
	struct put *put = put_new(maker->spool);
	struct bytes original = { 0 };
	int64_t now = clock_wall(maker->clock);
	struct dsn dsn = { .hostname = maker->settings->hostname,
		           .from = maker->settings->bounce_from,
		           .to = &facts->sender,
		           .envid = facts->envid,
		           .terms = facts->terms,
		           .id = request->id,
		           .n = request->n,
		           .arrived_us = facts->trace.time_us,
		           .now_us = now,
		           .failures = failures,
		           .count = count };

	dsn.full = read_original(maker, reader, facts, has_failures(failures, count), &original);
	dsn.original = bytes_span(&original);
	dsn_format(&dsn, &put->body);
	bytes_release(&original);
	fill_facts(put, maker, facts, now);
	route_report(maker, put, &facts->sender, now);
	return put;
}

struct put *bounce_make(const struct bounce_maker *maker, struct reader *reader,
                        const struct bounce_request *request)
{
	struct bounce_failure failures[SPOOL_RECIPIENTS_MAX];
	struct message_facts facts = { 0 };
	struct put *put = NULL;
	size_t count = to_report(failures, request);

	if (count == 0 || !reader_message(reader, request->id, &facts))
		return NULL;
	/* A report of a report would never end (RFC 5321 4.5.5). */
	if (!address_is_null(&facts.sender))
		put = make(maker, reader, request, &facts, failures, count);
	message_facts_release(&facts);
	return put;
}
