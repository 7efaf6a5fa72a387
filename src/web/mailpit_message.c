/* SPDX-License-Identifier: ISC */
/* mailpit_message.c - one message: what is in it, its header, its source, its parts.
 *
 * Parts are found by the index that was made when the message came: of a part only its own octets
 * are read, some at a time. Mail is somebody else's: of what a browser would run, nothing is shown
 * in place.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "inbox/inbox.h"
#include "mail/id.h"
#include "mime/mime.h"
#include "web/mailpit.h"
#include "web/part.h"

/* ---- JSON, made on a helper ------------------------------------------------------- */

struct message_job {
	struct call_job job;
	uint64_t id, sequence;
	json_t *(*make)(struct reader *reader, uint32_t inbox, uint64_t sequence);
	bool marks; /* it is read then */
	bool unread;
	json_t *value; /* NULL: it is gone */
};

static void message_work(struct call_job *call_job)
{
	struct message_job *job = (struct message_job *)(void *)call_job;
	uint32_t inbox = call_job->call->inbox;
	struct inbox_entry entry;

	job->value = job->make(call_job->reader, inbox, job->sequence);
	if (job->marks && reader_inbox_entry(call_job->reader, inbox, job->sequence, &entry)) {
		job->unread = !entry.read;
		inbox_entry_release(&entry);
	}
}

static void message_marked(struct change_wait *wait)
{
	answer_json(wait->call, 200, wait->context);
}

static void message_done(struct call_job *call_job)
{
	struct message_job *job = (struct message_job *)(void *)call_job;
	struct call *call = call_job->call;
	json_t *released = job->marks ? release_json(call->web, job->id) : NULL;

	if (job->value != NULL && released != NULL)
		json_object_set(job->value, "Release", released);
	json_decref(released);
	if (job->value == NULL)
		answer_not_found(call);
	else if (job->unread)
		mark_read(call, job->sequence, message_marked, job->value);
	else
		answer_json(call, 200, job->value);
	free(job);
}

static void message_start(struct call *call, uint64_t id, uint64_t sequence, bool marks,
                          json_t *(*make)(struct reader *reader, uint32_t inbox, uint64_t sequence))
{
	struct message_job *job = memory_new(sizeof(*job));

	job->id = id;
	job->sequence = sequence;
	job->make = make;
	job->marks = marks;
	job->job.work = message_work;
	job->job.done = message_done;
	call_job_start(call, &job->job);
}

static void message_found(struct call *call, uint64_t id, uint64_t sequence)
{
	message_start(call, id, sequence, true, inbox_message_json);
}

static void get_message(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, message_found);
}

static void headers_found(struct call *call, uint64_t id, uint64_t sequence)
{
	message_start(call, id, sequence, false, inbox_headers_json);
}

static void get_headers(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, headers_found);
}

/* ---- its source ------------------------------------------------------------------- */

static void raw_found(struct call *call, uint64_t id, uint64_t sequence)
{
	const char *download = call_query(call, "dl");
	struct bytes disposition = { 0 };
	char text[ID_TEXT_SIZE];

	(void)sequence;
	if (download != NULL && strcmp(download, "1") == 0) {
		id_format(id, text);
		bytes_printf(&disposition, "attachment; filename=\"%s.eml\"", text);
		answer_header(call, "Content-Disposition", bytes_text(&disposition));
		bytes_release(&disposition);
	}
	if (!content_answer(call, id, "text/plain; charset=utf-8"))
		answer_not_found(call);
}

static void get_raw(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, raw_found);
}

/* ---- parts -------------------------------------------------------------------------- */

static void part_found(struct call *call, uint64_t id, uint64_t sequence)
{
	if (!part_answer(call, id, sequence, call->arguments[1]))
		answer_not_found(call);
}

static void get_part(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, part_found);
}

static void thumb_found(struct call *call, uint64_t id, uint64_t sequence)
{
	if (!part_thumb_answer(call, id, sequence, call->arguments[1]))
		answer_text(call, 400, "part not found");
}

static void get_thumb(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, thumb_found);
}

/* ---- checks -------------------------------------------------------------------------- */

/* They ask elsewhere, or need a list of what mail programs can show: there is none here. */
static void html_check_found(struct call *call, uint64_t id, uint64_t sequence)
{
	struct mime_index index;
	bool has = false;

	(void)id;
	if (part_index(call, sequence, &index)) {
		for (size_t i = 0; i < index.count; i++)
			has |= index.parts[i].role == MIME_HTML;
		mime_index_release(&index);
	}
	answer_text(call, 400, "%s",
	            has ? "HTML check is not enabled" : "message does not contain HTML");
}

static void get_html_check(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, html_check_found);
}

static void link_check_marked(struct change_wait *wait)
{
	answer_text(wait->call, 400, "link check is not enabled");
}

static void link_check_found(struct call *call, uint64_t id, uint64_t sequence)
{
	(void)id;
	mark_read(call, sequence, link_check_marked, NULL);
}

static void get_link_check(struct call *call)
{
	find_message(call, call->arguments[0], FIND_PAGE, link_check_found);
}

const struct way mailpit_message_ways[] = {
	{ EVHTTP_REQ_GET, "/api/v1/message/{ID}", get_message, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/message/{ID}/headers", get_headers, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/message/{ID}/raw", get_raw, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/message/{ID}/part/{PartID}", get_part, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/message/{ID}/part/{PartID}/thumb", get_thumb, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/message/{ID}/html-check", get_html_check, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/message/{ID}/link-check", get_link_check, 0 },
	WAYS_END,
};
