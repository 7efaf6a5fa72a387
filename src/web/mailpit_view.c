/* SPDX-License-Identifier: ISC */
/* mailpit_view.c - a message as a page of its own: /view/ID.html, /view/ID.txt, /view/latest.
 *
 * The page is the mail's, so the browser is told to give it no scripts, no origin and nothing from
 * elsewhere; pictures from elsewhere only with ?remote=1.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "inbox/inbox.h"
#include "mail/id.h"
#include "web/mailpit.h"
#include "web/quiet.h"

/* Octets of a name that HTML may call a part by: a line's, RFC 5322 2.1.1. */
#define CONTENT_ID_MAX 998

struct view_job {
	struct call_job job;
	uint64_t sequence;
	bool html, embed;
	bool remote; /* what is elsewhere may be loaded */
	bool unread;
	char *prefix; /* URL of its parts */
	char *suffix; /* what they are asked with */
	bool gone;
	struct bytes text; /* empty HTML: there is none */
};

/* ---- HTML, on a helper ----------------------------------------------------------- */

/* What may stand behind a Content-ID in HTML, as Mailpit has it, and in CSS. */
static bool ends_content_id(unsigned char c)
{
	return c == '"' || c == '\'' || c == '|' || c == '\\' || c == '/' || c == '>' || c == ';' ||
	       c == ')' || isspace(c);
}

/* Content-ID to PartID, for the first part of a name: those shown inline come first. */
static json_t *parts_by_name(const json_t *message)
{
	static const char *const lists[] = { "Inline", "Attachments" };
	json_t *names = json_object(), *part;
	size_t i;

	for (size_t list = 0; list < sizeof(lists) / sizeof(lists[0]); list++) {
		json_array_foreach(json_object_get(message, lists[list]), i, part)
		{
			const char *name = json_string_value(json_object_get(part, "ContentID"));

			if (name != NULL && *name != '\0' && json_object_get(names, name) == NULL)
				json_object_set(names, name, json_object_get(part, "PartID"));
		}
	}
	return names;
}

/* The PartID of what that Content-ID names; NULL: none. */
static const char *part_named(const json_t *names, struct span content_id)
{
	char name[CONTENT_ID_MAX + 1];

	if (content_id.length > CONTENT_ID_MAX || json_object_size(names) == 0 ||
	    memchr(content_id.data, '\0', content_id.length) != NULL)
		return NULL;
	memcpy(name, content_id.data, content_id.length);
	name[content_id.length] = '\0';
	return json_string_value(json_object_get(names, name));
}

/* Where a name ends is looked for once for all that begin before it, so the time does not grow with
 * the square of a mail that is "cid:cid:cid:". */
static void link_parts(const struct view_job *job, const json_t *message, struct span html,
                       struct bytes *out)
{
	json_t *names = parts_by_name(message);
	size_t at = 0, end = 0, length;

	for (; at < html.length; at += length) {
		struct span rest = { html.data + at, html.length - at };
		const char *part = NULL;

		length = 1;
		if (span_starts_nocase(rest, "cid:")) {
			size_t begin = at + strlen("cid:");

			if (end < begin)
				end = begin;
			while (end < html.length && !ends_content_id(html.data[end]))
				end++;
			part = part_named(names, span_of(html.data + begin, end - begin));
			if (part != NULL)
				length = end - at;
		}
		if (part != NULL)
			bytes_printf(out, "%s%s%s", job->prefix, part, job->suffix);
		else
			bytes_append(out, rest.data, 1);
	}
	json_decref(names);
}

/* Of an attribute that is there twice, browsers take the first. */
static void open_apart(struct span html, struct bytes *out)
{
	static const char attributes[] = " target=\"_blank\" rel=\"noreferrer noopener\"";

	for (size_t i = 0; i < html.length; i++) {
		bytes_append(out, html.data + i, 1);
		if (html.data[i] == '<' && i + 2 < html.length &&
		    (html.data[i + 1] == 'a' || html.data[i + 1] == 'A') &&
		    (isspace(html.data[i + 2]) || html.data[i + 2] == '/')) {
			bytes_append(out, html.data + ++i, 1);
			bytes_append_text(out, attributes);
		}
	}
}

static void make_html(struct view_job *job, const json_t *message)
{
	struct bytes linked = { 0 }, apart = { 0 };
	const char *html = json_string_value(json_object_get(message, "HTML"));

	link_parts(job, message, span_of_text(html), &linked);
	if (job->embed)
		open_apart(bytes_span(&linked), &apart);
	if (job->remote)
		bytes_append_span(&job->text, bytes_span(job->embed ? &apart : &linked));
	else
		quiet_html(&job->text, bytes_span(job->embed ? &apart : &linked));
	bytes_release(&linked);
	bytes_release(&apart);
}

static void view_work(struct call_job *call_job)
{
	struct view_job *job = (struct view_job *)(void *)call_job;
	uint32_t inbox = call_job->call->inbox;
	json_t *message = inbox_message_json(call_job->reader, inbox, job->sequence);
	struct inbox_entry entry;

	job->gone = message == NULL;
	if (message == NULL)
		return;
	if (reader_inbox_entry(call_job->reader, inbox, job->sequence, &entry)) {
		job->unread = !entry.read;
		inbox_entry_release(&entry);
	}
	if (job->html)
		make_html(job, message);
	else
		bytes_append_text(&job->text, json_string_value(json_object_get(message, "Text")));
	json_decref(message);
}

