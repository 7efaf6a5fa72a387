/* SPDX-License-Identifier: ISC */
/* mailpit_about.c - what the server is and has: info, webui, inboxes, probes, the API's document.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/metric.h"
#include "web/assets.h"
#include "web/mailpit.h"

static void set_count(json_t *object, const char *name, uint64_t count)
{
	json_object_set_new(object, name, json_integer((json_int_t)count));
}

/* ---- info ---------------------------------------------------------------------- */

/* Octets of memory that are ours alone; 0: the system does not say. */
static uint64_t memory_used(void)
{
	unsigned long long size, resident, shared;
	FILE *file = fopen("/proc/self/statm", "re");
	int got = file == NULL ? 0 : fscanf(file, "%llu %llu %llu", &size, &resident, &shared);

	if (file != NULL)
		fclose(file);
	return got == 3 ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static json_t *runtime(struct web *web, uint64_t removed)
{
	int64_t up = clock_monotonic(web->options.clock) - web->started_us;
	json_t *object = json_object();

	set_count(object, "Uptime", (uint64_t)(up / CLOCK_SEC));
	set_count(object, "Memory", memory_used());
	set_count(object, "MessagesDeleted", removed);
	set_count(object, "SMTPAccepted", (uint64_t)metric_get(METRIC_MESSAGES_ACCEPTED));
	set_count(object, "SMTPAcceptedSize", (uint64_t)metric_get(METRIC_BYTES_ACCEPTED));
	set_count(object, "SMTPRejected", (uint64_t)metric_get(METRIC_COMMANDS_REJECTED));
	set_count(object, "SMTPIgnored", 0);
	return object;
}

static void add_count(void *context, const char *label, uint64_t count)
{
	set_count(context, label, count);
}

static void get_info(struct call *call)
{
	struct web *web = call->web;
	json_t *object = json_object(), *tags = json_object();
	struct inbox_counts counts;
	struct spool_counts spool;

	reader_inbox_counts(web->reader, call->inbox, &counts);
	reader_counts(web->reader, &spool);
	reader_inbox_labels(web->reader, call->inbox, add_count, tags);
	json_object_set_new(object, "Version", json_string(PACKAGE_VERSION));
	json_object_set_new(object, "LatestVersion", json_string(PACKAGE_VERSION));
	json_object_set_new(object, "Database", json_text(web->options.settings->spool_path));
	set_count(object, "DatabaseSize", spool.octets);
	set_count(object, "Messages", counts.entries);
	set_count(object, "Unread", counts.unread);
	json_object_set_new(object, "Tags", tags);
	json_object_set_new(object, "RuntimeStats", runtime(web, counts.removed));
	answer_json(call, 200, object);
}

/* ---- webui --------------------------------------------------------------------- */

static const struct inbox_settings *inbox_settings_of(const struct call *call)
{
	const struct settings *settings = call->web->options.settings;

	for (size_t i = 0; i < settings->inbox_count; i++)
		if (call->web->options.inboxes[i] == call->inbox)
			return &settings->inboxes[i];
	return NULL;
}

static json_t *relay_of(const struct call *call)
{
	const struct inbox_settings *inbox = inbox_settings_of(call);
	const struct provider_settings *provider = NULL;
	json_t *object = json_object();
	struct bytes server = { 0 };

	if (inbox != NULL && inbox->release != NULL)
		provider = settings_provider(call->web->options.settings, inbox->release);
	if (provider != NULL && provider->host != NULL)
		bytes_printf(&server, "%s:%u", provider->host, (unsigned)provider->port);
	json_object_set_new(object, "Enabled", json_boolean(provider != NULL));
	json_object_set_new(object, "SMTPServer", json_text(bytes_text(&server)));
	json_object_set_new(object, "ReturnPath", json_string(""));
	json_object_set_new(object, "AllowedRecipients", json_string(""));
	json_object_set_new(object, "BlockedRecipients", json_string(""));
	json_object_set_new(object, "OverrideFrom", json_string(""));
	json_object_set_new(object, "PreserveMessageIDs", json_false());
	json_object_set_new(object, "RecipientAllowlist", json_string(""));
	bytes_release(&server);
	return object;
}

static void get_webui(struct call *call)
{
	const struct web_options *options = &call->web->options;
	json_t *object = json_object(), *smtp = json_object();

	json_object_set_new(smtp, "Address", json_text(options->smtp_address));
	json_object_set_new(smtp, "Port", json_integer(options->smtp_port));
	json_object_set_new(object, "Label", json_string(""));
	json_object_set_new(object, "MessageRelay", relay_of(call));
	json_object_set_new(object, "SpamAssassin", json_false());
	json_object_set_new(object, "ChaosEnabled", json_boolean(options->settings->chaos));
	json_object_set_new(object, "DuplicatesIgnored", json_false());
	json_object_set_new(object, "HideDeleteAllButton", json_false());
	json_object_set_new(object, "SMTP", smtp);
	answer_json(call, 200, object);
}

/* ---- inboxes ---------------------------------------------------------------------- */

static void get_inboxes(struct call *call)
{
	const struct web_options *options = &call->web->options;
	json_t *list = json_array();

	for (size_t i = 0; i < options->settings->inbox_count; i++) {
		json_t *object = json_object();
		struct inbox_counts counts;

		reader_inbox_counts(call->web->reader, options->inboxes[i], &counts);
		json_object_set_new(object, "Name", json_text(options->settings->inboxes[i].name));
		set_count(object, "Messages", counts.entries);
		set_count(object, "Unread", counts.unread);
		json_array_append_new(list, object);
	}
	answer_json(call, 200, list);
}

/* ---- the document ----------------------------------------------------------------------- */

/* With the place where the API begins, when that is not the top. */
static void get_document(struct call *call)
{
	struct bytes base = { 0 }, text = { 0 };

	call_url(call, "", &base);
	for (size_t i = 0; i < page_file_count; i++) {
		const struct page_file *file = &page_files[i];

		if (strcmp(file->path, "page/openapi.json") != 0)
			continue;
		bytes_append_text(&text, "{");
		if (base.length > 1) {
			base.length--; /* its last slash */
			bytes_append_text(&text, "\n  \"basePath\": ");
			json_put_text(&text, bytes_text(&base));
			bytes_append_text(&text, ",");
		}
		bytes_append(&text, file->data + 1, file->length - 1);
	}
	answer_body(call, 200, "application/json", bytes_span(&text));
	bytes_release(&base);
	bytes_release(&text);
}

/* ---- probes ------------------------------------------------------------------------- */

static void get_live(struct call *call)
{
	answer_empty(call, 200);
}

/* Everything that serves was started before the web: what is left is to read. */
static void get_ready(struct call *call)
{
	struct inbox_counts counts;

	reader_inbox_counts(call->web->reader, call->inbox, &counts);
	answer_empty(call, 200);
}

const struct way mailpit_about_ways[] = {
	{ EVHTTP_REQ_GET, "/api/v1/info", get_info, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/webui", get_webui, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/inboxes", get_inboxes, 0 },
	{ EVHTTP_REQ_GET, "/api/v1/swagger.json", get_document, 0 },
	{ EVHTTP_REQ_GET, "/livez", get_live, WAY_OPEN },
	{ EVHTTP_REQ_GET, "/readyz", get_ready, WAY_OPEN },
	WAYS_END,
};