/* ---- the answer -------------------------------------------------------------------- */

static bool wants_remote(const struct call *call)
{
	const char *remote = call_query(call, "remote");

	return remote != NULL && (strcmp(remote, "1") == 0 || strcmp(remote, "true") == 0);
}

static void policy_headers(struct call *call, bool allowed)
{
	struct bytes policy = { 0 };

	bytes_printf(&policy,
	             "default-src 'none'; img-src 'self' data:%s; style-src 'unsafe-inline'%s; "
	             "font-src data:%s; media-src 'self' data:%s; base-uri 'none'; form-action "
	             "'none'; frame-ancestors 'self'; "
	             "sandbox allow-popups allow-popups-to-escape-sandbox",
	             allowed ? " http: https:" : "", allowed ? " http: https:" : "",
	             allowed ? " http: https:" : "", allowed ? " http: https:" : "");
	answer_header(call, "Content-Security-Policy", bytes_text(&policy));
	answer_header(call, QUIET_HEADER, QUIET_VALUE);
	bytes_release(&policy);
}

static void view_send(struct call *call, struct view_job *job)
{
	if (job->html)
		policy_headers(call, job->remote);
	if (job->html && job->text.length == 0)
		answer_text(call, 404, "This message does not contain a HTML part");
	else
		answer_body(call, 200,
		            job->html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8",
		            bytes_span(&job->text));
}

static void view_free(struct view_job *job)
{
	free(job->prefix);
	free(job->suffix);
	bytes_release(&job->text);
	free(job);
}

static void view_marked(struct change_wait *wait)
{
	view_send(wait->call, wait->context);
	view_free(wait->context);
}

static void view_done(struct call_job *call_job)
{
	struct view_job *job = (struct view_job *)(void *)call_job;
	struct call *call = call_job->call;

	if (job->unread) {
		mark_read(call, job->sequence, view_marked, job);
		return;
	}
	if (job->gone)
		answer_text(call, 404, "Message not found");
	else
		view_send(call, job);
	view_free(job);
}

static void part_url(struct call *call, struct view_job *job, uint64_t id)
{
	struct bytes path = { 0 }, url = { 0 }, suffix = { 0 };
	char text[ID_TEXT_SIZE], key[VIEW_KEY_SIZE];

	id_format(id, text);
	bytes_printf(&path, "api/v1/message/%s/part/", text);
	call_url(call, bytes_text(&path), &url);
	view_key_of(call->web, span_of_text(text), key);
	bytes_printf(&suffix, "?key=%s", key);
	job->prefix = memory_text(bytes_text(&url));
	job->suffix = memory_text(bytes_text(&suffix));
	bytes_release(&path);
	bytes_release(&url);
	bytes_release(&suffix);
}

static void view_start(struct call *call, uint64_t id, uint64_t sequence, bool html)
{
	struct view_job *job = memory_new(sizeof(*job));
	const char *embed = call_query(call, "embed");

	job->sequence = sequence;
	job->html = html;
	job->embed = embed != NULL && strcmp(embed, "1") == 0;
	job->remote = wants_remote(call);
	part_url(call, job, id);
	job->job.work = view_work;
	job->job.done = view_done;
	call_job_start(call, &job->job);
}

void view_html(struct call *call, uint64_t id, uint64_t sequence)
{
	view_start(call, id, sequence, true);
}

void view_text(struct call *call, uint64_t id, uint64_t sequence)
{
	view_start(call, id, sequence, false);
}

/* ---- which ------------------------------------------------------------------------------ */

static void latest_found(struct hunt *hunt)
{
	struct call *call = hunt->job.call;
	struct inbox_entry entry;
	struct bytes path = { 0 }, url = { 0 };
	char text[ID_TEXT_SIZE];

	if (hunt->count > 0 &&
	    reader_inbox_entry(call->web->reader, call->inbox, hunt->sequences[0], &entry)) {
		id_format(entry.id, text);
		bytes_printf(&path, "view/%s", text);
		inbox_entry_release(&entry);
	}
	call_url(call, bytes_text(&path), &url);
	answer_redirect(call, bytes_text(&url));
	bytes_release(&path);
	bytes_release(&url);
}

static void go_to_latest(struct call *call)
{
	struct hunt *hunt = hunt_new(call, call_query(call, "query"), latest_found);

	hunt->limit = 1;
	hunt_start(hunt);
}

static void view(struct call *call)
{
	const char *name = call->arguments[0], *dot = strrchr(name, '.');
	void (*found)(struct call * call, uint64_t id, uint64_t sequence) = NULL;
	char *id;

	if (dot != NULL && strcmp(dot, ".html") == 0)
		found = view_html;
	else if (dot != NULL && strcmp(dot, ".txt") == 0)
		found = view_text;
	if (found == NULL) {
		answer_page(call);
		return;
	}
	id = memory_text_of(name, (size_t)(dot - name));
	find_message(call, id, FIND_MESSAGE, found);
	free(id);
}

const struct way mailpit_view_ways[] = {
	{ EVHTTP_REQ_GET, "/view/latest", go_to_latest, 0 },
	{ EVHTTP_REQ_GET, "/view/{ID}", view, 0 },
	WAYS_END,
};
